"""The gate, clause by clause, and the statistic behind it."""

from dataclasses import replace

import numpy as np
import pytest

from digits import metrics
from digits.learning import gate
from digits.metrics import Predictions


def predictions(n=3000, broken=(), fixed=(), sure=0.9, sure_before=0.9):
    """Predictions for n rows, label i % 10 in row i, all correct but those broken or fixed."""
    labels = np.arange(n) % 10

    def probabilities(wrong, share):
        guesses = labels.copy()
        guesses[list(wrong)] = (guesses[list(wrong)] + 1) % 10
        others = (1 - share) / 9
        return np.eye(10)[guesses] * (share - others) + others

    return Predictions(labels, probabilities(fixed, sure_before), probabilities(broken, sure))


def test_predictions_flips_are_told_apart():
    flips = predictions(20, broken=[3, 4], fixed=[11])
    assert np.flatnonzero(flips.broken).tolist() == [3, 4]
    assert np.flatnonzero(flips.fixed).tolist() == [11]


def limit(n=3000, broken=0, fixed=0):
    return metrics.loss_limit(predictions(n, broken=range(broken), fixed=range(n - fixed, n)))


def test_loss_limit_no_flips_still_leaves_doubt_that_shrinks_with_the_rows():
    assert limit(500) > limit(3000) > limit(30_000) > 0


@pytest.mark.parametrize("broken", [0, 3, 10])
@pytest.mark.parametrize("fixed", [0, 3, 10])
def test_loss_limit_exceeds_the_loss_and_follows_the_flips(broken, fixed):
    assert limit(broken=broken, fixed=fixed) > (broken - fixed) / 3000
    assert limit(broken=broken + 1, fixed=fixed) > limit(broken=broken, fixed=fixed)
    assert limit(broken=broken, fixed=fixed + 1) < limit(broken=broken, fixed=fixed)


def test_loss_limit_true_loss_is_covered_in_95_of_100_samples():
    rng = np.random.default_rng(0)
    lost, won, n, times = 0.006, 0.003, 3000, 400
    covered = 0
    for _ in range(times):
        broken, fixed, _ = rng.multinomial(n, [lost, won, 1 - lost - won])
        covered += limit(n, broken, fixed) >= lost - won
    assert covered / times >= 0.93


LEARNED = predictions(15, fixed=range(15))  # too few for a trial
MANY = predictions(30, fixed=range(30))


@pytest.mark.parametrize(
    ("held_out", "allowed"),
    [
        # Rows enough
        (predictions(gate.MIN_HELD_OUT), True),
        (predictions(gate.MIN_HELD_OUT - 1), "999 held-out rows"),
        (predictions(0), "0 held-out rows"),
        # No worse than the current network: of 3,000 rows, 2 may break beyond those fixed
        (predictions(broken=[1, 2]), True),
        (predictions(broken=[1, 2, 3]), "against the current network it breaks 3"),
        (predictions(1500, broken=[1]), "against the current network"),
        # No digit lost: of 300 rows 3, of 600 rows 6, net of those fixed
        (predictions(broken=[3, 13, 23], fixed=[4, 5, 6]), True),
        (predictions(broken=[3, 13, 23, 33], fixed=[4, 5, 6, 7]), "4 held-out 3s are lost, 3 is"),
        (predictions(broken=[3, 13, 23, 33], fixed=[43, 5, 6, 7]), True),
        (predictions(6000, broken=range(0, 60, 10), fixed=range(1, 60, 10)), True),
        (predictions(6000, broken=range(0, 70, 10), fixed=range(1, 70, 10)), "7 held-out 0s"),
        # No less sure
        (predictions(sure=0.9 * np.exp(-0.0099)), True),
        (predictions(sure=0.9 * np.exp(-0.0101)), "less trustworthy"),
        (predictions(sure=np.nan), "breaks 2700"),
    ],
)
def test_gate_held_out_answers_decide_clause_by_clause(held_out, allowed):
    decision = gate.decide(held_out, held_out.before, LEARNED)
    assert decision.allowed == (allowed is True)
    assert allowed is True or allowed in decision.reason


@pytest.mark.parametrize(
    ("since_first", "allowed"),
    [(4, True), (5, "against the first network it breaks 5"), (None, "first network is missing")],
)
def test_gate_many_small_losses_add_up_against_the_first_network(since_first, allowed):
    now = predictions(broken=range(since_first or 0))
    unchanged = Predictions(now.labels, now.after, now.after)
    first = None if since_first is None else now.before
    decision = gate.decide(unchanged, first, LEARNED)
    assert decision.allowed == (allowed is True)
    assert allowed is True or allowed in decision.reason


