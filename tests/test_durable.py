"""Whole files or none: `write`, `append_line`, `sweep`."""

import pytest

from digits import durable


@pytest.mark.parametrize("old", [None, b"old and longer than the new"])
def test_write_any_target_holds_the_data_and_leaves_no_other_file(old, tmp_path):
    path = tmp_path / "file"
    if old is not None:
        path.write_bytes(old)
    durable.write(path, b"new\x00\xff")
    assert path.read_bytes() == b"new\x00\xff"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("mode", [0o600, 0o644, 0o664])
def test_write_existing_file_keeps_its_mode(mode, tmp_path):
    path = tmp_path / "file"
    path.touch()
    path.chmod(mode)
    durable.write(path, b"new")
    assert path.stat().st_mode & 0o777 == mode


def test_write_new_file_gets_the_mode_that_open_gives(tmp_path):
    (tmp_path / "plain").touch()
    durable.write(tmp_path / "file", b"new")
    assert (tmp_path / "file").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_write_while_read_leaves_the_reader_the_old_content(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with open(path, "rb") as reader:
        durable.write(path, b"new")
        assert reader.read() == b"old"


def test_write_onto_a_folder_fails_and_leaves_no_litter(tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    with pytest.raises(OSError):  # noqa: PT011, which one depends on the system
        durable.write(folder, b"new")
    assert list(tmp_path.iterdir()) == [folder]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (None, b"new\n"),
        (b"", b"new\n"),
        (b"old\n", b"old\nnew\n"),
        (b"old\r\n", b"old\r\nnew\n"),
        (b"torn", b"torn\nnew\n"),
    ],
)
def test_append_line_any_end_stands_on_its_own_line(before, after, tmp_path):
    path = tmp_path / "file"
    if before is not None:
        path.write_bytes(before)
    durable.append_line(path, "new")
    assert path.read_bytes() == after


def test_sweep_half_written_files_go_and_others_stay(tmp_path):
    for name in (".model.h5.12.partial", ".other.partial", "model.h5", ".hidden", "a.partial"):
        (tmp_path / name).touch()
    durable.sweep(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"model.h5", ".hidden", "a.partial"}
