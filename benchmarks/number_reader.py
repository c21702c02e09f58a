"""How well `digits/images` reads numbers, beside the plain way and Tesseract.

    python benchmarks/number_reader.py [--pictures DIR] [--count N]

DIR holds real pictures and `numbers.csv` with the columns file, digits, kind. The plain way is
Otsu's threshold, contours from left to right, each resized. Tesseract is asked if it is installed.
Prints strings read without a fault and the digit error rate (edit distance over length), by kind;
takes a few minutes. (It is not called `numbers`: that would hide Python's own module.)
"""

from __future__ import annotations

import argparse
import csv
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from digits import images, metrics, model
from digits.home import MODEL, PROJECT
from digits.rows import TRAIN, is_held_out, read_rows
from tests import number_pictures

ROW = "{:<14} {:>5} {:>8} {:>18} {:>8} {:>8} {:>10} {:>7}"
PAGE_DIGITS = 100  # of the page that is timed, on one core
PAGE_GOAL = 300  # ms

Read = Callable[[Image.Image], str]


def main(argv: list[str] | None = None) -> None:
    """Print the table."""
    options = _options(argv)
    cv2.setNumThreads(1)  # times are of one core
    net = model.load_light(options.model)
    rows, labels = read_rows(PROJECT / TRAIN)
    held = is_held_out(rows)
    rows, labels = rows[held], labels[held]
    print(
        ROW.format(
            "kind", "n", "strings", "95 % interval", "errors", "plainly", "Tesseract", "goal"
        )
    )
    if options.pictures:
        real_pictures(net, options.pictures)
    simulated(net, rows, labels, options.count)
    page(net, rows, labels)


def real_pictures(net: object, folder: Path) -> None:
    """Print how people's own pictures are read, by kind, and those read with a fault."""
    with open(folder / "numbers.csv", newline="") as file:
        listed = list(csv.DictReader(file))
    opened = [images.open_picture(folder / one["file"]) for one in listed]
    wanted = [_digits(one["digits"]) for one in listed]
    got = report("real pictures", net, opened, wanted, 90)
    for kind in sorted({one["kind"] for one in listed}):
        of = [i for i, one in enumerate(listed) if one["kind"] == kind]
        report(f"  {kind}", net, [opened[i] for i in of], [wanted[i] for i in of])
    for one, text, read in zip(listed, wanted, got, strict=True):
        if read != text:
            print(f"  wrong: {one['file']}, {text}, read as {read or 'nothing'}")


def simulated(net: object, rows: np.ndarray, labels: np.ndarray, count: int) -> None:
    """Print how drawn numbers are read, by kind, and the rows of separate digits together."""
    goals = dict.fromkeys(number_pictures.SEPARATED, 97) | {"touching": 85}
    for number, kind in enumerate(number_pictures.KINDS):
        rng = np.random.default_rng([1, number])
        drawn = [number_pictures.draw(kind, rows, labels, rng) for _ in range(count)]
        wanted = [_digits(text) for _, text in drawn]
        report(kind, net, [picture for picture, _ in drawn], wanted, goals.get(kind))


