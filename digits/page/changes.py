"""How the network changed: every run, the way back, where it errs, and when it learns next."""

from __future__ import annotations

import shlex
from typing import Any

import numpy as np
import streamlit as st

from digits import model, versions
from digits.home import Home
from digits.jobs import launch, schedule
from digits.page import charts
from digits.page.shared import button, home, may_change, serving, show_problem, visit
from digits.rows import is_held_out, read_rows


def show() -> None:
    """Show how the network changed over time, how it errs, and when it learns next."""
    if runs := versions.runs(home()):
        show_history(runs)
    else:
        st.info("The first network answers. Each fine-tuning adds a point to a chart here.")
    show_roll_back()
    show_confusion()
    show_schedule()


def show_history(runs: charts.Runs) -> None:
    """Show what each run made of held-out digits and of the corrections."""
    st.subheader("Every run so far", anchor=False)
    accuracy, learned = st.columns(2, gap="large")
    alt = "; ".join(f"{one.version} {run.accuracy_after:.2%}" for one, run in runs)
    accuracy.altair_chart(charts.accuracy(runs), alt=f"Held-out accuracy: {alt}")
    accuracy.caption(
        "Held-out digits classified correctly, with the 95 % interval. A cross: refused."
    )
    alt = "; ".join(f"{one.version} {run.learned}/{run.corrections}" for one, run in runs)
    learned.altair_chart(charts.learned(runs), alt=f"Corrections learned: {alt}")
    learned.caption("Corrections classified correctly after the run, of all it trained on.")


def show_roll_back() -> None:
    """Offer to put an earlier version back in service."""
    serves = serving().version.name
    names = {versions.short_name(name): name for name in versions.kept(home()) if name != serves}
    if not names or not may_change():
        return
    st.subheader("Go back", anchor=False)
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
    st.subheader("Where it errs", anchor=False)
    if not st.toggle("Read all held-out digits now"):
        return
    now = serving()
    with st.spinner("Reading the held-out digits"):
        matrix = confusion(str(home()), now.version.sha256, now.net)
    errors = int(matrix.sum() - np.trace(matrix))
    st.write(
        f"{now.version.short} misclassifies {errors} of {matrix.sum():,} held-out digits. "
        "Each line is a true digit, each column a guess."
    )
    st.table(charts.confusion(matrix))


@st.cache_data(max_entries=4, show_spinner=False)
def confusion(folder: str, sha256: str, _net: Any) -> np.ndarray:
    """Return int (10, 10), true digits by guesses, of the network whose file has this hash."""
    digits, labels = read_rows(Home.at(folder).train)
    apart = is_held_out(digits)
    guessed = model.predict(_net, digits[apart]).argmax(axis=1)
    return np.bincount(labels[apart] * 10 + guessed, minlength=100).reshape(10, 10)


def show_schedule() -> None:
    """Say when it learns by itself, and how to make it."""
    st.subheader("Learning at night", anchor=False)
    try:
        entry = schedule.current(home())
    except schedule.ScheduleError as error:
        st.warning(str(error), icon=":material/error:")
        return
    if entry is None:
        st.write(
            "It learns only at the press of the button. To learn every night at two, run once:"
        )
        st.code(schedule.install_command(home()), language="sh", wrap_lines=True)
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
