"""Homes to try the loop on: the project's own model.h5 and train.csv in a folder of the test's."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from functools import cache
from itertools import islice
from pathlib import Path

import numpy as np
from PIL import Image

from digits import feedback, images, model
from digits.home import Home
from digits.rows import TRAIN, is_held_out, read_rows
from tests.styles import STYLED, on_paper, restyle

PROJECT = Path(__file__).resolve().parent.parent
AT_ONCE = 20  # pictures drawn and read until enough are misread: about a fifth is


def make_home(folder: Path) -> Home:
    """Return the home in the folder, now with model.h5 and train.csv."""
    folder.mkdir(parents=True, exist_ok=True)
    home, ours = Home.at(folder), Home.at(PROJECT)
    shutil.copy(ours.model, home.model)
    os.link(ours.train, home.train)
    return home


@cache
def _rows() -> tuple[np.ndarray, np.ndarray]:
    """Return the digits and labels of train.csv; not to be written to."""
    return read_rows(PROJECT / TRAIN)


def styled_pictures(n: int, seed: int = 0, held_out: bool = False) -> list[tuple[Image.Image, int]]:
    """Return n pictures in a style that MNIST lacks, with their labels.

    They are drawn on replay rows, or on held-out rows, which no correction is drawn on; beyond
    the 600 or 900 usable rows, on the same again with other strokes.
    """
    return list(_styled_pictures(n, seed, held_out))


def _styled_pictures(n: int, seed: int, held_out: bool) -> Iterator[tuple[Image.Image, int]]:
    """Yield what `styled_pictures` returns."""
    rng = np.random.default_rng(seed)
    digits, labels = _rows()
    part = is_held_out(digits) == held_out
    usable = np.flatnonzero(part & np.isin(labels, STYLED))
    chosen = np.concatenate([rng.permutation(usable) for _ in range(-(-n // len(usable)))])[:n]
    for i in chosen:
        picture = on_paper(restyle(digits[i], labels[i], rng))
        yield Image.fromarray(picture).convert("RGB"), labels[i]


def misread(net, n: int, seed: int = 0) -> list[tuple[Image.Image, int, int]]:
    """Return n styled pictures that net gets wrong: picture, guess, label."""
    pictures, wrong = _styled_pictures(max(600, 6 * n), seed, held_out=False), []
    while len(wrong) < n:
        some = list(islice(pictures, AT_ONCE))
        assert some, f"only {len(wrong)} styled digits are misread"
        digits = np.array([images.read_digit(picture) for picture, _ in some])
        guesses = model.predict(net, digits).argmax(axis=1)
        wrong += [
            (picture, int(guess), int(label))
            for (picture, label), guess in zip(some, guesses, strict=True)
            if guess != label
        ]
    return wrong[:n]


def misread_number(net) -> tuple[Image.Image, list[int]]:
    """Return a picture of three digits, of which net gets the middle one alone wrong; labels.

    It is unsure of the middle digit and sure of the others.
    """
    digits, labels = _rows()
    first, last = (on_paper(digits[np.flatnonzero(labels == label)[0]]) for label in (3, 8))
    for picture, _, label in misread(net, 40):
        page = Image.fromarray(np.hstack([first, picture.convert("L"), last])).convert("RGB")
        answers = [one.probabilities for one in images.read_digits(page, net)]
        guesses = [int(answer.argmax()) for answer in answers]
        sure = [answer.max() >= model.SURE for answer in answers]
        if guesses[::2] == [3, 8] and guesses[1] != label and sure == [True, False, True]:
            return page, [3, label, 8]
    raise AssertionError("every middle digit is classified correctly beside others")


def left_out_number(net) -> tuple[Image.Image, list[int]]:
    """Return a picture of three digits, of which net leaves the middle one out; labels.

    Asked what digit it is, net gets it wrong.
    """
    digits, labels = _rows()
    first, last = (on_paper(digits[np.flatnonzero(labels == label)[0]]) for label in (3, 8))
    for zero in digits[labels == 0]:
        slashed = on_paper(restyle(zero, 0, np.random.default_rng(0)))
        page = Image.fromarray(np.hstack([first, slashed, last])).convert("RGB")
        number = images.read_digits(page, net)
        alone = number.text() == "3 8" and len(number.unread) == len(number.left_out) == 1
        if alone and images.included(page, number, 0, net).text() != "308":
            return page, [3, 0, 8]
    raise AssertionError("every slashed zero is read beside others")


def add_misread(home: Home, net, n: int, seed: int = 0) -> list[tuple[Image.Image, int, int]]:
    """Store n corrections of styled pictures that net gets wrong; return them."""
    wrong = misread(net, n, seed)
    for picture, guess, label in wrong:
        feedback.add(home, picture, guess, label)
    return wrong
