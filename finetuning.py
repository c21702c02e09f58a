"""Learn the stored corrections, forget nothing, and publish only what is provably no worse.

    python finetuning.py              learn what is new and replace model.h5, if the gate allows
    python finetuning.py --dry-run    the same, but write nothing
    python finetuning.py --history    what was decided so far
    python finetuning.py --receipt    what the last run did to each correction
    python finetuning.py --status     what runs, or how it ended
    python finetuning.py --rollback v1    put an earlier version back
    python finetuning.py --install-cron "0 2 * * *"    learn every night at two
    python finetuning.py --check      whether all is well, and what to do if not
    python finetuning.py --help       every option

Cron runs this, and so does the page's button: there is no other way to fine-tune. One line says
what happened; cron's runs print it only when something is wrong, so that cron's mails mean
something. Exit code 0: published, or nothing to do; 1: stopped, or the disk refused; 3: refused by
the gate; 4: another run holds the lock; 5: the model, train.csv, the store or the schedule given
cannot be used.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from filelock import FileLock, Timeout

from digits import durable, feedback, images, metrics, model, versions
from digits.jobs import doctor, progress, schedule
from digits.learning import finetune, gate, mislabelled
from digits.page.sandbox import SANDBOX, SWITCHES
from digits.rows import TRAIN, DataError, is_held_out, read_rows
from digits.versions import receipts
from digits.versions.smoke_test import answers_afresh

if TYPE_CHECKING:
    import keras

DONE, FAILED, REFUSED, LOCKED, BAD_DATA = 0, 1, 3, 4, 5

UNUSABLE = (
    model.ModelError,
    DataError,
    feedback.StoreError,
    versions.VersionError,
    schedule.ScheduleError,
)

NO_STORE = "no corrections are stored"
LOG = "finetuning.log"
LOG_BYTES = 1_000_000  # about a thousand runs; then a new file begins ...
LOG_FILES = 3  # ... and as many older ones stay
LAST = "last"  # the run whose receipt is shown unless a version is named
PERSON = "command line"  # the trigger of a run that somebody waits for
SCRATCH = ".run-"  # how the folder of a run's candidate begins

VOUCHED = 2  # equal answers: the same label from a second person, or a second look
MAX_CORRECTIONS = 1_500  # a run, drawn at random beyond that: bounds time and memory

log = logging.getLogger("digits")


@dataclass
class Material:
    """All that one run works with; corrections stand in the same order as their rows."""

    corrections: list[feedback.Correction]
    rows: finetune.Rows
    replay: finetune.Rows
    held_out: finetune.Rows
    warnings: list[str]


@dataclass(frozen=True)
class Verdict:
    """How a run ends: its exit code, a word for the page, a sentence for everybody."""

    code: int
    state: str
    message: str


def main(argv: list[str] | None = None) -> int:
    """Run the command line; return its exit code."""
    options = parse(argv)
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: sys.exit("Stopped; model.h5 is as it was."))
    chosen = [act for option, act in ACTIONS.items() if getattr(options, option)]
    with journal(options):
        verdict = attempt(chosen[0] if chosen else run, options)
    quiet = options.trigger == schedule.TRIGGER and not options.dry_run
    if verdict.code:
        print(verdict.message, file=sys.stderr)
    elif not quiet:
        print(verdict.message)
    return verdict.code


def attempt(act: Callable[[argparse.Namespace], Verdict], options: argparse.Namespace) -> Verdict:
    """Return how the act ended; whatever stops it becomes a sentence and an exit code."""
    try:
        return act(options)
    except Timeout:
        message = f"Another fine-tuning runs{progress.whose(options.root)}; this one did nothing."
        return Verdict(LOCKED, "locked", message)
    except UNUSABLE as error:
        return Verdict(BAD_DATA, "unusable", str(error))
    except SystemExit as stop:  # told to stop by a signal
        return Verdict(FAILED, "stopped", str(stop))
    except OSError as error:  # a full disk, a folder that may not be written
        log.info("Failed", exc_info=True)
        where = error.filename or options.root
        return Verdict(
            FAILED,
            "failed",
            f"The disk refused ({error.strerror or error}: {where}); model.h5 is as it was. "
            "Free space or mend the permissions: --check tells more.",
        )
    except Exception as error:  # nobody reads a traceback at night; the log keeps it
        log.info("Failed", exc_info=True)
        return Verdict(FAILED, "failed", f"The run failed ({error!r}); {LOG} tells more.")


def parse(argv: list[str] | None) -> argparse.Namespace:
    """Return the options given on the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument(
        "--root",
        type=Path,
        default=Path(__file__).resolve().parent,
        help="folder of model.h5, train.csv and the store (default: this script's)",
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="train and judge, but publish and record nothing"
    )
    parser.add_argument(
        "--force",
        action="store_true",
        help="train even if nothing is new since the last run; the gate still decides",
    )
    parser.add_argument(
        "--without",
        choices=SWITCHES,
        action="append",
        default=[],
        help=f"for lessons: switch this off, only in a root that holds a file named {SANDBOX}",
    )
    parser.add_argument(
        "--trigger",
        default=PERSON,
        help="who asks, for the history; cron's runs print only what is wrong "
        "(default: %(default)s)",
    )
    parser.add_argument(
        "--ping",
        metavar="URL",
        type=web_address,
        help="tell a monitor such as healthchecks.io: URL/start, then URL/<exit code>",
    )
    act = parser.add_mutually_exclusive_group()
    act.add_argument("--history", action="store_true", help="print every decision so far")
    act.add_argument(
        "--receipt",
        metavar="VERSION",
        nargs="?",
        const=LAST,
        help="print what the last run, or the one that made VERSION, did to each correction",
    )
    act.add_argument("--status", action="store_true", help="print what runs, or how it ended")
    act.add_argument(
        "--rollback", metavar="VERSION", help="put an earlier version back in service, such as v1"
    )
    act.add_argument(
        "--install-cron",
        metavar="WHEN",
        help='learn by itself: "0 2 * * *" is every night at two; @daily and the like will do',
    )
    act.add_argument("--remove-cron", action="store_true", help="learn by itself no longer")
    act.add_argument(
        "--show-cron", action="store_true", help="print the crontab's entry, last run and next run"
    )
    act.add_argument(
        "--check",
        action="store_true",
        help="try the crontab's entry as cron would, and all that it needs; exit code 0 if well",
    )
    return parser.parse_args(argv)


