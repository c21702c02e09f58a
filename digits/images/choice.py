"""Which of several readings of one picture is right: numbers -> the likeliest number.

A photo may be read as dark or as bright ink, in one channel or another, in a sheet alone or whole.
"""

from __future__ import annotations

import cv2
import numpy as np

from digits.images.number import Box, Number, NumberDigit
from digits.images.paths import SURE

GRAIN = 0.25  # of a number's digits, at least, are doubtful where a grid or grain is read
EDGE_PART = 80  # of the picture's long side, so wide is a panel's edge at most
ON_EDGE, OUTSIDE = 1, 2  # of a panel
STROKES = 1, 7  # as which the edge of a sheet is read, its corner, and a table's grain


def likeliest(first: Number, others: list[Number], places: np.ndarray) -> Number:
    """Return the first number, or another one for which more speaks.

    places: as `beyond` returns them, of the panel that the first one was read in.
    """
    others = [other for other in others if other and doubts(other) <= GRAIN * len(other)]
    return max([first, *others], key=lambda number: _merit(number, first, places))


def doubts(number: Number) -> int:
    """Return how many digits are doubtful, and how much like a digit in height was left out.

    A sign is neither: what stands beside it is read again for nothing, and perhaps worse.
    """
    return len(number.unread) + sum(one.probabilities.max() < SURE for one in number)


def beyond(panel: np.ndarray | None, size: tuple[int, ...]) -> np.ndarray:
    """Return what is ON_EDGE and OUTSIDE of a panel, and 0 elsewhere: uint8 (h, w), in size.

    panel: float32 (4, 2), its corners in px of the picture; None: there is none.
    """
    if panel is None:
        return np.zeros(size[:2], np.uint8)
    places = np.full(size[:2], OUTSIDE, np.uint8)
    corners = np.rint(panel).astype(np.int32)
    cv2.fillConvexPoly(places, corners, 0)
    cv2.polylines(places, [corners], True, ON_EDGE, 1 + max(size) // EDGE_PART)
    return places


def covers(box: Box, other: Box) -> bool:
    """Return whether the middle of the other box lies in the box."""
    left, top, width, height = box
    x, y = other[0] + other[2] / 2, other[1] + other[3] / 2
    return left <= x < left + width and top <= y < top + height


def _merit(number: Number, first: Number, places: np.ndarray) -> int:
    """Return how much speaks for a number beside the one that was read first.

    For it speak its sure digits. Against it speak the doubtful ones, the first one's digits that it
    lacks, and what else it reads on the edge of the first one's panel or as strokes outside.
    """
    sure = [one for one in number if one.probabilities.max() >= SURE]
    none = sum(_is_beyond(one, places) for one in _lacking(first, number))
    return len(sure) - doubts(number) - len(_lacking(number, first)) - 2 * none


def _is_beyond(one: NumberDigit, places: np.ndarray) -> bool:
    """Return whether what is read as a digit is a panel's edge, or a stroke outside of it."""
    left, top, width, height = one.box
    place = places[max(0, top) : top + height, max(0, left) : left + width]
    is_stroke = one.probabilities.argmax() in STROKES
    return bool((place == ON_EDGE).any() or (is_stroke and (place == OUTSIDE).any()))


def _lacking(number: Number, other: Number) -> list[NumberDigit]:
    """Return the sure digits of the other number in whose places this one has none."""
    sure = [one for one in other if one.probabilities.max() >= SURE]
    return [one for one in sure if not any(_meet(one.box, mine.box) for mine in number)]


def _meet(box: Box, other: Box) -> bool:
    """Return whether the middle of each box lies in the other."""
    return covers(box, other) and covers(other, box)
