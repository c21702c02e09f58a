"""Learning by itself: the crontab's entry, runs that nobody watches, the doctor."""

from __future__ import annotations

import logging
import os
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from filelock import Timeout
from PIL import Image

import finetuning
from digits import feedback, records
from digits.home import Home
from digits.jobs import doctor, progress, schedule, unattended
from digits.learning.run import Ending
from digits.rows import DataError
from tests import crontabs
from tests.homes import make_home

ODD = "a home, 100% 'ours' \u00fc"
FOREIGN = b"""# my jobs\tand \xe4 byte
MAILTO="me"
0 0 * * *   /bin/a   two  spaces  # digits that learn, 00000000
@reboot /bin/b 'x' \\% in%put

0 0 * * 7 /bin/c"""


@pytest.fixture
def table(tmp_path, monkeypatch):
    """The file of a crontab of the test's own."""
    return crontabs.pretend(tmp_path, monkeypatch)


@pytest.fixture
def home(tmp_path):
    home = Home.at(tmp_path / ODD)
    home.folder.mkdir()
    return home


# --- The entry ---


def test_current_crontab_closed_to_the_process_says_where_to_look(table, home):
    program = table.parent / "bin" / "crontab"
    program.write_text("#!/bin/sh\necho 'crontabs/digits/: fopen: Permission denied' >&2; exit 1")
    with pytest.raises(schedule.ScheduleError, match="crontab -l"):
        schedule.current(home)


@pytest.mark.parametrize("expression", ["0 2 * * *", "*/5 1-3,22 * jan-mar sun", *schedule.NAMED])
def test_install_any_expression_comes_back_as_it_went_in(expression, table, home):
    entry = schedule.install(home, f" {expression} ", "https://hc.example/a%20b")
    assert schedule.current(home) == entry
    assert entry.expression == expression
    assert entry.command == schedule.command(home, "https://hc.example/a%20b")
    assert entry.last_due() < datetime.now(UTC) < entry.next_run()
    (line,) = table.read_text().splitlines()
    assert "%" not in line.replace(r"\%", "")


def test_install_among_other_lines_leaves_them_to_the_byte(table, home):
    table.write_bytes(FOREIGN + b"\n")
    schedule.install(home, "0 2 * * *")
    assert table.read_bytes().startswith(FOREIGN + b"\n0 2 * * * ")
    assert schedule.remove(home) == "Removed."
    assert table.read_bytes() == FOREIGN + b"\n"
    assert schedule.remove(home) == schedule.NO_ENTRY


def test_install_again_replaces_the_entry_where_it_stands(table, home):
    schedule.install(home, "0 2 * * *")
    table.write_bytes(b"# before\n" + table.read_bytes() + b"# after\n")
    schedule.install(home, "@daily")
    once = table.read_bytes()
    schedule.install(home, "@daily")
    assert table.read_bytes() == once
    before, entry, after = once.splitlines()
    assert (before, after) == (b"# before", b"# after")
    assert entry.startswith(b"@daily ")


def test_install_two_homes_have_an_entry_each(table, home, tmp_path):
    other = Home.at(tmp_path / "other")
    other.folder.mkdir()
    for folder, expression in ((home, "0 1 * * *"), (other, "0 2 * * *")):
        schedule.install(folder, expression)
    assert schedule.current(home).expression == "0 1 * * *"
    schedule.remove(home)
    assert schedule.current(home) is None
    assert schedule.current(other).expression == "0 2 * * *"


def test_install_of_many_homes_at_once_loses_none(table, tmp_path):
    homes = [Home.at(tmp_path / str(i)) for i in range(6)]
    for one in homes:
        one.folder.mkdir()
    with ThreadPoolExecutor(6) as threads:
        list(threads.map(schedule.install, homes, ["0 2 * * *"] * 6))
    assert [schedule.current(one).expression for one in homes] == ["0 2 * * *"] * 6


@pytest.mark.parametrize("said", ["no crontab for me", "crontab: can't open 'me': No such file"])
def test_install_into_no_crontab_yet_makes_one(said, home, tmp_path, monkeypatch):
    crontabs.pretend(tmp_path, monkeypatch, said)
    assert schedule.current(home) is None
    assert schedule.install(home, "@daily") == schedule.current(home)


