"""Who may vouch, and how much strangers may store: bounds that many visits cannot go round."""

import os
import time
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from digits import feedback
from digits.feedback import capacity, corrections
from digits.feedback.corrections import PASSWORD

OURS, THEIRS = "0a1b2c3d", "4e5f6071"


def picture(seed=0):
    pixels = np.random.default_rng(seed).integers(0, 256, (9, 7, 3), np.uint8)
    return Image.fromarray(pixels)


def backdate(home, added):
    """Make the one correction as of another time."""
    table, row, one = corrections.find(home, feedback.load(home)[0][0].image)
    corrections.put(home, table, row, corrections.to_cells(replace(one, added=added)))


def stored(home):
    return feedback.load(home)[0][0]


def test_confirm_counts_another_visit_and_the_password_but_not_the_visit_itself(home):
    one = feedback.add(home, picture(), 1, 7, visit=OURS)
    with pytest.raises(feedback.StoreError, match="another one may vouch"):
        feedback.confirm(home, one, OURS)
    assert stored(home).votes == 1
    assert feedback.confirm(home, one, THEIRS).votes == 2
    with pytest.raises(feedback.StoreError):
        feedback.confirm(home, stored(home), THEIRS)
    assert feedback.confirm(home, stored(home), PASSWORD).votes == 3
    assert stored(home).visits == f"{OURS} {THEIRS} {PASSWORD}"


def test_add_again_by_the_same_visit_is_no_second_opinion_however_late(home):
    feedback.add(home, picture(), 1, 7, visit=OURS)
    backdate(home, "2020-01-01T00:00:00+00:00")
    assert feedback.add(home, picture(), 1, 7, visit=OURS).votes == 1
    assert feedback.add(home, picture(), 1, 7, visit=THEIRS).votes == 2


@pytest.mark.parametrize("added", ["9999-12-31T00:00:00+00:00", "2999-01-01T00:00:00", "tomorrow"])
def test_add_again_after_a_clock_that_jumped_counts(added, home):
    feedback.add(home, picture(), 1, 7, visit=OURS)
    backdate(home, added)
    assert feedback.add(home, picture(), 1, 7, visit=THEIRS).votes == 2


def test_undo_of_a_vote_leaves_the_others(home):
    feedback.add(home, picture(), 1, 7, visit=OURS)
    backdate(home, "2020-01-01T00:00:00+00:00")
    mine = feedback.add(home, picture(), 1, 7, visit=THEIRS)
    feedback.confirm(home, mine, PASSWORD)
    feedback.undo(home, mine)
    assert (stored(home).votes, stored(home).visits) == (2, f"{OURS} {PASSWORD}")


def test_relabel_is_the_one_voice_of_who_did_it(home):
    one = feedback.add(home, picture(), 1, 7, visit=OURS)
    feedback.relabel(home, one, 4, THEIRS)
    assert (stored(home).votes, stored(home).visits) == (1, THEIRS)


def test_add_of_strangers_is_bounded_by_the_hour_for_all_of_them_together(monkeypatch, home):
    monkeypatch.setattr(capacity, "MAX_PER_HOUR", 3)
    for seed in range(3):
        feedback.add(home, picture(seed), 1, 7, visit=str(seed))
    with pytest.raises(feedback.StoreError, match="try again later"):
        feedback.add(home, picture(3), 1, 7, visit="another")
    assert feedback.add(home, picture(4), 1, 7, visit=PASSWORD)
    assert feedback.add(home, picture(0), 1, 8, visit="another").actual == 8  # nothing grows
    for path in home.images.iterdir():
        os.utime(path, (time.time() - 4000,) * 2)
    assert feedback.add(home, picture(3), 1, 7, visit="another")


def test_add_of_strangers_is_bounded_by_other_processes_answers_too(monkeypatch, home):
    monkeypatch.setattr(capacity, "MAX_PER_HOUR", 2)
    for seed in range(2):
        feedback.add(home, picture(seed), 1, 7, visit=OURS)
    monkeypatch.setattr(capacity, "_counts", {})  # as another process, or this one started again
    with pytest.raises(feedback.StoreError, match="within an hour"):
        feedback.add(home, picture(2), 1, 7, visit=OURS)


def test_add_of_strangers_leaves_a_reserve_for_who_has_the_password(monkeypatch, home):
    monkeypatch.setattr(capacity, "MAX_PICTURES", 10)
    for seed in range(9):
        feedback.add(home, picture(seed), 1, 7, visit=OURS)
    with pytest.raises(feedback.StoreError, match="10% kept for who has the password"):
        feedback.add(home, picture(9), 1, 7, visit=OURS)
    assert feedback.add(home, picture(9), 1, 7, visit=PASSWORD)
    with pytest.raises(feedback.StoreError, match="The store is full \\("):
        feedback.add(home, picture(10), 1, 7, visit=PASSWORD)
