"""What several test files share."""

from pathlib import Path

import pytest

from digits import evaluation

TRAIN = Path(__file__).parents[1] / "train.csv"


@pytest.fixture(scope="session")
def rows():
    """`train.csv` as it is in the repository: digits, uint8 (n, 28, 28), and labels, int (n,)."""
    return evaluation.read_rows(TRAIN)


@pytest.fixture(scope="session")
def few(rows):
    """The first eight rows of each digit: digits, uint8 (80, 28, 28), and labels, int (80,)."""
    digits, labels = rows
    first = evaluation.first_of_each_digit(labels, 8)
    return digits[first], labels[first]
