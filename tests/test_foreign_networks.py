"""Networks of other makers in the place of model.h5: served, learned from, or refused by a line."""

import json
import shutil

import h5py
import numpy as np
import pytest

from digits import feedback, images, model, versions
from digits.learning import run
from digits.model import numpy_network, probe
from tests.homes import PROJECT, styled_pictures

MAX_MESSAGE = 300


def dense(layers):
    return [layers.Flatten(name="flatten"), layers.Dense(64, "relu"), layers.Dense(10, "softmax")]


def lenet(layers):
    return [
        layers.Conv2D(6, 5, padding="same", activation="tanh"),
        layers.AveragePooling2D(2),
        layers.Conv2D(16, 5, activation="tanh"),
        layers.AveragePooling2D(2),
        layers.Flatten(name="flatten"),
        layers.Dense(84, "tanh"),
        layers.Dense(10, "softmax"),
    ]


def vgg(layers):
    return [
        layers.Conv2D(8, 3, activation="relu"),
        layers.Conv2D(8, 3, activation="relu"),
        layers.MaxPooling2D(2),
        layers.Dropout(0.25),
        layers.Conv2D(16, 3, activation="relu"),
        layers.MaxPooling2D(2),
        layers.Flatten(),
        layers.Dense(64, "relu"),
        layers.Dropout(0.5),
        layers.Dense(10),
        layers.Activation("softmax"),
    ]


def nested(layers):
    """A network in a network, with the same names inside and outside."""
    import keras

    inputs = keras.Input((28, 28, 1))
    x = layers.Conv2D(8, 3, 2, activation="relu", name="conv")(inputs)
    trunk = keras.Model(inputs, layers.Conv2D(8, 3, 2, activation="relu", name="again")(x))
    return [trunk, layers.Conv2D(8, 3, activation="relu", name="conv"), *dense(layers)]


def trained(path, stack, rows, shape=(28, 28, 1), pixels=lambda x: x, answers=None, epochs=2):
    """Train a network of these layers on the replay rows; save it, its optimizer with it."""
    import keras

    keras.utils.set_random_seed(0)
    digits, labels = rows
    net = keras.Sequential([keras.Input(shape), *stack(keras.layers)])
    if answers is not None:
        net.layers[-1].activation = keras.activations.get(answers)
    loss = {"linear": keras.losses.SparseCategoricalCrossentropy(from_logits=True)}
    given = pixels(model.scale(digits)).reshape(-1, *shape)
    targets = labels if answers != "sigmoid" else np.eye(10)[labels]
    chosen = loss.get(answers, "sparse_categorical_crossentropy")
    net.compile("adam", "binary_crossentropy" if answers == "sigmoid" else chosen)
    net.fit(given, targets, batch_size=32, epochs=epochs, verbose=0)
    net.save(path)
    return net


def share_read(net, rows):
    """The share of these rows that a network reads."""
    return (model.predict(net, rows[0]).argmax(axis=1) == rows[1]).mean()


@pytest.fixture(scope="module")
def plain(replay, tmp_path_factory):
    """The file of a trained network of another maker's, and the network."""
    path = tmp_path_factory.mktemp("foreign") / "model.h5"
    return path, trained(path, dense, replay)


def test_probe_digits_are_held_out_rows_of_the_shipped_table(held_out):
    digits, labels = probe.known_digits()
    assert np.bincount(labels).tolist() == [20] * 10
    theirs = {digit.tobytes(): label for digit, label in zip(*held_out, strict=True)}
    assert [theirs[digit.tobytes()] for digit in digits] == labels.tolist()


# --- Served ---


@pytest.mark.parametrize("answers", ["linear", "sigmoid"])
def test_load_answers_that_are_no_probabilities_become_such(answers, replay, held_out, tmp_path):
    theirs = trained(tmp_path / "net.h5", dense, replay, answers=answers)
    net = model.load_serving(tmp_path / "net.h5")
    probabilities = model.predict(net, held_out[0])
    assert np.allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    assert probabilities.min() >= 0
    before = theirs.predict(model.scale(held_out[0]), verbose=0)
    assert (before.argmax(axis=1) == probabilities.argmax(axis=1)).mean() > 0.999
    assert share_read(net, held_out) > 0.8


