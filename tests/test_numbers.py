"""Reading numbers: `read_digits`, its order, groups, and what it leaves out."""

from __future__ import annotations

import subprocess
import sys
from contextlib import suppress
from dataclasses import replace

import cv2
import numpy as np
import pytest
from PIL import Image

from digits import images, model
from digits.home import PROJECT
from digits.images import paths, reading
from digits.images.choice import doubts
from digits.images.cuts import cut
from digits.images.lines import dividers, in_lines
from digits.images.number import Number, NumberDigit, group_numbers
from digits.images.paths import TEXT, Arc, Scored, read_lines
from digits.images.pieces import Piece
from digits.images.reading import _is_print, _off_frame, _without_table
from digits.images.signs import crossness
from tests import number_pictures, pictures

PAIRS = [(one, after) for one in range(10) for after in (0, 3, 5, 7, 8)]


@pytest.fixture(scope="module")
def clear(held_out, net):
    """One held-out digit of each label, which the network is sure of: uint8 (10, 28, 28)."""
    digits, labels = held_out
    answers = model.predict(net, digits[:600])
    sure = answers.max(axis=1) > 0.999
    return np.array([digits[:600][sure & (labels[:600] == label)][0] for label in range(10)])


def page_of(digits, places, size, side=60):
    """A white page, (width, height) px, with black digits at (left, top) px: PIL image."""
    page = np.zeros(size[::-1], np.float32)
    for digit, (left, top) in zip(digits, places, strict=True):
        ink = pictures.pen_strokes(digit, side, np.random.default_rng(0))
        page[top : top + ink.shape[0], left : left + ink.shape[1]] = ink
    return pictures.as_picture(pictures.blend(page, (255,) * 3, (0,) * 3))


def share_read(kind, held_out, net, count=20, seed=0):
    """Return the share of drawn numbers of a kind whose digits are all read, none too many."""
    rng = np.random.default_rng(seed)
    right = 0
    for _ in range(count):
        picture, text = number_pictures.draw(kind, *held_out, rng)
        try:
            read = images.read_digits(picture, net).text()
        except images.ImageError:
            continue
        right += read.replace(" ", "") == text.replace(" ", "")
    return right / count


def test_read_digits_row_gives_digits_boxes_and_one_line(clear, net):
    places = [(40 + 90 * i, 50) for i in range(5)]
    number = images.read_digits(page_of(clear[[3, 1, 4, 1, 5]], places, (520, 160)), net)
    assert number.text() == "31415"
    assert [one.line for one in number] == [0] * 5
    for one, (left, top) in zip(number, places, strict=True):
        assert one.digit.shape == (28, 28)
        assert one.digit.dtype == np.uint8
        assert np.abs(np.subtract(one.box[:2], (left, top))).max() <= 3
        assert 55 <= max(one.box[2:]) <= 66


def test_read_digits_without_network_loads_the_shipped_one_without_tensorflow(tmp_path, clear):
    path = tmp_path / "row.png"
    page_of(clear[[2, 7]], [(40, 50), (130, 50)], (240, 160)).save(path)
    code = (
        "import sys; from digits import images; "
        f"print(images.read_digits(images.open_picture({str(path)!r})).text(), "
        "'tensorflow' in sys.modules)"
    )
    said = subprocess.check_output([sys.executable, "-c", code], cwd=PROJECT, text=True)
    assert said.split() == ["27", "False"]


def test_read_digits_two_lines_reads_the_upper_one_first(clear, net):
    places = [(40, 40), (130, 40), (40, 160), (130, 160)]
    number = images.read_digits(page_of(clear[[8, 0, 6, 2]], places, (240, 260)), net)
    assert number.text() == "80 / 62"
    assert number.text(line_break="\n") == "80\n62"
    assert [one.line for one in number] == [0, 0, 1, 1]


