"""Take the README's screenshot of the page, and others to look at.

    python tests/screenshots.py [FOLDER]

Serves a fresh root, uploads a digit in a style that MNIST lacks, and takes the page at desktop and
phone width, light and dark. FOLDER (default: docs) gets `page.png`, `phone.png`, `dark.png`.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))

from digits import model, versions  # noqa: E402
from tests.roots import add_misread, make_root, misread  # noqa: E402
from tests.test_browser import BROWSER, serve, upload  # noqa: E402

LOOKS = {"page": (1280, "light"), "phone": (390, "light"), "dark": (1280, "dark")}


def main(folder: Path) -> None:
    """Write one picture for each look."""
    with tempfile.TemporaryDirectory() as scratch, sync_playwright() as playwright:
        root = make_root(Path(scratch) / "root")
        net = model.load(root / versions.MODEL)
        add_misread(root, net, 4, seed=1)
        shown = Path(scratch) / "digit.png"
        misread(net, 1)[0][0].save(shown)
        browser = playwright.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        with serve(root) as address:
            for name, (width, scheme) in LOOKS.items():
                page = browser.new_page(
                    viewport={"width": width, "height": 900}, color_scheme=scheme
                )
                page.goto(address)
                upload(page, shown)
                page.get_by_role("radio", name="No").click(timeout=90_000)
                page.get_by_role("button", name="Store the correction").wait_for()
                page.wait_for_timeout(1_500)  # ms, until the chart stands still
                page.mouse.click(5, 5)
                page.set_viewport_size({"width": width, "height": height_of(page)})
                page.wait_for_timeout(500)
                page.screenshot(path=folder / f"{name}.png")
        browser.close()


def height_of(page) -> int:
    """Return the height, in px, of all that the page shows."""
    return page.evaluate("document.querySelector('[data-testid=stMain]').scrollHeight")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else PROJECT / "docs")