@pytest.mark.parametrize(
    ("expression", "named"),
    [
        ("60 2 * * *", "'60' is no minute"),
        ("0 24 * * *", "'24' is no hour"),
        ("0 2 0 * *", "'0' is no day of the month"),
        ("0 2 * 13 *", "'13' is no month"),
        ("0 2 * * mun", "'mun' is no day of the week"),
        ("50-10 * * * *", "'50-10' is no minute"),
        ("*/70 * * * *", "'*/70' is no minute"),
        ("0 2 31 2 *", "never comes"),
        ("0 2 * *", "five fields"),
        ("0 2 * * * 7", "five fields"),
        ("@nightly", "@daily"),
        ("@reboot", "@daily"),
        ("", "five fields"),
    ],
)
def test_install_bad_expression_names_the_field_and_writes_nothing(expression, named, table, home):
    with pytest.raises(schedule.ScheduleError, match=named.replace("*", r"\*")):
        schedule.install(home, expression)
    assert not table.exists()


@pytest.mark.parametrize("line", ["# {}", "#{}"])
def test_current_entry_commented_out_is_none_and_goes_with_remove(line, table, home):
    schedule.install(home, "0 2 * * *")
    table.write_text(line.format(table.read_text()))
    assert schedule.current(home) is None
    assert schedule.remove(home) == "Removed."


def test_current_entry_edited_beyond_telling_says_so(table, home):
    schedule.install(home, "@daily")
    table.write_text(table.read_text().replace("@daily", "@reboot"))
    with pytest.raises(schedule.ScheduleError, match="@reboot"):
        schedule.current(home)


def test_install_without_cron_says_what_to_do(home, monkeypatch):
    monkeypatch.setenv("PATH", str(home))
    with pytest.raises(schedule.ScheduleError, match="systemd timer"):
        schedule.install(home, "@daily")


def test_install_crontab_refuses_says_why(table, home, tmp_path):
    (tmp_path / "bin" / "crontab").write_text("#!/bin/sh\necho 'you may\n not' >&2; exit 1\n")
    with pytest.raises(schedule.ScheduleError, match="you may"):
        schedule.install(home, "@daily")


def test_install_command_typed_into_a_shell_installs(table, home):
    command = schedule.install_command(home, "0 3 * * *")
    subprocess.run(["/bin/sh", "-c", command], check=True, capture_output=True)
    assert schedule.current(home) == schedule.Entry("0 3 * * *", schedule.command(home))


@pytest.mark.parametrize(
    ("key", "hours", "late"),
    [
        (None, 0, False),
        ("installed", 3, True),
        ("installed", 0, False),
        ("when", 3, True),
        ("when", 0.5, False),
    ],
)
def test_overdue_hourly_entry_is_late_after_its_hour_and_the_grace(key, hours, late, home):
    then = datetime.now(UTC) - timedelta(hours=hours)
    if key:
        records.write(home.schedule, schedule.Remembered(**{key: then.isoformat()}))
    assert schedule.overdue(home, schedule.Entry("@hourly", "")) is late


@pytest.fixture
def berlin(monkeypatch):
    """A machine in a time zone with summer time."""
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("now", "ran", "late"),
    [
        ("2026-10-25T03:40+01:00", "2026-10-25T02:31+02:00", False),  # half past two came twice
        ("2026-10-25T03:40+01:00", "2026-10-24T02:31+02:00", True),
        ("2026-03-29T04:40+02:00", "2026-03-29T03:01+02:00", False),  # and never
        ("2026-03-29T04:40+02:00", "2026-03-28T02:31+01:00", True),
        ("2026-06-01T03:40+02:00", "2026-06-01T02:31+02:00", False),
        ("2026-06-01T03:40+02:00", "2026-05-31T02:31+02:00", True),
    ],
)
def test_overdue_when_clocks_change_is_what_it_is_on_other_nights(
    now, ran, late, home, berlin, monkeypatch
):
    monkeypatch.setattr(schedule, "_now", lambda: datetime.fromisoformat(now))
    when = datetime.fromisoformat(ran).astimezone(UTC).isoformat()
    records.write(home.schedule, schedule.Remembered(when=when))
    assert schedule.overdue(home, schedule.Entry("30 2 * * *", "")) is late


# --- Runs that nobody watches ---


class Monitor(BaseHTTPRequestHandler):
    """Keeps the path and body of every call in its server's `calls`."""

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.server.calls.append((self.path, body))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        """Print nothing."""


@pytest.fixture
def monitor():
    server = HTTPServer(("127.0.0.1", 0), Monitor)
    server.calls = []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def nice(monkeypatch):
    """How much lower each run set its priority; the tests' own stays."""
    steps = []
    monkeypatch.setattr(os, "nice", steps.append)
    return steps