@pytest.mark.parametrize("shape", [(784,), (28, 28), (1, 28, 28), (784, 1)])
def test_load_input_of_another_shape_is_wrapped(shape, replay, held_out, tmp_path):
    theirs = trained(tmp_path / "net.h5", dense, replay, shape)
    net = model.load(tmp_path / "net.h5")
    assert net.input_shape == (None, 28, 28, 1)
    digits = held_out[0][:200]
    expected = theirs.predict(model.scale(digits).reshape(-1, *shape), verbose=0)
    assert np.allclose(model.predict(net, digits), expected, atol=1e-5)


def test_load_fixed_batch_takes_any_number(plain, few, tmp_path):
    import keras

    fixed = keras.Sequential([keras.Input((28, 28, 1), batch_size=32), *dense(keras.layers)])
    fixed.set_weights(plain[1].get_weights())
    fixed.save(tmp_path / "net.h5")
    answers = model.predict(model.load(tmp_path / "net.h5"), few[0][:7])
    assert np.allclose(answers, model.predict(plain[1], few[0][:7]), atol=1e-5)


@pytest.mark.parametrize(
    ("pixels", "words"),
    [
        (lambda x: x * 255, "from 0 to 255"),
        (lambda x: x * 2 - 1, "from -1 to 1"),
        (lambda x: (x - 0.1307) / 0.3081, "of mean 0 and variance 1"),
    ],
)
def test_load_other_pixels_expected_are_given_and_named(pixels, words, replay, held_out, tmp_path):
    theirs = trained(tmp_path / "net.h5", lenet, replay, pixels=pixels, epochs=3)
    net = model.load_serving(tmp_path / "net.h5")
    expected = theirs.predict(pixels(model.scale(held_out[0])), verbose=0)
    assert np.allclose(model.predict(net, held_out[0]), expected, atol=1e-3)
    assert words in model.describe(net)


def test_load_scaled_within_is_given_255(replay, held_out, tmp_path):
    def stack(layers):
        return [layers.Rescaling(1 / 255), *lenet(layers)]

    trained(tmp_path / "net.h5", stack, replay, pixels=lambda x: x * 255)
    net = model.load_serving(tmp_path / "net.h5")
    assert share_read(net, held_out) > 0.85
    assert "given pixels from 0 to 255" in model.describe(net)


def test_describe_own_network_says_what_it_reads():
    net = model.load_serving(PROJECT / "model.h5")
    assert isinstance(net, numpy_network.Network)
    digits, labels = model.known_digits()
    share = np.mean(model.predict(net, digits).argmax(axis=1) == labels)
    assert share > 0.98
    assert model.describe(net) == f"It reads {share:.0%} of 200 held-out digits."


def reconfigured(path, change, to):
    """Copy a network's file, its description changed."""
    shutil.copy(path, to)
    with h5py.File(to, "r+") as file:
        config = json.loads(file.attrs["model_config"])
        file.attrs["model_config"] = json.dumps(change(config) or config)
    return to


def as_keras_2(config):
    """Write the description as Keras 2 did."""
    for part in config["config"]["layers"]:
        settings = part["config"]
        settings["dtype"] = "float32"
        for gone in ("quantization_config", "optional"):
            settings.pop(gone, None)
        if "batch_shape" in settings:
            settings["batch_input_shape"] = settings.pop("batch_shape")
        if part["class_name"] == "BatchNormalization":
            settings["axis"] = [3]
            settings.pop("synchronized", None)
        if "Conv2D" in part["class_name"]:
            settings["groups"] = 1
            settings.setdefault("kernel_initializer", None)


def test_load_keras_2_file_answers_as_it_did(replay, few, tmp_path):
    def stack(layers):
        return [
            layers.Conv2D(8, 3),
            layers.BatchNormalization(),
            layers.DepthwiseConv2D(3, activation="relu"),
            layers.SeparableConv2D(8, 3),
            layers.LeakyReLU(),
            *dense(layers),
        ]

    theirs = trained(tmp_path / "new.h5", stack, replay, epochs=1)
    path = reconfigured(tmp_path / "new.h5", as_keras_2, tmp_path / "old.h5")
    expected = theirs.predict(model.scale(few[0]), verbose=0)
    assert np.allclose(model.predict(model.load(path), few[0]), expected, atol=1e-5)


