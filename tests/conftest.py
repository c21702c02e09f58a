"""What several tests share: the project's own rows and network, loaded once."""

from __future__ import annotations

import pytest

from digits import model
from digits.home import MODEL, Home
from digits.rows import first_of_each_digit, is_held_out, read_rows
from tests.homes import PROJECT


@pytest.fixture(scope="session")
def rows():
    """The digits, uint8 (5000, 28, 28), and labels of train.csv; not to be written to."""
    digits, labels = read_rows(PROJECT / "train.csv")
    digits.flags.writeable = labels.flags.writeable = False
    return digits, labels


@pytest.fixture(scope="session")
def replay(rows):
    """The digits and labels of train.csv's replay rows."""
    digits, labels = rows
    part = ~is_held_out(digits)
    return digits[part], labels[part]


@pytest.fixture(scope="session")
def shipped():
    """The network in model.h5; not to be trained."""
    return model.load(PROJECT / MODEL)


@pytest.fixture(scope="session")
def few(rows):
    """The first eight rows of each digit: digits, uint8 (80, 28, 28), and labels, int (80,)."""
    digits, labels = rows
    first = first_of_each_digit(labels, 8)
    return digits[first], labels[first]


@pytest.fixture
def home(tmp_path):
    """A home in the test's own folder, empty so far."""
    return Home.at(tmp_path)
