"""The whole loop as a person meets it: a real server, a real browser, a real fine-tuning."""

from __future__ import annotations

import io
import os
import re

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from digits import feedback, model
from tests.homes import PROJECT, add_misread, left_out_number, make_home, misread, misread_number
from tests.served import BROWSER, WATCH_SERVER, answer, click, draw, serve, settle, upload

WAIT = 60_000  # ms for anything on the page; a machine may be busy
RUN = 300_000  # ms for a fine-tuning
TABS = 10  # stops from the top of the page to the button that learns, at most
SHIFT = (
    0.05  # of the layout until the answer, at most: "good" by https://web.dev/articles/cls is 0.1
)
WATCH_SHIFT = """
window.shift = 0;
new PerformanceObserver(all => all.getEntries().forEach(one => {
    window.shift += one.hadRecentInput ? 0 : one.value;
})).observe({type: "layout-shift", buffered: true});
"""
SIZES = {"wide": (1920, 1080), "desktop": (1280, 900), "phone": (390, 760), "small": (320, 568)}
AXE = PROJECT / "tests" / "node_modules" / "axe-core" / "axe.min.js"
LOOKS = 3  # a rule violated in the midst of a change is none; one violated at each look is
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
SEVEN = (80, 60), (200, 60), (120, 230)  # its corners, on a sheet of 280

if not BROWSER and not os.environ.get("CI"):  # on CI its absence is a failure
    pytest.skip("needs Chromium: apt-get install chromium", allow_module_level=True)


@pytest.fixture
def home(tmp_path):
    return make_home(tmp_path / "home")


@pytest.fixture
def address(home):
    with serve(home) as server:
        yield server.address


def open_page(browser, address, size="desktop", script=""):
    width, height = SIZES[size]
    page = browser.new_page(viewport={"width": width, "height": height})
    page.set_default_timeout(WAIT)
    page.add_init_script(WATCH_SERVER + script)
    page.goto(address)
    page.get_by_role("button", name="Run Fine-tuning").wait_for()
    return page


@pytest.fixture
def page(browser, address):
    page = open_page(browser, address)
    yield page
    page.close()


def draw_seven(page) -> None:
    """Draw a 7 with the mouse: a bar, then a stroke down."""
    canvas = page.locator("canvas").last
    canvas.wait_for()
    settle(page)
    draw(page, SEVEN, canvas.bounding_box())


def violations(page) -> list[str]:
    """Return which of axe's rules the page violates, light and dark, each with the first place."""
    page.evaluate(AXE.read_text("utf-8"))
    return [one for scheme in ("light", "dark") for one in violations_in(page, scheme)]


def violations_in(page, scheme: str) -> list[str]:
    """Return which of axe's rules the page violates in that colour scheme."""
    page.emulate_media(color_scheme=scheme)
    for _ in range(LOOKS):
        settle(page)
        found = page.evaluate(f"axe.run(document, {{runOnly: {RULES}}})")["violations"]
        if not found:
            break
    return [f"{scheme}, {one['id']}: {one['nodes'][0]['html'][:200]}" for one in found]