def web_address(text: str) -> str:
    """Return the text if it is the address of a web page."""
    if not text.startswith(("http://", "https://")):
        raise argparse.ArgumentTypeError(f"{text!r} does not begin with http:// or https://")
    return text


@contextmanager
def journal(options: argparse.Namespace) -> Iterator[None]:
    """Keep what is logged meanwhile in LOG; a person sees warnings too, cron's mail errors only."""
    handlers = []
    if not options.dry_run:
        path = options.root / LOG
        sizes = {"maxBytes": LOG_BYTES, "backupCount": LOG_FILES}
        handlers.append(RotatingFileHandler(path, encoding="utf-8", delay=True, **sizes))
        handlers[-1].setFormatter(logging.Formatter("%(asctime)s %(process)d %(message)s"))
    handlers.append(logging.StreamHandler())
    scheduled = options.trigger == schedule.TRIGGER
    handlers[-1].setLevel(logging.ERROR if scheduled else logging.WARNING)
    logging.raiseExceptions = False  # a disk too full for the log stops no run
    log.setLevel(logging.INFO)
    log.handlers, log.propagate = handlers, False  # TensorFlow gives the root logger one
    try:
        yield
    finally:
        log.handlers = []
        for handler in handlers:
            with suppress(OSError):  # as above
                handler.close()


def show_history(options: argparse.Namespace) -> Verdict:
    """Return one line for each decision, oldest first."""
    lines = []
    for one in versions.history(options.root):
        line = f"{one['when']}  {one['version'].partition('-')[0]:5} {one['decision']:11}"
        if "reason" in one:
            line += f" {one['accuracy_before']:.2%} -> {one['accuracy_after']:.2%}, {one['reason']}"
        lines.append(line)
    return Verdict(DONE, "history", "\n".join(lines) or "Nothing was decided yet.")


def show_receipt(options: argparse.Namespace) -> Verdict:
    """Return what a run did to each correction, a line each."""
    version = "" if options.receipt == LAST else options.receipt
    return Verdict(DONE, "receipt", receipts.text(options.root, version))


def show_status(options: argparse.Namespace) -> Verdict:
    """Return what runs, or how the last run ended."""
    return Verdict(DONE, "status", progress.text(options.root))


def roll_back(options: argparse.Namespace) -> Verdict:
    """Put the version that the options name back in service."""
    folder = options.root / versions.FOLDER
    folder.mkdir(exist_ok=True)
    with FileLock(folder / versions.LOCK, blocking=False):
        version = versions.roll_back(options.root, options.rollback)
    return Verdict(DONE, versions.ROLLED_BACK, f"{version.short} is in service again.")


