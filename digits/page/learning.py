"""Learning from mistakes: what waits, the button, the run in progress, what the last run did."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

import streamlit as st

from digits import feedback, metrics, model, versions
from digits.feedback import verdicts
from digits.feedback.corrections import Correction
from digits.home import Home
from digits.jobs import launch, progress
from digits.learning.run import fingerprint_of, last_fingerprint
from digits.page import drawing
from digits.page.shared import (
    REFRESH,
    STRIP,
    STRIP_SIDE,
    button,
    change,
    count,
    home,
    may_change,
    serving,
    show_door,
    show_problem,
    show_sharp,
    show_strip,
    thumbnail,
    visit,
)
from digits.versions import receipts
from digits.versions.receipts import Flip, Line

WARNINGS = 5  # of the store, shown; `finetuning.py` prints all
IDLE_REFRESH = 5.0  # s between looks for one that cron or another visitor starts
LEFT_STEP = 10  # s: a finer estimate would jump up and down
HELP = (
    "Trains on the corrections and on old digits, and replaces model.h5 only if the result passes "
    "a test on digits it has never seen."
)


@dataclass(frozen=True)
class Started:
    """The last fine-tuning that this server has started, and when (ISO, UTC)."""

    run: launch.Run
    at: str


def show() -> None:
    """Show what waits to be learned, the button, and how the run in progress or the last went."""
    st.header("Learning from mistakes", anchor=False)
    running = is_running()
    stored, warnings = feedback.load(home())
    button_side, result_side = st.columns(2, gap="medium")
    with button_side:
        waiting = show_waiting(stored, running)
    with result_side:
        st.fragment(show_run, run_every=REFRESH if running else IDLE_REFRESH)(running)
        if not running:
            show_result(stored)
    show_strip(
        waiting,
        lambda one: thumbnail(home().folder / one.image),
        lambda one: f"{one.predicted} → {one.actual}",
    )
    for warning in warnings[:WARNINGS]:
        st.caption(f":material/warning: {warning}")
    show_live_accuracy()
    show_version()


def show_waiting(stored: list[Correction], running: bool) -> list[Correction]:
    """Show how many corrections wait, and the button that has them learned; return them."""
    seen = receipts.seen(home())
    waiting = [one for one in stored[::-1] if one.key not in seen]
    wait = "waits" if len(waiting) == 1 else "wait"
    st.markdown(f"**{count(len(waiting), 'correction')}** {wait}, of {len(stored):,} stored.")
    new = bool(stored) and is_new(home(), stored)
    button(
        "Run Fine-tuning",
        "learning",
        start_run,
        type="primary" if new else "secondary",
        icon=":material/school:",
        disabled=running or not new or not may_change(),
        help=HELP if new else "Nothing new to learn: correct a guess first.",
    )
    show_door()
    show_problem("learning")
    return waiting


def is_new(home: Home, stored: list[Correction]) -> bool:
    """Return whether a run would find anything that the last one had not."""
    paths = [home.table, home.images, home.model, home.history]
    fingerprint = home.read_once("fingerprint", paths, lambda: fingerprint_of(home, stored))
    return fingerprint != last_fingerprint(home)


def show_version() -> None:
    """Say which network answers, since when, and why if it stands in for `model.h5`."""
    try:
        now = serving()
    except model.ModelError:  # said at the end of the page, which is of use without a network too
        return
    since = datetime.fromisoformat(now.version.since).strftime("%d %B %Y, %H:%M")
    st.caption(f"Version **{now.version.short}** answers, in service since {since} UTC.")
    if not isinstance(now.net, model.numpy_network.Network):
        st.caption(model.describe(now.net))
    if now.problem:
        st.warning(now.problem, icon=":material/healing:")


def show_live_accuracy() -> None:
    """Say how often visitors found the guesses right, and how many they looked at."""
    tally = verdicts.live_accuracy(home())
    digits = tally.right + tally.wrong
    if digits:
        low, high = metrics.wilson(tally.right, digits)
        st.caption(
            f"Visitors judged {tally.judged} of the last {count(tally.shown, 'answer')}: "
            f"{tally.right} of {count(digits, 'digit')} right [{low:.0%}, {high:.0%}]."
        )


@st.cache_resource
def started(folder: str) -> list[Started]:
    """Return the last fine-tuning that this server has started, for all its visitors."""
    return []


def start_run() -> None:
    """Start a fine-tuning, but not one right after another."""
    at = versions.now()
    try:
        run = launch.start(home())
    except OSError as error:
        visit().problems["learning"] = f"The run could not start: {error.strerror or error}."
        return
    if isinstance(run, float):
        visit().problems["learning"] = f"The next run may start in {run:.0f} s."
    else:
        started(str(home()))[:] = [Started(run, at)]


def is_running() -> bool:
    """Return whether a fine-tuning runs, started here or by cron."""
    if any(one.run.is_alive() for one in started(str(home()))):
        return True
    with suppress(OSError):  # the lock is another user's, and closed
        return home().is_running()
    return False


def show_run(was_running: bool) -> None:
    """Show the progress of the run or how the last one ended, or why neither is known."""
    try:
        show_progress_or_ending(was_running)
    except OSError as error:  # a fragment is drawn without the rest of the page
        st.error(str(error), icon=":material/error:")


def show_progress_or_ending(was_running: bool) -> None:
    """Show the progress of the run, or how the last one ended."""
    running = is_running()
    if running != was_running:
        st.rerun()  # the whole page: another version may be in service now
    if running:
        status, own = progress.read(home()), started(str(home()))
        show_progress(status, bool(own) and status.at >= own[0].at)
    else:
        show_ending()


def show_progress(status: progress.Status, of_this_run: bool) -> None:
    """Show how far a run is, also before its first word and after its last.

    of_this_run: whether a status of a run that ended is this one's, not an earlier one's.
    """
    if status.state == progress.RUNNING:
        left = status.seconds_left
        about = "" if left is None else f", about {-(-left // LEFT_STEP) * LEFT_STEP} s left"
        st.progress(status.share, f"{status.phase}{about}")
        if status.curve:
            st.html(drawing.curve(status.curve))
    elif of_this_run:
        st.progress(1.0, "Finishing")
    else:
        st.progress(0.0, "Starting")


def show_ending() -> None:
    """Say how the last run ended, if it did not come to a decision, which stands beside."""
    status, own = progress.read(home()), started(str(home()))
    if own and own[0].run.ended >= status.at and own[0].run.says != status.message:
        show = st.success if own[0].run.went_well else st.warning
        show(own[0].run.says)
    elif status.state == progress.RUNNING:
        st.warning("The last run was cut short; model.h5 is as it was.")
    elif status.state not in ("", versions.PUBLISHED, versions.REFUSED):
        st.info(f"The last run: {status.message}")


def show_result(stored: list[Correction]) -> None:
    """Show what the last decided run did: its numbers, what is still wrong, then the rest."""
    runs, receipt = versions.runs(home()), receipts.last(home())
    if not runs:
        return
    record, run = runs[-1]
    with suppress(model.ModelError):
        now = serving().version
        if record.decision == versions.PUBLISHED and record.version != now.name:
            st.info(f"{record.short} was rolled back: {now.short} answers.")
            return
    before, after = 100 * run.accuracy_before, 100 * run.accuracy_after
    numbers = (
        f"**Learned {run.learned} of {run.corrections}.** Old digits {before:.2f} → {after:.2f} %."
    )
    if record.decision == versions.PUBLISHED:
        st.success(f"{numbers} {record.short} answers.", icon=":material/check_circle:")
    else:
        st.warning(f"**Not published**, {record.short} stays: {run.reason}.")
    if receipt:
        show_unlearned(receipt, {one.key: one for one in stored})
        show_details(run, receipt)


def show_unlearned(receipt: receipts.Receipt, stored: dict[tuple[str, int], Correction]) -> None:
    """Show the corrections still wrong or held back, with the reason and what one can do."""
    lines = [
        line
        for line in receipt.corrections
        if line.outcome != receipts.RIGHT and line.key in stored
    ]
    for line in lines[:STRIP]:
        one = stored[line.key]
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            show_sharp(thumbnail(home().folder / line.image), STRIP_SIDE, f"A {line.actual}")
            reason = line.reason or f"read as {line.guess_after}"
            st.markdown(f"**{line.actual}** {line.outcome}: {reason}", width=260)
            if may_change() and line.outcome == receipts.HELD_BACK and one.votes == 1:
                mine = one, visit().voice
                done = f"Vouched for: a {line.actual}. The next run looks at it again."
                button("The label is right", one.name, change, feedback.confirm, done, *mine)
    if len(lines) > STRIP:
        st.caption(f"and {len(lines) - STRIP} more, under Corrections")


def show_details(run: versions.Report, receipt: receipts.Receipt) -> None:
    """Offer the reason, each correction and each held-out digit that flipped."""
    status = progress.read(home())
    with st.expander("What the last run did"):
        st.write(f"{run.reason[:1].upper()}{run.reason[1:]}.")
        if status.curve and status.state in (versions.PUBLISHED, versions.REFUSED):
            st.html(drawing.curve(status.curve))
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
            flips, lambda flip: drawing.enlarged(flip.digit, 2 * STRIP_SIDE), before_and_after
        )


def before_and_after(line: Line | Flip) -> str:
    """Return a receipt's line as a caption: a sign that needs no colour, and both guesses."""
    if isinstance(line, Line) and line.outcome == receipts.HELD_BACK:
        return "– held back"
    sign = "✓" if line.guess_after == line.actual else "✗"
    return f"{sign} {line.guess_before} → {line.guess_after}"
