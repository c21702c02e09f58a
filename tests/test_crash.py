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
from digits.home import MODEL, Home
from digits.learning import upkeep
from digits.versions import networks
from stress import crash, terminate
from tests.homes import PROJECT, add_misread

KILLED = 137  # exit code of a process that kill -9 ended
STEPS = {"open", "write", "fsync", "replace", "unlink", "chmod", "mkdir", "truncate", "close"}
OLD, NEW = b"old network" * 1_000, b"new network" * 1_000
PICTURE = Image.new("RGB", (40, 40), "white")


def make_store(home: Home) -> None:
    """A home with a network of bytes, one earlier version and one correction."""
    home.model.write_bytes(b"first")
    publish(home, OLD)
    feedback.add(home, Image.new("RGB", (30, 30), "white"), 1, 2)


def publish(home: Home, network: bytes = NEW) -> None:
    candidate = home.folder.parent / "candidate.h5"
    candidate.write_bytes(network)
    versions.publish(home, candidate, versions.current(home), versions.Report("better"))


def roll_back(home: Home) -> None:
    versions.roll_back(home, "v1")


def restore(home: Home) -> None:
    home.model.unlink(missing_ok=True)
    versions.restore(home, networks.unchanged(home, versions.kept(home)[0]))


def add(home: Home) -> None:
    feedback.add(home, PICTURE, 3, 4)


def die_at(number: int, act, home: Home) -> None:
    """Do act, but die before its `number`-th step on the disk, as by kill -9."""
    left = iter(range(number))

    def count(frame, event: str, function) -> None:
        if event == "c_call" and function.__name__ in STEPS and next(left, None) is None:
            os._exit(KILLED)

    sys.setprofile(count)
    act(home)
    sys.setprofile(None)


def load_bytes(path: Path) -> bytes:
    """Return the network that these tests take for one, or raise as digits.model does."""
    if not path.exists() or path.read_bytes() not in (b"first", OLD, NEW):
        raise model.ModelError(f"{path} is damaged.")
    return path.read_bytes()


def die_everywhere(act, folder: Path) -> None:
    """Do act once for each of its steps, each time in a process that dies there."""
    for number in range(200):
        home = Home.at(folder / str(number) / "home")
        home.folder.mkdir(parents=True)
        make_store(home)
        child = os.fork()
        if not child:
            die_at(number, act, home)
            os._exit(0)
        died = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == KILLED
        assert_whole(home, model_may_be_gone=act is restore)
        versions.settle(home)
        assert_settled(home, model_may_be_gone=act is restore)
        act(home)  # the next attempt works, and a run sweeps up
        upkeep.repair(home)
        assert_whole(home)
        assert_settled(home)
        assert not list(home.folder.rglob(f"*{durable.PARTIAL}"))
        assert len(feedback.load(home)[0]) == 1 + (act is add)
        if not died:
            break
    assert not died
    assert number > 5  # steps were counted at all


@pytest.mark.parametrize("act", [publish, roll_back, restore, add])
def test_death_at_any_step_leaves_a_network_and_a_whole_store(act, home):
    # From a process without TensorFlow's threads, which do not survive a fork.
    context = multiprocessing.get_context("spawn")
    process = context.Process(target=die_everywhere, args=(act, home.folder))
    process.start()
    process.join()
    assert process.exitcode == 0


def assert_whole(home: Home, model_may_be_gone: bool = False) -> None:
    assert not versions.serving(home, load_bytes).problem or model_may_be_gone
    corrections, warnings = feedback.load(home)
    assert corrections
    assert not warnings
    assert all((home.folder / one.image).exists() for one in corrections)


def assert_settled(home: Home, model_may_be_gone: bool = False) -> None:
    """The last network that came into service, by the history, is what model.h5 is."""
    served = [one.sha256 for one in versions.history(home) if one.decision != versions.REFUSED]
    assert home.model.exists() or model_may_be_gone
    assert not home.model.exists() or served[-1] == networks.hash_of(home.model)
    assert not home.announced.exists()


