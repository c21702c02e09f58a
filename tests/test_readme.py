"""What the README says is so: its options, its files, its line for cron."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys

import pytest

from digits import model, versions
from tests.roots import PROJECT, add_misread, make_root

README = (PROJECT / "README.md").read_text(encoding="utf-8")
FILES = re.findall(r"`([^`]+)`", "".join(re.findall(r"^\| (`.*?) \|", README, re.M)))


def test_readme_every_option_is_named():
    help_text = subprocess.run(
        [sys.executable, PROJECT / "finetuning.py", "--help"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    options = set(re.findall(r"--[a-z-]+", help_text)) - {"--help"}
    assert options == set(re.findall(r"`(--[a-z-]+)", README))


@pytest.mark.parametrize(
    "name", [n for n in FILES if n[0] != "-"] + re.findall("docs/[^)]+", README)
)
def test_readme_every_file_named_is_there(name):
    assert (PROJECT / name).exists()


def test_readme_cron_line_publishes_from_crons_bare_environment(tmp_path, shipped):
    home = make_root(tmp_path / "a project")
    shutil.copy(PROJECT / "finetuning.py", home)  # its folder is the root
    (home / "digits").symlink_to(PROJECT / "digits")
    (home / ".venv").symlink_to(sys.prefix)
    add_misread(home, shipped, 3)

    line = re.search(r'echo "(0 2 \* \* \* .*)"\) \| crontab -', README)[1]
    command = line.replace("$PWD", str(home)).removeprefix("0 2 * * * ")
    environment = {"HOME": os.environ["HOME"]}
    subprocess.run(["/bin/sh", "-c", command], env=environment, cwd=environment["HOME"], check=True)

    assert (home / "finetuning.log").read_text().startswith("Published v2: ")
    assert versions.history(home)[-1]["trigger"] == "cron"
    model.load(home / versions.MODEL)
