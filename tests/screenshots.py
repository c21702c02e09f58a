"""Take the README's screenshots of the page, and look at them.

    python tests/screenshots.py [FOLDER]

Serves a fresh home, has an example read that the network gets wrong, and takes the page at desktop
and phone width; then fine-tunes, and takes it in the dark. FOLDER (default: docs) gets `page.png`,
`phone.png` and `dark.png`.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from digits import model
from tests.homes import add_misread, make_home
from tests.served import LAUNCH, serve
from tests.test_browser import RUN, click

PROJECT = Path(__file__).resolve().parent.parent

EXAMPLE = "Example: Slashed 0"
HEIGHT = 900  # px of the window, before it grows to the page's


def main(folder: Path) -> None:
    """Write one picture for each look."""
    with tempfile.TemporaryDirectory() as scratch, sync_playwright() as playwright:
        home = make_home(Path(scratch) / "root")
        add_misread(home, model.load_light(home.model), 7, seed=1)
        browser = playwright.chromium.launch(**LAUNCH)
        with serve(home) as server:
            for name, width in {"page": 1280, "phone": 390}.items():
                page = open_page(browser, server.address, width, "light")
                click(page, "radio", EXAMPLE)
                take(page, folder / f"{name}.png")
            page = open_page(browser, server.address, 1280, "dark")
            click(page, "radio", EXAMPLE)
            click(page, "button", "Run Fine-tuning")
            page.get_by_text("Version v2 answers").wait_for(timeout=RUN)
            take(page, folder / "dark.png")
        browser.close()


def open_page(browser, address: str, width: int, scheme: str):
    """Return the page, opened in a window of its own."""
    page = browser.new_page(viewport={"width": width, "height": HEIGHT}, color_scheme=scheme)
    page.set_default_timeout(90_000)
    page.goto(address)
    page.get_by_role("button", name="Run Fine-tuning").wait_for()
    return page


def take(page, path: Path) -> None:
    """Write all that the page shows, once its answer stands."""
    page.locator(".answer h2").wait_for()
    page.mouse.click(5, 5)
    height = page.evaluate("document.querySelector('[data-testid=stMain]').scrollHeight")
    page.set_viewport_size({"width": page.viewport_size["width"], "height": height})
    page.wait_for_timeout(1_500)  # ms, until nothing moves
    page.screenshot(path=path)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else PROJECT / "docs")
