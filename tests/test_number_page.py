"""A number on the page: read, corrected digit by digit, cut otherwise, and learned."""

from __future__ import annotations

import csv
import io
import re

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from digits import feedback, images, model
from digits.page import guesses, number
from digits.page.visit import NO_DIGIT, Given, Visit
from digits.versions import Serving, current
from tests.homes import PROJECT, left_out_number, make_home, misread_number


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("DIGITS_HOME", str(tmp_path))
    return make_home(tmp_path)


@pytest.fixture(scope="module")
def sheet(shipped):
    """A picture of three digits, of which the middle one is misread, with their labels."""
    return misread_number(shipped)


@pytest.fixture(scope="module")
def gap(shipped):
    """A picture of three digits, of which the middle one is left out, with their labels."""
    return left_out_number(shipped)


@pytest.fixture
def visit(home):
    return Visit(home)


def serving(home):
    return lambda: Serving(model.load_light(home.model), current(home), "")


def read(visit, picture, home):
    """Give the picture to a visit; return the guesses of its digits."""
    stream = io.BytesIO()
    picture.save(stream, "PNG")
    stream.seek(0)
    guesses = visit.read(Given("a", "sheet.png", stream), serving(home))
    visit.keep([guesses], {"a"})
    return guesses


def upload(page, picture):
    """Give the picture to the page as sheet.png."""
    stream = io.BytesIO()
    picture.save(stream, "PNG")
    page.file_uploader[0].set_value([("sheet.png", stream.getvalue(), "image/png")])
    page.run()
    assert not page.exception


def boxed(page):
    """Return the HTML of the picture with boxes."""
    (shown,) = [one.proto.body for one in page.get("html") if 'class="boxed"' in one.proto.body]
    return shown


def test_read_number_gives_its_digits_in_order(visit, sheet, home):
    first, middle, last = found = read(visit, sheet[0], home)
    assert (first.label, last.label) == (3, 8)
    assert middle.label != sheet[1][1]
    assert number.text(found, {}) == f"3{middle.label}8"


def test_correct_digit_of_a_number_stores_a_picture_of_it_alone(visit, sheet, home):
    _, middle, _ = read(visit, sheet[0], home)
    visit.correct(middle, sheet[1][1])
    ((kept,), _) = feedback.load(home)
    assert (kept.predicted, kept.actual) == (middle.label, sheet[1][1])
    assert kept.source == "sheet.png"
    assert kept.box == " ".join(map(str, middle.place.number[1].box))
    stored = images.open_picture(home.folder / kept.image)
    assert stored.width < sheet[0].width
    again = images.read_digit(stored)
    assert np.corrcoef(again.ravel(), middle.digit.ravel())[0, 1] > 0.9


def test_text_of_a_judged_number_has_the_true_digits_and_leaves_out_what_is_none(
    visit, sheet, home
):
    first, middle, _ = found = read(visit, sheet[0], home)
    visit.correct(middle, sheet[1][1])
    visit.dismiss(first)
    assert visit.said[first.key].verdict == NO_DIGIT
    assert number.text(found, visit.said) == f"{sheet[1][1]}8"


def test_regroup_joined_and_parted_again_gives_as_many_digits(visit, sheet, home):
    first, _, last = read(visit, sheet[0], home)
    visit.agree(last)
    visit.regroup(first, images.joined, 0, serving(home))
    joined, kept = visit.guesses.values()
    assert joined.place.number[0].box[2] > first.place.number[0].box[2]
    assert kept.key == last.key
    assert kept.key in visit.said
    visit.regroup(joined, images.parted, 0, serving(home))
    assert len(visit.guesses) == 3


def test_regroup_last_digit_with_none_says_so(visit, sheet, home):
    *_, last = read(visit, sheet[0], home)
    visit.regroup(last, images.joined, 2, serving(home))
    assert "Nothing to join" in visit.problems[last.key]
    assert len(visit.guesses) == 3


def test_regroup_left_out_digit_is_included_and_corrected_as_any_other(visit, gap, home):
    first, last = read(visit, gap[0], home)
    visit.agree(last)
    visit.regroup(first, images.included, 0, serving(home))
    three, zero, eight = visit.guesses.values()
    assert (three.key, eight.key) == (first.key, last.key)
    visit.correct(zero, 0)
    assert number.text([three, zero, eight], visit.said) == "308"
    (kept,) = feedback.load(home)[0]
    again = images.read_digit(images.open_picture(home.folder / kept.image))
    assert np.corrcoef(again.ravel(), zero.digit.ravel())[0, 1] > 0.9


def test_read_one_digit_beside_one_that_is_left_out_is_a_number(visit, gap, home):
    page = gap[0].crop((0, 0, gap[0].width * 2 // 3, gap[0].height))
    (first,) = read(visit, page, home)
    assert first.place is not None
    visit.regroup(first, images.included, 0, serving(home))
    assert len(visit.guesses) == 2


def test_page_left_out_digit_is_framed_and_included_by_one_tap(home, gap):
    page = AppTest.from_file(str(PROJECT / "app.py"), default_timeout=120).run()
    upload(page, gap[0])
    shown = boxed(page)
    assert len(re.findall('<i class="other"', shown)) == 1
    assert len(re.findall('<i class=""', shown)) == 2
    (tile,) = [one for one in page.button if one.label == "It is a digit"]
    tile.click().run()
    assert not page.exception
    assert "other" not in boxed(page)
    assert len(re.findall("<i class", boxed(page))) == 3
    assert not [one for one in page.button if one.label == "It is a digit"]


def test_page_number_is_shown_with_boxes_and_corrected_by_one_tap(home, sheet):
    page = AppTest.from_file(str(PROJECT / "app.py"), default_timeout=120).run()
    upload(page, sheet[0])
    assert len(re.findall("<i class", boxed(page))) == 3
    key = f"{sheet[1][1]}-"  # of the row of the one digit that is unsure: the others' are not drawn
    (middle,) = [one for one in page.button if one.key and one.key.startswith(key)]
    middle.click().run()
    assert not page.exception
    assert [one.actual for one in feedback.load(home)[0]] == [sheet[1][1]]


def test_table_of_a_number_has_a_row_for_each_digit_and_one_for_all(visit, sheet, home):
    read_ones = read(visit, sheet[0], home)
    rows = [(guess, "", None) for guess in read_ones]
    lines = list(csv.DictReader(io.StringIO(guesses.table(rows, [("sheet.png", "378")]))))
    assert [line["digit"] for line in lines] == ["1", "2", "3", "all"]
    assert lines[-1]["guess"] == "378"
