"""The whole run, for real: corrections in, a better model.h5 out, or nothing changed at all."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

import finetuning
from digits import feedback, images, metrics, model, versions
from digits.home import MODEL, Home
from digits.jobs import progress
from digits.learning import finetune, gate
from digits.rows import is_held_out, read_rows
from digits.versions import receipts
from tests.homes import PROJECT, add_misread, make_home

CORRECTIONS = 12


def contents(home):
    """Every file of the home but the log, with its bytes."""
    paths = [path for path in home.folder.rglob("*") if path.is_file() and path != home.log]
    return {str(path.relative_to(home.folder)): path.read_bytes() for path in paths}


def copy_of(home, folder):
    """The same home once more, in a folder that is not there yet."""
    shutil.copytree(home.folder, folder)
    return Home.at(folder)


def guess(net, picture):
    return int(model.predict(net, images.read_digit(picture)[None])[0].argmax())


@pytest.fixture(scope="module")
def learned(tmp_path_factory, shipped):
    """A home on which one run has learned corrections in a style that MNIST lacks."""
    home = make_home(tmp_path_factory.mktemp("learned"))
    wrong = add_misread(home, shipped, CORRECTIONS)
    code = finetuning.main(["--root", str(home)])
    return SimpleNamespace(home=home, wrong=wrong, code=code)


@pytest.fixture
def brief(monkeypatch):
    """Lets runs learn little, for tests of what is done with it."""
    monkeypatch.setattr(finetune, "RATES", finetune.RATES[:1])
    monkeypatch.setattr(finetune, "ROUNDS", 1)
    monkeypatch.setattr(finetune, "REPLAY_ROWS", 200)


def test_main_corrections_are_learned_and_published(learned):
    net = model.load(learned.home.model)
    right = [guess(net, picture) == label for picture, _, label in learned.wrong]
    assert learned.code == finetuning.DONE
    assert np.mean(right) >= 0.9
    assert versions.current(learned.home).short == "v2"


def test_main_published_forgets_nothing(learned, shipped):
    digits, labels = read_rows(learned.home.train)
    apart = is_held_out(digits)
    net = model.load(learned.home.model)
    before, after = (
        metrics.correct(labels[apart], model.predict(one, digits[apart])).mean()
        for one in (shipped, net)
    )
    assert after >= before - gate.MARGIN


def test_main_published_leaves_history_and_receipt(learned):
    first, run = versions.history(learned.home)
    assert (first.decision, run.decision) == (versions.PLACED, versions.PUBLISHED)
    assert run.parent == first.version
    assert run.run.corrections == CORRECTIONS
    receipt = receipts.read(learned.home, run.run.receipt)
    assert [line.actual for line in receipt.corrections] == [label for _, _, label in learned.wrong]
    assert sum(flip.fixed for flip in receipt.flipped) == run.run.fixed
    assert progress.read(learned.home).code == 0


def test_main_receipt_and_status_say_what_the_run_did(learned, capsys):
    assert finetuning.main(["--root", str(learned.home), "--receipt"]) == finetuning.DONE
    said = capsys.readouterr().out
    assert said.count("incorrect_image_") == CORRECTIONS
    assert "now right    is " in said
    assert finetuning.main(["--root", str(learned.home), "--receipt", "v2"]) == finetuning.DONE
    assert capsys.readouterr().out == said
    assert finetuning.main(["--root", str(learned.home), "--receipt", "v1"]) == finetuning.BAD_DATA
    assert "No run made v1" in capsys.readouterr().err
    assert finetuning.main(["--root", str(learned.home), "--status"]) == finetuning.DONE
    assert "published: Published v2" in capsys.readouterr().out


def test_main_nothing_new_does_nothing(learned, capsys):
    before = contents(learned.home)
    assert finetuning.main(["--root", str(learned.home)]) == finetuning.DONE
    assert "Nothing new" in capsys.readouterr().out
    after = contents(learned.home)
    before.pop("versions/status.json"), after.pop("versions/status.json")
    assert after == before


def test_main_rollback_puts_the_shipped_network_back_to_the_byte(learned, capsys, tmp_path):
    home = copy_of(learned.home, tmp_path / "home")
    assert finetuning.main(["--root", str(home), "--rollback", "v1"]) == finetuning.DONE
    assert home.model.read_bytes() == (PROJECT / MODEL).read_bytes()
    assert finetuning.main(["--root", str(home), "--history"]) == finetuning.DONE
    assert "v1    rolled back" in capsys.readouterr().out.splitlines()[-1]
    assert finetuning.main(["--root", str(home), "--rollback", "v9"]) == finetuning.BAD_DATA
    assert "kept are v1-" in capsys.readouterr().err


def test_main_dry_run_writes_nothing(learned, brief, capsys, tmp_path):
    home = copy_of(learned.home, tmp_path / "home")
    before = contents(home)
    assert finetuning.main(["--root", str(home), "--dry-run", "--force"]) == finetuning.DONE
    assert "would be" in capsys.readouterr().out
    assert contents(home) == before


def test_main_wrong_labels_are_refused_model_unchanged(tmp_path, capsys):
    home = make_home(tmp_path)
    digits, labels = read_rows(home.train)
    for row in np.flatnonzero(~is_held_out(digits))[::40]:
        wrong = int(labels[row] + 5) % 10
        feedback.add(home, Image.fromarray(digits[row]), int(labels[row]), wrong)
    before = home.model.read_bytes()
    assert finetuning.main(["--root", str(home)]) == finetuning.REFUSED
    assert home.model.read_bytes() == before
    assert capsys.readouterr().err.startswith("Refused, v1 stays: ")
    assert versions.history(home)[-1].decision == versions.REFUSED


def test_main_wrong_label_is_held_back_until_a_second_vote(tmp_path, brief, shipped, rows):
    home = make_home(tmp_path)
    add_misread(home, shipped, CORRECTIONS)
    digits, labels = rows
    row = int(np.flatnonzero(~is_held_out(digits) & (labels == 3))[0])
    joke = feedback.add(home, Image.fromarray(digits[row]), 3, 6)

    def outcome():
        assert finetuning.main(["--root", str(home)]) in (finetuning.DONE, finetuning.REFUSED)
        return receipts.last(home).lines[joke.key]

    first = outcome()
    assert first.outcome == receipts.HELD_BACK
    assert "labelled 6, but it looks like a" in first.reason
    feedback.confirm(home, joke)
    assert outcome().outcome != receipts.HELD_BACK


def half(net, path):
    """Save half of the network's file."""
    net.save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def untrained(net, path):
    """Save another network in its place."""
    model.build().save(path)


