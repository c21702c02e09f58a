"""The crontab entry that fine-tunes at night: install, remove, show; when it runs and when it ran.

The table is read and written as text through `crontab`, so that every other line stays to the
byte: a library that was tried rewrites them (`0 0 * * *` becomes `@daily`, runs of spaces become
one). One home has one entry; its marker tells it from others.
"""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import subprocess
import sys
import tempfile
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from croniter import CroniterBadDateError, croniter
from filelock import FileLock

from digits import records
from digits.home import Home
from digits.jobs.launch import SCRIPT
from digits.versions import now

TRIGGER = "cron"  # who asks, in the history: the entry's runs
FIELDS = ("minute", "hour", "day of the month", "month", "day of the week")
HIGHEST = (59, 23, 31, 12, 7)
# What cron takes in a field: numbers, names, ranges with a step; croniter knows further signs.
PART = re.compile(r"(\*|\d+-\d+|[a-z]{3}-[a-z]{3})(/([1-9]\d*))?|\d+|[a-z]{3}", re.IGNORECASE)
NAMED = ("@hourly", "@daily", "@midnight", "@weekly", "@monthly", "@yearly", "@annually")
NO_ENTRY = "The crontab has no entry for this folder."
GRACE = timedelta(hours=1)  # a run is overdue that did not end by then: it takes minutes


class ScheduleError(RuntimeError):
    """No such schedule, or a machine without cron; the message says what to do instead."""


@dataclass(frozen=True)
class Entry:
    """One line of the crontab: when, as five fields or a name such as `@daily`, and what."""

    expression: str
    command: str

    def next_run(self) -> datetime:
        """Return when it runs next, in this machine's time."""
        return croniter(self.expression, _now()).get_next(datetime)

    def last_due(self) -> datetime:
        """Return when it last was to run, and should have ended by now.

        When clocks change, an hour comes twice or not at all: cron runs at the earlier one, or soon
        after the gap.
        """
        until = (_now() - GRACE).astimezone().replace(tzinfo=None)
        due = croniter(self.expression, until).get_prev(datetime)
        return min(due.replace(fold=fold).astimezone() for fold in (0, 1))


@dataclass(frozen=True)
class Remembered:
    """When the entry was installed; when its last run ended, with which code and sentence.

    Times are ISO, UTC, and "" where there was none.
    """

    installed: str = ""
    when: str = ""
    code: int = 0
    message: str = ""


def install(home: Home, expression: str, ping: str | None = None) -> Entry:
    """Put the home's entry into this user's crontab, in place of an earlier one; return it.

    expression: five fields, or one of NAMED. ping: the URL that its runs call, if any.
    Raises ScheduleError for an expression that cron would not run, without cron, or for an address
    with a password.
    """
    expression = " ".join(expression.split())
    check(expression)
    if home.secrets:
        raise ScheduleError(
            "A crontab's entry shows the address of the home to all who see this machine's "
            "processes: take the password out of it, put it into ~/.pgpass, and try again."
        )
    entry = Entry(expression, command(home, ping))
    line = _render(entry, home)
    with _table_lock():
        lines = _read()
        place = next((i for i, one in enumerate(lines) if _is_ours(one, home)), len(lines))
        others = [one for one in lines if not _is_ours(one, home)]
        records.write(home.schedule, replace(remembered(home), installed=now()))
        _write([*others[:place], line, *others[place:]])
    return entry


def remove(home: Home) -> str:
    """Take the home's entry out of the crontab; return a sentence on whether there was one."""
    with _table_lock():
        lines = _read()
        others = [line for line in lines if not _is_ours(line, home)]
        if len(others) < len(lines):
            _write(others)
    return "Removed." if len(others) < len(lines) else NO_ENTRY


def current(home: Home) -> Entry | None:
    """Return the home's entry, None when the crontab has none.

    Raises ScheduleError without cron, or when its time was edited to one this module cannot tell.
    """
    for line in _read():
        if _is_ours(line, home) and not line.startswith("#"):
            fields = 1 if line.startswith("@") else len(FIELDS)
            *when, what = line.removesuffix(_marker(home)).split(maxsplit=fields)
            entry = Entry(" ".join(when), what.strip().replace(r"\%", "%"))
            check(entry.expression)
            return entry
    return None


def check(expression: str) -> None:
    """Raise ScheduleError, naming the field, for an expression that cron would never run."""
    if expression in NAMED:
        return
    fields = expression.split()
    if len(fields) != len(FIELDS):
        raise ScheduleError(
            f"{expression!r} is no schedule: five fields are expected ({', '.join(FIELDS)}), "
            f'such as "0 2 * * *" for every night at two, or one of {", ".join(NAMED)}.'
        )
    for number, (name, field) in enumerate(zip(FIELDS, fields, strict=True)):
        if not _is_field(number, field):
            raise ScheduleError(f"{field!r} is no {name} that cron knows.")
    try:
        croniter(expression).get_next()
    except CroniterBadDateError as error:
        raise ScheduleError(f"{expression!r} never comes: no month has such a day.") from error


def _is_field(number: int, field: str) -> bool:
    """Return whether cron takes the field in that place, 0 to 4, of an expression."""
    parts = [PART.fullmatch(part) for part in field.split(",")]
    found = [part for part in parts if part]
    ranges = [part[1].split("-") for part in found if re.match(r"\d+-", part[1] or "")]
    ordered = all(int(low) <= int(high) for low, high in ranges)
    reached = all(int(part[3] or 0) <= HIGHEST[number] for part in found)
    alone = ["*"] * len(FIELDS)
    alone[number] = field
    return all(parts) and ordered and reached and croniter.is_valid(" ".join(alone))