@pytest.mark.parametrize(
    ("broken", "fixed", "still_wrong", "reason"),
    [
        (0, 1, 0, None),
        (1, 3, 0, None),
        (0, 10, 10, None),
        (0, 9, 11, "of 20 misclassified corrections it fixes 9 and breaks 0"),
        (2, 3, 0, "fixes 3 and breaks 2"),
        (2, 2, 0, "fixes 2 and breaks 2"),
        (3, 2, 0, "fixes 2 and breaks 3"),
        (0, 0, 0, "all 30 corrections are classified correctly already"),
    ],
)
def test_gate_corrections_must_be_clearly_more_right(broken, fixed, still_wrong, reason):
    corrections = predictions(30, broken=range(broken), fixed=range(10, 10 + fixed))
    places = slice(30 - still_wrong, 30)
    for probabilities in (corrections.before, corrections.after):
        probabilities[places] = np.roll(probabilities[places], 1, axis=1)
    held_out = predictions()
    decision = gate.decide(held_out, held_out.before, corrections, corrections.after)
    assert decision.allowed == (reason is None)
    assert reason is None or reason in decision.reason


@pytest.mark.parametrize(
    ("after", "allowed"), [(0.0059, True), (0.0061, "4s would be taken for 9s")]
)
def test_gate_label_that_pulls_held_out_digits_over_is_refused(after, allowed):
    held_out = predictions(sure=0.99, sure_before=0.99)
    fours = held_out.labels == 4
    moved = held_out.after.copy()
    moved[fours, 9] = after
    corrections = Predictions(
        np.full(15, 9), np.eye(10)[np.full(15, 4)], np.eye(10)[np.full(15, 9)]
    )
    decision = gate.decide(replace(held_out, after=moved), held_out.before, corrections)
    assert decision.allowed == (allowed is True)
    assert allowed is True or allowed in decision.reason


def test_gate_label_that_was_likely_before_may_be_twice_as_likely():
    held_out = predictions(sure=0.9, sure_before=0.9)  # 1.1 % for each other digit
    corrections = Predictions(
        np.full(15, 9), np.eye(10)[np.full(15, 4)], np.eye(10)[np.full(15, 9)]
    )
    fours = held_out.labels == 4
    for times, allowed in ((1.9, True), (2.1, False)):
        moved = held_out.after.copy()
        moved[fours, 9] *= times
        judged = replace(held_out, after=moved)
        assert gate.decide(judged, held_out.before, corrections).allowed == allowed


@pytest.mark.parametrize(
    ("unseen", "reason"),
    [
        (predictions(30).after, None),
        (predictions(30, broken=range(28)).after, None),
        (
            predictions(30, broken=range(29)).after,
            "of 30 misclassified corrections, only 1 are classified correctly",
        ),
        (None, "the leave-one-out classifier is missing"),
    ],
)
def test_gate_many_corrections_must_teach_about_each_other(unseen, reason):
    held_out = predictions()
    decision = gate.decide(held_out, held_out.before, MANY, unseen)
    assert decision.allowed == (reason is None)
    assert reason is None or reason in decision.reason


def test_gate_trial_asks_only_of_corrections_that_were_wrong():
    known = predictions(30, fixed=range(19))
    held_out = predictions()
    assert gate.decide(held_out, held_out.before, known, None).allowed


@pytest.mark.parametrize(("off", "alike"), [(0, True), (5e-5, True), (5e-4, False), (None, False)])
def test_file_differs_file_that_predicts_otherwise_is_refused(off, alike):
    expected = predictions(40).after
    decision = gate.file_differs(expected, None if off is None else expected + off)
    assert (decision is None) == alike
    assert alike or not decision.allowed


def test_gate_no_corrections_at_all_is_refused():
    held_out = predictions()
    assert not gate.decide(held_out, held_out.before, predictions(0)).allowed


def test_gate_reason_of_an_allowed_candidate_says_what_flipped():
    held_out = predictions(broken=[3], fixed=[4, 5])
    reason = gate.decide(held_out, held_out.before, LEARNED).reason
    assert "3,000 held-out digits it fixed 2 and broke 1, and 15 of 15" in reason