@pytest.mark.parametrize("size", ["desktop", "phone", "small"])
def test_loop_upload_correct_fine_tune_see_it_learned_roll_back(
    browser, address, home, tmp_path, size
):
    picture, guessed, actual = misread(model.load(home.model), 1)[0]
    shown = tmp_path / "digit.png"
    picture.save(shown)
    page = open_page(browser, address, size)

    upload(page, shown)
    expect(answer(page)).to_contain_text(str(guessed))
    click(page, "button", str(actual))
    expect(page.locator(".said").get_by_text(f"Stored: {guessed} → {actual}")).to_be_visible()
    expect(page.locator(".said")).to_contain_text("The next run learns it.")
    (kept,), _ = feedback.load(home)
    assert (kept.predicted, kept.actual) == (guessed, actual)
    assert (home.folder / kept.image).exists()

    click(page, "button", "Run Fine-tuning")
    expect(page.get_by_role("progressbar").first).to_be_in_viewport()
    expect(page.locator(".curve").first).to_be_in_viewport(timeout=RUN)
    expect(page.get_by_text("Learned 1 of 1.")).to_be_in_viewport(timeout=RUN)
    expect(page.locator(".answer b")).to_have_text(f"v1: {guessed} → v2: {actual}")
    expect(page.locator(".said")).not_to_contain_text("The next run learns it.")
    expect(answer(page)).to_contain_text(str(actual))
    expect(page.get_by_role("radio", name="Example: Another 0")).to_be_visible()
    click(page, "tab", "Corrections")
    expect(page.get_by_text("learned (1)")).to_be_visible()

    click(page, "tab", "Versions")
    click(page, "button", "Put v1 in service")
    expect(page.get_by_text("v1 answers now.")).to_be_visible()
    click(page, "tab", "Read and learn")
    expect(page.get_by_text("v2 was rolled back: v1 answers.")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    page.close()


def upload_number(page, home, tmp_path) -> list[int]:
    """Upload number.png, a number of which the middle digit is misread; return its digits."""
    picture, digits = misread_number(model.load_light(home.model))
    picture.save(tmp_path / "number.png")
    upload(page, tmp_path / "number.png")
    return digits


def learn_and_give_again(page, tmp_path) -> None:
    """Have the one correction learned, then upload number.png to the page loaded anew."""
    click(page, "button", "Run Fine-tuning")
    expect(page.get_by_text("Learned 1 of 1.")).to_be_visible(timeout=RUN)
    page.reload()
    upload(page, tmp_path / "number.png")


@pytest.mark.parametrize("size", ["desktop", "phone"])
def test_number_one_digit_corrected_is_read_right_after_a_run(
    browser, address, home, tmp_path, size
):
    page = open_page(browser, address, size)
    number = page.locator(".number h2")
    first, label, last = upload_number(page, home, tmp_path)
    expect(number).to_have_text(re.compile(f"^{first}[^{label}]{last}$"))
    click(page, "button", str(label))
    expect(number).to_have_text(f"{first}{label}{last}")
    assert [one.actual for one in feedback.load(home)[0]] == [label]

    learn_and_give_again(page, tmp_path)
    expect(number).to_have_text(f"{first}{label}{last}")
    page.close()


@pytest.mark.parametrize("size", ["desktop", "phone"])
def test_tap_on_a_digit_in_the_picture_opens_its_row_for_taps_and_keys(
    browser, address, home, tmp_path, size
):
    page = open_page(browser, address, size)
    first, label, last = upload_number(page, home, tmp_path)
    boxes = page.locator(".boxed i")
    boxes.last.wait_for()
    settle(page)
    boxes.nth(1).click()  # it is unsure, so that its row is there already
    expect(page.get_by_role("button", name="✓ right", exact=True)).to_be_focused()
    boxes.last.click()
    settle(page)
    expect(page.get_by_test_id("stPopoverBody").get_by_text("✓ right")).to_be_in_viewport()
    page.keyboard.press(str(label))
    expect(page.locator(".number h2")).to_have_text(re.compile(f"^{first}[^{label}]{label}$"))
    assert [one.predicted for one in feedback.load(home)[0]] == [last]
    page.close()


@pytest.mark.parametrize("size", ["desktop", "phone"])
def test_tap_on_what_was_left_out_leads_to_its_card_and_what_is_corrected_there_is_learned(
    browser, address, home, tmp_path, size
):
    page = open_page(browser, address, size)
    picture, (first, left_out, last) = left_out_number(model.load_light(home.model))
    picture.save(tmp_path / "number.png")
    upload(page, tmp_path / "number.png")
    number = page.locator(".number h2")
    expect(number).to_have_text(f"{first} {last}")
    take = page.get_by_role("button", name="It is a digit")
    take.wait_for()
    settle(page)
    page.locator(".boxed i.other").click()
    expect(take).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator(".boxed i")).to_have_count(3)
    expect(page.get_by_role("button", name="✓ right", exact=True)).to_be_focused()
    page.keyboard.press(str(left_out))
    expect(number).to_have_text(f"{first}{left_out}{last}")
    assert [one.actual for one in feedback.load(home)[0]] == [left_out]

    learn_and_give_again(page, tmp_path)
    expect(number).to_have_text(f"{first}{left_out}{last}")
    page.close()


def test_tap_on_a_digit_before_its_row_is_there_opens_it_once_it_is(
    browser, address, home, tmp_path
):
    page = open_page(browser, address, "phone")
    upload_number(page, home, tmp_path)
    card = page.locator(".answer[data-digit]").first
    card.wait_for()
    settle(page)
    card.evaluate("card => { card.later = card.parentElement; card.remove(); window.card = card; }")
    page.locator(".boxed i").nth(1).click()
    page.evaluate("card.later.append(card)")
    expect(page.get_by_role("button", name="✓ right", exact=True)).to_be_focused()
    page.close()


