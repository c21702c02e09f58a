"""A guess in words and as a line of CSV."""

from __future__ import annotations

import csv
import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from digits import versions
from digits.page import guesses
from digits.page.guesses import Guess

VERSION = versions.Version("v1-00000000", "0", "2026-01-01T00:00:00+00:00")
NEXT = versions.Version("v2-00000001", "1", "2026-01-02T00:00:00+00:00")


def guess(first: float, name: str = "a.png") -> Guess:
    """Return a guess that gives 3 that probability and 5 the rest."""
    probabilities = np.zeros(10, np.float32)
    probabilities[[3, 5]] = first, 1 - first
    picture = Image.new("RGB", (9, 9))
    return Guess("key", name, picture, np.zeros((28, 28), np.uint8), probabilities, VERSION)


@pytest.mark.parametrize(
    ("first", "answer", "certainty"),
    [
        (1.0, "3", "over 99 %"),
        (0.95, "3", "95 %"),
        (0.7, "3? or 5?", "70 %, 30 %"),
        (0.55, "3? or 5?", "55 %, 45 %"),
    ],
)
def test_answer_names_two_digits_below_the_threshold_with_both_shares(first, answer, certainty):
    one = guess(first)
    assert (one.answer, one.certainty) == (answer, certainty)
    assert "3: " in one.in_words


@pytest.mark.parametrize(
    ("probability", "words"),
    [(1.0, "over 99 %"), (0.991, "over 99 %"), (0.99, "99 %"), (0.0, "under 1 %")],
)
def test_share_never_claims_certainty(probability, words):
    assert guesses.share(probability) == words


def test_change_names_both_versions_and_guesses():
    later = replace(guess(0.2), version=NEXT, before=guess(0.9))
    assert later.change == "v1: 3 → v2: 5"
    assert guess(0.9).change == ""


def test_table_reads_back_and_holds_no_formula():
    text = guesses.table([(guess(0.9, "=1+1"), "No", 8), (guess(0.9), "", None)])
    first, second = csv.DictReader(io.StringIO(text))
    assert (first["guess"], first["verdict"], first["actual"]) == ("3", "No", "8")
    assert not first["picture"].startswith("=")
    assert (second["confidence"], second["verdict"]) == ("0.9000", "")