@pytest.mark.parametrize("spoil", [half, untrained])
def test_main_candidate_whose_file_predicts_otherwise_is_refused(
    spoil, tmp_path, brief, shipped, capsys, monkeypatch
):
    home = make_home(tmp_path)
    add_misread(home, shipped, 3)
    before = home.model.read_bytes()
    monkeypatch.setattr(gate, "decide", lambda *_: gate.Decision(True, "allowed"))
    monkeypatch.setattr(model, "save", spoil)
    assert finetuning.main(["--root", str(home)]) == finetuning.REFUSED
    assert "its file, loaded again, does not predict" in capsys.readouterr().err
    assert home.model.read_bytes() == before
    assert versions.history(home)[-1].decision == versions.REFUSED


def test_main_same_digit_in_two_files_is_held_to_the_last_answer(learned, tmp_path):
    home = make_home(tmp_path)
    picture, guess, label = learned.wrong[0]
    joke = feedback.add(home, picture, guess, (label + 1) % 10)
    copy = picture.copy()
    copy.putpixel((0, 0), (254, 254, 254))  # as another encoder would: another picture, one digit
    feedback.add(home, copy, guess, label)
    finetuning.main(["--root", str(home)])
    outcomes = receipts.last(home).lines
    assert len(outcomes) == 2
    assert f"stored again, as a {label}" in outcomes.pop(joke.key).reason
    assert [line.outcome for line in outcomes.values()] == [receipts.RIGHT]


def test_main_empty_store_says_so_and_writes_nothing(tmp_path, capsys):
    home = make_home(tmp_path)
    before = contents(home)
    assert finetuning.main(["--root", str(home)]) == finetuning.DONE
    assert capsys.readouterr().out == "Nothing to learn: no corrections are stored.\n"
    assert contents(home) == before


@pytest.mark.parametrize("option", ["--root", "--rollback", "--install-cron", "--receipt"])
def test_main_empty_value_is_an_error_and_no_run(option, tmp_path, shipped, monkeypatch, capsys):
    home = make_home(tmp_path)
    add_misread(home, shipped, 1)
    monkeypatch.setenv("DIGITS_HOME", str(home))
    monkeypatch.setattr(finetuning.learning, "learn", lambda *_: pytest.fail("it learned"))
    assert finetuning.main([option, ""]) != finetuning.DONE
    assert "Traceback" not in capsys.readouterr().err
    assert versions.runs(home) == []


