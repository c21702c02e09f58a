"""What one run did: `write`, `read`, `last`, `seen`."""

import numpy as np
import pytest

from digits import feedback, metrics, versions
from digits.versions import receipts
from digits.versions.history import append

CORRECTIONS = [feedback.Correction(1, 7, "a.png"), feedback.Correction(3, 8, "b.png")]
HELD_OUT = np.arange(3 * 784).reshape(3, 28, 28).astype(np.uint8)
NONE = metrics.Predictions(np.zeros(0, int), np.zeros((0, 10)), np.zeros((0, 10)))


def sure(guesses, share=0.91):
    """Probabilities, float32 (n, 10), of a network that gives each guess that share."""
    others = (1 - share) / 9
    return (np.eye(10, dtype=np.float32)[guesses] * (share - others) + others).astype(np.float32)


@pytest.fixture
def name(home):
    """Receipt of a run that taught the first correction and not the second.

    Of three held-out digits it fixed the first, broke the third and left the second alone.
    """
    learned = metrics.Predictions(np.array([7, 8]), sure([1, 3]), sure([7, 3]))
    held_out = metrics.Predictions(np.array([4, 5, 6]), sure([9, 5, 6]), sure([4, 5, 0]))
    return receipts.write(home, 12, CORRECTIONS, learned, held_out, HELD_OUT, [None, None])


def recorded(home, name):
    """Record the receipt in the history, as a run does."""
    run = versions.Report("no better", receipt=name)
    record = versions.Record(versions.REFUSED, "v1-00000000", "0" * 64, versions.now(), run=run)
    append(home, record)


def test_write_each_correction_has_its_outcome(name, home):
    first, second = receipts.read(home, name).corrections
    assert first == receipts.Line("a.png", 7, receipts.RIGHT, 1, 0.01, 7, 0.91)
    assert (second.image, second.outcome) == ("b.png", receipts.WRONG)


def test_write_held_back_correction_has_its_reason(home):
    learned = metrics.Predictions(np.array([7, 8]), sure([1, 3]), sure([7, 8]))
    doubts = [None, "labelled 8, but it looks like a 3"]
    name = receipts.write(home, 1, CORRECTIONS, learned, NONE, HELD_OUT[:0], doubts)
    first, second = receipts.read(home, name).corrections
    assert (first.outcome, first.reason) == (receipts.RIGHT, "")
    assert (second.outcome, second.reason) == (receipts.HELD_BACK, doubts[1])


def test_write_flipped_digits_are_kept_with_their_pixels(name, home):
    flipped = receipts.read(home, name).flipped
    facts = [(f.actual, f.fixed, f.guess_before, f.guess_after) for f in flipped]
    assert facts == [(4, True, 9, 4), (6, False, 6, 0)]
    assert np.array_equal([f.digit for f in flipped], HELD_OUT[[0, 2]])


def test_lines_are_found_by_the_keys_of_their_corrections(name, home):
    lines = receipts.read(home, name).lines
    assert [lines[one.key].image for one in CORRECTIONS] == ["a.png", "b.png"]


def test_last_before_the_first_run_is_none(home):
    assert receipts.last(home) is None
    assert receipts.seen(home) == set()


def test_last_of_several_runs_is_the_one_recorded_last(name, home):
    empty = receipts.write(home, 3, [], NONE, NONE, HELD_OUT[:0], [])
    recorded(home, empty)
    recorded(home, name)
    assert receipts.last(home) == receipts.read(home, name)


def test_seen_recorded_run_gives_the_keys_of_its_corrections(name, home):
    recorded(home, name)
    assert receipts.seen(home) == {correction.key for correction in CORRECTIONS}


def test_text_name_that_is_no_utf_8_is_spelled_out(home):
    foreign = feedback.Correction(1, 7, "caf\udce9.png")
    learned = metrics.Predictions(np.array([7]), sure([1]), sure([7]))
    recorded(home, receipts.write(home, 1, [foreign], learned, NONE, HELD_OUT[:0], [None]))
    assert receipts.seen(home) == {foreign.key}
    assert "caf\\xe9.png" in receipts.text(home)


def test_last_receipt_deleted_by_hand_is_none(home):
    recorded(home, "run-00001.json")
    assert receipts.last(home) is None
    assert receipts.seen(home) == set()


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b'{"corrections": [{"im', b"[" * 100_000])
def test_read_damaged_receipt_is_none(content, name, home):
    (home.receipts / name).write_bytes(content)
    assert receipts.read(home, name) is None


def test_read_receipt_of_other_types_is_none(name, home):
    path = home.receipts / name
    path.write_text(path.read_text().replace('"actual": 7', '"actual": "seven"'))
    assert receipts.read(home, name) is None


def test_write_thins_receipts_but_for_those_of_versions_that_are_kept(home):
    home.versions.mkdir()
    kept = "v2-0a1b2c3d"
    (home.versions / f"{kept}.h5").touch()
    for number in range(1, receipts.KEPT + 5):
        name = receipts.write(home, number, [], NONE, NONE, HELD_OUT[:0], [])
        decision, version = versions.REFUSED, "v1-00000000"
        if number == 2:
            decision, version = versions.PUBLISHED, kept
        run = versions.Report("", receipt=name)
        append(home, versions.Record(decision, version, "0" * 64, versions.now(), run=run))
    names = sorted(path.name for path in home.receipts.iterdir())
    last = range(5, receipts.KEPT + 5)
    assert names == [f"run-{number:05d}.json" for number in (2, *last)]
    home.history.write_text(home.history.read_text().splitlines()[0] + "\n")
    with pytest.raises(
        versions.VersionError, match=r"run-00001\.json is gone: those of the last 20"
    ):
        receipts.text(home)
