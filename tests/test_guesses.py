"""A guess in words and as a line of CSV."""

from __future__ import annotations

import csv
import io

import numpy as np
import pytest
from PIL import Image

from digits import versions
from digits.page import guesses
from digits.page.guesses import Guess

VERSION = versions.Version("v1-00000000", "0", "2026-01-01T00:00:00+00:00")


def guess(first: float, name: str = "a.png") -> Guess:
    """Return a guess that gives 3 that probability and 5 the rest."""
    probabilities = np.zeros(10, np.float32)
    probabilities[[3, 5]] = first, 1 - first
    picture = Image.new("RGB", (9, 9))
    return Guess("key", name, picture, np.zeros((28, 28), np.uint8), probabilities, VERSION)


@pytest.mark.parametrize(
    ("first", "answer", "word"),
    [
        (1.0, "I read 3", "Almost certain: 100%"),
        (0.95, "I read 3", "Quite sure: 95%"),
        (0.7, "Not sure: 3, or else 5", "Unsure: 70% for 3, 30% for 5"),
        (0.55, "Not sure: 3, or else 5", "A mere guess: 55% for 3, 45% for 5"),
    ],
)
def test_answer_names_two_digits_below_the_threshold_and_says_why(first, answer, word):
    one = guess(first)
    assert one.answer == answer
    assert one.confidence_in_words.startswith(word)
    assert "3: " in one.in_words


def test_table_reads_back_and_holds_no_formula():
    text = guesses.table([(guess(0.9, "=1+1"), "No", 8), (guess(0.9), "", None)])
    first, second = csv.DictReader(io.StringIO(text))
    assert (first["guess"], first["verdict"], first["actual"]) == ("3", "No", "8")
    assert not first["picture"].startswith("=")
    assert (second["confidence"], second["verdict"]) == ("0.9000", "")
