"""The page: give it a digit, see the guess, say whether it was right, watch it learn.

    streamlit run app.py

It lays out the parts of the page; each lives in `digits/page/`. TensorFlow stays out of this
process: the network answers without it, and fine-tuning is a process of its own.
Everything is kept in one home: the folder DIGITS_HOME, or else that of this script.
"""

from __future__ import annotations

import gc
from collections.abc import Callable

import streamlit as st

from digits import feedback, model
from digits.page import changes, corrections, frame, learning, lesson, reading
from digits.page.shared import home, serving
from digits.rows import DataError

UNSTYLED = 1  # px of the page until page.css is there: what is not seen yet does not shift
HEAD = 88  # px of its head
COLLECT = 5  # s between full collections of garbage: each halts all visitors for 0.1 s


def main() -> None:
    """Lay out the page."""
    st.set_page_config("Digits that learn", page_icon=frame.ICON)
    with st.container(height=UNSTYLED, border=False, key="page"):
        with st.container(height=HEAD, border=False):  # known before what it holds has come
            st.html(frame.head())
        show_part(show_page)
    st.html(frame.script(), unsafe_allow_javascript=True)
    collect_garbage()


@st.cache_resource(ttl=COLLECT, show_spinner=False)
def collect_garbage() -> None:
    """Free what visitors who left have left: pictures in cycles, which Python rarely looks for.

    Streamlit would do so after every run of any visitor's; .streamlit/config.toml tells it not to.
    """
    gc.collect()


def show_part(show: Callable[[], None]) -> None:
    """Show a part of the page, or in its place why it cannot be: the others do without."""
    try:
        show()
    except (model.ModelError, feedback.StoreError, DataError, OSError) as error:
        st.error(str(error), icon=":material/error:")


def show_page() -> None:
    """Show the parts of the page, also while the database of the home is gone."""
    with home().at_hand() as gone:
        if gone:
            st.error(f"{gone} Digits are read all the same.", icon=":material/cloud_off:")
        else:
            show_part(frame.fill_home)
        show_tabs()
        frame.show_switches()
        serving()  # says at once when model.h5 cannot serve


def show_tabs() -> None:
    """Show the parts of the page, each behind its tab."""
    loop, stored, networks, classroom = st.tabs(
        ["Read and learn", "Corrections", "Versions", "Lesson"],
        on_change="rerun",
        key="part",
        bind="query-params",
    )
    with loop:  # drawn even behind another tab: else its uploads would be forgotten
        show_part(reading.show)
        show_part(learning.show)
    for tab, part in ((stored, corrections), (networks, changes), (classroom, lesson)):
        if tab.open:
            with tab:
                show_part(part.show)


main()
