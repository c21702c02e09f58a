"""Ten thousand damaged and hostile uploads: each is read, or refused with `ImageError`.

    python stress/pictures.py [--count 10000] [--seed 0]

A child process reads them, so that a crash of a decoder is seen too. Prints what became of each
kind, the slowest and the one that took most memory; fails beyond two seconds or 500 MB.
"""

import argparse
import io
import multiprocessing
import sys
import time
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from digits import images  # noqa: E402
from tests.uploads import BOMBS, ODD, bomb, odd, upload  # noqa: E402

MAX_SECONDS = 2.0  # of the reader's own CPU time for one upload
MAX_MEMORY = 500  # MB, the whole process that reads
OUTCOMES = ("a digit", "no digit", "refused")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    context = multiprocessing.get_context("spawn")  # this process makes bombs: another memory
    ours, theirs = context.Pipe()
    reader = context.Process(target=read_all, args=(theirs,), daemon=True)
    reader.start()
    theirs.close()
    outcomes, slowest, largest, faults = Counter(), (0.0, ""), (0.0, ""), []
    for name, data in uploads(options.count, options.seed):
        try:
            ours.send_bytes(data)
            outcome, seconds, memory = ours.recv()
        except (EOFError, BrokenPipeError):
            sys.exit(f"The reader died of an upload: {name}")
        outcomes[name.split()[0], outcome] += 1
        slowest, largest = max(slowest, (seconds, name)), max(largest, (memory, name))
        if outcome not in OUTCOMES or seconds > MAX_SECONDS or memory > MAX_MEMORY:
            faults.append(f"{name}: {outcome}, {seconds:.2f} s, {memory:.0f} MB")
    for (kind, outcome), count in sorted(outcomes.items()):
        print(f"{kind:<10} {outcome:<8} {count:>6}")
    print(f"slowest: {slowest[0]:.2f} s of CPU ({slowest[1]})")
    print(f"largest: {largest[0]:.0f} MB in the reading process ({largest[1]})")
    if faults:
        sys.exit("\n".join(faults))


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
    """Let `peak_memory` begin anew (proc(5), clear_refs)."""
    Path("/proc/self/clear_refs").write_text("5")


def peak_memory():
    """Return the most memory this process had since `forget_peak`, in MB (proc(5), VmHWM)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


if __name__ == "__main__":
    main()
