"""The page's logic, driven without a browser: every story ends in a sentence, never a traceback."""

from __future__ import annotations

import gc
import io
import json
import os
import re
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
import streamlit as st
from PIL import Image
from streamlit.testing.v1 import AppTest

from digits import feedback, images, model, versions
from digits.feedback import verdicts
from digits.feedback.archive import export
from digits.home import Home
from digits.jobs import launch, progress, schedule
from digits.page import learning, reading, sandbox, shared
from digits.versions import receipts
from digits.versions.receipts import Line
from tests.homes import PROJECT, add_misread, make_home, misread
from tests.styles import on_paper


def png(picture: Image.Image) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, "PNG")
    return stream.getvalue()


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("DIGITS_HOME", str(tmp_path))
    return make_home(tmp_path)


@pytest.fixture
def page(home):
    return AppTest.from_file(str(PROJECT / "app.py"), default_timeout=120)


def upload(page, *pictures: bytes):
    page.run()
    page.file_uploader[0].set_value(
        [(f"{i}.png", one, "image/png") for i, one in enumerate(pictures)]
    )
    page.run()
    assert not page.exception
    return page


def group(page, label: str, place: int = 0):
    """Return the pills or segments with that label."""
    return [one for one in page.button_group if one.label == label][place]


def button(page, label: str):
    return next(one for one in page.button if one.label == label)


def judge(page, label: str, place: int = 0):
    """Press a button of the row under an answer, the first unless another place is given."""
    [one for one in page.button if one.label == label][place].click().run()
    assert not page.exception


def open_tiles(page) -> None:
    """Open the row of each sure guess of several."""
    for key in page.session_state["visit"].guesses:
        page.session_state[f"judge-{key}"] = True
    page.run()


def html(page) -> str:
    """Return the HTML of the page's own making, without its styles and its script."""
    return "\n".join(one.proto.body for one in page.get("html")[1:-1])


def answers(page) -> list[str]:
    """Return the answers on the page, in its order."""
    return re.findall(r"<h2>(.*?)</h2>", html(page))


def examples(page):
    return group(page, "Or try one of these")


def pick(page, name: str):
    """Pick an example by its name."""
    labels = [option.content for option in examples(page).proto.options]
    place = next(i for i, one in enumerate(labels) if one.startswith(f"![Example: {name}]"))
    examples(page).set_value(sorted((PROJECT / "examples").glob("*.png"))[place]).run()
    assert not page.exception


def said(page) -> str:
    """Return all sentences on the page."""
    kinds = page.markdown, page.caption, page.success, page.info, page.warning, page.error
    return "\n".join([one.value for kind in kinds for one in kind] + [html(page)])


def open_part(page, name: str):
    page.session_state["part"] = name
    page.run()
    assert not page.exception
    return page


def test_page_nothing_given_offers_three_ways_examples_and_fine_tuning(page):
    page.run()
    assert not page.exception
    assert not answers(page)
    assert [option.content for option in page.button_group[0].proto.options]
    assert len(examples(page).options) == 6  # one comes after a run
    assert button(page, "Run Fine-tuning").disabled  # there is nothing to learn


def test_page_drawn_collects_garbage_once(page, monkeypatch):
    callers = []  # others, such as Streamlit and TensorFlow, collect as they like
    monkeypatch.setattr(gc, "collect", lambda *_: callers.append(sys._getframe(1).f_code.co_name))
    st.cache_resource.clear()
    page.run().run()
    assert callers.count("collect_garbage") == 1


def test_page_digit_is_read(page, rows):
    digits, labels = rows
    upload(page, png(Image.fromarray(on_paper(digits[0]))))
    assert answers(page) == [str(labels[0])]
    assert "v1" in said(page)


def test_page_examples_are_read_and_one_is_wrong(page):
    page.run()
    guesses = {}
    for name in ("Felt pen", "Squares", "Chalk", "Shadow", "Slashed 0"):
        pick(page, name)
        guesses[name] = answers(page)[0][0]  # the likeliest
    assert guesses.pop("Slashed 0") != "0"
    assert "".join(guesses.values()) == "3582"


def test_page_example_beside_an_upload_takes_its_place_and_never_haunts_drawing(page, rows):
    upload(page, png(Image.fromarray(on_paper(rows[0][0]))))
    pick(page, "Chalk")
    assert answers(page) == ["8"]
    page.button_group[0].set_value("Draw").run()
    assert answers(page) == []
    page.button_group[0].set_value("Upload").run()
    assert answers(page) == ["8"]


