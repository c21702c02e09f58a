"""How far `model.h5` can be trusted: calibration, "not sure", and things that are no digit.

    python benchmarks/network.py

Prints each figure with its goal; takes seconds. The accuracy on MNIST's test images is in
`modelbuilding.ipynb`, which has them.
"""

from pathlib import Path

import numpy as np
from sklearn.metrics import roc_auc_score

from digits import metrics, model
from digits.rows import is_held_out, read_rows
from tests import outliers

ROOT = Path(__file__).resolve().parents[1]

STRANGE = 1_000  # letters, and as many scribbles
ROW = "{:<44} {:>8} {:>8} {:>18} {:>8}"


def main():
    net = model.load(ROOT / "model.h5")
    digits, labels = read_rows(ROOT / "train.csv")
    apart = is_held_out(digits)
    digits, labels = digits[apart], labels[apart]
    answers = model.predict(net, digits)
    right, sure = metrics.correct(labels, answers), answers.max(axis=1) >= model.SURE
    print(ROW.format("what", "figure", "goal", "95 % interval", "n"))
    print(ROW.format("parameters", f"{net.count_params():,}", "<= 1 M", "", ""))
    share("held-out rows right", right, "")
    error = metrics.calibration_error(labels, answers)
    print(ROW.format("expected calibration error", f"{error:.2%}", "<= 0.5 %", "", len(labels)))
    share(f"answered, sure by {model.SURE} or more", sure, ">= 98.5")
    share("  of those right", right[sure], ">= 99.9")
    rng = np.random.default_rng(0)
    for name, strange in (
        ("letters", outliers.letters(STRANGE, rng)),
        ("scribbles", outliers.scribbles(STRANGE, rng)),
    ):
        doubts = model.predict(net, strange).max(axis=1)
        known = np.r_[np.ones(len(digits)), np.zeros(len(strange))]
        area = roc_auc_score(known, np.r_[answers.max(axis=1), doubts])
        print(ROW.format(f"AUROC, digits against {name}", f"{area:.3f}", "", "", len(strange)))
        share(f"  {name} called not sure", doubts < model.SURE, "")


def share(name, hits, goal):
    """Print a share of hits, bool (n,), in percent with its interval."""
    low, high = metrics.wilson(int(hits.sum()), len(hits))
    interval = f"{low:.2%}-{high:.2%}"
    print(ROW.format(name, f"{hits.mean():.2%}", goal, interval, len(hits)))


if __name__ == "__main__":
    main()
