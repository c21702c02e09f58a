"""Things that are no digit: what the first training learns doubt on."""

import numpy as np

from digits import model
from digits.model import outliers


def test_draw_outliers_are_in_the_form_of_digits_and_differ(few):
    strange = outliers.draw(*few, np.random.default_rng(0))
    assert (strange.shape, strange.dtype) == (few[0].shape, np.uint8)
    # Few digits have few halves: the same one may come twice.
    assert len(np.unique(strange.reshape(len(strange), -1), axis=0)) > 0.95 * len(strange)
    for digit in strange:
        rows, columns = np.nonzero(digit)
        assert max(np.ptp(rows), np.ptp(columns)) + 1 in (19, 20)  # 19: a px rounded to paper


def test_draw_outliers_seed_fixes_the_result(few):
    one, same, other = (outliers.draw(*few, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


def test_draw_outliers_leaves_the_digits_as_they_were(few):
    before = few[0].copy()
    outliers.draw(*few, np.random.default_rng(0))
    assert np.array_equal(few[0], before)


def test_draw_new_outliers_are_answered_with_doubt_by_the_shipped_network(few, shipped):
    strange = outliers.draw(*few, np.random.default_rng(0))
    unsure = model.predict(shipped, strange).max(axis=1) < model.SURE
    assert unsure.mean() > 0.85  # it learned doubt on four of the twelve kinds
