"""Giving the page a digit: upload, drawing, photo or example; and what is read in it."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import streamlit as st
from streamlit.errors import StreamlitAPIException

from digits.home import PROJECT
from digits.page import answers
from digits.page.guesses import Guess
from digits.page.shared import button, serving, visit
from digits.page.visit import Given

EXAMPLE_SIDE = 92  # px: six in a row, three on a phone
CANVAS_SIDE, PEN = 280, 18  # px; the smallest phones are 320 wide; like a felt pen on that sheet
MAX_PICTURES = 20  # at once: more is a long page, and each may take 3 MB of memory
WAYS = {"Upload": "upload", "Draw": "draw", "Camera": "photo_camera"}


def show() -> None:
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
        answers.show_cards(given, found)
        answers.offer_answers(read_ones)
    elif read_ones:
        answers.show_answer(read_ones[0])
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
    try:
        from streamlit_drawable_canvas import st_canvas
    except (ImportError, StreamlitAPIException):  # the page stays whole without it
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
        for path in sorted((PROJECT / "examples").glob("*.png")):
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


def read(given: Given) -> Guess | str:
    """Return the guess, or the sentence that says why there is none."""
    judging = st.session_state.get(f"verdict-{given.key}") is not None
    return visit().read(given, serving, judging)
