"""What the run in progress is doing, or how the last one ended: a small file that all can read."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from digits import records
from digits.home import Home
from digits.versions import now

RUNNING = "running"
INTERVAL = 0.3  # s between writes: smooth for the eye, nothing for the disk


@dataclass(frozen=True)
class Status:
    """What a run wrote last.

    state: RUNNING, a word for how it ended, or "" before the first run. trigger: who asked for it.
    pid: of its process, for who looks for it; whether that is alive, the lock alone tells. since,
    at: when it began and when it wrote this, ISO, UTC. phase: what it does. share: how much of it
    is done, 0 to 1. seconds_left: an estimate. curve: before training and after each epoch, the
    accuracy on the corrections and on held-out digits, 0 to 1. message, code, seconds: of a run
    that ended, its sentence, exit code and duration.
    """

    state: str = ""
    trigger: str = ""
    pid: int = 0
    since: str = ""
    at: str = ""
    phase: str = "Starting"
    share: float = 0.0
    seconds_left: int | None = None
    curve: Sequence[Sequence[float]] = ()
    message: str = ""
    code: int | None = None
    seconds: float | None = None

    def __post_init__(self) -> None:
        """Raise TypeError for figures that no run writes; `read` takes such a file for none."""
        if not 0 <= self.share <= 1 or any(
            len(point) != 2 or sum(point) > 2 for point in self.curve
        ):
            raise TypeError("no share of a run, or no point of its curve")

    @property
    def in_words(self) -> str:
        """The phase and the time left, as far as it is known."""
        left = "" if self.seconds_left is None else f", about {self.seconds_left} s left"
        return f"{self.phase}{left}"


class Reporter:
    """Writes the status of one run; each write is whole for whoever reads it meanwhile."""

    def __init__(self, home: Home, trigger: str) -> None:
        self._home = home
        self._status = Status(RUNNING, trigger, os.getpid(), now())
        self._started = time.monotonic()
        self._written = 0.0

    def progress(self, phase: str, share: float, point: Sequence[float] | None = None, /) -> None:
        """Say which phase runs, which share of the whole run is done, the curve's next point."""
        passed = time.monotonic() - self._started
        if passed - self._written < INTERVAL and self._status.phase == phase and not point:
            return
        self._written = passed
        left = round(passed / share - passed) if share > 0.05 else None
        curve = [*self._status.curve, *([point] if point else [])]
        self._write(phase=phase, share=round(share, 3), seconds_left=left, curve=curve)

    def finish(self, state: str, message: str, code: int) -> None:
        """Say how the run ended: its decision, one sentence, its exit code."""
        seconds = round(time.monotonic() - self._started, 1)
        self._write(state=state, message=message, code=code, share=1.0, seconds=seconds)

    def _write(self, **news: Any) -> None:
        self._status = replace(self._status, at=now(), **news)
        records.write(self._home.status, self._status)


def read(home: Home) -> Status:
    """Return what the last run wrote, an empty status when none ever did."""
    return home.read_once("status", [home.status], lambda: records.read(home.status, Status))


def whose(home: Home) -> str:
    """Return who asked for the run at work and since when it runs, "" when it has not said yet."""
    status = read(home)
    if status.state != RUNNING or not home.is_running():
        return ""
    return f", asked by {status.trigger}, since {status.since}"


def text(home: Home) -> str:
    """Return for people what runs, or how the last run ended."""
    status = read(home)
    if not status.state:
        return "No run yet."
    if status.state == RUNNING and home.is_running():
        left = "" if status.seconds_left is None else f", about {status.seconds_left} s left"
        done = f"{status.phase}, {status.share:.0%} done{left}"
        return f"Running since {status.since}, asked by {status.trigger}: {done}."
    if status.state == RUNNING:
        return f"The run of {status.since} was cut short."
    return f"Nothing runs. The last run, {status.at}, {status.state}: {status.message}"
