"""Label noise: which corrections look mislabelled to the network and to all others.

People misclick and joke. A correction is held back, never deleted, when two witnesses together
speak against its label: the network, asked which digit it is if not the one it guessed; and a
linear classifier on the network's features, fitted to the replay rows and all *other*
corrections. So the first of a new style may look odd, but many of them vouch for each other:
unless all are one visit's, and the network is sure of something else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from digits import model
from digits.learning.visits import by_label, mostly_doubted
from digits.mnist import CLASSES

WEIGHT = 5.0  # of a correction beside a replay row: a few of one style must be heard
RIDGE = 1.0  # beside features of unit variance: keeps the fit stable with few rows
BELIEF = 5.0  # nats that a whole point of the classifier's margin is worth beside the network
FLOOR = 1e-3  # what the network gives a digit at least: it is never so sure of what it misreads
# Nats that speak for a flip, at a score of 0 and for each of its own: a logistic regression on
# scores of 10 and 30 % flipped labels among misclassified replay rows, restyled and bent.
FLIP_AT_0, FLIP_SLOPE = -4.4, -1.58
FLIPS_BEFORE, TRUE_BEFORE = 1, 9  # corrections' worth of belief that one in ten is flipped
ROUNDS = 50  # of estimating the share of flips; it settles within twenty
TOO_LIKELY = 0.4  # a chance of being flipped: learning a wrong label costs more than a second look
TOGETHER = 5  # corrections of one label by one visit, from which on they are judged together
# The median chance of such a label, among the nine digits that were not guessed, if the network
# knew nothing. New styles are read unsurely (median 0.36), underlined digits surely (0.95).
CHANCE = 1 / (CLASSES - 1)
MAX_SHARE = 0.5  # of the corrections; if more look mislabelled, the rest cannot be trusted either


@dataclass(frozen=True)
class Seen:
    """Digits, uint8 (n, 28, 28), their labels, int (n,), and how the network sees them.

    features, predictions: as `model.observe` returns them.
    """

    digits: np.ndarray
    labels: np.ndarray
    features: np.ndarray
    predictions: np.ndarray

    def of(self, rows: np.ndarray) -> Seen:
        """Return some of them: bool (n,)."""
        parts = self.digits, self.labels, self.features, self.predictions
        return Seen(*(part[rows] for part in parts))

    @property
    def chance(self) -> np.ndarray:
        """float (n,): of each label, asked of the network as if it had not guessed its guess."""
        each, guesses = np.arange(len(self.labels)), self.predictions.argmax(axis=1)
        others = self.predictions.copy()
        others[each, guesses] = 0
        return others[each, self.labels] / np.maximum(others.sum(axis=1), 1e-9)


@dataclass(frozen=True)
class Doubts:
    """What is said against the label of each correction, in their order.

    reasons: a sentence, or None. leave_one_out: what `leave_one_out` says, float (n, 10).
    unheard: how many are left out with their visit, whatever is said against each.
    """

    reasons: list[str | None]
    leave_one_out: np.ndarray
    unheard: int = 0

    @property
    def none(self) -> np.ndarray:
        """bool (n,): nothing is said against it, so that it may be learned."""
        return np.array([reason is None for reason in self.reasons], bool)

    @property
    def too_many(self) -> bool:
        """Whether so many are doubted that the others cannot be trusted either."""
        heard = len(self.reasons) - self.unheard
        return self.none.sum() < (1 - MAX_SHARE) * heard

    def and_of(self, some: np.ndarray, more: Sequence[str | None]) -> Doubts:
        """Return these doubts and more: of the corrections that some, bool (n,), points out."""
        reasons = list(self.reasons)
        for i, reason in zip(np.flatnonzero(some), more, strict=True):
            reasons[i] = reasons[i] or reason
        return replace(self, reasons=reasons)


def examine(corrections: Seen, replay: Seen, vouched: np.ndarray, visits: np.ndarray) -> Doubts:
    """Return what is said against corrections, which stand in time's order.

    vouched: bool (n,), whether a second person, or a second look, gave the same label. visits: who
    gave each. If too many are doubted, visits of which most are doubted are not heard.
    """
    doubts = examine_alike(corrections, replay, vouched, visits)
    unheard = mostly_doubted(doubts.reasons, visits)
    rest = np.array([reason is None for reason in unheard])
    if not doubts.too_many or not rest.any():
        return doubts
    again = examine_alike(corrections.of(rest), replay, vouched[rest], visits[rest])
    left_out = np.zeros_like(doubts.leave_one_out)
    left_out[rest] = again.leave_one_out
    return Doubts(unheard, left_out, int((~rest).sum())).and_of(rest, again.reasons)


def examine_alike(
    corrections: Seen, replay: Seen, vouched: np.ndarray, visits: np.ndarray
) -> Doubts:
    """Return what `examine` does, hearing every visit."""
    left_out = leave_one_out(corrections, replay)
    witnesses = (
        contradict(corrections),
        doubts_of(corrections, left_out, vouched),
        against_the_network(corrections, vouched, visits),
    )
    reasons = [next(filter(None, said), None) for said in zip(*witnesses, strict=True)]
    return Doubts(reasons, left_out)


def last_alike(digits: np.ndarray) -> np.ndarray:
    """Return int (n,): where each digit, uint8 (n, 28, 28), stands for the last time."""
    places = {digit.tobytes(): place for place, digit in enumerate(digits)}
    return np.array([places[digit.tobytes()] for digit in digits], int)


def contradict(corrections: Seen) -> list[str | None]:
    """Return, for each correction, which later one says otherwise of the same digit, or None.

    The store knows a picture again, but not one that was saved again: only its digit is the same.
    """
    labels = corrections.labels
    return [
        f"labelled {label}, but the same digit was stored again, as a {later}"
        if label != later
        else None
        for label, later in zip(labels, labels[last_alike(corrections.digits)], strict=True)
    ]


def leave_one_out(corrections: Seen, replay: Seen) -> np.ndarray:
    """Return what a classifier says of each correction that was fitted without it, float (n, 10).

    One value a digit, near 1 for its own and near 0 for others. The classifier is a ridge
    regression on the network's last features; leaving a row out needs no second fit, since its
    leverage tells what it did to its own answer (Allen 1974,
    https://doi.org/10.1080/00401706.1974.10489157).
    """
    old, new = replay.features.astype(float), corrections.features.astype(float)
    middle, spread = old.mean(axis=0), old.std(axis=0) + 1e-3
    table = np.column_stack(
        [(np.concatenate([old, new]) - middle) / spread, np.ones(len(old) + len(new))]
    )
    targets = np.eye(CLASSES)[np.concatenate([replay.labels, corrections.labels])]
    weighted = table.T * np.repeat([1.0, WEIGHT], [len(old), len(new)])
    inverse = np.linalg.inv(weighted @ table + RIDGE * np.eye(table.shape[1]))
    mine, wanted = table[len(old) :], targets[len(old) :]
    leverage = WEIGHT * np.einsum("ij,jk,ik->i", mine, inverse, mine)
    answers = mine @ inverse @ (weighted @ targets)
    return wanted - (wanted - answers) / (1 - leverage)[:, np.newaxis]


def doubts_of(corrections: Seen, left_out: np.ndarray, vouched: np.ndarray) -> list[str | None]:
    """Return, for each correction, why its label is doubted in a sentence, or None.

    left_out: what `leave_one_out` says, float (n, 10). vouched: bool (n,); a correction that was
    vouched for is never doubted, nor is one that the network classifies as labelled.
    """
    labels, each = corrections.labels, np.arange(len(corrections.labels))
    guesses = corrections.predictions.argmax(axis=1)
    rivals = left_out.copy()
    rivals[each, labels] = -np.inf
    margin = left_out[each, labels] - rivals.max(axis=1)
    scores = np.log(corrections.chance + FLOOR) + BELIEF * margin
    asked = np.flatnonzero(~vouched & (guesses != labels))
    doubted = np.zeros(len(labels), bool)
    doubted[asked] = chance_flipped(scores[asked]) > TOO_LIKELY
    return [
        f"labelled {labels[i]}, but it looks like a {rivals[i].argmax()} to all we know"
        if doubted[i]
        else None
        for i in each
    ]


def against_the_network(
    corrections: Seen, vouched: np.ndarray, visits: np.ndarray
) -> list[str | None]:
    """Return, for each correction, why its label is doubted of which one visit gave many, or None.

    They vouch for each other where others' do not, so the network alone is heard: it must not be
    sure of other digits and find the label less likely than chance, in the median of those that it
    does not classify as labelled.
    """
    sure = corrections.predictions.max(axis=1)
    open_to_doubt = ~vouched & (corrections.predictions.argmax(axis=1) != corrections.labels)
    reasons: list[str | None] = [None] * len(vouched)
    for mine in by_label(visits, corrections.labels):
        asked = mine[open_to_doubt[mine]]
        if len(asked) < TOGETHER:
            continue
        if np.median(sure[asked]) >= model.SURE and np.median(corrections.chance[asked]) < CHANCE:
            for i in asked:
                reasons[i] = (
                    f"labelled {corrections.labels[i]} by one visit alone, {len(asked)} of them, "
                    "and the network is sure of other digits"
                )
    return reasons


def chance_flipped(scores: np.ndarray) -> np.ndarray:
    """Return how likely each label is flipped, 0 to 1, float (n,), of what speaks for it in nats.

    The share of flips is estimated from the very scores (expectation maximisation for a mixture,
    Saerens et al. 2002, https://doi.org/10.1162/089976602753284446): where nearly all labels are
    true, an odd one is likely a new style; where many are not, a flip.
    """
    evidence = FLIP_AT_0 + FLIP_SLOPE * scores
    share = FLIPS_BEFORE / (FLIPS_BEFORE + TRUE_BEFORE)
    for _ in range(ROUNDS):
        odds = share / (1 - share) * np.exp(evidence)
        chances = odds / (1 + odds)
        share = (chances.sum() + FLIPS_BEFORE) / (len(scores) + FLIPS_BEFORE + TRUE_BEFORE)
    return chances
