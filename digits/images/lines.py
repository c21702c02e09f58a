"""Reading order: pieces -> lines from top to bottom, each from left to right.

What stands between the boxes of a form is told from the digits here as well.
"""

from __future__ import annotations

import numpy as np

from digits.images.pieces import Piece

SHARED = 0.4  # of the lower one's height, that two pieces of a line have in common at least
TALL = 0.5  # of its neighbours' height; what is lower, a dot or a bar, tells no line's course
SLIM = 0.2  # width over height of a stroke between two boxes, at most
BEYOND = 0.1  # of its height, by which such a stroke goes beyond the digits beside it, both ways


def in_lines(pieces: list[Piece], height: float) -> list[list[Piece]]:
    """Return the pieces in lines, top to bottom, each left to right.

    From the left, every piece goes on with the line whose last tall piece stands beside it, so
    that a line may climb or bend. Low pieces come after, each to the line around it; those that
    stand apart, as print does, make lines of their own.
    height: px, of most digits.
    """
    lines: list[list[Piece]] = []
    ordered = sorted(pieces, key=lambda piece: piece.left)
    for piece in ordered:
        if piece.height < TALL * height:
            continue
        shared = [_shared(line[-1], piece) for line in lines]
        if shared and max(shared) > SHARED:
            lines[int(np.argmax(shared))].append(piece)
        else:
            lines.append([piece])
    tall = [list(line) for line in lines]
    alone = []
    for piece in ordered:
        if piece.height >= TALL * height:
            continue
        away = [min(_apart(piece, other) for other in line) for line in tall]
        if away and min(away) < height:
            lines[int(np.argmin(away))].append(piece)
        else:
            alone.append(piece)
    if alone:
        lines += in_lines(alone, float(np.median([piece.height for piece in alone])))
    lines.sort(key=lambda line: np.mean([(one.top + one.bottom) / 2 for one in line]))
    return [sorted(line, key=lambda piece: piece.middle) for line in lines]


def _shared(last: Piece, piece: Piece) -> float:
    """Return how much of the lower one's height both have in common, 0 to 1 (below 0: nothing)."""
    common = min(last.bottom, piece.bottom) - max(last.top, piece.top)
    return common / min(last.height, piece.height)


def _apart(one: Piece, other: Piece) -> float:
    """Return how far two boxes are apart, in px, upwards counted twice."""
    across = max(one.left, other.left) - min(one.right, other.right)
    down = max(one.top, other.top) - min(one.bottom, other.bottom)
    return max(0, across) + 2 * max(0, down)


def dividers(line: list[Piece]) -> list[Piece]:
    """Return which pieces of a line, left to right, stand between the boxes of a form.

    They are narrow and go beyond the digits beside them above and below; a 1 does not.
    """
    slim = [piece for piece in line if piece.width < SLIM * piece.height]
    broad = [piece for piece in line if piece not in slim]
    return [
        piece
        for piece in slim
        if _goes_beyond(piece, [one for one in broad if one.height > TALL * piece.height])
    ]


def _goes_beyond(piece: Piece, others: list[Piece]) -> bool:
    """Return whether a piece begins above and ends below the nearest others on either side."""
    before = [other for other in others if other.middle < piece.middle]
    after = [other for other in others if other.middle >= piece.middle]
    nearest = before[-1:] + after[:1]
    return bool(nearest) and all(piece.goes_beyond(other, BEYOND) for other in nearest)
