"""One lesson: what learns and what stays, what is learned from, which step is taken."""

import numpy as np
import pytest

from digits import metrics, model
from digits.learning import finetune, gate, interpolation, mislabelled
from digits.learning import head as parts
from digits.model import training


@pytest.fixture(scope="module")
def hard(shipped, replay):
    """Twelve misread digits: replay rows, bent twice."""
    rng = np.random.default_rng(3)
    bent = training.augment(training.augment(replay[0], rng), rng)
    wrong = ~metrics.correct(replay[1], model.predict(shipped, bent))
    return bent[wrong][:12], replay[1][wrong][:12]


def chosen(net, replay):
    return finetune.replay_rows(replay, model.predict(net, replay[0]), seed=0)


@pytest.fixture(scope="module")
def learned(shipped, replay, hard):
    """What a short lesson makes of the shipped network, and the progress it told."""
    told = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(finetune, "ROUNDS", 1)
        patch.setattr(finetune, "REPLAY_ROWS", 200)
        old = chosen(shipped, replay)
        net = finetune.fine_tune(
            shipped, shipped, hard, old, 0, lambda phase, share: told.append((phase, share))
        )
    return net, told


def weights_of(net, kind):
    """The weights of the layers of a kind, in order."""
    return [w for layer in net.layers if isinstance(layer, kind) for w in layer.get_weights()]


def copy_of(net):
    """The network again, with weights of its own."""
    import keras

    copy = keras.models.clone_model(net)
    copy.set_weights(net.get_weights())
    return copy


# cut


def test_cut_halves_in_turn_answer_as_the_whole(shipped, few):
    trunk, head = parts.cut(shipped)
    answers = model.apply(head, model.apply(trunk, few[0]))
    assert np.allclose(answers, model.predict(shipped, few[0]), atol=1e-5)
    assert len(trunk.weights) + len(head.weights) == len(shipped.weights)
    assert all(
        one is other
        for one, other in zip(head.weights, shipped.weights[-len(head.weights) :], strict=True)
    )


@pytest.mark.parametrize(("layers", "weighted"), [(1, 1), (2, 3), (3, 3), (4, 4), (99, 7)])
def test_cut_shortcut_past_a_layer_is_not_cut(layers, weighted, shipped, monkeypatch):
    monkeypatch.setattr(finetune, "LEARNED_LAYERS", layers)
    _, head = parts.cut.__wrapped__(shipped)  # not the one in its cache
    assert sum(len(weights.shape) in (2, 4) for weights in head.weights) == weighted


def test_cut_network_of_one_layer_learns_whole():
    import keras

    layers = [keras.Input((28, 28, 1)), keras.layers.Flatten(), keras.layers.Dense(10, "softmax")]
    net = keras.Sequential(layers)
    digits = np.zeros((3, 28, 28), np.uint8)
    trunk, head = parts.cut(net)
    assert np.allclose(model.apply(head, model.apply(trunk, digits)), model.predict(net, digits))
    assert len(head.weights) == 2


def test_head_behind_a_descendants_trunk_is_the_first_networks(learned, shipped):
    trunk, _ = parts.cut(learned[0])
    head = parts.head_behind(trunk, shipped)
    assert all(map(np.array_equal, head.get_weights(), parts.cut(shipped)[1].get_weights()))


def test_head_behind_another_trunk_is_none(shipped):
    trunk, _ = parts.cut(shipped)
    assert parts.head_behind(trunk, model.build(seed=5)) is None
    assert parts.head_behind(trunk, model.build(width=8)) is None


def test_answers_of_another_trunks_network_are_its_own(shipped, few):
    trunk, _ = parts.cut(shipped)
    features = model.apply(trunk, few[0])
    for net in (shipped, model.build(seed=5)):
        answers = parts.predict(net, trunk, features, few[0])
        assert np.allclose(answers, model.predict(net, few[0]), atol=1e-5)


# fine_tune


def test_fine_tune_moves_the_last_layers_alone_and_no_batch_norm(learned, shipped):
    import keras

    net = learned[0]
    norms = keras.layers.BatchNormalization
    assert all(map(np.array_equal, weights_of(net, norms), weights_of(shipped, norms)))
    kinds = (keras.layers.Conv2D, keras.layers.Dense)
    pairs = zip(weights_of(net, kinds), weights_of(shipped, kinds), strict=True)
    moved = [not np.array_equal(*pair) for pair in pairs]
    assert moved == [False] * (len(moved) - 4) + [True] * 4  # two kernels, the last one's bias
    assert all(layer.trainable for layer in net.layers)


def test_fine_tune_makes_corrections_likelier_and_tells_its_progress(learned, shipped, hard):
    net, told = learned
    before, after = (metrics.nll(hard[1], model.predict(one, hard[0])) for one in (shipped, net))
    assert after < before / 2
    shares = [share for _, share in told]
    assert shares == sorted(shares)
    assert 0.4 < shares[0] < shares[-1] == pytest.approx(0.6)  # others may follow the round


