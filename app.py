"""The page: give it a digit, see the guess, say whether it was right, watch it learn.

    streamlit run app.py

It arranges, asks and calls; what it calls lives in `digits/`. TensorFlow stays out of this
process: the network answers without it, and fine-tuning is a process of its own.
Everything is kept under one root: DIGITS_HOME, or else the folder of this script.
"""

from __future__ import annotations

import gc
import hashlib
import hmac
import io
import os
import shlex
import time
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import numpy as np
import streamlit as st
from PIL import Image
from streamlit.errors import StreamlitAPIException

from digits import feedback, metrics, model, versions
from digits.feedback import verdicts
from digits.feedback.archive import export
from digits.feedback.corrections import Correction
from digits.jobs import launch, progress, schedule
from digits.page import charts, guesses, lesson, states
from digits.page.guesses import Guess
from digits.page.visit import NO, NO_DIGIT, VERDICTS, YES, Given, Said, Visit
from digits.rows import TRAIN, DataError, is_held_out, read_rows
from digits.versions import receipts

try:
    from streamlit_drawable_canvas import st_canvas
except (ImportError, StreamlitAPIException):  # the page stays whole without the drawing component
    st_canvas = None

CODE = Path(__file__).resolve().parent
ROOT = Path(os.environ.get("DIGITS_HOME", CODE))
PASSWORD = os.environ.get("DIGITS_PASSWORD", "")  # none: everybody may judge and teach

WIDTH = 1080  # px of the page at most: answer and learning side by side, lines still readable
SHOWN_SIDE = 126  # px: two stand side by side on a phone, and in half a card
CARD_SIDE = 84  # px, three to a pixel, where several digits are shown
BARS_HEIGHT = 230  # px, reserved before the bars are there: what stands below must not jump
EXAMPLE_SIDE = 92  # px: six in a row, three on a phone
CANVAS_SIDE, PEN = 280, 18  # px; the smallest phones are 320 wide; like a felt pen on that sheet
STRIP, STRIP_SIDE = 12, 56  # pictures in a row of small ones, and their px
GALLERY, THUMB_SIDE = 24, 110  # stored corrections at a time, and their px
WARNINGS = 5  # of the store, shown; `finetuning.py` prints all

MAX_PICTURES = 20  # at once: more is a long page, and each may take 3 MB of memory
COLLECT = 5  # s between full collections of garbage: each halts all visitors for 0.1 s
PAUSE = 30  # s from one run to the next from the button: nobody can keep the machine busy
REFRESH = 1.0  # s between looks at a running fine-tuning
IDLE_REFRESH = 5.0  # s between looks for one that cron or another visitor starts

WAYS = {"Upload": "upload", "Draw": "draw", "Camera": "photo_camera"}
SIGNS = ("schedule", "check_circle", "pan_tool", "cancel", "delete")
ICONS = dict(zip(states.STATES, SIGNS, strict=True))


def main() -> None:
    """Lay out the page."""
    st.set_page_config("Digits that learn", page_icon=":material/draw:", layout="wide")
    with st.container(horizontal_alignment="center"), st.container(width=WIDTH):
        try:
            show_page()
        except (model.ModelError, feedback.StoreError, DataError) as error:
            st.error(str(error), icon=":material/error:")
    collect_garbage()


@st.cache_resource(ttl=COLLECT, show_spinner=False)
def collect_garbage() -> None:
    """Free what visitors who left have left: pictures in cycles, which Python rarely looks for.

    Streamlit would do so after every run of any visitor's; .streamlit/config.toml tells it not to.
    """
    gc.collect()