def page(net: object, rows: np.ndarray, labels: np.ndarray) -> None:
    """Print how long a page of 100 digits takes on one core, read warm: the median of nine."""
    rng = np.random.default_rng(2)
    hand = number_pictures.Hand(rows, labels, rng, height=44)
    lines = [hand.row(10, 0.4)[0] for _ in range(PAGE_DIGITS // 10)]
    ink = cv2.copyMakeBorder(number_pictures.stacked(lines, 40), *[40] * 4, cv2.BORDER_CONSTANT)
    picture = number_pictures.on_photo(ink, rng)
    took = []
    for _ in range(10):
        start = time.process_time()
        number = images.read_digits(picture, net)
        took.append(1000 * (time.process_time() - start))
    print(
        f"{len(number)} of {PAGE_DIGITS} digits on a page of {picture.size} px: "
        f"{np.median(took[1:]):.0f} ms (goal: at most {PAGE_GOAL})"
    )


def report(
    name: str, net: object, opened: list[Image.Image], wanted: list[str], goal: int | None = None
) -> list[str]:
    """Print one line about pictures whose digits are wanted; return what was read."""
    got = [read(picture, net) for picture in opened]
    plain = [read_plainly(picture, net) for picture in opened]
    right = [sum(a == b for a, b in zip(texts, wanted, strict=True)) for texts in (got, plain)]
    low, high = metrics.wilson(right[0], len(wanted))
    share, plainly = (100 * hits / len(wanted) for hits in right)
    errors = sum(edits(a, b) for a, b in zip(got, wanted, strict=True)) / sum(map(len, wanted))
    other = "-"
    if shutil.which("tesseract"):
        hits = sum(read_by_tesseract(a) == b for a, b in zip(opened, wanted, strict=True))
        other = f"{100 * hits / len(wanted):.1f}"
    aim = "" if goal is None else f"{goal} {'met' if share >= goal else 'NOT'}"
    interval = f"{100 * low:.1f} to {100 * high:.1f}"
    cells = f"{share:.1f}", interval, f"{100 * errors:.2f}", f"{plainly:.1f}", other, aim
    print(ROW.format(name, len(wanted), *cells), flush=True)
    return got


def read(picture: Image.Image, net: object) -> str:
    """Return the digits of a picture, or "" where none are found."""
    try:
        return _digits(images.read_digits(picture, net).text())
    except images.ImageError:
        return ""


def read_plainly(picture: Image.Image, net: object) -> str:
    """Return what most pages would: Otsu, contours from left to right, each resized to 28 x 28."""
    gray = np.asarray(picture.convert("RGB").convert("L"))
    _, ink = cv2.threshold(gray, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    ink = 255 - ink if ink.mean() > 127 else ink
    outlines, _ = cv2.findContours(ink, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    boxes = sorted(cv2.boundingRect(outline) for outline in outlines)
    boxes = [box for box in boxes if box[3] > gray.shape[0] / 20]
    if not boxes:
        return ""
    cut = [cv2.resize(ink[y : y + h, x : x + w], (20, 20)) for x, y, w, h in boxes]
    digits = np.array([np.pad(one, 4) for one in cut])
    return "".join(map(str, model.predict(net, digits).argmax(axis=1)))


def read_by_tesseract(picture: Image.Image) -> str:
    """Return the digits that Tesseract finds in a block of text, dark on bright."""
    gray = np.asarray(picture.convert("L"))
    page = Image.fromarray(gray if gray.mean() > 127 else 255 - gray)
    with tempfile.NamedTemporaryFile(suffix=".png") as file:
        page.save(file)
        file.flush()
        command = ["tesseract", file.name, "-", "--psm", "6", "-c"]
        command += ["tessedit_char_whitelist=0123456789"]
        said = subprocess.run(command, capture_output=True, text=True, check=False)
    return _digits(said.stdout)


def edits(one: str, other: str) -> int:
    """Return the edit distance (Levenshtein 1966): characters to insert, delete or replace."""
    costs = list(range(len(other) + 1))
    for i, a in enumerate(one, 1):
        before, costs[0] = costs[0], i
        for j, b in enumerate(other, 1):
            before, costs[j] = costs[j], min(costs[j] + 1, costs[j - 1] + 1, before + (a != b))
    return costs[-1]


def _digits(text: str) -> str:
    """Return the digits of a text alone."""
    return "".join(filter(str.isdigit, text))


def _options(argv: list[str] | None) -> argparse.Namespace:
    """Return the command line's options."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", type=Path, help="folder of real pictures with numbers.csv")
    parser.add_argument("--model", type=Path, default=PROJECT / MODEL)
    parser.add_argument("--count", type=int, default=100, help="simulated pictures of each kind")
    return parser.parse_args(argv)


if __name__ == "__main__":
    main()
