"""The architecture of the first network; other 28 x 28 networks of ten classes serve as well."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from digits.mnist import CLASSES, SIDE
from digits.model.keras_network import keras_api

if TYPE_CHECKING:
    import keras


def build(seed: int = 0, width: int = 48) -> keras.Model:
    """Return a new, untrained network: float32 (n, 28, 28, 1) in [0, 1] -> float32 (n, 10).

    A small residual network (He et al. 2016, https://arxiv.org/abs/1512.03385): convolutions at
    28 x 28 would cost most of the time and win little, so the stem goes to 14 x 14 at once.

    seed: fixes the initial weights. width: channels at 14 x 14; twice as many at 7 x 7
    (48 gives 0.25 M parameters).
    """
    keras = keras_api()
    layers = keras.layers
    seeds = iter(range(seed * 100, seed * 100 + 100))

    def convolve(x: Any, filters: int, side: int = 3, strides: int = 1) -> Any:
        drawn = keras.initializers.HeNormal(seed=next(seeds))
        how = {"padding": "same", "use_bias": False, "kernel_initializer": drawn}
        return layers.BatchNormalization()(layers.Conv2D(filters, side, strides, **how)(x))

    def residual(x: Any, filters: int) -> Any:
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
