"""TensorFlow and Keras, imported when they are first needed: that takes seconds and 500 MB."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from digits.model.keras_file import ModelError

if TYPE_CHECKING:
    import keras


@lru_cache(maxsize=2)
def observed(net: keras.Model) -> keras.Model:
    """Return net with what its last layer with weights is given put before its answers."""
    keras = keras_api()
    last = [layer for layer in net.layers if layer.weights][-1]
    given = keras.layers.Flatten(name="given_to_the_last")(last.input)
    both = keras.layers.Concatenate(name="given_and_answered")([given, net.outputs[0]])
    return keras.Model(net.inputs, both)


@lru_cache(maxsize=8)
def compiled(net: keras.Model) -> Callable[[np.ndarray], Any]:
    """Return net as one graph for any number of rows: 40 times faster than `net.predict`."""
    import tensorflow as tf

    signature = [tf.TensorSpec(net.input_shape, tf.float32)]
    graph = tf.function(
        lambda x: net(x, training=False), input_signature=signature, autograph=False
    )
    return graph.get_concrete_function()


def keras_api() -> Any:
    """Return Keras, imported without TensorFlow's notes: under cron each would become a mail.

    Raises ModelError without TensorFlow.
    """
    if "keras" not in sys.modules:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        try:
            with _stderr_silenced():
                import tensorflow as tf

                tf.config.list_physical_devices()  # looks for a GPU, and says so
        except ImportError as error:
            raise ModelError(
                f"TensorFlow, without which nothing is learned, cannot be imported ({error}): "
                "pip install -r requirements.txt."
            ) from error
        for name in ("absl", "tensorflow"):  # else each saved .h5 is called legacy
            logging.getLogger(name).setLevel(logging.ERROR)
    import keras

    return keras


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


@contextmanager
def _stderr_silenced() -> Iterator[None]:
    """Discard what native code writes to file descriptor 2 meanwhile."""
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
