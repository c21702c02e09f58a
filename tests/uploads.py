"""Damaged and hostile uploads, each from a seed alone: what anybody may send to the page."""

from __future__ import annotations

import io
import random
import struct
import zlib
from functools import cache

import numpy as np
from PIL import Image

KINDS = ("truncated", "flipped", "random", "spliced", "header", "exif")
FORMS = {  # what a picture is saved as: mode, Pillow's format, its options
    "png": ("RGB", "PNG", {}),
    "palette": ("P", "PNG", {"transparency": 3}),
    "alpha": ("LA", "PNG", {}),
    "deep": ("I;16", "PNG", {}),
    "jpeg": ("RGB", "JPEG", {}),
    "progressive": ("RGB", "JPEG", {"progressive": True}),
    "cmyk": ("CMYK", "JPEG", {}),
    "webp": ("RGB", "WEBP", {}),
    "lossless": ("RGBA", "WEBP", {"lossless": True}),
    "gif": ("P", "GIF", {}),
    "bmp": ("RGB", "BMP", {}),
    "tiff": ("RGB", "TIFF", {"compression": "tiff_lzw"}),
    "float": ("F", "TIFF", {"compression": "tiff_adobe_deflate"}),
    "ppm": ("L", "PPM", {}),
    "avif": ("RGB", "AVIF", {"speed": 10}),
}
ANIMATIONS = {"moving gif": "GIF", "moving webp": "WEBP", "moving png": "PNG", "pages": "TIFF"}


def upload(seed: int, kind: str | None = None) -> tuple[str, bytes]:
    """Return the name and the bytes of a damaged upload; kind: one of KINDS, else any."""
    rng = random.Random(seed)
    kind = kind or rng.choices(KINDS, (25, 25, 10, 15, 15, 10))[0]
    form, other = rng.sample([*FORMS, *ANIMATIONS], 2)
    data, second = (bytearray(whole(one)) for one in (form, other))
    if kind == "truncated":
        del data[rng.randrange(len(data)) :]
    elif kind == "flipped":
        flip(data, rng, rng.choice([1, 3, 30, 300]))
    elif kind == "random":
        data[rng.randrange(32) :] = rng.randbytes(rng.randrange(5000))
    elif kind == "spliced":
        data[rng.randrange(len(data)) :] = second[rng.randrange(len(second)) :]
    elif kind == "header":
        place = rng.randrange(min(120, len(data) - 4))
        number = rng.choice([0, 1, 0x7FFF, 0xFFFF, 10**5, 2**31 - 1, 2**32 - 1])
        data[place : place + 4] = struct.pack(rng.choice("<>") + "I", number)
    else:
        data = with_exif(rng)
    return f"{kind} {form}", bytes(data)