def test_page_upload_survives_a_look_at_the_other_ways(page, rows):
    digits, labels = rows
    upload(page, png(Image.fromarray(on_paper(digits[0]))))
    for way in ("Draw", "Camera", "Upload"):
        page.button_group[0].set_value(way).run()
        assert not page.exception
    assert answers(page) == [str(labels[0])]


@pytest.mark.parametrize("data", [b"", b"no picture", png(Image.new("RGB", (300, 200), "white"))])
def test_page_no_digit_says_why_in_a_sentence(page, data):
    upload(page, data)
    assert not answers(page)
    assert page.warning[0].value.endswith(".")


def test_page_file_beyond_the_limit_is_refused_in_a_sentence(page):
    upload(page, png(Image.new("L", (9, 9))) + bytes(images.MAX_BYTES))
    assert "larger than 10 MB" in page.warning[0].value


def test_page_several_pictures_unsure_ones_first_and_all_the_rest_are_right(
    page, home, rows, shipped
):
    digits, labels = rows
    likely = model.predict(shipped, digits).max(axis=1)
    sure, unsure = int(likely.argmax()), int(likely.argmin())
    (wrong, guessed, actual), *_ = misread(shipped, 1)
    pictures = [Image.fromarray(on_paper(digits[sure])), Image.fromarray(digits[unsure]), wrong]
    upload(page, *map(png, pictures), b"damaged")
    assert answers(page)[-1] == str(labels[sure])
    assert any("or" in one for one in answers(page)[:-1])
    assert "1.png" not in page.warning[0].value
    place = [one.startswith(str(guessed)) for one in answers(page)].index(True)
    judge(page, str(actual), place)
    (kept,), _ = feedback.load(home)
    assert (kept.predicted, kept.actual) == (guessed, actual)
    button(page, "All the rest are right").click().run()
    tally = verdicts.live_accuracy(home)
    assert (tally.right, tally.wrong, tally.judged) == (2, 1, 3)
    assert page.download_button[0].label == "Download the answers"


@pytest.mark.parametrize(
    ("address", "allowed"),
    [
        ("https://digits.example", True),
        ("http://localhost:8501", True),
        ("http://127.0.0.1:8501/?way=Camera", True),
        ("http://digits.example", False),
        ("http://192.168.0.2:8501", False),
        ("", True),
    ],
)
def test_allows_camera_over_https_and_on_this_machine_only(address, allowed):
    assert reading.allows_camera(address) == allowed


def test_page_more_pictures_than_are_read_names_those_left_out(page, monkeypatch):
    monkeypatch.setattr(reading, "MAX_PICTURES", 2)
    upload(page, b"one", b"two", b"three")
    assert any(one.value.endswith("at once: 2.png.") for one in page.warning)


def test_page_wrong_guess_is_stored_once_with_what_was_seen(page, home, shipped):
    picture, guessed, actual = misread(shipped, 1)[0]
    upload(page, png(picture))
    assert str(guessed) in answers(page)[0]
    judge(page, str(actual))
    page.run()
    (kept,), warnings = feedback.load(home)
    assert (kept.predicted, kept.actual, warnings) == (guessed, actual, [])
    assert kept.version == versions.current(home).name
    assert np.array_equal(
        np.array(images.open_picture(home.folder / kept.image)), np.array(picture)
    )
    assert "**1 correction** waits" in said(page)
    assert not button(page, "Run Fine-tuning").disabled


def test_page_same_answer_twice_is_one_correction(page, home, shipped):
    picture, _, actual = misread(shipped, 1)[0]
    for _ in range(2):
        upload(page, png(picture))
        judge(page, str(actual))
    assert len(feedback.load(home)[0]) == 1


def test_page_undo_takes_the_correction_back_and_asks_again(page, home, shipped):
    picture, _, actual = misread(shipped, 1)[0]
    upload(page, png(picture))
    judge(page, str(actual))
    button(page, "Undo").click().run()
    assert feedback.load(home)[0] == []
    assert button(page, "✓ right")
    assert verdicts.live_accuracy(home).judged == 0


def test_page_wrong_but_the_guess_picked_counts_as_right(page, home, rows):
    digits, labels = rows
    upload(page, png(Image.fromarray(on_paper(digits[0]))))
    judge(page, str(labels[0]))
    assert feedback.load(home) == ([], [])
    assert verdicts.live_accuracy(home).right == 1


