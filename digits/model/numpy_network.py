"""The network without TensorFlow: a Keras file read with h5py, its layers computed with NumPy.

It knows the layers that `model.build` is made of, in the settings used there, and refuses a file
that holds any other; `model.load_light` leaves that file to Keras. Importing TensorFlow takes
seconds and 500 MB; the 18.5 million multiplications of one digit take NumPy 0.4 ms.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import h5py
import numpy as np
from threadpoolctl import threadpool_limits

BATCH = 16  # digits per call: their patches, 5 MB, stay in the processor's cache

# What the functions below take for granted of each kind of layer.
SETTINGS: dict[str, dict] = {
    "Conv2D": {
        "padding": "same",
        "data_format": "channels_last",
        "dilation_rate": [1, 1],
        "groups": 1,
        "activation": "linear",
        "use_bias": False,
    },
    "BatchNormalization": {"axis": -1, "center": True, "scale": True},
    "ReLU": {"max_value": None, "negative_slope": 0.0, "threshold": 0.0},
    "Add": {},
    "GlobalAveragePooling2D": {"data_format": "channels_last", "keepdims": False},
    "Dense": {"activation": "softmax", "use_bias": True},
}


@dataclass(frozen=True)
class Layer:
    """One layer: its name, the layers whose outputs it takes, and what it makes of them."""

    name: str
    inputs: list[str]
    compute: Callable[..., np.ndarray]


@dataclass(frozen=True, eq=False)
class Network:
    """Layers in the order of computation; the last one's output is the answer.

    entry: the name of the input. Shapes are as Keras gives them, None for the number of rows.
    """

    entry: str
    layers: list[Layer]
    input_shape: tuple
    output_shape: tuple

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Return the answers, float32 (n, classes), to float32 (n, height, width, channels)."""
        outputs = {self.entry: x}
        for layer in self.layers:
            outputs[layer.name] = layer.compute(*(outputs[name] for name in layer.inputs))
        return outputs[layer.name]


def load(path: str | Path) -> Network:
    """Return the network in a Keras file, ready to answer.

    Raises OSError or RuntimeError when the file cannot be read; KeyError, TypeError or ValueError
    when it holds anything that is not computed here.
    """
    # A second thread wins 0.1 ms on an idle machine, but waits 100 ms for its turn on a busy one.
    threadpool_limits(1, user_api="blas")
    with h5py.File(path, "r") as file:
        config = json.loads(file.attrs["model_config"])["config"]
        entry, *described = config["layers"]
        layers = [_layer(one, file["model_weights"]) for one in described]
    ends = config["input_layers"][0], config["output_layers"][0]
    if ends != (entry["name"], layers[-1].name):
        raise ValueError(f"computed from {ends[0]} to {ends[1]}, not from the first to the last")
    shape, classes = entry["config"]["batch_shape"], described[-1]["config"]["units"]
    network = Network(entry["name"], layers, tuple(shape), (None, classes))
    network(np.zeros((1, *shape[1:]), np.float32))  # raises when the layers do not fit together
    return network


def _layer(described: dict, weights: h5py.Group) -> Layer:
    """Return one layer from its description and the file's weights; raise as `load` does."""
    name, kind, settings = (described[key] for key in ("name", "class_name", "config"))
    if any(settings[key] != value for key, value in SETTINGS[kind].items()):
        raise ValueError(f"{name} has settings that are not computed here")
    if settings["dtype"]["config"] != {"name": "float32"}:
        raise ValueError(f"{name} does not compute in float32")
    (call,) = described["inbound_nodes"]  # a layer used twice has two
    tensors = call["args"][0] if kind == "Add" else call["args"]
    takes = [tensor["config"] for tensor in tensors]
    stored = weights[name]
    arrays = {path.rpartition("/")[2]: stored[path][()] for path in stored.attrs["weight_names"]}
    compute = KINDS[kind](settings, takes[0]["shape"][-1], arrays)
    return Layer(name, [one["keras_history"][0] for one in takes], compute)


