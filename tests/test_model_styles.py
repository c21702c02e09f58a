"""Styles that MNIST lacks: each stays the digit that it is, in MNIST's form."""

import cv2
import numpy as np
import pytest

from digits.model import styles
from digits.model.styles import STYLES, ZOOM

SIDE = 28 * ZOOM
OPENED = [name for name in STYLES if "open" in name and "loop" in name]


@pytest.fixture(scope="module")
def by_label(rows):
    """Thirty digits of each label: uint8 (10, 30, 28, 28)."""
    digits, labels = rows
    return np.array([digits[labels == label][:30] for label in range(10)])


def stem(lean=0):
    """A stroke, uint8 (168, 168), as an enlarged 1; its top leans to the right by so many px."""
    ink = np.zeros((SIDE, SIDE), np.uint8)
    cv2.line(ink, (84 + lean // 2, 30), (84 - lean // 2, 138), 255, 15)
    return ink


def added(change, ink, seed):
    """Return what a change adds: columns and rows, int (n,) each, in px from the ink's middle."""
    rows, columns = np.nonzero((change(ink, np.random.default_rng(seed)) > 127) & (ink <= 127))
    return columns - SIDE // 2, rows - SIDE // 2


def holes(digit):
    """Return how many loops are closed in uint8 (28, 28)."""
    return (
        cv2.connectedComponents((np.pad(digit, 1) <= 127).astype(np.uint8), connectivity=4)[0] - 2
    )


@pytest.mark.parametrize("name", STYLES)
def test_draw_digits_come_in_mnists_form_and_leave_the_originals(name, by_label):
    digits = by_label[STYLES[name].label]
    before = digits.copy()
    styled = styles.draw(name, digits, np.random.default_rng(0))
    assert (styled.shape, styled.dtype) == (digits.shape, np.uint8)
    longer = [max(cv2.boundingRect(digit)[2:]) for digit in styled]
    assert set(longer) <= {19, 20}  # 19: the outermost px rounded to paper
    assert np.array_equal(digits, before)


@pytest.mark.parametrize("name", STYLES)
def test_draw_seed_fixes_the_result(name, by_label):
    digits = by_label[STYLES[name].label][:10]
    one, same, other = (
        styles.draw(name, digits, np.random.default_rng(seed)) for seed in (1, 1, 2)
    )
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


def test_draw_no_digits_gives_none():
    none = np.zeros((0, 28, 28), np.uint8)
    assert styles.draw("1 with a flag", none, np.random.default_rng(0)).shape == none.shape


@pytest.mark.parametrize("seed", range(20))
def test_draw_flag_adds_ink_up_left_of_the_stem_alone(seed):
    columns, rows = added(STYLES["1 with a flag"].change, stem(), seed)
    assert len(columns)
    assert (columns < 12).all()  # a pen is up to 12 px wider than the stem
    assert np.mean(columns < 0) > 0.95
    assert (rows < 30).all()


@pytest.mark.parametrize("lean", [0, 52])
@pytest.mark.parametrize("seed", range(20))
def test_draw_flag_falls_to_the_left_so_that_no_seven_is_made(seed, lean):
    columns, rows = added(STYLES["1 with a flag"].change, stem(lean), seed)
    end = np.argmin(columns)
    assert rows[end] > rows.min() + 5
    assert rows[end] - rows.min() > 0.35 * (columns.max() - columns.min())  # 19 degrees


@pytest.mark.parametrize("seed", range(20))
def test_draw_base_adds_ink_at_the_foot_on_both_sides(seed):
    columns, rows = added(STYLES["1 with a base"].change, stem(), seed)
    assert columns.min() < -12
    assert columns.max() > 12
    assert rows.min() > 30


@pytest.mark.parametrize("seed", range(20))
def test_draw_bar_crosses_the_stem_in_the_middle_of_its_height(seed):
    columns, rows = added(STYLES["7 with a bar"].change, stem(), seed)
    assert columns.min() < -8
    assert columns.max() > 8
    assert np.abs(rows).max() < 40


@pytest.mark.parametrize("name", OPENED)
def test_draw_open_loop_takes_ink_away_and_closes_nothing(name, by_label):
    digits = by_label[STYLES[name].label]
    large = [cv2.resize(digit, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC) for digit in digits]
    opened = [STYLES[name].change(ink, np.random.default_rng(0)) for ink in large]
    assert all((after <= before).all() for before, after in zip(large, opened, strict=True))
    fewer = [holes(a) < holes(b) for a, b in zip(opened, large, strict=True) if holes(b) > 0]
    assert np.mean(fewer) > 0.8


def test_draw_open_loop_leaves_a_digit_without_loop_as_it_is():
    for name in OPENED:
        assert np.array_equal(STYLES[name].change(stem(), np.random.default_rng(0)), stem())


def test_mix_gives_all_styles_by_their_shares_but_those_held_out(rows):
    taught = [style for name, style in STYLES.items() if name not in styles.HELD_OUT]
    n = 3 * sum(style.share for style in taught)
    styled, labels = styles.mix(*rows, n, np.random.default_rng(0))
    assert (styled.shape, labels.shape) == ((n, 28, 28), (n,))
    of_label = [sum(3 * style.share for style in taught if style.label == d) for d in range(10)]
    assert np.bincount(labels, minlength=10).tolist() == of_label


def test_mix_named_styles_gives_these_alone(rows):
    _, labels = styles.mix(*rows, 7, np.random.default_rng(0), ["7 with a bar", "2 with a loop"])
    assert labels.tolist() == [7] * 5 + [2] * 2  # shares of 2 and 1


def test_styles_no_slashed_zero_is_taught():
    """The page's lesson and the examples live on a network that has yet to learn it."""
    assert [name for name, style in STYLES.items() if style.label == 0] == ["0 with an open loop"]
    assert set(styles.HELD_OUT) < set(STYLES)
    assert all(style.reason for style in STYLES.values())
