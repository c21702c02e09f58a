"""A lesson for classrooms: what breaks without centring, without replay, without the gate.

Centring is tried on pages with a small digit in a corner. Replay and the gate are tried by a real
run of finetuning.py in a sandbox: a temporary home that starts from the first network, with
slashed zeros as corrections, so that the lesson is the same whatever was learned since.
"""

from __future__ import annotations

import shutil
import tempfile
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from filelock import FileLock, Timeout
from PIL import Image, ImageOps

from digits import feedback, images, metrics, model, versions
from digits.home import Home
from digits.jobs import launch
from digits.rows import DataError, is_held_out, read_rows
from digits.versions import receipts

PREFIX = "digits-lesson-"  # of a sandbox's folder
OWNER = "owner.lock"  # in it: held by the server that made it, for as long as that lives
GUARDS = {
    "centring": "the ink is brought to the size and the place that the network knows",
    "replay": "old digits are mixed with the corrections, so that they are not forgotten",
    "gate": "a network that lost digits is not published",
}

CORRECTIONS = 20  # of one hand: enough to be learned, few enough for seconds
SCALE = 10  # px of a slashed zero's sheet for each of its own
PEN = 22  # px on that sheet: about as thick as MNIST's strokes
LOST = 12  # pictures of lost digits: a row
PAGES = 200  # held-out digits that centring is tried on: about a second
PAGE_SIDE, SMALLEST, LARGEST = 280, 70, 140  # px of a page, and of the digit on it


@dataclass(frozen=True)
class Readings:
    """Pages with a digit somewhere, read with centring and without.

    pages: uint8 (n, 280, 280), dark ink on white. labels: int (n,). centred, plain: int (n,), the
    guesses both ways; centred is -1 where no digit was found.
    """

    pages: np.ndarray
    labels: np.ndarray
    centred: np.ndarray
    plain: np.ndarray

    @property
    def in_words(self) -> str:
        """How many digits are classified correctly both ways, in Markdown."""
        n = len(self.labels)
        shares = [
            f"**{hits / n:.0%}** {way} centring [{low:.0%}, {high:.0%}]"
            for way, guesses in (("with", self.centred), ("without", self.plain))
            for hits in [int((guesses == self.labels).sum())]
            for low, high in [metrics.wilson(hits, n)]
        ]
        return f"Of {n} held-out digits, each somewhere on a page, are right: {', '.join(shares)}."


def read_pages(home: Home, net: Any) -> Readings:
    """Return how net reads PAGES held-out digits, small and off the middle of a page."""
    rng = np.random.default_rng(0)
    digits, labels = read_rows(home.train)
    chosen = rng.permutation(np.flatnonzero(is_held_out(digits)))[:PAGES]
    pages = np.array([somewhere(digit, rng) for digit in digits[chosen]])
    pictures = [Image.fromarray(page) for page in pages]
    return Readings(
        pages,
        labels[chosen],
        np.array([_guess(net, picture) for picture in pictures]),
        model.predict(net, np.array([plainly(one) for one in pictures])).argmax(axis=1),
    )


