"""A number: the digits of one picture in reading order, as `read_digits` gives them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

Box = tuple[int, int, int, int]  # left, top, width, height in px of the picture
Span = tuple[int, int]  # left and right in px
TALL = 0.62  # of the digits' median height: what is left out and no lower may be a digit
GAP = 0.6  # of the line's height: the least between two groups
WIDE_GAP = 2.0  # times the usual gap of the line: the least between two groups


@dataclass(frozen=True, eq=False)
class NumberDigit:
    """One digit of a number."""

    digit: np.ndarray  # uint8 (28, 28), in MNIST's form
    box: Box
    line: int  # 0 at the top
    group: int  # 0 first in its line; a wide gap or a sign parts it from the next
    probabilities: np.ndarray  # float32 (10,), the network's answer


class Number(list[NumberDigit]):
    """The digits of one picture in reading order.

    `left_out` has the boxes of what is no digit, `signs` those of pluses, ticks, brackets and other
    signs among them.
    """

    def __init__(
        self, digits: list[NumberDigit], left_out: list[Box], signs: Iterable[Box] = ()
    ) -> None:
        super().__init__(digits)
        self.left_out = left_out
        self.signs = list(signs)

    @property
    def unread(self) -> list[Box]:
        """The boxes of what was left out, but is as high as a digit and no sign."""
        least = TALL * float(np.median([one.box[3] for one in self])) if self else 0
        return [box for box in self.left_out if box[3] > least and box not in self.signs]

    def text(self, labels: Sequence[int] | None = None, line_break: str = " / ") -> str:
        """Return the number as text, such as "0 171 555": a space between groups.

        labels: one a digit; None for the network's answers. line_break: what parts lines.
        """
        if labels is None:
            labels = [int(one.probabilities.argmax()) for one in self]
        lines: dict[int, dict[int, str]] = {}
        for one, label in zip(self, labels, strict=True):
            groups = lines.setdefault(one.line, {})
            groups[one.group] = groups.get(one.group, "") + str(label)
        return line_break.join(" ".join(groups.values()) for groups in lines.values())


def group_numbers(digits: Sequence[Span], others: Sequence[Span], height: float) -> list[int]:
    """Return the number of each digit's group: something between or a wide gap begins another.

    digits, others: where a line's digits stand, left to right, and what else stands in it.
    height: px, the line's.
    """
    pairs = list(pairwise(digits))
    gaps = [after[0] - one[1] for one, after in pairs]
    wide = max(GAP * height, WIDE_GAP * float(np.median(gaps))) if gaps else 0.0
    numbers = [0] * len(digits[:1])
    for gap, (one, after) in zip(gaps, pairs, strict=True):
        between = any(sum(one) / 2 < left < sum(after) / 2 for left, _ in others)
        numbers.append(numbers[-1] + int(between or gap > wide))
    return numbers


def covers(box: Box, other: Box) -> bool:
    """Return whether the middle of the other box lies in the box."""
    left, top, width, height = box
    x, y = other[0] + other[2] / 2, other[1] + other[3] / 2
    return left <= x < left + width and top <= y < top + height
