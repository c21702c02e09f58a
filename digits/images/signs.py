"""Signs among digits: plus, times, minus, ticks and dots, told by their form, and others by place.

The network has never seen them and is not always unsure: a small × looks like an 8 to it, half a
tick like a 1. Brackets and slashes are ones to it, rightly, and the rings of a percent sign are 0:
only what stands beside them tells them from digits.
"""

from __future__ import annotations

from itertools import takewhile
from typing import NamedTuple

import cv2
import numpy as np

from digits.images.pieces import Piece

FLAT_ASPECT = 2.2  # width over height of a bar: a minus, an underline, a fraction's line
CROSS_SIDE = 21  # px, to which a piece is reduced, its aspect lost: a narrow x is one, too
NARROW = 0.55  # width over height, or the reverse, that a cross has at least
LOPSIDED = 0.25  # first harmonic; of a 1 on a foot, three arms, it is 0.33
UNEVEN = 0.5  # second harmonic; of a single stroke it is 1
ONE_RUN = 0.9  # of a stroke's rows, at least, have their ink in one run
THICK = 0.3  # of a stroke's height, on average at most
ASTRAY = 0.03  # of its height, root mean square off a parabola
BOW = 0.07  # of its height; of MNIST's ones 6 % are bowed so far to the left, 3 % to the right
AS_BOWED = 0.6  # times as far as the most bowed stroke of its line, at least: others are ones
LEAN = np.radians(10)  # of a slash, at least; so far lean 56 % of MNIST's ones
DATE_LEAN, DATE_HIGH = np.radians(20), 1.05  # of both in a date; times the line's median height
ALIKE = np.radians(8)  # between the leans of two strokes of one hand
TICK_AREA = 0.42  # of its box, at most
TURN = 0.1, 0.6  # of a tick's width, where it turns
RISE, FALL = 0.55, 0.1  # of a tick's height, that its arms have at least, in the middle of the pen
BENT = 0.06  # of a tick's height, that an arm is off a line on average, at most
RING = 0.6  # of its slash's height, that a percent sign's ring has at most
RING_ACROSS = 0.8  # of the same, between the middles of both
BEYOND = 0.08  # of its height, by which a slash begins above and ends below its neighbours
HIGH = 0.7  # of the line's median height, at least, of a digit, a bracket and a slash


def is_bar(piece: Piece) -> bool:
    """Return whether the piece lies rather than stands, as no digit does."""
    return piece.width > FLAT_ASPECT * piece.height


