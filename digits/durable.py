"""Writing a file so that a reader, a crash or a power cut meets the old one or the new, whole.

A folder may have a keeper: what is written to files in it goes there, and the folder follows.
"""

from __future__ import annotations

import errno
import os
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Protocol

PARTIAL = ".partial"  # the ending of a file being written; one that stays was never finished


class DatabaseError(OSError):
    """The database that keeps a home cannot be used; the message is fit for the page."""


class Keeper(Protocol):
    """What keeps the files of a folder, in that folder's place."""

    def write(self, path: Path, data: bytes) -> None:
        """As the function of this name."""

    def append_line(self, path: Path, line: str) -> None:
        """As the function of this name."""

    def remove(self, path: Path) -> None:
        """As the function of this name."""

    def nobody_follows(self) -> AbstractContextManager[None]:
        """Keep all from writing to the folder meanwhile."""


keepers: dict[Path, Keeper] = {}  # of the folders that have one


def write(path: Path, data: bytes) -> None:
    """Make data the content of path in one step.

    Raises OSError when the folder or its keeper cannot be written; path is then as it was.
    """
    if keeper := _keeper_of(path):
        keeper.write(path, data)
    else:
        _write(path, data)


def append_line(path: Path, line: str) -> None:
    """Add one line to a text file and sync it; a torn last line is closed first.

    Raises OSError when the disk or the keeper refuses; path is then as it was.
    """
    if keeper := _keeper_of(path):
        keeper.append_line(path, line)
    else:
        _append_line(path, line)


def remove(path: Path) -> None:
    """Remove a file, if it is there."""
    if keeper := _keeper_of(path):
        keeper.remove(path)
    else:
        path.unlink(missing_ok=True)


def rename(path: Path, new: Path) -> None:
    """Give a file a new name, in the place of another if need be."""
    if _keeper_of(path):
        write(new, path.read_bytes())
        remove(path)
    else:
        os.replace(path, new)


def _write(path: Path, data: bytes) -> None:
    """Make data the content of this machine's file: written beside, synced, renamed.

    The file keeps the mode it had, and else gets what the umask says. Raises OSError when the
    folder cannot be written or the disk is full; path is then as it was.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}{PARTIAL}")
    try:
        with open(partial, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        if path.exists():
            os.chmod(partial, path.stat().st_mode & 0o7777)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
    sync_folder(path.parent)


def _append_line(path: Path, line: str) -> None:
    """Add one line to this machine's file."""
    with open(path, "a+b", buffering=0) as stream:
        end = stream.seek(0, os.SEEK_END)
        stream.seek(max(end - 1, 0))
        torn = end > 0 and stream.read(1) != b"\n"
        data = b"\n" * torn + line.encode() + b"\n"
        try:
            if stream.write(data) < len(data):  # what fits on a disk that is nearly full
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
            os.fsync(stream.fileno())
        except OSError:
            stream.truncate(end)
            raise
    if end == 0:  # the file may be new, and its name with it
        sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make renames and new names in the folder outlast a power cut (fsync(2), NOTES)."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sweep(folder: Path) -> None:
    """Remove what killed writers left in the folder; its caller holds the folder's lock."""
    keeper = _keeper_of(folder)
    with keeper.nobody_follows() if keeper else nullcontext():
        for partial in folder.glob(f".*{PARTIAL}"):
            partial.unlink(missing_ok=True)


def _keeper_of(path: Path) -> Keeper | None:
    """Return what keeps the files where path lies, None for files that are just there."""
    return next((keeper for top, keeper in keepers.items() if path.is_relative_to(top)), None)
