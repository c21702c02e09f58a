"""Which of an ink map's marks are likely a digit's: ink map -> connected parts, the likeliest."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np

from digits.images.paper import InkMap
from digits.images.ruled import ruled_lines
from digits.mnist import stroke_width

FAINT = 20  # of 255 beyond the noise; less is the grain of empty paper, pencil has 30 and more
# Share of a part's ink by which it rises within one px where it rises most. A picture that grows
# darker to one side has 0.04 to 0.09 (n = 60); of 128 real pictures none has less than 0.18.
SHARP = 0.15


@dataclass
class Candidate:
    """One part of a map's marks that may be the digit, or its largest piece."""

    score: float  # likelihood in no unit, more than 0
    map: InkMap
    parts: Parts
    part: int
    stroke: float  # px, mean width of the strokes


class Parts:
    """The connected parts of a mask and what is known of them, part 0 being the paper.

    Every attribute but `labels`, int32 (h, w), has one entry a part: boxes int32 (n, 4), left, top,
    width and height; area and long side in px; mean ink, 0 to 255; the likelihood of being the
    digit, in no unit; whether the part touches the frame, and whether it lies along it.
    """

    def __init__(self, ink: np.ndarray, marks: np.ndarray, photo: bool) -> None:
        count, self.labels, stats, _ = cv2.connectedComponentsWithStats(marks)
        self.boxes = stats[:, :4]
        self.area = stats[:, cv2.CC_STAT_AREA]
        marked = np.flatnonzero(marks)
        levels = np.bincount(self.labels.ravel()[marked], ink.ravel()[marked], count)
        self.mean = levels / np.maximum(self.area, 1)  # where all is marked, no paper is left
        self.long = self.boxes[:, 2:].max(axis=1)
        rows, columns = self.labels[[0, -1]], self.labels[:, [0, -1]]
        contact = np.bincount(np.concatenate([rows.ravel(), columns.ravel()]), minlength=count)
        self.touches = contact > 0
        # A table or finger lies along the frame; a digit cut close touches it with its ends and
        # bends. A drawing has no table, so that there even a thick stroke may lie along it.
        self.at_edge = photo & (contact > 0.6 * self.boxes[:, 2:].sum(axis=1))
        self.at_edge[0] = False
        self.likely = self.mean * self.long * np.where(self.at_edge, 0.03, 1)
        self.likely *= np.where(self.touches, 0.6, 1)
        self.likely[0] = 0

    def around(self, part: int) -> tuple[slice, slice]:
        """Return where the part's box and 4 px around it lie."""
        left, top, width, height = self.boxes[part]
        return slice(max(0, top - 4), top + height + 4), slice(max(0, left - 4), left + width + 4)


def clear_marks(ink: np.ndarray) -> np.ndarray | None:
    """Return a mask of what is clearly ink, with its fainter ends; None where nothing is.

    The mask is uint8 (h, w), 0 or 1: hysteresis, its upper threshold being Otsu's among all that
    is not paper. ink: uint8 (h, w), 0 paper.
    """
    level = ink[ink > 0]
    if not len(level) or level.max() < 8:
        return None
    high, _ = cv2.threshold(level, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    count, labels = cv2.connectedComponents((ink > high / 2).astype(np.uint8))
    strong = np.zeros(count, np.uint8)
    strong[labels[ink > high]] = 1
    strong[0] = 0
    return strong[labels]


def likeliest(maps: Iterable[InkMap]) -> Candidate | None:
    """Return the likeliest part among the marks of several maps, None where there are none."""
    found = [best for one in maps if (best := likeliest_part(one))]
    return max(found, key=lambda one: one.score, default=None)


def likeliest_part(one: InkMap) -> Candidate | None:
    """Return the likeliest part among the marks of a map, None where there are none."""
    best: Candidate | None = None
    ink = one.ink
    for _ in range(2):
        marks = clear_marks(ink)
        if marks is None:
            break
        marks[ruled_lines(marks)] = 0
        parts = Parts(ink, marks, one.plane is not None)
        found = _main_part(one, parts)
        if found and (best is None or found.score > best.score):
            best = found
        if not parts.at_edge.any():
            break
        ink = without_edges(ink, parts)
    return best


def without_edges(ink: np.ndarray, parts: Parts) -> np.ndarray:
    """Return the ink, uint8 (h, w), without the parts that lie along the frame.

    A table or a finger there would set the threshold for the rest.
    """
    gone = cv2.dilate(parts.at_edge.astype(np.uint8)[parts.labels], np.ones((5, 5), np.uint8))
    return ink * (1 - gone)


def _main_part(one: InkMap, parts: Parts) -> Candidate | None:
    """Return the likeliest of the parts, None where none is likely at all."""
    best: Candidate | None = None
    for part in np.argsort(-parts.likely)[:6]:
        least = best.score if best else 0.0
        if parts.likely[part] <= least:
            break
        where = parts.around(part)
        mask = (parts.labels[where] == part).astype(np.uint8)
        stroke = stroke_width(mask)
        # Strokes are many widths long; a shadow, a blot or the gap in a loop is one or two.
        length = parts.area[part] / stroke**2
        score = parts.likely[part] * min(1, length / 5) ** 2
        if one.plane is not None:
            if parts.mean[part] < FAINT or _sharpness(one.ink[where], mask) < SHARP:
                continue
            score *= _paper_beside(one, where, mask, parts.mean[part]) ** 2
        if score > least:
            best = Candidate(score, one, parts, int(part), stroke)
    return best


def _sharpness(ink: np.ndarray, mask: np.ndarray) -> float:
    """Return how steeply ink rises along the sharpest of a part's edges, 0 to 1 of its level a px.

    ink: uint8 (h, w). mask: uint8 (h, w), 0 or 1, the part there, not empty.
    """
    within = mask > 0
    near = cv2.dilate(mask, np.ones((3, 3), np.uint8)) > 0
    levels = ink.astype(np.int16)
    down = np.abs(np.diff(levels, axis=0, prepend=levels[:1]))
    across = np.abs(np.diff(levels, axis=1, prepend=levels[:, :1]))
    steep = np.percentile(np.maximum(down, across)[near], 95)
    return float(steep / max(1, np.percentile(ink[within], 95)))


def _paper_beside(
    one: InkMap, where: tuple[slice, slice], mask: np.ndarray, contrast: float
) -> float:
    """Return how much of what lies just around the part is paper: 0.0025 to 1.

    Around ink lies paper; around a gap between strokes lies ink of the other kind. Beside a dark
    stroke little is as dark as it is; beside the edge of a sheet or table half of the pixels are.
    where: slices around the part; mask: uint8 (h, w), 0 or 1, the part there; contrast: its mean
    ink, 0 to 255.
    """
    outer, inner = (cv2.dilate(mask, np.ones((n, n), np.uint8)) for n in (7, 3))
    beside = outer > inner
    if not beside.any():
        return 1.0
    assert one.plane is not None
    assert one.other is not None
    gap = (one.other[where] > 0.8 * contrast)[beside].mean()
    # Ink and paper are those nearby, so that a shadow's edge across the digit does not count.
    near = (15, 15)
    plane = one.plane[where]
    share = np.maximum(cv2.blur(mask.astype(np.float32), near), np.float32(1e-6))
    ink = cv2.blur((plane * mask).astype(np.float32), near) / share
    middle = (ink + cv2.dilate(plane, np.ones(near, np.uint8))) / 2
    inky = (plane < middle)[beside].mean()
    return max(0.05, 1 - 2 * inky) * max(0.05, 1 - gap)