@pytest.mark.parametrize("has_input", [True, False])
@pytest.mark.parametrize("in_a_list", [True, False])
def test_load_keras_2_sequential_whose_first_layer_tells_the_shape(
    has_input, in_a_list, plain, few, tmp_path
):
    def change(config):
        layers = config["config"]["layers"]
        layers[1]["config"]["batch_input_shape"] = [None, 28, 28, 1]
        config["config"] = {"name": "old", "layers": layers[not has_input :]}
        if in_a_list:
            config["config"] = config["config"]["layers"]

    net = model.load(reconfigured(plain[0], change, tmp_path / "old.h5"))
    assert np.allclose(model.predict(net, few[0]), model.predict(plain[1], few[0]), atol=1e-5)


# --- Refused ---


def refused(path):
    """The one sentence with which a file is refused."""
    with pytest.raises(model.ModelError) as caught:
        model.load_serving(path)
    message = str(caught.value)
    assert str(path) in message
    assert len(message.replace(str(path), "model.h5")) <= MAX_MESSAGE
    assert "\n" not in message
    assert message.endswith(".")
    return message


@pytest.mark.parametrize(
    ("content", "remedy"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n", "git lfs pull"),
        (b"PK\x03\x04" + bytes(99), ".save('model.h5')"),
        (b"\x80\x04pickle", "net.save('model.h5')"),
    ],
)
def test_load_file_of_another_kind_is_named(content, remedy, tmp_path):
    (tmp_path / "model.h5").write_bytes(content)
    assert remedy in refused(tmp_path / "model.h5")


def test_load_cut_file_is_named(plain, tmp_path):
    (tmp_path / "model.h5").write_bytes(plain[0].read_bytes()[:-100])
    assert "restore it from git" in refused(tmp_path / "model.h5")


def test_load_weights_only_says_how_to_save_the_network(plain, tmp_path):
    path = tmp_path / "model.h5"
    plain[1].save_weights(tmp_path / "x.weights.h5")
    shutil.copy(tmp_path / "x.weights.h5", path)
    assert "net.save('model.h5')" in refused(path)


def test_load_untrained_network_is_near_chance(tmp_path):
    model.save(model.build(width=4), tmp_path / "model.h5")
    assert "near chance" in refused(tmp_path / "model.h5")


def test_load_network_of_inverted_digits_is_near_chance(replay, tmp_path):
    trained(tmp_path / "model.h5", dense, replay, pixels=lambda x: 1 - x)
    assert "white digits on black" in refused(tmp_path / "model.h5")


def test_load_lambda_is_never_run(tmp_path):
    import keras

    own = keras.layers.Lambda(lambda x: x)
    keras.Sequential([keras.Input((28, 28, 1)), own, *dense(keras.layers)]).save(
        tmp_path / "model.h5"
    )
    assert "never run" in refused(tmp_path / "model.h5")


@pytest.mark.parametrize(
    "named",
    [
        {"module": "os", "class_name": "function", "config": "abort"},
        {"module": "keras.utils", "class_name": "function", "config": "get_file"},
        {"module": "builtins", "class_name": "function", "config": "exec"},
    ],
)
def test_load_foreign_function_is_never_run(named, plain, tmp_path):
    def change(config):
        config["config"]["layers"][-1]["config"]["activation"] = named

    assert "never run" in refused(reconfigured(plain[0], change, tmp_path / "model.h5"))


@pytest.mark.parametrize(
    "change",
    [
        lambda layer: layer["config"].pop("units"),
        lambda layer: layer.update(class_name="Own"),
        lambda layer: layer["config"].update(units=10**9),
        lambda layer: layer.update(class_name="MaxPooling1D", config={"strides": 0}),
        lambda layer: layer.update(class_name="Reshape", config={"target_shape": [-1, 3]}),
    ],
)
def test_load_description_that_cannot_be_built_is_refused(change, plain, tmp_path):
    def change_dense(config):
        change(config["config"]["layers"][2])

    assert "cannot build" in refused(reconfigured(plain[0], change_dense, tmp_path / "model.h5"))


