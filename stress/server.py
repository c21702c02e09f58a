"""The long run: memory over many predictions and swaps, and many visitors during a fine-tuning.

    python stress/server.py [--swaps 50] [--visitors 20] [--judged 10]

A real server, and visitors with sessions of their own. First model.h5 is replaced again and again,
and after each swap two visitors at once have 20 pictures read each. Then the visitors come, all at
once; one of them starts a fine-tuning, and meanwhile each judges their pictures, every other one as
wrong. Prints the slope of the server's memory over the swaps and how long the visitors waited for
an answer. An error on a page or in the server, a lost row, or a figure beyond its bound ends in an
assertion.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from itertools import cycle
from pathlib import Path

import h5py
import numpy as np
import psutil
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from digits import evaluation, feedback, files, model, status, versions
from stress import session
from tests.roots import add_misread, make_root
from tests.served import Server, serve
from tests.styles import on_paper

MAX_GROWTH = 8.0  # MB over the last half of the swaps, by the slope of a line through them
MAX_ANSWER = 10.0  # s that any visitor waits, with 20 of them and a run on two cores
EACH = 20  # pictures read at once, the most the page takes
AT_ONCE = 2  # visitors after each swap
THINK = 3.0  # s before each click: a person looks first
CORRECTIONS = 3  # stored before the fine-tuning, so that it has something to learn
HEADS = re.compile("I read|Not sure")
THANKS = re.compile("Thank you|Stored:")


async def ask(visitor: session.Session, digits: np.ndarray) -> list[int]:
    """Have digits, uint8 (n, 28, 28), read; return the guesses in their order."""
    await visitor.upload({f"{i}.png": png(digit) for i, digit in enumerate(digits)})
    return await visitor.until(lambda: len(found := guesses(visitor)) == len(digits) and found)


def guesses(visitor: session.Session) -> list[int]:
    """Return the digits that the answers on the page name first."""
    heads = [one.body for one in visitor.all("heading") if HEADS.match(one.body)]
    return [int(re.search(r"\d", words)[0]) for words in heads]


def png(digit: np.ndarray) -> bytes:
    """Return a digit, uint8 (28, 28), as the PNG file of a drawing on paper."""
    stream = io.BytesIO()
    Image.fromarray(on_paper(digit)).save(stream, "PNG")
    return stream.getvalue()


# --- Memory ---


async def grow(server: Server, rows: tuple, root: Path, swaps: int) -> np.ndarray:
    """Return the server's memory, MB (swaps,), after the visits that follow each swap."""
    shipped = (root / versions.MODEL).read_bytes()
    networks = cycle([(1, moved(shipped)), (0, shipped)])
    used = []
    for swap in range(swaps):
        shift, network = next(networks)
        files.write(root / versions.MODEL, network)
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
        right = await ask(visitor, digits) == expected % 10
    assert right.mean() > 0.8, "another network answered"


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


async def crowd(server: Server, root: Path, digits: np.ndarray, visitors: int) -> list:
    """Return what `judge` does, of all visitors together, who judge while a run learns.

    digits: uint8 (n, 28, 28), those of all visitors, in equal parts.
    """
    before = len(feedback.load(root)[0])
    parts = np.split(digits, visitors)
    async with AsyncExitStack() as stack:
        all_ = [
            await stack.enter_async_context(session.opened(server.address)) for _ in range(visitors)
        ]
        await asyncio.gather(*map(ask, all_, parts))
        await all_[0].click("Run Fine-tuning")
        while not status.is_running(root):
            await asyncio.sleep(0.1)
        told = await asyncio.gather(*(judge(one, len(parts[0]), root) for one in all_))
        while status.is_running(root):
            await asyncio.sleep(0.1)
    ended = status.read(root)
    assert ended["state"] in (versions.PUBLISHED, versions.REFUSED), ended
    stored, warnings = feedback.load(root)
    assert len(stored) - before == visitors * -(-len(parts[0]) // 2)
    assert not warnings, warnings
    return [wait for waits in told for wait in waits]


async def judge(visitor: session.Session, pictures: int, root: Path) -> list[tuple[float, bool]]:
    """Judge a visitor's pictures, every other one as wrong; return the waits.

    Each is the seconds from a click until its effect is seen, and whether a run was at work.
    """
    waits = []

    async def act(click, effect: Callable) -> None:
        await asyncio.sleep(THINK)
        began = time.perf_counter()
        await click
        await visitor.until(effect)
        waits.append((time.perf_counter() - began, status.is_running(root)))

    def asked() -> bool:
        return any(one.label == "Which digit is it?" for one in visitor.all("button_group"))

    def ready() -> bool:
        store = [one for one in visitor.all("button") if one.label == "Store the correction"]
        return bool(store) and not store[0].disabled

    def thanked(times: int) -> Callable:
        return lambda: sum(bool(THANKS.search(x.body)) for x in visitor.all("alert")) == times

    for i in range(pictures):
        if i % 2:
            await act(visitor.choose("Was it right?", "Yes"), thanked(i + 1))
            continue
        await act(visitor.choose("Was it right?", "No"), asked)
        actual = str((guesses(visitor)[i] + 1) % 10)
        await act(visitor.choose("Which digit is it?", actual), ready)
        await act(visitor.click("Store the correction"), thanked(i + 1))
    return waits


async def run(root: Path, log: Path, swaps: int, visitors: int, judged: int) -> None:
    """Let the swaps pass, then the crowd; print their figures."""
    digits, _ = rows = evaluation.read_rows(root / evaluation.TRAIN)
    some = digits[np.linspace(0, len(digits) - 1, visitors * judged).astype(int)]
    with served(root, log) as server:
        tell_growth(await grow(server, rows, root, swaps))
        add_misread(root, model.load_light(root / versions.MODEL), CORRECTIONS)
        tell_waits(await crowd(server, root, some, visitors))


@contextmanager
def served(root: Path, log: Path) -> Iterator[Server]:
    """Lend a server for the root, which tells the log of no error."""
    # A visitor who left is forgotten after seconds, not minutes: what stays has leaked.
    with open(log, "w") as said, serve(root, said=said, disconnectedSessionTTL=5) as server:
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