def somewhere(digit: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return a white page, uint8 (280, 280), with the digit, uint8 (28, 28), small, anywhere."""
    side = int(rng.integers(SMALLEST, LARGEST))
    top, left = rng.integers(0, PAGE_SIDE - side, 2)
    page = np.full((PAGE_SIDE, PAGE_SIDE), 255, np.uint8)
    ink = cv2.resize(digit, (side, side), interpolation=cv2.INTER_CUBIC)
    page[top : top + side, left : left + side] = 255 - ink
    return page


def plainly(picture: Image.Image) -> np.ndarray:
    """Return what a plain resize and inversion make of a dark digit on white: uint8 (28, 28)."""
    sides = (model.SIDE, model.SIDE)
    return np.asarray(ImageOps.invert(picture.convert("L")).resize(sides))


def _guess(net: Any, picture: Image.Image) -> int:
    """Return the guess as the page makes it, -1 where no digit is found."""
    try:
        return int(model.predict(net, images.read_digit(picture)[np.newaxis]).argmax())
    except images.ImageError:
        return -1


def make_sandbox(home: Home, sandbox: Home) -> None:
    """Make sandbox a home to break things in: with the home's first network and its rows."""
    sandbox.sandbox.touch()
    shutil.copyfile(versions.baseline(home) or home.model, sandbox.model)
    shutil.copyfile(home.train, sandbox.train)
    digits, labels = read_rows(sandbox.train)
    zeros = digits[(labels == 0) & ~is_held_out(digits)]
    pictures = [slashed(zero) for zero in zeros]
    net = model.load_light(sandbox.model)
    likely = model.predict(net, np.array([images.read_digit(one) for one in pictures]))
    for hardest in np.argsort(likely[:, 0])[:CORRECTIONS]:
        feedback.add(sandbox, pictures[hardest], likely[hardest].argmax(), 0)


def slashed(zero: np.ndarray) -> Image.Image:
    """Return the zero, uint8 (28, 28), with a slash, in dark ink on a sheet of 280 x 280 px."""
    ink = cv2.resize(zero, None, fx=SCALE, fy=SCALE, interpolation=cv2.INTER_CUBIC)
    left, top, width, height = cv2.boundingRect((ink > 127).astype(np.uint8))
    start, end = (left, top + height), (left + width, top)
    return Image.fromarray(255 - cv2.line(ink, start, end, 255, PEN, cv2.LINE_AA))


def sweep() -> None:
    """Remove sandboxes of servers that were killed, but none in which a run is still alive."""
    for owner in Path(tempfile.gettempdir()).glob(f"{PREFIX}*/{OWNER}"):
        with suppress(Timeout), FileLock(owner, blocking=False):
            if not Home.at(owner.parent).is_running():
                shutil.rmtree(owner.parent, ignore_errors=True)


class Experiment(threading.Thread):
    """A fine-tuning in a sandbox without some SWITCHES, begun at once; the sandbox then goes.

    says: how it ended, "" until then. record, lost: the history's record of the run, and at most
    LOST of the held-out digits that were lost; None and empty if nothing was decided.
    """

    def __init__(self, home: Home, without: list[str]) -> None:
        super().__init__(daemon=True)
        self._home, self.without = home, without
        sweep()
        self.sandbox = Home.at(tempfile.mkdtemp(prefix=PREFIX))
        self._owner = FileLock(self.sandbox.folder / OWNER, thread_local=False)
        self._owner.acquire()
        self.says = ""
        self.record: versions.Record | None = None
        self.lost: list[receipts.Flip] = []
        self.start()

    @property
    def in_words(self) -> str:
        """What the run did to held-out digits, in Markdown; "" if nothing was decided."""
        run = self.record and self.record.run
        if not run:
            return ""
        low, high = run.interval_after
        return (
            f"Of {run.held_out_rows:,} held-out digits the old network classifies "
            f"**{run.accuracy_before:.2%}** correctly, the new one "
            f"**{run.accuracy_after:.2%}** [{low:.2%}, {high:.2%}]: "
            f"it lost {run.broken} and fixed {run.fixed}."
        )

    def run(self) -> None:
        """Make the sandbox, run in it, keep what came of it."""
        try:
            make_sandbox(self._home, self.sandbox)
            options = [f"--without={switch}" for switch in self.without]
            run = launch.Run(self.sandbox, "--trigger=lesson", *options)
            run.join()
            if receipt := receipts.last(self.sandbox):
                self.record = versions.history(self.sandbox)[-1]
                lost = [flip for flip in receipt.flipped if not flip.fixed]
                self.lost = lost[:: -(-len(lost) // LOST) or 1]  # of all digits: rows stand sorted
            self.says = run.says
        except (model.ModelError, DataError, feedback.StoreError, OSError) as error:
            self.says = str(error)
        finally:
            shutil.rmtree(self.sandbox.folder, ignore_errors=True)
            self._owner.release()
