"""Pictures and charts from arrays alone: what they show is what they were given."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from digits.page import charts
from digits.versions import Record, Report

REPORT = Report(
    "it learned",
    learned=3,
    corrections=4,
    held_out_rows=2983,
    accuracy_after=0.99,
    interval_after=(0.98, 0.995),
    fixed=1,
    broken=2,
)
PUBLISHED = Record("published", "v2-0a1b2c3d", "0", "2026-01-01", run=REPORT)


def opened(content):
    return Image.open(io.BytesIO(content))


def test_bars_name_every_digit_with_its_percentage():
    probabilities = np.full(10, 0.01)
    probabilities[7] = 0.91
    rows = charts.bars(probabilities).data
    assert list(rows["digit"]) == list(range(10))
    assert rows["name"][7] == "7:  91 %"
    assert list(np.flatnonzero(rows["likeliest"])) == [7]


@pytest.mark.parametrize("size", [(40, 100), (100, 40), (1, 300), (64, 64)])
@pytest.mark.parametrize("paper", [(250, 240, 200), (10, 60, 20)])
def test_squared_fills_with_the_pictures_own_paper(size, paper):
    square = opened(charts.squared(Image.new("RGB", size, paper), 64))
    assert square.size == (64, 64)
    assert np.abs(np.array(square, int) - paper).max() <= 1


def test_enlarged_keeps_every_pixel():
    digit = np.random.default_rng(0).integers(0, 256, (28, 28), np.uint8)
    shown = np.array(opened(charts.enlarged(digit, 84)).convert("L"))
    assert np.array_equal(shown[::3, ::3], digit)


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_shrunk_is_as_wide_as_asked_and_keeps_its_shape(mode):
    assert opened(charts.shrunk(Image.new(mode, (1600, 400)), 800)).size == (800, 200)


def test_shrunk_of_a_small_picture_stays_small():
    assert opened(charts.shrunk(Image.new("RGB", (160, 40)), 800)).size == (160, 40)


@pytest.mark.parametrize("chart", [charts.accuracy, charts.learned])
def test_history_has_one_place_for_each_run(chart):
    specification = chart(
        [(PUBLISHED, REPORT), (replace(PUBLISHED, decision="refused"), REPORT)]
    ).to_dict()
    (rows,) = specification["datasets"].values()
    assert [row["run"] for row in rows] == ["1: v2", "2: v2"]
    assert [row["decision"] for row in rows] == ["published", "refused"]


def test_confusion_marks_errors_alone():
    matrix = np.diag(np.arange(1, 11))
    matrix[4, 9] = 2
    html = charts.confusion(matrix).to_html()
    style = html.split("</style>")[0]
    assert style.count("{") == 1
    assert "row4_col9" in style
