"""The store of corrections: adding, changing, removing, restoring, loading."""

import csv
import io
import multiprocessing
import os
import tempfile
import zipfile
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from digits import feedback
from digits.feedback import capacity, corrections
from digits.feedback.archive import export
from digits.home import IMAGES, TABLE, Home

OLD_HEADER = "Predicted_Label,Actual_Label,Image_Path\n"


def picture(seed=0):
    """A small picture that no other seed gives."""
    pixels = np.random.default_rng(seed).integers(0, 256, (9, 7, 3), np.uint8)
    return Image.fromarray(pixels)


def old_store(home, table, count=2):
    """Lay down images 0 to count-1 as the original project named them, and the table's bytes."""
    home.images.mkdir()
    for number in range(count):
        picture(1000 + number).save(home.images / f"incorrect_image_{number}.png")
    home.table.write_bytes(table if isinstance(table, bytes) else table.encode())


def old_line(number, predicted=1, actual=7):
    """A row of the original project, without its line's end."""
    return f"{predicted},{actual},{IMAGES}/incorrect_image_{number}.png"


def table(home):
    """The table's rows, as any reader of CSV sees them."""
    with open(home.table, encoding="utf-8-sig", newline="") as stream:
        return list(csv.DictReader(stream))


def images(home):
    """The names in the folder of images."""
    return {path.name for path in home.images.iterdir()}


def labels(home):
    """What `load` gives, as (predicted, actual) pairs."""
    return [(c.predicted, c.actual) for c in feedback.load(home)[0]]


@pytest.fixture
def two_minutes_ago(home):
    """A home whose one correction, of picture(0), was added longer ago than a double click."""
    feedback.add(home, picture(), 1, 7, confidence=0.5, version="v1-0a1b2c3d")
    path = home.table
    path.write_text(path.read_text().replace(table(home)[0]["Added"], "2020-01-01T00:00:00"))
    return home


# One answer


def test_load_no_store_gives_nothing(home):
    assert feedback.load(home) == ([], [])


def test_add_first_correction_comes_back_whole(home):
    added = feedback.add(home, picture(), 1, 7, confidence=0.8125, version="v3-0a1b2c3d")
    assert feedback.load(home) == ([added], [])
    assert (added.predicted, added.actual, added.votes) == (1, 7, 1)
    assert (added.confidence, added.version) == (0.8125, "v3-0a1b2c3d")
    with Image.open(home.folder / added.image) as stored:
        assert np.array_equal(stored, picture())


@pytest.mark.parametrize("mode", ["1", "L", "RGB", "RGBA", "LA"])
def test_add_any_mode_is_stored_as_it_was_seen(mode, home):
    seen = picture().convert(mode)
    added = feedback.add(home, seen, 1, 7)
    with Image.open(home.folder / added.image) as stored:
        assert stored.mode == mode
        assert np.array_equal(stored, seen)


def test_add_several_pictures_keeps_their_order(home):
    for seed in range(5):
        feedback.add(home, picture(seed), seed, seed + 1)
    assert labels(home) == [(seed, seed + 1) for seed in range(5)]


@pytest.mark.parametrize(("predicted", "actual"), [(10, 1), (1, -1), (1, "7"), (None, 1), (1, 2.5)])
def test_add_label_out_of_range_is_refused_and_nothing_written(predicted, actual, home):
    with pytest.raises(ValueError, match="a digit from 0 to 9"):
        feedback.add(home, picture(), predicted, actual)
    assert list(home.folder.iterdir()) == []


# The same picture again


def test_add_double_click_is_one_row_and_one_file(home):
    first = feedback.add(home, picture(), 1, 7)
    assert feedback.add(home, picture(), 1, 7) == first
    assert len(table(home)) == len(images(home)) == 1


