"""The history, `versions/history.jsonl`: what came into service when, and what each run decided."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime

from digits import durable, records
from digits.home import Home

MALFORMED = (ValueError, TypeError, AttributeError)  # what a line that is no record raises
PLACED, PUBLISHED, REFUSED = "placed", "published", "refused"
ROLLED_BACK, RESTORED = "rolled back", "restored"


@dataclass(frozen=True)
class Version:
    """A network: its name, its file's SHA-256 in hex, and since when it serves (ISO, UTC)."""

    name: str
    sha256: str
    since: str

    @property
    def short(self) -> str:
        """The number alone, `v3`: enough for a sentence."""
        return short_name(self.name)


@dataclass(frozen=True)
class Report:
    """What a run measured and why it was decided so.

    corrections: how many it worked with, of which `held_back` looked mislabelled and `learned`
    were classified correctly afterwards. accuracy_before, accuracy_after: shares of held_out_rows,
    0 to 1, the second with its 95 % interval; fixed, broken: rows that flipped. step: how far the
    candidate went from the old weights to the trained ones, 0 to 1. fingerprint: of all that
    decides a run. receipt: its file's name.
    """

    reason: str
    corrections: int = 0
    held_back: int = 0
    learned: int = 0
    held_out_rows: int = 0
    accuracy_before: float = 0.0
    accuracy_after: float = 0.0
    interval_after: tuple[float, float] = (0.0, 0.0)
    fixed: int = 0
    broken: int = 0
    step: float = 0.0
    trigger: str = ""
    fingerprint: str = ""
    seconds: float = 0.0
    receipt: str = ""


@dataclass(frozen=True)
class Record:
    """One line of the history.

    decision: PLACED, PUBLISHED, REFUSED, ROLLED_BACK or RESTORED. version, sha256: the network
    that serves from then on. parent: of a published one. left: what a roll back left. run: what
    was measured, of a run that was decided.
    """

    decision: str
    version: str
    sha256: str
    when: str
    parent: str | None = None
    left: str | None = None
    run: Report | None = None

    @property
    def short(self) -> str:
        """The version's number alone, `v3`."""
        return short_name(self.version)


def short_name(name: str) -> str:
    """Return `v3` of `v3-1a2b3c4d`."""
    return name.partition("-")[0]


def now() -> str:
    """Return the time as the history writes it: ISO 8601, UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def read(home: Home) -> list[Record]:
    """Return every record, oldest first, none of a file that this user may not read.

    It is parsed only when it has changed. A run without it ends when it would first write to it.
    """
    try:
        return list(home.read_once("history", [home.history], lambda: _parse(home)))
    except PermissionError:
        return []


def runs(home: Home) -> list[tuple[Record, Report]]:
    """Return the record of each run that was decided, with what it measured, oldest first."""
    return [(record, record.run) for record in read(home) if record.run]


def text(home: Home) -> str:
    """Return the history for people: one line for each decision, oldest first."""
    lines = []
    for one in read(home):
        line = f"{one.when}  {one.short:5} {one.decision:11}"
        if one.run:
            before, after = one.run.accuracy_before, one.run.accuracy_after
            line += f" {before:.2%} -> {after:.2%}, {one.run.reason}"
        lines.append(line)
    return "\n".join(lines) or "Nothing was decided yet."


def append(home: Home, record: Record) -> None:
    """Add one record and sync it."""
    home.versions.mkdir(exist_ok=True)
    durable.append_line(home.history, _to_line(record))


def announce(home: Home, record: Record) -> None:
    """Write down what is about to be recorded, in case its writer is killed."""
    home.versions.mkdir(exist_ok=True)
    durable.write(home.announced, _to_line(record).encode())


def announced(home: Home) -> Record | None:
    """Return what was announced and not withdrawn, if anything."""
    try:
        return _from_line(home.announced.read_text(encoding="utf-8"))
    except (OSError, *MALFORMED):
        return None


def withdraw(home: Home) -> None:
    """Remove what was announced."""
    durable.remove(home.announced)


def _parse(home: Home) -> list[Record]:
    """Return the records in the file; a line that a power cut tore is passed over."""
    if not home.history.exists():
        return []
    records = []
    for line in home.history.read_text(encoding="utf-8", errors="replace").splitlines():
        with suppress(*MALFORMED):
            records.append(_from_line(line))
    return records


def _to_line(record: Record) -> str:
    """Return the record as a line of JSON, what its run measured beside the rest."""
    told = asdict(record)
    told |= told.pop("run") or {}
    return json.dumps({name: value for name, value in told.items() if value is not None})


def _from_line(line: str) -> Record:
    """Return the record in a line. Raises one of MALFORMED when there is none."""
    told = records.parse(line)
    run = records.of(Report, told) if "reason" in told else None
    record = replace(records.of(Record, told), run=run)
    int(record.short[1:])  # any version's name is numbered
    return record
