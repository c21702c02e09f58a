"""A correction and its row in `incorrect_predictions.csv`.

A store that has only the three columns of the original project, and images of any name, is read
as it is; so is one from another machine, whose paths lead nowhere here.
"""

from __future__ import annotations

import hashlib
import math
import os
import re
import textwrap
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from PIL import Image

from digits import durable
from digits.feedback import csv_tables
from digits.feedback.csv_tables import Row, Table
from digits.home import IMAGES, Home

COLUMNS = [
    "Predicted_Label",
    "Actual_Label",
    "Image_Path",
    "Confidence",  # the guess' probability, 0 to 1
    "Model_Version",
    "Added",  # ISO 8601, UTC
    "Answers",  # how often people gave this same label
    "State",  # REMOVED, or empty
    "Source",  # of a digit cut from a number: the picture's name ...
    "Box",  # ... and its left, top, width and height there, in px
    "Visits",  # a random number of each visit that gave this label, no name
]
REQUIRED = COLUMNS[:3]
REMOVED = "removed"
PASSWORD = "password"  # stands for every visit that gave it, or that a teacher has signed in
MAX_VISITS = 8  # that a row names: who vouched is asked up to two
SHOWN = 100  # characters of a cell, in a sentence on it
LABEL = re.compile(r"\s*([0-9])(?:[.,]0*)?\s*")  # pandas writes 7.0 where another is missing
PICTURE = re.compile(r".*\.\w{2,5}\s*", re.DOTALL)  # the name of one


class StoreError(RuntimeError):
    """The store cannot be read or written; the message is fit for the page."""


@dataclass(frozen=True)
class Correction:
    """A picture whose guess was wrong, with the guess and the actual label.

    image: the PNG's path, relative to the home. predicted, actual: 0 to 9.
    confidence: the guess' probability or None. version: of the network that guessed, or "".
    added: ISO 8601, or "". votes: how often people gave this same label; two or more mean that a
    second look found it right. removed: whether it is out of use. source, box: of a digit that was
    cut from a number, that picture's name and `left top width height` in its px, or "". visits:
    the visits that gave this label, the first first, each a random number; "" where not known.
    earlier: what `add` put it in the place of, for `undo`.
    """

    predicted: int
    actual: int
    image: str
    confidence: float | None = None
    version: str = ""
    added: str = ""
    votes: int = 1
    removed: bool = False
    source: str = ""
    box: str = ""
    visits: str = ""
    earlier: Correction | None = field(default=None, compare=False, repr=False)

    @property
    def key(self) -> tuple[str, int]:
        """What makes it another correction: the picture and its label."""
        return self.image, self.actual

    @property
    def name(self) -> str:
        """The image's path, fit to be shown: its own bytes may be no UTF-8."""
        return csv_tables.readable(self.image)

    @property
    def visit(self) -> str:
        """The visit that gave this label first, or ""."""
        return self.visits.partition(" ")[0]

    def seconded(self, visit: str) -> Correction:
        """Return it with one more vote, or as it is: one visit is one voice, the password any."""
        known = self.visits.split()
        if visit in known and visit != PASSWORD:
            return self
        named = " ".join([*known, visit][:MAX_VISITS]).strip()
        return replace(self, votes=self.votes + 1, visits=named)

    def unseconded(self, visit: str) -> Correction:
        """Return it with one vote less, that visit's."""
        others = self.visits.split()
        if visit in others:
            others.remove(visit)
        return replace(self, votes=self.votes - 1, visits=" ".join(others))


def image_name(picture: Image.Image) -> str:
    """Return the path, relative to a home, that names the picture by what it shows."""
    shape = f"{picture.mode} {picture.size}".encode()
    content = hashlib.sha256(shape + picture.tobytes()).hexdigest()[:16]
    return f"{IMAGES}/incorrect_image_{content}.png"


def read_rows(home: Home, table: Table) -> Iterator[tuple[Row, Correction | str]]:
    """Yield each row of the home's table, with its correction or a warning of what is wrong.

    Rows without any text, which spreadsheets leave, are none; a removed one warns of nothing.
    Raises StoreError when the folder of images cannot be read.
    """
    locate = partial(_locate_image, home, _stored_names(home))
    for row in table.rows:
        if not any(map(str.strip, row.cells.values())):
            continue
        try:
            yield row, parse(row.cells, locate)
        except ValueError as error:
            if row.cells.get("State") != REMOVED:
                yield row, f"{home.table.name} line {row.number} skipped: {error}."


def read_table(home: Home) -> Table:
    """Return the table, an empty one when it is missing. Raises StoreError as `parse_table`."""
    try:
        data = home.table.read_bytes() if home.table.exists() else b""
    except OSError as error:
        raise StoreError(f"{home.table} cannot be read ({error}): repair or move it.") from error
    return parse_table(data, str(home.table))


def parse_table(data: bytes, name: str) -> Table:
    """Return the table in a file's bytes. Raises StoreError, with its name, for another table."""
    try:
        table = csv_tables.parse(data, is_row, COLUMNS)
    except ValueError as error:
        raise StoreError(f"{name} {error}: it is no table of corrections.") from error
    missing = [column for column in REQUIRED if column not in table.header]
    if missing and (table.header or table.rows):
        raise StoreError(
            f"{name} lacks the column {missing[0]}: its first line must name "
            f"{', '.join(REQUIRED)}, and is {textwrap.shorten(table.form.head, 80)!r}."
        )
    return table