def test_add_same_answer_later_counts_as_a_second(two_minutes_ago):
    first = feedback.load(two_minutes_ago)[0][0]
    again = feedback.add(two_minutes_ago, picture(), 1, 7)
    assert (again.votes, again.confidence, again.version) == (2, first.confidence, first.version)
    assert feedback.load(two_minutes_ago)[0] == [again]
    assert len(table(two_minutes_ago)) == 1


def test_add_another_answer_replaces_the_earlier_in_its_place(home):
    for seed in range(3):
        feedback.add(home, picture(seed), 1, 7)
    feedback.add(home, picture(1), 1, 9)
    assert labels(home) == [(1, 7), (1, 9), (1, 7)]
    assert len(table(home)) == len(images(home)) == 3


def test_add_after_a_kill_before_the_row_completes_it(home):
    feedback.add(home, picture(), 1, 7)
    home.table.unlink()
    feedback.add(home, picture(), 1, 7)
    assert labels(home) == [(1, 7)]


def test_add_image_deleted_by_hand_is_stored_again(home):
    added = feedback.add(home, picture(), 1, 7)
    (home.folder / added.image).unlink()
    feedback.add(home, picture(), 1, 7)
    assert labels(home) == [(1, 7)]
    assert feedback.load(home)[1] == []


def test_sweep_half_written_image_goes_and_corrections_stay(home):
    added = feedback.add(home, picture(), 1, 7)
    (home.images / ".incorrect_image_0.png.9.partial").touch()
    feedback.sweep(home)
    assert feedback.load(home) == ([added], [])
    assert len(images(home)) == 1


# A second look


@pytest.fixture
def three(home):
    """A home with three corrections, each guessed 1 and labelled 7, in an old store with notes."""
    header = OLD_HEADER.replace("\n", ",Note\n")
    old_store(home, header + "".join(f"{old_line(i)},=note {i}\n" for i in range(3)), count=3)
    return home


def test_confirm_correction_has_one_more_answer(three):
    second = feedback.load(three)[0][1]
    confirmed = feedback.confirm(three, second)
    assert (confirmed.votes, confirmed.key) == (2, second.key)
    assert feedback.load(three)[0][1] == confirmed


def test_relabel_correction_changes_its_label_alone(three):
    before = feedback.load(three)[0]
    changed = feedback.relabel(three, feedback.confirm(three, before[1]), 4)
    assert (changed.actual, changed.votes, changed.image) == (4, 1, before[1].image)
    assert feedback.load(three) == ([before[0], changed, before[2]], [])


@pytest.mark.parametrize("label", [10, -1, None, "4"])
def test_relabel_no_digit_is_refused_and_nothing_written(label, three):
    before = three.table.read_bytes()
    with pytest.raises(ValueError, match="a digit from 0 to 9"):
        feedback.relabel(three, feedback.load(three)[0][1], label)
    assert three.table.read_bytes() == before


def test_remove_then_restore_gives_the_store_as_it_was(three):
    before = feedback.load(three)[0]
    gone = feedback.remove(three, before[1])
    assert feedback.load(three)[0] == [before[0], before[2]]
    assert feedback.removed(three) == [gone]
    assert len(images(three)) == 3
    assert feedback.restore(three, gone) == before[1]
    assert (feedback.load(three)[0], feedback.removed(three)) == (before, [])


def test_change_any_row_keeps_foreign_columns_and_other_rows_to_the_letter(three):
    with open(three.table, "ab") as stream:
        stream.write(b'spoilt,"by hand\n1,7,gone.png,\xe9t\xe9\n')
    before = three.table.read_bytes().splitlines()
    feedback.remove(three, feedback.load(three)[0][1])
    after = three.table.read_bytes().splitlines()
    assert after[0].startswith(before[0])
    assert after[2].startswith(before[2])
    assert after[1:2] + after[3:] == before[1:2] + before[3:]
    assert table_notes(three)[:3] == ["=note 0", "=note 1", "=note 2"]


