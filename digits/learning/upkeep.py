"""What a run finds when it begins, and what it leaves: nothing of a killed one, and no scratch."""

from __future__ import annotations

import logging
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from digits import durable, feedback, model, versions
from digits.home import Home

SCRATCH = ".run-"  # how the folder of a run's candidate begins

log = logging.getLogger("digits")


def repair(home: Home) -> None:
    """Remove what a killed run left behind, and put the last good version back if need be.

    The caller holds the run's lock.
    """
    for folder in (home.versions, home.receipts):
        durable.sweep(folder)
    for scratch in home.versions.glob(f"{SCRATCH}*"):
        shutil.rmtree(scratch, ignore_errors=True)
    feedback.sweep(home)
    versions.settle(home)
    if versions.is_recorded(home):
        return
    serving = versions.serving(home, model.load_serving)
    if serving.problem:
        versions.restore(home, serving.version)
        log.error("%s It was put back.", serving.problem)


@contextmanager
def scratch_folder(home: Home) -> Iterator[Path]:
    """Lend a folder beside the versions that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix=SCRATCH, dir=home.versions) as folder:
        yield Path(folder)
