"""Corrections as a zip: `export` and `import_zip`, between servers and from strangers."""

import csv
import io
import os
import random
import zipfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from digits import feedback, images
from digits.feedback import archive as zips
from digits.feedback import capacity, corrections
from digits.home import IMAGES, TABLE, Home
from digits.rows import read_rows
from tests.homes import styled_pictures

HEADER = "Predicted_Label,Actual_Label,Image_Path\n"


@pytest.fixture(scope="module")
def digits():
    """Six pictures of digits with their labels."""
    return [(picture, int(label)) for picture, label in styled_pictures(6)]


@pytest.fixture
def server(home, digits):
    """A home that keeps the six as corrections, all in one place."""
    home = Home.at(home.folder / "server")
    home.folder.mkdir()
    for picture, label in digits:
        feedback.add(home, picture, (label + 1) % 10, label, confidence=0.5, version="v1-0a1b2c3d")
    return home


@pytest.fixture
def other(home):
    """The empty home of another server."""
    other = Home.at(home.folder / "other")
    other.folder.mkdir()
    return other


def zipped(**members):
    """A zip of members by name; a dot is written as two underscores."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name.replace("__", "."), data)
    return io.BytesIO(file.getvalue())


def one_row(name, data, row="1,7"):
    """A zip of one correction whose row and member have this name."""
    table = f"{HEADER}{row},{name}\n"
    return zipped(incorrect_predictions__csv=table, **{name.replace(".", "__"): data})


def png(seed=0):
    """The bytes of a small picture."""
    stream = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 256, (9, 7, 3), np.uint8)
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


def test_import_zip_of_an_export_gives_the_same_store_and_again_nothing_new(server, other):
    archive = zips.export(server).read_bytes()
    assert str(zips.import_zip(other, io.BytesIO(archive))) == (
        "Imported 6 corrections; 0 were here already; 0 skipped."
    )
    assert feedback.load(other) == feedback.load(server)
    for home in (server, other):
        again = zips.import_zip(home, io.BytesIO(archive))
        assert (again.stored, again.present) == (0, 6)
    assert feedback.load(other) == feedback.load(server)


def test_export_holds_pictures_table_and_rows_of_train_csvs_layout(server, digits, home):
    removed = feedback.remove(server, feedback.load(server)[0][0])
    with zipfile.ZipFile(io.BytesIO(zips.export(server).read_bytes())) as archive:
        archive.extractall(home.folder)
    kept = feedback.load(server)[0]
    with open(home.table, newline="") as stream:
        assert [row["Image_Path"] for row in csv.DictReader(stream)] == [one.image for one in kept]
    assert not (home.folder / removed.image).exists()
    assert all(
        (home.folder / c.image).read_bytes() == (server.folder / c.image).read_bytes() for c in kept
    )
    rows, labels = read_rows(home.folder / zips.ROWS)
    assert labels.tolist() == [label for _, label in digits[1:]]
    expected = [images.read_digit(images.open_picture(server.folder / one.image)) for one in kept]
    assert np.array_equal(rows, expected)


def test_export_empty_store_can_be_imported(server, other):
    assert zips.import_zip(server, io.BytesIO(zips.export(other).read_bytes())) == zips.Imported()


def test_export_names_what_it_leaves_out(server):
    feedback.add(server, Image.new("RGB", (50, 50), "white"), 1, 7)  # no ink, so no row
    with open(server.table, "a") as stream:
        stream.write("1,7,gone.png\n")
    with zipfile.ZipFile(io.BytesIO(zips.export(server).read_bytes())) as archive:
        skipped = archive.read(zips.SKIPPED).decode().splitlines()
    assert "gone.png is missing" in skipped[0]
    assert "not in rows.csv: No ink" in skipped[1]


def test_export_two_pictures_of_one_name_stay_two_and_names_need_not_be_utf_8(server, other):
    stored = feedback.load(server)[0]
    name = stored[0].image.rpartition("/")[2]
    (server.folder / name).write_bytes(png(1))
    strange = os.fsencode(server.images) + b"/a\xff.png"
    Path(os.fsdecode(strange)).write_bytes(png(2))
    with open(server.table, "ab") as stream:
        stream.write(f"1,7,{name}\n2,8,{IMAGES}/a".encode() + b"\xff.png\n")
    assert len(feedback.load(server)[0]) == len(stored) + 2
    done = zips.import_zip(other, io.BytesIO(zips.export(server).read_bytes()))
    assert done.stored == len(stored) + 2
    assert sorted(one.actual for one in feedback.load(other)[0]) == sorted(
        [*(one.actual for one in stored), 7, 8]
    )


def test_export_holds_no_file_of_the_home_that_is_no_picture(server):
    (server.folder / "secrets.toml").write_text("password = 'chalk'")
    with open(server.table, "a") as stream:
        stream.write("1,4,secrets.toml\n")
    before = len(feedback.load(server)[0])
    content = zips.export(server).read_bytes()
    assert b"chalk" not in content
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert len(archive.read(TABLE).splitlines()) == before  # the header, and the others
        assert "secrets.toml is no picture" in archive.read(zips.SKIPPED).decode()


def test_export_too_large_for_a_download_says_what_to_copy(server, monkeypatch):
    monkeypatch.setattr(zips, "MAX_EXPORT", 1000)
    with pytest.raises(feedback.StoreError, match=r"copy incorrect_predictions\.csv"):
        zips.export(server)


def test_import_zip_of_an_old_store_finds_its_pictures_known_by_what_they_show(server, other):
    shown = feedback.load(server)[0][0]
    other.images.mkdir()
    old = other.images / "incorrect_image_0.png"
    old.write_bytes((server.folder / shown.image).read_bytes())
    other.table.write_text(f"{HEADER}1,7,{old}\n")
    said = str(zips.import_zip(other, io.BytesIO(zips.export(server).read_bytes())))
    assert said == "Imported 5 corrections; 1 were here already; 0 skipped."
    assert len(feedback.load(other)[0]) == 6


def test_import_zip_removed_here_stays_removed(server):
    archive = zips.export(server).read_bytes()
    feedback.remove(server, feedback.load(server)[0][0])
    assert zips.import_zip(server, io.BytesIO(archive)).present == 6
    assert len(feedback.load(server)[0]) == 5


# From a stranger


@pytest.mark.parametrize("name", ["../../evil.png", "/tmp/evil.png", "=evil.png", "evil.exe"])
def test_import_zip_names_of_the_zip_are_never_kept(name, other):
    zips.import_zip(other, one_row(name, png()))
    (kept,) = feedback.load(other)[0]
    assert zips.OWN_NAME.fullmatch(kept.image.removeprefix(f"{IMAGES}/"))
    assert {path.name for path in other.folder.parent.iterdir()} == {"other"}


def test_import_zip_text_of_the_zip_is_never_kept(other):
    header = ",".join([*corrections.COLUMNS, "Note"])
    row = "1,7,a.png,0.5,=cmd(),=now(),2,,=1+1"
    zips.import_zip(other, zipped(incorrect_predictions__csv=f"{header}\n{row}", a__png=png()))
    (kept,) = feedback.load(other)[0]
    assert (kept.version, kept.added, kept.confidence, kept.votes) == ("", "", 0.5, 1)
    assert "=" not in other.table.read_text()


@pytest.mark.parametrize(
    ("name", "data", "row", "fault"),
    [
        ("a.png", b"no picture", "1,7", "not a picture"),
        ("a.png", png()[:200], "1,7", "damaged"),
        ("a.png", b"\0" * (images.MAX_BYTES + 1), "1,7", "more than 10 MB"),
        ("a.png", png(), "1,ten", "Actual_Label is 'ten'"),
    ],
)
def test_import_zip_unusable_row_is_skipped_and_named(name, data, row, fault, other):
    said = str(zips.import_zip(other, one_row(name, data, row)))
    assert said.startswith("Imported 0 corrections; 0 were here already; 1 skipped (line 2: ")
    assert fault in said
    assert feedback.load(other) == ([], [])


def test_import_zip_picture_outside_the_zip_is_not_read(server, other):
    path = server.folder / feedback.load(server)[0][0].image
    done = zips.import_zip(other, zipped(incorrect_predictions__csv=f"{HEADER}1,7,{path}\n"))
    assert "its image is not in the zip" in done.skipped[0]


def test_import_zip_bomb_stops_at_the_bound(other, monkeypatch):
    monkeypatch.setattr(zips, "MAX_IMPORT", 500)
    names = [f"{i}.png" for i in range(5)]
    table = HEADER + "".join(f"1,7,{name}\n" for name in names)
    members = {name.replace(".", "__"): png(i) for i, name in enumerate(names)}
    said = str(zips.import_zip(other, zipped(incorrect_predictions__csv=table, **members)))
    assert said.startswith("Imported 1 corrections; 0 were here already; 4 skipped")
    assert "and 1 more" in said


@pytest.mark.parametrize(
    "file",
    [
        io.BytesIO(),
        io.BytesIO(b"no zip"),
        zipped(a__png=png()),
        zipped(incorrect_predictions__csv="a,b\n1,2\n"),
        zipped(incorrect_predictions__csv=b"\0" * (zips.MAX_TABLE + 1)),
    ],
)
def test_import_zip_no_export_is_refused_with_a_sentence(file, other):
    with pytest.raises(feedback.StoreError, match="cannot be imported"):
        zips.import_zip(other, file)
    assert feedback.load(other) == ([], [])
    assert not other.images.exists()


def test_import_zip_damaged_archives_are_read_or_refused(server, other):
    archive = zips.export(server).read_bytes()
    rng = random.Random(0)
    for _ in range(60):
        spoilt = bytearray(archive)
        for _ in range(rng.choice([1, 30])):
            spoilt[rng.randrange(len(spoilt))] = rng.randrange(256)
        del spoilt[rng.randrange(len(spoilt) // 2, 2 * len(spoilt)) :]
        with suppress(feedback.StoreError):
            zips.import_zip(other, io.BytesIO(spoilt))
    stored, warnings = feedback.load(other)
    assert warnings == []
    for one in stored:
        images.open_picture(other.folder / one.image)


def test_import_zip_into_a_full_store_says_what_was_imported(server, other, monkeypatch):
    monkeypatch.setattr(capacity, "MAX_PICTURES", 2)
    with pytest.raises(feedback.StoreError, match=r"Imported 2 corrections.* The store is full"):
        zips.import_zip(other, io.BytesIO(zips.export(server).read_bytes()))
    assert len(feedback.load(other)[0]) == 2


def test_import_zip_of_more_than_allowed_stores_so_many_and_says_what_to_do(server, other):
    archive = zips.export(server).read_bytes()
    # What is here already does not count, be it all that is left.
    for most, total, rest in ((4, 4, zips.BOUND), (4, 6, ""), (0, 6, "")):
        done = zips.import_zip(other, io.BytesIO(archive), most)
        assert len(feedback.load(other)[0]) == total
        assert done.rest == rest
        assert ("DIGITS_PASSWORD" in str(done)) == bool(rest)


# Bounds


def test_import_zip_is_one_answer_of_the_visit_that_brought_it(server, other):
    feedback.confirm(server, feedback.load(server)[0][0], "4e5f6071")
    archive = zips.export(server).read_bytes()
    assert b"4e5f6071" not in zipfile.ZipFile(io.BytesIO(archive)).read(TABLE)
    zips.import_zip(other, io.BytesIO(archive), visit="0a1b2c3d")
    assert {(one.votes, one.visits) for one in feedback.load(other)[0]} == {(1, "0a1b2c3d")}


def test_import_zip_time_of_the_future_is_none(other):
    header = ",".join(corrections.COLUMNS)
    row = "1,7,a.png,,,9999-12-31T00:00:00+00:00"
    zips.import_zip(other, zipped(incorrect_predictions__csv=f"{header}\n{row}", a__png=png()))
    assert feedback.load(other)[0][0].added == ""


def test_import_zip_reads_a_picture_once_however_many_rows_name_it(other, monkeypatch):
    opened = []
    real = images.open_picture
    monkeypatch.setattr(images, "open_picture", lambda file: opened.append(file) or real(file))
    table = HEADER + "1,7,a.png\n" * 500
    done = zips.import_zip(other, zipped(incorrect_predictions__csv=table, a__png=png()))
    assert (done.stored, len(done.skipped), len(opened)) == (1, 499, 1)


@pytest.mark.parametrize(
    ("table", "fault"),
    [
        (HEADER + "1,7,a.png\n" * (zips.MAX_ROWS + 1), "more than 20,000 rows"),
        (HEADER.strip() + "," * 100_000 + "\n1,7,a.png\n", "columns, 40 are the most"),
    ],
)
def test_import_zip_table_beyond_the_bounds_is_refused(table, fault, other):
    with pytest.raises(feedback.StoreError, match=fault):
        zips.import_zip(other, zipped(incorrect_predictions__csv=table, a__png=png()))


def test_import_zip_pixels_are_bounded_before_they_are_decoded(other, monkeypatch):
    monkeypatch.setattr(zips, "MAX_PIXELS", 100)  # a picture has 63
    table = HEADER + "1,7,a.png\n1,7,b.png\n"
    archive = zipped(incorrect_predictions__csv=table, a__png=png(0), b__png=png(1))
    done = zips.import_zip(other, archive)
    assert done.stored == 1
    assert "more than 100 pixels" in done.skipped[0]


def test_import_zip_stops_in_time_and_says_how_to_go_on(server, other, monkeypatch):
    monkeypatch.setattr(zips, "MAX_SECONDS", -1.0)
    done = zips.import_zip(other, io.BytesIO(zips.export(server).read_bytes()))
    assert (done.stored, done.rest) == (0, zips.TOO_LONG)


class Left(BaseException):
    """What Streamlit raises when the visitor has left."""


def test_import_zip_ends_with_its_sender_and_lets_the_next_one_in(server, other):
    def leave(done):
        if done.stored == 2:
            raise Left

    archive = zips.export(server).read_bytes()
    with pytest.raises(Left):
        zips.import_zip(other, io.BytesIO(archive), told=leave)
    assert len(feedback.load(other)[0]) == 2
    assert zips.import_zip(other, io.BytesIO(archive)).stored == 4


def test_import_zip_beside_another_is_refused(server, other):
    with (
        Home.at(other).import_lock(),
        pytest.raises(feedback.StoreError, match="Another import is at work"),
    ):
        zips.import_zip(other, io.BytesIO(zips.export(server).read_bytes()))


def test_export_is_packed_once_for_a_state_of_the_store(server, monkeypatch):
    packed = []
    real = zips._pack
    monkeypatch.setattr(zips, "_pack", lambda *given: packed.append(1) or real(*given))
    with ThreadPoolExecutor(4) as pool:
        first, *others = pool.map(lambda _: zips.export(server), range(4))
    assert (len(packed), set(others)) == (1, {first})
    feedback.add(server, Image.new("RGB", (9, 9)), 1, 7)
    assert zips.export(server) != first
    assert [path.suffix for path in server.exports.glob("corr*")] == [".zip"]  # the old one is gone
