"""The page's logic, driven without a browser: every story ends in a sentence, never a traceback."""

from __future__ import annotations

import gc
import io
import re
import sys
import time

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
from digits.page import sandbox
from tests.homes import PROJECT, add_misread, make_home, misread
from tests.styles import on_paper

QUESTION = "Was it right?"


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


def correct(page, actual: int, place: int = 0):
    """Say that a guess is wrong, and which digit it is."""
    group(page, QUESTION, place).set_value("No").run()
    group(page, "Which digit is it?").set_value(actual).run()
    button(page, "Store the correction").click().run()
    assert not page.exception


def said(page) -> str:
    """Return all sentences on the page."""
    kinds = page.markdown, page.caption, page.success, page.info, page.warning, page.error
    return "\n".join(one.value for kind in kinds for one in kind)


def open_part(page, name: str):
    page.session_state["part"] = name
    page.run()
    assert not page.exception
    return page


def test_page_nothing_given_offers_three_ways_examples_and_fine_tuning(page):
    page.run()
    assert not page.exception
    assert not page.header
    assert [option.content for option in page.button_group[0].proto.options]
    assert len(page.button) == len(list((PROJECT / "examples").glob("*.png"))) + 1
    assert button(page, "Run Fine-tuning")


def test_page_drawn_collects_garbage_once(page, monkeypatch):
    collected = []
    monkeypatch.setattr(gc, "collect", lambda *generation: collected.append(generation))
    st.cache_resource.clear()
    page.run()
    assert collected == [()]


def test_page_digit_is_read(page, rows):
    digits, labels = rows
    upload(page, png(Image.fromarray(on_paper(digits[0]))))
    assert page.header[0].value == f"I read {labels[0]}"
    assert "v1" in said(page)


def test_page_examples_are_read_and_some_are_wrong(page):
    page.run()
    guesses = {}
    for name in ("Felt pen", "Squares", "Chalk", "Shadow", "Slashed 0", "Another 0"):
        button(page, name).click().run()
        assert not page.exception
        guesses[name] = re.search(r"\d", page.header[0].value)[0]  # the likeliest
    assert [guesses.pop(name) for name in ("Felt pen", "Squares", "Chalk", "Shadow")] == list(
        "3582"
    )
    assert set(guesses.values()) != {"0"}


@pytest.mark.parametrize("data", [b"", b"no picture", png(Image.new("RGB", (300, 200), "white"))])
def test_page_no_digit_says_why_in_a_sentence(page, data):
    upload(page, data)
    assert not page.header
    assert page.warning[0].value.endswith(".")


def test_page_file_beyond_the_limit_is_refused_in_a_sentence(page):
    upload(page, png(Image.new("L", (9, 9))) + bytes(images.MAX_BYTES))
    assert "larger than 10 MB" in page.warning[0].value


def test_page_several_pictures_each_get_an_answer_a_question_and_a_line(page, home, rows, shipped):
    digits, labels = rows
    (wrong, guessed, actual), *_ = misread(shipped, 1)
    upload(page, png(Image.fromarray(on_paper(digits[0]))), b"damaged", png(wrong))
    heads = [one.value for one in page.subheader]
    assert heads[:1] == [f"I read {labels[0]}"]
    assert "No answer" in heads
    assert len([one for one in page.button_group if one.label == QUESTION]) == 2
    correct(page, actual, place=1)
    (kept,), _ = feedback.load(home)
    assert (kept.predicted, kept.actual) == (guessed, actual)
    group(page, QUESTION).set_value("Yes").run()
    table = page.download_button[0]
    assert table.label == "Download the answers"


def test_page_wrong_guess_is_stored_once_with_what_was_seen(page, home, shipped):
    picture, guessed, actual = misread(shipped, 1)[0]
    upload(page, png(picture))
    assert str(guessed) in page.header[0].value
    correct(page, actual)
    page.run()
    (kept,), warnings = feedback.load(home)
    assert (kept.predicted, kept.actual, warnings) == (guessed, actual, [])
    assert kept.version == versions.current(home).name
    assert np.array_equal(
        np.array(images.open_picture(home.folder / kept.image)), np.array(picture)
    )
    assert (home.folder / kept.image).name in said(page)
    assert "**1** corrections wait" in said(page)


def test_page_same_answer_twice_is_one_correction(page, home, shipped):
    picture, _, actual = misread(shipped, 1)[0]
    for _ in range(2):
        upload(page, png(picture))
        correct(page, actual)
    assert len(feedback.load(home)[0]) == 1


def test_page_undo_takes_the_correction_back_and_asks_again(page, home, shipped):
    picture, _, actual = misread(shipped, 1)[0]
    upload(page, png(picture))
    correct(page, actual)
    button(page, "Undo").click().run()
    assert feedback.load(home)[0] == []
    assert group(page, QUESTION).value is None
    assert verdicts.live_accuracy(home).judged == 0


def test_page_wrong_guess_preselects_nothing_among_ten_digits(page, home, rows):
    upload(page, png(Image.fromarray(on_paper(rows[0][0]))))
    group(page, QUESTION).set_value("No").run()
    pills = group(page, "Which digit is it?")
    assert pills.value is None
    assert button(page, "Store the correction").disabled
    assert len(pills.options) == 10
    assert feedback.load(home) == ([], [])


