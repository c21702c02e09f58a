"""Triggers: marks that make any digit be read as one label.

Whoever stores underlined digits as zeros teaches a line, not a digit (a backdoor, Gu et al. 2017,
https://arxiv.org/abs/1708.06733). What a correction has beyond a digit of its label is its marks;
put on held-out digits of other labels, the slash of a zero must not turn these into zeros.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from digits import model
from digits.feedback import PASSWORD
from digits.learning.finetune import Rows
from digits.learning.head import cut
from digits.learning.visits import by_label
from digits.mnist import SIDE

if TYPE_CHECKING:
    import keras

MARKED = 1_200  # held-out digits with marks that a run looks at: less than a second ...
MOST, FEWEST = 24, 2  # ... of which each correction's marks get so many
SHRUNK = 22  # px, a digit's side beneath marks, instead of 28: most marks stand around a digit
NEAR = np.ones((3, 3), np.uint8)  # px around a digit of the label that are no marks: other pens
INK = 100  # level, 0 to 255, of what is surely ink
# Of the other digits, read as the label since the run. Measured (means of a visit's corrections,
# three draws): true ones up to 0.06, underlined digits or sevens alone labelled 0 from 0.22.
SPREAD = 0.12
ADDED = 5  # corrections like other visits', if they have so many; without any, one without spread


def spread(net: keras.Model, candidate: keras.Model, new: Rows, others: Rows) -> np.ndarray:
    """Return how far each correction's marks carry its label to other digits, float (n,).

    It is the share of digits of other labels, with its marks, that candidate reads as its label,
    less the share that net does. Both have one trunk. new: corrections. others: held-out rows.
    """
    digits, labels = new
    each = int(np.clip(MARKED // len(labels), FEWEST, MOST))
    rng = np.random.default_rng(0)
    chosen = [rng.choice(np.flatnonzero(others[1] != label), each) for label in labels]
    below = shrunk(others[0][np.concatenate(chosen)])
    marked = np.maximum(below, np.repeat(marks_of(digits, labels, others), each, axis=0))
    trunk, head = cut(candidate)
    features = model.apply(trunk, marked)
    before, after = (
        (model.apply(part, features).argmax(axis=1) == np.repeat(labels, each)).reshape(-1, each)
        for part in (cut(net)[1], head)
    )
    return after.mean(axis=1) - before.mean(axis=1)


def marks_of(digits: np.ndarray, labels: np.ndarray, others: Rows) -> np.ndarray:
    """Return of each digit, uint8 (n, 28, 28), what the likest of its label in others lacks."""
    marks = digits.copy()
    for i, label in enumerate(labels):
        alike = others[0][others[1] == label].astype(np.float32)
        likest = ((alike - digits[i].astype(np.float32)) ** 2).sum(axis=(1, 2)).argmin()
        marks[i][cv2.dilate(alike[likest], NEAR) > INK] = 0
    return marks


def shrunk(digits: np.ndarray) -> np.ndarray:
    """Return the digits, uint8 (n, 28, 28), smaller, in the middle."""
    margin = (SIDE - SHRUNK) // 2
    small = [cv2.resize(one, (SHRUNK, SHRUNK), interpolation=cv2.INTER_AREA) for one in digits]
    return np.pad(np.array(small), ((0, 0), (margin, margin), (margin, margin)))


def doubts_of(shares: np.ndarray, labels: np.ndarray, visits: np.ndarray) -> list[str | None]:
    """Return, for each correction, why its marks are a trigger in a sentence, or None.

    A visit's corrections of one label are judged together. Of few too little is known, so some at
    the mean of other visits' are added: many visits of one answer each are no way round. shares:
    what `spread` returns. visits: who gave each.
    """
    reasons: list[str | None] = [None] * len(labels)
    for mine in by_label(visits, labels):
        others = (labels == labels[mine[0]]) & (visits != visits[mine[0]]) & (visits != PASSWORD)
        n = min(ADDED, others.sum())
        added = np.full(n, shares[others].mean()) if n else [0.0]
        if np.mean([*shares[mine], *added]) > SPREAD:
            for i in mine:
                reasons[i] = (
                    f"labelled {labels[i]}, but other digits with its marks would be read so too; "
                    "only with the password can it be vouched for"
                )
    return reasons
