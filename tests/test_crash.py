"""What the world does to a run: death at any step, a power cut, a full disk, a closed folder."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

import finetuning
from digits import durable, feedback, model, versions
from stress import crash
from tests.roots import PROJECT, add_misread

KILLED = 137  # exit code of a process that kill -9 ended
STEPS = {"open", "write", "fsync", "replace", "unlink", "chmod", "mkdir", "truncate", "close"}
OLD, NEW = b"old network" * 1_000, b"new network" * 1_000
PICTURE = Image.new("RGB", (40, 40), "white")


def make_store(root: Path) -> None:
    """A root with a network of bytes, one earlier version and one correction."""
    (root / versions.MODEL).write_bytes(b"first")
    publish(root, OLD)
    feedback.add(root, Image.new("RGB", (30, 30), "white"), 1, 2)


def publish(root: Path, network: bytes = NEW) -> None:
    candidate = root.parent / "candidate.h5"
    candidate.write_bytes(network)
    versions.publish(root, candidate, {})


def roll_back(root: Path) -> None:
    versions.roll_back(root, "v1")


def restore(root: Path) -> None:
    (root / versions.MODEL).unlink(missing_ok=True)
    versions.restore(root, versions._unchanged(root, versions.kept(root)[0]))


def add(root: Path) -> None:
    feedback.add(root, PICTURE, 3, 4)


def die_at(number: int, act, root: Path) -> None:
    """Do act, but die before its `number`-th step on the disk, as by kill -9."""
    left = iter(range(number))

    def count(frame, event: str, function) -> None:
        if event == "c_call" and function.__name__ in STEPS and next(left, None) is None:
            os._exit(KILLED)

    sys.setprofile(count)
    act(root)
    sys.setprofile(None)


def load_bytes(path: Path) -> bytes:
    """Return the network that these tests take for one, or raise as digits.model does."""
    if not path.exists() or path.read_bytes() not in (b"first", OLD, NEW):
        raise model.ModelError(f"{path} is damaged.")
    return path.read_bytes()


def die_everywhere(act, folder: Path) -> None:
    """Do act once for each of its steps, each time in a process that dies there."""
    for number in range(200):
        root = folder / str(number) / "root"
        root.mkdir(parents=True)
        make_store(root)
        child = os.fork()
        if not child:
            die_at(number, act, root)
            os._exit(0)
        died = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == KILLED
        assert_whole(root, model_may_be_gone=act is restore)
        act(root)  # the next attempt works, and a run sweeps up
        finetuning.sweep(root)
        assert_whole(root)
        assert not list(root.rglob(f"*{durable.PARTIAL}"))
        assert len(feedback.load(root)[0]) == 1 + (act is add)
        if not died:
            break
    assert not died
    assert number > 5  # steps were counted at all


@pytest.mark.parametrize("act", [publish, roll_back, restore, add])
def test_death_at_any_step_leaves_a_network_and_a_whole_store(act, tmp_path):
    # From a process without TensorFlow's threads, which do not survive a fork.
    context = multiprocessing.get_context("spawn")
    process = context.Process(target=die_everywhere, args=(act, tmp_path))
    process.start()
    process.join()
    assert process.exitcode == 0


def assert_whole(root: Path, model_may_be_gone: bool = False) -> None:
    _, _, problem = versions.serviceable(root, load_bytes)
    assert not problem or model_may_be_gone
    corrections, warnings = feedback.load(root)
    assert corrections
    assert not warnings
    assert all((root / one.image).exists() for one in corrections)


def test_publish_what_is_renamed_was_synced_before_and_its_folder_after(tmp_path, monkeypatch):
    """The order that a power cut respects (fsync(2), rename(2))."""
    make_store(tmp_path)
    happened = []
    sync, rename = os.fsync, os.replace

    def fsync(descriptor):
        happened.append(("synced", os.fstat(descriptor).st_ino))
        sync(descriptor)

    def replace(source, target):
        happened.append(("renamed", os.stat(source).st_ino, Path(target)))
        rename(source, target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "replace", replace)
    publish(tmp_path)
    monkeypatch.undo()

    renames = [i for i, (what, *_) in enumerate(happened) if what == "renamed"]
    for i in renames:
        _, inode, target = happened[i]
        assert ("synced", inode) in happened[:i]
        assert ("synced", target.parent.stat().st_ino) in happened[i:]
    history = tmp_path / versions.FOLDER / versions.HISTORY
    assert happened[renames[-1]][2] == tmp_path / versions.MODEL
    assert ("synced", history.stat().st_ino) in happened[: renames[-1]]


@pytest.fixture
def disk(tmp_path):
    """A small disk of its own, 8 MB; needs the right to mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(folder)]
    if not shutil.which("mount") or subprocess.call(mount):
        pytest.skip("needs the right to mount a small disk: run as root, on a whole machine")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


