"""Augmentation, the training loop and calibration; networks are tiny and rows few."""

import numpy as np
import pytest

from digits import metrics, model
from digits.model import training

# augment


def test_augment_digits_keeps_form_and_leaves_the_originals(few):
    digits = few[0].copy()
    augmented = training.augment(digits, np.random.default_rng(0))
    assert (augmented.shape, augmented.dtype) == (digits.shape, np.uint8)
    assert np.array_equal(digits, few[0])
    assert not any(np.array_equal(*pair) for pair in zip(augmented, digits, strict=True))


def test_augment_seed_fixes_the_result(few):
    one, same, other = (training.augment(few[0], np.random.default_rng(s)) for s in (1, 1, 2))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


def test_augment_many_times_never_loses_the_ink(rows):
    digits = rows[0][::5]
    augmented = training.augment(digits, np.random.default_rng(0))
    ink = augmented.sum(axis=(1, 2), dtype=float) / digits.sum(axis=(1, 2), dtype=float)
    assert ink.min() > 0.4
    assert ink.max() < 2.5
    assert 0.9 < np.median(ink) < 1.2


def test_augment_paper_alone_stays_paper():
    assert training.augment(np.zeros((9, 28, 28), np.uint8), np.random.default_rng(0)).max() == 0


def test_augment_no_digits_gives_none():
    none = np.zeros((0, 28, 28), np.uint8)
    assert training.augment(none, np.random.default_rng(0)).shape == none.shape


def test_augment_copies_of_one_digit_differ_but_average_to_it(few):
    digit = few[0][0]
    augmented = training.augment(np.repeat(digit[None], 200, axis=0), np.random.default_rng(0))
    assert len(np.unique(augmented.reshape(200, -1), axis=0)) == 200
    mean = augmented.mean(axis=0)
    assert np.corrcoef(mean.ravel(), digit.ravel())[0, 1] > 0.8


def test_one_hot_labels_give_one_where_the_label_is():
    targets = training.one_hot(np.array([3, 0, 9]))
    assert (targets.shape, targets.dtype) == ((3, 10), np.float32)
    assert np.argwhere(targets).tolist() == [[0, 3], [1, 0], [2, 9]]
    assert targets.sum() == 3


# fit

EPOCHS = 12


def small_net():
    """A network of one hidden layer, the same each time: seconds faster to train than ours."""
    import keras

    layers, glorot = keras.layers, keras.initializers.GlorotUniform
    inputs = keras.Input((28, 28, 1))
    x = layers.Flatten()(inputs)
    x = layers.Dense(32, "relu", kernel_initializer=glorot(seed=0))(x)
    x = layers.BatchNormalization(momentum=0.9)(x)
    outputs = layers.Dense(10, "softmax", kernel_initializer=glorot(seed=1))(x)
    return keras.Model(inputs, outputs)


def trained(few):
    """The small network after a short training on few rows, and its history."""
    net = small_net()
    digits, targets = few[0], training.one_hot(few[1])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "BATCH", 12)  # does not divide the rows
        history = training.fit(
            net,
            digits,
            targets,
            epochs=EPOCHS,
            learning_rate=0.01,
            seed=5,
            validation=(digits[:10], targets[:10]),
        )
    return net, history


@pytest.fixture(scope="module")
def learned(few):
    """What `trained` gives, for all tests that do not change it."""
    return trained(few)


def test_fit_few_rows_learns_them(learned):
    history = learned[1]
    assert {"loss", "accuracy", "val_loss", "val_accuracy"} <= set(history)
    assert {len(values) for values in history.values()} == {EPOCHS}
    assert history["loss"][-1] < 0.7 * history["loss"][0]


def test_fit_same_seed_gives_the_same_network(learned, few):
    again = trained(few)
    assert np.allclose(again[1]["loss"], learned[1]["loss"], atol=1e-3)
    assert np.allclose(*(model.predict(net, few[0]) for net, _ in (again, learned)), atol=1e-3)


def test_fit_single_step_moves_all_but_the_frozen_layers(few):
    net = small_net()
    for layer in net.layers:
        layer.trainable = "normalization" not in layer.name
    before = {layer.name: layer.get_weights() for layer in net.layers if layer.weights}
    training.fit(
        net, few[0][:3], training.one_hot(few[1][:3]), epochs=1, learning_rate=0.01, seed=0
    )
    for name, old in before.items():
        new = net.get_layer(name).get_weights()
        moved = [not np.array_equal(*pair) for pair in zip(old, new, strict=True)]
        assert set(moved) == {"normalization" not in name}
        assert all(np.isfinite(weights).all() for weights in new)


def test_fit_average_ends_between_start_and_last_step_with_fitting_norms(few):
    digits, targets = few[0], training.one_hot(few[1])
    start, last, averaged = small_net(), small_net(), small_net()
    for net, average in ((last, False), (averaged, True)):
        how = {"epochs": 3, "learning_rate": 0.01, "seed": 5, "average": average}
        training.fit(net, digits, targets, **how)
    kernels = [net.layers[2].get_weights()[0] for net in (start, last, averaged)]
    assert 0 < np.abs(kernels[2] - kernels[0]).max() < np.abs(kernels[1] - kernels[0]).max()
    norm = averaged.layers[3]
    assert norm.momentum == pytest.approx(0.9)
    activations = np.maximum(model.scale(digits).reshape(len(digits), -1) @ kernels[2], 0)
    mean, spread = norm.moving_mean.numpy(), activations.std()
    assert np.abs(mean - activations.mean(axis=0)).max() < spread


# calibrate


def test_calibrate_too_shy_or_too_sure_network_comes_back_with_its_answers_kept(learned, few):
    digits, labels = few
    net = small_net()
    net.set_weights(learned[0].get_weights())
    training.calibrate(net, digits, labels)
    best = model.predict(net, digits)
    for factor in (0.5, 4):
        last = net.layers[-1]
        last.set_weights([weights * factor for weights in last.get_weights()])
        spoilt = model.predict(net, digits)
        temperature = training.calibrate(net, digits, labels)
        after = model.predict(net, digits)
        assert temperature == pytest.approx(factor, rel=0.03)
        assert np.array_equal(after.argmax(axis=1), spoilt.argmax(axis=1))
        assert metrics.nll(labels, after) < metrics.nll(labels, spoilt)
        assert np.allclose(after, best, atol=0.02)
