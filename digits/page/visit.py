"""One visit to the page: what the person was shown, and what they said of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import BinaryIO

import numpy as np

from digits import feedback, images, model
from digits.feedback import verdicts
from digits.feedback.archive import import_zip
from digits.feedback.corrections import Correction
from digits.home import Home
from digits.page.guesses import Guess
from digits.versions import Serving

MAX_STORED = 200  # corrections from one visit; a class of thirty draws fewer
YES, NO, NO_DIGIT = "Yes", "No", "Not a digit"
VERDICTS = {YES: verdicts.RIGHT, NO: verdicts.WRONG, NO_DIGIT: verdicts.NO_DIGIT}


@dataclass(frozen=True)
class Given:
    """One picture that the person gave; the key tells it from all others of the visit."""

    key: str
    name: str
    file: BinaryIO


@dataclass(frozen=True)
class Said:
    """What the person said of a guess: the verdict, the true digit, and what was made of it."""

    verdict: str = ""
    actual: int | None = None
    thanks: str = ""
    kept: Correction | None = None


@dataclass
class Visit:
    """What is remembered of a visit, each under the key of its picture.

    problems: sentences that wait to be shown, each under the name of its place on the page.
    stored: how many corrections this visit has stored, from a zip or taken back too: their pictures
    stay.
    """

    home: Home
    guesses: dict[str, Guess] = field(default_factory=dict)
    said: dict[str, Said] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)
    stored: int = 0

    def read(self, given: Given, serving: Callable[[], Serving], judging: bool) -> Guess | str:
        """Return the guess, or the sentence that says why there is none.

        serving: returns the network in service. judging: whether the person
        judges the guess already; then it stays as they saw it, whatever network answers by now.
        """
        kept = self.guesses.get(given.key)
        if kept and (judging or given.key in self.said):
            return kept
        try:
            picture = kept.picture if kept else images.open_picture(given.file)
            digit = kept.digit if kept else images.read_digit(picture)
        except images.ImageError as error:
            return str(error)
        now = serving()
        if kept and kept.version == now.version:
            return kept
        probabilities = model.predict(now.net, digit[np.newaxis])[0]
        return self._shown(Guess(given.key, given.name, picture, digit, probabilities, now.version))

    def agree(self, guess: Guess, thanks: str = "Thank you: counted as right.") -> None:
        """Count a guess as right."""
        self._count(guess, Said(YES, guess.label, thanks))

    def dismiss(self, guess: Guess) -> None:
        """Count a picture as none of a digit."""
        thanks = "Thank you: counted as no digit. There is nothing to learn from it."
        self._count(guess, Said(NO_DIGIT, None, thanks))

    def correct(self, guess: Guess, actual: int) -> None:
        """Store what the person saw as the digit, 0 to 9, that they picked, but only once."""
        if guess.key in self.said:
            return
        if actual == guess.label:
            self.agree(guess, f"Then it was right, a {actual}: counted so.")
            return
        if self.stored >= MAX_STORED:
            told = f"One visit may store {MAX_STORED} corrections, and this one did."
            self.problems[guess.key] = told
            return
        try:
            kept = feedback.add(
                self.home,
                guess.picture,
                guess.label,
                actual,
                confidence=guess.confidence,
                version=guess.version.name,
            )
        except feedback.StoreError as error:
            self.problems[guess.key] = str(error)
            return
        self.stored += 1
        times = f", by now {kept.votes} times" if kept.votes > 1 else ""
        thanks = f"Stored: guessed {kept.predicted}, is {kept.actual}{times}. "
        self._count(guess, Said(NO, actual, thanks + "The next fine-tuning learns it.", kept))

    def bring(self, archive: BinaryIO, trusted: bool) -> str:
        """Import a zip of corrections; return a sentence on what was done.

        trusted: whether the visitor gave a password; a stranger may store MAX_STORED in all. Raises
        StoreError as `import_zip` does.
        """
        if trusted:
            return str(import_zip(self.home, archive))
        done = import_zip(self.home, archive, MAX_STORED - self.stored)
        self.stored += done.stored
        return str(done)

    def undo(self, guess: Guess) -> None:
        """Take back what was said of a guess."""
        kept = self.said[guess.key].kept
        try:
            if kept:
                feedback.undo(self.home, kept)
        except feedback.StoreError as error:
            self.problems[guess.key] = str(error)
            return
        self._log(guess, verdicts.SHOWN)
        del self.said[guess.key]

    def _shown(self, guess: Guess) -> Guess:
        """Log that a guess is shown; a disk that refuses keeps nobody from reading."""
        name = guess.version.name
        try:
            shown = verdicts.shown(self.home, guess.label, guess.confidence, name)
        except feedback.StoreError:
            return guess
        return replace(guess, shown=shown)

    def _count(self, guess: Guess, said: Said) -> None:
        """Keep what the person said, and log the verdict."""
        self.said[guess.key] = said
        self._log(guess, VERDICTS[said.verdict])

    def _log(self, guess: Guess, verdict: str) -> None:
        """Log the verdict on a guess that was logged when it was shown."""
        try:
            if guess.shown:
                verdicts.judge(self.home, guess.shown, verdict)
        except feedback.StoreError as error:
            self.problems[guess.key] = str(error)
