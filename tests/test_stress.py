"""The commands of `make stress`, made small; that of crash.py is in test_crash.py."""

from __future__ import annotations

import asyncio
import subprocess
import sys

from digits import model
from stress import pictures, server, store
from tests.homes import PROJECT, add_misread, make_home
from tests.uploads import upload


def test_store_added_at_once_is_all_there(home, capsys):
    seconds = store.add_at_once(home, processes=2, each=5)
    store.check(home, 10, "alone", seconds)
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


def test_server_each_swapped_network_answers(tmp_path, rows):
    home = make_home(tmp_path / "home")
    with server.served(home, tmp_path / "said.txt") as lent:
        assert (asyncio.run(server.grow(lent, rows, home, swaps=2)) > 0).tolist() == [True, True]


def test_server_visitors_who_judge_during_a_run_lose_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(server, "THINK", 0.1)
    home = make_home(tmp_path / "home")
    add_misread(home, model.load_light(home.model), 1, seed=1)
    with server.served(home, tmp_path / "said.txt") as lent:
        waits = asyncio.run(server.crowd(lent, home, server.pictures(home, 3, judged=2)))
    assert len(waits) == 3 * 2  # one tap for each picture
    assert any(running for _, running in waits)