@pytest.mark.parametrize(("lines", "rim"), [(2, 1), (2, 2), (1, 1), (1, 2)])
def test_read_digits_tiles_with_frames_around_them_are_read(lines, rim, clear, net):
    tiles = np.pad(255 - clear, ((0, 0), (rim, rim), (rim, rim)))
    page = np.concatenate([np.concatenate(row, axis=1) for row in np.split(tiles, lines)])
    number = images.read_digits(Image.fromarray(page), net)
    assert number.text(line_break="") == "0123456789"


def test_read_digits_wide_gap_parts_groups(clear, net):
    lefts = [40, 120, 300, 380, 460]
    number = images.read_digits(
        page_of(clear[[0, 1, 7, 3, 5]], [(left, 50) for left in lefts], (560, 160)), net
    )
    assert number.text() == "01 735"
    assert [one.group for one in number] == [0, 0, 1, 1, 1]


def left_out_at(number, i):
    """Return the number as if its digit i had been left out."""
    others = [one for j, one in enumerate(number) if j != i]
    return Number(others, [*number.left_out, number[i].box], number.signs)


@pytest.mark.parametrize("i", range(7))
def test_included_digit_that_was_left_out_takes_its_place_again(clear, net, i):
    places = [(40, 40), (120, 40), (300, 40), (380, 40), (40, 160), (120, 160), (200, 160)]
    picture = page_of(clear[[8, 0, 6, 2, 5, 7, 3]], places, (480, 260))
    number = images.read_digits(picture, net)
    assert number.text() == "80 62 / 573"
    again = images.included(picture, left_out_at(number, i), 0, net)
    assert again.text() == "80 62 / 573"
    assert [one.box for one in again] == [one.box for one in number]
    assert again.left_out == []


def test_included_where_there_is_no_ink_raises(clear, net):
    picture = page_of(clear[[9, 6]], [(40, 50), (220, 50)], (330, 160))
    number = images.read_digits(picture, net)
    blank = Number([*number], [(130, 60, 40, 60)])
    with pytest.raises(images.ImageError, match="No ink"):
        images.included(picture, blank, 0, net)


def test_unread_is_what_was_left_out_as_high_as_a_digit_and_no_sign():
    digit = NumberDigit(np.zeros((28, 28), np.uint8), (0, 0, 30, 50), 0, 0, np.full(10, 0.1))
    tall, low, plus = (50, 0, 30, 48), (90, 40, 9, 9), (120, 0, 40, 40)
    assert Number([digit], [tall, low, plus], [plus]).unread == [tall]
    assert Number([], [low]).unread == [low]


@pytest.mark.parametrize(
    ("lefts", "others", "numbers"),
    [
        ([], [], []),
        ([0], [(50, 60)], [0]),
        ([0, 60, 200, 260], [], [0, 0, 1, 1]),
        ([0, 60, 120], [(45, 50)], [0, 1, 1]),
        ([0, 100, 200, 300], [], [0, 0, 0, 0]),
    ],
)
def test_group_numbers_end_at_a_wide_gap_or_at_what_was_left_out(lefts, others, numbers):
    assert group_numbers([(left, left + 40) for left in lefts], others, 60) == numbers


def test_text_with_labels_takes_them_for_the_answers(clear, net):
    number = images.read_digits(page_of(clear[[4, 2]], [(40, 50), (130, 50)], (240, 160)), net)
    assert number.text([9, 9]) == "99"
    with pytest.raises(ValueError, match="zip"):
        number.text([9])


def test_read_digits_minus_is_left_out_and_told(clear, net):
    page = np.array(page_of(clear[[9, 6]], [(40, 50), (220, 50)], (330, 160)))
    cv2.line(page, (130, 80), (175, 80), (0, 0, 0), 5)
    number = images.read_digits(Image.fromarray(page), net)
    assert number.text() == "9 6"
    assert len(number.left_out) == 1
    left, top, width, height = number.left_out[0]
    assert abs(left - 128) <= 4
    assert width > 3 * height
    assert 70 <= top <= 80


