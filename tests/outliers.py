"""Things that are no digit: letters and scribbles, to see whether the network knows it.

strange = letters(100, np.random.default_rng(0))    # uint8 (100, 28, 28), in MNIST's form
"""

from __future__ import annotations

import cv2
import numpy as np
from PIL import Image

from digits import images

# Letters that no digit resembles: a hand's O, I, l, S, Z, B, b, g, q, D are digits to anyone.
LETTERS = "AEFHKMNPRTUVWXYadefhkmnprtuvwxy"
FONTS = (
    cv2.FONT_HERSHEY_SIMPLEX,
    cv2.FONT_HERSHEY_COMPLEX,
    cv2.FONT_HERSHEY_SCRIPT_SIMPLEX,
    cv2.FONT_HERSHEY_SCRIPT_COMPLEX,
)
SIDE = 160  # px of the page that is drawn on


def letters(n: int, rng: np.random.Generator) -> np.ndarray:
    """Return n letters of several fonts, slants and pens, uint8 (n, 28, 28)."""
    return _drawn(n, rng, _letter)


def scribbles(n: int, rng: np.random.Generator) -> np.ndarray:
    """Return n smooth random strokes, uint8 (n, 28, 28)."""
    return _drawn(n, rng, _scribble)


def _drawn(n, rng, draw):
    found = []
    while len(found) < n:
        page = np.full((SIDE, SIDE), 255, np.uint8)
        draw(page, rng)
        try:
            found.append(images.read_digit(Image.fromarray(page)))
        except images.ImageError:  # refused already: a scribble in two parts, say
            continue
    return np.array(found)


def _letter(page, rng):
    letter = LETTERS[rng.integers(len(LETTERS))]
    font, pen = FONTS[rng.integers(len(FONTS))], int(rng.integers(4, 11))
    cv2.putText(page, letter, (45, 115), font, 3, 0, pen, cv2.LINE_AA)
    slant = np.float32([[1, rng.uniform(-0.3, 0.3), 0], [0, 1, 0]])
    slant[0, 2] = -slant[0, 1] * SIDE / 2
    page[:] = cv2.warpAffine(page, slant, (SIDE, SIDE), borderValue=255)


def _scribble(page, rng):
    corners = rng.uniform(30, SIDE - 30, (int(rng.integers(5, 10)), 1, 2)).astype(np.float32)
    smooth = cv2.resize(corners, (1, 120), interpolation=cv2.INTER_CUBIC)
    points = np.rint(smooth).astype(np.int32).reshape(-1, 1, 2)
    cv2.polylines(page, [points], False, 0, int(rng.integers(5, 10)), cv2.LINE_AA)
