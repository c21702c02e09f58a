"""Digits drawn so that they touch, with the border between them, to train `borders` on.

    ink, border = draw(digits, np.random.default_rng(0))

A piece is of one digit, or of two to four; nothing at run time draws any.
"""

from __future__ import annotations

import cv2
import numpy as np

from digits.images.borders import HEIGHT
from digits.mnist import stroke_width
from digits.model.pen import write

COUNTS = (1, 1, 2, 2, 2, 3, 3, 4)  # digits of a piece, each as likely as the others
HIGH = (34, 56)  # px, of a digit as it is drawn, before it is reduced
UNEVEN = 0.15  # of the height, that a digit is higher or lower than its neighbours
STRETCH = (0.8, 1.25)  # of the width
SHEAR, TURN = 0.3, np.radians(8)  # either way
LEVEL = (90, 150)  # of the ink, from which a pixel is the digit's
STRUCK = 0.15  # of the digits, by a stroke across that is no border: a slashed 0, a barred 7
PEN = 2  # px, by which all strokes of a piece are made thicker or thinner at most
WAVER = (0.08, 0.35)  # of the height, that the baseline wavers: mostly little
TOUCH = 3  # pixels in common, of digits that only touch; others share up to:
OVERLAP = 0.01  # of the height squared
NEAR = 0.5  # px: what is so near to two digits belongs to both


def draw(digits: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return some of the digits as one piece of ink, and where one of them ends.

    ink: float32 (HEIGHT, w), 0 paper, 1 ink. border: bool (HEIGHT, w), a line down between each
    two. digits: uint8 (n, 28, 28), n > 0, MNIST's.
    """
    masks = _side_by_side(digits, int(rng.choice(COUNTS)), rng)
    scale = HEIGHT / masks.shape[1]
    size = max(1, round(masks.shape[2] * scale)), HEIGHT
    page = np.asarray(masks.any(axis=0), np.float32)
    ink = cv2.resize(page, size, interpolation=cv2.INTER_AREA)
    away = np.array(
        [
            cv2.resize(cv2.distanceTransform((~one).astype(np.uint8), cv2.DIST_L2, 5), size)
            for one in masks
        ]
    )
    nearest = away.argmin(axis=0)
    border = np.zeros(ink.shape, bool)
    differ = nearest[:, 1:] != nearest[:, :-1]
    border[:, 1:] |= differ
    border[:, :-1] |= differ
    if len(masks) > 1:
        border |= np.partition(away, 1, axis=0)[1] * scale < NEAR
    return ink, border


def _side_by_side(digits: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Return so many digits, each touching the last one: bool (count, h, w)."""
    high = int(rng.integers(*HIGH))
    pen = int(rng.integers(-PEN, PEN + 1))
    drawn = [_mask(digits[i], high, pen, rng) for i in rng.integers(len(digits), size=count)]
    waver = int(rng.choice(WAVER) * rng.random() * high)
    tall = max(map(len, drawn)) + waver
    masks = np.zeros((count, tall, sum(one.shape[1] for one in drawn)), bool)
    page = np.zeros(masks.shape[1:], bool)
    left = right = 0
    for mask, one in zip(masks, drawn, strict=True):
        height, width = one.shape
        top = tall - height - int(rng.integers(waver + 1))
        shared = TOUCH if rng.random() < 0.5 else int(rng.integers(1, int(2 + OVERLAP * high**2)))
        # The first third of the last digit stays free of the next, or it would be covered.
        for place in range(right, left + (right - left) // 3, -1):
            under = page[top : top + height, place : place + width]
            if (under & one).sum() >= shared:
                break
        else:
            place = right
        left, right = place, place + width
        mask[top : top + height, left:right] = one
        page |= mask
    rows, columns = np.flatnonzero(page.any(axis=1)), np.flatnonzero(page.any(axis=0))
    return masks[:, rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _mask(digit: np.ndarray, high: int, pen: int, rng: np.random.Generator) -> np.ndarray:
    """Return a digit, uint8 (28, 28), as another hand may write it: bool (h, w), about as high.

    pen: px, by which the strokes are thicker, or thinner where that does not break them.
    """
    left, top, width, height = cv2.boundingRect(digit)
    scale = high / max(width, height) * rng.uniform(1 - UNEVEN, 1 + UNEVEN)
    angle = rng.uniform(-TURN, TURN)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    bend = np.array([[rng.uniform(*STRETCH), rng.uniform(-SHEAR, SHEAR)], [0, 1]])
    form = scale * turn @ bend
    side = 3 * high
    shift = side / 2 - form @ (left + width / 2, top + height / 2)
    big = cv2.warpAffine(digit, np.column_stack([form, shift]), (side, side), flags=cv2.INTER_CUBIC)
    big = cv2.GaussianBlur(big, (0, 0), max(0.3, 0.25 * scale))
    mask: np.ndarray = (big > rng.uniform(*LEVEL)).astype(np.uint8)
    if rng.random() < STRUCK:
        _strike(mask, rng)
    round_pen = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * abs(pen) + 1,) * 2)
    if pen > 0:
        mask = cv2.dilate(mask, round_pen)
    elif cv2.connectedComponents(thin := cv2.erode(mask, round_pen))[0] == 2:  # paper and digit
        mask = thin
    left, top, width, height = cv2.boundingRect(mask)
    return mask[top : top + height, left : left + width] > 0


def _strike(mask: np.ndarray, rng: np.random.Generator) -> None:
    """Draw a stroke across the digit onto its mask, uint8 (h, w), ink not 0."""
    left, top, width, height = cv2.boundingRect(mask)
    place = (left, top) + np.array([width, height]) * rng.uniform(0.35, 0.65, 2)
    angle = rng.uniform(0, np.pi)
    across = np.array([np.cos(angle), np.sin(angle)])
    reach = height / 2 * rng.uniform(0.4, 1.2, 2)
    pen = stroke_width(mask > 0) * rng.uniform(0.7, 1.1)
    write(mask, [place - reach[0] * across, place, place + reach[1] * across], pen, rng)
