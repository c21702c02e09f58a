"""Tables that others edit too: `parse`, `read_head`, `write`, `line`, `harmless`."""

import csv
import io

import numpy as np
import pytest

from digits.feedback import csv_tables


def is_row(cells):
    """A line is a row of its own when column a holds a digit."""
    return cells.get("a", "").isdigit()


def read(text):
    """The header and the values of each row of a table with columns a and b."""
    table = csv_tables.parse(text.encode("utf-8", "surrogateescape"), is_row)
    return table.header, [list(row.cells.values()) for row in table.rows]


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("a,b\n1,x\n2,y\n", [["1", "x"], ["2", "y"]]),
        ("\ufeffa,b\r\n1,x\r\n", [["1", "x"]]),
        ("a,b\r1,x\r", [["1", "x"]]),
        ('"a", b\n1,"x, ""y"""\n', [["1", 'x, "y"']]),
        ('a,b\n1,"two\nlines"\n2,y', [["1", "two\nlines"], ["2", "y"]]),
        ("a,b\n1\n2,y,z\n", [["1", ""], ["2", "y"]]),
        ("a,b\n\n1,x\n  \n", [["1", "x"]]),
        ('a,b\n1,"x\n2,y\n', [["1", "x"], ["2", "y"]]),
        ('a,b\n1,"x\n2,"y\n3,z\n', [["1", "x"], ["2", "y"], ["3", "z"]]),
        ('a,b\n1,"x" y\n2,z\n', [["1", "x y"], ["2", "z"]]),
        ('a,b\n1,x\n"', [["1", "x"], ["", ""]]),
        ("a,b\n1,caf\udce9\n", [["1", "caf\udce9"]]),
        ("a,b\n", []),
    ],
)
def test_parse_any_form_gives_each_row_its_own_cells(text, rows):
    assert read(text) == (["a", "b"], rows)


def test_parse_no_bytes_have_no_columns():
    assert csv_tables.parse(b"", is_row) == csv_tables.Table([], [])


def test_read_head_missing_or_empty_file_has_no_columns(tmp_path):
    path = tmp_path / "table.csv"
    assert csv_tables.read_head(path).header == []
    path.touch()
    assert csv_tables.read_head(path).header == []


def test_parse_rows_are_numbered_by_their_first_line():
    table = csv_tables.parse(b'a,b\n1,"two\nlines"\n\n2,y\n', is_row)
    assert [row.number for row in table.rows] == [2, 5]


def test_parse_a_thousand_open_quotation_marks_end_soon():
    lines = ['x,"'] * 1000
    assert len(csv_tables.parse("\n".join(["a,b", *lines]).encode(), is_row).rows) == 500


def test_write_what_was_read_gives_the_same_table_to_any_reader(tmp_path):
    rng = np.random.default_rng(0)
    pieces = ["x", ",", '"', "\n", " ", "é", "=", ""]
    rows = [[str(i), "".join(rng.choice(pieces, 5))] for i in range(200)]
    path = tmp_path / "table.csv"
    path.write_text("".join(f"{csv_tables.line(row)}\n" for row in [["a", "b"], *rows]))
    before = path.read_bytes()
    table = csv_tables.parse(before, is_row)
    assert [list(row.cells.values()) for row in table.rows] == rows
    csv_tables.write(path, table)
    assert path.read_bytes() == before
    assert list(csv.reader(io.StringIO(before.decode())))[1:] == rows


def test_write_damaged_rows_keep_their_bytes(tmp_path):
    path = tmp_path / "table.csv"
    path.write_bytes(b'a,b\n1,"x\n2,\xff\xfe\n3,"y" z\n')
    before = path.read_bytes()
    csv_tables.write(path, csv_tables.parse(before, is_row))
    assert path.read_bytes() == before


@pytest.mark.parametrize("text", ["=1", "+1", "-1", "@a", "\t=1", "\r=1"])
def test_harmless_formula_becomes_text_and_text_stays(text):
    assert csv_tables.harmless(text) == f"'{text}"
    assert csv_tables.harmless(f"v1 {text}") == f"v1 {text}"


def test_parse_too_many_columns_is_refused():
    with pytest.raises(ValueError, match="41 columns, 40 are the most"):
        csv_tables.parse(b"," * 40, is_row)
