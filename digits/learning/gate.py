"""The gate that a candidate must pass: answers in, a decision with its reason out."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from digits.metrics import Answers, nll, right

MIN_HELD_OUT = 1_000  # rows; with fewer, not even a candidate that errs nowhere new could pass
MARGIN = 0.002  # share of held-out rows: at 3,000 rows, 2 broken more than fixed may pass
MARGIN_FIRST = 0.003  # the same against the first network: all runs together
DIGIT_MARGIN = 0.01  # net loss on the rows of one digit ...
DIGIT_ROWS = 3  # ... or this many rows, whichever is more: one digit has about 300 rows
NLL_MARGIN = 0.01  # nats a row: a candidate may be right as often, but not much less sure
LEARNED_SHARE = 0.5  # of the corrections read wrongly; true ones nearly all, jokes a quarter
TRIAL_FROM = 20  # wrong corrections; from then on they must also teach something about each other
TRIAL_SHARE = 0.05  # of them read rightly unseen: true labels of any kind reach 13 % and more
FILE_TOLERANCE = 1e-4  # of a probability: what another order of summing may change
ONE_SIDED_95 = 1.645  # quantile of the normal distribution


@dataclass(frozen=True)
class Decision:
    """Whether the candidate may replace `model.h5`, and the reason in one sentence."""

    allowed: bool
    reason: str


def loss_limit(answers: Answers) -> float:
    """Return the upper one-sided 95 % limit of the accuracy lost, as a share of the rows.

    The rows are paired, so only those that flipped carry weight; half a row is added to each
    cell, so that no flips at all do not mean no doubt (Agresti & Min 2005,
    https://doi.org/10.1002/sim.1781).
    """
    broken, fixed = answers.broken.sum() + 0.5, answers.fixed.sum() + 0.5
    n = len(answers.labels) + 2
    spread = np.sqrt(broken + fixed - (broken - fixed) ** 2 / n) / n
    return float((broken - fixed) / n + ONE_SIDED_95 * spread)


def decide(
    held_out: Answers,
    first: np.ndarray | None,
    corrections: Answers,
    unseen: np.ndarray | None = None,
) -> Decision:
    """Return whether the candidate may be published: no worse on old digits, better on new.

    held_out: answers to rows that neither network was trained on. first: the first network's
    answers to the same rows, float32 (n, 10), or None when it was lost.
    corrections: answers to the corrections that were learned. unseen: what a trial says of each
    that was fitted to all others, float (n, 10); needed if many were wrong.
    """
    refusal = (
        _too_little_to_compare(held_out, first)
        or _inferior(held_out, MARGIN, "the current network")
        or _digit_lost(held_out)
        or _less_sure(held_out)
        or _inferior(replace(held_out, before=first), MARGIN_FIRST, "the first network")
        or _nothing_learned(corrections)
        or _nothing_in_common(corrections, unseen)
    )
    if refusal:
        return Decision(False, refusal)
    return Decision(
        True,
        f"on {len(held_out.labels):,} held-out digits it fixed {held_out.fixed.sum()} and broke "
        f"{held_out.broken.sum()}, and {corrections.fixed.sum()} of "
        f"{len(corrections.labels)} corrections became right",
    )


def answers_alike(expected: np.ndarray, answers: np.ndarray | None) -> Decision | None:
    """Return a refusal unless a file answers, loaded afresh, as its network did in training.

    expected, answers: float32 (n, 10) to the same rows; None when the file could not be loaded.
    """
    if answers is not None and np.allclose(answers, expected, atol=FILE_TOLERANCE):
        return None
    return Decision(False, "its file, loaded afresh, does not answer as it did in training")


def _too_little_to_compare(held_out: Answers, first: np.ndarray | None) -> str | None:
    """Without something to compare with, nothing is published blindly."""
    if len(held_out.labels) < MIN_HELD_OUT:
        return (
            f"train.csv has {len(held_out.labels)} held-out rows; the comparison needs at least "
            f"{MIN_HELD_OUT:,}"
        )
    if first is None:
        return "the first network is missing from versions/, so small losses could add up unseen"
    return None


def _inferior(answers: Answers, margin: float, than: str) -> str | None:
    limit = loss_limit(answers)
    if limit < margin:
        return None
    return (
        f"against {than} it breaks {answers.broken.sum()} and fixes {answers.fixed.sum()} of "
        f"{len(answers.labels):,} held-out digits: up to {limit:.2%} may be lost, {margin:.2%} "
        "is the limit"
    )


def _digit_lost(answers: Answers) -> str | None:
    for digit in range(10):
        rows = answers.labels == digit
        lost = int(answers.broken[rows].sum()) - int(answers.fixed[rows].sum())
        allowed = max(DIGIT_ROWS, int(DIGIT_MARGIN * rows.sum()))
        if lost > allowed:
            return f"{lost} held-out {digit}s are lost, {allowed} is the limit for one digit"
    return None


def _less_sure(answers: Answers) -> str | None:
    before, after = nll(answers.labels, answers.before), nll(answers.labels, answers.after)
    if after - before < NLL_MARGIN:
        return None
    return (
        f"its answers to held-out digits are less trustworthy: their log-loss rises from "
        f"{before:.4f} to {after:.4f}, {NLL_MARGIN} more is the limit"
    )


def _nothing_learned(corrections: Answers) -> str | None:
    wrong = int((~right(corrections.labels, corrections.before)).sum())
    fixed, broken = corrections.fixed.sum(), corrections.broken.sum()
    if not wrong:
        return f"all {len(corrections.labels)} corrections are read rightly already"
    if fixed - broken >= max(1, LEARNED_SHARE * wrong):
        return None
    return (
        f"of {wrong} corrections that are read wrongly it fixes {fixed} and breaks {broken}: "
        "their labels may be wrong, look at them again"
    )


def _nothing_in_common(corrections: Answers, unseen: np.ndarray | None) -> str | None:
    """True labels say something about digits not seen; jokes can only be learned by heart."""
    wrong = ~right(corrections.labels, corrections.before)
    if wrong.sum() < TRIAL_FROM:
        return None
    if unseen is None:
        return "the trial that withholds corrections is missing"
    hits = int((right(corrections.labels, unseen) & wrong).sum())
    if hits >= TRIAL_SHARE * wrong.sum():
        return None
    return (
        f"of {wrong.sum()} corrections, a trial reads only {hits} rightly from the others: their "
        "labels may be wrong, look at them again"
    )
