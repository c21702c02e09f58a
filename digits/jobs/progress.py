"""What the run in progress is doing, or how the last one ended: a small file that all can read."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

from digits import durable, versions

FILE = "status.json"
INTERVAL = 0.3  # s between writes: smooth for the eye, nothing for the disk


class Status:
    """Writes the progress of one run; each write is whole for whoever reads it meanwhile."""

    def __init__(self, root: str | Path, trigger: str, pid: int):
        self._path = Path(root) / versions.FOLDER / FILE
        self._entry = {"state": "running", "trigger": trigger, "pid": pid, "since": versions.now()}
        self._started = time.monotonic()
        self._written = 0.0

    def progress(self, phase: str, share: float) -> None:
        """Say which phase runs, and which share of the whole run is done, 0 to 1."""
        passed = time.monotonic() - self._started
        if passed - self._written < INTERVAL and self._entry.get("phase") == phase:
            return
        self._written = passed
        left = round(passed / share - passed) if share > 0.05 else None
        self._write(phase=phase, share=round(share, 3), seconds_left=left)

    def finish(self, state: str, message: str, code: int) -> None:
        """Say how the run ended: its decision, one sentence, its exit code."""
        seconds = round(time.monotonic() - self._started, 1)
        self._write(state=state, message=message, code=code, share=1.0, seconds=seconds)

    def _write(self, **entry) -> None:
        self._entry.update(entry, at=versions.now())
        self._path.parent.mkdir(exist_ok=True)
        durable.write(self._path, json.dumps(self._entry).encode())


def read(root: str | Path) -> dict:
    """Return what the last run wrote, or {} when none ever did."""
    try:
        return json.loads((Path(root) / versions.FOLDER / FILE).read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError):
        return {}


def is_running(root: str | Path) -> bool:
    """Return whether the run that wrote last is still at work: its process exists."""
    entry = read(root)
    return entry.get("state") == "running" and is_alive(entry["pid"])


def is_alive(pid: int) -> bool:
    """Return whether a process with this number exists."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # another user's process
        return True
    return True


def whose(root: str | Path) -> str:
    """Return who asked for the run at work and since when it runs, "" when it has not said yet."""
    if not is_running(root):
        return ""
    entry = read(root)
    return f", asked by {entry['trigger']}, since {entry['since']}"


def text(root: str | Path) -> str:
    """Return for people what runs, or how the last run ended."""
    entry = read(root)
    if not entry:
        return "No run yet."
    if is_running(root):
        left = entry.get("seconds_left")
        time_left = f", about {left} s left" if left is not None else ""
        done = f"{entry.get('phase', 'Starting')}, {entry.get('share', 0):.0%} done{time_left}"
        return f"Running since {entry['since']}, asked by {entry['trigger']}: {done}."
    if entry["state"] == "running":
        return f"The run of {entry['since']} was cut short; model.h5 is as it was."
    return f"Nothing runs. The last run, {entry['at']}, {entry['state']}: {entry['message']}"
