"""One visit to the page: what the person was shown, and what they said of it."""

from __future__ import annotations

import io
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import BinaryIO

import numpy as np
from PIL import Image

from digits import feedback, images, model
from digits.feedback import verdicts
from digits.feedback.archive import Imported, import_zip
from digits.feedback.corrections import PASSWORD, Correction
from digits.home import Home
from digits.page.guesses import Guess, Place
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


def key_of(source: str, box: images.Box) -> str:
    """Return the key of a digit of a number: where it stands in what was given."""
    return f"{source}/{'-'.join(map(str, box))}"


@dataclass
class Visit:
    """What is remembered of a visit, each under the key of its picture.

    problems: sentences that wait to be shown, each under the name of its place on the page.
    stored: how many corrections this visit has stored, from a zip or taken back too: their pictures
    stay. number: tells it from other visits, at random. trusted: whether the password was given,
    or a teacher is signed in.
    """

    home: Home
    guesses: dict[str, Guess] = field(default_factory=dict)
    said: dict[str, Said] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)
    stored: int = 0
    number: str = field(default_factory=lambda: secrets.token_hex(4))
    trusted: bool = False

    @property
    def voice(self) -> str:
        """Who answers, as the store takes it."""
        return PASSWORD if self.trusted else self.number

    def read(self, given: Given, serving: Callable[[], Serving]) -> list[Guess] | str:
        """Return a guess for each digit, in reading order, or the sentence why there is none.

        What an earlier network read is read again and says what it was before. serving: returns
        the network in service.
        """
        kept = [one for one in self.guesses.values() if one.source == given.key]
        if kept and kept[0].content == given.content:
            now = serving()
            return [self._again(one, now) for one in kept]
        try:
            picture = images.open_picture(given.file)
            now = serving()
            number = images.read_digits(picture, now.net)
        except images.ImageError as error:
            return str(error)
        return [self._first(given, picture, number, i, now) for i in range(len(number))]

    def keep(self, found: list[list[Guess] | str], given: set[str]) -> None:
        """Remember the guesses found, and of the earlier ones those that are still given."""
        read = [one for some in found if isinstance(some, list) for one in some]
        shown = {one.source for one in read}
        earlier = [one for one in self.guesses.values() if one.source in given - shown]
        self.guesses = {one.key: one for one in [*earlier, *read]}

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
            with self.home.together():
                kept = self._store(guess, actual)
                guess = self._log(guess, VERDICTS[NO]) or guess
        except (feedback.StoreError, OSError) as error:
            not_kept = "Your answer was not kept. " if isinstance(error, OSError) else ""
            self.problems[guess.key] = f"{not_kept}{error}"
            return
        self.stored += 1
        times = f", {kept.votes} times" if kept.votes > 1 else ""
        thanks = f"Stored: {kept.predicted} → {kept.actual}{times}."
        self.said[guess.key] = Said(guess, NO, actual, thanks, kept)

    def _store(self, guess: Guess, actual: int) -> feedback.Correction:
        """Store a guess with its actual digit; return what is kept. Raises StoreError."""
        return feedback.add(
            self.home,
            guess.seen,
            guess.label,
            actual,
            confidence=guess.confidence,
            version=guess.version.name,
            source=guess.name if guess.place else "",
            box=guess.place.number[guess.place.index].box if guess.place else (),
            visit=self.voice,
        )

    def bring(self, archive: BinaryIO, told: Callable[[Imported], object] = str) -> str:
        """Import a zip of corrections; return a sentence on what was done.

        Without the password a visit may store MAX_STORED in all. told: as `import_zip` takes it.
        Raises StoreError as that does.
        """
        if self.trusted:
            return str(import_zip(self.home, archive, visit=self.voice, told=told))
        before = self.stored

        def count(done: Imported) -> None:
            self.stored = before + done.stored  # also of an import that does not end
            told(done)

        done = import_zip(self.home, archive, MAX_STORED - before, visit=self.voice, told=count)
        self.stored = before + done.stored
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

    def regroup(self, guess: Guess, cut: Callable, i: int, serving: Callable[[], Serving]) -> None:
        """Cut the number of a guess otherwise; what was said of its other digits stays.

        cut: `images.joined` or `images.parted`, done to its digit i, or `images.included`, to the
        i-th of what was left out.
        """
        assert guess.place is not None
        now, source = serving(), guess.source
        try:
            number = cut(guess.picture, guess.place.number, i, now.net)
        except (images.ImageError, IndexError):
            self.problems[guess.key] = "Nothing to join it with, or no ink there."
            return
        given = Given(source, guess.name, io.BytesIO(), guess.content)
        known = {one.key: one for one in self.guesses.values() if one.source == source}
        others = {key: one for key, one in self.guesses.items() if key not in known}
        for i, one in enumerate(number):
            key = key_of(source, one.box)
            kept = known.get(key) or self._first(given, guess.picture, number, i, now)
            others[key] = replace(kept, key=key, place=Place(number, i))
        self.guesses = others

    def _first(
        self, given: Given, picture: Image.Image, number: images.Number, i: int, now: Serving
    ) -> Guess:
        """Return the guess of the i-th digit of a picture, shown for the first time."""
        one, key, place = number[i], given.key, None
        if len(number) > 1 or number.unread:
            key, place = key_of(given.key, one.box), Place(number, i)
        kept, judged = self.guesses.get(key), self.said.pop(key, None)  # before this stroke
        guess = Guess(
            key,
            given.name,
            picture,
            one.digit,
            one.probabilities,
            now.version,
            given.content,
            place=place,
        )
        return self._shown(guess, kept.shown if kept and not judged else None)

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
        """Keep what the person said, once the verdict is logged."""
        if guess := self._log(said.of, VERDICTS[said.verdict]):
            self.said[guess.key] = replace(said, of=guess)

    def _log(self, guess: Guess, verdict: str) -> Guess | None:
        """Log the verdict on a guess; return that with its entry, or None: then nothing is logged.

        It has an entry from when it was shown, unless that could not be written.
        """
        try:
            entry = guess.shown or verdicts.shown(
                self.home, guess.label, guess.confidence, guess.version.name
            )
            verdicts.judge(self.home, entry, verdict)
        except feedback.StoreError as error:
            self.problems[guess.key] = str(error)
            return None
        return replace(guess, shown=entry)
