"""What the paper is, and how far each pixel is from it: RGB pixels -> ink maps.

A drawing's paper has one colour, so that ink is whatever differs from it. A photo's paper varies
with the light, so that ink is what is darker (or brighter) than the paper around it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial, reduce

import cv2
import numpy as np

WINDOWS = (0.05, 0.12, 0.3)  # of the long side: wider than thin, usual and fat strokes
RIM = 9  # of 96 px, the part at the frame that does not count when the channel is chosen
ALL = 4  # in place of a channel: the darkest of all for dark ink, the brightest for bright ink
HALF = 0.5  # of the strongest ink's contrast, that ink has at least; of ink's, that hidden ink has
HIDDEN = 0.03  # of all ink, at least
FLAT = 4  # levels; a drawing's paper varies less, even as a JPEG
# Of a crop close around a digit: mean deviations between its two tones; the share of each side that
# ink takes; its share of the frame, where a table has more, and of its convex hull, where a sheet
# has more, at most. Of 128 real pictures, all wider, none is one.
APART, FILLING, ALONG, FULL = 3.0, 0.85, 0.35, 0.85
NEAR = 48  # levels; what is no further from the paper's colour is paper too, in some light


@dataclass
class InkMap:
    """How far each pixel is from paper towards ink, and what helps to tell ink from the rest."""

    ink: np.ndarray  # uint8 (h, w), 0 paper
    of_crop: Callable[[np.ndarray, float], np.ndarray]  # (rgb crop, stroke in px) -> its ink
    plane: np.ndarray | None = None  # of a photo: uint8 (h, w), the ink dark
    other: np.ndarray | None = None  # of a photo: the map for ink of the other kind, bright or dark


def map_of_drawing(rgb: np.ndarray, paper: np.ndarray) -> InkMap:
    """Return the one map of a drawing, uint8 (h, w, 3), on paper of that colour, uint8 (3,)."""
    return InkMap(distance(rgb, paper), lambda crop, stroke: distance(crop, paper))


def maps_of_photo(rgb: np.ndarray, channel: int) -> list[InkMap]:
    """Return the maps of a photo, uint8 (h, w, 3): ink dark or bright, strokes thin or fat.

    They come in pairs, dark ink and bright ink, from the thinnest strokes to the fattest.
    channel: the one to look at; 0 to 2 are red, green and blue, 3 is grey, 4 is ALL.
    """
    planes = [_plane(rgb, channel, inverted) for inverted in (False, True)]
    maps = []
    for share in WINDOWS:
        window = max(3, round(max(rgb.shape) * share))
        inks = [relief(plane, window, bool(inverted)) for inverted, plane in enumerate(planes)]
        for inverted in (False, True):
            of_crop = partial(_relief_of_crop, channel=channel, inverted=inverted)
            maps.append(InkMap(inks[inverted], of_crop, planes[inverted], inks[not inverted]))
    return maps


def _plane(rgb: np.ndarray, channel: int, inverted: bool) -> np.ndarray:
    """Return the plane, uint8 (h, w), in which to look for ink, and that is dark.

    inverted: whether the ink is bright.
    """
    if channel == ALL:
        plane = reduce(cv2.max if inverted else cv2.min, cv2.split(rgb))
    else:
        plane = _channels(rgb)[channel]
    return 255 - plane if inverted else plane


def flat_paper(rgb: np.ndarray) -> np.ndarray | None:
    """Return the paper's colour, uint8 (3,), of a drawing or screenshot; None for a photo or scan.

    Cameras and scanners never give the same value to most of the paper at the border; the rest of
    the border may be ink that touches the frame, or the bars and panels of a screenshot.
    rgb: uint8 (h, w, 3).
    """
    rim = max(1, max(rgb.shape) // 50)
    edges = (rgb[:rim], rgb[-rim:], rgb[:, :rim], rgb[:, -rim:])
    border = np.concatenate([edge.reshape(-1, 3) for edge in edges])
    most, counts = _commonest(border)
    few = np.sort(counts)[-3:].sum() > 0.85 * len(border)
    corners = rgb[[0, 0, -1, -1], [0, -1, 0, -1]]  # paper even where ink fills most of the border
    for paper in (most, *corners):
        away = cv2.absdiff(border, np.broadcast_to(paper, border.shape)).max(axis=1)
        equal, same, near = ((away < levels).mean() for levels in (1, FLAT, NEAR))
        if same > 0.6 or (equal > 0.25 and (few or same > 0.85 * near)):
            return paper
    return None


def commonest_colour(rgb: np.ndarray) -> np.ndarray:
    """Return the colour, uint8 (3,), of the most pixels, uint8 (h, w, 3)."""
    return _commonest(rgb.reshape(-1, 3))[0]


def _commonest(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the commonest colour, uint8 (3,), of uint8 (n, 3), and each colour's pixels."""
    colours, counts = np.unique(pixels @ np.array([65536, 256, 1]), return_counts=True)
    most = [colours[counts.argmax()] // 256**place % 256 for place in (2, 1, 0)]
    return np.array(most, np.uint8), counts


def paper_of_crop(rgb: np.ndarray) -> np.ndarray | None:
    """Return the paper's colour, uint8 (3,), of a photo that one digit in an even tone fills.

    In such a crop the hole of a 0 is no wider than its strokes, so that it could be the ink. None
    for a photo of anything else: of more tones, with ink that does not reach from side to side, or
    that lies along the frame as a table does. rgb: uint8 (h, w, 3).
    """
    scale = min(1.0, 96 / max(rgb.shape))
    small = cv2.resize(rgb, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    apart, ink = max(map(_two_tones, _channels(small)), key=lambda found: found[0])
    if apart < APART:
        return None
    frame = np.ones_like(ink, bool)
    frame[1:-1, 1:-1] = False
    if ink[frame].mean() > 0.5:
        ink = 1 - ink
    _, _, stats, _ = cv2.connectedComponentsWithStats(ink)
    _, _, width, height, area = max(stats[1:], key=lambda part: part[cv2.CC_STAT_AREA])
    fills = min(width / ink.shape[1], height / ink.shape[0]) > FILLING and area > 0.95 * ink.sum()
    hull = cv2.contourArea(cv2.convexHull(cv2.findNonZero(ink)))
    if not fills or ink[frame].mean() > ALONG or area > FULL * hull:
        return None
    beside = cv2.dilate(ink, np.ones((3, 3), np.uint8)) == 0
    return np.median(small[beside], axis=0).astype(np.uint8) if beside.any() else None


def _two_tones(plane: np.ndarray) -> tuple[float, np.ndarray]:
    """Return how far the two tones of a plane are apart, and where the darker one is.

    The distance is in mean deviations within the tones, 0 for one tone. The mask is uint8 (h, w),
    0 or 1, as the plane is.
    """
    level, _ = cv2.threshold(plane, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    dark = plane <= level
    if dark.all() or not dark.any():
        return 0.0, dark.astype(np.uint8)
    tones = [plane[part].astype(np.float32) for part in (dark, ~dark)]
    middles = [np.median(tone) for tone in tones]
    spread = sum(np.abs(tone - middle).mean() for tone, middle in zip(tones, middles, strict=True))
    return float((middles[1] - middles[0]) / (FLAT + spread)), dark.astype(np.uint8)


def distance(rgb: np.ndarray, paper: np.ndarray) -> np.ndarray:
    """Return how far each pixel is from the paper's colour, in the strongest channel: uint8 (h, w).

    rgb: uint8 (h, w, 3). paper: uint8 (3,).
    """
    channels = (  # no bare number: OpenCV takes a plane of 4 x 1 px for four numbers
        cv2.absdiff(plane, np.full_like(plane, level))
        for plane, level in zip(cv2.split(rgb), paper, strict=True)
    )
    away = reduce(cv2.max, channels)
    away[away <= FLAT] = 0
    return away


def _channels(rgb: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return red, green, blue and grey, uint8 (h, w) each, of uint8 (h, w, 3)."""
    return *cv2.split(rgb), cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)


def hides_ink(rgb: np.ndarray) -> bool:
    """Return whether the strongest channel of a photo, uint8 (h, w, 3), hides ink of some colour.

    None shows both an orange pen and a blue one.
    """
    small = cv2.resize(rgb, (96, 96), interpolation=cv2.INTER_AREA)
    channel = strongest_channel(small)
    for inverted in (False, True):
        every = _dark(_plane(small, ALL, inverted))
        shown = _dark(_plane(small, channel, inverted))
        seen = every > HALF * np.percentile(every, 99)
        hidden = seen & (cv2.dilate(shown, np.ones((3, 3))) < HALF * every)
        if hidden.sum() > HIDDEN * seen.sum():
            return True
    return False


def strongest_channel(rgb: np.ndarray) -> int:
    """Return the number of the channel in which the ink stands out most; 3 is grey.

    A yellow pen shows in blue alone, a red pen on a blue page best in red; grey mixes them.
    rgb: uint8 (h, w, 3).
    """
    small = cv2.resize(rgb, (96, 96), interpolation=cv2.INTER_AREA)
    return int(np.argmax([_contrast(plane) for plane in _channels(small)]))


def widest_channel(rgb: np.ndarray) -> int:
    """Return the number of the channel in which ink is the furthest from paper, whatever the noise.

    On a page full of digits most pixels are near ink, which passes for noise. rgb: uint8 (h, w, 3).
    """
    small = cv2.resize(rgb, (96, 96), interpolation=cv2.INTER_AREA)
    return int(np.argmax([np.percentile(_away(plane), 95) for plane in _channels(small)]))


def _away(plane: np.ndarray) -> np.ndarray:
    """Return how far uint8 (96, 96) is from its surroundings, float32 (78, 78), without the rim."""
    return cv2.max(_dark(plane), _dark(255 - plane))


def _dark(plane: np.ndarray) -> np.ndarray:
    """Return how much darker uint8 (96, 96) is than its surroundings, float32 (78, 78)."""
    away = cv2.morphologyEx(plane, cv2.MORPH_BLACKHAT, np.ones((19, 19), np.uint8))
    return away[RIM:-RIM, RIM:-RIM].astype(np.float32)


def _contrast(plane: np.ndarray) -> float:
    """Return how far the ink of uint8 (96, 96) stands out from its paper, against its noise."""
    away = _away(plane)
    return (away**3).sum() / (1 + (away**2).sum()) / (4 + np.median(away))


def relief(plane: np.ndarray, window: int, inverted: bool) -> np.ndarray:
    """Return how far each pixel is from paper towards ink: uint8 (h, w), 0 paper.

    The paper is a closing: it fills whatever is narrower than `window` px with the brightness
    around, and follows shade and the edges of shadows exactly. Ink and paper each give back a share
    of the light, so the distance is relative to the brighter of the two.
    plane: uint8 (h, w), the ink dark. inverted: whether it is so since it was turned round.
    """
    plane = cv2.GaussianBlur(plane, (3, 3), 0)  # a camera's noise would lift the closing
    paper = cv2.morphologyEx(plane, cv2.MORPH_CLOSE, np.ones((window, window), np.uint8))
    bright = 255 - plane if inverted else paper
    ink = cv2.divide(cv2.subtract(paper, plane), np.maximum(bright, 64), scale=255)
    faint, fainter = np.percentile(ink[::3, ::3], (30, 10))  # fat ink may cover half the picture
    floor = faint + 4.2 * (faint - fainter)  # 2.7 standard deviations above the mean of noise
    return cv2.subtract(ink, np.full_like(ink, min(floor, 255)))


def _relief_of_crop(rgb: np.ndarray, stroke: float, channel: int, inverted: bool) -> np.ndarray:
    """Return the relief, uint8 (h, w), of uint8 (h, w, 3) with strokes that wide in px."""
    return relief(_plane(rgb, channel, inverted), max(3, round(4 * stroke)), inverted)
