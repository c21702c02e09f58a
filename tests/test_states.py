"""The state of a correction follows the network in service, not the one last trained."""

from __future__ import annotations

import json

import pytest

from digits import versions
from digits.feedback.corrections import Correction
from digits.learning import states
from digits.versions import receipts

ONE = Correction(1, 7, "incorrect_images/a.png")
FIRST, NEXT = (versions.Version(f"v{i}-0000000{i}", "0", "2026-01-01") for i in (1, 2))


def line(before: int, after: int, outcome: str) -> dict:
    answers = {"guess_before": before, "guess_after": after, "p_before": 0.5, "p_after": 0.5}
    return {"image": ONE.image, "actual": 7, "outcome": outcome, **answers}


def record(home, decision: str, lines: list[dict]) -> None:
    """Write a run's receipt and its place in the history, as of the version NEXT."""
    folder = home.receipts
    folder.mkdir(parents=True)
    (folder / "run-00001.json").write_text(json.dumps({"corrections": lines, "flipped": []}))
    run = versions.Report("as told", receipt="run-00001.json")
    versions.append(home, versions.Record(decision, NEXT.name, NEXT.sha256, NEXT.since, run=run))


def test_of_each_before_any_run_waits(home):
    assert states.of_each(home, [ONE], FIRST) == [states.WAITING]


@pytest.mark.parametrize(
    ("decision", "before", "after", "state"),
    [
        (versions.PUBLISHED, 1, 7, states.LEARNED),
        (versions.PUBLISHED, 7, 1, states.WRONG),
        (versions.REFUSED, 1, 7, states.WRONG),
        (versions.REFUSED, 7, 1, states.LEARNED),
    ],
)
def test_of_each_after_a_run_is_what_the_network_in_service_reads(
    home, decision, before, after, state
):
    outcome = receipts.RIGHT if after == 7 else receipts.WRONG
    record(home, decision, [line(before, after, outcome)])
    assert states.of_each(home, [ONE], NEXT) == [state]


def test_of_each_after_another_network_took_its_place_is_of_before_the_run(home):
    record(home, versions.PUBLISHED, [line(1, 7, receipts.RIGHT)])
    assert states.of_each(home, [ONE], FIRST) == [states.WRONG]


def test_of_each_held_back_and_new_ones_are_told_apart(home):
    held = line(1, 1, receipts.HELD_BACK) | {"reason": "it looks like a 1"}
    record(home, versions.PUBLISHED, [held])
    assert states.doubts(home) == {ONE.key: "it looks like a 1"}
    new = Correction(1, 7, "incorrect_images/b.png")
    removed = Correction(1, 7, ONE.image, removed=True)
    expected = [states.HELD_BACK, states.WAITING, states.REMOVED]
    assert states.of_each(home, [ONE, new, removed], NEXT) == expected
