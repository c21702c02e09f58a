"""The log of judged guesses: `shown`, `judge`, `live_accuracy`."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from digits.feedback import verdicts
from digits.feedback.verdicts import NO_DIGIT, RIGHT, SHOWN, WRONG, Tally


def show(home, guess=3):
    """Log a guess as shown."""
    return verdicts.shown(home, guess, 0.9, "v1-0a1b2c3d")


def test_live_accuracy_no_log_counts_nothing(home):
    assert verdicts.live_accuracy(home) == Tally(0, 0, 0, 0)


def test_live_accuracy_every_verdict_is_counted_among_the_shown(home):
    for verdict in (RIGHT, RIGHT, WRONG, NO_DIGIT, None):
        guess = show(home)
        if verdict:
            verdicts.judge(home, guess, verdict)
    tally = verdicts.live_accuracy(home)
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
def test_judge_again_the_last_verdict_counts_once(given, tally, home):
    guess = show(home)
    for verdict in given:
        verdicts.judge(home, guess, verdict)
    assert verdicts.live_accuracy(home) == tally


def test_judge_line_says_when_what_and_by_whom(home):
    verdicts.judge(home, show(home), WRONG)
    header, first, second = home.verdicts.read_text().splitlines()
    assert header.split(",") == verdicts.COLUMNS
    assert first.split(",")[2:] == ["3", "0.9000", "v1-0a1b2c3d", SHOWN]
    assert second.split(",")[2:] == ["3", "0.9000", "v1-0a1b2c3d", WRONG]


def test_judge_unknown_verdict_is_refused(home):
    with pytest.raises(ValueError, match="'maybe'"):
        verdicts.judge(home, show(home), "maybe")


def test_live_accuracy_damaged_lines_do_not_count(home):
    show(home)
    with open(home.verdicts, "ab") as stream:
        stream.write(b"\xff\xfe,right\na,b,c,d,e,perhaps\ntorn,2026")
    verdicts.judge(home, show(home), RIGHT)
    assert verdicts.live_accuracy(home) == Tally(2, 1, 0, 0)


def test_live_accuracy_long_log_counts_its_end(home, monkeypatch):
    monkeypatch.setattr(verdicts, "WINDOW", 1000)
    for _ in range(40):
        verdicts.judge(home, show(home), RIGHT)
    tally = verdicts.live_accuracy(home)
    assert 4 <= tally.shown == tally.right <= 7  # a guess has two lines, some 180 bytes


def test_judge_full_log_is_kept_beside_and_begun_again(home, monkeypatch):
    monkeypatch.setattr(verdicts, "MAX_BYTES", 500)
    for _ in range(10):
        show(home)
    kept = [home.folder / name for name in (home.verdicts.name, verdicts.FULL)]
    assert all(path.read_text().startswith("Guess_Id,") for path in kept)
    assert all(path.stat().st_size < 600 for path in kept)


def test_shown_eight_threads_lose_no_line(home):
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: show(home), range(80)))
    assert verdicts.live_accuracy(home).shown == 80
    assert len(home.verdicts.read_text().splitlines()) == 81
