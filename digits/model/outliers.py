"""Things that are no digit, for a network to learn doubt on: outlier exposure.

    strange = outliers.draw(digits, labels, np.random.default_rng(0))    # uint8 (n, 28, 28)

A network trained to answer such things with ten equal probabilities is less sure of other strange
things too (Hendrycks et al. 2019, https://arxiv.org/abs/1812.04606). No letter is among them, so
that letters can tell whether the doubt carries over.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import ArrayLike

from digits.mnist import SIDE as DIGIT_SIDE
from digits.mnist import normalise

ZOOM = 4  # drawn so many times larger than a digit, for smooth strokes
SIDE = ZOOM * DIGIT_SIDE
PENS = (6, 13)  # px of the large drawing, thinnest and thickest: 1.5 to 3 of the digit
# Whose half is no digit by itself: that of a 4 is a 1, that of an 8 a 3, those of a 7 either.
LEFT_HALVED = (0, 2, 3, 8, 9)
RIGHT_HALVED = (0, 2, 5, 6)


def draw(digits: np.ndarray, labels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return as many things that are no digit as digits are given, uint8 (n, 28, 28).

    By turns what a reader of numbers cuts out wrongly, made of digits, and what else is on paper.
    digits: uint8 (n, 28, 28) in MNIST's form. labels: int (n,); two at least are not 1, and each
    half can be had of one.
    """
    strange = []
    for i in range(len(digits)):
        kind = i // 2
        if i % 2:
            ink = DRAWN[kind % len(DRAWN)](rng)
        else:
            ink = MADE[kind % len(MADE)](digits, labels, rng)
        strange.append(normalise(ink))
    return np.array(strange, np.uint8).reshape(digits.shape)


# --- Made of digits, of those given to `draw` ---


