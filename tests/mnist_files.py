"""MNIST's files as they are published, of whatever digits a test needs."""

import gzip
import struct

import numpy as np


def write_mnist(folder, part, digits, labels):
    """Write the two files of `train` or `t10k`: digits, uint8 (n, 28, 28), and labels, int (n,)."""
    for what, values in (("images-idx3", digits), ("labels-idx1", labels)):
        (folder / f"{part}-{what}-ubyte.gz").write_bytes(gzip.compress(idx(values)))


def idx(values):
    """Return values as MNIST's files hold them: bytes, behind their number of axes and lengths."""
    head = struct.pack(f">HBB{values.ndim}I", 0, 8, values.ndim, *values.shape)
    return head + values.astype(np.uint8).tobytes()
