"""The page: give it a digit, see the guess, say whether it was right, watch it learn.

    streamlit run app.py

It lays out the parts of the page; each lives in `digits/page/`. TensorFlow stays out of this
process: the network answers without it, and fine-tuning is a process of its own.
Everything is kept in one home: DIGITS_HOME, or else the folder of this script.
"""

from __future__ import annotations

import gc

import streamlit as st
from PIL import Image

from digits import feedback, model
from digits.home import PROJECT
from digits.page import changes, charts, corrections, learning, lesson, reading
from digits.page.shared import serving
from digits.rows import DataError

WIDTH = 1080  # px of the page at most: answer and learning side by side, lines still readable
COLLECT = 5  # s between full collections of garbage: each halts all visitors for 0.1 s


def main() -> None:
    """Lay out the page."""
    st.set_page_config("Digits that learn", page_icon=":material/draw:", layout="wide")
    with st.container(horizontal_alignment="center"), st.container(width=WIDTH):
        try:
            show_page()
        except (model.ModelError, feedback.StoreError, DataError) as error:
            st.error(str(error), icon=":material/error:")
    collect_garbage()


@st.cache_resource(ttl=COLLECT, show_spinner=False)
def collect_garbage() -> None:
    """Free what visitors who left have left: pictures in cycles, which Python rarely looks for.

    Streamlit would do so after every run of any visitor's; .streamlit/config.toml tells it not to.
    """
    gc.collect()


def show_page() -> None:
    """Show the head, and below it the parts of the page."""
    words, banner = st.columns([3, 2], vertical_alignment="center")
    with words:
        st.title("Which digit is it?", anchor=False)
        st.write("Give it a handwritten digit. Tell it when it is wrong: the network learns.")
    banner.image(num(), width="stretch", alt="Ten handwritten digits, 0 to 9")
    loop, stored, networks, classroom = st.tabs(
        ["Read and learn", "Corrections", "Versions", "Lesson"], on_change="rerun", key="part"
    )
    with loop:  # drawn even behind another tab: else its uploads would be forgotten
        left, right = st.columns([5, 3], gap="large")
        with left:
            reading.show()
        with right:
            learning.show()
    if stored.open:
        with stored:
            corrections.show()
    if networks.open:
        with networks:
            changes.show()
    if classroom.open:
        with classroom:
            lesson.show()
    serving()  # says at once when model.h5 cannot serve


@st.cache_data
def num() -> bytes:
    """Return the picture at the head of the page, as wide as a fine screen shows it."""
    with Image.open(PROJECT / "num.png") as picture:
        return charts.shrunk(picture, WIDTH)


main()
