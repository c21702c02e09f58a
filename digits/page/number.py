"""A number as a person meets it: its digits in a row, and where each stands in the picture."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

from digits.page import drawing
from digits.page.guesses import Guess
from digits.page.visit import NO_DIGIT, Said, key_of

PICTURE_SIDE = 720  # px of the picture's longer side, for screens that show two to a point
LONG = 20  # digits: more are read like a page, in small type under a picture as wide as may be


def section(guesses: list[Guess], said: Mapping[str, Said]) -> str:
    """Return a number and its picture, with a numbered box around each digit, as HTML.

    What was left out is framed in grey. guesses: its digits in reading order. said: what was said
    of some, by their keys; a digit that was corrected counts as what it is, and one that is none
    is left out.
    """
    place = guesses[0].place
    assert place is not None
    whole = place.number
    unsure = [i for i, guess in enumerate(guesses, 1) if not guess.is_sure]
    told = f"Unsure: {', '.join(f'digit {i}' for i in unsure)}" if unsure else "All sure"
    if whole.unread:
        told += f". Left out, in grey: {len(whole.unread)} that may be a digit"
    marks = ["" if guess.is_sure else "?" for guess in guesses]
    keys = [guess.key for guess in guesses]
    boxes = list(zip((one.box for one in whole), marks, keys, strict=True))
    source = guesses[0].source
    others = [(box, key_of(source, box) if box in whole.unread else "") for box in whole.left_out]
    alt = f"{escape(guesses[0].name)}, a box around each of {len(guesses)} digits"
    picture = drawing.boxed(guesses[0].picture, boxes, others, PICTURE_SIDE, alt)
    length = "long" if len(guesses) > LONG else ""
    lines = text(guesses, said).replace(" / ", "<br>")
    return (
        f'<section class="answer number {length}" data-say><div><h2>{lines}</h2>'
        f"<p>{told}</p></div>{picture}</section>"
    )


def text(guesses: list[Guess], said: Mapping[str, Said]) -> str:
    """Return the number as `0 171 555`, lines parted by ` / `; said: as in `section`."""
    groups: dict[tuple[int, int], str] = {}
    for guess in guesses:
        if guess.place is None:
            continue
        one, answer = guess.place.number[guess.place.index], said.get(guess.key)
        left_out = answer is not None and answer.verdict == NO_DIGIT
        label = guess.label if answer is None or answer.actual is None else answer.actual
        spot = one.line, one.group
        groups[spot] = groups.get(spot, "") + ("" if left_out else str(label))
    lines: dict[int, list[str]] = {}
    for (line, _), group in groups.items():
        lines.setdefault(line, []).append(group)
    return " / ".join(" ".join(filter(None, line)) for line in lines.values())
