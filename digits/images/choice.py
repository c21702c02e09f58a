"""Which of several readings of one picture is right: numbers -> the likeliest number.

A photo may be read as dark or as bright ink, in one channel or another, in a sheet alone or whole.
"""

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np

from digits.images.number import Box, Number, NumberDigit, covers
from digits.images.paths import LEAVE_OUT, MOST_JOINED, SURE

GRAIN = 0.25  # of a number's digits, at least, are doubtful where a grid or grain is read
EDGE_PART = 80  # of the picture's long side, so wide is a panel's edge at most
PART = 0.2  # of a digit's height, that a part of it has at least
SPACE = 0.08  # of the height of both, at least between two lines
COLUMN = 3  # digits that are all sure are no parts of one, though from afar a column is a 1
STROKES = 1, 7  # as which the edge of a sheet is read, its corner, and the grain of a table


def likeliest(first: Number, others: list[Number], outside: np.ndarray) -> Number:
    """Return the first number, or another one for which more speaks.

    outside: as `outside_of` the first one's panel returns it, or `off_lines`.
    """
    others = [other for other in others if other and doubts(other) <= GRAIN * len(other)]
    return max([first, *others], key=lambda number: _merit(number, first, outside))


def doubts(number: Number) -> int:
    """Return how many digits are doubtful, and how much like a digit in height was left out.

    A sign is neither: what stands beside it is read again for nothing, and perhaps worse.
    """
    return len(number.unread) + sum(one.probabilities.max() < SURE for one in number)


def outside_of(panel: np.ndarray | None, size: tuple[int, ...]) -> np.ndarray:
    """Return a mask of a panel's edge and all outside of it: uint8 (h, w), 0 or 1, in size.

    panel: float32 (4, 2), its corners in px of the picture; None: there is none.
    """
    if panel is None:
        return np.zeros(size[:2], np.uint8)
    outside = np.ones(size[:2], np.uint8)
    corners = np.rint(panel).astype(np.int32)
    cv2.fillConvexPoly(outside, corners, 0)
    return cv2.polylines(outside, [corners], True, 1, 1 + max(size) // EDGE_PART)


def off_lines(number: Number, size: tuple[int, ...]) -> np.ndarray:
    """Return a mask of what is above, between and below a number's lines: uint8 (h, w), in size."""
    outside = np.ones(size[:2], np.uint8)
    for _, top, _, height in (one.box for one in number):
        outside[max(0, top - height // 2) : top + height + height // 2] = 0
    return outside


def is_single(alone: NumberDigit, number: Number, normal: bool) -> bool:
    """Return whether the one digit is rather what the picture shows than the number.

    normal: whether the picture is in MNIST's form, of which no digit is cut out again.
    """
    if not all(covers(alone.box, one.box) for one in number):
        return False
    if not number:
        return True
    if len(number) == 1 and (normal or _alike(number[0].box, alone.box)):
        return True
    if len(number) >= COLUMN and not doubts(number):
        return False
    chances = [one.probabilities.max() for one in number]
    # What the one digit explains and the number does not: ink, and lines with no space between.
    unread = len(number.unread) + _parts(alone, number)
    least = np.exp(LEAVE_OUT)  # what is less likely is no digit
    return bool(alone.probabilities.max() > max(least, np.prod(chances) * least**unread))


def _parts(alone: NumberDigit, number: Number) -> int:
    """Return in how many more parts the one digit is than the number has digits.

    They are what the number leaves out within it, and digits that stand close below others: both
    come of a pen that skips. None where it is unsure.
    """
    if len(number) > MOST_JOINED or alone.probabilities.max() < SURE:
        return 0
    high = alone.box[3]
    left_out = [
        box
        for box in number.left_out
        if covers(alone.box, box) and box[3] > PART * high and box not in number.unread
    ]
    ends = sorted((one.box[1], one.box[1] + one.box[3], one.line) for one in number)
    below = sum(
        line != above_line and top - bottom < SPACE * high
        for (_, bottom, above_line), (top, _, line) in pairwise(ends)
    )
    return len(left_out) + below


def _alike(box: Box, other: Box) -> bool:
    """Return whether the boxes lie over one another, neither half as large again as the other."""
    return covers(box, other) and all(
        max(sides) < 1.5 * min(sides) + 4 for sides in zip(box[2:], other[2:], strict=True)
    )


def _merit(number: Number, first: Number, outside: np.ndarray) -> int:
    """Return how much speaks for a number beside the one that was read first.

    For it speak its sure digits. Against it speak the doubtful ones, the first one's digits that it
    lacks, and what it reads beside them: strokes where it is outside, or a frame around them.
    """
    sure = sum(one.probabilities.max() >= SURE for one in number)
    further = _lacking(first, number)
    none = [_is_stroke_in(one, outside) or _is_around(one, first) for one in further]
    weight = 2 if all(none) else 1  # beside real digits outside, ones are more likely real too
    return sure - doubts(number) - len(_lacking(number, first)) - weight * sum(none)


def _is_stroke_in(one: NumberDigit, outside: np.ndarray) -> bool:
    """Return whether a digit is a stroke on the edge of a panel, or outside of it."""
    left, top, width, height = one.box
    there = outside[max(0, top) : top + height, max(0, left) : left + width]
    return bool(one.probabilities.argmax() in STROKES and there.any())


def _is_around(one: NumberDigit, number: Number) -> bool:
    """Return whether what is read as a digit is a frame around digits of the number."""
    return any(covers(one.box, other.box) for other in number)


def _lacking(number: Number, other: Number) -> list[NumberDigit]:
    """Return the sure digits of the other number in whose places this one has none."""
    sure = [one for one in other if one.probabilities.max() >= SURE]
    return [one for one in sure if not any(_meet(one.box, mine.box) for mine in number)]


def _meet(box: Box, other: Box) -> bool:
    """Return whether the middle of each box lies in the other."""
    return covers(box, other) and covers(other, box)
