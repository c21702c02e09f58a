"""Corrections on their way between servers: a zip of their pictures, their table, and their rows.

The zip holds `incorrect_predictions.csv`, the pictures it names, and `rows.csv`: the same as
digits in `train.csv`'s layout. It is packed once for a state of the store, into a file. What comes
in is a stranger's: it is bounded, each picture goes through `images.open_picture` once, no name or
text of it is kept, and each row is one answer, however many it says it had.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

import numpy as np
from filelock import FileLock, Timeout

from digits import durable, feedback, images
from digits.feedback import corrections, csv_tables, store
from digits.feedback.corrections import Correction, StoreError
from digits.home import IMAGES, TABLE, Home
from digits.rows import write_rows

ROWS = "rows.csv"
SKIPPED = "skipped.txt"  # in the zip if something was: what, and why
MAX_EXPORT = 200 * 2**20  # bytes of pictures; a download is kept in memory by Streamlit
MAX_IMPORT = 500 * 2**20  # bytes unpacked in all: what a bomb may make this machine do
MAX_TABLE = 4 * 2**20  # bytes; a full store's table has 3 MB
MAX_ROWS = 20_000  # of its table: what a full store has
MAX_PIXELS = 10**10  # of all its pictures, decoded
MAX_SECONDS = 120.0  # of work for one zip: some 5,000 pictures
TOO_LONG = f"The rest was left after {MAX_SECONDS:.0f} s: import the same zip again to go on."
BUSY = "Another import is at work: try again when it has ended."
BOUND = (  # said when rows were left
    "The rest was left, since a visit without a password may store no more: start the page with "
    "DIGITS_PASSWORD set, and import the zip again."
)
NAMED = 3  # skipped rows that the sentence on an import names
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # LZMA may ask for gigabytes of memory
# What zipfile raises for damaged, encrypted and cut archives, beyond its own error.
DAMAGED = (zipfile.BadZipFile, zlib.error, OSError, EOFError, ValueError, RuntimeError)
OWN_NAME = re.compile(r"incorrect_image_[0-9a-f]{16}\.png")
BOX = re.compile(r"\d{1,5}( \d{1,5}){3}")
VERSION = re.compile(r"v\d{1,6}-[0-9a-f]{8}")


def export(home: Home) -> Path:
    """Return the file of a zip with the corrections in use, packed once for a state of the store.

    Adding may go on meanwhile: pictures never change. Raises StoreError when they are too many for
    a download, or cannot be read.
    """
    try:
        home.exports.mkdir(exist_ok=True)
        with FileLock(home.exports / ".lock"):  # of many who ask at once, one packs
            path = home.exports / f"corrections-{_state(home)}.zip"
            if not path.exists():
                for old in home.exports.glob("*corrections-*"):  # also half-written ones
                    old.unlink()
                partial = path.with_name(f".{path.name}{durable.PARTIAL}")
                _pack(home, partial)
                partial.replace(path)
        return path
    except OSError as error:
        raise StoreError(f"No zip can be packed ({error}): repair it and try again.") from error


@dataclass
class Imported:
    """What an import did, as a sentence too: rows stored, here already, skipped, and why.

    rest: why more that the zip holds was left, or "".
    """

    stored: int = 0
    present: int = 0
    skipped: list[str] = field(default_factory=list)
    rest: str = ""

    def __str__(self) -> str:
        skipped = len(self.skipped)
        said = (
            f"Imported {self.stored} corrections; {self.present} were here already; "
            f"{skipped} skipped"
        )
        if skipped:
            more = f" and {skipped - NAMED} more" if skipped > NAMED else ""
            said += f" ({'; '.join(self.skipped[:NAMED])}{more})"
        return f"{said}." + (f" {self.rest}" if self.rest else "")


def import_zip(
    home: Home,
    file: BinaryIO,
    most: int | None = None,
    *,
    visit: str = "",
    told: Callable[[Imported], object] = str,
) -> Imported:
    """Store what an exported zip holds and is not here yet; return what was done.

    file: a binary file object. most: rows to store, None for all. visit: who brings it, as `add`
    takes it. told: is told after each row what was done so far; what it raises ends the import.
    Pictures count as the same by what they show. Raises StoreError when it is no such zip, another
    import is at work, or the store cannot take more; what was imported by then stays.
    """
    try:
        with home.import_lock():
            return _import(home, file, most, visit, told)
    except Timeout as error:
        raise StoreError(BUSY) from error


def _import(
    home: Home, file: BinaryIO, most: int | None, visit: str, told: Callable[[Imported], object]
) -> Imported:
    """Return what `import_zip` does, alone."""
    until = time.monotonic() + MAX_SECONDS
    known = _contents_of_foreign_names(home)
    done = Imported()
    for line, found in _unpack(file):
        told(done)
        if time.monotonic() > until:
            done.rest = TOO_LONG
            break
        if isinstance(found, ValueError):
            done.skipped.append(f"line {line}: {found}")
            continue
        picture, correction = found
        name = corrections.image_name(picture)
        if done.stored == most and name not in known and not (home.folder / name).exists():
            done.rest = BOUND
            break
        try:
            new = name not in known and store.adopt(home, picture, correction, visit)
        except StoreError as error:
            raise StoreError(f"{done} Then: {error}") from error
        done.stored, done.present = done.stored + new, done.present + (not new)
    return done


def _state(home: Home) -> str:
    """Return what changes whenever what the store holds does, 16 hex digits."""
    stats = [path.stat() for path in (home.table, home.images) if path.exists()]
    told = [(stat.st_mtime_ns, stat.st_size, stat.st_ino) for stat in stats]
    return hashlib.sha256(repr(told).encode()).hexdigest()[:16]


def _pack(home: Home, path: Path) -> None:
    """Write the corrections in use as a zip. Raises StoreError and OSError."""
    stored, skipped = feedback.load(home)
    for one in stored:
        if not _content_of(home.folder / one.image):  # a row may name any file of the home
            skipped.append(f"{one.image} is no picture that can be read")
    stored = [one for one in stored if _content_of(home.folder / one.image)]
    size = sum((home.folder / one.image).stat().st_size for one in stored)
    if size > MAX_EXPORT:
        raise StoreError(
            f"The pictures have {size / 2**20:,.0f} MB, more than the {MAX_EXPORT // 2**20} MB of "
            f"a download: copy {TABLE} and {IMAGES} themselves."
        )
    with zipfile.ZipFile(path, "w") as out:
        for one in stored:
            out.write(home.folder / one.image, _name_in_zip(one))
        out.writestr(TABLE, _table(stored), zipfile.ZIP_DEFLATED)
        rows, unread = _rows(home, stored)
        out.writestr(ROWS, rows, zipfile.ZIP_DEFLATED)
        if skipped or unread:
            out.writestr(SKIPPED, "\n".join([*skipped, *unread, ""]).encode(errors="replace"))


def _name_in_zip(correction: Correction) -> str:
    """Return where the zip holds the correction's picture: two of one name stay two.

    A zip's names are UTF-8, a disk's need not be; what an ending says does not count.
    """
    image = Path(correction.image)
    if image.parent == Path(IMAGES) and image.name.isprintable():
        return correction.image
    return f"{IMAGES}/{hashlib.sha256(os.fsencode(image)).hexdigest()[:16]}.png"


def _table(stored: list[Correction]) -> str:
    """Return the corrections as a table that names the zip's pictures."""
    rows = [
        corrections.to_cells(replace(one, image=_name_in_zip(one), visits="")) for one in stored
    ]
    lines = [corrections.COLUMNS, *(list(row.values()) for row in rows)]
    return "".join(f"{csv_tables.line(line)}\n" for line in lines)


