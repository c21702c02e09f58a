"""Film the loop on the real page, for the README, and look at it.

    python docs/film.py [FILE]

Serves a fresh home, has an example read that the network gets wrong, corrects it, fine-tunes, and
reads it again. FILE (default: docs/loop.webp) gets one still for each step; a ring shows where is
clicked next. Takes about a minute. Controls are found by the words on them: whoever changes these
looks for them here, too.
"""

from __future__ import annotations

import io
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from PIL import Image, ImageDraw
from playwright.sync_api import Locator, Page, sync_playwright

from digits import model
from tests.homes import add_misread, make_home
from tests.served import LAUNCH, serve

FILE = Path(__file__).with_name("loop.webp")
EXAMPLE, ACTUAL = "Example: Slashed 0", "0"
WAITING = 7  # corrections of the same hand that are stored already

WIDTH, HEIGHT = 1100, 760  # px of the window, and of the film
QUALITY = 70  # of WebP, 0 to 100: text stays sharp
RING, COLOUR = 26, "#c2410c"  # px of its radius
CLICK, STILL, END = 900, 1_800, 3_500  # ms that a step stands
PROGRESS, EVERY = 700, 2.0  # ms that a still of the run stands; s of the run between two
SETTLE = 1_200  # ms until nothing moves
RUN = 300  # s that a fine-tuning may take


class Film:
    """A page, and the stills taken of it so far."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.stills: list[Image.Image] = []
        self.durations: list[int] = []  # ms

    def still(self, duration: int, on: Locator | None = None) -> None:
        """Take what the window shows; draw a ring around the control that is clicked next."""
        still = Image.open(io.BytesIO(self.page.screenshot())).convert("RGB")
        if on and (box := on.bounding_box()):
            centre = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
            ImageDraw.Draw(still).circle(centre, RING, outline=COLOUR, width=4)
        self.stills.append(still)
        self.durations.append(duration)

    def click(self, name: str) -> None:
        """Film and press the control with these words on it."""
        words = re.compile(f"^{re.escape(name)}$")
        roles = [self.page.get_by_role(role, name=words) for role in ("button", "radio", "tab")]
        control = roles[0].or_(roles[1]).or_(roles[2]).filter(visible=True).first
        control.wait_for()
        self.settle()
        control.scroll_into_view_if_needed()
        self.still(CLICK, control)
        control.click()
        self.settle()

    def settle(self) -> None:
        """Wait until the page stands still."""
        self.page.locator("[data-test-script-state=notRunning]").wait_for()
        self.page.wait_for_timeout(SETTLE)

    def save(self, path: Path) -> None:
        """Write the film, which begins again at its end."""
        first, *others = self.stills
        first.save(
            path,
            save_all=True,
            append_images=others,
            duration=self.durations,
            loop=0,
            quality=QUALITY,
            method=6,
        )


def main(path: Path) -> None:
    """Film the loop, and write it to path."""
    with tempfile.TemporaryDirectory() as scratch, sync_playwright() as playwright:
        home = make_home(Path(scratch) / "home")
        add_misread(home, model.load(home.model), WAITING, seed=1)
        browser = playwright.chromium.launch(**LAUNCH)
        with serve(home, said=subprocess.DEVNULL) as server:
            page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
            page.set_default_timeout(90_000)
            page.goto(server.address)
            film = Film(page)
            correct(film)
            learn(film)
            film.save(path)
        browser.close()


def correct(film: Film) -> None:
    """Film a wrong guess and its correction."""
    film.click(EXAMPLE)
    film.page.evaluate("document.querySelector('[data-testid=stMain]').scrollTo(0, 0)")
    film.settle()
    film.still(STILL)
    film.click(ACTUAL)
    film.still(STILL)


def learn(film: Film) -> None:
    """Film a fine-tuning, and what the new network makes of the same picture."""
    film.click("Run Fine-tuning")
    published = film.page.get_by_text(re.compile("v2 answers")).first
    ends = time.monotonic() + RUN
    while not published.is_visible():
        if time.monotonic() > ends:
            raise TimeoutError(f"no second version after {RUN} s")
        film.still(PROGRESS)
        time.sleep(EVERY)
    film.settle()
    film.still(STILL)
    film.page.evaluate("document.querySelector('[data-testid=stMain]').scrollTo(0, 0)")
    film.still(END)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else FILE)