def command(home: Home, ping: str | None = None) -> str:
    """Return the shell command of an entry: absolute paths, quoted for /bin/sh."""
    words = [sys.executable, str(SCRIPT), "--root", str(home), "--trigger", TRIGGER]
    return shlex.join(words + (["--ping", ping] if ping else []))


def install_command(home: Home, expression: str = "0 2 * * *") -> str:
    """Return what a person types to install the entry."""
    words = [sys.executable, str(SCRIPT), "--root", str(home)]
    return shlex.join([*words, "--install-cron", expression])


def text(home: Home) -> str:
    """Return for people the entry, how its last run ended, and when it runs next."""
    entry = current(home)
    if entry is None:
        return f"{NO_ENTRY} To make one: {install_command(home)}"
    last = remembered(home)
    ended = f"{last.when}, exit code {last.code}: {last.message}" if last.when else "none yet"
    lines = [
        f"entry     {entry.expression} {entry.command}",
        f"last run  {ended}",
        f"next run  {entry.next_run().isoformat(timespec='minutes')}",
    ]
    return "\n".join(lines)


def run_as_cron(line: str) -> subprocess.CompletedProcess:
    """Run a shell command as cron would: /bin/sh, the home folder, next to no environment.

    The variables are those of crontab(5).
    """
    home = str(Path.home())
    environment = {"HOME": home, "SHELL": "/bin/sh", "PATH": "/usr/bin:/bin"}
    environment |= {name: os.environ[name] for name in ("LOGNAME", "USER") if name in os.environ}
    shell = ["/bin/sh", "-c", line]
    return subprocess.run(
        shell, env=environment, cwd=home, capture_output=True, text=True, check=False
    )


def note_run(home: Home, code: int, message: str) -> None:
    """Remember that a scheduled run ended: its exit code and its sentence."""
    known = replace(remembered(home), when=now(), code=code, message=message)
    records.write(home.schedule, known)


def remembered(home: Home) -> Remembered:
    """Return what is known of the entry and its last run."""
    return home.read_once(
        "schedule", [home.schedule], lambda: records.read(home.schedule, Remembered)
    )


def overdue(home: Home, entry: Entry) -> bool:
    """Return whether the entry's time came since its last run, or its install, and passed idly."""
    known = remembered(home)
    latest = max(known.when, known.installed)
    return bool(latest) and datetime.fromisoformat(latest) < entry.last_due()


def _now() -> datetime:
    """Return the time on this machine's clock, which is cron's."""
    return datetime.now().astimezone()


def _table_lock() -> FileLock:
    """Return the lock that whoever changes this user's crontab holds: it is read, then written."""
    return FileLock(Path(tempfile.gettempdir()) / f"digits-crontab-{os.getuid()}.lock")


def _read() -> list[str]:
    """Return the lines of this user's crontab, none when there is none."""
    table = _crontab("-l")
    if table.returncode == 0:
        return _text(table.stdout).removesuffix("\n").split("\n") if table.stdout else []
    if b"no crontab" in table.stderr or b"can't open" in table.stderr:  # the second is BusyBox'
        return []
    if b"Permission denied" in table.stderr:  # a hardened service may not gain crontab's rights
        raise ScheduleError(
            "This process may not look into the crontab: see `crontab -l` in its user's shell."
        )
    raise ScheduleError(f"crontab refused: {_text(table.stderr).strip()}")


def _write(lines: list[str]) -> None:
    """Make the lines this user's crontab."""
    table = "".join(f"{line}\n" for line in lines)
    done = _crontab("-", table.encode(errors="surrogateescape"))
    if done.returncode:
        raise ScheduleError(f"crontab refused: {' '.join(_text(done.stderr).split())}")


def _crontab(argument: str, table: bytes = b"") -> subprocess.CompletedProcess:
    """Return what the program `crontab` answers."""
    try:
        return subprocess.run(
            ["crontab", argument],
            input=table,
            capture_output=True,
            check=False,
            env=os.environ | {"LC_ALL": "C"},  # its messages in English
        )
    except FileNotFoundError as error:
        raise ScheduleError(
            "This machine has no cron: install it (apt-get install cron), or use a systemd timer "
            "as docs/unattended.md says."
        ) from error


def _text(data: bytes) -> str:
    """Return bytes of any encoding as text from which the same bytes can be made again."""
    return data.decode(errors="surrogateescape")


def _marker(home: Home) -> str:
    """Return the comment that ends the home's entry; plain letters, since cron reads it too."""
    digest = hashlib.sha256(str(home).encode(errors="surrogateescape"))
    return f" # digits that learn, {digest.hexdigest()[:8]}"


def _is_ours(line: str, home: Home) -> bool:
    """Return whether a line of the crontab is the home's entry, if only commented out."""
    return line.rstrip().endswith(_marker(home))


def _render(entry: Entry, home: Home) -> str:
    """Return the entry as a line; cron would end the command at a bare `%` (crontab(5))."""
    if "\n" in entry.command:
        raise ScheduleError(f"A crontab cannot hold a line break, as in {entry.command!r}.")
    escaped = entry.command.replace("%", r"\%")
    return f"{entry.expression} {escaped}{_marker(home)}"
