"""A home that version 1.0 wrote, read by this one: nothing is lost, and nothing is learned twice.

`data/home-1.0` is such a home but for train.csv and for model.h5, which was v2 to the byte.
"""

import hashlib
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

import finetuning
from digits import feedback, images, model, records, versions
from digits.feedback import verdicts
from digits.home import Home
from digits.jobs import progress, schedule
from digits.versions import receipts
from tests import crontabs
from tests.homes import PROJECT

OLD = Path(__file__).parent / "data" / "home-1.0"
FIRST, SECOND = "v1-8497c17a", "v2-c07cf932"


@pytest.fixture
def home(tmp_path):
    """That home, whole."""
    shutil.copytree(OLD, tmp_path / "home")
    home = Home.at(tmp_path / "home")
    shutil.copy(home.versions / f"{SECOND}.h5", home.model)
    os.link(PROJECT / "train.csv", home.train)
    return home


def test_corrections_are_all_there_with_what_was_known_of_them(home):
    stored, warnings = feedback.load(home)
    assert warnings == []
    assert "".join(str(one.predicted) for one in stored) == "464886488886"
    assert "".join(str(one.actual) for one in stored) == "717001700001"
    assert stored[0] == feedback.Correction(
        4,
        7,
        "incorrect_images/incorrect_image_c6f1d210a5e77a36.png",
        confidence=0.5,
        version="v1-00000000",
        added="2026-11-25T18:00:34+00:00",
        votes=1,
        removed=False,
    )
    assert feedback.removed(home) == []
    for one in stored:
        images.read_digit(images.open_picture(home.folder / one.image))


def test_correction_same_picture_again_is_known(home):
    before = feedback.load(home)[0]
    picture = images.open_picture(home.folder / before[0].image)
    again = feedback.add(home, picture, before[0].predicted, before[0].actual)
    assert again.image == before[0].image
    assert len(feedback.load(home)[0]) == len(before)


def test_verdicts_are_counted(home):
    assert verdicts.live_accuracy(home) == verdicts.Tally(shown=2, right=1, wrong=1, no_digit=0)


def test_history_says_what_served_and_what_was_measured(home):
    placed, published = versions.history(home)
    assert placed == versions.Record(
        versions.PLACED,
        FIRST,
        "8497c17a7fc0f10696ed50ae783e18d0d84812d4434f344fd529935ec83c0d61",
        "2026-11-25T18:00:30+00:00",
    )
    assert published.decision == versions.PUBLISHED
    assert (published.version, published.parent, published.left) == (SECOND, FIRST, None)
    assert published.sha256 == hashlib.sha256(home.model.read_bytes()).hexdigest()
    run = published.run
    assert (run.corrections, run.held_back, run.learned) == (12, 1, 11)
    assert (run.held_out_rows, run.fixed, run.broken) == (2983, 3, 0)
    assert run.accuracy_before == 0.9919544083137781
    assert run.accuracy_after == 0.9929601072745559
    assert tuple(run.interval_after) == (0.9892613091729157, 0.9953908397726462)
    assert (run.step, run.trigger, run.seconds) == (1.0, "button", 12.3)
    assert run.receipt == "run-00001.json"
    assert run.reason.startswith("on 2,983 held-out digits it fixed 3 and broke 0, and 11 of 11")


def test_versions_serve_and_can_be_rolled_back(home):
    serving = versions.serving(home, model.load_light)
    assert (serving.version.name, serving.problem) == (SECOND, "")
    assert versions.kept(home) == [FIRST, SECOND]
    assert versions.is_recorded(home)
    assert versions.baseline(home) == home.versions / f"{FIRST}.h5"
    assert versions.roll_back(home, "v1").name == FIRST
    assert home.model.read_bytes() == (OLD / "versions" / f"{FIRST}.h5").read_bytes()


