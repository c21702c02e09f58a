"""Where pictures come from and answers go: a folder, or a bucket of S3 or Google's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from itertools import takewhile
from pathlib import Path, PurePosixPath

from pyarrow import fs

from digits import durable

LIST = ".txt"  # the ending of a list of paths, one a line
MAGIC = "*?["  # what makes a path a pattern; an address may have a query behind a ?


@dataclass(frozen=True)
class Place:
    """A path on a file system, both as pyarrow has them."""

    system: fs.FileSystem
    path: str

    @classmethod
    def of(cls, address: str) -> Place:
        """Return the place of a path on this machine, or of an address such as s3://bucket/folder.

        Raises ValueError for an address of another kind, OSError where the store cannot be reached.
        """
        if "://" in address:
            return cls(*fs.FileSystem.from_uri(address))
        return cls(fs.LocalFileSystem(), Path(address).absolute().as_posix())

    def read(self, name: str) -> bytes:
        """Return a file's content."""
        with self.system.open_input_stream(f"{self.path}/{name}") as stream:
            return stream.read()

    def write(self, name: str, data: bytes) -> None:
        """Make data the content of a file in one step; the folder is made if need be."""
        if isinstance(self.system, fs.LocalFileSystem):
            Path(self.path).mkdir(parents=True, exist_ok=True)
            durable.write(Path(self.path, name), data)
        else:  # a bucket shows an object once it is whole
            with self.system.open_output_stream(f"{self.path}/{name}") as stream:
                stream.write(data)

    def names(self) -> set[str]:
        """Return the names of the files in it; none where it does not exist."""
        found = self.system.get_file_info(fs.FileSelector(self.path, allow_not_found=True))
        return {info.base_name for info in found if info.type == fs.FileType.File}

    def delete(self, name: str) -> None:
        """Remove a file."""
        self.system.delete_file(f"{self.path}/{name}")


def pictures(source: str) -> tuple[fs.FileSystem, Iterator[str]]:
    """Return the file system and the path of every picture of a source, in one order always.

    source: a folder with all below it; a pattern such as scans/*.jpg, whose * stands for folders
    too; a .txt file with a path a line; or one picture. Raises FileNotFoundError when there is
    none, and what `Place.of` raises.
    """
    magic = set(MAGIC) - set("?" if "://" in source else "")
    head = "/".join(takewhile(magic.isdisjoint, source.split("/")))
    place = Place.of(head or ("/" if source.startswith("/") else "."))
    if head != source:
        pattern = place.path + source[len(head) :] if head else f"{place.path}/{source}"
        found = _files(place.system, place.path)
        return place.system, (path for path in found if fnmatch(path, pattern))
    kind = place.system.get_file_info(place.path).type
    if kind == fs.FileType.NotFound:
        raise FileNotFoundError(f"{source} does not exist: give a folder, a pattern or a list.")
    if kind == fs.FileType.Directory:
        return place.system, _files(place.system, place.path)
    if source.endswith(LIST):
        return _listed(place)
    return place.system, iter([place.path])


def _files(system: fs.FileSystem, folder: str) -> Iterator[str]:
    """Yield the files below a folder, hidden ones aside, of one folder at a time."""
    entries = system.get_file_info(fs.FileSelector(folder))
    for entry in sorted(entries, key=lambda entry: entry.path):
        if entry.base_name.startswith("."):
            continue
        if entry.type == fs.FileType.Directory:
            yield from _files(system, entry.path)
        elif entry.type == fs.FileType.File:
            yield entry.path


def _listed(place: Place) -> tuple[fs.FileSystem, Iterator[str]]:
    """Return the file system of a list's first path, and all its paths."""
    path = PurePosixPath(place.path)
    lines = Place(place.system, str(path.parent)).read(path.name).decode().splitlines()
    addresses = [line.strip() for line in lines if line.strip()]
    if not addresses:
        raise FileNotFoundError(f"{place.path} lists no picture: write one path a line.")
    return Place.of(addresses[0]).system, (Place.of(address).path for address in addresses)
