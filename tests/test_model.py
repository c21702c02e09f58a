"""The network's form, its file and its answers; networks here are tiny."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from digits import model
from digits.model import numpy_network

HOME = Path(__file__).parents[1]
LOADERS = pytest.mark.parametrize("load", [model.load, model.load_light])


@pytest.fixture(scope="module")
def net():
    """Untrained, but with other batch-norm statistics than a new one has."""
    net = model.build(seed=3, width=4)
    rng = np.random.default_rng(0)
    net.set_weights([w + rng.uniform(0, 0.3, w.shape) for w in net.get_weights()])
    return net


@pytest.fixture(scope="module")
def saved(net, tmp_path_factory):
    """The network's file."""
    path = tmp_path_factory.mktemp("model") / "net.h5"
    model.save(net, path)
    return path


@pytest.fixture
def damaged(saved, tmp_path):
    """Path of a file with the given content, a function of the good file's bytes."""

    def write(change):
        path = tmp_path / "damaged.h5"
        path.write_bytes(change(saved.read_bytes()))
        return path

    return write


def test_import_of_what_the_page_needs_brings_nothing_heavy():
    rooms = (
        "feedback.archive feedback.verdicts jobs.progress jobs.schedule model.training page.drawing"
    )
    modules = ", ".join(f"digits.{room}" for room in rooms.split())
    script = f"import sys, {modules}; print(*sys.modules)"
    run = subprocess.run(
        [sys.executable, "-c", script], cwd=HOME, capture_output=True, text=True, check=True
    )
    assert "digits.model" in run.stdout.split()
    assert not {"tensorflow", "keras", "pandas", "altair"} & set(run.stdout.split())


# build


def test_build_default_width_stays_below_a_million_parameters():
    net = model.build()
    assert net.count_params() <= 1_000_000
    assert net.input_shape == (None, model.SIDE, model.SIDE, 1)
    assert net.output_shape == (None, model.CLASSES)
    assert {str(weight.dtype) for weight in net.weights} == {"float32"}


def test_build_seed_fixes_the_weights():
    one, same, other = (model.build(seed, width=4).get_weights() for seed in (1, 1, 2))
    assert all(np.array_equal(a, b) for a, b in zip(one, same, strict=True))
    # Other seed, other kernels: only what starts at zero or one is the same.
    drawn = [i for i, weights in enumerate(one) if weights.ndim > 1]
    assert not any(np.array_equal(one[i], other[i]) for i in drawn)


# scale and predict


def test_scale_digits_gives_float32_from_0_to_1():
    scaled = model.scale(
        np.array([0, 51, 255], np.uint8).reshape(3, 1, 1).repeat(28, 1).repeat(28, 2)
    )
    assert (scaled.shape, scaled.dtype) == ((3, 28, 28, 1), np.float32)
    assert np.array_equal(scaled[:, 0, 0, 0], np.array([0, 0.2, 1], np.float32))


def test_predict_digits_agrees_with_keras_and_sums_to_one(net, few):
    probabilities = model.predict(net, few[0])
    assert (probabilities.shape, probabilities.dtype) == ((len(few[0]), 10), np.float32)
    assert np.allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    assert np.allclose(probabilities, net.predict(model.scale(few[0]), verbose=0), atol=1e-5)


@pytest.mark.parametrize("count", [0, 1, model.BATCH, model.BATCH + 1, 2 * model.BATCH + 7])
def test_predict_any_count_answers_each_digit_as_if_alone(count, net, rows):
    probabilities = model.predict(net, rows[0][:count])
    assert probabilities.shape == (count, 10)
    for row in {0, count // 2, count - 1} & set(range(count)):
        alone = model.predict(net, rows[0][row : row + 1])
        assert np.allclose(probabilities[row], alone[0], atol=1e-5)


def test_predict_weights_changed_since_answers_with_the_new(few):
    net = model.build(seed=1, width=4)
    before = model.predict(net, few[0])
    other = model.build(seed=2, width=4)
    net.set_weights(other.get_weights())
    after = model.predict(net, few[0])
    assert not np.allclose(after, before, atol=1e-3)
    assert np.allclose(after, model.predict(other, few[0]), atol=1e-5)


def test_load_saved_network_answers_the_same(net, saved, few):
    loaded = model.load(saved)
    assert np.array_equal(model.predict(loaded, few[0]), model.predict(net, few[0]))


def test_load_model_of_plain_keras_reads_the_file(net, saved, few):
    import keras

    loaded = keras.models.load_model(saved)
    answers = loaded.predict(model.scale(few[0]), verbose=0)
    assert np.allclose(answers, model.predict(net, few[0]), atol=1e-5)


def test_load_light_own_network_answers_as_load(net, saved, few):
    loaded = model.load_light(saved)
    assert isinstance(loaded, numpy_network.Network)
    assert np.allclose(model.predict(loaded, few[0]), model.predict(net, few[0]), atol=1e-5)


def test_load_light_network_of_other_layers_is_served_by_keras(few, tmp_path):
    import keras

    layers = keras.layers
    other = keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(3, 5, activation="relu"),
            layers.MaxPooling2D(4),
            layers.Flatten(),
            layers.Dense(10, activation="softmax"),
        ]
    )
    model.save(other, tmp_path / "other.h5")
    answers = model.predict(model.load_light(tmp_path / "other.h5"), few[0])
    assert np.allclose(answers, other.predict(model.scale(few[0]), verbose=0), atol=1e-5)


@LOADERS
def test_load_missing_file_is_named(load, tmp_path):
    with pytest.raises(model.ModelError, match=r"There is no model at .*gone\.h5"):
        load(tmp_path / "gone.h5")


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda data: b"", id="empty"),
        pytest.param(lambda data: b"not a network" * 99, id="garbage"),
        pytest.param(lambda data: data[:100], id="hardly begun"),
        pytest.param(lambda data: data[: len(data) // 2], id="half"),
        pytest.param(lambda data: data[:-1], id="last byte cut"),
        pytest.param(lambda data: data.replace(b"SNOD", b"DONS"), id="damaged tables"),
        pytest.param(lambda data: data.replace(b'"Conv2D"', b'"Conv9D"'), id="unknown layer"),
        pytest.param(lambda data: data.replace(b"model_config", b"other_config"), id="no config"),
    ],
)
@LOADERS
def test_load_damaged_file_is_named(load, change, damaged):
    path = damaged(change)
    with pytest.raises(model.ModelError) as caught:
        load(path)
    assert str(path) in str(caught.value)
    assert "restore it" in str(caught.value)


@pytest.mark.parametrize(
    ("shape", "classes"), [((32, 32, 1), 10), ((28, 28, 3), 10), ((28, 28, 1), 9)]
)
@LOADERS
def test_load_network_for_something_else_is_refused(load, shape, classes, tmp_path):
    import keras

    inputs = keras.Input(shape)
    outputs = keras.layers.Dense(classes)(keras.layers.Flatten()(inputs))
    path = tmp_path / "other.h5"
    model.save(keras.Model(inputs, outputs), path)
    with pytest.raises(model.ModelError, match=r"other.h5 maps .* not 28 x 28 digits"):
        load(path)
