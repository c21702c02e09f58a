"""Fine-tunings that the page starts, as processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time

from digits import durable
from digits.home import PROJECT, Home
from digits.versions import now

PAUSE = 30  # s from one start to the next of a button's: nobody can keep the machine busy
SCRIPT = PROJECT / "finetuning.py"


def command(home: Home, *options: str) -> list[str]:
    """Return the command that calls finetuning.py on a home."""
    return [sys.executable, str(SCRIPT), "--root", str(home), *options]


class Run(threading.Thread):
    """A run of finetuning.py, begun at once; `says` is its last line once it ended.

    ended: ISO, UTC, "" until then.
    """

    def __init__(self, home: Home, *options: str) -> None:
        super().__init__(daemon=True)
        self._process = subprocess.Popen(
            command(home, *options),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=os.environ | home.secrets,
            start_new_session=True,  # it outlives the page, the browser and the server
        )
        self.says, self.went_well, self.ended = "", False, ""
        self.start()

    def run(self) -> None:
        """Read what the process prints until it ends."""
        printed, _ = self._process.communicate()
        self.went_well = self._process.returncode == 0
        self.says = printed.strip().rpartition("\n")[2] or "The run ended without a word."
        self.ended = now()


def start(home: Home) -> Run | float:
    """Return the run that a button starts; or the seconds to wait, soon after another start.

    However many press at once, on whatever server, one run starts. Raises OSError.
    """
    home.follow()
    home.versions.mkdir(exist_ok=True)
    with home.lock(home.started):
        if home.started.exists():
            passed = time.time() - home.started.stat().st_mtime
            if 0 <= passed < PAUSE:  # or else the clock was put back
                return PAUSE - passed
        durable.write(home.started, b"")
        return Run(home, "--trigger", "button")


def roll_back(home: Home, name: str) -> str:
    """Put a version back in service, under the lock of all runs; return why not, "" if it is."""
    done = subprocess.run(
        command(home, "--rollback", name),
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | home.secrets,
    )
    return done.stderr.strip().rpartition("\n")[2] if done.returncode else ""
