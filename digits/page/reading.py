"""Giving the page a digit: upload, drawing, photo or example; what is read in it goes beside."""

from __future__ import annotations

import base64
import hashlib
import io
import re
from pathlib import Path

import streamlit as st
from PIL import Image
from streamlit.errors import StreamlitAPIException

from digits import versions
from digits.home import PROJECT
from digits.page import answers, drawing
from digits.page.shared import home, serving, visit
from digits.page.visit import Given

CANVAS_SIDE, TOOLS = 240, 100  # px; page.css shows the canvas smaller on the smallest phones
WIDE = 480, 200  # px, of the sheet for a number
PENS = {"Thin": 10, "Medium": 16, "Thick": 24}  # px on that sheet
EXAMPLE_SIDE = 128  # px of an example on the page, shown at half of that
MAX_PICTURES = 20  # at once: more is a long page, and each may take 3 MB of memory
WAYS = {"Upload": "upload", "Draw": "draw", "Camera": "photo_camera"}
LESSON = "6-another-0"  # the example that shows what was learned from the others
INSECURE = "Browsers allow the camera on https and on localhost only, and this page is neither."


def show() -> None:
    """Take pictures in one of three ways on the left, show what is read on the right."""
    left, right = st.columns(2, gap="medium")
    with left:
        given = take()
    found = [visit().read(one, serving) for one in given[:MAX_PICTURES]]
    visit().keep(found, {one.key for some in kept().values() for one in some})
    several = answers.are_several(found)
    with right, st.container(key="answers" if several else "answer"):
        answers.show(found)
        if left_out := given[MAX_PICTURES:]:
            names = ", ".join(one.name for one in left_out)
            st.warning(f"Not read, since {MAX_PICTURES} is the most at once: {names}.")
    if several:
        answers.show_several(given[:MAX_PICTURES], found)
    offer_examples()


def kept() -> dict[str, list[Given]]:
    """Return what was given last in each way."""
    return st.session_state.setdefault("given", {})


def take() -> list[Given]:
    """Return what was given in the way chosen; what was given in the others stays."""
    way = st.segmented_control(
        "How do you give it a digit?",
        list(WAYS),
        key="way",
        default=None if "way" in st.session_state else "Upload",
        required=True,
        format_func=lambda name: f":material/{WAYS[name]}: {name}",
        label_visibility="collapsed",
        on_change=keep_drawing,
        bind="query-params",
    )
    with st.container(key="upload" if way == "Upload" else "kept-upload"):
        uploaded = upload()  # drawn behind the other ways too: else it would be forgotten
    given = {"Draw": draw, "Camera": photograph}.get(way or "", lambda: uploaded)()
    kept()[way or "Upload"] = given
    return given


def upload() -> list[Given]:
    """Return the uploaded files, or else the example picked; the content tells what a file is."""
    files = st.file_uploader(
        "Pictures of digits or numbers, or paste one",
        accept_multiple_files=True,
        key=pile(),
        on_change=open_upload,
    )
    path: Path | None = st.session_state.get("example")
    if path and not files:
        return [Given(path.name, path.name, io.BytesIO(path.read_bytes()))]
    return [Given(file.file_id, file.name, file) for file in files]


def pile() -> str:
    """Return the key of the files given since an example was picked last."""
    return f"files-{st.session_state.get('pile', 0)}"


def open_upload() -> None:
    """Show the files given, also those pasted while drawing, in the place of an example."""
    state = st.session_state
    if state.get(pile()):  # a browser that is behind tells of the uploader before, too
        state.way, state.example, state.picked = "Upload", None, None


def offer_examples() -> None:
    """Offer the project's own pictures; one more after a run, to show what was learned."""
    learned = bool(versions.runs(home()))
    paths = sorted((PROJECT / "examples").glob("*.png"))
    with st.container(key="examples"):  # one group: one stop for who walks with the keyboard
        st.pills(
            "Or try one of these",
            [path for path in paths if learned or path.stem != LESSON],
            format_func=example_label,
            key="picked",
            on_change=pick,
        )


@st.cache_data
def example_label(path: Path) -> str:
    """Return an example as a label: the picture, named for who cannot see it."""
    name = path.stem[2:].replace("-", " ").capitalize()
    with Image.open(path) as picture:
        across = 2 if picture.width > 1.5 * picture.height else 1  # a number
        content = base64.b64encode(drawing.squared(picture, EXAMPLE_SIDE, across)).decode()
    return f"![Example: {name}](data:image/jpeg;base64,{content})"


def pick() -> None:
    """Have the example picked read in the place of what was uploaded."""
    state = st.session_state
    state.way, state.example = "Upload", state.picked
    state.pile = state.get("pile", 0) + 1


def draw() -> list[Given]:
    """Return the drawing, once there is ink on the canvas."""
    try:
        from streamlit_drawable_canvas import st_canvas
    except (ImportError, StreamlitAPIException):  # the page stays whole without it
        st.info("Drawing needs one more package: `pip install streamlit-drawable-canvas`.")
        return []
    state = st.session_state
    wide = state.get("wide", False)
    width, height = WIDE if wide else (CANVAS_SIDE, CANVAS_SIDE)
    with st.container(horizontal=True, key="sheet-wide" if wide else "sheet", gap="xsmall"):
        canvas = st_canvas(
            stroke_width=PENS[state.get("pen", "Medium")],
            background_color="#ffffff",
            height=height,
            width=width,
            initial_drawing=state.get("start"),
            return_image_data=True,
            key="canvas-wide" if wide else "canvas",
        )
        state.strokes = (canvas.json_data or {}).get("objects", [])
        with st.container(width=width if wide else TOOLS, horizontal=wide, gap="xsmall"):
            for label, strokes in (("Undo stroke", state.strokes[:-1]), ("Clear", [])):
                st.button(label, on_click=start_from, args=(strokes,), width="stretch")
            st.selectbox("Pen", list(PENS), index=1, key="pen", label_visibility="collapsed")
            st.toggle("Number", key="wide", on_change=keep_drawing)
    if not state.strokes:
        return []
    if canvas.image_bytes is None:  # a canvas just shown again has its strokes, but no picture
        return kept().get("Draw", [])
    content = hashlib.sha256(canvas.image_bytes).hexdigest()
    file = io.BytesIO(canvas.image_bytes)
    return [Given(f"drawing-{state.get('drawings', 0)}", "drawing", file, content)]


def start_from(strokes: list[dict]) -> None:
    """Put these strokes in the place of those on the canvas; none begin a new drawing."""
    state = st.session_state
    state.turn = state.get("turn", 0) + 1  # the same strokes again count as another start
    state.start = {"objects": strokes, "turn": state.turn}
    state.drawings = state.get("drawings", 0) + (not strokes)


def keep_drawing() -> None:
    """Have the canvas, when it is shown next, begin with what is drawn now."""
    st.session_state.start = {"objects": st.session_state.get("strokes", [])}


def photograph() -> list[Given]:
    """Return the photo taken, also after looking elsewhere."""
    if not allows_camera(st.context.url or ""):
        st.info(INSECURE, icon=":material/no_photography:")
        return []
    photo = st.camera_input("Hold one digit so that it fills a third of the view")
    return [Given(photo.file_id, "photo", photo)] if photo else kept().get("Camera", [])


def allows_camera(address: str) -> bool:
    """Return whether browsers lend the camera to a page at this address."""
    return not re.match(r"http://(?!localhost\b|127\.|\[::1\])", address)