def _rows(home: Home, stored: list[Correction]) -> tuple[str, list[str]]:
    """Return the corrections in `train.csv`'s layout, and a warning for each that has no digit."""
    digits, labels, unread = [], [], []
    for one in stored:
        digit = _digit_in(home.folder / one.image)
        if isinstance(digit, Exception):
            unread.append(f"{one.image} is not in {ROWS}: {digit}")
        else:
            digits.append(digit)
            labels.append(one.actual)
    text = io.StringIO()
    write_rows(text, np.array(digits, np.uint8), np.array(labels, np.int64))
    return text.getvalue(), unread


@lru_cache(maxsize=20_000)  # 1 KB each; a stored picture never changes
def _digit_in(path: Path) -> np.ndarray | Exception:
    """Return the digit in a picture, uint8 (28, 28), or why there is none."""
    try:
        return images.read_digit(images.open_picture(path))
    except (images.ImageError, OSError) as error:
        return error


def _unpack(file: BinaryIO) -> Iterator[tuple[int, tuple | ValueError]]:
    """Yield each row's line number with its picture and correction, or with what is wrong."""
    try:
        with zipfile.ZipFile(file) as archive:
            entries = {Path(info.filename).name: info for info in archive.infolist()}
            if TABLE not in entries:
                raise ValueError(f"it holds no {TABLE}")
            data = _read(archive, entries[TABLE], MAX_TABLE)
            if max(data.count(b"\n"), data.count(b"\r")) > MAX_ROWS:
                raise ValueError(f"its table has more than {MAX_ROWS:,} rows")
            table = corrections.parse_table(data, TABLE)
            yield from _pictures(archive, entries, table)
    except DAMAGED as error:
        raise StoreError(
            f"This file cannot be imported ({error}): please give a zip that this page exported."
        ) from error


