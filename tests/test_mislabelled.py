"""Which labels look wrong: flips are found, a new style and hard digits are not choked."""

import numpy as np
import pytest

from digits import images, metrics, model
from digits.learning import mislabelled
from digits.model import training
from tests.homes import styled_pictures


@pytest.fixture(scope="module")
def replayed(shipped, replay):
    return seen(shipped, *replay)


def seen(net, digits, labels):
    return mislabelled.Seen(digits, labels, *model.observe(net, digits))


@pytest.fixture(scope="module")
def styled(shipped):
    """Misread digits of a style that MNIST lacks."""
    pictures = styled_pictures(450, seed=4)
    digits = np.array([images.read_digit(picture) for picture, _ in pictures])
    return misread(shipped, digits, np.array([label for _, label in pictures]))


@pytest.fixture(scope="module")
def hard(shipped, replay):
    """Misread digits of all kinds: replay rows, bent twice."""
    rng = np.random.default_rng(8)
    bent = [training.augment(training.augment(replay[0], rng), rng) for _ in range(3)]
    return misread(shipped, np.concatenate(bent), np.tile(replay[1], 3))


def one_visit(labels):
    return np.full(len(labels), "one")


def misread(net, digits, labels):
    wrong = ~metrics.correct(labels, model.predict(net, digits))
    return digits[wrong][:100], labels[wrong][:100]


def flipped(net, rows, share, seed=0):
    """The labels, a share of them flipped to what is neither true nor guessed; which those are."""
    rng = np.random.default_rng(seed)
    digits, labels = rows[0], rows[1].copy()
    guesses = model.predict(net, digits).argmax(axis=1)
    flips = np.zeros(len(labels), bool)
    flips[rng.permutation(len(labels))[: round(share * len(labels))]] = True
    for i in np.flatnonzero(flips):
        labels[i] = rng.choice(np.setdiff1d(range(10), [labels[i], guesses[i]]))
    return labels, flips


@pytest.mark.parametrize("kind", ["styled", "hard"])
@pytest.mark.parametrize("share", [0.1, 0.3])
def test_examine_flipped_labels_are_doubted_true_ones_are_not(
    kind, share, shipped, replayed, request
):
    digits, labels = request.getfixturevalue(kind)
    labels, flips = flipped(shipped, (digits, labels), share)
    doubts = mislabelled.examine(
        seen(shipped, digits, labels), replayed, np.zeros(len(labels), bool), one_visit(labels)
    )
    assert (~doubts.none)[flips].mean() >= 0.8
    assert (~doubts.none)[~flips].mean() <= 0.1
    assert not doubts.too_many


def test_examine_all_labels_wrong_are_too_many(shipped, replayed, hard):
    labels, _ = flipped(shipped, hard, 1)
    none = np.zeros(len(labels), bool)
    assert mislabelled.examine(
        seen(shipped, hard[0], labels), replayed, none, one_visit(labels)
    ).too_many


def test_examine_second_vote_releases(shipped, replayed, hard):
    labels, flips = flipped(shipped, hard, 0.3)
    doubts = mislabelled.examine(seen(shipped, hard[0], labels), replayed, flips, one_visit(labels))
    assert doubts.none[flips].all()


def test_chance_flipped_an_odd_label_among_many_odd_ones_is_likelier_flipped():
    true, odd = [2.0] * 50, [-4.0]
    few, many = (mislabelled.chance_flipped(np.array(true + odd * n)) for n in (1, 30))
    assert few[-1] < mislabelled.TOO_LIKELY < many[-1]
    for chances in (few, many):
        assert (chances[:50] < 0.01).all()


def test_chance_flipped_falls_with_what_speaks_for_the_label():
    chances = mislabelled.chance_flipped(np.linspace(-12, 4, 30))
    assert (np.diff(chances) < 0).all()
    assert (chances[0] > 0.99, chances[-1] < 0.01) == (True, True)
    assert len(mislabelled.chance_flipped(np.zeros(0))) == 0


