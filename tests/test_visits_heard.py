"""Whose answers are left out, so that others' are learned in spite of them."""

import numpy as np
import pytest
from PIL import Image

from digits import feedback
from digits.learning import finetune, study, visits
from digits.learning.material import gather
from digits.metrics import Predictions
from tests.homes import make_home, misread
from tests.styles import on_paper


def test_by_label_each_visits_labels_but_not_the_passwords():
    who = np.array(["b", "a", "b", "password", "a"])
    groups = [mine.tolist() for mine in visits.by_label(who, np.array([1, 1, 2, 1, 1]))]
    assert groups == [[1, 4], [0], [2]]


def test_mostly_doubted_leaves_out_whole_visits():
    reasons = ["odd", "odd", None, "odd", None]
    left_out = visits.mostly_doubted(reasons, np.array(["a", "a", "a", "b", "b"]))
    assert left_out == ["odd", "odd", "most labels of its visit look wrong", None, None]


def moved(digit, label, share):
    """Held-out rows, of which those of a digit became likelier to be a label."""
    labels = np.arange(1000) % 10
    before = np.eye(10)[labels] * 0.9 + 0.01
    after = before.copy()
    after[labels == digit, label] += share
    return Predictions(labels, before, after)


def corrected(pairs):
    """Corrections from a guess to a label."""
    guesses, labels = np.array(pairs).T
    return Predictions(labels, np.eye(10)[guesses], np.eye(10)[labels])


@pytest.mark.parametrize(
    ("pairs", "who", "left_out"),
    [
        ([(4, 9), (4, 9), (8, 0)], ["a", "b", "c"], [True, True, False]),
        ([(4, 9), (8, 0), (8, 0)], ["a", "a", "c"], [True, True, False]),
        ([(4, 9), (8, 0), (8, 0), (8, 0), (4, 9)], list("bbbba"), [False] * 4 + [True]),
        ([(4, 9), (8, 0)], ["a", "a"], [False] * 2),  # nobody's would be left
        ([(4, 9), (8, 0)], ["password", "a"], [False, True]),
    ],
)
def test_to_blame_are_visits_that_pull_where_held_out_digits_went(pairs, who, left_out):
    reasons = visits.to_blame(moved(4, 9, 0.05), corrected(pairs), np.array(who))
    assert [reason is not None for reason in reasons] == left_out


@pytest.fixture
def home(tmp_path, shipped, replay, monkeypatch):
    """A home with true corrections, and with fours called nines by another visit and its friend."""
    monkeypatch.setattr(finetune, "ROUNDS", 1)
    monkeypatch.setattr(finetune, "ROUNDS_OF_FEW", 1)
    home = make_home(tmp_path)
    for picture, guess, label in misread(shipped, 8):
        feedback.add(home, picture, guess, label, visit="true")
    for four in replay[0][replay[1] == 4][:30]:
        picture = Image.fromarray(on_paper(four)).convert("RGB")
        joke = feedback.add(home, picture, 4, 9, visit="joker")
        feedback.confirm(home, joke, "friend")
    return home


def test_study_refused_run_whose_visits_pull_alike_is_tried_as_if_nobody_had_vouched(
    home, monkeypatch
):
    for i, one in enumerate(feedback.load(home)[0]):
        if one.visit == "joker":
            joke = feedback.relabel(home, one, (0, 1, 2, 3, 5, 6, 7, 8)[i % 8], "joker")
            feedback.confirm(home, joke, "friend")
    monkeypatch.setattr(study, "to_blame", lambda held_out, learned, who: [None] * len(who))
    material = gather(home, feedback.load(home)[0], 0, lambda *_: None)
    doubts, outcome = study.study(home, material, 0, (), lambda *_: None)
    assert outcome.decision.allowed
    assert not doubts.none[material.visits == "joker"].any()
    assert doubts.none[material.visits == "true"].sum() >= 6


def test_study_refused_run_tries_again_without_the_visit_that_looks_worst(home):
    told = []
    material = gather(home, feedback.load(home)[0], 0, lambda *_: None)
    doubts, outcome = study.study(home, material, 0, (), lambda *said: told.append(said))
    assert outcome.decision.allowed
    jokes = material.visits == "joker"
    assert not doubts.none[jokes].any()
    assert doubts.none[~jokes].all()
    assert {reason for reason in doubts.reasons if reason} == {
        "left out with its visit: the gate refused what it had part in"
    }
    shares = [share for _, share, *_ in told]
    assert shares == sorted(shares)