def install_cron(options: argparse.Namespace) -> Verdict:
    """Put the crontab's entry in place."""
    entry = schedule.install(options.root, options.install_cron, options.ping)
    message = f"Installed: {entry.expression}. It learns next at {entry.next_run():%Y-%m-%d %H:%M}."
    return Verdict(DONE, "installed", message)


def remove_cron(options: argparse.Namespace) -> Verdict:
    """Take the crontab's entry away."""
    removed = schedule.remove(options.root)
    message = "Removed." if removed else "The crontab has no entry for this folder."
    return Verdict(DONE, "removed", message)


def show_cron(options: argparse.Namespace) -> Verdict:
    """Return the crontab's entry, how its last run ended, and when it runs next."""
    entry = schedule.current(options.root)
    if entry is None:
        hint = schedule.install_command(options.root)
        return Verdict(DONE, "no entry", f"The crontab has no entry for this folder: {hint}")
    last = schedule.last_run(options.root)
    ended = f"{last['when']}, exit code {last['code']}: {last['message']}" if last else "none yet"
    lines = [
        f"entry     {entry.expression} {entry.command}",
        f"last run  {ended}",
        f"next run  {entry.next_run().isoformat(timespec='minutes')}",
    ]
    return Verdict(DONE, "entry", "\n".join(lines))


def check(options: argparse.Namespace) -> Verdict:
    """Print what the doctor finds, a line each, as it is found; return the summary."""
    bad = 0
    for finding in doctor.examine(options.root):
        print(finding, flush=True)
        bad += not finding.good
    if bad:
        return Verdict(FAILED, "ill", f"To mend: {bad}.")
    return Verdict(DONE, "well", "All is well.")


ACTIONS = {
    "history": show_history,
    "receipt": show_receipt,
    "status": show_status,
    "rollback": roll_back,
    "install_cron": install_cron,
    "remove_cron": remove_cron,
    "show_cron": show_cron,
    "check": check,
}


def run(options: argparse.Namespace) -> Verdict:
    """Fine-tune, with what a run needs that nobody watches: low priority, a log, a monitor told."""
    if options.dry_run:
        return start(options)
    if options.trigger != PERSON:
        schedule.be_polite()
    log.info("Began, asked by %s", options.trigger)
    schedule.ping(options.ping, "start")
    verdict = attempt(start, options)
    log.info("Ended with %d: %s", verdict.code, verdict.message)
    schedule.ping(options.ping, str(verdict.code), verdict.message)
    if options.trigger == schedule.TRIGGER:
        schedule.note_run(options.root, verdict.code, verdict.message)
    return verdict


def start(options: argparse.Namespace) -> Verdict:
    """Learn under the lock that button and cron share.

    With an empty store, or on a dry run, nothing is written: no lock, no status.
    """
    if options.without and not (options.root / SANDBOX).exists():
        return Verdict(
            BAD_DATA,
            "unusable",
            f"--without is for lessons: {options.root} holds no file named {SANDBOX}, so nothing "
            "is switched off there; run without it, or in a copy that has that file.",
        )
    corrections, warnings = feedback.load(options.root)
    for warning in warnings:
        log.warning(warning)
    if options.dry_run or not corrections:
        return learn(options, corrections, lambda phase, share: None)
    return learn_locked(options, corrections)


def learn_locked(options: argparse.Namespace, corrections: list[feedback.Correction]) -> Verdict:
    """Learn with the lock held and the status told."""
    folder = options.root / versions.FOLDER
    folder.mkdir(exist_ok=True)
    with FileLock(folder / versions.LOCK, blocking=False):  # the kernel frees it if its holder dies
        sweep(options.root)
        told = progress.Status(options.root, options.trigger, os.getpid())
        try:
            mend(options.root)
            verdict = learn(options, corrections, told.progress)
        except BaseException as error:
            told.finish("stopped", str(error) or "Stopped; model.h5 is as it was.", 1)
            raise
        told.finish(verdict.state, verdict.message, verdict.code)
    return verdict


def mend(root: Path) -> None:
    """Put the last good version back, and say so, when model.h5 is damaged or gone."""
    if versions.is_recorded(root):
        return
    _, version, problem = versions.serviceable(root, model.load_light)
    if problem:
        versions.restore(root, version)
        log.error("%s It was put back.", problem)