@cache
def whole(form: str, side: int = 96) -> bytes:
    """Return an undamaged picture of that form, or animation."""
    if form in ANIMATIONS:
        return animated(form)
    mode, name, options = FORMS[form]
    ramp = np.add.outer(np.arange(side), 2 * np.arange(side)) % 256
    ramp[side // 4 : side // 2, side // 3 : side // 2] = 0
    picture = Image.fromarray(ramp.astype(np.uint8))
    if mode == "I;16":
        picture = Image.fromarray(ramp.astype(np.uint16) * 257)
    elif mode != "L":
        picture = picture.convert("RGB").convert(mode)
    return saved(picture, name, **options)


def saved(picture: Image.Image, form: str, **options) -> bytes:
    """Return the picture as a file of Pillow's format."""
    stream = io.BytesIO()
    picture.save(stream, form, **options)
    return stream.getvalue()


def flip(data: bytearray, rng: random.Random, times: int) -> None:
    """Flip single bits of the data."""
    for _ in range(times):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def with_exif(rng: random.Random) -> bytes:
    """Return a picture with EXIF of an odd orientation or of garbage."""
    exif = Image.Exif()
    exif[0x0112] = rng.choice([0, 3, 6, 8, 9, 65535])
    exif[0x8769] = {0x9003: "x" * rng.randrange(100)}
    block = bytearray(exif.tobytes())
    flip(block, rng, rng.choice([0, 1, 10, 50]))
    block = bytes(block[: rng.randrange(6, len(block) + 1)])
    form = rng.choice(["PNG", "JPEG", "WEBP"])
    return saved(Image.new("RGB", (50, 40), "white"), form, exif=block)


def animated(form: str) -> bytes:
    """Return an animation of three frames; form: one of ANIMATIONS."""
    frames = [Image.new("RGB", (64, 48), colour) for colour in ("red", "green", "blue")]
    return saved(frames[0], ANIMATIONS[form], save_all=True, append_images=frames[1:])


def png(width: int, height: int, bits: int, kind: int, rows: bytes) -> bytes:
    """Return a PNG of this header, whose rows are given as they are packed."""

    def chunk(name: bytes, content: bytes) -> bytes:
        checked = name + content
        return struct.pack(">I", len(content)) + checked + struct.pack(">I", zlib.crc32(checked))

    header = struct.pack(">IIBBBBB", width, height, bits, kind, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    )


def flat_png(width: int, height: int, bits: int, kind: int, channels: int) -> bytes:
    """Return a PNG of a single colour, packed a thousandfold."""
    row = b"\0" * (1 + -(-width * channels * bits // 8))
    packer = zlib.compressobj(1)
    rows = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    return png(width, height, bits, kind, rows)


def many_scans(side: int, scans: int) -> bytes:
    """Return a progressive JPEG whose last scan comes again and again."""
    data = saved(Image.new("RGB", (side, side), "white"), "JPEG", progressive=True, subsampling=0)
    last = data.rindex(b"\xff\xda")
    return data[:-2] + data[last:-2] * scans + data[-2:]


def run_length_bmp(side: int, count: int) -> bytes:
    """Return a BMP in run-length coding of that many empty runs, 4 bytes each."""
    runs = b"\0\0" * 2 + b"\0\2\0\0" * count
    head = struct.pack("<IiiHHIIiiII", 40, side, side, 1, 8, 1, len(runs), 0, 0, 256, 0)
    start = 14 + len(head) + 1024
    return struct.pack("<2sIHHI", b"BM", start + len(runs), 0, 0, start) + head + bytes(1024) + runs


ODD = (  # legal, but seldom met
    lambda: whole("moving gif"),
    lambda: whole("moving webp"),
    lambda: whole("moving png"),
    lambda: whole("pages"),
    lambda: saved(Image.new("L", (1, 100_000), 255), "PNG"),
    lambda: saved(Image.new("L", (100_000, 1), 255), "PNG"),
    lambda: saved(Image.new("L", (1, 65_000), 255), "JPEG"),
    lambda: saved(Image.new("RGBA", (1, 1)), "PNG"),
    lambda: saved(Image.new("1", (3000, 3000)), "TIFF", compression="group4"),
    lambda: saved(Image.new("LAB", (64, 64)), "TIFF"),
    lambda: saved(Image.fromarray(np.full((64, 64), np.nan, np.float32)), "TIFF"),
    lambda: saved(Image.fromarray(np.float32([[np.inf, -np.inf], [1e38, 0]])), "TIFF"),
    lambda: saved(Image.new("RGB", (64, 64)), "ICO"),
    lambda: saved(Image.new("RGB", (64, 64)), "EPS"),
    lambda: saved(Image.new("RGB", (64, 64)), "PDF"),
    lambda: b"",
    lambda: b"<svg xmlns='http://www.w3.org/2000/svg'/>",
)
BOMBS = (  # small files, or just below the bounds, that unpack to much
    lambda: flat_png(50_000, 50_000, 1, 0, 1),
    lambda: flat_png(6000, 6000, 8, 2, 3),
    lambda: flat_png(6000, 6000, 8, 6, 4),
    lambda: flat_png(6000, 6000, 8, 4, 2),
    lambda: flat_png(4470, 4470, 16, 0, 1),
    lambda: flat_png(6000, 6000, 16, 6, 4),
    lambda: saved(Image.new("RGB", (4800, 5000), "red"), "WEBP", lossless=True, method=0),
    lambda: saved(Image.new("RGBA", (4800, 5000), (9, 9, 9, 99)), "WEBP", method=0),
    lambda: saved(Image.new("P", (6000, 6000)), "GIF", transparency=0),
    lambda: saved(Image.new("RGB", (6000, 6000)), "TIFF", compression="tiff_adobe_deflate"),
    lambda: saved(Image.new("F", (4470, 4470)), "TIFF", compression="tiff_adobe_deflate"),
    lambda: saved(Image.new("CMYK", (6000, 6000)), "TIFF", compression="tiff_lzw"),
    lambda: saved(Image.new("RGB", (6000, 6000)), "AVIF", speed=10),
    lambda: saved(Image.new("RGB", (8000, 8000)), "JPEG", progressive=True, subsampling=0),
    lambda: saved(Image.new("CMYK", (8000, 8000)), "JPEG", progressive=True),
    lambda: many_scans(4000, 50),
    lambda: many_scans(1000, 5000),
    lambda: run_length_bmp(3000, 2_000_000),
    lambda: b"P3 3000 500 255 " + b"1 " * 4_500_000,
    lambda: b"P3 610 540 65535 " + b"9 " * 988_200,
    lambda: b"P1 1400 1400 " + b"1" * 1_960_000,
    lambda: png(64, 64, 8, 2, zlib.compress(bytes(200 * 2**20))),
)


@cache
def odd(number: int) -> bytes:
    """Return one of ODD."""
    return ODD[number]()


@cache
def bomb(number: int) -> bytes:
    """Return one of BOMBS."""
    return BOMBS[number]()
