"""Any Keras network of 28 x 28 digits and ten classes -> the form that `build` makes.

That is a graph of layers, none of them a network itself, from float32 (n, 28, 28, 1) in [0, 1] to
float32 (n, 10), rows summing to 1. What a network lacks of it is put around its layers, as layers
too, so that a candidate fine-tuned from it is of this form in any program.
"""

from __future__ import annotations

import inspect
import json
import logging
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from digits.mnist import CLASSES, SIDE
from digits.model import probe
from digits.model.keras_file import ModelError, parts, read_config
from digits.model.keras_network import compiled, keras_api

if TYPE_CHECKING:
    import keras

SCALED = "pixels_as_trained"  # the layer's name
MAX_WEIGHTS = 2**26  # in all: a description may ask for more than its file holds
MAX_VALUES = 2**18  # that a layer makes of one digit: 512 MB for the digits of a call
WITHOUT_EFFECT = ("_initializer", "_regularizer", "_constraint")  # once the weights are there

log = logging.getLogger("digits")


def load(path: str | Path) -> keras.Model:
    """Return the network in a Keras file in the form above, whatever pixels it was trained on.

    Raises ModelError when it cannot be built, or is no network of 28 x 28 digits and ten classes.
    """
    config, keras = read_config(path), keras_api()
    try:
        with warnings.catch_warnings(), tempfile.TemporaryDirectory() as folder:
            warnings.simplefilter("ignore")  # of how its maker might have built it more neatly
            copy = Path(folder) / "net.h5"  # Keras refuses other endings
            shutil.copy(path, copy)
            with h5py.File(copy, "r+") as file:
                file.attrs["model_config"] = json.dumps(_modern(config))
            with _bounded():
                net = keras.models.load_model(copy, compile=False)
            if not _reads_digits(net):
                raise ModelError(
                    f"{path} maps {net.input_shape} to {net.output_shape}, not 28 x 28 digits to "
                    "ten classes: bring a network that does."
                )
            plain = adapted(net)
            pixels = probe.pixels_for(compiled(plain))
            return plain if pixels == probe.SERVED else adapted(net, pixels)
    except ModelError:
        raise
    except Exception as error:  # Keras raises whatever a strange description leads to
        log.info("%s cannot be built", path, exc_info=True)
        why = " ".join(str(error).split())[:60] or type(error).__name__
        raise ModelError(
            f"{path} holds a network that Keras {keras.__version__} cannot build ({why}): save it "
            "again with that version, or restore it from versions/."
        ) from error


def adapted(net: keras.Model, trained_on: probe.Pixels = probe.SERVED) -> keras.Model:
    """Return a copy of a network in the form above. trained_on: the pixels it expects."""
    keras = keras_api()
    inputs = pixels = keras.Input((SIDE, SIDE, 1), name="pixels")
    if trained_on != probe.SERVED:
        pixels = keras.layers.Rescaling(trained_on.factor, trained_on.offset, name=SCALED)(pixels)
    shape = tuple(net.input_shape[1:])
    if prod(filter(None, shape)) == SIDE * SIDE and shape != (SIDE, SIDE, 1):
        pixels = keras.layers.Reshape(shape, name="pixels_in_its_shape")(pixels)
    _name_apart(net, {layer.name: layer for layer in keras.Model(inputs, pixels).layers})
    answers = net.call(pixels)
    if len(answers.shape) > 2:
        answers = keras.layers.Reshape((CLASSES,), name="classes_in_a_row")(answers)
    whole = keras.Model(inputs, answers, name=net.name)
    while any(isinstance(one, keras.Model) or _is_idle(one) for one in whole.operations):
        whole = keras.models.clone_model(
            whole, clone_function=lambda layer: layer, call_function=_unpacked
        )
    copy = _renewed(whole)
    if any(prod(layer.output.shape[1:]) > MAX_VALUES for layer in copy.layers):
        raise ValueError(f"a layer makes more than {MAX_VALUES:,} values of one digit")
    sums = np.asarray(copy(np.random.default_rng(0).random((9, SIDE, SIDE, 1)))).sum(axis=1)
    return copy if np.allclose(sums, 1, atol=1e-3) else _renewed(whole, probable=True)


def pixels_of(net: keras.Model) -> str:
    """Return in words the pixels that a network was trained on, "" when they are those served."""
    for layer in net.layers:
        if layer.name == SCALED:
            given = layer.scale, layer.offset
            return next(one.words for one in probe.PIXELS if (one.factor, one.offset) == given)
    return ""


