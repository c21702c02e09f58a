"""Which reading of a picture is right: one digit among other things, and the parts of one."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from digits import images
from digits.images import choice
from digits.images.number import Number, NumberDigit
from digits.images.paths import Scored
from digits.images.pieces import Piece
from digits.images.reading import _off_sides, _without_table
from digits.images.ruled import ruled_lines
from tests import number_pictures, pictures
from tests.test_numbers import share_read

FRAME = np.array([(100, 100), (500, 100), (500, 400), (100, 400)], np.float32)
OUTSIDE = choice.outside_of(FRAME, (500, 600, 3))


def answer(label, probability=0.99):
    """A network's answer, float32 (10,)."""
    others = np.full(10, (1 - probability) / 9, np.float32)
    others[label] = probability
    return others


def number_of(*digits):
    """A number of (label, box) or (label, box, probability)."""
    blank = np.zeros((28, 28), np.uint8)
    found = [NumberDigit(blank, box, 0, 0, answer(label, *rest)) for label, box, *rest in digits]
    return Number(found, [])


WITHIN = (3, (200, 200, 40, 60))
GRAIN = [(1, (20 + 10 * i, 150, 8, 60)) for i in range(5)]


@pytest.mark.parametrize(("further", "taken"), [
    (GRAIN, False),
    ([(1, (95, 200, 10, 60))], False),  # the sheet's edge
    ([(0, (98, 98, 404, 304))], False),  # its outline
    ([(1, (300, 200, 10, 60))], True),
    ([(8, (530, 200, 40, 60))], True),  # a sheet that is none cuts off a digit
    ([(8, (530, 200, 40, 60)), (1, (580, 200, 10, 60))], True),
    ([(8, (530, 200, 40, 60)), (5, (20, 20, 9, 9), 0.5)], False),
])  # fmt: skip
def test_likeliest_further_digits_of_a_sheet_are_taken_unless_they_are_its_table_or_edge(
    further, taken
):
    first, other = number_of(WITHIN), number_of(WITHIN, *further)
    assert choice.likeliest(first, [other], OUTSIDE) is (other if taken else first)


def test_likeliest_grid_of_which_a_third_is_doubtful_is_not_taken():
    first = number_of((3, WITHIN[1], 0.5))
    grid = [(5, (30 * i, 10, 20, 20), 0.99 if i % 3 else 0.5) for i in range(18)]
    assert choice.likeliest(first, [number_of(*grid)], OUTSIDE * 0) is first
    clear = number_of(*grid[1:3], *grid[4:6])
    assert choice.likeliest(first, [clear], OUTSIDE * 0) is clear


def test_outside_of_no_panel_is_nothing_and_of_one_its_edge_too():
    assert not choice.outside_of(None, (50, 60, 3)).any()
    assert [OUTSIDE[y, x] for y, x in ((50, 50), (100, 300), (200, 300))] == [1, 1, 0]


SIZE = (200, 400)
WHOLE = [(3, 100, 40), (4, 200, 50)]


@pytest.mark.parametrize(("more", "left"), [
    ([(1, 0, 12)], [3, 4]),
    ([(1, 0, 12), (7, 385, 15)], [3, 4]),
    ([(1, 30, 12)], [3, 4, 1]),  # clear of the frame
    ([(1, 0, 12), (5, 360, 40)], [3, 4, 1, 5]),  # so is a whole digit cropped
])  # fmt: skip
def test_off_sides_strokes_at_a_photos_sides_go_unless_it_was_cropped_closely(more, left):
    line = [scored(*one) for one in WHOLE + more]
    assert labels_of(_off_sides([line], SIZE)) == left


def test_off_sides_row_that_fills_the_photo_or_has_nothing_else_stays():
    high = [scored(1, 0, 12, 0, 200), *[scored(*one) for one in WHOLE]]
    assert labels_of(_off_sides([high], SIZE)) == [1, 3, 4]
    assert labels_of(_off_sides([[scored(1, 0, 12)]], SIZE)) == [1]


def scored(label, left, width, top=70, height=60):
    """A piece of a page with a sure answer."""
    piece = Piece(left, top, np.ones((height, width), bool))
    return Scored(piece, np.zeros((28, 28), np.uint8), answer(label))


def labels_of(lines):
    """The labels of the pieces in lines."""
    return [int(one.probabilities.argmax()) for line in lines for one in line]


