"""How many pictures the store may hold, so that nobody can fill the disk."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass

from digits.feedback.corrections import StoreError
from digits.home import Home

MAX_PICTURES = 20_000  # more than a class draws in years; the page still lists them in a moment
MAX_BYTES = 2 * 2**30  # of all pictures: what a small server can spare, 100 KB for each
COUNT_AGE = 60  # s for which a count of the folder holds: counting takes longer than adding


@dataclass
class Count:
    """How many pictures a folder holds, how many bytes they have, and when that was counted."""

    pictures: int
    bytes: int
    at: float

    def is_full(self, size: int) -> bool:
        """Return whether one more picture of `size` bytes is too much."""
        return self.pictures >= MAX_PICTURES or self.bytes + size > MAX_BYTES


_counts: dict[Home, Count] = {}  # changed under the store's lock


def reserve(home: Home, size: int) -> None:
    """Count one more picture of `size` bytes. Raises StoreError when it has no room."""
    count = _counts.get(home)
    if count is None or time.monotonic() - count.at > COUNT_AGE or count.is_full(size):
        count = _counts[home] = _counted(home)
    if count.is_full(size):
        raise StoreError(
            f"The store is full ({count.pictures:,} pictures, {count.bytes / 2**20:,.0f} MB): your "
            f"answer was not kept; its owner may export and empty {home.images.name}."
        )
    count.pictures += 1
    count.bytes += size


def _counted(home: Home) -> Count:
    """Return what the folder of images holds now."""
    if not home.images.is_dir():
        return Count(0, 0, time.monotonic())
    with os.scandir(home.images) as entries:
        sizes = [entry.stat().st_size for entry in entries]
    return Count(len(sizes), sum(sizes), time.monotonic())
