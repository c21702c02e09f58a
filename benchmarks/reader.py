"""How well `digits/images` reads pictures, beside the plain way (resize and invert).

    python benchmarks/reader.py [--pictures DIR]

DIR holds real pictures and `pictures.csv` with the columns file, label, kind; without it the
simulated pictures alone are read. Prints a table with goals; takes a few minutes.
"""

import argparse
import csv
import io
import statistics
import time
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from digits import images, metrics, model
from digits.rows import is_held_out, read_rows
from tests import pictures

ROOT = Path(__file__).resolve().parents[1]

ROW = "{:<34} {:>9} {:>18} {:>8} {:>7} {:>10}"


def main(argv=None):
    options = _options(argv)
    cv2.setNumThreads(1)  # times are of one core
    net = model.load(options.model)
    rows, labels = read_rows(ROOT / "train.csv")
    held = is_held_out(rows)
    rows, labels = rows[held], labels[held]
    print(ROW.format("what", "right", "95 % interval", "plainly", "goal", "pictures"))
    if options.pictures:
        real_pictures(net, options.pictures)
    simulated(net, rows, labels, options.count)
    invariance(net, rows, max(400, options.count))
    held_out_rows(net, rows, labels)
    enlarged(net)
    times(rows)


def real_pictures(net, folder):
    """People's own pictures, overall and by kind, and the list of those misread."""
    with open(folder / "pictures.csv", newline="") as file:
        listed = list(csv.DictReader(file))
    opened = [images.open_picture(folder / one["file"]) for one in listed]
    labels = np.array([int(one["label"]) for one in listed])
    kinds = np.array([one["kind"] for one in listed])
    guesses, plain = guess(net, opened)
    report("real pictures", guesses == labels, plain == labels, 99)
    for kind in sorted(set(kinds)):
        of = kinds == kind
        report(f"  {kind}", (guesses == labels)[of], (plain == labels)[of])
    for one, right, digit in zip(listed, guesses == labels, guesses, strict=True):
        if not right:
            print(f"  wrong: {one['file']} read as {digit if digit >= 0 else 'nothing'}")


def simulated(net, rows, labels, count):
    """Every kind of simulated picture, of other digits each, read as the page reads any picture.

    Then the same as one digit, as what is stored is read.
    """
    right, as_one, plainly = [], [], []
    for number, kind in enumerate(pictures.KINDS):
        rng = np.random.default_rng([1, number])
        chosen = rng.choice(len(rows), count, replace=False)
        drawn = [pictures.draw(kind, rows[index], rng) for index in chosen]
        guesses, plain = guess(net, drawn)
        read = [text(net, one) for one in drawn] == labels[chosen].astype(str)
        report(f"simulated: {kind}", read, plain == labels[chosen], 97)
        right.extend(read)
        as_one.extend(guesses == labels[chosen])
        plainly.extend(plain == labels[chosen])
    report("simulated: all", right, plainly, 99)
    report("simulated: all, as one digit", as_one, plainly, 99)


def invariance(net, rows, count):
    """The same drawing shifted, scaled 0.5 to 2 times, recoloured, inverted: the same answer?"""
    rng = np.random.default_rng(2)
    first, changed = [], []
    for index in rng.choice(len(rows), count, replace=False):
        for page_side, high in ((400, 130), (400, int(rng.integers(65, 260)))):
            ink = pictures.pen_strokes(rows[index], high, np.random.default_rng(0))
            page = pictures.on_page(ink, page_side, page_side, rng)
            first.append(page)
        changed += [first.pop()]
    ways = {
        "shifted and scaled": lambda page: pictures.blend(page, (255,) * 3, (0,) * 3),
        "recoloured too": lambda page: pictures.blend(
            page, rng.uniform(170, 255, 3), rng.uniform(0, 90, 3)
        ),
        "inverted too": lambda page: pictures.blend(page, (0,) * 3, (255,) * 3),
    }
    base = guess(net, [pictures.as_picture(ways["shifted and scaled"](page)) for page in first])
    for name, way in ways.items():
        guesses, plain = guess(net, [pictures.as_picture(way(page)) for page in changed])
        report(f"same answer: {name}", guesses == base[0], plain == base[1], 99)


def held_out_rows(net, rows, labels):
    """MNIST's own rows through the reader: what is lost against giving them to the network.

    As they are, they pass the reader untouched; somewhere on a page three times as wide they don't.
    """
    direct = model.predict(net, rows).argmax(axis=1)
    rng = np.random.default_rng(3)
    side = 3 * rows.shape[1]
    pages = [pictures.on_page(row.astype(np.float32), side, side, rng) for row in rows]
    for name, shown in (("", list(rows)), (", on a page", pages)):
        guesses, plain = guess(net, [pictures.as_picture(one) for one in shown])
        report(f"held-out rows{name}", guesses == labels, plain == labels)
        lost = 100 * (np.mean(direct == labels) - np.mean(guesses == labels))
        print(f"  lost against the rows themselves: {lost:.3f} points (goal: at most 0.05)")