def test_fine_tune_same_seed_gives_the_same_network(learned, shipped, replay, hard, monkeypatch):
    monkeypatch.setattr(finetune, "ROUNDS", 1)
    monkeypatch.setattr(finetune, "REPLAY_ROWS", 200)
    old = chosen(shipped, replay)
    again = finetune.fine_tune(shipped, shipped, hard, old, 0, lambda phase, share: None)
    answers = [model.predict(net, hard[0]) for net in (again, learned[0])]
    assert np.allclose(*answers, atol=1e-2)


# what is learned from


def test_one_epoch_old_digits_have_their_teachers_answers_new_ones_their_label(
    shipped, replay, hard
):
    trunk, head = parts.cut(shipped)
    rng = np.random.default_rng(0)
    new = hard[0], finetune.smoothed(hard[1], 0.1)
    features, targets = finetune.one_epoch(trunk, head, replay[0][:50], new, rng)
    assert len(features) == len(targets) == 50 + len(hard[0])
    assert np.allclose(targets[:, :10].sum(axis=1), 1, atol=1e-5)
    assert targets[:, 10].tolist() == [finetune.TEMPERATURE] * 50 + [1] * len(hard[0])
    taught = finetune.softened(model.apply(head, features[:50]))
    assert np.allclose(taught, targets[:50, :10], atol=1e-4)
    assert targets[50:, :10].argmax(axis=1).tolist() == hard[1].tolist()


@pytest.mark.parametrize(("as_is", "kept"), [(0.0, 0), (1.0, 12)])
def test_one_epoch_corrections_are_augmented_but_some_are_left_as_they_are(
    as_is, kept, shipped, replay, hard, monkeypatch
):
    monkeypatch.setattr(finetune, "AS_IS", as_is)
    trunk, head = parts.cut(shipped)
    new = hard[0], finetune.smoothed(hard[1], 0.1)
    features, _ = finetune.one_epoch(trunk, head, replay[0][:5], new, np.random.default_rng(0))
    own = model.apply(trunk, hard[0])
    assert np.isclose(own, features[5:], atol=1e-4).all(axis=(1, 2, 3)).sum() == kept


def test_fine_tune_corrections_still_misread_come_more_often(shipped, replay, hard, monkeypatch):
    lengths = []
    in_batches = finetune.in_batches

    def seen(turns):
        lengths.append(len(turns))
        return in_batches(turns)

    monkeypatch.setattr(finetune, "REPLAY_ROWS", 20)
    monkeypatch.setattr(finetune, "RATES", (0.0, 0.0))  # so that all stay misread
    monkeypatch.setattr(finetune, "in_batches", seen)
    finetune.fine_tune(shipped, shipped, hard, replay[0][:20], 0, lambda phase, share: None)
    assert len(lengths) == finetune.ROUNDS * 2
    more = lengths[0] + finetune.AGAIN * len(hard[1])
    assert lengths[1:] == [more] * (len(lengths) - 1)


@pytest.mark.parametrize(("n", "batches"), [(1, 1), (63, 1), (64, 1), (65, 2), (200, 4)])
def test_in_batches_all_turns_once_the_last_batch_filled_up(n, batches):
    got = finetune.in_batches(np.arange(n))
    assert got.shape == (batches, finetune.BATCH)
    assert got.ravel()[:n].tolist() == list(range(n))
    assert set(got.ravel()) == set(range(n))


def test_fine_tune_corrections_read_rightly_take_the_fewest_rounds(
    shipped, replay, few, monkeypatch
):
    monkeypatch.setattr(finetune, "RATES", (0.0, 0.0))
    known = metrics.correct(few[1], model.predict(shipped, few[0]))
    some = few[0][known], few[1][known]
    shares = []
    finetune.fine_tune(
        shipped, shipped, some, replay[0][:20], 0, lambda phase, share: shares.append(share)
    )
    assert shares[-1] == pytest.approx(0.75 - 0.3 * 0.5**finetune.ROUNDS_OF_FEW)


def test_repeated_few_corrections_fill_an_epoch_many_stand_once(few):
    digits, labels = few
    for n in (1, 7, len(labels)):
        times = [len(part) / n for part in finetune.repeated((digits[:n], labels[:n]))]
        assert times[0] == times[1] == max(1, round(finetune.MIN_CORRECTIONS / n))
    assert len(
        finetune.repeated((np.repeat(digits, 9, axis=0), np.repeat(labels, 9)))[0]
    ) == 9 * len(labels)


def test_replay_rows_every_digit_alike_and_the_least_sure_among_them(shipped, replay, monkeypatch):
    monkeypatch.setattr(finetune, "REPLAY_ROWS", 400)
    digits, labels = replay
    known = {digit.tobytes(): place for place, digit in enumerate(digits)}
    places = [known[digit.tobytes()] for digit in chosen(shipped, replay)]
    assert len(set(places)) == 400
    assert np.bincount(labels[places]).tolist() == [40] * 10
    sureness = model.predict(shipped, digits)[np.arange(len(labels)), labels]
    assert set(np.argsort(sureness)[:10]) <= set(places)


