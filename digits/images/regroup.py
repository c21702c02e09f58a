"""A number whose digits a person cuts otherwise: two are one, one is two, or one was left out."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import cv2
import numpy as np
from PIL import Image

from digits import model
from digits.images import pieces
from digits.images.cuts import cut
from digits.images.number import Box, Number, NumberDigit, Span, group_numbers
from digits.images.pieces import Piece
from digits.mnist import normalise

if TYPE_CHECKING:
    import keras

    from digits.model.numpy_network import Network

RIM = 0.15  # of the box' longer side: the paper around it that tells the paper's level
FAINT = 0.3  # of the darkest ink: less is paper
EDGE = 0.25  # of the width: a cut leaves at least as much on either side


def joined(picture: Image.Image, number: Number, i: int, net: Network | keras.Model) -> Number:
    """Return the number with its digits i and i + 1, both in one line, as one digit.

    picture: the one that the number was read from. Raises IndexError when there is no such pair.
    """
    one, after = number[i], number[i + 1]
    left, top = min(one.box[0], after.box[0]), min(one.box[1], after.box[1])
    right = max(one.box[0] + one.box[2], after.box[0] + after.box[2])
    bottom = max(one.box[1] + one.box[3], after.box[1] + after.box[3])
    box = left, top, right - left, bottom - top
    whole = _read(one, box, _ink(picture, box), net)
    return Number([*number[:i], whole, *number[i + 2 :]], number.left_out, number.signs)


def parted(picture: Image.Image, number: Number, i: int, net: Network | keras.Model) -> Number:
    """Return the number with its digit i as two, parted along the border that is seen in it.

    Where none is seen, it is cut upright where there is least ink. Raises ImageError when a half
    has no ink.
    """
    one = number[i]
    left, top, *_ = one.box
    ink = _ink(picture, one.box)
    halves = []
    for half in _halves(ink):
        alone = np.where(half.mask, ink[half.top : half.bottom, half.left : half.right], 0)
        box = left + half.left, top + half.top, half.width, half.height
        halves.append(_read(one, box, alone.astype(np.uint8), net))
    return Number([*number[:i], *halves, *number[i + 1 :]], number.left_out, number.signs)


def included(picture: Image.Image, number: Number, i: int, net: Network | keras.Model) -> Number:
    """Return the number with the i-th of what was left out as a digit of the nearest line.

    picture: the one that the number, of at least one digit, was read from. Raises ImageError when
    there is no ink, IndexError when nothing was left out at i.
    """
    box, middle = number.left_out[i], _middle(number.left_out[i])
    nearest = min(number, key=lambda one: abs(_middle(one.box)[1] - middle[1]))
    new = _read(nearest, box, _ink(picture, box), net)
    line = [one for one in number if one.line == nearest.line]
    line = sorted([*line, new], key=lambda one: _middle(one.box)[0])
    others = [*number.left_out[:i], *number.left_out[i + 1 :]]
    return Number(
        [
            *(one for one in number if one.line < nearest.line),
            *_grouped(line, others),
            *(one for one in number if one.line > nearest.line),
        ],
        others,
        number.signs,
    )


def _grouped(line: list[NumberDigit], others: list[Box]) -> list[NumberDigit]:
    """Return a line's digits, left to right, in the groups that they form now."""
    top = min(one.box[1] for one in line)
    bottom = max(one.box[1] + one.box[3] for one in line)
    beside = [_span(box) for box in others if top < _middle(box)[1] < bottom]
    height = float(np.median([one.box[3] for one in line]))
    numbers = group_numbers([_span(one.box) for one in line], beside, height)
    return [replace(one, group=group) for one, group in zip(line, numbers, strict=True)]


def _span(box: Box) -> Span:
    """Return where a box begins and ends from left to right, px."""
    return box[0], box[0] + box[2]


def _middle(box: Box) -> tuple[float, float]:
    """Return the middle of a box, px to the right and down."""
    left, top, width, height = box
    return left + width / 2, top + height / 2


def _halves(ink: np.ndarray) -> tuple[Piece, Piece]:
    """Return the two pieces of two digits that touch: uint8 (h, w), 0 paper."""
    parts, costs = cut(Piece(0, 0, ink > 0))
    if costs:
        first = 1 + int(np.argmin(costs))
        return pieces.joined(parts[:first]), pieces.joined(parts[first:])
    width = ink.shape[1]
    edge = max(1, round(EDGE * width))
    inner = ink[:, edge : max(width - edge, edge + 1)]
    at = edge + int(inner.sum(axis=0, dtype=int).argmin()) if inner.size else width
    return Piece(0, 0, ink[:, :at] > 0), Piece(at, 0, ink[:, at:] > 0)


def _read(one: NumberDigit, box: Box, ink: np.ndarray, net: Network | keras.Model) -> NumberDigit:
    """Return the digit of that ink and box in the place of another. Raises ImageError: no ink."""
    digit = normalise(ink)
    return replace(one, digit=digit, box=box, probabilities=model.predict(net, digit[None])[0])


def _ink(picture: Image.Image, box: Box) -> np.ndarray:
    """Return the ink in a box of the picture, uint8 (height, width), 0 paper."""
    left, top, width, height = box
    gray = cv2.cvtColor(np.asarray(picture.convert("RGB")), cv2.COLOR_RGB2GRAY).astype(np.int16)
    rim = max(2, round(RIM * max(width, height)))
    around = gray[max(0, top - rim) : top + height + rim, max(0, left - rim) : left + width + rim]
    away = np.abs(gray[top : top + height, left : left + width] - np.median(around))
    level = away / max(float(np.percentile(away, 95)), 1)
    return (255 * np.clip(np.where(level < FAINT, 0, level), 0, 1)).astype(np.uint8)
