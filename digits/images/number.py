"""A number: the digits of one picture in reading order, as `read_digits` gives them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

Box = tuple[int, int, int, int]  # left, top, width, height in px of the picture


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

    `left_out` has the boxes of what is no digit, `signs` those of a plus or a times among them.
    """

    def __init__(self, digits: list[NumberDigit], left_out: list[Box]) -> None:
        super().__init__(digits)
        self.left_out = left_out
        self.signs: list[Box] = []

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
