"""A home in PostgreSQL: what one host writes, every host reads; nothing is half there."""

import numpy as np
from PIL import Image

from digits import feedback


def picture(seed=0):
    """A small picture that no other seed gives."""
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (9, 7, 3), np.uint8))


def test_add_comes_back(shared):
    added = feedback.add(shared, picture(), 1, 7)
    assert feedback.load(shared) == ([added], [])
