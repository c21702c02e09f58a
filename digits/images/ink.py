"""Which marks of a picture are the one digit: pixels of any picture -> the digit's ink.

    ink = find_ink(rgb)     # uint8 (h, w): 0 paper, 255 full ink, the digit's surroundings alone

A drawing's paper has one colour, so that ink is whatever differs from it. A photo's paper varies
with the light, so that ink is what is darker (or brighter) than the paper around it. Either way
the ink's connected parts are found, the likeliest is taken, and the parts that belong to it join.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial, reduce

import cv2
import numpy as np

from digits.mnist import NO_INK, ImageError, stroke_width

WORK_SIDE = 320  # px, long side while searching for the digit
WINDOWS = (0.05, 0.12, 0.3)  # of the long side: wider than thin, usual and fat strokes
RIM = 9  # of 96 px, the part at the frame that does not count when the channel is chosen
RULED_SIDE = 100  # px; a smaller picture shows a digit alone, no ruled paper around it
SLOPES = 4  # of ruled lines in one direction: one, in perspective several
FAINT = 20  # of 255 beyond the noise; less is the grain of empty paper, pencil has 30 and more
FLAT = 4  # levels; a drawing's paper varies less, even as a JPEG
NEAR = 48  # levels; what is no further from the paper's colour is paper too, in some light
EDGE = 25  # levels; a sheet is that much brighter than the table along its edge
MAX_NESTING = 2  # pictures in the picture that are looked into
CROP_SIDES = 112, 256  # px, least and most of the long side of the digit's surroundings
MAX_ZOOM = 4  # a stroke 2 px wide is cut out, thickened and shrunk more exactly at 8 px

SEVERAL = "Several digits stand side by side; please send a picture with one digit alone."


def find_ink(rgb):
    """The ink of the one digit: uint8 (h, w), 0 paper, 255 full ink; its surroundings only.

    rgb: uint8 (h, w, 3). Raises ImageError when there is no ink, or several digits side by side.
    """
    found = _search(rgb, MAX_NESTING)
    if found is not None and found.several:
        raise ImageError(SEVERAL)
    ink = None if found is None else _refined(found)
    if ink is None:
        raise ImageError(NO_INK)
    return ink


@dataclass
class _Found:
    """The digit's marks, found in the picture at a reduced size."""

    rgb: np.ndarray  # uint8 (h, w, 3), the picture, or the panel of it that was looked into
    scale: float  # of the mask against rgb
    main: np.ndarray  # uint8 (h * scale, w * scale), 0 or 1, the digit's likeliest part
    mask: np.ndarray  # the same with all parts of the digit
    stroke: float  # px of the mask, mean width of the strokes
    contrast: float  # mean of the ink map in the mask
    way: Callable  # (rgb crop, stroke in px) -> ink map of the crop
    several: bool  # whether another digit stands beside it
    touches: bool  # whether it reaches the frame


@dataclass
class _Map:
    """How far each pixel is from paper towards ink, and what helps to tell ink from the rest."""

    ink: np.ndarray  # uint8 (h, w), 0 paper
    way: Callable  # (rgb crop, stroke in px) -> ink map of the crop
    plane: np.ndarray = None  # of a photo: uint8 (h, w), the ink dark
    other: np.ndarray = None  # of a photo: the map for ink of the other kind, bright or dark


@dataclass
class _Candidate:
    """One part of a map's marks that may be the digit, or its largest piece."""

    score: float  # likelihood in no unit, 0: no marks
    map: _Map = None
    parts: "_Parts" = None
    part: int = 0
    stroke: float = 0.0  # px, mean width of the strokes


