"""Fine-tuning: what learns and what stays, what is learned from."""

import numpy as np
import pytest

from digits import metrics, model
from digits.learning import finetune
from digits.learning.head import cut

UNSEEN = (lambda *told: None, lambda head: 0.9)  # nobody follows the progress


def chosen(net, replay):
    """Replay digits for a lesson."""
    return finetune.replay_rows(replay, model.predict(net, replay[0]), seed=0)


def weights_of(net, kind):
    """The weights of the layers of a kind, in order."""
    return [w for layer in net.layers if isinstance(layer, kind) for w in layer.get_weights()]


# fine_tune


def test_fine_tune_moves_the_last_layers_alone_and_no_batch_norm(lesson, shipped):
    import keras

    net = lesson[0]
    norms = keras.layers.BatchNormalization
    assert all(map(np.array_equal, weights_of(net, norms), weights_of(shipped, norms)))
    kinds = (keras.layers.Conv2D, keras.layers.Dense)
    pairs = zip(weights_of(net, kinds), weights_of(shipped, kinds), strict=True)
    moved = [not np.array_equal(*pair) for pair in pairs]
    assert moved == [False] * (len(moved) - 4) + [True] * 4  # two kernels, the last one's bias
    assert all(layer.trainable for layer in net.layers)


def test_fine_tune_makes_corrections_likelier_and_tells_its_progress(lesson, shipped, bent):
    net, told = lesson
    before, after = (metrics.nll(bent[1], model.predict(one, bent[0])) for one in (shipped, net))
    assert after < before / 2
    shares = [one[1] for one in told]
    assert shares == sorted(shares)
    assert 0.4 < shares[0] < shares[-1] == pytest.approx(0.6)  # others may follow the round
    learned, held_out = zip(*(one[2] for one in told if one[2:] and one[2]), strict=True)
    last = metrics.correct(bent[1], model.predict(net, bent[0])).mean()
    assert learned[0] == 0 < learned[-1] == pytest.approx(last)
    assert held_out == (0.9,) * (1 + len(finetune.RATES))


def test_fine_tune_same_seed_gives_the_same_network(lesson, shipped, replay, bent, monkeypatch):
    monkeypatch.setattr(finetune, "ROUNDS", 1)
    monkeypatch.setattr(finetune, "REPLAY_ROWS", 200)
    old = chosen(shipped, replay)
    again = finetune.fine_tune(shipped, shipped, bent, old, 0, *UNSEEN)
    answers = [model.predict(net, bent[0]) for net in (again, lesson[0])]
    assert np.allclose(*answers, atol=1e-2)


# what is learned from


def test_one_epoch_old_digits_have_their_teachers_answers_new_ones_their_label(
    shipped, replay, bent
):
    trunk, head = cut(shipped)
    rng = np.random.default_rng(0)
    new = bent[0], finetune.smoothed(bent[1], 0.1)
    features, targets = finetune.one_epoch(trunk, head, replay[0][:50], new, rng)
    assert len(features) == len(targets) == 50 + len(bent[0])
    assert np.allclose(targets[:, :10].sum(axis=1), 1, atol=1e-5)
    assert targets[:, 10].tolist() == [finetune.TEMPERATURE] * 50 + [1] * len(bent[0])
    taught = finetune.softened(model.apply(head, features[:50]))
    assert np.allclose(taught, targets[:50, :10], atol=1e-4)
    assert targets[50:, :10].argmax(axis=1).tolist() == bent[1].tolist()


@pytest.mark.parametrize(("as_is", "kept"), [(0.0, 0), (1.0, 12)])
def test_one_epoch_corrections_are_augmented_but_some_are_left_as_they_are(
    as_is, kept, shipped, replay, bent, monkeypatch
):
    monkeypatch.setattr(finetune, "AS_IS", as_is)
    trunk, head = cut(shipped)
    new = bent[0], finetune.smoothed(bent[1], 0.1)
    features, _ = finetune.one_epoch(trunk, head, replay[0][:5], new, np.random.default_rng(0))
    own = model.apply(trunk, bent[0])
    assert np.isclose(own, features[5:], atol=1e-4).all(axis=(1, 2, 3)).sum() == kept


def test_fine_tune_corrections_still_misclassified_come_more_often(
    shipped, replay, bent, monkeypatch
):
    lengths = []
    in_batches = finetune.in_batches

    def seen(turns):
        lengths.append(len(turns))
        return in_batches(turns)

    monkeypatch.setattr(finetune, "REPLAY_ROWS", 20)
    monkeypatch.setattr(finetune, "RATES", (0.0, 0.0))  # so that all stay misclassified
    monkeypatch.setattr(finetune, "in_batches", seen)
    finetune.fine_tune(shipped, shipped, bent, replay[0][:20], 0, *UNSEEN)
    assert len(lengths) == finetune.ROUNDS * 2
    more = lengths[0] + finetune.AGAIN * len(bent[1])
    assert lengths[1:] == [more] * (len(lengths) - 1)


@pytest.mark.parametrize(("n", "batches"), [(1, 1), (63, 1), (64, 1), (65, 2), (200, 4)])
def test_in_batches_all_turns_once_the_last_batch_filled_up(n, batches):
    got = finetune.in_batches(np.arange(n))
    assert got.shape == (batches, finetune.BATCH)
    assert got.ravel()[:n].tolist() == list(range(n))
    assert set(got.ravel()) == set(range(n))


def test_fine_tune_corrections_classified_correctly_take_the_fewest_rounds(
    shipped, replay, few, monkeypatch
):
    monkeypatch.setattr(finetune, "RATES", (0.0, 0.0))
    known = metrics.correct(few[1], model.predict(shipped, few[0]))
    some = few[0][known], few[1][known]
    shares = []
    finetune.fine_tune(
        shipped,
        shipped,
        some,
        replay[0][:20],
        0,
        lambda *told: shares.append(told[1]),
        lambda head: 0.9,
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