@pytest.mark.parametrize(("label", "counted"), [("✓ right", "right"), ("not a digit", "no_digit")])
def test_page_verdict_without_digit_is_counted_once(page, home, rows, label, counted):
    upload(page, png(Image.fromarray(on_paper(rows[0][0]))))
    judge(page, label)
    page.run()
    tally = verdicts.live_accuracy(home)
    assert (tally.shown, tally.judged, getattr(tally, counted)) == (1, 1, 1)
    assert feedback.load(home) == ([], [])
    assert "✓ Counted as" in said(page)


def test_page_password_keeps_strangers_from_judging_and_teaching(
    page, home, rows, shipped, monkeypatch
):
    monkeypatch.setenv("DIGITS_PASSWORD", "chalk")
    upload(page, png(Image.fromarray(on_paper(rows[0][0]))))
    assert answers(page)
    assert "✓ right" not in [one.label for one in page.button]
    add_misread(home, shipped, 1)
    page.text_input[0].set_value("cheese").run()
    assert button(page, "Run Fine-tuning").disabled
    home.tries.unlink()  # else the right one would have to wait
    page.text_input[0].set_value("chalk").run()
    assert not button(page, "Run Fine-tuning").disabled
    assert button(page, "✓ right")


@pytest.mark.parametrize("content", [None, b"not a model"])
def test_page_model_unusable_says_so(page, home, rows, content):
    (home.model).unlink()
    if content:
        (home.model).write_bytes(content)
    upload(page, png(Image.fromarray(on_paper(rows[0][0]))))
    assert "model.h5" in page.error[0].value


@pytest.mark.parametrize("content", [None, b"not a model"])
def test_page_model_damaged_the_last_good_version_answers_and_says_so(page, home, rows, content):
    versions.register(home)
    (home.model).unlink()
    if content:
        (home.model).write_bytes(content)
    upload(page, png(Image.fromarray(on_paper(rows[0][0]))))
    assert answers(page) == [str(rows[1][0])]
    assert "v1 stands in for it" in "".join(one.value for one in page.warning)


def test_page_doubtful_digit_names_two_candidates(page, rows, shipped):
    digits, _ = rows
    probabilities = np.sort(model.predict(shipped, digits))
    doubtful = int(np.argmin(probabilities[:, -1]))
    upload(page, png(Image.fromarray(digits[doubtful])))
    first, second = np.argsort(model.predict(shipped, digits[doubtful : doubtful + 1])[0])[:-3:-1]
    assert answers(page) == [f"{first}? or {second}?"]


def test_page_model_replaced_while_open_every_card_is_read_again_and_undo_takes_what_was_judged(
    page, home, rows, shipped
):
    pictures = [png(Image.fromarray(on_paper(digit))) for digit in rows[0][:2]]
    upload(page, *pictures)
    before = [int(one) for one in answers(page)]
    open_tiles(page)
    judge(page, str((before[0] + 5) % 10))
    other = model.build(seed=3)
    kernel, bias = shipped.layers[-1].get_weights()
    other.set_weights([*shipped.get_weights()[:-2], np.roll(kernel, 1, 1), np.roll(bias, 1)])
    model.save(other, home.folder / "other.h5")
    (home.folder / "other.h5").replace(home.model)
    page.run()
    after = [(one + 1) % 10 for one in before]
    assert answers(page) == [str(one) for one in after]
    for old, new in zip(before, after, strict=True):
        assert f"v1: {old} → v1: {new}" in html(page)  # no run has registered either
    assert feedback.load(home)[0][0].predicted == before[0]
    button(page, "Undo").click().run()
    assert feedback.load(home)[0] == []
    open_tiles(page)
    assert len([one for one in page.button if one.label == "✓ right"]) == 2


def test_page_store_damaged_says_so(page, home):
    (home.table).write_text("some,other,table\n1,2,3\n")
    page.run()
    assert not page.exception
    assert "lacks the column Predicted_Label" in page.error[0].value


