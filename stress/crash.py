"""Kill a fine-tuning at random moments; whatever the moment, the loop must go on.

    python stress/crash.py [--moments 100] [--seconds 120]

After each `kill -9`: model.h5 is, to the byte, a network that was published, and loads; the
history has no torn line; the store is as it was. After the last, a run ends well and leaves no
litter. One line says how many moments were tried; any fault ends in an assertion.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from digits import feedback, files, model, versions
from tests.roots import PROJECT, add_misread, make_root

# A run with every step of a real one, but little training: most moments then fall on writing.
SMALL = "import finetuning as f, sys; f.EPOCHS, f.REPLAY_ROWS = 1, 200; sys.exit(f.main())"
ENDINGS = (0, 3)  # published; refused by the gate
CORRECTIONS = 3


def start(root: Path) -> subprocess.Popen:
    """Start a small fine-tuning of the root; return its process."""
    command = [sys.executable, "-c", SMALL, "--root", str(root), "--force"]
    return subprocess.Popen(
        command, cwd=PROJECT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )


def complete(root: Path) -> float:
    """Let a run end, which must end well and leave no litter; return its seconds."""
    began = time.monotonic()
    run = start(root)
    said = run.communicate()[1]
    assert run.returncode in ENDINGS, said
    litter = [*root.rglob(f"*{files.PARTIAL}"), *(root / versions.FOLDER).glob(".run-*")]
    assert not litter, litter
    return time.monotonic() - began


def strike(folder: Path, moments: int, seconds: float, seed: int) -> int:
    """Kill runs at `moments` random moments, or as many as the seconds allow; return how many."""
    ends = time.monotonic() + seconds
    root = make_root(folder / "root")
    add_misread(root, model.load(root / versions.MODEL), CORRECTIONS)
    store = contents(root)
    usual = complete(root)
    rng = np.random.default_rng(seed)
    loaded = set()
    struck = 0
    while struck < moments and time.monotonic() < ends - usual:
        run = start(root)
        try:
            code = run.wait(rng.uniform(0, usual))
            assert code in ENDINGS, run.stderr.read()
        except subprocess.TimeoutExpired:
            run.kill()
            run.wait()
            struck += 1
        run.stderr.close()
        check(root, store, loaded)
    complete(root)
    check(root, store, loaded)
    return struck


def check(root: Path, store: dict[str, bytes], loaded: set[str]) -> None:
    """Assert that the root is whole; loaded: hashes of the networks that were loaded before."""
    lines = (root / versions.FOLDER / versions.HISTORY).read_text().splitlines()
    known = {json.loads(line)["sha256"] for line in lines}
    sha256 = hashlib.sha256((root / versions.MODEL).read_bytes()).hexdigest()
    assert sha256 in known
    if sha256 not in loaded:
        model.load(root / versions.MODEL)
        loaded.add(sha256)
    assert contents(root) == store
    assert feedback.load(root)[1] == []


def contents(root: Path) -> dict[str, bytes]:
    """Return every file of the store with its bytes."""
    paths = [root / feedback.TABLE, *(root / feedback.FOLDER).iterdir()]
    return {path.name: path.read_bytes() for path in paths if path.suffix != files.PARTIAL}


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--moments", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=120, help="stop after so long")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        struck = strike(Path(folder), options.moments, options.seconds, options.seed)
    print(f"Killed at {struck} random moments: model.h5 always whole, no row lost, no litter.")


if __name__ == "__main__":
    main()
