"""The store of corrections: `incorrect_images/` and `incorrect_predictions.csv`.

The only module that knows how corrections are kept. A picture is written and synced before the
row that names it, under a lock, so no row ever names a missing image and no answer is lost. What
is removed only gets a mark and can be restored. The CSV may have only the three columns of the
original project; further columns, and rows that cannot be read, are kept as they are.
"""

from __future__ import annotations

import io
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout
from PIL import Image

from digits import durable
from digits.feedback import corrections, csv_tables
from digits.feedback.corrections import FOLDER, TABLE, Correction, StoreError, image_name

LOCK_WAIT = 30  # s; an append takes milliseconds, so whoever waits longer meets a hung disk
LOCK_POLL = 0.005  # s between tries: eight writers at once wait for one another, not for this
SAME_ANSWER = 60  # s within which the same answer again is a double click, not a second opinion
MAX_PICTURES = 20_000  # more than a class draws in years; the page still lists them in a moment
MAX_BYTES = 2 * 2**30  # of all pictures: what a small server can spare, 100 KB for each
COUNT_AGE = 60  # s for which a count of the folder holds: counting takes longer than adding


def add(
    root: str | Path,
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

    picture: as the person saw it. predicted, actual: 0 to 9; confidence: 0 to 1.
    Raises ValueError for a label out of range, StoreError when the store is full or the disk
    refuses.
    """
    _check("predicted", predicted)
    _check("actual", actual)
    root = Path(root)
    new = Correction(
        int(predicted),
        int(actual),
        image_name(picture),
        None if confidence is None else float(confidence),
        version,
        datetime.now(UTC).isoformat(timespec="seconds"),
    )
    png = _png(picture)
    with locked(root):
        if (root / new.image).exists():
            return _revise(root, new)
        _keep(root, new, png)
    return new


def adopt(root: str | Path, picture: Image.Image, correction: Correction) -> bool:
    """Store a correction of another store with all it says, but its image's name; return whether.

    A picture that is stored here already, removed or not, stays as it is. Raises StoreError.
    """
    root = Path(root)
    new = replace(correction, image=image_name(picture))
    png = _png(picture)
    with locked(root):
        if (root / new.image).exists() and corrections.find(root, new.image)[1]:
            return False
        _keep(root, new, png)
    return True


def undo(root: str | Path, added: Correction) -> Correction:
    """Take back what `add` returned; return what is stored now, removed or as it was before."""
    if added.earlier is None:
        return remove(root, added)
    return _change(root, added, lambda stored: added.earlier)


def confirm(root: str | Path, correction: Correction) -> Correction:
    """Count one more answer for a correction's label, as a second look does; return it."""
    return _change(root, correction, lambda stored: replace(stored, answers=stored.answers + 1))


def relabel(root: str | Path, correction: Correction, actual: int) -> Correction:
    """Give a correction another label, 0 to 9, with one answer; return it."""
    _check("actual", actual)
    if actual == correction.actual:
        return correction
    return _change(root, correction, lambda stored: replace(stored, actual=actual, answers=1))


def remove(root: str | Path, correction: Correction) -> Correction:
    """Put a correction out of use; return it. Its row and its picture stay, for `restore`."""
    return _change(root, correction, lambda stored: replace(stored, removed=True))


def restore(root: str | Path, correction: Correction) -> Correction:
    """Put a removed correction back in use; return it."""
    return _change(root, correction, lambda stored: replace(stored, removed=False))


def load(root: str | Path) -> tuple[list[Correction], list[str]]:
    """Return the corrections in use, oldest first, and a warning for each row that was skipped.

    A row is skipped when its labels are no digits or its image is missing: the warning names it.
    Raises StoreError when the table is there but is no such table.
    """
    stored, warnings = _load(Path(root))
    return [one for one in stored if not one.removed], warnings


def removed(root: str | Path) -> list[Correction]:
    """Return the corrections that were removed and can be restored, oldest first."""
    return [one for one in _load(Path(root))[0] if one.removed]


def sweep(root: str | Path) -> None:
    """Remove half-written files that a killed process left in the store."""
    root = Path(root)
    if (root / FOLDER).is_dir():
        with locked(root):
            durable.sweep(root / FOLDER)


@contextmanager
def locked(root: Path) -> Iterator[None]:
    """Hold the store's lock; turn what the disk refuses into StoreError."""
    try:
        with FileLock(root / f"{TABLE}.lock", timeout=LOCK_WAIT, poll_interval=LOCK_POLL):
            yield
    except Timeout as error:
        raise StoreError(
            f"The store is busy for over {LOCK_WAIT} s: your answer was not kept, try again."
        ) from error
    except OSError as error:
        raise StoreError(
            f"The store cannot be written ({error.strerror}: {error.filename or root}): "
            "your answer was not kept; free space or mend its permissions, then try again."
        ) from error


def _check(name: str, label: int) -> None:
    """Raise ValueError unless the label is a digit."""
    if label not in range(10):
        raise ValueError(f"The {name} label is {label!r}; a digit from 0 to 9 is expected.")


def _load(root: Path) -> tuple[list[Correction], list[str]]:
    """Return all corrections, removed ones too, and the warnings."""
    latest, warnings = {}, []
    for line, found in corrections.read(root):
        if isinstance(found, ValueError):
            warnings.append(f"{TABLE} line {line} skipped: {found}.")
        else:
            # The last answer for a picture wins, should the table hold several.
            latest.pop(found.image, None)
            latest[found.image] = found
    return list(latest.values()), warnings


def _revise(root: Path, new: Correction) -> Correction:
    """Keep a further answer for a picture that is stored already; return what is kept."""
    table, row, old = corrections.find(root, new.image)
    if row is None:  # the image was written, but its writer was killed before the row
        _append(root, new, _ready_header(root))
        return new
    if old and old.actual == new.actual and not old.removed:
        if _seconds_between(old.added, new.added) < SAME_ANSWER:
            return old
        new = replace(old, added=new.added, answers=old.answers + 1)
    _put(root, table, row, new)
    return replace(new, earlier=old)


def _change(
    root: str | Path, correction: Correction, change: Callable[[Correction], Correction]
) -> Correction:
    """Store what `change` makes of a correction as it is stored now; return that."""
    root = Path(root)
    with locked(root):
        table, row, stored = corrections.find(root, correction.image)
        if stored is None or stored.actual != correction.actual:
            raise StoreError(
                f"{correction.image} is no longer stored as a {correction.actual}: someone changed "
                "it meanwhile. Load the page anew and look again."
            )
        changed = change(stored)
        _put(root, table, row, changed)
    return changed


def _keep(root: Path, correction: Correction, png: bytes) -> None:
    """Write the picture, then its row. Raises StoreError when the store is full."""
    _make_sure_of_room(root, len(png))
    header = _ready_header(root)
    (root / FOLDER).mkdir(exist_ok=True)
    durable.write(root / correction.image, png)
    _append(root, correction, header)


@dataclass
class _Count:
    """How many pictures a folder holds, how many bytes they have, and when that was counted."""

    pictures: int
    bytes: int
    at: float


_counts: dict[Path, _Count] = {}  # by root; changed under the store's lock


def _make_sure_of_room(root: Path, size: int) -> None:
    """Count one more picture of `size` bytes. Raises StoreError when it has no room."""
    count = _counts.get(root)
    if count is None or time.monotonic() - count.at > COUNT_AGE or _is_full(count, size):
        count = _counts[root] = _counted(root)
    if _is_full(count, size):
        raise StoreError(
            f"The store is full ({count.pictures:,} pictures, {count.bytes / 2**20:,.0f} MB): your "
            f"answer was not kept; its owner may export and empty {FOLDER}."
        )
    count.pictures += 1
    count.bytes += size


def _is_full(count: _Count, size: int) -> bool:
    """Return whether one more picture of `size` bytes is too much."""
    return count.pictures >= MAX_PICTURES or count.bytes + size > MAX_BYTES


def _counted(root: Path) -> _Count:
    """Return what the folder of images holds now."""
    if not (root / FOLDER).is_dir():
        return _Count(0, 0, time.monotonic())
    with os.scandir(root / FOLDER) as entries:
        sizes = [entry.stat().st_size for entry in entries]
    return _Count(len(sizes), sum(sizes), time.monotonic())


def _ready_header(root: Path) -> list[str]:
    """Return the table's column names; a table without our further columns gets them first."""
    header = csv_tables.read_header(root / TABLE)
    if all(name in header for name in corrections.COLUMNS):
        return header
    table = corrections.with_our_columns(corrections.read_table(root))
    csv_tables.write(root / TABLE, table)
    return table.header


def _append(root: Path, correction: Correction, header: list[str]) -> None:
    """Add the correction's row."""
    cells = corrections.to_cells(correction)
    durable.append_line(root / TABLE, csv_tables.line([cells.get(name, "") for name in header]))


def _put(root: Path, table: csv_tables.Table, row: csv_tables.Row, correction: Correction) -> None:
    """Write the table with the correction in the place of a row's."""
    table = corrections.with_our_columns(table)
    cells = row.cells | corrections.to_cells(correction)
    row.text = csv_tables.line([cells.get(name, "") for name in table.header])
    csv_tables.write(root / TABLE, table)


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
