"""Any file -> a picture: upright, RGB, of bounded size; what is costly to decode is refused."""

from __future__ import annotations

import io
import os
import warnings
from contextlib import suppress
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageOps

from digits.mnist import ImageError

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


def open_picture(file: str | os.PathLike | BinaryIO) -> Image.Image:
    """Return a picture: RGB PIL image, upright, without metadata, long side at most 1,024 px.

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
        return plain(_shrink(image))
    except ImageError:
        raise
    except Exception:  # Pillow raises whatever it meets in a damaged file: struct.error, KeyError
        raise ImageError("This picture is damaged; please save it again and resend it.") from None


def _open_header(data: bytes) -> Image.Image:
    """Return the image in a file's bytes, not decoded yet. Raises ImageError when it is none."""
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


def _refuse_costly(image: Image.Image, data: bytes) -> None:
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


def _draft_size(image: Image.Image) -> tuple[int, ...]:
    """Return the (width, height) down to which a JPEG may be decoded."""
    long = max(image.size)
    return tuple(side * DRAFT_SIDE // long or 1 for side in image.size)


def _shrink(image: Image.Image) -> Image.Image:
    """Return the image upright, its long side at most MAX_SIDE."""
    with suppress(Exception):  # garbage in EXIF says nothing of the picture
        ImageOps.exif_transpose(image, in_place=True)
    scale = MAX_SIDE / max(image.size)
    if scale >= 1:
        return image
    size = [max(1, round(side * scale)) for side in image.size]
    if image.mode not in ("L", "LA", "RGB", "RGBA") or "transparency" in image.info:
        image = _eight_bit(image)
    return image.resize(size, Image.Resampling.BOX, reducing_gap=2)


def _read_bytes(file: str | os.PathLike | BinaryIO) -> bytes:
    """Return the file's content. Raises ImageError when it is too large."""
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


def _too_many_pixels(millions: str, allowed: int) -> str:
    """Return the sentence about a picture of so many million pixels, where so many are allowed."""
    return (
        f"This picture has {millions} million pixels, more than the {allowed // 10**6} million "
        "that can be read; please send a smaller one."
    )


def _eight_bit(image: Image.Image) -> Image.Image:
    """Return the image in mode RGB or RGBA, 8 bits a channel, alpha kept."""
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


def plain(image: Image.Image) -> Image.Image:
    """Return the image in mode RGB, what is transparent filled so that ink keeps standing out."""
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
