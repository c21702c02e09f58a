"""The home: `at`, `default`, `read_once`, `is_running`, the two locks."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from filelock import Timeout

from digits import home as module
from digits.home import PROJECT, Home

HOLD = """
import sys
from digits.home import Home
with Home.at(sys.argv[1]).run_lock():
    print("held", flush=True)
    sys.stdin.read()
"""
TAKE_OFTEN = """
import sys
from digits.home import Home
for _ in range(200):
    with Home.at(sys.argv[1]).run_lock():
        pass
"""


def test_at_same_folder_in_any_spelling_is_one_object(tmp_path, monkeypatch):
    home = Home.at(tmp_path)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link").symlink_to(tmp_path)
    for place in (tmp_path, str(tmp_path), ".", tmp_path / "link", f"{tmp_path}/x/..", home):
        assert Home.at(place) is home
    assert Home.at(tmp_path / "x") is not home
    assert str(home) == str(tmp_path.resolve())


def test_at_tilde_is_the_users_own_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert Home.at("~/digits") is Home.at(tmp_path / "digits")
    assert Home.at(Path("~")).folder == tmp_path.resolve()


def test_at_writes_nothing(tmp_path):
    home = Home.at(tmp_path / "none")
    assert not home.is_running()
    assert list(tmp_path.iterdir()) == []


def test_default_is_what_digits_home_names_or_else_the_project(tmp_path, monkeypatch):
    monkeypatch.setenv("DIGITS_HOME", str(tmp_path))
    assert Home.default() is Home.at(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("DIGITS_HOME", "~/digits")
    assert Home.default() is Home.at(tmp_path / "digits")
    monkeypatch.setenv("DIGITS_HOME", "")
    assert Home.default() is Home.at(PROJECT)
    monkeypatch.delenv("DIGITS_HOME")
    assert Home.default() is Home.at(PROJECT)


# read_once


@pytest.fixture
def path(tmp_path):
    """A file that is read, of the age at which a clock's step no longer matters."""
    path = tmp_path / "told.txt"
    path.write_text("one")
    os.utime(path, ns=(10**18, 10**18))
    return path


@pytest.fixture
def read(home, path):
    """Reads that file as a room does; `times` is how often it was really read."""

    def read():
        def really():
            read.times += 1
            return path.read_text() if path.exists() else None

        return home.read_once("told", [path], really)

    read.times = 0
    return read


def test_read_once_unchanged_file_is_read_once(read):
    assert [read() for _ in range(5)] == ["one"] * 5
    assert read.times == 1


def lengthen(path):
    with open(path, "a") as stream:
        stream.write(" two")


def rewrite(path):
    """Write as many other bytes into the same file."""
    path.write_text("two")


def replace(path):
    """Put another file of the same size and the same time in its place."""
    other = path.with_name("other")
    other.write_text("two")
    os.utime(other, ns=(10**18, 10**18))
    os.replace(other, path)


def vanish(path):
    path.unlink()


@pytest.mark.parametrize(
    ("change", "content"),
    [(lengthen, "one two"), (rewrite, "two"), (replace, "two"), (vanish, None)],
)
def test_read_once_changed_file_is_read_again_once(change, content, read, path):
    read()
    change(path)
    assert [read() for _ in range(3)] == [content] * 3
    assert read.times == 2


def test_read_once_file_that_comes_back_is_read_again(read, path):
    read()
    path.unlink()
    assert read() is None
    path.write_text("back")
    assert read() == "back"
    assert read.times == 3


def test_read_once_names_in_a_folder_count_as_its_content(home, tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    os.utime(folder, ns=(10**18, 10**18))

    def names():
        return home.read_once("names", [folder], lambda: sorted(os.listdir(folder)))

    assert names() == []
    (folder / "new").touch()
    assert names() == ["new"]


def test_read_once_any_of_several_paths_counts(home, tmp_path):
    paths = [tmp_path / "a", tmp_path / "b"]

    def there():
        return home.read_once("both", paths, lambda: [path.exists() for path in paths])

    assert there() == [False, False]
    paths[1].touch()
    assert there() == [False, True]
    paths[0].touch()
    assert there() == [True, True]


def test_read_once_what_changes_while_it_is_read_is_read_again(home, path):
    def slow():
        content = path.read_text()
        rewrite(path)
        return content

    assert home.read_once("told", [path], slow) == "one"
    assert home.read_once("told", [path], path.read_text) == "two"


def test_read_once_failure_is_not_kept(home, path):
    def fail():
        raise ValueError("torn")

    with pytest.raises(ValueError, match="torn"):
        home.read_once("told", [path], fail)
    assert home.read_once("told", [path], path.read_text) == "one"


def test_read_once_two_names_of_one_file_are_kept_apart(home, path):
    assert home.read_once("content", [path], path.read_text) == "one"
    assert home.read_once("size", [path], lambda: path.stat().st_size) == 3


# Locks


@pytest.fixture
def holder(home):
    """Another process that holds the run's lock of home."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(home)],
        cwd=PROJECT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_is_running_lock_held_here_is_true_then_false(home):
    assert not home.is_running()
    with home.run_lock():
        assert home.is_running()
    assert not home.is_running()


def test_is_running_other_process_holds_the_lock_until_sigkill_ends_it(home, holder):
    assert home.is_running()
    with pytest.raises(Timeout):
        home.run_lock().acquire()
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    assert not home.is_running()
    with home.run_lock():
        assert home.is_running()


def test_is_running_other_process_lets_go_by_itself(home, holder):
    holder.stdin.close()
    holder.wait()
    assert not home.is_running()


def test_is_running_lock_file_left_by_a_dead_process_does_not_count(home, holder):
    holder.kill()
    holder.wait()
    assert any(path.suffix == ".lock" for path in home.versions.iterdir())
    assert not home.is_running()


def test_run_lock_others_ask_meanwhile_whether_it_is_held_is_got(home):
    """Whoever asks holds the lock for an instant, and keeps no run from beginning."""
    home.versions.mkdir()
    command = [sys.executable, "-c", TAKE_OFTEN, str(home)]
    with subprocess.Popen(command, cwd=PROJECT, stderr=subprocess.PIPE, text=True) as process:
        while process.poll() is None:
            home.is_running()
    assert process.returncode == 0, process.stderr.read()


def test_store_lock_is_another_than_the_runs(home):
    with home.run_lock(), home.store_lock():
        assert home.is_running()
    with home.store_lock():
        assert not home.is_running()


def test_run_lock_waits_for_no_run(home, monkeypatch):
    monkeypatch.setattr(module, "RUN_WAIT", 0.1)
    began = time.monotonic()
    with home.run_lock(), pytest.raises(Timeout):
        home.run_lock().acquire()
    assert time.monotonic() - began < 1
