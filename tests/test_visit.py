"""What a visit remembers: nothing twice, nothing lost, and what was judged stays as it was seen."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from digits import feedback, versions
from digits.feedback import verdicts
from digits.feedback.archive import export
from digits.home import Home
from digits.page import visit
from digits.page.visit import Given, Visit
from digits.versions import Serving
from tests.styles import on_paper

OLD, NEW = (versions.Version(f"v{i}-{i:08x}", str(i), "2026-01-01T00:00:00+00:00") for i in (1, 2))


@pytest.fixture
def one(home):
    return Visit(home)


@pytest.fixture
def given(rows):
    stream = io.BytesIO()
    Image.fromarray(on_paper(rows[0][0])).save(stream, "PNG")
    stream.seek(0)
    return Given("a", "digit.png", stream)


def guess_of(one, given, shipped, version=OLD):
    (guess,) = one.read(given, lambda: Serving(shipped, version, ""))
    one.keep([[guess]], {given.key})
    return guess


def test_read_no_picture_gives_a_sentence(one):
    said = one.read(Given("a", "x", io.BytesIO(b"none")), None)
    assert said.endswith(".")


def test_read_again_is_logged_once_and_by_the_next_version_once_more(one, given, shipped, home):
    first = guess_of(one, given, shipped)
    assert guess_of(one, given, shipped) is first
    assert verdicts.live_accuracy(home).shown == 1
    again = guess_of(one, given, shipped, NEW)
    assert (again.version, again.before.version) == (NEW, OLD)
    assert verdicts.live_accuracy(home).shown == 2


def test_read_again_after_it_was_judged_is_not_logged_and_undo_asks_of_the_new_one(
    one, given, shipped, home
):
    one.agree(guess_of(one, given, shipped))
    again = guess_of(one, given, shipped, NEW)
    assert again.version == NEW
    assert verdicts.live_accuracy(home).shown == 1
    one.undo(given.key)
    one.agree(one.guesses[given.key])
    assert verdicts.live_accuracy(home).right == 1


def test_read_of_a_drawing_with_more_strokes_is_one_guess_until_it_is_judged(
    one, given, shipped, home
):
    for content in ("one stroke", "two"):
        given.file.seek(0)
        last = guess_of(one, replace(given, content=content), shipped)
    assert verdicts.live_accuracy(home).shown == 1
    one.agree(last)
    given.file.seek(0)
    guess_of(one, replace(given, content="three"), shipped)
    assert (verdicts.live_accuracy(home).shown, one.said) == (2, {})


def test_read_with_a_disk_that_refuses_still_answers(one, given, shipped, monkeypatch):
    def refuse(*_):
        raise feedback.StoreError("The disk is full.")

    with monkeypatch.context() as full:
        full.setattr(verdicts, "shown", refuse)
        guess = guess_of(one, given, shipped)
        assert guess.shown is None
        one.agree(guess)
        assert one.problems == {guess.key: "The disk is full."}
        assert not one.said
    one.agree(guess)
    assert one.said[guess.key].verdict == visit.YES
    assert verdicts.live_accuracy(one.home) == verdicts.Tally(1, 1, 0, 0)
    one.undo(guess.key)
    assert verdicts.live_accuracy(one.home) == verdicts.Tally(1, 0, 0, 0)


def test_correct_stores_the_picture_seen_and_undo_takes_it_back(one, given, shipped, home):
    guess = guess_of(one, given, shipped)
    other = (guess.label + 1) % 10
    one.correct(guess, other)
    (kept,), _ = feedback.load(home)
    assert (kept.predicted, kept.actual, kept.version) == (guess.label, other, OLD.name)
    assert np.array_equal(np.array(Image.open(home.folder / kept.image)), np.array(guess.picture))
    assert verdicts.live_accuracy(home).wrong == 1
    one.undo(guess.key)
    assert feedback.load(home)[0] == []
    assert verdicts.live_accuracy(home).judged == 0
    assert not one.said


def test_correct_to_the_guess_itself_counts_as_right(one, given, shipped, home):
    guess = guess_of(one, given, shipped)
    one.correct(guess, guess.label)
    assert verdicts.live_accuracy(home).right == 1
    assert feedback.load(home)[0] == []


def test_correct_beyond_the_bound_of_a_visit_stores_nothing_even_after_undo(
    one, given, shipped, home, monkeypatch
):
    monkeypatch.setattr(visit, "MAX_STORED", 1)
    guess = guess_of(one, given, shipped)
    one.correct(guess, (guess.label + 1) % 10)
    one.undo(guess.key)
    one.correct(guess, (guess.label + 1) % 10)
    assert feedback.load(home)[0] == []
    assert "1 corrections" in one.problems[guess.key]


def test_correct_with_a_store_that_refuses_keeps_the_sentence(one, given, shipped, monkeypatch):
    def refuse(*_, **__):
        raise feedback.StoreError("The store is full.")

    monkeypatch.setattr(feedback, "add", refuse)
    guess = guess_of(one, given, shipped)
    one.correct(guess, (guess.label + 1) % 10)
    assert one.problems == {guess.key: "The store is full."}
    assert not one.said


@pytest.mark.parametrize(("trusted", "stored"), [(False, 2), (True, 3)])
def test_bring_without_a_password_stores_no_more_than_a_visit_may(
    one, home, monkeypatch, trusted, stored
):
    monkeypatch.setattr(visit, "MAX_STORED", 2)
    one.trusted = trusted
    other = Home.at(home.folder / "other")
    other.folder.mkdir()
    for i in range(3):
        feedback.add(other, Image.new("L", (9, 9), i), i, 9)
    archive = io.BytesIO(export(other).read_bytes())
    assert one.bring(archive).startswith(f"Imported {stored} corrections")
    one.bring(archive)
    assert len(feedback.load(home)[0]) == stored
