"""Kill a fine-tuning at a hundred random moments; whatever the moment, the loop must go on.

    python stress/crash.py [--moments 100] [--seconds 300] [--seed 0]

Every run is `finetuning.main` in a process of its own, made small, and forked from one that has
TensorFlow imported already: nothing is written during that import, and a kill there is cheap talk.
Two roots side by side. Every other moment is drawn over the whole run, the others over its last
part, in which everything is written. After each `kill -9`: model.h5 is, to the byte, a network
that was published, and loads; the history has no torn line; the store is as it was. After the last,
a run publishes and leaves no litter. Prints what the runs were doing when they were struck; a
fault, or fewer moments than asked for within the seconds, ends in an assertion.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import multiprocessing
import os
import signal
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pandas  # noqa: F401  for all runs at once, as all modules here

import finetuning
from digits import durable, feedback, model, versions
from digits.jobs import progress
from digits.page.sandbox import SANDBOX
from digits.rows import TRAIN
from tests.roots import PROJECT, add_misread, make_root

# `patch` refuses a name that learning no longer has.
SMALL = {"RATES": (1e-3,), "ROUNDS": 1, "REPLAY_ROWS": 20}
ROWS = 25  # one in so many of train.csv
CORRECTIONS = 3
ROOTS = 2
PUBLISHING = "Publishing"  # the phase in which all is written
POLL = 0.002  # s between looks at the status
LOG = "said.txt"

FORK = multiprocessing.get_context("fork")


def prepare(root: Path) -> Path:
    """Return a small root in that folder, with corrections to learn."""
    make_root(root)
    rows = (PROJECT / TRAIN).read_text().splitlines(keepends=True)
    (root / TRAIN).unlink()  # a link to the project's
    (root / TRAIN).write_text("".join(rows[:1] + rows[1::ROWS]))
    add_misread(root, model.load_light(root / versions.MODEL), CORRECTIONS)
    (root / SANDBOX).touch()  # so few rows are none to judge by: each run is to publish
    return root


def strike_all(folder: Path, moments: int, seconds: float, seed: int) -> Counter:
    """Strike two roots in the folder at that many moments; return how many fell in which phase."""
    roots = [prepare(folder / str(i)) for i in range(ROOTS)]
    shares = [moments // ROOTS, moments - moments // ROOTS]
    seeds = [ROOTS * seed + i for i in range(ROOTS)]
    with ProcessPoolExecutor(ROOTS, multiprocessing.get_context("spawn")) as pool:
        return sum(pool.map(strike, roots, shares, [seconds] * ROOTS, seeds), Counter())


def strike(root: Path, moments: int, seconds: float, seed: int) -> Counter:
    """Kill runs at that many random moments; return how many fell into which phase.

    Raises AssertionError for any fault, or when the seconds are over before.
    """
    model.prepare()  # for all runs at once; a network used here would start threads, lost in forks
    ends = time.monotonic() + seconds
    store = contents(root)
    lengths = list(complete(root))
    rng = np.random.default_rng(seed)
    struck, loaded = Counter(), set()
    while (done := struck.total()) < moments:
        assert time.monotonic() < ends, f"only {done} of {moments} moments in {seconds:.0f} s"
        run = start(root)
        if done % 2:
            wait_until_publishing(root, run)
        share = (done // 2 + rng.random()) / -(-moments // 2)  # each part of the length gets one
        began = time.monotonic()
        if kill(run, share * lengths[done % 2]):
            struck[phase(root, run.pid)] += 1
        else:
            lengths[done % 2] = time.monotonic() - began  # the first took longer
        check(root, store, loaded)
        go_back(root)
    complete(root)
    check(root, store, loaded)
    return struck


def start(root: Path) -> multiprocessing.Process:
    """Start a small fine-tuning of the root; return its process."""
    run = FORK.Process(target=fine_tune, args=(root,))
    run.start()
    return run


def fine_tune(root: Path) -> None:
    """Be a fine-tuning that learns little, in a process group of its own, and end with its code."""
    import tensorflow

    tensorflow.config.run_functions_eagerly(True)  # compiling takes half of so small a run
    os.setsid()
    with open(root / LOG, "wb") as log:
        os.dup2(log.fileno(), sys.stdout.fileno())
        os.dup2(log.fileno(), sys.stderr.fileno())
    with patch.multiple("digits.learning.finetune", **SMALL):
        sys.exit(finetuning.main(["--root", str(root), "--force", "--without", "gate"]))


def complete(root: Path) -> tuple[float, float]:
    """Let a run publish and leave no litter; return its seconds, and those of its last part."""
    began = time.monotonic()
    run = start(root)
    wait_until_publishing(root, run)
    late = time.monotonic()
    run.join()
    ended = time.monotonic()
    assert run.exitcode == 0, (root / LOG).read_text()
    litter = [*root.rglob(f"*{durable.PARTIAL}"), *(root / versions.FOLDER).glob(".run-*")]
    assert not litter, litter
    go_back(root)
    return ended - began, ended - late


def wait_until_publishing(root: Path, run: multiprocessing.Process) -> None:
    """Return once the run writes its network, or has ended."""
    while run.is_alive():
        entry = progress.read(root)
        if (entry.get("pid"), entry.get("phase")) == (run.pid, PUBLISHING):
            return
        time.sleep(POLL)


def kill(run: multiprocessing.Process, after: float) -> bool:
    """Kill a run so many seconds from now; return whether it still ran."""
    run.join(after)
    run.kill()
    run.join()
    with suppress(ProcessLookupError):
        os.killpg(run.pid, signal.SIGKILL)  # the process that tries its network's file
    assert run.exitcode in (0, -signal.SIGKILL), run.exitcode
    return run.exitcode != 0


def phase(root: Path, pid: int) -> str:
    """Return what the run with this process number last said that it was doing."""
    entry = progress.read(root)
    if entry.get("pid") != pid:
        return "Starting"
    return entry["phase"] if entry["state"] == "running" else "Ending"


def go_back(root: Path) -> None:
    """Put the first network back, so that the next run has something to publish again."""
    if versions.current(root).short != "v1":
        versions.roll_back(root, "v1")


def check(root: Path, store: dict[str, bytes], loaded: set[str]) -> None:
    """Assert that the root is whole; loaded: hashes of the networks that were loaded before."""
    lines = (root / versions.FOLDER / versions.HISTORY).read_text().splitlines()
    known = {json.loads(line)["sha256"] for line in lines}
    sha256 = hashlib.sha256((root / versions.MODEL).read_bytes()).hexdigest()
    assert sha256 in known
    if sha256 not in loaded:
        model.load_light(root / versions.MODEL)  # with Keras, the next run loads it
        loaded.add(sha256)
    assert contents(root) == store
    assert feedback.load(root)[1] == []


def contents(root: Path) -> dict[str, bytes]:
    """Return every file of the store with its bytes."""
    paths = [root / feedback.TABLE, *(root / feedback.FOLDER).iterdir()]
    return {path.name: path.read_bytes() for path in paths if path.suffix != durable.PARTIAL}


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--moments", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=300, help="fail after so long")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        struck = strike_all(Path(folder), options.moments, options.seconds, options.seed)
    print(
        f"Killed at {struck.total()} random moments in {time.monotonic() - began:.0f} s: "
        "model.h5 always whole, no row lost, no litter.",
        *(f"{count:>5} in {name}" for name, count in struck.most_common()),
        sep="\n",
    )


if __name__ == "__main__":
    main()
