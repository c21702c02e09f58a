"""How far a network can be trusted: calibration, "not sure", other hands, and what is no digit.

    python benchmarks/network.py [--model FILE]

Prints each figure with its goal; takes a minute. The accuracy on MNIST's test images is in
`modelbuilding.ipynb`, which has them.
"""

import argparse
from pathlib import Path

import numpy as np
from sklearn.metrics import roc_auc_score

from digits import images, metrics, model
from digits.model import styles
from digits.rows import is_held_out, read_rows
from tests import outliers

ROOT = Path(__file__).resolve().parents[1]

STRANGE = 1_000  # letters, and as many scribbles
MARKS = 200  # of each kind
ROW = "{:<48} {:>8} {:>8} {:>15} {:>6}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, default=ROOT / "model.h5")
    net = model.load(parser.parse_args().model)
    digits, labels = read_rows(ROOT / "train.csv")
    apart = is_held_out(digits)
    print(ROW.format("what", "figure", "goal", "95 % interval", "n"))
    print(ROW.format("parameters", f"{net.count_params():,}", "<= 1 M", "", ""))
    for name, part in (("held-out", apart), ("replay", ~apart)):
        trust(net, name, digits[part], labels[part])
    digits, labels = digits[apart], labels[apart]
    strangers(net, model.predict(net, digits).max(axis=1))
    hands(net, digits, labels)


def trust(net, name, digits, labels):
    """How often net is right, how often it says so, and how rightly."""
    answers = model.predict(net, digits)
    right, sure = metrics.correct(labels, answers), answers.max(axis=1) >= model.SURE
    share(f"{name} rows right", right, "")
    error = metrics.calibration_error(labels, answers)
    print(ROW.format("  expected calibration error", f"{error:.2%}", "<= 0.3 %", "", len(labels)))
    share(f"  answered, sure by {model.SURE} or more", sure, ">= 98.5")
    share("    of those right", right[sure], ">= 99.9")


def strangers(net, known):
    """What is no digit: told from digits, of which net is sure by `known`, or called one surely."""
    rng = np.random.default_rng(0)
    for name, draw, goal in (
        ("letters", outliers.letters, ">= 0.995"),
        ("scribbles", outliers.scribbles, ">= 0.990"),
    ):
        sureness = model.predict(net, draw(STRANGE, rng)).max(axis=1)
        truth = np.r_[np.ones(len(known)), np.zeros(STRANGE)]
        area = roc_auc_score(truth, np.r_[known, sureness])
        print(ROW.format(f"AUROC, digits against {name}", f"{area:.4f}", goal, "", STRANGE))
        share(f"  {name} called a digit surely", sureness >= model.SURE, "")
    for name in outliers.MARKS:
        surely = [_is_sure(net, page) for page in outliers.marks(name, MARKS, rng)]
        share(f"{name} called a digit surely", np.array(surely), "<= 5")


def _is_sure(net, page):
    try:
        digit = images.read_digit(page)
    except images.ImageError:
        return False
    return model.predict(net, digit[None]).max() >= model.SURE


def hands(net, digits, labels):
    """Held-out rows in each style that MNIST lacks: the share misread."""
    rng = np.random.default_rng(0)
    for name, style in styles.STYLES.items():
        answers = model.predict(net, styles.draw(name, digits[labels == style.label], rng))
        kept = " (never trained on)" if name in styles.HELD_OUT else ""
        share(f"{name}{kept}, misread", answers.argmax(axis=1) != style.label, "")


def share(name, hits, goal):
    """Print a share of hits, bool (n,), in percent with its interval."""
    low, high = metrics.wilson(int(hits.sum()), len(hits))
    interval = f"{low:.2%}-{high:.2%}"
    print(ROW.format(name, f"{hits.mean():.2%}", goal, interval, len(hits)))


if __name__ == "__main__":
    main()