def enlarged(net):
    """scikit-learn's 8 x 8 digits, from other hands, enlarged to 320 px, with and without margin.

    Their ink touches the frame: without a margin it is a crop as close as can be.
    """
    try:
        from sklearn.datasets import load_digits
    except ImportError:
        print("  load_digits left out: scikit-learn is not installed")
        return
    found = load_digits()
    small = (found.images * (255 / 16)).astype(np.uint8)
    big = [cv2.resize(one, (320, 320), interpolation=cv2.INTER_CUBIC) for one in small]
    for name, margin in (("", 0), (", with margin", 40)):
        framed = [cv2.copyMakeBorder(one, *[margin] * 4, cv2.BORDER_CONSTANT) for one in big]
        guesses, plain = guess(net, [Image.fromarray(one) for one in framed])
        report(f"load_digits, enlarged{name}", guesses == found.target, plain == found.target, 96)


def times(rows):
    """A 12-megapixel JPEG, opened and read, and a 280-pixel drawing, read: median and spread."""
    rng = np.random.default_rng(4)
    file = io.BytesIO()
    large = pictures.photo(rows[0], rng).resize((4032, 3024))
    noise = rng.normal(0, 3, (3024, 4032, 1))
    pictures.as_picture(np.asarray(large) + noise).save(file, "JPEG", quality=85)
    ink = pictures.pen_strokes(rows[1], 200, rng, 14)
    page = cv2.GaussianBlur(pictures.on_page(ink, 280, 280, rng), (0, 0), 0.7)
    drawing = pictures.as_picture(pictures.blend(page, (0,) * 3, (255,) * 3))
    for name, goal, run in (
        ("12-megapixel JPEG", 60, lambda: images.read_digit(_open(file))),
        ("  opening it alone", None, lambda: _open(file)),
        ("280-pixel drawing", 5, lambda: images.read_digit(drawing)),
    ):
        took = [_milliseconds(run) for _ in range(30)][5:]
        low, _, high = statistics.quantiles(took)
        aim = f"goal: at most {goal}" if goal else ""
        print(f"{name:<34} {statistics.median(took):6.1f} ms ({low:.1f} to {high:.1f}) {aim}")


def guess(net, opened):
    """(through the reader, the plain way): int (n,) digits; -1 where the reader sees none."""
    read, plain = [], []
    for picture in opened:
        try:
            read.append(images.read_digit(picture))
        except images.ImageError:
            read.append(None)
        plain.append(plain_digit(picture))
    digits = np.array([np.zeros((28, 28), np.uint8) if one is None else one for one in read])
    guesses = model.predict(net, digits).argmax(axis=1)
    guesses[[one is None for one in read]] = -1
    return guesses, model.predict(net, np.array(plain)).argmax(axis=1)


def text(net, picture):
    """What the page shows of a picture: its digits, or "" where it sees none."""
    try:
        return images.read_digits(picture, net).text()
    except images.ImageError:
        return ""


def plain_digit(picture):
    """What most pages do: resize to 28 x 28, invert when most of it is bright."""
    gray = np.asarray(picture.convert("RGB").convert("L").resize((28, 28), Image.Resampling.BOX))
    return 255 - gray if gray.mean() > 127 else gray


def report(name, right, plainly, goal=None):
    """One line: the share of right ones with its Wilson interval, beside the plain way and goal."""
    low, high = metrics.wilson(int(np.sum(right)), len(right))
    share, plain_share = 100 * np.mean(right), 100 * np.mean(plainly)
    aim = "" if goal is None else f"{goal} {'met' if share >= goal else 'NOT'}"
    interval = f"{100 * low:.2f} to {100 * high:.2f}"
    print(
        ROW.format(name, f"{share:.2f}", interval, f"{plain_share:.1f}", aim, len(right)),
        flush=True,
    )


def _open(file):
    file.seek(0)
    return images.open_picture(file)


def _milliseconds(run):
    start = time.process_time()
    run()
    return 1000 * (time.process_time() - start)


def _options(argv):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", type=Path, help="folder of real pictures with pictures.csv")
    parser.add_argument("--model", type=Path, default=ROOT / "model.h5")
    parser.add_argument("--count", type=int, default=200, help="simulated pictures of each kind")
    return parser.parse_args(argv)


if __name__ == "__main__":
    main()