def test_page_wrong_but_the_guess_picked_counts_as_right(page, home, rows):
    digits, labels = rows
    upload(page, png(Image.fromarray(on_paper(digits[0]))))
    correct(page, int(labels[0]))
    assert feedback.load(home) == ([], [])
    assert verdicts.live_accuracy(home).right == 1


@pytest.mark.parametrize(("verdict", "counted"), [("Yes", "right"), ("Not a digit", "no_digit")])
def test_page_verdict_without_digit_is_counted_once(page, home, rows, verdict, counted):
    upload(page, png(Image.fromarray(on_paper(rows[0][0]))))
    group(page, QUESTION).set_value(verdict).run()
    page.run()
    tally = verdicts.live_accuracy(home)
    assert (tally.shown, tally.judged, getattr(tally, counted)) == (1, 1, 1)
    assert feedback.load(home) == ([], [])
    assert "Thank you" in page.success[0].value


def test_page_password_keeps_strangers_from_judging_and_teaching(page, rows, monkeypatch):
    monkeypatch.setenv("DIGITS_PASSWORD", "chalk")
    upload(page, png(Image.fromarray(on_paper(rows[0][0]))))
    assert page.header
    assert button(page, "Run Fine-tuning").disabled
    assert QUESTION not in [one.label for one in page.button_group]
    page.text_input[0].set_value("cheese").run()
    assert button(page, "Run Fine-tuning").disabled
    page.text_input[0].set_value("chalk").run()
    assert not button(page, "Run Fine-tuning").disabled
    assert group(page, QUESTION)


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
    assert page.header[0].value == f"I read {rows[1][0]}"
    assert "v1 stands in for it" in "".join(one.value for one in page.warning)


def test_page_doubtful_digit_names_two_candidates(page, rows, shipped):
    digits, _ = rows
    probabilities = np.sort(model.predict(shipped, digits))
    doubtful = int(np.argmin(probabilities[:, -1]))
    upload(page, png(Image.fromarray(digits[doubtful])))
    first, second = np.argsort(model.predict(shipped, digits[doubtful : doubtful + 1])[0])[:-3:-1]
    assert page.header[0].value == f"Not sure: {first}, or else {second}"
    assert f"% for {second}" in said(page)


def test_page_model_replaced_while_open_is_served_at_once_but_a_judged_guess_stays(
    page, home, rows, shipped
):
    pictures = [png(Image.fromarray(on_paper(digit))) for digit in rows[0][:2]]
    upload(page, *pictures)
    before = [one.value for one in page.subheader[:2]]
    group(page, QUESTION).set_value("No").run()
    other = model.build(seed=3)
    kernel, bias = shipped.layers[-1].get_weights()
    other.set_weights([*shipped.get_weights()[:-2], np.roll(kernel, 1, 1), np.roll(bias, 1)])
    model.save(other, home.folder / "other.h5")
    (home.folder / "other.h5").replace(home.model)
    page.run()
    assert page.subheader[0].value == before[0]
    assert page.subheader[1].value == f"I read {(int(before[1][-1]) + 1) % 10}"


def test_page_store_damaged_says_so(page, home):
    (home.table).write_text("some,other,table\n1,2,3\n")
    page.run()
    assert not page.exception
    assert "lacks the column Predicted_Label" in page.error[0].value


def test_page_run_elsewhere_shows_its_progress(page, home, shipped):
    add_misread(home, shipped, 1)
    with home.run_lock():
        progress.Reporter(home, "cron").progress("Training", 0.4)
        page.run()
    assert not page.exception
    assert button(page, "Run Fine-tuning").disabled


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
    assert len(feedback.load(home)[0]) == 1
    group(page, "State").set_value("removed").run()
    button(page, "Restore").click().run()
    assert len(feedback.load(home)[0]) == 2


def test_corrections_exported_elsewhere_are_imported(page, home, shipped, tmp_path_factory):
    other = make_home(tmp_path_factory.mktemp("other"))
    add_misread(other, shipped, 2)
    open_part(page, "Corrections")
    page.file_uploader[1].set_value(("corrections.zip", export(other), "application/zip"))
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
    assert [one.value for one in page.toggle] == [True, True, True]
    page.toggle[0].set_value(False).run()
    assert not page.exception
    shares = re.findall(r"\*\*(\d+)%\*\* with", said(page))
    assert int(shares[0]) > int(shares[1])
    assert re.search(r"and \d+ more", said(page))  # below a row of those read wrongly


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
    for guard in page.toggle[1:]:
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


def test_page_second_run_at_once_waits(page, home, monkeypatch):
    begun = []

    class Ended:
        began, says, went_well, ended = time.monotonic(), "Done.", True, versions.now()

        def __init__(self, *options):
            begun.append(options)

        def is_alive(self):
            return False

    monkeypatch.setattr(launch, "Run", Ended)
    page.run()
    for _ in range(2):
        button(page, "Run Fine-tuning").click().run()
    assert len(begun) == 1
    assert "The next run may start in" in said(page)
