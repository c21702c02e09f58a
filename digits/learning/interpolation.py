"""How far a candidate goes from the old weights to the trained ones: as far as the gate allows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import TYPE_CHECKING

import numpy as np

from digits import metrics, model, versions
from digits.learning import gate
from digits.learning.finetune import ENOUGH, Rows, are_few
from digits.learning.head import cut, predict
from digits.learning.mislabelled import Doubts

if TYPE_CHECKING:
    import keras

STEPS = tuple(step / 20 for step in range(20, 3, -1))  # of the way to the trained weights


@dataclass(frozen=True)
class Outcome:
    """A candidate, the step taken towards it, both networks' predictions, and the decision."""

    candidate: keras.Model
    step: float
    held_out: metrics.Predictions
    corrections: metrics.Predictions
    decision: gate.Decision


@dataclass(frozen=True)
class Way:
    """From a head's old weights to its trained ones."""

    head: keras.Model
    old: Sequence[np.ndarray]
    trained: Sequence[np.ndarray]

    def go(self, step: float) -> None:
        """Give the head the weights that lie this step, 0 to 1, of the way."""
        pairs = zip(self.old, self.trained, strict=True)
        self.head.set_weights([a + step * (b - a) for a, b in pairs])


def choose_step(
    net: keras.Model,
    trained: keras.Model,
    held_out: Rows,
    corrections: Rows,
    doubts: Doubts,
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
    way = Way(head, current.get_weights(), head.get_weights())
    labels = held_out[1], corrections[1]
    features = [model.apply(trunk, rows[0]) for rows in (held_out, corrections)]
    before = [model.apply(current, some) for some in features]
    at_first = None if first is None else before[0]
    if first not in (None, net):
        at_first = predict(first, trunk, features[0], held_out[0])
    learned, refusals = doubts.none, []
    steps = steps_to_try(way, features[1][learned], labels[1][learned])
    for step in steps if gated else STEPS[:1]:
        way.go(step)
        after = [model.apply(head, some) for some in features]
        old, new = (metrics.Predictions(*of) for of in zip(labels, before, after, strict=True))
        decision = gate.decide(old, at_first, new.of(learned), doubts.leave_one_out[learned])
        if decision.allowed:
            break
        refusals.append(decision.reason)
    final = summed_up(refusals, decision) if gated else ungated(decision)
    return Outcome(trained, step, old, new, final)


def steps_to_try(way: Way, features: np.ndarray, labels: np.ndarray) -> tuple[float, ...]:
    """Return STEPS from the smallest that learns nearly all that the whole one does, downwards.

    They are tried downwards until one learns too little. All, where so few were misclassified that
    none can be spared: the whole step makes the network sure of them. features, labels: of the
    corrections that were learned.
    """

    def hits(step: float) -> int:
        way.go(step)
        return int(metrics.correct(labels, model.apply(way.head, features)).sum())

    before = hits(0.0)
    if are_few(len(labels) - before):
        return STEPS
    least = before + ENOUGH * (hits(STEPS[0]) - before)
    enough = list(takewhile(lambda step: hits(step) >= least, STEPS))
    return STEPS[len(enough) - 1 :]


def summed_up(refusals: Sequence[str], last: gate.Decision) -> gate.Decision:
    """Return the decision on all steps: the last one's, or a refusal that says why none passes.

    A large step may forget too much, the smallest learn too little.
    """
    if last.allowed or refusals[0] == refusals[-1]:
        return last
    smallest = f"a step of {STEPS[-1]:.0%} would not do either: {refusals[-1]}"
    return gate.Decision(False, f"{refusals[0]}; {smallest}")


def ungated(decision: gate.Decision) -> gate.Decision:
    """Return the decision to publish in spite of the gate, which says what that would have done."""
    word = "published" if decision.allowed else "refused"
    reason = f"the gate was switched off; it would have {word} it: {decision.reason}"
    return gate.Decision(True, reason)


def learn_nothing(net: keras.Model, held_out: Rows, corrections: Rows, reason: str) -> Outcome:
    """Return the outcome of a run that stays with net, for the reason given."""
    old, new = (
        metrics.Predictions(labels, same, same)
        for digits, labels in (held_out, corrections)
        for same in [model.predict(net, digits)]
    )
    return Outcome(net, 0.0, old, new, gate.Decision(False, reason))


def report_of(outcome: Outcome, doubts: Doubts) -> versions.Report:
    """Return what the history says of a run: counts, held-out accuracy with interval, the step."""
    held_out, corrections = outcome.held_out, outcome.corrections.of(doubts.none)
    n = len(held_out.labels)
    before, after = (
        int(metrics.correct(held_out.labels, predictions).sum())
        for predictions in (held_out.before, held_out.after)
    )
    return versions.Report(
        reason=outcome.decision.reason,
        corrections=len(outcome.corrections.labels),
        held_back=int((~doubts.none).sum()),
        learned=int(metrics.correct(corrections.labels, corrections.after).sum()),
        held_out_rows=n,
        accuracy_before=before / n,
        accuracy_after=after / n,
        interval_after=metrics.wilson(after, n),
        fixed=int(held_out.fixed.sum()),
        broken=int(held_out.broken.sum()),
        step=outcome.step,
    )
