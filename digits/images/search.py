"""Which marks of a picture are the one digit: pixels of any picture -> the digit's ink.

    ink = find_ink(rgb)     # uint8 (h, w): 0 paper, 255 full ink, the digit's surroundings alone

The steps: how far each pixel is from paper (`paper`), the likeliest of the connected parts
(`marks`), the parts that belong to it (`groups`), the same inside sheets and boxes (`panels`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import cv2
import numpy as np

from digits.images.groups import grouped
from digits.images.marks import Candidate, clear_marks, likeliest
from digits.images.panels import cut_out, panels, sheets
from digits.images.paper import (
    ALL,
    InkMap,
    commonest_colour,
    flat_paper,
    hides_ink,
    map_of_drawing,
    maps_of_photo,
    paper_of_crop,
    strongest_channel,
    widest_channel,
)
from digits.mnist import NO_INK, ImageError

WORK_SIDE = 320  # px, long side while searching for the digit
MAX_ROW_ASPECT = 100  # long side to short, of a row of 100 digits
MAX_NESTING = 2  # pictures in the picture that are looked into
CROP_SIDES = 112, 256  # px, least and most of the long side of the digit's surroundings
MAX_ZOOM = 4  # a stroke 2 px wide is cut out, thickened and shrunk more exactly at 8 px
SCREEN = 0.85  # of the frame's sides a photographed screen has, at least
ASKEW = 0.015  # of the long side, by which a screen's sides lean at most
SPANNING, FULL = 0.97, 0.9  # of the frame's sides, and of its own px, has a picture in it at least

SEVERAL = "Several digits stand side by side; please send a picture with one digit alone."


@dataclass
class Found:
    """The digit's marks, found in the picture at a reduced size."""

    rgb: np.ndarray  # uint8 (h, w, 3), the picture, or the panel of it that was looked into
    scale: float  # of the mask against rgb
    main: np.ndarray  # uint8 (h * scale, w * scale), 0 or 1, the digit's likeliest part
    mask: np.ndarray  # the same with all parts of the digit
    stroke: float  # px of the mask, mean width of the strokes
    contrast: float  # mean of the ink map in the mask
    ink_of_crop: Callable[[np.ndarray, float], np.ndarray]  # (rgb crop, stroke in px) -> its ink
    several: bool  # whether another digit stands beside it
    touches: bool  # whether it reaches the frame
    photo: bool  # a photo or scan, whose paper varies with the light; no drawing
    view: np.ndarray  # float (3, 3), the homography that takes px of the picture to px of rgb
    panel: np.ndarray | None  # float32 (4, 2), px of the picture, the panel's corners; None: all


def find_ink(rgb: np.ndarray) -> np.ndarray:
    """Return the ink of the one digit: uint8 (h, w), 0 paper, 255 full ink; its surroundings only.

    rgb: uint8 (h, w, 3). Raises ImageError when there is no ink, or several digits side by side.
    """
    found = search(rgb)
    if found is not None and found.several:
        raise ImageError(SEVERAL)
    ink = None if found is None else refined(found)
    if ink is None:
        raise ImageError(NO_INK)
    return ink


def search(rgb: np.ndarray, depth: int = MAX_NESTING) -> Found | None:
    """Return the digit in the pixels, uint8 (h, w, 3), or None.

    depth: how many panels within panels are looked into.
    """
    if max(rgb.shape) > MAX_ROW_ASPECT * min(rgb.shape[:2]):
        return None
    small, scale = _reduced(rgb)
    paper = flat_paper(small)
    if paper is None and (alone := paper_of_crop(small)) is not None:
        best = likeliest([map_of_drawing(small, alone)])
        return _found(rgb, scale, best) if best else None
    if paper is None:
        maps = maps_of_photo(small, strongest_channel(small))
    else:
        maps = [map_of_drawing(small, paper)]
    best = likeliest(maps)
    found = _found(rgb, scale, best) if best else None
    for corners in _panels_of(small, maps) if depth else ():
        rim = 2 if paper is not None else 2 + max(small.shape) // 80  # blurred, not quite straight
        panel, view = cut_out(rgb, corners, scale, rim)
        inside = search(panel, depth - 1)
        if inside is not None and (paper is not None or _outweighs(inside, found, corners)):
            return replace(inside, view=inside.view @ view, panel=corners / scale)
    return found


def search_whole(rgb: np.ndarray) -> list[Found]:
    """Return the likeliest digit of each kind of ink in a picture, panels aside.

    Of a photo there may be dark and bright ink in either of two channels, or in all; of a drawing,
    on the colour of its border, and on the commonest. rgb: uint8 (h, w, 3).
    """
    small, scale = _reduced(rgb)
    paper = flat_paper(small)
    if paper is None:
        paper = paper_of_crop(small)
    if paper is None:
        channels = {strongest_channel(small), widest_channel(small)}
        further = {ALL} if hides_ink(small) else set()
        maps = [maps_of_photo(small, channel) for channel in sorted(channels | further)]
        kinds = [some[kind::2] for some in maps for kind in (0, 1)]
    else:
        papers = np.unique([paper, commonest_colour(small)], axis=0)  # a frame's may hide it
        kinds = [[map_of_drawing(small, one)] for one in papers]
    return [_found(rgb, scale, best) for kind in kinds if (best := likeliest(kind))]


def _reduced(rgb: np.ndarray) -> tuple[np.ndarray, float]:
    """Return the picture, uint8 (h, w, 3), as small as it is searched, and its scale."""
    scale = min(1.0, WORK_SIDE / max(rgb.shape))
    return cv2.resize(rgb, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), scale


