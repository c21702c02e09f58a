"""How many pictures the store may hold, so that nobody can fill the disk, or all of it at once."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass

from digits.feedback.corrections import StoreError
from digits.home import IMAGES, Home

MAX_PICTURES = 20_000  # more than a class draws in years; the page still lists them in a moment
MAX_BYTES = 2 * 2**30  # of all pictures: what a small server can spare, 100 KB for each
COUNT_AGE = 60  # s for which a count of the folder holds: counting takes longer than adding
RESERVED = 0.1  # of either, for who has the password: strangers cannot take the store from them
HOUR = 3600.0  # s
MAX_PER_HOUR = 1_200  # pictures of all strangers together: a class of thirty stores fewer


@dataclass
class Count:
    """What a folder of pictures holds, their bytes, how many are of the last hour; when counted."""

    pictures: int
    bytes: int
    new: int
    at: float

    def refusal(self, size: int, trusted: bool) -> str:
        """Return why one more picture of `size` bytes is too much and what to do, else ""."""
        share = 1 if trusted else 1 - RESERVED
        if self.pictures >= share * MAX_PICTURES or self.bytes + size > share * MAX_BYTES:
            rest = "" if trusted else f" but for the {RESERVED:.0%} kept for who has the password"
            return (
                f"The store is full{rest} ({self.pictures:,} pictures, {self.bytes / 2**20:,.0f} "
                f"MB): your answer was not kept; its owner may export and empty {IMAGES}."
            )
        if not trusted and self.new >= MAX_PER_HOUR:
            return (
                f"All visitors together stored {MAX_PER_HOUR:,} pictures within an hour, which is "
                "the most: your answer was not kept; try again later."
            )
        return ""


_counts: dict[Home, Count] = {}  # changed under the store's lock


def reserve(home: Home, size: int, trusted: bool) -> None:
    """Count one more picture of `size` bytes. Raises StoreError when it has no room.

    trusted: whether the owner or who has the password stores it: no rate is kept to, nor a reserve.
    """
    count = _counts.get(home)
    if count is None or _age(count) > COUNT_AGE or count.refusal(size, trusted):
        count = _counts[home] = _counted(home)
    if refusal := count.refusal(size, trusted):
        raise StoreError(refusal)
    count.pictures += 1
    count.bytes += size
    count.new += 1


def _age(count: Count) -> float:
    """Return the seconds since a count was made."""
    return time.monotonic() - count.at


def _counted(home: Home) -> Count:
    """Return what the folder of images holds now: the same for all processes, also after a start.

    A picture never changes, so that its file's time says when it was stored.
    """
    if not home.images.is_dir():
        return Count(0, 0, 0, time.monotonic())
    with os.scandir(home.images) as entries:
        stats = [entry.stat() for entry in entries]
    now = time.time()
    new = sum(0 <= now - stat.st_mtime < HOUR for stat in stats)
    return Count(len(stats), sum(stat.st_size for stat in stats), new, time.monotonic())