def _modern(config: dict[str, Any]) -> dict[str, Any]:
    """Return the description of a network of Keras 2 or 3 as Keras 3 writes it."""
    if isinstance(config["config"], list):  # a Sequential of before 2.2.3
        config["config"] = {"name": "net", "layers": config["config"]}
    for part in parts(config):
        settings: Any = part.get("config")
        if part["class_name"] == "Sequential":
            _give_input(settings["layers"])
        kind = getattr(keras_api().layers, part["class_name"], None)
        if inspect.isclass(kind) and isinstance(settings, dict):
            _drop_idle(settings, kind)
        if part["class_name"] == "BatchNormalization" and isinstance(settings["axis"], list):
            (settings["axis"],) = settings["axis"]
    return config


def _give_input(layers: list[dict[str, Any]]) -> None:
    """Put an input before the layers of a Sequential if the first of them tells its shape."""
    shapes = [
        layer["config"].pop("batch_input_shape", None)
        for layer in layers
        if layer["class_name"] != "InputLayer"
    ]
    if len(shapes) == len(layers) and shapes[0]:
        layers.insert(0, {"class_name": "InputLayer", "config": {"batch_shape": shapes[0]}})


def _drop_idle(settings: dict[str, Any], kind: type) -> None:
    """Remove settings that this kind of layer does not know, if they have no effect."""
    known = {name for base in kind.__mro__ for name in inspect.signature(base).parameters}
    for name in set(settings) - known:
        if settings[name] in (None, False, 1) or name.endswith(WITHOUT_EFFECT):
            del settings[name]


@contextmanager
def _bounded() -> Iterator[None]:
    """Refuse meanwhile to make more weights than MAX_WEIGHTS, whatever a description asks for."""
    layer = keras_api().Layer
    add, made = layer.add_weight, 0

    def add_bounded(self: Any, shape: Any = None, *args: Any, **kwargs: Any) -> Any:
        nonlocal made
        made += prod(shape or ())
        if made > MAX_WEIGHTS:
            raise ValueError(f"more than {MAX_WEIGHTS:,} weights")
        return add(self, shape, *args, **kwargs)

    layer.add_weight = add_bounded
    try:
        yield
    finally:
        layer.add_weight = add


def _reads_digits(net: keras.Model) -> bool:
    """Return whether a network takes one picture of 28 x 28 values, and gives ten."""
    if len(net.inputs) != 1 or len(net.outputs) != 1:
        return False
    takes, gives = (tuple(tensor.shape[1:]) for tensor in (net.inputs[0], net.outputs[0]))
    sides = tuple(size for size in takes if size != 1)
    return (
        sides in [(SIDE, SIDE), (SIDE * SIDE,), (None, None)]
        and prod(size or 0 for size in gives) == CLASSES
    )


def _name_apart(net: keras.Model, taken: dict[str, Any]) -> None:
    """Give the layers of a network, and of those inside it, names that differ."""
    keras = keras_api()
    for layer in net.layers:
        if isinstance(layer, keras.Model):
            _name_apart(layer, taken)
        if taken.setdefault(layer.name, layer) is not layer:
            layer.name = f"{layer.name}_{len(taken)}"
            taken[layer.name] = layer


def _is_idle(operation: Any) -> bool:
    """Return whether it is what Keras puts before a network's layers when it calls that."""
    return type(operation).__name__ == "ConvertToTensor"


def _unpacked(operation: Any, *args: Any, **kwargs: Any) -> Any:
    """Return what an operation makes of its arguments; a network's are called one by one."""
    if _is_idle(operation):
        return args[0]
    is_network = isinstance(operation, keras_api().Model)
    return (operation.call if is_network else operation)(*args, **kwargs)


def _renewed(net: keras.Model, probable: bool = False) -> keras.Model:
    """Return a copy in float32, whose layers belong to it alone.

    probable: make probabilities of its last layer's answers. Of logits, and of ten sigmoids given
    that one digit is right and nine are not, these are the softmax.
    """
    keras = keras_api()
    last = net.layers[-1]

    def renew(layer: Any) -> Any:
        settings = layer.get_config()
        if "dtype" in settings:
            settings["dtype"] = "float32"
        if probable and layer is last and "activation" in settings:
            settings["activation"] = "softmax"
        return type(layer).from_config(settings)

    copy = keras.models.clone_model(net, clone_function=renew)
    copy.set_weights(net.get_weights())
    if probable and "activation" not in last.get_config():
        answers = keras.layers.Softmax(name="as_probabilities")(copy.outputs[0])
        return keras.Model(copy.inputs, answers, name=net.name)
    return copy
