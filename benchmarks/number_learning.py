"""How a style is learned from numbers: digits misread or left out in rows -> rows read right.

    python benchmarks/number_learning.py [--corrections 20] [--rows 100] [--seeds 0 1 2]

Each row has four digits, the second a slashed 0, which MNIST lacks: the shipped network takes it
for another digit, or for none and leaves it out. As a person does on the page, what was left out is
read as a digit, and what is then wrong is corrected; then `finetuning.py` runs. The rows corrected
are of replay digits, those counted of held-out ones. Takes a minute a draw.
"""

import argparse
import io
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from digits import images, metrics, model
from digits.page.visit import Given, Visit
from digits.rows import TRAIN, is_held_out, read_rows
from digits.versions import Serving, current
from tests import number_pictures, pictures
from tests.homes import PROJECT, make_home
from tests.styles import restyle

GAP = 0.3  # of the height, between two digits
SECOND = 1  # the slashed 0's place in a row
MOST_ROWS = 500  # looked at for corrections
ROW = "{:<24} {:>5} {:>8} {:>18} {:>10}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--corrections", type=int, default=20)
    parser.add_argument("--rows", type=int, default=100)
    parser.add_argument("--seeds", type=int, nargs="*", default=[0], help="a draw for each")
    options = parser.parse_args()
    digits, labels = read_rows(PROJECT / TRAIN)
    apart = is_held_out(digits)
    replay, held_out = (digits[~apart], labels[~apart]), (digits[apart], labels[apart])
    print(ROW.format("rows of four digits", "n", "right", "95 % interval", "shipped"))
    for seed in options.seeds:
        with tempfile.TemporaryDirectory() as folder:
            home = make_home(Path(folder))
            shipped = model.load_light(home.model)
            learn(home, shipped, draw(*replay, MOST_ROWS, seed, True), options.corrections)
            learned = model.load_light(home.model)
        for kind, slashed in (("with a slashed 0", True), ("with a 0 as in MNIST", False)):
            rows = draw(*held_out, options.rows, seed + 1, slashed)
            before, after = hits(shipped, rows), hits(learned, rows)
            interval = "{:.1%} to {:.1%}".format(*metrics.wilson(after, len(rows)))
            now, shipped_share = f"{after / len(rows):.1%}", f"{before / len(rows):.1%}"
            print(ROW.format(kind, len(rows), now, interval, shipped_share), flush=True)


def learn(home, net, rows, count):
    """Correct so many slashed 0s in the rows, run finetuning.py, and say what was done."""
    corrected, seen, left_out = correct(home, net, rows, count)
    print(f"{corrected} slashed 0s corrected in {seen} rows, {left_out} of them first left out")
    run = [sys.executable, PROJECT / "finetuning.py", "--root", str(home)]
    print(subprocess.check_output(run, text=True).strip())


def draw(digits, labels, count, seed, slashed):
    """Return pictures of rows with their texts, the second digit of each a 0."""
    rng = np.random.default_rng(seed)
    zeros = digits[labels == 0]
    rows = []
    for _ in range(count):
        hand = number_pictures.Hand(digits, labels, rng)
        zero = zeros[rng.integers(len(zeros))]
        zero = restyle(zero, 0, rng) if slashed else zero
        drawn = [hand.digit() for _ in range(3)]
        drawn.insert(SECOND, (pictures.pen_strokes(zero, hand.height, rng, hand.pen), "0"))
        space = np.zeros((1, round(GAP * hand.height)), np.float32)
        ink = number_pictures.side_by_side([part for ink, _ in drawn for part in (space, ink)], rng)
        page = np.pad(ink, hand.height // 2)
        rows.append((number_pictures.on_photo(page, rng), "".join(label for _, label in drawn)))
    return rows


def correct(home, net, rows, count):
    """Correct so many slashed 0s as a person does; return how many, in how many rows, left out."""
    visit, serving, left_out = Visit(home), Serving(net, current(home), ""), 0
    for seen, (picture, text) in enumerate(rows, 1):
        guesses, before = read(visit, picture, str(seen), serving), visit.stored
        is_left_out = len(guesses) == len(text) - 1 and len(guesses[0].place.number.unread) == 1
        if is_left_out:
            number = guesses[0].place.number
            i = number.left_out.index(number.unread[0])
            visit.regroup(guesses[0], images.included, i, lambda: serving)
            guesses = list(visit.guesses.values())
        if len(guesses) == len(text):
            visit.correct(guesses[SECOND], 0)
            left_out += is_left_out * (visit.stored - before)
        if visit.stored == count:
            break
    return visit.stored, seen, left_out


def read(visit, picture, key, serving):
    """Give the picture to a visit in the place of the last; return the guesses of its digits."""
    stream = io.BytesIO()
    picture.save(stream, "PNG")
    stream.seek(0)
    guesses = visit.read(Given(key, "row.png", stream), lambda: serving)
    visit.keep([guesses], {key})
    return guesses if isinstance(guesses, list) else []


def hits(net, rows):
    """Return how many rows net reads without a fault."""
    right = 0
    for picture, text in rows:
        try:
            right += images.read_digits(picture, net).text().replace(" ", "") == text
        except images.ImageError:
            continue
    return right


if __name__ == "__main__":
    main()