def crossness(piece: Piece) -> float:
    """Return how much the piece is a + or a ×, 0 to 1: four arms at right angles from one middle.

    Seen from the middle, the directions in which ink lies have a strong fourth harmonic, since
    they repeat every 90 degrees, and weak first and second ones, since no arm outweighs the one
    across, nor two the other two.
    """
    if not NARROW < piece.width / piece.height < 1 / NARROW:
        return 0.0
    size = CROSS_SIDE, CROSS_SIDE
    small = cv2.resize(piece.mask.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    y, x = (2 * axis / (CROSS_SIDE - 1) - 1 for axis in np.nonzero(small > 0.4))
    middles = np.mgrid[-0.4:0.41:0.1, -0.4:0.41:0.1].reshape(2, -1, 1)
    away = x - middles[1] + 1j * (y - middles[0])
    far = np.abs(away)
    arms = far > 0.6
    turn = away / np.maximum(far, 1e-6) * arms
    count = np.maximum(arms.sum(axis=1), 1)
    first, second, fourth = (abs((turn**n).sum(axis=1)) / count for n in (1, 2, 4))
    even = (first < LOPSIDED) & (second < UNEVEN)
    return float(fourth[even].max(initial=0))


def is_tick(piece: Piece) -> bool:
    """Return whether a piece is a tick: a thin line that falls to the right, then rises higher."""
    mask, (high, wide) = piece.mask, piece.mask.shape
    count = np.count_nonzero(mask, axis=0)
    run = high - mask.argmax(axis=0) - mask[::-1].argmax(axis=0)
    if piece.area > TICK_AREA * high * wide or (run == count).mean() < ONE_RUN:
        return False
    course = np.arange(high) @ mask / np.maximum(count, 1) / high  # 0 at the top
    turn = int(course.argmax())
    falls, rises = course[turn] - course[0], course[turn] - course[-1]
    if not (TURN[0] * wide < turn < TURN[1] * wide and rises > RISE and falls > FALL):
        return False
    return all(_is_straight(arm) for arm in (course[: turn + 1], course[turn:]))


def _is_straight(course: np.ndarray) -> bool:
    """Return whether a course, float (n,), shares of a height, is nearly a line."""
    x = np.linspace(-1, 1, len(course))
    return bool(np.abs(np.polyval(np.polyfit(x, course, 1), x) - course).mean() < BENT)


class Stroke(NamedTuple):
    """A piece that is one thin stroke from top to bottom: how far it bows and leans."""

    piece: Piece
    bow: float  # of its height; above 0 as "(" does, below as ")"
    lean: float  # radians, to the right


def punctuation(line: list[Piece]) -> list[Piece]:
    """Return which pieces of a line, left to right, are brackets or slashes, and no ones.

    Brackets come in pairs, bowed from one another. A slash begins above and ends below the digits
    on both sides of it, or two alike part a date; where another stroke leans as it does, all are
    ones of that hand.
    """
    if len(line) < 3:
        return []
    least = HIGH * float(np.median([piece.height for piece in line]))
    high = [piece for piece in line if piece.height > least]
    strokes = [stroke for stroke in map(_stroke, high) if stroke]
    slashes = [one for one in strokes if _is_slash(one, strokes, high)]
    return [one.piece for one in _brackets(strokes) + slashes]


def _stroke(piece: Piece) -> Stroke | None:
    """Return the stroke that a piece is, or None where it is none."""
    mask, high = piece.mask, piece.height
    count = np.count_nonzero(mask, axis=1)
    if piece.area > THICK * high**2 or not count.all():
        return None
    run = piece.width - mask.argmax(axis=1) - mask[:, ::-1].argmax(axis=1)
    if (run == count).mean() < ONE_RUN:
        return None
    middle = mask @ np.arange(piece.width) / count / high
    y = np.linspace(-1, 1, high) / 2
    fit = np.polyfit(y, middle, 2)
    if np.sqrt(np.mean((np.polyval(fit, y) - middle) ** 2)) > ASTRAY:
        return None
    return Stroke(piece, fit[0] / 4, -np.arctan(fit[1]))


def _brackets(strokes: list[Stroke]) -> list[Stroke]:
    """Return which strokes of a line open or close a bracket around something."""
    most = max((abs(stroke.bow) for stroke in strokes), default=0.0)
    bowed = [stroke for stroke in strokes if abs(stroke.bow) > max(BOW, AS_BOWED * most)]
    found = []
    for i, left in enumerate(bowed):
        closing = list(takewhile(lambda one: one.bow < 0, bowed[i + 1 :]))
        if left.bow > 0 and closing:
            found += [left, min(closing, key=lambda one: one.bow)]
    return found


def percent_signs(pieces: list[Piece]) -> list[Piece]:
    """Return which pieces of a page are of percent signs: slashes and the rings beside them."""
    highest = max((piece.height for piece in pieces), default=0)
    rings = [one for one in pieces if one.height < RING * highest and _is_ring(one)]
    found = []
    for slash in pieces if len(rings) > 1 else []:
        upper, lower = ([ring for ring in rings if _is_beside(ring, slash, way)] for way in (-1, 1))
        stroke = _stroke(slash) if upper and lower else None
        if stroke and stroke.lean > LEAN:
            found += [slash, upper[0], lower[0]]
    return found


def _is_beside(ring: Piece, slash: Piece, way: int) -> bool:
    """Return whether a ring is close to a slash: on its upper left (-1), its lower right (1)."""
    across = way * (ring.middle - slash.middle) / slash.height
    down = way * (ring.top + ring.bottom - slash.top - slash.bottom) / 2 / slash.height
    return ring.height < RING * slash.height and 0 < across < RING_ACROSS and 0.1 < down < 0.5


def _is_ring(piece: Piece) -> bool:
    """Return whether a piece has a hole."""
    paper = np.pad(~piece.mask, 1, constant_values=True).astype(np.uint8)
    return cv2.connectedComponents(paper, connectivity=4)[0] > 2


def _is_slash(stroke: Stroke, strokes: list[Stroke], line: list[Piece]) -> bool:
    """Return whether one of a line's strokes is a slash between digits."""
    if stroke.lean < LEAN or abs(stroke.bow) > BOW:
        return False
    alike = [one for one in strokes if abs(one.lean - stroke.lean) < ALIKE]
    if len(alike) < 3 and all(_goes_beyond(one.piece, line) for one in alike):
        return True
    return len(alike) == 2 and _part_a_date(alike, line)


def _part_a_date(alike: list[Stroke], line: list[Piece]) -> bool:
    """Return whether two strokes that lean alike part the digits of a line as a date's."""
    least = DATE_HIGH * float(np.median([piece.height for piece in line]))
    if any(one.lean < DATE_LEAN or one.piece.height < least for one in alike):
        return False
    parts = np.diff([-1, *(line.index(one.piece) for one in alike), len(line)]) - 1
    return parts[1] < 3 and set(parts) <= {1, 2, 4}


def _goes_beyond(piece: Piece, line: list[Piece]) -> bool:
    """Return whether a piece begins above and ends below its neighbours on both sides."""
    i = line.index(piece)
    beside = line[i - 1 : i] + line[i + 1 : i + 2]
    return len(beside) == 2 and all(piece.goes_beyond(other, BEYOND) for other in beside)
