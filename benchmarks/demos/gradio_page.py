"""The least page on the same functions: a Gradio demo, to measure the project's page against."""

import io

import gradio as gr

from digits import feedback, images, model
from digits.home import Home

home = Home.default()
net = model.load_light(home.model)


def read(file):
    """Return the probabilities by digit of the picture in a file."""
    digit = images.read_digit(images.open_picture(file))
    return dict(zip("0123456789", map(float, model.predict(net, digit[None])[0]), strict=True))


def read_drawing(sheet):
    """Return the same of a drawing."""
    stream = io.BytesIO()
    sheet["composite"].save(stream, "PNG")
    stream.seek(0)
    return read(stream)


def correct(file, probabilities, actual):
    """Store the picture with its true digit."""
    guess = max(probabilities, key=probabilities.get)
    feedback.add(home, images.open_picture(file), int(guess), actual)
    return f"Stored: {guess} → {actual}"


with gr.Blocks() as page:
    with gr.Row():
        with gr.Column():
            with gr.Tab("Upload"):
                picture = gr.Image(type="filepath", sources=["upload"], label="A digit")
            with gr.Tab("Draw"):
                sheet = gr.Sketchpad(type="pil", label="A digit", canvas_size=(280, 280))
        with gr.Column():
            answer, said = gr.Label(label="Answer"), gr.Textbox(label="Said")
            with gr.Row():
                for actual in range(10):
                    button = gr.Button(str(actual), min_width=40)
                    button.click(correct, [picture, answer, gr.State(actual)], said)
    picture.upload(read, picture, answer)
    picture.clear(lambda: (None, ""), None, [answer, said])
    sheet.change(read_drawing, sheet, answer)

if __name__ == "__main__":
    page.launch()
