"""Corrections on their way between servers: a zip of their pictures, their table, and their rows.

The zip holds `incorrect_predictions.csv`, the pictures it names, and `rows.csv`: the same as
digits in `train.csv`'s layout. What comes in is a stranger's: it is bounded, each picture goes
through `images.open_picture`, and no name or text of it is kept.
"""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

import numpy as np

from digits import feedback, images
from digits.feedback import corrections, csv_tables, store
from digits.feedback.corrections import Correction, StoreError
from digits.home import IMAGES, TABLE, Home
from digits.rows import write_rows

ROWS = "rows.csv"
SKIPPED = "skipped.txt"  # in the zip if something was: what, and why
MAX_EXPORT = 200 * 2**20  # bytes of pictures; a download is built and kept in memory
MAX_IMPORT = 500 * 2**20  # bytes unpacked in all: what a bomb may make this machine do
MAX_TABLE = 20 * 2**20  # bytes; a full store's table has 3 MB
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


def export(home: Home) -> bytes:
    """Return the corrections in use as a zip.

    Adding may go on meanwhile: pictures never change. Raises StoreError when they are too many for
    a download, or cannot be read.
    """
    try:
        return _pack(home)
    except OSError as error:
        raise StoreError(f"The store cannot be read ({error}): repair it and try again.") from error


@dataclass
class Imported:
    """What an import did, as a sentence too: rows stored, here already, skipped, and why.

    is_cut: whether more were in the zip than could be stored at most.
    """

    stored: int = 0
    present: int = 0
    skipped: list[str] = field(default_factory=list)
    is_cut: bool = False

    def __str__(self) -> str:
        skipped = len(self.skipped)
        said = (
            f"Imported {self.stored} corrections; {self.present} were here already; "
            f"{skipped} skipped"
        )
        if skipped:
            more = f" and {skipped - NAMED} more" if skipped > NAMED else ""
            said += f" ({'; '.join(self.skipped[:NAMED])}{more})"
        return f"{said}." + (f" {BOUND}" if self.is_cut else "")


def import_zip(home: Home, file: BinaryIO, most: int | None = None) -> Imported:
    """Store what an exported zip holds and is not here yet; return what was done.

    file: a binary file object. most: rows to store, None for all. Pictures count as the same by
    what they show. Raises StoreError when it is no such zip, or the store cannot take more; what
    was imported by then stays.
    """
    known = _contents_of_foreign_names(home)
    done = Imported()
    for line, found in _unpack(file):
        if isinstance(found, ValueError):
            done.skipped.append(f"line {line}: {found}")
            continue
        picture, correction = found
        name = corrections.image_name(picture)
        if done.stored == most and name not in known and not (home.folder / name).exists():
            done.is_cut = True
            break
        try:
            new = name not in known and store.adopt(home, picture, correction)
        except StoreError as error:
            raise StoreError(f"{done} Then: {error}") from error
        done.stored, done.present = done.stored + new, done.present + (not new)
    return done


def _pack(home: Home) -> bytes:
    """Return the corrections in use as a zip. Raises StoreError and OSError."""
    stored, skipped = feedback.load(home)
    size = sum((home.folder / one.image).stat().st_size for one in stored)
    if size > MAX_EXPORT:
        raise StoreError(
            f"The pictures have {size / 2**20:,.0f} MB, more than the {MAX_EXPORT // 2**20} MB of "
            f"a download: copy {TABLE} and {IMAGES} themselves."
        )
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as out:
        for one in stored:
            out.write(home.folder / one.image, _name_in_zip(one))
        out.writestr(TABLE, _table(stored), zipfile.ZIP_DEFLATED)
        rows, unread = _rows(home, stored)
        out.writestr(ROWS, rows, zipfile.ZIP_DEFLATED)
        if skipped or unread:
            out.writestr(SKIPPED, "\n".join(skipped + unread) + "\n")
    return archive.getvalue()


def _name_in_zip(correction: Correction) -> str:
    """Return where the zip holds the correction's picture."""
    return f"{IMAGES}/{Path(correction.image).name}"


def _table(stored: list[Correction]) -> str:
    """Return the corrections as a table that names the zip's pictures."""
    rows = [corrections.to_cells(replace(one, image=_name_in_zip(one))) for one in stored]
    lines = [corrections.COLUMNS, *(list(row.values()) for row in rows)]
    return "".join(f"{csv_tables.line(line)}\n" for line in lines)


def _rows(home: Home, stored: list[Correction]) -> tuple[str, list[str]]:
    """Return the corrections in `train.csv`'s layout, and a warning for each that has no digit."""
    digits, labels, unread = [], [], []
    for one in stored:
        try:
            digits.append(images.read_digit(images.open_picture(home.folder / one.image)))
        except (images.ImageError, OSError) as error:
            unread.append(f"{one.image} is not in {ROWS}: {error}")
        else:
            labels.append(one.actual)
    text = io.StringIO()
    write_rows(text, np.array(digits, np.uint8), np.array(labels, np.int64))
    return text.getvalue(), unread


def _unpack(file: BinaryIO) -> Iterator[tuple[int, tuple | ValueError]]:
    """Yield each row's line number with its picture and correction, or with what is wrong."""
    try:
        with zipfile.ZipFile(file) as archive:
            entries = {Path(info.filename).name: info for info in archive.infolist()}
            if TABLE not in entries:
                raise ValueError(f"it holds no {TABLE}")
            table = corrections.parse_table(_read(archive, entries[TABLE], MAX_TABLE), TABLE)
            yield from _pictures(archive, entries, table)
    except DAMAGED as error:
        raise StoreError(
            f"This file cannot be imported ({error}): please give a zip that this page exported."
        ) from error


def _pictures(
    archive: zipfile.ZipFile, entries: dict[str, zipfile.ZipInfo], table: csv_tables.Table
) -> Iterator[tuple[int, tuple | ValueError]]:
    """Yield what `_unpack` does, for the rows of the zip's table."""
    left = MAX_IMPORT

    def find_image(cell: str) -> str:
        name = cell.strip().replace("\\", "/").rpartition("/")[2]
        if name not in entries:
            raise ValueError("its image is not in the zip")
        return name

    for row in table.rows:
        try:
            correction = corrections.parse(row.cells, find_image)
            data = _read(archive, entries[correction.image], min(images.MAX_BYTES, left))
            left -= len(data)
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
    try:
        added = datetime.fromisoformat(correction.added).isoformat(timespec="seconds")
    except ValueError:
        added = ""
    version = correction.version if VERSION.fullmatch(correction.version) else ""
    box = correction.box if BOX.fullmatch(correction.box) else ""
    return replace(correction, version=version, added=added, source="", box=box)


def _contents_of_foreign_names(home: Home) -> set[str]:
    """Return what `image_name` gives for stored pictures that are named in another way."""
    stored = feedback.load(home)[0] + feedback.removed(home)
    named_otherwise = [one for one in stored if not OWN_NAME.fullmatch(Path(one.image).name)]
    names = set()
    for one in named_otherwise:
        try:
            names.add(corrections.image_name(images.open_picture(home.folder / one.image)))
        except (images.ImageError, OSError):
            continue  # a picture that cannot be read is no picture's twin
    return names
