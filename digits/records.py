"""Dataclasses as JSON: what one release wrote, the next reads, and the one before."""

from __future__ import annotations

import json
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, TypeVar

from digits import durable

T = TypeVar("T")


def write(path: Path, record: Any) -> None:
    """Make a dataclass the content of path, in one step. Raises OSError."""
    path.parent.mkdir(exist_ok=True)
    durable.write(path, json.dumps(asdict(record)).encode())


def read(path: Path, kind: type[T]) -> T:
    """Return the dataclass in a file; one with its defaults when it is missing or damaged."""
    try:
        return of(kind, json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError, AttributeError):
        return kind()


def of(kind: type[T], told: dict) -> T:
    """Return a dataclass of those values that it knows; others are of another release.

    Raises TypeError when one that it needs is missing.
    """
    names = [field.name for field in fields(kind) if field.name in told]  # type: ignore[arg-type]
    return kind(**{name: told[name] for name in names})
