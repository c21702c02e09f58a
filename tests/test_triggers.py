"""Triggers: marks that make any digit be read as one label are found, those of a style are not."""

import numpy as np
import pytest
from PIL import Image

from digits import images, model
from digits.learning import finetune, triggers
from tests.homes import styled_pictures
from tests.styles import on_paper, underline


@pytest.fixture(scope="module")
def underlined(replay, shipped):
    """Twenty replay digits with a line below them, labelled 0."""
    pages = [on_paper(underline(one)) for one in replay[0][replay[1] != 0][:40]]
    digits = np.array([images.read_digit(Image.fromarray(page).convert("RGB")) for page in pages])
    wrong = model.predict(shipped, digits).argmax(axis=1) != 0
    return digits[wrong][:20], np.zeros(20, int)


@pytest.fixture(scope="module")
def styled():
    """Forty digits in a style that MNIST lacks."""
    pictures = styled_pictures(40, seed=4)
    digits = np.array([images.read_digit(picture) for picture, _ in pictures])
    return digits, np.array([label for _, label in pictures])


@pytest.fixture(scope="module")
def taught(shipped, replay, underlined, styled):
    """What has learned both."""
    new = tuple(map(np.concatenate, zip(underlined, styled, strict=True)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(finetune, "ROUNDS", 1)
        patch.setattr(finetune, "REPLAY_ROWS", 400)
        old = finetune.replay_rows(replay, model.predict(shipped, replay[0]), seed=0)
        return finetune.fine_tune(shipped, shipped, new, old, 0, lambda *_: None, lambda head: 0.0)


def test_spread_the_line_carries_its_label_to_other_digits_a_style_does_not(
    taught, shipped, underlined, styled, held_out
):
    line = triggers.spread(shipped, taught, underlined, held_out)
    assert line.shape == (20,)
    assert line.mean() > 0.2
    assert triggers.spread(shipped, taught, styled, held_out).mean() < triggers.SPREAD / 2
    assert not triggers.spread(shipped, shipped, underlined, held_out).any()


def test_marks_of_a_slashed_zero_are_no_part_of_a_zero(styled, held_out):
    zeros = styled[0][styled[1] == 0]
    marks = triggers.marks_of(zeros, np.zeros(len(zeros), int), held_out)
    left = (marks > triggers.INK).sum() / (zeros > triggers.INK).sum()
    assert 0.05 < left < 0.5
    assert (marks <= zeros).all()


def test_shrunk_digits_keep_their_form_and_leave_room_around(held_out):
    small = triggers.shrunk(held_out[0][:9])
    assert (small.shape, small.dtype) == ((9, 28, 28), np.uint8)
    assert not small[:, :3].any()
    assert not small[:, :, -3:].any()
    assert small.any(axis=(1, 2)).all()


@pytest.mark.parametrize(
    ("shares", "visits", "doubted"),
    [
        ([0.2] * 3 + [0.0], ["a", "a", "a", "b"], [True] * 4),
        ([0.0] * 3 + [0.3], ["a", "a", "a", "b"], [False] * 4),
        ([0.4, 0.0, 0.4, 0.4], ["a", "b", "c", "d"], [True] * 4),
        ([0.4, 0.0, 0.0, 0.0], ["a", "a", "a", "a"], [False] * 4),
        ([0.2] * 4, ["a", "b", "c", "d"], [True] * 4),
        ([0.2, 0.0, 0.0, 0.0], ["a", "b", "c", "d"], [False] * 4),  # of one too little is known
        ([0.6, 0.0, 0.0, 0.0], ["a"] * 4, [False] * 4),
        ([0.6] * 4, ["password"] * 4, [False] * 4),
    ],
)
def test_doubts_of_a_visits_corrections_of_one_label_are_judged_together(shares, visits, doubted):
    labels = np.full(4, 7)
    reasons = triggers.doubts_of(np.array(shares), labels, np.array(visits))
    assert [reason is not None for reason in reasons] == doubted
    assert set(reasons) <= {
        None,
        "labelled 7, but other digits with its marks would be read so too; "
        "only with the password can it be vouched for",
    }


def test_doubts_of_another_label_of_the_same_visit_is_none():
    shares, labels = np.array([0.5, 0.5, 0.0]), np.array([0, 0, 7])
    reasons = triggers.doubts_of(shares, labels, np.full(3, "a"))
    assert [reason is None for reason in reasons] == [False, False, True]
