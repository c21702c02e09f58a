"""What a network reads of digits with known labels, and of which pixels it reads most.

The digits are 20 held-out rows of each class of the shipped `train.csv`, kept in a picture, so
that a network can be tried in a fifth of a second, wherever its file lies.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from digits.metrics import nll
from digits.mnist import CLASSES, SIDE

PICTURE = Path(__file__).with_name("probe.png")  # a line of 20 digits for each class
NEAR_CHANCE = 0.4  # of the digits told apart: an untrained network reaches 0.3, the poorest 0.8
WELL = 0.95  # told apart, and SURE on average: no other pixels need be tried
SURE = 0.5

Answer = Callable[[np.ndarray], Any]  # float32 (n, 28, 28, 1) -> probabilities, float32 (n, 10)


@dataclass(frozen=True)
class Pixels:
    """How pixels are scaled: by a factor and an offset from [0, 1]; in words."""

    factor: float
    offset: float
    words: str


SERVED = Pixels(1.0, 0.0, "from 0 to 1")
PIXELS = (  # as people train on MNIST
    SERVED,
    Pixels(255.0, 0.0, "from 0 to 255"),
    Pixels(2.0, -1.0, "from -1 to 1"),
    Pixels(1 / 0.3081, -0.1307 / 0.3081, "of mean 0 and variance 1"),
)


def scale(digits: np.ndarray) -> np.ndarray:
    """Return float32 (n, 28, 28, 1) in [0, 1] from digits, uint8 (n, 28, 28), 255 ink."""
    return digits[..., np.newaxis].astype(np.float32) / 255.0


@lru_cache(maxsize=1)
def known_digits() -> tuple[np.ndarray, np.ndarray]:
    """Return the digits, uint8 (200, 28, 28), and their labels, int (200,)."""
    with Image.open(PICTURE) as picture:
        tiles = np.asarray(picture)
    tiles = tiles.reshape(CLASSES, SIDE, -1, SIDE).swapaxes(1, 2)
    return tiles.reshape(-1, SIDE, SIDE), np.repeat(np.arange(CLASSES), tiles.shape[1])


def pixels_for(answer: Answer) -> Pixels:
    """Return the pixels that a network was trained on: SERVED, unless it reads others better.

    That is, it tells no fewer digits apart, and at least loss. Of a network near chance, SERVED.
    """
    told_served, least, sure = _tried(answer, SERVED)
    if told_served >= WELL and sure >= SURE:
        return SERVED
    best = SERVED
    for pixels in PIXELS[1:]:
        told, loss, _ = _tried(answer, pixels)
        if told >= max(told_served, NEAR_CHANCE) and loss < least:
            best, least = pixels, loss
    return best


def told_apart(labels: np.ndarray, answers: np.ndarray) -> float:
    """Return the share of digits that an answer tells from others, 0 to 1, even by another name.

    A network whose classes stand in another order tells digits apart; an untrained one does not.
    labels: int (n,). answers: float (n, 10).
    """
    table = np.zeros((CLASSES, CLASSES), int)
    np.add.at(table, (answers.argmax(axis=1), labels), 1)
    return float(table.max(axis=1).sum() / len(labels))


def _tried(answer: Answer, pixels: Pixels) -> tuple[float, float, float]:
    """Return the share told apart, the log-loss in nats, and the mean confidence."""
    pictures, labels = known_digits()
    answers = np.asarray(answer(scale(pictures) * pixels.factor + pixels.offset))
    told = told_apart(labels, answers)
    return told, nll(labels, answers), float(answers.max(axis=1).mean())
