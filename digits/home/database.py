"""A home in PostgreSQL, which several hosts share: the files of a home, in pieces.

    database = Database("postgresql+psycopg://digits@db.example/digits")

A file is written whole, as one piece, or grows by a piece for each line. Pieces are numbered in the
order in which they were committed, so that each host's own folder follows by asking for those that
it lacks. Everything is read from that folder; everything written goes to the database first.
"""

from __future__ import annotations

import hashlib
import logging
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import psycopg
import sqlalchemy as sa
from filelock import FileLock, Timeout
from sqlalchemy.exc import ProgrammingError, SQLAlchemyError

from digits import durable
from digits.durable import DatabaseError
from digits.home import schema
from digits.home.address import engine, parse
from digits.home.schema import pieces, state

POLL = 0.05  # s between tries to take a lock
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
# Of Linux, "" elsewhere: the folder is not synced, and fetched again after a boot or a power cut.
BOOT = BOOT_ID.read_text().strip() if BOOT_ID.exists() else ""
log = logging.getLogger("digits")
BATCH = 50  # pieces in memory at once: of pictures, a few MB


def replace(path: Path, data: bytes) -> None:
    """Make data the content of a file in one step, for all who read it until the next boot."""
    partial = path.with_name(f".{path.name}{durable.PARTIAL}")
    partial.write_bytes(data)
    partial.replace(path)


