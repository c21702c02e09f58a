"""The page: give it a picture, see the guess, say whether it was right, watch it learn.

    streamlit run app.py

It arranges, asks and calls; what it calls lives in `digits/`. TensorFlow is loaded after the page
is painted, and fine-tuning runs as a process of its own, so neither keeps a visitor waiting.
Everything is kept under one root: DIGITS_HOME, or else the folder of this script.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd
import streamlit as st
from PIL import Image, ImageOps

from digits import feedback, images, model, receipts, status, versions

CODE = Path(__file__).resolve().parent
ROOT = Path(os.environ.get("DIGITS_HOME", CODE))
SHOWN_SIDE = 168  # px, six to a pixel of the digit: two stand side by side on a phone
REFRESH = 1.0  # s between looks at a running fine-tuning
RECEIPT_ROWS = 12  # corrections shown after a run, newest first; the receipt's file has all


@dataclass(frozen=True)
class Guess:
    """What the person sees: the picture, its digit, float32 (10,) probabilities, by whom."""

    picture: Image.Image
    digit: np.ndarray
    probabilities: np.ndarray
    version: versions.Version

    @property
    def label(self) -> int:
        """The likeliest digit."""
        return int(self.probabilities.argmax())

    @property
    def confidence(self) -> float:
        """Its probability."""
        return float(self.probabilities.max())


class Run(threading.Thread):
    """A fine-tuning that this server's button started; `says` is its last line once it ended."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        command = [sys.executable, str(CODE / "finetuning.py"), "--root", str(ROOT)]
        self._process = subprocess.Popen(
            [*command, "--trigger", "button"],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,  # it outlives the page, the browser and the server
        )
        self.says, self.went_well, self.ended = "", False, ""

    def run(self) -> None:
        """Read what the process prints until it ends."""
        printed, _ = self._process.communicate()
        self.went_well = self._process.returncode == 0
        self.says = printed.strip().rpartition("\n")[2] or "The run ended without a word."
        self.ended = versions.now()


def main() -> None:
    """Lay out the page."""
    st.set_page_config("Digits that learn", page_icon=":material/draw:", layout="centered")
    st.image(str(CODE / "num.png"), width="stretch")
    st.title("Which digit is it?")
    st.write(
        "Give it a picture of one handwritten digit. If the guess is wrong, say so: "
        "the network learns from it."
    )
    # Any name is welcome: the content tells what a file is.
    upload = st.file_uploader("A picture of one digit, at most 10 MB")
    try:
        if upload:
            show_answer(upload)
        st.divider()
        show_learning()
        wake_network()
    except (model.ModelError, feedback.StoreError) as error:
        st.error(str(error), icon=":material/error:")


# --- Reading ---


def show_answer(upload) -> None:
    """Show the guess for an uploaded picture, and ask whether it is right."""
    try:
        guess = read(upload)
    except images.ImageError as error:
        st.warning(str(error), icon=":material/search:")
        return
    st.header(answer(guess), anchor=False)
    st.write(f"{guess.confidence:.0%} sure, says version **{guess.version.short}**.")
    seen = Image.fromarray(guess.digit).resize((SHOWN_SIDE, SHOWN_SIDE), Image.Resampling.NEAREST)
    with st.container(horizontal=True):
        st.image(ImageOps.pad(guess.picture, seen.size), "Your picture", width=SHOWN_SIDE)
        st.image(seen, "What the network sees", width=SHOWN_SIDE)
    show_bars(guess.probabilities)
    ask(guess, upload.file_id)


def answer(guess: Guess) -> str:
    """Return the guess as a sentence; a network that is not sure names two candidates."""
    if guess.confidence >= model.SURE:
        return f"I read {guess.label}"
    second = int(guess.probabilities.argsort()[-2])
    return f"Not sure: {guess.label}, or else {second}"


def read(upload) -> Guess:
    """Return the guess for an uploaded file; raise ImageError when it holds no digit."""
    picture = images.open_picture(upload)
    digit = images.read_digit(picture)
    with st.spinner("Waking the network: a few seconds, the first time only"):
        net, version = network()
    return Guess(picture, digit, model.predict(net, digit[np.newaxis])[0], version)


def show_bars(probabilities: np.ndarray) -> None:
    """Show ten probabilities as bars."""
    table = pd.DataFrame({"digit": [str(i) for i in range(10)], "percent": 100 * probabilities})
    labels = {"x_label": "digit", "y_label": "percent sure"}
    st.bar_chart(table, x="digit", y="percent", horizontal=True, height=280, **labels)


def network():
    """Return the network in service and its version; a file replaced meanwhile is loaded anew."""
    path = ROOT / versions.MODEL
    try:
        stat = path.stat()
    except FileNotFoundError:
        return model.load(path)  # raises the sentence that fits
    return load_network(path, (stat.st_mtime_ns, stat.st_size, stat.st_ino))


@st.cache_resource(max_entries=1, show_spinner=False)
def load_network(path: Path, identity: tuple):
    """Return the network at path and its version; identity tells one file from the next."""
    return model.load(path), versions.current(ROOT)


def wake_network() -> None:
    """Load TensorFlow and the network while the person still picks a picture."""
    network()


# --- Feedback ---


