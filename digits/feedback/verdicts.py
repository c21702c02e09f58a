"""The log of judged guesses, `judgements.csv`: how often the page was right, by those who looked.

A guess gets a line when it is shown and another each time somebody judges it. The last line of a
guess counts, so a judgement can be changed, given twice, or taken back (`SHOWN` again).
"""

from __future__ import annotations

import os
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from digits import durable
from digits.feedback import csv_tables
from digits.feedback.corrections import StoreError
from digits.feedback.store import locked
from digits.home import Home

FULL = "judgements.old.csv"  # the log before, when it had grown to MAX_BYTES
COLUMNS = ["Guess_Id", "When", "Guess", "Confidence", "Model_Version", "Verdict"]
SHOWN, RIGHT, WRONG, NO_DIGIT = VERDICTS = ("shown", "right", "wrong", "no digit")
WINDOW = 2**20  # bytes read from the end: some 5,000 judged guesses, however long the log is
MAX_BYTES = 100 * 2**20  # of one log, a million lines: nobody can fill the disk with guesses


@dataclass(frozen=True)
class Shown:
    """A guess that somebody sees: its id, the digit, its probability, the version that guessed."""

    id: str
    guess: int
    confidence: float
    version: str


@dataclass(frozen=True)
class Tally:
    """How many guesses were shown, and what people said of those that they judged."""

    shown: int
    right: int
    wrong: int
    no_digit: int

    @property
    def judged(self) -> int:
        """How many of the guesses shown were judged."""
        return self.right + self.wrong + self.no_digit


def shown(home: Home, guess: int, confidence: float, version: str) -> Shown:
    """Log that a guess is shown; return what `judge` needs. Raises StoreError."""
    one = Shown(uuid.uuid4().hex, guess, confidence, version)
    judge(home, one, SHOWN)
    return one


def judge(home: Home, one: Shown, verdict: str) -> None:
    """Log what somebody says of a guess: one of VERDICTS. Raises StoreError.

    A guess is `RIGHT`, `WRONG`, or of a picture with `NO_DIGIT`; `SHOWN` takes that back.
    """
    if verdict not in VERDICTS:
        raise ValueError(f"The verdict is {verdict!r}; one of {', '.join(VERDICTS)} is expected.")
    path = home.verdicts
    when = datetime.now(UTC).isoformat(timespec="seconds")
    version = csv_tables.harmless(one.version)
    cells = [one.id, when, str(one.guess), f"{one.confidence:.4f}", version, verdict]
    with locked(home):
        full = path.exists() and path.stat().st_size > MAX_BYTES
        if full:
            durable.rename(path, path.with_name(FULL))
        if full or not path.exists():
            durable.append_line(path, csv_tables.line(COLUMNS))
        durable.append_line(path, csv_tables.line(cells))


def live_accuracy(home: Home) -> Tally:
    """Return the tally of the latest guesses, those in the log's last WINDOW bytes.

    Lines that are damaged do not count.
    """
    return home.read_once("verdicts", [home.verdicts], lambda: _tally(_last_lines(home.verdicts)))


def _tally(lines: list[str]) -> Tally:
    """Return the tally of the guesses in lines of the log."""
    latest = {}
    for line in lines:
        cells = line.split(",")
        if len(cells) == len(COLUMNS) and cells[-1] in VERDICTS:
            latest[cells[0]] = cells[-1]
    verdicts = list(latest.values())
    return Tally(len(verdicts), *(verdicts.count(verdict) for verdict in VERDICTS[1:]))


def _last_lines(path: Path) -> list[str]:
    """Return the whole lines in the file's last WINDOW bytes, none when it is missing."""
    try:
        with open(path, "rb") as stream:
            start = max(stream.seek(0, os.SEEK_END) - WINDOW, 0)
            stream.seek(start)
            lines = stream.read().decode(errors="replace").splitlines()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise StoreError(f"{path} cannot be read ({error}): repair or move it.") from error
    return lines[1:] if start else lines