@pytest.mark.parametrize("name", ["model", "history", "table"])
def test_page_file_of_another_user_has_a_sentence_in_its_place(rows, monkeypatch, name):
    with tempfile.TemporaryDirectory() as folder:
        home = make_home(Path(folder))
        versions.register(home)
        feedback.add(home, Image.new("L", (28, 28), 255), 1, 2)
        for path in (home.folder, home.images):
            path.chmod(0o777)  # the page may write there
        getattr(home, name).chmod(0)
        monkeypatch.setenv("DIGITS_HOME", folder)
        page = AppTest.from_file(str(PROJECT / "app.py"), default_timeout=120)
        user = os.geteuid()
        if user == 0:  # whom no mode stops
            os.seteuid(65534)
        try:
            upload(page, png(Image.fromarray(on_paper(rows[0][0]))))
            assert answers(page) == [str(rows[1][0])]
            open_part(page, "Versions")
            assert "ermission denied" in said(page)
        finally:
            os.seteuid(user)


def test_page_run_elsewhere_shows_its_progress(page, home, shipped):
    add_misread(home, shipped, 1)
    with home.run_lock():
        progress.Reporter(home, "cron").progress("Training", 0.4, (0.25, 0.995))
        page.run()
    assert not page.exception
    assert "Epoch 0: corrections learned 25.0 % · a sample of old digits 99.5 %" in html(page)
    assert button(page, "Run Fine-tuning").disabled


@pytest.mark.parametrize(
    ("state", "of_this_run", "words"),
    [
        (progress.RUNNING, False, "Training, about 20 s left"),
        (versions.PUBLISHED, False, "Starting"),
        (versions.PUBLISHED, True, "Finishing"),
    ],
)
def test_show_progress_says_what_is_true_at_both_ends(monkeypatch, state, of_this_run, words):
    shown = []
    monkeypatch.setattr(st, "progress", lambda share, text: shown.append(text))
    status = progress.Status(state, phase="Training", share=0.5, seconds_left=11)
    learning.show_progress(status, of_this_run)
    assert shown == [words]


def test_corrections_are_shown_relabelled_removed_and_restored(page, home, shipped):
    add_misread(home, shipped, 2)
    page.run()
    open_part(page, "Corrections")
    group(page, "State").set_value("waiting").run()
    first = feedback.load(home)[0][-1]
    other = (first.actual + 1) % 10
    group(page, "It is").set_value(other).run()
    button(page, "Save this label").click().run()
    assert feedback.load(home)[0][-1].actual == other
    button(page, "Remove").click().run()
    assert group(page, "State").value == "waiting"
    assert page.toast[0].value == "Removed; it can be restored."
    assert len(feedback.load(home)[0]) == 1
    group(page, "State").set_value("removed").run()
    button(page, "Restore").click().run()
    assert len(feedback.load(home)[0]) == 2


def test_corrections_that_cannot_be_changed_say_why(page, home, shipped, monkeypatch):
    def refuse(*_):
        raise feedback.StoreError("The store is busy.")

    monkeypatch.setattr(feedback, "remove", refuse)
    add_misread(home, shipped, 1)
    page.run()
    open_part(page, "Corrections")
    button(page, "Remove").click().run()
    assert page.toast[0].value == "The store is busy."


def test_page_row_whose_name_is_no_utf_8_is_shown_and_removed(page, home, shipped):
    ((_, guess, label),) = add_misread(home, shipped, 1)
    name = os.fsdecode(b"incorrect_images/caf\xe9.png")
    (home.folder / feedback.load(home)[0][0].image).rename(home.folder / name)
    rows = f"{guess},{label},{name}\n1,7,gone\udce9.png\n"
    with open(home.table, "a", errors="surrogateescape") as stream:
        stream.write(rows)
    page.run()
    assert not page.exception
    assert "its image gone\\xe9.png is missing" in said(page)
    open_part(page, "Corrections")
    button(page, "Remove").click().run()
    assert [one.image for one in feedback.removed(home)] == [name]
    for _ in range(2):  # the picture that was renamed is missing too
        assert "gone\\xe9.png" in said(page)
        button(page, "Remove this row").click().run()
        assert page.toast[0].value == "Removed: the row stays in the table, marked."
    assert "gone\\xe9.png" not in said(page)
    assert feedback.load(home) == ([], [])


