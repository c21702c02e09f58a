"""A page as visitors meet it: a real server for a home, and a real browser to look at it with."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NamedTuple

from digits.home import Home
from tests.homes import PROJECT

BROWSER = next(filter(None, map(shutil.which, ("chromium", "google-chrome", "chrome"))), None)
LAUNCH = {  # without a sandbox, which root may not use
    "executable_path": BROWSER,
    "args": ["--no-sandbox", "--disable-gpu"],
}
APP = PROJECT / "app.py"
START = 60  # s until the server must answer


class Server(NamedTuple):
    """Where the page is, and the process that serves it."""

    address: str
    process: subprocess.Popen


@contextmanager
def serve(
    home: Home, script: Path = APP, said: IO | int | None = None, **options
) -> Iterator[Server]:
    """Lend a Streamlit server of the script for the home.

    said: where all goes that it prints, as subprocess takes it. options: further ones of
    Streamlit's `server` section.
    """
    options = {"headless": "true", "port": free_port(), "address": "127.0.0.1"} | options
    process = subprocess.Popen(
        [sys.executable, "-m", "streamlit", "run", str(script)]
        + [f"--server.{name}={value}" for name, value in options.items()],
        cwd=PROJECT,
        env=os.environ | {"DIGITS_HOME": str(home)},
        stdout=said,
        stderr=said,
    )
    with lent(process, f"http://127.0.0.1:{options['port']}") as server:
        yield server


@contextmanager
def lent(
    process: subprocess.Popen, address: str, path: str = "/_stcore/health"
) -> Iterator[Server]:
    """Lend a server once it answers at the path; it ends afterwards."""
    server = Server(address, process)
    try:
        wait_for(server, path)
        yield server
    finally:
        process.terminate()
        process.wait()


def free_port() -> int:
    """Return a port of this machine on which nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def wait_for(server: Server, path: str) -> None:
    """Return once the server answers at the path; raise TimeoutError if it never does."""
    for _ in range(START * 50):
        assert server.process.poll() is None, "the server ended"
        try:
            return urllib.request.urlopen(f"{server.address}{path}").close()
        except OSError:
            time.sleep(0.02)
    raise TimeoutError(f"no server at {server.address} after {START} s")


# --- What a person does on the page; page: Playwright's ---

WATCH_SERVER = """
const send = WebSocket.prototype.send;
WebSocket.prototype.send = function (message) {
    this.onanswer ??= this.addEventListener("message", () => { window.asked = undefined; }) || true;
    window.asked = performance.now();
    return send.call(this, message);
};
"""
IS_STILL = """() => {
    const now = performance.now();
    const moves = one =>
        one.playState === "running" && one.effect.getComputedTiming().endTime !== Infinity;
    const busy = now - window.asked < 5000  // ms; what is not answered until then never is
        || !document.querySelector("[data-test-script-state=notRunning]")
        || document.querySelector("[data-stale=true]")
        || document.getAnimations().some(moves);
    window.still = busy ? now : window.still ?? now;
    const isStill = now - window.still > 300;  // ms, for the last of the layout
    if (isStill) window.still = undefined;  // the next call begins anew
    return isStill;
}"""


def upload(page, *paths: Path) -> None:
    """Hand in pictures."""
    page.get_by_test_id("stFileUploaderDropzoneInput").first.set_input_files(paths)


def click(page, role: str, name: str) -> None:
    """Click once the page stands still: what moves under the pointer is not hit."""
    settle(page)
    page.get_by_role(role, name=name, exact=True).click()


def settle(page) -> None:
    """Return once the page stands still.

    A page opened with WATCH_SERVER is not still either while the server has yet to answer a tap.
    """
    page.wait_for_function(IS_STILL)


def draw(page, corners, box) -> None:
    """Draw with the mouse from corner to corner of a sheet of 280, which lies in that box."""
    scale = box["width"] / 280
    first, *others = [(box["x"] + x * scale, box["y"] + y * scale) for x, y in corners]
    page.mouse.move(*first)
    page.mouse.down()
    for corner in others:
        page.mouse.move(*corner, steps=8)
    page.mouse.up()


def answer(page):
    """Return the answer's heading, of several the first."""
    return page.locator(".answer h2").first
