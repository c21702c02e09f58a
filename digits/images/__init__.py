"""Any picture of handwritten digits -> the digits in MNIST's own form.

    picture = open_picture("photo.jpg")     # upright, at most 1,024 px, RGB
    digit = read_digit(picture)             # uint8 (28, 28): 0 paper, 255 ink
    number = read_digits(picture)           # all digits in reading order
    number.text()                           # "0 171 555": spaces between groups

Whatever cannot be read is an `ImageError`, whose message is one sentence for the person who sent
the picture.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from digits import model
from digits.images.decode import MAX_BYTES, open_picture, pixels_of, plain
from digits.images.number import Box, Number, NumberDigit
from digits.images.reading import read_number
from digits.images.regroup import included, joined, parted
from digits.images.search import find_ink
from digits.images.surroundings import surroundings as _surroundings
from digits.mnist import NO_INK, SIDE, ImageError, is_normal, normalise

if TYPE_CHECKING:
    import keras

    from digits.model.numpy_network import Network

MAX_ASPECT = 30  # long side to short; a 1 cut out closely has 10, beyond 100 no strokes are left
SHIPPED = Path(__file__).parents[2] / "model.h5"


def read_digit(picture: Image.Image) -> np.ndarray:
    """Return the digit in MNIST's form: uint8 (28, 28), 0 paper, 255 ink.

    picture: PIL image of one digit, any size, ink dark or bright. A picture already in MNIST's
    form comes back as it is. Raises ImageError when there is no ink or several digits.
    """
    if (digit := _normal(picture)) is not None:
        return digit
    if max(picture.size) > MAX_ASPECT * min(picture.size):
        raise ImageError(NO_INK)
    return normalise(find_ink(_pixels(picture)))


def read_digits(picture: Image.Image, net: Network | keras.Model | None = None) -> Number:
    """Return all digits of a picture in reading order: lines top to bottom, left to right.

    The list's items have `.digit` (uint8 (28, 28) in MNIST's form), `.box` (left, top, width,
    height in px of the picture), `.line` and `.group` (int, from 0) and `.probabilities` (float32
    (10,), the network's answer). The list has `.text()` and `.left_out`, the boxes of signs, lines
    and whatever else is no digit.

    picture: PIL image of 1 to 200 digits, ink dark or bright. net: the network that tells digits
    from what is none; by default the shipped one. Raises ImageError when there is no digit, and
    what `model.load_light` raises when the shipped network cannot be loaded.
    """
    net = _shipped() if net is None else net
    return read_number(_pixels(picture), net, _normal(picture))


def surroundings(picture: Image.Image, one: NumberDigit) -> Image.Image:
    """Return a picture of one digit of a number alone, which `read_digit` reads as that digit."""
    return _surroundings(picture, one, read_digit)


def _normal(picture: Image.Image) -> np.ndarray | None:
    """Return the picture, uint8 (28, 28), if it is a digit in MNIST's form already."""
    if picture.size != (SIDE, SIDE):
        return None
    gray = np.asarray(picture.convert("L"))
    return gray if is_normal(gray) else None


def _pixels(picture: Image.Image) -> np.ndarray:
    """Return the picture's pixels, uint8 (h, w, 3), what is transparent filled."""
    if picture.mode != "RGB" or picture.has_transparency_data:
        picture = plain(picture)
    return np.asarray(picture)


@lru_cache(maxsize=1)
def _shipped() -> Network | keras.Model:
    """Return the network at the project's root."""
    return model.load_light(SHIPPED)
