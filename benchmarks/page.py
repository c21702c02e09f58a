"""The page as a browser meets it, beside two small demos on the same functions.

    python benchmarks/page.py --gradio VENV/bin/python

One demo is the least page in Streamlit: what that takes is Streamlit's own. The other is Gradio's;
that wants an older Pillow than the project and lives in an environment of its own, which
benchmarks/demos/requirements.txt fills. All are measured in the same run, in turns, each time with
an empty cache; figures are medians. Without --gradio its column is left out.
"""

import argparse
import os
import re
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from playwright.sync_api import expect, sync_playwright

from digits import images, model
from digits.home import MODEL
from tests.homes import PROJECT, make_home, styled_pictures
from tests.served import LAUNCH, draw, free_port, lent, serve

ANSWER = ".answer h2"  # of the page, and of the bare one
WAIT = 180_000  # ms for anything on either page
SLOW = 50_000  # bytes/s of a slow line: 400 kbit/s
SEVEN = (80, 60), (200, 60), (120, 230)  # its corners, on a sheet of 280
DEMOS = PROJECT / "benchmarks" / "demos"
WATCH = """
window.shift = 0;
new PerformanceObserver(all => all.getEntries().forEach(one => {
    window.shift += one.hadRecentInput ? 0 : one.value;
})).observe({type: "layout-shift", buffered: true});
window.seen = new Promise(seen => new MutationObserver(() => {
    if (document.querySelector(ANSWER)?.textContent) seen(performance.now());
}).observe(document, {childList: true, subtree: true, characterData: true}));
document.addEventListener("change", () => { window.given ??= performance.now(); }, true);
"""
ROW = "{:<42} {:>12} {:>12} {:>12}"


@dataclass(frozen=True)
class Kind:
    """A page to be measured: how it is served, and what a person does there.

    answer: where it stands, by CSS. sheet: goes to the sheet, returns the box of its canvas. judge:
    judges ten pictures of digits that were classified correctly, through the hand it is lent; None
    where nothing can be judged.
    """

    serve: Callable
    answer: str
    sheet: Callable
    judge: Callable | None


class Hand:
    """Clicks in a tab and counts: a file chosen is a click too."""

    def __init__(self, tab):
        self.tab, self.clicks = tab, 0

    def click(self, locator):
        """Click once it is there."""
        self.clicks += 1
        locator.click(timeout=WAIT)

    def give(self, *paths):
        """Choose files."""
        self.clicks += 1
        self.tab.locator("input[type=file]").first.set_input_files(paths)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--gradio", metavar="PYTHON", help="of an environment with Gradio")
    parser.add_argument("--times", type=int, default=3, help="each page is started (default 3)")
    options = parser.parse_args()
    bare = partial(serve, script=DEMOS / "streamlit_page.py")
    kinds = {
        "page": Kind(serve, ANSWER, sheet_here, judge_here),
        "Streamlit": Kind(bare, ANSWER, sheet_alone, None),
    }
    if options.gradio:
        served = partial(serve_gradio, options.gradio)
        kinds["Gradio"] = Kind(served, "[data-testid=label-output-value]", sheet_there, judge_there)
    found = {name: [] for name in kinds}
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as player:
        chromium = player.chromium.launch(**LAUNCH)
        pictures = save_pictures(Path(folder))
        for i in range(options.times):
            for name, kind in kinds.items():
                home = make_home(Path(folder) / f"{name}-{i}")
                found[name].append(measure(chromium, kind, home, pictures))
    print(ROW.format(f"median of {options.times}", *found, *[""][len(found) - 2 :]))
    for what in found["page"][0]:
        told = [median_of([one[what] for one in all if what in one]) for all in found.values()]
        print(ROW.format(what, *told, *[""][len(told) - 2 :]))


def median_of(figures):
    """Return the median of some figures as text, "" of none."""
    return f"{statistics.median(figures):,.3g}" if figures else ""


def measure(chromium, kind, home, pictures):
    """Return every figure of one start of a page, by what it tells."""
    began = time.perf_counter()
    with kind.serve(home) as server:
        tab, _ = open_tab(chromium, kind, server.address)
        figures = {"start to usable, s": time.perf_counter() - began}
        tab.context.close()
        figures |= measure_load(chromium, kind, server.address, pictures[0])
        figures |= measure_drawing(chromium, kind, server.address)
        figures |= measure_judging(chromium, kind, server.address, pictures)
        began = time.perf_counter()
        tab, _ = open_tab(chromium, kind, server.address, SLOW)
        answer(tab, kind, pictures[0])
        figures["first answer at 400 kbit/s, s"] = time.perf_counter() - began
        tab.context.close()
    return figures


def open_tab(chromium, kind, address, speed=0):
    """Return a tab with an empty cache once the page in it takes a picture, and its traffic.

    The traffic is a list that grows by the bytes of each response. speed: bytes/s, 0 for any.
    """
    tab = chromium.new_context(viewport={"width": 1280, "height": 900}).new_page()
    tab.add_init_script(WATCH.replace("ANSWER", repr(kind.answer)))
    network, traffic = tab.context.new_cdp_session(tab), []
    network.send("Network.enable")
    network.on("Network.loadingFinished", lambda event: traffic.append(event["encodedDataLength"]))
    if speed:
        limits = {"offline": False, "latency": 40, "downloadThroughput": speed}
        network.send("Network.emulateNetworkConditions", limits | {"uploadThroughput": speed})
    tab.goto(address, timeout=WAIT, wait_until="commit")
    tab.locator("input[type=file]").first.wait_for(state="attached", timeout=WAIT)
    return tab, traffic


