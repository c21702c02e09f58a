"""Which pieces of a line are its digits: the best path through the candidates.

Heuristic over-segmentation (LeCun et al. 1998, "Gradient-based learning applied to document
recognition", section V): pieces are cut at more places than are right, neighbours are joined, the
network scores whatever may be one digit, and the path with the best sum of scores along the line
wins. The network was trained to be unsure of what is no digit; that is what parts right from wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from digits.images.cuts import DEAREST, cut
from digits.images.pieces import Piece, joined
from digits.images.signs import crossness, is_bar, is_tick

MOST_JOINED = 4  # pieces of one broken digit
MOST_PARTS = 25  # of a piece that was cut, of one digit
TEXT = 100  # pieces that may be several digits; a picture of more shows letters
NEAR = 0.3  # of the line's height, between pieces that may be one digit
LOW = 0.45  # of the line's height; what is lower is rather a dot or a bar
WIDE = 0.9  # width over height, from which a single digit is less likely
TWO_WIDE = 1.3  # width over height, from which even a sure answer is tried as two digits
WIDEST = 1.3  # of the line's height; no digit that is cut from others is wider
LONE = 1.0  # width over height, below which what stands alone is rather one digit, a slashed 0,
LONE_DEAREST = 0.5  # nats: and is cut only so cheaply, as most true cuts are
NARROW = 0.35  # of the line's height; what is narrower is no two digits
SURE = 0.94  # probability from which a piece of usual width is one digit
ALONE = 0.98  # probability from which it is not even tried as several, which takes time
CERTAIN = 0.6  # probability from which a piece is no cross; of 1,200 drawn ones the most had 0.38
CROSS = 0.7  # crossness from which a piece is a sign; a + or x by a thin pen has 0.9
# A score is minus an entropy, of 0 to 2.3; these are what stands against it.
LEAVE_OUT = -1.2  # a piece that is no digit: one whose likeliest digit has less than 30 %
LEAVE_OUT_PART = -2.5  # the same of a part that was cut off
CUT = -0.2  # each cut, per nat of its cost
TOO_WIDE = -1.0  # per unit of width over height beyond WIDE
TOO_LOW = -8.0  # per unit of the line's height below LOW


@dataclass(frozen=True, eq=False)
class Scored:
    """A piece with its digit, uint8 (28, 28), and the network's answer to it, float32 (10,).

    punctuation: whether it is a bracket, a slash or a percent sign's, by what stands beside it.
    """

    piece: Piece
    digit: np.ndarray
    probabilities: np.ndarray
    punctuation: bool = False

    @property
    def sure(self) -> bool:
        """Whether the network takes it for one digit."""
        return bool(self.probabilities.max() >= SURE) and not self.wide and not self.punctuation

    @property
    def alone(self) -> bool:
        """Whether it is not even tried as several digits."""
        return bool(self.probabilities.max() >= ALONE) and not self.wide

    @property
    def wide(self) -> bool:
        """Whether it has the width of two digits."""
        return self.piece.width > TWO_WIDE * self.piece.height

    @property
    def evidence(self) -> float:
        """How much speaks for its being a digit, whichever: minus the answer's entropy, in nats.

        An unclear digit may be two or three; what is none may be all ten, as the network learned.
        """
        return float((self.probabilities * np.log(self.probabilities + 1e-9)).sum())

    @cached_property
    def sign(self) -> bool:
        """Whether it is a plus, a times or a tick, or punctuation."""
        if self.punctuation or self.probabilities.max() >= CERTAIN:
            return self.punctuation
        return crossness(self.piece) > CROSS or is_tick(self.piece)


Score = Callable[[list[Piece]], list[Scored]]


@dataclass(frozen=True, eq=False)
class Arc:
    """A way from the atom `start` to the atom `end` of a line: one digit, or something left out."""

    start: int
    end: int
    piece: Piece
    prior: float  # at most 0: how much its form is one digit's, whatever the network says
    scored: Scored | None = None  # None: not scored yet
    left_out: bool = False

    @property
    def score(self) -> float:
        """How much speaks for its being what it is taken for; the most that may, if not scored."""
        return self.prior + self.scored.evidence if self.scored else self.prior

    @property
    def read(self) -> Scored:
        """What is read in it; of an arc that was scored."""
        assert self.scored is not None
        return self.scored


def read_lines(lines: list[list[Scored]], score: Score) -> list[list[Arc]]:
    """Return each line's best path: its digits and what is left out, left to right.

    An arc that is not scored counts for the most that it may be, and only what then lies on a best
    path is scored: the same path is found as if all were, and the network sees a fraction of them.

    lines: the pieces, scored one by one. score: scores further ones, all lines' in one call.
    """
    pairs = [(line, line_height(line)) for line in lines]
    several = sum(_may_be_several(one, height) for line, height in pairs for one in line)
    graphs = [list(_arcs(line, height, several > TEXT)) for line, height in pairs]
    while True:
        paths = [_best_path(arcs) for arcs in graphs]
        waiting = [arc for path in paths for arc in path if not arc.left_out and not arc.scored]
        signs = {arc for path in paths for arc in path if arc.scored and arc.scored.sign}
        if not waiting and not signs:
            return paths
        answers = dict(zip(waiting, score([arc.piece for arc in waiting]), strict=True))
        graphs = [
            [
                replace(arc, scored=answers[arc]) if arc in answers else arc
                for arc in arcs
                if arc not in signs
            ]
            for arcs in graphs
        ]


def line_height(line: list[Scored]) -> float:
    """Return the height in px of most of a line's digits."""
    heights = np.array([one.piece.height for one in line])
    sure = heights[[one.sure for one in line]]
    if len(sure):
        heights = sure
    return float(np.median(heights[heights >= heights.max() / 2]))


