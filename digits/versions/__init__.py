"""Which network serves: publish, roll back, and what served before.

    version = publish(home, candidate, parent, report)      # model.h5 is the candidate now
    version = roll_back(home, "v1")                         # and now v1 again

`versions/` keeps the last networks that served, as `v<number>-<hash>.h5`, and the history. Nothing
else writes `model.h5`. Which version serves follows from the file's content alone, so a person may
put another file in its place at any time: it is then known as placed by hand.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from digits import durable
from digits.home import MODEL, Home
from digits.model import ModelError
from digits.versions import networks
from digits.versions.history import (
    PLACED,
    PUBLISHED,
    REFUSED,
    RESTORED,
    ROLLED_BACK,
    Record,
    Report,
    Version,
    announce,
    announced,
    append,
    now,
    runs,
    short_name,
    withdraw,
)
from digits.versions.history import read as history
from digits.versions.networks import VersionError, kept

DAMAGED = "damaged.h5"  # in versions/: the last `model.h5` that another replaced because of damage


@dataclass(frozen=True)
class Serving:
    """The network that serves, its version, and "" or why it stands in for `model.h5`."""

    net: Any  # as the given `load` returns it
    version: Version
    problem: str


def serving(home: Home, load: Callable[[Path], Any]) -> Serving:
    """Return what serves: `model.h5`, or where it is damaged or gone, what stands in for it.

    That is the last version that served and still loads. load: returns the network in a file, or
    raises ModelError, which is raised here if no version loads.
    """
    home.follow()
    try:
        return Serving(load(home.model), current(home), "")
    except ModelError as error:
        problem = error
    served = [record.version for record in history(home) if record.decision != REFUSED]
    for name in dict.fromkeys([*reversed(served), *reversed(kept(home))]):
        try:
            version = networks.unchanged(home, name)
            instead = f"{problem} {version.short} stands in for it."
            return Serving(load(networks.file_of(home, name)), version, instead)
        except (ModelError, VersionError, FileNotFoundError):
            continue
    raise problem


def current(home: Home) -> Version:
    """Return the version that `model.h5` is. Raises FileNotFoundError when there is none."""
    sha256 = home.read_once("hash", [home.model], lambda: networks.hash_of(home.model))
    in_service = [record for record in history(home) if record.decision != REFUSED]
    for record in reversed(in_service):
        if record.sha256 == sha256:
            return Version(record.version, sha256, record.when)
    changed = datetime.fromtimestamp(home.model.stat().st_mtime, UTC).isoformat(timespec="seconds")
    return Version(_next_name(home, sha256), sha256, changed)


def baseline(home: Home) -> Path | None:
    """Return the network that the one in service descends from by fine-tuning, None if lost.

    It is the first one shipped, or another that a person put in its place. Fine-tuned networks
    are held against it, so that small losses cannot add up.
    """
    name, records = current(home).name, history(home)
    if all(record.version != name for record in records):
        return home.model  # placed by hand since the last run
    parents = {one.version: one.parent for one in records if one.decision == PUBLISHED}
    while parent := parents.get(name):
        name = parent
    path = networks.file_of(home, name)
    return path if path.exists() else None


def publish(home: Home, candidate: Path, parent: Version, report: Report) -> Version:
    """Put the candidate's file in service in one step; return its version.

    parent: the version with which the candidate was compared. Raises VersionError when another
    serves by now, or none: a person did that meanwhile, and it stays.
    """
    if not home.model.exists() or current(home).sha256 != parent.sha256:
        raise VersionError(
            f"{MODEL} was replaced or removed while the run worked: what it learned was compared "
            "with the old file alone, so nothing is published; run again."
        )
    register(home)
    data, sha256 = candidate.read_bytes(), networks.hash_of(candidate)
    version = Version(_next_name(home, sha256), sha256, now())
    durable.write(networks.file_of(home, version.name), data)
    _serve(home, _record(PUBLISHED, version, parent=parent.name, run=report), data)
    first = baseline(home)
    networks.thin(home, {version.name, first.stem if first else ""})
    return version


def refuse(home: Home, report: Report) -> Version:
    """Record that a candidate was not published; return the version that stays."""
    version = register(home)
    append(home, replace(_record(REFUSED, version, run=report), when=now()))
    return version


def roll_back(home: Home, name: str) -> Version:
    """Put an earlier version back, to the byte; return it. name: `v3`, or in full.

    Raises VersionError when that version is not kept, or its file is not what it was.
    """
    left = register(home).name if home.model.exists() else None
    names = kept(home)
    found = [full for full in names if name in (full, short_name(full))]
    if not found:
        raise VersionError(f"There is no version {name!r}; kept are {', '.join(names)}.")
    version = networks.unchanged(home, found[-1])
    _put_back(home, version, ROLLED_BACK, left=left)
    return version


def register(home: Home) -> Version:
    """Return the version in service, recorded and kept: a file placed by hand gets its place.

    The first network shipped is one placed by hand.
    """
    version = current(home)
    path = networks.file_of(home, version.name)
    if not path.exists():
        home.versions.mkdir(exist_ok=True)
        durable.write(path, home.model.read_bytes())
    if not is_recorded(home):
        append(home, _record(PLACED, version))
    return version


def settle(home: Home) -> None:
    """Record the change of the network in service that is announced, if it took effect.

    Whoever changes it announces the record, replaces `model.h5`, and settles. Killed at any moment
    in between, the next run settles: the history never names a network that did not serve. The
    caller holds the run's lock.
    """
    record = announced(home)
    if record is None:
        return
    took_effect = home.model.exists() and networks.hash_of(home.model) == record.sha256
    if took_effect and record not in history(home)[-1:]:
        append(home, record)
    withdraw(home)


def is_recorded(home: Home) -> bool:
    """Return whether `model.h5` is, to the byte, a network that came into service before."""
    if not home.model.exists():
        return False
    name = current(home).name
    return any(record.version == name for record in history(home))


def restore(home: Home, version: Version) -> None:
    """Put a version in the place of a `model.h5` that is damaged or gone; the damaged is kept."""
    if home.model.exists():
        durable.write(home.versions / DAMAGED, home.model.read_bytes())
    _put_back(home, version, RESTORED)


def _put_back(home: Home, version: Version, decision: str, **more: Any) -> None:
    """Make a kept version `model.h5` again, to the byte."""
    data = networks.file_of(home, version.name).read_bytes()
    _serve(home, _record(decision, version, **more), data)


def _serve(home: Home, record: Record, data: bytes) -> None:
    """Make data `model.h5`, and record it."""
    announce(home, record)
    durable.write(home.model, data)
    with suppress(OSError):  # a full disk: it serves, and the next run records it
        settle(home)


def _record(decision: str, version: Version, **more: Any) -> Record:
    """Return the record of a version. more: its further fields."""
    return Record(decision, version.name, version.sha256, version.since, **more)


def _next_name(home: Home, sha256: str) -> str:
    """Return the name of the next version with this content."""
    served = [record.version for record in history(home) if record.decision != REFUSED]
    return networks.next_name(served, sha256)
