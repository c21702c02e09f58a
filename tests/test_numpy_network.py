"""The network without TensorFlow answers as Keras does, or leaves the file to it."""

import os
import re
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from digits import model
from digits.model import numpy_network
from tests.homes import make_home

HOME = Path(__file__).parents[1]


def settle(net, seed):
    """Give a new network weights and batch-norm statistics such as training leaves."""
    rng = np.random.default_rng(seed)
    net.set_weights([w + rng.uniform(0, 0.3, w.shape) for w in net.get_weights()])
    return net


def difference(path, digits):
    """Return the largest difference between the light answers and Keras' own."""
    ours = model.predict(numpy_network.load(path), digits)
    theirs = model.load(path).predict(model.scale(digits), verbose=0)
    assert (ours.shape, ours.dtype) == (theirs.shape, theirs.dtype)
    return np.abs(ours - theirs).max()


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """The file of a small network."""
    path = tmp_path_factory.mktemp("light") / "net.h5"
    model.save(settle(model.build(seed=3, width=4), 0), path)
    return path


@pytest.fixture
def edited(saved, tmp_path):
    """Path of the small network's file after a change, a function of the open file."""

    def write(change):
        path = tmp_path / "edited.h5"
        path.write_bytes(saved.read_bytes())
        with h5py.File(path, "r+") as file:
            change(file)
        return path

    return write


def set_config(old, new):
    """Return a change that replaces text in the network's description."""

    def change(file):
        config = file.attrs["model_config"]
        assert old in config
        file.attrs["model_config"] = config.replace(old, new, 1)

    return change


def first_group(file, kind):
    """Return the group that holds the arrays of the first layer of a kind."""
    name = min(name for name in file["model_weights"] if name.startswith(kind))
    return file["model_weights"][name][name]


def test_load_shipped_network_answers_as_keras(rows):
    assert difference(HOME / "model.h5", rows[0][:300]) < 1e-5


@pytest.mark.parametrize(("seed", "width"), [(1, 3), (2, 16), (5, 48)])
def test_load_network_of_any_width_and_weights_answers_as_keras(seed, width, rows, tmp_path):
    model.save(settle(model.build(seed, width), seed), tmp_path / "net.h5")
    assert difference(tmp_path / "net.h5", rows[0][:40]) < 1e-5


def test_load_clone_loaded_and_saved_again_answers_as_keras(saved, rows, tmp_path):
    import keras

    net = model.load(saved)
    clone = keras.models.clone_model(net)  # as fine-tuning does
    clone.set_weights(net.get_weights())
    model.save(clone, tmp_path / "again.h5")
    assert difference(tmp_path / "again.h5", rows[0][:40]) < 1e-5


@pytest.mark.parametrize("side", [5, 6, 7, 28])
@pytest.mark.parametrize(("span", "stride"), [(1, 1), (1, 2), (2, 1), (3, 1), (3, 2), (5, 2)])
def test_convolve_any_side_span_and_stride_pads_as_tensorflow(side, span, stride):
    import tensorflow as tf

    rng = np.random.default_rng(side)
    x = rng.normal(size=(2, side, side + 1, 3)).astype(np.float32)
    kernel = rng.normal(size=(span, span + 1, 3, 4)).astype(np.float32)
    expected = tf.nn.conv2d(x, kernel, (stride, stride), "SAME").numpy()
    answer = numpy_network.convolve(x, kernel, (stride, stride))
    assert answer.shape == expected.shape
    assert np.allclose(answer, expected, atol=1e-4)


def test_softmax_large_logits_stay_finite_and_sum_to_one():
    probabilities = numpy_network.softmax(np.array([[1e4, 0, -1e4], [0, 0, 0]], np.float32))
    assert np.allclose(probabilities, [[1, 0, 0], [1 / 3] * 3])


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(
            set_config('"dilation_rate": [1, 1]', '"dilation_rate": [2, 2]'), id="dilated"
        ),
        pytest.param(set_config('"padding": "same"', '"padding": "valid"'), id="unpadded"),
        pytest.param(set_config('"ReLU"', '"PReLU"'), id="another kind"),
        pytest.param(set_config('"negative_slope": 0.0', '"negative_slope": 0.1'), id="leaky"),
        pytest.param(set_config('"float32"}', '"float16"}'), id="half precision"),
        pytest.param(set_config('["features", 0, 0]', '["elsewhere", 0, 0]'), id="wired otherwise"),
        pytest.param(set_config('"output_layers": ["p', '"output_layers": ["q'), id="other end"),
        pytest.param(set_config("{", ""), id="no description"),
        pytest.param(lambda file: file.attrs.pop("model_config"), id="weights alone"),
        pytest.param(lambda file: first_group(file, "conv2d").clear(), id="a layer lost"),
    ],
)
def test_load_file_of_another_network_is_refused(change, edited):
    with pytest.raises((KeyError, TypeError, ValueError)):
        numpy_network.load(edited(change))


def test_load_weights_of_another_shape_are_refused(edited):
    def shorten(file):
        group = first_group(file, "batch_normalization")
        del group["gamma"]
        group["gamma"] = np.ones(1, np.float32)  # NumPy would stretch it silently

    with pytest.raises(ValueError, match="gamma is float32"):
        numpy_network.load(edited(shorten))


READS_A_PICTURE = """
import io, sys
from streamlit.testing.v1 import AppTest
from tests.homes import styled_pictures

stream = io.BytesIO()
styled_pictures(1)[0][0].save(stream, "PNG")
page = AppTest.from_file("app.py", default_timeout=120).run()
page.file_uploader[0].set_value([("a.png", stream.getvalue(), "image/png")]).run()
print("answer:", *(one.proto.body for one in page.get("html")[1:-1]))
print(*sys.modules)
"""


def test_page_that_answers_imports_no_tensorflow(tmp_path):
    run = subprocess.run(
        [sys.executable, "-c", READS_A_PICTURE],
        cwd=HOME,
        env=os.environ | {"DIGITS_HOME": str(make_home(tmp_path / "root"))},
        capture_output=True,
        text=True,
        check=True,
    )
    answer, modules = run.stdout.strip().split("\n")[-2:]
    assert re.search(r"<h2>\d", answer)
    assert "digits.model.numpy_network" in modules.split()
    assert not {"tensorflow", "keras"} & set(modules.split())
