"""`train.csv`, its held-out rows, scores, and the gate."""

import numpy as np
import pytest

from digits import evaluation
from digits.evaluation import Answers, DataError

HEADER = ",".join(evaluation.COLUMNS)


def line(label=5, last=0, pixels=evaluation.PIXELS):
    """A row of Kaggle's layout as text: zeros, but for the label and the last pixel."""
    return ",".join([str(label), *["0"] * (pixels - 1), str(last)])


# Reading and writing


def test_first_of_each_digit_marks_the_first_of_each_in_any_order():
    labels = np.array([3, 1, 3, 3, 1, 9])
    expected = [True, True, True, False, True, True]
    assert evaluation.first_of_each_digit(labels, 2).tolist() == expected


def test_read_rows_gives_what_write_rows_was_given(rows, tmp_path):
    digits, labels = rows[0][::100], rows[1][::100]
    evaluation.write_rows(tmp_path / "rows.csv", digits, labels)
    digits_read, labels_read = evaluation.read_rows(tmp_path / "rows.csv")
    assert (digits_read.dtype, labels_read.dtype) == (np.uint8, np.int64)
    assert np.array_equal(digits_read, digits)
    assert np.array_equal(labels_read, labels)


def test_read_rows_shipped_file_has_500_of_each_digit(rows):
    assert np.bincount(rows[1]).tolist() == [evaluation.ROWS_PER_DIGIT] * 10


@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_read_rows_bom_and_crlf_are_no_obstacle(mark, end, tmp_path):
    path = tmp_path / "rows.csv"
    path.write_bytes((mark + HEADER + end + line(5, 255) + end).encode())
    digits, labels = evaluation.read_rows(path)
    assert (labels.tolist(), digits[0, 27, 27]) == ([5], 255)


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (None, "There is no"),
        (b"", "cannot be read as a table"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\xff", "cannot be read as a table"),
        (HEADER, "has no rows"),
        (HEADER.replace(",pixel7,", ",") + "\n" + line(pixels=783), "lacks column pixel7"),
        (HEADER.replace("label,", "") + "\n" + line(pixels=783), "lacks column label"),
        (HEADER + ",pixel784\n" + line(pixels=785), "a column pixel784 too many"),
        (line() + "\n" + line(), "lacks column label"),
        (f"{HEADER}\n{line()}\n{line(10)}", "has '10' as label in row 2"),
        (f"{HEADER}\n{line(-1)}", "has '-1' as label in row 1"),
        (f"{HEADER}\n{line(2.5)}", "has '2.5' as label in row 1"),
        (f"{HEADER}\n{line('')}\n{line()}", "as label in row 1"),
        (f"{HEADER}\n{line(5, 256)}", "has '256' as pixel783 in row 1"),
        (f"{HEADER}\n{line()}\n{line(5, 'ink')}", "has 'ink' as pixel783 in row 2"),
        (f"{HEADER}\n{line(pixels=700)}", "as pixel700 in row 1"),
        (f"{HEADER}\n{line(pixels=785)}\n{line(pixels=785)}", "rows of more cells"),
        (f"{HEADER}\n{line()}\n{line(pixels=785)}", "cannot be read as a table"),
    ],
)
def test_read_rows_bad_file_is_refused_in_one_sentence(content, fault, tmp_path):
    path = tmp_path / "train.csv"
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(DataError) as caught:
        evaluation.read_rows(path)
    message = str(caught.value)
    assert str(path) in message
    assert fault in message
    assert "\n" not in message


# Held-out rows


def test_held_out_row_keeps_its_part_whatever_surrounds_it(rows):
    digits = rows[0]
    whole = evaluation.held_out(digits)
    order = np.random.default_rng(0).permutation(len(digits))
    assert np.array_equal(evaluation.held_out(digits[order]), whole[order])
    assert np.array_equal(evaluation.held_out(digits[7:40]), whole[7:40])
    assert evaluation.held_out(np.repeat(digits[:30], 2, axis=0)).tolist() == [
        part for part in whole[:30] for _ in range(2)
    ]