def ending(how):
    """Return a run that ends so: with an ending, or an exception raised."""

    def start(options):
        if isinstance(how, BaseException):
            raise how
        return how

    return start


@pytest.mark.parametrize(
    ("how", "code", "words"),
    [
        (Ending("published", "Published v2."), 0, "Published"),
        (Ending("refused", "Refused, v1 stays."), 3, "stays"),
        (Timeout("lock"), 4, "Another fine-tuning"),
        (feedback.StoreError("The store is torn."), 5, "torn"),
        (DataError("No train.csv."), 5, "train.csv"),
        (OSError(28, "No space left on device", "/disk"), 1, "No space left on device: /disk"),
        (Ending("stopped", "Stopped; model.h5 is as it was."), 1, "as it was"),
        (ZeroDivisionError("division by zero"), 1, "division by zero"),
    ],
)
def test_main_scheduled_run_prints_one_line_if_wrong_and_tells_the_monitor(
    how, code, words, home, monitor, nice, monkeypatch, capfd
):
    monkeypatch.setattr(finetuning, "start", ending(how))
    url = f"http://127.0.0.1:{monitor.server_port}/check"
    arguments = ["--root", str(home), "--trigger", "cron", "--ping", url]
    assert finetuning.main(arguments) == code
    said = capfd.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == (code != 0)
    assert not code or words in said.err
    assert "Traceback" not in said.err
    assert nice == [unattended.NICE]
    assert [path for path, _ in monitor.calls] == ["/check/start", f"/check/{code}"]
    assert words in monitor.calls[-1][1]
    assert schedule.remembered(home).code == code
    assert words in schedule.remembered(home).message
    assert words in home.log.read_text()


def test_main_second_run_at_once_names_who_runs_since_when(well, nice, capfd):
    running = progress.Reporter(well, "button")
    with well.run_lock():
        running.progress("Training", 0.5)
        code = finetuning.main(["--root", str(well), "--trigger", "cron"])
        assert "asked by button" in doctor.check_lock(well).found
    since = progress.read(well).since
    assert code == finetuning.LOCKED
    assert f"runs, asked by button, since {since}; this one did nothing" in capfd.readouterr().err


def test_main_monitor_that_does_not_answer_changes_nothing(home, nice, monkeypatch, capfd):
    done = Ending("published", "Published v2.")
    monkeypatch.setattr(finetuning, "start", ending(done))
    arguments = ["--root", str(home), "--trigger", "cron", "--ping", "http://127.0.0.1:9/check"]
    assert finetuning.main(arguments) == finetuning.DONE
    assert capfd.readouterr() == ("", "")


def test_main_unexpected_failure_leaves_its_traceback_in_the_log_alone(
    home, nice, monkeypatch, capfd
):
    monkeypatch.setattr(finetuning, "start", ending(ZeroDivisionError()))
    assert finetuning.main(["--root", str(home)]) == finetuning.FAILED
    assert "Traceback" not in capfd.readouterr().err
    assert "Traceback" in home.log.read_text()
    assert nice == []  # a person waits


def test_main_log_grows_no_further_than_its_bounds(home, nice, monkeypatch):
    monkeypatch.setattr(unattended, "LOG_BYTES", 1_000)
    done = Ending("published", "Published v2.")
    monkeypatch.setattr(finetuning, "start", ending(done))
    for _ in range(60):
        finetuning.main(["--root", str(home), "--trigger", "cron"])
    sizes = [path.stat().st_size for path in home.folder.glob(f"{home.log.name}*")]
    assert len(sizes) == unattended.LOG_FILES + 1
    assert max(sizes) <= 1_000


def test_main_ping_of_anything_but_a_web_address_is_refused(home, capsys):
    arguments = ["--root", str(home), "--ping", "file:///etc/passwd"]
    assert finetuning.main(arguments) == finetuning.USAGE
    assert "file:///etc/passwd" in capsys.readouterr().err


def test_main_cron_options_install_show_and_remove(table, home, capsys):
    def run(*arguments):
        code = finetuning.main(["--root", str(home), *arguments])
        said = capsys.readouterr()
        return code, said.out + said.err

    assert "no entry" in run("--show-cron")[1]
    assert run("--install-cron", "0 2 * * *")[0] == finetuning.DONE
    schedule.note_run(home, 3, "Refused, v1 stays.")
    code, shown = run("--show-cron")
    assert code == finetuning.DONE
    assert schedule.command(home) in shown
    assert "exit code 3: Refused, v1 stays." in shown
    assert schedule.current(home).next_run().isoformat(timespec="minutes") in shown
    assert run("--remove-cron") == (finetuning.DONE, "Removed.\n")
    assert run("--remove-cron") == (finetuning.DONE, f"{schedule.NO_ENTRY}\n")
    code, said = run("--install-cron", "0 25 * * *")
    assert (code, said) == (finetuning.BAD_DATA, "'25' is no hour that cron knows.\n")


