"""Published versions of `model.h5`: publish, history, roll back.

`versions/` keeps the last networks that served, as `v<number>-<hash>.h5`, and `history.jsonl`,
one line for each network that came into service and each run that was decided. Nothing else
writes `model.h5`. Which version serves follows from the file's content alone, so a person may
put another file in its place at any time: it is then known as placed by hand.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from digits import durable
from digits.model import ModelError

MODEL = "model.h5"
FOLDER = "versions"
HISTORY = "history.jsonl"
LOCK = "finetuning.lock"  # held by whoever fine-tunes or rolls back
KEPT = 20  # networks of 1 MB or so; the one that serves and the baseline are kept besides
HASH_DIGITS = 8  # of the file's SHA-256: enough to tell a few thousand files apart

DAMAGED = "damaged.h5"  # in versions/: the last `model.h5` that another replaced because of damage

PLACED, PUBLISHED, REFUSED, ROLLED_BACK = "placed", "published", "refused", "rolled back"
RESTORED = "restored"


class VersionError(RuntimeError):
    """A version that is not there; the message says which are."""


@dataclass(frozen=True)
class Version:
    """The network in service: its name, its file's SHA-256 in hex, and since when (ISO, UTC)."""

    name: str
    sha256: str
    since: str

    @property
    def short(self) -> str:
        """The number alone, `v3`: enough for a sentence."""
        return self.name.partition("-")[0]


def history(root: str | Path) -> list[dict]:
    """Return every record, oldest first: dicts with at least `decision`, `version` and `when`."""
    path = Path(root) / FOLDER / HISTORY
    if not path.exists():
        return []
    records = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            records.append(json.loads(line))
        except json.JSONDecodeError:  # a line torn by a power cut; the next one stands apart
            continue
    return records


def current(root: str | Path) -> Version:
    """Return the version that `model.h5` is. Raises FileNotFoundError when there is none."""
    path = Path(root) / MODEL
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    in_service = [r for r in history(root) if r["decision"] != REFUSED]
    for record in reversed(in_service):
        if record["sha256"] == sha256:
            return Version(record["version"], sha256, record["when"])
    changed = datetime.fromtimestamp(path.stat().st_mtime, UTC).isoformat(timespec="seconds")
    return Version(_name(in_service, sha256), sha256, changed)


def serviceable(root: str | Path, load: Callable[[Path], Any]) -> tuple[Any, Version, str]:
    """Return a network that answers, its version, and "" or why it stands in for `model.h5`.

    Where `model.h5` is damaged or gone, it is the last version that served and still loads. load:
    returns the network in a file, or raises ModelError, which is raised here if no version loads.
    """
    root = Path(root)
    try:
        return load(root / MODEL), current(root), ""
    except ModelError as error:
        problem = error
    served = [record["version"] for record in history(root) if record["decision"] != REFUSED]
    for name in dict.fromkeys([*reversed(served), *reversed(kept(root))]):
        try:
            version = _unchanged(root, name)
            return load(_file(root, name)), version, f"{problem} {version.short} stands in for it."
        except (ModelError, VersionError, FileNotFoundError):
            continue
    raise problem


def is_recorded(root: str | Path) -> bool:
    """Return whether `model.h5` is, to the byte, a network that came into service before."""
    if not (Path(root) / MODEL).exists():
        return False
    name = current(root).name
    return any(record["version"] == name for record in history(root))


def restore(root: str | Path, version: Version) -> None:
    """Put a version in the place of a `model.h5` that is damaged or gone; the damaged is kept."""
    root = Path(root)
    if (root / MODEL).exists():
        durable.write(root / FOLDER / DAMAGED, (root / MODEL).read_bytes())
    _put_back(root, version, RESTORED)


def register(root: str | Path) -> Version:
    """Return the version in service, recorded and kept: a file placed by hand gets its place.

    The first network shipped is one placed by hand.
    """
    root = Path(root)
    version = current(root)
    kept = _file(root, version.name)
    if not kept.exists():
        (root / FOLDER).mkdir(exist_ok=True)
        durable.write(kept, (root / MODEL).read_bytes())
    if all(record["version"] != version.name for record in history(root)):
        append(root, PLACED, version)
    return version


