"""`train.csv`: reading it, writing it, and its held-out rows."""

import numpy as np
import pytest

from digits.rows import (
    COLUMNS,
    PIXELS,
    ROWS_PER_DIGIT,
    DataError,
    first_of_each_digit,
    is_held_out,
    read_rows,
    write_rows,
)

HEADER = ",".join(COLUMNS)


def line(label=5, last=0, pixels=PIXELS):
    """A row of Kaggle's layout as text: zeros, but for the label and the last pixel."""
    return ",".join([str(label), *["0"] * (pixels - 1), str(last)])


# Reading and writing


def test_first_of_each_digit_marks_the_first_of_each_in_any_order():
    labels = np.array([3, 1, 3, 3, 1, 9])
    expected = [True, True, True, False, True, True]
    assert first_of_each_digit(labels, 2).tolist() == expected


def test_read_rows_gives_what_write_rows_was_given(rows, tmp_path):
    digits, labels = rows[0][::100], rows[1][::100]
    write_rows(tmp_path / "rows.csv", digits, labels)
    digits_read, labels_read = read_rows(tmp_path / "rows.csv")
    assert (digits_read.dtype, labels_read.dtype) == (np.uint8, np.int64)
    assert np.array_equal(digits_read, digits)
    assert np.array_equal(labels_read, labels)


def test_read_rows_shipped_file_has_500_of_each_digit(rows):
    assert np.bincount(rows[1]).tolist() == [ROWS_PER_DIGIT] * 10


@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_read_rows_bom_and_crlf_are_no_obstacle(mark, end, tmp_path):
    path = tmp_path / "rows.csv"
    path.write_bytes((mark + HEADER + end + line(5, 255) + end).encode())
    digits, labels = read_rows(path)
    assert (labels.tolist(), digits[0, 27, 27]) == ([5], 255)


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (None, "There is no"),
        (b"", "cannot be read as a table"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\xff", "cannot be read as a table"),
        (HEADER, "has no rows"),
        (HEADER.replace(",pixel7,", ",") + "\n" + line(pixels=783), "lacks column pixel7"),
        (HEADER.replace("label,", "") + "\n" + line(pixels=783), "lacks column label"),
        (HEADER + ",pixel784\n" + line(pixels=785), "a column pixel784 too many"),
        (line(pixels=783) + "\n" + line(pixels=783), "has 784 columns"),
        (f"{HEADER}\n{line()}\n{line(10)}", "has '10' as label in row 2"),
        (f"{HEADER}\n{line(-1)}", "has '-1' as label in row 1"),
        (f"{HEADER}\n{line(2.5)}", "has '2.5' as label in row 1"),
        (f"{HEADER}\n{line('')}\n{line()}", "as label in row 1"),
        (f"{HEADER}\n{line(5, 256)}", "has '256' as pixel783 in row 1"),
        (f"{HEADER}\n{line()}\n{line(5, 'ink')}", "has 'ink' as pixel783 in row 2"),
        (f"{HEADER}\n{line(pixels=700)}", "as pixel700 in row 1"),
        (f"{HEADER}\n{line(pixels=785)}\n{line(pixels=785)}", "rows of more cells"),
        (f"{HEADER}\n{line()}\n{line(pixels=785)}", "cannot be read as a table"),
    ],
)
def test_read_rows_bad_file_is_refused_in_one_sentence(content, fault, tmp_path):
    path = tmp_path / "train.csv"
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(DataError) as caught:
        read_rows(path)
    message = str(caught.value)
    assert str(path) in message
    assert fault in message
    assert "\n" not in message


# Held-out rows


def test_held_out_row_keeps_its_part_whatever_surrounds_it(rows):
    digits = rows[0]
    whole = is_held_out(digits)
    order = np.random.default_rng(0).permutation(len(digits))
    assert np.array_equal(is_held_out(digits[order]), whole[order])
    assert np.array_equal(is_held_out(digits[7:40]), whole[7:40])
    assert is_held_out(np.repeat(digits[:30], 2, axis=0)).tolist() == [
        part for part in whole[:30] for _ in range(2)
    ]


def test_held_out_share_is_near_60_percent_of_each_digit(rows):
    digits, labels = rows
    whole = is_held_out(digits)
    assert abs(whole.mean() - 0.6) < 0.02
    for digit in range(10):
        assert abs(whole[labels == digit].mean() - 0.6) < 0.08


def test_held_out_no_rows_gives_none():
    assert is_held_out(np.zeros((0, 28, 28), np.uint8)).shape == (0,)
