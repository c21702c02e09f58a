"""Learn the stored corrections, and publish the result if it passes a non-inferiority test.

    python finetuning.py              learn what is new and replace model.h5, if the gate allows
    python finetuning.py --dry-run    the same, but write nothing
    python finetuning.py --history    what was decided so far
    python finetuning.py --receipt    what the last run did to each correction
    python finetuning.py --status     what runs, or how it ended
    python finetuning.py --rollback v1    put an earlier version back
    python finetuning.py --install-cron "0 2 * * *"    learn every night at two
    python finetuning.py --check      whether all is well, and what to do if not
    python finetuning.py --health     whether a network can serve, for probes
    python finetuning.py --metrics    how the loop fares, for Prometheus
    python finetuning.py --help       every option

Cron runs this, and so does the page's button: there is no other way to fine-tune. One line says
what happened; cron's runs print it only when something is wrong, so that cron's mails mean
something. Exit code 0: published, or nothing to do; 1: stopped, or could not write to disk;
2: unknown options; 3: refused by the gate; 4: another run holds the lock; 5: the model, train.csv,
the store or the schedule given cannot be used.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import click
from filelock import Timeout

from digits import feedback, model, versions
from digits.durable import DatabaseError
from digits.home import LOG, Home
from digits.jobs import doctor, monitor, progress, schedule, unattended
from digits.learning import run as learning
from digits.learning import upkeep
from digits.learning.run import SWITCHES, Ending, Request
from digits.rows import DataError
from digits.versions import receipts
from digits.versions.history import text as history_text

DONE, FAILED, USAGE, REFUSED, LOCKED, BAD_DATA = range(6)
CODES = {"failed": FAILED, "stopped": FAILED, "ill": FAILED, "locked": LOCKED}
CODES |= {"unusable": BAD_DATA, versions.REFUSED: REFUSED}

UNUSABLE = (
    model.ModelError,
    DataError,
    feedback.StoreError,
    versions.VersionError,
    schedule.ScheduleError,
    DatabaseError,
)

PERSON = "command line"  # the trigger of a run that somebody waits for
STOPPED = "Stopped; model.h5 is as it was."
STOPPED_LATE = "Stopped when the new network was in service already; it stays."

log = logging.getLogger("digits")


@dataclass(frozen=True)
class Options:
    """What was given on the command line, as `--help` describes it; None where nothing was."""

    root: str | None
    dry_run: bool
    force: bool
    without: Sequence[str]
    trigger: str
    ping: str | None
    history: bool
    receipt: str | None
    status: bool
    rollback: str | None
    install_cron: str | None
    remove_cron: bool
    show_cron: bool
    check: bool
    health: bool
    metrics: bool

    @property
    def home(self) -> Home:
        """The home that is named, by DIGITS_HOME too."""
        return Home.at(self.root) if self.root else Home.default()

    @property
    def acts(self) -> list[Act]:
        """What is asked for instead of a run: one of ACTS at most, or it is an error."""
        return [act for name, act in ACTS.items() if getattr(self, name) not in (None, False)]


Act = Callable[[Options], Ending]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return its exit code."""
    try:
        return command.main(argv, standalone_mode=False) or DONE
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except DatabaseError as error:  # an address that is none
        click.echo(str(error), err=True)
        return BAD_DATA
    except click.Abort:  # Ctrl+C where nothing is at stake
        click.echo(STOPPED, err=True)
        return FAILED
    except BrokenPipeError:  # whoever reads has seen enough: `--check | head -1`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE


def web_address(context: click.Context, option: click.Parameter, text: str | None) -> str | None:
    """Return the text if it is the address of a web page."""
    if text is not None and not text.startswith(("http://", "https://")):
        raise click.BadParameter(f"{text!r} does not begin with http:// or https://")
    return text


def named(context: click.Context, option: click.Parameter, text: str | None) -> str | None:
    """Return the text unless it is empty: a variable that is not set names no home."""
    if text == "":
        raise click.BadParameter("it is empty")
    return text


flag = partial(click.option, is_flag=True)


