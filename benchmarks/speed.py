"""How fast the page starts, answers and learns, and in how much memory, beside the plain way.

    python benchmarks/speed.py            every figure with its goal; takes minutes
    python benchmarks/speed.py network    one part: network, upload, page, learning, growth, homes

The plain way is that of many a student's page: `load_model` at each rerun, a plain resize,
`model.predict`. Times are medians with the 10th and the 90th percentile behind them, measured in
the same run on the same machine. The page is a real server that a real browser (Chromium) opens.
"""

import argparse
import io
import logging
import os
import re
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import psutil
from PIL import Image, ImageOps
from playwright.sync_api import sync_playwright

from digits import feedback, images, model, versions
from digits.feedback import corrections
from digits.home import IMAGES, MODEL, Home
from digits.home.__main__ import copied
from digits.learning import material
from digits.rows import TRAIN, read_rows
from tests import postgres
from tests.homes import PROJECT, add_misread, make_home, styled_pictures
from tests.served import APP, LAUNCH, serve

WAIT = 120  # s for anything on the page
VISITS, PICTURES = 10, 10  # visitors one after the other, and the pictures each of them gives
STORES = 100, 1_000, 10_000  # corrections stored
BATCHES = 1, 10, 100, 1_000  # digits at once
ROW = "{:<44} {:>24} {:>9} {:>24} {:>8} {:>5}"

PLAIN_PAGE = """
import keras, numpy as np, streamlit as st
from PIL import Image, ImageOps
net = keras.models.load_model({path!r}, compile=False)
upload = st.file_uploader("A picture")
if upload:
    picture = ImageOps.invert(Image.open(upload).convert("L")).resize((28, 28))
    answer = net.predict(np.array(picture)[None, ..., None] / 255.0, verbose=0)
    st.header(f"I read {{answer.argmax()}}")
"""


def main():
    parts = {
        "network": network,
        "upload": upload,
        "page": page,
        "learning": learning,
        "growth": growth,
        "homes": homes,
    }
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("part", nargs="?", choices=list(parts), help="default: all of them")
    one = parser.parse_args().part
    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # it warns of the plain way's costs
    print(ROW.format("what", "figure", "goal", "the plain way", "ratio", "n"))
    for name in [one] if one else parts:
        parts[name]()


# --- Inside the server ---


