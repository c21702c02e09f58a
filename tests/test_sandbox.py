"""What the lesson says is so: each guard, switched off in a sandbox, breaks what it should."""

from __future__ import annotations

import tempfile

import numpy as np
import pytest
from filelock import FileLock

import finetuning
from digits import feedback, model, versions
from digits.home import MODEL, Home
from digits.learning import gate
from digits.learning.run import SWITCHES
from digits.page import sandbox
from tests.homes import PROJECT, make_home


@pytest.fixture
def home(tmp_path):
    return make_home(tmp_path / "root")


def contents(home):
    return {path.name: path.read_bytes() for path in home.folder.rglob("*") if path.is_file()}


def test_read_pages_off_the_middle_are_read_with_centring_and_not_without():
    net = model.load_light(PROJECT / MODEL)
    readings = sandbox.read_pages(Home.at(PROJECT), net)
    assert len(readings.labels) == sandbox.PAGES
    assert (readings.centred == readings.labels).mean() > 0.95
    assert (readings.plain == readings.labels).mean() < 0.5


def test_somewhere_page_holds_the_digit_small_on_white(rows):
    page = sandbox.somewhere(rows[0][0], np.random.default_rng(0))
    ink = np.argwhere(page < 128)
    assert page.shape == (sandbox.PAGE_SIDE, sandbox.PAGE_SIDE)
    assert 0 < np.ptp(ink, axis=0).max() < sandbox.LARGEST
    assert np.median(page) == 255


def test_make_sandbox_holds_misread_zeros_and_leaves_the_root_as_it_was(home, tmp_path):
    before = contents(home)
    copy = Home.at(tmp_path / "copy")
    copy.folder.mkdir()
    sandbox.make_sandbox(home, copy)
    stored, warnings = feedback.load(copy)
    assert (len(stored), warnings) == (sandbox.CORRECTIONS, [])
    assert all(one.actual == 0 != one.predicted for one in stored)
    assert copy.model.read_bytes() == (home.model).read_bytes()
    assert contents(home) == before


@pytest.mark.parametrize("switch", SWITCHES)
@pytest.mark.parametrize("dry", [[], ["--dry-run"]])
def test_without_on_a_real_root_is_refused(home, switch, dry, capsys):
    model_before = (home.model).read_bytes()
    code = finetuning.main(["--root", str(home), "--without", switch, *dry])
    assert code == finetuning.BAD_DATA
    assert f"no file named {home.sandbox.name}" in capsys.readouterr().err
    assert (home.model).read_bytes() == model_before
    assert not (home.versions).exists()


def test_sweep_sandbox_of_a_killed_server_goes_and_others_stay(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    names = ("left", "busy", "ours", "notes")
    left, busy, ours, foreign = (tmp_path / f"{sandbox.PREFIX}{name}" for name in names)
    for folder in (left, busy, ours, foreign):
        folder.mkdir()
    for folder in (left, busy, ours):
        (folder / sandbox.OWNER).touch()  # as one that was killed leaves it
    with Home.at(busy).run_lock(), FileLock(ours / sandbox.OWNER):  # a run outlived its server
        sandbox.sweep()
    assert set(tmp_path.iterdir()) == {busy, ours, foreign}


@pytest.fixture(scope="module")
def tried(tmp_path_factory):
    """Experiments without replay, with the gate and without, on a home that must not change."""
    home = make_home(tmp_path_factory.mktemp("tried") / "root")
    before = contents(home)
    ended = []
    for without in (["replay"], ["replay", "gate"]):
        ended.append(sandbox.Experiment(home, without))
        ended[-1].join()
    assert contents(home) == before
    return ended


def test_experiment_without_replay_learns_no_more_than_the_gate_lets_pass(tried):
    gated, _ = tried
    assert gated.record.run.learned < 0.8 * sandbox.CORRECTIONS
    lost = gated.record.run.accuracy_before - gated.record.run.accuracy_after
    assert gated.record.decision == versions.REFUSED or lost < gate.MARGIN


def test_experiment_without_replay_and_gate_publishes_a_network_that_forgot(tried):
    _, bad = tried
    assert bad.record.decision == versions.PUBLISHED
    assert "the gate was switched off" in bad.says
    lost = bad.record.run.accuracy_before - bad.record.run.accuracy_after
    assert lost > 10 * gate.MARGIN
    assert len({flip.actual for flip in bad.lost}) > 1
    assert 0 < len(bad.lost) <= sandbox.LOST
    assert f"it lost {bad.record.run.broken}" in bad.in_words


def test_experiment_ended_leaves_no_sandbox(tried):
    assert not any(one.sandbox.folder.exists() for one in tried)


def test_experiment_root_unusable_says_why(home):
    (home.train).unlink()
    one = sandbox.Experiment(home, [])
    one.join()
    assert "train.csv" in one.says
    assert not one.record
    assert not one.sandbox.folder.exists()
