"""The files of the networks that served, `versions/v<number>-<hash>.h5`."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from digits import durable
from digits.home import Home
from digits.versions.history import Version, now, short_name

KEPT = 20  # networks of 1 MB or so; the one that serves and the baseline are kept besides
HASH_DIGITS = 8  # of the file's SHA-256: enough to tell a few thousand files apart


class VersionError(RuntimeError):
    """A version that is not there or may not be changed; the message says what to do."""


def kept(home: Home) -> list[str]:
    """Return the names of the versions whose networks are kept, oldest first."""
    hashed = "[0-9a-f]" * HASH_DIGITS
    return sorted((path.stem for path in home.versions.glob(f"v[0-9]*-{hashed}.h5")), key=_number)


def file_of(home: Home, name: str) -> Path:
    """Return where a version's network is kept."""
    return home.versions / f"{name}.h5"


def hash_of(path: Path) -> str:
    """Return the SHA-256 of a file, in hex."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def next_name(names: Iterable[str], sha256: str) -> str:
    """Return the name of the version with this content that comes after all these."""
    return f"v{max(map(_number, names), default=0) + 1}-{sha256[:HASH_DIGITS]}"


def unchanged(home: Home, name: str) -> Version:
    """Return a kept version, now; raise VersionError when its file is not what it was."""
    sha256 = hash_of(file_of(home, name))
    if not name.endswith(sha256[:HASH_DIGITS]):
        raise VersionError(f"The file of {name} was changed since: it does not serve again.")
    return Version(name, sha256, now())


def thin(home: Home, spared: set[str]) -> None:
    """Remove networks beyond the last KEPT, but none of those spared."""
    for name in kept(home)[:-KEPT]:
        if name not in spared:
            durable.remove(file_of(home, name))


def _number(name: str) -> int:
    """Return 3 of `v3-1a2b3c4d`."""
    return int(short_name(name).removeprefix("v"))
