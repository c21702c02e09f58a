"""How fast `python -m digits.bulk` reads many pictures, and with how much memory.

    python benchmarks/bulk.py [--kind scan] [--counts 500 5000]

Beside it the plain way: one process that reads them in a loop, with the same reader. Prints
pictures a second, the peak memory of all its processes together, and the ratio to the plain way,
measured in the same run. Takes some minutes; 50,000 scans take half an hour on two cores.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil

from digits.home import PROJECT
from digits.rows import TRAIN, is_held_out, read_rows
from tests import pictures

ROW = "{:<12} {:>9} {:>12} {:>9} {:>9}"
DRAWN = 100  # different pictures; more are links to these
LOOP = """
import sys
from pathlib import Path
from digits import images, model
net = model.load_light(sys.argv[2])
for path in Path(sys.argv[1]).iterdir():
    images.read_digits(images.open_picture(path), net)
"""


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--kind", choices=pictures.KINDS, default="photo", help="of picture")
    parser.add_argument("--counts", type=int, nargs="+", default=[500, 5_000])
    options = parser.parse_args()
    print(ROW.format(options.kind, "pictures", "pictures/s", "MB", "ratio"))
    for count in options.counts:
        with tempfile.TemporaryDirectory() as folder:
            scans = draw(Path(folder, "scans"), options.kind, count)
            plain = report("plain loop", count, ["-c", LOOP, scans, PROJECT / "model.h5"], None)
            for workers in (1, 2):
                out = Path(folder, f"out-{workers}")
                job = ["-m", "digits.bulk", scans, out, "--workers", workers]
                report(f"{workers} worker" + "s" * (workers > 1), count, job, plain)


def draw(folder: Path, kind: str, count: int) -> Path:
    """Return the folder, filled with so many pictures of that kind, of one digit each."""
    folder.mkdir()
    digits, _ = read_rows(PROJECT / TRAIN)
    digits = digits[is_held_out(digits)]
    rng = np.random.default_rng(0)
    for i in range(count):
        path = folder / f"{i:06}.jpg"
        if i < DRAWN:
            pictures.draw(kind, digits[i], rng).convert("RGB").save(path, quality=90)
        else:
            path.hardlink_to(folder / f"{i % DRAWN:06}.jpg")
    return folder


def report(name: str, count: int, arguments: list, plain: float | None) -> float:
    """Run Python with the arguments, print a row, return the pictures read a second."""
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, *map(str, arguments)], cwd=PROJECT, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    peak = 0
    while process.poll() is None:
        peak = max(peak, memory(process.pid))
        time.sleep(0.2)
    if process.returncode:
        raise SystemExit(f"{name} ended with {process.returncode}")
    speed = count / (time.perf_counter() - began)
    ratio = f"{speed / plain:.2f}" if plain else ""
    print(ROW.format(name, f"{count:,}", f"{speed:.1f}", f"{peak / 1e6:.0f}", ratio), flush=True)
    return speed


def memory(pid: int) -> int:
    """Return the bytes that a process and its children hold."""
    try:
        process = psutil.Process(pid)
        return sum(one.memory_info().rss for one in [process, *process.children(recursive=True)])
    except psutil.NoSuchProcess:
        return 0


if __name__ == "__main__":
    main()
