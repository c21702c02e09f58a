"""Kill a fine-tuning at a hundred random moments; whatever the moment, the loop must go on.

    python stress/crash.py [--moments 100] [--seconds 300] [--seed 0] [--database]

Every run is `finetuning.main` in a process of its own, made small, and forked from one that has
TensorFlow imported already: nothing is written during that import, and a kill there is cheap talk.
Two homes side by side. Every other moment is drawn over the whole run, the others over its last
part, in which everything is written. After each `kill -9`: model.h5 is, to the byte, the network
that served before or the candidate that was announced, and loads; once settled, the history ends
with it; no line is torn; the store is as it was. After the last, a run publishes and leaves no
litter. With --database, the homes are in PostgreSQL. Prints what the runs were doing when they were
struck; a fault, or fewer moments than asked for within the seconds, ends in an assertion.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pandas  # noqa: F401  for all runs at once, as all modules here

import finetuning
from digits import durable, feedback, model, versions
from digits.home import Home
from digits.home.__main__ import copied
from digits.jobs import progress
from digits.rows import TRAIN
from digits.versions import networks
from tests import postgres
from tests.homes import PROJECT, add_misread, make_home

# `patch` refuses a name that learning no longer has.
SMALL = {"RATES": (1e-3,), "ROUNDS": 1, "REPLAY_ROWS": 20}
ROWS = 25  # one in so many of train.csv
CORRECTIONS = 3
HOMES = 2
PUBLISHING = "Publishing"  # the phase in which all is written
POLL = 0.002  # s between looks at the status
SAID = "said.txt"
FREED = 10.0  # s after a kill in which the database must notice

FORK = multiprocessing.get_context("fork")
End = Callable[[Home, multiprocessing.Process, float], bool]


def prepare(folder: Path) -> Home:
    """Return a small home in that folder, with corrections to learn."""
    home = make_home(folder)
    rows = (PROJECT / TRAIN).read_text().splitlines(keepends=True)
    home.train.unlink()  # a link to the project's
    home.train.write_text("".join(rows[:1] + rows[1::ROWS]))
    add_misread(home, model.load_light(home.model), CORRECTIONS)
    home.sandbox.touch()  # so few rows are none to judge by: each run is to publish
    return home


def carry(home: Home, address: str) -> Home:
    """Return the home in the database at an address, where it now is; without one, as it is."""
    if not address:
        return home
    there = Home.at(address)
    copied(home, there)
    there.sandbox.touch()
    return there


def kill(home: Home, run: multiprocessing.Process, after: float) -> bool:
    """Kill a run so many seconds from now; return whether it still ran."""
    run.join(after)
    run.kill()
    run.join()
    with suppress(ProcessLookupError):
        os.killpg(run.pid, signal.SIGKILL)  # the process that tries its network's file
    assert run.exitcode in (0, -signal.SIGKILL), run.exitcode
    return run.exitcode != 0


def strike_all(
    folder: Path,
    moments: int,
    seconds: float,
    seed: int,
    end: End = kill,
    addresses: Sequence[str] = ("",) * HOMES,
) -> Counter:
    """Strike two homes in the folder at that many moments; return how many fell in which phase.

    end: ends a run of a home so many seconds from now; returns whether it still ran. addresses: for
    each home that of a database to carry it to before, or "".
    """
    homes = [carry(prepare(folder / str(i)), addresses[i]) for i in range(HOMES)]
    shares = [moments // HOMES, moments - moments // HOMES]
    seeds = [HOMES * seed + i for i in range(HOMES)]
    with ProcessPoolExecutor(HOMES, multiprocessing.get_context("spawn")) as pool:
        ends = [end] * HOMES
        return sum(pool.map(strike, homes, shares, [seconds] * HOMES, seeds, ends), Counter())


def strike(home: Home, moments: int, seconds: float, seed: int, end: End) -> Counter:
    """End runs at that many random moments; return how many fell into which phase.

    Raises AssertionError for any fault, or when the seconds are over before.
    """
    model.prepare()  # for all runs at once; a network used here would start threads, lost in forks
    ends = time.monotonic() + seconds
    store = contents(home)
    lengths = list(complete(home))
    rng = np.random.default_rng(seed)
    struck, loaded = Counter(), set()
    while (done := struck.total()) < moments:
        assert time.monotonic() < ends, f"only {done} of {moments} moments in {seconds:.0f} s"
        run = start(home)
        if done % 2:
            wait_until_publishing(home, run)
        share = (done // 2 + rng.random()) / -(-moments // 2)  # each part of the length gets one
        began = time.monotonic()
        if end(home, run, share * lengths[done % 2]):
            struck[phase(home, run.pid)] += 1
        else:
            lengths[done % 2] = time.monotonic() - began  # the first took longer
        check(home, store, loaded)
        go_back(home)
    complete(home)
    check(home, store, loaded)
    return struck


def start(home: Home) -> multiprocessing.Process:
    """Start a small fine-tuning of the home; return its process."""
    run = FORK.Process(target=fine_tune, args=(home,))
    run.start()
    return run


def fine_tune(home: Home) -> None:
    """Be a fine-tuning that learns little, in a process group of its own, and end with its code."""
    import tensorflow

    tensorflow.config.run_functions_eagerly(True)  # compiling takes half of so small a run
    os.setsid()
    with open(home.folder / SAID, "wb") as log:
        os.dup2(log.fileno(), sys.stdout.fileno())
        os.dup2(log.fileno(), sys.stderr.fileno())
    with patch.multiple("digits.learning.finetune", **SMALL):
        sys.exit(finetuning.main(["--root", str(home), "--force", "--without", "gate"]))


def complete(home: Home) -> tuple[float, float]:
    """Let a run publish and leave no litter; return its seconds, and those of its last part."""
    began = time.monotonic()
    run = start(home)
    wait_until_publishing(home, run)
    late = time.monotonic()
    run.join()
    ended = time.monotonic()
    assert run.exitcode == 0, (home.folder / SAID).read_text()
    litter = [*home.folder.rglob(f"*{durable.PARTIAL}"), *home.versions.glob(".run-*")]
    assert not litter, litter
    go_back(home)
    return ended - began, ended - late


def wait_until_publishing(home: Home, run: multiprocessing.Process) -> None:
    """Return once the run writes its network, or has ended."""
    while run.is_alive():
        status = progress.read(home)
        if (status.pid, status.phase) == (run.pid, PUBLISHING):
            return
        time.sleep(POLL)


def phase(home: Home, pid: int) -> str:
    """Return what the run with this process number last said that it was doing."""
    status = progress.read(home)
    if status.pid != pid:
        return "Starting"
    return status.phase if status.state in (progress.RUNNING, "stopped") else "Ending"


def go_back(home: Home) -> None:
    """Put the first network back, so that the next run has something to publish again."""
    if versions.current(home).short != "v1":
        versions.roll_back(home, "v1")


def check(home: Home, store: dict[str, bytes], loaded: set[str]) -> None:
    """Assert that the home is whole; loaded: hashes of the networks that were loaded before."""
    wait_for_its_end(home)
    before = served(home)[-1:]
    announced = versions.announced(home)
    sha256 = networks.hash_of(home.model)
    assert sha256 in (before + [announced.sha256] if announced else before)
    versions.settle(home)
    assert sha256 == served(home)[-1]
    if sha256 not in loaded:
        model.load_light(home.model)  # with Keras, the next run loads it
        loaded.add(sha256)
    assert contents(home) == store
    assert feedback.load(home)[1] == []


def wait_for_its_end(home: Home) -> None:
    """Return when nothing of a killed run is at work: a folder's lock is free at once."""
    with home.together():  # what the run had told the database is done by now
        pass
    ends = time.monotonic() + FREED
    while home.database and home.is_running() and time.monotonic() < ends:
        time.sleep(POLL)
    assert not home.is_running()