def find(home: Home, image: str) -> tuple[Table, Row | None, Correction | None]:
    """Return the table, the row that counts for an image, and its correction.

    The row is None when none names the image, the correction when the row's labels are no digits.
    """
    table, name = read_table(home), Path(image).name
    locate = partial(_locate_image, home, {name})
    for row in reversed(table.rows):
        cell = row.cells["Image_Path"]
        with suppress(ValueError):
            if name in cell and locate(cell) == image:
                return table, row, _parse_or_none(row.cells, locate)
    return table, None, None


def append(home: Home, correction: Correction) -> None:
    """Add the correction's row; a table without our further columns gets them first."""
    table = csv_tables.read_head(home.table, COLUMNS)
    cells = to_cells(correction)
    if table.form.is_plain and set(COLUMNS) <= set(table.header):
        durable.append_line(home.table, table.line(cells))
        return
    table = read_table(home)
    table.add_columns(COLUMNS)
    table.rows.append(Row(0, table.line(cells), cells))
    csv_tables.write(home.table, table)


def put(home: Home, table: Table, row: Row, cells: dict[str, str]) -> None:
    """Write the table with these cells in the place of a row's."""
    table.add_columns(COLUMNS)
    row.text = table.line(row.cells | cells, row.beyond)
    csv_tables.write(home.table, table)


def parse(cells: Mapping[str, str], locate: Callable[[str], str]) -> Correction:
    """Return the correction that a row holds; raise ValueError with what is wrong with it.

    locate: gives the image for the cell that names it, or raises ValueError.
    """
    predicted, actual = (_label(name, cells[name]) for name in REQUIRED[:2])
    return Correction(
        predicted,
        actual,
        locate(cells["Image_Path"]),
        _number(cells.get("Confidence")),
        cells.get("Model_Version") or "",
        cells.get("Added") or "",
        max(1, int(_number(cells.get("Answers")) or 1)),
        cells.get("State") == REMOVED,
        cells.get("Source") or "",
        cells.get("Box") or "",
        cells.get("Visits") or "",
    )


def is_row(cells: Mapping[str, str]) -> bool:
    """Return whether the cells are a row's: both labels are digits, and a picture is named."""
    labelled = all(LABEL.fullmatch(cells.get(name, "")) for name in REQUIRED[:2])
    return labelled and bool(PICTURE.fullmatch(cells.get("Image_Path", "")))


def to_cells(correction: Correction) -> dict[str, str]:
    """Return the correction as the cells of its row."""
    confidence = "" if correction.confidence is None else f"{correction.confidence:.4f}"
    values = [correction.predicted, correction.actual, correction.image, confidence]
    values += [csv_tables.harmless(correction.version), correction.added, correction.votes]
    values += [REMOVED if correction.removed else ""]
    values += [csv_tables.harmless(correction.source), correction.box, correction.visits]
    return dict(zip(COLUMNS, map(str, values), strict=True))


def _label(name: str, text: str) -> int:
    """Return the digit in a cell of the column `name`; raise ValueError when it holds none."""
    found = LABEL.fullmatch(text)
    if not found:
        raise ValueError(f"{name} is {text.strip()[:SHOWN]!r}, not a digit from 0 to 9")
    return int(found[1])


def _parse_or_none(cells: Mapping[str, str], locate: Callable[[str], str]) -> Correction | None:
    """Return the correction that a row holds, None when it holds none."""
    with suppress(ValueError):
        return parse(cells, locate)
    return None


def _stored_names(home: Home) -> set[str]:
    """Return the names of the files in the folder of images."""
    try:
        with os.scandir(home.images) as entries:
            return {entry.name for entry in entries if entry.is_file()}
    except FileNotFoundError:
        return set()
    except OSError as error:
        raise StoreError(f"{home.images} cannot be read ({error}): repair it.") from error


def _locate_image(home: Home, names: set[str], text: str) -> str:
    """Return the image's path, relative to the home; raise ValueError when it is missing."""
    text = text.strip()
    name = text.replace("\\", "/").rpartition("/")[2]
    inside = f"{IMAGES}/{name}"
    if text == inside and name in names:
        return text
    path = home.folder / text
    if _is_file(path) and _is_elsewhere_in(home, path.resolve()):
        return text
    # Tables made elsewhere may hold that machine's paths; the file's name is what counts.
    if name not in names:
        named = csv_tables.readable(text[-SHOWN:]) or "(none)"
        raise ValueError(f"its image {named} is missing")
    return inside


def _is_elsewhere_in(home: Home, path: Path) -> bool:
    """Return whether path lies in the home, but not in its folder of images.

    Nothing outside is a picture of the store, whatever a row names: it would be shown and exported.
    """
    return path.is_relative_to(home.folder) and path.parent != home.images.resolve()


def _is_file(path: Path) -> bool:
    """Return whether path is a file; a name that no disk can hold is none."""
    try:
        return path.is_file()
    except OSError:  # longer than names may be: cells run together by a stray quotation mark
        return False


def _number(text: str | None) -> float | None:
    """Return the finite number a cell holds, or None."""
    try:
        number = float((text or "").replace(",", "."))  # a spreadsheet's comma
    except ValueError:
        return None
    return number if math.isfinite(number) else None
