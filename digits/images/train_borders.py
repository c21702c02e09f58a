"""Train the network that sees where one digit ends: MNIST's training digits -> `borders.npz`.

    python -m digits.images.train_borders --mnist DIR [--samples N] [--epochs N] [--out FILE]

DIR holds MNIST's four files; no digit of `train.csv` is learned from. Prints the loss on samples
that were kept back after each epoch; takes about half an hour on two cores.
"""

from __future__ import annotations

import argparse
import io
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from digits import durable
from digits.home import PROJECT
from digits.images import borders, touching
from digits.mnist import read_mnist
from digits.model import styles
from digits.model.keras_network import keras_api
from digits.rows import TRAIN, read_rows

if TYPE_CHECKING:
    import keras

WIDTH = 96  # px of a sample; a wider piece is learned from in part
CHANNELS, BLOCKS = 64, 5  # of the network: half a million multiplications a place of 4 x 4 px
BATCH = 64  # samples a step
RATE, WARM = 2e-3, 200  # the highest rate, and the steps until it; it falls to 0 with a cosine
KEPT_BACK = 1000  # samples
STYLED = 3  # digits to each one in a style that MNIST lacks
PARTS = 60  # of the samples, each with a generator of its own
BEYOND = 2  # marks the px right of a piece, which teach nothing


def main(argv: list[str] | None = None) -> None:
    """Draw samples, train, and write the weights, whole or not at all."""
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("--mnist", type=Path, required=True)
    options.add_argument("--samples", type=int, default=160_000)
    options.add_argument("--epochs", type=int, default=5)
    options.add_argument("--out", type=Path, default=borders.WEIGHTS)
    given = options.parse_args(argv)
    if given.samples <= KEPT_BACK:
        options.error(f"--samples is {given.samples}; {KEPT_BACK:,} are kept back, so ask for more")
    try:
        digits = _digits(given.mnist)
    except FileNotFoundError as error:
        options.error(str(error))
    inks, marks = _samples(digits, given.samples)
    net = _fit(inks, marks, given.epochs)
    stream = io.BytesIO()
    np.savez(stream, *[weights.astype(np.float16) for weights in net.get_weights()])
    durable.write(given.out, stream.getvalue())


def _digits(folder: Path) -> np.ndarray:
    """Return MNIST's training digits but train.csv's, and some in styles: uint8 (n, 28, 28)."""
    digits, labels = read_mnist(folder, "train")
    kept = {one.tobytes() for one in read_rows(PROJECT / TRAIN)[0]}
    taken = [one.tobytes() not in kept for one in digits]
    digits, labels = digits[taken], labels[taken]
    styled, _ = styles.mix(digits, labels, len(digits) // STYLED, np.random.default_rng(0))
    return np.concatenate([digits, styled])


def _samples(digits: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return drawn inks and their borders, each uint8 (count, HEIGHT, WIDTH); see `draw_part`."""
    size = -(-count // PARTS)
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
        parts = list(pool.map(draw_part, [digits] * PARTS, [size] * PARTS, range(PARTS)))
    inks, marks = (np.concatenate(one)[:count] for one in zip(*parts, strict=True))
    return inks, marks


def draw_part(digits: np.ndarray, count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return inks, 0 to 255, and marks: 0, 1 for the border, BEYOND; uint8 (count, HEIGHT, WIDTH).

    digits: uint8 (n, 28, 28), MNIST's.
    """
    rng = np.random.default_rng(seed)
    inks = np.zeros((count, borders.HEIGHT, WIDTH), np.uint8)
    marks = np.full(inks.shape, BEYOND, np.uint8)
    for ink, mark in zip(inks, marks, strict=True):
        drawn, border = touching.draw(digits, rng)
        start = int(rng.integers(max(0, drawn.shape[1] - WIDTH) + 1))
        drawn, border = drawn[:, start : start + WIDTH], border[:, start : start + WIDTH]
        ink[:, : drawn.shape[1]] = 255 * drawn
        mark[:, : drawn.shape[1]] = border
    return inks, marks


def build() -> keras.Model:
    """Return the network that `borders` computes, not yet trained: squares of ink -> logits."""
    keras = keras_api()
    channels = borders.PATCH**2
    layer = {"kernel_size": 3, "padding": "same"}
    ink = keras.Input((borders.HEIGHT // borders.PATCH, None, channels))
    x = keras.layers.Conv2D(CHANNELS, activation="relu", **layer)(ink)
    for _ in range(BLOCKS):
        x = keras.layers.Add()([x, keras.layers.Conv2D(CHANNELS, activation="relu", **layer)(x)])
    return keras.Model(ink, keras.layers.Conv2D(channels, **layer)(x))


def _fit(inks: np.ndarray, marks: np.ndarray, epochs: int) -> keras.Model:
    """Return the network trained on all samples but those kept back."""
    keras = keras_api()
    keras.utils.set_random_seed(0)
    ops = keras.ops

    def loss(mark: Any, logit: Any) -> Any:  # tensors
        """Return the mean cross-entropy, in nats, over what belongs to the pieces."""
        counts = ops.cast(mark != BEYOND, "float32")
        lost = ops.binary_crossentropy(ops.minimum(mark, 1), logit, from_logits=True)
        return ops.sum(lost * counts) / ops.sum(counts)

    x, y = borders.squares(inks), borders.squares(marks)
    steps = epochs * -(-(len(x) - KEPT_BACK) // BATCH)
    rate = keras.optimizers.schedules.CosineDecay(0.0, steps, warmup_target=RATE, warmup_steps=WARM)
    net = build()
    of_bytes = keras.Sequential([keras.layers.Rescaling(1 / 255), net])
    of_bytes.compile(keras.optimizers.Adam(rate), loss)
    data = (x[:-KEPT_BACK], y[:-KEPT_BACK]), (x[-KEPT_BACK:], y[-KEPT_BACK:])
    of_bytes.fit(*data[0], BATCH, epochs, verbose=2, validation_data=data[1])
    return net


if __name__ == "__main__":
    main()
