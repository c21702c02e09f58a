"""Simulated pictures of numbers, to measure the reader of numbers on.

    picture, text = draw("lines", digits, labels, np.random.default_rng(0))
    text                                # "304 71 / 5528": groups, and lines parted by " / "

Every kind varies its sizes, pens, papers and light; the digits are those that are given. (The name
is not `numbers`: whoever has this folder on the path would lose Python's own module.)
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from PIL import Image

from tests import pictures

SIGNS = "+-x:=.,"
MARGIN = 0.6  # of a digit's height, around all of it


class Hand:
    """One hand's digits, drawn with one pen at about one height."""

    def __init__(
        self,
        digits: np.ndarray,
        labels: np.ndarray,
        rng: np.random.Generator,
        height: int | None = None,
    ) -> None:
        self.digits, self.labels, self.rng = digits, labels, rng
        self.height = height or int(rng.integers(36, 90))  # px
        own = rng.random() < 0.4
        self.pen = None if own else max(2.0, self.height * rng.uniform(0.04, 0.12))  # px

    def digit(self, size: float = 1.0) -> tuple[np.ndarray, str]:
        """Return the ink of some digit, float32 (h, w), 0 to 1, and its label."""
        i = self.rng.integers(len(self.digits))
        side = max(16, int(self.height * size * self.rng.uniform(0.85, 1.15)))
        ink = pictures.pen_strokes(self.digits[i], side, self.rng, self.pen)
        return ink, str(self.labels[i])

    def row(self, count: int, gap: float, unlike: float = 0.0) -> tuple[np.ndarray, str]:
        """Return digits side by side: their ink, float32 (h, w), and their labels.

        gap: of the height, between two. unlike: how far sizes differ, 0 to 0.4.
        """
        drawn = [self.digit(1 + self.rng.uniform(-unlike, unlike)) for _ in range(count)]
        space = np.zeros((1, max(2, int(gap * self.height))), np.float32)
        inks = [part for ink, _ in drawn for part in (space, ink)][1:]
        return side_by_side(inks, self.rng), "".join(label for _, label in drawn)

    def touching(self, count: int) -> tuple[np.ndarray, str]:
        """Return digits side by side, each touching the last one: ink, float32 (h, w), labels."""
        ink, text = self.digit()
        for _ in range(count - 1):
            after, label = self.digit()
            ink, text = _touching(ink, after), text + label
        return ink, text

    def sign(self) -> np.ndarray:
        """Return the ink of a sign, float32 (h, w), 0 to 1, standing in a field a digit high."""
        sign = SIGNS[self.rng.integers(len(SIGNS))]
        high, half = self.height, self.height // 4
        pen = max(2, round(self.pen or self.height * 0.1))
        field = np.zeros((high, 2 * half + 2 * pen), np.uint8)
        x, y = half + pen, high // 2
        slant = int(self.rng.integers(-half // 4, half // 4 + 1))
        strokes = {
            "+": [((-half, 0), (half, 0)), ((slant, -half), (-slant, half))],
            "-": [((-half, slant), (half, -slant))],
            "x": [((-half, -half), (half, half)), ((-half, half), (half, -half + slant))],
            ":": [((0, -half), (0, -half)), ((0, half), (0, half))],
            "=": [
                ((-half, -half // 2), (half, -half // 2)),
                ((-half, half // 2), (half, half // 2)),
            ],
            ".": [((0, high // 2 - pen), (0, high // 2 - pen))],
            ",": [((0, high // 2 - 2 * pen), (-pen // 2, high // 2 - pen))],
        }[sign]
        for (x0, y0), (x1, y1) in strokes:
            wide = pen if (x0, y0) != (x1, y1) else pen + 2
            cv2.line(field, (x + x0, y + y0), (x + x1, y + y1), 255, wide, cv2.LINE_AA)
        return field.astype(np.float32) / 255


def side_by_side(inks: list[np.ndarray], rng: np.random.Generator) -> np.ndarray:
    """Return inks, float32 (h, w), on one baseline that wavers a little."""
    tall = max(len(ink) for ink in inks)
    waver = max(1, tall // 12)
    row = np.zeros((tall + waver, sum(ink.shape[1] for ink in inks)), np.float32)
    left = 0
    for ink in inks:
        top = tall - len(ink) + int(rng.integers(waver))
        row[top : top + len(ink), left : left + ink.shape[1]] = ink
        left += ink.shape[1]
    return row


def _touching(ink: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Return the inks, float32 (h, w), moved together until a few of their pixels meet."""
    tall = max(len(ink), len(after))
    one, other = (np.pad(each, ((tall - len(each), 0), (0, 0))) for each in (ink, after))
    wide = one.shape[1]
    for left in range(wide, wide // 2, -1):
        page = np.zeros((tall, max(wide, left + other.shape[1])), np.float32)
        page[:, :wide] = one
        under = page[:, left : left + other.shape[1]]
        met = ((under > 0.5) & (other > 0.5)).sum()
        if met > 2:
            break
    np.maximum(under, other, out=under)
    return page


def stacked(rows: list[np.ndarray], space: int) -> np.ndarray:
    """Return rows of ink, float32 (h, w), one below the other, `space` px apart."""
    wide = max(row.shape[1] for row in rows)
    padded = [np.pad(row, ((0, space), (0, wide - row.shape[1]))) for row in rows]
    return np.concatenate(padded)[:-space]


# --- Kinds of numbers: ink, float32 (h, w), and text ---


def line(hand: Hand) -> tuple[np.ndarray, str]:
    return hand.row(int(hand.rng.integers(2, 9)), hand.rng.uniform(0.2, 0.5))


def unlike(hand: Hand) -> tuple[np.ndarray, str]:
    """Digits of unlike sizes."""
    return hand.row(int(hand.rng.integers(2, 7)), hand.rng.uniform(0.2, 0.5), unlike=0.35)


def groups(hand: Hand) -> tuple[np.ndarray, str]:
    """Groups of digits with a wide gap between them."""
    gap = hand.rng.uniform(0.15, 0.3)
    parts = [hand.row(int(hand.rng.integers(2, 4)), gap) for _ in range(hand.rng.integers(2, 4))]
    space = np.zeros((1, int(1.2 * hand.height)), np.float32)
    inks = [part for ink, _ in parts for part in (space, ink)][1:]
    return side_by_side(inks, hand.rng), " ".join(text for _, text in parts)


def lines(hand: Hand) -> tuple[np.ndarray, str]:
    gap = hand.rng.uniform(0.2, 0.4)
    rows = [hand.row(int(hand.rng.integers(2, 8)), gap) for _ in range(hand.rng.integers(2, 5))]
    space = int(hand.height * hand.rng.uniform(0.4, 1))
    ink = stacked([row for row, _ in rows], space)
    return ink, " / ".join(text for _, text in rows)


def grid(hand: Hand) -> tuple[np.ndarray, str]:
    """Digits in columns as far apart as the lines are."""
    pitch, columns = int(2 * hand.height), int(hand.rng.integers(3, 7))
    rows, texts = [], []
    for _ in range(hand.rng.integers(2, 6)):
        drawn = [hand.digit() for _ in range(columns)]
        row = [
            pictures.on_page(ink, pitch, pitch, hand.rng, (pitch // 4, pitch // 4))
            for ink, _ in drawn
        ]
        rows.append(np.concatenate(row, axis=1))
        texts.append("".join(label for _, label in drawn))
    return np.concatenate(rows), " / ".join(texts)


def slanted(hand: Hand) -> tuple[np.ndarray, str]:
    """A row that climbs or falls by up to 15 degrees."""
    ink, text = line(hand)
    slope = np.tan(np.radians(hand.rng.uniform(-15, 15)))
    rise = int(abs(slope) * ink.shape[1]) + 1
    shear = np.float32([[1, 0, 0], [slope, 1, rise if slope < 0 else 0]])
    return cv2.warpAffine(ink, shear, (ink.shape[1], ink.shape[0] + rise)), text


def touching(hand: Hand) -> tuple[np.ndarray, str]:
    """Two or three digits that touch, often with others that do not beside them."""
    ink, text = hand.touching(int(hand.rng.integers(2, 4)))
    if hand.rng.random() < 0.5:
        return ink, text
    other, more = hand.row(int(hand.rng.integers(1, 4)), 0.3)
    space = np.zeros((1, hand.height // 3), np.float32)
    return side_by_side([ink, space, other], hand.rng), text + more


def signs(hand: Hand) -> tuple[np.ndarray, str]:
    """Numbers with a sign between them."""
    parts = [hand.row(int(hand.rng.integers(1, 4)), 0.25) for _ in range(hand.rng.integers(2, 4))]
    space = np.zeros((1, hand.height // 3), np.float32)
    inks = [parts[0][0]]
    for ink, _ in parts[1:]:
        inks += [space, hand.sign(), space, ink]
    return side_by_side(inks, hand.rng), " ".join(text for _, text in parts)


def underlined(hand: Hand) -> tuple[np.ndarray, str]:
    ink, text = line(hand)
    pen = max(2, round(hand.pen or hand.height * 0.1))
    page = np.pad(ink, ((0, 4 * pen), (0, 0)))
    y = page.shape[0] - pen
    cv2.line(page, (0, y), (page.shape[1], y - int(hand.rng.integers(pen))), 1.0, pen)
    return page, text


def printed(hand: Hand) -> tuple[np.ndarray, str]:
    """A row with a printed caption above or before it, half as high at most."""
    ink, text = line(hand)
    caption = ["Name", "Total amount", "Postcode", "Score:", "Phone number"][hand.rng.integers(5)]
    scale = hand.height * hand.rng.uniform(0.25, 0.5) / 22  # this font's capitals are 22 px high
    thick = max(1, round(scale * 2))
    (wide, high), low = cv2.getTextSize(caption, cv2.FONT_HERSHEY_SIMPLEX, scale, thick)
    label = np.zeros((high + 2 * low, wide), np.uint8)
    cv2.putText(
        label,
        caption,
        (0, high + low // 2),
        cv2.FONT_HERSHEY_SIMPLEX,
        scale,
        255,
        thick,
        cv2.LINE_AA,
    )
    label = label.astype(np.float32) / 255
    space = hand.height // 2
    if hand.rng.random() < 0.5:
        return stacked([label, ink], space), text
    return side_by_side([label, np.zeros((1, space), np.float32), ink], hand.rng), text


def boxes(hand: Hand) -> tuple[np.ndarray, str]:
    """A form: every digit in a box of its own."""
    side, texts, cells = int(1.5 * hand.height), "", []
    for _ in range(hand.rng.integers(2, 8)):
        ink, label = hand.digit()
        place = [(side - length) // 2 for length in ink.shape]
        cell = pictures.on_page(ink, side, side, hand.rng, place)
        cv2.rectangle(cell, (0, 0), (side - 1, side - 1), 0.6, 1)
        cells.append(cell)
        texts += label
    return np.concatenate(cells, axis=1), texts


def turned(hand: Hand) -> tuple[np.ndarray, str]:
    """One line, in a picture that `draw` turns as an editor does."""
    return line(hand)


def sheet(hand: Hand) -> tuple[np.ndarray, str]:
    """One line, on a sheet that `draw` photographs whole, on a table."""
    return line(hand)


def brackets(hand: Hand) -> tuple[np.ndarray, str]:
    """A number of which the first part stands in brackets, as area codes do."""
    parts = [hand.row(int(hand.rng.integers(1, 5)), 0.25) for _ in range(2)]
    bow, high = hand.rng.uniform(0.1, 0.25), int(hand.height * hand.rng.uniform(1, 1.4))
    opening = _stroke(hand, [(bow * (2 * y - 1) ** 2 * high, y * high) for y in _DOWN])
    space = np.zeros((1, hand.height // 4), np.float32)
    inks = [opening, space, parts[0][0], space, opening[:, ::-1], space, space, parts[1][0]]
    return _centred(inks), " ".join(text for _, text in parts)


def slashes(hand: Hand) -> tuple[np.ndarray, str]:
    """A date, or a score or a blood pressure, with slashes."""
    counts = [(2, 2, 2), (1, 1, 4), (2, 1), (3, 2)][hand.rng.integers(4)]
    parts = [hand.row(count, 0.25) for count in counts]
    lean, high = hand.rng.uniform(15, 40), hand.height * hand.rng.uniform(1, 1.5)
    space = np.zeros((1, hand.height // 4), np.float32)
    inks = [parts[0][0]]
    for ink, _ in parts[1:]:
        over = high * np.tan(np.radians(lean + hand.rng.uniform(-3, 3)))
        inks += [space, _stroke(hand, [(over * (1 - y), y * high) for y in _DOWN]), space, ink]
    return _centred(inks), " ".join(text for _, text in parts)


def ringed(hand: Hand) -> tuple[np.ndarray, str]:
    """A number with a ring around it, closed or nearly so."""
    ink, text = hand.row(int(hand.rng.integers(1, 4)), 0.25)
    around = 0.32 * max(ink.shape)
    page = np.pad(ink, int(1.5 * around))
    middle, radii = (page.shape[1] // 2, page.shape[0] // 2), np.array(ink.shape[::-1]) / 2 + around
    ends = 0, int(hand.rng.integers(345, 372))
    pen = max(2, round(hand.pen or hand.height * 0.1))
    cv2.ellipse(page, middle, radii.astype(int), hand.rng.uniform(-8, 8), *ends, 1.0, pen)
    return page, text


def table(hand: Hand) -> tuple[np.ndarray, str]:
    """A ruled table with a number in each cell."""
    columns, wide, high = int(hand.rng.integers(2, 4)), 4 * hand.height, int(1.8 * hand.height)
    rows, texts = [], []
    for _ in range(hand.rng.integers(2, 5)):
        cells = [hand.row(int(hand.rng.integers(1, 4)), 0.25) for _ in range(columns)]
        rows.append(
            np.concatenate([_in_cell(ink, high, wide, hand, 2) for ink, _ in cells], axis=1)
        )
        texts.append(" ".join(text for _, text in cells))
    return np.concatenate(rows), " / ".join(texts)


def sudoku(hand: Hand) -> tuple[np.ndarray, str]:
    """A puzzle of 9 x 9 cells with a digit in every third."""
    side, texts = int(1.7 * hand.height), []
    page = np.zeros((9 * side, 9 * side), np.float32)
    for row, column in np.argwhere(hand.rng.random((9, 9)) < 1 / 3):
        ink, label = hand.digit()
        cell = np.s_[row * side : (row + 1) * side, column * side : (column + 1) * side]
        page[cell] = _in_cell(ink, side, side, hand, 1)
        texts += [(row, label)]
    for i in range(10):
        thick = 1 + 3 * (i % 3 == 0)
        for ends in (((i * side, 0), (i * side, 9 * side)), ((0, i * side), (9 * side, i * side))):
            cv2.line(page, *ends, 1.0, thick)
    lines = ["".join(label for row, label in texts if row == i) for i in range(9)]
    return page, " / ".join(filter(None, lines))


def column(hand: Hand) -> tuple[np.ndarray, str]:
    """One digit a line, close below one another."""
    drawn = [hand.digit() for _ in range(hand.rng.integers(3, 7))]
    wide = max(ink.shape[1] for ink, _ in drawn)
    rows = [
        pictures.on_page(ink, len(ink), wide, hand.rng, (0, (wide - ink.shape[1]) // 2))
        for ink, _ in drawn
    ]
    space = int(hand.height * hand.rng.uniform(0.25, 0.8))
    return stacked(rows, space), " / ".join(label for _, label in drawn)


def coloured(hand: Hand) -> tuple[np.ndarray, str]:
    """One line, of which `draw` gives every digit a pen of some colour."""
    return line(hand)


def ticked(hand: Hand) -> tuple[np.ndarray, str]:
    """A result with a teacher's tick behind it."""
    ink, text = hand.row(int(hand.rng.integers(1, 5)), 0.25)
    high, low = hand.height * hand.rng.uniform(0.8, 1.2), hand.rng.uniform(0.25, 0.6)
    turn, wide = hand.rng.uniform(0.15, 0.3), hand.rng.uniform(0.5, 1.0)
    corners = np.array([(0, 1 - low), (turn * wide, 1), (wide, 0)]) * high
    space = np.zeros((1, hand.height // 3), np.float32)
    return side_by_side([ink, space, _stroke(hand, corners)], hand.rng), text


def percent(hand: Hand) -> tuple[np.ndarray, str]:
    """A number with a percent sign behind it."""
    ink, text = hand.row(int(hand.rng.integers(1, 4)), 0.25)
    high, across = hand.height * hand.rng.uniform(0.9, 1.1), hand.rng.uniform(0.16, 0.22)
    angles = np.linspace(0, 2 * np.pi, 20)
    ring = np.stack([np.cos(angles), np.sin(angles)], axis=1) * across * high
    slash = _stroke(hand, [(0.8 * (1 - y) * high, y * high) for y in _DOWN])
    sign = np.pad(slash, ((0, 0), [int(across * high)] * 2))
    for x, y in ((across, across), (0.8 + across, 1 - across)):
        centre = np.array([x, y]) * high
        cv2.polylines(sign, [np.int32(ring + centre)], True, 1.0, max(2, round(hand.pen or 4)))
    space = np.zeros((1, hand.height // 3), np.float32)
    return side_by_side([ink, space, sign], hand.rng), text


def mosaic(hand: Hand) -> tuple[np.ndarray, str]:
    """Digits in MNIST's form in rows, as figures show them, with frames around them or without."""
    rng, size = hand.rng, hand.rng.integers([1, 2], [6, 10])
    which = rng.integers(len(hand.digits), size=size)
    rim = int(rng.integers(3))
    tiles = np.pad(
        hand.digits[which] / np.float32(255),
        ((0, 0), (0, 0), (rim, rim), (rim, rim)),
        constant_values=rng.integers(2),
    )
    page = np.concatenate([np.concatenate(list(row), axis=1) for row in tiles])
    zoom = int(rng.integers(1, 4))
    text = " / ".join("".join(map(str, hand.labels[row])) for row in which)
    return cv2.resize(page, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_NEAREST), text


_DOWN = np.linspace(0, 1, 20)  # where a stroke goes through from its top to its bottom


def _stroke(hand: Hand, points: list[tuple[float, float]]) -> np.ndarray:
    """Return the ink of a stroke through points (x, y) in px, float32 (h, w), 0 to 1."""
    pen = max(2, round(hand.pen or hand.height * 0.1))
    course = np.rint(points).astype(np.int32) + pen
    field = np.zeros(course.max(axis=0)[::-1] + pen + 1, np.float32)
    return cv2.polylines(field, [course], False, 1.0, pen)


def _centred(inks: list[np.ndarray]) -> np.ndarray:
    """Return inks, float32 (h, w), side by side, their middles on one line."""
    tall = max(map(len, inks))
    pads = [((tall - len(ink)) // 2, -(-(tall - len(ink)) // 2)) for ink in inks]
    return np.concatenate(
        [np.pad(ink, (pad, (0, 0))) for ink, pad in zip(inks, pads, strict=True)], axis=1
    )


def _in_cell(ink: np.ndarray, high: int, wide: int, hand: Hand, line: int) -> np.ndarray:
    """Return a ruled cell, float32 (high, wide), with the ink somewhere in its middle."""
    scale = min(1.0, 0.8 * high / ink.shape[0], 0.9 * wide / ink.shape[1])
    small = cv2.resize(ink, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    free = np.array([high, wide]) - small.shape
    place = (free * hand.rng.uniform(0.2, 0.8, 2)).astype(int)
    cell = pictures.on_page(small, high, wide, hand.rng, tuple(place))
    return cv2.rectangle(np.ascontiguousarray(cell), (0, 0), (wide - 1, high - 1), 0.8, line)


KINDS: dict[str, Callable[[Hand], tuple[np.ndarray, str]]] = {
    kind.__name__: kind
    for kind in (
        line, unlike, groups, lines, grid, slanted, touching, signs, underlined, printed, boxes,
        turned, sheet, brackets, slashes, ringed, table, sudoku, column, coloured, ticked, percent,
        mosaic,
    )
}  # fmt: skip
SEPARATED = ["line", "unlike", "groups", "lines", "grid", "slanted"]  # nothing but digits apart


# --- Kinds of paper: ink -> picture ---


def on_photo(page: np.ndarray, rng: np.random.Generator) -> Image.Image:
    pixels = pictures.blend(page, pictures.paper_colour(rng), pictures.ink_colour(rng))
    return pictures.as_jpeg(
        pictures.camera(pixels * pictures.light(*page.shape, rng, 0.4), rng), rng
    )


def _on_scan(page: np.ndarray, rng: np.random.Generator) -> Image.Image:
    pixels = pictures.blend(page, rng.uniform(235, 255), rng.uniform(10, 90))
    return pictures.as_jpeg(pictures.camera(pixels, rng, noise=rng.uniform(0, 3)), rng)


def _on_canvas(page: np.ndarray, rng: np.random.Generator) -> Image.Image:
    pair = ((0, 0, 0), (255, 255, 255))[:: rng.choice([1, -1])]
    return pictures.as_picture(pictures.blend(page, *pair))


def _on_board(page: np.ndarray, rng: np.random.Generator) -> Image.Image:
    board, chalk = rng.uniform([20, 35, 30], [70, 90, 80]), rng.uniform(190, 245, 3)
    pixels = pictures.blend(page, board, chalk) * pictures.light(*page.shape, rng, 0.4)
    return pictures.as_jpeg(pictures.camera(pixels, rng), rng)


def _on_pencil(page: np.ndarray, rng: np.random.Generator) -> Image.Image:
    paper = pictures.paper_colour(rng)
    pixels = pictures.blend(page, paper, paper - rng.uniform(60, 110))
    pixels = pixels * pictures.light(*page.shape, rng, 0.25)
    return pictures.as_jpeg(pictures.camera(pixels, rng, noise=rng.uniform(0.5, 2.5)), rng)


def _on_ruled(page: np.ndarray, rng: np.random.Generator) -> Image.Image:
    lines = np.zeros_like(page)
    for y in range(int(rng.integers(9, 40)), len(page), int(rng.integers(40, 140))):
        cv2.line(lines, (0, y), (page.shape[1], y + int(rng.integers(-6, 7))), 1.0, 1)
    paper = pictures.paper_colour(rng)
    paper = pictures.blend(lines, paper, paper * (0.7, 0.75, 0.92))
    pixels = pictures.blend(page, paper, pictures.ink_colour(rng))
    return pictures.as_jpeg(
        pictures.camera(pixels * pictures.light(*page.shape, rng, 0.3), rng), rng
    )


def _in_colours(page: np.ndarray, rng: np.random.Generator) -> Image.Image:
    """Return a photo of the ink, of which every stretch between gaps has a colour of its own."""
    inked = (page > 0).any(axis=0)
    stretch = np.cumsum(np.diff(inked, prepend=False) & inked)
    pens = COLOURS[rng.integers(len(COLOURS), size=stretch.max() + 1)]
    pixels = pictures.blend(page, pictures.paper_colour(rng), pens[stretch][None])
    lit = pixels * pictures.light(*page.shape, rng, 0.4)
    return pictures.as_jpeg(pictures.camera(lit, rng), rng)


def _written_on(page: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return a sheet of 900 x 640 px, upright or not, with the ink somewhere on it."""
    height, width = ((900, 640), (640, 900))[rng.integers(2)]
    scale = min(1.0, 0.8 * width / page.shape[1], 0.8 * height / page.shape[0])
    ink = cv2.resize(page, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return pictures.on_page(ink, height, width, rng)


COLOURS = np.array(
    [(20, 20, 30), (20, 40, 170), (190, 25, 35), (15, 110, 50), (230, 120, 20), (120, 30, 140)],
    np.float64,
)  # pens: black, blue, red, green, orange, purple
PAPERS = (on_photo, _on_scan, _on_canvas, _on_board, _on_pencil, _on_ruled)


def draw(
    kind: str, digits: np.ndarray, labels: np.ndarray, rng: np.random.Generator
) -> tuple[Image.Image, str]:
    """Return a picture of a number of that kind (a key of KINDS), and the number as text.

    digits: uint8 (n, 28, 28), of which it is made; labels: int (n,).
    """
    hand = Hand(digits, labels, rng)
    ink, text = KINDS[kind](hand)
    if kind == "mosaic":
        return _on_canvas(ink, rng), text
    around = [int(hand.height * MARGIN * rng.uniform(0.7, 2.5)) for _ in range(4)]
    page = cv2.copyMakeBorder(ink, *around, cv2.BORDER_CONSTANT)
    scale = min(1.0, 1024 / max(page.shape))
    page = cv2.resize(page, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    if kind == "sheet":
        return pictures.on_table(_written_on(page, rng), rng), text
    if kind == "coloured":
        return _in_colours(page, rng), text
    picture = PAPERS[rng.integers(len(PAPERS))](page, rng)
    return pictures.turned_in_editor(picture, rng) if kind == "turned" else picture, text
