"""What became of each stored correction: waiting, learned, held back, still wrong, or removed."""

from __future__ import annotations

from pathlib import Path

from digits import versions
from digits.feedback.corrections import Correction
from digits.versions import receipts

WAITING, LEARNED, HELD_BACK, WRONG, REMOVED = STATES = (
    "waiting",
    "learned",
    "held back",
    "still wrong",
    "removed",
)


def of_each(root: str | Path, stored: list[Correction], serving: versions.Version) -> list[str]:
    """Return the state of each correction, as the network that serves has it.

    After a run that was refused or rolled back, the network of before that run serves.
    """
    receipt = receipts.last(root) or {"corrections": []}
    lines = {(line["image"], line["actual"]): line for line in receipt["corrections"]}
    when = "after" if _in_force(root, serving) else "before"
    return [REMOVED if one.removed else _state(lines.get(one.key), when) for one in stored]


def doubts(root: str | Path) -> dict[tuple[str, int], str]:
    """Return why the last run held corrections back, by their keys."""
    receipt = receipts.last(root) or {"corrections": []}
    held = (line for line in receipt["corrections"] if line["outcome"] == receipts.HELD_BACK)
    return {(line["image"], line["actual"]): line["reason"] for line in held}


def _in_force(root: str | Path, serving: versions.Version) -> bool:
    """Return whether the last run was published and its network serves."""
    decided = [record for record in versions.history(root) if "receipt" in record]
    published = decided and decided[-1]["decision"] == versions.PUBLISHED
    return bool(published) and decided[-1]["version"] == serving.name


def _state(line: dict | None, when: str) -> str:
    """Return the state that a receipt's line tells: of before the run, or after."""
    if line is None:
        return WAITING
    if line["outcome"] == receipts.HELD_BACK:
        return HELD_BACK
    return LEARNED if line[f"guess_{when}"] == line["actual"] else WRONG