def test_journal_ends_with_the_run(home, nice):
    finetuning.main(["--root", str(home), "--history"])
    assert logging.getLogger("digits").handlers == []


# --- The doctor ---


@pytest.fixture
def well(tmp_path, table, monkeypatch):
    """A home where all is well, as far as the doctor looks."""
    home = make_home(tmp_path / ODD)
    feedback.add(home, Image.new("L", (28, 28), 255), 1, 2)
    home.versions.mkdir()
    schedule.install(home, "0 2 * * *")
    monkeypatch.setattr(doctor, "DAEMONS", {doctor.read_name(Path("/proc/self/comm"))})
    return home


def test_main_check_prints_a_line_each_and_its_code_tells(well, capsys):
    assert finetuning.main(["--root", str(well), "--check"]) == finetuning.DONE
    *lines, last = capsys.readouterr().out.splitlines()
    assert [line[:2] for line in lines] == ["ok"] * 11
    assert last == "All is well."
    well.train.unlink()
    assert finetuning.main(["--root", str(well), "--check"]) == finetuning.FAILED
    said = capsys.readouterr()
    bad = [line for line in said.out.splitlines() if line.startswith("FIX")]
    assert ["train.csv:" in bad[0], "dry run: exit code 5" in bad[1]] == [True, True]
    assert all("restore it from git" in line for line in bad)
    assert said.err == "To fix: 2.\n"


def spoil_table(home):
    home.table.write_text("some,other,table\n")


def spoil_row(home):
    next(home.images.glob("*.png")).unlink()


def spoil_model(home):
    home.model.write_bytes(b"no model")


def fail_last_run(home):
    schedule.note_run(home, 3, "Refused, v1 stays.")


def let_time_pass(home):
    records.write(home.schedule, schedule.Remembered(installed="2026-01-01T00:00:00+00:00"))


@pytest.mark.parametrize(
    ("spoil", "check", "named"),
    [
        (spoil_model, doctor.check_model, "model.h5"),
        (spoil_table, doctor.check_store, "Predicted_Label"),
        (spoil_row, doctor.check_store, "is missing"),
        (fail_last_run, lambda home: doctor.check_last_run(home, schedule.current(home)), "v1"),
        (let_time_pass, lambda home: doctor.check_last_run(home, schedule.current(home)), "due"),
    ],
)
def test_check_fault_is_named_with_a_remedy(spoil, check, named, well):
    assert check(well).good
    spoil(well)
    finding = check(well)
    assert not finding.good
    assert named in str(finding)


def test_check_lock_held_says_a_run_is_at_work(well):
    with well.run_lock():
        assert "at work" in doctor.check_lock(well).found
    assert doctor.check_lock(well).good


def test_check_disk_nearly_full_says_how_much_to_free(well, monkeypatch):
    assert doctor.check_disk(well).good
    monkeypatch.setattr(doctor, "FREE_MB", 10**12)
    assert "free" in doctor.check_disk(well).remedy


def test_check_permissions_closed_folder_is_named(well, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path).name != "versions")
    assert str(well.versions) in doctor.check_permissions(well).found


@pytest.mark.parametrize("content", [b"[auth", b"\xff", b""])
def test_check_secrets_damaged_ones_are_named_with_a_remedy(content, tmp_path, monkeypatch):
    path = tmp_path / ".streamlit" / "secrets.toml"
    path.parent.mkdir()
    monkeypatch.setenv("HOME", str(tmp_path))
    assert doctor.check_secrets().good
    path.write_bytes(content)
    finding = doctor.check_secrets()
    assert finding.good == (not content)
    assert finding.good or str(path) in finding.found


def test_check_daemon_none_runs_says_how_to_start_it(monkeypatch):
    monkeypatch.setattr(doctor, "DAEMONS", {"no such process"})
    assert "start" in doctor.check_daemon().remedy


def test_examine_no_entry_says_how_to_install_one(well):
    schedule.remove(well)
    *_, last = doctor.examine(well)
    assert last.remedy == schedule.install_command(well)