def test_read_digits_underline_is_left_out(clear, net):
    page = np.array(page_of(clear[[9, 6]], [(40, 50), (130, 50)], (240, 160)))
    cv2.line(page, (30, 130), (200, 130), (0, 0, 0), 4)
    assert images.read_digits(Image.fromarray(page), net).text() == "96"


def test_read_digits_edge_of_a_table_beside_the_sheet_is_no_one(clear, net):
    page = np.full((420, 600), 210, np.uint8)
    for i, digit in enumerate(clear[:8]):
        top, left = 60 + 180 * (i // 4), 60 + 120 * (i % 4)
        ink = cv2.resize(digit, (100, 100), interpolation=cv2.INTER_CUBIC)
        page[top : top + 100, left : left + 100] -= (ink * 0.7).astype(np.uint8)
    cv2.line(page, (575, 20), (590, 400), 60, 4, cv2.LINE_AA)
    assert len(images.read_digits(Image.fromarray(page), net)) == 8


@pytest.mark.parametrize(("left", "photo", "kept"), [
    (743, True, False), (743, False, True), (500, True, True),
])  # fmt: skip
def test_without_table_part_of_its_edge_goes_where_it_reaches_a_photos_frame(left, photo, kept):
    digits = [Piece(100 * i, 100, np.ones((80, 50), bool)) for i in range(1, 5)]
    edge = Piece(left, 40, np.eye(200, 57, dtype=bool))
    assert _without_table([*digits, edge], (1024, 800), photo) == [*digits, *[edge] * kept]


def on_table(clear, shade, turn):
    """A sheet with 9 3 5 on a dark table, turned by so many degrees: RGB float32 (480, 640, 3).

    shade: how much of the light is left at the bottom of the sheet, 1 for all.
    """
    places = [(60, 40), (190, 40), (320, 220)]
    page = np.asarray(page_of(clear[[9, 3, 5]], places, (460, 320)), np.float32)
    sheet = np.full((480, 640, 3), -1, np.float32)
    sheet[80:400, 90:550] = page * np.geomspace(0.85, 0.85 * shade, 320)[:, None, None]
    view = cv2.getRotationMatrix2D((320, 240), turn, 1)
    flat = cv2.warpAffine(sheet, view, (640, 480), borderValue=(-1, -1, -1))
    table = np.random.default_rng(0).normal((48, 44, 40), 12, flat.shape)
    return np.where(flat < 0, table, flat + np.random.default_rng(1).normal(0, 2, flat.shape))


@pytest.mark.parametrize("shade", [1, 0.22])
@pytest.mark.parametrize("turn", [-8, 3])
def test_read_digits_sheet_askew_on_a_table_is_read_whole_and_its_edges_are_no_ones(
    shade, turn, clear, net
):
    picture = pictures.as_picture(on_table(clear, shade, turn))
    assert images.read_digits(picture, net).text() == "93 / 5"


@pytest.mark.parametrize("fill", [(0,) * 3, (150,) * 3, (120, 85, 50), (255,) * 3])
@pytest.mark.parametrize("angle", [-8, 1.5, 4])
def test_read_digits_photo_turned_in_an_editor_reads_as_before(fill, angle, clear, net):
    rng = np.random.default_rng(4)
    row = page_of(clear[[3, 8, 5]], [(60, 60), (170, 60), (280, 60)], (400, 180))
    photo = np.asarray(row, np.float32) * 0.75 * pictures.light(180, 400, rng, 0.3)
    photo = pictures.as_picture(pictures.camera(photo, rng))
    turned = photo.rotate(angle, Image.Resampling.BICUBIC, expand=True, fillcolor=fill)
    assert images.read_digits(turned, net).text() == "385"


def test_read_digits_line_that_the_frame_cuts_off_is_left_out_of_a_photo_alone(clear, net):
    rng = np.random.default_rng(0)
    page = np.zeros((420, 600), np.float32)
    for i, digit in enumerate(clear[[3, 5, 8]]):
        ink = pictures.pen_strokes(digit, 120, rng, 6)
        left = 60 + 160 * i
        page[200 : 200 + ink.shape[0], left : left + ink.shape[1]] = ink
    ink = pictures.pen_strokes(clear[1], 120, rng, 6)[50:]
    page[: ink.shape[0], 300 : 300 + ink.shape[1]] = ink
    photo = number_pictures.on_photo(page, rng)
    assert images.read_digits(photo, net).text() == "358"
    drawing = pictures.as_picture(pictures.blend(page, (255,) * 3, (0,) * 3))
    assert images.read_digits(drawing, net).text().replace(" ", "") == "1/358"


def test_off_frame_line_goes_with_a_dash_beside_but_not_for_dust_alone():
    def line(*boxes):
        pieces = [Piece(x, y, np.ones((h, w), bool)) for x, y, w, h in boxes]
        return [replace(answering(0.5, 0.4), piece=piece) for piece in pieces]

    cut, whole, dust = (
        line((300, 0, 20, 50), (340, 30, 40, 6)),
        line((60, 200, 50, 60)),
        line((9, 300, 5, 5)),
    )
    assert _off_frame([cut, whole], (400, 600)) == [whole]
    assert _off_frame([cut, dust], (400, 600)) == [cut, dust]


def broken(digit):
    """Return a picture of a digit, uint8 (28, 28), of which two strips of ink are missing."""
    ink = cv2.resize(digit, (140, 140), interpolation=cv2.INTER_CUBIC)
    ink[50:57] = ink[82:89] = 0
    return Image.fromarray(np.pad(245 - (ink * 0.9).astype(np.uint8), 50, constant_values=245))


def test_read_digits_broken_digit_is_read_as_one_not_as_some_of_its_parts(held_out, net):
    digits, labels = held_out
    twos = digits[labels == 2][:40]
    read = [images.read_digits(broken(digit), net) for digit in twos]
    assert sum(len(number) == 1 for number in read) >= 38


def test_doubts_a_sign_is_none_though_it_is_left_out():
    left_out = [(60, 10, 30, 30), (120, 8, 20, 40)]
    number = Number(
        [NumberDigit(np.zeros((28, 28), np.uint8), (0, 0, 30, 40), 0, 0, np.eye(10)[3])], left_out
    )
    assert doubts(number) == 2
    number.signs.append(left_out[0])
    assert doubts(number) == 1


def test_in_lines_low_pieces_apart_from_the_digits_stand_in_one_line():
    letters = [Piece(left, 10, np.ones((12, 10), bool)) for left in (0, 14, 28, 42)]
    digits = [Piece(left, 100, np.ones((60, 40), bool)) for left in (0, 60)]
    assert in_lines([*digits, *letters], 60.0) == [letters, digits]


def test_read_digits_picture_without_digit_raises(net):
    empty = Image.new("RGB", (200, 100), "white")
    with pytest.raises(images.ImageError):
        images.read_digits(empty, net)


@pytest.mark.parametrize("size", [(1, 1), (1, 900), (900, 1), (28, 28)])
def test_read_digits_odd_sizes_raise_image_error_or_read(size, net):
    noise = np.random.default_rng(0).integers(0, 256, (*size[::-1], 3), np.uint8)
    with suppress(images.ImageError):
        assert len(images.read_digits(Image.fromarray(noise), net)) > 0


def test_read_digits_one_digit_gives_what_read_digit_gives(held_out, net):
    rng = np.random.default_rng(5)
    same = 0
    for kind in ("photo", "paint", "scan", "canvas", "ruled", "kraft", "tight", "small"):
        for i in rng.choice(len(held_out[0]), 3):
            picture = pictures.draw(kind, held_out[0][i], rng)
            digit, number = images.read_digit(picture), images.read_digits(picture, net)
            same += len(number) == 1 and np.array_equal(number[0].digit, digit)
    assert same >= 21  # of 24


def test_read_digits_mnist_row_comes_back_as_it_is(clear, net):
    for label, digit in enumerate(clear):
        number = images.read_digits(Image.fromarray(digit), net)
        assert number.text() == str(label)
        np.testing.assert_array_equal(number[0].digit, digit)


@pytest.mark.parametrize(("kind", "least"), [
    ("line", 0.85), ("unlike", 0.8), ("groups", 0.8), ("slanted", 0.8), ("lines", 0.65),
    ("grid", 0.6), ("signs", 0.75), ("boxes", 0.7), ("printed", 0.8), ("touching", 0.6),
])  # fmt: skip
def test_read_digits_drawn_numbers_reads_most(kind, least, held_out, net):
    assert share_read(kind, held_out, net) >= least


def touching_pair(one, other):
    """Return two digits, uint8 (28, 28), as one piece, and where the left one is: bool (h, w)."""
    inks = [
        pictures.pen_strokes(digit, 60, np.random.default_rng(0), 5) > 0.5 for digit in (one, other)
    ]
    both = number_pictures._touching(*(ink.astype(np.float32) for ink in inks)) > 0.5
    left = np.zeros_like(both)
    left[len(both) - len(inks[0]) :, : inks[0].shape[1]] = inks[0]
    return Piece(0, 0, both), left


def has_right_cut(piece, left):
    """Return whether some cut of a piece leaves what is left and little else on its left."""
    parts, _ = cut(piece)
    found = np.zeros_like(left)
    for part in parts:
        found[part.top : part.bottom, part.left : part.right] |= part.mask
        if (found & left).sum() > 0.93 * (found | left).sum():
            return True
    return False


def test_cut_of_touching_digits_is_where_they_touch(clear):
    pairs = [touching_pair(clear[one], clear[after]) for one, after in PAIRS]
    assert sum(has_right_cut(*pair) for pair in pairs) > 0.9 * len(pairs)


def test_cut_wide_piece_is_cut_at_more_places_than_a_narrow_one(clear):
    pair, _ = touching_pair(clear[3], clear[5])
    row = Piece(0, 0, np.concatenate([pair.mask] * 3, axis=1))
    assert len(cut(row)[0]) > 1.2 * len(cut(pair)[0])


def test_parted_two_digits_taken_for_one_are_both_read(clear, net):
    right = 0
    for one, after in PAIRS:
        piece, _ = touching_pair(clear[one], clear[after])
        paper = np.pad(piece.mask, 40).astype(np.float32)
        picture = pictures.as_picture(pictures.blend(paper, (255,) * 3, (0,) * 3))
        box = 40, 40, piece.width, piece.height
        taken = NumberDigit(np.zeros((28, 28), np.uint8), box, 0, 0, np.full(10, 0.1, np.float32))
        right += images.parted(picture, Number([taken], []), 0, net).text() == f"{one}{after}"
    assert right >= 0.9 * len(PAIRS)


def test_parted_digit_one_px_wide_raises(net):
    picture = Image.new("RGB", (40, 40), "white")
    picture.paste("black", (20, 10, 21, 30))
    one = NumberDigit(np.zeros((28, 28), np.uint8), (20, 10, 1, 20), 0, 0, np.eye(10)[1])
    number = Number([one], [])
    with pytest.raises(images.ImageError):
        images.parted(picture, number, 0, net)


def test_cut_costs_less_between_two_digits_than_through_one(clear):
    between = [min(cut(touching_pair(clear[3], other)[0])[1]) for other in clear]
    through = [
        min(
            cut(Piece(0, 0, pictures.pen_strokes(one, 60, np.random.default_rng(0), 5) > 0.5))[1],
            default=np.inf,
        )
        for one in clear
    ]
    assert np.median(between) < 0.5 * np.median(through)


def answering(*probabilities):
    """Return a piece, 50 x 60 px, to which the answer is these, the others sharing the rest."""
    answer = np.full(10, (1 - sum(probabilities)) / (10 - len(probabilities)), np.float32)
    answer[: len(probabilities)] = probabilities
    return Scored(Piece(0, 0, np.ones((60, 50), bool)), np.zeros((28, 28), np.uint8), answer)


def test_evidence_of_one_of_two_digits_is_more_than_of_any_of_ten():
    assert answering(0.5, 0.499).evidence > answering(0.5).evidence
    assert answering(0.9).evidence > answering(0.5, 0.499).evidence


@pytest.mark.parametrize(("answer", "kept"), [((0.4,), True), ((0.35, 0.3), True), ((0.2,), False)])
def test_read_lines_unclear_piece_is_left_out_by_its_likeliest_digit_alone(answer, kept):
    unclear = answering(*answer)
    nothing = answering(0.1)
    (path,) = read_lines([[unclear]], lambda pieces: [replace(nothing, piece=p) for p in pieces])
    assert [arc.left_out for arc in path] == [not kept]


@pytest.mark.parametrize(("unsure", "is_print"), [(0, False), (1, False), (2, True), (6, True)])
def test_is_print_small_word_of_which_a_fifth_is_unsure(unsure, is_print):
    letters = [answering(0.6)] * unsure + [answering(0.99)] * (6 - unsure)
    word = [Arc(i, i + 1, one.piece, 0.0, one) for i, one in enumerate(letters)]
    assert _is_print(word, usual=110) == is_print
    assert not _is_print(word, usual=70)


@pytest.mark.parametrize("name", ["5-slashed-0.png", "6-another-0.png"])
def test_read_digits_digit_in_a_strange_style_is_not_cut(name, net):
    assert len(images.read_digits(images.open_picture(PROJECT / "examples" / name), net)) == 1


def test_is_print_digit_beside_dust_is_none():
    digit, dust = answering(0.99), Piece(0, 0, np.ones((11, 12), bool))
    word = [Arc(0, 1, dust, 0.0, left_out=True), Arc(1, 2, digit.piece, 0.0, digit)]
    assert not _is_print(word, usual=110)


def test_read_digits_doubtful_number_is_kept_where_another_look_finds_none(clear, net, monkeypatch):
    picture = page_of(clear[[4, 4]], [(60, 60), (160, 60)], (300, 180))
    read = images.read_digits(picture, net)
    doubtful = Number(
        [replace(one, probabilities=answering(0.6).probabilities) for one in read], []
    )
    looks = iter([doubtful])
    monkeypatch.setattr(reading, "_read", lambda *_: next(looks, Number([], [])))
    assert len(images.read_digits(picture, net)) == 2


@pytest.mark.parametrize("is_cut", [True, False])
@pytest.mark.parametrize(("count", "looked_at"), [(TEXT, True), (TEXT + 1, False)])
def test_read_lines_text_is_neither_cut_nor_joined(clear, is_cut, count, looked_at):
    pair, _ = touching_pair(clear[3], clear[5])
    piece = pair if is_cut else Piece(0, 0, np.ones((60, 22), bool))  # a bar has no place to cut
    letter = replace(answering(0.3, 0.3, 0.3), piece=piece)
    step = piece.width + 5
    text = [replace(letter, piece=replace(piece, left=step * i)) for i in range(count)]
    asked = []

    def score(pieces):
        asked.extend(pieces)
        return [replace(answering(0.1), piece=one) for one in pieces]

    read_lines([text], score)
    assert bool(asked) == looked_at


def test_read_lines_finds_the_path_that_scoring_every_arc_would_with_fewer_looks(
    clear, monkeypatch
):
    monkeypatch.setattr(paths, "DEAREST", 20.0)  # so that there are many arcs
    rng = np.random.default_rng(0)
    pieces = [touching_pair(*clear[rng.integers(0, 10, 2)])[0] for _ in range(6)]
    answers = {}

    def score(some):
        for one in some:
            key = one.left, one.top, one.mask.tobytes()
            if key not in answers:
                answers[key] = rng.dirichlet(np.full(10, 0.1)).astype(np.float32)
        digit = np.zeros((28, 28), np.uint8)
        return [Scored(one, digit, answers[one.left, one.top, one.mask.tobytes()]) for one in some]

    line = [replace(one, left=500 * i) for i, one in enumerate(pieces)]
    line = [replace(answering(0.5, 0.4), piece=one) for one in line]
    (path,) = read_lines([line], score)
    looks = len(answers)
    every = list(paths._arcs(line, paths.line_height(line), is_text=False))
    scored = [
        arc if arc.scored or arc.left_out else replace(arc, scored=score([arc.piece])[0])
        for arc in every
    ]
    best = paths._best_path([arc for arc in scored if not (arc.scored and arc.scored.sign)])
    assert [(arc.start, arc.end, arc.left_out) for arc in path] == [
        (arc.start, arc.end, arc.left_out) for arc in best
    ]
    assert looks < len(answers) / 2


@pytest.mark.parametrize(("chance", "is_sign"), [(0.4, True), (0.8, False)])
def test_sign_what_the_network_reads_as_a_digit_is_no_sign(chance, is_sign):
    plus = np.zeros((40, 40), bool)
    plus[18:22] = plus[:, 18:22] = True
    assert replace(answering(chance), piece=Piece(0, 0, plus)).sign == is_sign


def bar(left, top, height, width=3):
    """Return an upright stroke."""
    return Piece(left, top, np.ones((height, width), bool))


def test_dividers_strokes_beyond_the_digits_on_both_sides():
    first, last = bar(30, 0, 60), bar(90, 0, 60)
    line = [bar(0, 10, 40, 25), first, bar(40, 12, 40, 25), bar(75, 10, 40), last]
    assert dividers([*line, bar(100, 9, 40, 25)]) == [first, last]


@pytest.mark.parametrize("stroke", [bar(30, 0, 52), bar(30, 10, 60), bar(30, 0, 60, 20)])
def test_dividers_one_that_ends_with_its_neighbours_or_is_broad_is_a_digit(stroke):
    assert dividers([bar(0, 10, 40, 25), stroke, bar(60, 10, 40, 25)]) == []


@pytest.mark.parametrize("other", [bar(30, 10, 40), bar(30, 28, 6, 40)])
def test_dividers_stroke_beside_another_or_a_minus_is_a_one(other):
    assert dividers([bar(0, 0, 60), other]) == []


def test_crossness_plus_is_high_and_digits_are_low(clear):
    plus = np.zeros((40, 40), bool)
    plus[18:22] = plus[:, 18:22] = True
    assert crossness(Piece(0, 0, plus)) > 0.9
    for digit in clear:
        left, top, width, height = cv2.boundingRect(digit)
        assert crossness(Piece(0, 0, digit[top : top + height, left : left + width] > 100)) < 0.7


def test_read_digits_taken_sheet_that_cuts_off_a_digit_is_not_preferred(held_out, net):
    picture, text = number_pictures.draw("slanted", *held_out, np.random.default_rng(2324))
    assert images.read_digits(picture, net).text() == text


def test_read_digits_page_full_of_digits_is_read(held_out, net):
    rng = np.random.default_rng(1)
    hand = number_pictures.Hand(*held_out, rng, height=40)
    ink = number_pictures.stacked([hand.row(10, 0.4)[0] for _ in range(10)], 30)
    page = cv2.copyMakeBorder(ink, *[40] * 4, cv2.BORDER_CONSTANT)
    assert 90 < len(images.read_digits(number_pictures.on_photo(page, rng), net)) <= 100
