"""Any picture of a handwritten digit -> that digit in MNIST's own form.

    picture = open_picture("photo.jpg")     # upright, at most 1,024 px, RGB
    digit = read_digit(picture)             # uint8 (28, 28): 0 paper, 255 ink

`find_ink` decides which marks of the picture are one digit; `normalise` brings such marks into
MNIST's form. `read_digit` is the one after the other. Whatever cannot be read is an `ImageError`,
whose message is one sentence for the person who sent the picture.
"""

import io
import os
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial, reduce

import cv2
import numpy as np
from PIL import Image, ImageOps

MAX_BYTES = 10 * 2**20  # of the file; a phone's 12-megapixel JPEG has 2 to 6 MB
MAX_PIXELS = 100_000_000  # of the opened picture; phones reach 50 million, bombs go far beyond
MAX_SIDE = 1024  # px, long side of a picture: strokes of a page photographed whole stay visible
DRAFT_SIDE = 900  # px; a JPEG may be decoded at 1/2, 1/4, 1/8 down to this: 4,032 px -> 1,008 px
WORK_SIDE = 320  # px, long side while searching for the digit
WINDOWS = (0.05, 0.12, 0.3)  # of the long side: wider than thin, usual and fat strokes
RIM = 9  # of 96 px, the part at the frame that does not count when the channel is chosen
RULED_SIDE = 100  # px; a smaller picture shows a digit alone, no ruled paper around it
FAINT = 20  # of 255 beyond the noise; less is the grain of empty paper, pencil has 30 and more
FLAT = 4  # levels; a drawing's paper varies less, even as a JPEG
NEAR = 48  # levels; what is no further from the paper's colour is paper too, in some light
MAX_NESTING = 2  # pictures in the picture that are looked into
CROP_SIDE = 256  # px, long side of the digit's surroundings

DIGIT_SIDE = 28  # px, MNIST's picture
THIN = 2.3  # px in the box; MNIST's strokes measure 2 to 4
BOX_SIDE = 20  # px, MNIST's box for the ink (LeCun et al. 1998)


NO_INK = "No ink was found; please send a picture with one digit, well lit."
SEVERAL = "Several digits stand side by side; please send a picture with one digit alone."


class ImageError(ValueError):
    """The picture cannot be read; the message is one sentence for the page."""