@pytest.mark.parametrize("row", ["1,12,1.png", "1,7,gone.png", "1,7,/etc/passwd", "1,7,../x.png"])
def test_page_row_that_cannot_be_used_is_named_and_removed_by_who_may(page, home, monkeypatch, row):
    home.table.write_text(f"Predicted_Label,Actual_Label,Image_Path\n{row}\n")
    open_part(page, "Corrections")
    monkeypatch.setenv("DIGITS_PASSWORD", "chalk")
    button(page, "Remove this row").click().run()
    assert row in home.table.read_text().splitlines()
    assert "line 2 skipped" in said(page)
    assert "Remove this row" not in [one.label for one in page.button]
    monkeypatch.delenv("DIGITS_PASSWORD")
    button(page.run(), "Remove this row").click().run()
    assert not page.exception
    assert "skipped" not in said(page)
    assert row in home.table.read_text()


def test_page_damaged_stored_picture_is_a_grey_square_that_can_be_removed(page, home, shipped):
    add_misread(home, shipped, 2)
    spoilt, _ = feedback.load(home)[0]
    (home.folder / spoilt.image).write_bytes((home.folder / spoilt.image).read_bytes()[:60])
    assert (
        np.ptp(np.array(Image.open(io.BytesIO(shared.thumbnail(home.folder / spoilt.image))))) == 0
    )
    open_part(page, "Corrections")
    for _ in range(2):
        button(page, "Remove").click().run()
        assert not page.exception
    assert feedback.load(home)[0] == []


def test_corrections_exported_elsewhere_are_imported(page, home, shipped, tmp_path_factory):
    other = make_home(tmp_path_factory.mktemp("other"))
    add_misread(other, shipped, 2)
    open_part(page, "Corrections")
    page.file_uploader[1].set_value(
        ("corrections.zip", export(other).read_bytes(), "application/zip")
    )
    page.run()
    button(page, "Import it").click().run()
    assert not page.exception
    assert "Imported 2 corrections" in said(page)
    assert len(feedback.load(home)[0]) == 2


def test_versions_without_a_run_say_what_will_come_and_how_to_learn_at_night(page):
    page.run()
    open_part(page, "Versions")
    assert "first network" in page.info[0].value
    assert "--install-cron" in page.code[0].value
    page.toggle[0].set_value(True).run()
    assert not page.exception
    assert "of 2,983 held-out digits" in said(page)
    cells = group(page, "Look at those misread")
    actual, guess = (int(one) for one in re.findall(r"\d+", cells.options[0])[:2])
    cells.set_value((actual, guess)).run()
    assert not page.exception
    assert f"✗ {actual} → {guess}" in [one.proto.imgs[0].caption for one in page.image]


def test_versions_hide_commands_from_who_may_not_run_them(page, monkeypatch):
    monkeypatch.setenv("DIGITS_PASSWORD", "chalk")
    page.run()
    open_part(page, "Versions")
    assert not page.code
    assert "--root" not in said(page)


def test_versions_an_earlier_one_is_put_in_service_with_a_word(page, home, shipped):
    add_misread(home, shipped, 1)
    decided(home, versions.PUBLISHED, lines_of(home, (receipts.RIGHT, "")), learned=1)
    page.run()
    open_part(page, "Versions")
    assert "first network" in html(page)
    assert [one.label for one in page.download_button[-2:]] == [
        "Download model.h5 (v2)",
        "Download v1",
    ]
    button(page, "Start over from the first network").click().run()
    assert not page.exception
    assert page.toast[0].value == "v1 answers now."
    assert versions.current(home).short == "v1"


def test_versions_overdue_schedule_says_so_and_names_the_check(page, monkeypatch):
    entry = schedule.Entry("0 2 * * *", "true")
    monkeypatch.setattr(schedule, "current", lambda home: entry)
    monkeypatch.setattr(schedule, "overdue", lambda home, one: True)
    page.run()
    open_part(page, "Versions")
    assert "Next run" in said(page)
    assert "--check" in page.error[0].value


def test_lesson_centring_off_shows_how_many_are_read_both_ways(page):
    page.run()
    open_part(page, "Lesson")
    assert [one.value for one in page.toggle[:3]] == [True, True, True]
    page.toggle[0].set_value(False).run()
    assert not page.exception
    shares = re.findall(r"\*\*(\d+)%\*\* with", said(page))
    assert int(shares[0]) > int(shares[1])
    assert re.search(r"and \d+ more", said(page))  # below a row of those read wrongly
    assert button(page, "Try it in a sandbox").disabled  # centring needs no run