def ask(guess: Guess, file_id: str) -> None:
    """Ask whether the guess is right and, if not, for the true digit; store it once."""
    if st.session_state.get("answered") == file_id:
        st.success(st.session_state.thanks, icon=":material/check_circle:")
        return
    verdict = st.segmented_control("Was it right?", ["Yes", "No"], key=f"verdict-{file_id}")
    if verdict == "Yes":
        st.success("Thank you. Only wrong guesses are stored.", icon=":material/check_circle:")
    elif verdict == "No":
        others = [digit for digit in range(10) if digit != guess.label]
        actual = st.pills("Which digit is it?", others, key=f"actual-{file_id}")
        st.button(
            "Store the correction",
            type="primary",
            disabled=actual is None,
            on_click=store,
            args=(guess, actual, file_id),
        )
        if problem := st.session_state.pop("problem", None):
            st.error(problem, icon=":material/error:")


def store(guess: Guess, actual: int, file_id: str) -> None:
    """Store what the person saw with the digit they picked (runs before the page is drawn anew)."""
    try:
        kept = feedback.add(
            ROOT,
            guess.picture,
            guess.label,
            actual,
            confidence=guess.confidence,
            version=guess.version.name,
        )
    except feedback.StoreError as error:
        st.session_state.problem = str(error)
        return
    st.session_state.answered = file_id
    st.session_state.thanks = (
        f"Stored as {kept.image}: guessed {kept.predicted}, is {kept.actual}. "
        "The next fine-tuning learns it."
    )


# --- Learning ---


def show_learning() -> None:
    """Show what waits to be learned, the button, and how the run in progress or the last went."""
    st.subheader("Learning from mistakes", anchor=False)
    corrections, warnings = feedback.load(ROOT)
    seen = receipts.seen(ROOT)
    waiting = sum(correction.key not in seen for correction in corrections)
    st.write(f"**{waiting}** corrections wait to be learned, of {len(corrections)} stored.")
    for warning in warnings:
        st.caption(f":material/warning: {warning}")
    show_version()
    running = is_running()
    st.button(
        "Run Fine-tuning",
        on_click=start_run,
        disabled=running,
        help="Trains on the corrections and on old digits, and replaces model.h5 only if the "
        "result is no worse on digits it has never seen.",
    )
    watch = st.fragment(show_run, run_every=REFRESH if running else None)
    watch(running)
    if not running:
        show_receipt()


def show_version() -> None:
    """Say which network answers, and since when."""
    if (ROOT / versions.MODEL).exists():
        version = versions.current(ROOT)
        since = datetime.fromisoformat(version.since).strftime("%d %B %Y, %H:%M")
        st.write(f"Version **{version.short}** answers, in service since {since} UTC.")


@st.cache_resource
def runs() -> list[Run]:
    """Return the fine-tunings that this server has started, shared by all its visitors."""
    return []


def start_run() -> None:
    """Start finetuning.py as a process of its own."""
    run = Run()
    run.start()
    runs()[:] = [run]


def is_running() -> bool:
    """Return whether a fine-tuning runs, started here or by cron."""
    return any(run.is_alive() for run in runs()) or status.is_running(ROOT)


def show_run(was_running: bool) -> None:
    """Show the progress of the run, or how the last one ended."""
    if is_running():
        entry = status.read(ROOT) if status.is_running(ROOT) else {}
        left = entry.get("seconds_left")
        time_left = f", about {left} s left" if left is not None else ""
        phase = entry.get("phase", "Starting")
        st.progress(entry.get("share", 0.0), f"{phase}{time_left}. The page stays usable.")
    elif was_running:
        st.rerun()  # the whole page: another version may be in service now
    else:
        show_ending()


def show_ending() -> None:
    """Say how the last run ended, whoever started it."""
    entry, own = status.read(ROOT), runs()[-1] if runs() else None
    if own and own.ended >= entry.get("at", ""):
        show = st.success if own.went_well else st.warning
        show(own.says)
    elif entry.get("state") == "running":
        st.warning("The last run was cut short; model.h5 is as it was.")
    elif entry:
        st.info(f"The last run: {entry['message']}")


def show_receipt() -> None:
    """Show what the last run did to each correction, as pictures."""
    receipt = receipts.last(ROOT)
    if receipt is None:
        return
    lines = receipt["corrections"][::-1][:RECEIPT_ROWS]
    columns = st.columns(4)
    for place, line in enumerate(lines):
        path = ROOT / line["image"]
        if path.exists():
            mark = "check_circle" if line["outcome"] == receipts.RIGHT else "cancel"
            caption = (
                f":material/{mark}: {line['outcome']}: is {line['actual']}, "
                f"read {line['guess_before']} before, {line['guess_after']} after"
            )
            columns[place % 4].image(thumbnail(path), caption, width="stretch")
    flips = receipt["flipped"]
    fixed = sum(flip["fixed"] for flip in flips)
    st.caption(
        f"On digits it has never seen, the last run fixed {fixed} and broke {len(flips) - fixed}."
    )


@st.cache_data(max_entries=200)
def thumbnail(path: Path) -> Image.Image:
    """Return the middle of a stored picture as a small square."""
    with Image.open(path) as picture:
        return ImageOps.fit(picture.convert("RGB"), (SHOWN_SIDE, SHOWN_SIDE))


main()
