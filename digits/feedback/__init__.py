"""Corrections: pictures whose guess was wrong, each with the guess and the actual label.

    stored = add("/srv/digits", picture, predicted=8, actual=0)
    corrections, warnings = load(Home.at("/srv/digits"))

The only room that knows how corrections are kept. A picture is written and synced before the row
that names it, under a lock, so no row ever names a missing image and no answer is lost. What is
removed only gets a mark and can be restored. Columns of others, and rows that cannot be read, are
kept as they are.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from PIL import Image

from digits import durable
from digits.feedback import corrections, store
from digits.feedback.corrections import PASSWORD, Correction, StoreError, image_name
from digits.feedback.store import locked
from digits.home import Home


def add(
    home: Home | str | os.PathLike[str],
    picture: Image.Image,
    predicted: int,
    actual: int,
    *,
    confidence: float | None = None,
    version: str = "",
    source: str = "",
    box: Sequence[int] = (),
    visit: str = "",
) -> Correction:
    """Store the picture with its guess and its actual label; return the correction kept.

    The same answer again is stored once (and counted, if it is no double click); another answer
    for the same picture replaces the earlier one.

    home: the home or its folder. picture: as the person saw it. predicted, actual: 0 to 9;
    confidence: 0 to 1. source, box: the name of the picture that a digit was cut from, and where
    it stands there: left, top, width, height in px. visit: a random number, or PASSWORD. Raises
    ValueError for a label out of range, StoreError when the store is full or cannot be written.
    """
    _check(predicted=predicted, actual=actual)
    home = Home.at(home)
    new = Correction(
        int(predicted),
        int(actual),
        image_name(picture),
        None if confidence is None else float(confidence),
        version,
        datetime.now(UTC).isoformat(timespec="seconds"),
        source=source,
        box=" ".join(map(str, box)),
        visits=visit,
    )
    with locked(home):
        if (home.folder / new.image).exists():
            return store.revise(home, new)
        store.keep(home, new, picture)
    return new


def undo(home: Home, added: Correction) -> Correction:
    """Take back the one answer that `add` returned; return what is stored now.

    What others said since stays: an equal answer of theirs, and what the owner removed.
    """

    def without(now: Correction) -> Correction:
        if now.removed:
            return now
        if now.votes > added.votes:
            return now.unseconded(added.visits.split(" ")[-1])
        return added.earlier or replace(now, removed=True)

    return store.change(home, added, without)


def confirm(home: Home, correction: Correction, visit: str = "") -> Correction:
    """Count one more vote for a correction's label, as a second look does; return it.

    Raises StoreError when the visit gave this label itself.
    """

    def second(now: Correction) -> Correction:
        seconded = now.seconded(visit)
        if seconded == now:
            raise StoreError("This visit gave the label itself: another one may vouch for it.")
        return seconded

    return store.change(home, correction, second)


def relabel(home: Home, correction: Correction, actual: int, visit: str = "") -> Correction:
    """Give a correction another label, 0 to 9, with one vote; return it."""
    _check(actual=actual)
    if actual == correction.actual:
        return correction
    return store.change(
        home, correction, lambda now: replace(now, actual=actual, votes=1, visits=visit)
    )


def remove(home: Home, correction: Correction) -> Correction:
    """Put a correction out of use; return it. Its row and its picture stay, for `restore`."""
    return store.change(home, correction, lambda now: replace(now, removed=True))


def restore(home: Home, correction: Correction) -> Correction:
    """Put a removed correction back in use; return it."""
    return store.change(home, correction, lambda now: replace(now, removed=False))


def discard(home: Home, warning: str) -> None:
    """Put a row that `load` skips out of use: its warning is not given again, the row stays."""
    store.discard(home, warning)


def load(home: Home) -> tuple[list[Correction], list[str]]:
    """Return the corrections in use, oldest first, and a warning for each row that was skipped.

    A row is skipped when its labels are no digits or its image is missing: the warning names it.
    The files are parsed only when they have changed. Raises StoreError when the table is there but
    is no such table.
    """
    stored, warnings = _stored(home)
    return [one for one in stored if not one.removed], list(warnings)


def removed(home: Home) -> list[Correction]:
    """Return the corrections that were removed and can be restored, oldest first."""
    return [one for one in _stored(home)[0] if one.removed]


def sweep(home: Home) -> None:
    """Remove half-written files that a killed process left in the store."""
    with locked(home):
        durable.sweep(home.folder)
        durable.sweep(home.images)


def _check(**labels: int) -> None:
    """Raise ValueError unless the labels are digits."""
    for name, label in labels.items():
        if label in range(10):
            continue
        raise ValueError(f"The {name} label is {label!r}; a digit from 0 to 9 is expected.")


def _stored(home: Home) -> tuple[list[Correction], list[str]]:
    """Return all corrections, removed ones too, and the warnings; both are shared."""
    return home.read_once("corrections", [home.table, home.images], lambda: store.read(home))
