"""One lesson: corrections and replay rows in, a candidate and how the gate judges it out.

Knows networks and rows; nothing of files, versions or the store. The settings were chosen on
replay rows and other digits of MNIST's training set, not on the held-out rows that judge a run.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from digits import evaluation, model, suspicion, training

if TYPE_CHECKING:
    import keras

EPOCHS = 4
BATCH = 64  # rows a step: a few hundred rows still make enough steps
LEARNING_RATE = (
    4e-3  # high, since few layers learn: fewer old digits are lost than at a tenth of it
)
LEARNED_LAYERS = 3  # the last ones with weights; those before see strokes, and cost most time
REPLAY_ROWS = 1_200  # an epoch: enough to hold old digits, few enough for seconds
MIN_CORRECTIONS = 80  # rows an epoch: a few corrections are repeated to as many
AS_IS = 0.4  # of a correction's turns it is not augmented: that very picture will be asked again
DOUBT = 0.1  # of a correction's target, spread over all digits: no push beyond "learned"
TEACHER_SHARE = 0.5  # of a replay row's target: the current network's answer; the rest its label
STEPS = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.35, 0.2)  # of the way to the trained weights

Rows = tuple[np.ndarray, np.ndarray]  # digits, uint8 (n, 28, 28), and their labels, int (n,)
Progress = Callable[[str, float], None]  # told the phase, and the share of the run that is done


@dataclass
class Outcome:
    """A candidate, the step taken towards it, its answers beside the old ones, the decision."""

    candidate: keras.Model
    step: float
    held_out: evaluation.Answers
    corrections: evaluation.Answers
    decision: evaluation.Decision


def fine_tune(
    net: keras.Model, corrections: Rows, replay: Rows, seed: int, progress: Progress
) -> keras.Model:
    """Return a candidate trained on the corrections and replay rows; net stays as it is.

    Four guards against forgetting: replay rows in every batch (Robins 1995,
    https://doi.org/10.1080/09540099550039318), their targets drawn towards the current network's
    answers (distillation, Li & Hoiem 2017, https://arxiv.org/abs/1606.09282), the first layers
    frozen, which serve every hand (Yosinski et al. 2014, https://arxiv.org/abs/1411.1792), and
    batch norm frozen, since a few hundred rows of one hand would shift its statistics.
    """
    import keras

    candidate = keras.models.clone_model(net)
    candidate.set_weights(net.get_weights())
    freeze(candidate)
    digits, targets, as_is = mix(net, corrections, replay, np.random.default_rng(seed))
    steps = EPOCHS * -(-len(digits) // BATCH)
    batches = iter(range(1, steps + 1))
    tell = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: progress(
            "Training", 0.45 + 0.3 * next(batches) / steps
        )
    )
    training.fit(
        candidate,
        digits,
        targets,
        epochs=EPOCHS,
        learning_rate=LEARNING_RATE,
        seed=seed,
        batch=BATCH,
        as_is=as_is,
        callbacks=[tell],
    )
    candidate.trainable = True  # of all layers: the file is for any further training
    return candidate


def freeze(net: keras.Model) -> None:
    """Let only the last LEARNED_LAYERS layers of net learn, and no batch norm."""
    import keras

    norm = keras.layers.BatchNormalization
    weighted = [x for x in net.layers if x.weights and not isinstance(x, norm)]
    for layer in net.layers:
        layer.trainable = layer in weighted[-LEARNED_LAYERS:]


def mix(
    net: keras.Model, corrections: Rows, replay: Rows, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the rows of one epoch: digits, targets, and how often each is left as it is.

    uint8 (n, 28, 28), float32 (n, 10) and float (n,), as `training.fit` takes them.
    """
    old, soft = replay_rows(net, replay, rng)
    digits, labels = corrections
    targets = training.one_hot(labels) * (1 - DOUBT) + DOUBT / model.CLASSES
    times = max(1, round(MIN_CORRECTIONS / len(labels)))
    return (
        np.concatenate([old, np.repeat(digits, times, axis=0)]),
        np.concatenate([soft, np.repeat(targets, times, axis=0)]),
        np.concatenate([np.zeros(len(old)), np.full(len(digits) * times, AS_IS)]),
    )


def replay_rows(
    net: keras.Model, replay: Rows, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return replay digits and soft targets: every class alike, half of them the least sure.

    Rows near the border between two digits are those that training moves across it first
    (Aljundi et al. 2019, https://arxiv.org/abs/1908.04742).
    """
    digits, labels = replay
    answers = model.predict(net, digits)
    sureness = answers[np.arange(len(labels)), labels]
    each = REPLAY_ROWS // model.CLASSES // 2
    chosen = []
    for digit in range(model.CLASSES):
        rows = np.flatnonzero(labels == digit)
        rows = rows[np.argsort(sureness[rows])]
        others = rng.permutation(rows[each:])[:each]
        chosen += [rows[:each], others]
    chosen = np.concatenate(chosen)
    targets = training.one_hot(labels[chosen])
    return digits[chosen], targets + TEACHER_SHARE * (answers[chosen] - targets)


def judge(
    net: keras.Model,
    trained: keras.Model,
    held_out: Rows,
    corrections: Rows,
    doubts: suspicion.Doubts,
    first: np.ndarray | None,
    gated: bool = True,
) -> Outcome:
    """Return the largest step from net's weights to the trained ones that passes the gate.

    Between two networks of one descent lie others that keep more of the old and most of the new
    (WiSE-FT, Wortsman et al. 2022, https://arxiv.org/abs/2109.01903). If none passes, the last
    and smallest step stands, with the gate's refusal. first: the first network's answers to the
    held-out rows, None if it was lost. gated: if not, the whole step stands, whatever the gate
    says of it.
    """
    old, new = net.get_weights(), trained.get_weights()
    before = [model.predict(net, rows[0]) for rows in (held_out, corrections)]
    learned = doubts.none
    for step in STEPS if gated else STEPS[:1]:
        trained.set_weights([a + step * (b - a) for a, b in zip(old, new, strict=True)])
        answers = [
            evaluation.Answers(labels, earlier, model.predict(trained, digits))
            for (digits, labels), earlier in zip((held_out, corrections), before, strict=True)
        ]
        decision = evaluation.gate(answers[0], first, answers[1].of(learned), doubts.apart[learned])
        if decision.allowed:
            break
    if not gated:
        word = "published" if decision.allowed else "refused"
        reason = f"the gate was switched off; it would have {word} it: {decision.reason}"
        decision = evaluation.Decision(True, reason)
    return Outcome(trained, step, *answers, decision)


def learn_nothing(net: keras.Model, held_out: Rows, corrections: Rows, reason: str) -> Outcome:
    """Return the outcome of a run that stays with net, for the reason given."""
    answers = [
        evaluation.Answers(labels, same, same)
        for digits, labels in (held_out, corrections)
        for same in [model.predict(net, digits)]
    ]
    return Outcome(net, 0.0, *answers, evaluation.Decision(False, reason))