def learn(
    options: argparse.Namespace,
    corrections: list[feedback.Correction],
    progress: finetune.Progress,
) -> Verdict:
    """Train on the corrections, judge the candidate, publish it if the gate allows."""
    began = time.monotonic()
    root = options.root
    fingerprint = fingerprint_of(root, corrections)
    if corrections and not options.force and fingerprint == last_fingerprint(root):
        return Verdict(DONE, "nothing new", "Nothing new to learn since the last run.")
    seed = int(fingerprint[:8], 16)  # the same corrections, the same candidate
    with ThreadPoolExecutor(1) as meanwhile:  # TensorFlow's import takes longer than all reading
        if corrections:
            meanwhile.submit(model.prepare)
        material = gather(root, corrections, seed, progress)
    for warning in material.warnings:
        log.warning(warning)
    if not material.corrections:
        stored = f"none of {len(corrections)} corrections can be read" if corrections else NO_STORE
        return Verdict(DONE, "nothing to learn", f"Nothing to learn: {stored}.")
    doubts, outcome = study(root, material, seed, progress, options.without)
    if options.dry_run:
        word = "published" if outcome.decision.allowed else "refused"
        reason = outcome.decision.reason
        return Verdict(DONE, "dry run", f"Dry run: the candidate would be {word}: {reason}.")
    progress("Publishing", 0.9)
    report = describe(outcome, doubts) | {
        "trigger": options.trigger,
        "fingerprint": fingerprint,
        "seconds": round(time.monotonic() - began, 1),
    }
    log.info("Measured %s", json.dumps(report))
    return conclude(root, material, doubts, outcome, report)


def gather(
    root: Path,
    corrections: list[feedback.Correction],
    seed: int,
    progress: finetune.Progress,
) -> Material:
    """Return what the run works with: both parts of train.csv, and the corrections' rows.

    Corrections that cannot be read, or are held-out rows themselves, are left out with a warning
    that names them.
    """
    digits, labels = read_rows(root / TRAIN)
    apart = is_held_out(digits)
    forbidden = {digit.tobytes() for digit in digits[apart]}
    chosen, read_digits, warnings = [], [], []
    for i, correction in enumerate(draw(root, corrections, seed)):
        progress("Reading corrections", 0.05 + 0.1 * i / len(corrections))
        try:
            digit = images.read_digit(images.open_picture(root / correction.image))
        except (images.ImageError, OSError) as error:
            warnings.append(f"{correction.image} skipped: {error}")
            continue
        if digit.tobytes() in forbidden:
            warnings.append(f"{correction.image} skipped: {TRAIN} holds it out from all training.")
            continue
        read_digits.append(digit)
        chosen.append(correction)
    rows = (
        np.array(read_digits, np.uint8).reshape(-1, model.SIDE, model.SIDE),
        np.array([correction.actual for correction in chosen], np.int64),
    )
    replay, held_out = ((digits[part], labels[part]) for part in (~apart, apart))
    return Material(chosen, rows, replay, held_out, warnings)


def draw(
    root: Path, corrections: list[feedback.Correction], seed: int
) -> list[feedback.Correction]:
    """Return at most MAX_CORRECTIONS of them: those no run has seen, then others at random."""
    if len(corrections) <= MAX_CORRECTIONS:
        return corrections
    known = receipts.seen(root)
    order = np.random.default_rng(seed).permutation(len(corrections))
    shuffled = sorted((corrections[i] for i in order), key=lambda one: one.key in known)
    return shuffled[:MAX_CORRECTIONS]


def study(
    root: Path,
    material: Material,
    seed: int,
    progress: finetune.Progress,
    without: list[str],
) -> tuple[mislabelled.Doubts, finetune.Outcome]:
    """Return which corrections are doubted, and what became of learning the others.

    without: which SWITCHES are off.
    """
    progress("Loading the network", 0.2)
    net = model.load(root / versions.MODEL)
    first = first_network(root, net)
    progress("Looking for wrong labels", 0.4)
    seen, replayed = (
        mislabelled.Seen(*rows, *model.observe(net, rows[0]))
        for rows in (material.rows, material.replay)
    )
    vouched = np.array([one.answers >= VOUCHED for one in material.corrections])
    doubts = mislabelled.examine(seen, replayed, vouched)
    digits, labels = material.rows
    if doubts.too_many:
        reason = (
            f"{(~doubts.none).sum()} of {len(labels)} corrections look mislabelled, look at them "
            "again"
        )
        return doubts, finetune.learn_nothing(net, material.held_out, material.rows, reason)
    once = mislabelled.last_alike(digits) == np.arange(len(digits))
    kept = digits[doubts.none & once], labels[doubts.none & once]
    old = finetune.replay_rows(material.replay, replayed.answers, seed)
    if "replay" in without:
        old = old[:0]
    candidate = finetune.fine_tune(net, first or net, kept, old, seed, progress)
    progress("Judging the candidate", 0.75)
    gated = "gate" not in without
    return doubts, finetune.judge(
        net, candidate, material.held_out, material.rows, doubts, first, gated
    )


