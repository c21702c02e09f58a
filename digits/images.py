"""Any picture of a handwritten digit -> that digit in MNIST's own form.

    picture = open_picture("photo.jpg")     # upright, at most 1,024 px, RGB
    digit = read_digit(picture)             # uint8 (28, 28): 0 paper, 255 ink

`digits.ink.find_ink` decides which marks of the picture are one digit; `normalise` brings such
marks into MNIST's form. `read_digit` is the one after the other. Whatever cannot be read is an
`ImageError`, whose message is one sentence for the person who sent the picture.
"""

import io
import os
import warnings
from contextlib import suppress

import cv2
import numpy as np
from PIL import Image, ImageOps

from digits.ink import NO_INK, ImageError, find_ink, stroke_width

MAX_BYTES = 10 * 2**20  # of the file; a phone's 12-megapixel JPEG has 2 to 6 MB
# What a stranger can make costly stays out: EPS runs Ghostscript, an ICO's picture may be larger
# than its header says, JPEG 2000 takes up to 0.1 s and 19 MB for a million pixels. JPEG opens MPO.
# BMP in run lengths stays out, too: Pillow decodes it in Python.
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "DIB", "TIFF", "AVIF", "PPM")
# Pixels, so that any picture takes at most 500 MB: a JPEG is decoded small, but for one of several
# scans libjpeg keeps 6 bytes a pixel; WebP takes 17; 16 bits are stretched as float. Phones reach
# 64 million, a page at 600 dpi has 35.
MAX_PIXELS = {"JPEG": 65_000_000, "MPO": 65_000_000, "WEBP": 24_000_000}
MAX_PIXELS_OTHERS = 36_000_000
MAX_PIXELS_DEEP = 20_000_000  # of more than 8 bits
MAX_TEXT = 2_000_000  # bytes of a PPM whose numbers are text: Pillow decodes it in Python, too
MAX_PASSES = 10**9  # pixels times scans of a JPEG; libjpeg does 800 million in a second
MAX_SIDE = 1024  # px, long side of a picture: strokes of a page photographed whole stay visible
DRAFT_SIDE = 900  # px; a JPEG may be decoded at 1/2, 1/4, 1/8 down to this: 4,032 px -> 1,008 px
MAX_ASPECT = 30  # long side to short; a 1 cut out closely has 10, beyond 100 no strokes are left

DIGIT_SIDE = 28  # px, MNIST's picture
THIN = 2.3  # px in the box; MNIST's strokes measure 2 to 4
BOX_SIDE = 20  # px, MNIST's box for the ink (LeCun et al. 1998)


def open_picture(file):
    """A picture: RGB PIL image, upright, without metadata, long side at most 1,024 px.

    file: path, or binary file object at its beginning; PNG, JPEG, MPO, WebP, GIF, BMP, TIFF, AVIF
    or PPM, told by its content. Of an animation the first frame counts.
    Raises ImageError when it is no picture, damaged, empty, or too large.
    """
    data = _read_bytes(file)
    try:
        image = _open_header(data)
        _refuse_costly(image, data)
        image.draft("RGB", _draft_size(image))
        image.load()
        return _plain(_shrink(image))
    except ImageError:
        raise
    except Exception:  # Pillow raises whatever it meets in a damaged file: struct.error, KeyError
        raise ImageError("This picture is damaged; please save it again and resend it.") from None


def _open_header(data):
    """The image in a file's bytes, not decoded yet. Raises ImageError when it is none."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # MAX_PIXELS decides
            return Image.open(io.BytesIO(data), formats=FORMATS)
    except Image.DecompressionBombError:
        raise ImageError(_too_many_pixels("more than 178", MAX_PIXELS_OTHERS)) from None
    except Exception:  # Pillow raises whatever it meets
        raise ImageError(
            "This file is not a picture that can be read; please send a PNG, JPEG, WebP, GIF, "
            "BMP or TIFF."
        ) from None


def _refuse_costly(image, data):
    """Raise ImageError when decoding the image would take too much memory or time."""
    pixels = image.width * image.height
    allowed = MAX_PIXELS.get(image.format, MAX_PIXELS_OTHERS)
    if image.mode.startswith(("I", "F")):
        allowed = MAX_PIXELS_DEEP
    if pixels > allowed:
        raise ImageError(_too_many_pixels(f"{pixels / 1e6:.0f}", allowed))
    run_lengths = image.format in ("BMP", "DIB") and image.info.get("compression") in (1, 2)
    as_text = image.format == "PPM" and data[:2] in (b"P1", b"P2", b"P3") and len(data) > MAX_TEXT
    coded_as_jpeg = image.format in ("JPEG", "MPO") or image.info.get("compression") == "jpeg"
    many_passes = coded_as_jpeg and pixels * data.count(b"\xff\xda") > MAX_PASSES
    if run_lengths or as_text or many_passes:
        raise ImageError("This picture takes too long to decode; please save it as PNG.")


def _draft_size(image):
    """The (width, height) down to which a JPEG may be decoded."""
    long = max(image.size)
    return tuple(side * DRAFT_SIDE // long or 1 for side in image.size)


def _shrink(image):
    """The image upright, its long side at most MAX_SIDE."""
    with suppress(Exception):  # garbage in EXIF says nothing of the picture
        ImageOps.exif_transpose(image, in_place=True)
    scale = MAX_SIDE / max(image.size)
    if scale >= 1:
        return image
    size = [max(1, round(side * scale)) for side in image.size]
    if image.mode not in ("L", "LA", "RGB", "RGBA") or "transparency" in image.info:
        image = _eight_bit(image)
    return image.resize(size, Image.Resampling.BOX, reducing_gap=2)


def read_digit(picture):
    """The digit in MNIST's form: uint8 (28, 28), 0 paper, 255 ink.

    picture: PIL image of one digit, any size, ink dark or bright. A picture already in MNIST's
    form comes back as it is. Raises ImageError when there is no ink or several digits.
    """
    if picture.size == (DIGIT_SIDE, DIGIT_SIDE):
        gray = np.asarray(picture.convert("L"))
        if _is_normal(gray):
            return gray
    if max(picture.size) > MAX_ASPECT * min(picture.size):
        raise ImageError(NO_INK)
    if picture.mode != "RGB" or picture.has_transparency_data:
        picture = _plain(picture)
    return normalise(find_ink(np.asarray(picture)))


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


def _too_many_pixels(millions, allowed):
    return (
        f"This picture has {millions} million pixels, more than the {allowed // 10**6} million "
        "that can be read; please send a smaller one."
    )


def _eight_bit(image):
    """The image in mode RGB or RGBA, 8 bits a channel, alpha kept."""
    if image.mode.startswith(("I", "F")):  # 16 and 32 bits: convert() would clip, so stretch
        values = np.nan_to_num(np.array(image, np.float32), copy=False)
        low, high = float(values.min()), float(values.max())
        scale = 255 / max(high - low, 1)
        values *= scale  # in place, for memory; before the shift, which might overflow
        values -= low * scale
        image = Image.fromarray(values.astype(np.uint8))
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


def normalise(ink):
    """The ink in MNIST's form: uint8 (28, 28), its box fitted to 20 x 20 px with its aspect kept,
    its centre of mass in the middle (LeCun et al. 1998, "Gradient-based learning").

    ink: uint8 (h, w), 0 paper, 255 ink, of one digit. Raises ImageError when there is none.
    """
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    if not len(rows):
        raise ImageError(NO_INK)
    ink = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    missing = THIN * max(ink.shape) / BOX_SIDE - stroke_width(ink > 127)
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
