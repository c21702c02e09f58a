"""The network: build, load, predict and save `model.h5`.

The only module that knows how pixels are scaled and how the file is written. Keras is imported
inside the functions that need it, because it takes seconds: whoever imports this module to name
an error or a path does not wait for TensorFlow.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from digits import light

if TYPE_CHECKING:
    import keras

CLASSES = 10
SIDE = 28  # px, MNIST's image side
SURE = 0.94  # probability from which an answer stands alone; see benchmarks/network.py
BATCH = 512  # digits per call: large enough to fill two cores, small enough for a 1 GB host
UNREADABLE = "{} is not a readable Keras model: restore it from git or from versions/."


class ModelError(RuntimeError):
    """A model file that cannot serve; the message names the file and the remedy."""


def build(seed: int = 0, width: int = 48) -> keras.Model:
    """Return a new, untrained network: float32 (n, 28, 28, 1) in [0, 1] -> float32 (n, 10).

    A small residual network (He et al. 2016, https://arxiv.org/abs/1512.03385): convolutions at
    28 x 28 would cost most of the time and win little, so the stem goes to 14 x 14 at once.

    seed: fixes the initial weights. width: channels at 14 x 14; twice as many at 7 x 7
    (48 gives 0.25 M parameters).
    """
    keras = _keras()
    layers = keras.layers
    seeds = iter(range(seed * 100, seed * 100 + 100))

    def convolve(x, filters: int, side: int = 3, strides: int = 1):
        initializer = keras.initializers.HeNormal(seed=next(seeds))
        x = layers.Conv2D(
            filters,
            side,
            strides,
            padding="same",
            use_bias=False,
            kernel_initializer=initializer,
        )(x)
        return layers.BatchNormalization()(x)

    def residual(x, filters: int):
        y = layers.ReLU()(convolve(x, filters))
        return layers.ReLU()(layers.Add()([x, convolve(y, filters)]))

    inputs = keras.Input((SIDE, SIDE, 1))
    x = layers.ReLU()(convolve(inputs, width, side=5, strides=2))
    x = residual(x, width)
    x = layers.ReLU()(convolve(x, 2 * width, strides=2))
    x = residual(x, 2 * width)
    x = layers.GlobalAveragePooling2D(name="features")(x)
    outputs = layers.Dense(
        CLASSES,
        activation="softmax",
        kernel_initializer=keras.initializers.GlorotUniform(seed=next(seeds)),
        name="probabilities",
    )(x)
    return keras.Model(inputs, outputs, name="digits")


def prepare() -> None:
    """Import Keras now, which takes seconds, so that the first `load` is quick."""
    _keras()


def scale(digits: np.ndarray) -> np.ndarray:
    """Return float32 (n, 28, 28, 1) in [0, 1] from digits, uint8 (n, 28, 28), 255 ink."""
    return digits[..., np.newaxis].astype(np.float32) / 255.0


def load(path: str | Path) -> keras.Model:
    """Return the network stored at path, ready to predict.

    Raises ModelError when the file is missing, damaged, or does not map MNIST images to ten
    classes.
    """
    _check_there(path)
    keras = _keras()
    try:
        net = keras.models.load_model(path, compile=False)
    # RuntimeError: what h5py raises when the file's own tables are damaged.
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RuntimeError) as error:
        raise ModelError(UNREADABLE.format(path)) from error
    return _checked(net, path)


def load_light(path: str | Path) -> light.Network | keras.Model:
    """Return the network stored at path, ready to predict, without TensorFlow where possible.

    Its answers are those of `load`. A network of other layers than `build` makes, such as one of
    a reader's own, is loaded by Keras. Raises ModelError as `load` does.
    """
    _check_there(path)
    try:
        net = light.load(path)
    except (KeyError, TypeError, ValueError):
        return load(path)
    except (OSError, RuntimeError) as error:
        raise ModelError(UNREADABLE.format(path)) from error
    return _checked(net, path)


def _check_there(path: str | Path) -> None:
    """Raise ModelError when there is no file at path."""
    if not Path(path).is_file():
        raise ModelError(f"There is no model at {path}: run modelbuilding.ipynb, or restore it.")


def _checked(net: light.Network | keras.Model, path: str | Path):
    """Return the network; raise ModelError unless it maps MNIST images to ten classes."""
    shapes = (tuple(net.input_shape), tuple(net.output_shape))
    if shapes != ((None, SIDE, SIDE, 1), (None, CLASSES)):
        raise ModelError(
            f"{path} maps {shapes[0]} to {shapes[1]}, not 28 x 28 digits to ten classes: "
            "restore it from git or from versions/."
        )
    return net


def predict(net: light.Network | keras.Model, digits: np.ndarray) -> np.ndarray:
    """Return the probabilities, float32 (n, 10), rows summing to 1, of uint8 (n, 28, 28)."""
    if isinstance(net, light.Network):
        return _in_batches(net, digits, light.BATCH, (CLASSES,))
    return run(net, digits)


def observe(net: keras.Model, digits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return what the last layer is given, float32 (n, f), and what `predict` returns.

    digits: uint8 (n, 28, 28).
    """
    seen = run(_observed(net), digits)
    return seen[:, :-CLASSES], seen[:, -CLASSES:]


def run(part: keras.Model, rows: np.ndarray) -> np.ndarray:
    """Return what a part of a network makes of rows, float32 (n, ...).

    rows: digits, uint8 (n, 28, 28), or what an earlier part made of them, float32.
    """
    return _in_batches(_compiled(part), rows, BATCH, part.output_shape[1:])


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


@lru_cache(maxsize=2)
def _observed(net: keras.Model) -> keras.Model:
    """Return net with what its last layer is given put before its answers."""
    keras = _keras()
    given = keras.layers.Flatten()(net.layers[-1].input)
    return keras.Model(net.inputs, keras.layers.Concatenate()([given, net.outputs[0]]))


@lru_cache(maxsize=8)
def _compiled(net: keras.Model):
    """Return net as one graph for any number of rows: 40 times faster than `net.predict`."""
    import tensorflow as tf

    signature = [tf.TensorSpec(net.input_shape, tf.float32)]
    graph = tf.function(
        lambda x: net(x, training=False), input_signature=signature, autograph=False
    )
    return graph.get_concrete_function()


def _keras():
    """Return Keras, imported without TensorFlow's notes: under cron each would become a mail."""
    if "keras" not in sys.modules:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        with _stderr_silenced():
            import tensorflow as tf

            tf.config.list_physical_devices()  # looks for a GPU, and says so
        logging.getLogger("absl").setLevel(logging.ERROR)  # else each saved .h5 is called legacy
    import keras

    return keras


@contextmanager
def _stderr_silenced():
    """Discard what native code writes to file descriptor 2 meanwhile."""
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
