"""The bounds that count for the whole server, under many visitors who come at once.

    python stress/bounds.py [--visitors 20]

A real server, and visitors with sessions of their own. They send the costliest pictures that are
taken, all at once; press the button that learns, all at once; guess the password, all at once.
Prints the server's peak of memory, the runs that were started and the passwords that were looked
at; fails beyond a bound.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from subprocess import DEVNULL

import psutil
from streamlit.proto.WidgetStates_pb2 import WidgetState

from digits import model, records, versions
from digits.home import Home
from digits.page.password import Tries
from stress import session
from tests.homes import add_misread, make_home
from tests.served import Server, serve
from tests.uploads import BOMBS, bomb

COSTLY = 8  # visitors who send one: more only wait longer
MAX_MEMORY = 1_500  # MB of the server: itself, two pictures at 500 MB each, what is sent meanwhile
MAX_TRIES = 5  # passwords looked at in GUESSING s: the wait doubles from 1 s
GUESSING = 10.0  # s
LOOK = 0.02  # s between looks at the server's memory

Act = Callable[[session.Session, int], Awaitable[None]]


async def together(address: str, visitors: int, act: Act) -> None:
    """Have so many visitors come, then do the same at once; each is told its number."""
    async with AsyncExitStack() as stack:
        came = [await stack.enter_async_context(session.opened(address)) for _ in range(visitors)]
        await asyncio.gather(*(act(one, i) for i, one in enumerate(came)))


async def send_costly(server: Server) -> None:
    """Send the costliest pictures at once; watch the server's memory."""
    process, peak, over = psutil.Process(server.process.pid), 0.0, asyncio.Event()

    async def watch() -> None:
        nonlocal peak
        while not over.is_set():
            peak = max(peak, process.memory_info().rss / 1e6)
            await asyncio.sleep(LOOK)

    async def send(visitor: session.Session, number: int) -> None:
        await visitor.upload({"costly": bomb(number % len(BOMBS))})
        await visitor.until(lambda: visitor.all("alert"))  # refused, or without a digit

    watching = asyncio.create_task(watch())
    for first in range(0, len(BOMBS), COSTLY):
        await together(server.address, COSTLY, lambda one, i, first=first: send(one, first + i))
    over.set()
    await watching
    print(f"{len(BOMBS)} costly pictures, {COSTLY} at once: {peak:.0f} MB at most", flush=True)
    assert peak <= MAX_MEMORY, f"more than {MAX_MEMORY} MB"


async def press_run(server: Server, home: Home, visitors: int) -> None:
    """Press the button at once; count the runs."""

    async def press(visitor: session.Session, _: int) -> None:
        await visitor.click("Run Fine-tuning")

    await together(server.address, visitors, press)
    async with asyncio.timeout(session.WAIT):
        while home.is_running() or not any(one.run for one in versions.history(home)):
            await asyncio.sleep(LOOK)
    runs = sum(bool(one.run) for one in versions.history(home))
    print(f"{visitors} presses of Run at once: {runs} run", flush=True)
    assert runs == 1, "more than one run"


async def guess_password(server: Server, home: Home, visitors: int) -> None:
    """Guess at once, again and again; count the guesses that were looked at."""
    until = time.monotonic() + GUESSING

    async def guess(visitor: session.Session, number: int) -> None:
        field = await visitor.until(lambda: next(iter(visitor.all("text_input")), None))
        tried = 0
        while time.monotonic() < until:
            tried += 1
            await visitor.run(WidgetState(id=field.id, string_value=f"{number}-{tried}"))
            await asyncio.sleep(0.1)

    await together(server.address, visitors, guess)
    looked_at = records.read(home.tries, Tries).wrong
    print(f"{visitors} visitors guess for {GUESSING:.0f} s: {looked_at} passwords looked at")
    assert 0 < looked_at <= MAX_TRIES, f"not 1 to {MAX_TRIES}"


async def run(folder: Path, visitors: int) -> None:
    """Carry out the three attacks, each on a home of its own."""
    homes = [make_home(folder / name) for name in ("costly", "run", "password")]
    with serve(homes[0], said=DEVNULL) as server:
        await send_costly(server)
    add_misread(homes[1], model.load_light(homes[1].model), 3)
    with serve(homes[1], said=DEVNULL) as server:
        await press_run(server, homes[1], visitors)
    os.environ["DIGITS_PASSWORD"] = "secret"  # read by the server
    with serve(homes[2], said=DEVNULL) as server:
        await guess_password(server, homes[2], visitors)


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--visitors", type=int, default=20)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(run(Path(folder), options.visitors))


if __name__ == "__main__":
    main()