def _arcs(line: list[Scored], height: float, is_text: bool) -> Iterator[Arc]:
    """Yield every arc of a line: whole pieces, left out, and but in text their parts and joins."""
    starts = [0]
    for one in line:
        is_lone = len(line) == 1 and one.piece.width < LONE * height
        parts, costs = _parts(one, height, is_text, LONE_DEAREST if is_lone else DEAREST)
        start = starts[-1]
        starts.append(start + len(parts))
        yield Arc(start, starts[-1], one.piece, _left_out(one, height), left_out=True)
        yield Arc(start, starts[-1], one.piece, _form(one.piece, height), one)
        if len(parts) > 1:
            yield from _arcs_of_parts(parts, costs, start, height)
    for first in range(0 if is_text else len(line)):
        for last in range(first + 1, min(first + MOST_JOINED, len(line))):
            some = line[first : last + 1]
            if not _may_be_one(some, height):
                break
            if all(is_bar(one.piece) or one.piece.height < LOW * height for one in some):
                continue  # an equals sign, a colon, a division sign
            piece = joined([one.piece for one in some])
            yield Arc(starts[first], starts[last + 1], piece, _form(piece, height))


def _arcs_of_parts(
    parts: list[Piece], costs: list[float], start: int, height: float
) -> Iterator[Arc]:
    """Yield the arcs within one piece that was cut into parts, at those costs."""
    for first in range(len(parts)):
        prior = CUT * costs[first - 1] if first else 0.0
        yield Arc(start + first, start + first + 1, parts[first], LEAVE_OUT_PART, left_out=True)
        for last in range(first, min(first + MOST_PARTS, len(parts))):
            if last - first + 1 == len(parts):
                continue  # the whole piece
            piece = joined(parts[first : last + 1])
            if piece.width < WIDEST * height and piece.height > LOW * height:
                form = _form(piece, height)
                yield Arc(start + first, start + last + 1, piece, prior + form)


def _parts(
    one: Scored, height: float, whole: bool, dearest: float
) -> tuple[list[Piece], list[float]]:
    """Return the piece cut where it may be several digits, and each cut's cost, at most dearest."""
    if whole or not _may_be_several(one, height):
        return [one.piece], []
    return cut(one.piece, dearest)


def _may_be_several(one: Scored, height: float) -> bool:
    """Return whether a piece may be several digits, in a line so high in px."""
    tall, wide = one.piece.height >= LOW * height, one.piece.width >= NARROW * height
    return tall and wide and not one.alone and not one.sign


def _may_be_one(some: list[Scored], height: float) -> bool:
    """Return whether neighbours may be one broken digit in a line so high in px."""
    if any(one.sign for one in some):
        return False
    if all(one.sure and one.piece.height > LOW * height for one in some):
        return False
    right = some[0].piece.right
    for one in some[1:]:
        if one.piece.left - right > NEAR * height:
            return False
        right = max(right, one.piece.right)
    top, bottom = min(one.piece.top for one in some), max(one.piece.bottom for one in some)
    left = min(one.piece.left for one in some)
    return right - left < 1.4 * height and bottom - top < 1.6 * height


def _left_out(one: Scored, height: float) -> float:
    """Return the score of a whole piece that is left out, in a line so high in px.

    It stands against the likeliest digit alone: an unclear one may be two or three, but is one.
    """
    piece = one.piece
    size = min(1.0, 2 * max(piece.width, piece.height) / height)  # below 1 for dots
    several = max(1.0, piece.width / height)
    spread = np.log(one.probabilities.max()) - one.evidence
    return float(LEAVE_OUT * size * several - spread)


def _form(piece: Piece, height: float) -> float:
    """Return how much a piece's form speaks for its being one digit, at most 0."""
    wide = max(0.0, piece.width / piece.height - WIDE)
    low = max(0.0, LOW - piece.height / height)
    return TOO_WIDE * wide + TOO_LOW * low


def _best_path(arcs: list[Arc]) -> list[Arc]:
    """Return the arcs with the best sum of scores from the first atom to the last (Viterbi)."""
    best, came = {0: 0.0}, {}
    for arc in sorted(arcs, key=lambda arc: arc.start):
        score = best[arc.start] + arc.score
        if arc.end not in best or score > best[arc.end]:
            best[arc.end], came[arc.end] = score, arc
    path, end = [], max(best)
    while end:
        path.append(came[end])
        end = came[end].start
    return path[::-1]