def test_key_pressed_before_its_button_is_there_counts_once_it_is(browser, address, home, tmp_path):
    page = open_page(browser, address, "desktop")
    _, label, _ = upload_number(page, home, tmp_path)
    row = page.locator('[class*="st-key-row-"]')
    row.wait_for()
    settle(page)
    row.evaluate(
        "row => { row.later = [...row.children].slice(1); row.later.map(e => e.remove()); }"
    )
    page.keyboard.press(str(label))
    row.evaluate("row => row.append(...row.later)")
    page.get_by_role("button", name="Undo").wait_for()
    assert [one.actual for one in feedback.load(home)[0]] == [label]
    page.close()


@pytest.mark.parametrize("size", SIZES)
def test_number_drawn_on_the_wide_sheet_is_read(browser, address, size):
    page = open_page(browser, address, size)
    click(page, "radio", "Draw")
    page.get_by_text("Number", exact=True).click()
    settle(page)
    canvas = page.locator("canvas").last
    canvas.wait_for()
    box = canvas.bounding_box()
    assert box["width"] > 1.2 * box["height"]
    for across in (0.2, 0.5, 0.8):
        x = box["x"] + across * box["width"]
        page.mouse.move(x, box["y"] + 0.2 * box["height"])
        page.mouse.down()
        page.mouse.move(x, box["y"] + 0.8 * box["height"], steps=8)
        page.mouse.up()
    expect(page.locator(".number h2")).to_have_text("111")
    expect(canvas).to_be_in_viewport(ratio=1)
    expect(page.locator(".number h2")).to_be_in_viewport(ratio=1)
    page.close()


@pytest.mark.parametrize("size", SIZES)
def test_drawing_is_answered_beside_the_ink_without_scrolling(browser, address, size):
    page = open_page(browser, address, size)
    click(page, "radio", "Draw")
    draw_seven(page)
    expect(answer(page)).to_have_text("7")
    settle(page)
    seen = page.get_by_alt_text("What the network sees: 28 × 28, white on black")
    for part in (page.locator("canvas").last, answer(page), seen):
        expect(part).to_be_in_viewport(ratio=1)
    expect(page.get_by_role("button", name="not a digit")).to_be_in_viewport(ratio=1)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    page.close()


def test_drawing_stays_when_one_looks_elsewhere_and_goes_when_cleared(page):
    click(page, "radio", "Draw")
    draw_seven(page)
    expect(answer(page)).to_have_text("7")
    click(page, "radio", "Upload")
    expect(answer(page)).to_be_hidden()
    click(page, "radio", "Draw")
    expect(answer(page)).to_have_text("7")
    click(page, "button", "Undo stroke")
    expect(answer(page)).to_be_hidden()
    draw_seven(page)
    expect(answer(page)).to_have_text("7")
    click(page, "button", "Clear")
    expect(answer(page)).to_be_hidden()


def test_keyboard_alone_reads_an_example_corrects_it_and_reaches_run(page, home):
    focus(page, "Or try one of these", "[role=radio]")
    for _ in range(4):
        page.keyboard.press("ArrowRight")
    page.keyboard.press("Space")
    expect(answer(page)).to_have_text("8? or 0?")
    settle(page)
    page.keyboard.press("0")
    expect(page.locator(".said").get_by_text("Stored: 8 → 0")).to_be_visible()
    assert [one.actual for one in feedback.load(home)[0]] == [0]
    page.reload()
    focus(page, "Run Fine-tuning", "button")


def focus(page, name: str, kind: str) -> None:
    """Press Tab until a control of that kind, itself or its group so named, has the focus."""
    page.get_by_text(name, exact=True).first.wait_for()
    settle(page)
    for _ in range(TABS):
        page.keyboard.press("Tab")
        if page.evaluate(
            "([name, kind]) => document.activeElement.matches(kind) && "
            "(document.activeElement.closest('[role=radiogroup]') || document.activeElement)"
            ".parentElement.innerText.includes(name)",
            [name, kind],
        ):
            return
    raise AssertionError(f"{TABS} stops do not reach {name}")


def test_enter_agrees_and_announces_it(page):
    click(page, "radio", "Example: Chalk")
    expect(answer(page)).to_have_text("8")
    settle(page)
    page.mouse.click(5, 5)  # the focus leaves what was clicked
    page.keyboard.press("Enter")
    expect(page.get_by_role("status").filter(has_text="Counted as right")).to_be_attached()


