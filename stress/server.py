"""The long run: memory over many predictions and swaps, and many visitors during a fine-tuning.

    python stress/server.py [--swaps 50] [--visitors 20] [--judged 10]

A real server, and a real browser (Chromium) in which every visitor has a tab and so a session of
their own. First model.h5 is replaced again and again, and after each swap two visitors at once have
20 pictures read each. Then the visitors come, all at once; one of them starts a fine-tuning, and
meanwhile each judges their pictures, every other one as wrong. Prints the slope of the server's
memory over the swaps and how long the visitors waited for an answer. An error on a page or in the
server, a lost row, or a figure beyond its bound ends in an assertion.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import re
import sys
import tempfile
import time
from contextlib import asynccontextmanager
from itertools import cycle
from pathlib import Path

import h5py
import numpy as np
import psutil
from PIL import Image
from playwright.async_api import Locator, Page, async_playwright

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from digits import evaluation, feedback, files, model, status, versions
from tests.roots import add_misread, make_root
from tests.served import LAUNCH, Server, serve
from tests.styles import on_paper

MAX_GROWTH = 8.0  # MB over the last half of the swaps, by the slope of a line through them
MAX_ANSWER = 10.0  # s that any visitor waits, with 20, their browser and a run on two cores
EACH = 20  # pictures read at once, the most the page takes
AT_ONCE = 2  # visitors after each swap
SMALL = {"width": 800, "height": 600}  # px of a tab
WAIT = 120_000  # ms for anything on a page
LOOK = 0.2  # s between looks for what is to come; twenty who look cost time of their own
THINK = 3.0  # s before each click: a person looks first
CORRECTIONS = 3  # stored before the fine-tuning, so that it has something to learn
ONE_PROCESS = "--process-per-site"  # tabs that share one read the page's scripts once
# Nothing moves: all tabs are painted by the processors that serve them.
PLAIN = """
document.addEventListener("DOMContentLoaded", () => {
    const style = document.createElement("style");
    style.textContent = "* { animation: none !important; transition: none !important }";
    document.head.append(style);
});
"""
HEADS = re.compile("^(I read|Not sure)")


@asynccontextmanager
async def tabs(browser, address: str, n: int):
    """Lend n pages in tabs of their own; an error in any ends in an assertion."""
    errors: list[str] = []
    context = await browser.new_context(viewport=SMALL)
    await context.add_init_script(PLAIN)
    pages = [await context.new_page() for _ in range(n)]
    for page in pages:
        page.set_default_timeout(WAIT)
        page.on("pageerror", lambda error: errors.append(str(error)))
    await asyncio.gather(*(page.goto(address) for page in pages))
    yield pages
    for page in pages:
        assert not await page.get_by_test_id("stException").count()
    await context.close()
    assert not errors, errors


async def ask(page: Page, digits: np.ndarray) -> list[int]:
    """Have digits, uint8 (n, 28, 28), read; return the guesses, in the order of the page."""
    uploads = [
        {"name": f"{i}.png", "mimeType": "image/png", "buffer": png(digit)}
        for i, digit in enumerate(digits)
    ]
    chooser = page.get_by_test_id("stFileUploaderDropzoneInput").first
    await chooser.set_input_files(uploads)
    await see(heads(page).nth(len(digits) - 1))
    return [guess(words) for words in await heads(page).all_inner_texts()]


async def see(what: Locator) -> None:
    """Return once it is seen; Playwright's own wait looks at every frame, in all tabs."""
    async with asyncio.timeout(WAIT / 1000):
        while not await what.is_visible():
            await asyncio.sleep(LOOK)


def heads(page: Page) -> Locator:
    """Return the answers on a page."""
    return page.locator("h2, h3").filter(has_text=HEADS)  # by role it would cost ten times as much


def option(page: Page, name: str) -> Locator:
    """Return the first choice with that name among those on offer."""
    return page.locator("[role=radio]").filter(has_text=re.compile(f"^{name}$")).first


def guess(words: str) -> int:
    """Return the digit that an answer names first."""
    return int(re.search(r"\d", words)[0])


def png(digit: np.ndarray) -> bytes:
    """Return a digit, uint8 (28, 28), as the PNG file of a drawing on paper."""
    stream = io.BytesIO()
    Image.fromarray(on_paper(digit)).save(stream, "PNG")
    return stream.getvalue()


# --- Memory ---


async def grow(browser, server: Server, rows: tuple, root: Path, swaps: int) -> np.ndarray:
    """Return the server's memory, MB (swaps,), after the visits that follow each swap."""
    shipped = (root / versions.MODEL).read_bytes()
    networks = cycle([(1, moved(shipped)), (0, shipped)])
    used = []
    async with tabs(browser, server.address, AT_ONCE) as pages:
        for swap in range(swaps):
            shift, network = next(networks)
            files.write(root / versions.MODEL, network)
            chosen = (np.arange(AT_ONCE * EACH) + swap * AT_ONCE * EACH) * 7 % len(rows[0])
            parts = np.split(chosen, AT_ONCE)
            visits = [
                visit(page, server.address, rows[0][some], rows[1][some] + shift)
                for page, some in zip(pages, parts, strict=True)
            ]
            await asyncio.gather(*visits)
            used.append(psutil.Process(server.process.pid).memory_info().rss / 1e6)
    return np.array(used)


async def visit(page: Page, address: str, digits: np.ndarray, expected: np.ndarray) -> None:
    """Come anew and have digits read, by the network that is expected to answer."""
    await page.goto(address)
    guesses = await ask(page, digits)
    in_columns = np.concatenate([expected[::2], expected[1::2]])  # as the page shows them
    assert np.mean(guesses == in_columns % 10) > 0.8, "another network answered"


