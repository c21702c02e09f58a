"""All digits of a picture: pixels -> a number, its digits in reading order.

    number = read_number(rgb, net)      # a Number: a list of NumberDigit, with what was left out

The steps: the picture's ink (`search`), its connected pieces (`pieces`), their order (`lines`),
which of them are digits (`paths`, `cuts`, `signs`), and which of several readings is right
(`choice`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import cv2
import numpy as np

from digits import model
from digits.images.choice import STROKES, doubts, is_single, likeliest, off_lines, outside_of
from digits.images.lines import dividers, in_lines
from digits.images.marks import Parts, clear_marks, without_edges
from digits.images.number import Box, Number, NumberDigit, covers, group_numbers
from digits.images.paper import hides_ink
from digits.images.paths import LOW, SURE, Arc, Scored, line_height, read_lines
from digits.images.pieces import Piece, digit_of, pieces_of, usual_height
from digits.images.ruled import RULED_SIDE, ruled_lines
from digits.images.search import Found, refined, search, search_whole
from digits.images.signs import percent_signs, punctuation
from digits.mnist import ImageError, normalise

if TYPE_CHECKING:
    import keras

    from digits.model.numpy_network import Network

MAX_ZOOM = 4  # of a picture of few px: strokes 1 px wide are cut and shrunk more exactly at 4 px
ZOOM_SIDE = 448  # px, long side up to which a picture is enlarged
LARGE = 0.75  # of the ink, is in digits no higher than the large ones
SMALL = 0.3  # of the large digits' height; what is smaller is print, or dust like a digit
SMALLER = 0.62  # of the same; what is smaller and partly unreadable is print
OUTSIZE = 3.0  # times the usual height, and
EDGE = 0.5  # of the page's height: so high is the table's edge beside the sheet, not a digit
OUTGROWN = 1.6  # times the usual height, of what reaches the frame of a photo, in so many px:
FRAME = 2  # a part of such an edge, where the sheet lies askew
BAR_HEIGHT, BAR_WIDTH = 0.9, 0.05  # of the page's height, at least, and of its own, at most
LINE_WIDTH, SQUARE = 0.15, 0.95  # of a table's line: of its height, at most; of its box, at least
HIGHER = 1.15  # times the usual height, at least
DOUBTFUL = 0.05  # of a number's digits, at most (of MNIST's 0.012): if more are, its ink is doubted
UNSURE = 0.2  # of a word's letters, at least, the network is unsure of in print
WORD_GAP = 0.5  # of the line's height: the least between two words

NO_DIGIT = "No digit was found; please send a picture with digits written large, well lit."


@dataclass(frozen=True, eq=False)
class Page:
    """What is searched for digits: the picture, or a panel of it, perhaps enlarged."""

    ink: np.ndarray  # uint8 (h, w), 0 paper
    pieces: list[Piece]
    view: np.ndarray  # float (3, 3), the homography that takes px of the picture to px of the ink


def read_number(
    rgb: np.ndarray, net: Network | keras.Model, normal: np.ndarray | None = None
) -> Number:
    """Return all digits of a picture, uint8 (h, w, 3). Raises ImageError when there is none.

    normal: uint8 (28, 28), the picture itself if it may be one digit in MNIST's form already.
    """
    found = search(rgb)
    if found is None:
        raise ImageError(NO_DIGIT)
    number = _read(found, net)
    hidden = found.photo and hides_ink(rgb)
    if doubts(number) > DOUBTFUL * len(number) or found.panel is not None or hidden:
        # Ink and the gaps between are mistaken for one another, or a panel holds a part alone, or
        # there is ink of a further colour: another pen's, or a finger, that is read as a stroke.
        others = [_read(other, net) for other in search_whole(rgb)]
        outside = outside_of(found.panel, rgb.shape)
        number = likeliest(number, others, outside | off_lines(number, rgb.shape) * hidden)
    alone = _single(found, net, normal)
    if alone is not None and is_single(alone, number, normal is not None):
        beside = [box for box in number.left_out if not covers(alone.box, box)]
        return Number([alone], beside, number.signs)
    if not number:
        raise ImageError(NO_DIGIT)
    return number


def _read(found: Found, net: Network | keras.Model) -> Number:
    """Return the digits in what was found, perhaps none."""
    page = _page(found)
    lines = _lines(_scored(page.ink, net, page.pieces))
    if found.photo:
        lines = _off_sides(_off_frame(lines, page.ink.shape), page.ink.shape)
    paths = read_lines(lines, partial(_scored, page.ink, net))
    return _number(lines, paths, page.view)


def _page(found: Found) -> Page:
    """Return what was found at the full resolution of the picture, in pieces."""
    zoom = min(MAX_ZOOM, max(1.0, ZOOM_SIDE / max(found.rgb.shape)))
    rgb = cv2.resize(found.rgb, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_CUBIC)
    ink = found.ink_of_crop(rgb, found.stroke / found.scale * zoom)
    view = np.diag([zoom, zoom, 1]) @ found.view
    marks = clear_marks(ink)
    if marks is not None and found.photo:
        ink = without_edges(ink, Parts(ink, marks, found.photo))
        marks = clear_marks(ink)
    if marks is None:
        return Page(ink, [], view)
    if max(found.rgb.shape) >= RULED_SIDE:
        marks[ruled_lines(marks)] = 0
    pieces = pieces_of(ink, marks, found.photo)
    return Page(ink, _without_table(pieces, marks.shape, found.photo), view)


def _without_table(pieces: list[Piece], size: tuple[int, ...], photo: bool) -> list[Piece]:
    """Return the pieces but a table's edge, a line that is left of one, and a program's bar.

    size: px, the page's. photo: whether a table is likely.
    """
    if not pieces:
        return []
    usual = usual_height(*_sizes(pieces))
    high = max(EDGE * size[0], OUTSIZE * usual)
    at_frame = OUTGROWN * usual if photo else high
    within = [piece for piece in pieces if not _is_bar(piece, size, usual)] or pieces
    return [
        piece
        for piece in within
        if piece.height < (at_frame if piece.touches(size, FRAME) else high)
    ]


def _is_bar(piece: Piece, size: tuple[int, ...], usual: float) -> bool:
    """Return whether a piece is a bar along the page, or what is left of a table at its frame.

    A bar goes from top to bottom, thinner than any 1. A table's line has square ends and is higher
    than what stands beside it. usual: px, the height of the pieces.
    """
    slim = piece.width / piece.height
    if piece.height > BAR_HEIGHT * size[0] and slim < BAR_WIDTH:
        return True
    square = piece.area > SQUARE * piece.width * piece.height
    high = piece.height > HIGHER * usual
    return square and high and slim < LINE_WIDTH and piece.touches(size, FRAME)


def _scored(ink: np.ndarray, net: Network | keras.Model, pieces: list[Piece]) -> list[Scored]:
    """Return the pieces of a page with their digits and the network's answers."""
    if not pieces:
        return []
    digits = np.array([digit_of(ink, piece) for piece in pieces])
    answers = model.predict(net, digits)
    return [Scored(*one) for one in zip(pieces, digits, answers, strict=True)]


