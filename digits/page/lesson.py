"""The lesson: switch a guard off, and see what breaks, in a copy."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import streamlit as st
from PIL import Image

from digits.home import Home
from digits.jobs import progress
from digits.learning.run import SWITCHES
from digits.page import drawing, sandbox
from digits.page.learning import before_and_after, is_running, show_progress
from digits.page.shared import REFRESH, STRIP_SIDE, button, home, may_change, serving, show_strip

STARTING = threading.Lock()


def show() -> None:
    """Offer to switch off what keeps the loop sound, and show what breaks in a copy."""
    st.header("What breaks without it?", anchor=False)
    st.write("Switch a guard off and look. The network that answers stays as it is.")
    off = [
        name
        for name, sentence in sandbox.GUARDS.items()
        if not st.toggle(f"**{name.capitalize()}**: {sentence}", value=True)
    ]
    if "centring" in off:
        show_uncentred()
    running = any(one.is_alive() for one in experiments(str(home())))
    switches = [name for name in off if name in SWITCHES]
    button(
        "Try it in a sandbox",
        "lesson",
        start_experiment,
        switches,
        type="primary",
        icon=":material/science:",
        disabled=running or is_running() or not may_change() or (bool(off) and not switches),
        help="A real fine-tuning of a copy that is deleted afterwards; centring needs no run.",
    )
    st.fragment(show_experiment, run_every=REFRESH if running else None)(running)


def show_uncentred() -> None:
    """Show how digits off the middle are read with centring and without."""
    now = serving()
    readings = read_pages(str(home()), now.version.sha256, now.net)
    st.write(readings.in_words)
    pages, labels, plain = readings.pages, readings.labels, readings.plain
    wrong = np.flatnonzero(plain != labels).tolist()
    show_strip(
        wrong,
        lambda i: drawing.squared(Image.fromarray(pages[i]), 2 * STRIP_SIDE),
        lambda i: f"✗ {labels[i]} → {plain[i]}",
    )


@st.cache_data(max_entries=1, show_spinner="Reading held-out digits both ways")
def read_pages(folder: str, sha256: str, _net: Any) -> sandbox.Readings:
    """Return the readings of the network whose file has this hash."""
    return sandbox.read_pages(Home.at(folder), _net)


@st.cache_resource
def experiments(folder: str) -> list[sandbox.Experiment]:
    """Return the last experiment that this server has started, for all its visitors."""
    return []


def start_experiment(without: list[str]) -> None:
    """Start an experiment, but not two at once."""
    with STARTING:  # of many who press at once, one
        if not any(one.is_alive() for one in experiments(str(home()))):
            experiments(str(home()))[:] = [sandbox.Experiment(home(), without)]


def show_experiment(was_running: bool) -> None:
    """Show the progress of the experiment, or what came of the last."""
    for one in experiments(str(home())):
        if one.is_alive() != was_running:
            st.rerun()
        if was_running:
            status = progress.read(one.sandbox)
            show_progress(status, bool(status.state))
            return
        off = " and ".join(one.without) or "nothing"
        st.info(f"In the sandbox, with {off} switched off: {one.says}")
        st.write(one.in_words)
        show_strip(
            one.lost, lambda flip: drawing.enlarged(flip.digit, 2 * STRIP_SIDE), before_and_after
        )
