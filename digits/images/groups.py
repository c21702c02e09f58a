"""Which parts belong to the one digit: a candidate -> the mask of the digit, and its neighbours."""

from __future__ import annotations

import cv2
import numpy as np

from digits.images.marks import Candidate, Parts


def grouped(best: Candidate) -> tuple[np.ndarray, bool]:
    """Return (mask, several) of the digit whose likeliest part is given.

    mask: uint8 (h, w), 0 or 1, the part with those that belong to it. several: whether another
    digit stands beside it.
    """
    parts, main = best.parts, best.part
    group = parts.labels == main
    # What the frame cuts, away from a digit that it does not cut, is a table or another digit.
    rest = [
        part
        for part in np.argsort(-parts.area)[:40]
        if part not in (0, main)
        and parts.mean[part] >= 0.5 * parts.mean[main]
        and parts.area[part] >= 0.5 * best.stroke**2
        and not parts.at_edge[part]
        and (parts.touches[main] or not parts.touches[part] or parts.area[part] > parts.area[main])
    ]
    several = any(_are_two_digits(parts, main, part) for part in rest)
    # Dust may lie beside a digit; a stroke of some size may stand further off, as a 5's bar does.
    reach = parts.long[main] * np.where(parts.area > 0.2 * parts.area[main], 0.5, 0.25)
    grown = True
    while grown and rest:
        away = cv2.distanceTransform((~group).astype(np.uint8), cv2.DIST_L2, 3)
        joined = [part for part in rest if away[parts.labels == part].min() <= reach[part]]
        for part in joined:
            group |= parts.labels == part
        rest = [part for part in rest if part not in joined]
        grown = bool(joined)
    return group.astype(np.uint8), several


def _are_two_digits(parts: Parts, one: int, other: int) -> bool:
    """Return whether two parts are alike in size and stand side by side, paper between them."""
    (x0, y0, w0, h0), (x1, y1, w1, h1) = parts.boxes[[one, other]].tolist()
    tall = max(h0, h1)
    between = max(x0, x1) - min(x0 + w0, x1 + w1)
    shared = min(y0 + h0, y1 + h1) - max(y0, y1)
    alike = all(
        min(of[[one, other]]) > 0.6 * max(of[[one, other]]) for of in (parts.mean, parts.area**0.5)
    )
    return alike and min(h0, h1) > 0.6 * tall and between > 0.2 * tall and shared > 0.5 * tall