def _lines(scored: list[Scored]) -> list[list[Scored]]:
    """Return the pieces of a page in lines, in reading order."""
    sure = [one.piece.height for one in scored if one.sure]
    if sure:
        height = float(np.median(sure))
    else:
        height = usual_height(*_sizes([one.piece for one in scored])) if scored else 0.0
    of_piece = {one.piece: one for one in scored}
    lines = in_lines(list(of_piece), height)
    apart = {piece for line in lines for piece in dividers(line)}
    lines = [[piece for piece in line if piece not in apart] for line in lines]
    signs = {piece for line in lines for piece in punctuation(line)}
    signs |= set(percent_signs(list(of_piece)))
    return [[replace(of_piece[one], punctuation=one in signs) for one in line] for line in lines]


def _off_frame(lines: list[list[Scored]], size: tuple[int, ...]) -> list[list[Scored]]:
    """Return the lines of a photo, size in px, without those that its frame cuts off.

    They are a sheet's corner or other writing: who means a line has all of it in the photo. But
    one that fills the photo is not dropped for the dust beside it.
    """
    cut = [line for line in lines if _is_cut_off(line, size)]
    within = [line for line in lines if line not in cut]
    least = SMALLER * max((one.piece.height for line in cut for one in line), default=0)
    meant = any(one.sure or one.piece.height > least for line in within for one in line)
    return within if meant else lines


def _is_cut_off(line: list[Scored], size: tuple[int, ...]) -> bool:
    """Return whether the frame of a photo, size in px, cuts all of a line but low marks."""
    least = LOW * max(one.piece.height for one in line)
    return all(one.piece.touches(size, FRAME) for one in line if one.piece.height > least)


