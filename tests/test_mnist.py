"""MNIST's files: read as they are published, packed or not."""

import numpy as np
import pytest

from digits.mnist import read_mnist
from tests.mnist_files import idx, write_mnist


@pytest.fixture
def some():
    """Digits and labels."""
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (5, 28, 28), np.uint8), rng.integers(0, 10, 5)


def test_read_mnist_returns_what_was_written(some, tmp_path):
    write_mnist(tmp_path, "t10k", *some)
    digits, labels = read_mnist(tmp_path, "t10k")
    assert (digits.dtype, labels.dtype) == (np.uint8, np.int64)
    np.testing.assert_array_equal(digits, some[0])
    np.testing.assert_array_equal(labels, some[1])


def test_read_mnist_unpacked_file_stands_for_a_packed_one(some, tmp_path):
    write_mnist(tmp_path, "train", *some)
    (tmp_path / "train-labels-idx1-ubyte.gz").unlink()
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(idx(some[1]))
    np.testing.assert_array_equal(read_mnist(tmp_path, "train")[1], some[1])


def test_read_mnist_missing_file_is_named(some, tmp_path):
    write_mnist(tmp_path, "train", *some)
    with pytest.raises(FileNotFoundError, match=r"t10k-images-idx3-ubyte\.gz is missing"):
        read_mnist(tmp_path, "t10k")
