"""What the lesson says is so: each guard, switched off in a sandbox, breaks what it should."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile

import numpy as np
import pytest

import finetuning
from digits import feedback, model, versions
from digits.jobs import progress
from digits.learning import gate
from digits.page import sandbox
from tests.roots import PROJECT, make_root


@pytest.fixture
def root(tmp_path):
    return make_root(tmp_path / "root")


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_read_pages_off_the_middle_are_read_with_centring_and_not_without():
    net = model.load_light(PROJECT / versions.MODEL)
    readings = sandbox.read_pages(PROJECT, net)
    assert len(readings.labels) == sandbox.PAGES
    assert (readings.centred == readings.labels).mean() > 0.95
    assert (readings.plain == readings.labels).mean() < 0.5


def test_somewhere_page_holds_the_digit_small_on_white(rows):
    page = sandbox.somewhere(rows[0][0], np.random.default_rng(0))
    ink = np.argwhere(page < 128)
    assert page.shape == (sandbox.PAGE_SIDE, sandbox.PAGE_SIDE)
    assert 0 < np.ptp(ink, axis=0).max() < sandbox.LARGEST
    assert np.median(page) == 255


def test_make_sandbox_holds_misread_zeros_and_leaves_the_root_as_it_was(root, tmp_path):
    before = contents(root)
    sandbox = tmp_path / "copy"
    sandbox.mkdir()
    sandbox.make_sandbox(root, sandbox)
    stored, warnings = feedback.load(sandbox)
    assert (len(stored), warnings) == (sandbox.CORRECTIONS, [])
    assert all(one.actual == 0 != one.predicted for one in stored)
    assert (sandbox / versions.MODEL).read_bytes() == (root / versions.MODEL).read_bytes()
    assert contents(root) == before


@pytest.mark.parametrize("switch", sandbox.SWITCHES)
@pytest.mark.parametrize("dry", [[], ["--dry-run"]])
def test_without_on_a_real_root_is_refused(root, switch, dry, capsys):
    model_before = (root / versions.MODEL).read_bytes()
    code = finetuning.main(["--root", str(root), "--without", switch, *dry])
    assert code == finetuning.BAD_DATA
    assert f"no file named {sandbox.SANDBOX}" in capsys.readouterr().err
    assert (root / versions.MODEL).read_bytes() == model_before
    assert not (root / versions.FOLDER).exists()


def test_sweep_sandbox_of_a_killed_server_goes_and_others_stay(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    left, busy = (tmp_path / f"{sandbox.PREFIX}{ended.pid}-{name}" for name in ("left", "busy"))
    ours = tmp_path / f"{sandbox.PREFIX}{os.getpid()}-ours"
    foreign = tmp_path / f"{sandbox.PREFIX}notes"
    for folder in (left, busy, ours, foreign):
        folder.mkdir()
        (folder / sandbox.SANDBOX).touch()
    progress.Status(busy, "lesson", os.getpid()).progress("Training", 0.5)  # outlived its server
    sandbox.sweep()
    assert set(tmp_path.iterdir()) == {busy, ours, foreign}


@pytest.fixture(scope="module")
def tried(tmp_path_factory):
    """Experiments without replay, with the gate and without, on a root that must not change."""
    root = make_root(tmp_path_factory.mktemp("tried") / "root")
    before = contents(root)
    ended = []
    for without in (["replay"], ["replay", "gate"]):
        ended.append(sandbox.Experiment(root, without))
        ended[-1].join()
    assert contents(root) == before
    return ended


def test_experiment_without_replay_learns_no_more_than_the_gate_lets_pass(tried):
    gated, _ = tried
    assert gated.record["learned"] < 0.8 * sandbox.CORRECTIONS
    lost = gated.record["accuracy_before"] - gated.record["accuracy_after"]
    assert gated.record["decision"] == versions.REFUSED or lost < gate.MARGIN


def test_experiment_without_replay_and_gate_publishes_a_network_that_forgot(tried):
    _, bad = tried
    assert bad.record["decision"] == versions.PUBLISHED
    assert "the gate was switched off" in bad.says
    lost = bad.record["accuracy_before"] - bad.record["accuracy_after"]
    assert lost > 10 * gate.MARGIN
    assert len({flip["actual"] for flip in bad.lost}) > 1
    assert 0 < len(bad.lost) <= sandbox.LOST
    assert f"it lost {bad.record['broken']}" in bad.in_words


def test_experiment_ended_leaves_no_sandbox(tried):
    assert not any(one.sandbox.exists() for one in tried)


def test_experiment_root_unusable_says_why(root):
    (root / "train.csv").unlink()
    one = sandbox.Experiment(root, [])
    one.join()
    assert "train.csv" in one.says
    assert not one.record
    assert not one.sandbox.exists()
