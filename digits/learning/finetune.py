"""One lesson: corrections and replay rows in, a candidate and how the gate judges it out.

Knows networks and rows; nothing of files, versions or the store. The settings were chosen on
replay rows and other digits of MNIST's training set, not on the held-out rows that judge a run;
ENOUGH alone was chosen by what benchmarks/learning.py showed.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from itertools import takewhile
from typing import TYPE_CHECKING

import numpy as np

from digits import metrics, model
from digits.learning import gate, mislabelled
from digits.model import training

if TYPE_CHECKING:
    import keras

RATES = (1.5e-3, 7.5e-4, 1.5e-4)  # of learning, in the epochs of a round: it falls on a cosine
ROUNDS = 3  # at most: a strange hand takes one, digits that resemble others take more
ROUNDS_OF_FEW = 2  # at least, where no correction can be spared: of each the network becomes sure
BATCH = 64  # rows a step: a few hundred rows still make enough steps
LEARNED_LAYERS = 3  # the last ones with weights; those before see strokes, and cost most time
REPLAY_ROWS = 1_200  # an epoch: enough to hold old digits, few enough for seconds
MIN_REPLAY = 3  # replay rows for each correction: more turns for them when corrections are many
UNSURE = 0.7  # of the replay rows are those that the network is least sure of, others at random
MIN_CORRECTIONS = 80  # rows an epoch: a few corrections are repeated to as many
AGAIN = 3  # more turns in the next epoch for a correction that is still read wrongly
AS_IS = 0.4  # of a correction's turns it is not augmented: that very picture will be asked again
BENT = 0.7  # of the replay rows are augmented twice: where digits are hard, old answers give way
TEMPERATURE = 3.0  # of replay rows: at 1 a sure answer says nothing of how near the others come
DOUBT = 0.1  # of a correction's target, spread over all digits: no push beyond "learned"
DOUBT_OF_FEW = 0.03  # where none can be spared: room for an answer of which the page is sure
SMALLEST = 1e-9  # probability: its logarithm is still finite
STEPS = tuple(step / 20 for step in range(20, 3, -1))  # of the way to the trained weights
ENOUGH = 0.97  # of the corrections read wrongly are learned: the rest cost most of the old digits

Rows = tuple[np.ndarray, np.ndarray]  # digits, uint8 (n, 28, 28), and their labels, int (n,)
Progress = Callable[[str, float], None]  # told the phase, and the share of the run that is done


@dataclass
class Outcome:
    """A candidate, the step taken towards it, its answers beside the old ones, the decision."""

    candidate: keras.Model
    step: float
    held_out: metrics.Answers
    corrections: metrics.Answers
    decision: gate.Decision


def fine_tune(
    net: keras.Model,
    first: keras.Model,
    corrections: Rows,
    old: np.ndarray,
    seed: int,
    progress: Progress,
) -> keras.Model:
    """Return a candidate trained on the corrections and replay rows; net stays as it is.

    first: the network that net descends from. old: digits that `replay_rows` has chosen, uint8
    (n, 28, 28). seed: fixes all that is random.

    Guards against forgetting: replay rows in every batch (Robins 1995,
    https://doi.org/10.1080/09540099550039318); the first network as their teacher (distillation,
    Li & Hoiem 2017, https://arxiv.org/abs/1606.09282), so that what twenty runs forget does not add
    up, which answers to the very writing that the candidate sees (Beyer et al. 2022,
    https://arxiv.org/abs/2106.05237); the first layers frozen, which serve every hand (Yosinski et
    al. 2014, https://arxiv.org/abs/1411.1792); and batch norm frozen, since a few hundred rows of
    one hand would shift its statistics.
    """
    import keras

    candidate = keras.models.clone_model(net)
    candidate.set_weights(net.get_weights())
    trunk, head = cut(candidate)
    teacher = head_behind(trunk, first) or cut(net)[1]
    for layer in head.layers:
        layer.trainable = not isinstance(layer, keras.layers.BatchNormalization)
    features = model.run(trunk, corrections[0])
    wrong = int((~metrics.right(corrections[1], model.run(head, features))).sum())
    targets = wanted(corrections[1], DOUBT_OF_FEW if are_few(wrong) else DOUBT)
    new = repeated((corrections[0], targets))
    old = np.tile(old, (-(-len(new[0]) * MIN_REPLAY // REPLAY_ROWS), 1, 1))
    progress("Augmenting", 0.42)
    rng = np.random.default_rng(seed)
    written = [one_epoch(trunk, teacher, old, new, rng) for _ in RATES]
    learn_in_rounds(head, written, (features, targets), wrong, rng, progress)
    for layer in head.layers:
        layer.trainable = True  # the file is for any further training
    return candidate


def learn_in_rounds(
    head: keras.Model,
    written: list[tuple[np.ndarray, np.ndarray]],
    corrections: tuple[np.ndarray, np.ndarray],
    wrong: int,
    rng: np.random.Generator,
    progress: Progress,
) -> None:
    """Train head in place until it reads nearly all corrections rightly, but ROUNDS at most.

    In a round the rate falls; the next begins anew (Loshchilov & Hutter 2017,
    https://arxiv.org/abs/1608.03983), with the same rows: writing others took as long as learning
    them, and forgot as much. written: what `one_epoch` returns, for each epoch of a round.
    corrections: their features, float32 (n, ...), as they are, and their targets, float32 (n, 11).
    wrong: how many of them head misreads so far.
    """
    import keras

    features, targets = corrections
    labels = targets[:, : model.CLASSES].argmax(axis=1)
    adam = keras.optimizers.AdamW(weight_decay=training.WEIGHT_DECAY)
    head.compile(adam, loss=softened_loss)
    adam.build(head.trainable_variables)  # left to the first step, this has it traced twice
    least = ROUNDS_OF_FEW if are_few(wrong) else 1
    missed = np.zeros(len(labels), bool)  # the first epoch is every correction's alike
    for epoch in range(ROUNDS * len(RATES)):
        adam.learning_rate = RATES[epoch % len(RATES)]
        fresh = written[epoch % len(RATES)]
        n = len(fresh[0])
        turns = np.r_[:n, n + np.repeat(np.flatnonzero(missed), AGAIN)]
        rows = [np.concatenate(two) for two in zip(fresh, corrections, strict=True)]
        batches = in_batches(rng.permutation(turns))
        for done, batch in enumerate(batches, start=1):
            head.train_on_batch(*(part[batch] for part in rows))
            tell_share(progress, (epoch + done / len(batches)) / len(RATES))
        missed = ~metrics.right(labels, model.run(head, features))
        rounds, unfinished = divmod(epoch + 1, len(RATES))
        if not unfinished and rounds >= least and missed.sum() <= (1 - ENOUGH) * wrong:
            break


def in_batches(turns: np.ndarray) -> np.ndarray:
    """Return turns, int (n,), as batches, int (batches, BATCH), the last filled up from the first.

    TensorFlow would trace a batch of another size anew, which takes as long as an epoch.
    """
    return np.resize(turns, (-(-len(turns) // BATCH), BATCH))


def tell_share(progress: Progress, rounds: float) -> None:
    """Tell how far the lesson is after so many rounds, of which any may be the last."""
    progress("Training", 0.75 - 0.3 * 0.5**rounds)


def are_few(wrong: int) -> bool:
    """Return whether so many corrections that are read wrongly are so few that ENOUGH are all."""
    return wrong * (1 - ENOUGH) < 1


def head_behind(trunk: keras.Model, net: keras.Model) -> keras.Model | None:
    """Return net's last layers if its first ones are the trunk, to the bit; otherwise None.

    They are in every network that descends from the trunk's by fine-tuning.
    """
    own, head = cut(net)
    pairs = zip(own.get_weights(), trunk.get_weights(), strict=False)
    same = own.count_params() == trunk.count_params() and all(np.array_equal(*two) for two in pairs)
    return head if same else None


@lru_cache(maxsize=4)  # a run's networks: each part is made a graph once
def cut(net: keras.Model) -> tuple[keras.Model, keras.Model]:
    """Return net's first layers, which never learn, and its last ones; the weights are net's own.

    The last are LEARNED_LAYERS with weights, batch norm not counted, or as many more as it takes
    for all answers to pass the cut: a shortcut may lead past a layer.
    """
    import keras

    norm = keras.layers.BatchNormalization
    weighted = [x for x in net.layers if x.weights and not isinstance(x, norm)]
    for layer in reversed(weighted[: max(1, len(weighted) - LEARNED_LAYERS + 1)]):
        with suppress(ValueError):  # the answers depend on more than this layer is given
            return keras.Model(net.inputs, layer.input), keras.Model(layer.input, net.outputs[0])
    return keras.Model(net.inputs, net.inputs[0]), net


def one_epoch(
    trunk: keras.Model,
    teacher: keras.Model,
    old: np.ndarray,
    new: tuple[np.ndarray, np.ndarray],
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Return what the head learns from in one epoch: features and targets.

    float32 (n, ...), as the trunk gives them, and float32 (n, 11), as `softened_loss` takes them.
    teacher: answers to features of replay rows. old: replay digits, uint8 (n, 28, 28). new:
    corrections, most of them to be augmented, and their targets.
    """
    seen = training.augment(new[0], rng)
    as_is = rng.random(len(seen)) < AS_IS
    seen[as_is] = new[0][as_is]
    bent = training.augment(old, rng)
    twice = rng.random(len(old)) < BENT
    bent[twice] = training.augment(bent[twice], rng)
    features = model.run(trunk, np.concatenate([bent, seen]))
    taught = softened(model.run(teacher, features[: len(old)]))
    taught = np.column_stack([taught, np.full(len(old), TEMPERATURE, np.float32)])
    return features, np.concatenate([taught, new[1]])


def wanted(labels: np.ndarray, doubt: float) -> np.ndarray:
    """Return the targets of corrections, float32 (n, 11), of their labels, int (n,).

    doubt: the share, 0 to 1, that is spread over all digits.
    """
    answers = training.one_hot(labels) * (1 - doubt) + doubt / model.CLASSES
    return np.column_stack([answers, np.ones(len(labels))]).astype(np.float32)


def softened(answers: np.ndarray) -> np.ndarray:
    """Return probabilities, float32 (n, 10), at TEMPERATURE instead of 1."""
    powers = answers ** (1 / TEMPERATURE)
    return powers / powers.sum(axis=1, keepdims=True)


def softened_loss(targets, answers):
    """Return the cross-entropy, (n,), of answers to targets, each at its row's own temperature.

    targets: ten probabilities and the temperature, float32 (n, 11). Its square keeps the gradients'
    size (Hinton et al. 2015, https://arxiv.org/abs/1503.02531).
    """
    import keras

    temperatures = targets[:, model.CLASSES :]
    logits = keras.ops.log(keras.ops.maximum(answers, SMALLEST)) / temperatures
    losses = keras.ops.sum(targets[:, : model.CLASSES] * keras.ops.log_softmax(logits), axis=-1)
    return -losses * temperatures[:, 0] ** 2


def repeated(corrections: tuple[np.ndarray, ...]) -> tuple[np.ndarray, ...]:
    """Return the corrections' parts, a few of them as many times as make MIN_CORRECTIONS rows."""
    times = max(1, round(MIN_CORRECTIONS / len(corrections[0])))
    return tuple(np.repeat(part, times, axis=0) for part in corrections)


def replay_rows(replay: Rows, answers: np.ndarray, seed: int) -> np.ndarray:
    """Return replay digits, uint8 (n, 28, 28): every class alike, most of them the least sure.

    Rows near the border between two digits are those that training moves across it first
    (Aljundi et al. 2019, https://arxiv.org/abs/1908.04742). answers: the current network's to all
    replay rows, float32 (n, 10).
    """
    digits, labels = replay
    rng = np.random.default_rng(seed)
    sureness = answers[np.arange(len(labels)), labels]
    each = REPLAY_ROWS // model.CLASSES
    unsure = round(UNSURE * each)
    chosen = []
    for digit in range(model.CLASSES):
        rows = np.flatnonzero(labels == digit)
        rows = rows[np.argsort(sureness[rows])]
        chosen += [rows[:unsure], rng.permutation(rows[unsure:])[: each - unsure]]
    return digits[np.concatenate(chosen)]


def judge(
    net: keras.Model,
    trained: keras.Model,
    held_out: Rows,
    corrections: Rows,
    doubts: mislabelled.Doubts,
    first: keras.Model | None,
    gated: bool = True,
) -> Outcome:
    """Return what becomes of the candidate at the step that is to be published, if any.

    Between two networks of one descent lie others that keep more of the old and most of the new
    (WiSE-FT, Wortsman et al. 2022, https://arxiv.org/abs/2109.01903): the first of `steps_to_try`
    that passes the gate is taken. If none does, the last stands, with the gate's refusals.
    first: the network that net descends from, None if it was lost. gated: if not, the whole step
    stands, whatever the gate says of it.
    """
    (trunk, head), (_, current) = cut(trained), cut(net)
    way = head, current.get_weights(), head.get_weights()
    labels = held_out[1], corrections[1]
    features = [model.run(trunk, rows[0]) for rows in (held_out, corrections)]
    before = [model.run(current, some) for some in features]
    at_first = None if first is None else before[0]
    if first not in (None, net):
        at_first = answers_of(first, trunk, features[0], held_out[0])
    learned, refusals = doubts.none, []
    steps = steps_to_try(way, features[1][learned], labels[1][learned])
    for step in steps if gated else STEPS[:1]:
        interpolate(*way, step)
        after = [model.run(head, some) for some in features]
        answers = [metrics.Answers(*three) for three in zip(labels, before, after, strict=True)]
        decision = gate.decide(answers[0], at_first, answers[1].of(learned), doubts.apart[learned])
        if decision.allowed:
            break
        refusals.append(decision.reason)
    if not gated:
        word = "published" if decision.allowed else "refused"
        reason = f"the gate was switched off; it would have {word} it: {decision.reason}"
        decision = gate.Decision(True, reason)
    elif not decision.allowed:
        decision = gate.Decision(False, summed_up(refusals))
    return Outcome(trained, step, *answers, decision)


def answers_of(
    net: keras.Model, trunk: keras.Model, features: np.ndarray, digits: np.ndarray
) -> np.ndarray:
    """Return net's answers, float32 (n, 10), to digits of which the trunk made the features."""
    head = head_behind(trunk, net)
    return model.predict(net, digits) if head is None else model.run(head, features)


def interpolate(head: keras.Model, old: list, new: list, step: float) -> None:
    """Give head the weights that lie this step, 0 to 1, of the way from the old ones to the new."""
    head.set_weights([a + step * (b - a) for a, b in zip(old, new, strict=True)])


def steps_to_try(way: tuple, features: np.ndarray, labels: np.ndarray) -> tuple[float, ...]:
    """Return STEPS from the smallest that learns nearly all that the whole one does, downwards.

    They are tried downwards until one learns too little. All, where so few were read wrongly that
    none can be spared: the whole step makes the network sure of them. way: what `interpolate`
    takes, but the step. features, labels: of the corrections that were learned.
    """

    def hits(step: float) -> int:
        interpolate(*way, step)
        return int(metrics.right(labels, model.run(way[0], features)).sum())

    before = hits(0.0)
    if are_few(len(labels) - before):
        return STEPS
    least = before + ENOUGH * (hits(STEPS[0]) - before)
    enough = list(takewhile(lambda step: hits(step) >= least, STEPS))
    return STEPS[len(enough) - 1 :]


def summed_up(refusals: list[str]) -> str:
    """Return why no step passes: a large one may forget too much, the smallest learn too little."""
    largest, smallest = refusals[0], refusals[-1]
    if largest == smallest:
        return largest
    return f"{largest}; a step of {STEPS[-1]:.0%} would not do either: {smallest}"


def learn_nothing(net: keras.Model, held_out: Rows, corrections: Rows, reason: str) -> Outcome:
    """Return the outcome of a run that stays with net, for the reason given."""
    answers = [
        metrics.Answers(labels, same, same)
        for digits, labels in (held_out, corrections)
        for same in [model.predict(net, digits)]
    ]
    return Outcome(net, 0.0, *answers, gate.Decision(False, reason))
