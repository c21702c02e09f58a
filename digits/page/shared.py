"""What the parts of the page share: the home, the network in service, the visit, small pictures."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import streamlit as st
from PIL import Image
from streamlit.errors import StreamlitAuthError

from digits import feedback, images, model, versions
from digits.durable import DatabaseError
from digits.home import Home
from digits.page import drawing, teachers
from digits.page.password import refusal
from digits.page.visit import Visit

STRIP, STRIP_SIDE = 12, 56  # pictures in a row of small ones, and their px
THUMB_SIDE = 110  # px of a stored correction
REFRESH = 1.0  # s between looks at a running fine-tuning


def home() -> Home:
    """Return where all is kept; the environment may name another in every run of the script."""
    return Home.default()


def password() -> str:
    """Return the password that protects judging and teaching, "" when there is none."""
    return os.environ.get("DIGITS_PASSWORD", "")


def visit() -> Visit:
    """Return what is remembered of this visit."""
    one = st.session_state.setdefault("visit", Visit(home()))
    one.trusted = is_closed() and may_change()
    return one


def serving() -> versions.Serving:
    """Return the network that answers; loaded again only when model.h5 has changed."""
    one = home()
    return one.read_once("serving", [one.model], lambda: versions.serving(one, model.load_serving))


def button(label: str, place: str, action: Callable, *arguments: Any, **look: Any) -> None:
    """Offer an action to who may change things; it runs before the page is drawn again.

    It needs all its arguments. A button that is not shown or disabled can be pressed all the same,
    by a forged message: the right is looked at when it runs.
    """
    look = {"disabled": None in arguments} | look
    st.button(label, key=f"{label}-{place}", on_click=if_allowed, args=(action, *arguments), **look)


def if_allowed(action: Callable, *arguments: Any) -> None:
    """Do what a button says, if the visitor may and all that it needs is there; say why not."""
    try:
        if may_change() and None not in arguments:
            action(*arguments)
    except DatabaseError as error:
        st.toast(str(error), icon=":material/error:", duration="infinite")


def count(n: int, noun: str) -> str:
    """Return `1 picture` or `2 pictures`."""
    return f"{n:,} {noun if n == 1 else f'{noun}s'}"


def show_problem(place: str) -> None:
    """Show what went wrong there since the page was drawn last."""
    if problem := visit().problems.pop(place, None):
        st.error(problem, icon=":material/error:")


def change(action: Callable, done: str, *arguments: Any) -> None:
    """Do something to a stored correction; say so, or why not."""
    try:
        action(home(), *arguments)
    except feedback.StoreError as error:
        st.toast(str(error), icon=":material/error:", duration="infinite")
    else:
        st.toast(done, icon=":material/check_circle:")


def is_closed() -> bool:
    """Return whether only some may change things: who has the password, or signs in."""
    return bool(password()) or teachers.are_set_up()


def may_change() -> bool:
    """Return whether this visitor may judge, correct, fine-tune and roll back."""
    return not is_closed() or st.session_state.get("unlocked", False) or teachers.is_one()


def show_door() -> None:
    """Let in who knows the password or signs in as a teacher; say who is signed in."""
    fault = teachers.fault()
    if is_closed():
        with st.container(horizontal=True, vertical_alignment="bottom"):
            if password() and not may_change():
                label = "Password, to judge and to teach"
                st.text_input(label, type="password", key="password", on_change=let_in)
            if teachers.are_set_up() and not fault:
                show_sign_in()
    if fault:
        st.warning(fault, icon=":material/error:")
    show_problem("password")


def show_sign_in() -> None:
    """Offer to sign in, or say who is signed in and offer to sign out."""
    if teachers.is_signed_in():
        st.markdown(teachers.refusal() or f"Signed in as `{teachers.address()}`.")
        st.button("Sign out", on_click=st.logout)
    elif not may_change():
        for one in teachers.providers():
            label = "Sign in" if one == teachers.DEFAULT else f"Sign in with {one}"
            st.button(label, on_click=sign_in, args=(one,))


def sign_in(provider: str) -> None:
    """Send the visitor to the provider, or say what that lacks."""
    try:
        st.login(provider)
    except StreamlitAuthError as error:
        visit().problems["password"] = " ".join(str(error).split())


def let_in() -> None:
    """Look at the password given, once."""
    given, st.session_state.password = st.session_state.password, ""
    if not given:
        return
    try:
        problem = refusal(home(), given, password())
    except OSError as error:
        problem = f"No try can be counted, so nobody gets in ({error}): make the home writable."
    visit().problems["password"] = problem
    st.session_state.unlocked = not problem


def show_sharp(picture: bytes, side: int, alt: str, caption: str | None = None) -> None:
    """Show a picture with `side` px of the page, and all its own px, for screens that have more.

    Given its width, st.image would shrink it to that many px, and do so in every run.
    """
    with st.container(width=side):
        st.image(picture, caption, width="stretch", alt=alt)


def show_strip(items: Sequence, picture_of: Callable, caption_of: Callable) -> None:
    """Show the first of some items side by side, small: as the two functions return them."""
    with st.container(horizontal=True, gap="small"):
        for item in items[:STRIP]:  # a store may hold thousands: only these are drawn
            caption = caption_of(item)
            show_sharp(picture_of(item), STRIP_SIDE, caption, caption)
    if len(items) > STRIP:
        st.caption(f"and {len(items) - STRIP} more")


@lru_cache(500)  # Streamlit's own takes no name that is no UTF-8
def thumbnail(path: Path) -> bytes:
    """Return a stored picture as a small square, a JPEG file; a grey one where it is damaged."""
    try:
        picture = images.open_picture(path)
    except (images.ImageError, OSError):
        picture = Image.new("RGB", (THUMB_SIDE, THUMB_SIDE), "grey")
    return drawing.squared(picture, 2 * THUMB_SIDE)
