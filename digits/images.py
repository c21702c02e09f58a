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

import cv2
import numpy as np
from PIL import Image, ImageOps

MAX_BYTES = 10 * 2**20  # of the file; a phone's 12-megapixel JPEG has 2 to 6 MB
MAX_PIXELS = 100_000_000  # of the opened picture; phones reach 50 million, bombs go far beyond
MAX_SIDE = 1024  # px, long side of a picture: strokes of a page photographed whole stay visible
DRAFT_SIDE = 900  # px; a JPEG may be decoded at 1/2, 1/4, 1/8 down to this: 4,032 px -> 1,008 px
WORK_SIDE = 448  # px, long side while searching for the digit
WINDOW = 0.3  # of the long side: wider than any stroke, narrower than paper and shadows

DIGIT_SIDE = 28  # px, MNIST's picture
THIN = 2.3  # px in the box; MNIST's strokes measure 2 to 4
BOX_SIDE = 20  # px, MNIST's box for the ink (LeCun et al. 1998)


NO_INK = "No ink was found; please send a picture with one digit, well lit."


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
    return normalise(find_ink(picture))


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
    rgb = np.asarray(_plain(picture))
    scale = min(1.0, WORK_SIDE / max(rgb.shape))
    plane = _strongest_plane(
        cv2.resize(rgb, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    )
    window = max(3, round(max(plane.shape) * WINDOW))
    dark, bright = (_main_marks(_ink(plane, window, inverted)) for inverted in (False, True))
    if dark is None and bright is None:
        raise ImageError(NO_INK)
    inverted = _is_ink_bright(dark, bright)
    weight, mask, stroke = bright if inverted else dark
    return _refined(rgb, mask, stroke, scale, inverted)


def _is_ink_bright(dark, bright):
    """Whether the bright marks are the ink and the dark ones the gaps between, not the reverse.

    The gaps and counters of a digit lie within its own box; that alone decides where it applies.
    """
    if dark is None or bright is None:
        return dark is None
    around_dark, around_bright = _box(dark[1]), _box(bright[1])
    dark_within = _within(around_dark, around_bright)
    bright_within = _within(around_bright, around_dark)
    if dark_within != bright_within:
        return dark_within
    return bright[0] > dark[0]


def _box(mask):
    left, top, width, height = cv2.boundingRect(mask)
    return np.array([left, top, -left - width, -top - height])


def _within(inner, outer):
    return bool(np.all(inner >= outer - 2))


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
    small = cv2.resize(plane, (64, 64), interpolation=cv2.INTER_AREA)
    paper = cv2.resize(cv2.medianBlur(small, 41), plane.shape[::-1])
    away = cv2.absdiff(plane, paper).astype(np.float32)
    return (away**3).sum() / (1 + (away**2).sum()) / (4 + np.median(away))


def _ink(plane, window, inverted):
    """How far each pixel is from its paper towards ink, dark or (inverted) bright: float32, 0 paper.

    The paper is a closing: it fills whatever is narrower than `window` px with the brightness
    around, and follows shade and the edges of shadows exactly. Dark ink swallows a share of the
    light, so there the distance is relative to the paper's brightness.
    """
    if inverted:
        plane = 255 - plane
    smooth = cv2.GaussianBlur(plane, (3, 3), 0)
    if (
        np.median(cv2.absdiff(smooth, plane)) > 0
    ):  # a camera's noise, not the flat paper of a drawing
        plane = smooth
    pad = window // 2
    padded = cv2.copyMakeBorder(plane, *[pad] * 4, cv2.BORDER_REPLICATE)
    paper = cv2.morphologyEx(padded, cv2.MORPH_CLOSE, np.ones((window, window), np.uint8))
    paper = paper[pad : pad + plane.shape[0], pad : pad + plane.shape[1]]
    ink = cv2.subtract(paper, plane).astype(np.float32)
    if not inverted:
        ink *= 255 / np.maximum(paper, 64)
    floor = np.median(ink)
    noise = np.median(np.abs(ink - floor))
    return np.clip(ink - floor - 4 * noise, 0, 255)


def _main_marks(dark):
    """(weight, mask, stroke) of the marks that make up the likeliest digit; None if there are none."""
    for _ in range(3):
        marks = _marks(dark)
        if marks is None:
            return None
        marks = _without_lines(marks)
        count, labels, stats, _ = cv2.connectedComponentsWithStats(marks)
        if count == 1:
            return None
        area = stats[:, cv2.CC_STAT_AREA]
        mean = np.bincount(labels.ravel(), dark.ravel(), count) / area
        long = stats[:, 2:4].max(axis=1)
        ring = np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])
        contact = np.bincount(ring, minlength=count)
        edge = contact > 0.25 * stats[:, 2:4].sum(axis=1)
        edge[0] = False
        if not edge.any() or edge[1:].all():
            break
        gone = cv2.dilate(edge.astype(np.uint8)[labels], np.ones((5, 5), np.uint8))
        dark = dark * (gone == 0)
    weight = mean * long * np.where(edge, 0.1, 1) * np.where(contact, 0.5, 1)
    weight[0] = 0
    main = weight.argmax()
    stroke = _stroke_width(labels == main)
    group = labels == main
    near = 0.25 * long[main]
    order = np.argsort(-area)[:40]
    chosen = {0, main}
    grown = True
    while grown:
        grown = False
        away = cv2.distanceTransform((~group).astype(np.uint8), cv2.DIST_L2, 3)
        for j in order:
            if j in chosen or mean[j] < 0.5 * mean[main] or area[j] < 0.5 * stroke**2:
                continue
            if contact[j] and not contact[main]:
                continue
            here = labels == j
            if away[here].min() <= near:
                group |= here
                chosen.add(j)
                grown = True
    return weight[main], group.astype(np.uint8), stroke


