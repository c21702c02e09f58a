"""A guess as a person meets it: picture, digit, ten probabilities, and the words for them."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from PIL import Image

from digits import model, versions
from digits.feedback import csv_tables, verdicts
from digits.page import charts

# From which probability a word fits; below model.SURE an answer names two digits.
WORDS = {0.99: "Almost certain", model.SURE: "Quite sure", 0.6: "Unsure", 0.0: "A mere guess"}
PICTURE_SIDE = 252  # px of the two pictures for the page: it shows them at half of that, or less
COLUMNS = ["picture", "guess", "confidence", "version", "verdict", "actual"]


@dataclass(frozen=True)
class Guess:
    """What the person sees, and what it takes to judge it.

    key: tells it from the visit's other guesses. name: of the file. digit: uint8 (28, 28).
    probabilities: float32 (10,). version: who guessed. shown: its entry in the log of judgements,
    None when it could not be written.
    """

    key: str
    name: str
    picture: Image.Image
    digit: np.ndarray
    probabilities: np.ndarray
    version: versions.Version
    shown: verdicts.Shown | None = None

    @cached_property
    def picture_shown(self) -> bytes:
        """The picture as a small square: a JPEG file, made once however often it is shown."""
        return charts.squared(self.picture, PICTURE_SIDE)

    @cached_property
    def digit_shown(self) -> bytes:
        """The digit enlarged: a PNG file, made once too."""
        return charts.enlarged(self.digit, PICTURE_SIDE)

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
    def answer(self) -> str:
        """The guess as a sentence; a network that is not sure names two candidates."""
        if self.confidence >= model.SURE:
            return f"I read {self.label}"
        return f"Not sure: {self.label}, or else {self.second}"

    @property
    def confidence_in_words(self) -> str:
        """How sure the network is, in words and numbers, and why it names two digits if it does."""
        word = next(word for least, word in WORDS.items() if self.confidence >= least)
        if self.confidence >= model.SURE:
            return f"{word}: {self.confidence:.0%}."
        return (
            f"{word}: {self.confidence:.0%} for {self.label}, "
            f"{self.probabilities[self.second]:.0%} for {self.second}. It looks like both, and "
            f"below {model.SURE:.0%} I name two."
        )

    @property
    def in_words(self) -> str:
        """The ten probabilities as a sentence, for who cannot see the bars."""
        shares = (f"{digit}: {share:.0%}" for digit, share in enumerate(self.probabilities))
        return f"Probability of each digit: {', '.join(shares)}."


def table(rows: Iterable[tuple[Guess, str, int | None]]) -> str:
    """Return guesses as CSV, each with the verdict on it ("" for none) and its true digit."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for guess, verdict, actual in rows:
        share = f"{guess.confidence:.4f}"
        name = csv_tables.harmless(guess.name)
        writer.writerow([name, guess.label, share, guess.version.name, verdict, actual])
    return text.getvalue()
