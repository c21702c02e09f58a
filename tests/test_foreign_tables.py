"""Tables as other programs save them: the store's and train.csv."""

import gzip
import re

import numpy as np
import pytest
from PIL import Image

import finetuning
from digits import feedback
from digits.feedback import corrections
from digits.home import TABLE
from digits.learning import gate
from digits.metrics import Predictions
from digits.rows import COLUMNS, DataError, read_rows

TITLES = corrections.COLUMNS


def picture(shade):
    return Image.new("RGB", (30, 40), (shade, 0, 0))


@pytest.fixture
def stored(home):
    """Four corrections, and the bytes of their table."""
    for number in range(4):
        feedback.add(home, picture(number), number + 1, number)
    return home.table.read_bytes()


def changed(pattern, to):
    """A change of a table's text."""
    return lambda text: re.sub(pattern, to, text)


FORMS = {  # what programs make of the store: a change of its text, and its encoding
    "semicolon": (changed(",", ";"), "utf-8"),
    "semicolon, BOM, CRLF": (
        lambda text: text.replace(",", ";").replace("\n", "\r\n"), "utf-8-sig"
    ),
    "tab": (changed(",", "\t"), "utf-8"),
    "UTF-16, tab": (lambda text: text.replace(",", "\t").replace("\n", "\r\n"), "utf-16"),
    "UTF-16, big end first": (lambda text: "\ufeff" + text, "utf-16-be"),
    "sep line": (lambda text: "sep=,\n" + text, "utf-8"),
    "sep line, semicolon": (
        lambda text: "sep=;\r\n" + text.replace(",", ";").replace("\n", "\r\n"), "utf-8"
    ),
    "lower case": (lambda text: text.replace(",".join(TITLES), ",".join(TITLES).lower()), "utf-8"),
    "upper case": (lambda text: text.replace(",".join(TITLES), ",".join(TITLES).upper()), "utf-8"),
    "blank rows": (lambda text: text + ",,,,,,,\n" * 5, "utf-8"),
    "quoted": (changed(r"([^,\n]+)", r'"\1"'), "utf-8"),
    "floats": (changed(r"(?m)^(\d),(\d)", r"\1.0,\2.0"), "utf-8"),
    "floats with a comma": (
        lambda text: re.sub(r"(?m)^(\d);(\d)", r"\1,0;\2,00", text.replace(",", ";")), "utf-8"
    ),
    "index": (lambda text: "".join(
        f"{number or ''},{line}" for number, line in enumerate(text.splitlines(True))
    ), "utf-8"),
    "decimal comma": (lambda text: text.replace(",", ";").replace("0.97", "0,97"), "utf-8"),
    "old Mac": (lambda text: text.replace("\n", "\r"), "utf-8"),
}  # fmt: skip


@pytest.mark.parametrize("name", FORMS)
def test_load_form_of_another_program_gives_every_row(name, home, stored):
    change, encoding = FORMS[name]
    before, _ = feedback.load(home)
    home.table.write_bytes(change(stored.decode()).encode(encoding))
    assert feedback.load(home) == (before, [])


@pytest.mark.parametrize("name", FORMS)
def test_change_keeps_the_form_and_the_other_rows(name, home, stored):
    change, encoding = FORMS[name]
    text = change(stored.decode())
    home.table.write_bytes(text.encode(encoding))
    before, _ = feedback.load(home)
    feedback.relabel(home, before[0], 9)
    added = feedback.add(home, picture(99), 2, 5)
    after, warnings = feedback.load(home)
    assert [one.actual for one in after] == [9, 1, 2, 3, 5]
    assert (after[1:], warnings) == ([*before[1:], added], [])
    written = home.table.read_bytes().decode(encoding)
    end = "\r\n" if "\r\n" in text else "\r" if "\r" in text else "\n"
    old, new = text.split(end), written.split(end)
    titles = next(i for i, line in enumerate(old) if "label" in line.lower())
    assert new[: titles + 1] == old[: titles + 1]
    assert new[titles + 2 : titles + 5] == old[titles + 2 : titles + 5]
    assert "\n" not in written.replace(end, "")


def test_add_to_three_columns_with_semicolons_adds_titles_in_their_form(home):
    home.images.mkdir()
    picture(1).save(home.images / "incorrect_image_0.png")
    home.table.write_bytes(
        b"predicted_label;actual_label;image_path\r\n1;7;incorrect_images/incorrect_image_0.png\r\n"
    )
    feedback.add(home, picture(2), 2, 5)
    lines = home.table.read_bytes().decode().split("\r\n")
    assert lines[0].startswith("predicted_label;actual_label;image_path;Confidence;")
    assert len(lines) == 4
    assert [one.actual for one in feedback.load(home)[0]] == [7, 5]


def test_load_missing_label_costs_its_own_row_alone(home, stored):
    """pandas writes 1.0 where a cell of the column is empty."""
    home.table.write_text(
        re.sub(r"(?m)^(\d),(\d)", r"\1,\2.0", stored.decode()).replace("2,1.0,", "2,,")
    )
    found, warnings = feedback.load(home)
    assert [one.actual for one in found] == [0, 2, 3]
    assert warnings == [f"{TABLE} line 3 skipped: Actual_Label is '', not a digit from 0 to 9."]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_load_note_that_spans_lines_is_no_row_of_its_own(end, home, stored):
    before, _ = feedback.load(home)
    titles, *rows = stored.decode().splitlines()
    noted = [f"{titles},Note", *(f'{row},"says{end}7,8,looks odd"' for row in rows), ""]
    home.table.write_bytes(end.join(noted).encode())
    assert feedback.load(home) == (before, [])
    feedback.relabel(home, before[0], 9)
    assert f'"says{end}7,8,looks odd"'.encode() in home.table.read_bytes()
    assert [one.actual for one in feedback.load(home)[0]] == [9, 1, 2, 3]