def test_keys_switched_off_do_not_judge(page, home):
    click(page, "radio", "Example: Chalk")
    expect(answer(page)).to_have_text("8")
    page.get_by_text("Judge by keys").click()
    expect(page).to_have_url(re.compile("keys=false"))
    page.mouse.click(5, 5)
    for key in ("0", "Enter"):
        page.keyboard.press(key)
        settle(page)
    expect(page.get_by_role("button", name="✓ right", exact=True)).to_be_visible()
    assert feedback.load(home)[0] == []


def test_script_that_comes_last_announces_what_stands_already(browser):
    page = browser.new_page()
    page.set_content("<section data-say><h2>8</h2></section>")
    page.add_script_tag(path=PROJECT / "digits" / "page" / "page.js")
    expect(page.get_by_role("status")).to_have_text("8")
    page.close()


def pass_on_unfinished(socket) -> None:
    """Lend the page its server, but keep from it that what the server draws is finished."""
    server = socket.connect_to_server()

    def pass_on(message: bytes) -> None:
        if ForwardMsg.FromString(message).WhichOneof("type") != "script_finished":
            socket.send(message)

    server.on_message(pass_on)


def test_tap_while_the_browser_is_behind_judges_the_answer_seen(browser, address):
    page = browser.new_page()
    page.set_default_timeout(WAIT)
    page.route_web_socket("**/_stcore/stream", pass_on_unfinished)
    page.goto(address)
    page.get_by_role("radio", name="Example: Chalk", exact=True).click()
    expect(answer(page)).to_have_text("8")
    page.get_by_role("button", name="✓ right", exact=True).click()
    expect(page.get_by_role("status").filter(has_text="Counted as right")).to_be_attached()
    expect(answer(page)).to_have_text("8")
    page.close()


def test_cell_of_the_confusion_matrix_opens_its_digits(page):
    click(page, "tab", "Versions")
    settle(page)
    page.get_by_text("Read all held-out digits now").click()
    cell = page.locator("[data-pick]").last
    actual, guess = cell.get_attribute("data-pick").split(" → ")
    settle(page)
    cell.click()
    expect(page.get_by_role("img", name=f"✗ {actual} → {guess}")).to_have_count(
        int(cell.inner_text())
    )
    expect(page.get_by_role("img", name=f"✗ {actual} → {guess}").first).to_be_in_viewport()


def test_focus_goes_from_a_judgement_to_its_undo(page):
    click(page, "radio", "Example: Chalk")
    expect(answer(page)).to_have_text("8")
    settle(page)
    page.get_by_role("button", name="not a digit").focus()
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Space")
    expect(page.get_by_role("button", name="Undo", exact=True)).to_be_focused()


def test_file_beyond_the_limit_says_why_to_everybody(page, tmp_path):
    large = tmp_path / "large.png"
    large.write_bytes(bytes(11_000_000))
    upload(page, large)
    reason = page.get_by_text("File must be 10.0MB or smaller")
    expect(reason).to_be_visible()
    assert reason.bounding_box()["width"] > 100


def test_several_pictures_stand_in_the_order_of_the_document(page):
    upload(page, *(PROJECT / "examples").glob("[1-6]-*.png"))
    expect(page.get_by_text("4 sure, 2 unsure")).to_be_visible()
    settle(page)
    boxes = [one.bounding_box() for one in page.locator(".st-key-cards .answer h2").all()]
    places = [(round(box["y"] / 50), box["x"]) for box in boxes]  # a line is over 50 px high
    assert len(places) == 6
    assert places == sorted(places)
    page.get_by_role("button", name="All are right").click()
    expect(page.locator(".said")).to_have_count(6)


def test_picture_pasted_while_drawing_is_read(page):
    click(page, "radio", "Draw")
    page.locator("canvas").last.wait_for()
    content = list((PROJECT / "examples" / "3-chalk.png").read_bytes())
    page.evaluate(
        """content => {
            const data = new DataTransfer();
            data.items.add(new File([new Uint8Array(content)], "p.png", {type: "image/png"}));
            document.dispatchEvent(new ClipboardEvent("paste", {clipboardData: data}));
        }""",
        content,
    )
    expect(answer(page)).to_have_text("8")


def test_refresh_keeps_part_and_way(page):
    click(page, "radio", "Draw")
    click(page, "tab", "Versions")
    expect(page).to_have_url(re.compile("part=Versions"))
    page.reload()
    expect(page.get_by_role("tab", name="Versions")).to_have_attribute("aria-selected", "true")
    click(page, "tab", "Read and learn")
    expect(page.get_by_role("radio", name="Draw")).to_be_checked()


