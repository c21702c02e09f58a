"""Scores of answers to labelled rows."""

import numpy as np
import pytest

from digits import metrics


def test_nll_known_probabilities_give_the_mean_of_their_logarithms():
    probabilities = np.zeros((2, 10))
    probabilities[0, 3], probabilities[1, 4] = np.exp(-1), np.exp(-3)
    assert metrics.nll(np.array([3, 4]), probabilities) == pytest.approx(2)


def test_nll_probability_zero_stays_finite():
    assert 10 < metrics.nll(np.array([3]), np.eye(10)[[4]]) < 20


@pytest.mark.parametrize(
    ("hits", "n", "low", "high"),
    # Newcombe 1998, https://doi.org/10.1002/(SICI)1097-0258(19980430)17:8<857::AID-SIM777>3.0.CO;2-E
    [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_published_examples_are_met(hits, n, low, high):
    assert metrics.wilson(hits, n) == pytest.approx((low, high), abs=1e-4)
    mirrored = metrics.wilson(n - hits, n)
    assert mirrored == pytest.approx((1 - high, 1 - low), abs=1e-4)
