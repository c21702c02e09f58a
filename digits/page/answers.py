"""What the network reads, and the one row of buttons with which a person judges it."""

from __future__ import annotations

from html import escape

import streamlit as st

from digits import images
from digits.page import drawing, guesses, number
from digits.page.guesses import Guess, Place
from digits.page.shared import button, count, home, may_change, serving, show_problem, visit
from digits.page.visit import Given, key_of
from digits.versions import receipts

TILES = 200  # sure digits at a time: as many as a picture may have, none a wall of them
OFFERED = 12  # of what was left out of a number: where more was, it is a text
SEEN = 96  # px of its picture, shown at half of that
CARD, TILE = 340, 156  # px: a card holds the row of buttons, two tiles stand side by side on phones


Found = list[list[Guess] | str]  # for each picture the guesses of its digits, or why it has none


def show(found: Found) -> None:
    """Show beside what was given the one answer, numbers, or how many of several are unsure."""
    read = guesses_of(found)
    if not found:
        st.html('<p class="answer waiting">The answer appears here.</p>')
    elif len(found) == 1 and isinstance(found[0], str):
        st.warning(found[0], icon=":material/search:")
    elif not are_several(found):
        show_answer(read[0])
    else:
        for some in numbers_of(found):
            st.html(number.section(some, visit().said))
        if len(found) > 1:
            unsure = sum(not guess.is_sure for guess in read)
            order = "; the unsure ones come first" if unsure else ""
            counts = f"**{len(read) - unsure} sure, {unsure} unsure**"
            st.markdown(f"{counts} of {count(len(read), 'digit')}{order}.")


def guesses_of(found: Found) -> list[Guess]:
    """Return the guesses of all digits found."""
    return [guess for some in found if isinstance(some, list) for guess in some]


def numbers_of(found: Found) -> list[list[Guess]]:
    """Return the guesses of each picture that shows a number, or may do so."""
    return [some for some in found if isinstance(some, list) and some[0].place]


def are_several(found: Found) -> bool:
    """Return whether several pictures were given, or one of a number."""
    return len(found) > 1 or bool(numbers_of(found))


def show_answer(guess: Guess) -> None:
    """Show one guess with the row to judge it."""
    st.html(f'<section class="answer" data-say {named(guess.key)}>{strip(guess)}</section>')
    ask(guess)


def show_several(given: list[Given], found: Found) -> None:
    """Show the guesses that are unsure, the pictures without an answer, then the sure guesses."""
    read_ones = guesses_of(found)
    unsure = [guess for guess in read_ones if not guess.is_sure]
    sure = [guess for guess in read_ones if guess.is_sure]
    with st.container(horizontal=True, gap="small", key="cards"):
        for guess in unsure:
            with st.container(border=True, width=CARD):
                show_answer(guess)
        for some in numbers_of(found):
            show_left_out(some[0])
        for one, problem in zip(given, found, strict=True):
            if isinstance(problem, str):
                with st.container(border=True, width=CARD):
                    st.warning(f"{one.name}: {problem}", icon=":material/search:")
        for guess in sure[:TILES]:
            with st.container(border=True, width=TILE):
                show_tile(guess)
    if more := sure[TILES:]:
        st.caption(f"and {count(len(more), 'more sure digit')}")
    offer_the_rest(found)


def show_tile(guess: Guess) -> None:
    """Show a sure guess small; the row to judge it opens at a tap."""
    seen = drawing.image(guess.digit_shown, f"What the network sees of {escape(guess.name)}")
    st.html(f'<section class="answer tile" {named(guess.key)}>{heading(guess)}{seen}</section>')
    if guess.key in visit().said:
        ask(guess)
    elif may_change():
        key = f"judge-{guess.key}"
        row = st.popover("Judge", width="stretch", key=key, on_change="rerun")
        if row.open:  # a page of digits would have a thousand buttons
            with row:
                ask(guess)


