"""The page's logic, driven without a browser: every story ends in a sentence, never a traceback."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from digits import feedback, images, model, status, versions
from tests.roots import PROJECT, add_misread, make_root, misread
from tests.styles import on_paper


def png(picture: Image.Image) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, "PNG")
    return stream.getvalue()


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("DIGITS_HOME", str(tmp_path))
    return make_root(tmp_path)


@pytest.fixture
def page(root):
    return AppTest.from_file(str(PROJECT / "app.py"), default_timeout=120)


def upload(page, data: bytes, name="digit.png"):
    page.run()
    page.file_uploader[0].set_value((name, data, "image/png")).run()
    assert not page.exception
    return page


def say_wrong(page):
    """Answer "No"; return the pills and the button that then ask for the true digit."""
    page.button_group[0].set_value("No").run()
    return page.button_group[1], page.button[0]


def test_page_nothing_uploaded_offers_upload_and_fine_tuning(page):
    page.run()
    assert not page.exception
    assert not page.header
    assert [button.label for button in page.button] == ["Run Fine-tuning"]


def test_page_digit_is_read(page, rows):
    digits, labels = rows
    upload(page, png(Image.fromarray(on_paper(digits[0]))))
    assert page.header[0].value == f"I read {labels[0]}"
    assert "v1" in page.markdown[1].value


@pytest.mark.parametrize("data", [b"", b"no picture", png(Image.new("RGB", (300, 200), "white"))])
def test_page_no_digit_says_why_in_a_sentence(page, data):
    upload(page, data)
    assert not page.header
    assert page.warning[0].value.endswith(".")


def test_page_wrong_guess_is_stored_once_with_what_was_seen(page, root, shipped):
    picture, guessed, actual = misread(shipped, 1)[0]
    upload(page, png(picture))
    assert str(guessed) in page.header[0].value
    pills, _ = say_wrong(page)
    pills.set_value(actual).run()
    page.button[0].click().run()
    page.run()
    (kept,), warnings = feedback.load(root)
    assert (kept.predicted, kept.actual, warnings) == (guessed, actual, [])
    assert kept.version == versions.current(root).name
    assert np.array_equal(np.array(images.open_picture(root / kept.image)), np.array(picture))
    assert kept.image in page.success[0].value
    assert "**1** corrections wait" in "".join(one.value for one in page.markdown)


def test_page_wrong_guess_preselects_nothing_and_never_offers_the_guess(page, root, rows):
    digits, labels = rows
    upload(page, png(Image.fromarray(on_paper(digits[0]))))
    pills, button = say_wrong(page)
    assert pills.value is None
    assert button.disabled
    assert str(labels[0]) not in pills.options
    assert len(pills.options) == 9
    assert feedback.load(root) == ([], [])


@pytest.mark.parametrize("content", [None, b"not a model"])
def test_page_model_unusable_says_so(page, root, rows, content):
    (root / versions.MODEL).unlink()
    if content:
        (root / versions.MODEL).write_bytes(content)
    upload(page, png(Image.fromarray(on_paper(rows[0][0]))))
    assert "model.h5" in page.error[0].value


def test_page_doubtful_digit_names_two_candidates(page, rows, shipped):
    digits, _ = rows
    probabilities = np.sort(model.predict(shipped, digits))
    doubtful = int(np.argmin(probabilities[:, -1]))
    upload(page, png(Image.fromarray(digits[doubtful])))
    first, second = np.argsort(model.predict(shipped, digits[doubtful : doubtful + 1])[0])[:-3:-1]
    assert page.header[0].value == f"Not sure: {first}, or else {second}"


def test_page_model_replaced_while_open_is_served_at_once(page, root, rows, shipped):
    picture = png(Image.fromarray(on_paper(rows[0][0])))
    upload(page, picture)
    before = page.header[0].value
    other = model.build(seed=3)
    kernel, bias = shipped.layers[-1].get_weights()
    other.set_weights([*shipped.get_weights()[:-2], np.roll(kernel, 1, 1), np.roll(bias, 1)])
    model.save(other, root / "other.h5")
    (root / "other.h5").replace(root / versions.MODEL)
    page.run()
    assert page.header[0].value == f"I read {(int(before[-1]) + 1) % 10}"


def test_page_store_damaged_says_so(page, root):
    (root / feedback.TABLE).write_text("some,other,table\n1,2,3\n")
    page.run()
    assert not page.exception
    assert "lacks the column Predicted_Label" in page.error[0].value


def test_page_run_elsewhere_shows_its_progress(page, root, shipped):
    add_misread(root, shipped, 1)
    running = status.Status(root, "cron", 1)  # process 1 is always there
    running.progress("Training", 0.4)
    page.run()
    assert not page.exception
    assert page.button[0].disabled
