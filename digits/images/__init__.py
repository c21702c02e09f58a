"""Any picture of a handwritten digit -> that digit in MNIST's own form.

    picture = open_picture("photo.jpg")     # upright, at most 1,024 px, RGB
    digit = read_digit(picture)             # uint8 (28, 28): 0 paper, 255 ink

Whatever cannot be read is an `ImageError`, whose message is one sentence for the person who sent
the picture.
"""

from __future__ import annotations

import numpy as np
from PIL import Image

from digits.images.decode import MAX_BYTES, open_picture, plain
from digits.images.search import find_ink
from digits.mnist import NO_INK, SIDE, ImageError, is_normal, normalise

__all__ = ["MAX_BYTES", "ImageError", "open_picture", "read_digit"]

MAX_ASPECT = 30  # long side to short; a 1 cut out closely has 10, beyond 100 no strokes are left


def read_digit(picture: Image.Image) -> np.ndarray:
    """Return the digit in MNIST's form: uint8 (28, 28), 0 paper, 255 ink.

    picture: PIL image of one digit, any size, ink dark or bright. A picture already in MNIST's
    form comes back as it is. Raises ImageError when there is no ink or several digits.
    """
    if picture.size == (SIDE, SIDE):
        gray = np.asarray(picture.convert("L"))
        if is_normal(gray):
            return gray
    if max(picture.size) > MAX_ASPECT * min(picture.size):
        raise ImageError(NO_INK)
    if picture.mode != "RGB" or picture.has_transparency_data:
        picture = plain(picture)
    return normalise(find_ink(np.asarray(picture)))
