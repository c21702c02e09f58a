"""The least Streamlit page on the same functions: what this takes, any page on Streamlit takes."""

import io

import streamlit as st
from streamlit_drawable_canvas import st_canvas

from digits import images, model
from digits.home import Home


@st.cache_resource
def network():
    """Return the network in service."""
    return model.load_light(Home.default().model)


file = st.file_uploader("A digit")
sheet = st_canvas(background_color="#ffffff", height=280, width=280, return_image_data=True)
net = network()
if sheet.image_bytes and (sheet.json_data or {}).get("objects"):
    file = io.BytesIO(sheet.image_bytes)
if file:
    number = images.read_digits(images.open_picture(file), net)
    st.html(f'<section class="answer"><h2>{number.text()}</h2></section>')