def _marks(dark):
    """Mask (uint8, 0 or 1) of what is clearly darker than paper, with its fainter ends."""
    level = dark[dark > 0]
    if not len(level) or level.max() < 8:
        return None
    level = np.minimum(level, 255).astype(np.uint8)
    high, _ = cv2.threshold(level, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    _, labels = cv2.connectedComponents((dark > high / 2).astype(np.uint8))
    strong = np.zeros(labels.max() + 1, np.uint8)
    strong[labels[dark > high]] = 1
    strong[0] = 0
    return strong[labels]


def _without_lines(mask):
    """The mask without ruled lines: thin straight marks that run through most of the picture.

    Where a stroke crosses a line it stays: across the line it is longer than the line is thick.
    """
    side = max(mask.shape)
    _, _, stats, _ = cv2.connectedComponentsWithStats(mask)
    if not (stats[1:, 2:4] > 0.9 * np.array(mask.shape[::-1])).any():
        return mask
    thick = max(3, side // 40)
    thin = cv2.subtract(
        mask, cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((thick, thick), np.uint8))
    )
    found = cv2.HoughLinesP(thin, 1, np.pi / 360, side // 8, None, side // 5, side // 25)
    if found is None:
        return mask
    segments = found.reshape(-1, 4)
    flat = np.abs(segments[:, 2] - segments[:, 0]) > np.abs(segments[:, 3] - segments[:, 1])
    cleaned = mask.copy()
    for axis in (0, 1):
        drawn = np.zeros_like(mask)
        for x0, y0, x1, y1 in segments[flat if axis == 0 else ~flat].tolist():
            cv2.line(drawn, (x0, y0), (x1, y1), 1, 3)
        count, labels, stats, _ = cv2.connectedComponentsWithStats(drawn)
        through = stats[:, 2 + axis] > 0.9 * mask.shape[1 - axis]
        through[0] = False
        if not through.any():
            continue
        lines = through[labels].astype(np.uint8)
        length = stats[through, 2 + axis].sum()
        thickness = (mask & lines).sum() / length
        across = [1, round(thickness * 1.5) + 2]
        strokes = cv2.morphologyEx(
            mask, cv2.MORPH_OPEN, np.ones(across[:: -1 if axis == 0 else 1], np.uint8)
        )
        wide = cv2.dilate(lines, np.ones((3, 3), np.uint8))
        cleaned[(wide > 0) & (strokes == 0)] = 0
    left = cv2.connectedComponentsWithStats(cleaned)[2][1:, 2:4]
    return cleaned if len(left) and left.max() > 0.08 * side else mask


def _stroke_width(mask):
    """Mean width of the strokes in px.

    Across a stroke w px wide the distances to its edge are 1, 2, ... (w + 1) / 2, ... 2, 1; their
    mean m is (w + 1)^2 / 4w, here solved for w.
    """
    padded = cv2.copyMakeBorder(mask.astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT)
    distance = cv2.distanceTransform(padded, cv2.DIST_L2, 5)
    double = 4 * max(1.0, distance[distance > 0].mean()) - 2
    return (double + np.sqrt(double**2 - 4)) / 2


def _refined(rgb, mask, stroke, scale, bright):
    """The ink of the marks at full resolution."""
    left, top, width, height = cv2.boundingRect(mask)
    margin = round(0.15 * max(width, height) + 2 * stroke)
    left, right = max(0, left - margin), min(mask.shape[1], left + width + margin)
    top, bottom = max(0, top - margin), min(mask.shape[0], top + height + margin)
    mask = mask[top:bottom, left:right]
    crop = rgb[
        round(top / scale) : round(bottom / scale), round(left / scale) : round(right / scale)
    ]
    shrink = max(1.0, max(crop.shape) / 256)
    crop = cv2.resize(crop, None, fx=1 / shrink, fy=1 / shrink, interpolation=cv2.INTER_AREA)
    plane = _strongest_plane(crop)
    stroke = stroke * max(crop.shape) / max(mask.shape)
    dark = _ink(plane, max(3, round(4 * stroke)), bright)
    marks = _marks(dark)
    if marks is None:
        raise ImageError(NO_INK)
    mask = cv2.resize(mask, marks.shape[::-1], interpolation=cv2.INTER_NEAREST)
    reach = 2 * round(0.25 * stroke / shrink + 1) + 1
    keep = marks & cv2.dilate(mask, np.ones((reach, reach), np.uint8))
    peak = np.percentile(dark[keep > 0], 75)
    soft = cv2.dilate(keep, np.ones((3, 3), np.uint8))
    return (np.clip(dark * soft / peak, 0, 1) * 255).astype(np.uint8)


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
