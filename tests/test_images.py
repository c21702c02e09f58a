"""Reading pictures: `open_picture`, `find_ink`, `normalise`, `read_digit`."""

import io
import warnings
from contextlib import suppress
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from digits import images
from digits.images import ImageError, open_picture, read_digit
from digits.images.decode import DRAFT_SIDE, MAX_SIDE
from digits.images.search import find_ink
from digits.mnist import normalise
from digits.rows import read_rows
from tests import pictures


@pytest.fixture(scope="module")
def digits():
    """Fifty digits, five of each: uint8 (50, 28, 28)."""
    rows, labels = read_rows(Path(__file__).parents[1] / "train.csv")
    return np.concatenate([rows[labels == digit][:5] for digit in range(10)])


def likeness(one, other):
    """How alike two digits are: correlation of their pixels, slightly blurred, 1 for equal ones."""
    one, other = (cv2.GaussianBlur(digit.astype(np.float32), (0, 0), 1) for digit in (one, other))
    return np.corrcoef(one.ravel(), other.ravel())[0, 1]


def saved(image, form, **options):
    """The image as a file of that form, opened at its beginning."""
    file = io.BytesIO()
    image.save(file, form, **options)
    file.seek(0)
    return file


def page_with(digit, side=300, high=120, at=(60, 90)):
    """White page, float (side, side), with the digit in black, `high` px high, at (top, left)."""
    page = np.full((side, side), 255.0)
    big = cv2.resize(digit, (high * 28 // 20,) * 2, interpolation=cv2.INTER_CUBIC)
    page[at[0] : at[0] + len(big), at[1] : at[1] + len(big)] -= big
    return page


# open_picture


@pytest.mark.parametrize("form", ["PNG", "JPEG", "MPO", "WEBP", "GIF", "BMP", "TIFF"])
def test_open_picture_any_form_is_told_by_its_content(form, digits, tmp_path):
    image = pictures.as_picture(page_with(digits[0])).convert("RGB")
    path = tmp_path / "wrong_ending.txt"
    path.write_bytes(saved(image, form).read())
    picture = open_picture(path)
    assert (picture.mode, picture.size) == ("RGB", image.size)
    assert np.abs(np.asarray(picture, int) - np.asarray(image, int)).mean() < 3


@pytest.mark.parametrize(
    "mode", ["1", "L", "P", "CMYK", "YCbCr", "LA", "PA", "RGBA", "I", "F", "I;16"]
)
def test_open_picture_any_mode_gives_the_same_digit(mode, digits):
    page = page_with(digits[2])
    if mode == "I;16":
        image = Image.fromarray((page * 257).clip(0, 65535).astype(np.uint16))
    else:
        image = (
            pictures.as_picture(page)
            .convert("L")
            .convert("RGB" if mode == "CMYK" else "L")
            .convert(mode)
        )
    picture = open_picture(saved(image, "TIFF"))
    assert picture.mode == "RGB"
    assert likeness(read_digit(picture), digits[2]) > 0.9


@pytest.mark.parametrize("turn", range(1, 9))
def test_open_picture_exif_orientation_comes_back_upright_without_metadata(turn):
    upright = np.zeros((40, 60, 3), np.uint8)
    upright[:20, :30] = 255
    ways = {
        1: upright, 2: upright[:, ::-1], 3: upright[::-1, ::-1], 4: upright[::-1],
        5: upright.swapaxes(0, 1), 6: np.rot90(upright), 7: np.rot90(upright, 2).swapaxes(0, 1),
        8: np.rot90(upright, -1),
    }  # fmt: skip
    exif = Image.Exif()
    exif[0x0112] = turn
    exif[0x010E] = "a description"
    picture = open_picture(
        saved(Image.fromarray(np.ascontiguousarray(ways[turn])), "PNG", exif=exif)
    )
    assert np.array_equal(np.asarray(picture), upright)
    assert not picture.getexif()
    assert not picture.info


@pytest.mark.parametrize(
    "size", [(1, 1), (1, 30_000), (30_000, 1), (1025, 700), (4032, 3024), (28, 28)]
)
@pytest.mark.parametrize("form", ["PNG", "JPEG"])
def test_open_picture_any_size_long_side_is_bounded_and_aspect_kept(size, form):
    picture = open_picture(saved(Image.new("L", size, 200), form))
    assert max(picture.size) <= MAX_SIDE
    assert max(picture.size) >= min(max(size), DRAFT_SIDE)
    assert min(picture.size) == pytest.approx(
        max(1, min(size) * max(picture.size) / max(size)), abs=1
    )


@pytest.mark.parametrize("ink", [0, 255, 90])
def test_open_picture_ink_on_nothing_keeps_standing_out(ink, digits):
    pixels = np.full((300, 300, 4), ink, np.uint8)
    pixels[..., 3] = 255 - page_with(digits[7])
    digit = read_digit(open_picture(saved(Image.fromarray(pixels), "PNG")))
    assert likeness(digit, digits[7]) > 0.9


def test_open_picture_animation_gives_the_first_frame():
    frames = [Image.new("RGB", (20, 20), colour) for colour in ("red", "blue")]
    file = saved(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert open_picture(file).getpixel((5, 5)) == (255, 0, 0)


def test_open_picture_no_picture_is_refused():
    with pytest.raises(ImageError, match="not a picture"):
        open_picture(io.BytesIO(b"label,pixel0"))
    with pytest.raises(ImageError, match="not a picture"):
        open_picture(io.BytesIO())


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_open_picture_cut_off_file_is_refused_in_a_sentence(form, share):
    noise = np.random.default_rng(0).integers(0, 255, (200, 200, 3), np.uint8)
    whole = saved(Image.fromarray(noise), form).read()
    with pytest.raises(ImageError, match=r"^[A-Z].*; please .*\.$"):
        open_picture(io.BytesIO(whole[: int(share * len(whole))]))


def test_open_picture_too_large_a_file_names_the_limit():
    with pytest.raises(ImageError, match="10 MB"):
        open_picture(io.BytesIO(b"\x89PNG" + bytes(images.MAX_BYTES)))


@pytest.mark.parametrize("side", [6_001, 14_000])
def test_open_picture_bomb_is_refused_before_it_is_unpacked(side):
    with pytest.raises(ImageError, match="36 million"):
        open_picture(saved(Image.new("1", (side, side)), "PNG"))


# find_ink and normalise


def test_find_ink_gives_the_strokes_and_no_dust(digits):
    page = page_with(digits[20])
    page[5:8, 5:8] = 0
    page[280:282, 270:273] = 0
    ink = find_ink(np.asarray(pictures.as_picture(page).convert("RGB")))
    assert (ink.dtype, ink.ndim, ink.max()) == (np.uint8, 2, 255)
    assert likeness(normalise(ink), digits[20]) > 0.9


def test_find_ink_broken_digit_keeps_all_parts(digits):
    page = page_with(digits[25])
    page[140:146] = 255
    whole, broken = (read_digit(pictures.as_picture(p)) for p in (page_with(digits[25]), page))
    assert likeness(whole, broken) > 0.9


def test_find_ink_page_in_two_colours_of_equal_grey_sees_the_pen(digits):
    page = (255 - page_with(digits[15]))[..., None] / 255
    red, green = np.array([200, 60, 60]), np.array([30, 130, 90])
    digit = read_digit(pictures.as_picture(page * red + (1 - page) * green))
    assert likeness(digit, digits[15]) > 0.9


def test_normalise_any_size_fills_the_box_and_is_centred(digits):
    for digit, scale in zip(digits, np.linspace(0.5, 9, len(digits)), strict=True):
        ink = cv2.resize(digit, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        result = normalise(ink)
        _, _, width, height = cv2.boundingRect(result)
        rows, columns = np.indices(result.shape)
        centre = [(index * result).sum() / result.sum() for index in (rows, columns)]
        assert (result.shape, result.dtype) == ((28, 28), np.uint8)
        assert max(width, height) in (19, 20)
        assert np.abs(np.array(centre) - 13.5).max() < 1.1


def test_normalise_thin_stroke_is_as_thick_and_bright_as_mnist():
    ink = np.zeros((500, 300), np.uint8)
    cv2.line(ink, (50, 20), (200, 480), 255, 1)
    strokes = normalise(ink)[8:20]
    assert strokes.max(axis=1).min() > 200
    assert 1.5 < strokes.sum(axis=1).mean() / 255 < 4


def test_normalise_ink_that_is_nowhere_dark_is_as_dark_as_any():
    faint = np.zeros((40, 40), np.uint8)
    faint[5:35, 18:22] = 90
    with warnings.catch_warnings(action="error"):
        assert normalise(faint).any()


def test_normalise_empty_is_refused():
    with pytest.raises(ImageError, match="No ink"):
        normalise(np.zeros((50, 50), np.uint8))


# read_digit


def test_read_digit_mnist_row_passes_unchanged(digits):
    for digit in digits:
        difference = read_digit(Image.fromarray(digit)).astype(int) - digit
        assert np.abs(difference).max() <= 1


@pytest.mark.parametrize("change", ["small", "large", "corner", "inverted", "coloured", "rotated"])
def test_read_digit_changed_picture_gives_the_same_digit(change, digits):
    likes = []
    for digit in digits:
        page = {
            "small": lambda d: page_with(d, high=40),
            "large": lambda d: page_with(d, 900, 600, (20, 30)),
            "corner": lambda d: page_with(d, 700, 60, (5, 600)),
            "inverted": lambda d: 255 - page_with(d),
        }.get(change, page_with)(digit)
        picture = pictures.as_picture(page)
        if change == "coloured":
            share = page[..., None] / 255
            picture = pictures.as_picture(share * [250, 230, 120] + (1 - share) * [20, 40, 160])
        if change == "rotated":
            exif = Image.Exif()
            exif[0x0112] = 6
            turned = picture.transpose(Image.Transpose.ROTATE_90)
            picture = open_picture(saved(turned, "PNG", exif=exif))
        likes.append(likeness(read_digit(picture), digit))
    assert np.median(likes) > 0.95
    assert sorted(likes)[1] > 0.83
    assert min(likes) > 0.75  # the row's own dust is gone, its thinnest strokes are thicker


@pytest.mark.parametrize("paper", [0, 255])
def test_read_digit_cut_close_around_the_ink_gives_the_same_digit(paper, digits):
    ones = slice(5, 10)  # an upright 1 fills its box: nothing tells its ink from its paper
    for digit in np.delete(digits, ones, axis=0):
        left, top, width, height = cv2.boundingRect((digit > 127).astype(np.uint8))
        close = digit[top : top + height, left : left + width]
        close = cv2.resize(close, None, fx=9, fy=9, interpolation=cv2.INTER_CUBIC) ^ paper
        whole = cv2.copyMakeBorder(close, *[60] * 4, cv2.BORDER_CONSTANT, value=paper)
        one, other = (read_digit(Image.fromarray(p)) for p in (close, whole))
        assert likeness(one, other) > 0.85  # the frame cuts off the softest pixels of some strokes


def test_read_digit_crop_in_two_tones_has_ink_where_the_strokes_are(digits):
    rng = np.random.default_rng(3)
    closed = digits[[0, 1, 2, 30, 31, 32, 40, 41, 42, 45, 46, 47]]  # 0, 6, 8 and 9: with a hole
    crops = [pictures.draw("close_crop", digit, rng) for digit in closed]
    likes = [likeness(read_digit(crop), digit) for crop, digit in zip(crops, closed, strict=True)]
    assert min(likes) > 0.75  # the pen is fatter than MNIST's; a hole alone is less like it


@pytest.mark.parametrize("kind", pictures.KINDS)
def test_read_digit_simulated_picture_is_like_its_digit(kind, digits):
    rng = np.random.default_rng(1)
    drawn = [(pictures.draw(kind, digit, rng), digit) for digit in digits[::7]]
    likes = [likeness(read_digit(picture), digit) for picture, digit in drawn]
    assert np.median(likes) > 0.93
    assert sorted(likes)[1] > 0.88  # one in eight may keep a ruled line or lose a stroke


@pytest.mark.parametrize("level", [0, 128, 255])
def test_read_digit_blank_page_is_refused(level):
    with pytest.raises(ImageError, match="No ink"):
        read_digit(Image.new("L", (200, 300), level))


def test_read_digit_noisy_empty_paper_is_refused():
    rng = np.random.default_rng(3)
    paper = np.full((300, 400, 3), 200.0) * pictures.light(300, 400, rng, 0.3)
    with pytest.raises(ImageError, match="No ink"):
        read_digit(pictures.as_picture(pictures.camera(paper, rng)))


@pytest.mark.parametrize("towards", [(1, 1), (1, 0.3), (-1, 0.5), (-0.3, -1)])
def test_read_digit_paper_that_grows_darker_to_one_side_is_refused(towards):
    down, right = towards
    row, column = np.mgrid[:160, :160] / 160
    slope = down * row + right * column
    grey = np.interp(slope, (slope.min(), slope.max()), (40, 230)).astype(np.uint8)
    with pytest.raises(ImageError, match="No ink"):
        read_digit(Image.fromarray(grey))


@pytest.mark.parametrize("noise", [0, 4])
def test_read_digit_two_digits_side_by_side_are_refused(noise, digits):
    page = page_with(digits[0], side=400, at=(60, 10))
    page = np.minimum(page, page_with(digits[20], side=400, at=(70, 190)))
    page += np.random.default_rng(6).normal(0, noise, page.shape)
    with pytest.raises(ImageError, match="Several digits"):
        read_digit(pictures.as_picture(page))


def test_read_digit_four_of_two_strokes_apart_is_one_digit(digits):
    page = np.full((300, 300), 255, np.uint8)
    cv2.polylines(page, [np.int32([(110, 60), (80, 150), (135, 150)])], False, 0, 12)
    cv2.line(page, (160, 70), (150, 220), 0, 12)
    left, top, width, height = cv2.boundingRect(255 - page)
    whole = normalise(255 - page[top : top + height, left : left + width])
    assert likeness(read_digit(Image.fromarray(page)), whole) > 0.95


def test_read_digit_frame_around_a_digit_is_looked_into(digits):
    page = page_with(digits[15], at=(65, 65))
    cv2.rectangle(page, (40, 30), (260, 270), 0, 6)
    assert likeness(read_digit(pictures.as_picture(page)), digits[15]) > 0.9


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 1), (2, 2), (7, 3)])
def test_read_digit_picture_of_few_pixels_is_read_or_refused(size):
    noise = np.random.default_rng(5).integers(0, 255, (size[1], size[0]), np.uint8)
    try:
        digit = read_digit(Image.fromarray(noise))
    except ImageError:
        return
    assert digit.shape == (28, 28)


@pytest.mark.parametrize("read", [images.read_digit, images.read_digits])
def test_read_bar_in_a_strip_is_read_or_refused(read):
    pixels = np.full((30, 900, 3), 255, np.uint8)
    pixels[10:21, 20:881] = 0  # in which there would be a panel of 788 x 1 px
    with suppress(ImageError):
        assert len(read(Image.fromarray(pixels)))


def test_read_digit_of_a_few_pixels_is_read_or_refused_and_nothing_else():
    rng = np.random.default_rng(0)
    for height, width in np.ndindex(8, 8):
        pixels = np.where(rng.random((height + 1, width + 1, 1)) < 0.4, 20, 240)
        picture = Image.fromarray(np.repeat(pixels, 3, axis=2).astype(np.uint8))
        with suppress(images.ImageError):
            assert images.read_digit(picture).shape == (28, 28)