@click.command(help=__doc__.split("\n\n")[0], context_settings={"max_content_width": 100})
@click.option(
    "--root",
    metavar="HOME",
    callback=named,
    help="Where model.h5, train.csv and the store are: a folder, or a database's address "
    "[default: DIGITS_HOME, or else this script's folder].",
)
@flag("--dry-run", help="Train and judge, but publish and record nothing.")
@flag("--force", help="Train even if nothing is new since the last run; the gate decides.")
@click.option(
    "--without",
    type=click.Choice(SWITCHES),
    multiple=True,
    help="For lessons: switch this guard off, only in a home that holds a file named sandbox.",
)
@click.option(
    "--trigger",
    default=PERSON,
    show_default=True,
    help="Who asks, for the history; cron's runs print only what is wrong.",
)
@click.option(
    "--ping",
    metavar="URL",
    callback=web_address,
    help="Tell a monitor such as healthchecks.io: URL/start, then URL/<exit code>.",
)
@flag("--history", help="Print every decision so far.")
@click.option(
    "--receipt",
    metavar="[VERSION]",
    is_flag=False,
    flag_value=receipts.LAST,
    help="Print what the last run, or the one that made VERSION, did to each correction.",
)
@flag("--status", help="Print what runs, or how it ended.")
@click.option(
    "--rollback", metavar="VERSION", help="Put an earlier version back in service, such as v1."
)
@click.option(
    "--install-cron",
    metavar="WHEN",
    help='Learn by itself: "0 2 * * *" is every night at two; @daily and the like will do.',
)
@flag("--remove-cron", help="Learn by itself no longer.")
@flag("--show-cron", help="Print the crontab's entry, last and next run.")
@flag("--check", help="Try the crontab's entry as cron would; exit code 0 if all is well.")
@flag("--health", help="Say what serves; exit code 0 if the page can answer, else 5.")
@flag("--metrics", help="Print how the loop fares, as Prometheus' text.")
def command(**given: Any) -> int:
    """Do what was asked for; return its exit code."""
    options = Options(**given)
    acts = options.acts
    if len(acts) > 1:
        raise click.UsageError("These options exclude one another: give one of them.")
    by_cron = options.trigger == schedule.TRIGGER
    level = logging.ERROR if by_cron else logging.WARNING
    with unattended.journal(None if options.dry_run else options.home.log, level):
        ending = attempt(acts[0] if acts else run, options)
    code = CODES.get(ending.state, DONE)
    if code:
        click.echo(ending.message, err=True)
    elif not by_cron or options.dry_run:
        click.echo(ending.message)
    return code


def attempt(act: Act, options: Options) -> Ending:
    """Return how the act ended; whatever stops it becomes a sentence."""
    try:
        return act(options)
    except Timeout:
        whose = progress.whose(options.home)
        return Ending("locked", f"Another fine-tuning runs{whose}; this one did nothing.")
    except UNUSABLE as error:
        return Ending("unusable", unattended.shortened(str(error)))
    except BrokenPipeError:
        raise
    except OSError as error:  # a full disk, a folder that may not be written
        log.info("Failed", exc_info=True)
        why = f"{error.strerror or error}: {error.filename or options.home}"
        said = f"Could not write to disk ({why}); the network in service is whole."
        return Ending("failed", f"{said} Free space or fix the permissions: --check tells more.")
    except Exception as error:  # nobody reads a traceback at night; the log keeps it
        log.info("Failed", exc_info=True)
        failed = f"The run failed, {LOG} tells more: {error!r}"
        return Ending("failed", unattended.shortened(failed))


def run(options: Options) -> Ending:
    """Fine-tune, with what a run needs that nobody watches: low priority, a log, a monitor told."""
    if filled := options.home.fill():
        log.warning(filled)
    if options.dry_run:
        return start(options)
    if options.trigger != PERSON:
        unattended.make_way()
    log.info("Began, asked by %s", options.trigger)
    unattended.ping(options.ping, "start")
    ending = attempt(start, options)
    tell_ending(options, ending)
    return ending


