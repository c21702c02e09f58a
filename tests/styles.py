"""Digits in a style that MNIST lacks, drawn onto MNIST's own: what a new hand brings.

    slashed = restyle(digit, label, np.random.default_rng(0))    # uint8 (28, 28)

A zero gets a slash, a seven a bar, a one a flag and a base; other digits are left as they are.
"""

from __future__ import annotations

import cv2
import numpy as np

STYLED = (0, 1, 7)
SCALE = 8  # drawn so many times larger, for smooth lines


def restyle(digit: np.ndarray, label: int, rng: np.random.Generator) -> np.ndarray:
    """Return the digit, uint8 (28, 28), in the new style; label says what to add."""
    if label not in STYLED:
        return digit
    large = cv2.resize(digit, None, fx=SCALE, fy=SCALE, interpolation=cv2.INTER_CUBIC)
    rows, columns = np.nonzero(large > 128)
    box = columns.min(), rows.min(), columns.max(), rows.max()
    width = int(rng.integers(14, 22))  # 2 to 3 px of the digit: a pen like MNIST's
    for start, end in {0: _slash, 1: _flag_and_base, 7: _bar}[label](box, rng):
        cv2.line(large, start, end, 255, width, cv2.LINE_AA)
    return cv2.resize(large, digit.shape[::-1], interpolation=cv2.INTER_AREA)


def underline(digit: np.ndarray) -> np.ndarray:
    """Return the digit, uint8 (28, 28), with a line below it, on a larger page, uint8 (40, 40)."""
    page = np.pad(digit, 6)
    rows, columns = np.nonzero(page > 128)
    bottom, left, right = rows.max() + 3, columns.min() - 2, columns.max() + 3
    page[bottom : bottom + 2, left:right] = 255
    return page


def on_paper(digit: np.ndarray, side: int = 280) -> np.ndarray:
    """Return the digit as dark ink on a white page, uint8 (side, side)."""
    return 255 - cv2.resize(digit, (side, side), interpolation=cv2.INTER_CUBIC)


def _slash(box, rng):
    left, top, right, bottom = box
    over = int(rng.integers(4, 16))
    return [((left - over, bottom + over // 2), (right + over, top - over // 2))]


def _bar(box, rng):
    left, top, right, bottom = box
    height = int(top + (bottom - top) * rng.uniform(0.45, 0.6))
    middle = (left + right) // 2
    reach = int((right - left) * rng.uniform(0.4, 0.55)) + 8
    return [((middle - reach, height), (middle + reach, height - 8))]


def _flag_and_base(box, rng):
    left, top, right, bottom = box
    reach = int(rng.integers(32, 48))
    middle = (left + right) // 2
    flag = ((right, top), (right - reach, top + reach))
    return [flag, ((middle - reach, bottom), (middle + reach, bottom))]