# --- No row can be used ---


@pytest.mark.parametrize("trigger", ["cron", "command line"])
def test_main_no_row_can_be_used_is_said(trigger, home, stored, capsys):
    home.table.write_text(re.sub(r"(?m)^\d,\d", "a,b", stored.decode()))
    code = finetuning.main(["--root", str(home), "--trigger", trigger])
    said = capsys.readouterr().err.splitlines()
    assert code == finetuning.BAD_DATA
    assert said[-1].startswith("None of 4 rows can be used: ")
    assert len(said[-1]) <= 300


# --- train.csv ---


def judged(labels, right):
    """What the gate says where the network in service reads this share of the rows."""
    guesses = np.where(np.arange(len(labels)) < right * len(labels), labels, (labels + 1) % 10)
    answers = np.eye(10, dtype=np.float32)[guesses]
    same = Predictions(labels, answers, answers)
    return gate.decide(same, answers, same)


def test_gate_rows_that_the_network_in_service_cannot_read_are_at_fault():
    labels = np.arange(3000) % 10
    decision = judged(labels, 0.1)
    assert not decision.allowed
    for cause in ("10.0%", "shuffled", "inverted", "another scale"):
        assert cause in decision.reason


@pytest.mark.parametrize(("rows", "said"), [(0, "0 held-out 3s"), (49, "49 held-out 3s")])
def test_gate_digit_with_too_few_rows_is_named(rows, said):
    labels = np.arange(3000) % 10
    labels = np.delete(labels, np.flatnonzero(labels == 3)[rows:])
    decision = judged(labels, 1)
    assert not decision.allowed
    assert said in decision.reason
    assert "at least 50 of each digit" in decision.reason


@pytest.fixture(scope="module")
def table(rows):
    """Twenty rows of train.csv, as rows of text: labels and pixels."""
    digits, labels = rows[0][:20], rows[1][:20]
    return digits, labels, [[str(value) for value in [label, *digit.ravel()]]
                            for digit, label in zip(digits, labels, strict=True)]  # fmt: skip


def text_of(rows, titles=None, delimiter=","):
    return "".join(delimiter.join(line) + "\n" for line in [titles, *rows] if line is not None)


PLACES = [f"{row}x{column}" for row in range(1, 29) for column in range(1, 29)]
VARIANTS = {
    "no header": text_of,
    "1x1": lambda rows: text_of(rows, ["label", *PLACES]),
    "from 1": lambda rows: text_of(rows, ["label", *(f"pixel{i}" for i in range(1, 785))]),
    "Keras' names": lambda rows: text_of(rows, ["class", *map(str, range(784))]),
    "label last": lambda rows: text_of(
        [row[1:] + row[:1] for row in rows], COLUMNS[1:] + ["label"]
    ),
    "label last, no header": lambda rows: text_of([row[1:] + row[:1] for row in rows]),
    "pixels in another order": lambda rows: text_of(
        [row[:1] + row[:0:-1] for row in rows], COLUMNS[:1] + COLUMNS[:0:-1]
    ),
    "index": lambda rows: text_of([[str(i), *row] for i, row in enumerate(rows)], ["", *COLUMNS]),
    "index, no header": lambda rows: text_of([[str(i), *row] for i, row in enumerate(rows)]),
    "semicolon": lambda rows: text_of(rows, COLUMNS, ";"),
    "tab": lambda rows: text_of(rows, COLUMNS, "\t"),
    "floats": lambda rows: text_of([[f"{value}.0" for value in row] for row in rows], COLUMNS),
    "upper case": lambda rows: text_of(rows, [name.upper() for name in COLUMNS]),
}


@pytest.mark.parametrize("name", VARIANTS)
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_read_rows_unambiguous_columns_are_understood(name, pack, table, tmp_path):
    digits, labels, rows = table
    path = tmp_path / "train.csv"
    path.write_bytes(pack(VARIANTS[name](rows).encode()))
    found = read_rows(path)
    assert np.array_equal(found[0], digits)
    assert np.array_equal(found[1], labels)
    assert (found[0].dtype, found[1].dtype) == (np.uint8, np.int64)


def repainted(rows, paint):
    """The rows with other pixels."""
    return text_of([[row[0], *(str(paint(int(x))) for x in row[1:])] for row in rows], COLUMNS)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda rows: repainted(rows, lambda x: 255 - x), "inverted"),
        (lambda rows: repainted(rows, lambda x: x / 255), "from 0 to 1"),
        (lambda rows: text_of([row[:700] for row in rows], COLUMNS[:700]), "700 columns"),
        (
            lambda rows: text_of([[*row, "1", "2"] for row in rows], [*COLUMNS, "a", "b"]),
            "column a",
        ),
        (lambda rows: text_of(rows, COLUMNS, " "), "1 column, parted by comma, semicolon or tab"),
        (lambda rows: "version https://git-lfs.github.com/spec/v1\nsize 9\n", "git lfs pull"),
    ],
)
def test_read_rows_fault_is_named_as_seen(change, fault, table, tmp_path):
    path = tmp_path / "train.csv"
    path.write_text(change(table[2]))
    with pytest.raises(DataError) as caught:
        read_rows(path)
    assert fault in str(caught.value)
    assert len(str(caught.value).replace(str(path), "train.csv")) <= 300
