"""What several tests share: the project's own rows and network, loaded once."""

from __future__ import annotations

import pytest

from digits import evaluation, model, versions
from tests.roots import PROJECT


@pytest.fixture(scope="session")
def rows():
    """The digits, uint8 (5000, 28, 28), and labels of train.csv; not to be written to."""
    digits, labels = evaluation.read_rows(PROJECT / "train.csv")
    digits.flags.writeable = labels.flags.writeable = False
    return digits, labels


@pytest.fixture(scope="session")
def shipped():
    """The network in model.h5; not to be trained."""
    return model.load(PROJECT / versions.MODEL)