def test_discard_skipped_row_is_silent_stays_and_changes_no_other(three):
    with open(three.table, "ab") as stream:
        stream.write(b"1,7,gone.png,\xe9t\xe9\n1,12,\xe9.png\n")
    before = three.table.read_bytes().splitlines()
    stored, (gone, twelve) = feedback.load(three)
    feedback.discard(three, gone)
    after = three.table.read_bytes().splitlines()
    assert feedback.load(three) == (stored, [twelve])
    assert after[0].startswith(before[0])
    assert after[1:4] + after[5:] == before[1:4] + before[5:]
    assert after[4].startswith(before[4])
    with pytest.raises(feedback.StoreError, match="no longer skipped"):
        feedback.discard(three, gone)
    assert three.table.read_bytes().splitlines() == after


def test_discard_row_with_more_cells_than_columns_keeps_them(home):
    feedback.add(home, picture(), 1, 7)
    home.table.write_text(f"{home.table.read_text()}1,12,é.png{',' * 20}a note,another\n")
    feedback.discard(home, feedback.load(home)[1][0])
    assert home.table.read_text().splitlines()[2].endswith(",a note,another")


def test_discard_row_whose_picture_comes_back_can_be_restored(home):
    added = feedback.add(home, picture(), 1, 7)
    path = home.folder / added.image
    content = path.read_bytes()
    path.unlink()
    feedback.discard(home, feedback.load(home)[1][0])
    assert feedback.load(home) == ([], [])
    path.write_bytes(content)
    (back,) = feedback.removed(home)
    assert feedback.restore(home, back) == added


def table_notes(home):
    """The foreign column's cells."""
    with open(home.table, encoding="latin-1", newline="") as stream:
        return [row["Note"] for row in csv.DictReader(stream)]


@pytest.mark.parametrize("name", ["confirm", "remove", "restore", "relabel"])
def test_change_what_someone_changed_meanwhile_is_refused(name, three):
    seen = feedback.load(three)[0][1]
    feedback.relabel(three, seen, 4)
    before = three.table.read_bytes()
    with pytest.raises(feedback.StoreError, match="no longer stored as a 7"):
        getattr(feedback, name)(three, seen, *([5] if name == "relabel" else []))
    assert three.table.read_bytes() == before


def test_add_a_removed_picture_again_puts_it_back_with_the_new_answer(home):
    feedback.remove(home, feedback.add(home, picture(), 1, 7))
    again = feedback.add(home, picture(), 2, 7)
    assert feedback.load(home)[0] == [again]
    assert (again.predicted, again.votes) == (2, 1)
    assert len(table(home)) == len(images(home)) == 1


# Taking back


def test_undo_first_answer_removes_it(home):
    gone = feedback.undo(home, feedback.add(home, picture(), 1, 7))
    assert (feedback.load(home)[0], feedback.removed(home)) == ([], [gone])


@pytest.mark.parametrize("actual", [7, 9])
def test_undo_further_answer_brings_the_earlier_back(actual, two_minutes_ago):
    before = feedback.load(two_minutes_ago)
    feedback.undo(two_minutes_ago, feedback.add(two_minutes_ago, picture(), 1, actual))
    assert feedback.load(two_minutes_ago) == before


def test_undo_answer_for_a_removed_picture_removes_it_again(home):
    gone = feedback.remove(home, feedback.add(home, picture(), 1, 7))
    feedback.undo(home, feedback.add(home, picture(), 1, 9))
    assert (feedback.load(home)[0], feedback.removed(home)) == ([], [gone])


def test_undo_takes_back_ones_own_answer_only(home):
    theirs = feedback.add(home, picture(), 1, 7)
    mine = feedback.add(home, picture(), 1, 7)  # at once, so that it was no second opinion
    feedback.undo(home, mine)
    assert feedback.load(home)[0] == [theirs]


def test_undo_after_a_second_opinion_leaves_that(home):
    mine = feedback.add(home, picture(), 1, 7)
    feedback.confirm(home, mine)
    feedback.undo(home, mine)
    assert [one.votes for one in feedback.load(home)[0]] == [1]


