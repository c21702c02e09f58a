"""Receipts: what one run did to every correction and to the held-out digits that flipped."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

from digits import durable, metrics, records
from digits.feedback import Correction, csv_tables
from digits.home import Home
from digits.mnist import SIDE
from digits.versions import PUBLISHED, VersionError, kept, runs
from digits.versions.networks import KEPT

LAST = "last"  # the run whose receipt is shown unless a version is named
RIGHT, WRONG, HELD_BACK = "now right", "still wrong", "held back"


@dataclass(frozen=True)
class Line:
    """What became of a correction: both guesses, and the probability each gave to its label.

    outcome: RIGHT, WRONG or HELD_BACK, then with its reason.
    """

    image: str
    actual: int
    outcome: str
    guess_before: int
    p_before: float
    guess_after: int
    p_after: float
    reason: str = ""

    @property
    def key(self) -> tuple[str, int]:
        """The correction's own key."""
        return self.image, self.actual


@dataclass(frozen=True)
class Flip:
    """A held-out digit that was fixed or broken. pixels: 784 levels, 0 paper, 255 ink."""

    actual: int
    fixed: bool
    guess_before: int
    p_before: float
    guess_after: int
    p_after: float
    pixels: Sequence[int]

    @property
    def digit(self) -> np.ndarray:
        """The digit, uint8 (28, 28)."""
        return np.array(self.pixels, np.uint8).reshape(SIDE, SIDE)


@dataclass(frozen=True)
class Receipt:
    """All that one run did; corrections stand as they were stored, flips as in train.csv."""

    corrections: Sequence[Line] = ()
    flipped: Sequence[Flip] = ()

    @property
    def lines(self) -> dict[tuple[str, int], Line]:
        """The lines by their corrections' keys."""
        return {line.key: line for line in self.corrections}


def write(
    home: Home,
    number: int,
    corrections: Sequence[Correction],
    learned: metrics.Predictions,
    held_out: metrics.Predictions,
    digits: np.ndarray,
    doubts: Sequence[str | None],
) -> str:
    """Write the receipt of run `number`; return its name.

    corrections: in the order of the predictions `learned`. digits: uint8 (n, 28, 28), the held-out
    ones, in the order of theirs. doubts: for each correction why it was held back, or None.
    """
    after = metrics.correct(learned.labels, learned.after)
    lines = [
        Line(
            correction.image,
            correction.actual,
            HELD_BACK if doubts[i] else RIGHT if after[i] else WRONG,
            *_guesses(learned, i),
            reason=doubts[i] or "",
        )
        for i, correction in enumerate(corrections)
    ]
    flips = [
        Flip(
            int(held_out.labels[i]),
            bool(held_out.fixed[i]),
            *_guesses(held_out, i),
            digits[i].reshape(-1).tolist(),
        )
        for i in np.flatnonzero(held_out.fixed | held_out.broken).tolist()
    ]
    home.receipts.mkdir(parents=True, exist_ok=True)
    name = f"run-{number:05d}.json"
    durable.write(home.receipts / name, json.dumps(asdict(Receipt(lines, flips))).encode())
    _thin(home)
    return name


def read(home: Home, name: str) -> Receipt | None:
    """Return a receipt by its name, None when it is lost or damaged; parsed once for its file."""
    return home.read_once("receipt", [home.receipts / name], lambda: _parse(home, name))


def last(home: Home) -> Receipt | None:
    """Return the receipt of the last run that was decided, or None: none was, or it was lost."""
    decided = runs(home)
    return read(home, decided[-1][1].receipt) if decided else None


def seen(home: Home) -> set[tuple[str, int]]:
    """Return the keys (image, label) of the corrections that the last run worked with."""
    receipt = last(home)
    return set(receipt.lines) if receipt else set()


def text(home: Home, version: str | None = LAST) -> str:
    """Return a run's receipt for people: the LAST run's, or that of the run that made `version`.

    Raises VersionError when there is none.
    """
    decided, last_one = runs(home), version == LAST
    if not last_one:
        made = [pair for pair in decided if pair[0].decision == PUBLISHED]
        decided = [pair for pair in made if version in (pair[0].version, pair[0].short)]
    if not decided:
        raise VersionError("No run yet." if last_one else f"No run made {version}.")
    record, run = decided[-1]
    receipt = read(home, run.receipt)
    if receipt is None:
        raise VersionError(
            f"The receipt {run.receipt} is gone: those of the last {KEPT} runs are kept."
        )
    lines = [f"{record.when}  {record.decision}: {run.reason}", "", "corrections"]
    lines += [_in_words(one, one.outcome, one.image, one.reason) for one in receipt.corrections]
    lines += ["", "held-out digits that flipped"]
    lines += [_in_words(flip, "fixed" if flip.fixed else "broken") for flip in receipt.flipped]
    return csv_tables.readable("\n".join(lines))


def _thin(home: Home) -> None:
    """Remove the receipts of runs before the last KEPT, but none of a version that is kept."""
    names = kept(home)
    published = [pair for pair in runs(home) if pair[0].decision == PUBLISHED]
    spared = {run.receipt for record, run in published if record.version in names}
    for path in sorted(home.receipts.glob("run-*.json"))[:-KEPT]:
        if path.name not in spared:
            durable.remove(path)


def _guesses(predictions: metrics.Predictions, i: int) -> tuple[int, float, int, float]:
    """Return row i's guess and the probability of its label, before and after."""
    label = predictions.labels[i]
    before, after = (
        (int(one[i].argmax()), round(float(one[i][label]), 4))
        for one in (predictions.before, predictions.after)
    )
    return *before, *after


def _parse(home: Home, name: str) -> Receipt | None:
    """Return the receipt in a file, None when there is none."""
    try:
        told = records.parse((home.receipts / name).read_text(encoding="utf-8"))
        lines = [records.of(Line, line) for line in told["corrections"]]
        return Receipt(lines, [records.of(Flip, flip) for flip in told["flipped"]])
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _in_words(one: Line | Flip, outcome: str, name: str = "", reason: str = "") -> str:
    """Return one digit of a receipt: outcome, guesses, the probability of its label, reason."""
    guesses = (
        f"is {one.actual}, read {one.guess_before} ({one.p_before:.0%} for {one.actual}) before, "
        f"{one.guess_after} ({one.p_after:.0%}) after"
    )
    because = f": {reason}" if reason else ""
    return f"  {outcome:11}  {guesses}  {name}{because}".rstrip()
