"""Ways of writing digits that MNIST lacks, for a network to learn: other schools, other hands.

    styled = styles.draw("1 with a flag", ones, np.random.default_rng(0))     # uint8 (n, 28, 28)
    styled, labels = styles.mix(digits, labels, 1000, np.random.default_rng(0))

MNIST was written by employees of the US Census Bureau and by American pupils (LeCun et al. 1998,
"Gradient-based learning applied to document recognition"), whose 1 is a bare stroke and whose 7 has
no bar; in much of Europe and Latin America the 1 has a flag and the 7 a bar
(https://en.wikipedia.org/wiki/Regional_handwriting_variation). Some styles are drawn onto a
training row or rubbed out of it, and keep its hand; where the whole digit goes another way it is
written anew along a path. A slashed 0 is left out on purpose: the examples and the page's lesson
show how the network learns it from corrections.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from digits.mnist import SIDE, normalise, stroke_width
from digits.model.pen import write

ZOOM = 6  # drawn so many times larger than a digit, for smooth strokes
PENS = (1.6, 3.4)  # px of the digit: thinnest and thickest pen of a path, as MNIST's are
TREMOR = 0.045  # of the digit's height, standard deviation of each point of a path
ASPECT = (0.45, 1)  # width of a path to its height
COARSE = (9, 17)  # px, side of a coarse scan and one more than the most: a digit of 6 to 11 px
SLANT = (-0.25, 0.4)  # px sideways per px of height; more hands lean to the right

Change = Callable[[np.ndarray, np.random.Generator], np.ndarray]


@dataclass(frozen=True)
class Style:
    """A way of writing one digit, and why it is here.

    change: what makes another ink of an ink, uint8 (168, 168), 255 ink; the digit's, enlarged.
    share: how often `mix` takes it, against the others: more often what is hard to tell apart.
    """

    label: int
    share: int
    change: Change
    reason: str


def draw(name: str, digits: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return each digit in the style of that name, uint8 (n, 28, 28) in MNIST's form.

    digits: uint8 (n, 28, 28), all of the style's label.
    """
    change = STYLES[name].change
    large = (cv2.resize(d, None, fx=ZOOM, fy=ZOOM, interpolation=cv2.INTER_CUBIC) for d in digits)
    styled = [normalise(change(ink, rng)) for ink in large]
    return np.array(styled, np.uint8).reshape(digits.shape)


