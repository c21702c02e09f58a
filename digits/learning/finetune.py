"""Fine-tuning: a candidate that has learned corrections and kept old digits.

Knows networks and rows; nothing of files, versions or the store. The settings were chosen on
replay rows and other digits of MNIST's training set, not on the held-out rows that judge a run;
ENOUGH alone was chosen by what benchmarks/learning.py showed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from digits import metrics, model
from digits.learning.head import cut, head_behind
from digits.mnist import CLASSES
from digits.model import training

if TYPE_CHECKING:
    import keras

RATES = (1.5e-3, 7.5e-4, 1.5e-4)  # of learning, in the epochs of a round: it falls on a cosine
ROUNDS = 3  # at most: a strange hand takes one, digits that resemble others take more
ROUNDS_OF_FEW = 2  # at least, where no correction can be spared: each is to be answered surely
BATCH = 64  # rows a step: a few hundred rows still make enough steps
REPLAY_ROWS = 1_200  # an epoch: enough to hold old digits, few enough for seconds
MIN_REPLAY = 3  # replay rows for each correction: more turns for them when corrections are many
UNSURE = 0.7  # of the replay rows are the least confidently classified ones, others at random
MIN_CORRECTIONS = 80  # rows an epoch: a few corrections are repeated to as many
AGAIN = 3  # more turns in the next epoch for a correction that is still misclassified
AS_IS = 0.4  # of a correction's turns it is not augmented: that very picture will be asked again
BENT = 0.7  # of the replay rows are augmented twice: where digits are hard, old answers give way
TEMPERATURE = 3.0  # of replay rows: at 1 a sure answer says nothing of how near the others come
SMOOTHING = 0.1  # of labels (Szegedy et al. 2016, https://arxiv.org/abs/1512.00567)
SMOOTHING_OF_FEW = 0.03  # where none can be spared: room for an answer of which the page is sure
SMALLEST = 1e-9  # probability: its logarithm is still finite
ENOUGH = 0.97  # of the misclassified corrections are learned: the rest cost most of the old digits

Rows = tuple[np.ndarray, np.ndarray]  # digits, uint8 (n, 28, 28), and their labels, int (n,)
Point = tuple[float, float]  # of a learning curve: accuracy on corrections, on held-out digits


class Progress(Protocol):
    """Told the phase, the share of the run that is done, after an epoch a point of its curve."""

    def __call__(self, phase: str, share: float, point: Point | None = None, /) -> None: ...


def fine_tune(
    net: keras.Model,
    first: keras.Model,
    corrections: Rows,
    old: np.ndarray,
    seed: int,
    progress: Progress,
    look: Callable[[keras.Model], float],
) -> keras.Model:
    """Return a candidate trained on the corrections and replay rows; net stays as it is.

    first: the network that net descends from. old: digits that `replay_rows` has chosen, uint8
    (n, 28, 28). seed: fixes all that is random. look: returns the accuracy of the head as it is on
    held-out digits, 0 to 1; it is told to progress, and nothing is chosen by it.

    Guards against catastrophic forgetting: replay rows in every batch (rehearsal, Robins 1995,
    https://doi.org/10.1080/09540099550039318); the first network as their teacher (distillation,
    Li & Hoiem 2017, https://arxiv.org/abs/1606.09282), so that what twenty runs forget does not add
    up, which answers to the very writing that the candidate sees (Beyer et al. 2022,
    https://arxiv.org/abs/2106.05237); the trunk frozen, which serves every hand (Yosinski et al.
    2014, https://arxiv.org/abs/1411.1792); and batch norm frozen, since a few hundred rows of one
    hand would shift its statistics.
    """
    candidate, trunk, head = copy_to_train(net)
    teacher = head_behind(trunk, first) or cut(net)[1]
    features = model.apply(trunk, corrections[0])
    missed = int((~metrics.correct(corrections[1], model.apply(head, features))).sum())
    targets = smoothed(corrections[1], SMOOTHING_OF_FEW if are_few(missed) else SMOOTHING)
    new = repeated((corrections[0], targets))
    old = np.tile(old, (-(-len(new[0]) * MIN_REPLAY // REPLAY_ROWS), 1, 1))
    progress("Augmenting", 0.42)
    rng = np.random.default_rng(seed)
    written = [one_epoch(trunk, teacher, old, new, rng) for _ in RATES]
    tell_share(progress, 0, (1 - missed / len(targets), look(head)))
    learn_in_rounds(head, written, (features, targets), missed, rng, progress, look)
    for layer in head.layers:
        layer.trainable = True  # the file is for any further training
    return candidate


def copy_to_train(net: keras.Model) -> tuple[keras.Model, keras.Model, keras.Model]:
    """Return a copy of net, its trunk, and its head, of which all but batch norm is trainable."""
    import keras

    candidate = keras.models.clone_model(net)
    candidate.set_weights(net.get_weights())
    trunk, head = cut(candidate)
    for layer in head.layers:
        layer.trainable = not isinstance(layer, keras.layers.BatchNormalization)
    return candidate, trunk, head


def learn_in_rounds(
    head: keras.Model,
    written: list[tuple[np.ndarray, np.ndarray]],
    corrections: tuple[np.ndarray, np.ndarray],
    misclassified: int,
    rng: np.random.Generator,
    progress: Progress,
    look: Callable[[keras.Model], float],
) -> None:
    """Train head in place until it classifies nearly all corrections correctly, but ROUNDS at most.

    In a round the rate falls; the next starts from the top (Loshchilov & Hutter 2017,
    https://arxiv.org/abs/1608.03983), with the same rows: writing others took as long as learning
    them, and forgot as much. written: what `one_epoch` returns, for each epoch of a round.
    corrections: their features, float32 (n, ...), as they are, and their targets, float32 (n, 11).
    misclassified: how many of them head misclassifies so far.
    """
    import keras

    labels = corrections[1][:, :CLASSES].argmax(axis=1)
    adam = keras.optimizers.AdamW(weight_decay=training.WEIGHT_DECAY)
    head.compile(adam, loss=softened_loss)
    adam.build(head.trainable_variables)  # left to the first step, this has it traced twice
    least = ROUNDS_OF_FEW if are_few(misclassified) else 1
    missed = np.zeros(len(labels), bool)  # the first epoch is every correction's alike
    for epoch, (rate, fresh) in enumerate([*zip(RATES, written, strict=True)] * ROUNDS):
        adam.learning_rate = rate
        n = len(fresh[0])
        turns = np.r_[:n, n + np.repeat(np.flatnonzero(missed), AGAIN)]
        rows = [np.concatenate(two) for two in zip(fresh, corrections, strict=True)]
        batches = in_batches(rng.permutation(turns))
        for done, batch in enumerate(batches, start=1):
            head.train_on_batch(*(part[batch] for part in rows))
            tell_share(progress, (epoch + done / len(batches)) / len(RATES))
        missed = ~metrics.correct(labels, model.apply(head, corrections[0]))
        rounds = (epoch + 1) / len(RATES)
        tell_share(progress, rounds, (1 - float(missed.mean()), look(head)))
        enough = rounds >= least and missed.sum() <= (1 - ENOUGH) * misclassified
        if enough and rounds.is_integer():
            break


def in_batches(turns: np.ndarray) -> np.ndarray:
    """Return turns, int (n,), as batches, int (batches, BATCH), the last filled up from the first.

    TensorFlow would trace a batch of another size again, which takes as long as an epoch.
    """
    return np.resize(turns, (-(-len(turns) // BATCH), BATCH))


def tell_share(progress: Progress, rounds: float, point: Point | None = None) -> None:
    """Tell how far the training is after so many rounds, of which any may be the last."""
    progress("Training", 0.75 - 0.3 * 0.5**rounds, point)


def are_few(misclassified: int) -> bool:
    """Return whether so many misclassified corrections are so few that ENOUGH are all."""
    return misclassified * (1 - ENOUGH) < 1


def one_epoch(
    trunk: keras.Model,
    teacher: keras.Model,
    old: np.ndarray,
    new: tuple[np.ndarray, np.ndarray],
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Return what the head learns from in one epoch: features and targets.

    float32 (n, ...), as the trunk gives them, and float32 (n, 11), as `softened_loss` takes them.
    teacher: classifies features of replay rows. old: replay digits, uint8 (n, 28, 28). new:
    corrections, most of them to be augmented, and their targets.
    """
    seen = training.augment(new[0], rng)
    as_is = rng.random(len(seen)) < AS_IS
    seen[as_is] = new[0][as_is]
    bent = training.augment(old, rng)
    twice = rng.random(len(old)) < BENT
    bent[twice] = training.augment(bent[twice], rng)
    features = model.apply(trunk, np.concatenate([bent, seen]))
    taught = softened(model.apply(teacher, features[: len(old)]))
    taught = np.column_stack([taught, np.full(len(old), TEMPERATURE, np.float32)])
    return features, np.concatenate([taught, new[1]])


def smoothed(labels: np.ndarray, smoothing: float) -> np.ndarray:
    """Return the targets of corrections, float32 (n, 11), of their labels, int (n,).

    smoothing: the share, 0 to 1, that is spread over all digits.
    """
    answers = training.one_hot(labels) * (1 - smoothing) + smoothing / CLASSES
    return np.column_stack([answers, np.ones(len(labels))]).astype(np.float32)


def softened(answers: np.ndarray) -> np.ndarray:
    """Return probabilities, float32 (n, 10), at TEMPERATURE instead of 1."""
    powers = answers ** (1 / TEMPERATURE)
    return powers / powers.sum(axis=1, keepdims=True)


def softened_loss(targets: Any, answers: Any) -> Any:
    """Return the cross-entropy, (n,), of answers to targets, each at its row's own temperature.

    targets: ten probabilities and the temperature, float32 (n, 11). Its square keeps the gradients'
    size (Hinton et al. 2015, https://arxiv.org/abs/1503.02531).
    """
    import keras

    temperatures = targets[:, CLASSES:]
    logits = keras.ops.log(keras.ops.maximum(answers, SMALLEST)) / temperatures
    losses = keras.ops.sum(targets[:, :CLASSES] * keras.ops.log_softmax(logits), axis=-1)
    return -losses * temperatures[:, 0] ** 2


def repeated(corrections: Rows) -> Rows:
    """Return the corrections' parts, a few of them as many times as make MIN_CORRECTIONS rows."""
    times = max(1, round(MIN_CORRECTIONS / len(corrections[0])))
    digits, targets = (np.repeat(part, times, axis=0) for part in corrections)
    return digits, targets


def replay_rows(replay: Rows, predictions: np.ndarray, seed: int) -> np.ndarray:
    """Return replay digits, uint8 (n, 28, 28): as many of every class, most of them unsure ones.

    Rows near the border between two digits are those that training moves across it first
    (Aljundi et al. 2019, https://arxiv.org/abs/1908.04742). predictions: the current network's for
    all replay rows, float32 (n, 10).
    """
    digits, labels = replay
    rng = np.random.default_rng(seed)
    confidence = predictions[np.arange(len(labels)), labels]
    each = REPLAY_ROWS // CLASSES
    unsure = round(UNSURE * each)
    chosen = []
    for digit in range(CLASSES):
        rows = np.flatnonzero(labels == digit)
        rows = rows[np.argsort(confidence[rows])]
        chosen += [rows[:unsure], rng.permutation(rows[unsure:])[: each - unsure]]
    return digits[np.concatenate(chosen)]
