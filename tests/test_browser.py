"""The whole loop as a person meets it: a real server, a real browser, a real fine-tuning."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from playwright.sync_api import expect, sync_playwright

from digits import feedback, model
from tests.homes import make_home, misread
from tests.served import BROWSER, LAUNCH, serve

WAIT = 60_000  # ms for anything on the page; a machine may be busy
RUN = 300_000  # ms for a fine-tuning
TABS = 200  # several times around the page: what is still being laid out is met the next time

if not BROWSER and not os.environ.get("CI"):  # on CI its absence is a failure
    pytest.skip("needs Chromium: apt-get install chromium", allow_module_level=True)


@pytest.fixture
def home(tmp_path):
    return make_home(tmp_path / "root")


@pytest.fixture(params=[1280, 390], ids=["desktop", "phone"])
def page(request, home):
    with serve(home) as server, sync_playwright() as playwright:
        browser = playwright.chromium.launch(**LAUNCH)
        page = browser.new_page(viewport={"width": request.param, "height": 900})
        page.set_default_timeout(WAIT)
        expect.set_options(timeout=WAIT)
        page.goto(server.address)
        yield page
        browser.close()


def upload(page, path: Path) -> None:
    page.get_by_test_id("stFileUploaderDropzoneInput").set_input_files(path)


def click(page, role: str, name: str) -> None:
    """Click once the page stands still: what moves under the pointer is not hit."""
    page.locator("[data-test-script-state=notRunning]").wait_for()
    page.wait_for_timeout(300)  # ms, for the last of the layout
    page.get_by_role(role, name=name, exact=True).click()


def answer(page):
    """Return the guess, the largest words on the page after its title."""
    return page.get_by_role("heading", name=re.compile("^(I read|Not sure)"))


def correct(page, actual: int) -> None:
    """Say that the guess is wrong, which digit it is, and store it."""
    click(page, "radio", "No")
    click(page, "radio", str(actual))
    click(page, "button", "Store the correction")
    expect(page.get_by_text("The next fine-tuning learns it")).to_be_visible()


def draw_seven(page) -> None:
    """Draw a 7 with the mouse: a bar, then a stroke down."""
    canvas = page.locator("canvas").last
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    ways = [(80, 60), (200, 60), (120, 230)]
    page.mouse.move(box["x"] + ways[0][0], box["y"] + ways[0][1])
    page.mouse.down()
    for x, y in ways[1:]:
        page.mouse.move(box["x"] + x, box["y"] + y, steps=8)
    page.mouse.up()


def test_loop_upload_correct_fine_tune_receipt_read_again_roll_back(page, home, tmp_path):
    picture, guessed, actual = misread(model.load(home.model), 1)[0]
    shown = tmp_path / "digit.png"
    picture.save(shown)

    upload(page, shown)
    expect(answer(page)).to_contain_text(str(guessed))
    correct(page, actual)
    (kept,), _ = feedback.load(home)
    assert (kept.predicted, kept.actual) == (guessed, actual)
    assert (home.folder / kept.image).exists()

    click(page, "button", "Run Fine-tuning")
    expect(page.get_by_role("progressbar").first).to_be_visible()
    expect(page.get_by_text("Published v2")).to_be_visible(timeout=RUN)
    expect(page.get_by_text("Version v2 answers")).to_be_visible()
    receipt = page.get_by_test_id("stExpander").filter(has_text="What the last run did")
    expect(receipt.get_by_text(f"✓ {guessed} → {actual}")).to_be_visible()

    click(page, "button", "Read it again with v2")
    expect(answer(page)).to_have_text(f"I read {actual}")
    click(page, "tab", "Corrections")
    expect(page.get_by_text("learned (1)")).to_be_visible()

    click(page, "tab", "Versions")
    click(page, "button", "Roll back")
    click(page, "button", "Put v1 back")
    click(page, "tab", "Read and learn")
    expect(page.get_by_text("Version v1 answers")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_drawing_is_read_cleared_and_read_anew(page):
    click(page, "radio", "Draw")
    for _ in range(2):
        draw_seven(page)
        expect(answer(page)).to_have_text("I read 7")
        click(page, "button", "Clear")
        expect(answer(page)).to_be_hidden()


def test_keyboard_alone_reads_an_example_and_judges_it(page):
    focus(page, "Felt pen")
    page.keyboard.press("Enter")
    expect(answer(page)).to_have_text("I read 3")
    focus(page, "Yes")
    page.keyboard.press("Space")
    expect(page.get_by_text("counted as right")).to_be_visible()


def focus(page, name: str) -> None:
    """Press Tab until the control with that name, which is on the page, has the focus."""
    page.get_by_text(name, exact=True).wait_for()  # a page stands still before it has any control
    page.locator("[data-test-script-state=notRunning]").wait_for()
    for _ in range(TABS):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.innerText || ''").strip().endswith(name):
            return
    raise AssertionError(f"Tab never reaches {name}")


def test_every_picture_has_a_name_and_two_of_its_px_for_each_of_the_page(page):
    click(page, "button", "Chalk")
    expect(answer(page)).to_have_text("I read 8")
    pictures = "[...document.querySelectorAll('main img')]"
    assert page.evaluate(f"{pictures}.filter(one => !one.alt).length") == 0
    page.wait_for_function(f"{pictures}.every(one => one.naturalWidth)")  # each has come
    assert page.evaluate(f"{pictures}.filter(one => one.naturalWidth < 2 * one.width).length") == 0
