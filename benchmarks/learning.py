"""What one fine-tuning learns and forgets, beside naive fine-tuning on the mistakes alone.

    python benchmarks/learning.py [--corrections 20 100]

The corrections are digits in a style that MNIST lacks (slashed zeros, crossed sevens, ones with
flag and base) which the network in service gets wrong; "unseen" are such digits drawn anew, some
of them, with other strokes, on digits that a correction was drawn on too.
Each run is the real `finetuning.py` on a fresh root, a process of its own; takes minutes.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from digits import evaluation, images, model, training, versions  # noqa: E402
from tests.roots import add_misread, make_root, styled_pictures  # noqa: E402

UNSEEN = 300
ROW = "{:<28} {:>12} {:>14} {:>14} {:>16} {:>9}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--corrections", type=int, nargs="+", default=[20, 100])
    options = parser.parse_args()
    shipped = model.load(ROOT / versions.MODEL)
    digits, labels = evaluation.read_rows(ROOT / "train.csv")
    apart = evaluation.held_out(digits)
    measures = as_rows(styled_pictures(UNSEEN, seed=99)), (digits[apart], labels[apart])
    print(ROW.format("", "corrections", "now right", "unseen right", "held-out right", "seconds"))
    report("shipped network", shipped, None, measures, 0)
    for n in options.corrections:
        with tempfile.TemporaryDirectory() as folder:
            root = make_root(Path(folder))
            rows = as_rows([(one[0], one[2]) for one in add_misread(root, shipped, n)])
            began = time.monotonic()
            subprocess.run([sys.executable, ROOT / "finetuning.py", "--root", root], check=False)
            seconds = time.monotonic() - began
            report("finetuning.py", model.load(root / versions.MODEL), rows, measures, seconds)
        began = time.monotonic()
        net = naive(rows)
        report("the mistakes alone", net, rows, measures, time.monotonic() - began)


def naive(rows):
    """Return the shipped network after five epochs of Adam on the mistakes alone."""
    net = model.load(ROOT / versions.MODEL)
    net.compile("adam", "categorical_crossentropy")
    net.fit(model.scale(rows[0]), training.one_hot(rows[1]), epochs=5, verbose=0)
    return net


def as_rows(pictures):
    """Return the digits, uint8 (n, 28, 28), and labels of pairs of picture and label."""
    digits = [images.read_digit(picture) for picture, _ in pictures]
    return np.array(digits), np.array([label for _, label in pictures])


def report(name, net, corrections, measures, seconds):
    """Print one network's shares: of its corrections, of unseen styled digits, of held-out rows."""
    shares = [
        f"{evaluation.right(labels, model.predict(net, digits)).mean():.2%}"
        for digits, labels in ([corrections] if corrections else []) + list(measures)
    ]
    n = len(corrections[1]) if corrections else ""
    print(ROW.format(name, n, *[""] * (3 - len(shares)), *shares, f"{seconds:.1f}"), flush=True)


if __name__ == "__main__":
    main()
