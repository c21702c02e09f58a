"""What a run works with: `gather`, `sample`."""

import os
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from digits import feedback
from digits.learning import material
from digits.rows import DataError, is_held_out
from digits.versions import receipts
from tests.homes import make_home, styled_pictures


@pytest.fixture
def home(tmp_path):
    """A home with four corrections."""
    home = make_home(tmp_path)
    for picture, label in styled_pictures(4):
        feedback.add(home, picture, (label + 1) % 10, int(label))
    return home


def gathered(home):
    """What `gather` returns of all that is stored, and the shares it told."""
    shares = []
    stored = feedback.load(home)[0]
    return material.gather(home, stored, 0, lambda phase, share: shares.append(share)), shares


def test_gather_corrections_are_digits_in_their_order_and_train_csv_falls_in_two(home, rows):
    got, shares = gathered(home)
    assert got.corrections == feedback.load(home)[0]
    assert got.rows[0].shape == (4, 28, 28)
    assert got.rows[1].tolist() == [one.actual for one in got.corrections]
    assert got.warnings == []
    apart = is_held_out(rows[0])
    for part, own in ((got.held_out, apart), (got.replay, ~apart)):
        assert np.array_equal(part[0], rows[0][own])
        assert np.array_equal(part[1], rows[1][own])
    assert shares == sorted(shares)
    assert 0 < shares[0] < shares[-1] < 0.2


def test_gather_what_cannot_be_read_or_is_held_out_is_left_out_and_named(home, rows):
    good = feedback.load(home)[0]
    blank = feedback.add(home, Image.new("RGB", (50, 50), "white"), 1, 2)
    row = int(np.flatnonzero(is_held_out(rows[0]))[0])
    forbidden = feedback.add(home, Image.fromarray(rows[0][row]), 1, int(rows[1][row]))
    spoilt = feedback.add(home, Image.new("RGB", (51, 51), "white"), 1, 2)
    (home.folder / spoilt.image).write_bytes(b"no picture")
    got, _ = gathered(home)
    assert got.corrections == good
    assert len(got.rows[0]) == len(got.rows[1]) == len(good)
    named = [warning.partition(" skipped: ")[0] for warning in got.warnings]
    assert named == [blank.image, forbidden.image, spoilt.image]
    assert "holds it out from all training" in got.warnings[1]


def test_material_visits_are_whose_word_a_correction_is(home):
    visits = ["", "a", "a b", f"a {feedback.PASSWORD}", feedback.PASSWORD]
    stored = [feedback.Correction(1, 7, "x.png", visits=each) for each in visits]
    got = replace(gathered(home)[0], corrections=stored).visits
    assert got.tolist() == ["", "a", "a", feedback.PASSWORD, feedback.PASSWORD]


def test_gather_nothing_readable_gives_no_rows(home):
    for one in feedback.load(home)[0]:
        (home.folder / one.image).write_bytes(b"no picture")
    got, _ = gathered(home)
    assert (got.corrections, len(got.warnings)) == ([], 4)
    assert got.rows[0].shape == (0, 28, 28)


def test_gather_unusable_train_csv_raises_data_error(home):
    home.train.unlink()
    with pytest.raises(DataError, match=r"train\.csv"):
        gathered(home)


def test_gather_name_that_is_no_utf_8_is_read_and_spelled_out(home):
    name = os.fsdecode(b"incorrect_images/caf\xe9.png")
    (home.folder / feedback.load(home)[0][0].image).rename(home.folder / name)
    with open(home.table, "ab") as stream:
        stream.write(b"1,7,incorrect_images/caf\xe9.png\n")
    stored, warnings = feedback.load(home)
    assert "caf" not in warnings[0]  # it is the old name's row
    assert gathered(home)[0].corrections == stored
    (home.folder / name).write_bytes(b"no picture")
    assert gathered(home)[0].warnings[0].startswith("incorrect_images/caf\\xe9.png skipped: ")


def many(n):
    """Corrections of n pictures that need not be there."""
    return [feedback.Correction(1, 7, f"{i}.png") for i in range(n)]


def test_sample_up_to_the_bound_all_stay_in_their_order(home, monkeypatch):
    monkeypatch.setattr(material, "MAX_CORRECTIONS", 6)
    assert material.sample(home, many(6), seed=0) == many(6)


def test_sample_beyond_the_bound_those_no_run_has_seen_come_first(home, monkeypatch):
    monkeypatch.setattr(material, "MAX_CORRECTIONS", 6)
    stored = many(20)
    monkeypatch.setattr(receipts, "seen", lambda home: {one.key for one in stored[:16]})
    chosen = material.sample(home, stored, seed=0)
    assert len(set(chosen)) == 6
    assert set(stored[16:]) < set(chosen)
    assert material.sample(home, stored, seed=0) == chosen
    others = {one for seed in range(20) for one in material.sample(home, stored, seed)}
    assert others == set(stored)


def test_sample_relabelled_since_the_last_run_counts_as_unseen(home, monkeypatch):
    monkeypatch.setattr(material, "MAX_CORRECTIONS", 1)
    stored = many(9)
    keys = {one.key for one in stored} - {stored[4].key} | {(stored[4].image, 3)}
    monkeypatch.setattr(receipts, "seen", lambda home: keys)
    assert material.sample(home, stored, seed=0) == [stored[4]]


def test_sample_visits_take_turns_so_that_none_keeps_anothers_out(home, monkeypatch):
    monkeypatch.setattr(material, "MAX_CORRECTIONS", 10)
    visits = ["crowd"] * 30 + ["few"] * 3 + [feedback.PASSWORD] * 4
    stored = [feedback.Correction(1, 7, f"{i}.png", visits=visit) for i, visit in enumerate(visits)]
    chosen = [one.visit for one in material.sample(home, stored, seed=0)]
    assert [chosen.count(visit) for visit in ("crowd", "few", feedback.PASSWORD)] == [3, 3, 4]


def test_fingerprint_of_a_name_that_is_not_utf_8(home):
    names = ("a\udcff.png", "a\udcfe.png")
    digests = {material.fingerprint_of(home, [feedback.Correction(1, 7, name)]) for name in names}
    assert len(digests) == 2
