"""Visits: what one visit's answers say together, and whose are left out for the others' sake."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from digits.feedback import PASSWORD
from digits.metrics import Predictions
from digits.mnist import CLASSES

MOSTLY = 0.5  # of a visit's labels look wrong: nobody is so often mistaken
ALIKE = 0.5  # of the blame of the visit that looks worst: one person may come several times


def by_label(visits: np.ndarray, labels: np.ndarray) -> Iterator[np.ndarray]:
    """Yield where each visit's corrections of one label are, int (n,); the password's are not.

    Who has it may teach what the labels of strangers must not.
    """
    for visit in sorted(set(visits.tolist()) - {PASSWORD}):
        for label in np.unique(labels[visits == visit]):
            yield np.flatnonzero((visits == visit) & (labels == label))


def mostly_doubted(reasons: Sequence[str | None], visits: np.ndarray) -> list[str | None]:
    """Return, for each correction, why its whole visit is left out, or None.

    reasons: what is said against each correction alone, or None.
    """
    doubted = np.array([reason is not None for reason in reasons])
    share = {visit: doubted[visits == visit].mean() for visit in set(visits.tolist())}
    return [
        reasons[i] or "most labels of its visit look wrong" if share[visit] > MOSTLY else None
        for i, visit in enumerate(visits)
    ]


def to_blame(held_out: Predictions, learned: Predictions, visits: np.ndarray) -> list[str | None]:
    """Return, for each correction that was learned, why its visit is left out, or None.

    Held-out digits went over from one class to another where corrections pull: a visit's blame is
    how likely its labels became, on average, for held-out digits that are what it corrected.
    None for all if that would leave nobody's. Who has the password is not left out.
    """
    blame = _went_over(held_out)[learned.before.argmax(axis=1), learned.labels]
    means = {visit: blame[visits == visit].mean() for visit in set(visits.tolist()) - {PASSWORD}}
    least = ALIKE * max(means.values(), default=0)
    worst = {visit for visit, mean in means.items() if mean >= least}
    if worst == set(visits.tolist()):
        return [None] * len(visits)
    return [
        "left out with its visit: the gate refused what it had part in" if one in worst else None
        for one in visits
    ]


def _went_over(held_out: Predictions) -> np.ndarray:
    """Return how much likelier each class became for digits of each other, float (10, 10)."""
    rise = np.zeros((CLASSES, CLASSES))
    for digit in set(held_out.labels.tolist()):
        rows = held_out.of(held_out.labels == digit)
        rise[digit] = (rows.after - rows.before).mean(axis=0)
        rise[digit, digit] = 0
    return np.maximum(rise, 0)
