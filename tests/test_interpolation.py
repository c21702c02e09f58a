"""How far a candidate goes: `choose_step`, `steps_to_try`."""

import numpy as np
import pytest

from digits import metrics, model
from digits.learning import finetune, gate, interpolation, mislabelled
from digits.learning.head import cut


def copy_of(net):
    """The network again, with weights of its own."""
    import keras

    copy = keras.models.clone_model(net)
    copy.set_weights(net.get_weights())
    return copy


def judged(shipped, lesson, replay, bent, allowed, monkeypatch, gated=True):
    """The outcome where every step is tried, and the gate refuses until it was asked so often."""
    asked = []
    monkeypatch.setattr(interpolation, "steps_to_try", lambda *_: interpolation.STEPS)

    def decide(*_):
        asked.append(len(asked) + 1)
        return gate.Decision(asked[-1] == allowed, f"reason {asked[-1]}")

    monkeypatch.setattr(gate, "decide", decide)
    trained = copy_of(lesson[0])
    held_out = tuple(part[:50] for part in replay)
    doubts = mislabelled.Doubts([None] * len(bent[1]), np.zeros((len(bent[1]), 10)))
    return interpolation.choose_step(shipped, trained, held_out, bent, doubts, None, gated)


def test_choose_step_takes_the_first_step_that_passes(shipped, lesson, replay, bent, monkeypatch):
    outcome = judged(shipped, lesson, replay, bent, 3, monkeypatch)
    assert outcome.decision == gate.Decision(True, "reason 3")
    assert outcome.step == interpolation.STEPS[2]
    old, new, between = (
        net.layers[-1].get_weights()[0] for net in (shipped, lesson[0], outcome.candidate)
    )
    assert np.allclose(between, old + outcome.step * (new - old), atol=1e-6)
    answers = model.predict(outcome.candidate, bent[0])
    assert np.allclose(outcome.corrections.after, answers, atol=1e-5)
    assert np.allclose(outcome.corrections.before, model.predict(shipped, bent[0]), atol=1e-5)


@pytest.mark.parametrize("enough", [0.0, 0.5, 0.9])
def test_steps_to_try_begin_with_the_smallest_that_learns_enough(
    enough, shipped, lesson, bent, monkeypatch
):
    for module in (finetune, interpolation):
        monkeypatch.setattr(module, "ENOUGH", enough)
    trunk, head = cut(copy_of(lesson[0]))
    way = interpolation.Way(head, cut(shipped)[1].get_weights(), head.get_weights())
    features = model.apply(trunk, bent[0])
    steps = interpolation.steps_to_try(way, features, bent[1])
    assert steps == interpolation.STEPS[-len(steps) :]

    def hits(step):
        way.go(step)
        return metrics.correct(bent[1], model.apply(head, features)).sum()

    least = enough * hits(1.0)  # before, all were wrong
    assert all(hits(step) >= least for step in interpolation.STEPS[: 1 - len(steps) or None])
    assert len(steps) == 1 or hits(steps[1]) < least


def test_steps_to_try_of_few_misclassified_begin_with_the_whole(shipped, lesson, bent, few):
    trunk, head = cut(copy_of(lesson[0]))
    way = interpolation.Way(head, cut(shipped)[1].get_weights(), head.get_weights())
    digits, labels = (np.concatenate(two) for two in zip(few, bent, strict=True))
    assert not finetune.are_few(len(labels))
    assert finetune.are_few(len(bent[1]))
    assert (
        interpolation.steps_to_try(way, model.apply(trunk, digits), labels) == interpolation.STEPS
    )


def test_choose_step_no_step_passes_says_why_of_the_whole_and_of_the_smallest(
    shipped, lesson, replay, bent, monkeypatch
):
    outcome = judged(shipped, lesson, replay, bent, None, monkeypatch)
    assert not outcome.decision.allowed
    assert outcome.step == interpolation.STEPS[-1]
    assert outcome.decision.reason.startswith("reason 1; a step of 20% would")
    assert outcome.decision.reason.endswith(f"reason {len(interpolation.STEPS)}")


def test_choose_step_gate_switched_off_takes_the_whole_step_and_says_so(
    shipped, lesson, replay, bent, monkeypatch
):
    outcome = judged(shipped, lesson, replay, bent, None, monkeypatch, gated=False)
    assert (outcome.decision.allowed, outcome.step) == (True, 1.0)
    assert "would have refused it: reason 1" in outcome.decision.reason
