"""Ten thousand damaged and hostile uploads: each is read, or refused with `ImageError`.

    python stress/pictures.py [--count 10000] [--seed 0]

Child processes read them, so that a crash of a decoder is seen too. Prints what became of each
kind, the slowest and the one that took most memory; fails beyond two seconds or 500 MB.
"""

import argparse
import io
import multiprocessing
import os
import sys
import time
from collections import Counter
from itertools import cycle
from pathlib import Path

from digits import images
from tests.uploads import BOMBS, ODD, bomb, odd, upload

ROOT = Path(__file__).resolve().parents[1]

MAX_SECONDS = 2.0  # of the reader's own CPU time for one upload
MAX_MEMORY = 500  # MB, the whole process that reads
READERS = 2
OUTCOMES = ("a digit", "no digit", "refused")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    readers = [Reader() for _ in range(READERS)]
    for (name, data), reader in zip(uploads(options.count, options.seed), cycle(readers)):
        reader.read(name, data)
    results = [result for reader in readers for result in reader.finish()]
    outcomes = Counter((name.split()[0], outcome) for name, outcome, _, _ in results)
    slowest = max((seconds, name) for name, _, seconds, _ in results)
    largest = max((memory, name) for name, _, _, memory in results)
    faults = [
        f"{name}: {outcome}, {seconds:.2f} s, {memory:.0f} MB"
        for name, outcome, seconds, memory in results
        if outcome not in OUTCOMES or seconds > MAX_SECONDS or memory > MAX_MEMORY
    ]
    for (kind, outcome), count in sorted(outcomes.items()):
        print(f"{kind:<10} {outcome:<8} {count:>6}")
    print(f"slowest: {slowest[0]:.2f} s of CPU ({slowest[1]})")
    print(f"largest: {largest[0]:.0f} MB in the reading process ({largest[1]})")
    if faults:
        sys.exit("\n".join(faults))


class Reader:
    """A process that reads one upload while the next is made."""

    def __init__(self):
        context = multiprocessing.get_context("spawn")  # this process makes bombs: another memory
        self._pipe, theirs = context.Pipe()
        context.Process(target=read_all, args=(theirs,), daemon=True).start()
        theirs.close()
        self._results, self._name = [], None

    def read(self, name, data):
        """Have the next upload read, once the last is."""
        self.finish()
        self._pipe.send_bytes(data)
        self._name = name

    def finish(self):
        """Return name, outcome, seconds and memory of every upload so far."""
        if self._name:
            try:
                self._results.append((self._name, *self._pipe.recv()))
            except EOFError:
                sys.exit(f"The reader died of an upload: {self._name}")
            self._name = None
        return self._results


def uploads(count, seed):
    """Yield every bomb and oddity once, then damaged uploads, `count` in all."""
    for number in range(len(BOMBS)):
        yield f"bomb {number}", bomb(number)
    for number in range(len(ODD)):
        yield f"odd {number}", odd(number)
    for number in range(count - len(BOMBS) - len(ODD)):
        name, data = upload(seed + number)
        yield f"{name} {seed + number}", data


def read_all(pipe):
    """Read what comes; answer with the outcome, the seconds of CPU, the peak memory in MB."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # decoders complain there, of nearly every upload
    while True:
        try:
            data = pipe.recv_bytes()
        except EOFError:
            return
        forget_peak()
        began = time.process_time()
        outcome = read(data)
        pipe.send((outcome, time.process_time() - began, peak_memory()))


def read(data):
    """Return one of OUTCOMES, or an exception that has no business there."""
    try:
        picture = images.open_picture(io.BytesIO(data))
    except images.ImageError:
        return "refused"
    except Exception as error:
        return repr(error)
    try:
        images.read_digit(picture)
    except images.ImageError:
        return "no digit"
    except Exception as error:
        return f"read_digit: {error!r}"
    return "a digit"


def forget_peak():
    """Let `peak_memory` begin again (proc(5), clear_refs)."""
    Path("/proc/self/clear_refs").write_text("5")


def peak_memory():
    """Return the most memory this process had since `forget_peak`, in MB (proc(5), VmHWM)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


if __name__ == "__main__":
    main()
