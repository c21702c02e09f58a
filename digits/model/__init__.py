"""The network: build, load, predict and save `model.h5`.

The only module that knows how pixels are scaled and how the file is written. Keras is imported
inside the functions that need it, because it takes seconds: whoever imports this module to name
an error or a path does not wait for TensorFlow.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from digits.metrics import correct
from digits.mnist import CLASSES, SIDE
from digits.model import foreign, numpy_network, probe
from digits.model.architecture import build
from digits.model.keras_file import ModelError, read_config
from digits.model.keras_network import compiled, keras_api, observed, save
from digits.model.probe import known_digits, scale

if TYPE_CHECKING:
    import keras

SURE = 0.9  # probability from which an answer stands alone; see benchmarks/network.py
BATCH = 512  # digits per call: large enough to fill two cores, small enough for a 1 GB host
MAX_FEATURES = 1_024  # that `observe` gives of a digit: what is fitted to more takes minutes


def prepare() -> None:
    """Import Keras now, which takes seconds, so that the first `load` is quick."""
    keras_api()


def load(path: str | Path) -> keras.Model:
    """Return the network stored at path, ready to predict and to be trained further.

    A network of another maker is brought into the form of `build`'s, given the pixels it was
    trained on. Raises ModelError when the file is missing, damaged, holds code, or does not map
    MNIST images to ten classes.
    """
    if _own(path):
        return keras_api().models.load_model(path, compile=False)
    return foreign.load(path)


def load_light(path: str | Path) -> numpy_network.Network | keras.Model:
    """Return the network stored at path, ready to predict, without TensorFlow where possible.

    Its answers are those of `load`. A network of other layers than `build` makes, such as one of
    a reader's own, is loaded by Keras. Raises ModelError as `load` does.
    """
    return _own(path) or foreign.load(path)


def load_serving(path: str | Path) -> numpy_network.Network | keras.Model:
    """Return what `load_light` does; raise ModelError for a network near chance, too."""
    net = load_light(path)
    labels, answers = _probed(net)
    told_apart = probe.told_apart(labels, answers)
    if told_apart >= probe.NEAR_CHANCE:
        return net
    raise ModelError(
        f"{path} tells only {told_apart:.0%} of {len(labels)} digits apart, near chance: train it "
        "on white digits on black, as in train.csv, or put another network there."
    )


def describe(net: numpy_network.Network | keras.Model) -> str:
    """Return a sentence on how many digits a network reads, and of which pixels if not of ours."""
    labels, answers = _probed(net)
    share = correct(labels, answers).mean()
    pixels = "" if isinstance(net, numpy_network.Network) else foreign.pixels_of(net)
    given = f", given pixels {pixels} as it was trained on" if pixels else ""
    return f"It reads {share:.0%} of {len(labels)} held-out digits{given}."


@lru_cache(maxsize=2)
def _probed(net: numpy_network.Network | keras.Model) -> tuple[np.ndarray, np.ndarray]:
    """Return the labels of the probe's digits, int (n,), and a network's answers to them."""
    digits, labels = known_digits()
    return labels, predict(net, digits)


def _own(path: str | Path) -> numpy_network.Network | None:
    """Return a network as `build` makes it, trained on pixels in [0, 1]; None for any other.

    Raises ModelError when the file itself cannot serve.
    """
    read_config(path)
    try:
        net = numpy_network.load(path)
    except (OSError, RuntimeError, KeyError, TypeError, ValueError):
        return None  # Keras says what it is
    ours = net.output_shape == (None, CLASSES) and net.input_shape == (None, SIDE, SIDE, 1)
    answer = partial(predict, net)
    return net if ours and probe.pixels_for(answer) == probe.SERVED else None


def predict(net: numpy_network.Network | keras.Model, digits: np.ndarray) -> np.ndarray:
    """Return the probabilities, float32 (n, 10), rows summing to 1, of uint8 (n, 28, 28)."""
    if isinstance(net, numpy_network.Network):
        return _in_batches(net, digits, numpy_network.BATCH, (CLASSES,))
    return apply(net, digits)


def observe(net: keras.Model, digits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return what the last layer with weights is given, float32 (n, f), and what `predict` returns.

    digits: uint8 (n, 28, 28).
    """
    seen = apply(observed(net), digits)
    features, answers = seen[:, :-CLASSES], seen[:, -CLASSES:]
    width = features.shape[1]
    if width > MAX_FEATURES:  # a random projection keeps distances (Johnson & Lindenstrauss 1984)
        directions = np.random.default_rng(0).standard_normal((width, MAX_FEATURES), np.float32)
        features = features @ (directions / np.sqrt(MAX_FEATURES))
    return features, answers


def apply(part: keras.Model, rows: np.ndarray) -> np.ndarray:
    """Return what a part of a network makes of rows, float32 (n, ...).

    rows: digits, uint8 (n, 28, 28), or what an earlier part made of them, float32.
    """
    return _in_batches(compiled(part), rows, BATCH, part.output_shape[1:])


def _in_batches(answer: Callable, rows: np.ndarray, size: int, shape: tuple) -> np.ndarray:
    """Return the answers to all rows, float32 (n, *shape), asked for `size` at a time."""
    answers = np.empty((len(rows), *shape), np.float32)
    for start in range(0, len(rows), size):
        some = rows[start : start + size]
        answers[start : start + size] = answer(scale(some) if some.dtype == np.uint8 else some)
    return answers