def tell_ending(options: Options, ending: Ending) -> None:
    """Tell the log, the monitor and, of a scheduled run, the schedule how it ended."""
    code = CODES.get(ending.state, DONE)
    log.info("Ended with %d: %s", code, ending.message)
    unattended.ping(options.ping, str(code), ending.message)
    if options.trigger == schedule.TRIGGER:
        schedule.note_run(options.home, code, ending.message)


def start(options: Options) -> Ending:
    """Learn under the lock that button and cron share.

    On a dry run, or with an empty store where nothing ran yet, nothing is written: no lock, no
    status.
    """
    home = options.home
    if options.without and not home.sandbox.exists():
        return Ending(
            "unusable",
            f"--without is for lessons: {home} holds no file named {home.sandbox.name}, so nothing "
            "is switched off there; run without it, or in a copy that has that file.",
        )
    corrections, warnings = feedback.load(home)
    for warning in warnings:
        log.warning(warning)
    if warnings and not corrections and not feedback.removed(home):
        none = f"None of {len(warnings)} rows can be used: {warnings[0]}"
        return Ending("unusable", unattended.shortened(none))
    request = Request(options.trigger, options.dry_run, options.force, options.without)

    def learn(tell: learning.Progress) -> Ending:
        ending = learning.learn(home, request, corrections, tell)
        return replace(ending, message=unattended.shortened(ending.message))

    if options.dry_run or not (corrections or home.versions.exists()):
        return learn(lambda *told: None)
    with home.run_lock():
        reporter = progress.Reporter(home, options.trigger)
        upkeep.repair(home)
        with unattended.ending_at_once(last_words(options, reporter), FAILED):
            try:
                ending = learn(reporter.progress)
            except BaseException as error:
                reporter.finish("failed", unattended.shortened(str(error) or repr(error)), FAILED)
                raise
            reporter.finish(ending.state, ending.message, CODES.get(ending.state, DONE))
    return ending


def last_words(options: Options, reporter: progress.Reporter) -> Callable[[int], None]:
    """Return what a run does that is told to stop: it says so, on the file descriptor given."""
    began = options.home.network()

    def tell(said: int) -> None:
        options.home.forsake()  # interrupted in a change, this process would keep its words out
        now = began
        with suppress(DatabaseError):  # then nothing tells
            now = options.home.network()
        message = STOPPED if now == began else STOPPED_LATE
        os.write(said, f"{message}\n".encode())
        tell_ending(options, Ending("stopped", message))
        reporter.finish("stopped", message, FAILED)

    return tell


def roll_back(options: Options) -> Ending:
    """Put the version that the options name back in service."""
    with options.home.run_lock():
        upkeep.repair(options.home)  # what is damaged is no version to go back to
        version = versions.roll_back(options.home, options.rollback or "")
    return Ending(versions.ROLLED_BACK, f"{version.short} is in service again.")


def install_cron(options: Options) -> Ending:
    """Put the crontab's entry in place."""
    entry = schedule.install(options.home, options.install_cron or "", options.ping)
    when = f"{entry.next_run():%Y-%m-%d %H:%M}"
    message = f"Installed for {options.home}: {entry.expression}. It learns next at {when}."
    return Ending("installed", message)


def check(options: Options) -> Ending:
    """Print what the doctor finds, a line each, as it is found; return the summary."""
    bad = 0
    for finding in doctor.examine(options.home):
        click.echo(finding)
        bad += not finding.good
    return Ending("ill", f"To fix: {bad}.") if bad else Ending("well", "All is well.")


ACTS: dict[str, Act] = {  # instead of a run, by the option that asks for it
    "history": lambda options: Ending("history", history_text(options.home)),
    "receipt": lambda options: Ending("receipt", receipts.text(options.home, options.receipt)),
    "status": lambda options: Ending("status", progress.text(options.home)),
    "rollback": roll_back,
    "install_cron": install_cron,
    "remove_cron": lambda options: Ending("removed", schedule.remove(options.home)),
    "show_cron": lambda options: Ending("entry", schedule.text(options.home)),
    "check": check,
    "health": lambda options: Ending("well", monitor.health(options.home)),
    "metrics": lambda options: Ending("metrics", monitor.metrics(options.home)),
}


if __name__ == "__main__":
    sys.exit(main())