def test_undo_after_the_owner_removed_it_revives_nothing(two_minutes_ago):
    mine = feedback.add(two_minutes_ago, picture(), 1, 7)
    feedback.remove(two_minutes_ago, mine)
    feedback.undo(two_minutes_ago, mine)
    assert feedback.load(two_minutes_ago)[0] == []


def test_load_picture_outside_the_home_is_none_of_the_store(home, tmp_path_factory):
    outside = tmp_path_factory.mktemp("outside") / "secret.png"
    picture().save(outside)
    home.table.write_text(f"{OLD_HEADER}1,2,{outside}\n")
    stored, (warning,) = feedback.load(home)
    assert stored == []
    assert "is missing" in warning


# Bounds


@pytest.mark.parametrize(("bound", "value"), [("MAX_PICTURES", 2), ("MAX_BYTES", 700)])
def test_add_to_a_full_store_is_refused_and_nothing_written(bound, value, monkeypatch, home):
    monkeypatch.setattr(capacity, bound, value)
    for seed in range(2):  # of some 270 bytes each
        feedback.add(home, picture(seed), 1, 7)
    with pytest.raises(feedback.StoreError, match="The store is full"):
        feedback.add(home, picture(2), 1, 7)
    assert len(table(home)) == len(images(home)) == 2
    assert feedback.add(home, picture(1), 1, 8).actual == 8  # what is stored can change


def test_add_after_a_full_store_was_emptied_is_stored(monkeypatch, home):
    monkeypatch.setattr(capacity, "MAX_PICTURES", 1)
    first = feedback.add(home, picture(0), 1, 7)
    (home.folder / first.image).unlink()
    assert feedback.add(home, picture(1), 1, 8)


@pytest.mark.parametrize("version", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1"])
def test_add_text_that_spreadsheets_compute_is_stored_as_text(version, home):
    feedback.add(home, picture(), 1, 7, version=version)
    assert table(home)[0]["Model_Version"] == f"'{version}"


# Tables made elsewhere


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("closed", [True, False])
def test_add_to_a_three_column_store_upgrades_it_and_loses_nothing(mark, end, closed, home):
    lines = [OLD_HEADER.strip(), old_line(0), old_line(1, 3, 8)]
    old_store(home, mark + (end.join(lines) + end * closed).encode())
    assert labels(home) == [(1, 7), (3, 8)]
    feedback.add(home, picture(), 2, 5)
    assert labels(home) == [(1, 7), (3, 8), (2, 5)]
    assert feedback.load(home)[1] == []
    assert list(table(home)[0]) == corrections.COLUMNS


def test_add_to_a_table_with_foreign_columns_keeps_them(home):
    header = "Note,Predicted_Label,Actual_Label,Image_Path,Hand\n"
    old_store(home, header + f'"a, ""b""",{old_line(0)},left\n', count=1)
    feedback.add(home, picture(), 2, 5)
    feedback.add(home, picture(), 2, 6)
    first, second = table(home)
    assert (first["Note"], first["Hand"]) == ('a, "b"', "left")
    assert (second["Note"], second["Actual_Label"]) == ("", "6")


def test_add_to_an_empty_table_writes_the_header(home):
    home.table.touch()
    feedback.add(home, picture(), 2, 5)
    assert labels(home) == [(2, 5)]


@pytest.mark.parametrize("torn", ["3", "3,8", "3,8,incorrect_images/incorrect_im", "\0\0\0\0"])
def test_add_after_a_torn_row_stands_on_its_own_line(torn, home):
    first = feedback.add(home, picture(1), 1, 7)
    with open(home.table, "a") as stream:
        stream.write(torn)
    second = feedback.add(home, picture(2), 2, 5)
    corrections, warnings = feedback.load(home)
    assert corrections == [first, second]
    assert len(warnings) == 1
    assert "line 3 skipped" in warnings[0]


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        ("1,7,incorrect_images/gone.png", "its image incorrect_images/gone.png is missing"),
        ("1,7,", "its image (none) is missing"),
        ("1,7,incorrect_images", "its image incorrect_images is missing"),
        ("1,7," + "x" * 5000, "is missing"),
        (old_line(0, 1, 10), "Actual_Label is '10'"),
        (old_line(0, "", 7), "Predicted_Label is ''"),
        (old_line(0, "one", 7), "Predicted_Label is 'one'"),
    ],
)
def test_load_unusable_row_is_skipped_with_a_warning_that_names_it(row, fault, home):
    old_store(home, f"{OLD_HEADER}{row}\n{old_line(1, 3, 8)}\n")
    assert labels(home) == [(3, 8)]
    warnings = feedback.load(home)[1]
    assert len(warnings) == 1
    assert warnings[0].startswith(f"{TABLE} line 2 skipped: ")
    assert fault in warnings[0]


