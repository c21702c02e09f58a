"""Pictures, bars and tables from arrays alone: what they show is what they were given."""

from __future__ import annotations

import base64
import io
import re
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from digits.page import drawing
from digits.versions import Record, Report

REPORT = Report(
    "it learned",
    learned=3,
    corrections=4,
    held_out_rows=2983,
    accuracy_before=0.98,
    accuracy_after=0.99,
    interval_after=(0.98, 0.995),
    fixed=1,
    broken=2,
)
PUBLISHED = Record("published", "v2-0a1b2c3d", "0", "2026-01-01", run=REPORT)


def opened(content):
    return Image.open(io.BytesIO(content))


def test_bars_have_a_height_for_every_digit_and_mark_the_likeliest():
    probabilities = np.full(10, 0.01)
    probabilities[7] = 0.91
    html = drawing.bars(probabilities, "in words")
    assert re.findall(r"height:([\d.]+)%", html) == ["1.0"] * 7 + ["91.0"] + ["1.0"] * 2
    assert re.findall(r'class="best"><i[^>]*></i>(\d)', html) == ["7"]
    assert 'aria-label="in words"' in html


@pytest.mark.parametrize("points", [[(0.0, 0.99)], [(0.0, 1.0), (0.5, 0.98), (1.0, 0.96)]])
def test_curve_goes_from_left_to_right_and_says_its_last_point(points):
    html = drawing.curve(points)
    shapes = re.findall(r"polygon\(([^\"]*)\)", html)
    for shape, heights in zip(shapes, zip(*points, strict=True), strict=True):
        places = [one.split() for one in shape.split(",")[: len(points)]]
        numbers = [[float(part.strip("%")) for part in place] for place in places]
        assert numbers == [[50 * i, pytest.approx(100 - 100 * y)] for i, y in enumerate(heights)]
    learned, old = points[-1]
    said = f"corrections learned {learned:.1%} · a sample of old digits {old:.1%}<"
    assert f"Epoch {len(points) - 1}: {said}".replace("%", " %") in html


@pytest.mark.parametrize("size", [(40, 100), (100, 40), (1, 300), (64, 64)])
@pytest.mark.parametrize("paper", [(250, 240, 200), (10, 60, 20)])
@pytest.mark.parametrize("across", [1, 2])
def test_squared_fills_with_the_pictures_own_paper(size, paper, across):
    square = opened(drawing.squared(Image.new("RGB", size, paper), 64, across))
    assert square.size == (across * 64, 64)
    assert np.abs(np.array(square, int) - paper).max() <= 1


@pytest.mark.parametrize(("size", "shown"), [((100, 25), (200, 50)), ((1000, 500), (200, 100))])
def test_boxed_picture_has_the_side_asked_for_whatever_it_was(size, shown):
    digit, other = ((10, 5, 20, 10), "?", "a/1"), ((50, 5, 9, 9), "a/2")
    html = drawing.boxed(Image.new("RGB", size), [digit], [other], 200, "a number")
    (content,) = re.findall(r'base64,([^"]*)"', html)
    assert opened(base64.b64decode(content)).size == shown
    assert f"left:{1000 / size[0]:.2f}%" in html
    assert f'class="other" data-judge="a/2" style="left:{5000 / size[0]:.2f}%' in html


def test_enlarged_keeps_every_pixel():
    digit = np.random.default_rng(0).integers(0, 256, (28, 28), np.uint8)
    shown = np.array(opened(drawing.enlarged(digit, 84)).convert("L"))
    assert np.array_equal(shown[::3, ::3], digit)


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
@pytest.mark.parametrize(("size", "shown"), [((1600, 400), (800, 200)), ((160, 40), (160, 40))])
def test_shrunk_is_at_most_as_wide_as_asked_and_keeps_its_shape(mode, size, shown):
    assert opened(drawing.shrunk(Image.new(mode, size), 800)).size == shown


def test_history_has_a_row_for_the_first_network_and_each_run():
    refused = replace(PUBLISHED, decision="refused")
    rows = drawing.history([(PUBLISHED, REPORT), (refused, REPORT)]).split("<tr>")[2:]
    assert ["98.00%" in rows[0], "99.00%" in rows[1], "✗" in rows[2]] == [True] * 3
    assert "3 of 4" in rows[1]


def test_confusion_marks_errors_alone():
    matrix = np.diag(np.arange(1, 11))
    matrix[4, 9] = 2
    cells = re.findall(
        r"class=error><button data-pick=\"(.*?)\".*?>(\d+)<", drawing.confusion(matrix)
    )
    assert cells == [("4 → 9", "2")]
