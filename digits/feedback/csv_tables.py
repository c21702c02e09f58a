"""Tables in CSV that people and other programs edit too: one damaged row never spoils another.

Read are comma, semicolon or tab, named by a line `sep=` or not; UTF-8 with or without a BOM, UTF-16
with one; any line ends, further columns, short rows; bytes that are no UTF-8 stay as they are. What
is written has the form of what was read. One line is one row unless a quoted cell really spans
lines: none that looks like a row of its own, so a stray quotation mark costs its own row at most.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from digits import durable

MAX_LINES = 100  # of one quoted cell: longer ones are a quotation mark that was never closed
MAX_COLUMNS = 40  # each row has a cell of each: a million of them took gigabytes
HEAD = 2**16  # bytes that hold a table's column names
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # https://owasp.org/www-community/attacks/CSV_Injection
DELIMITERS = ",;\t"
MARKS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}
LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+\Z")
SEPARATOR = re.compile(r'"?sep=(.)"?\s*')  # what Excel reads and writes before the column names


@dataclass(frozen=True)
class Form:
    """How a file writes its table; head: the lines down to its column names, as they stand."""

    head: str = ""
    delimiter: str = ","
    end: str = "\n"
    mark: bytes = b""
    encoding: str = "utf-8"

    @property
    def is_plain(self) -> bool:
        """Whether a line can be added as UTF-8 that ends with a line feed."""
        return (self.end, self.encoding) == ("\n", "utf-8")

    def line(self, cells: Iterable[str]) -> str:
        """Return cells as one line, without its end."""
        text = io.StringIO()
        csv.writer(text, delimiter=self.delimiter).writerow(cells)  # quotes cells with line ends
        return text.getvalue().removesuffix("\r\n")


@dataclass
class Row:
    """A row as it stands: its first line's number, its text, its cells by column ("" if short)."""

    number: int
    text: str
    cells: dict[str, str]
    beyond: list[str] = field(default_factory=list)  # cells for which there is no column


@dataclass
class Table:
    """A table's column names, its rows in their order, and its form."""

    header: list[str]
    rows: list[Row]
    form: Form = field(default_factory=Form)

    def add_columns(self, names: Iterable[str]) -> None:
        """Put columns that it lacks behind those it has."""
        lacking = [name for name in names if name not in self.header]
        if lacking:
            parts = [self.form.head] * bool(self.header) + [self.form.line(lacking)]
            self.form = replace(self.form, head=self.form.delimiter.join(parts))
            self.header = self.header + lacking

    def line(self, cells: dict[str, str], beyond: Iterable[str] = ()) -> str:
        """Return the cells, by column, and those beyond as one line, without its end."""
        return self.form.line([*(cells.get(name, "") for name in self.header), *beyond])


def parse(
    data: bytes, is_row: Callable[[dict[str, str]], bool], names: Iterable[str] = ()
) -> Table:
    """Return the table in a file's bytes, without columns when there are none.

    is_row: told the cells of one line, whether that line is a row of its own. names: of columns,
    which are known in any case. Raises ValueError for more than MAX_COLUMNS.
    """
    table, lines = _parse_head(data, names)
    delimiter, header = table.form.delimiter, table.header
    if len(header) > MAX_COLUMNS:
        raise ValueError(f"has {len(header):,} columns, {MAX_COLUMNS} are the most")

    def cells_of(values: list[str]) -> dict[str, str]:
        return dict.fromkeys(header, "") | dict(zip(header, values, strict=False))

    def stands_alone(line: str) -> bool:
        return is_row(cells_of(_unquoted(line.rstrip("\r\n"), delimiter)))

    first = len(LINE.findall(table.form.head)) + 1
    table.rows = [
        Row(first + number, text, cells_of(values), values[len(header) :])
        for number, text, values in _records(lines, stands_alone, delimiter)
    ]
    return table


def read_head(path: Path, names: Iterable[str] = ()) -> Table:
    """Return the table without its rows, one without columns when the file is missing or empty."""
    if not path.exists():
        return Table([], [])
    with open(path, "rb") as stream:
        return _parse_head(stream.read(HEAD), names)[0]


def write(path: Path, table: Table) -> None:
    """Make the table the content of path in one step; rows keep their text, damaged ones too."""
    form = table.form
    text = "".join(f"{one}{form.end}" for one in [form.head, *(row.text for row in table.rows)])
    durable.write(path, form.mark + text.encode(form.encoding, "surrogateescape"))


def line(cells: Iterable[str]) -> str:
    """Return cells as one line of CSV, without its end."""
    return Form().line(cells)


def harmless(text: str) -> str:
    """Return the text as a cell that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(FORMULA) else text


def readable(text: str) -> str:
    """Return the text with bytes that are no UTF-8 spelled out, `\\xe9`: no screen takes those."""
    return text.encode(errors="surrogateescape").decode(errors="backslashreplace")


def _parse_head(data: bytes, names: Iterable[str]) -> tuple[Table, list[str]]:
    """Return the table without its rows, and the lines that hold them."""
    mark = next((mark for mark in MARKS if data.startswith(mark)), b"")
    encoding = MARKS.get(mark, "utf-8")
    errors = "surrogateescape" if encoding == "utf-8" else "replace"
    lines = LINE.findall(data[len(mark) :].decode(encoding, errors)) or [""]
    named = SEPARATOR.fullmatch(lines[0])
    titles = lines[min(len(lines) - 1, 1 if named else 0)]
    delimiter = named[1] if named else max(DELIMITERS, key=titles.count)
    text = titles.rstrip("\r\n")
    known = {name.casefold(): name for name in names}
    cells = _cells(text, delimiter) or _unquoted(text, delimiter)
    header = [known.get(cell.strip().casefold(), cell.strip()) for cell in cells] if text else []
    end = titles[len(text) :] or "\n"
    head = "".join(lines[: 2 if named else 1]).removesuffix(end)
    form = Form(head, delimiter, end, mark, encoding)
    return Table(header, [], form), lines[2 if named else 1 :]


def _records(
    lines: list[str], stands_alone: Callable[[str], bool], delimiter: str
) -> Iterator[tuple[int, str, list[str]]]:
    """Yield each row's first line's place, its text and its values."""
    start = 0
    while start < len(lines):
        values, taken = _record(lines[start : start + MAX_LINES], stands_alone, delimiter)
        end = start + taken
        text = "".join(lines[start:end]).rstrip("\r\n")
        if text.strip():
            yield start, text, values
        start = end


def _record(
    lines: list[str], stands_alone: Callable[[str], bool], delimiter: str
) -> tuple[list[str], int]:
    """Return the values of the row that begins with the first line, and how many lines it takes."""
    first, taken = lines[0].rstrip("\r\n"), 0
    if '"' not in first:
        return first.split(delimiter), 1

    def lines_of_it() -> Iterator[str]:
        nonlocal taken
        for line in lines:
            if taken and stands_alone(line):
                return
            taken += 1
            yield line

    try:
        return next(csv.reader(lines_of_it(), strict=True, delimiter=delimiter)), taken
    except csv.Error:  # no cell that spans lines after all
        return _unquoted(first, delimiter), 1


def _cells(text: str, delimiter: str) -> list[str] | None:
    """Return the values in one row, None when its quotation marks do not match."""
    if '"' not in text:
        return text.split(delimiter)
    try:
        return next(csv.reader([text], strict=True, delimiter=delimiter))
    except csv.Error:
        return None


def _unquoted(text: str, delimiter: str) -> list[str]:
    """Return the values in a line whose quotation marks do not match: without them."""
    return text.replace('"', "").split(delimiter)