def test_held_out_share_is_near_60_percent_of_each_digit(rows):
    digits, labels = rows
    whole = evaluation.held_out(digits)
    assert abs(whole.mean() - 0.6) < 0.02
    for digit in range(10):
        assert abs(whole[labels == digit].mean() - 0.6) < 0.08


def test_held_out_no_rows_gives_none():
    assert evaluation.held_out(np.zeros((0, 28, 28), np.uint8)).shape == (0,)


# Scores


def test_nll_known_probabilities_give_the_mean_of_their_logarithms():
    probabilities = np.zeros((2, 10))
    probabilities[0, 3], probabilities[1, 4] = np.exp(-1), np.exp(-3)
    assert evaluation.nll(np.array([3, 4]), probabilities) == pytest.approx(2)


def test_nll_probability_zero_stays_finite():
    assert 10 < evaluation.nll(np.array([3]), np.eye(10)[[4]]) < 20


@pytest.mark.parametrize(
    ("hits", "n", "low", "high"),
    # Newcombe 1998, https://doi.org/10.1002/(SICI)1097-0258(19980430)17:8<857::AID-SIM777>3.0.CO;2-E
    [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_published_examples_are_met(hits, n, low, high):
    assert evaluation.wilson(hits, n) == pytest.approx((low, high), abs=1e-4)
    mirrored = evaluation.wilson(n - hits, n)
    assert mirrored == pytest.approx((1 - high, 1 - low), abs=1e-4)


def answers(n=3000, broken=(), fixed=(), sure=0.9, sure_before=0.9):
    """Answers to n rows, label i % 10 in row i, all right but those broken or fixed."""
    labels = np.arange(n) % 10

    def probabilities(wrong, share):
        guesses = labels.copy()
        guesses[list(wrong)] = (guesses[list(wrong)] + 1) % 10
        others = (1 - share) / 9
        return np.eye(10)[guesses] * (share - others) + others

    return Answers(labels, probabilities(fixed, sure_before), probabilities(broken, sure))


def test_answers_flips_are_told_apart():
    flips = answers(20, broken=[3, 4], fixed=[11])
    assert np.flatnonzero(flips.broken).tolist() == [3, 4]
    assert np.flatnonzero(flips.fixed).tolist() == [11]


def limit(n=3000, broken=0, fixed=0):
    return evaluation.loss_limit(answers(n, broken=range(broken), fixed=range(n - fixed, n)))


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


# The gate

LEARNED = answers(15, fixed=range(15))  # too few for a trial
MANY = answers(30, fixed=range(30))


@pytest.mark.parametrize(
    ("held_out", "allowed"),
    [
        # Rows enough
        (answers(evaluation.MIN_HELD_OUT), True),
        (answers(evaluation.MIN_HELD_OUT - 1), "999 held-out rows"),
        (answers(0), "0 held-out rows"),
        # No worse than the current network: of 3,000 rows, 2 may break beyond those fixed
        (answers(broken=[1, 2]), True),
        (answers(broken=[1, 2, 3]), "against the current network it breaks 3"),
        (answers(1500, broken=[1]), "against the current network"),
        # No digit lost: of 300 rows 3, of 600 rows 6, net of those fixed
        (answers(broken=[3, 13, 23], fixed=[4, 5, 6]), True),
        (answers(broken=[3, 13, 23, 33], fixed=[4, 5, 6, 7]), "4 held-out 3s are lost, 3 is"),
        (answers(broken=[3, 13, 23, 33], fixed=[43, 5, 6, 7]), True),
        (answers(6000, broken=range(0, 60, 10), fixed=range(1, 60, 10)), True),
        (answers(6000, broken=range(0, 70, 10), fixed=range(1, 70, 10)), "7 held-out 0s"),
        # No less sure
        (answers(sure=0.9 * np.exp(-0.0099)), True),
        (answers(sure=0.9 * np.exp(-0.0101)), "less trustworthy"),
        (answers(sure=np.nan), "breaks 2700"),
    ],
)
def test_gate_held_out_answers_decide_clause_by_clause(held_out, allowed):
    decision = evaluation.gate(held_out, held_out.before, LEARNED)
    assert decision.allowed == (allowed is True)
    assert allowed is True or allowed in decision.reason


@pytest.mark.parametrize(
    ("since_first", "allowed"),
    [(4, True), (5, "against the first network it breaks 5"), (None, "first network is missing")],
)
def test_gate_many_small_losses_add_up_against_the_first_network(since_first, allowed):
    now = answers(broken=range(since_first or 0))
    unchanged = Answers(now.labels, now.after, now.after)
    first = None if since_first is None else now.before
    decision = evaluation.gate(unchanged, first, LEARNED)
    assert decision.allowed == (allowed is True)
    assert allowed is True or allowed in decision.reason


@pytest.mark.parametrize(
    ("broken", "fixed", "still_wrong", "reason"),
    [
        (0, 1, 0, None),
        (1, 3, 0, None),
        (0, 10, 10, None),
        (0, 9, 11, "of 20 corrections that are read wrongly it fixes 9 and breaks 0"),
        (2, 3, 0, "fixes 3 and breaks 2"),
        (2, 2, 0, "fixes 2 and breaks 2"),
        (3, 2, 0, "fixes 2 and breaks 3"),
        (0, 0, 0, "all 30 corrections are read rightly already"),
    ],
)
def test_gate_corrections_must_be_clearly_more_right(broken, fixed, still_wrong, reason):
    corrections = answers(30, broken=range(broken), fixed=range(10, 10 + fixed))
    places = slice(30 - still_wrong, 30)
    for probabilities in (corrections.before, corrections.after):
        probabilities[places] = np.roll(probabilities[places], 1, axis=1)
    held_out = answers()
    decision = evaluation.gate(held_out, held_out.before, corrections, corrections.after)
    assert decision.allowed == (reason is None)
    assert reason is None or reason in decision.reason


@pytest.mark.parametrize(
    ("unseen", "reason"),
    [
        (answers(30).after, None),
        (answers(30, broken=range(28)).after, None),
        (answers(30, broken=range(29)).after, "of 30 corrections, a trial reads only 1 rightly"),
        (None, "the trial that withholds corrections is missing"),
    ],
)
def test_gate_many_corrections_must_teach_about_each_other(unseen, reason):
    held_out = answers()
    decision = evaluation.gate(held_out, held_out.before, MANY, unseen)
    assert decision.allowed == (reason is None)
    assert reason is None or reason in decision.reason


def test_gate_trial_asks_only_of_corrections_that_were_wrong():
    known = answers(30, fixed=range(19))
    held_out = answers()
    assert evaluation.gate(held_out, held_out.before, known, None).allowed


@pytest.mark.parametrize(("off", "alike"), [(0, True), (5e-5, True), (5e-4, False), (None, False)])
def test_answers_alike_file_that_answers_otherwise_is_refused(off, alike):
    expected = answers(40).after
    decision = evaluation.answers_alike(expected, None if off is None else expected + off)
    assert (decision is None) == alike
    assert alike or not decision.allowed


def test_gate_no_corrections_at_all_is_refused():
    held_out = answers()
    assert not evaluation.gate(held_out, held_out.before, answers(0)).allowed


def test_gate_reason_of_an_allowed_candidate_says_what_flipped():
    held_out = answers(broken=[3], fixed=[4, 5])
    reason = evaluation.gate(held_out, held_out.before, LEARNED).reason
    assert "3,000 held-out digits it fixed 2 and broke 1, and 15 of 15" in reason
