"""A PostgreSQL server of the tests' own: Debian's, on a socket in a temporary folder."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa

from digits import durable
from digits.home import Home
from digits.home.database import Database

USER = "postgres"  # of the database; also of the system, where root runs the tests
QUICK = "-c fsync=off"  # a test does not outlast a power cut


class Server:
    """A server with its folder, which can be stopped and started."""

    def __init__(self, programs: Path, folder: Path, options: str) -> None:
        self._programs, self._folder, self._options = programs, folder, options

    def prepare(self) -> None:
        """Make the folder one of a server."""
        self._call("initdb", "--auth=trust", f"--username={USER}", "--no-sync", "-E", "UTF8")

    def start(self) -> None:
        """Start, and wait until it answers."""
        options = f"-c listen_addresses= -k {self._folder} {self._options}"
        self._call("pg_ctl", "-w", "-t", "120", "-o", options, "-l", f"{self._folder}/log", "start")

    def stop(self, mode: str = "immediate") -> None:
        """Stop, as `kill -9` does unless another mode is given."""
        self._call("pg_ctl", "-w", "-t", "120", "-m", mode, "stop")

    @contextmanager
    def new_database(self) -> Iterator[str]:
        """Lend the address of a database, as DIGITS_HOME takes it; it is empty.

        A schema of its own does, and is made in an instant.
        """
        name = f"digits_{uuid.uuid4().hex}"
        self.execute(f"CREATE SCHEMA {name}")
        yield f"{self._address}&options=-csearch_path%3D{name}"
        self.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() "
            "AND backend_type = 'client backend'"
        )
        self.execute(f"DROP SCHEMA {name} CASCADE")

    def execute(self, statement: str) -> None:
        """Execute a statement."""
        engine = sa.create_engine(self._address, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(sa.text(statement))
        engine.dispose()

    @property
    def _address(self) -> str:
        return f"postgresql+psycopg://{USER}@/{USER}?host={self._folder}"

    def _call(self, program: str, *options: str) -> None:
        """Run one of PostgreSQL's programs, which refuse to be root's."""
        command = [str(self._programs / program), "-D", str(self._folder), *options]
        if os.getuid() == 0:
            command = ["runuser", "-u", USER, "--", *command]
        silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
        done = subprocess.run(command, cwd="/", check=False, **silent)
        assert done.returncode == 0, done.stderr.decode()


def another_host(home: Home, folder: Path) -> Home:
    """Return a home in a database as another host has it, whose caches lie in the folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder))
        database = Database(home.database.address)
    durable.keepers[database.folder] = database
    return Home(database.folder, database)


def lent(stack: ExitStack, n: int, options: str = QUICK) -> list[str]:
    """Return the addresses of n empty databases, which are there until the stack is closed."""
    server = stack.enter_context(serve(options))
    return [stack.enter_context(server.new_database()) for _ in range(n)]


@contextmanager
def serve(options: str = QUICK) -> Iterator[Server]:
    """Lend a server, started with further options. Skips where there is none, but not in CI."""
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    found = str(programs[-1]) if programs else shutil.which("initdb")
    if found is None:
        assert not os.environ.get("CI"), "CI without PostgreSQL"
        pytest.skip("needs PostgreSQL: apt-get install postgresql")
    folder = Path(tempfile.mkdtemp(prefix="digits-postgres-"))
    if os.getuid() == 0:
        os.chown(folder, pwd.getpwnam(USER).pw_uid, -1)
    server = Server(Path(found).resolve().parent, folder, options)
    try:
        server.prepare()
        server.start()
        yield server
        server.stop()
    finally:
        shutil.rmtree(folder)
