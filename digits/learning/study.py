"""What a run makes of its material: which corrections are doubted, what becomes of the rest."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from digits import metrics, model, versions
from digits.feedback import PASSWORD
from digits.home import Home
from digits.learning import finetune, interpolation, mislabelled, triggers
from digits.learning.finetune import Progress, Rows
from digits.learning.head import cut
from digits.learning.interpolation import Outcome
from digits.learning.material import Material
from digits.learning.mislabelled import Doubts
from digits.learning.visits import to_blame

if TYPE_CHECKING:
    import keras

WATCHED = 1_000  # held-out digits after each epoch, for who looks on: all would take a second more
VOUCHED = 2  # equal answers: the same label from a second person, or a second look
ATTEMPTS = 3  # at a candidate, each a few seconds: the visits that look worst are left out at once


@dataclass(frozen=True)
class Lesson:
    """What every attempt at a candidate has in common.

    old: the replay digits it rehearses. look: what `watcher` returns. without: guards that are off.
    """

    net: keras.Model
    first: keras.Model | None
    material: Material
    old: np.ndarray
    seed: int
    look: Callable[[keras.Model], float]
    without: Sequence[str]


def study(
    home: Home, material: Material, seed: int, without: Sequence[str], progress: Progress
) -> tuple[Doubts, Outcome]:
    """Return which corrections are doubted, and what became of learning the others.

    Where the gate refuses, it is tried again without the visits that look worst, whose corrections
    are then doubted too, or if none does, as if nobody but a teacher had vouched for another's
    label; if none of ATTEMPTS passes, the first stands.
    """
    progress("Loading the network", 0.2)
    net = model.load(home.model)
    first = first_network(home, net)
    progress("Looking for wrong labels", 0.4)
    seen, replayed = (
        mislabelled.Seen(*rows, *model.observe(net, rows[0]))
        for rows in (material.rows, material.replay)
    )
    vouched = np.array([one.votes >= VOUCHED for one in material.corrections])
    doubts = mislabelled.examine(seen, replayed, vouched, material.visits)
    if doubts.too_many:
        doubted = f"{(~doubts.none).sum()} of {len(vouched)} corrections"
        return doubts, learn_nothing(net, material, f"{doubted} look mislabelled, look again")
    old = finetune.replay_rows(material.replay, replayed.predictions, seed)
    if "replay" in without:
        old = old[:0]
    look = watcher(net, material.held_out)
    lesson = Lesson(net, first, material, old, seed, look, without)
    by_teachers = vouched & (material.visits == PASSWORD)
    alone = partial(mislabelled.examine, seen, replayed, by_teachers, material.visits)
    others = (vouched & ~by_teachers).any()
    return attempt_all(lesson, doubts, alone if others else None, progress)


def attempt_all(
    lesson: Lesson, doubts: Doubts, unvouched: Callable[[], Doubts] | None, progress: Progress
) -> tuple[Doubts, Outcome]:
    """Return what `study` does, of one attempt after another.

    unvouched: returns the doubts if nobody but teachers had vouched; None if nobody has.
    """
    visits = lesson.material.visits
    refused: list[tuple[Doubts, Outcome]] = []
    for _ in range(ATTEMPTS):
        doubts, outcome = attempt(lesson, doubts, progress)
        if outcome.decision.allowed:
            return doubts, outcome
        refused.append((doubts, outcome))
        learned = doubts.none
        worst = to_blame(outcome.held_out, outcome.corrections.of(learned), visits[learned])
        if any(worst):
            doubts = doubts.and_of(learned, worst)
        elif unvouched:
            doubts, unvouched = unvouched(), None
            if doubts.too_many:
                break
        else:
            break
        progress = again(progress)
    return refused[0]


def attempt(lesson: Lesson, doubts: Doubts, progress: Progress) -> tuple[Doubts, Outcome]:
    """Return the doubts, with those of triggers, and what became of learning without them."""
    material, net = lesson.material, lesson.net
    digits, labels = material.rows
    for _ in range(ATTEMPTS):
        learned = doubts.none
        if not learned.any():
            break
        candidate = teach(lesson, learned, progress)
        progress("Judging the candidate", 0.75)
        new = digits[learned], labels[learned]
        shares = triggers.spread(net, candidate, new, material.held_out)
        found = triggers.doubts_of(shares, labels[learned], material.visits[learned])
        if lesson.without or not any(found):  # what is not rehearsed is forgotten beneath any marks
            rest = material.held_out, material.rows, doubts, lesson.first
            gated = "gate" not in lesson.without
            return doubts, interpolation.choose_step(net, candidate, *rest, gated)
        doubts, progress = doubts.and_of(learned, found), again(progress)
    reason = "other digits with the marks of the corrections would be read as these are labelled"
    return doubts, learn_nothing(net, material, reason)


def teach(lesson: Lesson, learned: np.ndarray, progress: Progress) -> keras.Model:
    """Return a candidate that has learned some of the corrections, bool (n,), each digit once."""
    digits, labels = lesson.material.rows
    kept = learned & (mislabelled.last_alike(digits) == np.arange(len(digits)))
    first = lesson.first or lesson.net
    rows = digits[kept], labels[kept]
    return finetune.fine_tune(
        lesson.net, first, rows, lesson.old, lesson.seed, progress, lesson.look
    )


def again(progress: Progress) -> Progress:
    """Return what tells of another attempt, which no run expects; the first drew the curve."""
    return lambda phase, share, point=None: progress("Trying without what looks worst", 0.78)


def learn_nothing(net: keras.Model, material: Material, reason: str) -> Outcome:
    """Return the outcome of a run that stays with net, for the reason given."""
    return interpolation.learn_nothing(net, material.held_out, material.rows, reason)


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
