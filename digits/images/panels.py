"""Pictures in the picture: the canvas of a screenshot, a box of a form, a sheet on a table."""

from __future__ import annotations

import cv2
import numpy as np

EDGE = 25  # levels; a sheet is that much brighter than the table along its edge
SAME = 5  # px between the corners of two outlines of one sheet: it is looked into once


def sheets(rgb: np.ndarray) -> list[np.ndarray]:
    """Return the corners, float32 (4, 2) each, of what may be a sheet in a photo.

    A white sheet is the brightest in its weakest channel, a coloured one in its strongest.
    rgb: uint8 (h, w, 3).
    """
    masks = [mask for light in (rgb.min(axis=2), rgb.max(axis=2)) for mask in _sheets(light)]
    found: list[np.ndarray] = []
    for corners in (corners for mask in masks for corners in panels(mask)):
        if not any(np.abs(corners - other).max() < SAME for other in found):
            found.append(corners)
    return found


def _sheets(light: np.ndarray) -> list[np.ndarray]:
    """Return masks, uint8 (h, w), 0 or 1, of what is bright, if it may be a sheet on a table.

    A darker table's edge runs around it. Where half of the sheet is in shade, that is nearer to the
    table than to the other half, and told from it in a second step. light: uint8 (h, w).
    """
    light = cv2.medianBlur(light, 5)
    level, _ = cv2.threshold(light, 0, 1, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    dark = light[light <= level]
    lower, _ = cv2.threshold(dark, 0, 1, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    masks = [_opened(light > above) for above in (lower, level)]
    return [mask for mask in masks if _is_edged(mask, light)]


def _opened(mask: np.ndarray) -> np.ndarray:
    """Return a mask, uint8 (h, w), 0 or 1, without what is thin in it."""
    return cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_OPEN, np.ones((5, 5), np.uint8))


def _is_edged(mask: np.ndarray, light: np.ndarray) -> bool:
    """Return whether a sheet's mask, uint8 (h, w), is that much brighter than what is around it."""
    ring = np.ones((9, 9), np.uint8)
    beside = cv2.dilate(mask, ring) > mask
    within = mask > cv2.erode(mask, ring)
    return bool(beside.any() and np.median(light[within]) - np.median(light[beside]) >= EDGE)


def panels(mask: np.ndarray, upright: bool = False) -> list[np.ndarray]:
    """Return the corners of the largest four-cornered outline in a mask, or an empty list.

    Corners are float32 (4, 2), clockwise from the upper left one, in px.
    mask: bool or uint8 (h, w). upright: whether the outline's sides run as the picture's do.
    """
    frame = (mask.shape[0] - 1) * (mask.shape[1] - 1)  # corners are the middles of pixels
    outlines, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
    for outline in sorted(outlines, key=cv2.contourArea, reverse=True)[:4]:
        corners = _upright_corners(outline) if upright else _corners(outline)
        sides = np.hypot(*(corners - np.roll(corners, 1, axis=0)).T)
        if len(corners) != 4 or sides.min() < 0.25 * min(mask.shape):
            continue
        area = cv2.contourArea(corners)
        # No piece may be missing: a thick 1 or 8 would be a panel, with the gaps in it for ink.
        if 0.93 < cv2.contourArea(outline) / area < 1.07 and area < 0.98 * frame:
            first = int(corners.sum(axis=1).argmin())
            return [np.roll(corners, -first, axis=0).astype(np.float32)]
    return []


def _corners(outline: np.ndarray) -> np.ndarray:
    """Return the corners, int32 (n, 2), of an outline's hull, int32 (m, 1, 2)."""
    hull = cv2.convexHull(outline)
    return cv2.approxPolyDP(hull, 0.03 * cv2.arcLength(hull, True), True)[:, 0]


def _upright_corners(outline: np.ndarray) -> np.ndarray:
    """Return the corners, int32 (4, 2), of an outline's bounding box, int32 (m, 1, 2)."""
    left, top, width, height = cv2.boundingRect(outline)
    right, bottom = left + width - 1, top + height - 1
    return np.array([(left, top), (right, top), (right, bottom), (left, bottom)], np.int32)


def cut_out(
    rgb: np.ndarray, corners: np.ndarray, scale: float, rim: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return (what lies within the corners as an upright rectangle, view).

    The rectangle is uint8 (h, w, 3). view: float (3, 3), the homography that takes px of rgb to px
    of it. rgb: uint8 (h, w, 3). corners, float32 (4, 2), and the rim to leave out are given in px
    of the picture at that scale.
    """
    width, height = (
        int(np.hypot(*(corners[a] + corners[b] - corners[0] - corners[c])) / 2)
        for a, b, c in ((1, 2, 3), (2, 3, 1))
    )
    upright = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    view = cv2.getPerspectiveTransform((corners + 0.5) / scale, (upright - rim) / scale)
    size = [max(1, round((side - 2 * rim) / scale)) for side in (width, height)]
    return cv2.warpPerspective(rgb, view, size), view
