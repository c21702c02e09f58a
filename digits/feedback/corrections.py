"""A correction and its row in `incorrect_predictions.csv`: reading the table, naming images.

A store that has only the three columns of the original project, and images of any name, is read
as it is; so is one from another machine, whose paths lead nowhere here.
"""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from PIL import Image

from digits.feedback import csv_tables

TABLE = "incorrect_predictions.csv"
FOLDER = "incorrect_images"
COLUMNS = [
    "Predicted_Label",
    "Actual_Label",
    "Image_Path",
    "Confidence",  # the guess' probability, 0 to 1
    "Model_Version",
    "Added",  # ISO 8601, UTC
    "Answers",  # how often people gave this same answer
    "State",  # REMOVED, or empty
]
REQUIRED = COLUMNS[:3]
REMOVED = "removed"


class StoreError(RuntimeError):
    """The store cannot be read or written; the message is fit for the page."""


@dataclass(frozen=True)
class Correction:
    """A picture whose guess was wrong, with the guess and the actual label.

    image: the PNG's path, relative to the root. predicted, actual: 0 to 9.
    confidence: the guess' probability or None. version: of the network that guessed, or "".
    added: ISO 8601, or "". answers: how often this same answer was given; two or more mean that a
    second look found the label right. removed: whether it is out of use.
    earlier: what `add` put it in the place of, for `undo`.
    """

    predicted: int
    actual: int
    image: str
    confidence: float | None = None
    version: str = ""
    added: str = ""
    answers: int = 1
    removed: bool = False
    earlier: Correction | None = field(default=None, compare=False, repr=False)

    @property
    def key(self) -> tuple[str, int]:
        """What makes it another correction: the picture and its label."""
        return self.image, self.actual


def image_name(picture: Image.Image) -> str:
    """Return the path, relative to the root, that names the picture by what it shows."""
    shape = f"{picture.mode} {picture.size}".encode()
    content = hashlib.sha256(shape + picture.tobytes()).hexdigest()[:16]
    return f"{FOLDER}/incorrect_image_{content}.png"


def read(root: Path) -> list[tuple[int, Correction | ValueError]]:
    """Return each row's line number, with its correction or with what is wrong with it.

    Raises StoreError when the table cannot be read, or is none of corrections.
    """
    find = partial(_find_image, root, _stored_names(root))
    rows = []
    for row in read_table(root).rows:
        try:
            rows.append((row.number, parse(row.cells, find)))
        except ValueError as error:
            rows.append((row.number, error))
    return rows


def read_table(root: Path) -> csv_tables.Table:
    """Return the table. Raises StoreError when there is one, but not of corrections."""
    path = root / TABLE
    try:
        table = csv_tables.read(path, has_labels)
    except OSError as error:
        raise StoreError(f"{path} cannot be read ({error}): mend or move it.") from error
    missing = [name for name in REQUIRED if name not in table.header]
    if missing and (table.header or table.rows):
        raise StoreError(
            f"{path} lacks the column {missing[0]}: its first line must begin with "
            f"{','.join(REQUIRED)}."
        )
    return table


def find(
    root: Path, image: str
) -> tuple[csv_tables.Table, csv_tables.Row | None, Correction | None]:
    """Return the table, the row that counts for an image, and its correction.

    The row is None when none names the image, the correction when the row's labels are no digits.
    """
    table, name = read_table(root), Path(image).name
    locate = partial(_find_image, root, {name})
    for row in reversed(table.rows):
        cell = row.cells["Image_Path"]
        with suppress(ValueError):
            if name in cell and locate(cell) == image:
                return table, row, _parse_or_none(row.cells, locate)
    return table, None, None


def with_our_columns(table: csv_tables.Table) -> csv_tables.Table:
    """Return the table, our columns that it lacks now behind those it has."""
    lacking = [name for name in COLUMNS if name not in table.header]
    return replace(table, header=table.header + lacking)


def parse(cells: dict[str, str], find_image: Callable[[str], str]) -> Correction:
    """Return the correction that a row holds; raise ValueError with what is wrong with it.

    find_image: gives the image for the cell that names it, or raises ValueError.
    """
    labels = [cells[name].strip() for name in REQUIRED[:2]]
    for name, text in zip(REQUIRED, labels, strict=False):
        if text not in set("0123456789"):
            raise ValueError(f"{name} is {text!r}, not a digit from 0 to 9")
    return Correction(
        int(labels[0]),
        int(labels[1]),
        find_image(cells["Image_Path"]),
        _number(cells.get("Confidence")),
        cells.get("Model_Version") or "",
        cells.get("Added") or "",
        int(_number(cells.get("Answers")) or 1),
        cells.get("State") == REMOVED,
    )


def has_labels(cells: dict[str, str]) -> bool:
    """Return whether the cells are a row's: both labels are digits."""
    return all(cells.get(name, "").strip() in set("0123456789") for name in REQUIRED[:2])


def to_cells(correction: Correction) -> dict[str, str]:
    """Return the correction as the cells of its row."""
    confidence = "" if correction.confidence is None else f"{correction.confidence:.4f}"
    values = [correction.predicted, correction.actual, correction.image, confidence]
    values += [csv_tables.harmless(correction.version), correction.added, correction.answers]
    values += [REMOVED if correction.removed else ""]
    return dict(zip(COLUMNS, map(str, values), strict=True))


def _parse_or_none(cells: dict[str, str], find_image: Callable[[str], str]) -> Correction | None:
    """Return the correction that a row holds, None when it holds none."""
    with suppress(ValueError):
        return parse(cells, find_image)
    return None


def _stored_names(root: Path) -> set[str]:
    """Return the names of the files in the folder of images."""
    try:
        with os.scandir(root / FOLDER) as entries:
            return {entry.name for entry in entries if entry.is_file()}
    except FileNotFoundError:
        return set()
    except OSError as error:
        raise StoreError(f"{root / FOLDER} cannot be read ({error}): mend it.") from error


def _find_image(root: Path, names: set[str], text: str) -> str:
    """Return the image's path, relative to the root; raise ValueError when it is missing."""
    text = text.strip()
    name = text.replace("\\", "/").rpartition("/")[2]
    inside = f"{FOLDER}/{name}"
    if text == inside and name in names:
        return text
    if _is_file(root / text) and (root / text).resolve().parent != (root / FOLDER).resolve():
        return text
    # Tables made elsewhere may hold that machine's paths; the file's name is what counts.
    if name not in names:
        raise ValueError(f"its image {text or '(none)'} is missing")
    return inside


def _is_file(path: Path) -> bool:
    """Return whether path is a file; a name that no disk can hold is none."""
    try:
        return path.is_file()
    except OSError:  # longer than names may be: cells run together by a stray quotation mark
        return False


def _number(text: str | None) -> float | None:
    """Return the finite number a cell holds, or None."""
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if math.isfinite(number) else None
