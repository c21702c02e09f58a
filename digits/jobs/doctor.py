"""The doctor behind `finetuning.py --check`: is all there that a run at night needs?

Each check returns one finding: a sentence and, where something is wrong, the remedy. Nothing is
changed; the crontab's own command is tried as cron would run it.
"""

from __future__ import annotations

import logging
import os
import shutil
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from digits import feedback, model, versions
from digits.home import MODEL, PROJECT, Home
from digits.jobs import progress, schedule
from digits.learning import finetune
from digits.rows import TRAIN, DataError, read_rows

FREE_MB = 200  # the versions kept, the log, a few thousand corrections
DAEMONS = {"cron", "crond", "fcron"}  # Debian's; Red Hat's, Alpine's and BusyBox'; fcron's

log = logging.getLogger("digits")


@dataclass(frozen=True)
class Finding:
    """What was looked at and found; the remedy is empty when all is well."""

    what: str
    found: str
    remedy: str = ""

    @property
    def good(self) -> bool:
        """Whether nothing need be done."""
        return not self.remedy

    def __str__(self) -> str:
        if self.good:
            return f"ok    {self.what}: {self.found}"
        return f"FIX   {self.what}: {self.found} -> {self.remedy}"


def examine(home: Home) -> Iterator[Finding]:
    """Yield one finding after another; it trains twice, and so may take a minute."""
    if home.is_empty:
        yield Finding("home", f"{home} is empty or missing", "the first run or page fills it")
        return
    yield check_model(home)
    yield check_rows(home)
    yield check_store(home)
    yield check_secrets()
    yield check_permissions(home)
    yield check_disk(home)
    yield check_lock(home)
    try:
        entry = schedule.current(home)
    except schedule.ScheduleError as error:
        yield Finding("crontab", "cannot be read", str(error))
        return
    if entry is None:
        yield Finding("crontab", "no entry for this folder", schedule.install_command(home))
        return
    yield Finding("crontab", f"{entry.expression}, next at {entry.next_run():%Y-%m-%d %H:%M}")
    yield check_daemon()
    yield check_last_run(home, entry)
    yield check_dry_run(entry)


def check_model(home: Home) -> Finding:
    """Return whether model.h5 reads digits, and can learn: from a few, in a copy."""
    try:
        serving = versions.serving(home, model.load_serving)
    except model.ModelError as error:
        return Finding(MODEL, "cannot serve", str(error))
    if serving.problem:
        return Finding(MODEL, serving.problem, "the next run puts it back, and so does --rollback")
    digits, labels = model.known_digits()
    try:
        net = model.load(home.model)
        one = digits[:1], labels[:1]
        finetune.fine_tune(net, net, one, digits, 0, lambda *_: None, lambda _: 0.0)
    except model.ModelError as error:
        return Finding(MODEL, "cannot learn", str(error))
    except Exception as error:  # whatever Keras raises of a strange network
        log.info("%s cannot learn", home.model, exc_info=True)
        why = " ".join(str(error).split())[:100]
        return Finding(MODEL, f"cannot learn ({why})", "bring a network of Keras' common layers")
    return Finding(MODEL, f"{serving.version.short} loads and learns. {model.describe(net)}")


def check_rows(home: Home) -> Finding:
    """Return whether train.csv can be read."""
    try:
        digits, _ = read_rows(home.train)
    except DataError as error:
        return Finding(TRAIN, "cannot be used", str(error))
    return Finding(TRAIN, f"{len(digits)} rows")


def check_store(home: Home) -> Finding:
    """Return whether every stored correction can be read."""
    try:
        corrections, warnings = feedback.load(home)
    except feedback.StoreError as error:
        return Finding("store", "cannot be read", str(error))
    if warnings:
        found = f"{len(warnings)} rows are skipped, the first: {warnings[0]}"
        return Finding("store", found, "fix that row, or remove it on the page")
    return Finding("store", f"{len(corrections)} corrections")


def check_secrets() -> Finding:
    """Return whether Streamlit can read its secrets: while it cannot, the page stays closed."""
    named = os.environ.get("STREAMLIT_SECRETS_FILES", "").split()
    usual = [os.path.join(folder, ".streamlit", "secrets.toml") for folder in ("~", PROJECT)]
    for path in map(Path, map(os.path.expanduser, named or usual)):
        try:
            tomllib.loads(path.read_text("utf-8") if path.is_file() else "")
        except (OSError, ValueError) as error:
            return Finding("secrets", f"{path} cannot be read ({error})", "mend or remove it")
    return Finding("secrets", "none is damaged")


def check_permissions(home: Home) -> Finding:
    """Return whether this user may write all that a run and the page write."""
    inside = [home.model, home.versions, home.images, home.table]
    paths = [home.folder, *(path for path in inside if path.exists())]
    closed = [str(path) for path in paths if not os.access(path, os.W_OK)]
    if closed:
        remedy = f"give it to the user who runs cron's entry: chown -R {os.getuid()} {home}"
        return Finding("permissions", f"{closed[0]} may not be written", remedy)
    return Finding("permissions", f"all in {home} can be written")


def check_disk(home: Home) -> Finding:
    """Return whether enough of the disk is free."""
    free = shutil.disk_usage(home.folder).free // 1_000_000
    found = f"{free:,} MB free"
    return Finding("disk", found, "" if free >= FREE_MB else f"free {FREE_MB} MB")


def check_lock(home: Home) -> Finding:
    """Return whether a run could begin now."""
    try:
        if home.is_running():
            found = f"a run is at work{progress.whose(home)}"
            return Finding("lock", found, "wait until it ends, or stop it")
    except OSError as error:
        found = f"cannot be taken ({error.strerror})"
        return Finding("lock", found, f"delete {error.filename}")
    return Finding("lock", "free")


def check_daemon() -> Finding:
    """Return whether something runs the crontab: on Linux, a process by one of DAEMONS' names."""
    names = {read_name(path) for path in Path("/proc").glob("[0-9]*/comm")}
    if names and not names & DAEMONS:
        return Finding("cron", "no cron daemon runs", "service cron start")
    return Finding("cron", "runs" if names else "is not looked for on this system")


def read_name(path: Path) -> str:
    """Return a process' name from its file in /proc, "" when it has just ended."""
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return ""


def check_last_run(home: Home, entry: schedule.Entry) -> Finding:
    """Return whether the last scheduled run came when it should have, and ended well."""
    last = schedule.remembered(home)
    ended = f"{last.when}: {last.message}" if last.when else "none yet"
    if schedule.overdue(home, entry):
        due = f"{entry.last_due():%Y-%m-%d %H:%M}"
        return Finding("last run", f"{ended}; one was due {due}", "see cron's own log and mails")
    if last.code:
        return Finding("last run", ended, "do what it says; finetuning.log tells more")
    return Finding("last run", ended)


def check_dry_run(entry: schedule.Entry) -> Finding:
    """Return whether the entry's command works where cron runs it."""
    done = schedule.run_as_cron(f"{entry.command} --dry-run")
    said = (done.stderr or done.stdout).strip().rpartition("\n")[2]
    if done.returncode:
        return Finding("dry run", f"exit code {done.returncode}", said)
    return Finding("dry run", said)
