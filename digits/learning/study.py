"""What a run makes of its material: which corrections are doubted, what becomes of the rest."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

import numpy as np

from digits import metrics, model, versions
from digits.home import Home
from digits.learning import finetune, interpolation, mislabelled
from digits.learning.finetune import Progress, Rows
from digits.learning.head import cut
from digits.learning.interpolation import Outcome
from digits.learning.material import Material

if TYPE_CHECKING:
    import keras

WATCHED = 1_000  # held-out digits after each epoch, for who looks on: all would take a second more
VOUCHED = 2  # equal answers: the same label from a second person, or a second look


def study(
    home: Home, material: Material, seed: int, without: Sequence[str], progress: Progress
) -> tuple[mislabelled.Doubts, Outcome]:
    """Return which corrections are doubted, and what became of learning the others."""
    progress("Loading the network", 0.2)
    net = model.load(home.model)
    first = first_network(home, net)
    progress("Looking for wrong labels", 0.4)
    seen, replayed = (
        mislabelled.Seen(*rows, *model.observe(net, rows[0]))
        for rows in (material.rows, material.replay)
    )
    vouched = np.array([one.votes >= VOUCHED for one in material.corrections])
    doubts = mislabelled.examine(seen, replayed, vouched)
    digits, labels = material.rows
    if doubts.too_many:
        reason = f"{(~doubts.none).sum()} of {len(labels)} corrections look mislabelled, look again"
        return doubts, interpolation.learn_nothing(net, material.held_out, material.rows, reason)
    once = mislabelled.last_alike(digits) == np.arange(len(digits))
    kept = digits[doubts.none & once], labels[doubts.none & once]
    old = finetune.replay_rows(material.replay, replayed.predictions, seed)
    if "replay" in without:
        old = old[:0]
    look = watcher(net, material.held_out)
    candidate = finetune.fine_tune(net, first or net, kept, old, seed, progress, look)
    progress("Judging the candidate", 0.75)
    gated = "gate" not in without
    return doubts, interpolation.choose_step(
        net, candidate, material.held_out, material.rows, doubts, first, gated
    )


def watcher(net: keras.Model, held_out: Rows) -> Callable[[keras.Model], float]:
    """Return what tells the accuracy, 0 to 1, of a head behind net's trunk on WATCHED digits."""
    digits, labels = (part[:WATCHED] for part in held_out)
    features = model.apply(cut(net)[0], digits)
    return lambda head: float(metrics.correct(labels, model.apply(head, features)).mean())


def first_network(home: Home, net: keras.Model) -> keras.Model | None:
    """Return the network that net, which is in service, descends from, None if it was lost."""
    origin = versions.baseline(home)
    if origin and origin.read_bytes() == home.model.read_bytes():
        return net
    with suppress(model.ModelError):
        return origin and model.load(origin)
    return None