def test_receipt_says_what_became_of_each_correction(home):
    receipt = receipts.last(home)
    stored = feedback.load(home)[0]
    assert [line.key for line in receipt.corrections] == [one.key for one in stored]
    outcomes = [line.outcome for line in receipt.corrections]
    assert outcomes == [receipts.RIGHT] * 6 + [receipts.HELD_BACK] + [receipts.RIGHT] * 5
    first, held_back = receipt.corrections[0], receipt.corrections[6]
    assert (first.guess_before, first.p_before) == (4, 0.1855)
    assert (first.guess_after, first.p_after, first.reason) == (7, 0.8537, "")
    assert held_back.reason == "labelled 7, but it looks like a 9 to all we know"
    flips = [(f.actual, f.fixed, f.guess_before, f.guess_after) for f in receipt.flipped]
    assert flips == [(7, True, 4, 7), (1, True, 2, 1), (4, True, 9, 4)]
    assert receipt.flipped[0].p_before == 0.3613
    assert receipt.flipped[0].digit.shape == (28, 28)
    assert receipt.flipped[0].digit.astype(int).sum() == 30378
    assert receipts.seen(home) == {one.key for one in stored}
    assert receipts.text(home, "v2") == receipts.text(home)


def test_status_says_how_the_last_run_ended(home):
    sentence = "Nothing new to learn since the last run."
    assert progress.read(home) == progress.Status(
        state="nothing new",
        trigger="cron",
        pid=3450,
        since="2026-11-25T18:00:50+00:00",
        at="2026-11-25T18:00:50+00:00",
        share=1.0,
        message=sentence,
        code=0,
        seconds=0.0,
    )
    assert progress.text(home).endswith(f"nothing new: {sentence}")
    assert not home.is_running()


def test_schedule_remembers_the_last_run_and_the_install(home):
    assert schedule.remembered(home) == schedule.Remembered(
        installed="2026-11-25T18:00:49+00:00",
        when="2026-11-25T18:00:50+00:00",
        code=0,
        message="Nothing new to learn since the last run.",
    )


def test_crontab_entry_is_found_and_replaced_where_it_stands(tmp_path, monkeypatch):
    table = crontabs.pretend(tmp_path, monkeypatch)
    shutil.copy(OLD / "crontab.txt", table)
    home = Home.at("/srv/digits")
    assert schedule.current(home) == schedule.Entry(
        "0 2 * * *",
        "/srv/digits/.venv/bin/python /srv/digits/finetuning.py --root /srv/digits --trigger cron "
        "--ping https://hc-ping.com/a%20b",
    )
    before = table.read_text().splitlines()
    monkeypatch.setattr(records, "write", lambda path, record: None)  # /srv is not ours
    schedule.install(home, "@daily")
    after = table.read_text().splitlines()
    assert after[:2] == before[:2]
    assert len(after) == len(before)
    assert after[2].startswith("@daily ")
    assert schedule.remove(home) == "Removed."
    assert table.read_text().splitlines() == before[:2]


def test_main_finds_nothing_new_and_changes_nothing(home, capsys):
    before = contents(home)
    assert finetuning.main(["--root", str(home)]) == finetuning.DONE
    assert capsys.readouterr().out == "Nothing new to learn since the last run.\n"
    after = contents(home)
    new = {"versions/finetuning.lock", "incorrect_predictions.csv.lock"}
    told = {"versions/status.json", "finetuning.log"}
    assert set(after) - set(before) <= new
    assert {name for name in before if after[name] != before[name]} <= told


def contents(home):
    """Every file of the home with its bytes."""
    paths = [path for path in home.folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(home.folder)): path.read_bytes() for path in paths}


def test_main_history_status_and_receipt_tell_of_the_old_runs(home, capsys):
    for option, words in (
        ("--history", "v2    published   99.20% -> 99.30%, on 2,983 held-out digits"),
        ("--status", "nothing new: Nothing new to learn since the last run."),
        ("--receipt", "now right    is 7, read 4 (19% for 7) before, 7 (85%) after"),
    ):
        assert finetuning.main(["--root", str(home), option]) == finetuning.DONE
        assert words in capsys.readouterr().out


def test_network_in_service_predicts_what_the_receipt_says(home):
    net = versions.serving(home, model.load_light).net
    receipt = receipts.last(home)
    pictures = [images.open_picture(home.folder / one.image) for one in receipt.corrections]
    digits = np.array([images.read_digit(picture) for picture in pictures])
    answers = model.predict(net, digits)
    assert answers.argmax(axis=1).tolist() == [one.guess_after for one in receipt.corrections]
    labels = [one.actual for one in receipt.corrections]
    said = [one.p_after for one in receipt.corrections]
    assert np.allclose(answers[np.arange(len(labels)), labels], said, atol=1e-3)
