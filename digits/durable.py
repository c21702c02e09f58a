"""Writing a file so that a reader, a crash or a power cut meets the old one or the new, whole."""

from __future__ import annotations

import errno
import os
from pathlib import Path

PARTIAL = ".partial"  # the ending of a file being written; one that stays was never finished


def write(path: Path, data: bytes) -> None:
    """Make data the content of path in one step: written beside, synced, renamed.

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


def append_line(path: Path, line: str) -> None:
    """Add one line to a text file and sync it; a torn last line is closed first.

    Raises OSError when the disk is full or refuses; path is then as it was.
    """
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
    for partial in folder.glob(f".*{PARTIAL}"):
        partial.unlink(missing_ok=True)