def baseline(root: str | Path) -> Path | None:
    """Return the network that the one in service descends from by fine-tuning, None if lost.

    It is the first one shipped, or another that a person put in its place. Fine-tuned networks
    are held against it, so that small losses cannot add up.
    """
    root = Path(root)
    records = history(root)
    name = current(root).name
    if all(record["version"] != name for record in records):
        return root / MODEL  # placed by hand since the last run
    parents = {r["version"]: r["parent"] for r in records if r["decision"] == PUBLISHED}
    while name in parents:
        name = parents[name]
    path = _file(root, name)
    return path if path.exists() else None


def publish(root: str | Path, candidate: str | Path, report: dict) -> Version:
    """Put the candidate's file in service in one step; return its version.

    The candidate is kept and recorded first and renamed onto `model.h5` last: a crash in between
    leaves the old network in service. report: what the run measured, joined to the record.
    """
    root = Path(root)
    parent = register(root)
    data = Path(candidate).read_bytes()
    sha256 = hashlib.sha256(data).hexdigest()
    version = Version(
        _name([r for r in history(root) if r["decision"] != REFUSED], sha256), sha256, now()
    )
    durable.write(_file(root, version.name), data)
    append(root, PUBLISHED, version, parent=parent.name, **report)
    durable.write(root / MODEL, data)
    _thin(root)
    return version


def roll_back(root: str | Path, name: str) -> Version:
    """Put an earlier version back, to the byte; return it. name: `v3`, or in full.

    Raises VersionError when that version is not kept, or its file is not what it was.
    """
    root = Path(root)
    left = register(root).name if (root / MODEL).exists() else None
    names = kept(root)
    found = [full for full in names if name in (full, full.partition("-")[0])]
    if not found:
        raise VersionError(f"There is no version {name!r}; kept are {', '.join(names)}.")
    version = _unchanged(root, found[-1])
    _put_back(root, version, ROLLED_BACK, left=left)
    return version


def kept(root: str | Path) -> list[str]:
    """Return the names of the versions whose networks are kept, oldest first."""
    hashed = "[0-9a-f]" * HASH_DIGITS
    paths = (Path(root) / FOLDER).glob(f"v[0-9]*-{hashed}.h5")
    return sorted((path.stem for path in paths), key=_number)


def append(root: str | Path, decision: str, version: Version, **report) -> None:
    """Add one record to the history and sync it: what was decided, and which version it left."""
    folder = Path(root) / FOLDER
    folder.mkdir(exist_ok=True)
    named = {"version": version.name, "sha256": version.sha256, "when": version.since}
    durable.append_line(folder / HISTORY, json.dumps({"decision": decision, **named, **report}))


def now() -> str:
    """Return the time as the history writes it: ISO 8601, UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _name(in_service: list[dict], sha256: str) -> str:
    """Return the name of the next version with this content."""
    highest = max((_number(record["version"]) for record in in_service), default=0)
    return f"v{highest + 1}-{sha256[:HASH_DIGITS]}"


def _number(name: str) -> int:
    """Return 3 of `v3-1a2b3c4d`."""
    return int(name.partition("-")[0].removeprefix("v"))


def _file(root: Path, name: str) -> Path:
    """Return where a version's network is kept."""
    return root / FOLDER / f"{name}.h5"


def _unchanged(root: Path, name: str) -> Version:
    """Return a kept version, now; raise VersionError when its file is not what it was."""
    sha256 = hashlib.sha256(_file(root, name).read_bytes()).hexdigest()
    if not name.endswith(sha256[:HASH_DIGITS]):
        raise VersionError(f"The file of {name} was changed since: it does not serve again.")
    return Version(name, sha256, now())


def _put_back(root: Path, version: Version, decision: str, **report) -> None:
    """Record that a kept version serves again, then make it `model.h5`, to the byte."""
    data = _file(root, version.name).read_bytes()
    append(root, decision, version, **report)
    durable.write(root / MODEL, data)


def _thin(root: Path) -> None:
    """Remove networks beyond the last KEPT, but never the baseline nor the one in service."""
    spared = {current(root).name}
    if first := baseline(root):
        spared.add(first.stem)
    for name in kept(root)[:-KEPT]:
        if name not in spared:
            _file(root, name).unlink()