def test_reload_and_back_keep_part_and_filter(page, home, address):
    add_misread(home, model.load_light(home.model), 2)
    first = feedback.load(home)[0][0]
    click(page, "tab", "Corrections")
    click(page, "radio", str(first.actual))
    expect(page).to_have_url(re.compile(f"digit={first.actual}"))
    settle(page)
    for leave_and_return in (page.reload, lambda: (page.goto("about:blank"), page.go_back())):
        leave_and_return()
        expect(page.get_by_role("tab", name="Corrections")).to_have_attribute(
            "aria-selected", "true"
        )
        expect(page.get_by_role("radio", name=str(first.actual), exact=True)).to_be_checked()


def test_pen_thick_draws_more_ink_than_thin(page):
    click(page, "radio", "Draw")
    ink = []
    for pen in ("Thin", "Thick"):
        settle(page)
        page.get_by_role("combobox", name="Pen").click()
        page.get_by_role("option", name=pen).click()
        draw_seven(page)
        expect(answer(page)).to_have_text("7")
        ink.append(page.get_by_alt_text("Your picture, drawing").screenshot())
        click(page, "button", "Clear")
        expect(answer(page)).to_be_hidden()
    thin, thick = (np.asarray(Image.open(io.BytesIO(one)).convert("L")) < 128 for one in ink)
    assert thick.sum() > 1.5 * thin.sum()


def test_presenter_mode_is_large_and_stays_in_the_address(page):
    click(page, "radio", "Example: Chalk")
    expect(answer(page)).to_have_text("8")
    settle(page)
    before = answer(page).bounding_box()["height"]
    page.get_by_text("Presenter mode").click()
    expect(page).to_have_url(re.compile("present=true"))
    expect(page.locator("html")).to_have_css("font-size", "22px")
    settle(page)
    assert answer(page).bounding_box()["height"] > 2.5 * before


@pytest.mark.parametrize("size", SIZES)
def test_layout_stays_from_the_first_paint_to_the_answer(browser, address, size):
    page = open_page(browser, address, size, script=WATCH_SHIFT)
    click(page, "radio", "Example: Chalk")
    expect(answer(page)).to_have_text("8")
    settle(page)
    assert page.evaluate("window.shift") <= SHIFT
    page.close()


def test_every_picture_has_a_name_and_two_of_its_px_for_each_of_the_page(page):
    click(page, "radio", "Example: Chalk")
    expect(answer(page)).to_have_text("8")
    pictures = "[...document.querySelectorAll('main img')]"
    assert page.evaluate(f"{pictures}.filter(one => !one.alt).length") == 0
    page.wait_for_function(f"{pictures}.every(one => one.naturalWidth)")  # each has come
    assert page.evaluate(f"{pictures}.filter(one => one.naturalWidth < 2 * one.width).length") == 0


@pytest.mark.skipif(
    not AXE.exists() and not os.environ.get("CI"),
    reason="needs axe-core: npm install --prefix tests",
)
@pytest.mark.parametrize("size", ["desktop", "phone"])
def test_axe_finds_no_violation_in_any_part(browser, address, home, size):
    add_misread(home, model.load_light(home.model), 3)
    page = open_page(browser, address, size)
    assert violations(page) == []
    click(page, "radio", "Example: Slashed 0")
    expect(answer(page)).to_be_visible()
    assert violations(page) == []
    click(page, "button", "0")
    expect(page.locator(".said").get_by_text("Stored: 8 → 0")).to_be_visible()
    assert violations(page) == []
    upload(page, *(PROJECT / "examples").glob("[1-6]-*.png"))
    expect(page.get_by_text("4 sure, 2 unsure")).to_be_visible()
    assert violations(page) == []
    click(page, "radio", "Example: Number")
    expect(page.locator(".number h2")).to_be_visible()
    assert violations(page) == []
    click(page, "radio", "Draw")
    draw_seven(page)
    expect(answer(page)).to_have_text("7")
    assert violations(page) == []
    page.get_by_text("Presenter mode").click()
    assert violations(page) == []
    click(page, "button", "Run Fine-tuning")
    expect(page.locator(".curve").first).to_be_attached(timeout=RUN)
    assert violations(page) == []
    expect(page.get_by_text("Learned 4 of 4.")).to_be_visible(timeout=RUN)
    page.get_by_text("What the last run did").click()
    assert violations(page) == []
    for part in ("Corrections", "Versions", "Lesson"):
        click(page, "tab", part)
        assert violations(page) == []
    page.close()
