"""Tables in CSV that people and other programs edit too: one damaged row never spoils another.

Read are UTF-8 with or without a BOM, any line ends, further columns, short rows; bytes that are no
UTF-8 stay as they are. A quoted cell may span lines, but none that looks like a row of its own: so
a stray quotation mark costs its own row at most.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from digits import durable

MAX_LINES = 100  # of one quoted cell: longer ones are a quotation mark that was never closed
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # https://owasp.org/www-community/attacks/CSV_Injection


@dataclass
class Row:
    """A row as it stands: its first line's number, its text, its cells by column ("" if short)."""

    number: int
    text: str
    cells: dict[str, str]


@dataclass
class Table:
    """A table's column names and its rows, in their order."""

    header: list[str]
    rows: list[Row]


def parse(data: bytes, is_row: Callable[[dict[str, str]], bool]) -> Table:
    """Return the table in a file's bytes, without columns when there are none.

    is_row: told the cells of one line, whether that line is a row of its own.
    """
    text = data.decode("utf-8-sig", "surrogateescape")
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    header = _header(lines[0])

    def cells_of(values: list[str]) -> dict[str, str]:
        return dict.fromkeys(header, "") | dict(zip(header, values, strict=False))

    def stands_alone(line: str) -> bool:
        return is_row(cells_of(_unquoted(line)))

    rows = [
        Row(number, text, cells_of(values))
        for number, text, values in _records(lines[1:], stands_alone)
    ]
    return Table(header, rows)


def read_header(path: Path) -> list[str]:
    """Return the table's column names, none when the file is missing or empty."""
    if not path.exists():
        return []
    with open(path, encoding="utf-8-sig", errors="surrogateescape") as stream:
        return _header(stream.readline().rstrip("\n"))


def write(path: Path, table: Table) -> None:
    """Make the table the content of path in one step; rows keep their text, damaged ones too."""
    lines = [line(table.header), *(row.text for row in table.rows)]
    durable.write(path, "".join(f"{one}\n" for one in lines).encode(errors="surrogateescape"))


def line(cells: list[str]) -> str:
    """Return cells as one line of CSV, without its end."""
    text = io.StringIO()
    csv.writer(text).writerow(cells)  # with its own line end: cells that hold one are quoted
    return text.getvalue().removesuffix("\r\n")


def harmless(text: str) -> str:
    """Return the text as a cell that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(FORMULA) else text


def _header(text: str) -> list[str]:
    """Return the column names in a table's first line."""
    names = _cells(text) or _unquoted(text)
    return [name.strip() for name in names] if text else []


def _records(
    lines: list[str], stands_alone: Callable[[str], bool]
) -> Iterator[tuple[int, str, list[str]]]:
    """Yield each row's first line number, counted from 2, its text and its values."""
    start = 0
    while start < len(lines):
        end = start + 1
        values = _cells(lines[start])
        while values is None and end < min(len(lines), start + MAX_LINES):
            if stands_alone(lines[end]):
                break
            end += 1
            values = _cells("\n".join(lines[start:end]))
        if values is None:  # no cell that spans lines after all
            end = start + 1
            values = _unquoted(lines[start])
        text = "\n".join(lines[start:end])
        if text.strip():
            yield start + 2, text, values
        start = end


def _cells(text: str) -> list[str] | None:
    """Return the values in one row of CSV, None when its quotation marks do not match."""
    if '"' not in text:
        return text.split(",")
    try:
        return next(csv.reader([text], strict=True))
    except csv.Error:
        return None


def _unquoted(text: str) -> list[str]:
    """Return the values in a line whose quotation marks do not match: without them."""
    return text.replace('"', "").split(",")