def test_publish_what_is_renamed_was_synced_before_and_its_folder_after(home, monkeypatch):
    """The order that a power cut respects (fsync(2), rename(2))."""
    make_store(home)
    happened = []
    sync, rename, remove = os.fsync, os.replace, os.unlink

    def fsync(descriptor):
        happened.append(("synced", os.fstat(descriptor).st_ino))
        sync(descriptor)

    def replace(source, target):
        happened.append(("renamed", os.stat(source).st_ino, Path(target)))
        rename(source, target)

    def unlink(path):
        if Path(path).exists():
            happened.append(("removed", os.stat(path).st_ino, Path(path)))
        remove(path)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "replace", replace)
    monkeypatch.setattr(os, "unlink", unlink)
    publish(home)
    monkeypatch.undo()

    renames = [i for i, (what, *_) in enumerate(happened) if what == "renamed"]
    for i in renames:
        _, inode, target = happened[i]
        assert ("synced", inode) in happened[:i]
        assert ("synced", target.parent.stat().st_ino) in happened[i:]
    kept, announced, served = renames
    targets = [happened[i][2] for i in renames]
    assert targets == [networks.file_of(home, versions.kept(home)[-1]), home.announced, home.model]
    folder = ("synced", home.versions.stat().st_ino)
    assert folder in happened[kept:announced]
    assert folder in happened[announced:served]
    recorded = happened.index(("synced", home.history.stat().st_ino))
    (withdrawn,) = [i for i, (what, *_) in enumerate(happened) if what == "removed"]
    assert ("synced", home.folder.stat().st_ino) in happened[served:recorded]
    assert happened[withdrawn][2] == home.announced
    assert recorded < withdrawn


@pytest.fixture
def disk(home):
    """A small disk of its own, 8 MB; needs the right to mount one."""
    disk = Home.at(home.folder / "disk")
    disk.folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(disk)]
    if not shutil.which("mount") or subprocess.call(mount):
        pytest.skip("needs the right to mount a small disk: run as root, on a whole machine")
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


def fill(disk: Home, free: int) -> None:
    """Leave `free` bytes of the disk, in pages of 4 kB."""
    with open(disk.folder / "filler", "wb") as stream:
        os.posix_fallocate(stream.fileno(), 0, shutil.disk_usage(disk.folder).free - free)


def refusal(act, home: Home) -> str:
    """Return what is said when the disk refuses the act, "" when it does not."""
    try:
        act(home)
    except (OSError, feedback.StoreError) as error:
        return str(error)
    return ""


@pytest.mark.parametrize("pages", range(12))
def test_publish_full_disk_leaves_the_old_network_and_no_litter(pages, disk):
    make_store(disk)
    fill(disk, pages * 4096)
    before = disk.model.read_bytes()
    said = refusal(publish, disk)
    assert not said or "No space left" in said
    assert disk.model.read_bytes() == (before if said else NEW)
    assert_whole(disk)
    assert not list(disk.folder.rglob(f"*{durable.PARTIAL}"))
    (disk.folder / "filler").unlink()
    versions.settle(disk)
    assert_settled(disk)
    publish(disk)
    assert_whole(disk)
    assert_settled(disk)


@pytest.mark.parametrize("pages", range(5))
def test_add_full_disk_says_so_and_writes_no_half_row(pages, disk):
    make_store(disk)
    fill(disk, pages * 4096)
    said = refusal(add, disk)
    assert not said or "No space left" in said
    assert len(feedback.load(disk)[0]) == (1 if said else 2)
    assert_whole(disk)
    (disk.folder / "filler").unlink()
    add(disk)
    assert len(feedback.load(disk)[0]) == 2


def test_append_line_full_disk_leaves_the_file_as_it_was(disk):
    path = disk.folder / "table"
    durable.append_line(path, "x" * 4_000)
    fill(disk, 0)
    with pytest.raises(OSError, match="No space left"):
        durable.append_line(path, "y" * 4_000)
    assert path.read_bytes() == b"x" * 4_000 + b"\n"


def test_main_full_or_closed_disk_says_so_model_unchanged(disk, shipped, capfd):
    for name in (MODEL, "train.csv"):
        (disk.folder / name).write_bytes((PROJECT / name).read_bytes()[: 4 * 2**20])
    add_misread(disk, shipped, 1)
    before = disk.model.read_bytes()
    fill(disk, 0)
    assert finetuning.main(["--root", str(disk)]) == finetuning.FAILED
    assert "No space left on device" in capfd.readouterr().err
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    assert finetuning.main(["--root", str(disk)]) == finetuning.FAILED
    said = capfd.readouterr()
    assert "Read-only file system" in said.err
    assert "Traceback" not in said.err
    with pytest.raises(feedback.StoreError, match="Read-only"):
        add(disk)
    assert disk.model.read_bytes() == before
    assert len(feedback.load(disk)[0]) == 1
    assert not list(disk.folder.rglob(f"*{durable.PARTIAL}"))


def test_fine_tuning_killed_at_random_moments_leaves_all_whole(shared, tmp_path):
    kinds = "", shared.database.address
    struck = crash.strike_all(tmp_path, moments=8, seconds=600, seed=0, addresses=kinds)
    assert struck.total() == 8
    assert struck[crash.PUBLISHING]


def test_fine_tuning_told_to_stop_at_random_moments_ends_at_once_and_says_so(home):
    struck = terminate.strike_all(home.folder, moments=20, seconds=600, seed=0)
    assert struck.total() == 20
    assert struck[crash.PUBLISHING]
