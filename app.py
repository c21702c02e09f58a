"""The page: give it a digit, see the guess, say whether it was right, watch it learn.

    streamlit run app.py

It arranges, asks and calls; what it calls lives in `digits/`. TensorFlow stays out of this
process: the network answers without it, and fine-tuning is a process of its own.
Everything is kept under one root: DIGITS_HOME, or else the folder of this script.
"""

from __future__ import annotations

import csv
import hashlib
import hmac
import io
import os
import shlex
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

import numpy as np
import streamlit as st
from PIL import Image
from streamlit.errors import StreamlitAPIException

from digits import (
    charts,
    evaluation,
    exchange,
    feedback,
    images,
    judgements,
    model,
    receipts,
    schedule,
    status,
    tables,
    versions,
)
from digits.corrections import Correction

try:
    from streamlit_drawable_canvas import st_canvas
except (ImportError, StreamlitAPIException):  # the page stays whole without the drawing component
    st_canvas = None

CODE = Path(__file__).resolve().parent
ROOT = Path(os.environ.get("DIGITS_HOME", CODE))
WIDTH = 1080  # px of the page at most: answer and learning side by side, lines still readable
SHOWN_SIDE = 126  # px: two stand side by side on a phone, and in half a card
BARS_HEIGHT = 230  # px, reserved before the chart is there: what stands below must not jump
CARD_SIDE = 84  # px, three to a pixel, where several digits are shown
EXAMPLE_SIDE = 92  # px: six in a row, three on a phone
CANVAS_SIDE = 280  # px; the smallest phones are 320 wide
PEN = 18  # px, like a felt pen on that canvas
MAX_PICTURES = 40  # at once: more is a long page, and no one judges them all
MAX_STORED = 200  # corrections from one visit; a class of thirty draws fewer
REFRESH = 1.0  # s between looks at a running fine-tuning
IDLE_REFRESH = 5.0  # s between looks for one that cron or another visitor starts
PAUSE = 30  # s from one run to the next from the button: nobody can keep the machine busy
STRIP, STRIP_SIDE = 12, 56  # pictures in a row of small ones, and their px
GALLERY, THUMB_SIDE = 24, 110  # stored corrections on a page, and their px
WARNINGS = 5  # of the store, shown; `finetuning.py` prints all

FINETUNING = [sys.executable, str(CODE / "finetuning.py"), "--root", str(ROOT)]
PASSWORD = os.environ.get("DIGITS_PASSWORD", "")  # none: everybody may judge and teach

YES, NO, NO_DIGIT = "Yes", "No", "Not a digit"
VERDICTS = {YES: judgements.RIGHT, NO: judgements.WRONG, NO_DIGIT: judgements.NO_DIGIT}
WAITING, LEARNED, HELD_BACK, WRONG, REMOVED = STATES = {
    "waiting": "schedule",
    "learned": "check_circle",
    "held back": "pan_tool",
    "still wrong": "cancel",
    "removed": "delete",
}
WORDS = {0.99: "Almost certain", model.SURE: "Quite sure", 0.6: "Unsure", 0.0: "A mere guess"}


@dataclass(frozen=True)
class Given:
    """One picture that a visitor gave; the key tells it from all others of the visit."""

    key: str
    name: str
    file: BinaryIO


@dataclass(frozen=True)
class Guess:
    """What the person sees: the picture, its digit, float32 (10,) probabilities, by whom."""

    key: str
    name: str
    picture: Image.Image
    digit: np.ndarray
    probabilities: np.ndarray
    version: versions.Version
    shown: judgements.Shown | None

    @property
    def label(self) -> int:
        """The likeliest digit."""
        return int(self.probabilities.argmax())

    @property
    def second(self) -> int:
        """The next likeliest digit."""
        return int(self.probabilities.argsort()[-2])

    @property
    def confidence(self) -> float:
        """The likeliest digit's probability."""
        return float(self.probabilities.max())


@dataclass(frozen=True)
class Said:
    """What the person said of a guess: the verdict, the true digit, and what was made of it."""

    verdict: str
    actual: int | None
    thanks: str
    kept: Correction | None = None


