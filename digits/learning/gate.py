"""The gate that a candidate must pass: predictions in, a decision with its reason out.

It is a non-inferiority test on held-out rows, and a test that the corrections were learned and make
sense together. Arrays in, sentences out; nothing here knows a network or prints.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from digits.metrics import Predictions, correct, loss_limit, nll

MIN_HELD_OUT = 1_000  # rows; with fewer, not even a candidate that errs nowhere new could pass
MIN_DIGIT_ROWS = 50  # held-out rows of each digit: of fewer, DIGIT_ROWS would be a large share
NEAR_CHANCE = 0.5  # of the held-out rows: whoever reads fewer was trained on others
MARGIN = 0.002  # of non-inferiority, a share of the held-out rows: at 3,000, 2 may be lost
MARGIN_FIRST = 0.003  # the same against the first network: all runs together
DIGIT_MARGIN = 0.01  # net loss on the rows of one digit ...
DIGIT_ROWS = 3  # ... or this many rows, whichever is more: one digit has about 300 rows
NLL_MARGIN = (
    0.01  # nats a row: a candidate may be right as often, but not with much less confidence
)
LEARNED_SHARE = 0.5  # of the misclassified corrections; true ones nearly all, jokes a quarter
TRIAL_FROM = 20  # misclassified corrections; from then on they must also tell of each other
TRIAL_SHARE = 0.05  # of them that the others classify correctly; true labels reach 13 %
PULLED = 2.0  # times as likely as before may a label be for held-out digits of the class corrected
# ... or this likely: ten fours labelled 9 go beyond it, true corrections of a new style or of
# bent digits stay within (20 runs of 1 to 100).
PULLED_FROM = 0.006
FILE_TOLERANCE = 1e-4  # of a probability: what another order of summing may change


@dataclass(frozen=True)
class Decision:
    """Whether the candidate may replace `model.h5`, and the reason in one sentence."""

    allowed: bool
    reason: str


def decide(
    held_out: Predictions,
    first: np.ndarray | None,
    corrections: Predictions,
    leave_one_out: np.ndarray | None = None,
) -> Decision:
    """Return whether the candidate may be published: no worse on old digits, better on new.

    held_out: predictions for rows that neither network was trained on. first: the first network's
    for the same rows, float32 (n, 10), or None when it was lost. corrections: predictions for the
    corrections that were learned. leave_one_out: what a classifier fitted to all others says of
    each, float (n, 10); needed if many were misclassified.
    """
    if first is None:
        lost = "the first network is missing from versions/, so small losses could add up unseen"
        return Decision(False, lost)
    refusal = (
        _too_few_rows(held_out)
        or _near_chance(held_out)
        or _inferior(held_out, MARGIN, "the current network")
        or _digit_lost(held_out)
        or _less_sure(held_out)
        or _inferior(replace(held_out, before=first), MARGIN_FIRST, "the first network")
        or _pulled_over(held_out, corrections)
        or _nothing_learned(corrections)
        or _nothing_in_common(corrections, leave_one_out)
    )
    if refusal:
        return Decision(False, refusal)
    return Decision(
        True,
        f"on {len(held_out.labels):,} held-out digits it fixed {held_out.fixed.sum()} and broke "
        f"{held_out.broken.sum()}, and {corrections.fixed.sum()} of "
        f"{len(corrections.labels)} corrections became correct",
    )


def file_differs(expected: np.ndarray, loaded: np.ndarray | None) -> Decision | None:
    """Return a refusal unless a file, loaded again, predicts as its network did in training.

    expected, loaded: float32 (n, 10) for the same rows; None when the file could not be loaded.
    """
    if loaded is not None and np.allclose(loaded, expected, atol=FILE_TOLERANCE):
        return None
    return Decision(False, "its file, loaded again, does not predict as it did in training")


def _too_few_rows(held_out: Predictions) -> str | None:
    """Without something to compare with, nothing is published blindly."""
    n = len(held_out.labels)
    if n < MIN_HELD_OUT:
        return f"train.csv has {n} held-out rows; the comparison needs at least {MIN_HELD_OUT:,}"
    counts = np.bincount(held_out.labels, minlength=10)
    if counts.min() < MIN_DIGIT_ROWS:
        few = f"{counts.min()} held-out {counts.argmin()}s"
        return f"train.csv has {few}; the comparison needs at least {MIN_DIGIT_ROWS} of each digit"
    return None


def _near_chance(held_out: Predictions) -> str | None:
    """Where the network in service reads next to nothing, the rows are at fault: it did serve."""
    share = correct(held_out.labels, held_out.before).mean()
    if share >= NEAR_CHANCE:
        return None
    return (
        f"the network in service reads {share:.1%} of train.csv's held-out rows: likely their "
        "labels are shuffled, or their pixels inverted or of another scale"
    )


def _inferior(predictions: Predictions, margin: float, than: str) -> str | None:
    limit = loss_limit(predictions)
    if limit < margin:
        return None
    return (
        f"against {than} it breaks {predictions.broken.sum()} and fixes "
        f"{predictions.fixed.sum()} of {len(predictions.labels):,} held-out digits: up to "
        f"{limit:.2%} may be lost, {margin:.2%} is the limit"
    )


def _digit_lost(predictions: Predictions) -> str | None:
    for digit in range(10):
        rows = predictions.labels == digit
        lost = int(predictions.broken[rows].sum()) - int(predictions.fixed[rows].sum())
        allowed = max(DIGIT_ROWS, int(DIGIT_MARGIN * rows.sum()))
        if lost > allowed:
            return f"{lost} held-out {digit}s are lost, {allowed} is the limit for one digit"
    return None


def _less_sure(predictions: Predictions) -> str | None:
    labels = predictions.labels
    before, after = nll(labels, predictions.before), nll(labels, predictions.after)
    if after - before < NLL_MARGIN:
        return None
    return (
        f"its confidence on held-out digits is less trustworthy: their log-loss rises from "
        f"{before:.4f} to {after:.4f}, {NLL_MARGIN} more is the limit"
    )


def _pulled_over(held_out: Predictions, corrections: Predictions) -> str | None:
    """Labels near a border, all to one side, move it: other digits of that class would follow."""
    pairs = zip(
        corrections.before.argmax(axis=1).tolist(), corrections.labels.tolist(), strict=True
    )
    for digit, label in sorted(set(pairs)):
        rows = held_out.of(held_out.labels == digit)
        before, after = rows.before[:, label].mean(), rows.after[:, label].mean()
        if digit != label and after > max(PULLED * before, PULLED_FROM):
            return (
                f"held-out {digit}s would be taken for {label}s more often: {after:.2%} instead of "
                f"{before:.2%} likely; the corrections from {digit} to {label} may be wrong"
            )
    return None


def _nothing_learned(corrections: Predictions) -> str | None:
    wrong = int((~correct(corrections.labels, corrections.before)).sum())
    fixed, broken = corrections.fixed.sum(), corrections.broken.sum()
    if not wrong:
        return f"all {len(corrections.labels)} corrections are classified correctly already"
    if fixed - broken >= max(1, LEARNED_SHARE * wrong):
        return None
    return (
        f"of {wrong} misclassified corrections it fixes {fixed} and breaks {broken}: "
        "their labels may be wrong, look at them again"
    )


def _nothing_in_common(corrections: Predictions, leave_one_out: np.ndarray | None) -> str | None:
    """True labels say something about digits not seen; jokes can only be learned by heart."""
    wrong = ~correct(corrections.labels, corrections.before)
    if wrong.sum() < TRIAL_FROM:
        return None
    if leave_one_out is None:
        return "the leave-one-out classifier is missing"
    hits = int((correct(corrections.labels, leave_one_out) & wrong).sum())
    if hits >= TRIAL_SHARE * wrong.sum():
        return None
    return (
        f"of {wrong.sum()} misclassified corrections, only {hits} are classified correctly by the "
        "others: their labels may be wrong, look at them again"
    )
