"""Receipts: what one run did to every correction and to the held-out digits that flipped."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from digits import durable, feedback, metrics, versions

FOLDER = "receipts"
RIGHT, WRONG, HELD_BACK = "now right", "still wrong", "held back"


def write(
    root: str | Path,
    number: int,
    corrections: list[feedback.Correction],
    answers: metrics.Answers,
    held_out: metrics.Answers,
    flipped_digits: np.ndarray,
    doubts: list[str | None],
) -> str:
    """Write the receipt of run `number`; return its name.

    corrections: in the order of their answers. flipped_digits: uint8 (f, 28, 28), the held-out
    digits that were fixed or broken, in their order. doubts: for each correction why it was held
    back, or None.
    """
    learned = metrics.right(answers.labels, answers.after)
    outcomes = [
        {"outcome": HELD_BACK, "reason": doubt} if doubt else {"outcome": RIGHT if right else WRONG}
        for doubt, right in zip(doubts, learned, strict=True)
    ]
    lines = [
        {
            "image": correction.image,
            "actual": correction.actual,
            **outcomes[i],
            **_answer("before", answers.before[i], correction.actual),
            **_answer("after", answers.after[i], correction.actual),
        }
        for i, correction in enumerate(corrections)
    ]
    flips = np.flatnonzero(held_out.fixed | held_out.broken)
    flipped = [
        {
            "actual": int(held_out.labels[row]),
            "fixed": bool(held_out.fixed[row]),
            **_answer("before", held_out.before[row], held_out.labels[row]),
            **_answer("after", held_out.after[row], held_out.labels[row]),
            "pixels": digit.reshape(-1).tolist(),
        }
        for row, digit in zip(flips, flipped_digits, strict=True)
    ]
    folder = Path(root) / versions.FOLDER / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    name = f"run-{number:05d}.json"
    receipt = {"corrections": lines, "flipped": flipped}
    durable.write(folder / name, json.dumps(receipt).encode())
    return name


def read(root: str | Path, name: str) -> dict:
    """Return a receipt by its name: `corrections` and `flipped`, lists of dicts."""
    path = Path(root) / versions.FOLDER / FOLDER / name
    return json.loads(path.read_text(encoding="utf-8"))


def last(root: str | Path) -> dict | None:
    """Return the receipt of the last run that was decided, or None: none was, or it was lost."""
    named = [record["receipt"] for record in versions.history(root) if "receipt" in record]
    try:
        return read(root, named[-1]) if named else None
    except (FileNotFoundError, json.JSONDecodeError):
        return None


def text(root: str | Path, version: str = "") -> str:
    """Return a run's receipt for people: the last run's, or that of the run that made `version`.

    Raises VersionError when there is none.
    """
    runs = [record for record in versions.history(root) if "receipt" in record]
    if version:
        made = [record for record in runs if record["decision"] == versions.PUBLISHED]
        runs = [r for r in made if version in (r["version"], r["version"].partition("-")[0])]
    if not runs:
        raise versions.VersionError(f"No run made {version}." if version else "No run yet.")
    run = runs[-1]
    try:
        receipt = read(root, run["receipt"])
    except (FileNotFoundError, json.JSONDecodeError) as error:
        raise versions.VersionError(f"The receipt {run['receipt']} was lost.") from error
    lines = [f"{run['when']}  {run['decision']}: {run['reason']}", "", "corrections"]
    lines += [_line(line["image"], line["outcome"], line) for line in receipt["corrections"]]
    lines += ["", "held-out digits that flipped"]
    lines += [_line("", "fixed" if f["fixed"] else "broken", f) for f in receipt["flipped"]]
    return "\n".join(lines)


def _line(name: str, outcome: str, line: dict) -> str:
    """Return one digit of a receipt: outcome, guesses, the probability of its label, reason."""
    guesses = (
        f"is {line['actual']}, read {line['guess_before']} ({line['p_before']:.0%} for "
        f"{line['actual']}) before, {line['guess_after']} ({line['p_after']:.0%}) after"
    )
    because = f": {line['reason']}" if "reason" in line else ""
    return f"  {outcome:11}  {guesses}  {name}{because}".rstrip()


def seen(root: str | Path) -> set[tuple[str, int]]:
    """Return the keys (image, label) of the corrections that the last run worked with."""
    receipt = last(root) or {"corrections": []}
    return {(line["image"], line["actual"]) for line in receipt["corrections"]}


def _answer(when: str, probabilities: np.ndarray, label: int) -> dict:
    """Return the guess of float32 (10,) and the probability it gave to the label."""
    return {
        f"guess_{when}": int(probabilities.argmax()),
        f"p_{when}": round(float(probabilities[label]), 4),
    }
