"""How corrections are kept: a picture, then its row, under a lock."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime

from filelock import Timeout
from PIL import Image

from digits import durable
from digits.feedback import capacity, corrections
from digits.feedback.corrections import PASSWORD, Correction, StoreError, image_name
from digits.home import STORE_WAIT, Home

SAME_ANSWER = 60  # s within which the same answer again is a double click, not a second opinion


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
    except durable.DatabaseError as error:
        raise StoreError(f"Your answer was not kept. {error}") from error
    except OSError as error:
        raise StoreError(
            f"The store cannot be written ({error.strerror}: {error.filename or home}): "
            "your answer was not kept; free space or fix its permissions, then try again."
        ) from error


def read(home: Home) -> tuple[list[Correction], list[str]]:
    """Return all corrections, removed ones too, and a warning for each row that was skipped."""
    latest: dict[str, Correction] = {}
    warnings = []
    for _, found in corrections.read_rows(home, corrections.read_table(home)):
        if isinstance(found, str):
            warnings.append(found)
        else:
            # The last answer for a picture wins, should the table hold several.
            latest.pop(found.image, None)
            latest[found.image] = found
    return list(latest.values()), warnings


def keep(home: Home, correction: Correction, picture: Image.Image) -> None:
    """Write the picture, then its row. Raises StoreError when the store is full."""
    png = io.BytesIO()
    picture.save(png, "PNG")
    capacity.reserve(home, len(png.getvalue()), correction.visit in ("", PASSWORD))
    home.images.mkdir(exist_ok=True)
    durable.write(home.folder / correction.image, png.getvalue())
    corrections.append(home, correction)


def adopt(home: Home, picture: Image.Image, correction: Correction, visit: str) -> bool:
    """Store a correction of another store as one answer of this visit; return whether.

    A picture that is stored here already, removed or not, stays as it is. Raises StoreError.
    """
    new = replace(correction, image=image_name(picture), votes=1, visits=visit)
    with locked(home):
        if (home.folder / new.image).exists() and corrections.find(home, new.image)[1]:
            return False
        keep(home, new, picture)
    return True


def revise(home: Home, new: Correction) -> Correction:
    """Keep a further answer for a picture that is stored already; return what is kept."""
    table, row, old = corrections.find(home, new.image)
    if row is None:  # the image was written, but its writer was killed before the row
        corrections.append(home, new)
        return new
    if old and old.actual == new.actual and not old.removed:
        seconded = old.seconded(new.visit)
        if seconded == old or 0 <= _seconds_between(old.added, new.added) < SAME_ANSWER:
            return replace(old, earlier=old)  # nothing was added that an undo could take back
        new = replace(seconded, added=new.added)
    corrections.put(home, table, row, corrections.to_cells(new))
    return replace(new, earlier=old)


def change(
    home: Home, correction: Correction, make: Callable[[Correction], Correction]
) -> Correction:
    """Store what `make` makes of a correction as it is stored now; return that."""
    with locked(home):
        table, row, stored = corrections.find(home, correction.image)
        if row is None or stored is None or stored.actual != correction.actual:
            raise StoreError(
                f"{correction.name} is no longer stored as a {correction.actual}: someone changed "
                "it meanwhile. Load the page again and look at it."
            )
        changed = make(stored)
        corrections.put(home, table, row, corrections.to_cells(changed))
    return changed


def discard(home: Home, warning: str) -> None:
    """Mark the row that the warning is of as removed."""
    with locked(home):
        table = corrections.read_table(home)
        for row, found in corrections.read_rows(home, table):
            if found == warning:
                return corrections.put(home, table, row, {"State": corrections.REMOVED})
    raise StoreError("That row is no longer skipped: someone changed it meanwhile.")


def _seconds_between(earlier: str, later: str) -> float:
    """Return the seconds between two ISO times; no end of them when one is no time."""
    try:
        gap = datetime.fromisoformat(later) - datetime.fromisoformat(earlier)
    except (ValueError, TypeError):
        return float("inf")
    return gap.total_seconds()