def show_page() -> None:
    """Show the head, and below it the parts of the page."""
    words, banner = st.columns([3, 2], vertical_alignment="center")
    with words:
        st.title("Which digit is it?", anchor=False)
        st.write("Give it a handwritten digit. Tell it when it is wrong: the network learns.")
    banner.image(num(), width="stretch", alt="Ten handwritten digits, 0 to 9")
    loop, stored, changes, classroom = st.tabs(
        ["Read and learn", "Corrections", "Versions", "Lesson"], on_change="rerun", key="part"
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
    if classroom.open:
        with classroom:
            show_lesson()
    network()  # says at once when model.h5 cannot serve


@st.cache_data
def num() -> bytes:
    """Return the picture at the head of the page, as wide as a fine screen shows it."""
    with Image.open(CODE / "num.png") as picture:
        return charts.shrunk(picture, WIDTH)


def button(label: str, place: str, action: Callable, *arguments, **look) -> None:
    """Offer an action; it runs before the page is drawn anew, and needs all its arguments."""
    look = {"disabled": None in arguments} | look
    st.button(label, key=f"{label}-{place}", on_click=action, args=arguments, **look)


# --- Giving it a digit ---


def show_reading() -> None:
    """Take pictures in one of three ways, and show what the network reads."""
    way = st.segmented_control(
        "How do you give it a digit?",
        list(WAYS),
        default="Upload",
        required=True,
        format_func=lambda name: f":material/{WAYS[name]}: {name}",
        label_visibility="collapsed",
    )
    given = {"Upload": upload, "Draw": draw, "Camera": photograph}[way]() or example()
    if len(given) > MAX_PICTURES:
        st.info(f"The first {MAX_PICTURES} of {len(given)} pictures are read.")
    found = [read(one) for one in given[:MAX_PICTURES]]
    read_ones = [one for one in found if isinstance(one, Guess)]
    visit().guesses = {guess.key: guess for guess in read_ones}
    if len(found) > 1:
        show_cards(given, found)
        offer_answers(read_ones)
    elif read_ones:
        show_answer(read_ones[0])
    elif found:
        st.warning(found[0], icon=":material/search:")
    if way == "Upload" and len(found) < 2:
        offer_examples()


def upload() -> list[Given]:
    """Return the uploaded files; any name is welcome, since the content tells what a file is."""
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
    button("Clear", "sheet", take_new_sheet, icon=":material/ink_eraser:")
    png = drawing.image_bytes
    if not png or not (drawing.json_data or {}).get("objects"):
        return []
    return [Given(hashlib.sha256(png).hexdigest(), "drawing", io.BytesIO(png))]


def take_new_sheet() -> None:
    """Put an empty canvas in the place of the drawing."""
    st.session_state.sheet = st.session_state.get("sheet", 0) + 1


def photograph() -> list[Given]:
    """Return the photo taken."""
    photo = st.camera_input(
        "Hold one digit before the camera, so that it fills a third of the view"
    )
    return [Given(photo.file_id, "photo", photo)] if photo else []


def offer_examples() -> None:
    """Offer the project's own pictures."""
    st.caption("Or try one of these:")
    with st.container(horizontal=True, gap="small"):
        for path in sorted((CODE / "examples").glob("*.png")):
            with st.container(width=EXAMPLE_SIDE):
                name = path.stem[2:].replace("-", " ").capitalize()
                st.image(str(path), width="stretch", alt=f"Example: {name}")
                button(name, "example", pick, path, width="stretch")


def pick(path: Path) -> None:
    """Have this example read."""
    st.session_state.example = path


def example() -> list[Given]:
    """Return the example that was picked."""
    path = st.session_state.get("example")
    return [Given(path.name, path.name, io.BytesIO(path.read_bytes()))] if path else []


# --- Reading ---


def visit() -> Visit:
    """Return what is remembered of this visit."""
    return st.session_state.setdefault("visit", Visit(ROOT))


def read(given: Given) -> Guess | str:
    """Return the guess, or the sentence that says why there is none."""
    judging = st.session_state.get(f"verdict-{given.key}") is not None
    return visit().read(given, network, judging)


def show_answer(guess: Guess) -> None:
    """Show one guess with all that is known of it, and ask whether it is right."""
    with st.container(border=True):
        words, question = st.columns(2, gap="medium")
        with words:
            st.header(guess.answer, anchor=False)
            st.write(guess.sureness)
            show_pictures(guess, SHOWN_SIDE)
        with question:
            ask(guess)
        st.altair_chart(charts.bars(guess.probabilities), height=BARS_HEIGHT, alt=guess.in_words)
        st.caption(f"How likely each digit is, says version {guess.version.short}.")


def show_cards(given: list[Given], found: list[Guess | str]) -> None:
    """Show several answers side by side, each with its own question."""
    columns = st.columns(2)
    for place, (one, guess) in enumerate(zip(given, found, strict=False)):
        with columns[place % 2].container(border=True):
            if isinstance(guess, str):
                st.subheader("No answer", anchor=False)
                st.warning(f"{one.name}: {guess}", icon=":material/search:")
                continue
            st.subheader(guess.answer, anchor=False)
            st.write(guess.sureness)
            show_pictures(guess, CARD_SIDE)
            ask(guess)


def show_pictures(guess: Guess, side: int) -> None:
    """Show the picture beside what the network sees of it."""
    with st.container(horizontal=True):
        show_sharp(guess.picture_shown, side, f"Your picture, {guess.name}", "Your picture")
        seen = "Its digit, white on black, 28 × 28"
        show_sharp(guess.digit_shown, side, seen, "The network sees")


def show_sharp(picture: bytes, side: int, alt: str, caption: str | None = None) -> None:
    """Show a picture with `side` px of the page, and all its own px, for screens that have more.

    Given its width, st.image would shrink it to that many px, and do so in every run.
    """
    with st.container(width=side):
        st.image(picture, caption, width="stretch", alt=alt)


def offer_answers(read_ones: list[Guess]) -> None:
    """Offer the answers to several pictures as a table to download."""
    said = [visit().said.get(guess.key, Said()) for guess in read_ones]
    rows = [(guess, one.verdict, one.actual) for guess, one in zip(read_ones, said, strict=True)]
    st.download_button(
        "Download the answers",
        guesses.table(rows),
        "answers.csv",
        "text/csv",
        icon=":material/download:",
        on_click="ignore",
    )


def network() -> tuple:
    """Return the network that answers, its version, and "" or why it stands in for model.h5."""
    path = ROOT / versions.MODEL
    stat = path.stat() if path.exists() else None
    return load_network(ROOT, stat and (stat.st_mtime_ns, stat.st_size, stat.st_ino))


@st.cache_resource(max_entries=1, show_spinner=False)
def load_network(root: Path, identity: tuple | None) -> tuple:
    """Return what `network` does; identity tells one model.h5 from the next."""
    return versions.serviceable(root, model.load_light)


# --- Feedback ---


def ask(guess: Guess) -> None:
    """Ask whether the guess is right and, if not, for the true digit."""
    key = guess.key
    if said := visit().said.get(key):
        show_thanks(guess, said)
    elif may_change():
        verdict = st.segmented_control(
            "Was it right?", list(VERDICTS), key=f"verdict-{key}", on_change=judge, args=(guess,)
        )
        if verdict == NO:
            actual = st.pills("Which digit is it?", range(10), wrap=True, key=f"actual-{key}")
            button("Store the correction", key, visit().correct, guess, actual, type="primary")
    show_problem(key)


def show_thanks(guess: Guess, said: Said) -> None:
    """Say what was made of the person's answer; let them take it back, or see a new reading."""
    st.success(said.thanks, icon=":material/check_circle:")
    if said.kept:
        st.caption(f"`{Path(said.kept.image).name}`")
    with st.container(horizontal=True):
        _, version, _ = network()
        if version != guess.version:
            label = f"Read it again with {version.short}"
            button(label, guess.key, ask_anew, guess, type="primary")
        button("Undo", guess.key, undo, guess, icon=":material/undo:")


def judge(guess: Guess) -> None:
    """Count a verdict that needs no digit (runs before the page is drawn anew)."""
    verdict = st.session_state[f"verdict-{guess.key}"]
    if verdict == YES:
        visit().agree(guess)
    elif verdict == NO_DIGIT:
        visit().dismiss(guess)


def ask_anew(guess: Guess) -> None:
    """Ask again, of a new reading if another network answers by now; what was stored stays."""
    visit().said.pop(guess.key, None)
    st.session_state[f"verdict-{guess.key}"] = None


def undo(guess: Guess) -> None:
    """Take back what was said of a guess, and ask again."""
    visit().undo(guess)
    if guess.key not in visit().said:
        ask_anew(guess)


def show_problem(place: str) -> None:
    """Show what went wrong there since the page was drawn last."""
    if problem := visit().problems.pop(place, None):
        st.error(problem, icon=":material/error:")


def may_change() -> bool:
    """Return whether this visitor may judge, correct, fine-tune and roll back."""
    return not PASSWORD or st.session_state.get("unlocked", False)


def ask_password() -> None:
    """Let in whoever knows the password."""
    given = st.text_input("Password, to judge and to teach", type="password")
    if not given:
        return
    time.sleep(1)  # s: guessing takes longer than anybody has
    if hmac.compare_digest(given.encode(), PASSWORD.encode()):
        st.session_state.unlocked = True
        st.rerun()
    st.error("That is not the password.", icon=":material/error:")


# --- Learning ---


def show_learning() -> None:
    """Show what waits to be learned, the button, and how the run in progress or the last went."""
    st.subheader("Learning from mistakes", anchor=False)
    stored, warnings = feedback.load(ROOT)
    seen = receipts.seen(ROOT)
    waiting = [one for one in stored[::-1] if one.key not in seen]
    st.write(f"**{len(waiting)}** corrections wait to be learned, of {len(stored)} stored.")
    show_strip(
        waiting,
        lambda one: thumbnail(ROOT / one.image),
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


def show_strip(items: list, picture_of: Callable, caption_of: Callable) -> None:
    """Show the first of some items side by side, small: as the two functions return them."""
    with st.container(horizontal=True, gap="small"):
        for item in items[:STRIP]:  # a store may hold thousands: only these are drawn
            caption = caption_of(item)
            show_sharp(picture_of(item), STRIP_SIDE, caption, caption)
    if len(items) > STRIP:
        st.caption(f"and {len(items) - STRIP} more")


@st.cache_data(max_entries=500)
def thumbnail(path: Path) -> bytes:
    """Return a stored picture as a small square, a JPEG file."""
    with Image.open(path) as picture:
        return charts.squared(picture, 2 * THUMB_SIDE)


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
    tally = verdicts.live_accuracy(ROOT)
    digits = tally.right + tally.wrong
    if digits:
        low, high = metrics.wilson(tally.right, digits)
        st.caption(
            f"Visitors judged {tally.judged} of the last {tally.shown} guesses: of {digits} digits "
            f"{tally.right} were right, {tally.right / digits:.0%} [{low:.0%}, {high:.0%}]."
        )


@st.cache_resource
def started(root: Path) -> list[launch.Run]:
    """Return the last fine-tuning that this server has started, for all its visitors."""
    return []


def start_run() -> None:
    """Start a fine-tuning, but not one right after another."""
    passed = time.monotonic() - started(ROOT)[0].began if started(ROOT) else PAUSE
    if passed < PAUSE:
        visit().problems["learning"] = f"The next run may start in {PAUSE - passed:.0f} s."
    else:
        started(ROOT)[:] = [launch.Run(ROOT, "--trigger", "button")]


def is_running() -> bool:
    """Return whether a fine-tuning runs, started here or by cron."""
    return any(run.is_alive() for run in started(ROOT)) or progress.is_running(ROOT)


def show_run(was_running: bool) -> None:
    """Show the progress of the run, or how the last one ended."""
    running = is_running()
    if running != was_running:
        st.rerun()  # the whole page: another version may be in service now
    if not running:
        show_ending()
        return
    show_progress(progress.read(ROOT) if progress.is_running(ROOT) else {})


def show_progress(entry: dict) -> None:
    """Show how far a run is, from what it wrote as its status."""
    left = entry.get("seconds_left")
    time_left = f", about {left} s left" if left is not None else ""
    phase = entry.get("phase", "Starting")
    st.progress(entry.get("share", 0.0), f"{phase}{time_left}. The page stays usable.")


def show_ending() -> None:
    """Say how the last run ended, whoever started it."""
    entry, own = progress.read(ROOT), started(ROOT)[0] if started(ROOT) else None
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
        outcomes = Counter(line["outcome"] for line in receipt["corrections"])
        st.write(
            "Corrections: " + ", ".join(f"**{n}** {name}" for name, n in outcomes.items()) + "."
        )
        lines = [line for line in receipt["corrections"][::-1] if (ROOT / line["image"]).exists()]
        show_strip(lines, lambda line: thumbnail(ROOT / line["image"]), before_and_after)
        flips = receipt["flipped"]
        fixed = sum(flip["fixed"] for flip in flips)
        st.write(f"Of digits it has never seen it fixed {fixed} and broke {len(flips) - fixed}.")
        show_strip(flips, lambda flip: charts.flipped(flip, 2 * STRIP_SIDE), before_and_after)


def before_and_after(line: dict) -> str:
    """Return a receipt's line as a caption: a sign that needs no colour, and both guesses."""
    if line.get("outcome") == receipts.HELD_BACK:
        return "– held back"
    sign = "✓" if line["guess_after"] == line["actual"] else "✗"
    return f"{sign} {line['guess_before']} → {line['guess_after']}"


# --- Corrections ---


def show_corrections() -> None:
    """Show what is stored, to look through, to mend, and to carry elsewhere."""
    stored, _ = feedback.load(ROOT)
    everything = stored[::-1] + feedback.removed(ROOT)[::-1]
    cards = list(zip(everything, states.of_each(ROOT, everything, network()[1]), strict=True))
    counts = Counter(state for _, state in cards)
    state = st.pills(
        "State",
        states.STATES,
        wrap=True,
        format_func=lambda name: f":material/{ICONS[name]}: {name} ({counts[name]})",
    )
    digit = st.pills("True digit", range(10), wrap=True)
    chosen = [
        card for card in cards if state in (None, card[1]) and digit in (None, card[0].actual)
    ]
    if not chosen:
        st.info("None is like that." if cards else "Nothing is stored yet.")
    show_problem("corrections")
    doubts = states.doubts(ROOT)
    pages = -(-len(chosen) // GALLERY)
    page = st.pagination(pages) if pages > 1 else 1
    with st.container(horizontal=True):
        for one, its_state in chosen[(page - 1) * GALLERY : page * GALLERY]:
            with st.container(width=THUMB_SIDE + 34, border=True):
                show_correction(one, its_state, doubts.get(one.key, ""))
    show_exchange(stored)


def show_correction(one: Correction, state: str, doubt: str) -> None:
    """Show one correction, why it was held back if it was, and what may be done about it."""
    path, place = ROOT / one.image, f"{one.image}-{one.actual}"
    alt = f"A {one.actual}, read as {one.predicted}"
    show_sharp(thumbnail(path), THUMB_SIDE, alt)
    st.markdown(f"**{one.actual}**, read as {one.predicted}")
    times = f", given {one.answers} times" if one.answers > 1 else ""
    st.caption(f":material/{ICONS[state]}: {state}{times}")
    if state == states.HELD_BACK:
        st.caption(doubt)
    if one.removed and may_change():
        button("Restore", place, change, feedback.restore, one)
    elif may_change():
        with st.popover("Change", key=f"change-{place}"):
            actual = st.pills("It is", range(10), wrap=True, key=f"relabel-{place}")
            button("Save this label", place, change, feedback.relabel, one, actual)
            button("Its label is right", place, change, feedback.confirm, one)
            button("Remove", place, change, feedback.remove, one)


def change(action: Callable, *arguments) -> None:
    """Do something to a stored correction, or note why not."""
    try:
        action(ROOT, *arguments)
    except feedback.StoreError as error:
        visit().problems["corrections"] = str(error)


def show_exchange(stored: list[Correction]) -> None:
    """Offer all corrections as a zip, and take such a zip."""
    with st.expander("Export and import"):
        st.download_button(
            "Export all as a zip",
            lambda: export(ROOT),
            "corrections.zip",
            "application/zip",
            disabled=not stored,
            help="The pictures, their table, and their digits as rows in train.csv's layout",
            on_click="ignore",
        )
        if not may_change():
            return
        archive = st.file_uploader("A zip exported here or elsewhere", type="zip")
        if st.button("Import it", disabled=archive is None):
            with st.spinner("Importing"):
                st.success(visit().bring(archive, trusted=bool(PASSWORD)))


# --- Versions ---


def show_versions() -> None:
    """Show how the network changed over time, how it errs, and when it learns next."""
    history = [record for record in versions.history(ROOT) if "accuracy_after" in record]
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
    names = {name.partition("-")[0]: name for name in versions.kept(ROOT) if name != version.name}
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
    if problem := launch.roll_back(ROOT, name):
        visit().problems["versions"] = problem


def show_confusion() -> None:
    """Show on demand which held-out digits the current version takes for which others."""
    st.subheader("Where it errs", anchor=False)
    if not st.toggle("Read all held-out digits now"):
        return
    net, version, _ = network()
    with st.spinner("Reading the held-out digits"):
        matrix = confusion(ROOT, version.sha256, net)
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
        check = shlex.join(launch.command(ROOT, "--check"))
        st.error(
            f"Overdue: its time came and no run ended. Look why: `{check}`", icon=":material/alarm:"
        )


# --- Lesson ---


def show_lesson() -> None:
    """Offer to switch off what keeps the loop sound, and show what breaks in a copy."""
    st.subheader("What breaks without it?", anchor=False)
    st.write("Switch a guard off and look. The network that answers stays as it is.")
    off = [
        name
        for name, sentence in lesson.GUARDS.items()
        if not st.toggle(f"**{name.capitalize()}**: {sentence}", value=True)
    ]
    if "centring" in off:
        show_uncentred()
    running = any(one.is_alive() for one in experiments(ROOT))
    button(
        "Try it in a sandbox",
        "lesson",
        start_experiment,
        [name for name in off if name in lesson.SWITCHES],
        type="primary",
        icon=":material/science:",
        disabled=running or is_running() or not may_change(),
        help="A real fine-tuning of a copy that is deleted afterwards; centring needs no run.",
    )
    st.fragment(show_experiment, run_every=REFRESH if running else None)(running)


def show_uncentred() -> None:
    """Show how digits off the middle are read with centring and without."""
    net, version, _ = network()
    readings = read_pages(ROOT, version.sha256, net)
    st.write(readings.in_words)
    pages, labels, plain = readings.pages, readings.labels, readings.plain
    wrong = np.flatnonzero(plain != labels).tolist()
    show_strip(
        wrong,
        lambda i: charts.squared(Image.fromarray(pages[i]), 2 * STRIP_SIDE),
        lambda i: f"✗ {labels[i]} → {plain[i]}",
    )


@st.cache_data(max_entries=1, show_spinner="Reading held-out digits both ways")
def read_pages(root: Path, sha256: str, _net) -> lesson.Readings:
    """Return the readings of the network whose file has this hash."""
    return lesson.read_pages(root, _net)


@st.cache_resource
def experiments(root: Path) -> list[lesson.Experiment]:
    """Return the last experiment that this server has started, for all its visitors."""
    return []


def start_experiment(without: list[str]) -> None:
    """Start an experiment, but not two at once."""
    if not any(one.is_alive() for one in experiments(ROOT)):
        experiments(ROOT)[:] = [lesson.Experiment(ROOT, without)]


def show_experiment(was_running: bool) -> None:
    """Show the progress of the experiment, or what came of the last."""
    for one in experiments(ROOT):
        if one.is_alive() != was_running:
            st.rerun()
        if was_running:
            show_progress(progress.read(one.sandbox))
            return
        off = " and ".join(one.without) or "nothing"
        st.info(f"In the sandbox, with {off} switched off: {one.says}")
        st.write(one.in_words)
        show_strip(one.lost, lambda flip: charts.flipped(flip, 2 * STRIP_SIDE), before_and_after)


main()
