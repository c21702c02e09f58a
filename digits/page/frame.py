"""What stands around the parts of the page: its head, its styles, its script."""

from __future__ import annotations

from pathlib import Path

import streamlit as st
from PIL import Image

from digits.home import PROJECT
from digits.page import drawing
from digits.page.shared import home

FILES = Path(__file__).resolve().parent
ICON = str(FILES / "icon.svg")  # for a name of an icon the browser would ask Google
BANNER = 640  # px: shown at half of that


@st.cache_data
def head() -> str:
    """Return the styles and the head of the page as HTML."""
    with Image.open(PROJECT / "num.png") as picture:
        banner = drawing.image(drawing.shrunk(picture, BANNER), "Ten handwritten digits, 0 to 9")
    words = "Give it a handwritten digit. Tell it when it is wrong: the network learns."
    return (
        f"<style>{(FILES / 'page.css').read_text('utf-8')}</style>"
        f'<div class="head"><div><h1>Which digit is it?</h1><p>{words}</p></div>{banner}</div>'
    )


@st.cache_data
def presenter_style() -> str:
    """Return what makes the page large, for a projector, as HTML."""
    return f"<style>{(FILES / 'presenter.css').read_text('utf-8')}</style>"


@st.cache_data
def script() -> str:
    """Return what runs in the browser beside Streamlit, as HTML."""
    return f"<script>{(FILES / 'page.js').read_text('utf-8')}</script>"


def show_switches() -> None:
    """Offer what changes the page for one visitor; the address keeps it."""
    with st.container(horizontal=True):
        large = "For a projector"
        if st.toggle("Presenter mode", key="present", bind="query-params", help=large):
            st.html(presenter_style())
        keys = "Enter agrees with the answer opened, or else the first; a digit's key corrects it"
        st.toggle("Judge by keys", True, key="keys", bind="query-params", help=keys)  # see page.js


def fill_home() -> None:
    """Give an empty home what is shipped, and say so."""
    if filled := home().fill():
        st.info(filled)
