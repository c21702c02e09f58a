"""The home: the one place of all that is written, and where in it each thing lies.

home = Home.at("/srv/digits")
home.model      # /srv/digits/model.h5

It is a folder, or a database that several hosts share: then this host has a folder that follows it,
in which all is read, and `durable` writes to the database what is to lie there.
"""

from __future__ import annotations

import os
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from filelock import FileLock, Timeout

from digits import durable
from digits.durable import DatabaseError
from digits.rows import TRAIN

if TYPE_CHECKING:
    from digits.home.database import Database

PROJECT = Path(__file__).resolve().parents[2]  # the home, unless another is named
MODEL, TABLE, IMAGES = "model.h5", "incorrect_predictions.csv", "incorrect_images"
LOG = "finetuning.log"
STORE_WAIT = 30  # s; an append takes milliseconds, so whoever waits longer meets a hung disk
STORE_POLL = 0.005  # s between tries: eight writers at once wait for one another, not for this
RUN_WAIT = 1  # s: whoever asks whether a run is alive holds its lock for an instant

UNAVAILABLE = "A home in a database needs more: pip install -r requirements-postgres.txt."

T = TypeVar("T")
Lock = AbstractContextManager


class Home:
    """A folder, the paths of what lies in it, its two locks, and a memory of what was read.

    `Home.at` gives the same object for the same folder, so that what was read stays known.
    database: what the folder follows, if anything.
    """

    def __init__(self, folder: Path, database: Database | None = None) -> None:
        self.folder = folder
        self.database = database
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
        """Return the home in a folder, `~` being the user's own, or at a database's address.

        Raises DatabaseError for an address that is none.
        """
        if isinstance(place, Home):
            return place
        if "://" in str(place):
            return _home_at(str(place))
        return _home_in(Path(place).expanduser().resolve())

    @staticmethod
    def default() -> Home:
        """Return the home that DIGITS_HOME names, or else the project's own folder."""
        return Home.at(os.environ.get("DIGITS_HOME") or PROJECT)

    def __str__(self) -> str:
        """Return the folder, or the address without its password."""
        return str(self.database or self.folder)

    def __reduce__(self) -> tuple:
        return Home.at, (self.database.address if self.database else self.folder,)

    @property
    def secrets(self) -> dict[str, str]:
        """The variables that a process needs to use this home by its name."""
        return self.database.secrets if self.database else {}

    def follow(self) -> None:
        """Make the folder what the database holds by now. Raises DatabaseError."""
        if self.database:
            self.database.follow()

    @contextmanager
    def at_hand(self) -> Iterator[str]:
        """Have this thread read what was fetched last where the database is gone; lend why, or "".

        It is asked once, however often it would have been: a host that is silent costs 5 s.
        """
        try:
            self.follow()
        except DatabaseError as error:
            assert self.database
            with self.database.given_up(str(error)):
                yield str(error)
        else:
            yield ""

    @property
    def is_empty(self) -> bool:
        """Whether nothing of a home is there yet; the folder may be missing.

        A schedule may be there: it is installed before the first visit or run.
        """
        self.follow()
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
        with self.together():
            if not self.is_empty:  # another host was faster
                return ""
            for name in (TRAIN, MODEL):  # the network last: who finds it finds the rows as well
                durable.write(self.folder / name, (PROJECT / name).read_bytes())
        return f"{self} was empty: {MODEL} and {TRAIN} were copied there from {PROJECT}."

    def together(self) -> Lock:
        """Return what makes one change of all that is written meanwhile, where that can be."""
        return self.database.transaction() if self.database else nullcontext()

    def forsake(self) -> None:
        """Break off changes that are to be made together: this process ends before they are."""
        if self.database:
            self.database.forsake()

    def network(self) -> bytes:
        """Return model.h5 as it is kept, b"" if there is none; a folder may follow later."""
        if self.database:
            return self.database.read(self.model)
        return self.model.read_bytes() if self.model.exists() else b""

    def lock(self, path: Path) -> Lock:
        """Return the lock that whoever reads a file and then writes it holds meanwhile."""
        return self.together() if self.database else FileLock(f"{path}.lock")

    def store_lock(self) -> Lock:
        """Return the lock that whoever writes corrections or verdicts holds meanwhile."""
        if self.database:
            return self.together()
        return FileLock(f"{self.table}.lock", timeout=STORE_WAIT, poll_interval=STORE_POLL)

    def import_lock(self) -> Lock:
        """Return the lock of whoever imports corrections: one at a time, the next is refused."""
        if self.database:
            return self.database.import_lock()
        return FileLock(f"{self.table}.import.lock", timeout=0)

    def run_lock(self) -> Lock:
        """Return the lock of whoever fine-tunes or rolls back; a dead one's is free at once."""
        self.versions.mkdir(parents=bool(self.database), exist_ok=True)
        if self.database:
            return self.database.run_lock(RUN_WAIT)
        return FileLock(self._run_lock, timeout=RUN_WAIT)

    def is_running(self) -> bool:
        """Return whether a run is alive: it holds its lock.

        A process id would not tell: ids come again after a reboot and in other containers. Raises
        OSError when the lock may not be opened.
        """
        if self.database:
            return self.database.is_running()
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
        self.follow()
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


@lru_cache(maxsize=64)
def _home_at(address: str) -> Home:
    """Return the one home at a database's address."""
    try:
        from digits.home.database import Database  # what it imports need not be there
    except ImportError as error:
        raise DatabaseError(UNAVAILABLE) from error
    database = Database(address)
    known = durable.keepers.setdefault(database.folder, database)
    assert isinstance(known, Database)  # of this address in another spelling, if not this one
    database = known
    return Home(database.folder, database)


def _identity(path: Path) -> tuple[int, int, int] | None:
    """Return what changes when a file or the names in a folder do, None when it is not there."""
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_mtime_ns, stat.st_size, stat.st_ino