def _some(digits: np.ndarray, fit: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    """Return n different ones of the digits that fit, bool (m,): uint8 (n, 28, 28)."""
    return digits[rng.choice(np.flatnonzero(fit), n, replace=False)]


def _overlaid(digits: np.ndarray, labels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return two digits in one, uint8 (36, 33 to 36), 5 to 8 px apart sideways."""
    # A 1 is left out: laid over a 0 or a 7 it makes a slash or a bar, and the digit stays one.
    one, other = _some(digits, labels != 1, 2, rng)
    return _both(one, other, int(rng.integers(5, 9)), rng)


def _beside(digits: np.ndarray, labels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return two digits side by side, touching or nearly, as in a number written in a hurry."""
    one, other = (_upright(digit) for digit in _some(digits, labels >= 0, 2, rng))
    return _both(one, other, one.shape[1] + int(rng.integers(-2, 3)), rng)


def _overcut(digits: np.ndarray, labels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return a digit and half of its neighbour, as a cut at the wrong place leaves them."""
    one, other = (_upright(digit) for digit in _some(digits, labels != 1, 2, rng))
    half = round(other.shape[1] * rng.uniform(0.4, 0.6))
    if rng.random() < 0.5:
        return _both(one, other[:, :half], one.shape[1] + int(rng.integers(-2, 2)), rng)
    return _both(other[:, -half:], one, half + int(rng.integers(-2, 2)), rng)


def _upright(digit: np.ndarray) -> np.ndarray:
    """Return the columns of a digit that have ink, uint8 (28, 1 to 28)."""
    inked = np.flatnonzero(digit.max(axis=0) > 127)
    return digit[:, inked[0] : inked[-1] + 1] if len(inked) else digit


def _both(one: np.ndarray, other: np.ndarray, left: int, rng: np.random.Generator) -> np.ndarray:
    """Return a page with both, uint8 (28, w) each, the other one `left` px to the right."""
    page = np.zeros((DIGIT_SIDE + 8, max(one.shape[1], left + other.shape[1])), np.uint8)
    for ink, x in ((one, 0), (other, left)):
        y = int(rng.integers(0, 9))
        under = page[y : y + DIGIT_SIDE, x : x + ink.shape[1]]
        np.maximum(under, ink, out=under)
    return page


def _shuffled(digits: np.ndarray, labels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return a digit's quarters, none where it was, some of them turned: uint8 (28, 28)."""
    half = DIGIT_SIDE // 2
    digit = _some(digits, labels != 1, 1, rng)[0]
    quarters = digit.reshape(2, half, 2, half).swapaxes(1, 2).reshape(4, half, half)
    places = np.roll(np.arange(4), rng.integers(1, 4))
    turned = np.array([np.rot90(quarters[place], int(rng.integers(4))) for place in places])
    return turned.reshape(2, 2, half, half).swapaxes(1, 2).reshape(DIGIT_SIDE, DIGIT_SIDE)


def _half(digits: np.ndarray, labels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return a digit's left or right half, a little more or less: uint8 (28, 12 to 15)."""
    width = int(rng.integers(12, 16))
    if rng.random() < 0.5:
        return _some(digits, np.isin(labels, LEFT_HALVED), 1, rng)[0][:, :width]
    return _some(digits, np.isin(labels, RIGHT_HALVED), 1, rng)[0][:, -width:]


# --- What else is on paper: uint8 (112, 112), 255 ink, of a random generator ---


def _pen(rng: np.random.Generator) -> int:
    """Return a pen's width in px."""
    return int(rng.integers(*PENS))


def _lined(strokes: ArrayLike, pen: int) -> np.ndarray:
    """Return strokes on a page: float (n, k, 2), k points (x, y) of each as shares of the side."""
    page = np.zeros((SIDE, SIDE), np.uint8)
    points = np.rint(np.asarray(strokes) * SIDE).astype(np.int32)
    cv2.polylines(page, list(points), False, 255, pen, cv2.LINE_AA)
    return page


def _turned(points: ArrayLike, angle: float) -> np.ndarray:
    """Return points, float (..., 2) as shares of the side, turned about the middle, in radians."""
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    return (np.asarray(points) - 0.5) @ turn + 0.5


def _crossing(rng: np.random.Generator) -> np.ndarray:
    """Return three to five straight strokes through the middle."""
    n = int(rng.integers(3, 6))
    middle, reach = rng.uniform(0.3, 0.7, (n, 2)), rng.uniform(0.2, 0.45, (n, 1))
    angle = rng.uniform(0, np.pi, n)
    half = reach * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return _lined(np.stack([middle - half, middle + half], axis=1), _pen(rng))


def _wandering(rng: np.random.Generator) -> np.ndarray:
    """Return one stroke along a random sum of waves."""
    along = np.linspace(0, 2 * np.pi * rng.uniform(0.8, 1), 150)
    waves = np.arange(2, 7)  # no wave of one period: it draws a 0, a 6 or a 2
    heights = rng.normal(0, 1, (2, 5)) / np.sqrt(waves)
    phases = rng.uniform(0, 2 * np.pi, (2, 5, 1))
    path = np.einsum("ij,ijk->ki", heights, np.sin(waves[:, None] * along + phases))
    path -= path.min(axis=0)
    return _lined((path / path.max() * 0.8 + 0.1)[None], _pen(rng))


def _ruled(rng: np.random.Generator) -> np.ndarray:
    """Return one to three level lines, as on ruled paper; two of them are an equals sign too."""
    n, tilt = int(rng.integers(1, 4)), rng.uniform(-0.1, 0.1)
    heights = 0.5 + (np.arange(n) - (n - 1) / 2) * rng.uniform(0.18, 0.3)
    left, right = rng.uniform(0.05, 0.3), rng.uniform(0.7, 0.95)
    return _lined([[(left, y - tilt / 2), (right, y + tilt / 2)] for y in heights], _pen(rng))


def _edge(rng: np.random.Generator) -> np.ndarray:
    """Return a dark side or corner of the page, as a table's edge in the picture."""
    page = np.zeros((SIDE, SIDE), np.uint8)
    depths = rng.uniform(0.45, 0.9, 3) * SIDE  # less would be a bold 1
    corner = [(0, 0), (SIDE, 0), (SIDE, depths[0]), (SIDE * rng.uniform(0, 0.6), depths[1])]
    cv2.fillPoly(page, [np.rint([*corner, (0, depths[2])]).astype(np.int32)], 255, cv2.LINE_AA)
    return np.ascontiguousarray(np.rot90(page, int(rng.integers(4))))


def _blot(rng: np.random.Generator) -> np.ndarray:
    """Return a spot of any outline, filled with one grey or fading to one side."""
    coarse = rng.normal(0, 1, (5, 5)).astype(np.float32)
    smooth = cv2.resize(coarse, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
    row, column = np.mgrid[:SIDE, :SIDE] / SIDE - 0.5
    spot = 0.3 + 0.08 * smooth - np.hypot(row * rng.uniform(0.7, 1.4), column)
    ink = np.clip(spot * SIDE / 2, 0, 1)
    if rng.random() < 0.5:
        angle = rng.uniform(0, 2 * np.pi)
        ink *= np.clip(0.6 + 1.2 * (np.cos(angle) * row + np.sin(angle) * column), 0, 1)
    return (255 * ink).astype(np.uint8)


def _smiley(rng: np.random.Generator) -> np.ndarray:
    """Return a face: a circle, two eyes and a mouth that smiles or does not."""
    pen = int(rng.integers(5, 9))
    round_ = np.linspace(0, 2 * np.pi, 40)
    face = 0.5 + 0.4 * np.stack([np.cos(round_) * rng.uniform(0.8, 1.1), np.sin(round_)], axis=1)
    across = np.linspace(-0.17, 0.17, 40)
    bend = rng.choice([-1, 1]) * rng.uniform(1, 4)
    mouth = np.stack([0.5 + across, rng.uniform(0.62, 0.7) - bend * across**2], axis=1)
    page = _lined(np.stack([face, mouth]), pen)
    apart, height = rng.uniform(0.11, 0.17), rng.uniform(0.35, 0.42)
    for x in (0.5 - apart, 0.5 + apart):
        cv2.circle(page, (round(x * SIDE), round(height * SIDE)), pen, 255, -1, cv2.LINE_AA)
    return page


def _arrow(rng: np.random.Generator) -> np.ndarray:
    """Return an arrow in any direction, its head of two strokes."""
    head, wide = rng.uniform(0.15, 0.35), rng.uniform(0.12, 0.28)
    strokes = [[(0.1, 0.5), (0.9, 0.5), (0.9, 0.5)]]
    strokes += [[(0.9 - head, 0.5 - wide), (0.9, 0.5), (0.9 - head, 0.5 + wide)]]
    return _lined(_turned(strokes, rng.uniform(0, 2 * np.pi)), _pen(rng))


def _sign(rng: np.random.Generator) -> np.ndarray:
    """Return a plus or a times."""
    angle = rng.choice([0, np.pi / 4]) + rng.uniform(-0.15, 0.15)
    reach = rng.uniform(0.25, 0.45, 2)
    strokes = [[(0.5 - reach[0], 0.5), (0.5 + reach[0], 0.5)]]
    strokes += [[(0.5, 0.5 - reach[1]), (0.5, 0.5 + reach[1])]]
    return _lined(_turned(strokes, angle), _pen(rng))


MADE = (_overlaid, _beside, _shuffled, _overcut, _beside, _half)
DRAWN = (_crossing, _wandering, _ruled, _edge, _blot, _smiley, _arrow, _sign)