LINE = np.ones((190, 20), bool)
STROKE = np.array(
    [np.roll(np.arange(24) < 20, i // 40) for i in range(190)]
)  # by a pen, not upright


@pytest.mark.parametrize(("mask", "others", "kept"), [
    (LINE[:, :6], 2, False), (LINE[:, :6], 0, True), (LINE, 2, False), (LINE, 0, True),
    (STROKE, 2, True), (LINE[:90], 2, True),
])  # fmt: skip
def test_without_table_bars_and_a_tables_lines_at_the_frame_go_but_no_one(mask, others, kept):
    digits = [Piece(60 + 80 * i, 60, np.ones((80, 50), bool)) for i in range(others)]
    bar = Piece(SIZE[1] - mask.shape[1], 4, mask)
    assert (bar in _without_table([*digits, bar], SIZE, photo=False)) is kept


@pytest.mark.parametrize(("kind", "seed"), [
    *[("whole_page", seed) for seed in (2, 7, 27, 44)],
    *[("paint_app", seed) for seed in (10, 13, 17, 22)],
    *[("neighbours", seed) for seed in (22, 43)],
    ("broken", 40), ("squared", 26),
])  # fmt: skip
def test_read_digits_one_digit_among_other_things_is_that_digit(kind, seed, held_out, net):
    digits, labels = held_out
    picture = pictures.draw(kind, digits[seed], np.random.default_rng(seed))
    assert images.read_digits(picture, net).text() == str(labels[seed])


def test_read_digits_sheets_on_tables_give_their_one_line_without_the_tables_grain(held_out, net):
    rng = np.random.default_rng(0)
    drawn = [number_pictures.draw("sheet", *held_out, rng) for _ in range(20)]
    read = [images.read_digits(picture, net).text().split(" / ") for picture, _ in drawn]
    assert [len(lines) for lines in read].count(1) >= 19
    right = [lines[0] == text for lines, (_, text) in zip(read, drawn, strict=True)]
    assert sum(right) >= 16


@pytest.mark.parametrize("margin", [0, 1])
def test_read_digits_photo_cropped_along_a_number_that_begins_with_1_keeps_it(
    margin, held_out, net
):
    digits, labels = held_out
    rng = np.random.default_rng(3)
    chosen = [digits[labels == label][0] for label in (1, 2, 1)]
    inks = [pictures.pen_strokes(one, 100, rng, 9) for one in chosen]
    space = np.zeros((1, 30), np.float32)
    row = number_pictures.side_by_side([inks[0], space, inks[1], space, inks[2]], rng)
    ys, xs = np.nonzero(row > 0.3)
    row = row[ys.min() : ys.max() + 1, xs.min() : xs.max() + 1]
    page = cv2.copyMakeBorder(row, *[margin] * 4, cv2.BORDER_CONSTANT)
    assert images.read_digits(number_pictures.on_photo(page, rng), net).text() == "121"


def test_read_digits_screen_with_a_dark_rim_is_looked_into(held_out, net):
    digits, labels = held_out
    zero = np.flatnonzero(labels == 0)[0]
    ink = pictures.pen_strokes(digits[zero], 90, np.random.default_rng(0), 6)
    page = pictures.on_page(ink, 340, 420, np.random.default_rng(0), (30, 290))
    pixels = pictures.blend(page, (225,) * 3, (35,) * 3)
    pixels = cv2.copyMakeBorder(pixels, 0, 24, 30, 30, cv2.BORDER_CONSTANT, value=(16,) * 3)
    for edge in (slice(6, 30), slice(450, 474)):  # what a JPEG leaves beside it
        pixels[100:120, edge] = 25
    assert images.read_digits(pictures.as_picture(pixels), net).text() == "0"


@pytest.mark.parametrize(("width", "is_ruled"), [(2, True), (8, False)])
def test_ruled_lines_across_a_strip_are_thinner_than_a_stem_that_was_cut_close(width, is_ruled):
    strip = np.zeros((100, 400), np.uint8)
    for left in range(60, 360, 80):
        cv2.ellipse(strip, (left, 50), (25, 35), 0, 0, 360, 1, 8)
    strip[:80, 10 : 10 + width] = 1
    assert ruled_lines(strip)[:80, 10 : 10 + width].any() == is_ruled


@pytest.mark.parametrize(("further", "taken"), [
    ((1, (300, 205, 10, 60)), True),
    ((8, (300, 390, 40, 60)), True),
    ((7, (300, 390, 40, 60)), False),  # a finger
])  # fmt: skip
def test_likeliest_stroke_in_another_colour_is_taken_beside_the_first_digits_alone(further, taken):
    first, more = number_of(WITHIN), number_of(WITHIN, further)
    off = choice.off_lines(first, (500, 600))
    assert (choice.likeliest(first, [more], off) is more) == taken


@pytest.mark.parametrize(("doubt", "single"), [(0.99, False), (0.5, True)])
def test_is_single_column_of_sure_digits_is_no_one(doubt, single):
    column = number_of((5, (10, 0, 30, 50)), (6, (10, 70, 30, 50), doubt), (7, (10, 140, 30, 50)))
    (alone,) = number_of((1, (8, 0, 34, 190), 0.999))
    assert choice.is_single(alone, column, normal=False) == single


def test_read_digits_pens_of_several_colours_are_all_read(held_out, net):
    assert share_read("coloured", held_out, net) >= 0.7
