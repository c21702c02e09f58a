"""A pen: a stroke drawn as a hand draws it, for digits in styles that MNIST lacks."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import ArrayLike

POINTS = 12  # of a stroke's curve between two of its corners
TAPER = 0.4  # of the pen's width that a stroke may lose towards its end


def write(ink: np.ndarray, stroke: ArrayLike, pen: float, rng: np.random.Generator) -> None:
    """Draw a stroke onto the ink, as a pen does that grows lighter and is never quite even.

    stroke: points (x, y) in px of the ink, float (k, 2), k > 1, joined by a smooth curve; a point
    given twice is a corner. pen: width in px.
    """
    places = _curve(np.asarray(stroke, float))
    lighter = 1 - rng.uniform(0, TAPER) * np.linspace(0, 1, len(places)) ** 2
    uneven = 1 + 0.08 * np.sin(np.linspace(0, rng.uniform(3, 9), len(places)) + rng.uniform(0, 6))
    radii = np.rint(8 * pen / 2 * lighter * uneven).astype(int)  # 8: an eighth of a px
    for place, radius in zip(np.rint(8 * places).astype(int), radii, strict=True):
        cv2.circle(ink, place.tolist(), int(radius), 255, -1, cv2.LINE_AA, 3)


def _curve(points: np.ndarray) -> np.ndarray:
    """Return points of the Catmull-Rom curve through the given ones, float (m, 2).

    Catmull and Rom 1974: through each point in the direction of its neighbours.
    """
    ends = np.concatenate([2 * points[:1] - points[1:2], points, 2 * points[-1:] - points[-2:-1]])
    before, start, end, after = ends[:-3], ends[1:-2], ends[2:-1], ends[3:]
    t = np.linspace(0, 1, POINTS)[:, None, None]
    bend = (2 * before - 5 * start + 4 * end - after) * t**2
    bend = bend + (3 * start - before - 3 * end + after) * t**3
    curve = start + ((end - before) * t + bend) / 2
    return curve.swapaxes(0, 1).reshape(-1, 2)