def test_load_layer_that_makes_too_much_is_refused(tmp_path):
    import keras

    layers = keras.layers
    large = [layers.UpSampling2D(40), layers.GlobalAveragePooling2D(), layers.Dense(10)]
    keras.Sequential([keras.Input((28, 28, 1)), *large]).save(tmp_path / "model.h5")
    assert "values of one digit" in refused(tmp_path / "model.h5")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_load_weights_that_are_no_numbers_are_refused(value, plain, tmp_path):
    path = shutil.copy(plain[0], tmp_path / "model.h5")
    with h5py.File(path, "r+") as file:
        names = []
        file["model_weights"].visit(names.append)
        kernel = next(name for name in names if name.endswith("kernel"))
        file["model_weights"][kernel][0, 0] = value
    assert "no finite numbers" in refused(path)


@pytest.mark.parametrize("where", ["link", "external", "virtual"])
def test_load_file_that_points_elsewhere_is_refused(where, plain, tmp_path):
    path = shutil.copy(plain[0], tmp_path / "model.h5")
    with h5py.File(path, "r+") as file:
        weights = file["model_weights"]
        if where == "link":
            weights["more"] = h5py.ExternalLink("/etc/passwd", "/")
        elif where == "external":
            weights.create_dataset("more", (9,), "u1", external="/etc/passwd")
        else:
            layout = h5py.VirtualLayout((9,), "u1")
            layout[:] = h5py.VirtualSource("/etc/passwd", "x", (9,))
            weights.create_virtual_dataset("more", layout)
    assert "points to other files" in refused(path)


def test_load_size_bomb_is_refused(plain, tmp_path):
    path = shutil.copy(plain[0], tmp_path / "model.h5")
    with h5py.File(path, "r+") as file:
        file["model_weights"].create_dataset("more", (10**6, 10**6), "f4", chunks=(100, 100))
    assert "MB of weights" in refused(path)


# --- Learned from ---


@pytest.fixture
def home_of(home, rows):
    """A home with the network in a file, train.csv, and a dozen corrections it misreads."""

    def make(path):
        shutil.copy(path, home.model)
        shutil.copy(PROJECT / "train.csv", home.train)
        net = model.load_light(home.model)
        pictures = styled_pictures(200)
        digits = np.array([images.read_digit(picture) for picture, _ in pictures])
        guesses = model.predict(net, digits).argmax(axis=1).tolist()
        wrong = [(p, g, y) for (p, y), g in zip(pictures, guesses, strict=True) if g != y]
        for picture, guess, label in wrong[:12]:
            feedback.add(home, picture, guess, int(label))
        return home

    return make


@pytest.mark.parametrize("stack", [dense, lenet, vgg, nested])
def test_learn_network_of_another_architecture_learns_its_corrections(
    stack, home_of, replay, held_out, tmp_path, monkeypatch
):
    trained(tmp_path / "net.h5", stack, replay, epochs=10)  # what reads nine in ten can learn more
    home = home_of(tmp_path / "net.h5")
    corrections, _ = feedback.load(home)
    home.versions.mkdir()
    monkeypatch.setattr(run.gate, "MARGIN", 0.2)  # these networks are small: let them be published
    monkeypatch.setattr(run.gate, "MARGIN_FIRST", 0.2)
    monkeypatch.setattr(run.gate, "NLL_MARGIN", 0.2)
    monkeypatch.setattr(run.gate, "DIGIT_MARGIN", 0.2)
    ending = run.learn(home, run.Request("test"), corrections, lambda *_: None)
    assert ending.state == versions.PUBLISHED, ending.message
    report = versions.history(home)[-1].run
    assert report.learned >= 0.7 * (report.corrections - report.held_back)
    assert report.accuracy_after > report.accuracy_before - 0.05
    net = model.load_serving(home.model)
    assert share_read(net, held_out) == pytest.approx(report.accuracy_after, abs=1e-3)