def _search(rgb, depth):
    """The digit in the pixels, or None. depth: how many panels within panels are looked into."""
    scale = min(1.0, WORK_SIDE / max(rgb.shape))
    small = cv2.resize(rgb, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    paper = _flat_paper(small)
    maps, panels = _of_photo(small) if paper is None else _of_drawing(small, paper)
    best = max((_candidate(one) for one in maps), key=lambda one: one.score)
    found = _found(rgb, scale, best) if best.score else None
    for corners in panels if depth else ():
        rim = 2 if paper is not None else 2 + max(small.shape) // 80  # blurred, not quite straight
        inside = _search(_cut_out(rgb, corners, scale, rim), depth - 1)
        if inside is not None and (paper is not None or _outweighs(inside, found, corners)):
            return inside
    return found


def _found(rgb, scale, best):
    """The digit of which the candidate is the likeliest part; rgb at that scale is its map."""
    parts, part = best.parts, best.part
    main = (parts.labels == part).astype(np.uint8)
    mask, several = _grouped(best)
    touches = bool(parts.touches[part])
    return _Found(
        rgb, scale, main, mask, best.stroke, parts.mean[part], best.map.way, several, touches
    )


def _outweighs(inside, found, corners):
    """Whether the digit inside the panel of a photo is meant, not what was found in all the photo.

    The half of a digit that a shadow's edge cuts off touches the panel's frame, or the digit lies
    across that edge; and the grain of an empty panel is faint.
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
    within = (main & panel).sum() / main.sum()
    return not 0.03 < within < 0.97 and inside.contrast > 0.3 * found.contrast


def _of_drawing(rgb, paper):
    """([map], panels) of a drawing or screenshot."""
    ink = _distance(rgb, paper)
    one = _Map(ink, lambda crop, stroke: _distance(crop, paper))
    return [one], _panels(ink > 0, upright=True)


def _of_photo(rgb):
    """(maps, panels) of a photo: its ink is dark or bright, its strokes thin or fat."""
    channel = _strongest_channel(rgb)
    plane = _channels(rgb)[channel]
    planes = plane, 255 - plane
    # A white sheet is the brightest in its weakest channel, a coloured one in its strongest.
    maps, panels = [], _panels(_sheet(rgb.min(axis=2))) + _panels(_sheet(rgb.max(axis=2)))
    for share in WINDOWS:
        window = max(3, round(max(plane.shape) * share))
        inks = [_relief(plane, window, inverted) for inverted in (False, True)]
        if not maps:  # a frame's lines are thin
            panels += [panel for ink in inks for panel in _panels(_marks(ink))]
        for inverted in (False, True):
            way = partial(_relief_of_crop, channel=channel, inverted=inverted)
            maps.append(_Map(inks[inverted], way, planes[inverted], inks[not inverted]))
    return maps, panels


def _flat_paper(rgb):
    """The paper's colour, uint8 (3,), of a drawing or screenshot; None for a photo or scan.

    Cameras and scanners never give the same value to most of the paper at the border; the rest of
    the border may be ink that touches the frame, or the bars and panels of a screenshot.
    """
    rim = max(1, max(rgb.shape) // 50)
    edges = (rgb[:rim], rgb[-rim:], rgb[:, :rim], rgb[:, -rim:])
    border = np.concatenate([edge.reshape(-1, 3) for edge in edges])
    colours, counts = np.unique(border @ np.array([65536, 256, 1]), return_counts=True)
    few = np.sort(counts)[-3:].sum() > 0.85 * len(border)
    most = [colours[counts.argmax()] // 256**place % 256 for place in (2, 1, 0)]
    corners = rgb[[0, 0, -1, -1], [0, -1, 0, -1]]  # paper even where ink fills most of the border
    for paper in (np.array(most, np.uint8), *corners):
        away = cv2.absdiff(border, np.broadcast_to(paper, border.shape)).max(axis=1)
        equal, same, near = ((away < levels).mean() for levels in (1, FLAT, NEAR))
        if same > 0.6 or (equal > 0.25 and (few or same > 0.85 * near)):
            return paper
    return None


def _distance(rgb, paper):
    """How far each pixel is from the paper's colour, in the strongest channel: uint8 (h, w)."""
    channels = (  # no bare number: OpenCV takes a plane of 4 x 1 px for four numbers
        cv2.absdiff(plane, np.full_like(plane, level))
        for plane, level in zip(cv2.split(rgb), paper, strict=True)
    )
    away = reduce(cv2.max, channels)
    away[away <= FLAT] = 0
    return away


def _channels(rgb):
    """Red, green, blue and grey: uint8 (h, w) each."""
    return *cv2.split(rgb), cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)


def _strongest_channel(rgb):
    """The number of the channel in which the ink stands out most; 3 is grey.

    A yellow pen shows in blue alone, a red pen on a blue page best in red; grey mixes them.
    """
    small = cv2.resize(rgb, (96, 96), interpolation=cv2.INTER_AREA)
    return int(np.argmax([_contrast(plane) for plane in _channels(small)]))


