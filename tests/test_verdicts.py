"""The log of judged guesses: `shown`, `judge`, `live_accuracy`."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from digits.feedback import verdicts
from digits.feedback.verdicts import NO_DIGIT, RIGHT, SHOWN, WRONG, Tally


def show(root, guess=3):
    """Log a guess as shown."""
    return verdicts.shown(root, guess, 0.9, "v1-0a1b2c3d")


def test_live_accuracy_no_log_counts_nothing(tmp_path):
    assert verdicts.live_accuracy(tmp_path) == Tally(0, 0, 0, 0)


def test_live_accuracy_every_verdict_is_counted_among_the_shown(tmp_path):
    for verdict in (RIGHT, RIGHT, WRONG, NO_DIGIT, None):
        guess = show(tmp_path)
        if verdict:
            verdicts.judge(tmp_path, guess, verdict)
    tally = verdicts.live_accuracy(tmp_path)
    assert tally == Tally(shown=5, right=2, wrong=1, no_digit=1)
    assert tally.judged == 4


@pytest.mark.parametrize(
    ("given", "tally"),
    [
        ([RIGHT, RIGHT], Tally(1, 1, 0, 0)),
        ([RIGHT, WRONG], Tally(1, 0, 1, 0)),
        ([WRONG, SHOWN], Tally(1, 0, 0, 0)),
    ],
)
def test_judge_again_the_last_verdict_counts_once(given, tally, tmp_path):
    guess = show(tmp_path)
    for verdict in given:
        verdicts.judge(tmp_path, guess, verdict)
    assert verdicts.live_accuracy(tmp_path) == tally


def test_judge_line_says_when_what_and_by_whom(tmp_path):
    verdicts.judge(tmp_path, show(tmp_path), WRONG)
    header, first, second = (tmp_path / verdicts.TABLE).read_text().splitlines()
    assert header.split(",") == verdicts.COLUMNS
    assert first.split(",")[2:] == ["3", "0.9000", "v1-0a1b2c3d", SHOWN]
    assert second.split(",")[2:] == ["3", "0.9000", "v1-0a1b2c3d", WRONG]


def test_judge_unknown_verdict_is_refused(tmp_path):
    with pytest.raises(ValueError, match="'maybe'"):
        verdicts.judge(tmp_path, show(tmp_path), "maybe")


def test_live_accuracy_damaged_lines_do_not_count(tmp_path):
    show(tmp_path)
    with open(tmp_path / verdicts.TABLE, "ab") as stream:
        stream.write(b"\xff\xfe,right\na,b,c,d,e,perhaps\ntorn,2026")
    verdicts.judge(tmp_path, show(tmp_path), RIGHT)
    assert verdicts.live_accuracy(tmp_path) == Tally(2, 1, 0, 0)


def test_live_accuracy_long_log_counts_its_end(tmp_path, monkeypatch):
    monkeypatch.setattr(verdicts, "WINDOW", 1000)
    for _ in range(40):
        verdicts.judge(tmp_path, show(tmp_path), RIGHT)
    tally = verdicts.live_accuracy(tmp_path)
    assert 4 <= tally.shown == tally.right <= 7  # a guess has two lines, some 180 bytes


def test_judge_full_log_is_kept_beside_and_begun_anew(tmp_path, monkeypatch):
    monkeypatch.setattr(verdicts, "MAX_BYTES", 500)
    for _ in range(10):
        show(tmp_path)
    kept = [tmp_path / name for name in (verdicts.TABLE, verdicts.FULL_TABLE)]
    assert all(path.read_text().startswith("Guess_Id,") for path in kept)
    assert all(path.stat().st_size < 600 for path in kept)


def test_shown_eight_threads_lose_no_line(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: show(tmp_path), range(80)))
    assert verdicts.live_accuracy(tmp_path).shown == 80
    assert len((tmp_path / verdicts.TABLE).read_text().splitlines()) == 81
