"""The stored corrections: to look through, to fix, and to carry elsewhere."""

from __future__ import annotations

from collections import Counter

import streamlit as st

from digits import feedback
from digits.feedback.archive import export
from digits.feedback.corrections import Correction
from digits.learning import states
from digits.page.shared import (
    THUMB_SIDE,
    button,
    change,
    count,
    home,
    may_change,
    serving,
    show_sharp,
    thumbnail,
    visit,
)

GALLERY = 24  # stored corrections at a time
SIGNS = ("schedule", "check_circle", "pan_tool", "cancel", "delete")
ICONS = dict(zip(states.STATES, SIGNS, strict=True))


def show() -> None:
    """Show what is stored, to look through, to fix, and to carry elsewhere."""
    stored, warnings = feedback.load(home())
    everything = stored[::-1] + feedback.removed(home())[::-1]
    cards = list(
        zip(everything, states.of_each(home(), everything, serving().version), strict=True)
    )
    counts = Counter(state for _, state in cards)
    state = st.pills(
        "State",
        states.STATES,
        wrap=True,
        key="state",
        bind="query-params",
        format_func=lambda name: f":material/{ICONS[name]}: {name}",
    )
    digit = st.pills("True digit", range(10), wrap=True, key="digit", bind="query-params")
    chosen = [
        card for card in cards if state in (None, card[1]) and digit in (None, card[0].actual)
    ]
    numbers = ", ".join(f"{name} ({counts[name]})" for name in states.STATES if counts[name])
    if cards:
        st.caption(f"{count(len(cards), 'correction')}: {numbers}")
    if not chosen:
        st.info("No corrections match." if cards else "Nothing is stored yet.")
    doubts = states.doubts(home())
    pages = -(-len(chosen) // GALLERY)
    page = st.pagination(pages) if pages > 1 else 1
    with st.container(horizontal=True):
        for one, its_state in chosen[(page - 1) * GALLERY : page * GALLERY]:
            with st.container(width=THUMB_SIDE + 34, border=True):
                show_correction(one, its_state, doubts.get(one.key, ""))
    show_skipped(warnings)
    show_exchange(stored)


def show_correction(one: Correction, state: str, doubt: str) -> None:
    """Show one correction, why it was held back if it was, and what may be done about it."""
    path, place = home().folder / one.image, f"{one.name}-{one.actual}"
    alt = f"A {one.actual}, read as {one.predicted}"
    show_sharp(thumbnail(path), THUMB_SIDE, alt)
    st.markdown(f"**{one.actual}**, read as {one.predicted}")
    times = f", given {one.votes} times" if one.votes > 1 else ""
    st.caption(f":material/{ICONS[state]}: {state}{times}")
    if state == states.HELD_BACK:
        st.caption(doubt)
    if one.removed and may_change():
        button("Restore", place, change, feedback.restore, "Restored.", one)
    elif may_change():
        with st.popover("Change", key=f"change-{place}"):
            actual = st.pills("It is", range(10), wrap=True, key=f"relabel-{place}")
            voice, saved = visit().voice, "Label saved."
            button("Save this label", place, change, feedback.relabel, saved, one, actual, voice)
            vouched = "Vouched for."
            button("Its label is right", place, change, feedback.confirm, vouched, one, voice)
            button("Remove", place, change, feedback.remove, "Removed; it can be restored.", one)


def show_skipped(warnings: list[str]) -> None:
    """Show which rows hold no correction that can be used, and offer to remove them."""
    if not warnings:
        return
    done = "Removed: the row stays in the table, marked."
    with st.expander(f"{count(len(warnings), 'row')} skipped"):
        for warning in warnings[:GALLERY]:
            st.caption(f":material/warning: {warning}")
            if may_change():
                button("Remove this row", warning, change, feedback.discard, done, warning)
        if len(warnings) > GALLERY:
            st.caption(f"and {len(warnings) - GALLERY} more")


def show_exchange(stored: list[Correction]) -> None:
    """Offer all corrections as a zip, and take such a zip."""
    with st.expander("Export and import"):
        st.download_button(
            "Export all as a zip",
            lambda: export(home()).open("rb"),
            "corrections.zip",
            "application/zip",
            disabled=not stored,
            help="The pictures, their table, and their digits as rows in train.csv's layout",
            on_click="ignore",
        )
        if not may_change():
            return
        archive = st.file_uploader("A zip exported here or elsewhere", type="zip")
        if st.button("Import it", disabled=archive is None) and archive:
            so_far = st.empty()  # to say how far it is ends the work of a visitor who has left
            st.success(visit().bring(archive, lambda done: so_far.caption(str(done))))
