"""What stands among digits and is none: brackets, slashes, rings around them, lines of tables."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from digits.images.pieces import Piece, pieces_of
from digits.images.signs import is_tick, percent_signs, punctuation
from tests.test_numbers import share_read

DIGIT = np.array([[1, 0, 1]] * 20 + [[1, 1, 1]] * 20, bool).repeat(8, axis=1)  # 40 x 24, no stroke


def digit(left):
    """A piece that is no stroke, 40 px high."""
    return Piece(left, 10, DIGIT)


def stroke(left, top, height, bow=0.0, lean=0.0):
    """A stroke, bowed by a share of its height ("(" above 0), leaning to the right by degrees."""
    y = np.linspace(0, 1, height)
    x = height * (bow * (2 * y - 1) ** 2 + np.tan(np.radians(lean)) * (1 - y))
    course = np.rint(np.stack([x - x.min() + 2, y * (height - 1)], axis=1)).astype(np.int32)
    mask = np.zeros((height, int(np.ptp(x)) + 5), np.uint8)
    cv2.polylines(mask, [course], False, 1, 4)
    return Piece(left, top, mask.astype(bool))


@pytest.mark.parametrize("bow", [0.1, 0.2])
def test_punctuation_strokes_bowed_from_one_another_are_brackets(bow):
    opening, closing = stroke(0, 5, 50, bow), stroke(90, 5, 50, -bow)
    line = [opening, digit(30), stroke(60, 10, 40, bow / 4), closing, digit(120)]
    assert punctuation(line) == [opening, closing]


@pytest.mark.parametrize("bows", [(0.15, 0.15), (-0.15, 0.15), (0.03, -0.03), (0.15, 0.0)])
def test_punctuation_strokes_bowed_otherwise_are_ones(bows):
    first, last = (stroke(60 * i, 5, 50, bow) for i, bow in enumerate(bows))
    assert punctuation([first, digit(30), last]) == []


@pytest.mark.parametrize("lean", [12, 25, 40])
def test_punctuation_stroke_beyond_both_its_neighbours_is_a_slash(lean):
    slash = stroke(35, 3, 54, lean=lean)
    assert punctuation([digit(0), slash, digit(90)]) == [slash]


@pytest.mark.parametrize("one", [
    stroke(35, 10, 40, lean=25), stroke(35, 3, 47, lean=25), stroke(35, 10, 47, lean=25),
])  # fmt: skip
def test_punctuation_leaning_stroke_that_ends_with_its_neighbours_is_a_one(one):
    assert punctuation([digit(0), one, digit(90)]) == []


def test_punctuation_stroke_at_an_end_is_a_one():
    assert punctuation([stroke(0, 3, 54, lean=25), digit(60), digit(90)]) == []


def in_parts(counts, lean, height=44):
    """A line of so many digits in each part, with leaning strokes between, and these strokes."""
    line, strokes, left = [], [], 0
    for count in counts:
        line += [digit(left + 40 * i) for i in range(count)]
        left += 40 * count + 60
        strokes.append(stroke(left - 55, 50 - height, height, lean=lean))
        line.append(strokes[-1])
    return line[:-1], strokes[:-1]


@pytest.mark.parametrize("counts", [(2, 2, 2), (1, 1, 4), (4, 2, 2), (2, 1, 2)])
def test_punctuation_two_strokes_that_part_a_date_are_slashes(counts):
    line, strokes = in_parts(counts, lean=30)
    assert punctuation(line) == strokes


@pytest.mark.parametrize(("counts", "lean", "height"), [
    ((2, 3, 2), 30, 44), ((3, 2, 2), 30, 44), ((2, 2, 2, 2), 30, 44), ((2, 2, 2), 12, 44),
    ((2, 2, 2), 30, 40),
])  # fmt: skip
def test_punctuation_strokes_that_part_no_date_are_ones(counts, lean, height):
    line, _ = in_parts(counts, lean, height)
    assert punctuation(line) == []


def pieces_in(marks):
    """The pieces of marks that are all ink, uint8 (h, w), 0 or 1."""
    return pieces_of(255 * marks, marks, photo=False)


@pytest.mark.parametrize("turned", [0, 2])
@pytest.mark.parametrize("cells", [1, 2, 9])
def test_pieces_of_table_leave_what_stands_in_its_cells(cells, turned):
    marks = np.zeros((600, 600), np.uint8)
    side = 504 // cells
    for i in range(cells + 1):
        at = 48 + i * side
        cv2.line(marks, (48, at), (48 + cells * side, at), 1, 2)
        cv2.line(marks, (at, 48), (at, 48 + cells * side), 1, 2)
    for i in range(cells):
        left = 48 + i * side + side // 2
        marks[left - 14 : left + 14, left - 2 : left + 2] = 1
    turn = cv2.getRotationMatrix2D((300, 300), turned, 1)
    turned_marks = cv2.warpAffine(marks, turn, (600, 600), flags=cv2.INTER_NEAREST)
    assert len(pieces_in(turned_marks)) == cells
    assert all(one.height < 40 for one in pieces_in(turned_marks))


@pytest.mark.parametrize("inside", [False, True])
def test_pieces_of_square_or_round_zero_with_dust_in_it_is_kept(inside):
    marks = np.zeros((300, 300), np.uint8)
    cv2.rectangle(marks, (40, 40), (100, 160), 1, 6)
    cv2.ellipse(marks, (200, 100), (40, 60), 0, 0, 360, 1, 6)
    if inside:
        marks[100:103, 70:73] = marks[90:93, 190:193] = marks[90:93, 210:213] = 1
    assert [one.height for one in pieces_in(marks)] == [127, 127]


def drawn(corners, thick=6):
    """A piece of straight strokes from corner to corner, 60 px high."""
    mask = np.zeros((80, 100), np.uint8)
    cv2.polylines(mask, [np.int32(corners) + 10], False, 1, thick)
    left, top, width, height = cv2.boundingRect(mask)
    return Piece(left, top, mask[top : top + height, left : left + width].astype(bool))


@pytest.mark.parametrize("turn", [(10, 60), (25, 60)])
@pytest.mark.parametrize("start", [(0, 25), (0, 45)])
def test_is_tick_line_that_falls_and_rises_higher_is_one(start, turn):
    assert is_tick(drawn([start, turn, (60, 0)]))


@pytest.mark.parametrize("corners", [
    [(0, 0), (40, 0), (15, 60)], [(0, 20), (25, 0), (25, 60)], [(30, 0), (0, 40), (50, 40)],
    [(0, 60), (40, 0)], [(20, 0), (10, 60), (40, 50)], [(0, 0), (40, 60), (60, 40)],
])  # fmt: skip
def test_is_tick_seven_ones_half_a_four_and_an_l_are_none(corners):
    assert not is_tick(drawn(corners))


def ring(left, top, side=20):
    """A round piece with a hole."""
    mask = np.zeros((side, side), np.uint8)
    cv2.circle(mask, (side // 2, side // 2), side // 2 - 3, 1, 3)
    return Piece(left, top, mask.astype(bool))


def test_percent_signs_slash_between_two_rings_is_found_with_them():
    sign = [stroke(50, 0, 60, lean=35), ring(35, 2), ring(90, 38)]
    assert set(percent_signs([digit(0), *sign, digit(130)])) == set(sign)


@pytest.mark.parametrize("others", [
    [ring(35, 2)], [ring(35, 38), ring(90, 2)], [ring(35, 2), stroke(90, 38, 22)],
    [ring(15, 2, 50), ring(90, 10, 50)], [ring(35, 2), ring(190, 38)],
])  # fmt: skip
def test_percent_signs_slash_beside_anything_else_is_none(others):
    assert percent_signs([stroke(50, 0, 60, lean=35), *others]) == []


def test_percent_signs_upright_stroke_between_two_rings_is_none():
    assert percent_signs([stroke(50, 0, 60), ring(35, 2), ring(60, 38)]) == []


def test_pieces_of_ring_around_a_number_leave_the_number():
    marks = np.zeros((300, 400), np.uint8)
    cv2.ellipse(marks, (200, 150), (150, 110), 5, 0, 352, 1, 5)
    for left in (120, 190, 260):
        marks[120:180, left : left + 8] = 1
    assert sorted(one.left for one in pieces_in(marks)) == [120, 190, 260]


@pytest.mark.parametrize(("kind", "least"), [
    ("brackets", 0.85), ("slashes", 0.4), ("ringed", 0.85), ("table", 0.6), ("sudoku", 0.4),
    ("ticked", 0.8), ("percent", 0.45),
])  # fmt: skip
def test_read_digits_drawn_numbers_among_signs_and_lines_reads_most(kind, least, held_out, net):
    assert share_read(kind, held_out, net, count=10 if kind == "sudoku" else 20) >= least
