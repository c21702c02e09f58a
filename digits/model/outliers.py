"""Things that are no digit, for a network to learn doubt on: outlier exposure.

    strange = outliers.draw(digits, labels, np.random.default_rng(0))    # uint8 (n, 28, 28)

A network trained to answer such things with ten equal probabilities is less sure of other strange
things too (Hendrycks et al. 2019, https://arxiv.org/abs/1812.04606). No letter is among them, so
that letters can tell whether the doubt carries over.
"""

from __future__ import annotations

import cv2
import numpy as np

from digits.mnist import SIDE as DIGIT_SIDE
from digits.mnist import normalise

ZOOM = 4  # drawn so many times larger than a digit, for smooth strokes
SIDE = ZOOM * DIGIT_SIDE
PENS = (6, 13)  # px of the large drawing, thinnest and thickest: 1.5 to 3 of the digit


def draw(digits: np.ndarray, labels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return as many things that are no digit as digits are given, uint8 (n, 28, 28).

    By turns two digits laid over one another, the quarters of a digit in another order, straight
    strokes that cross, and one stroke that wanders.
    digits: uint8 (n, 28, 28) in MNIST's form. labels: int (n,).
    """
    # A 1 is left out: laid over a 0 or a 7 it makes a slash or a bar, and the digit stays one.
    usable = np.flatnonzero(labels != 1)
    strange = []
    for i in range(len(digits)):
        first, second = rng.choice(usable, 2, replace=False)
        if i % 4 == 0:
            ink = _overlaid(digits[first], digits[second], rng)
        elif i % 4 == 1:
            ink = _shuffled(digits[first], rng)
        else:
            ink = _crossing(rng) if i % 4 == 2 else _wandering(rng)
        strange.append(normalise(ink))
    return np.array(strange, np.uint8).reshape(digits.shape)


def _overlaid(first: np.ndarray, second: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return two digits in one, uint8 (36, 36), 5 to 8 px apart sideways."""
    page = np.zeros((DIGIT_SIDE + 8, DIGIT_SIDE + 8), np.uint8)
    left, top, other = rng.integers(5, 9), rng.integers(0, 9), rng.integers(0, 9)
    page[top : top + DIGIT_SIDE, :DIGIT_SIDE] = first
    under = page[other : other + DIGIT_SIDE, left : left + DIGIT_SIDE]
    np.maximum(under, second, out=under)
    return page


def _shuffled(digit: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the digit's quarters, none where it was, some of them turned: uint8 (28, 28)."""
    half = DIGIT_SIDE // 2
    quarters = digit.reshape(2, half, 2, half).swapaxes(1, 2).reshape(4, half, half)
    places = np.roll(np.arange(4), rng.integers(1, 4))
    turned = np.array([np.rot90(quarters[place], int(rng.integers(4))) for place in places])
    return turned.reshape(2, 2, half, half).swapaxes(1, 2).reshape(DIGIT_SIDE, DIGIT_SIDE)


def _crossing(rng: np.random.Generator) -> np.ndarray:
    """Return three to five straight strokes through the middle, uint8 (112, 112)."""
    page = np.zeros((SIDE, SIDE), np.uint8)
    pen = int(rng.integers(*PENS))
    for _ in range(rng.integers(3, 6)):
        middle, reach = rng.uniform(0.3, 0.7, 2) * SIDE, rng.uniform(0.2, 0.45) * SIDE
        angle = rng.uniform(0, np.pi)
        half = reach * np.array([np.cos(angle), np.sin(angle)])
        start, end = np.rint([middle - half, middle + half]).astype(int).tolist()
        cv2.line(page, start, end, 255, pen, cv2.LINE_AA)
    return page


def _wandering(rng: np.random.Generator) -> np.ndarray:
    """Return one stroke along a random sum of waves, uint8 (112, 112)."""
    page = np.zeros((SIDE, SIDE), np.uint8)
    along = np.linspace(0, 2 * np.pi * rng.uniform(0.8, 1), 150)
    waves = np.arange(2, 7)  # no wave of one period: it draws a 0, a 6 or a 2
    heights = rng.normal(0, 1, (2, 5)) / np.sqrt(waves)
    phases = rng.uniform(0, 2 * np.pi, (2, 5, 1))
    path = np.einsum("ij,ijk->ki", heights, np.sin(waves[:, None] * along + phases))
    path -= path.min(axis=0)
    path = (path / path.max() * 0.8 + 0.1) * SIDE
    pen = int(rng.integers(*PENS))
    cv2.polylines(page, [np.rint(path).astype(np.int32)], False, 255, pen, cv2.LINE_AA)
    return page
