"""The two parts of a network, trunk and head: `cut`, `head_behind`, `predict`."""

import numpy as np
import pytest

import digits.learning.head
from digits import model
from digits.learning.head import cut, head_behind, predict


def test_cut_halves_in_turn_answer_as_the_whole(shipped, few):
    trunk, head = cut(shipped)
    answers = model.apply(head, model.apply(trunk, few[0]))
    assert np.allclose(answers, model.predict(shipped, few[0]), atol=1e-5)
    assert len(trunk.weights) + len(head.weights) == len(shipped.weights)
    assert all(
        one is other
        for one, other in zip(head.weights, shipped.weights[-len(head.weights) :], strict=True)
    )


@pytest.mark.parametrize(("layers", "weighted"), [(1, 1), (2, 3), (3, 3), (4, 4), (99, 7)])
def test_cut_shortcut_past_a_layer_is_not_cut(layers, weighted, shipped, monkeypatch):
    monkeypatch.setattr(digits.learning.head, "LEARNED_LAYERS", layers)
    _, head = cut.__wrapped__(shipped)  # not the one in its cache
    assert sum(len(weights.shape) in (2, 4) for weights in head.weights) == weighted


def test_cut_network_of_one_layer_learns_whole():
    import keras

    layers = [keras.Input((28, 28, 1)), keras.layers.Flatten(), keras.layers.Dense(10, "softmax")]
    net = keras.Sequential(layers)
    digits = np.zeros((3, 28, 28), np.uint8)
    trunk, head = cut(net)
    assert np.allclose(model.apply(head, model.apply(trunk, digits)), model.predict(net, digits))
    assert len(head.weights) == 2


def test_head_behind_a_descendants_trunk_is_the_first_networks(lesson, shipped):
    trunk, _ = cut(lesson[0])
    head = head_behind(trunk, shipped)
    assert all(map(np.array_equal, head.get_weights(), cut(shipped)[1].get_weights()))


def test_head_behind_another_trunk_is_none(shipped):
    trunk, _ = cut(shipped)
    assert head_behind(trunk, model.build(seed=5)) is None
    assert head_behind(trunk, model.build(width=8)) is None


def test_predict_of_another_trunks_network_is_its_own(shipped, few):
    trunk, _ = cut(shipped)
    features = model.apply(trunk, few[0])
    for net in (shipped, model.build(seed=5)):
        answers = predict(net, trunk, features, few[0])
        assert np.allclose(answers, model.predict(net, few[0]), atol=1e-5)
