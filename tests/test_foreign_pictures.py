"""Pictures as phones, cameras and instruments write them: read, or refused with the remedy."""

import io

import numpy as np
import pytest
from PIL import Image

from digits.images import ImageError, open_picture, read_digit
from digits.rows import is_held_out
from tests.styles import on_paper


def saved(picture, form, **options):
    """The bytes of a picture's file."""
    stream = io.BytesIO()
    picture.save(stream, form, **options)
    return stream.getvalue()


def read(data):
    """The digit in a file's bytes."""
    return read_digit(open_picture(io.BytesIO(data)))


@pytest.fixture(scope="module")
def page(rows):
    """A large sheet with a digit on it, uint8 (700, 560)."""
    sheet = on_paper(rows[0][is_held_out(rows[0])][3])
    return np.asarray(Image.fromarray(sheet).resize((560, 700), Image.Resampling.BICUBIC))


def alike(one, other):
    """Whether two digits are the same but for a little."""
    return np.abs(one.astype(int) - other.astype(int)).mean() < 4


@pytest.mark.parametrize("bottom", ["paper", "black", "noise"])
@pytest.mark.parametrize("lost", [1, 2, 5, 20])
@pytest.mark.parametrize("options", [{}, {"progressive": True}], ids=["baseline", "progressive"])
def test_open_picture_jpeg_without_its_last_bytes_is_read(options, lost, bottom, page):
    sheet = np.array(page)
    if bottom == "noise":
        noise = np.random.default_rng(0).integers(0, 40, (60, sheet.shape[1]))
        sheet[-60:] = sheet[-60:] - noise
    elif bottom == "black":
        sheet = 255 - sheet
    whole = saved(Image.fromarray(sheet), "JPEG", quality=90, **options)
    assert alike(read(whole[:-lost]), read(whole))


@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_open_picture_jpeg_that_lacks_more_is_refused(share, page):
    noisy = page - np.random.default_rng(0).integers(0, 60, page.shape).astype(np.uint8)
    whole = saved(Image.fromarray(noisy), "JPEG")
    with pytest.raises(ImageError, match="damaged"):
        open_picture(io.BytesIO(whole[: int(len(whole) * share)]))


@pytest.mark.parametrize("trailer", [b"", b"\0\0\x30\x0a\x10\0\0\0MotionPhoto_Data"])
@pytest.mark.parametrize("size", [10**6, 11 * 2**20])
def test_open_picture_motion_photo_is_its_photo(size, trailer, page):
    photo = saved(Image.fromarray(page), "JPEG")
    film = b"\0\0\0\x18ftypmp42" + b"\xff\xda" * (size // 2)
    assert np.array_equal(read(photo + trailer + film), read(photo))


def deep(page, kind):
    """The sheet in 16 bits or floats, its levels far below the highest possible."""
    levels = page.astype(np.float32) * 7
    return levels.astype(np.uint16) if kind == "uint16" else levels


@pytest.mark.parametrize("kind", ["uint16", "float32"])
@pytest.mark.parametrize("hot", [0, 1, 8, 100])
def test_open_picture_hot_pixels_do_not_darken_the_rest(hot, kind, page):
    levels = deep(page, kind)
    expected = read(saved(Image.fromarray(levels), "TIFF"))
    places = np.random.default_rng(0).choice(levels.size, hot, replace=False)
    levels.flat[places] = 65535
    assert alike(read(saved(Image.fromarray(levels), "TIFF")), expected)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, -9999, -3.4e38])
@pytest.mark.parametrize("where", ["corner", "one pixel"])
def test_open_picture_missing_values_are_paper(value, where, page):
    levels = deep(255 - page, "float32")  # bright ink: the lowest level is the paper
    expected = read(saved(Image.fromarray(levels), "TIFF"))
    if where == "corner":
        levels[:60, :200] = value
    else:
        levels[5, 5] = value
    found = read(saved(Image.fromarray(levels), "TIFF"))
    assert alike(found, expected)


def test_open_picture_of_nothing_finite_has_no_ink():
    with pytest.raises(ImageError):
        read(saved(Image.fromarray(np.full((64, 64), np.nan, np.float32)), "TIFF"))


@pytest.mark.parametrize("form", ["GIF", "WEBP", "PNG", "TIFF"])
def test_open_picture_blank_first_frame_is_passed_over(form, page):
    blank = Image.new("L", (page.shape[1], page.shape[0]), 255)
    frames = [blank, Image.fromarray(page), blank.copy()]
    data = saved(frames[0], form, save_all=True, append_images=frames[1:], lossless=True)
    assert alike(read(data), read(saved(Image.fromarray(page), "PNG")))


def test_open_picture_animation_that_draws_itself_is_read_when_drawn(page):
    parts = [np.where(np.arange(700)[:, None] < row, page, 255) for row in (0, 200, 400, 700)]
    frames = [Image.fromarray(part.astype(np.uint8)) for part in parts]
    data = saved(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert alike(read(data), read(saved(Image.fromarray(page), "PNG")))


def test_open_picture_costly_later_page_is_refused():
    pages = [Image.new("L", (64, 64), 255), Image.new("1", (7000, 7000))]
    data = saved(pages[0], "TIFF", save_all=True, append_images=pages[1:])
    assert open_picture(io.BytesIO(data)).size == (64, 64)


@pytest.mark.parametrize("brand", [b"heic", b"heix", b"mif1", b"hevc"])
def test_open_picture_heic_names_the_remedy(brand):
    with pytest.raises(ImageError, match="Most Compatible") as caught:
        open_picture(io.BytesIO(b"\0\0\0\x18ftyp" + brand + bytes(100)))
    assert len(str(caught.value)) <= 300
