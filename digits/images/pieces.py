"""Pieces of ink, of which digits are put together: an ink map -> pieces.

A piece is a connected part of the marks, a part of one that was cut, or several that were joined.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np

from digits.images.marks import FAINT, Parts
from digits.mnist import normalise

MOST_PIECES = 600  # three to a digit in a picture of 200; the grain of a bad photo has thousands
ENCLOSED = 0.4  # of a frame's height, that digits in it have together, and of its width
TABLES = 4  # in a picture, at most
IN_TABLE = 0.04  # of a table's height, that what is written in it has at least
SIDE_BAND = 0.08  # of a table's height or width: so far in lies a side, in a photo taken askew
RULED = 0.85  # of the side, at least; of a round 0 it is 0.55
DIGIT_SIDE = 80  # px; a smaller digit is enlarged, so that thin strokes are thickened exactly
DUST = 0.12  # of the usual height; a full stop has 0.15 and more


@dataclass(frozen=True, eq=False)
class Piece:
    """Some ink of a page: where its box lies, in px, and the pixels of it that belong together."""

    left: int
    top: int
    mask: np.ndarray  # bool (height, width)

    @property
    def width(self) -> int:
        """px."""
        return self.mask.shape[1]

    @property
    def height(self) -> int:
        """px."""
        return self.mask.shape[0]

    @property
    def right(self) -> int:
        """px, one beyond the last."""
        return self.left + self.width

    @property
    def bottom(self) -> int:
        """px, one beyond the last."""
        return self.top + self.height

    @property
    def middle(self) -> float:
        """px, of the box from left to right."""
        return self.left + self.width / 2

    def touches(self, size: tuple[int, ...], near: int) -> bool:
        """Whether it reaches the frame of a page of size (height, width), within `near` px."""
        height, width = size
        low = min(self.left, self.top) < near
        return low or self.right > width - near or self.bottom > height - near

    def goes_beyond(self, other: Piece, share: float) -> bool:
        """Whether it begins above and ends below another, both by that share of its height."""
        far = share * self.height
        return self.top < other.top - far and self.bottom > other.bottom + far

    @cached_property
    def area(self) -> int:
        """Its number of pixels."""
        return int(self.mask.sum())


def joined(pieces: list[Piece]) -> Piece:
    """Return several pieces as one."""
    if len(pieces) == 1:
        return pieces[0]
    left, top = min(one.left for one in pieces), min(one.top for one in pieces)
    right, bottom = max(one.right for one in pieces), max(one.bottom for one in pieces)
    mask = np.zeros((bottom - top, right - left), bool)
    for one in pieces:
        part = mask[one.top - top : one.bottom - top, one.left - left : one.right - left]
        part |= one.mask
    return Piece(left, top, mask)


def pieces_of(ink: np.ndarray, marks: np.ndarray, photo: bool) -> list[Piece]:
    """Return the connected parts of the marks that may belong to digits.

    Dust, faint grain and what lies along the frame of a photo are left out.
    ink: uint8 (h, w), 0 paper. marks: uint8 (h, w), 0 or 1.
    """
    parts = Parts(ink, marks, photo)
    clear = ~parts.at_edge & (parts.mean >= (FAINT if photo else 0))
    clear[0] = False
    numbers = _without_tables(np.flatnonzero(clear), parts)
    if not len(numbers):
        return []
    usual = usual_height(parts.boxes[numbers, 3], parts.area[numbers])
    numbers = numbers[parts.long[numbers] > DUST * usual]
    numbers = numbers[np.argsort(-parts.area[numbers])[:MOST_PIECES]]
    numbers = numbers[~_enclosing(parts.boxes[numbers])]
    return [_piece(number, parts) for number in numbers]


def _piece(number: int, parts: Parts) -> Piece:
    """Return the part with this number as a piece."""
    left, top, width, height = parts.boxes[number].tolist()
    mask = parts.labels[top : top + height, left : left + width] == number
    return Piece(left, top, mask)


def _without_tables(numbers: np.ndarray, parts: Parts) -> np.ndarray:
    """Return the numbers of parts without those of tables, beside whose size digits are dust.

    A table is ruled along all four sides, as no digit is but a square 0, and has something in it.
    """
    tallest = numbers[np.argsort(-parts.boxes[numbers, 3])[:TABLES]]
    tables = [
        number
        for number in tallest
        if _holds_some(parts.boxes[number], parts.boxes[numbers])
        and _is_ruled(_piece(number, parts).mask)
    ]
    return numbers[~np.isin(numbers, tables)]


def _holds_some(box: np.ndarray, others: np.ndarray) -> bool:
    """Return whether any of the other boxes, int (n, 4), lies in the box and is no dust."""
    left, top, width, height = others.T
    inside = (left > box[0]) & (left + width < box[0] + box[2])
    inside &= (top > box[1]) & (top + height < box[1] + box[3])
    return bool((inside & (height > IN_TABLE * box[3])).any())


def _is_ruled(mask: np.ndarray) -> bool:
    """Return whether ink lies along each of the four sides of a mask, bool (h, w)."""
    sides = [mask, mask[::-1], mask.T, mask.T[::-1]]
    bands = [side[: 1 + round(SIDE_BAND * len(side))] for side in sides]
    return all(band.any(axis=0).mean() > RULED for band in bands)


def _enclosing(boxes: np.ndarray) -> np.ndarray:
    """Return bool (n,): whether each box, int (n, 4), has others of some size all in it.

    So do the frame of a form, the lines of a table, a ring around a number and a shadow; a digit
    has dots in it at most.
    """
    left, top, width, height = boxes.T
    within = (
        (left > left[:, None])
        & (top > top[:, None])
        & (left + width < (left + width)[:, None])
        & (top + height < (top + height)[:, None])
    )
    one = (within & (height > ENCLOSED * height[:, None])).any(axis=1)
    first = np.where(within, left, np.inf).min(axis=1)
    last = np.where(within, left + width, -np.inf).max(axis=1)
    several = (within @ height > ENCLOSED * height) & (last - first > ENCLOSED * width)
    return one | (several & (within.sum(axis=1) > 1))


def usual_height(heights: np.ndarray, weights: np.ndarray, share: float = 0.5) -> float:
    """Return the weighted quantile of heights, in px; of a share of 0.5 the median.

    heights, weights: (n,), n > 0.
    """
    order = np.argsort(heights)
    below = np.cumsum(np.asarray(weights)[order])
    return float(np.asarray(heights)[order][np.searchsorted(below, below[-1] * share)])


def digit_of(ink: np.ndarray, piece: Piece) -> np.ndarray:
    """Return a piece in MNIST's form: uint8 (28, 28), 0 paper, 255 ink. ink: uint8 (h, w)."""
    rows, columns = slice(piece.top, piece.bottom), slice(piece.left, piece.right)
    crop = ink[rows, columns]
    levels = np.sort(crop[piece.mask])
    peak = levels[int(0.75 * (len(levels) - 1))]  # np.percentile takes ten times as long
    alone = cv2.convertScaleAbs(np.where(piece.mask, crop, np.uint8(0)), alpha=255 / max(peak, 1))
    zoom = DIGIT_SIDE / max(alone.shape)
    if zoom > 1:
        alone = cv2.resize(alone, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_CUBIC)
    return normalise(alone)
