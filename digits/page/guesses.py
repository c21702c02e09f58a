"""A guess as a person meets it: picture, digit, ten probabilities, and the words for them."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from PIL import Image

from digits import images, model, versions
from digits.feedback import csv_tables, verdicts
from digits.page import drawing

PICTURE_SIDE = 160  # px of the two pictures for the page: it shows them at half of that
COLUMNS = ["picture", "guess", "confidence", "version", "verdict", "actual", "digit"]


@dataclass(frozen=True)
class Place:
    """Where a digit stands among the others of one picture, from 0 in reading order."""

    number: images.Number
    index: int


@dataclass(frozen=True)
class Guess:
    """What the person sees, and what it takes to judge it.

    key: tells it from the visit's other guesses. name: of the file. digit: uint8 (28, 28).
    probabilities: float32 (10,). version: who guessed. content: tells a drawing from the same one
    with more strokes. shown: its entry in the log of judgements, None when it has none. before:
    what an earlier version guessed of the same picture. place: of one of several digits in it.
    """

    key: str
    name: str
    picture: Image.Image
    digit: np.ndarray
    probabilities: np.ndarray
    version: versions.Version
    content: str = ""
    shown: verdicts.Shown | None = None
    before: Guess | None = None
    place: Place | None = None

    @cached_property
    def seen(self) -> Image.Image:
        """The picture that the person judges and that is stored: of a number, this digit's part."""
        if self.place is None:
            return self.picture
        return images.surroundings(self.picture, self.place.number[self.place.index])

    @cached_property
    def picture_shown(self) -> bytes:
        """That picture as a small square: a JPEG file, made once however often it is shown."""
        return drawing.squared(self.seen, PICTURE_SIDE)

    @cached_property
    def digit_shown(self) -> bytes:
        """The digit enlarged: a PNG file, made once too."""
        return drawing.enlarged(self.digit, PICTURE_SIDE)

    @property
    def source(self) -> str:
        """The key of what was given, which several digits may share."""
        return self.key.partition("/")[0]

    @property
    def label(self) -> int:
        """The likeliest digit."""
        return int(self.probabilities.argmax())

    @property
    def second(self) -> int:
        """The next likeliest digit."""
        return int(self.probabilities.argsort()[-2])

    @property
    def confidence(self) -> float:
        """The likeliest digit's probability."""
        return float(self.probabilities.max())

    @property
    def is_sure(self) -> bool:
        """Whether the answer stands alone."""
        return self.confidence >= model.SURE

    @property
    def answer(self) -> str:
        """The digit, or two candidates if the network is not sure."""
        return f"{self.label}" if self.is_sure else f"{self.label}? or {self.second}?"

    @property
    def certainty(self) -> str:
        """The probability of the digit, or those of both candidates."""
        if self.is_sure:
            return share(self.confidence)
        return f"{share(self.confidence)}, {share(float(self.probabilities[self.second]))}"

    @property
    def change(self) -> str:
        """What an earlier version guessed and this one does, "" if there was none."""
        if self.before is None:
            return ""
        return (
            f"{self.before.version.short}: {self.before.label} → {self.version.short}: {self.label}"
        )

    @property
    def in_words(self) -> str:
        """The ten probabilities as a sentence, for who cannot see the bars."""
        shares = (f"{digit}: {share(float(p))}" for digit, p in enumerate(self.probabilities))
        return f"Probability of each digit: {', '.join(shares)}."


def share(probability: float) -> str:
    """Return a probability for people, who should not take it for certain: never 0 or 100 %."""
    if probability > 0.99:
        return "over 99 %"
    return f"{100 * probability:.0f} %" if probability >= 0.01 else "under 1 %"


def table(
    rows: Iterable[tuple[Guess, str, int | None]], numbers: Iterable[tuple[str, str]] = ()
) -> str:
    """Return guesses as CSV, each with the verdict on it ("" for none) and its true digit.

    The last column counts the digits of a number; below stands each of the numbers, given by its
    picture's name and its text, with "all" there.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for guess, verdict, actual in rows:
        told = [guess.label, f"{guess.confidence:.4f}", guess.version.name, verdict, actual]
        place = guess.place.index + 1 if guess.place else 1
        writer.writerow([csv_tables.harmless(guess.name), *told, place])
    for name, answer in numbers:
        writer.writerow([csv_tables.harmless(name), answer, "", "", "", "", "all"])
    return text.getvalue()