def answer(tab, kind, picture):
    """Hand in a picture and wait for the answer; return the seconds, by the browser's clock."""
    tab.locator("input[type=file]").first.set_input_files(picture)
    tab.locator(kind.answer).first.wait_for(timeout=WAIT)
    return tab.evaluate("async () => await window.seen - window.given") / 1e3


def measure_load(chromium, kind, address, picture):
    """Return what the first load and the first answer take."""
    began = time.perf_counter()
    tab, traffic = open_tab(chromium, kind, address)
    usable = time.perf_counter() - began
    tab.wait_for_timeout(3_000)  # ms, for what comes late
    first = "performance.getEntriesByName('first-contentful-paint')[0].startTime"
    figures = {
        "first paint, s": tab.evaluate(first) / 1e3,
        "usable, s": usable,
        "first load, MB": sum(traffic) / 1e6,
        "first load, requests": len(traffic),
    }
    loaded = len(traffic)
    figures["upload to answer, s"] = answer(tab, kind, picture)
    tab.wait_for_timeout(2_000)
    figures["first answer, MB"] = sum(traffic[loaded:]) / 1e6
    figures["first answer, requests"] = len(traffic) - loaded
    figures["layout shift to the answer"] = tab.evaluate("window.shift")
    tab.context.close()
    return figures


def measure_drawing(chromium, kind, address):
    """Return the seconds from the end of a drawn 7 to its answer."""
    tab, _ = open_tab(chromium, kind, address)
    box = kind.sheet(tab)
    draw(tab, SEVEN, box)
    began = time.perf_counter()
    tab.locator(kind.answer).first.wait_for(timeout=WAIT)
    seconds = time.perf_counter() - began
    tab.context.close()
    return {"drawing to answer, s": seconds}


def measure_judging(chromium, kind, address, pictures):
    """Return what it takes to say of ten pictures that they were classified correctly."""
    if kind.judge is None:
        return {}
    tab, _ = open_tab(chromium, kind, address)
    tab.wait_for_timeout(2_000)  # ms: nothing moves any more
    began = time.perf_counter()
    hand = Hand(tab)
    kind.judge(hand, pictures)
    seconds = time.perf_counter() - began
    tab.context.close()
    return {"ten pictures judged, clicks": hand.clicks, "ten pictures judged, s": seconds}


# --- What a person does on the pages ---


def sheet_alone(tab):
    """Find the sheet, which stands there already."""
    return settled(tab.locator("canvas").last)


def sheet_here(tab):
    """Go to the page's sheet."""
    tab.get_by_role("radio", name="Draw").click()
    return settled(tab.locator("canvas").last)


def judge_here(hand, pictures):
    """Give all at once, agree to all."""
    hand.give(*pictures)
    hand.click(hand.tab.get_by_role("button", name="All are right"))
    hand.tab.locator(".said").nth(len(pictures) - 1).wait_for(timeout=WAIT, state="attached")


def sheet_there(tab):
    """Go to the demo's sheet, take the pen."""
    tab.get_by_role("tab", name="Draw").click()
    box = settled(tab.locator("canvas").last)
    tab.get_by_role("button", name="Brush").click()
    side = min(box["width"], box["height"]) * 0.8  # the paper lies in the middle of the canvas
    left, top = box["x"] + (box["width"] - side) / 2, box["y"] + (box["height"] - side) / 2
    return {"x": left, "y": top, "width": side, "height": side}


def judge_there(hand, pictures):
    """Give one after the other, press its digit, take it away again."""
    said = hand.tab.get_by_label("Said")
    for picture in pictures:
        hand.give(picture)
        hand.tab.locator("[data-testid=label-output-value]").first.wait_for(timeout=WAIT)
        hand.click(hand.tab.get_by_role("button", name=picture.stem[-1], exact=True))
        expect(said).to_have_value(re.compile("Stored"), timeout=WAIT)
        if picture != pictures[-1]:
            hand.click(hand.tab.get_by_role("button", name="Remove Image"))
            expect(said).to_have_value("", timeout=WAIT)


def settled(locator):
    """Return the box of what has come and stands still."""
    locator.wait_for(timeout=WAIT)
    locator.page.wait_for_timeout(2_000)
    return locator.bounding_box()


def save_pictures(folder):
    """Return the paths of ten pictures that the network classifies correctly, named by digit."""
    drawn, net = styled_pictures(60), model.load_light(PROJECT / MODEL)
    predictions = model.predict(net, np.array([images.read_digit(one) for one, _ in drawn]))
    paths = []
    for i, (picture, label) in enumerate(drawn):
        if predictions[i].argmax() == label and len(paths) < 10:
            paths.append(folder / f"{i}-{label}.png")
            picture.save(paths[-1])
    return paths


@contextmanager
def serve_gradio(python, home):
    """Lend a server of the Gradio demo for the home."""
    port = free_port()
    process = subprocess.Popen(
        [python, DEMOS / "gradio_page.py"],
        cwd=PROJECT,
        env=os.environ
        | {"DIGITS_HOME": str(home), "PYTHONPATH": str(PROJECT), "GRADIO_SERVER_PORT": str(port)}
        | {"GRADIO_ANALYTICS_ENABLED": "False"},
        stdout=subprocess.DEVNULL,
    )
    with lent(process, f"http://127.0.0.1:{port}", "/") as server:
        yield server


if __name__ == "__main__":
    main()