def _pictures(
    archive: zipfile.ZipFile, entries: dict[str, zipfile.ZipInfo], table: csv_tables.Table
) -> Iterator[tuple[int, tuple | ValueError]]:
    """Yield what `_unpack` does, for the rows of the zip's table."""
    left, pixels = MAX_IMPORT, MAX_PIXELS
    taken: set[int] = set()  # where in the zip: two names may stand for one picture

    def find_image(cell: str) -> str:
        name = cell.strip().replace("\\", "/").rpartition("/")[2]
        if name not in entries:
            raise ValueError("its image is not in the zip")
        return name

    for row in table.rows:
        try:
            correction = corrections.parse(row.cells, find_image)
            entry = entries[correction.image]
            if entry.header_offset in taken:
                raise ValueError("its image is another row's, too")
            taken.add(entry.header_offset)
            data = _read(archive, entry, min(images.MAX_BYTES, left))
            left -= len(data)
            pixels -= images.pixels_of(data)
            if pixels < 0:
                raise ValueError(f"the pictures have more than {MAX_PIXELS:,} pixels")
            picture = images.open_picture(io.BytesIO(data))
        except DAMAGED as error:
            yield row.number, ValueError(str(error))
        else:
            yield row.number, (picture, _without_foreign_text(correction))


def _read(archive: zipfile.ZipFile, info: zipfile.ZipInfo, limit: int) -> bytes:
    """Return a member's content. Raises ValueError beyond `limit` bytes, and others of DAMAGED."""
    if info.compress_type not in METHODS:
        raise ValueError("it is packed in a way that is not read here")
    with archive.open(info) as stream:
        data = stream.read(limit + 1)
    if len(data) > limit:
        raise ValueError(f"it unpacks to more than {limit // 2**20} MB")
    return data


def _without_foreign_text(correction: Correction) -> Correction:
    """Return the correction with its version, time and box only where they are such."""
    added = ""
    with suppress(ValueError):
        when = datetime.fromisoformat(correction.added)
        if when.replace(tzinfo=when.tzinfo or UTC) <= datetime.now(UTC):
            added = when.isoformat(timespec="seconds")
    version = correction.version if VERSION.fullmatch(correction.version) else ""
    box = correction.box if BOX.fullmatch(correction.box) else ""
    return replace(correction, version=version, added=added, source="", box=box)


def _contents_of_foreign_names(home: Home) -> set[str]:
    """Return what `image_name` gives for stored pictures that are named in another way."""
    stored = feedback.load(home)[0] + feedback.removed(home)
    named_otherwise = [one for one in stored if not OWN_NAME.fullmatch(Path(one.image).name)]
    return {_content_of(home.folder / one.image) for one in named_otherwise}


@lru_cache(maxsize=20_000)
def _content_of(path: Path) -> str:
    """Return what `image_name` gives for a stored picture, "" for one that cannot be read."""
    try:
        return corrections.image_name(images.open_picture(path))
    except (images.ImageError, OSError):
        return ""
