"""The page: give it a digit, see the guess, say whether it was right, watch it learn.

    streamlit run app.py

It lays out the parts of the page; each lives in `digits/page/`. TensorFlow stays out of this
process: the network answers without it, and fine-tuning is a process of its own.
Everything is kept in one home: the folder DIGITS_HOME, or else that of this script.
"""

from __future__ import annotations

import gc

import streamlit as st
from PIL import Image

from digits import feedback, model
from digits.home import PROJECT
from digits.page import changes, corrections, drawing, learning, lesson, reading
from digits.page.shared import serving
from digits.rows import DataError

PARTS = PROJECT / "digits" / "page"
WIDTH = 1080  # px of the page at most: two columns side by side, lines still readable
HEAD = 88  # px of its head
BANNER = 640  # px: shown at half of that
COLLECT = 5  # s between full collections of garbage: each halts all visitors for 0.1 s


def main() -> None:
    """Lay out the page."""
    st.set_page_config("Digits that learn", page_icon=":material/draw:", layout="wide")
    with st.container(horizontal_alignment="center"), st.container(width=WIDTH, key="page"):
        with st.container(height=HEAD, border=False):  # known before what it holds has come
            st.html(head())
        try:
            show_page()
        except (model.ModelError, feedback.StoreError, DataError) as error:
            st.error(str(error), icon=":material/error:")
    st.html(f"<script>{script()}</script>", unsafe_allow_javascript=True)
    collect_garbage()


@st.cache_resource(ttl=COLLECT, show_spinner=False)
def collect_garbage() -> None:
    """Free what visitors who left have left: pictures in cycles, which Python rarely looks for.

    Streamlit would do so after every run of any visitor's; .streamlit/config.toml tells it not to.
    """
    gc.collect()


@st.cache_data
def head() -> str:
    """Return the styles and the head of the page as HTML."""
    with Image.open(PROJECT / "num.png") as picture:
        banner = drawing.image(drawing.shrunk(picture, BANNER), "Ten handwritten digits, 0 to 9")
    style = (PARTS / "page.css").read_text("utf-8")
    words = "Give it a handwritten digit. Tell it when it is wrong: the network learns."
    return (
        f"<style>{style}</style>"
        f'<div class="head"><div><h1>Which digit is it?</h1><p>{words}</p></div>{banner}</div>'
    )


@st.cache_data
def script() -> str:
    """Return what runs in the browser beside Streamlit."""
    return (PARTS / "page.js").read_text("utf-8")


def show_page() -> None:
    """Show the parts of the page, each behind its tab."""
    loop, stored, networks, classroom = st.tabs(
        ["Read and learn", "Corrections", "Versions", "Lesson"],
        on_change="rerun",
        key="part",
        bind="query-params",
    )
    with loop:  # drawn even behind another tab: else its uploads would be forgotten
        reading.show()
        learning.show()
    for tab, part in ((stored, corrections), (networks, changes), (classroom, lesson)):
        if tab.open:
            with tab:
                part.show()
    if st.toggle("Presenter mode", key="present", bind="query-params", help="For a projector"):
        st.html(f"<style>{(PARTS / 'presenter.css').read_text('utf-8')}</style>")
    serving()  # says at once when model.h5 cannot serve


main()
