"""The long run: memory over many predictions and swaps, and many visitors during a fine-tuning.

    python stress/server.py [--swaps 50] [--pictures 40] [--visitors 20] [--judged 10]

The page runs in this process, once for each click, through Streamlit's AppTest: visitors have
sessions of their own and share caches and root as in a server, but are served one after another.
Prints the slope of memory over the swaps, and the worst answer while a fine-tuning runs; a page
with an error, a lost row or a failed run ends in an assertion.
"""

from __future__ import annotations

import argparse
import io
import os
import re
import subprocess
import sys
import tempfile
import time
from itertools import cycle
from pathlib import Path

import h5py
import numpy as np
from PIL import Image
from streamlit.testing.v1 import AppTest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from digits import evaluation, feedback, files, model, versions
from tests.roots import PROJECT, add_misread, make_root
from tests.styles import on_paper

MEGABYTE = 1e6
QUESTION, WHICH, STORE = "Was it right?", "Which digit is it?", "Store the correction"
CORRECTIONS = 3  # stored before the fine-tuning, so that it has something to learn
ENDINGS = (0, 3)  # published; refused by the gate


def memory() -> float:
    """Return this process' resident memory in MB (proc(5), statm)."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGESIZE") / MEGABYTE


def pngs(digits: np.ndarray) -> list[bytes]:
    """Return digits, uint8 (n, 28, 28), as the PNG files of drawings on paper."""
    streams = [io.BytesIO() for _ in digits]
    for digit, stream in zip(digits, streams, strict=True):
        Image.fromarray(on_paper(digit)).save(stream, "PNG")
    return [stream.getvalue() for stream in streams]


def visit(pictures: list[bytes]) -> AppTest:
    """Return the page after a new visitor has uploaded the pictures."""
    page = AppTest.from_file(str(PROJECT / "app.py"), default_timeout=120)
    page.run()
    uploads = [(f"{i}.png", data, "image/png") for i, data in enumerate(pictures)]
    page.file_uploader[0].set_value(uploads)
    return run(page)


def run(page: AppTest) -> AppTest:
    """Return the page drawn anew, without an error."""
    page.run()
    assert not page.exception, page.exception
    return page


def swapped(content: bytes) -> bytes:
    """Return a network's file as bytes, its answers moved on by one digit."""
    stream = io.BytesIO(content)
    with h5py.File(stream, "r+") as file:
        file["model_weights/probabilities"].visititems(move_on)
    return stream.getvalue()


def move_on(name: str, part: h5py.Dataset | h5py.Group) -> None:
    """Move a kernel (n, 10) or bias (10,) on by one digit."""
    if isinstance(part, h5py.Dataset):
        part[...] = np.roll(part[...], 1, axis=-1)


def grow(root: Path, digits: np.ndarray, swaps: int, pictures: int) -> np.ndarray:
    """Return the memory, MB (swaps,), after each visit that follows a swap of model.h5."""
    shipped = (root / versions.MODEL).read_bytes()
    networks = cycle([swapped(shipped), shipped])
    used = []
    for i in range(swaps):
        files.write(root / versions.MODEL, next(networks))
        chosen = digits[np.arange(i * pictures, (i + 1) * pictures) % len(digits)]
        page = visit(pngs(chosen))
        assert len(guesses(page)) == pictures
        used.append(memory())
    return np.array(used)


def guesses(page: AppTest) -> list[int]:
    """Return the guess on each card; a doubtful one names the likelier digit first."""
    heads = [one.value for one in (*page.header, *page.subheader)]
    answers = [head for head in heads if head.startswith(("I read", "Not sure"))]
    return [int(re.search(r"\d", answer)[0]) for answer in answers]


def judge(page: AppTest, place: int, wrong: bool) -> float:
    """Judge the picture in that place, those before it being judged; return the slowest click, s.

    wrong: store it as another digit than the guess.
    """
    asked = next(one for one in page.button_group if one.label == QUESTION)
    asked.set_value("No" if wrong else "Yes")
    times = [seconds(page)]
    if wrong:
        which = next(one for one in page.button_group if one.label == WHICH)
        which.set_value((guesses(page)[place] + 1) % 10)
        times.append(seconds(page))
        next(one for one in page.button if one.label == STORE).click()
        times.append(seconds(page))
    return max(times)


def seconds(page: AppTest) -> float:
    """Return how long the page takes to be drawn anew."""
    began = time.perf_counter()
    run(page)
    return time.perf_counter() - began


def crowd(root: Path, digits: np.ndarray, visitors: int, judged: int) -> list[float]:
    """Return the seconds of every visitor's slowest click at each picture, while a run learns."""
    pages = [visit(pngs(some)) for some in np.split(digits[: visitors * judged], visitors)]
    command = [sys.executable, PROJECT / "finetuning.py", "--root", root, "--trigger", "button"]
    learning = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    before = len(feedback.load(root)[0])
    times = [judge(page, i, wrong=i % 2 == 0) for i in range(judged) for page in pages]
    said = learning.communicate()[0].decode()
    assert learning.returncode in ENDINGS, said
    corrections, warnings = feedback.load(root)
    assert len(corrections) - before == visitors * ((judged + 1) // 2)
    assert not warnings, warnings
    return times


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--swaps", type=int, default=50)
    parser.add_argument("--pictures", type=int, default=40, help="predictions after each swap")
    parser.add_argument("--visitors", type=int, default=20)
    parser.add_argument("--judged", type=int, default=10, help="pictures that each visitor judges")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = make_root(Path(folder) / "root")
        os.environ["DIGITS_HOME"] = str(root)
        digits, _ = evaluation.read_rows(root / evaluation.TRAIN)
        used = grow(root, digits, options.swaps, options.pictures)
        half = used[len(used) // 2 :]  # the first half still warms up
        slope = np.polyfit(np.arange(len(half)), half, 1)[0]
        print(
            f"{options.swaps * options.pictures} predictions, {options.swaps} swaps: "
            f"{half[0]:.0f} MB halfway, {half[-1]:.0f} MB at the end, {slope:+.2f} MB a swap",
            flush=True,
        )
        add_misread(root, model.load_light(root / versions.MODEL), CORRECTIONS)
        times = crowd(root, digits[::-1], options.visitors, options.judged)
        print(
            f"{options.visitors} visitors judged {options.judged} pictures each during a "
            f"fine-tuning: no error, no row lost, half of the clicks within "
            f"{np.median(times):.2f} s, the slowest {max(times):.2f} s"
        )


if __name__ == "__main__":
    main()
