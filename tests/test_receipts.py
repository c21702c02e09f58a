"""What one run did: `write`, `read`, `last`, `seen`."""

import numpy as np
import pytest

from digits import feedback, metrics, versions
from digits.versions import receipts

CORRECTIONS = [feedback.Correction(1, 7, "a.png"), feedback.Correction(3, 8, "b.png")]
FLIPPED = np.arange(2 * 784).reshape(2, 28, 28).astype(np.uint8)


def sure(guesses, share=0.91):
    """Probabilities, float32 (n, 10), of a network that gives each guess that share."""
    others = (1 - share) / 9
    return (np.eye(10, dtype=np.float32)[guesses] * (share - others) + others).astype(np.float32)


@pytest.fixture
def name(home):
    """Receipt of a run that taught the first correction and not the second.

    Of three held-out digits it fixed the first, broke the third and left the second alone.
    """
    answers = metrics.Predictions(np.array([7, 8]), sure([1, 3]), sure([7, 3]))
    held_out = metrics.Predictions(np.array([4, 5, 6]), sure([9, 5, 6]), sure([4, 5, 0]))
    return receipts.write(home, 12, CORRECTIONS, answers, held_out, FLIPPED, [None, None])


def recorded(home, name):
    """Record the receipt in the history, as a run does."""
    version = versions.Version("v1-00000000", "0" * 64, versions.now())
    versions.append(home, versions.REFUSED, version, receipt=name)


def test_write_each_correction_has_its_outcome(name, home):
    first, second = receipts.read(home, name)["corrections"]
    assert first == {
        "image": "a.png",
        "actual": 7,
        "outcome": receipts.RIGHT,
        "guess_before": 1,
        "p_before": 0.01,
        "guess_after": 7,
        "p_after": 0.91,
    }
    assert (second["image"], second["outcome"]) == ("b.png", receipts.WRONG)


def test_write_held_back_correction_has_its_reason(home):
    answers = metrics.Predictions(np.array([7, 8]), sure([1, 3]), sure([7, 8]))
    none = metrics.Predictions(np.zeros(0, int), np.zeros((0, 10)), np.zeros((0, 10)))
    doubts = [None, "labelled 8, but it looks like a 3"]
    name = receipts.write(home, 1, CORRECTIONS, answers, none, FLIPPED[:0], doubts)
    first, second = receipts.read(home, name)["corrections"]
    assert (first["outcome"], "reason" in first) == (receipts.RIGHT, False)
    assert (second["outcome"], second["reason"]) == (receipts.HELD_BACK, doubts[1])


def test_write_flipped_digits_are_kept_with_their_pixels(name, home):
    flipped = receipts.read(home, name)["flipped"]
    facts = [(f["actual"], f["fixed"], f["guess_before"], f["guess_after"]) for f in flipped]
    assert facts == [(4, True, 9, 4), (6, False, 6, 0)]
    assert np.array_equal([f["pixels"] for f in flipped], FLIPPED.reshape(2, -1))


def test_write_wrong_count_of_flipped_digits_is_refused(home):
    same = metrics.Predictions(np.array([1]), sure([1]), sure([1]))
    with pytest.raises(ValueError, match="longer"):
        receipts.write(home, 1, [], same, same, FLIPPED, [None])


def test_last_before_the_first_run_is_none(home):
    assert receipts.last(home) is None
    assert receipts.seen(home) == set()


def test_last_of_several_runs_is_the_one_recorded_last(name, home):
    none = metrics.Predictions(np.zeros(0, int), np.zeros((0, 10)), np.zeros((0, 10)))
    empty = receipts.write(home, 3, [], none, none, FLIPPED[:0], [])
    recorded(home, empty)
    recorded(home, name)
    assert receipts.last(home) == receipts.read(home, name)


def test_seen_recorded_run_gives_the_keys_of_its_corrections(name, home):
    recorded(home, name)
    assert receipts.seen(home) == {correction.key for correction in CORRECTIONS}


def test_last_receipt_deleted_by_hand_is_none(home):
    version = versions.Version("v1-00000000", "00", versions.now())
    versions.append(home, versions.PUBLISHED, version, receipt="run-00001.json")
    assert receipts.last(home) is None
    assert receipts.seen(home) == set()
