"""Eight processes add 250 corrections each: while others change, export and learn, nothing is lost.

    python stress/store.py [--processes 8] [--each 250] [--database]

First alone, then beside one process that confirms, relabels, removes and restores, one that
exports, and two real fine-tunings started at once, of which one runs. With --database, the homes
are in PostgreSQL. Prints the counts and seconds; fails if a row, a picture or a change is missing.
"""

import argparse
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
import zipfile
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import numpy as np
from PIL import Image

from digits import feedback, model
from digits.feedback import archive, corrections
from digits.home import TABLE, Home
from finetuning import DONE, LOCKED, REFUSED
from tests import postgres
from tests.homes import PROJECT, add_misread

CHANGED = 40  # corrections that are there before, and are changed while others are added


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--processes", type=int, default=8)
    parser.add_argument("--each", type=int, default=250)
    parser.add_argument("--database", action="store_true", help="a home in PostgreSQL")
    options = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        os.environ["XDG_CACHE_HOME"] = str(folder / "cache")
        places = [folder / "one", folder / "two"]
        places = postgres.lent(stack, 2, "") if options.database else places
        home, other = map(Home.at, places)
        home.fill()
        seconds = add_at_once(home, options.processes, options.each)
        check(home, options.processes * options.each, "alone", seconds)
        other.fill()
        beside_others(other, options.processes, options.each)


def beside_others(home, processes, each):
    """Add while corrections are changed and exported, and learned from by finetuning.py."""
    add_misread(home, model.load_light(home.model), CHANGED)
    learning = [learn(home), learn(home)]
    context = multiprocessing.get_context("spawn")
    stop = context.Event()
    busy = [context.Process(target=work, args=(home, stop)) for work in (change, export)]
    for process in busy:
        process.start()
    seconds = add_at_once(home, processes, each)
    stop.set()
    for process in busy:
        process.join()
    check(home, CHANGED + processes * each, "beside others", seconds)
    ended = sorted(end(run) for run in learning)
    for code, said in ended:
        print(f"finetuning.py: exit code {code}, {said}")
    codes = [process.exitcode for process in busy]
    if codes != [0, 0] or ended[0][0] not in (DONE, REFUSED) or ended[1][0] != LOCKED:
        sys.exit(f"Changing and exporting ended with {codes}; one fine-tuning was to run.")


def learn(home):
    """Start a fine-tuning; return its process."""
    command = [sys.executable, PROJECT / "finetuning.py", "--root", str(home)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def end(run):
    """Wait for a fine-tuning; return its exit code and its sentence."""
    said = run.communicate()[0]
    return run.returncode, said.strip().rpartition("\n")[2]


def add_at_once(home, processes, each):
    """Add from several processes; return the seconds."""
    began = time.monotonic()
    with ProcessPoolExecutor(processes, multiprocessing.get_context("spawn")) as pool:
        list(pool.map(add_many, [home] * processes, range(processes), [each] * processes))
    return time.monotonic() - began


def add_many(home, worker, count):
    """Store `count` corrections that no other worker stores."""
    for number in range(count):
        pixels = np.random.default_rng(worker * count + number).integers(0, 256, (40, 40, 3))
        feedback.add(home, Image.fromarray(pixels.astype(np.uint8)), worker, 9)


def change(home, stop):
    """Change the first corrections in turn until told to stop; each comes to stand as an 8 again.

    Raises StoreError or AssertionError when a change is lost.
    """
    rounds = 0
    while not stop.is_set() or rounds == 0:
        for one in feedback.load(home)[0][:CHANGED]:
            other = feedback.relabel(home, one, (one.actual + 1) % 10)
            feedback.restore(home, feedback.remove(home, feedback.confirm(home, other)))
            assert find(home, one.image) == (other.actual, 2), "a change was lost"
            feedback.relabel(home, other, one.actual)
        rounds += 1
    print(f"changed: {rounds * CHANGED * 5} times")


def find(home, image):
    """Return the label and the votes of the correction with that image."""
    found = next(one for one in feedback.load(home)[0] if one.image == image)
    return found.actual, found.votes


def export(home, stop):
    """Export again and again until told to stop; each zip must be whole, with all it names."""
    rounds = 0
    while not stop.is_set() or rounds == 0:
        with zipfile.ZipFile(archive.export(home)) as held:
            assert held.testzip() is None
            lines = held.read(TABLE).decode().splitlines()[1:]
            assert {line.split(",")[2] for line in lines} <= set(held.namelist())
        rounds += 1
    print(f"exported: {rounds} times, {len(lines)} rows in the last")


def check(home, expected, when, seconds):
    """Print the counts of the store; end the command unless all is there, once."""
    stored, warnings = feedback.load(home)  # also brings what others wrote to a database
    lines = home.table.read_text().splitlines()
    headers = sum(line.startswith(corrections.COLUMNS[0]) for line in lines)
    images = {path.name for path in home.images.iterdir()}
    print(
        f"{when}: {len(lines) - headers} rows, {len(images)} images, {headers} header, "
        f"{len(warnings)} warnings, {expected} expected, {seconds:.1f} s"
    )
    named = {Path(one.image).name for one in stored}
    if (len(lines) - headers, headers, warnings) != (expected, 1, []) or images != named:
        sys.exit("Something was lost.")


if __name__ == "__main__":
    main()