def test_doubts_of_reason_names_label_and_rival():
    answers = np.full((1, 10), 1e-6)
    answers[0, 3], answers[0, 5] = 0.9, 0.1
    apart = np.eye(10)[[5]]
    clean = np.zeros(1, bool)
    for label, reason in ((7, "labelled 7, but it looks like a 5 to all we know"), (5, None)):
        asked = mislabelled.Seen(np.zeros((1, 28, 28)), np.array([label]), apart, answers)
        assert mislabelled.doubts_of(asked, apart, clean) == [reason]


def test_examine_a_visit_with_most_labels_wrong_is_not_heard_others_are(
    shipped, replayed, hard, styled
):
    bad, _ = flipped(shipped, hard, 1)
    digits, labels = (
        np.concatenate([hard[0], styled[0][:40]]),
        np.concatenate([bad, styled[1][:40]]),
    )
    visits = np.repeat(["joker", "other"], [len(bad), 40])
    asked = seen(shipped, digits, labels), replayed, np.zeros(len(labels), bool)
    doubts = mislabelled.examine(*asked, visits)
    assert not doubts.too_many
    assert not doubts.none[visits == "joker"].any()
    assert doubts.none[visits == "other"].mean() >= 0.9
    assert "most labels of its visit look wrong" in doubts.reasons
    assert mislabelled.examine(*asked, one_visit(labels)).too_many


def against(sure, chance, visits, n=6):
    """What `against_the_network` says of n sevens that the network reads as twos."""
    answers = np.full((n, 10), (1 - sure) * (1 - chance) / 8)
    answers[:, 2], answers[:, 7] = sure, (1 - sure) * chance
    asked = mislabelled.Seen(np.zeros((n, 28, 28)), np.full(n, 7), answers, answers)
    return mislabelled.against_the_network(asked, np.zeros(n, bool), np.array(visits))


@pytest.mark.parametrize(
    ("sure", "chance", "visits", "doubted"),
    [
        (0.95, 0.02, ["one"] * 6, True),
        (0.5, 0.02, ["one"] * 6, False),  # as new styles are read
        (0.95, 0.5, ["one"] * 6, False),  # the second guess
        (0.95, 0.02, ["one"] * 3 + ["two"] * 3, False),
        (0.95, 0.02, ["password"] * 6, False),
    ],
)
def test_against_the_network_many_of_one_visit_that_it_is_sure_of_otherwise(
    sure, chance, visits, doubted
):
    reasons = against(sure, chance, visits)
    assert [reason is not None for reason in reasons] == [doubted] * 6
    assert not doubted or "labelled 7 by one visit alone, 6 of them" in reasons[0]


def test_against_the_network_labels_that_it_agrees_with_are_not_doubted():
    """As those of a visit are once they were learned."""
    assert against(0.01, 0.99, ["one"] * 6) == [None] * 6


def test_examine_same_digit_with_two_labels_the_last_answer_counts(shipped, replayed, hard):
    digits, labels = hard[0][[0, 1, 0, 0]], hard[1][[0, 1, 0, 0]].copy()
    labels[0] = (labels[2] + 1) % 10
    doubts = mislabelled.examine(
        seen(shipped, digits, labels), replayed, np.ones(4, bool), one_visit(labels)
    )
    assert doubts.reasons[1:] == [None, None, None]
    assert f"labelled {labels[0]}, " in doubts.reasons[0]
    assert doubts.reasons[0].endswith(f"as a {labels[2]}")
    assert mislabelled.last_alike(digits).tolist() == [3, 1, 3, 3]


def test_leave_one_out_answers_do_not_know_their_own_label(shipped, replayed, hard):
    digits, labels = hard[0][:30], hard[1][:30]
    other = labels.copy()
    other[4] = (labels[4] + 1) % 10
    said = [
        mislabelled.leave_one_out(seen(shipped, digits, each), replayed) for each in (labels, other)
    ]
    assert np.allclose(said[0][4], said[1][4])
    assert not np.allclose(said[0], said[1])