def network():
    """One digit, then more at once, through the network alone."""
    net, plain = model.load_light(PROJECT / MODEL), model.load(PROJECT / MODEL)
    digits, _ = read_rows(PROJECT / TRAIN)
    for n in BATCHES:
        ours = timed(max(5, 500 // n), model.predict, net, digits[:n])
        theirs = timed(10, plain_predict, plain, digits[:n])
        many = f"network, {n:,} digits" if n > 1 else "network, one digit"
        report(many, ours, 0.5e-3 if n == 1 else None, theirs)


def plain_predict(net, digits):
    """Return the probabilities as Keras' own `predict` gives them."""
    return net.predict(model.scale(digits), verbose=0)


def upload():
    """A file until its answer, as the server does it."""
    net = model.load_light(PROJECT / MODEL)
    drawn = styled_pictures(1)[0][0]
    for name, size, goal in (("280 px", (280, 280), 8e-3), ("12 MP", (4000, 3000), 70e-3)):
        data = jpeg(ImageOps.pad(drawn, size, color=drawn.getpixel((0, 0))))
        ours = timed(20, answer, net, data)
        theirs = timed(5, plain_answer, data)
        report(f"upload to answer in the server, {name}", ours, goal, theirs)


def answer(net, data):
    """Return the page's answer to a file's bytes."""
    digit = images.read_digit(images.open_picture(io.BytesIO(data)))
    return model.predict(net, digit[np.newaxis])


def plain_answer(data):
    """Return the plain way's answer to a file's bytes."""
    import keras

    net = keras.models.load_model(PROJECT / MODEL, compile=False)
    picture = ImageOps.invert(Image.open(io.BytesIO(data)).convert("L")).resize((28, 28))
    return plain_predict(net, np.array(picture)[np.newaxis])


# --- In the browser ---


def page():
    """From the command to the page, to the first answer, to a hundred answers."""
    with tempfile.TemporaryDirectory() as folder, browser() as chromium:
        home = make_home(Path(folder) / "home")
        script = Path(folder) / "plain.py"
        script.write_text(PLAIN_PAGE.format(path=str(PROJECT / MODEL)))
        pictures = save_pictures(Path(folder), VISITS * PICTURES)
        ours = [start_and_answer(chromium, APP, home, pictures[i]) for i in range(4)]
        theirs = [start_and_answer(chromium, script, home, pictures[i]) for i in range(2)]
        # The first start reads every library from the disk; it warms the machine for both.
        started, answered = zip(*ours[1:], strict=True)
        plain_started, plain_answered = zip(*theirs, strict=True)
        report("streamlit run to page usable", started, 2.0, plain_started)
        report("page usable to first answer", answered, 2.0, plain_answered)
        with serve(home, said=subprocess.DEVNULL) as (address, process):
            report_memory(chromium, address, process, pictures)


def start_and_answer(chromium, script, home, picture):
    """Return the seconds from the command to a usable page, and from there to an answer."""
    began = time.perf_counter()
    with serve(home, script, subprocess.DEVNULL) as (address, _):
        tab = open_page(chromium, address)
        usable = time.perf_counter()
        ask(tab, [picture])
        seconds = usable - began, time.perf_counter() - usable
        tab.close()
    return seconds


def report_memory(chromium, address, process, pictures):
    """Print what the server holds after a hundred answers."""
    visits = [pictures[i : i + PICTURES] for i in range(0, len(pictures), PICTURES)]
    for given in (pictures[:1], *visits):  # one picture alone is answered with a chart, too
        tab = open_page(chromium, address)
        ask(tab, given)
        tab.close()
    used = psutil.Process(process.pid).memory_info().rss / 1e6
    report_figure("server memory after 100 answers", f"{used:.0f} MB", "<= 300", len(pictures))


def learning():
    """A fine-tuning beside an open page, and the page's way to the new version."""
    with tempfile.TemporaryDirectory() as folder, browser() as chromium:
        home = make_home(Path(folder) / "home")
        add_misread(home, model.load_light(PROJECT / MODEL), 20)
        pictures = save_pictures(Path(folder), 10)
        with serve(home, said=subprocess.DEVNULL) as (address, _):
            tab = open_page(chromium, address)
            ask(tab, pictures[:1])
            idle = [answer_again(tab, address, one) for one in pictures]
            report("answer in the browser, nothing else runs", idle)
            command = [sys.executable, PROJECT / "finetuning.py", "--root", str(home)]
            began = time.perf_counter()
            run = subprocess.Popen(command, stdout=subprocess.DEVNULL)
            busy = []
            while run.poll() is None:
                busy.append(answer_again(tab, address, pictures[len(busy) % 10]))
            took = time.perf_counter() - began
            report("the same while a fine-tuning runs", busy, 3 * np.median(idle))
            name = "fine-tuning of 20 corrections to its end"
            report(f"{name} (exit {run.returncode})", [took], 12.0)
            versions.roll_back(home, "v1")
            switched = answer_again(tab, address, pictures[0])
            report("answer of a version just put in place", [switched], 1.0)


def answer_again(tab, address, picture):
    """Return the seconds from handing in a picture to its answer, on a fresh visit."""
    tab.goto(address)
    tab.locator("input[type=file]").first.wait_for(state="attached", timeout=WAIT * 1e3)
    began = time.perf_counter()
    ask(tab, [picture])
    return time.perf_counter() - began


def open_page(chromium, address):
    """Return a tab once the page in it takes a picture."""
    tab = chromium.new_page()
    tab.goto(address)
    tab.locator("input[type=file]").first.wait_for(state="attached", timeout=WAIT * 1e3)
    return tab


def ask(tab, pictures):
    """Hand in pictures and wait for the answers."""
    tab.locator("input[type=file]").first.set_input_files(pictures)
    said = tab.get_by_role(
        "heading", name=re.compile(r"^(I read )?\d")
    )  # ours, or the plain page's
    said.nth(len(pictures) - 1).wait_for(timeout=WAIT * 1e3)


@contextmanager
def browser():
    """Lend a browser."""
    with sync_playwright() as player:
        chromium = player.chromium.launch(**LAUNCH)
        yield chromium
        chromium.close()


def save_pictures(folder, n):
    """Return the paths of n pictures of digits, written to the folder."""
    paths = [folder / f"{i}.jpg" for i in range(n)]
    for path, (picture, _) in zip(paths, styled_pictures(n), strict=True):
        path.write_bytes(jpeg(picture.resize((280, 280))))
    return paths


# --- As the store grows ---


def growth():
    """Loading the store, adding to it, drawing the page and learning, the larger it gets.

    A run reads at most `material.MAX_CORRECTIONS`, so its time stops growing there.
    """
    for n in STORES:
        with tempfile.TemporaryDirectory() as folder:
            home = fill(Path(folder), n)
            extra = iter(styled_pictures(6, seed=n))
            report(f"load the store, {n:,} corrections", timed(3, load_changed, home))
            report(f"load it unchanged, {n:,} corrections", timed(3, feedback.load, home))
            report(f"add one to {n:,} corrections", timed(5, add_next, home, extra))
            report(f"gather a run's rows, {n:,} corrections", timed(1, gather, home))
            report(f"rerun of the page, {n:,} corrections", timed_page(home))


def fill(folder, n):
    """Return a home there with n corrections in the three columns of the original project."""
    home = make_home(folder)
    home.images.mkdir()
    names = [f"{IMAGES}/incorrect_image_{i}.png" for i in range(n)]
    picture = io.BytesIO()
    styled_pictures(1)[0][0].save(picture, "PNG")
    for name in names:
        (home.folder / name).write_bytes(picture.getvalue())
    rows = [",".join(corrections.REQUIRED), *(f"1,7,{name}" for name in names)]
    home.table.write_text("\n".join(rows) + "\n")
    return home


def load_changed(home):
    """Load the store when its table has just changed."""
    os.utime(home.table)
    feedback.load(home)


def add_next(home, pictures):
    """Store the next of the pictures."""
    picture, label = next(pictures)
    feedback.add(home, picture, 1, label)


def gather(home):
    """Read a run's corrections and rows, as every fine-tuning does first."""
    material.gather(home, feedback.load(home)[0], 0, Mock())


def timed_page(home):
    """Return the seconds of three reruns of the page's script on home."""
    from streamlit.testing.v1 import AppTest

    os.environ["DIGITS_HOME"] = str(home)
    script = AppTest.from_file(str(PROJECT / "app.py"), default_timeout=WAIT)
    return timed(3, script.run)


# --- A home in PostgreSQL, beside one in a folder ---


def homes():
    """Adding, changing, loading and asking for news in a database; the plain way is a folder."""
    with ExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        os.environ["XDG_CACHE_HOME"] = str(place / "cache")
        addresses = postgres.lent(stack, len(STORES), options="")  # synced, as in service
        for n, address in zip(STORES, addresses, strict=True):
            kinds = Home.at(address), fill(place / str(n), n)
            copied(kinds[1], kinds[0])
            extra = iter(styled_pictures(44, seed=n))
            for what, times, act in (
                ("add one to", 20, lambda home, extra=extra: add_next(home, extra)),
                ("change one of", 20, change_first),
                ("load", 5, load_changed),
                ("load, unchanged,", 20, feedback.load),
            ):
                database, folder = (timed(times, act, home) for home in kinds)
                report(f"PostgreSQL: {what} {n:,} corrections", database, plain=folder)
        report(f"PostgreSQL: a new host fetches {STORES[-1]:,}", fetch(address, place / "new"))


def change_first(home):
    """Give the first correction another label."""
    first = feedback.load(home)[0][0]
    feedback.relabel(home, first, (first.actual + 1) % 10)


def fetch(address, folder):
    """Return the seconds in which a host that has nothing yet follows a database."""
    host = postgres.another_host(Home.at(address), folder)
    began = time.perf_counter()
    host.follow()
    return [time.perf_counter() - began]


# --- Figures ---


def jpeg(picture):
    """Return the bytes of a picture as a JPEG."""
    stream = io.BytesIO()
    picture.convert("RGB").save(stream, "JPEG", quality=90)
    return stream.getvalue()


def timed(n, call, *arguments):
    """Return the seconds of n calls, after one that warms up."""
    call(*arguments)
    seconds = []
    for _ in range(n):
        began = time.perf_counter()
        call(*arguments)
        seconds.append(time.perf_counter() - began)
    return seconds


def report(name, seconds, goal=None, plain=()):
    """Print times with their spread, the goal, the plain way's times and how often ours fit in."""
    ratio = f"{np.median(plain) / np.median(seconds):.1f}x" if len(plain) else ""
    said = f"<= {in_words(goal)}" if goal else ""
    print(ROW.format(name, spread(seconds), said, spread(plain), ratio, len(seconds)), flush=True)


def report_figure(name, figure, goal, n):
    """Print a figure that is no time."""
    print(ROW.format(name, figure, goal, "", "", n), flush=True)


def spread(seconds):
    """Return the median and, in brackets, the 10th and 90th percentile; nothing for nothing."""
    if not len(seconds):
        return ""
    low, middle, high = np.percentile(seconds, [10, 50, 90])
    return f"{in_words(middle)} [{in_words(low)}, {in_words(high)}]"


def in_words(seconds):
    """Return seconds, or milliseconds below a tenth of one."""
    return f"{seconds:.2f} s" if seconds >= 0.1 else f"{1e3 * seconds:.2f} ms"


if __name__ == "__main__":
    main()
