"""Learn the stored corrections, forget nothing, and publish only what is provably no worse.

    python finetuning.py              learn what is new and replace model.h5, if the gate allows
    python finetuning.py --dry-run    the same, but write nothing
    python finetuning.py --history    what was decided so far
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
import multiprocessing
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from filelock import FileLock, Timeout

from digits import (
    doctor,
    evaluation,
    feedback,
    files,
    images,
    model,
    receipts,
    schedule,
    training,
    versions,
)
from digits.status import Status, read

if TYPE_CHECKING:
    import keras

DONE, FAILED, REFUSED, LOCKED, BAD_DATA = 0, 1, 3, 4, 5

UNUSABLE = (
    model.ModelError,
    evaluation.DataError,
    feedback.StoreError,
    versions.VersionError,
    schedule.ScheduleError,
)

NO_STORE = "no corrections are stored"
LOG = "finetuning.log"
LOG_BYTES = 1_000_000  # about a thousand runs; then a new file begins ...
LOG_FILES = 3  # ... and as many older ones stay
PERSON = "command line"  # the trigger of a run that somebody waits for
SCRATCH = ".run-"  # how the folder of a run's candidate begins

EPOCHS = 4
BATCH = 64  # rows a step: a few hundred rows still make enough steps
LEARNING_RATE = 4e-4
REPLAY_ROWS = 1_200  # a run: enough to hold old digits, few enough for seconds
CORRECTIONS_SHARE = 0.2  # of the rows of an epoch; more and old digits are forgotten
MAX_CORRECTIONS = 1_500  # a run, drawn at random beyond that: bounds time and memory
TEACHER_SHARE = 0.5  # of a replay row's target: the current network's answer; the rest its label
STEPS = (1.0, 0.85, 0.75, 0.65, 0.55, 0.45, 0.3, 0.15)  # of the way to the trained weights


log = logging.getLogger("digits")

Rows = tuple[np.ndarray, np.ndarray]  # digits, uint8 (n, 28, 28), and their labels, int (n,)
Progress = Callable[[str, float], None]  # told the phase, and the share of the run that is done


@dataclass
class Material:
    """All that one run works with; corrections stand in the same order as their rows."""

    net: keras.Model
    corrections: list[feedback.Correction]
    rows: Rows
    replay: Rows
    held_out: Rows
    warnings: list[str] = field(default_factory=list)


@dataclass
class Outcome:
    """A candidate, the step taken towards it, its answers beside the old ones, the decision."""

    candidate: keras.Model
    step: float
    held_out: evaluation.Answers
    corrections: evaluation.Answers
    decision: evaluation.Decision


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
        since = read(options.root).get("since", "just now")
        message = f"Another fine-tuning runs since {since}; this one did nothing."
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
    corrections, warnings = feedback.load(options.root)
    for warning in warnings:
        log.warning(warning)
    if options.dry_run or not corrections:
        return learn(options, corrections, progress=lambda phase, share: None)
    folder = options.root / versions.FOLDER
    folder.mkdir(exist_ok=True)
    with FileLock(folder / versions.LOCK, blocking=False):  # the kernel frees it if its holder dies
        sweep(options.root)
        status = Status(options.root, options.trigger, os.getpid())
        try:
            mend(options.root)
            verdict = learn(options, corrections, status.progress)
        except BaseException as error:
            status.finish("stopped", str(error) or "Stopped; model.h5 is as it was.", 1)
            raise
        status.finish(verdict.state, verdict.message, verdict.code)
    return verdict


def mend(root: Path) -> None:
    """Put the last good version back, and say so, when model.h5 is damaged or gone."""
    if versions.is_recorded(root):
        return
    _, version, problem = versions.serviceable(root, model.load)
    if problem:
        versions.restore(root, version)
        log.error("%s It was put back.", problem)


def learn(
    options: argparse.Namespace,
    corrections: list[feedback.Correction],
    progress: Progress,
) -> Verdict:
    """Train on the corrections, judge the candidate, publish it if the gate allows."""
    began = time.monotonic()
    root = options.root
    fingerprint = fingerprint_of(root, corrections)
    if corrections and not options.force and fingerprint == last_fingerprint(root):
        return Verdict(DONE, "nothing new", "Nothing new to learn since the last run.")
    seed = int(fingerprint[:8], 16)  # the same corrections, the same candidate
    material = gather(root, corrections, seed, progress)
    for warning in material.warnings:
        log.warning(warning)
    if not material.corrections:
        stored = f"none of {len(corrections)} corrections can be read" if corrections else NO_STORE
        return Verdict(DONE, "nothing to learn", f"Nothing to learn: {stored}.")
    candidate = fine_tune(material, seed, progress)
    progress("Judging the candidate", 0.75)
    outcome = judge(root, material, candidate)
    if options.dry_run:
        word = "published" if outcome.decision.allowed else "refused"
        reason = outcome.decision.reason
        return Verdict(DONE, "dry run", f"Dry run: the candidate would be {word}: {reason}.")
    progress("Publishing", 0.9)
    report = describe(outcome) | {
        "trigger": options.trigger,
        "fingerprint": fingerprint,
        "seconds": round(time.monotonic() - began, 1),
    }
    log.info("Measured %s", json.dumps(report))
    return conclude(root, material, outcome, report)


def gather(
    root: Path, corrections: list[feedback.Correction], seed: int, progress: Progress
) -> Material:
    """Return what the run works with: the current network, both parts of train.csv, the rows.

    Corrections that cannot be read, or are held-out rows themselves, are left out with a warning
    that names them.
    """
    digits, labels = evaluation.read_rows(root / evaluation.TRAIN)
    net = model.load(root / versions.MODEL)
    apart = evaluation.held_out(digits)
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
            warnings.append(
                f"{correction.image} skipped: {evaluation.TRAIN} holds it out from all training."
            )
            continue
        read_digits.append(digit)
        chosen.append(correction)
    rows = (
        np.array(read_digits, np.uint8).reshape(-1, model.SIDE, model.SIDE),
        np.array([correction.actual for correction in chosen], np.int64),
    )
    held_out = digits[apart], labels[apart]
    return Material(net, chosen, rows, (digits[~apart], labels[~apart]), held_out, warnings)


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


def fine_tune(material: Material, seed: int, progress: Progress) -> keras.Model:
    """Return a candidate trained on the corrections and replay rows; the current network stays.

    Three guards against forgetting: replay rows in every batch (Robins 1995,
    https://doi.org/10.1080/09540099550039318), their targets drawn towards the current network's
    answers (distillation, Li & Hoiem 2017, https://arxiv.org/abs/1606.09282), and batch norm
    frozen, since a few hundred rows of one hand would shift its statistics.
    """
    import keras

    candidate = keras.models.clone_model(material.net)
    candidate.set_weights(material.net.get_weights())
    norms = [x for x in candidate.layers if isinstance(x, keras.layers.BatchNormalization)]
    for norm in norms:
        norm.trainable = False
    digits, targets = mix(material, np.random.default_rng(seed))
    steps = EPOCHS * -(-len(digits) // BATCH)
    batches = iter(range(1, steps + 1))
    tell = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: progress(
            "Training", 0.2 + 0.5 * next(batches) / steps
        )
    )
    training.fit(
        candidate,
        digits,
        targets,
        epochs=EPOCHS,
        learning_rate=LEARNING_RATE,
        seed=seed,
        batch=BATCH,
        callbacks=[tell],
    )
    for norm in norms:
        norm.trainable = True
    return candidate


def mix(material: Material, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows of one epoch, uint8 (n, 28, 28), and their targets, float32 (n, 10).

    Corrections are repeated to CORRECTIONS_SHARE of the rows, so that a few still count.
    """
    digits, labels = material.rows
    replay, soft = replay_rows(material, rng)
    wanted = len(replay) * CORRECTIONS_SHARE / (1 - CORRECTIONS_SHARE)
    times = max(1, round(wanted / len(labels)))
    return (
        np.concatenate([replay, np.repeat(digits, times, axis=0)]),
        np.concatenate([soft, np.repeat(training.one_hot(labels), times, axis=0)]),
    )


def replay_rows(material: Material, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return replay digits and soft targets: every class alike, half of them the least sure.

    Rows near the border between two digits are those that training moves across it first
    (Aljundi et al. 2019, https://arxiv.org/abs/1908.04742).
    """
    digits, labels = material.replay
    answers = model.predict(material.net, digits)
    sureness = answers[np.arange(len(labels)), labels]
    each = REPLAY_ROWS // model.CLASSES // 2
    chosen = []
    for digit in range(model.CLASSES):
        rows = np.flatnonzero(labels == digit)
        rows = rows[np.argsort(sureness[rows])]
        others = rng.permutation(rows[each:])[:each]
        chosen += [rows[:each], others]
    chosen = np.concatenate(chosen)
    targets = training.one_hot(labels[chosen])
    return digits[chosen], targets + TEACHER_SHARE * (answers[chosen] - targets)


def judge(root: Path, material: Material, trained: keras.Model) -> Outcome:
    """Return the largest step from the current to the trained weights that passes the gate.

    Between two networks of one descent lie others that keep more of the old and most of the new
    (WiSE-FT, Wortsman et al. 2022, https://arxiv.org/abs/2109.01903). If none passes, the last
    and smallest step stands, with the gate's refusal.
    """
    old, new = material.net.get_weights(), trained.get_weights()
    before = [model.predict(material.net, rows[0]) for rows in (material.held_out, material.rows)]
    first = first_answers(root, material)
    for step in STEPS:
        trained.set_weights([a + step * (b - a) for a, b in zip(old, new, strict=True)])
        answers = [
            evaluation.Answers(labels, earlier, model.predict(trained, digits))
            for (digits, labels), earlier in zip(
                (material.held_out, material.rows), before, strict=True
            )
        ]
        decision = evaluation.gate(answers[0], first, answers[1])
        if decision.allowed:
            break
    return Outcome(trained, step, *answers, decision)


def first_answers(root: Path, material: Material) -> np.ndarray | None:
    """Return the first network's answers to the held-out rows, None when it cannot be read."""
    path = versions.baseline(root)
    if path is None:
        return None
    return model.predict(model.load(path), material.held_out[0])


def conclude(root: Path, material: Material, outcome: Outcome, report: dict) -> Verdict:
    """Publish the candidate or record its refusal, with a receipt either way."""
    with scratch_folder(root) as folder:
        path = folder / "candidate.h5"  # Keras refuses other endings
        model.save(outcome.candidate, path)
        decision = outcome.decision
        if decision.allowed and not answers_alike(
            path, material.rows[0], outcome.corrections.after
        ):
            decision = evaluation.Decision(False, "its file does not answer as it did in training")
        flips = material.held_out[0][outcome.held_out.fixed | outcome.held_out.broken]
        number = len(versions.history(root)) + 1
        answers = outcome.corrections, outcome.held_out
        report["receipt"] = receipts.write(root, number, material.corrections, *answers, flips)
        report["reason"] = decision.reason
        if decision.allowed:
            version = versions.publish(root, path, report)
            message = f"Published {version.short}: {decision.reason}."
            return Verdict(DONE, versions.PUBLISHED, message)
    version = versions.register(root)
    versions.append(root, versions.REFUSED, version, **report)
    message = f"Refused, {version.short} stays: {decision.reason}."
    return Verdict(REFUSED, versions.REFUSED, message)


def describe(outcome: Outcome) -> dict:
    """Return what the history says of a run: counts, held-out accuracy with interval, the step."""
    held_out, corrections = outcome.held_out, outcome.corrections
    n = len(held_out.labels)
    hits = {
        when: int(evaluation.right(held_out.labels, answers).sum())
        for when, answers in (("before", held_out.before), ("after", held_out.after))
    }
    return {
        "corrections": len(corrections.labels),
        "learned": int(evaluation.right(corrections.labels, corrections.after).sum()),
        "held_out_rows": n,
        "accuracy_before": hits["before"] / n,
        "accuracy_after": hits["after"] / n,
        "interval_after": evaluation.wilson(hits["after"], n),
        "fixed": int(held_out.fixed.sum()),
        "broken": int(held_out.broken.sum()),
        "step": outcome.step,
    }


def answers_alike(path: Path, digits: np.ndarray, expected: np.ndarray) -> bool:
    """Return whether the file, loaded in a fresh process, gives the expected answers."""
    context = multiprocessing.get_context("spawn")
    try:
        with ProcessPoolExecutor(1, mp_context=context) as pool:
            answers = pool.submit(answers_of_file, path, digits).result()
    except (model.ModelError, BrokenProcessPool):
        return False
    return np.allclose(answers, expected, atol=1e-4)


def answers_of_file(path: Path, digits: np.ndarray) -> np.ndarray:
    """Return the probabilities, float32 (n, 10), that the network in a file gives to digits."""
    return model.predict(model.load(path), digits)


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
        files.sweep(folder)
    for folder in (root / versions.FOLDER).glob(f"{SCRATCH}*"):
        shutil.rmtree(folder, ignore_errors=True)
    feedback.sweep(root)


if __name__ == "__main__":
    sys.exit(main())