def test_softened_answers_keep_order_and_come_nearer():
    answers = np.array([[0.9, 0.09, 0.01], [1 / 3] * 3], np.float32)
    soft = finetune.softened(answers)
    assert np.allclose(soft.sum(axis=1), 1)
    assert soft[0].argsort().tolist() == answers[0].argsort().tolist()
    assert soft[0].max() < answers[0].max()
    assert np.allclose(soft[1], answers[1])


@pytest.mark.parametrize("temperature", [1.0, finetune.TEMPERATURE])
def test_softened_loss_is_least_where_the_answers_are_the_teachers(temperature):
    teacher = np.array([[0.7, 0.2, 0.1] + [0] * 7], np.float32)
    powers = teacher ** (1 / temperature)
    targets = np.column_stack([powers / powers.sum(), [[temperature]]]).astype(np.float32)
    others = ([0.72, 0.18, 0.1], [0.69, 0.2, 0.11], [1.0, 0.0, 0.0], [0.2, 0.7, 0.1])
    rows = [teacher, *(np.array([one + [0] * 7], np.float32) for one in others)]
    losses = [float(finetune.softened_loss(targets, row)[0]) for row in rows]
    assert losses[0] == min(losses)
    assert losses[3] > losses[2]
    assert np.isfinite(losses).all()


# judge


def judged(shipped, learned, replay, hard, allowed, monkeypatch, gated=True):
    """The outcome where every step is tried, and the gate refuses until it was asked so often."""
    asked = []
    monkeypatch.setattr(finetune, "steps_to_try", lambda *_: interpolation.STEPS)

    def decide(*_):
        asked.append(len(asked) + 1)
        return gate.Decision(asked[-1] == allowed, f"reason {asked[-1]}")

    monkeypatch.setattr(gate, "decide", decide)
    trained = copy_of(learned[0])
    held_out = tuple(part[:50] for part in replay)
    doubts = mislabelled.Doubts([None] * len(hard[1]), np.zeros((len(hard[1]), 10)))
    return interpolation.choose_step(shipped, trained, held_out, hard, doubts, None, gated)


def test_judge_takes_the_first_step_that_passes(shipped, learned, replay, hard, monkeypatch):
    outcome = judged(shipped, learned, replay, hard, 3, monkeypatch)
    assert outcome.decision == gate.Decision(True, "reason 3")
    assert outcome.step == interpolation.STEPS[2]
    old, new, between = (
        net.layers[-1].get_weights()[0] for net in (shipped, learned[0], outcome.candidate)
    )
    assert np.allclose(between, old + outcome.step * (new - old), atol=1e-6)
    answers = model.predict(outcome.candidate, hard[0])
    assert np.allclose(outcome.corrections.after, answers, atol=1e-5)
    assert np.allclose(outcome.corrections.before, model.predict(shipped, hard[0]), atol=1e-5)


@pytest.mark.parametrize("enough", [0.0, 0.5, 0.9])
def test_steps_to_try_begin_with_the_smallest_that_learns_enough(
    enough, shipped, learned, hard, monkeypatch
):
    monkeypatch.setattr(finetune, "ENOUGH", enough)
    trunk, head = parts.cut(copy_of(learned[0]))
    way = head, parts.cut(shipped)[1].get_weights(), head.get_weights()
    features = model.apply(trunk, hard[0])
    steps = interpolation.steps_to_try(way, features, hard[1])
    assert steps == interpolation.STEPS[-len(steps) :]

    def hits(step):
        interpolation.interpolate(*way, step)
        return metrics.correct(hard[1], model.apply(head, features)).sum()

    least = enough * hits(1.0)  # before, all were wrong
    assert all(hits(step) >= least for step in interpolation.STEPS[: 1 - len(steps) or None])
    assert len(steps) == 1 or hits(steps[1]) < least


def test_steps_to_try_of_few_read_wrongly_begin_with_the_whole(shipped, learned, hard, few):
    trunk, head = parts.cut(copy_of(learned[0]))
    way = head, parts.cut(shipped)[1].get_weights(), head.get_weights()
    digits, labels = (np.concatenate(parts) for parts in zip(few, hard, strict=True))
    assert not finetune.are_few(len(labels))
    assert finetune.are_few(len(hard[1]))
    assert (
        interpolation.steps_to_try(way, model.apply(trunk, digits), labels) == interpolation.STEPS
    )


def test_judge_no_step_passes_says_why_of_the_whole_and_of_the_smallest(
    shipped, learned, replay, hard, monkeypatch
):
    outcome = judged(shipped, learned, replay, hard, None, monkeypatch)
    assert not outcome.decision.allowed
    assert outcome.step == interpolation.STEPS[-1]
    assert outcome.decision.reason.startswith("reason 1; a step of 20% would")
    assert outcome.decision.reason.endswith(f"reason {len(interpolation.STEPS)}")


def test_judge_gate_switched_off_takes_the_whole_step_and_says_so(
    shipped, learned, replay, hard, monkeypatch
):
    outcome = judged(shipped, learned, replay, hard, None, monkeypatch, gated=False)
    assert (outcome.decision.allowed, outcome.step) == (True, 1.0)
    assert "would have refused it: reason 1" in outcome.decision.reason
