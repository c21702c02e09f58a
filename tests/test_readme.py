"""What the README says is so: its options, its files, its line for cron."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys

import pytest

from digits import model, versions
from digits.jobs import schedule
from tests import crontabs
from tests.homes import PROJECT, add_misread, make_home

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


def test_readme_cron_line_learns_from_crons_bare_environment(tmp_path, shipped, monkeypatch):
    home = make_home(tmp_path / "a project, 100% 'ours'")
    shutil.copy(PROJECT / "finetuning.py", home)  # its folder is the home
    shutil.copytree(PROJECT / "digits", home.folder / "digits")
    (home.folder / ".venv").symlink_to(sys.prefix)
    add_misread(home, shipped, 3)
    table = crontabs.pretend(tmp_path, monkeypatch)

    line = re.search(r"^\.venv/bin/python .* --install-cron .*$", README, re.M)[0]
    subprocess.run(["/bin/sh", "-c", line], cwd=home, check=True)
    assert table.read_text().startswith("0 2 * * * '/")
    done = schedule.run_as_cron(schedule.current(home).command)

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert "Published v2: " in (home.log).read_text()
    assert versions.history(home)[-1]["trigger"] == "cron"
    assert schedule.last_run(home)["message"].startswith("Published v2: ")
    model.load(home.model)