class Database:
    """The pieces of one home, and the folder of this host that follows them.

    address: as SQLAlchemy takes it. The folder is the user's cache: what is in it can be had again.
    """

    def __init__(self, address: str) -> None:
        self.address = address
        self._url = parse(address)
        self._engine = engine(self._url, pool_pre_ping=True)  # it may have been started again
        named = hashlib.sha256(str(self).encode()).hexdigest()[:16]
        caches = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        self.folder = Path(caches).resolve() / "digits" / named
        self._seen = self.folder.with_suffix(".followed")  # which database, up to which piece
        os.register_at_fork(after_in_child=partial(self._engine.dispose, close=False))
        self._ready = False
        self._run: sa.Connection | None = None  # on which this process holds the lock of all runs
        self._open: set[sa.Connection] = set()  # of the transactions of this process
        self._mine = threading.local()  # .connection: of this thread's transaction; .gone: why none
        self._why = ""  # it could not be used when it was asked last
        self._forsaken = False

    def __str__(self) -> str:
        return self._url._replace(password=None).render_as_string()

    @property
    def secrets(self) -> dict[str, str]:
        """The variables by which a process that knows this address comes by its password."""
        return {"PGPASSWORD": str(self._url.password)} if self._url.password else {}

    def follow(self) -> None:
        """Bring the folder up to what the database holds. Raises DatabaseError and OSError."""
        if self._in_transaction is None and not self._gone:
            with self._told():
                self._prepare()
                with self._engine.connect() as connection:
                    self._follow(connection, sa.select(state))

    @contextmanager
    def given_up(self, why: str) -> Iterator[None]:
        """Leave the folder as it is for this thread, to which all else is refused at once.

        why: the message of the DatabaseError that it gets.
        """
        self._mine.gone = why
        try:
            yield
        finally:
            self._mine.gone = ""

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Make all changes of this thread meanwhile one, and let nobody else change anything.

        One within another joins it. What is written is seen in the folder only afterwards. Raises
        Timeout when others change things for too long, DatabaseError when nothing was changed.
        """
        if self._in_transaction is not None:
            yield
            return
        with self._told():
            self._prepare()
            with self._engine.begin() as connection:
                self._follow(connection, sa.select(state).with_for_update())
                self._mine.connection = connection
                self._open.add(connection)
                try:
                    yield
                finally:
                    self._open.discard(connection)
                    self._mine.connection = None
        with suppress(DatabaseError):  # what was written is kept, also if no more can be read
            self.follow()

    def forsake(self) -> None:
        """Break off this process's transactions: nobody waits for them, nothing of them is kept.

        Nor for a lock that a thread held when it was interrupted: the pool's and the folder's stay
        untouched from here on, so that the folder follows no more.
        """
        for connection in list(self._open):
            if driver := connection.connection.driver_connection:
                driver.close()
        self._engine, self._forsaken = engine(self._url, poolclass=sa.NullPool), True

    def read(self, path: Path) -> bytes:
        """Return what a file that is written whole holds, b"" if it is not there."""
        here = sa.select(pieces.c.data).where(pieces.c.name == self._name(path))
        with self._told(), self._engine.connect() as connection:
            return connection.scalar(here.order_by(pieces.c.id.desc()).limit(1)) or b""

    def write(self, path: Path, data: bytes, at: float | None = None) -> None:
        """Make data the content of a file. at: when it was written, s since 1970, if not now."""
        with self._change() as connection:
            connection.execute(sa.delete(pieces).where(pieces.c.name == self._name(path)))
            self._insert(connection, path, 0, data, at)

    def append_line(self, path: Path, line: str) -> None:
        """Add a line to a text file, and close its last line if need be."""
        size = sa.func.octet_length(pieces.c.data)
        end = sa.func.substr(pieces.c.data, size, 1)
        last = sa.select(pieces.c.start + size, end).where(
            pieces.c.name == self._name(path), pieces.c.data.is_not(None)
        )
        with self._change() as connection:
            found = connection.execute(last.order_by(pieces.c.id.desc()).limit(1)).one_or_none()
            start, closes = found or (0, b"")
            torn = start > 0 and closes != b"\n"
            self._insert(connection, path, start, b"\n" * torn + line.encode() + b"\n")

    def remove(self, path: Path) -> None:
        """Remove a file, if it is there."""
        here = pieces.c.name == self._name(path)
        with self._change() as connection:
            if connection.execute(sa.delete(pieces).where(here)).rowcount:
                self._insert(connection, path, 0, None)

    @contextmanager
    def run_lock(self, wait: float) -> Iterator[None]:
        """Hold the lock of all runs; nothing is written when it was lost meanwhile.

        Raises Timeout when it is not free within `wait` s.
        """
        with self._lock(schema.RUN, wait) as connection:
            self._run = connection
            try:
                self.follow()
                yield
            finally:
                self._run = None

    @contextmanager
    def import_lock(self) -> Iterator[None]:
        """Hold the lock of all imports. Raises Timeout when it is not free."""
        with self._lock(schema.IMPORT, 0):
            yield

    def is_running(self) -> bool:
        """Return whether somebody holds the lock of all runs."""
        with self._told():
            self._prepare()
            with self._engine.begin() as connection:  # at whose end it is free again
                lock = sa.func.pg_try_advisory_xact_lock(schema.RUN, schema.HOME)
                return not connection.scalar(sa.select(lock))

    @contextmanager
    def nobody_follows(self) -> Iterator[None]:
        """Keep this host's processes from writing to the folder meanwhile."""
        with FileLock(self.folder.with_suffix(".lock")):
            yield

    @property
    def _in_transaction(self) -> sa.Connection | None:
        return getattr(self._mine, "connection", None)

    @property
    def _gone(self) -> str:
        return getattr(self._mine, "gone", "")

    @contextmanager
    def _change(self) -> Iterator[sa.Connection]:
        """Lend the connection of the transaction that this thread is in, or of one for itself."""
        with self.transaction():
            connection = self._in_transaction
            assert connection is not None
            yield connection

    @contextmanager
    def _lock(self, key: int, wait: float) -> Iterator[sa.Connection]:
        """Hold a lock of all hosts on a connection, which is lent: when that ends, it is free."""
        with self._told():
            self._prepare()
            with self._engine.connect() as connection:
                connection.execution_options(isolation_level="AUTOCOMMIT")
                give_up = time.monotonic() + wait
                taken = sa.select(sa.func.pg_try_advisory_lock(key, schema.HOME))
                while not connection.scalar(taken):
                    if time.monotonic() > give_up:
                        raise Timeout(str(self))
                    time.sleep(POLL)
                try:
                    yield connection
                finally:
                    with suppress(SQLAlchemyError):
                        connection.scalar(sa.select(sa.func.pg_advisory_unlock(key, schema.HOME)))
                    connection.invalidate()  # closed, not lent again: free in any case

    def _insert(
        self,
        connection: sa.Connection,
        path: Path,
        start: int,
        data: bytes | None,
        at: float | None = None,
    ) -> None:
        """Add a piece, with the next number."""
        if self._run is not None:  # fails when the lock was lost, and somebody else may hold it
            self._run.scalar(sa.select(1))
        next_one = sa.update(state).values(changed=state.c.changed + 1).returning(state.c.changed)
        piece = {"id": connection.scalar(next_one), "name": self._name(path), "start": start}
        written = sa.func.clock_timestamp() if at is None else sa.func.to_timestamp(at)
        connection.execute(sa.insert(pieces).values(**piece, data=data, written=written))

    def _follow(self, connection: sa.Connection, asked: sa.Select) -> None:
        """Write to the folder what it lacks. asked: how the state is asked for."""
        now = connection.execute(asked).one()
        if self._forsaken or self._followed() == (now.identity, now.changed):
            return
        with self.nobody_follows():
            now = connection.execute(asked).one()  # again: another process may be further by now
            identity, seen = self._followed()
            if identity != now.identity or seen > now.changed:
                self._clear()
                seen = 0
            lacking = sa.select(pieces).where(pieces.c.id > seen).order_by(pieces.c.id)
            lacking = lacking.execution_options(yield_per=BATCH)
            for piece in connection.execute(lacking):
                self._put(piece)
                seen = piece.id
            if not BOOT:
                os.sync()
            replace(self._seen, f"{now.identity} {seen} {BOOT}".encode())

    def _put(self, piece: sa.Row) -> None:
        """Write a piece to the folder, with the time at which it came."""
        path = self.folder / piece.name
        path.parent.mkdir(parents=True, exist_ok=True)
        if piece.data is None:
            path.unlink(missing_ok=True)
            return
        if piece.start:
            with open(path, "r+b", buffering=0) as stream:
                stream.seek(piece.start)
                stream.write(piece.data)
                stream.truncate()
        else:
            replace(path, piece.data)
        os.utime(path, (piece.written.timestamp(),) * 2)

    def _followed(self) -> tuple[str, int]:
        """Return which database the folder follows, "" for none, and up to which piece."""
        try:
            identity, seen, boot = self._seen.read_text().split(" ")
        except (FileNotFoundError, ValueError):
            return "", 0
        return (identity, int(seen)) if boot == BOOT else ("", 0)

    def _clear(self) -> None:
        """Remove what another database, or this one's future, left in the folder."""
        for path in self.folder.rglob("*"):
            if path.is_file() and not {".lock", ".log"} & set(path.suffixes):
                path.unlink()

    def _prepare(self) -> None:
        """Make the folder and, once a process, the tables or what they lack."""
        if not self._ready:
            self.folder.mkdir(parents=True, exist_ok=True)
            with self._engine.begin() as connection:
                schema.migrate(connection)
            self._ready = True

    def _name(self, path: Path) -> str:
        """Return what a file of the folder is called in the database."""
        return path.relative_to(self.folder).as_posix()

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Turn what the database says into a sentence; what names host and user goes to the log."""
        if self._gone:
            raise DatabaseError(self._gone)
        try:
            yield
            self._why = ""
        except SQLAlchemyError as error:
            reason = getattr(error, "orig", None) or error
            if isinstance(reason, psycopg.errors.LockNotAvailable):
                raise Timeout(str(self)) from error
            barred = isinstance(error, ProgrammingError)
            remedy = "its user may make and change tables" if barred else "it runs and has room"
            why = " ".join(str(reason).split())
            if why != self._why:  # a page asks every second
                log.warning("%s cannot be used: %s", self, why)
            self._why = why
            raise DatabaseError(
                f"The database cannot be used: see that {remedy}, then try again."
            ) from error
