"""The status file of a run: `Status`, `read`, `is_running`."""

import os
import subprocess
import sys

import pytest

from digits import durable, versions
from digits.jobs import progress


@pytest.fixture
def run(tmp_path):
    """Status of a run by this very process."""
    return progress.Status(tmp_path, "button", os.getpid())


@pytest.fixture(scope="module")
def dead_pid():
    """Number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_read_before_the_first_run_gives_nothing(tmp_path):
    assert progress.read(tmp_path) == {}
    assert not progress.is_running(tmp_path)


def test_progress_first_call_says_who_runs_and_how_far(run, tmp_path):
    run.progress("learning", 0.25)
    entry = progress.read(tmp_path)
    assert entry.items() >= {
        ("state", "running"),
        ("trigger", "button"),
        ("pid", os.getpid()),
        ("phase", "learning"),
        ("share", 0.25),
    }
    assert entry["seconds_left"] >= 0


def test_progress_new_phase_is_written_at_once(run, tmp_path):
    run.progress("reading", 0.0)
    run.progress("learning", 0.1)
    assert progress.read(tmp_path)["phase"] == "learning"


@pytest.mark.parametrize("share", [0, 0.01, 1])
def test_progress_any_share_is_accepted(share, run, tmp_path):
    run.progress("learning", share)
    assert progress.read(tmp_path)["share"] == share


def test_finish_keeps_how_the_run_ended(run, tmp_path):
    run.progress("learning", 0.5)
    run.finish("published", "It learned.", 0)
    entry = progress.read(tmp_path)
    assert (entry["state"], entry["message"], entry["code"]) == ("published", "It learned.", 0)
    assert entry["share"] == 1
    assert not progress.is_running(tmp_path)


def test_is_running_live_process_is_true(run, tmp_path):
    run.progress("learning", 0.5)
    assert progress.is_running(tmp_path)


def test_is_running_killed_process_is_false(dead_pid, tmp_path):
    progress.Status(tmp_path, "cron", dead_pid).progress("learning", 0.5)
    assert progress.read(tmp_path)["state"] == "running"
    assert not progress.is_running(tmp_path)


def test_whose_run_says_who_asked_and_since_when_until_it_ended(run, dead_pid, tmp_path):
    assert progress.whose(tmp_path) == ""
    run.progress("learning", 0.5)
    since = progress.read(tmp_path)["since"]
    assert progress.whose(tmp_path) == f", asked by button, since {since}"
    run.finish("published", "It learned.", 0)
    assert progress.whose(tmp_path) == ""
    progress.Status(tmp_path, "cron", dead_pid).progress("learning", 0.5)
    assert progress.whose(tmp_path) == ""


def test_read_damaged_file_gives_nothing(run, tmp_path):
    run.progress("learning", 0.5)
    durable.write(tmp_path / versions.FOLDER / progress.FILE, b'{"state": "run')
    assert progress.read(tmp_path) == {}
    assert not progress.is_running(tmp_path)


def test_text_says_what_runs_or_how_it_ended(run, dead_pid, tmp_path):
    run.progress("learning", 0.5)
    assert "asked by button: learning, 50% done, about 0 s left" in progress.text(tmp_path)
    run.finish("refused", "It lost digits.", 3)
    assert progress.text(tmp_path).endswith("refused: It lost digits.")
    progress.Status(tmp_path, "cron", dead_pid).progress("learning", 0.5)
    assert "was cut short" in progress.text(tmp_path)


def test_text_before_the_first_run_says_so(tmp_path):
    assert progress.text(tmp_path) == "No run yet."
