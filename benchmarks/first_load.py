"""What a first visit loads, and how long over a slow line: from the server alone, and behind nginx.

    python benchmarks/first_load.py [--loads 3] [--kilobits 400]

Needs Chromium and nginx, which has docs/nginx.conf. Each load is a fresh browser's, without a
cache, slowed down by Chromium itself (both ways, with a delay of 0.1 s). Prints requests, bytes as
they were sent, and the seconds until the page takes a picture. Takes five minutes.
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
from playwright.sync_api import Browser, sync_playwright

from tests.homes import make_home
from tests.proxied import proxy
from tests.served import LAUNCH, serve

ROW = "{:<28} {:>8} {:>9} {:>28} {:>5}"
WAIT = 300_000  # ms for a load
DELAY = 100  # ms from a request to its answer, as over a phone
QUIET = 3_000  # ms after the page is there: what comes later is counted too


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--loads", type=int, default=3, help="loads of each kind")
    parser.add_argument("--kilobits", type=int, default=400, help="a second, of the line")
    options = parser.parse_args()
    print(ROW.format(f"at {options.kilobits} kbit/s", "requests", "MB", "seconds", "n"))
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as player:
        home, quiet = make_home(Path(folder) / "home"), subprocess.DEVNULL
        chromium = player.chromium.launch(**LAUNCH)
        with (
            serve(home, said=quiet) as one,
            serve(home, said=quiet) as two,
            proxy(Path(folder) / "nginx", (one, two)) as nginx,
        ):
            for name, server in (("the server alone", one), ("behind docs/nginx.conf", nginx)):
                loads = [
                    load(chromium, server.address, options.kilobits) for _ in range(options.loads)
                ]
                report(name, np.array(loads))


def load(chromium: Browser, address: str, kilobits: int) -> tuple[int, int, float]:
    """Return the requests, bytes and seconds of a first load of the page."""
    visitor = chromium.new_context()
    page = visitor.new_page()
    line = visitor.new_cdp_session(page)
    sent: list[int] = []
    line.on("Network.loadingFinished", lambda one: sent.append(one["encodedDataLength"]))
    line.send("Network.enable")
    speed = kilobits * 1000 / 8
    line.send(
        "Network.emulateNetworkConditions",
        {
            "offline": False,
            "latency": DELAY,
            "downloadThroughput": speed,
            "uploadThroughput": speed,
        },
    )
    began = time.perf_counter()
    page.goto(address, timeout=WAIT)
    page.locator("input[type=file]").first.wait_for(state="attached", timeout=WAIT)
    seconds = time.perf_counter() - began
    page.wait_for_timeout(QUIET)
    visitor.close()
    return len(sent), sum(sent), seconds


def report(name: str, loads: np.ndarray) -> None:
    """Print medians of loads, float (n, 3): requests, bytes, seconds; of these the span, too."""
    requests, size, seconds = np.median(loads, axis=0)
    low, high = loads[:, 2].min(), loads[:, 2].max()
    span = f"{seconds:.1f} [{low:.1f}, {high:.1f}]"
    print(ROW.format(name, f"{requests:.0f}", f"{size / 1e6:.2f}", span, len(loads)), flush=True)


if __name__ == "__main__":
    main()
