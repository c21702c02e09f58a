"""The long run: memory over many predictions and swaps, and many visitors during a fine-tuning.

    python stress/server.py [--swaps 50] [--visitors 20] [--judged 10]

A real server, and visitors with sessions of their own. First model.h5 is replaced again and again,
and after each swap two visitors at once have 20 pictures read each. Then the visitors come, all at
once, and each judges their pictures, every other one of which is misread at first; meanwhile one
fine-tuning runs after another, the first at the press of the button. Prints the slope of the
server's memory over the swaps and how long the visitors waited for an answer. An error on a page or
in the server, a lost row, or a figure beyond its bound ends in an assertion.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import re
import tempfile
import time
from asyncio.subprocess import DEVNULL
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from itertools import cycle
from pathlib import Path

import h5py
import numpy as np
import psutil
from PIL import Image

from digits import durable, feedback, images, model, versions
from digits.home import Home
from digits.jobs import launch, schedule
from digits.rows import read_rows
from finetuning import DONE, REFUSED
from stress import session
from tests.homes import add_misread, make_home, misread
from tests.served import Server, serve
from tests.styles import on_paper

MAX_GROWTH = 8.0  # MB over the last half of the swaps, by the slope of a line through them
MAX_ANSWER = 10.0  # s that any visitor waits, with 20 of them and a run on two cores
MIN_DURING = 0.6  # of all clicks: as many must fall into a run
EACH = 20  # pictures read at once, the most the page takes
SPARE = 10  # misread pictures more than are needed
AT_ONCE = 2  # visitors after each swap
THINK = 3.0  # s before each click: a person looks first
CORRECTIONS = 30  # stored before the first fine-tuning, so that it has something to learn
AGAIN = ("--force", "--trigger", schedule.TRIGGER)  # how the others are called
LOOK = 0.1  # s between looks at the status of a run
RIGHT, STORE = "✓ right", "a digit"
ANSWER = re.compile(r"<h2>(\d).*?alt=\"[^\"]*?(\d+)\.png")  # the guess, and its picture's number
SAID = 'class="said"'


async def ask(visitor: session.Session, pictures: list[Image.Image]) -> dict[int, int]:
    """Have pictures read; return the guesses by the pictures' numbers, none of one refused."""
    await visitor.upload({f"{i}.png": png(picture) for i, picture in enumerate(pictures)})

    def read() -> dict[int, int] | None:
        found = {number: guess for number, guess, _ in shown(visitor)}
        refused = sum(".png: " in one.body for one in visitor.all("alert"))
        return found if len(found) + refused == len(pictures) else None

    return await visitor.until(read)


def shown(visitor: session.Session) -> list[tuple[int, int, bool]]:
    """Return the answers in the page's order: the picture's number, the guess, whether judged."""
    found: list[tuple[int, int, bool]] = []
    for one in visitor.all("html"):
        if answer := ANSWER.search(one.body):
            found.append((int(answer[2]), int(answer[1]), False))
        elif SAID in one.body:
            found[-1] = (*found[-1][:2], True)
    return found


def png(picture: Image.Image) -> bytes:
    """Return a picture as a PNG file."""
    stream = io.BytesIO()
    picture.save(stream, "PNG")
    return stream.getvalue()


def drawn(digits: np.ndarray) -> list[Image.Image]:
    """Return digits, uint8 (n, 28, 28), as drawings on paper."""
    return [Image.fromarray(on_paper(digit)) for digit in digits]


# --- Memory ---


async def grow(server: Server, rows: tuple, home: Home, swaps: int) -> np.ndarray:
    """Return the server's memory, MB (swaps,), after the visits that follow each swap."""
    shipped = home.model.read_bytes()
    networks = cycle([(1, moved(shipped)), (0, shipped)])
    used = []
    for swap in range(swaps):
        shift, network = next(networks)
        durable.write(home.model, network)
        chosen = (np.arange(AT_ONCE * EACH) + swap * AT_ONCE * EACH) * 7 % len(rows[0])
        visits = [
            visit(server.address, rows[0][some], rows[1][some] + shift)
            for some in np.split(chosen, AT_ONCE)
        ]
        await asyncio.gather(*visits)
        used.append(psutil.Process(server.process.pid).memory_info().rss / 1e6)
    return np.array(used)


async def visit(address: str, digits: np.ndarray, expected: np.ndarray) -> None:
    """Come and have digits read, by the network that is expected to answer."""
    async with session.opened(address) as visitor:
        found = await ask(visitor, drawn(digits))
    right = [found.get(i) == digit for i, digit in enumerate(expected % 10)]
    assert np.mean(right) > 0.8, "another network answered"


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


