"""Corrections: pictures whose guess was wrong, each with the guess and the actual label.

    stored = add("/srv/digits", picture, predicted=8, actual=0)
    corrections, warnings = load(Home.at("/srv/digits"))

The only room that knows how corrections are kept. A picture is written and synced before the row
that names it, under a lock, so no row ever names a missing image and no answer is lost. What is
removed only gets a mark and can be restored. Columns of others, and rows that cannot be read, are
kept as they are.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime

from filelock import Timeout
from PIL import Image

from digits import durable
from digits.feedback import capacity, corrections
from digits.feedback.corrections import Correction, StoreError, image_name
from digits.home import STORE_WAIT, Home

__all__ = [
    "Correction",
    "StoreError",
    "add",
    "adopt",
    "confirm",
    "load",
    "relabel",
    "remove",
    "removed",
    "restore",
    "undo",
]

SAME_ANSWER = 60  # s within which the same answer again is a double click, not a second opinion


def add(
    home: Home | str | os.PathLike[str],
    picture: Image.Image,
    predicted: int,
    actual: int,
    *,
    confidence: float | None = None,
    version: str = "",
) -> Correction:
    """Store the picture with its guess and its actual label; return the correction kept.

    The same answer again is stored once (and counted, if it is no double click); another answer
    for the same picture replaces the earlier one.

    home: the home or its folder. picture: as the person saw it. predicted, actual: 0 to 9;
    confidence: 0 to 1. Raises ValueError for a label out of range, StoreError when the store is
    full or cannot be written.
    """
    _check("predicted", predicted)
    _check("actual", actual)
    home = Home.at(home)
    new = Correction(
        int(predicted),
        int(actual),
        image_name(picture),
        None if confidence is None else float(confidence),
        version,
        datetime.now(UTC).isoformat(timespec="seconds"),
    )
    png = _png(picture)
    with locked(home):
        if (home.folder / new.image).exists():
            return _revise(home, new)
        _keep(home, new, png)
    return new


def undo(home: Home, added: Correction) -> Correction:
    """Take back what `add` returned; return what is stored now, removed or as it was before."""
    if added.earlier is None:
        return remove(home, added)
    earlier = added.earlier
    return _change(home, added, lambda stored: earlier)


def confirm(home: Home, correction: Correction) -> Correction:
    """Count one more vote for a correction's label, as a second look does; return it."""
    return _change(home, correction, lambda stored: replace(stored, votes=stored.votes + 1))


def relabel(home: Home, correction: Correction, actual: int) -> Correction:
    """Give a correction another label, 0 to 9, with one vote; return it."""
    _check("actual", actual)
    if actual == correction.actual:
        return correction
    return _change(home, correction, lambda stored: replace(stored, actual=actual, votes=1))


def remove(home: Home, correction: Correction) -> Correction:
    """Put a correction out of use; return it. Its row and its picture stay, for `restore`."""
    return _change(home, correction, lambda stored: replace(stored, removed=True))


def restore(home: Home, correction: Correction) -> Correction:
    """Put a removed correction back in use; return it."""
    return _change(home, correction, lambda stored: replace(stored, removed=False))


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


def adopt(home: Home, picture: Image.Image, correction: Correction) -> bool:
    """Store a correction of another store with all it says, but its image's name; return whether.

    A picture that is stored here already, removed or not, stays as it is. Raises StoreError.
    """
    new = replace(correction, image=image_name(picture))
    png = _png(picture)
    with locked(home):
        if (home.folder / new.image).exists() and corrections.find(home, new.image)[1]:
            return False
        _keep(home, new, png)
    return True


def sweep(home: Home) -> None:
    """Remove half-written files that a killed process left in the store."""
    with locked(home):
        durable.sweep(home.folder)
        durable.sweep(home.images)


@contextmanager
def locked(home: Home) -> Iterator[None]:
    """Hold the store's lock; turn what the system says meanwhile into StoreError."""
    try:
        with home.store_lock():
            yield
    except Timeout as error:
        raise StoreError(
            f"The store is busy for over {STORE_WAIT} s: your answer was not kept, try again."
        ) from error
    except OSError as error:
        raise StoreError(
            f"The store cannot be written ({error.strerror}: {error.filename or home}): "
            "your answer was not kept; free space or fix its permissions, then try again."
        ) from error


def _check(name: str, label: int) -> None:
    """Raise ValueError unless the label is a digit."""
    if label not in range(10):
        raise ValueError(f"The {name} label is {label!r}; a digit from 0 to 9 is expected.")


def _stored(home: Home) -> tuple[list[Correction], list[str]]:
    """Return all corrections, removed ones too, and the warnings; both are shared."""
    return home.read_once("corrections", [home.table, home.images], lambda: _read(home))


def _read(home: Home) -> tuple[list[Correction], list[str]]:
    """Return what `_stored` does, read afresh."""
    latest: dict[str, Correction] = {}
    warnings = []
    for line, found in corrections.read_rows(home):
        if isinstance(found, ValueError):
            warnings.append(f"{home.table.name} line {line} skipped: {found}.")
        else:
            # The last answer for a picture wins, should the table hold several.
            latest.pop(found.image, None)
            latest[found.image] = found
    return list(latest.values()), warnings


def _revise(home: Home, new: Correction) -> Correction:
    """Keep a further answer for a picture that is stored already; return what is kept."""
    table, row, old = corrections.find(home, new.image)
    if row is None:  # the image was written, but its writer was killed before the row
        corrections.append(home, new)
        return new
    if old and old.actual == new.actual and not old.removed:
        if _seconds_between(old.added, new.added) < SAME_ANSWER:
            return old
        new = replace(old, added=new.added, votes=old.votes + 1)
    corrections.put(home, table, row, new)
    return replace(new, earlier=old)


def _change(
    home: Home, correction: Correction, change: Callable[[Correction], Correction]
) -> Correction:
    """Store what `change` makes of a correction as it is stored now; return that."""
    with locked(home):
        table, row, stored = corrections.find(home, correction.image)
        if row is None or stored is None or stored.actual != correction.actual:
            raise StoreError(
                f"{correction.image} is no longer stored as a {correction.actual}: someone changed "
                "it meanwhile. Load the page again and look at it."
            )
        changed = change(stored)
        corrections.put(home, table, row, changed)
    return changed


def _keep(home: Home, correction: Correction, png: bytes) -> None:
    """Write the picture, then its row. Raises StoreError when the store is full."""
    capacity.reserve(home, len(png))
    home.images.mkdir(exist_ok=True)
    durable.write(home.folder / correction.image, png)
    corrections.append(home, correction)


def _seconds_between(earlier: str, later: str) -> float:
    """Return the seconds between two ISO times; no end of them when one is no time."""
    try:
        gap = datetime.fromisoformat(later) - datetime.fromisoformat(earlier)
    except (ValueError, TypeError):
        return float("inf")
    return gap.total_seconds()


def _png(picture: Image.Image) -> bytes:
    """Return the picture as the bytes of a PNG file."""
    stream = io.BytesIO()
    picture.save(stream, "PNG")
    return stream.getvalue()
