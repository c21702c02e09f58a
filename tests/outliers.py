"""Things that are no digit, to see whether the network knows it.

strange = letters(100, np.random.default_rng(0))    # uint8 (100, 28, 28), in MNIST's form
pages = marks("smileys", 100, np.random.default_rng(0))    # PIL images, as a reader gets them

Letters and scribbles are unlike all that the network learned doubt on; the marks are like some of
it, drawn otherwise (`digits.model.outliers`).
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


def marks(kind: str, n: int, rng: np.random.Generator) -> list[Image.Image]:
    """Return n pictures of one of `MARKS`, some of which a reader refuses."""
    pages = [np.full((SIDE, SIDE), 255, np.uint8) for _ in range(n)]
    for page in pages:
        MARKS[kind](page, rng)
    return [Image.fromarray(page) for page in pages]


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


def _smiley(page, rng):
    pen, radius = int(rng.integers(3, 10)), int(rng.integers(35, 70))
    middle = np.array([80, 80]) + rng.integers(-8, 9, 2)
    cv2.circle(page, middle.tolist(), radius, 0, pen, cv2.LINE_AA)
    for side in (-1, 1):
        eye = middle + np.array([side * radius * 0.38, -radius * 0.3])
        axes = max(2, radius // 12), max(3, radius // 7)
        cv2.ellipse(page, np.rint(eye).astype(int).tolist(), axes, 0, 0, 360, 0, -1, cv2.LINE_AA)
    mouth = round(radius * 0.55), round(radius * 0.45)
    cv2.ellipse(page, middle.tolist(), mouth, 0, 20, 160, 0, pen, cv2.LINE_AA)


def _blot(page, rng):
    for _ in range(rng.integers(2, 7)):
        middle, axes = rng.integers(55, 105, 2), rng.integers(8, 32, 2)
        angle = int(rng.integers(180))
        cv2.ellipse(page, middle.tolist(), axes.tolist(), angle, 0, 360, 0, -1, cv2.LINE_AA)


def _gradient(page, rng):
    row, column = np.mgrid[:SIDE, :SIDE] / SIDE
    angle = rng.uniform(0, 2 * np.pi)
    slope = np.cos(angle) * row + np.sin(angle) * column
    dark, light = rng.uniform(0, 120), rng.uniform(160, 255)
    page[:] = np.interp(slope, (slope.min(), slope.max()), (dark, light))


def _arrow(page, rng):
    angle, pen = rng.uniform(0, 2 * np.pi), int(rng.integers(4, 12))
    half = rng.uniform(35, 60) * np.array([np.cos(angle), np.sin(angle)])
    start, end = (np.rint(80 + sign * half).astype(int).tolist() for sign in (-1, 1))
    cv2.arrowedLine(page, start, end, 0, pen, cv2.LINE_AA, tipLength=rng.uniform(0.25, 0.5))


def _sign(page, rng):
    sign, font = rng.choice(["+", "-", "x", "="]), FONTS[rng.integers(2)]
    cv2.putText(page, str(sign), (45, 115), font, 3, 0, int(rng.integers(4, 14)), cv2.LINE_AA)


MARKS = {
    "smileys": _smiley,
    "blots": _blot,
    "gradients": _gradient,
    "arrows": _arrow,
    "signs (+ - x =)": _sign,
}