async def crowd(server: Server, home: Home, given: list[list[tuple]]) -> list[tuple[float, bool]]:
    """Return what `judge` does, of all visitors together, who judge while a teacher teaches.

    given: for each visitor the pictures, and for each picture its digit.
    """
    before = len(feedback.load(home)[0])
    async with AsyncExitStack() as stack:
        teacher, *visitors = [
            await stack.enter_async_context(session.opened(server.address))
            for _ in range(1 + len(given))
        ]
        asked = (
            ask(one, [picture for picture, _ in own])
            for one, own in zip(visitors, given, strict=True)
        )
        await asyncio.gather(*asked)
        over = asyncio.Event()
        judging = (
            judge(one, [digit for _, digit in own], home)
            for one, own in zip(visitors, given, strict=True)
        )
        async with asyncio.TaskGroup() as group:  # a fault of one ends all
            group.create_task(teach(teacher, home, over))
            await until_running(home, True)
            told = [click for clicks in await asyncio.gather(*judging) for click in clicks]
            over.set()
    decisions = [one.decision for one in versions.history(home) if one.run]
    print("fine-tunings:", ", ".join(decisions))
    stored, warnings = feedback.load(home)
    assert len(stored) - before == sum(label == STORE for label, *_ in told)
    assert not warnings, warnings
    return [(seconds, running) for _, seconds, running in told]


def pictures(home: Home, visitors: int, judged: int) -> list[list[tuple]]:
    """Return what `crowd` takes: of each visitor's pictures, every other one is misread so far."""
    half = -(-visitors * judged // 2)
    net = model.load_light(home.model)
    wrong = [one for one in misread(net, half + SPARE) if len(images.read_digits(one[0], net)) == 1]
    wrong = wrong[:half]  # a few of that style are taken for two digits
    digits, labels = read_rows(home.train)
    chosen = np.linspace(0, len(digits) - 1, half).astype(int)
    right = zip(drawn(digits[chosen]), labels[chosen], strict=True)
    mixed = [
        one
        for (picture, _, label), other in zip(wrong, right, strict=True)
        for one in ((picture, label), other)
    ]
    return [mixed[i * judged : (i + 1) * judged] for i in range(visitors)]


async def teach(teacher: session.Session, home: Home, over: asyncio.Event) -> None:
    """Start a fine-tuning on the page, and others as cron would when it has ended, until `over`."""
    await teacher.click("Run Fine-tuning")
    await until_running(home, True)
    await until_running(home, False)
    while not over.is_set():
        run = await asyncio.create_subprocess_exec(*launch.command(home, *AGAIN), stderr=DEVNULL)
        assert await run.wait() in (DONE, REFUSED)


async def until_running(home: Home, running: bool) -> None:
    """Return once a fine-tuning runs, or none does."""
    while home.is_running() != running:
        await asyncio.sleep(LOOK)


async def judge(visitor: session.Session, digits: list[int], home: Home) -> list[tuple]:
    """Judge a visitor's guesses, who knows the digits; return the clicks.

    Each is RIGHT or STORE, the seconds until the click's effect was seen, and whether a run was
    at work then.
    """
    clicks = []

    async def act(kind: str, label: str, effect: Callable) -> None:
        await asyncio.sleep(THINK)
        if not any(one.label == RIGHT for one in visitor.all("button")):
            await visitor.open("Judge")  # the row of a sure guess
        began = time.perf_counter()
        await visitor.click(label)
        await visitor.until(effect)
        clicks.append((kind, time.perf_counter() - began, home.is_running()))

    def judged(times: int) -> Callable:
        return lambda: sum(done for *_, done in shown(visitor)) == times

    for i in range(len(digits)):
        number, guess, _ = next(one for one in shown(visitor) if not one[2])
        wrong = guess != digits[number]
        await act(STORE if wrong else RIGHT, str(digits[number]) if wrong else RIGHT, judged(i + 1))
    return clicks


async def run(home: Home, log: Path, swaps: int, visitors: int, judged: int) -> None:
    """Let the swaps pass, then the crowd; print their figures."""
    with served(home, log) as server:
        tell_growth(await grow(server, read_rows(home.train), home, swaps))
        given = pictures(home, visitors, judged)
        add_misread(home, model.load_light(home.model), CORRECTIONS, seed=1)
        tell_waits(await crowd(server, home, given))


@contextmanager
def served(home: Home, log: Path) -> Iterator[Server]:
    """Lend a server for the home, which tells the log of no error."""
    # A visitor who left is forgotten after seconds, not minutes: what stays has leaked.
    with open(log, "w") as said, serve(home, said=said, disconnectedSessionTTL=2) as server:
        yield server
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
    seconds, during = np.array([wait for wait, _ in waits]), np.array([run for _, run in waits])
    print(
        f"{len(waits)} clicks, {during.sum()} of them during a fine-tuning: no error, no row lost, "
        f"median {np.median(seconds[during]):.2f} s, slowest {seconds.max():.2f} s"
    )
    assert during.mean() >= MIN_DURING, f"less than {MIN_DURING:.0%} during a fine-tuning"
    assert seconds.max() <= MAX_ANSWER, f"more than {MAX_ANSWER} s"


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--swaps", type=int, default=50)
    parser.add_argument("--visitors", type=int, default=20)
    parser.add_argument("--judged", type=int, default=10, help="pictures that each visitor judges")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = make_home(Path(folder) / "home")
        log = Path(folder) / "server.txt"
        asyncio.run(run(home, log, options.swaps, options.visitors, options.judged))


if __name__ == "__main__":
    main()
