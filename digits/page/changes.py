"""How the network changed: every run, the way back, where it errs, and when it learns next."""

from __future__ import annotations

import shlex
from typing import Any

import numpy as np
import streamlit as st

from digits import model, versions
from digits.home import Home
from digits.jobs import launch, schedule
from digits.page import drawing
from digits.page.shared import button, home, may_change, serving, show_problem, visit
from digits.rows import is_held_out, read_rows


def show() -> None:
    """Show how the network changed over time, how it errs, and when it learns next."""
    if runs := versions.runs(home()):
        show_history(runs)
    else:
        st.info("The first network answers. Each fine-tuning adds a line to a table here.")
    show_roll_back()
    show_confusion()
    show_schedule()


def show_history(runs: drawing.Runs) -> None:
    """Show what each run made of held-out digits and of the corrections."""
    st.header("Every run so far", anchor=False)
    st.html(drawing.history(runs))
    st.caption(
        "Old digits: those never trained on that are classified correctly, with the 95 % interval."
    )


def show_roll_back() -> None:
    """Offer to put an earlier version back in service."""
    serves = serving().version.name
    names = {versions.short_name(name): name for name in versions.kept(home()) if name != serves}
    if not names or not may_change():
        return
    st.header("Go back", anchor=False)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        short = st.selectbox("An earlier version", list(names)[::-1], width=200)
        with st.popover("Roll back"):
            st.write(f"{short} will answer from now on. Nothing is lost.")
            button(f"Put {short} back", "versions", roll_back, names[short], type="primary")
    show_problem("versions")


def roll_back(name: str) -> None:
    """Put a version back in service, or note why not."""
    if problem := launch.roll_back(home(), name):
        visit().problems["versions"] = problem


def show_confusion() -> None:
    """Show on demand which held-out digits the current version takes for which others."""
    st.header("Where it errs", anchor=False)
    if not st.toggle("Read all held-out digits now"):
        return
    now = serving()
    with st.spinner("Reading the held-out digits"):
        matrix = confusion(str(home()), now.version.sha256, now.net)
    errors = int(matrix.sum() - np.trace(matrix))
    st.write(f"{now.version.short} misclassifies {errors} of {matrix.sum():,} held-out digits.")
    st.html(drawing.confusion(matrix))


@st.cache_data(max_entries=4, show_spinner=False)
def confusion(folder: str, sha256: str, _net: Any) -> np.ndarray:
    """Return int (10, 10), true digits by guesses, of the network whose file has this hash."""
    digits, labels = read_rows(Home.at(folder).train)
    apart = is_held_out(digits)
    guessed = model.predict(_net, digits[apart]).argmax(axis=1)
    return np.bincount(labels[apart] * 10 + guessed, minlength=100).reshape(10, 10)


def show_schedule() -> None:
    """Say when it learns by itself, and how to make it."""
    st.header("Learning at night", anchor=False)
    try:
        entry = schedule.current(home())
    except schedule.ScheduleError as error:
        st.warning(str(error), icon=":material/error:")
        return
    if entry is None:
        st.write(
            "It learns only at the press of the button. To learn every night at two, run once:"
        )
        st.code(schedule.install_command(home()), language=None, wrap_lines=True)
        return
    st.write(f"Next run: **{entry.next_run():%d %B %Y, %H:%M}** (`{entry.expression}`).")
    last = schedule.remembered(home())
    if last.when:
        st.write(f"Last run: {last.when}, exit code {last.code}. {last.message}")
    if schedule.overdue(home(), entry):
        check = shlex.join(launch.command(home(), "--check"))
        st.error(
            f"Overdue: its time came and no run ended. Look why: `{check}`", icon=":material/alarm:"
        )
