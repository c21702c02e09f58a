"""Any file -> a picture: upright, RGB, of bounded size; what is costly to decode is refused."""

from __future__ import annotations

import io
import os
import threading
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
MAX_PIXELS_FRAMES = 12_000_000  # of frames after a blank first one, together: half a second
MAX_FRAMES = 500
MAX_LOST = 0.04  # of a JPEG's pixels, when its file lacks an end
MAX_TRAILER = 100  # bytes that a phone puts between a photo and the film behind it
FAINT = 16  # levels of gray: less is no ink
HOT, ODD_LEVELS = 0.05, 1.5  # percent, at either end, of pixels and of the levels that occur
SCAN, END = b"\xff\xda", b"\xff\xd9"  # of a JPEG
FILL = bytes(range(1, 200)) * 20  # in the place of what a JPEG lacks: any code but an end
# Not read: pillow-heif 1.8 takes 520 MB for 12 million pixels.
HEIC = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
MAX_SIDE = 1024  # px, long side of a picture: strokes of a page photographed whole stay visible
AT_ONCE = 2  # pictures decoded in a process: each may take 500 MB
DRAFT_SIDE = 900  # px; a JPEG may be decoded at 1/2, 1/4, 1/8 down to this: 4,032 px -> 1,008 px
_decoding = threading.BoundedSemaphore(AT_ONCE)


def open_picture(file: str | os.PathLike | BinaryIO) -> Image.Image:
    """Return a picture: RGB PIL image, upright, without metadata, long side at most 1,024 px.

    file: path, or binary file object at its beginning; PNG, JPEG, MPO, WebP, GIF, BMP, TIFF, AVIF
    or PPM, told by its content. Of an animation, or of the pages of a TIFF, the first counts, or if
    that is blank, the one with most contrast.
    Raises ImageError when it is no picture, damaged, empty, or too large.
    """
    data = _read_bytes(file)
    try:
        with _decoding:
            return _decode(data)
    except ImageError:
        raise
    except Exception:  # Pillow raises whatever it meets in a damaged file: struct.error, KeyError
        raise ImageError("This picture is damaged; please save it again and resend it.") from None


def pixels_of(data: bytes) -> int:
    """Return how many pixels the picture in a file's bytes has, undecoded. Raises ImageError."""
    with _decoding:  # to open a WebP takes memory for all of it
        image = _open_header(data)
    return image.width * image.height


def _decode(data: bytes) -> Image.Image:
    """Return the picture in a file's bytes. Raises ImageError, and whatever Pillow does."""
    image = _open_header(data)
    _refuse_costly(image, data)
    image.draft("RGB", _draft_size(image))
    image = _load(image, data)
    first = plain(_shrink(image))
    return _inked_frame(image, first, data) if _is_blank(first) else first


