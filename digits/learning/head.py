"""The two parts of a network: the trunk, which never learns again, and the head, which does."""

from __future__ import annotations

from contextlib import suppress
from functools import lru_cache
from math import prod
from typing import TYPE_CHECKING

import numpy as np

from digits import model

if TYPE_CHECKING:
    import keras

LEARNED_LAYERS = 3  # the last ones with weights; those before see strokes, and cost most time
MAX_FEATURES = 16_384  # between trunk and head, 64 KB a digit: a run keeps those of all rows


@lru_cache(maxsize=4)  # a run's networks: each part is made a graph once
def cut(net: keras.Model) -> tuple[keras.Model, keras.Model]:
    """Return net's trunk and its head; the weights are net's own.

    The head's are LEARNED_LAYERS with weights, batch norm not counted, or as many more as it takes
    for all answers to pass the cut: a shortcut may lead past a layer. They are fewer where too much
    would pass.
    """
    import keras

    norm = keras.layers.BatchNormalization
    weighted = [x for x in net.layers if x.weights and not isinstance(x, norm)]
    last = max(1, len(weighted) - LEARNED_LAYERS + 1)
    for layer in [*reversed(weighted[:last]), *weighted[last:]]:
        given = layer.input
        if isinstance(given, list) or prod(given.shape[1:]) > MAX_FEATURES:
            continue
        with suppress(ValueError):  # the answers depend on more than this layer is given
            return keras.Model(net.inputs, given), keras.Model(given, net.outputs[0])
    return keras.Model(net.inputs, net.inputs[0]), net


def head_behind(trunk: keras.Model, net: keras.Model) -> keras.Model | None:
    """Return net's head if its trunk is the given one, to the bit; otherwise None.

    The same trunk is in every network that descends from the trunk's by fine-tuning.
    """
    own, head = cut(net)
    pairs = zip(own.get_weights(), trunk.get_weights(), strict=False)
    same = own.count_params() == trunk.count_params() and all(np.array_equal(*two) for two in pairs)
    return head if same else None


def predict(
    net: keras.Model, trunk: keras.Model, features: np.ndarray, digits: np.ndarray
) -> np.ndarray:
    """Return net's predictions, float32 (n, 10), for digits of which the trunk made the features.

    digits: uint8 (n, 28, 28), for a net with another trunk.
    """
    head = head_behind(trunk, net)
    return model.predict(net, digits) if head is None else model.apply(head, features)
