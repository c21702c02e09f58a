"""How the network changed: every run, the way back, where it errs, and when it learns next."""

from __future__ import annotations

import os
import shlex
from typing import Any

import numpy as np
import streamlit as st

from digits import model, versions
from digits.home import Home
from digits.jobs import launch, schedule
from digits.page import drawing
from digits.page.shared import (
    STRIP_SIDE,
    button,
    home,
    may_change,
    serving,
    show_problem,
    show_strip,
    visit,
)
from digits.rows import is_held_out, read_rows


def show() -> None:
    """Show how the network changed over time, how it errs, and when it learns next."""
    if runs := versions.runs(home()):
        show_history(runs)
    elif (path := home().history).exists() and not os.access(path, os.R_OK, effective_ids=True):
        sentence = f"{path}: permission denied, so no run is known."
        st.warning(sentence, icon=":material/error:")
    else:
        st.info("The first network answers. Each fine-tuning adds a line to a table here.")
    show_kept()
    show_confusion()
    show_schedule()


def show_history(runs: drawing.Runs) -> None:
    """Show what each run made of held-out digits and of the corrections."""
    st.header("Every run so far", anchor=False)
    st.html(drawing.history(runs))
    st.caption(
        "Old digits: those never trained on that are classified correctly, with the 95 % interval."
    )


def show_kept() -> None:
    """Offer the networks kept: to download, and to put back in service."""
    serves = serving().version
    st.header("Networks", anchor=False)
    st.download_button(
        f"Download model.h5 ({serves.short})",
        home().model.read_bytes,
        "model.h5",
        icon=":material/download:",
        on_click="ignore",
    )
    names = {versions.short_name(name): name for name in versions.kept(home())}
    names.pop(serves.short, None)
    if not names:
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        short = st.selectbox("Another version", list(names)[::-1], width=160)
        path = home().versions / f"{names[short]}.h5"
        st.download_button(
            f"Download {short}",
            path.read_bytes,
            path.name,
            icon=":material/download:",
            on_click="ignore",
        )
        if may_change():
            button(f"Put {short} in service", "versions", put_back, names[short])
            offer_start_over(next(iter(names.values())), serves)
    show_problem("versions")


def offer_start_over(first: str, serves: versions.Version) -> None:
    """Offer, with one confirmation, to put the first network kept back in service."""
    with st.popover("Start over", key=f"start-over-{serves.name}"):  # another one closes it
        st.write("The first network will answer. Corrections and later versions are kept.")
        button("Start over from the first network", "versions", put_back, first, type="primary")


def put_back(name: str) -> None:
    """Put a version back in service and say so, or note why not."""
    if problem := launch.roll_back(home(), name):
        visit().problems["versions"] = problem
    else:
        st.toast(f"{versions.short_name(name)} answers now.", icon=":material/check_circle:")


def show_confusion() -> None:
    """Show on demand which held-out digits the current version takes for which others."""
    st.header("Where it errs", anchor=False)
    if not st.toggle("Read all held-out digits now"):
        return
    now = serving()
    with st.spinner("Reading the held-out digits"):
        digits, labels, guesses = read_held_out(str(home()), now.version.sha256, now.net)
    matrix = np.bincount(labels * 10 + guesses, minlength=100).reshape(10, 10)
    errors = int(matrix.sum() - np.trace(matrix))
    st.write(f"{now.version.short} misclassifies {errors} of {matrix.sum():,} held-out digits.")
    st.html(drawing.confusion(matrix))
    cells = [(i, j) for i, j in np.argwhere(matrix).tolist() if i != j]
    cells.sort(key=lambda cell: -matrix[cell])
    cell = st.pills(
        "Look at those misread",
        cells,
        format_func=lambda cell: f"{cell[0]} → {cell[1]} ({matrix[cell]})",
        key="misread",
    )
    if cell:
        chosen = np.flatnonzero((labels == cell[0]) & (guesses == cell[1])).tolist()
        show_strip(
            chosen,
            lambda i: drawing.enlarged(digits[i], 2 * STRIP_SIDE),
            lambda i: f"✗ {labels[i]} → {guesses[i]}",
        )


@st.cache_data(max_entries=4, show_spinner=False)
def read_held_out(folder: str, sha256: str, _net: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the held-out digits, their labels, and the guesses of the network with this hash."""
    digits, labels = read_rows(Home.at(folder).train)
    apart = is_held_out(digits)
    return digits[apart], labels[apart], model.predict(_net, digits[apart]).argmax(axis=1)


def show_schedule() -> None:
    """Say when it learns by itself, and how to make it."""
    st.header("Learning at night", anchor=False)
    try:
        entry = schedule.current(home())
    except schedule.ScheduleError as error:
        st.warning(str(error), icon=":material/error:")
        return
    if entry is None:
        st.write("It learns only at the press of the button.")
        if may_change():
            st.write("To learn every night at two, run once:")
            st.code(schedule.install_command(home()), language=None, wrap_lines=True)
        return
    st.write(f"Next run: **{entry.next_run():%d %B %Y, %H:%M}** (`{entry.expression}`).")
    last = schedule.remembered(home())
    if last.when:
        st.write(f"Last run: {last.when}, exit code {last.code}. {last.message}")
    if schedule.overdue(home(), entry):
        check = shlex.join(launch.command(home(), "--check"))
        why = f" Look why: `{check}`" if may_change() else ""
        st.error(f"Overdue: its time came and no run ended.{why}", icon=":material/alarm:")