def moved(content: bytes) -> bytes:
    """Return a network's file as bytes, its answers moved on by one digit."""
    stream = io.BytesIO(content)
    with h5py.File(stream, "r+") as file:
        file["model_weights/probabilities"].visititems(move_on)
    return stream.getvalue()


def move_on(name: str, part: h5py.Dataset | h5py.Group) -> None:
    """Move a kernel (n, 10) or bias (10,) on by one digit."""
    if isinstance(part, h5py.Dataset):
        part[...] = np.roll(part[...], 1, axis=-1)


# --- Many at once ---


async def crowd(browser, server: Server, root: Path, digits: np.ndarray, visitors: int) -> list:
    """Return what `judge` does, of all visitors together, who judge while a run learns.

    digits: uint8 (n, 28, 28), those of all visitors, in equal parts.
    """
    before = len(feedback.load(root)[0])
    parts = np.split(digits, visitors)
    async with tabs(browser, server.address, visitors) as pages:
        await asyncio.gather(*map(ask, pages, parts))
        await pages[0].get_by_role("button", name="Run Fine-tuning").click()
        while not status.is_running(root):
            await asyncio.sleep(0.1)
        told = await asyncio.gather(*(judge(page, len(parts[0]), root) for page in pages))
        while status.is_running(root):
            await asyncio.sleep(0.1)
    ended = status.read(root)
    assert ended["state"] in (versions.PUBLISHED, versions.REFUSED), ended
    stored, warnings = feedback.load(root)
    assert len(stored) - before == visitors * -(-len(parts[0]) // 2)
    assert not warnings, warnings
    return [wait for waits in told for wait in waits]


async def judge(page: Page, pictures: int, root: Path) -> list[tuple[float, bool]]:
    """Judge a visitor's pictures, every other one as wrong; return the waits.

    Each is the seconds from a click until its effect is seen, and whether a run was at work.
    """
    waits = []
    thanks = page.get_by_test_id("stAlert").filter(has_text=re.compile("Thank you|Stored:"))
    store = page.locator("button").filter(has_text="Store the correction")

    async def click(what: Locator, effect: Locator) -> None:
        await see(page.locator("[data-test-script-state=notRunning]"))
        await asyncio.sleep(THINK)
        began = time.perf_counter()
        await what.click()
        await see(effect)
        waits.append((time.perf_counter() - began, status.is_running(root)))

    for i in range(pictures):
        if i % 2:
            await click(option(page, "Yes"), thanks.nth(i))
            continue
        await click(option(page, "No"), store)
        words = await heads(page).nth(i).inner_text()
        await click(option(page, str((guess(words) + 1) % 10)), store)
        await click(store, thanks.nth(i))
    return waits


async def run(root: Path, log: Path, swaps: int, visitors: int, judged: int) -> None:
    """Let the swaps pass, then the crowd; print their figures."""
    digits, _ = rows = evaluation.read_rows(root / evaluation.TRAIN)
    some = digits[np.linspace(0, len(digits) - 1, visitors * judged).astype(int)]
    async with opened(root, log) as (browser, server):
        tell_growth(await grow(browser, server, rows, root, swaps))
        add_misread(root, model.load_light(root / versions.MODEL), CORRECTIONS)
        tell_waits(await crowd(browser, server, root, some, visitors))


@asynccontextmanager
async def opened(root: Path, log: Path):
    """Lend a browser and a server for the root, which tells the log of no error."""
    async with async_playwright() as player:
        arguments = [*LAUNCH["args"], ONE_PROCESS]
        browser = await player.chromium.launch(**LAUNCH | {"args": arguments})
        # A visitor who left is forgotten after seconds, not minutes: what stays has leaked.
        with open(log, "w") as said, serve(root, said=said, disconnectedSessionTTL=5) as server:
            yield browser, server
        await browser.close()
    assert "Traceback" not in log.read_text(), log.read_text()


def tell_growth(used: np.ndarray) -> None:
    """Print the memory, MB (swaps,), and assert its slope."""
    half = used[len(used) // 2 :]  # the first half still warms up
    slope = np.polyfit(np.arange(len(half)), half, 1)[0]
    print(
        f"{len(used) * AT_ONCE * EACH} predictions, {len(used)} swaps: {half[0]:.0f} MB halfway, "
        f"{half[-1]:.0f} MB at the end, {slope:+.2f} MB a swap",
        flush=True,
    )
    assert slope * len(half) <= MAX_GROWTH, f"more than {MAX_GROWTH} MB"


def tell_waits(waits: list[tuple[float, bool]]) -> None:
    """Print the waits, each with whether a run was at work, and assert the slowest."""
    during = [seconds for seconds, running in waits if running]
    slowest = max(seconds for seconds, _ in waits)
    print(
        f"{len(waits)} clicks, {len(during)} of them during a fine-tuning: no error, no row lost, "
        f"median {np.median(during):.2f} s, slowest {slowest:.2f} s"
    )
    assert slowest <= MAX_ANSWER, f"more than {MAX_ANSWER} s"


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--swaps", type=int, default=50)
    parser.add_argument("--visitors", type=int, default=20)
    parser.add_argument("--judged", type=int, default=10, help="pictures that each visitor judges")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = make_root(Path(folder) / "root")
        log = Path(folder) / "server.txt"
        asyncio.run(run(root, log, options.swaps, options.visitors, options.judged))


if __name__ == "__main__":
    main()