def open_picture(file):
    """A picture: RGB PIL image, upright, without metadata, long side at most 1,024 px.

    file: path, or binary file object at its beginning; PNG, JPEG, MPO, WebP, GIF, BMP, TIFF or
    anything else Pillow opens, told by its content. Of an animation the first frame counts.
    Raises ImageError when it is no picture, damaged, empty, or too large.
    """
    data = _read_bytes(file)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # MAX_PIXELS decides
            image = Image.open(io.BytesIO(data))
    except Image.DecompressionBombError:
        raise ImageError(_too_many_pixels("more than 178")) from None
    except (OSError, ValueError, SyntaxError):
        raise ImageError(
            "This file is not a picture that can be read; please send a PNG, JPEG, WebP, GIF, "
            "BMP or TIFF."
        ) from None
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise ImageError(_too_many_pixels(f"{width * height / 1e6:.0f}"))
    long = max(width, height)
    try:
        image.draft("RGB", (width * DRAFT_SIDE // long or 1, height * DRAFT_SIDE // long or 1))
        image.load()
    except (OSError, ValueError, SyntaxError, IndexError, EOFError, MemoryError):
        raise ImageError("This picture is damaged; please save it again and resend it.") from None
    image = ImageOps.exif_transpose(image)
    scale = MAX_SIDE / max(image.size)
    if scale < 1:
        size = [max(1, round(side * scale)) for side in image.size]
        image = _eight_bit(image).resize(size, Image.Resampling.BOX, reducing_gap=2)
    return _plain(image)


def read_digit(picture):
    """The digit in MNIST's form: uint8 (28, 28), 0 paper, 255 ink.

    picture: PIL image of one digit, any size, ink dark or bright. A picture already in MNIST's
    form comes back as it is. Raises ImageError when there is no ink or several digits.
    """
    if picture.size == (DIGIT_SIDE, DIGIT_SIDE):
        gray = np.asarray(picture.convert("L"))
        if _is_normal(gray):
            return gray
    return normalise(find_ink(picture))


def _is_normal(gray):
    """Whether uint8 (28, 28) is in MNIST's form already: bright ink, 20 px box, centred."""
    left, top, width, height = cv2.boundingRect(gray)
    margin = min(left, top, DIGIT_SIDE - left - width, DIGIT_SIDE - top - height)
    if max(width, height) != BOX_SIDE or margin < 1:
        return False
    moments = cv2.moments(gray)
    centre = np.array([moments["m10"], moments["m01"]]) / moments["m00"]
    return bool(np.abs(centre - (DIGIT_SIDE - 1) / 2).max() < 1.5)


def _read_bytes(file):
    if isinstance(file, (str, os.PathLike)):
        with open(file, "rb") as opened:
            data = opened.read(MAX_BYTES + 1)
    else:
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise ImageError(
            f"This file is larger than {MAX_BYTES // 2**20} MB; please send a smaller picture."
        )
    return data


def _too_many_pixels(millions):
    return (
        f"This picture has {millions} million pixels, more than the {MAX_PIXELS // 10**6} million "
        "that can be read; please send a smaller one."
    )


def _eight_bit(image):
    """The image in mode RGB or RGBA, 8 bits a channel, alpha kept."""
    if image.mode.startswith(("I", "F")):  # 16 and 32 bits: convert() would clip, so stretch
        values = np.nan_to_num(np.asarray(image, np.float32))
        low, high = values.min(), values.max()
        image = Image.fromarray(((values - low) * (255 / max(high - low, 1))).astype(np.uint8))
    if image.has_transparency_data:
        return image.convert("RGBA")
    return image.convert("RGB")


def _plain(image):
    """The image in mode RGB, what is transparent filled so that ink keeps standing out."""
    image = _eight_bit(image)
    if image.mode == "RGB":
        return Image.fromarray(np.asarray(image))  # a copy without metadata
    pixels = np.asarray(image, np.float32)
    alpha = pixels[..., 3:] / 255
    opaque = pixels[alpha[..., 0] > 0.5][:, :3]
    if not len(opaque):
        return Image.new("RGB", image.size, "white")
    paper = np.median(opaque, axis=0)
    # Mostly transparent, or of one colour: what is opaque is the ink, so the paper is the opposite.
    if len(opaque) < alpha.size / 2 or opaque.mean(axis=1).std() < 16:
        paper = np.full(3, 0 if paper.mean() > 127 else 255)
    return Image.fromarray((pixels[..., :3] * alpha + paper * (1 - alpha) + 0.5).astype(np.uint8))


def find_ink(picture):
    """The ink of the one digit in the picture: uint8 (h, w), 0 paper, 255 full ink.

    The array covers the digit's surroundings only. picture: PIL image.
    Raises ImageError when there is no ink, or several digits side by side.
    """
    ink = _find_ink(np.asarray(_plain(picture)), MAX_NESTING)
    if ink is None:
        raise ImageError(NO_INK)
    return ink


def _find_ink(rgb, depth):
    """The ink of the one digit in the pixels, uint8 (h, w), or None; looks into panels."""
    scale = min(1.0, WORK_SIDE / max(rgb.shape))
    small = cv2.resize(rgb, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    paper = _flat_paper(small)
    if paper is None:
        found, panel = _in_photo(small), None
    else:
        ink = _distance(small, paper)
        found = _candidate(ink, lambda crop, stroke: _distance(crop, paper))
        panel = _panel(ink)
    if panel is not None and depth:
        left, top, right, bottom = (round(edge / scale) for edge in panel)
        ink = _find_ink(rgb[top:bottom, left:right], depth - 1)
        if ink is not None:
            return ink
    if found.several:
        raise ImageError(SEVERAL)
    return _refined(rgb, found, scale) if found.score else None


def _in_photo(rgb):
    """The likeliest digit of a photo: its ink is dark or bright, its strokes thin or fat."""
    plane = _strongest_plane(rgb)
    best = _Candidate(0)
    for share in WINDOWS:
        window = max(3, round(max(plane.shape) * share))
        reliefs = [_relief(plane, window, inverted) for inverted in (False, True)]
        pair = [
            _candidate(ink, partial(_relief_of_crop, inverted=inverted), side)
            for inverted, (ink, side) in enumerate(zip(reliefs, (plane, 255 - plane), strict=True))
        ]
        for one, other in zip(pair, reliefs[::-1], strict=True):
            one.gap = _share_beside(one, other > 0.5 * one.contrast)
        open_side = max(1 - one.gap for one in pair)
        for one in pair:  # around ink lies paper; around a gap between strokes lies ink
            one.score *= ((1 - one.gap) / max(open_side, 0.01)) ** 2
        best = max(best, *pair, key=lambda one: one.score)
    return best if best.contrast > FAINT else _Candidate(0)


def _relief_of_crop(rgb, stroke, inverted):
    return _relief(_strongest_plane(rgb), max(3, round(4 * stroke)), inverted)


def _share_beside(found, marks):
    """The share of the pixels just around the candidate that are among the marks: 0 to 1."""
    if not found.score:
        return 0.0
    outer, inner = (cv2.dilate(found.mask, np.ones((n, n), np.uint8)) for n in (7, 3))
    beside = outer > inner
    return float(marks[beside].mean()) if beside.any() else 0.0


def _inky_share(plane, mask):
    """The share of the pixels just around the mask that are as dark as it is: 0 to 1.

    Beside a dark stroke there are few; beside the edge of a sheet or table half of the pixels are.
    plane: uint8 (h, w), dark ink; mask: uint8 (h, w), 0 or 1.
    """
    outer, inner = (cv2.dilate(mask, np.ones((n, n), np.uint8)) > 0 for n in (7, 3))
    beside = outer & ~inner
    if not beside.any():
        return 0.0
    # Ink and paper are those nearby, so that a shadow's edge across the digit does not count.
    near = (15, 15)
    share = np.maximum(cv2.blur(mask.astype(np.float32), near), 1e-6)
    ink = cv2.blur(plane * mask.astype(np.float32), near) / share
    middle = (ink + cv2.dilate(plane, np.ones(near, np.uint8))) / 2
    return float((plane < middle)[beside].mean())


def _flat_paper(rgb):
    """The paper's colour, uint8 (3,), of a drawing or screenshot; None for a photo or scan.

    Cameras and scanners never give the same value to most of the paper at the border; the rest of
    the border may be ink that touches the frame.
    """
    rim = max(1, max(rgb.shape) // 50)
    edges = (rgb[:rim], rgb[-rim:], rgb[:, :rim], rgb[:, -rim:])
    border = np.concatenate([edge.reshape(-1, 3) for edge in edges])
    corners = rgb[[0, 0, -1, -1], [0, -1, 0, -1]]  # paper even where ink fills most of the border
    for paper in (np.median(border, axis=0).astype(np.uint8), *corners):
        away = cv2.absdiff(border, np.broadcast_to(paper, border.shape)).max(axis=1)
        equal, same, near = ((away < levels).mean() for levels in (1, FLAT, NEAR))
        if same > 0.6 or (equal > 0.25 and same > 0.85 * near):
            return paper
    return None


def _distance(rgb, paper):
    """How far each pixel is from the paper's colour, in the strongest channel: float32."""
    channels = (
        cv2.absdiff(plane, float(level)) for plane, level in zip(cv2.split(rgb), paper, strict=True)
    )
    away = reduce(cv2.max, channels)
    away[away <= FLAT] = 0
    return away.astype(np.float32)


def _strongest_plane(rgb):
    """The colour channel in which the ink stands out most: uint8 (h, w).

    A yellow pen shows in blue alone, a red pen on a blue page best in red; grey mixes them.
    """
    gray = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    if cv2.absdiff(rgb, cv2.merge([gray] * 3)).max() < 8:
        return gray
    return max([gray, *cv2.split(rgb)], key=_contrast)


def _contrast(plane):
    """How far the ink of the plane stands out from its paper, in units of the paper's noise."""
    small = cv2.resize(plane, (96, 96), interpolation=cv2.INTER_AREA)
    window = np.ones((19, 19), np.uint8)
    dark = cv2.morphologyEx(small, cv2.MORPH_BLACKHAT, window)
    bright = cv2.morphologyEx(small, cv2.MORPH_TOPHAT, window)
    away = cv2.max(dark, bright)[RIM:-RIM, RIM:-RIM].astype(np.float32)
    return (away**3).sum() / (1 + (away**2).sum()) / (4 + np.median(away))


def _relief(plane, window, inverted):
    """How far each pixel is from paper towards ink, dark or (inverted) bright: float32, 0 paper.

    The paper is a closing: it fills whatever is narrower than `window` px with the brightness
    around, and follows shade and the edges of shadows exactly. Ink and paper each give back a share
    of the light, so the distance is relative to the brighter of the two.
    """
    if inverted:
        plane = 255 - plane
    plane = cv2.GaussianBlur(plane, (3, 3), 0)  # a camera's noise would lift the closing
    paper = cv2.morphologyEx(plane, cv2.MORPH_CLOSE, np.ones((window, window), np.uint8))
    bright = 255 - plane if inverted else paper
    ink = cv2.subtract(paper, plane) * (255 / np.maximum(bright, 64).astype(np.float32))
    faint, fainter = np.percentile(ink[::3, ::3], (30, 10))  # fat ink may cover half the picture
    floor = faint + 4.2 * (faint - fainter)  # 2.7 standard deviations above the mean of noise
    return np.clip(ink - floor, 0, 255)


@dataclass
class _Candidate:
    """Marks that may be the digit."""

    score: float  # likelihood in no unit, 0: no marks
    mask: np.ndarray = None  # uint8 (h, w), 0 or 1
    contrast: float = 0.0  # mean of the ink map in the mask
    stroke: float = 0.0  # px, mean width of the strokes
    several: bool = False  # whether another digit stands beside it
    gap: float = 0.0  # share of ink of the other kind beside it
    way: Callable = None  # (rgb crop, stroke) -> ink map


def _candidate(ink, way, plane=None):
    """The likeliest digit among the marks of an ink map; plane: of a photo, with dark ink."""
    best = _Candidate(0)
    for _ in range(2):
        marks = _marks(ink)
        if marks is None:
            break
        marks = _without_lines(marks)
        parts = _Parts(ink, marks, plane is not None)
        one = _grouped(parts, plane)
        if one.score > best.score:
            best = one
        if not parts.at_edge.any():
            break
        # What lies along the frame (a table, a finger) would set the threshold for the rest.
        gone = cv2.dilate(parts.at_edge.astype(np.uint8)[parts.labels], np.ones((5, 5), np.uint8))
        ink = ink * (gone == 0)
    best.way = way
    return best


class _Parts:
    """The connected parts of a mask and what is known of them, part 0 being the paper."""

    def __init__(self, ink, marks, photo):
        count, self.labels, stats, _ = cv2.connectedComponentsWithStats(marks)
        self.boxes = stats[:, :4]  # left, top, width, height
        self.area = stats[:, cv2.CC_STAT_AREA]
        self.mean = np.bincount(self.labels.ravel(), ink.ravel(), count) / self.area
        self.long = self.boxes[:, 2:].max(axis=1)
        rows, columns = self.labels[[0, -1]], self.labels[:, [0, -1]]
        contact = np.bincount(np.concatenate([rows.ravel(), columns.ravel()]), minlength=count)
        self.touches = contact > 0
        # A table or finger lies along the frame; a digit cut close touches it with its ends and
        # bends. A drawing has no table, so that there even a thick stroke may lie along it.
        self.at_edge = photo & (contact > 0.6 * self.boxes[:, 2:].sum(axis=1))
        self.at_edge[0] = False
        self.likely = self.mean * self.long * np.where(self.at_edge, 0.1, 1)
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
        return alike and min(h0, h1) > 0.6 * tall and between > 0.1 * tall and shared > 0.5 * tall


def _grouped(parts, plane):
    """The likeliest part together with the parts that belong to it, as a candidate."""
    best = 0, 0, 1
    for part in np.argsort(-parts.likely)[:6]:
        if parts.likely[part] <= best[0]:
            break
        where = parts.around(part)
        mask = (parts.labels[where] == part).astype(np.uint8)
        stroke = _stroke_width(mask)
        # Strokes are many widths long; a shadow, a blot or the gap in a loop is one or two.
        length = parts.area[part] / stroke**2
        score = parts.likely[part] * min(1, length / 5) ** 2
        if plane is not None:
            score *= max(0.05, 1 - 2 * _inky_share(plane[where], mask)) ** 2
        best = max(best, (score, part, stroke))
    score, main, stroke = best
    if not score:
        return _Candidate(0)
    group = parts.labels == main
    # What the frame cuts, away from a digit that it does not cut, is a table or another digit.
    rest = [
        part
        for part in np.argsort(-parts.area)[:40]
        if part not in (0, main)
        and parts.mean[part] >= 0.5 * parts.mean[main]
        and parts.area[part] >= 0.5 * stroke**2
        and not parts.at_edge[part]
        and (parts.touches[main] or not parts.touches[part])
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
    return _Candidate(score, group.astype(np.uint8), parts.mean[main], stroke, several)


def _marks(ink):
    """Mask (uint8, 0 or 1) of what is clearly ink, with its fainter ends; None: nothing is."""
    level = ink[ink > 0]
    if not len(level) or level.max() < 8:
        return None
    level = level.astype(np.uint8)
    high, _ = cv2.threshold(level, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    count, labels = cv2.connectedComponents((ink > high / 2).astype(np.uint8))
    strong = np.zeros(count, np.uint8)
    strong[labels[ink > high]] = 1
    strong[0] = 0
    return strong[labels]


def _panel(ink):
    """(left, top, right, bottom) within the largest frame or filled rectangle, or None: a picture
    in the picture, as in a screenshot or a photo pasted on a page."""
    outlines, _ = cv2.findContours(
        (ink > 0).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE
    )
    if not outlines:
        return None
    outline = max(outlines, key=cv2.contourArea)
    left, top, width, height = cv2.boundingRect(outline)
    if min(width, height) < 0.25 * min(ink.shape):
        return None
    if cv2.contourArea(outline) < 0.93 * (width - 1) * (height - 1):
        return None
    rim = 2 + max(width, height) // 40
    return left + rim, top + rim, left + width - rim, top + height - rim


def _without_lines(mask):
    """The mask without ruled lines: long, thin, straight marks that reach the frame.

    Where a stroke crosses a line it stays: across the line it is longer than the line is thick.
    """
    side = max(mask.shape)
    if side < RULED_SIDE:
        return mask
    thick = max(3, side // 40)  # px, thicker marks are no ruled lines
    fat = cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((thick, thick), np.uint8))
    thin = cv2.subtract(mask, fat)
    found = cv2.HoughLinesP(thin, 1, np.pi / 180, side // 10, None, side // 8, side // 25)
    if found is None:
        return mask
    segments = found.reshape(-1, 4)
    x, y = (segments[:, 2:] - segments[:, :2]).T
    cleaned = mask.copy()
    turned = np.ascontiguousarray(mask.T)
    for view, out, along, across in ((mask, cleaned, x, y), (turned, cleaned.T, y, x)):
        flat = np.abs(along) > 3 * np.abs(across)
        slopes = np.unique(np.rint(across[flat] / along[flat] * 20)) / 20
        for slope in slopes:
            lines = _lines_to_frame(view, slope, thick)
            if lines is None:
                continue
            runs = np.diff(lines, axis=0, prepend=np.uint8(0)) == 1
            thickness = lines.sum() / max(1, runs.sum())
            across_line = np.ones((round(thickness * 1.5) + 2, 1), np.uint8)
            strokes = cv2.morphologyEx(view, cv2.MORPH_OPEN, across_line)
            near = cv2.dilate(lines, np.ones((5, 1), np.uint8)) > 0
            out[near & (strokes == 0)] = 0
    # Lines alone in a picture were the digit: a 1, or the bar of a 7 drawn from edge to edge.
    return cleaned if max(cv2.boundingRect(cleaned)[2:]) > 0.1 * side else mask


def _lines_to_frame(mask, slope, thick):
    """The runs along the slope (dy / dx) that are a quarter of the mask's width long or longer, no
    more than `thick` px thick, and reach its left or right edge: mask, or None."""
    height, width = mask.shape
    shear = np.float32([[1, 0, 0], [-slope, 1, slope * width / 2]])
    level = cv2.warpAffine(mask, shear, (width, height), flags=cv2.INTER_NEAREST)
    level = cv2.dilate(level, np.ones((3, 5), np.uint8))  # over gaps, and steps of a slanted line
    level = cv2.morphologyEx(level, cv2.MORPH_OPEN, np.ones((1, width // 4), np.uint8))
    back = shear * [[1, 0, 0], [-1, 1, -1]]
    level = cv2.warpAffine(level, back, (width, height), flags=cv2.INTER_NEAREST) & mask
    _, labels, stats, _ = cv2.connectedComponentsWithStats(level)
    thin = stats[:, cv2.CC_STAT_AREA] < thick * stats[:, cv2.CC_STAT_WIDTH]
    reaches = (stats[:, 0] <= 2) | (stats[:, 0] + stats[:, 2] >= width - 2)
    ruled = thin & reaches & (stats[:, 2] > width // 8)
    ruled[0] = False
    return ruled[labels].astype(np.uint8) if ruled.any() else None


def _stroke_width(mask):
    """Mean width of the strokes in px.

    Across a stroke w px wide the distances to its edge are 1, 2, ... (w + 1) / 2, ... 2, 1; their
    mean m is (w + 1)^2 / 4w, here solved for w.
    """
    padded = cv2.copyMakeBorder(mask.astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT)
    distance = cv2.distanceTransform(padded, cv2.DIST_L2, 5)
    double = 4 * max(1.0, distance[distance > 0].mean()) - 2
    return (double + np.sqrt(double**2 - 4)) / 2


def _refined(rgb, found, scale):
    """The ink of the marks, at the full resolution of the picture."""
    left, top, width, height = cv2.boundingRect(found.mask)
    margin = round(0.15 * max(width, height) + 2 * found.stroke)
    left, right = max(0, left - margin), min(found.mask.shape[1], left + width + margin)
    top, bottom = max(0, top - margin), min(found.mask.shape[0], top + height + margin)
    mask = found.mask[top:bottom, left:right]
    top, bottom, left, right = (round(edge / scale) for edge in (top, bottom, left, right))
    crop = rgb[top:bottom, left:right]
    shrink = max(1.0, max(crop.shape) / CROP_SIDE)
    crop = cv2.resize(crop, None, fx=1 / shrink, fy=1 / shrink, interpolation=cv2.INTER_AREA)
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
    return (np.clip(ink * soft / peak, 0, 1) * 255).astype(np.uint8)


def normalise(ink):
    """The ink in MNIST's form: uint8 (28, 28), its box fitted to 20 x 20 px with its aspect kept,
    its centre of mass in the middle (LeCun et al. 1998, "Gradient-based learning").

    ink: uint8 (h, w), 0 paper, 255 ink, of one digit. Raises ImageError when there is none.
    """
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    if not len(rows):
        raise ImageError(NO_INK)
    ink = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    missing = THIN * max(ink.shape) / BOX_SIDE - _stroke_width(ink > 127)
    if missing > 0:
        pen = 2 * round(missing / 2 + 0.5) + 1
        ink = cv2.copyMakeBorder(ink, *[pen // 2] * 4, cv2.BORDER_CONSTANT)
        ink = cv2.dilate(ink, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (pen, pen)))
    scale = BOX_SIDE / max(ink.shape)
    size = [max(1, round(side * scale)) for side in ink.shape[::-1]]
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    box = cv2.resize(ink, size, interpolation=way)
    moments = cv2.moments(box)
    middle = (DIGIT_SIDE - 1) / 2 + 0.5
    left = round(middle - moments["m10"] / moments["m00"])
    top = round(middle - moments["m01"] / moments["m00"])
    left = min(max(left, 0), DIGIT_SIDE - size[0])
    top = min(max(top, 0), DIGIT_SIDE - size[1])
    digit = np.zeros((DIGIT_SIDE, DIGIT_SIDE), np.uint8)
    digit[top : top + size[1], left : left + size[0]] = box
    return digit