def fill(disk: Path, free: int) -> None:
    """Leave `free` bytes of the disk, in pages of 4 kB."""
    with open(disk / "filler", "wb") as stream:
        os.posix_fallocate(stream.fileno(), 0, shutil.disk_usage(disk).free - free)


def refusal(act, root: Path) -> str:
    """Return what is said when the disk refuses the act, "" when it does not."""
    try:
        act(root)
    except (OSError, feedback.StoreError) as error:
        return str(error)
    return ""


@pytest.mark.parametrize("pages", range(12))
def test_publish_full_disk_leaves_the_old_network_and_no_litter(pages, disk):
    make_store(disk)
    fill(disk, pages * 4096)
    before = (disk / versions.MODEL).read_bytes()
    said = refusal(publish, disk)
    assert not said or "No space left" in said
    assert (disk / versions.MODEL).read_bytes() == (before if said else NEW)
    assert_whole(disk)
    assert not list(disk.rglob(f"*{durable.PARTIAL}"))
    (disk / "filler").unlink()
    publish(disk)
    assert_whole(disk)


@pytest.mark.parametrize("pages", range(5))
def test_add_full_disk_says_so_and_writes_no_half_row(pages, disk):
    make_store(disk)
    fill(disk, pages * 4096)
    said = refusal(add, disk)
    assert not said or "No space left" in said
    assert len(feedback.load(disk)[0]) == (1 if said else 2)
    assert_whole(disk)
    (disk / "filler").unlink()
    add(disk)
    assert len(feedback.load(disk)[0]) == 2


def test_append_line_full_disk_leaves_the_file_as_it_was(disk):
    path = disk / "table"
    durable.append_line(path, "x" * 4_000)
    fill(disk, 0)
    with pytest.raises(OSError, match="No space left"):
        durable.append_line(path, "y" * 4_000)
    assert path.read_bytes() == b"x" * 4_000 + b"\n"


def test_main_full_or_closed_disk_says_so_model_unchanged(disk, shipped, capfd):
    for name in (versions.MODEL, "train.csv"):
        (disk / name).write_bytes((PROJECT / name).read_bytes()[: 4 * 2**20])
    add_misread(disk, shipped, 1)
    before = (disk / versions.MODEL).read_bytes()
    fill(disk, 0)
    assert finetuning.main(["--root", str(disk)]) == finetuning.FAILED
    assert "No space left on device" in capfd.readouterr().err
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    assert finetuning.main(["--root", str(disk)]) == finetuning.FAILED
    said = capfd.readouterr()
    assert "Read-only file system" in said.err
    assert "Traceback" not in said.err
    with pytest.raises(feedback.StoreError, match="Read-only"):
        add(disk)
    assert (disk / versions.MODEL).read_bytes() == before
    assert len(feedback.load(disk)[0]) == 1
    assert not list(disk.rglob(f"*{durable.PARTIAL}"))


def test_fine_tuning_killed_at_random_moments_leaves_all_whole(tmp_path):
    struck = crash.strike_all(tmp_path, moments=4, seconds=600, seed=0)
    assert struck.total() == 4
    assert struck[crash.PUBLISHING]