def _open_header(data: bytes) -> Image.Image:
    """Return the image in a file's bytes, not decoded yet. Raises ImageError when it is none."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # MAX_PIXELS decides
            return Image.open(io.BytesIO(data), formats=FORMATS)
    except Image.DecompressionBombError:
        raise ImageError(_too_many_pixels("more than 178", MAX_PIXELS_OTHERS)) from None
    except Exception:  # Pillow raises whatever it meets
        if data[4:8] == b"ftyp" and data[8:12] in HEIC:
            raise ImageError(
                "This picture is in Apple's HEIC, which is not read here; please save it as JPEG "
                "(iPhone: Settings › Camera › Formats › Most Compatible)."
            ) from None
        raise ImageError(
            "This file is not a picture that can be read; please send a PNG, JPEG, WebP, GIF, "
            "BMP or TIFF."
        ) from None


def _refuse_costly(image: Image.Image, data: bytes) -> None:
    """Raise ImageError when decoding the image would take too much memory or time."""
    pixels = image.width * image.height
    allowed = MAX_PIXELS.get(image.format or "", MAX_PIXELS_OTHERS)
    if image.mode.startswith(("I", "F")):
        allowed = MAX_PIXELS_DEEP
    if pixels > allowed:
        raise ImageError(_too_many_pixels(f"{pixels / 1e6:.0f}", allowed))
    run_lengths = image.format in ("BMP", "DIB") and image.info.get("compression") in (1, 2)
    as_text = image.format == "PPM" and data[:2] in (b"P1", b"P2", b"P3") and len(data) > MAX_TEXT
    coded_as_jpeg = image.format in ("JPEG", "MPO") or image.info.get("compression") == "jpeg"
    many_passes = coded_as_jpeg and pixels * data.count(SCAN) > MAX_PASSES
    if run_lengths or as_text or many_passes:
        raise ImageError("This picture takes too long to decode; please save it as PNG.")


def _load(image: Image.Image, data: bytes) -> Image.Image:
    """Return the image decoded, a JPEG even without its last bytes; raise OSError if damaged.

    What is lost of a JPEG is what comes out otherwise when other bytes are put in its place.
    """
    try:
        image.load()
        return image
    except OSError:
        passes = image.width * image.height * data.count(SCAN)
        if image.format not in ("JPEG", "MPO") or passes > MAX_PASSES / 4:
            raise
    ended, other = (_open_header(data.rstrip(b"\xff") + fill + END) for fill in (b"", FILL))
    for one in (ended, other):
        one.draft("RGB", _draft_size(one))
    gaps = np.asarray(ended.convert("L"), np.int16) - np.asarray(other.convert("L"), np.int16)
    if (np.abs(gaps) > FAINT).mean() > MAX_LOST:
        raise OSError("more than its end is lost")
    return ended


def _inked_frame(image: Image.Image, first: Image.Image, data: bytes) -> Image.Image:
    """Return the picture with most contrast among the image's first frames or pages."""
    best, left = first, MAX_PIXELS_FRAMES
    with suppress(EOFError):  # there are no more
        for number in range(1, MAX_FRAMES):
            image.seek(number)
            left -= image.width * image.height
            if left < 0:
                break
            _refuse_costly(image, data)
            frame = plain(_shrink(image.copy()))
            best = max(best, frame, key=_contrast)
    return best


def _is_blank(picture: Image.Image) -> bool:
    """Return whether no ink stands out anywhere."""
    return int(np.ptp(np.asarray(picture.convert("L")))) < FAINT


def _contrast(picture: Image.Image) -> float:
    """Return the standard deviation of a picture's levels of gray, 0 to 127."""
    return float(np.asarray(picture.convert("L"), np.float32).std())


def _draft_size(image: Image.Image) -> tuple[int, int]:
    """Return the (width, height) down to which a JPEG may be decoded."""
    long = max(image.size)
    width, height = (side * DRAFT_SIDE // long or 1 for side in image.size)
    return width, height


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
    photo, begins, _ = data.partition(b"ftyp")
    if begins and photo.startswith(b"\xff\xd8") and END in photo[-MAX_TRAILER:]:
        data = photo  # a motion photo: the film behind it is no part of the picture
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
        values = np.array(image, np.float32)
        low, high = _range(values)
        np.nan_to_num(values, copy=False, nan=low)
        np.clip(values, low, high, out=values)
        scale = 255 / max(high - low, 1)
        values *= scale  # in place, for memory; before the shift, which might overflow
        values -= low * scale
        image = Image.fromarray(values.astype(np.uint8))
    if image.has_transparency_data:
        return image.convert("RGBA")
    return image.convert("RGB")


def _range(values: np.ndarray) -> tuple[float, float]:
    """Return the lowest and the highest of float32 values, without what is no light.

    That is NaN and infinity; hot pixels, which are few; and what stands for "no data", one level
    far from all others, however often it comes.
    """
    finite = values[np.isfinite(values)]
    if not len(finite):
        return 0.0, 0.0
    ends = float(finite.min()), float(finite.max())
    some = finite[:: max(1, len(finite) // 10**6)]
    few = np.percentile(some, (HOT, 100 - HOT))
    low, high = np.percentile(np.unique(some.clip(*few)), (ODD_LEVELS, 100 - ODD_LEVELS)).tolist()
    return ends if ends[1] - ends[0] < 2 * (high - low) else (low, high)


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
