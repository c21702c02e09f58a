"""Where one digit ends and the next begins, seen by a small network: ink -> probabilities."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np

from digits.model.numpy_network import convolve

HEIGHT = 32  # px of the ink, as in training
PATCH = 4  # px: the network sees squares of so many as one place, and answers for each px of them
WEIGHTS = Path(__file__).with_name("borders.npz")


def borders(ink: np.ndarray) -> np.ndarray:
    """Return how likely each px lies on the border of two digits, float32 (HEIGHT, w).

    ink: float32 (HEIGHT, w), 0 paper, 1 ink, of digits that touch.
    """
    width = ink.shape[1]
    (kernel, bias), *blocks, (last, last_bias) = weights()
    x = squares(np.pad(ink, ((0, 0), (0, -width % PATCH)))[np.newaxis])
    x = np.maximum(convolve(x, kernel, (1, 1)) + bias, 0)
    for kernel, bias in blocks:
        x += np.maximum(convolve(x, kernel, (1, 1)) + bias, 0)
    logits = convolve(x, last, (1, 1)) + last_bias
    rows = logits.reshape(HEIGHT // PATCH, -1, PATCH, PATCH).swapaxes(1, 2).reshape(HEIGHT, -1)
    return 1 / (1 + np.exp(-rows[:, :width]))


def squares(inks: np.ndarray) -> np.ndarray:
    """Return each ink's squares as places with a channel for each px: (n, h, w, PATCH²).

    inks: (n, HEIGHT, w), w a multiple of PATCH.
    """
    parted = inks.reshape(len(inks), HEIGHT // PATCH, PATCH, -1, PATCH).swapaxes(2, 3)
    return parted.reshape(*parted.shape[:3], PATCH**2)


@cache
def weights() -> list[tuple[np.ndarray, np.ndarray]]:
    """Return each layer's kernel and bias, float32."""
    with np.load(WEIGHTS) as stored:
        arrays = [stored[name].astype(np.float32) for name in stored.files]
    return list(zip(arrays[::2], arrays[1::2], strict=True))
