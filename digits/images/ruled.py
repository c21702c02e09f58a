"""Ruled lines: long, thin, straight marks that reach the picture's frame."""

from __future__ import annotations

import cv2
import numpy as np

RULED_SIDE = 100  # px; a smaller picture shows a digit alone, no ruled paper around it
STEM = 20  # times as long as thick is the paper along a ruled line; a 1 that was cut close is not
SLOPES = 4  # of ruled lines in one direction: one, in perspective several


def ruled_lines(marks: np.ndarray) -> np.ndarray:
    """Return where ruled lines are: bool (h, w).

    Where a stroke crosses a line it stays: across the line it is longer than the line is thick.
    Lines alone in a picture are the digit: a 1, or a dash. marks: uint8 (h, w), 0 or 1.
    """
    ruled = np.zeros(marks.shape, bool)
    side = max(marks.shape)
    if side < RULED_SIDE:
        return ruled
    thick = max(3, side // 40)  # px, thicker marks are no ruled lines
    fat = cv2.morphologyEx(marks, cv2.MORPH_OPEN, np.ones((thick, thick), np.uint8))
    thin = cv2.subtract(marks, fat)
    found = cv2.HoughLinesP(thin, 1, np.pi / 180, side // 10, None, side // 8, side // 25)
    if found is None:
        return ruled
    segments = found.reshape(-1, 4)
    x, y = (segments[:, 2:] - segments[:, :2]).T
    turned = np.ascontiguousarray(marks.T)
    for view, out, along, across in ((marks, ruled, x, y), (turned, ruled.T, y, x)):
        for slope in _main_slopes(along, across):
            out[_lines_along(view, slope, thick)] = True
    left = cv2.boundingRect(marks * ~ruled)[2:]
    return ruled if max(left) > 0.1 * side else np.zeros_like(ruled)


def _main_slopes(along: np.ndarray, across: np.ndarray) -> list[float]:
    """Return the slopes, at most four, of most of the segments that run rather along than across.

    along, across: int (n,), how far each segment goes either way, in px.
    """
    flat = np.abs(along) > 3 * np.abs(across)
    steps = np.rint(across[flat] / along[flat] * 20).astype(int) + 7
    length = np.bincount(steps, np.abs(along[flat]), 15)
    return [(step - 7) / 20 for step in np.argsort(-length)[:SLOPES] if length[step]]


def _lines_along(marks: np.ndarray, slope: float, thick: int) -> np.ndarray:
    """Return where lines of that slope are, without the strokes that cross them: bool (h, w).

    marks: uint8 (h, w), 0 or 1. slope: dy / dx. thick: px, the most that a line is.
    """
    lines = _lines_to_frame(marks, slope, thick)
    if lines is None:
        return np.zeros(marks.shape, bool)
    runs = np.diff(lines, axis=0, prepend=np.uint8(0)) == 1
    thickness = lines.sum() / max(1, runs.sum())
    across = np.ones((round(thickness * 1.5) + 2, 1), np.uint8)
    strokes = cv2.morphologyEx(marks, cv2.MORPH_OPEN, across)
    near = cv2.dilate(lines, np.ones((5, 1), np.uint8))
    return near > strokes


def _lines_to_frame(mask: np.ndarray, slope: float, thick: int) -> np.ndarray | None:
    """Return the runs along the slope that reach the left or right edge: uint8 (h, w), or None.

    They are a quarter of the mask's width long or longer and no more than `thick` px thick, nor
    than a part of the width: cut close around digits, a strip has stems as long as it is wide.
    mask: uint8 (h, w), 0 or 1. slope: dy / dx.
    """
    height, width = mask.shape
    shear = np.array([[1, 0, 0], [-slope, 1, slope * width / 2]], np.float32)
    level = cv2.warpAffine(mask, shear, (width, height), flags=cv2.INTER_NEAREST)
    level = cv2.dilate(level, np.ones((3, 5), np.uint8))  # over gaps, and steps of a slanted line
    level = cv2.morphologyEx(level, cv2.MORPH_OPEN, np.ones((1, width // 4), np.uint8))
    if not level.any():
        return None
    back = shear * [[1, 0, 0], [-1, 1, -1]]
    level = cv2.warpAffine(level, back, (width, height), flags=cv2.INTER_NEAREST) & mask
    _, labels, stats, _ = cv2.connectedComponentsWithStats(level)
    most = min(thick, max(3, width // STEM))
    thin = stats[:, cv2.CC_STAT_AREA] < most * stats[:, cv2.CC_STAT_WIDTH]
    reaches = (stats[:, 0] <= 2) | (stats[:, 0] + stats[:, 2] >= width - 2)
    ruled = thin & reaches & (stats[:, 2] > width // 8)
    ruled[0] = False
    return ruled[labels].astype(np.uint8) if ruled.any() else None
