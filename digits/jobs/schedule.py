"""The crontab entry that fine-tunes at night: install, remove, show; when it runs and when it ran.

The table is read and written as text through `crontab`, so that every other line stays to the
byte: python-crontab, which checks the expressions here, would rewrite them (`0 0 * * *` becomes
`@daily`, runs of spaces become one). One root has one entry; its marker tells it from others.
"""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import subprocess
import sys
import urllib.request
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from croniter import CroniterBadDateError, croniter
from crontab import CronSlice

from digits import durable, versions

TRIGGER = "cron"  # who asks, in the history: the entry's runs
FILE = "schedule.json"  # in versions/: when the entry was installed, and its last run
SCRIPT = Path(__file__).resolve().parents[2] / "finetuning.py"
FIELDS = ("minute", "hour", "day of the month", "month", "day of the week")
NAMED = ("@hourly", "@daily", "@midnight", "@weekly", "@monthly", "@yearly", "@annually")
GRACE = timedelta(hours=1)  # a run is overdue that did not end by then: it takes minutes
PING_TIMEOUT = 5  # s; nobody waits for a monitor that does not answer
NICE = 10  # of 19: the page goes first


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
        """Return when it last was to run, and should have ended by now."""
        return croniter(self.expression, _now() - GRACE).get_prev(datetime)


def install(root: str | Path, expression: str, ping: str | None = None) -> Entry:
    """Put the root's entry into this user's crontab, in place of an earlier one; return it.

    expression: five fields, or one of NAMED. ping: the URL that its runs call, if any.
    Raises ScheduleError for an expression that cron would not run, or without cron.
    """
    expression = " ".join(expression.split())
    check(expression)
    root = Path(root).resolve()
    entry = Entry(expression, command(root, ping))
    lines = _read()
    place = next((i for i, line in enumerate(lines) if _is_ours(line, root)), len(lines))
    others = [line for line in lines if not _is_ours(line, root)]
    _record(root, installed=versions.now())
    _write(others[:place] + [_render(entry, root)] + others[place:])
    return entry


def remove(root: str | Path) -> bool:
    """Take the root's entry out of the crontab; return whether there was one."""
    lines = _read()
    others = [line for line in lines if not _is_ours(line, root)]
    if len(others) == len(lines):
        return False
    _write(others)
    return True


def current(root: str | Path) -> Entry | None:
    """Return the root's entry, None when the crontab has none.

    Raises ScheduleError without cron, or when its time was edited to one this module cannot tell.
    """
    for line in _read():
        if _is_ours(line, root) and not line.startswith("#"):
            fields = 1 if line.startswith("@") else len(FIELDS)
            *when, what = line.removesuffix(_marker(root)).split(maxsplit=fields)
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
        try:
            CronSlice(number, field)
        except (ValueError, KeyError, TypeError) as error:  # its three ways to say no
            raise ScheduleError(f"{field!r} is no {name} that cron knows.") from error
    try:
        croniter(expression).get_next()
    except CroniterBadDateError as error:
        raise ScheduleError(f"{expression!r} never comes: no month has such a day.") from error


def command(root: str | Path, ping: str | None = None) -> str:
    """Return the shell command of an entry: absolute paths, quoted for /bin/sh."""
    words = [sys.executable, str(SCRIPT), "--root", str(Path(root).resolve()), "--trigger", TRIGGER]
    return shlex.join(words + (["--ping", ping] if ping else []))


def install_command(root: str | Path, expression: str = "0 2 * * *") -> str:
    """Return what a person types to install the entry."""
    words = [sys.executable, str(SCRIPT), "--root", str(Path(root).resolve())]
    return shlex.join([*words, "--install-cron", expression])


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


def note_run(root: str | Path, code: int, message: str) -> None:
    """Remember that a scheduled run ended: its exit code and its sentence."""
    _record(root, when=versions.now(), code=code, message=message)


def last_run(root: str | Path) -> dict | None:
    """Return the last scheduled run: when (ISO, UTC), code, message; None before the first."""
    noted = _noted(root)
    return noted if "when" in noted else None


def overdue(root: str | Path, entry: Entry) -> bool:
    """Return whether the entry's time came since its last run, or its install, and passed idly."""
    noted = _noted(root)
    latest = max(noted.get("when", ""), noted.get("installed", ""))
    return bool(latest) and datetime.fromisoformat(latest) < entry.last_due()


def be_polite() -> None:
    """Lower this process' priority, so that the page stays quick meanwhile."""
    if hasattr(os, "nice"):  # not on Windows
        os.nice(NICE)


def ping(url: str | None, word: str, message: str = "") -> None:
    """Tell a monitor how the run goes, in the manner of https://healthchecks.io/docs/http_api/.

    word: `start`, or the exit code. Nothing that goes wrong here concerns the run.
    """
    if not url:
        return
    try:
        address = f"{url.rstrip('/')}/{word}"
        with urllib.request.urlopen(address, data=message.encode(), timeout=PING_TIMEOUT):
            pass
    except (OSError, ValueError):  # no network, no such host, no such check
        pass


def _now() -> datetime:
    """Return the time on this machine's clock, which is cron's."""
    return datetime.now().astimezone()


def _read() -> list[str]:
    """Return the lines of this user's crontab, none when there is none."""
    table = _crontab("-l")
    if table.returncode == 0:
        return _text(table.stdout).split("\n")[:-1]
    if b"no crontab" in table.stderr:
        return []
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
            "or the Task Scheduler as the README says."
        ) from error


def _text(data: bytes) -> str:
    """Return bytes of any encoding as text from which the same bytes can be made again."""
    return data.decode(errors="surrogateescape")


def _marker(root: str | Path) -> str:
    """Return the comment that ends the root's entry; plain letters, since cron reads it too."""
    digest = hashlib.sha256(str(Path(root).resolve()).encode(errors="surrogateescape"))
    return f" # digits that learn, {digest.hexdigest()[:8]}"


def _is_ours(line: str, root: str | Path) -> bool:
    """Return whether a line of the crontab is the root's entry, if only commented out."""
    return line.rstrip().endswith(_marker(root))


def _render(entry: Entry, root: Path) -> str:
    """Return the entry as a line; cron would end the command at a bare `%` (crontab(5))."""
    if "\n" in entry.command:
        raise ScheduleError(f"A crontab cannot hold a line break, as in {entry.command!r}.")
    escaped = entry.command.replace("%", r"\%")
    return f"{entry.expression} {escaped}{_marker(root)}"


def _noted(root: str | Path) -> dict:
    """Return what is remembered of the entry and its runs, {} when nothing is."""
    try:
        return json.loads((Path(root) / versions.FOLDER / FILE).read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError):
        return {}


def _record(root: str | Path, **news) -> None:
    """Remember the news besides what is remembered already."""
    path = Path(root) / versions.FOLDER / FILE
    path.parent.mkdir(exist_ok=True)
    durable.write(path, json.dumps(_noted(root) | news).encode())
