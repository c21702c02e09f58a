"""What the network reads, and whether the person says it is right."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from digits.page import charts, guesses
from digits.page.guesses import Guess
from digits.page.shared import button, may_change, serving, show_problem, show_sharp, visit
from digits.page.visit import NO, NO_DIGIT, VERDICTS, YES, Given, Said

SHOWN_SIDE = 126  # px: two stand side by side on a phone, and in half a card
CARD_SIDE = 84  # px, three to a pixel, where several digits are shown
BARS_HEIGHT = 230  # px, reserved before the bars are there: what stands below must not jump


def show_answer(guess: Guess) -> None:
    """Show one guess with all that is known of it, and ask whether it is right."""
    with st.container(border=True):
        words, question = st.columns(2, gap="medium")
        with words:
            st.header(guess.answer, anchor=False)
            st.write(guess.confidence_in_words)
            show_pictures(guess, SHOWN_SIDE)
        with question:
            ask(guess)
        st.altair_chart(charts.bars(guess.probabilities), height=BARS_HEIGHT, alt=guess.in_words)
        st.caption(f"How likely each digit is, says version {guess.version.short}.")


def show_cards(given: list[Given], found: list[Guess | str]) -> None:
    """Show several answers side by side, each with its own question."""
    columns = st.columns(2)
    for place, (one, guess) in enumerate(zip(given, found, strict=False)):
        with columns[place % 2].container(border=True):
            if isinstance(guess, str):
                st.subheader("No answer", anchor=False)
                st.warning(f"{one.name}: {guess}", icon=":material/search:")
                continue
            st.subheader(guess.answer, anchor=False)
            st.write(guess.confidence_in_words)
            show_pictures(guess, CARD_SIDE)
            ask(guess)


def show_pictures(guess: Guess, side: int) -> None:
    """Show the picture beside what the network sees of it."""
    with st.container(horizontal=True):
        show_sharp(guess.picture_shown, side, f"Your picture, {guess.name}", "Your picture")
        seen = "Its digit, white on black, 28 × 28"
        show_sharp(guess.digit_shown, side, seen, "The network sees")


def offer_answers(read_ones: list[Guess]) -> None:
    """Offer the answers to several pictures as a table to download."""
    said = [visit().said.get(guess.key, Said()) for guess in read_ones]
    rows = [(guess, one.verdict, one.actual) for guess, one in zip(read_ones, said, strict=True)]
    st.download_button(
        "Download the answers",
        guesses.table(rows),
        "answers.csv",
        "text/csv",
        icon=":material/download:",
        on_click="ignore",
    )


def ask(guess: Guess) -> None:
    """Ask whether the guess is right and, if not, for the true digit."""
    key = guess.key
    if said := visit().said.get(key):
        show_thanks(guess, said)
    elif may_change():
        verdict = st.segmented_control(
            "Was it right?", list(VERDICTS), key=f"verdict-{key}", on_change=judge, args=(guess,)
        )
        if verdict == NO:
            actual = st.pills("Which digit is it?", range(10), wrap=True, key=f"actual-{key}")
            button("Store the correction", key, visit().correct, guess, actual, type="primary")
    show_problem(key)


def show_thanks(guess: Guess, said: Said) -> None:
    """Say what was made of the person's answer; let them take it back, or see a new reading."""
    st.success(said.thanks, icon=":material/check_circle:")
    if said.kept:
        st.caption(f"`{Path(said.kept.image).name}`")
    with st.container(horizontal=True):
        version = serving().version
        if version != guess.version:
            label = f"Read it again with {version.short}"
            button(label, guess.key, ask_again, guess, type="primary")
        button("Undo", guess.key, undo, guess, icon=":material/undo:")


def judge(guess: Guess) -> None:
    """Count a verdict that needs no digit (runs before the page is drawn again)."""
    verdict = st.session_state[f"verdict-{guess.key}"]
    if verdict == YES:
        visit().agree(guess)
    elif verdict == NO_DIGIT:
        visit().dismiss(guess)


def ask_again(guess: Guess) -> None:
    """Ask again, of a new reading if another network answers by now; what was stored stays."""
    visit().said.pop(guess.key, None)
    st.session_state[f"verdict-{guess.key}"] = None


def undo(guess: Guess) -> None:
    """Take back what was said of a guess, and ask again."""
    visit().undo(guess)
    if guess.key not in visit().said:
        ask_again(guess)
