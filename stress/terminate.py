"""Tell a fine-tuning to stop at two hundred random moments; it must end at once, and say so.

    python stress/terminate.py [--moments 200] [--seconds 600] [--seed 0] [--database]

As stress/crash.py, by SIGTERM: one moment in twenty falls into a real `finetuning.py`, which
imports TensorFlow meanwhile, the others into runs made small. Each run ends within five seconds, by
exit code 1 and with its sentence, in its status too, which says the truth of model.h5; its lock is
free. Prints what the runs were doing when they were told; a fault, or fewer moments than asked for
within the seconds, ends in an assertion.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np

import finetuning
from digits import versions
from digits.home import Home
from digits.jobs import progress
from stress import crash
from tests.homes import PROJECT

AT_ONCE = 5.0  # s from the signal to the end
REAL = 20  # one moment in so many falls into a process that is the command line's own
BEGINNING = 6.0  # s of such a run from which its moments are drawn: TensorFlow's import


def terminate(home: Home, run: multiprocessing.Process | Command, after: float) -> bool:
    """Tell a run to stop so many seconds from now; return whether it still ran."""
    before = home.model.read_bytes()
    run.join(after)
    if not run.is_alive():
        assert run.exitcode == finetuning.DONE, said(home)
        return False
    told = time.monotonic()
    os.kill(run.pid, signal.SIGTERM)
    run.join(AT_ONCE)
    took = time.monotonic() - told
    assert run.exitcode is not None, f"still alive {took:.1f} s after the signal"
    status = progress.read(home)
    ours = status if status.pid == run.pid else progress.Status()
    with home.run_lock():  # raises when somebody holds it
        pass
    if run.exitcode == -signal.SIGTERM and ours.state != progress.RUNNING:
        return False  # it had not begun yet, or had ended
    if run.exitcode == finetuning.DONE:
        return False  # it came to its end before it heard
    assert run.exitcode == finetuning.FAILED, (run.exitcode, ours, said(home))
    stays = home.model.read_bytes() == before
    sentence = finetuning.STOPPED if stays else finetuning.STOPPED_LATE
    assert said(home).endswith(f"{sentence}\n"), (stays, said(home))
    assert (ours.state, ours.message, ours.code) == ("stopped", sentence, 1), (stays, ours)
    return True


def said(home: Home) -> str:
    """Return what the last run printed."""
    return (home.folder / crash.SAID).read_text()


def strike_commands(home: Home, moments: int, seconds: float, seed: int) -> Counter:
    """Tell real runs of a home to stop at that many moments; return how many in which phase."""
    versions.register(home)
    rng = np.random.default_rng(seed)
    ends, store = time.monotonic() + seconds, crash.contents(home)
    struck, loaded = Counter(), set()
    while struck.total() < moments:
        assert time.monotonic() < ends, f"only {struck.total()} of {moments} in {seconds:.0f} s"
        run = Command(home)
        while run.is_alive() and progress.read(home).pid != run.pid:
            time.sleep(crash.POLL)
        if terminate(home, run, rng.uniform(0, BEGINNING)):
            struck[crash.phase(home, run.pid)] += 1
        crash.check(home, store, loaded)
        crash.go_back(home)
    return struck


class Command(subprocess.Popen):
    """A real `finetuning.py` of a home, to be told as multiprocessing's processes are."""

    def __init__(self, home: Home) -> None:
        words = ["--root", str(home), "--force", "--without", "gate"]
        with open(home.folder / crash.SAID, "wb") as file:
            command = [sys.executable, PROJECT / "finetuning.py", *words]
            super().__init__(command, stdout=file, stderr=subprocess.STDOUT)

    @property
    def exitcode(self) -> int | None:
        """The exit code, None while it runs."""
        return self.poll()

    def is_alive(self) -> bool:
        """Return whether it runs."""
        return self.poll() is None

    def join(self, timeout: float) -> None:
        """Wait for its end, but so many seconds at most."""
        with suppress(subprocess.TimeoutExpired):
            self.wait(timeout)


def strike_all(
    folder: Path,
    moments: int,
    seconds: float,
    seed: int,
    addresses: Sequence[str] = ("",) * (1 + crash.HOMES),
) -> Counter:
    """Tell runs to stop at that many moments; return how many fell into which phase.

    addresses: of the real runs' home and the others', as `crash.strike_all` takes them.
    """
    began, real = time.monotonic(), moments // REAL
    home = crash.carry(crash.prepare(folder / "real"), addresses[0])
    struck = strike_commands(home, real, seconds, seed)
    left = seconds - (time.monotonic() - began)
    return struck + crash.strike_all(folder, moments - real, left, seed, terminate, addresses[1:])


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--moments", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=600, help="fail after so long")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--database", action="store_true", help="stop those of homes in PostgreSQL")
    options = parser.parse_args()
    began = time.monotonic()
    with crash.places(1 + crash.HOMES, options.database) as (folder, homes):
        struck = strike_all(folder, options.moments, options.seconds, options.seed, homes)
    print(
        f"Told to stop at {struck.total()} random moments in {time.monotonic() - began:.0f} s: "
        f"each run ended within {AT_ONCE:.0f} s and said what is true, its lock free.",
        *(f"{count:>5} in {name}" for name, count in struck.most_common()),
        sep="\n",
    )


if __name__ == "__main__":
    main()
