"""The status file of a run: `Status`, `read`, `is_running`."""

import os
import subprocess
import sys

import pytest

from digits import durable
from digits.jobs import progress


@pytest.fixture
def run(home):
    """Status of a run by this very process."""
    return progress.Reporter(home, "button")


@pytest.fixture(scope="module")
def dead_pid():
    """Number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_read_before_the_first_run_gives_nothing(home):
    assert progress.read(home) == {}
    assert not home.is_running()


def test_progress_first_call_says_who_runs_and_how_far(run, home):
    run.progress("learning", 0.25)
    entry = progress.read(home)
    assert entry.items() >= {
        ("state", "running"),
        ("trigger", "button"),
        ("pid", os.getpid()),
        ("phase", "learning"),
        ("share", 0.25),
    }
    assert entry["seconds_left"] >= 0


def test_progress_new_phase_is_written_at_once(run, home):
    run.progress("reading", 0.0)
    run.progress("learning", 0.1)
    assert progress.read(home)["phase"] == "learning"


@pytest.mark.parametrize("share", [0, 0.01, 1])
def test_progress_any_share_is_accepted(share, run, home):
    run.progress("learning", share)
    assert progress.read(home)["share"] == share


def test_finish_keeps_how_the_run_ended(run, home):
    run.progress("learning", 0.5)
    run.finish("published", "It learned.", 0)
    entry = progress.read(home)
    assert (entry["state"], entry["message"], entry["code"]) == ("published", "It learned.", 0)
    assert entry["share"] == 1
    assert not home.is_running()


def test_is_running_live_process_is_true(run, home):
    run.progress("learning", 0.5)
    assert home.is_running()


def test_is_running_killed_process_is_false(dead_pid, home):
    progress.Reporter(home, "cron").progress("learning", 0.5)
    assert progress.read(home)["state"] == "running"
    assert not home.is_running()


def test_whose_run_says_who_asked_and_since_when_until_it_ended(run, dead_pid, home):
    assert progress.whose(home) == ""
    run.progress("learning", 0.5)
    since = progress.read(home)["since"]
    assert progress.whose(home) == f", asked by button, since {since}"
    run.finish("published", "It learned.", 0)
    assert progress.whose(home) == ""
    progress.Reporter(home, "cron").progress("learning", 0.5)
    assert progress.whose(home) == ""


def test_read_damaged_file_gives_nothing(run, home):
    run.progress("learning", 0.5)
    durable.write(home.status, b'{"state": "run')
    assert progress.read(home) == {}
    assert not home.is_running()


def test_text_says_what_runs_or_how_it_ended(run, dead_pid, home):
    run.progress("learning", 0.5)
    assert "asked by button: learning, 50% done, about 0 s left" in progress.text(home)
    run.finish("refused", "It lost digits.", 3)
    assert progress.text(home).endswith("refused: It lost digits.")
    progress.Reporter(home, "cron").progress("learning", 0.5)
    assert "was cut short" in progress.text(home)


def test_text_before_the_first_run_says_so(home):
    assert progress.text(home) == "No run yet."