def mix(
    digits: np.ndarray,
    labels: np.ndarray,
    n: int,
    rng: np.random.Generator,
    names: Sequence[str] | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Return digits, uint8 (n, 28, 28), in all styles by their shares, and labels, int64 (n,).

    Each is drawn from a random one of digits, uint8 (m, 28, 28), of labels, int (m,), in which
    every style's label must occur. names: the styles; None: all that are not `HELD_OUT`.
    """
    names = names or [name for name in STYLES if name not in HELD_OUT]
    turns = np.repeat(np.arange(len(names)), [STYLES[name].share for name in names])
    counts = np.bincount(np.resize(turns, n), minlength=len(names))
    parts = []
    for name, count in zip(names, counts, strict=True):
        chosen = rng.choice(np.flatnonzero(labels == STYLES[name].label), count)
        parts.append(draw(name, digits[chosen], rng))
    styled = [STYLES[name].label for name in names]
    return np.concatenate(parts), np.repeat(styled, counts).astype(np.int64)


def coarsen(digits: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return each digit as from a coarse scan or a drawing of few pixels: uint8 (n, 28, 28).

    digits: uint8 (n, 28, 28) in MNIST's form, of which no pixel is smaller than a stroke.
    """
    coarse = []
    for digit, side in zip(digits, rng.integers(*COARSE, len(digits)), strict=True):
        few = cv2.resize(digit, (int(side), int(side)), interpolation=cv2.INTER_AREA)
        few = cv2.convertScaleAbs(few, alpha=255 / few.max())  # as the reader stretches any ink
        way = cv2.INTER_CUBIC if rng.random() < 0.5 else cv2.INTER_NEAREST
        coarse.append(normalise(cv2.resize(few, None, fx=ZOOM, fy=ZOOM, interpolation=way)))
    return np.array(coarse, np.uint8).reshape(digits.shape)


# --- A digit, measured ---


def _pen(ink: np.ndarray, rng: np.random.Generator) -> float:
    """Return the width in px of a pen like that of the ink."""
    return float(np.clip(stroke_width(ink > 127), ZOOM, 4 * ZOOM) * rng.uniform(0.75, 1.1))


def _box(ink: np.ndarray) -> tuple[int, int, int, int]:
    """Return left, top, right and bottom of the ink in px, each the last within."""
    left, top, width, height = cv2.boundingRect((ink > 127).astype(np.uint8))
    return left, top, left + width - 1, top + height - 1


def _middle(ink: np.ndarray, row: int) -> float:
    """Return the mean column of the ink in a row of it, and the two rows on either side."""
    columns = np.nonzero(ink[max(row - 2, 0) : row + 3] > 127)[1]
    return float(columns.mean()) if len(columns) else ink.shape[1] / 2


def _turned(ink: np.ndarray, slant: float, width: float = 1) -> np.ndarray:
    """Return the ink sheared by px sideways per px of height, and made so many times as wide."""
    middle = ink.shape[0] / 2
    matrix = np.array([[width, -slant, middle * (1 - width + slant)], [0, 1, 0]])
    return cv2.warpAffine(ink, matrix, ink.shape[::-1])


# --- Drawn onto a digit, or rubbed out of it ---


def _flag(ink: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return a 1 with a stroke from its top to the left, 28 to 65 degrees off the stem.

    It falls by 25 degrees at least: a more level one would make it a 7.
    """
    ink = ink.copy()
    _, top, _, bottom = _box(ink)
    pen, height = _pen(ink, rng), bottom - top
    start = np.array([_middle(ink, top + 2), top + pen / 2])
    stem = np.rad2deg(np.arctan2(height, start[0] - _middle(ink, bottom - 2)))
    angle = np.deg2rad(np.clip(stem - rng.uniform(28, 65), 25, 65))
    way = height * rng.uniform(0.2, 0.5) * np.array([-np.cos(angle), np.sin(angle)])
    bow = way[::-1] * rng.uniform(-0.1, 0.1)
    write(ink, [start, start + way / 2 + bow, start + way], pen, rng)
    return ink


def _base(ink: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return a 1 that stands on a nearly level stroke, wider than its stem."""
    ink = ink.copy()
    _, top, _, bottom = _box(ink)
    foot, height = np.array([_middle(ink, bottom - 2), bottom]), bottom - top
    left, right = height * rng.uniform(0.15, 0.85, 2)
    tilt = rng.uniform(-0.12, 0.12)
    ends = [foot + (-left, tilt * left), foot, foot + (right, -tilt * right)]
    write(ink, ends, _pen(ink, rng), rng)
    return ink


def _flag_and_base(ink: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return a 1 with both, as printed."""
    return _base(_flag(ink, rng), rng)


def _leaning(ink: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return a 1 with a flag, further to the right or to the left than MNIST's lean."""
    return _turned(_flag(ink, rng), rng.choice([-1, 1]) * rng.uniform(0.2, 0.5))


def _bar(ink: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return a 7 with a nearly level stroke through its stem."""
    ink = ink.copy()
    _, top, _, bottom = _box(ink)
    height = bottom - top
    row = round(top + height * rng.uniform(0.42, 0.62))
    cross, reach = np.array([_middle(ink, row), row]), height * rng.uniform(0.14, 0.32, 2)
    level = np.array([1, rng.uniform(-0.3, 0.15)])
    write(ink, [cross - reach[0] * level, cross + reach[1] * level], _pen(ink, rng), rng)
    return ink


def _serif(ink: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return a 7 whose arm begins with a short stroke down."""
    ink = ink.copy()
    _, top, _, bottom = _box(ink)
    height = bottom - top
    rows, columns = np.nonzero(ink[: top + height // 3] > 127)
    tip = np.argmin(columns)
    pen = _pen(ink, rng)
    start = np.array([columns[tip] + pen / 2, rows[tip]])
    way = height * rng.uniform(0.08, 0.2) * np.array([rng.uniform(-0.4, 0.2), 1])
    write(ink, [start, start + way], pen, rng)
    return ink


def _serif_and_bar(ink: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return a 7 with both."""
    return _bar(_serif(ink, rng), rng)


def _narrow(ink: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the digit two thirds to five sixths as wide."""
    return _turned(ink, rng.uniform(-0.1, 0.1), rng.uniform(0.65, 0.85))


def _curled(ink: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return a 9 whose tail goes on to the left and up again."""
    wide = cv2.copyMakeBorder(ink, 0, SIDE, SIDE, 0, cv2.BORDER_CONSTANT)
    _, top, _, bottom = _box(wide)
    pen, height = _pen(wide, rng), bottom - top
    end = np.array([_middle(wide, bottom - 2), bottom - pen / 2])
    reach, rise = height * rng.uniform(0.2, 0.5), height * rng.uniform(0, 0.28)
    way = end + [(0, 0), (-0.25 * reach, 0.1 * height), (-0.7 * reach, 0.12 * height)]
    write(wide, np.concatenate([way, [end - (reach, rise)]]), pen, rng)
    return wide


def _opened(hole: int, low: float, high: float) -> Change:
    """Return what rubs a gap into the loop around a hole; a digit without one is open already.

    hole: 0 the highest, -1 the lowest. low, high: where, in degrees clockwise from the right.
    """

    def change(ink: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        ink = ink.copy()
        paper = (ink <= 127).astype(np.uint8)
        _, _, stats, centres = cv2.connectedComponentsWithStats(paper, connectivity=4)
        inside = (stats[:, cv2.CC_STAT_LEFT] > 0) & (stats[:, cv2.CC_STAT_AREA] > ZOOM**2)
        inside[0] = False  # the ink itself
        if not inside.any():
            return ink
        order = np.argsort(centres[inside][:, 1])
        centre, sizes = centres[inside][order[hole]], stats[inside][order[hole]]
        angle = np.deg2rad(rng.uniform(low, high))
        ray = centre + np.arange(SIDE * ZOOM // 2)[:, None] * (np.cos(angle), np.sin(angle))
        columns, rows = np.clip(np.rint(ray).astype(int), 0, SIDE * ZOOM - 1).T
        met = np.flatnonzero(ink[rows, columns] > 127)
        first, last = met[0], met[np.flatnonzero(np.diff(met, append=met[-1] + 2) > 1)[0]]
        room = min(sizes[cv2.CC_STAT_WIDTH], sizes[cv2.CC_STAT_HEIGHT])
        gap = min((last - first) / 2, _pen(ink, rng)) + rng.uniform(0.1, 0.25) * room
        place = np.rint(ray[(first + last) // 2]).astype(int)
        cv2.circle(ink, place.tolist(), round(gap), 0, -1, cv2.LINE_AA)
        return ink

    return change


# --- Written anew ---


def _written(*strokes: str) -> Change:
    """Return what writes these strokes in place of the ink, with another pen and hand each time.

    strokes: points "x,y" in per cent of the digit's height, y downwards; given twice, a corner.
    """
    paths = [np.array([point.split(",") for point in s.split()], float) / 100 for s in strokes]

    def change(ink: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        page = np.zeros((2 * ink.shape[0], 2 * ink.shape[1]), np.uint8)
        height, pen = 20 * ZOOM, rng.uniform(*PENS) * ZOOM
        width, slant = rng.uniform(*ASPECT), rng.uniform(*SLANT)
        hand = height * np.array([[width, 0], [-slant, 1]])
        for path in paths:
            points, same = np.unique(path, axis=0, return_inverse=True)  # corners stay corners
            shaky = points + rng.normal(0, TREMOR, points.shape)
            place = ink.shape[0] / 2 + rng.normal(0, TREMOR * height, 2)
            write(page, shaky[same.ravel()] @ hand + place, pen, rng)
        return page

    return change


STYLES = {
    "1 with a flag": Style(1, 8, _flag, "taught in much of Europe and Latin America"),
    "1 with a base": Style(1, 2, _base, "as printed; some hands leave out the flag"),
    "1 with flag and base": Style(1, 4, _flag_and_base, "as printed"),
    "1 with a flag, leaning": Style(1, 6, _leaning, "fast or left-handed writing"),
    "1 of an angle and a stem": Style(
        1, 6, _written("0,36 55,0 55,0 52,100"), "a flag in the same go, by a pen of one width"
    ),
    "7 with a bar": Style(7, 2, _bar, "tells it from a 1 that has a flag"),
    "7 with a serif": Style(7, 2, _serif, "as printed, and in many European hands"),
    "7 with serif and bar": Style(7, 2, _serif_and_bar, "both at once"),
    "7 narrow, without a bar": Style(7, 6, _narrow, "the nearest 7 to a 1 with a flag"),
    "7 with a curled arm": Style(
        7, 1, _written("5,25 15,6 50,12 95,2 95,2 55,50 40,100"), "the arm drawn as a wave"
    ),
    "4 of an angle and a stroke": Style(
        4, 2, _written("50,0 5,65 5,65 95,62", "62,38 52,100"), "taught in German schools"
    ),
    "4 of an angle and a short stroke": Style(
        4, 2, _written("45,0 5,58 5,58 95,50", "70,46 58,100"), "the same in a hurry; like a 6"
    ),
    "4 in one stroke": Style(
        4, 2, _written("45,0 5,62 5,62 70,56 95,30 78,25 60,55 50,100"), "without lifting the pen"
    ),
    "4 closed": Style(4, 1, _written("100,66 2,66 2,66 68,0 68,0 66,100"), "as printed"),
    "4 open, with a long crossbar": Style(
        4, 1, _written("15,2 5,52 5,52 115,50", "68,8 62,100"), "the bar goes far beyond the stem"
    ),
    "9 with a curled tail": Style(9, 2, _curled, "some hands curl the hook as in a g"),
    "9 with its loop apart": Style(
        9, 2, _written("78,14 45,2 10,24 42,48 66,40", "86,8 86,60 62,98 20,92"), "like a 3"
    ),
    "9 with a straight tail": Style(
        9, 1, _written("45,2 7,27 45,52 83,27 45,2", "83,10 80,50 76,100"), "a ball and a stick"
    ),
    "9 with a hooked tail": Style(
        9, 1, _written("45,2 9,26 45,50 81,26 45,2", "82,12 84,60 62,97 25,95 12,80"), "as printed"
    ),
    "6 with an open loop": Style(6, 1, _opened(-1, -115, -45), "fast writing"),
    "6 rolled in": Style(
        6, 1, _written("75,0 25,35 8,75 45,100 85,80 70,55 40,65"), "its end misses the stem"
    ),
    "0 with an open loop": Style(0, 2, _opened(0, -140, -40), "the pen ends beside its start"),
    "8 with an open upper loop": Style(8, 2, _opened(0, -80, 10), "the pen ends beside its start"),
    "8 of two circles": Style(
        8, 1, _written("50,0 18,24 50,48 82,24 50,0", "50,46 8,73 50,100 92,73 50,46"), "a snowman"
    ),
    "2 with a loop": Style(
        2, 1, _written("10,22 45,0 85,22 55,65 12,97 8,80 35,82 60,97 100,90"), "cursive writing"
    ),
    "2 with a straight base": Style(
        2, 1, _written("10,22 45,0 85,22 60,60 5,100 5,100 100,98"), "no loop, as printed"
    ),
    "2 narrow": Style(2, 2, _narrow, "the nearest 2 to a 1 with flag and base"),
    "5 with its bar apart": Style(
        5, 1, _written("25,20 20,50 20,50 60,42 85,70 55,98 8,92", "45,0 105,-5"), "the bar is last"
    ),
    "3 with a flat top": Style(
        3, 1, _written("8,3 85,2 85,2 42,40 42,40 85,68 50,100 5,90"), "on signs; like a 5 or a 7"
    ),
}
# Never trained on: they tell whether what is learned carries over to yet other hands.
HELD_OUT = ("1 with a base", "7 with serif and bar")