# --- Each kind of layer, from its settings, the channels it takes and its arrays ---


def _conv2d(settings: dict, channels: int, arrays: dict) -> Callable:
    kernel = _array(arrays, "kernel", *settings["kernel_size"], channels, settings["filters"])
    return partial(convolve, kernel=kernel, strides=settings["strides"])


def _batch_normalization(settings: dict, channels: int, arrays: dict) -> Callable:
    names = "gamma", "beta", "moving_mean", "moving_variance"
    gamma, beta, mean, variance = (_array(arrays, name, channels) for name in names)
    gain = gamma / np.sqrt(variance + np.float32(settings["epsilon"]))
    return partial(scale_channels, gain=gain, offset=beta - mean * gain)


def _relu(settings: dict, channels: int, arrays: dict) -> Callable:
    return lambda x: np.maximum(x, 0)


def _add(settings: dict, channels: int, arrays: dict) -> Callable:
    return lambda x, y: x + y


def _global_average(settings: dict, channels: int, arrays: dict) -> Callable:
    return lambda x: x.mean(axis=(1, 2))


def _dense(settings: dict, channels: int, arrays: dict) -> Callable:
    kernel = _array(arrays, "kernel", channels, settings["units"])
    bias = _array(arrays, "bias", settings["units"])
    return lambda x: softmax(x @ kernel + bias)


KINDS = {
    "Conv2D": _conv2d,
    "BatchNormalization": _batch_normalization,
    "ReLU": _relu,
    "Add": _add,
    "GlobalAveragePooling2D": _global_average,
    "Dense": _dense,
}


def _array(arrays: dict, name: str, *shape: int) -> np.ndarray:
    """Return the array of that name; raise ValueError unless it has that shape in float32."""
    array = arrays[name]
    if array.shape != shape or array.dtype != np.float32:
        raise ValueError(f"{name} is {array.dtype} {array.shape}, not float32 {shape}")
    return array


# --- Arithmetic ---


def convolve(x: np.ndarray, kernel: np.ndarray, strides: tuple[int, int]) -> np.ndarray:
    """Return x convolved, float32 (n, rows, columns, filters), zeros around it ("same").

    Every patch under the kernel becomes a row of a matrix, and the kernel another matrix: one
    product does the rest (Chellapilla et al. 2006, https://inria.hal.science/inria-00112631).

    x: float32 (n, height, width, channels); kernel: float32 (kernel's height, width, channels,
    filters).
    """
    count, *sides, channels = x.shape
    *spans, _, filters = kernel.shape
    places = [-(-side // stride) for side, stride in zip(sides, strides, strict=True)]
    # How Keras pads: what the last patch lacks, the smaller half of it before.
    lacks = [
        max((place - 1) * stride + span - side, 0)
        for place, stride, span, side in zip(places, strides, spans, sides, strict=True)
    ]
    top, left = (lack // 2 for lack in lacks)
    padded = np.zeros((count, sides[0] + lacks[0], sides[1] + lacks[1], channels), np.float32)
    padded[:, top : top + sides[0], left : left + sides[1]] = x
    image, row, column, channel = padded.strides
    patches = np.ndarray(  # a view: patches overlap
        (count, *places, *spans, channels),
        np.float32,
        padded,
        strides=(image, row * strides[0], column * strides[1], row, column, channel),
    )
    products = patches.reshape(-1, kernel[..., 0].size) @ kernel.reshape(-1, filters)
    return products.reshape(count, *places, filters)


def scale_channels(x: np.ndarray, gain: np.ndarray, offset: np.ndarray) -> np.ndarray:
    """Return x times gain plus offset, both float32 (channels,)."""
    scaled = x * gain
    scaled += offset
    return scaled


def softmax(x: np.ndarray) -> np.ndarray:
    """Return probabilities from logits, each float32 (n, classes); rows sum to one."""
    powers = np.exp(x - x.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)
