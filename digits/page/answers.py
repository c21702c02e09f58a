"""What the network reads, and the one row of buttons with which a person judges it."""

from __future__ import annotations

from html import escape

import streamlit as st

from digits.page import drawing, guesses
from digits.page.guesses import Guess
from digits.page.shared import button, count, may_change, show_problem, visit
from digits.page.visit import Given

CARD, TILE = 340, 156  # px: a card holds the row of buttons, two tiles stand side by side on phones


def show(found: list[Guess | str]) -> None:
    """Show beside what was given the one answer, or how many of several are unsure."""
    if not found:
        st.html('<p class="answer waiting">The answer appears here.</p>')
    elif len(found) > 1:
        sure = [guess.is_sure for guess in found if isinstance(guess, Guess)]
        numbers = f"**{sum(sure)} sure, {len(sure) - sum(sure)} unsure**"
        st.markdown(f"{numbers} of {count(len(found), 'picture')}; the unsure ones come first.")
    elif isinstance(found[0], Guess):
        show_answer(found[0])
    else:
        st.warning(found[0], icon=":material/search:")


def show_answer(guess: Guess) -> None:
    """Show one guess with the row to judge it."""
    st.html(f'<section class="answer" data-say>{strip(guess)}</section>')
    ask(guess)


def show_several(given: list[Given], found: list[Guess | str]) -> None:
    """Show the guesses that are unsure, the pictures without an answer, then the sure guesses.

    found: for each picture its guess, or why there is none.
    """
    read_ones = [guess for guess in found if isinstance(guess, Guess)]
    unsure = [guess for guess in read_ones if not guess.is_sure]
    sure = [guess for guess in read_ones if guess.is_sure]
    with st.container(horizontal=True, gap="small", key="cards"):
        for guess in unsure:
            with st.container(border=True, width=CARD):
                show_answer(guess)
        for one, problem in zip(given, found, strict=True):
            if isinstance(problem, str):
                with st.container(border=True, width=CARD):
                    st.warning(f"{one.name}: {problem}", icon=":material/search:")
        for guess in sure:
            with st.container(border=True, width=TILE):
                show_tile(guess)
    offer_the_rest(read_ones)


def show_tile(guess: Guess) -> None:
    """Show a sure guess small; the row to judge it opens at a tap."""
    seen = drawing.image(guess.digit_shown, f"What the network sees of {escape(guess.name)}")
    st.html(f'<section class="answer tile">{heading(guess)}{seen}</section>')
    if guess.key in visit().said:
        ask(guess)
    elif may_change():
        with st.popover("Judge", width="stretch"):
            ask(guess)


def strip(guess: Guess) -> str:
    """Return the answer, both pictures and the bars as HTML."""
    picture = drawing.image(guess.picture_shown, f"Your picture, {escape(guess.name)}")
    seen = drawing.image(guess.digit_shown, "What the network sees: 28 × 28, white on black")
    return f"{heading(guess)}{picture}{seen}{drawing.bars(guess.probabilities, guess.in_words)}"


def heading(guess: Guess) -> str:
    """Return the answer, its certainty and what an earlier version read, as HTML."""
    change = f"<b>{guess.change}</b>" if guess.change else ""
    return f"<div><h2>{guess.answer}</h2><p>{guess.certainty}{change}</p></div>"


def ask(guess: Guess) -> None:
    """Offer the row of judgements, or say what was made of the one given, with its undo."""
    key, said = guess.key, visit().said.get(guess.key)
    if said:
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.html(f'<p class="said" data-say>✓ {said.thanks}</p>', width="content")
            button("Undo", key, visit().undo, key, icon=":material/undo:", type="tertiary")
    elif may_change():
        with st.container(horizontal=True, gap=None, key=f"row-{key}"):
            button("✓ right", key, visit().agree, guess, type="primary")
            for digit in range(10):
                button(f"{digit}", key, visit().correct, guess, digit)
            button("not a digit", key, visit().dismiss, guess)
    show_problem(key)


def offer_the_rest(read_ones: list[Guess]) -> None:
    """Offer to agree to all guesses that are not judged, and the answers as a table."""
    said = visit().said
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
            guesses.table(rows),
            "answers.csv",
            "text/csv",
            icon=":material/download:",
            on_click="ignore",
        )