@pytest.mark.parametrize("options", [[], ["--rollback", "v1"]], ids=["run", "roll back"])
def test_main_damaged_model_is_put_back_with_an_empty_store_too(options, tmp_path, capsys):
    home = make_home(tmp_path)
    versions.register(home)
    good = home.model.read_bytes()
    home.model.write_bytes(good[: len(good) // 2])
    assert finetuning.main(["--root", str(home), *options]) == finetuning.DONE
    assert "It was put back" in capsys.readouterr().err
    assert home.model.read_bytes() == good
    assert len(versions.kept(home)) == 1  # what does not load is no version


@pytest.mark.parametrize("name", ["model.h5", "train.csv"])
@pytest.mark.parametrize("content", [None, b"", b"not what it should be"])
def test_main_unusable_file_is_named(tmp_path, capsys, name, content):
    home = make_home(tmp_path)
    (home.folder / name).unlink()
    if content is not None:
        (home.folder / name).write_bytes(content)
    feedback.add(home, Image.new("L", (28, 28), 255), 1, 2)
    assert finetuning.main(["--root", str(home)]) == finetuning.BAD_DATA
    message = capsys.readouterr().err
    assert message.count("\n") == 1
    assert str(home.folder / name) in message


@pytest.mark.parametrize("options", [[], ["--check"]], ids=["run", "check"])
def test_main_without_tensorflow_names_the_remedy(tmp_path, shipped, options):
    home = make_home(tmp_path / "home")
    add_misread(home, shipped, 1)
    missing = tmp_path / "missing" / "tensorflow.py"
    missing.parent.mkdir()
    missing.write_text("raise ModuleNotFoundError('No module named tensorflow')")
    done = subprocess.run(
        [sys.executable, PROJECT / "finetuning.py", "--root", str(home), *options],
        env=os.environ | {"PYTHONPATH": str(missing.parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != finetuning.DONE
    assert "pip install -r requirements.txt" in done.stdout + done.stderr
    assert "Error(" not in done.stdout + done.stderr


def test_main_unreadable_image_is_skipped_and_named(tmp_path, capsys):
    home = make_home(tmp_path)
    kept = feedback.add(home, Image.new("RGB", (50, 50), "white"), 1, 2)
    assert finetuning.main(["--root", str(home)]) == finetuning.DONE
    said = capsys.readouterr()
    assert kept.image in said.err
    assert "Nothing to learn" in said.out


def test_main_held_out_row_as_correction_is_not_trained_on(tmp_path, capsys, rows):
    home = make_home(tmp_path)
    digits, labels = rows
    row = int(np.flatnonzero(is_held_out(digits))[0])
    feedback.add(home, Image.fromarray(digits[row]), (labels[row] + 1) % 10, int(labels[row]))
    assert finetuning.main(["--root", str(home)]) == finetuning.DONE
    said = capsys.readouterr()
    assert "holds it out from all training" in said.err
    assert "Nothing to learn" in said.out


def test_main_second_run_is_told_who_runs(tmp_path, capsys):
    home = make_home(tmp_path)
    feedback.add(home, Image.new("L", (28, 28), 255), 1, 2)
    with home.run_lock():
        assert finetuning.main(["--root", str(home)]) == finetuning.LOCKED
    assert "Another fine-tuning runs" in capsys.readouterr().err


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_main_told_to_stop_leaves_everything_as_it_was(number, tmp_path, shipped):
    home = make_home(tmp_path)
    add_misread(home, shipped, 3)
    before = contents(home)
    command = [sys.executable, PROJECT / "finetuning.py", "--root", home.folder]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    while progress.read(home).phase != "Training":
        assert process.poll() is None
        time.sleep(0.05)
    os.kill(process.pid, number)
    assert "model.h5 is as it was" in process.communicate()[1]
    assert process.returncode == finetuning.FAILED
    after = {k: v for k, v in contents(home).items() if not k.startswith("versions/")}
    assert after == before | {"incorrect_predictions.csv.lock": b""}
    assert not home.is_running()
    assert progress.read(home).state == "stopped"


TOLD_LATE = """
import os, signal, sys
import finetuning
from digits import versions
from digits.jobs import progress
from digits.learning import finetune
place = {"settle": versions, "finish": progress.Reporter}[sys.argv[2]]
real = getattr(place, sys.argv[2])
def told(*given):
    if sys.argv[2] == "finish" or versions.announced(given[0]):
        setattr(place, sys.argv[2], real)
        os.kill(os.getpid(), signal.SIGTERM)
    real(*given)
setattr(place, sys.argv[2], told)
finetune.RATES, finetune.ROUNDS, finetune.REPLAY_ROWS = (1e-3,), 1, 200
sys.exit(finetuning.main(["--root", sys.argv[1], "--without", "gate"]))
"""


@pytest.mark.parametrize("before", ["settle", "finish"])
def test_main_told_to_stop_once_the_candidate_serves_does_not_deny_it(before, tmp_path, shipped):
    home = make_home(tmp_path)
    home.sandbox.touch()
    add_misread(home, shipped, 3)
    command = [sys.executable, "-c", TOLD_LATE, str(home), before]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=PROJECT)
    assert home.model.read_bytes() != (PROJECT / MODEL).read_bytes()
    for said in (done.stdout, done.stderr, progress.text(home), home.log.read_text()):
        assert "model.h5 is as it was" not in said
    assert done.returncode == finetuning.FAILED
    assert done.stderr == f"{finetuning.STOPPED_LATE}\n"
    assert progress.read(home).state == "stopped"
    assert not home.is_running()
    versions.settle(home)
    assert versions.history(home)[-1].decision == versions.PUBLISHED


@pytest.mark.parametrize("content", [None, b"", b"not a network", "half"])
def test_main_damaged_model_is_put_back_and_said_so(learned, capsys, tmp_path, content):
    home = copy_of(learned.home, tmp_path / "home")
    path = home.model
    good = path.read_bytes()
    path.unlink()
    if content is not None:
        path.write_bytes(good[: len(good) // 2] if content == "half" else content)
    assert finetuning.main(["--root", str(home)]) == finetuning.DONE
    said = capsys.readouterr()
    assert "v2 stands in for it. It was put back." in said.err
    assert "Nothing new" in said.out
    assert path.read_bytes() == good
