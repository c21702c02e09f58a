"""What a run works with: corrections as digits, both parts of train.csv, and its fingerprint."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass

import numpy as np

from digits import images, versions
from digits.feedback import PASSWORD, Correction
from digits.home import Home
from digits.learning.finetune import Progress, Rows
from digits.mnist import SIDE
from digits.rows import TRAIN, is_held_out, read_rows
from digits.versions import receipts

MAX_CORRECTIONS = 1_500  # a run, sampled beyond that: bounds time and memory


@dataclass(frozen=True)
class Material:
    """Corrections, in the order of their rows; replay and held-out rows; what was left out."""

    corrections: list[Correction]
    rows: Rows
    replay: Rows
    held_out: Rows
    warnings: list[str]

    @property
    def visits(self) -> np.ndarray:
        """Whose word each correction is, str (n,): PASSWORD, or the visit that gave it first."""
        words = [
            PASSWORD if PASSWORD in one.visits.split() else one.visit for one in self.corrections
        ]
        return np.array(words, str)


def gather(home: Home, stored: list[Correction], seed: int, progress: Progress) -> Material:
    """Return what the run works with.

    Corrections that cannot be read, or are held-out rows themselves, are left out with a warning
    that names them. Raises DataError for a `train.csv` that cannot be used.
    """
    digits, labels = read_rows(home.train)
    apart = is_held_out(digits)
    forbidden = {digit.tobytes() for digit in digits[apart]}
    chosen, found, warnings = [], [], []
    for i, correction in enumerate(sample(home, stored, seed)):
        progress("Reading corrections", 0.05 + 0.1 * i / len(stored))
        try:
            digit = images.read_digit(images.open_picture(home.folder / correction.image))
        except (images.ImageError, OSError) as error:
            warnings.append(f"{correction.name} skipped: {error}")
            continue
        if digit.tobytes() in forbidden:
            warnings.append(f"{correction.name} skipped: {TRAIN} holds it out from all training.")
            continue
        found.append(digit)
        chosen.append(correction)
    rows = (
        np.array(found, np.uint8).reshape(-1, SIDE, SIDE),
        np.array([correction.actual for correction in chosen], np.int64),
    )
    replay, held_out = ((digits[part], labels[part]) for part in (~apart, apart))
    return Material(chosen, rows, replay, held_out, warnings)


def sample(home: Home, corrections: list[Correction], seed: int) -> list[Correction]:
    """Return at most MAX_CORRECTIONS of them: those no run has seen, then others at random.

    Visits take turns, so that none keeps another's out; who has the password comes first.
    """
    if len(corrections) <= MAX_CORRECTIONS:
        return corrections
    known = receipts.seen(home)
    turns: Counter[str] = Counter()
    ranks = {}
    for i in np.random.default_rng(seed).permutation(len(corrections)).tolist():
        one = corrections[i]
        ranks[i] = one.key in known, turns[one.visit]
        turns[one.visit] += one.visit not in ("", PASSWORD)
    return [corrections[i] for i in sorted(ranks, key=ranks.__getitem__)[:MAX_CORRECTIONS]]


def fingerprint_of(home: Home, corrections: list[Correction]) -> str:
    """Return a hex digest of all that decides a run: corrections, their votes and the baseline.

    The version in service is no part of it: after a roll back, the same run would bring back
    what was rolled back.
    """
    lines = sorted(f"{one.image} {one.actual} {one.votes}" for one in corrections)
    origin = versions.baseline(home) if home.model.exists() else None
    content = origin.read_bytes() if origin else b""
    return hashlib.sha256("\n".join(lines).encode(errors="surrogateescape") + content).hexdigest()


def last_fingerprint(home: Home) -> str | None:
    """Return the fingerprint of the last run that was decided, None before the first."""
    decided = versions.runs(home)
    return decided[-1][1].fingerprint if decided else None
