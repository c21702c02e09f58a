"""The commands of `make stress`, made small; that of crash.py is in test_crash.py."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys

import pytest

from stress import pictures, server, store
from tests.roots import PROJECT, make_root
from tests.served import BROWSER
from tests.uploads import upload


def test_store_added_at_once_is_all_there(tmp_path, capsys):
    seconds = store.add_at_once(tmp_path, processes=2, each=5)
    store.check(tmp_path, 10, "alone", seconds)
    assert "10 rows, 10 images, 1 header, 0 warnings" in capsys.readouterr().out


def test_pictures_reader_tells_what_became_of_each_upload():
    reader = pictures.Reader()
    uploads = [upload(seed) for seed in range(20)]
    for name, data in uploads:
        reader.read(name, data)
    results = reader.finish()
    assert [name for name, *_ in results] == [name for name, _ in uploads]
    assert all(outcome in pictures.OUTCOMES for _, outcome, *_ in results)
    assert all(0 < memory < pictures.MAX_MEMORY for *_, memory in results)


def test_fuzz_ends_well_or_says_that_there_is_no_fuzzer():
    command = [sys.executable, PROJECT / "stress" / "fuzz.py", "--seconds", "2"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Not fuzzed" in done.stdout or " runs in " in done.stdout


@pytest.mark.skipif(
    not BROWSER and not os.environ.get("CI"), reason="needs Chromium: apt-get install chromium"
)
def test_server_each_swapped_network_answers_in_a_real_browser(tmp_path, rows):
    root = make_root(tmp_path / "root")

    async def grow():
        async with server.opened(root, tmp_path / "said.txt") as lent:
            return await server.grow(*lent, rows, root, swaps=2)

    assert (asyncio.run(grow()) > 0).tolist() == [True, True]
