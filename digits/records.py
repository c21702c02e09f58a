"""Dataclasses as JSON: what one release wrote, the next reads, and the one before."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from types import UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from digits import durable

T = TypeVar("T")
# Asked for each line of a history.
types_of: Callable[[type], dict[str, Any]] = lru_cache(get_type_hints)


def write(path: Path, record: Any) -> None:
    """Make a dataclass the content of path, in one step. Raises OSError."""
    path.parent.mkdir(exist_ok=True)
    durable.write(path, json.dumps(asdict(record)).encode())


def read(path: Path, kind: type[T]) -> T:
    """Return the dataclass in a file; one with its defaults when it is missing or damaged."""
    try:
        return of(kind, parse(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError, AttributeError):
        return kind()


def of(kind: type[T], told: dict) -> T:
    """Return a dataclass of those values that it knows; others are of another release.

    Raises TypeError when one that it needs is missing, or one is of another type.
    """
    types = types_of(kind)
    values = {name: told[name] for name in types if name in told}
    for name, value in values.items():
        if not _fits(value, types[name]):
            raise TypeError(f"{name} is {value!r}")
    return kind(**values)


def parse(text: str) -> Any:
    """Return what JSON holds. Raises ValueError."""
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("nested deeper than any record") from error


def _fits(value: Any, expected: Any) -> bool:
    """Return whether JSON holds a value of the type."""
    inner = get_args(expected)
    if isinstance(expected, UnionType):
        return any(_fits(value, one) for one in inner)
    if not inner:
        return isinstance(value, (int, float) if expected is float else expected)
    if not isinstance(value, list):
        return False
    kinds = inner if get_origin(expected) is tuple else inner * len(value)
    return len(kinds) == len(value) and all(map(_fits, value, kinds))
