"""Fine-tunings that the page starts, as processes of their own."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path

from digits import versions

SCRIPT = Path(__file__).resolve().parents[2] / "finetuning.py"


def command(root: Path, *options: str) -> list[str]:
    """Return the command that calls finetuning.py on a root."""
    return [sys.executable, str(SCRIPT), "--root", str(root), *options]


class Run(threading.Thread):
    """A run of finetuning.py, begun at once; `says` is its last line once it ended.

    began: s, as time.monotonic() counts them. ended: ISO, UTC, "" until then.
    """

    def __init__(self, root: Path, *options: str) -> None:
        super().__init__(daemon=True)
        self._process = subprocess.Popen(
            command(root, *options),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,  # it outlives the page, the browser and the server
        )
        self.says, self.went_well, self.ended = "", False, ""
        self.began = time.monotonic()
        self.start()

    def run(self) -> None:
        """Read what the process prints until it ends."""
        printed, _ = self._process.communicate()
        self.went_well = self._process.returncode == 0
        self.says = printed.strip().rpartition("\n")[2] or "The run ended without a word."
        self.ended = versions.now()


def roll_back(root: Path, name: str) -> str:
    """Put a version back in service, under the lock of all runs; return why not, "" if it is."""
    done = subprocess.run(
        command(root, "--rollback", name), capture_output=True, text=True, check=False
    )
    return done.stderr.strip().rpartition("\n")[2] if done.returncode else ""
