"""How the network changed: every run, the way back, where it errs, and when it learns next."""

from __future__ import annotations

import shlex
from pathlib import Path

import numpy as np
import streamlit as st

from digits import model, versions
from digits.jobs import launch, schedule
from digits.page import charts
from digits.page.shared import button, home, may_change, network, show_problem, visit
from digits.rows import TRAIN, is_held_out, read_rows


def show() -> None:
    """Show how the network changed over time, how it errs, and when it learns next."""
    history = [record for record in versions.history(home()) if "accuracy_after" in record]
    if history:
        show_history(history)
    else:
        st.info("The first network answers. Each fine-tuning adds a point to a chart here.")
    show_roll_back()
    show_confusion()
    show_schedule()


def show_history(history: list[dict]) -> None:
    """Show what each run made of held-out digits and of the corrections."""
    st.subheader("Every run so far", anchor=False)
    accuracy, learned = st.columns(2, gap="large")
    alt = "; ".join(f"{one['version']} {one['accuracy_after']:.2%}" for one in history)
    accuracy.altair_chart(charts.accuracy(history), alt=f"Held-out accuracy: {alt}")
    accuracy.caption("Held-out digits read rightly, with the 95 % interval. A cross: refused.")
    alt = "; ".join(f"{one['version']} {one['learned']}/{one['corrections']}" for one in history)
    learned.altair_chart(charts.learned(history), alt=f"Corrections learned: {alt}")
    learned.caption("Corrections read rightly after the run, of all it trained on.")


def show_roll_back() -> None:
    """Offer to put an earlier version back in service."""
    _, version, _ = network()
    names = {name.partition("-")[0]: name for name in versions.kept(home()) if name != version.name}
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
    net, version, _ = network()
    with st.spinner("Reading the held-out digits"):
        matrix = confusion(home(), version.sha256, net)
    errors = int(matrix.sum() - np.trace(matrix))
    st.write(
        f"{version.short} reads {errors} of {matrix.sum():,} held-out digits wrongly. "
        "Each line is a true digit, each column a guess."
    )
    st.table(charts.confusion(matrix))


@st.cache_data(max_entries=4, show_spinner=False)
def confusion(root: Path, sha256: str, _net) -> np.ndarray:
    """Return int (10, 10), true digits by guesses, of the network whose file has this hash."""
    digits, labels = read_rows(root / TRAIN)
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
    if last := schedule.last_run(home()):
        st.write(f"Last run: {last['when']}, exit code {last['code']}. {last['message']}")
    if schedule.overdue(home(), entry):
        check = shlex.join(launch.command(home(), "--check"))
        st.error(
            f"Overdue: its time came and no run ended. Look why: `{check}`", icon=":material/alarm:"
        )