def _off_sides(lines: list[list[Scored]], size: tuple[int, ...]) -> list[list[Scored]]:
    """Return the lines of a photo, size in px, without strokes at its left and right frame.

    They are halves of digits that stand beside those that are meant. Where a whole digit reaches
    the frame, or anything above and below, all was cropped that closely.
    """
    height, width = size
    scored = [one for line in lines for one in line if one.probabilities.max() >= SURE]
    beside = [one for one in scored if one.piece.left < FRAME or one.piece.right > width - FRAME]
    cut = [one for one in beside if one.probabilities.argmax() in STROKES]
    closely = len(cut) < len(beside) or any(
        one.piece.top < FRAME or one.piece.bottom > height - FRAME for one in scored
    )
    if closely or len(cut) == len(scored):
        return lines
    within = [[one for one in line if one not in cut] for line in lines]
    return [line for line in within if line]


def _sizes(pieces: list[Piece]) -> tuple[np.ndarray, np.ndarray]:
    """Return heights in px and areas in pixels, int (n,) each."""
    return np.array([one.height for one in pieces]), np.array([one.area for one in pieces])


def _number(lines: list[list[Scored]], paths: list[list[Arc]], view: np.ndarray) -> Number:
    """Return the digits on the paths through the lines of a page with that view."""
    number = Number([], [])
    sure = [one.piece for line in lines for one in line if one.sure]
    usual = usual_height(*_sizes(sure), LARGE) if sure else 0.0
    row = 0
    for line, path in zip(lines, paths, strict=True):
        height = line_height(line)
        words = _words(path, height)
        digits = [arc for word in words if not _is_print(word, usual) for arc in word if arc.scored]
        others = [arc for arc in path if arc not in digits]
        number.left_out += [_box(arc.piece, view) for arc in others]
        number.signs += [_box(one.piece, view) for one in line if one.sign]
        stand, beside = ([(arc.piece.left, arc.piece.right) for arc in x] for x in (digits, others))
        for arc, group in zip(digits, group_numbers(stand, beside, height), strict=True):
            box = _box(arc.piece, view)
            answer = arc.read.probabilities
            number.append(NumberDigit(arc.read.digit, box, row, group, answer))
        row += bool(digits)
    return number


def _words(path: list[Arc], height: float) -> list[list[Arc]]:
    """Return the arcs of a line parted at its wide gaps. height: px, the line's."""
    words = [path[:1]]
    for arc in path[1:]:
        near = arc.piece.left - max(before.piece.right for before in words[-1]) < WORD_GAP * height
        words = [*words[:-1], [*words[-1], arc]] if near else [*words, [arc]]
    return words


def _is_print(word: list[Arc], usual: float) -> bool:
    """Return whether a word is printed beside the digits, or dust like a digit.

    It is small, and the network is unsure of some of its letters or leaves them out.
    usual: px, the height of the digits that are large.
    """
    letters = [arc for arc in word if not arc.left_out] or word
    height = float(np.median([arc.piece.height for arc in letters]))
    full = [arc for arc in word if arc.piece.height > LOW * height]
    unsure = sum(arc.left_out or arc.read.probabilities.max() < SURE for arc in full)
    doubtful = len(word) > 1 and unsure > UNSURE * len(full)
    return height < (SMALLER if doubtful else SMALL) * usual


def _single(
    found: Found, net: Network | keras.Model, normal: np.ndarray | None
) -> NumberDigit | None:
    """Return what was found as a picture of one digit, or None where it is none."""
    ink = None if found.several else refined(found)
    if normal is not None:
        digit = normal
    elif ink is not None:
        digit = normalise(ink)
    else:
        return None
    mask = found.mask if normal is None else np.ones_like(found.mask)
    left, top, width, height = cv2.boundingRect(mask)
    whole = Piece(left, top, np.ones((height, width), bool))
    box = _box(whole, np.diag([found.scale, found.scale, 1]) @ found.view)
    return NumberDigit(digit, box, 0, 0, model.predict(net, digit[np.newaxis])[0])


def _box(piece: Piece, view: np.ndarray) -> Box:
    """Return the box of a piece of a page with that view, in px of the picture."""
    left, top, right, bottom = piece.left, piece.top, piece.right, piece.bottom
    corners = np.array([[(left, top), (right, top), (right, bottom), (left, bottom)]], np.float32)
    there = cv2.perspectiveTransform(corners, np.linalg.inv(view))[0]
    low, high = np.floor(there.min(axis=0)), np.ceil(there.max(axis=0))
    return int(low[0]), int(low[1]), int(high[0] - low[0]), int(high[1] - low[1])