class Run(threading.Thread):
    """A fine-tuning that this server's button started; `says` is its last line once it ended."""

    def __init__(self, *options: str) -> None:
        super().__init__(daemon=True)
        self._process = subprocess.Popen(
            [*FINETUNING, *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,  # it outlives the page, the browser and the server
        )
        self.says, self.went_well, self.ended = "", False, ""
        self.began = time.monotonic()

    def run(self) -> None:
        """Read what the process prints until it ends."""
        printed, _ = self._process.communicate()
        self.went_well = self._process.returncode == 0
        self.says = printed.strip().rpartition("\n")[2] or "The run ended without a word."
        self.ended = versions.now()


def main() -> None:
    """Lay out the page."""
    st.set_page_config("Digits that learn", page_icon=":material/draw:", layout="wide")
    with st.container(horizontal_alignment="center"), st.container(width=WIDTH):
        try:
            show_page()
        except (model.ModelError, feedback.StoreError) as error:
            st.error(str(error), icon=":material/error:")


def show_page() -> None:
    """Show the head, and below it the parts of the page."""
    words, banner = st.columns([3, 2], vertical_alignment="center")
    with words:
        st.title("Which digit is it?", anchor=False)
        st.write(
            "Give it a handwritten digit. Tell it when it is wrong: the network learns from it."
        )
    banner.image(str(CODE / "num.png"), width="stretch", alt="Ten handwritten digits, 0 to 9")
    loop, stored, changes = st.tabs(
        ["Read and learn", "Corrections", "Versions"], on_change="rerun", key="part"
    )
    with loop:  # drawn even behind another tab: else its uploads would be forgotten
        reading, learning = st.columns([5, 3], gap="large")
        with reading:
            show_reading()
        with learning:
            show_learning()
    if stored.open:
        with stored:
            show_corrections()
    if changes.open:
        with changes:
            show_versions()
    network()  # says at once when model.h5 cannot serve


# --- Giving it a digit ---


def show_reading() -> None:
    """Take pictures in one of three ways, and show what the network reads."""
    ways = {"Upload": upload, "Draw": draw, "Camera": photograph}
    icons = {"Upload": "upload", "Draw": "draw", "Camera": "photo_camera"}
    way = st.segmented_control(
        "How do you give it a digit?",
        list(ways),
        default="Upload",
        required=True,
        key="way",
        format_func=lambda name: f":material/{icons[name]}: {name}",
        label_visibility="collapsed",
    )
    given = ways[way]() or example()
    if len(given) > MAX_PICTURES:
        st.info(f"The first {MAX_PICTURES} of {len(given)} pictures are read.")
    found = [read(one) for one in given[:MAX_PICTURES]]
    guesses = [one for one in found if not isinstance(one, str)]
    st.session_state.guesses = {guess.key: guess for guess in guesses}
    if len(found) > 1:
        show_cards(given, found)
        offer_answers(guesses)
    elif guesses:
        show_answer(guesses[0])
    elif found:
        st.warning(found[0], icon=":material/search:")
    if way == "Upload" and len(found) < 2:
        offer_examples()


def upload() -> list[Given]:
    """Return the uploaded files."""
    # Any name is welcome: the content tells what a file is.
    files = st.file_uploader(
        "Pictures of one digit each, at most 10 MB", accept_multiple_files=True
    )
    return [Given(file.file_id, file.name, file) for file in files]


def draw() -> list[Given]:
    """Return the drawing, once there is ink on the canvas."""
    if st_canvas is None:
        st.info("Drawing needs one more package: `pip install streamlit-drawable-canvas`.")
        return []
    st.caption("Draw one digit, large, with mouse, finger or pen. Undo is in its upper corner.")
    drawing = st_canvas(
        stroke_width=PEN,
        background_color="#ffffff",
        height=CANVAS_SIDE,
        width=CANVAS_SIDE,
        return_image_data=True,
        key=f"canvas-{st.session_state.get('sheet', 0)}",
    )
    st.button("Clear", icon=":material/ink_eraser:", on_click=take_new_sheet)
    if not (drawing.json_data or {}).get("objects") or not drawing.image_bytes:
        return []
    png = drawing.image_bytes
    return [Given(hashlib.sha256(png).hexdigest(), "drawing", io.BytesIO(png))]


def take_new_sheet() -> None:
    """Put an empty canvas in the place of the drawing."""
    st.session_state.sheet = st.session_state.get("sheet", 0) + 1


def photograph() -> list[Given]:
    """Return the photo taken."""
    photo = st.camera_input("Hold one digit before the camera; it should fill a third of the view")
    return [Given(photo.file_id, "photo", photo)] if photo else []


def offer_examples() -> None:
    """Offer the project's own pictures."""
    st.caption("Or try one of these:")
    with st.container(horizontal=True, gap="small"):
        for path in sorted((CODE / "examples").glob("*.png")):
            with st.container(width=EXAMPLE_SIDE):
                name = path.stem[2:].replace("-", " ").capitalize()
                st.image(str(path), width="stretch", alt=f"Example: {name}")
                st.button(name, key=path.stem, width="stretch", on_click=pick, args=(path,))


def pick(path: Path) -> None:
    """Have this example read."""
    st.session_state.example = path


def example() -> list[Given]:
    """Return the example that was picked."""
    path = st.session_state.get("example")
    return [Given(path.name, path.name, io.BytesIO(path.read_bytes()))] if path else []


# --- Reading ---


def read(given: Given) -> Guess | str:
    """Return the guess, or the sentence that says why there is none.

    A guess that was judged stays as the person saw it, whatever network answers by now.
    """
    kept = st.session_state.get("guesses", {}).get(given.key)
    judged = st.session_state.get(f"verdict-{given.key}") or given.key in answers()
    if kept and judged:
        return kept
    try:
        picture, digit = (kept.picture, kept.digit) if kept else normalised(given.file)
    except images.ImageError as error:
        return str(error)
    net, version, _ = network()
    if kept and kept.version == version:
        return kept
    probabilities = model.predict(net, digit[np.newaxis])[0]
    guess = Guess(given.key, given.name, picture, digit, probabilities, version, None)
    return replace(guess, shown=note_shown(guess))


def note_shown(guess: Guess) -> judgements.Shown | None:
    """Log that a guess is shown; a disk that refuses keeps nobody from reading."""
    try:
        return judgements.shown(ROOT, guess.label, guess.confidence, guess.version.name)
    except feedback.StoreError:
        return None


def normalised(file: BinaryIO) -> tuple[Image.Image, np.ndarray]:
    """Return a file's picture and its digit; raise ImageError when it holds none."""
    picture = images.open_picture(file)
    return picture, images.read_digit(picture)


def show_answer(guess: Guess) -> None:
    """Show one guess with all that is known of it, and ask whether it is right."""
    with st.container(border=True):
        words, question = st.columns(2, gap="medium")
        with words:
            st.header(answer(guess), anchor=False)
            st.write(sureness(guess))
            show_pictures(guess, SHOWN_SIDE)
        with question:
            ask(guess)
        st.altair_chart(charts.bars(guess.probabilities), height=BARS_HEIGHT, alt=in_words(guess))
        st.caption(f"How likely each digit is, says version {guess.version.short}.")


def show_cards(given: list[Given], found: list[Guess | str]) -> None:
    """Show several answers side by side, each with its own question."""
    columns = st.columns(2)
    for place, (one, guess) in enumerate(zip(given, found, strict=False)):
        with columns[place % 2].container(border=True):
            if isinstance(guess, str):
                st.subheader("No answer", anchor=False)
                st.warning(guess, icon=":material/search:")
                st.caption(one.name)
                continue
            st.subheader(answer(guess), anchor=False)
            st.write(sureness(guess))
            show_pictures(guess, CARD_SIDE)
            ask(guess)


def show_pictures(guess: Guess, side: int) -> None:
    """Show the picture beside what the network sees of it."""
    with st.container(horizontal=True):
        given = charts.squared(guess.picture, side * 2)  # sharp on a phone's fine screen
        st.image(given, "Your picture", width=side, alt=f"Your picture, {guess.name}")
        seen = charts.enlarged(guess.digit, side * 2)
        st.image(seen, "The network sees", width=side, alt="Its digit, white on black, 28 × 28")


def answer(guess: Guess) -> str:
    """Return the guess as a sentence; a network that is not sure names two candidates."""
    if guess.confidence >= model.SURE:
        return f"I read {guess.label}"
    return f"Not sure: {guess.label}, or else {guess.second}"


def sureness(guess: Guess) -> str:
    """Return how sure the network is, in words and numbers, and why it is not."""
    word = next(word for least, word in WORDS.items() if guess.confidence >= least)
    if guess.confidence >= model.SURE:
        return f"{word}: {guess.confidence:.0%}."
    return (
        f"{word}: {guess.confidence:.0%} for {guess.label}, "
        f"{guess.probabilities[guess.second]:.0%} for {guess.second}. It looks like both, and "
        f"below {model.SURE:.0%} I name two."
    )


def in_words(guess: Guess) -> str:
    """Return the ten probabilities as a sentence, for who cannot see the chart."""
    shares = (f"{digit}: {share:.0%}" for digit, share in enumerate(guess.probabilities))
    return f"Probability of each digit: {', '.join(shares)}."


def offer_answers(guesses: list[Guess]) -> None:
    """Offer the answers to several pictures as a table to download."""
    table = io.StringIO()
    writer = csv.writer(table)
    writer.writerow(["picture", "guess", "confidence", "version", "verdict", "actual"])
    for guess in guesses:
        said = answers().get(guess.key)
        row = [
            tables.harmless(guess.name),
            guess.label,
            f"{guess.confidence:.4f}",
            guess.version.name,
        ]
        writer.writerow([*row, said and said.verdict, said and said.actual])
    st.download_button(
        "Download the answers",
        table.getvalue(),
        "answers.csv",
        "text/csv",
        icon=":material/download:",
        on_click="ignore",
    )


def network():
    """Return the network that answers, its version, and "" or why it stands in for `model.h5`.

    A file replaced meanwhile is loaded anew.
    """
    path = ROOT / versions.MODEL
    stat = path.stat() if path.exists() else None
    return load_network(stat and (stat.st_mtime_ns, stat.st_size, stat.st_ino))


@st.cache_resource(max_entries=1, show_spinner=False)
def load_network(identity: tuple | None):
    """Return what serves in the place of a file; identity tells one file from the next."""
    return versions.serviceable(ROOT, model.load_light)


# --- Feedback ---


def answers() -> dict[str, Said]:
    """Return what the person said in this visit, by the picture's key."""
    return st.session_state.setdefault("answers", {})


def ask(guess: Guess) -> None:
    """Ask whether the guess is right and, if not, for the true digit."""
    key = guess.key
    if said := answers().get(key):
        st.success(said.thanks, icon=":material/check_circle:")
        st.button("Undo", key=f"undo-{key}", icon=":material/undo:", on_click=undo, args=(guess,))
    elif may_change():
        verdict = st.segmented_control(
            "Was it right?", list(VERDICTS), key=f"verdict-{key}", on_change=judge, args=(guess,)
        )
        if verdict == NO:
            actual = st.pills("Which digit is it?", range(10), wrap=True, key=f"actual-{key}")
            st.button(
                "Store the correction",
                type="primary",
                key=f"store-{key}",
                disabled=actual is None,
                on_click=store,
                args=(guess, actual),
            )
    show_problem(key)


def judge(guess: Guess) -> None:
    """Count a verdict that needs no digit (runs before the page is drawn anew)."""
    verdict = st.session_state[f"verdict-{guess.key}"]
    thanks = {
        YES: "Thank you: counted as right.",
        NO_DIGIT: "Thank you: counted as no digit. There is nothing to learn from it.",
    }
    if verdict in thanks and count(guess, VERDICTS[verdict]):
        actual = guess.label if verdict == YES else None
        answers()[guess.key] = Said(verdict, actual, thanks[verdict])


def store(guess: Guess, actual: int) -> None:
    """Store what the person saw with the digit they picked."""
    if actual == guess.label:  # the two agree after all
        if count(guess, judgements.RIGHT):
            answers()[guess.key] = Said(YES, actual, f"It was right, then: a {actual}. Counted so.")
        return
    stored = sum(said.kept is not None for said in answers().values())
    if stored >= MAX_STORED:
        note_problem(guess.key, f"One visit may store {MAX_STORED} corrections: this is enough.")
        return
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
        note_problem(guess.key, str(error))
        return
    thanks = (
        f"Stored as {kept.image}: guessed {kept.predicted}, is {kept.actual}. "
        "The next fine-tuning learns it."
    )
    answers()[guess.key] = Said(NO, actual, thanks, kept)
    count(guess, judgements.WRONG)


def undo(guess: Guess) -> None:
    """Take back what was said of a guess, and ask again."""
    said = answers()[guess.key]
    try:
        if said.kept:
            feedback.undo(ROOT, said.kept)
    except feedback.StoreError as error:
        note_problem(guess.key, str(error))
        return
    count(guess, judgements.SHOWN)
    del answers()[guess.key]
    st.session_state[f"verdict-{guess.key}"] = None


def count(guess: Guess, verdict: str) -> bool:
    """Log a verdict; return whether that went well."""
    try:
        if guess.shown:
            judgements.judge(ROOT, guess.shown, verdict)
        return True
    except feedback.StoreError as error:
        note_problem(guess.key, str(error))
        return False


def note_problem(place: str, sentence: str) -> None:
    """Keep a sentence for the next time that place of the page is drawn."""
    st.session_state[f"problem-{place}"] = sentence


def show_problem(place: str) -> None:
    """Show what went wrong there since the page was drawn last."""
    if problem := st.session_state.pop(f"problem-{place}", None):
        st.error(problem, icon=":material/error:")


def may_change() -> bool:
    """Return whether this visitor may judge, correct and fine-tune; ask for the password if not."""
    return not PASSWORD or st.session_state.get("unlocked", False)


def ask_password() -> None:
    """Let in whoever knows the password, when the page has one."""
    if may_change():
        return
    given = st.text_input("Password, to judge and to teach", type="password")
    if not given:
        return
    time.sleep(1)  # s: guessing takes longer than anybody has
    if hmac.compare_digest(given.encode(), PASSWORD.encode()):
        st.session_state.unlocked = True
        st.rerun()
    st.error("That is not the password.", icon=":material/error:")


# --- Corrections ---


def show_corrections() -> None:
    """Show what is stored, to look through, to mend, and to carry elsewhere."""
    stored, _ = feedback.load(ROOT)
    states = state_of_each(stored)
    cards = [(one, states[one.key]) for one in reversed(stored)]
    cards += [(one, REMOVED) for one in reversed(feedback.removed(ROOT))]
    counts = Counter(state for _, state in cards)
    state = st.pills(
        "State",
        STATES,
        format_func=lambda name: f":material/{STATES[name]}: {name} ({counts[name]})",
    )
    digit = st.pills("True digit", range(10), wrap=True)
    chosen = [
        (one, its) for one, its in cards if state in (None, its) and digit in (None, one.actual)
    ]
    if not chosen:
        st.info("Nothing is stored yet." if not cards else "None is like that.")
    pages = max(1, -(-len(chosen) // GALLERY))
    page = st.pagination(pages) if pages > 1 else 1
    with st.container(horizontal=True):
        for one, its in chosen[(page - 1) * GALLERY : page * GALLERY]:
            with st.container(width=THUMB_SIDE + 34, border=True):
                show_correction(one, its)
    show_problem("corrections")
    show_exchange(stored)


def state_of_each(stored: list[Correction]) -> dict[tuple[str, int], str]:
    """Return the state of each correction by its key: what the network in service makes of it.

    After a run that was refused or rolled back, the network of before the run serves.
    """
    receipt = receipts.last(ROOT) or {"corrections": []}
    lines = {(line["image"], line["actual"]): line for line in receipt["corrections"]}
    runs_decided = [one for one in versions.history(ROOT) if "receipt" in one]
    published = runs_decided and runs_decided[-1]["decision"] == versions.PUBLISHED
    in_force = published and network()[1].name == runs_decided[-1]["version"]
    when = "after" if in_force else "before"
    return {one.key: state_of(lines.get(one.key), when) for one in stored}


def state_of(line: dict | None, when: str) -> str:
    """Return the state that a receipt's line tells: of before the run, or after."""
    if line is None:
        return WAITING
    if line["outcome"] not in (receipts.RIGHT, receipts.WRONG):
        return HELD_BACK
    return LEARNED if line[f"guess_{when}"] == line["actual"] else WRONG


def show_correction(one: Correction, state: str) -> None:
    """Show one correction, with what may be done about it."""
    path = ROOT / one.image
    if path.exists():
        st.image(
            thumbnail(path), width=THUMB_SIDE, alt=f"A {one.actual}, taken for {one.predicted}"
        )
    st.markdown(f"**{one.actual}**, read as {one.predicted}")
    st.caption(
        f":material/{STATES[state]}: {state}" + f", {one.answers} answers" * (one.answers > 1)
    )
    if not may_change():
        return
    place = f"{one.image}-{one.actual}"
    if one.removed:
        st.button("Restore", key=f"restore-{place}", on_click=change, args=(feedback.restore, one))
        return
    with st.popover("Change", key=f"change-{place}"):
        actual = st.pills("True digit", range(10), wrap=True, key=f"relabel-{place}")
        st.button(
            "Save this label",
            key=f"save-{place}",
            disabled=actual is None,
            on_click=change,
            args=(feedback.relabel, one, actual),
        )
        for label, action in (
            ("Its label is right", feedback.confirm),
            ("Remove", feedback.remove),
        ):
            st.button(label, key=f"{label}-{place}", on_click=change, args=(action, one))


def change(action: Callable, *arguments) -> None:
    """Do something to a stored correction, or say why not."""
    try:
        action(ROOT, *arguments)
    except feedback.StoreError as error:
        note_problem("corrections", str(error))


def show_exchange(stored: list[Correction]) -> None:
    """Offer all corrections as a zip, and take such a zip."""
    with st.expander("Export and import"):
        st.download_button(
            "Export all as a zip",
            lambda: exchange.export(ROOT),
            "corrections.zip",
            "application/zip",
            disabled=not stored,
            help="The pictures, their table, and their digits as rows in train.csv's layout",
            on_click="ignore",
        )
        if not may_change():
            return
        archive = st.file_uploader("A zip exported here or elsewhere", type="zip", key="import")
        if st.button("Import it", disabled=archive is None):
            with st.spinner("Importing"):
                st.success(exchange.import_zip(ROOT, archive))


# --- Learning ---


def show_learning() -> None:
    """Show what waits to be learned, the button, and how the run in progress or the last went."""
    st.subheader("Learning from mistakes", anchor=False)
    stored, warnings = feedback.load(ROOT)
    seen = receipts.seen(ROOT)
    waiting = [one for one in stored if one.key not in seen]
    st.write(f"**{len(waiting)}** corrections wait to be learned, of {len(stored)} stored.")
    show_strip(
        waiting[::-1],
        lambda one: thumbnail(ROOT / one.image),
        lambda one: f"{one.predicted} → {one.actual}",
    )
    for warning in warnings[:WARNINGS]:
        st.caption(f":material/warning: {warning}")
    running = is_running()
    st.button(
        "Run Fine-tuning",
        type="primary" if waiting else "secondary",
        icon=":material/school:",
        on_click=start_run,
        disabled=running or not may_change(),
        help="Trains on the corrections and on old digits, and replaces model.h5 only if the "
        "result is no worse on digits it has never seen.",
    )
    ask_password()
    show_problem("learning")
    watch = st.fragment(show_run, run_every=REFRESH if running else IDLE_REFRESH)
    watch(running)
    if not running:
        show_receipt()
    show_version()
    show_live_accuracy()


def show_strip(items: list, picture_of: Callable, caption_of: Callable) -> None:
    """Show the first of some items side by side, small: as the two functions return them."""
    with st.container(horizontal=True, gap="small"):
        for item in items[:STRIP]:  # a store may hold thousands: only these are drawn
            st.image(picture_of(item), caption_of(item), width=STRIP_SIDE, alt=caption_of(item))
    if len(items) > STRIP:
        st.caption(f"and {len(items) - STRIP} more")


def show_version() -> None:
    """Say which network answers, since when, and why if it stands in for `model.h5`."""
    try:
        _, version, problem = network()
    except model.ModelError:  # said at the end of the page, which is of use without a network too
        return
    since = datetime.fromisoformat(version.since).strftime("%d %B %Y, %H:%M")
    st.caption(f"Version **{version.short}** answers, in service since {since} UTC.")
    if problem:
        st.warning(problem, icon=":material/healing:")


def show_live_accuracy() -> None:
    """Say how often visitors found the guesses right, and how many they looked at."""
    tally = judgements.live_accuracy(ROOT)
    digits = tally.right + tally.wrong
    if not digits:
        return
    low, high = evaluation.wilson(tally.right, digits)
    st.caption(
        f"Visitors judged {tally.judged} of the last {tally.shown} guesses: {tally.right} of "
        f"{digits} digits were read rightly, {tally.right / digits:.0%} [{low:.0%}, {high:.0%}]."
    )


@st.cache_resource
def runs(root: Path) -> list[Run]:
    """Return the fine-tunings that this server has started, shared by all its visitors."""
    return []


def start_run() -> None:
    """Start finetuning.py as a process of its own, but not one right after another."""
    passed = time.monotonic() - runs(ROOT)[-1].began if runs(ROOT) else PAUSE
    if passed < PAUSE:
        note_problem("learning", f"The next run may start in {PAUSE - passed:.0f} s.")
        return
    run = Run("--trigger", "button")
    run.start()
    runs(ROOT)[:] = [run]


def is_running() -> bool:
    """Return whether a fine-tuning runs, started here or by cron."""
    return any(run.is_alive() for run in runs(ROOT)) or status.is_running(ROOT)


def show_run(was_running: bool) -> None:
    """Show the progress of the run, or how the last one ended."""
    running = is_running()
    if running != was_running:
        st.rerun()  # the whole page: another version may be in service now
    if not running:
        show_ending()
        return
    entry = status.read(ROOT) if status.is_running(ROOT) else {}
    left = entry.get("seconds_left")
    time_left = f", about {left} s left" if left is not None else ""
    phase = entry.get("phase", "Starting")
    st.progress(entry.get("share", 0.0), f"{phase}{time_left}. The page stays usable.")


def show_ending() -> None:
    """Say how the last run ended, whoever started it."""
    entry, own = status.read(ROOT), runs(ROOT)[-1] if runs(ROOT) else None
    if own and own.ended >= entry.get("at", ""):
        show = st.success if own.went_well else st.warning
        show(own.says)
    elif entry.get("state") == "running":
        st.warning("The last run was cut short; model.h5 is as it was.")
    elif entry:
        st.info(f"The last run: {entry['message']}")


def show_receipt() -> None:
    """Show what the last run did to each correction and to held-out digits, as pictures."""
    receipt = receipts.last(ROOT)
    if receipt is None:
        return
    with st.expander("What the last run did", expanded=True):
        learned = Counter(line["outcome"] for line in receipt["corrections"])
        st.write(", ".join(f"**{n}** {outcome}" for outcome, n in learned.items()) + ".")
        lines = [line for line in receipt["corrections"][::-1] if (ROOT / line["image"]).exists()]
        show_strip(lines, lambda line: thumbnail(ROOT / line["image"]), before_and_after)
        flips = receipt["flipped"]
        fixed = sum(flip["fixed"] for flip in flips)
        st.write(
            "On digits it has never seen, the last run "
            f"fixed {fixed} and broke {len(flips) - fixed}."
        )
        show_strip(flips, lambda flip: charts.enlarged(pixels_of(flip), 56), before_and_after)


def before_and_after(line: dict) -> str:
    """Return a receipt's line as a caption: a sign that needs no colour, and both guesses."""
    good = line["guess_after"] == line["actual"]
    return f"{'✓' if good else '✗'} {line['guess_before']} → {line['guess_after']}"


def pixels_of(flip: dict) -> np.ndarray:
    """Return a flipped held-out digit, uint8 (28, 28)."""
    return np.array(flip["pixels"], np.uint8).reshape(model.SIDE, model.SIDE)


@st.cache_data(max_entries=500)
def thumbnail(path: Path) -> Image.Image:
    """Return a stored picture as a small square."""
    with Image.open(path) as picture:
        return charts.squared(picture, 2 * THUMB_SIDE)


# --- Versions ---


def show_versions() -> None:
    """Show how the network changed over time, how it errs, and when it learns next."""
    history = [one for one in versions.history(ROOT) if "accuracy_after" in one]
    if history:
        st.subheader("Every run so far", anchor=False)
        alt = "; ".join(f"{one['version']}: {one['accuracy_after']:.2%}" for one in history)
        st.altair_chart(charts.over_versions(history), alt=f"Held-out accuracy: {alt}")
        st.caption(
            "Held-out digits read rightly, with the 95 % interval, and corrections learned. "
            "A cross is a candidate that the gate refused."
        )
    else:
        st.info("The first network answers. Each fine-tuning adds a point to a chart here.")
    show_roll_back()
    show_confusion()
    show_schedule()


def show_roll_back() -> None:
    """Offer to put an earlier version back in service."""
    names = [name for name in versions.kept(ROOT) if name != network()[1].name]
    if not names or not may_change():
        return
    st.subheader("Go back", anchor=False)
    name = st.selectbox("An earlier version", names[::-1], format_func=short)
    with st.popover("Roll back"):
        st.write(f"{short(name)} will answer from now on; nothing is lost.")
        st.button(f"Put {short(name)} back", type="primary", on_click=roll_back, args=(name,))
    show_problem("versions")


def short(name: str) -> str:
    """Return `v3` of a version's name."""
    return name.partition("-")[0]


def roll_back(name: str) -> None:
    """Put a version back in service, under the lock that fine-tuning holds too."""
    done = subprocess.run(
        [*FINETUNING, "--rollback", name], capture_output=True, text=True, check=False
    )
    if done.returncode:
        note_problem("versions", done.stderr.strip().rpartition("\n")[2])


def show_confusion() -> None:
    """Show on demand which held-out digits the current version takes for which others."""
    st.subheader("Where it errs", anchor=False)
    if not st.toggle("Read all held-out digits now"):
        return
    net, version, _ = network()
    with st.spinner("Reading the held-out digits"):
        matrix = confusion(version.sha256, net)
    errors = int(matrix.sum() - np.trace(matrix))
    st.write(f"{version.short} reads {errors} of {matrix.sum():,} held-out digits wrongly.")
    st.altair_chart(charts.confusion(matrix), alt=f"Confusion matrix with {errors} errors")


@st.cache_data(max_entries=4, show_spinner=False)
def confusion(sha256: str, _net) -> np.ndarray:
    """Return int (10, 10), true digits by guesses, of the network whose file has this hash."""
    digits, labels = evaluation.read_rows(ROOT / evaluation.TRAIN)
    apart = evaluation.held_out(digits)
    guesses = model.predict(_net, digits[apart]).argmax(axis=1)
    return np.bincount(labels[apart] * 10 + guesses, minlength=100).reshape(10, 10)


def show_schedule() -> None:
    """Say when it learns by itself, and how to make it."""
    st.subheader("Learning at night", anchor=False)
    try:
        entry = schedule.current(ROOT)
    except schedule.ScheduleError as error:
        st.warning(str(error), icon=":material/error:")
        return
    if entry is None:
        st.write(
            "It learns only at the press of the button. To learn every night at two, run once:"
        )
        st.code(schedule.install_command(ROOT), language="sh", wrap_lines=True)
        return
    st.write(f"Next run: **{entry.next_run():%d %B %Y, %H:%M}** (`{entry.expression}`).")
    if last := schedule.last_run(ROOT):
        st.write(f"Last run: {last['when']}, exit code {last['code']}. {last['message']}")
    if schedule.overdue(ROOT, entry):
        st.error(
            "Overdue: the last time came and no run ended. Look with: "
            f"`{shlex.join(FINETUNING)} --check`",
            icon=":material/alarm:",
        )


main()
