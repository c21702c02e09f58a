"""A home in PostgreSQL: what one host writes every host reads, whole or not at all."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import time

import numpy as np
import pytest
from filelock import Timeout
from PIL import Image
from streamlit.testing.v1 import AppTest

import finetuning
from digits import durable, feedback, versions
from digits.durable import DatabaseError
from digits.feedback import verdicts
from digits.home import MODEL, Home, schema
from digits.home.__main__ import command, copied, kept
from digits.jobs import launch, progress, schedule
from digits.page.guesses import Guess
from digits.page.visit import Visit
from digits.rows import TRAIN
from digits.versions import Report, networks
from tests.homes import PROJECT, make_home
from tests.postgres import another_host

SOON = 60  # s: far more than it takes
HOLD = """
import sys
from digits.home import Home
with Home.at(sys.argv[1]).run_lock():
    print("held", flush=True)
    sys.stdin.read()
"""


def picture(seed=0):
    """A small picture that no other seed gives."""
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (9, 7, 3), np.uint8))


def publish(home, folder, network):
    """Publish a network of bytes; return its version."""
    candidate = folder / "candidate.h5"
    candidate.write_bytes(network)
    return versions.publish(home, candidate, versions.current(home), Report("better"))


@pytest.fixture
def filled(shared):
    """A home in a database, with the network and the rows shipped."""
    assert str(shared) in shared.fill()
    return shared


@pytest.fixture
def other(filled, tmp_path):
    """The same home as another host has it."""
    return another_host(filled, tmp_path / "other")


@pytest.fixture
def shown(filled):
    """A guess that a visit was shown: a 1."""
    likely, digit = np.eye(10, dtype=np.float32)[1], np.zeros((28, 28), np.uint8)
    version = versions.current(filled)
    logged = verdicts.shown(filled, 1, 1.0, version.name)
    return Guess("key", "a.png", picture(), digit, likely, version, "content", shown=logged)


@pytest.fixture
def stopped(database_server):
    """Stops the server, as a kill does; it runs again afterwards, or when it is told to."""
    database_server.stop()
    again = iter([database_server.start])

    def start_again():
        for start in again:
            start()

    yield start_again
    start_again()


# Two hosts


def test_add_on_one_host_is_read_and_changed_on_another(filled, other):
    added = feedback.add(filled, picture(), 1, 7)
    assert feedback.load(other) == ([added], [])
    assert (other.folder / added.image).read_bytes() == (filled.folder / added.image).read_bytes()
    changed = feedback.relabel(other, added, 9)
    assert feedback.load(filled) == ([changed], [])


def test_live_accuracy_counts_what_visitors_of_all_hosts_said(filled, other):
    for home, verdict in ((filled, verdicts.RIGHT), (other, verdicts.WRONG)):
        verdicts.judge(home, verdicts.shown(home, 3, 0.9, "v1"), verdict)
    for home in (filled, other):
        assert verdicts.live_accuracy(home) == verdicts.Tally(2, 1, 1, 0)


def test_publish_and_roll_back_are_seen_by_another_host(filled, other, tmp_path):
    version = publish(filled, tmp_path, b"better")
    assert versions.current(other) == version
    assert other.model.read_bytes() == b"better"
    versions.roll_back(other, "v1")
    assert versions.current(filled).short == "v1"
    assert filled.model.read_bytes() == (PROJECT / MODEL).read_bytes()
    assert versions.history(filled) == versions.history(other)


def test_run_lock_keeps_every_other_host_from_running(filled, other):
    with filled.run_lock():
        assert other.is_running()
        with pytest.raises(Timeout), other.run_lock():
            pass
    assert not other.is_running()
    with other.run_lock():
        assert filled.is_running()


def test_import_lock_refuses_the_second_at_once(filled, other):
    with filled.import_lock(), pytest.raises(Timeout), other.import_lock():
        pass


def test_run_lock_of_a_killed_process_is_free_soon(filled):
    call = [sys.executable, "-c", HOLD, str(filled)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(call, cwd=PROJECT, **pipes) as holder:
        assert holder.stdout.readline() == b"held\n"
        assert filled.is_running()
        holder.kill()
    wait_until(lambda: not filled.is_running())
    with filled.run_lock():
        pass


def wait_until(true):
    """Wait for a condition, which must come true."""
    ends = time.monotonic() + SOON
    while not true():
        assert time.monotonic() < ends
        time.sleep(0.01)


INTERRUPTED = """
import os, signal, sys, time
from contextlib import nullcontext
from types import SimpleNamespace
import finetuning
from digits import durable
from digits.home import Home
from digits.jobs import progress, unattended
home = Home.at(sys.argv[1])
options = SimpleNamespace(home=home, trigger="button", ping=None)
with home.run_lock():
    words = finetuning.last_words(options, progress.Reporter(home, "button"))
    with unattended.ending_at_once(words, finetuning.FAILED), home.together():
        durable.write(home.model, b"half of a change")
        with HELD:
            home.database._seen.unlink()  # as if others had changed something: there is to follow
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(60)
"""


@pytest.mark.parametrize("held", ["nullcontext()", "home.database.nobody_follows()"])
def test_ending_at_once_amid_a_change_says_so_and_keeps_nothing_of_it(filled, held):
    before = filled.model.read_bytes()
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED.replace("HELD", held), str(filled)],
        env=os.environ | filled.secrets,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == finetuning.FAILED, done.stderr
    assert "model.h5 is as it was" in done.stderr
    assert progress.read(filled).state == "stopped"
    assert filled.model.read_bytes() == before
    assert not filled.is_running()


def test_start_counts_for_all_hosts(filled, other, begun):
    launch.start(filled)
    assert 0 < launch.start(other) <= launch.PAUSE
    assert len(begun) == 1


def test_fill_by_two_hosts_fills_once(shared, tmp_path):
    first = another_host(shared, tmp_path / "first")
    assert shared.is_empty
    assert first.fill()
    assert shared.fill() == ""
    assert (shared.folder / TRAIN).read_bytes() == (PROJECT / TRAIN).read_bytes()


# Whole or not at all


def test_together_what_fails_midway_leaves_nothing(filled, other):
    def add_and_fail():
        with filled.together():
            feedback.add(filled, picture(), 1, 7)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        add_and_fail()
    for home in (filled, other):
        assert feedback.load(home) == ([], [])
        assert not list(home.images.glob("*"))


def test_correct_without_its_verdict_stores_no_correction(filled, shown, monkeypatch):
    """Picture, row and verdict are one transaction."""
    visit, guess = Visit(filled), shown
    real = durable.append_line

    def refuse(path, line):
        real(path, line)
        if path == filled.verdicts:
            filled.database._in_transaction.exec_driver_sql("SELECT 1 / 0")

    monkeypatch.setattr(durable, "append_line", refuse)
    visit.correct(guess, 7)
    monkeypatch.undo()
    assert "cannot be used" in visit.problems[guess.key]
    assert not visit.said
    assert feedback.load(filled) == ([], [])
    visit.correct(guess, 7)
    assert [one.actual for one in feedback.load(filled)[0]] == [7]
    assert verdicts.live_accuracy(filled).wrong == 1


def test_write_of_a_run_that_lost_its_lock_is_refused(filled, database_server):
    """Another host may run by now: nothing of this run may come between."""
    with filled.run_lock():
        reporter = progress.Reporter(filled, "test")
        reporter.finish("published", "One.", 0)
        database_server.stop()
        database_server.start()
        for _ in range(2):
            with pytest.raises(DatabaseError):
                reporter.finish("published", "Two.", 0)
    assert progress.read(filled).message == "One."


def test_append_line_closes_a_line_that_was_torn_elsewhere(filled):
    path = filled.table
    durable.write(path, b"head\n1,2")
    with filled.together():
        durable.append_line(path, "3")
        durable.append_line(path, "4")
    assert path.read_bytes() == b"head\n1,2\n3\n4\n"


def test_rename_and_remove_are_followed(filled, other):
    path, new = filled.folder / "a", filled.folder / "b"
    durable.write(path, b"1")
    durable.append_line(path, "2")
    other.follow()
    durable.rename(path, new)
    durable.remove(path)
    other.follow()
    assert not path.exists()
    assert not (other.folder / "a").exists()
    assert new.read_bytes() == (other.folder / "b").read_bytes() == b"1\n2\n"


def test_follow_emptied_folder_is_filled_again(filled):
    added = feedback.add(filled, picture(), 1, 7)
    for path in (*filled.folder.rglob("*.*"), filled.database._seen):
        path.unlink()
    assert feedback.load(filled) == ([added], [])
    assert filled.model.read_bytes() == (PROJECT / MODEL).read_bytes()


def test_follow_folder_of_before_a_boot_is_fetched_again(filled):
    """What was not synced may be lost in a power cut."""
    seen = filled.database._seen
    seen.write_text(seen.read_text().rpartition(" ")[0] + " another-boot")
    filled.model.write_bytes(b"")
    assert versions.current(filled).sha256 == networks.hash_of(PROJECT / MODEL)


def test_follow_another_database_at_the_address_replaces_all(filled, database_server):
    feedback.add(filled, picture(), 1, 7)
    filled.log.write_text("kept")
    with filled.database._engine.begin() as connection:
        for table in (schema.state, schema.pieces):
            table.drop(connection)
        schema.migrate(connection)
    assert filled.is_empty
    assert not filled.table.exists()
    assert filled.log.read_text() == "kept"


# The database comes and goes


def test_add_while_the_database_is_gone_says_so_and_nothing_is_lost(filled, shown, stopped):
    with pytest.raises(feedback.StoreError, match=r"not kept.* see that it runs"):
        feedback.add(filled, picture(), 1, 7)
    with pytest.raises(DatabaseError, match="see that it runs"):
        feedback.load(filled)
    visit, guess = Visit(filled), shown
    visit.correct(guess, 7)
    assert "see that it runs" in visit.problems[guess.key]
    stopped()
    visit.correct(guess, 7)
    stored, _ = feedback.load(filled)
    assert [(one.predicted, one.actual) for one in stored] == [(1, 7)]
    assert verdicts.live_accuracy(filled).wrong == 1


@pytest.fixture
def page(filled, monkeypatch):
    """The page on a home in a database, with one correction."""
    monkeypatch.setenv("DIGITS_HOME", filled.database.address)
    feedback.add(filled, picture(), 1, 7)
    page = AppTest.from_file(str(PROJECT / "app.py"), default_timeout=120).run()
    assert not page.exception
    assert not page.error
    return page


def test_page_while_the_database_is_gone_shows_what_was_fetched_last(page, stopped):
    for part in ("Read and learn", "Versions", "Lesson", "Corrections"):
        page.session_state["part"] = part
        page.run()
        assert not page.exception
        assert "see that it runs" in page.error[0].value
        assert not any("postgres" in one.value for one in page.error)  # host and user are ours
    assert any("1 correction" in one.value for one in page.caption)
    stopped()
    page.run()
    assert not page.exception
    assert not page.error


def test_page_while_the_database_is_gone_reads_and_keeps_no_answer_before_it_is_back(
    page, filled, stopped
):
    example = PROJECT / "examples" / "1-felt-pen.png"
    page.file_uploader[0].set_value([(example.name, example.read_bytes(), "image/png")])
    page.run()
    assert any("<h2>3</h2>" in one.proto.body for one in page.get("html"))
    for tap in ("✓ right", "5"):
        press(page, tap)
        assert any("was not kept" in one.value for one in page.error)
    assert not page.session_state["visit"].said
    stopped()
    press(page, "5")
    assert not page.error
    assert [one.actual for one in feedback.load(filled)[0]] == [7, 5]


def press(page, label):
    """Press a button of the page."""
    next(one for one in page.button if one.label == label).click().run()
    assert not page.exception


def test_main_while_the_database_is_gone_ends_with_a_sentence(filled, stopped, capsys):
    for option in ("--history", "--status", "--health", "--rollback=v1", "--force"):
        assert finetuning.main(["--root", str(filled), option]) == finetuning.BAD_DATA
        said = capsys.readouterr()
        assert "see that it runs" in said.err + said.out
        assert "Traceback" not in said.err


# Addresses


@pytest.mark.parametrize(
    "address",
    [
        "postgresql://a:s3cret@host:port/x",
        "mysql://a:s3cret@host/x",
        "postgresql://h/x?password=s3cret",
    ],
)
def test_at_what_is_no_address_says_so(address, capsys):
    with pytest.raises(DatabaseError, match="no address of a PostgreSQL database"):
        Home.at(address)
    assert finetuning.main(["--root", address, "--status"]) == finetuning.BAD_DATA
    said = capsys.readouterr().err
    assert "no address of a PostgreSQL database" in said
    assert "s3cret" not in said


def test_at_without_the_libraries_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "digits.home.database", None)
    with pytest.raises(DatabaseError, match=r"pip install -r requirements-postgres.txt"):
        Home.at("postgresql+psycopg://digits@nowhere/never-seen-before")


def test_str_hides_the_password_and_children_are_given_it():
    home = Home.at("postgresql+psycopg://digits:s3cret@nowhere/digits")
    assert str(home) == "postgresql+psycopg://digits@nowhere/digits"
    assert not any("s3cret" in word for word in launch.command(home))
    assert home.secrets == {"PGPASSWORD": "s3cret"}
    with pytest.raises(schedule.ScheduleError, match="pgpass"):
        schedule.install(home, "@daily")


# Tables


def test_migrate_runs_each_migration_once(filled, tmp_path, monkeypatch):
    more = ("ALTER TABLE digits_pieces ADD COLUMN note text",)
    monkeypatch.setattr(schema, "MIGRATIONS", [*schema.MIGRATIONS, more])
    for name in ("newer", "again"):
        newer = another_host(filled, tmp_path / name)
        assert not newer.is_empty
        assert newer.model.read_bytes() == filled.model.read_bytes()


def test_migrate_tables_of_a_later_release_are_refused(filled, tmp_path, monkeypatch):
    later = ("SELECT 1",)
    with monkeypatch.context() as patch:
        patch.setattr(schema, "MIGRATIONS", [*schema.MIGRATIONS, later])
        another_host(filled, tmp_path / "newer").follow()
    with pytest.raises(DatabaseError, match="update the program"):
        another_host(filled, tmp_path / "older").follow()


# By hand


def test_put_and_delete_reach_every_host(filled, other, tmp_path):
    added = feedback.add(filled, picture(), 1, 7)
    (tmp_path / MODEL).write_bytes(b"placed by hand")
    call("put", tmp_path / MODEL, filled)
    assert versions.current(other).sha256 == hashlib.sha256(b"placed by hand").hexdigest()
    assert feedback.load(other)[0] == [added]
    call("delete", added.image, filled)
    stored, (warning,) = feedback.load(other)
    assert stored == []
    assert "is missing" in warning
    assert not (other.folder / added.image).exists()


@pytest.mark.parametrize("name", ["incorrect_images/none.png", MODEL, "../x", "incorrect_images"])
def test_delete_what_is_no_picture_is_refused(name, filled, capsys):
    assert call("delete", name, filled) == 1
    assert "has no picture" in capsys.readouterr().err
    assert filled.model.exists()


def call(*words):
    """Return the exit code of `python -m digits.home`."""
    with pytest.raises(SystemExit) as ended:
        command([str(word) for word in words])
    return ended.value.code


# Copies


def test_copy_to_a_database_and_back_is_the_same_to_the_byte(shared, tmp_path):
    source = make_home(tmp_path / "source")
    for seed in range(3):
        feedback.add(source, picture(seed), 1, 7)
    source.table.write_bytes(b"\xef\xbb\xbf" + source.table.read_bytes().replace(b"\n", b"\r\n"))
    publish(source, tmp_path, b"better")
    schedule.note_run(source, 3, "Refused.")
    verdicts.shown(source, 3, 0.9, "v1")
    source.log.write_text("stays")
    assert copied(source, shared).startswith("Copied 11 files")
    back = Home.at(tmp_path / "back")
    copied(shared, back)
    expected = {path.relative_to(source.folder): path for path in kept(source)}
    found = {path.relative_to(back.folder): path for path in kept(back)}
    assert set(found) == set(expected)
    for name, path in expected.items():
        assert found[name].read_bytes() == path.read_bytes()
        assert found[name].stat().st_mtime == pytest.approx(path.stat().st_mtime, abs=1e-3)
    assert feedback.load(back) == feedback.load(source) == feedback.load(shared)
    assert versions.history(back) == versions.history(source) == versions.history(shared)
    assert not back.log.exists()


def test_copy_to_what_is_not_empty_is_refused(filled, tmp_path):
    source = make_home(tmp_path / "source")
    with pytest.raises(OSError, match="is not empty"):
        copied(source, filled)
    with pytest.raises(OSError, match="is empty"):
        copied(Home.at(tmp_path / "none"), source)


def test_copy_during_a_run_is_refused(shared, tmp_path):
    source = make_home(tmp_path / "source")
    with source.run_lock():
        assert call("copy", source, shared) == 1
    assert shared.is_empty
