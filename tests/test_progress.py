"""The status file of a run: `Reporter`, `read`, `whose`, `text`."""

import os

import pytest

from digits import durable
from digits.jobs import progress


@pytest.fixture
def run(home):
    """Status of a run by this very process."""
    return progress.Reporter(home, "button")


def test_read_before_the_first_run_gives_nothing(home):
    assert progress.read(home) == progress.Status()
    assert not home.is_running()


def test_progress_first_call_says_who_runs_and_how_far(run, home):
    run.progress("learning", 0.25)
    status = progress.read(home)
    assert (status.state, status.trigger, status.pid) == ("running", "button", os.getpid())
    assert (status.phase, status.share) == ("learning", 0.25)
    assert status.seconds_left >= 0


def test_progress_new_phase_is_written_at_once(run, home):
    run.progress("reading", 0.0)
    run.progress("learning", 0.1)
    assert progress.read(home).phase == "learning"


@pytest.mark.parametrize("share", [0, 0.01, 1])
def test_progress_any_share_is_accepted(share, run, home):
    run.progress("learning", share)
    assert progress.read(home).share == share


def test_progress_points_of_the_curve_are_all_kept_until_the_next_run(run, home):
    points = [[i / 20, 1 - i / 1000] for i in range(20)]
    for point in points:
        run.progress("Training", 0.5, point)
        run.progress("Training", 0.5)
    run.finish("published", "It learned.", 0)
    assert progress.read(home).curve == points
    progress.Reporter(home, "cron").progress("Reading corrections", 0.1)
    assert not progress.read(home).curve


def test_finish_keeps_how_the_run_ended(run, home):
    run.progress("learning", 0.5)
    run.finish("published", "It learned.", 0)
    status = progress.read(home)
    assert (status.state, status.message, status.code) == ("published", "It learned.", 0)
    assert status.share == 1
    assert not home.is_running()


def test_whose_run_says_who_asked_and_since_when_while_its_lock_is_held(run, home):
    assert progress.whose(home) == ""
    with home.run_lock():
        assert progress.whose(home) == ""
        run.progress("learning", 0.5)
        since = progress.read(home).since
        assert progress.whose(home) == f", asked by button, since {since}"
        run.finish("published", "It learned.", 0)
        assert progress.whose(home) == ""
        progress.Reporter(home, "cron").progress("learning", 0.5)
    assert progress.read(home).state == "running"
    assert progress.whose(home) == ""


@pytest.mark.parametrize(
    "content",
    [
        b'{"state": "run',
        b'{"state": "running", "share": "half"}',
        b'{"state": "running", "share": 50}',
        b'{"state": "running", "curve": "up"}',
        b'{"state": {}, "phase": 7}',
        b"[" * 100_000,
        b'{"state": "running", "curve": [[0.1]]}',
        b'{"state": "running", "curve": [["0.1", null]]}',
    ],
)
def test_read_damaged_file_gives_nothing(content, run, home):
    run.progress("learning", 0.5)
    durable.write(home.status, content)
    assert progress.read(home) == progress.Status()
    assert not home.is_running()


def test_text_says_what_runs_or_how_it_ended(run, home):
    with home.run_lock():
        run.progress("learning", 0.5)
        assert "asked by button: learning, 50% done, about 0 s left" in progress.text(home)
        run.finish("refused", "It lost digits.", 3)
        assert progress.text(home).endswith("refused: It lost digits.")
        progress.Reporter(home, "cron").progress("learning", 0.5)
        assert progress.text(home).startswith("Running since ")
    assert "was cut short" in progress.text(home)


def test_in_words_phase_and_the_time_left_where_it_is_known(run, home):
    run.progress("learning", 0.01)
    assert progress.read(home).in_words == "learning"
    run.progress("publishing", 0.9)
    assert progress.read(home).in_words == "publishing, about 0 s left"


def test_text_before_the_first_run_says_so(home):
    assert progress.text(home) == "No run yet."
