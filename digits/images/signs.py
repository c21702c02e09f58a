"""Signs among digits: a plus, a times, a minus and dots, told by their form.

The network has never seen them and is not always unsure: a small × looks like an 8 to it.
"""

from __future__ import annotations

import cv2
import numpy as np

from digits.images.pieces import Piece

FLAT_ASPECT = 2.2  # width over height of a bar: a minus, an underline, a fraction's line
CROSS_SIDE = 21  # px, to which a piece is reduced, its aspect lost: a narrow x is one, too
NARROW = 0.55  # width over height, or the reverse, that a cross has at least
LOPSIDED = 0.25  # first harmonic; of a 1 on a foot, three arms, it is 0.33
UNEVEN = 0.5  # second harmonic; of a single stroke it is 1


def is_bar(piece: Piece) -> bool:
    """Return whether the piece lies rather than stands, as no digit does."""
    return piece.width > FLAT_ASPECT * piece.height


def crossness(piece: Piece) -> float:
    """Return how much the piece is a + or a ×, 0 to 1: four arms at right angles from one middle.

    Seen from the middle, the directions in which ink lies have a strong fourth harmonic, since
    they repeat every 90 degrees, and weak first and second ones, since no arm outweighs the one
    across, nor two the other two.
    """
    if not NARROW < piece.width / piece.height < 1 / NARROW:
        return 0.0
    size = CROSS_SIDE, CROSS_SIDE
    small = cv2.resize(piece.mask.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    y, x = (2 * axis / (CROSS_SIDE - 1) - 1 for axis in np.nonzero(small > 0.4))
    middles = np.mgrid[-0.4:0.41:0.1, -0.4:0.41:0.1].reshape(2, -1, 1)
    away = x - middles[1] + 1j * (y - middles[0])
    far = np.abs(away)
    arms = far > 0.6
    turn = away / np.maximum(far, 1e-6) * arms
    count = np.maximum(arms.sum(axis=1), 1)
    first, second, fourth = (abs((turn**n).sum(axis=1)) / count for n in (1, 2, 4))
    even = (first < LOPSIDED) & (second < UNEVEN)
    return float(fourth[even].max(initial=0))