def show_left_out(guess: Guess) -> None:
    """Show what was left out of a guess's number and may be a digit, and offer to read it."""
    assert guess.place is not None
    of = guess.place.number
    for box in dict.fromkeys(of.unread[:OFFERED]):  # two pieces may share a box
        key = key_of(guess.source, box)
        with st.container(border=True, width=TILE):
            left, top, width, height = box
            cut_out = guess.picture.crop((left, top, left + width, top + height))
            seen = drawing.image(drawing.squared(cut_out, SEEN), "What was left out")
            words = "<div><p>left out</p></div>"
            st.html(f'<section class="answer tile left-out" {named(key)}>{words}{seen}</section>')
            arguments = guess, images.included, of.left_out.index(box), serving
            if may_change():
                button("It is a digit", key, visit().regroup, *arguments, width="stretch")


def named(key: str) -> str:
    """Return the attribute by which page.js finds a card."""
    return f'data-digit="{escape(key)}"'


def strip(guess: Guess) -> str:
    """Return the answer, both pictures and the bars as HTML."""
    picture = drawing.image(guess.picture_shown, f"Your picture, {escape(guess.name)}")
    seen = drawing.image(guess.digit_shown, "What the network sees: 28 × 28, white on black")
    return f"{heading(guess)}{picture}{seen}{drawing.bars(guess.probabilities, guess.in_words)}"


def heading(guess: Guess) -> str:
    """Return the answer, its certainty and what an earlier version read, as HTML."""
    change = f"<b>{guess.change}</b>" if guess.change else ""
    place = f"<small>digit {guess.place.index + 1}</small>" if guess.place else ""
    return f"<div>{place}<h2>{guess.answer}</h2><p>{guess.certainty}{change}</p></div>"


def ask(guess: Guess) -> None:
    """Offer the row of judgements, or say what was made of the one given, with its undo."""
    key, said = guess.key, visit().said.get(guess.key)
    if said:
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            waits = said.kept and said.kept.key not in receipts.seen(home())
            told = f"{said.thanks} The next run learns it." if waits else said.thanks
            st.html(f'<p class="said" data-say>✓ {told}</p>', width="content")
            button("Undo", key, visit().undo, key, icon=":material/undo:", type="tertiary")
    elif may_change():
        with st.container(horizontal=True, gap=None, key=f"row-{key}"):
            button("✓ right", key, visit().agree, guess, type="primary")
            for digit in range(10):
                button(f"{digit}", key, visit().correct, guess, digit)
            button("not a digit", key, visit().dismiss, guess)
        if guess.place:
            offer_cuts(guess, guess.place)
    show_problem(key)


def offer_cuts(guess: Guess, place: Place) -> None:
    """Offer to join a digit of a number with the next, or to part it in two."""
    with st.container(horizontal=True, gap="xsmall", key=f"cuts-{guess.key}"):
        if place.index + 1 < len(place.number):
            label = f"Join with digit {place.index + 2}"
            arguments = guess, images.joined, place.index, serving
            button(label, guess.key, visit().regroup, *arguments)
        arguments = guess, images.parted, place.index, serving
        button("Part in two", guess.key, visit().regroup, *arguments)


def offer_the_rest(found: Found) -> None:
    """Offer to agree to all guesses that are not judged, and the answers as a table."""
    said, read_ones = visit().said, guesses_of(found)
    numbers = [(some[0].name, number.text(some, said)) for some in numbers_of(found)]
    left = sum(guess.key not in said for guess in read_ones)
    rows = [
        (guess, *((one.verdict, one.actual) if (one := said.get(guess.key)) else ("", None)))
        for guess in read_ones
    ]
    with st.container(horizontal=True):
        if left and may_change():
            label = "All the rest are right" if left < len(read_ones) else "All are right"
            button(label, "answers", visit().agree_to_all, read_ones, icon=":material/done_all:")
        st.download_button(
            "Download the answers",
            guesses.table(rows, numbers),
            "answers.csv",
            "text/csv",
            icon=":material/download:",
            on_click="ignore",
        )
