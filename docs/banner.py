"""Draw the banner of the page: ten held-out digits in a row on squared paper.

    python docs/banner.py [FILE]

FILE (default: num.png) gets it. Of each digit the row nearest to the average of its kind is taken,
without specks, and enlarged so that its edge becomes a smooth line of ink. The orange one is the
correction that a page like this one learns from. Takes seconds.
"""

from __future__ import annotations

import io
import sys
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw

from digits import durable
from digits.rows import TRAIN, is_held_out, read_rows

ROOT = Path(__file__).resolve().parents[1]

PAPER, LINES, INK, ACCENT = "#f4efe6", "#e8dfd0", "#1f2430", "#c2410c"
WIDTH, HEIGHT, MARGIN, SQUARE, CORNER = 1600, 400, 104, 40, 28  # px
CORRECTED = 7


def main() -> None:
    """Write the banner to the file named on the command line."""
    digits, labels = read_rows(ROOT / TRAIN)
    held = is_held_out(digits)
    ten = [typical(digits[held & (labels == digit)]) for digit in range(10)]
    buffer = io.BytesIO()
    banner(ten).save(buffer, "PNG", optimize=True)
    durable.write(Path(sys.argv[1]) if sys.argv[1:] else ROOT / "num.png", buffer.getvalue())


def typical(digits: np.ndarray) -> np.ndarray:
    """Return the digit nearest to the mean of digits, uint8 (n, 28, 28), of those in one piece."""
    soft = np.array([cv2.GaussianBlur(digit, (0, 0), 1.5) for digit in digits], np.float32)
    away = ((soft - soft.mean(axis=0)) ** 2).sum(axis=(1, 2))
    pieces = [cv2.connectedComponents(digit)[0] for digit in digits]
    return digits[np.lexsort((away, pieces))[0]]


def brush(digit: np.ndarray, zoom: int = 18) -> Image.Image:
    """Return the digit's ink in `zoom` times its size, with a smooth edge: an "L" picture."""
    wide = np.pad(digit, 4).astype(np.float32) / 255
    large = cv2.resize(wide, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_CUBIC)
    large = cv2.GaussianBlur(large, (0, 0), 0.62 * zoom)
    edge = np.clip((large - 0.5) * zoom * 0.45 + 0.5, 0, 1)
    left, top, width, height = cv2.boundingRect((edge > 0).astype(np.uint8))
    return Image.fromarray((edge[top : top + height, left : left + width] * 255).astype(np.uint8))


def banner(digits: list[np.ndarray]) -> Image.Image:
    """Return the ten digits in a row on squared paper with round corners: an "RGBA" picture."""
    size = (2 * WIDTH, 2 * HEIGHT)  # drawn twice as large, shrunk at the end: smooth corners
    paper, shape = Image.new("RGB", size, PAPER), Image.new("L", size)
    lines = ImageDraw.Draw(paper)
    for x in range(SQUARE, 2 * size[0], 2 * SQUARE):
        lines.line([(x, 0), (x, size[1])], LINES, 2)
        lines.line([(0, x), (size[0], x)], LINES, 2)
    strokes = [brush(digit) for digit in digits]
    free = size[0] - 4 * MARGIN - sum(stroke.width for stroke in strokes)
    left = 2.0 * MARGIN
    for digit, stroke in enumerate(strokes):
        color = ACCENT if digit == CORRECTED else INK
        paper.paste(color, (round(left), (size[1] - stroke.height) // 2), stroke)
        left += stroke.width + free / 9
    right, bottom = size[0] - 1, size[1] - 1
    ImageDraw.Draw(shape).rounded_rectangle((0, 0, right, bottom), 2 * CORNER, fill=255)
    paper.putalpha(shape)
    return paper.resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS)


if __name__ == "__main__":
    main()
