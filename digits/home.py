"""The home: the one place of all that is written, and where in it each thing lies.

home = Home.at("/srv/digits")
home.model      # /srv/digits/model.h5
"""

from __future__ import annotations

import os
import threading
from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from filelock import FileLock, Timeout

from digits import durable
from digits.rows import TRAIN

PROJECT = Path(__file__).resolve().parents[1]  # the home, unless another is named
MODEL, TABLE, IMAGES = "model.h5", "incorrect_predictions.csv", "incorrect_images"
LOG = "finetuning.log"
STORE_WAIT = 30  # s; an append takes milliseconds, so whoever waits longer meets a hung disk
STORE_POLL = 0.005  # s between tries: eight writers at once wait for one another, not for this
RUN_WAIT = 1  # s: whoever asks whether a run is alive holds its lock for an instant

T = TypeVar("T")


class Home:
    """A folder, the paths of what lies in it, its two locks, and a memory of what was read.

    `Home.at` gives the same object for the same folder, so that what was read stays known.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.model = folder / MODEL  # the network in service
        self.train = folder / TRAIN  # labelled rows: some are replayed, the others held out
        self.table = folder / TABLE  # a row for each correction
        self.images = folder / IMAGES  # their pictures
        self.verdicts = folder / "judgements.csv"  # what visitors said of each guess
        self.log = folder / LOG
        self.tries = folder / "password.json"  # the wrong passwords given of late
        self.exports = folder / "exports"  # the last zip of all corrections
        self.sandbox = folder / "sandbox"  # where this file is, guards may be switched off
        self.versions = folder / "versions"  # the networks that served
        self.history = self.versions / "history.jsonl"  # what served, and each decision
        self.announced = self.versions / "announced.json"  # a record that may not be in it yet
        self.receipts = self.versions / "receipts"
        self.status = self.versions / "status.json"
        self.started = self.versions / "started"  # when a button started a run last
        self.schedule = self.versions / "schedule.json"
        self._run_lock = self.versions / "finetuning.lock"
        self._memory: dict[str, tuple[list, Any]] = {}
        self._reading: dict[str, threading.Lock] = defaultdict(threading.Lock)

    @staticmethod
    def at(place: Home | str | os.PathLike[str]) -> Home:
        """Return the home in a folder; `~` stands for the user's own."""
        return place if isinstance(place, Home) else _home_in(Path(place).expanduser().resolve())

    @staticmethod
    def default() -> Home:
        """Return the home that DIGITS_HOME names, or else the project's own folder."""
        return Home.at(os.environ.get("DIGITS_HOME") or PROJECT)

    def __str__(self) -> str:
        return str(self.folder)

    @property
    def is_empty(self) -> bool:
        """Whether nothing of a home is in the folder yet, which may be missing.

        A schedule may be there: it is installed before the first visit or run.
        """
        kept = self.model, self.train, self.table, self.history
        return self.folder != PROJECT and not any(path.exists() for path in kept)

    def fill(self) -> str:
        """Give an empty home the network and the rows shipped; return a sentence on it, else "".

        A volume that is mounted over the home hides those that lay there. Raises OSError, which
        names the folder, when that cannot be made or written.
        """
        if not self.is_empty:
            return ""
        self.folder.mkdir(parents=True, exist_ok=True)
        for name in (TRAIN, MODEL):  # the network last: who finds it finds the rows as well
            durable.write(self.folder / name, (PROJECT / name).read_bytes())
        return f"{self} was empty: {MODEL} and {TRAIN} were copied there from {PROJECT}."

    def store_lock(self) -> FileLock:
        """Return the lock that whoever writes corrections or verdicts holds meanwhile."""
        return FileLock(f"{self.table}.lock", timeout=STORE_WAIT, poll_interval=STORE_POLL)

    def import_lock(self) -> FileLock:
        """Return the lock of whoever imports corrections: one at a time, the next is refused."""
        return FileLock(f"{self.table}.import.lock", timeout=0)

    def run_lock(self) -> FileLock:
        """Return the lock of whoever fine-tunes or rolls back; the kernel frees a dead one's."""
        self.versions.mkdir(exist_ok=True)
        return FileLock(self._run_lock, timeout=RUN_WAIT)

    def is_running(self) -> bool:
        """Return whether a run is alive: it holds its lock.

        A process id would not tell: ids come again after a reboot and in other containers. Raises
        OSError when the lock may not be opened.
        """
        if not self._run_lock.exists():
            return False
        try:
            with FileLock(self._run_lock, blocking=False):
                return False
        except Timeout:
            return True

    def read_once(self, name: str, paths: Sequence[Path], read: Callable[[], T]) -> T:
        """Return what `read` returns, from memory as long as none of the paths has changed.

        name: of what is read. The result is shared by all who ask: nobody may change it.
        """
        with self._reading[name]:  # of many visitors one reads, the others wait for it
            now = [_identity(path) for path in paths]  # first: what changes meanwhile is read again
            known = self._memory.get(name)
            if known is None or known[0] != now:
                known = self._memory[name] = (now, read())
            return known[1]


@lru_cache(maxsize=64)
def _home_in(folder: Path) -> Home:
    """Return the one home in a folder."""
    return Home(folder)


def _identity(path: Path) -> tuple[int, int, int] | None:
    """Return what changes when a file or the names in a folder do, None when it is not there."""
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_mtime_ns, stat.st_size, stat.st_ino