def _contrast(plane):
    """How far the ink of the plane stands out from its paper, in units of the paper's noise."""
    window = np.ones((19, 19), np.uint8)
    dark = cv2.morphologyEx(plane, cv2.MORPH_BLACKHAT, window)
    bright = cv2.morphologyEx(plane, cv2.MORPH_TOPHAT, window)
    away = cv2.max(dark, bright)[RIM:-RIM, RIM:-RIM].astype(np.float32)
    return (away**3).sum() / (1 + (away**2).sum()) / (4 + np.median(away))


def _relief(plane, window, inverted):
    """How far each pixel is from paper towards ink, dark or (inverted) bright: uint8, 0 paper.

    The paper is a closing: it fills whatever is narrower than `window` px with the brightness
    around, and follows shade and the edges of shadows exactly. Ink and paper each give back a share
    of the light, so the distance is relative to the brighter of the two.
    """
    if inverted:
        plane = 255 - plane
    plane = cv2.GaussianBlur(plane, (3, 3), 0)  # a camera's noise would lift the closing
    paper = cv2.morphologyEx(plane, cv2.MORPH_CLOSE, np.ones((window, window), np.uint8))
    bright = 255 - plane if inverted else paper
    ink = cv2.divide(cv2.subtract(paper, plane), np.maximum(bright, 64), scale=255)
    faint, fainter = np.percentile(ink[::3, ::3], (30, 10))  # fat ink may cover half the picture
    floor = faint + 4.2 * (faint - fainter)  # 2.7 standard deviations above the mean of noise
    return cv2.subtract(ink, np.full_like(ink, min(floor, 255)))


def _relief_of_crop(rgb, stroke, channel, inverted):
    return _relief(_channels(rgb)[channel], max(3, round(4 * stroke)), inverted)


def _sheet(light):
    """Mask of what is bright, if it may be a sheet on a darker table: an edge runs around it."""
    light = cv2.medianBlur(light, 5)
    _, mask = cv2.threshold(light, 0, 1, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    mask = cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((5, 5), np.uint8))
    ring = np.ones((9, 9), np.uint8)
    beside = cv2.dilate(mask, ring) > mask
    within = mask > cv2.erode(mask, ring)
    if not beside.any() or np.median(light[within]) - np.median(light[beside]) < EDGE:
        return None
    return mask


def _panels(mask, upright=False):
    """[corners], float32 (4, 2), clockwise in px, of the largest four-cornered outline, or []: a
    picture in the picture, as the canvas of a screenshot, a box of a form, a sheet on a table.
    mask: (h, w) or None. upright: its sides run as the picture's do."""
    if mask is None:
        return []
    outlines, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
    for outline in sorted(outlines, key=cv2.contourArea, reverse=True)[:4]:
        if upright:
            left, top, width, height = cv2.boundingRect(outline)
            right, bottom = left + width - 1, top + height - 1
            corners = np.int32([(left, top), (right, top), (right, bottom), (left, bottom)])
        else:
            hull = cv2.convexHull(outline)
            corners = cv2.approxPolyDP(hull, 0.03 * cv2.arcLength(hull, True), True)[:, 0]
        sides = np.hypot(*(corners - np.roll(corners, 1, axis=0)).T)
        if len(corners) != 4 or sides.min() < 0.25 * min(mask.shape):
            continue
        area = cv2.contourArea(corners)
        # No piece may be missing: a thick 1 or 8 would be a panel, with the gaps in it for ink.
        if 0.93 < cv2.contourArea(outline) / area < 1.07 and area < 0.95 * mask.size:
            first = int(corners.sum(axis=1).argmin())
            return [np.roll(corners, -first, axis=0).astype(np.float32)]
    return []


def _cut_out(rgb, corners, scale, rim):
    """What lies within the corners, as an upright rectangle: uint8 (h, w, 3).

    corners, and the rim to leave out: in px of the picture at that scale.
    """
    width, height = (
        int(np.hypot(*(corners[a] + corners[b] - corners[0] - corners[c])) / 2)
        for a, b, c in ((1, 2, 3), (2, 3, 1))
    )
    upright = np.float32([[0, 0], [width, 0], [width, height], [0, height]])
    view = cv2.getPerspectiveTransform((corners + 0.5) / scale, (upright - rim) / scale)
    size = [max(1, round((side - 2 * rim) / scale)) for side in (width, height)]
    return cv2.warpPerspective(rgb, view, size)