@pytest.mark.parametrize(
    "path",
    [
        "incorrect_image_0.png",
        "./incorrect_images/incorrect_image_0.png",
        "/home/other/project/incorrect_images/incorrect_image_0.png",
        r"C:\project\incorrect_images\incorrect_image_0.png",
    ],
)
def test_load_path_of_another_machine_finds_the_image_by_its_name(path, home):
    old_store(home, f"{OLD_HEADER}1,7,{path}\n")
    (correction,), warnings = feedback.load(home)
    assert warnings == []
    assert (home.folder / correction.image).name == "incorrect_image_0.png"


@pytest.mark.parametrize("cell", ["nan", "inf", "1e999", "many", ""])
def test_load_odd_cell_in_a_further_column_keeps_the_row(cell, home):
    header = ",".join(corrections.COLUMNS) + "\n"
    old_store(home, f"{header}{old_line(0)},{cell},v1,,{cell}\n")
    (correction,), warnings = feedback.load(home)
    assert (correction.confidence, correction.votes, warnings) == (None, 1, [])


def test_add_a_picture_that_an_absolute_path_names_stores_no_second_row(home):
    added = feedback.add(home, picture(), 1, 7)
    path = home.table
    path.write_text(path.read_text().replace(added.image, str(home.folder / added.image)))
    assert feedback.load(home) == ([added], [])
    feedback.add(home, picture(), 1, 9)
    assert (len(table(home)), labels(home)) == (1, [(1, 9)])


@pytest.mark.parametrize("spoilt", ['1,"7,', '1,7,"', '1,7,""', '"1,7,'])
def test_load_stray_quotation_mark_costs_its_own_row_at_most(spoilt, home):
    added = [feedback.add(home, picture(seed), 1, 7) for seed in range(6)]
    lines = home.table.read_text().splitlines()
    for number in (2, 5):
        lines[number] = lines[number].replace("1,7,", spoilt, 1)
    home.table.write_text("\n".join(lines))
    assert feedback.load(home) == (added, [])  # their images are found: not even these are lost


def test_load_bytes_that_are_no_utf_8_cost_no_row(home):
    old_store(home, (OLD_HEADER + f"{old_line(0)},caf\xe9\n{old_line(1)}\n").encode("latin-1"))
    assert labels(home) == [(1, 7), (1, 7)]


def test_load_two_rows_for_a_picture_gives_the_last(home):
    old_store(home, f"{OLD_HEADER}{old_line(0, 1, 7)}\n{old_line(0, 1, 9)}\n")
    assert labels(home) == [(1, 9)]


@pytest.mark.parametrize("lacking", corrections.REQUIRED)
def test_load_table_without_a_required_column_names_it(lacking, home):
    header = ",".join(name for name in corrections.COLUMNS if name != lacking)
    home.table.write_text(f"{header}\n1,7\n")
    with pytest.raises(feedback.StoreError, match=lacking):
        feedback.load(home)


def test_add_to_what_is_no_such_table_leaves_it_as_it_is(home):
    path = home.table
    path.write_text("a,b\n1,2\n")
    with pytest.raises(feedback.StoreError, match="Predicted_Label"):
        feedback.add(home, picture(), 1, 7)
    assert path.read_text() == "a,b\n1,2\n"


