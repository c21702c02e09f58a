"""A crontab of the test's own: a program `crontab` that keeps its table in a file."""

from __future__ import annotations

import os
from pathlib import Path

PROGRAM = """#!/bin/sh
case $1 in
-l) [ -f '{table}' ] && exec cat '{table}'; echo "{said}" >&2; exit 1 ;;
-) exec cat > '{table}' ;;
esac
"""


def pretend(folder: Path, monkeypatch, said: str = "no crontab for me") -> Path:
    """Put such a program first in the PATH; return the file of its table, not made yet.

    said: its word while there is none.
    """
    table = folder / "crontab.txt"
    program = folder / "bin" / "crontab"
    program.parent.mkdir()
    program.write_text(PROGRAM.format(table=table, said=said))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=os.pathsep)
    return table
