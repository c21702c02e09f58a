"""Homes as people name them: `~`, missing, empty, hidden by a volume, or not to be made."""

import os
import subprocess
import sys

import pytest

import finetuning
from digits import versions
from digits.home import PROJECT, Home
from digits.jobs import doctor
from tests import crontabs


def test_fill_missing_home_gets_network_and_rows_once(tmp_path):
    home = Home.at(tmp_path / "new" / "home")
    assert home.is_empty
    said = home.fill()
    assert str(home) in said
    assert len(said.replace(str(home), "").replace(str(PROJECT), "")) < 300
    for name in ("model.h5", "train.csv"):
        assert (home.folder / name).read_bytes() == (PROJECT / name).read_bytes()
    assert not home.is_empty
    home.model.unlink()
    assert home.fill() == ""  # a network that is gone has its stand-in, or is named
    assert not home.model.exists()


def test_fill_volume_with_foreign_files_counts_as_empty(home):
    (home.folder / "lost+found").mkdir()
    assert home.fill()


def test_fill_home_with_a_schedule_alone_counts_as_empty(home, tmp_path, monkeypatch):
    crontabs.pretend(tmp_path, monkeypatch)
    assert finetuning.main(["--root", str(home), "--install-cron", "@daily"]) == finetuning.DONE
    assert home.fill()


def test_fill_home_with_corrections_alone_stays_as_it_is(home):
    home.table.write_text("Predicted_Label,Actual_Label,Image_Path\n")
    assert home.fill() == ""
    assert not home.model.exists()


def test_fill_project_itself_is_never_empty():
    assert not Home.at(PROJECT).is_empty


def test_fill_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").touch()
    home = Home.at(tmp_path / "file" / "home")
    with pytest.raises(OSError, match=str(home)):
        home.fill()


def test_main_first_run_fills_digits_home_and_says_so(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("DIGITS_HOME", "~/digits")
    assert finetuning.main([]) == finetuning.DONE
    said = capsys.readouterr()
    assert f"{tmp_path / 'digits'} was empty" in said.err
    assert said.out == "Nothing to learn: no corrections are stored.\n"
    assert finetuning.main([]) == finetuning.DONE
    assert capsys.readouterr().err == ""


def test_main_first_run_by_cron_is_silent(tmp_path, capsys):
    root = str(tmp_path / "home")
    assert finetuning.main(["--root", root, "--trigger", "cron"]) == finetuning.DONE
    assert capsys.readouterr() == ("", "")


def test_main_home_that_cannot_be_made_is_named(tmp_path, capsys):
    (tmp_path / "file").touch()
    root = tmp_path / "file" / "home"
    assert finetuning.main(["--root", str(root)]) == finetuning.FAILED
    said = capsys.readouterr().err
    assert str(root) in said
    assert said.count("\n") == 1


def test_examine_names_the_home_and_an_empty_one(home):
    (found,) = doctor.examine(home)
    assert not found.good
    assert str(home) in str(found)
    home.fill()
    assert str(home) in str(doctor.check_permissions(home))


def test_main_cut_pipe_is_no_full_disk(home):
    home.fill()
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "finetuning.py", "--root", str(home), "--history"],
        cwd=PROJECT,
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(writer)
    assert done.stderr == ""
    assert versions.history(home) == []