def _candidate(one):
    """The likeliest part among the marks of a map."""
    best = _Candidate(0)
    ink = one.ink
    for _ in range(2):
        marks = _marks(ink)
        if marks is None:
            break
        marks[_ruled_lines(marks)] = 0
        parts = _Parts(ink, marks, one.plane is not None)
        best = max(best, _main_part(one, parts), key=lambda candidate: candidate.score)
        if not parts.at_edge.any():
            break
        # What lies along the frame (a table, a finger) would set the threshold for the rest.
        gone = cv2.dilate(parts.at_edge.astype(np.uint8)[parts.labels], np.ones((5, 5), np.uint8))
        ink = ink * (1 - gone)
    return best


def _main_part(one, parts):
    """The likeliest of the parts, as a candidate."""
    best = _Candidate(0)
    for part in np.argsort(-parts.likely)[:6]:
        if parts.likely[part] <= best.score:
            break
        where = parts.around(part)
        mask = (parts.labels[where] == part).astype(np.uint8)
        stroke = stroke_width(mask)
        # Strokes are many widths long; a shadow, a blot or the gap in a loop is one or two.
        length = parts.area[part] / stroke**2
        score = parts.likely[part] * min(1, length / 5) ** 2
        if one.plane is not None:
            if parts.mean[part] < FAINT:
                continue
            score *= _paper_beside(one, where, mask, parts.mean[part]) ** 2
        if score > best.score:
            best = _Candidate(score, one, parts, int(part), stroke)
    return best


def _paper_beside(one, where, mask, contrast):
    """How much of what lies just around the part is paper: 0.0025 to 1.

    Around ink lies paper; around a gap between strokes lies ink of the other kind. Beside a dark
    stroke little is as dark as it is; beside the edge of a sheet or table half of the pixels are.
    where: slices around the part; mask: uint8, 0 or 1, the part there.
    """
    outer, inner = (cv2.dilate(mask, np.ones((n, n), np.uint8)) for n in (7, 3))
    beside = outer > inner
    if not beside.any():
        return 1.0
    gap = (one.other[where] > 0.8 * contrast)[beside].mean()
    # Ink and paper are those nearby, so that a shadow's edge across the digit does not count.
    near = (15, 15)
    plane = one.plane[where]
    share = cv2.max(cv2.blur(mask.astype(np.float32), near), 1e-6)
    ink = cv2.blur((plane * mask).astype(np.float32), near) / share
    middle = (ink + cv2.dilate(plane, np.ones(near, np.uint8))) / 2
    inky = (plane < middle)[beside].mean()
    return max(0.05, 1 - 2 * inky) * max(0.05, 1 - gap)


class _Parts:
    """The connected parts of a mask and what is known of them, part 0 being the paper."""

    def __init__(self, ink, marks, photo):
        count, self.labels, stats, _ = cv2.connectedComponentsWithStats(marks)
        self.boxes = stats[:, :4]  # left, top, width, height
        self.area = stats[:, cv2.CC_STAT_AREA]
        marked = np.flatnonzero(marks)
        levels = np.bincount(self.labels.ravel()[marked], ink.ravel()[marked], count)
        self.mean = levels / self.area
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

    def around(self, part):
        """Where the part's box and 4 px around it lie, as slices."""
        left, top, width, height = self.boxes[part]
        return slice(max(0, top - 4), top + height + 4), slice(max(0, left - 4), left + width + 4)

    def are_two_digits(self, one, other):
        """Whether the parts are alike in size and stand side by side, with paper between them."""
        (x0, y0, w0, h0), (x1, y1, w1, h1) = self.boxes[[one, other]].tolist()
        tall = max(h0, h1)
        between = max(x0, x1) - min(x0 + w0, x1 + w1)
        shared = min(y0 + h0, y1 + h1) - max(y0, y1)
        alike = all(
            min(of[[one, other]]) > 0.6 * max(of[[one, other]])
            for of in (self.mean, self.area**0.5)
        )
        return alike and min(h0, h1) > 0.6 * tall and between > 0.2 * tall and shared > 0.5 * tall


def _grouped(best):
    """(mask, several): the part with those that belong to it, uint8 (h, w), 0 or 1; and whether
    another digit stands beside it."""
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
    several = any(parts.are_two_digits(main, part) for part in rest)
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