def served(home: Home) -> list[str]:
    """Return the hashes of the networks that came into service, by the history's lines, as told."""
    records = [json.loads(line) for line in home.history.read_text().splitlines()]
    return [one["sha256"] for one in records if one["decision"] != versions.REFUSED]


def contents(home: Home) -> dict[str, bytes]:
    """Return every file of the store with its bytes."""
    paths = [home.table, *home.images.iterdir()]
    return {path.name: path.read_bytes() for path in paths if path.suffix != durable.PARTIAL}


@contextmanager
def places(n: int, database: bool) -> Iterator[tuple[Path, list[str]]]:
    """Lend a folder, and for each of n homes the address of an empty database, or ""."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        os.environ["XDG_CACHE_HOME"] = str(folder / "cache")
        yield folder, postgres.lent(stack, n) if database else [""] * n


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--moments", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=300, help="fail after so long")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--database", action="store_true", help="strike homes in PostgreSQL")
    options = parser.parse_args()
    began = time.monotonic()
    with places(HOMES, options.database) as (folder, homes):
        struck = strike_all(folder, options.moments, options.seconds, options.seed, addresses=homes)
    print(
        f"Killed at {struck.total()} random moments in {time.monotonic() - began:.0f} s: "
        "model.h5 always whole, no row lost, no litter.",
        *(f"{count:>5} in {name}" for name, count in struck.most_common()),
        sep="\n",
    )


if __name__ == "__main__":
    main()