def first_network(root: Path, net: keras.Model) -> keras.Model | None:
    """Return the network that net, which is in service, descends from, None if it was lost."""
    origin = versions.baseline(root)
    if origin and origin.read_bytes() == (root / versions.MODEL).read_bytes():
        return net
    with suppress(model.ModelError):
        return origin and model.load(origin)
    return None


def conclude(
    root: Path,
    material: Material,
    doubts: mislabelled.Doubts,
    outcome: finetune.Outcome,
    report: dict,
) -> Verdict:
    """Publish the candidate or record its refusal, with a receipt either way."""
    with scratch_folder(root) as folder:
        path = folder / "candidate.h5"  # Keras refuses other endings
        decision = outcome.decision
        if decision.allowed:
            model.save(outcome.candidate, path)
            answers = answers_afresh(path, material.rows[0])
            decision = gate.answers_alike(outcome.corrections.after, answers) or decision
        flips = material.held_out[0][outcome.held_out.fixed | outcome.held_out.broken]
        number = len(versions.history(root)) + 1
        answers = outcome.corrections, outcome.held_out
        report["receipt"] = receipts.write(
            root, number, material.corrections, *answers, flips, doubts.reasons
        )
        report["reason"] = decision.reason
        if decision.allowed:
            version = versions.publish(root, path, report)
            message = f"Published {version.short}: {decision.reason}."
            return Verdict(DONE, versions.PUBLISHED, message)
    version = versions.register(root)
    versions.append(root, versions.REFUSED, version, **report)
    message = f"Refused, {version.short} stays: {decision.reason}."
    return Verdict(REFUSED, versions.REFUSED, message)


def describe(outcome: finetune.Outcome, doubts: mislabelled.Doubts) -> dict:
    """Return what the history says of a run: counts, held-out accuracy with interval, the step."""
    held_out, corrections = outcome.held_out, outcome.corrections.of(doubts.none)
    n = len(held_out.labels)
    hits = {
        when: int(metrics.right(held_out.labels, answers).sum())
        for when, answers in (("before", held_out.before), ("after", held_out.after))
    }
    return {
        "corrections": len(outcome.corrections.labels),
        "held_back": int((~doubts.none).sum()),
        "learned": int(metrics.right(corrections.labels, corrections.after).sum()),
        "held_out_rows": n,
        "accuracy_before": hits["before"] / n,
        "accuracy_after": hits["after"] / n,
        "interval_after": metrics.wilson(hits["after"], n),
        "fixed": int(held_out.fixed.sum()),
        "broken": int(held_out.broken.sum()),
        "step": outcome.step,
    }


def fingerprint_of(root: Path, corrections: list[feedback.Correction]) -> str:
    """Return a hex digest of all that decides a run: corrections, answers and the baseline.

    The version in service is no part of it: after a roll back, the same run would bring back
    what was rolled back.
    """
    lines = sorted(f"{one.image} {one.actual} {one.answers}" for one in corrections)
    origin = versions.baseline(root) if (root / versions.MODEL).exists() else None
    content = origin.read_bytes() if origin else b""
    return hashlib.sha256("\n".join(lines).encode() + content).hexdigest()


def last_fingerprint(root: Path) -> str | None:
    """Return the fingerprint of the last run that was decided, None before the first."""
    prints = [r["fingerprint"] for r in versions.history(root) if "fingerprint" in r]
    return prints[-1] if prints else None


@contextmanager
def scratch_folder(root: Path) -> Iterator[Path]:
    """Lend a folder beside the versions that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix=SCRATCH, dir=root / versions.FOLDER) as folder:
        yield Path(folder)


def sweep(root: Path) -> None:
    """Remove what a killed run left behind; the caller holds the run's lock."""
    for folder in (root, root / versions.FOLDER, root / versions.FOLDER / receipts.FOLDER):
        durable.sweep(folder)
    for folder in (root / versions.FOLDER).glob(f"{SCRATCH}*"):
        shutil.rmtree(folder, ignore_errors=True)
    feedback.sweep(root)


if __name__ == "__main__":
    sys.exit(main())