def _panels_of(rgb: np.ndarray, maps: list[InkMap]) -> list[np.ndarray]:
    """Return the corners, float32 (4, 2) in px, of each panel in uint8 (h, w, 3) with those maps.

    A drawing has one map. In a photo the frame of a panel has thin lines, which the first pair of
    maps, of dark and of bright ink, shows best.
    """
    if len(maps) == 1:
        marks = (maps[0].ink > 0).astype(np.uint8)
        others = [corners for corners in panels(marks) if _is_picture(corners, marks)]
        return panels(marks, upright=True) or others
    frames = [clear_marks(one.ink) for one in maps[:2]]
    return sheets(rgb) + [
        corners for mask in frames if mask is not None for corners in panels(mask)
    ]


def _is_picture(corners: np.ndarray, marks: np.ndarray) -> bool:
    """Return whether a panel is a picture: a photographed screen, or turned in an editor.

    It has no paper within, as a digit of that outline has, and reaches all sides of the frame; a
    screen nearly does, and stands upright, but for what a camera or a JPEG left along its edge.
    corners: float32 (4, 2). marks: uint8 (h, w), 0 or 1.
    """
    panel = np.zeros_like(marks)
    cv2.fillConvexPoly(panel, corners.astype(np.int32), 1)
    span = (np.ptp(corners, axis=0) / (marks.shape[1] - 1, marks.shape[0] - 1)).min()
    lean = np.abs(corners - np.roll(corners, 1, axis=0)).min(axis=1).max() / max(marks.shape)
    spans = span > SPANNING or (span > SCREEN and lean < ASKEW)
    return bool(spans and marks[panel > 0].mean() > FULL)


def _found(rgb: np.ndarray, scale: float, best: Candidate) -> Found:
    """Return the digit of which the candidate is the likeliest part.

    rgb: uint8 (h, w, 3), of which the candidate's map shows the reduction to that scale.
    """
    parts, part = best.parts, best.part
    main = (parts.labels == part).astype(np.uint8)
    mask, several = grouped(best)
    return Found(
        rgb=rgb,
        scale=scale,
        main=main,
        mask=mask,
        stroke=best.stroke,
        contrast=parts.mean[part],
        ink_of_crop=best.map.of_crop,
        several=several,
        touches=bool(parts.touches[part]),
        photo=best.map.plane is not None,
        view=np.eye(3),
        panel=None,
    )


def _outweighs(inside: Found, found: Found | None, corners: np.ndarray) -> bool:
    """Return whether the digit inside the panel of a photo is meant, not that of all the photo.

    The half of a digit that a shadow's edge cuts off touches the panel's frame, or the digit lies
    across that edge; and the grain of an empty panel is faint. corners: float32 (4, 2), the
    panel's, in px of the mask of what was found in all the photo.
    """
    if inside.touches:
        return False
    if found is None:
        return True
    main = found.main
    panel = np.zeros_like(main)
    cv2.fillConvexPoly(panel, corners.astype(np.int32), 1)
    left, top, width, height = cv2.boundingRect(main)
    if panel[top : top + height, left : left + width].sum() > 0.9 * panel.sum():
        # What was found is the panel's frame, or all of the panel, or the table around it; or else
        # the panel is but the outline of a digit, whose strokes fill it in part.
        core = cv2.erode(panel, np.ones([1 + max(panel.shape) // 20] * 2, np.uint8))
        return not 0.02 < (main & core).sum() / max(1, core.sum()) < 0.9
    if found.touches and inside.contrast > 2 * found.contrast:
        return True  # a table's grain that goes on along the sheet's edge
    within = (main & panel).sum() / main.sum()
    return not 0.03 < within < 0.97 and inside.contrast > 0.3 * found.contrast


def refined(found: Found) -> np.ndarray | None:
    """Return the ink of the marks, at the full resolution of the picture: uint8 (h, w), or None."""
    left, top, width, height = cv2.boundingRect(found.mask)
    margin = round(0.15 * max(width, height) + 2 * found.stroke)
    left, right = max(0, left - margin), min(found.mask.shape[1], left + width + margin)
    top, bottom = max(0, top - margin), min(found.mask.shape[0], top + height + margin)
    mask = found.mask[top:bottom, left:right]
    top, bottom, left, right = (round(edge / found.scale) for edge in (top, bottom, left, right))
    crop = _zoomed(found.rgb[top:bottom, left:right])
    stroke = found.stroke * max(crop.shape) / max(mask.shape)
    ink = found.ink_of_crop(crop, stroke)
    mask = cv2.resize(mask, crop.shape[1::-1], interpolation=cv2.INTER_NEAREST)
    reach = 2 * round(0.25 * stroke + 1) + 1
    near = cv2.dilate(mask, np.ones((reach, reach), np.uint8))
    marks = clear_marks(ink * near)
    if marks is None:
        return None
    peak = np.percentile(ink[marks > 0], 75)
    soft = cv2.dilate(marks, np.ones((3, 3), np.uint8))
    return cv2.convertScaleAbs(ink * soft, alpha=255 / peak)


def _zoomed(crop: np.ndarray) -> np.ndarray:
    """Return the crop, uint8 (h, w, 3), at a size that is exact enough and quick."""
    least, most = (side / max(crop.shape) for side in CROP_SIDES)
    zoom = min(max(1.0, min(least, MAX_ZOOM)), most)
    method = cv2.INTER_AREA if zoom < 1 else cv2.INTER_CUBIC
    return cv2.resize(crop, None, fx=zoom, fy=zoom, interpolation=method)
