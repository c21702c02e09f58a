"""A digit of a number as a picture of its own: what a correction of it keeps."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from PIL import Image

from digits.images.number import NumberDigit
from digits.mnist import ImageError

MARGINS = (0.5, 0.25, 0.1)  # of the box's longer side: with as much paper as neighbours leave
ALIKE = 0.9  # correlation of pixels, from which both are the same digit cut out twice


def surroundings(
    picture: Image.Image, one: NumberDigit, read: Callable[[Image.Image], np.ndarray]
) -> Image.Image:
    """Return a picture from which `read` gives this digit of a number.

    It is the digit's box in the picture with some paper around it, or the digit itself where its
    neighbours stand too close. read: returns uint8 (28, 28), or raises ImageError.
    """
    left, top, width, height = one.box
    for margin in MARGINS:
        reach = round(margin * max(width, height))
        crop = picture.crop(
            (
                max(0, left - reach),
                max(0, top - reach),
                min(picture.width, left + width + reach),
                min(picture.height, top + height + reach),
            )
        )
        try:
            digit = read(crop)
        except ImageError:
            continue
        if np.corrcoef(digit.ravel(), one.digit.ravel())[0, 1] > ALIKE:
            return crop
    return Image.fromarray(one.digit).convert("RGB")