def test_lesson_replay_and_gate_off_are_tried_once_in_a_sandbox(page, home, monkeypatch):
    begun = []

    class Running:
        says, record, lost = "", None, []

        def __init__(self, home, without):
            self.sandbox = Home.at(home.folder / "copy")
            begun.append((home, without))

        def is_alive(self):
            return True

    monkeypatch.setattr(sandbox, "Experiment", Running)
    page.run()
    open_part(page, "Lesson")
    for guard in page.toggle[1:3]:
        guard.set_value(False).run()
    button(page, "Try it in a sandbox").click().run()
    assert not page.exception
    assert begun == [(home, ["replay", "gate"])]
    assert button(page, "Try it in a sandbox").disabled


def test_page_without_the_drawing_component_stays_whole(page, monkeypatch):
    monkeypatch.setitem(sys.modules, "streamlit_drawable_canvas", None)
    page.run()
    page.button_group[0].set_value("Draw").run()
    assert not page.exception
    assert "streamlit-drawable-canvas" in page.info[0].value
    assert button(page, "Run Fine-tuning")


def test_page_second_run_at_once_waits(page, home, shipped, begun):
    add_misread(home, shipped, 1)
    page.run()
    for _ in range(2):
        button(page, "Run Fine-tuning").click().run()
    assert len(begun) == 1
    assert "The next run may start in" in said(page)


def test_page_run_that_cannot_start_says_why(page, home, shipped, monkeypatch):
    def fail(*_):
        raise OSError(12, "Cannot allocate memory")

    monkeypatch.setattr(launch, "Run", fail)
    add_misread(home, shipped, 1)
    page.run()
    button(page, "Run Fine-tuning").click().run()
    assert not page.exception
    assert "could not start: Cannot allocate memory" in page.error[0].value


def decided(home, decision: str, lines: list[Line], **measured) -> None:
    """Record a run that made v2, with a receipt of these lines; v2 serves if it was published."""
    old = versions.register(home)
    home.receipts.mkdir()
    receipt = json.dumps({"corrections": [vars(line) for line in lines], "flipped": []})
    (home.receipts / "run-00001.json").write_text(receipt)
    report = versions.Report("it passed", receipt="run-00001.json", **measured)
    if decision == versions.REFUSED:
        versions.refuse(home, report)
        return
    candidate = home.folder / "candidate.h5"
    candidate.write_bytes(home.model.read_bytes() + b" ")  # HDF5 ends where it says
    versions.publish(home, candidate, old, report)


def lines_of(home, *outcomes: tuple[str, str]) -> list[Line]:
    """Return a receipt's lines for the corrections stored, with outcome and reason."""
    stored, _ = feedback.load(home)
    return [
        Line(one.image, one.actual, outcome, one.predicted, 0.1, one.predicted, 0.1, reason)
        for one, (outcome, reason) in zip(stored, outcomes, strict=True)
    ]


def test_page_after_a_run_says_numbers_first_and_what_is_not_learned_with_a_way_on(
    page, home, shipped
):
    add_misread(home, shipped, 2)
    lines = lines_of(home, (receipts.RIGHT, ""), (receipts.HELD_BACK, "it looks like a 9"))
    decided(
        home,
        versions.PUBLISHED,
        lines,
        learned=1,
        corrections=2,
        accuracy_before=0.9977,
        accuracy_after=0.997,
    )
    page.run()
    assert "**Learned 1 of 2.** Old digits 99.77 → 99.70 %." in page.success[0].value
    assert "held back: it looks like a 9" in said(page)
    assert len(examples(page).options) == 7
    button(page, "The label is right").click().run()
    assert not page.exception
    assert feedback.load(home)[0][1].votes == 2
    assert "The label is right" not in [one.label for one in page.button]


def test_page_after_a_refusal_says_so_with_the_reason(page, home, shipped):
    add_misread(home, shipped, 1)
    decided(home, versions.REFUSED, lines_of(home, (receipts.WRONG, "")))
    page.run()
    assert "Not published" in page.warning[0].value
    assert "still wrong: read as" in said(page)


def test_page_after_a_roll_back_tells_one_story(page, home, shipped):
    add_misread(home, shipped, 1)
    decided(home, versions.PUBLISHED, lines_of(home, (receipts.RIGHT, "")), learned=1)
    versions.roll_back(home, "v1")
    page.run()
    assert "v2 was rolled back: v1 answers." in page.info[0].value
    assert "Learned" not in said(page)
    open_part(page, "Corrections")
    assert "1 correction: still wrong (1)" in said(page)
