"""What became of each stored correction: waiting, learned, held back, still wrong, or removed."""

from __future__ import annotations

from digits import versions
from digits.feedback.corrections import Correction
from digits.home import Home
from digits.versions import receipts

WAITING, LEARNED, HELD_BACK, WRONG, REMOVED = STATES = (
    "waiting",
    "learned",
    "held back",
    "still wrong",
    "removed",
)


def of_each(home: Home, stored: list[Correction], serving: versions.Version) -> list[str]:
    """Return the state of each correction, as the network that serves has it.

    After a run that was refused or rolled back, the network of before that run serves.
    """
    receipt = receipts.last(home) or receipts.Receipt()
    lines, in_force = receipt.lines, _in_force(home, serving)
    return [REMOVED if one.removed else _state(lines.get(one.key), in_force) for one in stored]


def doubts(home: Home) -> dict[tuple[str, int], str]:
    """Return why the last run held corrections back, by their keys."""
    receipt = receipts.last(home) or receipts.Receipt()
    held = (line for line in receipt.corrections if line.outcome == receipts.HELD_BACK)
    return {line.key: line.reason for line in held}


def _in_force(home: Home, serving: versions.Version) -> bool:
    """Return whether the last run was published and its network serves."""
    last = [record for record, _ in versions.runs(home)][-1:]
    return any(one.decision == versions.PUBLISHED and one.version == serving.name for one in last)


def _state(line: receipts.Line | None, in_force: bool) -> str:
    """Return the state that a receipt's line tells: of after the run, if it is in force."""
    if line is None:
        return WAITING
    if line.outcome == receipts.HELD_BACK:
        return HELD_BACK
    guess = line.guess_after if in_force else line.guess_before
    return LEARNED if guess == line.actual else WRONG