# A disk that refuses


# A file or folder in the way stops even root, whom no permission stops.
@pytest.mark.parametrize(
    ("name", "kind"),
    [(IMAGES, "file"), (TABLE, "folder"), (f"{TABLE}.lock", "folder"), (".", "file")],
)
def test_add_name_that_is_taken_raises_store_error(name, kind, home):
    home = Home.at(home.folder / "home")
    if name != ".":
        home.folder.mkdir()
    (home.folder / name).mkdir() if kind == "folder" else (home.folder / name).touch()
    with pytest.raises(feedback.StoreError, match="cannot be"):
        feedback.add(home, picture(), 1, 7)


@pytest.fixture
def read_only():
    """A home with one correction, which this process may read but not write."""
    with tempfile.TemporaryDirectory() as folder:
        home = Home.at(folder)
        feedback.add(home, picture(), 1, 7)
        for path in (home.folder, home.images):
            path.chmod(0o555)
        for path in (home.table, home.folder / f"{TABLE}.lock"):
            path.chmod(0o444)
        user = os.geteuid()
        if user == 0:  # whom no mode stops
            os.seteuid(65534)
        yield home
        os.seteuid(user)
        for path in (home.folder, home.images):
            path.chmod(0o755)


def test_load_read_only_store_is_read(read_only):
    assert labels(read_only) == [(1, 7)]
    assert feedback.load(read_only)[1] == []


@pytest.mark.parametrize("seed", [0, 1])
def test_add_to_a_read_only_store_says_what_to_fix(seed, read_only):
    with pytest.raises(feedback.StoreError, match=r"cannot be written .*fix its permissions"):
        feedback.add(read_only, picture(seed), 1, 8)
    assert labels(read_only) == [(1, 7)]


# Many at once


def add_many(home, worker, count):
    """Store `count` corrections that no other worker stores, and one that all do."""
    for number in range(count):
        feedback.add(home, picture(worker * count + number), worker, 9)
    feedback.add(home, picture(10**6), 0, 1)


@pytest.mark.parametrize("kind", ["processes", "threads"])
def test_add_eight_at_once_loses_nothing(kind, home):
    workers, count = 8, 25
    if kind == "processes":
        pool = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"))
    else:
        pool = ThreadPoolExecutor(workers)
    with pool:
        list(pool.map(add_many, [home] * workers, range(workers), [count] * workers))
    corrections, warnings = feedback.load(home)
    assert warnings == []
    assert len(table(home)) == len(corrections) == workers * count + 1
    assert images(home) == {c.image.split("/")[1] for c in corrections}
    for worker in range(workers):
        assert sum(c.predicted == worker and c.actual == 9 for c in corrections) == count
    assert home.table.read_text().count("Predicted_Label") == 1


def test_add_while_others_change_and_export_loses_nothing(home):
    first = [feedback.add(home, picture(10**7 + seed), 1, 7) for seed in range(5)]

    def change(one):
        for label in (8, 9, 8):
            one = feedback.relabel(home, one, label)
            feedback.restore(home, feedback.remove(home, one))
            one = feedback.confirm(home, one)
        return one

    with ThreadPoolExecutor(9) as pool:
        adding = [pool.submit(add_many, home, worker, 15) for worker in range(3)]
        changing = [pool.submit(change, one) for one in first]
        archives = [export(home).read_bytes() for _ in range(3)]
        changed = [job.result() for job in changing]
        for job in adding:
            job.result()
    corrections, warnings = feedback.load(home)
    assert warnings == []
    assert corrections[:5] == changed
    assert [(one.actual, one.votes) for one in changed] == [(8, 2)] * 5
    assert len(table(home)) == len(images(home)) == 5 + 3 * 15 + 1
    for archive in archives:
        assert zipfile.ZipFile(io.BytesIO(archive)).testzip() is None
