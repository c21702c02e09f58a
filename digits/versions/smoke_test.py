"""A smoke test: another process loads a network's file and predicts, as any reader of it will.

    python -m digits.versions.smoke_test model.h5 < digits.npy > answers.npy

Both ends are arrays as `numpy.save` writes them: digits, uint8 (n, 28, 28), and probabilities,
float32 (n, 10).
"""

from __future__ import annotations

import io
import logging
import subprocess
import sys
from pathlib import Path

import numpy as np

from digits import model

log = logging.getLogger("digits")


def predict_again(path: Path, digits: np.ndarray) -> np.ndarray | None:
    """Return what the network in a file predicts for digits, float32 (n, 10); None if nothing.

    It is loaded as the page does it. digits: uint8 (n, 28, 28).
    """
    asked = io.BytesIO()
    np.save(asked, digits)
    done = subprocess.run(
        [sys.executable, "-m", "digits.versions.smoke_test", path.resolve()],
        input=asked.getvalue(),
        capture_output=True,
        cwd=Path(__file__).resolve().parents[2],
        check=False,
    )
    if done.returncode:
        log.info("Its smoke test ended with %d: %s", done.returncode, done.stderr.decode().strip())
        return None
    return np.load(io.BytesIO(done.stdout))


def main(path: str) -> None:
    """Predict."""
    digits = np.load(io.BytesIO(sys.stdin.buffer.read()))
    told = io.BytesIO()  # NumPy asks files for their position, and a pipe has none
    np.save(told, model.predict(model.load_light(path), digits))
    sys.stdout.buffer.write(told.getvalue())


if __name__ == "__main__":
    main(sys.argv[1])
