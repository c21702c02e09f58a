"""Where touching digits may be cut: one piece -> its parts from left to right.

Every cut is a path from top to bottom, as Wang and Jean have it (1994,
https://doi.org/10.1016/0893-6080(94)90072-8), but along what a network that was trained on drawn
digits takes for their `borders`, not through the least ink. There are more cuts than are right, and
what reads the parts decides (heuristic over-segmentation, LeCun et al. 1998, section V).
"""

from __future__ import annotations

import cv2
import numpy as np

from digits.images.borders import HEIGHT, borders
from digits.images.pieces import Piece

FAINT = 1e-3  # the least likely that a border is: even there a path may go on
BEND_COST = 0.003  # of a path, a px to the side, in nats; so that it is straight where it may be
SPACING = 3  # px of HEIGHT: the least between two cuts
MOST = 12  # cuts of one piece, the cheapest
EACH = 5  # cuts to a width of HEIGHT, if a piece is so wide that these are more
DEAREST = (
    3.0  # nats: the most that a cut may cost; with 2, of 400 strings that touch 7 fewer are read
)


def cut(piece: Piece, dearest: float = DEAREST) -> tuple[list[Piece], list[float]]:
    """Return a piece cut at every candidate place, left to right, and what each cut costs.

    A cost is the mean of minus the logarithm of the probability that the cut follows a border, in
    nats; there is one fewer than parts. dearest: nats, the most that a cut may cost.
    """
    scale = HEIGHT / piece.height
    size = max(1, round(piece.width * scale)), HEIGHT
    ink = cv2.resize(piece.mask.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    cost, paths = _cheapest_paths(ink)
    columns = _valleys(cost, dearest)
    if not columns:
        return [piece], []
    # How many of the paths each pixel lies right of is the number of its part.
    rows = np.minimum((np.arange(piece.height) * scale).astype(int), HEIGHT - 1)
    across = (np.arange(piece.width) + 0.5) * scale
    number = np.zeros(piece.mask.shape, int)
    for column in columns:
        number += across[None, :] > paths[rows, column][:, None] + 0.5
    costs = [*(float(cost[column]) for column in columns), 0.0]
    cut = [_part(piece, piece.mask & (number == i)) for i in range(len(costs))]
    # A path along an edge cuts off nothing.
    kept = [(part, price) for part, price in zip(cut, costs, strict=True) if part is not None]
    return [part for part, _ in kept], [price for _, price in kept[:-1]]


def _cheapest_paths(ink: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return (cost, paths): the cheapest path through each column at half the height.

    cost: float (w,). paths: int (h, w), the column of each path in every row.
    ink: float32 (h, w), 0 paper, 1 ink.
    """
    price = -np.log(borders(ink) + FAINT) / HEIGHT
    middle = len(ink) // 2
    up_cost, up = _descend(price[middle::-1])
    down_cost, down = _descend(price[middle:])
    return up_cost + down_cost - price[middle], np.concatenate([up[::-1], down[1:]])


def _descend(price: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return (cost, paths) of the cheapest way from each place of the first row to the last one.

    cost: float (w,). paths: int (h, w). price: float (h, w), of each px.
    """
    height, width = price.shape
    cost = price[-1].copy()
    steps = np.zeros((height, width), int)
    for row in range(height - 2, -1, -1):
        sides = np.pad(cost, 1, constant_values=np.inf)
        ways = np.stack([cost, sides[:-2] + BEND_COST, sides[2:] + BEND_COST])
        best = ways.argmin(axis=0)
        steps[row] = np.array([0, -1, 1])[best]
        cost = ways.min(axis=0) + price[row]
    paths = np.empty((height, width), int)
    paths[0] = np.arange(width)
    for row in range(1, height):
        paths[row] = paths[row - 1] + steps[row - 1][paths[row - 1]]
    return cost, paths


def _valleys(cost: np.ndarray, dearest: float) -> list[int]:
    """Return the columns, in order, of the cheapest paths, none dearer or too near another."""
    chosen: list[int] = []
    edge = SPACING // 2
    most = max(MOST, EACH * len(cost) // HEIGHT)
    for column in np.argsort(cost, kind="stable"):
        if cost[column] > dearest or len(chosen) == most:
            break
        inside = edge < column < len(cost) - edge
        if inside and all(abs(column - other) >= SPACING for other in chosen):
            chosen.append(int(column))
    return sorted(chosen)


def _part(piece: Piece, mask: np.ndarray) -> Piece | None:
    """Return what the mask, bool (h, w), keeps of a piece, in its own box; None where nothing."""
    left, top, width, height = cv2.boundingRect(mask.astype(np.uint8))
    if not width:
        return None
    return Piece(piece.left + left, piece.top + top, mask[top : top + height, left : left + width])
