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
    """One picture that the person gave; the key tells it from all others of the visit.

    content: tells a drawing from the same one with more strokes; "" where a key has one content.
    """

    key: str
    name: str
    file: BinaryIO
    content: str = ""


@dataclass(frozen=True)
class Said:
    """What the person said of a guess: the verdict, the true digit, and what was made of it.

    of: the guess that they saw; by now another version may read the picture otherwise.
    """

    of: Guess
    verdict: str
    actual: int | None
    thanks: str
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

    def read(self, given: Given, serving: Callable[[], Serving]) -> Guess | str:
        """Return the guess, or the sentence that says why there is none.

        What an earlier network read is read again and says what it was before. serving: returns
        the network in service.
        """
        kept = self.guesses.get(given.key)
        if kept and kept.content == given.content:
            return self._again(kept, serving())
        try:
            picture = images.open_picture(given.file)
            digit = images.read_digit(picture)
        except images.ImageError as error:
            return str(error)
        now = serving()
        likely = model.predict(now.net, digit[np.newaxis])[0]
        guess = Guess(given.key, given.name, picture, digit, likely, now.version, given.content)
        judged = self.said.pop(given.key, None)  # of the drawing before this stroke
        return self._shown(guess, kept.shown if kept and not judged else None)

    def keep(self, found: list[Guess | str], given: set[str]) -> None:
        """Remember the guesses found, and of the earlier ones those whose key is still given."""
        earlier = {key: guess for key, guess in self.guesses.items() if key in given}
        self.guesses = earlier | {one.key: one for one in found if isinstance(one, Guess)}

    def agree(self, guess: Guess) -> None:
        """Count a guess as right."""
        self._count(Said(guess, YES, guess.label, "Counted as right."))

    def agree_to_all(self, guesses: list[Guess]) -> None:
        """Count as right every guess that nothing was said of."""
        for guess in guesses:
            if guess.key not in self.said:
                self.agree(guess)

    def dismiss(self, guess: Guess) -> None:
        """Count a picture as none of a digit."""
        self._count(Said(guess, NO_DIGIT, None, "Counted as no digit."))

    def correct(self, guess: Guess, actual: int) -> None:
        """Store what the person saw as the digit, 0 to 9, that they picked, but only once."""
        if guess.key in self.said:
            return
        if actual == guess.label:
            self.agree(guess)
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
        times = f", {kept.votes} times" if kept.votes > 1 else ""
        thanks = f"Stored: {kept.predicted} → {kept.actual}{times}. The next run learns it."
        self._count(Said(guess, NO, actual, thanks, kept))

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

    def undo(self, key: str) -> None:
        """Take back what was said of a guess."""
        said = self.said[key]
        try:
            if said.kept:
                feedback.undo(self.home, said.kept)
        except feedback.StoreError as error:
            self.problems[key] = str(error)
            return
        del self.said[key]
        self._log(said.of, verdicts.SHOWN)
        if key in self.guesses:
            self.guesses[key] = self._shown(self.guesses[key], said.of.shown)

    def _again(self, kept: Guess, now: Serving) -> Guess:
        """Return the guess of the network in service, the one kept if that made it."""
        if kept.version.sha256 == now.version.sha256:
            return kept
        likely = model.predict(now.net, kept.digit[np.newaxis])[0]
        before = replace(kept, before=None)
        guess = replace(kept, probabilities=likely, version=now.version, before=before)
        return guess if kept.key in self.said else self._shown(guess)

    def _shown(self, guess: Guess, entry: verdicts.Shown | None = None) -> Guess:
        """Log that a guess is shown, in the place of an earlier entry if there is one.

        A disk that cannot be written keeps nobody from reading.
        """
        name = guess.version.name
        try:
            if entry is None:
                entry = verdicts.shown(self.home, guess.label, guess.confidence, name)
            elif (entry.guess, entry.version) != (guess.label, name):
                entry = verdicts.Shown(entry.id, guess.label, guess.confidence, name)
                verdicts.judge(self.home, entry, verdicts.SHOWN)
        except feedback.StoreError:
            entry = None
        return replace(guess, shown=entry)

    def _count(self, said: Said) -> None:
        """Keep what the person said, and log the verdict."""
        self.said[said.of.key] = said
        self._log(said.of, VERDICTS[said.verdict])

    def _log(self, guess: Guess, verdict: str) -> None:
        """Log the verdict on a guess that was logged when it was shown."""
        try:
            if guess.shown:
                verdicts.judge(self.home, guess.shown, verdict)
        except feedback.StoreError as error:
            self.problems[guess.key] = str(error)