def _marks(ink):
    """Mask (uint8, 0 or 1) of what is clearly ink, with its fainter ends; None: nothing is."""
    level = ink[ink > 0]
    if not len(level) or level.max() < 8:
        return None
    high, _ = cv2.threshold(level, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    count, labels = cv2.connectedComponents((ink > high / 2).astype(np.uint8))
    strong = np.zeros(count, np.uint8)
    strong[labels[ink > high]] = 1
    strong[0] = 0
    return strong[labels]


def _ruled_lines(marks):
    """Where ruled lines are: bool (h, w), True on long, thin, straight marks that reach the frame.

    Where a stroke crosses a line it stays: across the line it is longer than the line is thick.
    marks: uint8 (h, w), 0 or 1. Lines alone in a picture are the digit: a 1, or a dash.
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


def _main_slopes(along, across):
    """The slopes, at most four, of most of the segments that run rather along than across."""
    flat = np.abs(along) > 3 * np.abs(across)
    steps = np.rint(across[flat] / along[flat] * 20).astype(int) + 7
    length = np.bincount(steps, np.abs(along[flat]), 15)
    return [(step - 7) / 20 for step in np.argsort(-length)[:SLOPES] if length[step]]


def _lines_along(marks, slope, thick):
    """Where ruled lines of that slope are, without the strokes that cross them: bool (h, w)."""
    lines = _lines_to_frame(marks, slope, thick)
    if lines is None:
        return np.zeros(marks.shape, bool)
    runs = np.diff(lines, axis=0, prepend=np.uint8(0)) == 1
    thickness = lines.sum() / max(1, runs.sum())
    across = np.ones((round(thickness * 1.5) + 2, 1), np.uint8)
    strokes = cv2.morphologyEx(marks, cv2.MORPH_OPEN, across)
    near = cv2.dilate(lines, np.ones((5, 1), np.uint8))
    return near > strokes


def _lines_to_frame(mask, slope, thick):
    """The runs along the slope (dy / dx) that are a quarter of the mask's width long or longer, no
    more than `thick` px thick, and reach its left or right edge: mask, or None."""
    height, width = mask.shape
    shear = np.float32([[1, 0, 0], [-slope, 1, slope * width / 2]])
    level = cv2.warpAffine(mask, shear, (width, height), flags=cv2.INTER_NEAREST)
    level = cv2.dilate(level, np.ones((3, 5), np.uint8))  # over gaps, and steps of a slanted line
    level = cv2.morphologyEx(level, cv2.MORPH_OPEN, np.ones((1, width // 4), np.uint8))
    if not level.any():
        return None
    back = shear * [[1, 0, 0], [-1, 1, -1]]
    level = cv2.warpAffine(level, back, (width, height), flags=cv2.INTER_NEAREST) & mask
    _, labels, stats, _ = cv2.connectedComponentsWithStats(level)
    thin = stats[:, cv2.CC_STAT_AREA] < thick * stats[:, cv2.CC_STAT_WIDTH]
    reaches = (stats[:, 0] <= 2) | (stats[:, 0] + stats[:, 2] >= width - 2)
    ruled = thin & reaches & (stats[:, 2] > width // 8)
    ruled[0] = False
    return ruled[labels].astype(np.uint8) if ruled.any() else None


def _refined(found):
    """The ink of the marks, at the full resolution of the picture: uint8 (h, w), or None."""
    left, top, width, height = cv2.boundingRect(found.mask)
    margin = round(0.15 * max(width, height) + 2 * found.stroke)
    left, right = max(0, left - margin), min(found.mask.shape[1], left + width + margin)
    top, bottom = max(0, top - margin), min(found.mask.shape[0], top + height + margin)
    mask = found.mask[top:bottom, left:right]
    top, bottom, left, right = (round(edge / found.scale) for edge in (top, bottom, left, right))
    crop = found.rgb[top:bottom, left:right]
    least, most = (side / max(crop.shape) for side in CROP_SIDES)
    zoom = min(max(1.0, min(least, MAX_ZOOM)), most)
    way = cv2.INTER_AREA if zoom < 1 else cv2.INTER_CUBIC
    crop = cv2.resize(crop, None, fx=zoom, fy=zoom, interpolation=way)
    stroke = found.stroke * max(crop.shape) / max(mask.shape)
    ink = found.way(crop, stroke)
    mask = cv2.resize(mask, crop.shape[1::-1], interpolation=cv2.INTER_NEAREST)
    reach = 2 * round(0.25 * stroke + 1) + 1
    near = cv2.dilate(mask, np.ones((reach, reach), np.uint8))
    marks = _marks(ink * near)
    if marks is None:
        return None
    peak = np.percentile(ink[marks > 0], 75)
    soft = cv2.dilate(marks, np.ones((3, 3), np.uint8))
    return cv2.convertScaleAbs(ink * soft, alpha=255 / peak)
