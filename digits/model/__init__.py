"""The network: build, load, predict and save `model.h5`.

The only module that knows how pixels are scaled and how the file is written. Keras is imported
inside the functions that need it, because it takes seconds: whoever imports this module to name
an error or a path does not wait for TensorFlow.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from digits.mnist import CLASSES, SIDE
from digits.model import numpy_network
from digits.model.architecture import build
from digits.model.keras_network import compiled, keras_api, observed

if TYPE_CHECKING:
    import keras

SURE = 0.94  # probability from which an answer stands alone; see benchmarks/network.py
BATCH = 512  # digits per call: large enough to fill two cores, small enough for a 1 GB host
UNREADABLE = "{} is not a readable Keras model: restore it from git or from versions/."


class ModelError(RuntimeError):
    """A model file that cannot serve; the message names the file and the remedy."""


def prepare() -> None:
    """Import Keras now, which takes seconds, so that the first `load` is quick."""
    keras_api()


def scale(digits: np.ndarray) -> np.ndarray:
    """Return float32 (n, 28, 28, 1) in [0, 1] from digits, uint8 (n, 28, 28), 255 ink."""
    return digits[..., np.newaxis].astype(np.float32) / 255.0


def load(path: str | Path) -> keras.Model:
    """Return the network stored at path, ready to predict.

    Raises ModelError when the file is missing, damaged, or does not map MNIST images to ten
    classes.
    """
    _check_there(path)
    keras = keras_api()
    try:
        net = keras.models.load_model(path, compile=False)
    # RuntimeError: what h5py raises when the file's own tables are damaged.
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RuntimeError) as error:
        raise ModelError(UNREADABLE.format(path)) from error
    return _checked(net, path)


def load_light(path: str | Path) -> numpy_network.Network | keras.Model:
    """Return the network stored at path, ready to predict, without TensorFlow where possible.

    Its answers are those of `load`. A network of other layers than `build` makes, such as one of
    a reader's own, is loaded by Keras. Raises ModelError as `load` does.
    """
    _check_there(path)
    try:
        net = numpy_network.load(path)
    except (KeyError, TypeError, ValueError):
        return load(path)
    except (OSError, RuntimeError) as error:
        raise ModelError(UNREADABLE.format(path)) from error
    return _checked(net, path)


def _check_there(path: str | Path) -> None:
    """Raise ModelError when there is no file at path."""
    if not Path(path).is_file():
        raise ModelError(f"There is no model at {path}: run modelbuilding.ipynb, or restore it.")


def _checked(net: Any, path: str | Path) -> Any:
    """Return the network; raise ModelError unless it maps MNIST images to ten classes."""
    shapes = (tuple(net.input_shape), tuple(net.output_shape))
    if shapes != ((None, SIDE, SIDE, 1), (None, CLASSES)):
        raise ModelError(
            f"{path} maps {shapes[0]} to {shapes[1]}, not 28 x 28 digits to ten classes: "
            "restore it from git or from versions/."
        )
    return net


def predict(net: numpy_network.Network | keras.Model, digits: np.ndarray) -> np.ndarray:
    """Return the probabilities, float32 (n, 10), rows summing to 1, of uint8 (n, 28, 28)."""
    if isinstance(net, numpy_network.Network):
        return _in_batches(net, digits, numpy_network.BATCH, (CLASSES,))
    return apply(net, digits)


def observe(net: keras.Model, digits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return what the last layer is given, float32 (n, f), and what `predict` returns.

    digits: uint8 (n, 28, 28).
    """
    seen = apply(observed(net), digits)
    return seen[:, :-CLASSES], seen[:, -CLASSES:]


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


def save(net: keras.Model, path: str | Path) -> None:
    """Write the network to path, whose name ends in `.h5`, and sync it to disk.

    The file is complete on return; to replace a file that others read, write beside it and
    rename (`digits.versions.publish` does).
    """
    net.save(path, include_optimizer=False)
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
