"""MNIST: its own form of a digit, in which every network here is given it, and its files.

uint8 (28, 28), 0 paper, 255 ink; the ink's box fitted to 20 x 20 px with its aspect kept, its
centre of mass in the middle (LeCun et al. 1998, "Gradient-based learning applied to document
recognition").
"""

from __future__ import annotations

import gzip
from pathlib import Path

import cv2
import numpy as np

CLASSES = 10
SIDE = 28  # px, MNIST's picture
BOX_SIDE = 20  # px, MNIST's box for the ink
THIN = 2.3  # px in the box; MNIST's strokes measure 2 to 4

NO_INK = "No ink was found; please send a picture with one digit, well lit."


class ImageError(ValueError):
    """No digit can be made of it; the message is one sentence for the page."""


def read_mnist(folder: Path, part: str) -> tuple[np.ndarray, np.ndarray]:
    """Return MNIST's digits, uint8 (n, 28, 28), and their labels, int64 (n,).

    folder: of its files, packed by gzip or not. part: `train` or `t10k`. Raises FileNotFoundError,
    which names the file, when one is missing.
    """
    names = f"{part}-images-idx3-ubyte", f"{part}-labels-idx1-ubyte"
    digits, labels = (_read_idx(folder / name) for name in names)
    return digits, labels.astype(np.int64)


def _read_idx(path: Path) -> np.ndarray:
    """Return the array in one of MNIST's files: uint8 of any shape."""
    packed = path.with_name(f"{path.name}.gz")
    if not (path.is_file() or packed.is_file()):
        raise FileNotFoundError(f"{packed} is missing; it is one of the four files of MNIST.")
    data = path.read_bytes() if path.is_file() else gzip.decompress(packed.read_bytes())
    start = 4 + 4 * data[3]  # the fourth byte is the number of axes; their lengths follow
    return np.frombuffer(data, np.uint8, offset=start).reshape(np.frombuffer(data[4:start], ">u4"))


def is_normal(gray: np.ndarray) -> bool:
    """Return whether uint8 (28, 28) is in MNIST's form already: bright ink, 20 px box, centred."""
    left, top, width, height = cv2.boundingRect(gray)
    margin = min(left, top, SIDE - left - width, SIDE - top - height)
    if max(width, height) != BOX_SIDE or margin < 1:
        return False
    moments = cv2.moments(gray)
    centre = np.array([moments["m10"], moments["m01"]]) / moments["m00"]
    return bool(np.abs(centre - (SIDE - 1) / 2).max() < 1.5)


def normalise(ink: np.ndarray) -> np.ndarray:
    """Return the ink in MNIST's form, uint8 (28, 28).

    ink: uint8 (h, w), 0 paper, 255 ink, of one digit. Raises ImageError when there is none.
    """
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    if not len(rows):
        raise ImageError(NO_INK)
    ink = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    missing = THIN * max(ink.shape) / BOX_SIDE - stroke_width(ink > 127)
    if missing > 0:
        pen = 2 * round(missing / 2 + 0.5) + 1
        ink = np.pad(ink, pen // 2)
        ink = cv2.dilate(ink, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (pen, pen)))
    scale = BOX_SIDE / max(ink.shape)
    size = [max(1, round(side * scale)) for side in ink.shape[::-1]]
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    box = cv2.resize(ink, size, interpolation=way)
    moments = cv2.moments(box)
    middle = (SIDE - 1) / 2 + 0.5
    left = round(middle - moments["m10"] / moments["m00"])
    top = round(middle - moments["m01"] / moments["m00"])
    left = min(max(left, 0), SIDE - size[0])
    top = min(max(top, 0), SIDE - size[1])
    digit = np.zeros((SIDE, SIDE), np.uint8)
    digit[top : top + size[1], left : left + size[0]] = box
    return digit


def stroke_width(mask: np.ndarray) -> float:
    """Return the mean width of the strokes in px, 1 where there is none.

    Across a stroke w px wide the distances to its edge are 1, 2, ... (w + 1) / 2, ... 2, 1; their
    mean m is (w + 1)^2 / 4w, here solved for w.
    """
    if not mask.any():
        return 1.0
    padded = cv2.copyMakeBorder(mask.astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT)
    distance = cv2.distanceTransform(padded, cv2.DIST_L2, 5)
    double = 4 * max(1.0, distance[distance > 0].mean()) - 2
    return (double + np.sqrt(double**2 - 4)) / 2
