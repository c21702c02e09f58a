"""Learning from mistakes: what waits, the button, the run in progress, the last run's receipt."""

from __future__ import annotations

import time
from collections import Counter
from contextlib import suppress
from datetime import datetime

import streamlit as st

from digits import feedback, metrics, model
from digits.feedback import verdicts
from digits.jobs import launch, progress
from digits.page import charts
from digits.page.shared import (
    REFRESH,
    STRIP_SIDE,
    ask_password,
    button,
    home,
    may_change,
    serving,
    show_problem,
    show_strip,
    thumbnail,
    visit,
)
from digits.versions import receipts
from digits.versions.receipts import Flip, Line

WARNINGS = 5  # of the store, shown; `finetuning.py` prints all
PAUSE = 30  # s from one run to the next from the button: nobody can keep the machine busy
IDLE_REFRESH = 5.0  # s between looks for one that cron or another visitor starts


def show() -> None:
    """Show what waits to be learned, the button, and how the run in progress or the last went."""
    st.subheader("Learning from mistakes", anchor=False)
    stored, warnings = feedback.load(home())
    seen = receipts.seen(home())
    waiting = [one for one in stored[::-1] if one.key not in seen]
    st.write(f"**{len(waiting)}** corrections wait to be learned, of {len(stored)} stored.")
    show_strip(
        waiting,
        lambda one: thumbnail(home().folder / one.image),
        lambda one: f"{one.predicted} → {one.actual}",
    )
    for warning in warnings[:WARNINGS]:
        st.caption(f":material/warning: {warning}")
    running = is_running()
    button(
        "Run Fine-tuning",
        "learning",
        start_run,
        type="primary" if waiting else "secondary",
        icon=":material/school:",
        disabled=running or not may_change(),
        help="Trains on the corrections and on old digits, and replaces model.h5 only if the "
        "result is no worse on digits it has never seen.",
    )
    if not may_change():
        ask_password()
    show_problem("learning")
    st.fragment(show_run, run_every=REFRESH if running else IDLE_REFRESH)(running)
    if not running:
        show_receipt()
    show_live_accuracy()
    show_version()


def show_version() -> None:
    """Say which network answers, since when, and why if it stands in for `model.h5`."""
    try:
        now = serving()
    except model.ModelError:  # said at the end of the page, which is of use without a network too
        return
    since = datetime.fromisoformat(now.version.since).strftime("%d %B %Y, %H:%M")
    st.caption(f"Version **{now.version.short}** answers, in service since {since} UTC.")
    if now.problem:
        st.warning(now.problem, icon=":material/healing:")


def show_live_accuracy() -> None:
    """Say how often visitors found the guesses right, and how many they looked at."""
    tally = verdicts.live_accuracy(home())
    digits = tally.right + tally.wrong
    if digits:
        low, high = metrics.wilson(tally.right, digits)
        st.caption(
            f"Visitors judged {tally.judged} of the last {tally.shown} guesses: of {digits} digits "
            f"{tally.right} were right, {tally.right / digits:.0%} [{low:.0%}, {high:.0%}]."
        )


@st.cache_resource
def started(folder: str) -> list[launch.Run]:
    """Return the last fine-tuning that this server has started, for all its visitors."""
    return []


def start_run() -> None:
    """Start a fine-tuning, but not one right after another."""
    passed = time.monotonic() - started(str(home()))[0].began if started(str(home())) else PAUSE
    if passed < PAUSE:
        visit().problems["learning"] = f"The next run may start in {PAUSE - passed:.0f} s."
    else:
        started(str(home()))[:] = [launch.Run(home(), "--trigger", "button")]


def is_running() -> bool:
    """Return whether a fine-tuning runs, started here or by cron."""
    if any(run.is_alive() for run in started(str(home()))):
        return True
    with suppress(OSError):  # the lock is another user's, and closed
        return home().is_running()
    return False


def show_run(was_running: bool) -> None:
    """Show the progress of the run, or how the last one ended."""
    running = is_running()
    if running != was_running:
        st.rerun()  # the whole page: another version may be in service now
    if not running:
        show_ending()
        return
    status = progress.read(home())
    show_progress(status if status.state == progress.RUNNING else progress.Status())


def show_progress(status: progress.Status) -> None:
    """Show how far a run is."""
    st.progress(status.share, f"{status.in_words}. The page stays usable.")


def show_ending() -> None:
    """Say how the last run ended, whoever started it."""
    status, own = progress.read(home()), started(str(home()))[0] if started(str(home())) else None
    if own and own.ended >= status.at:
        show = st.success if own.went_well else st.warning
        show(own.says)
    elif status.state == progress.RUNNING:
        st.warning("The last run was cut short; model.h5 is as it was.")
    elif status.state:
        st.info(f"The last run: {status.message}")


def show_receipt() -> None:
    """Show what the last run did to each correction and to held-out digits, as pictures."""
    receipt = receipts.last(home())
    if receipt is None:
        return
    with st.expander("What the last run did", expanded=True):
        outcomes = Counter(line.outcome for line in receipt.corrections)
        st.write(
            "Corrections: " + ", ".join(f"**{n}** {name}" for name, n in outcomes.items()) + "."
        )
        folder, flips = home().folder, receipt.flipped
        lines = [line for line in receipt.corrections[::-1] if (folder / line.image).exists()]
        show_strip(lines, lambda line: thumbnail(folder / line.image), before_and_after)
        fixed = sum(flip.fixed for flip in flips)
        st.write(f"Of digits it has never seen it fixed {fixed} and broke {len(flips) - fixed}.")
        show_strip(
            flips, lambda flip: charts.enlarged(flip.digit, 2 * STRIP_SIDE), before_and_after
        )


def before_and_after(line: Line | Flip) -> str:
    """Return a receipt's line as a caption: a sign that needs no colour, and both guesses."""
    if isinstance(line, Line) and line.outcome == receipts.HELD_BACK:
        return "– held back"
    sign = "✓" if line.guess_after == line.actual else "✗"
    return f"{sign} {line.guess_before} → {line.guess_after}"
