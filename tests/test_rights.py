"""Who may do what, by forged messages too: what is not shown or is disabled changes nothing."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from streamlit.testing.v1 import AppTest

from digits import feedback, versions
from digits.feedback import verdicts
from digits.jobs import launch
from digits.page import password
from tests.homes import PROJECT, add_misread, make_home
from tests.test_app import button, judge, open_part, png, upload


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("DIGITS_HOME", str(tmp_path))
    return make_home(tmp_path)


@pytest.fixture
def page(home):
    return AppTest.from_file(str(PROJECT / "app.py"), default_timeout=120)


@pytest.fixture
def lock(monkeypatch):
    """Set a password after the page was drawn: its buttons are there, the right is not."""
    return lambda: monkeypatch.setenv("DIGITS_PASSWORD", "chalk")


def forge(page, label: str):
    """Press a button that no browser would press, since it is disabled."""
    one = button(page, label)
    one.proto.disabled = False
    one.click().run()


@pytest.mark.parametrize("label", ["✓ right", "7", "not a digit"])
def test_page_judgement_without_the_right_changes_nothing(page, home, shipped, label, lock):
    picture, *_ = add_misread(home, shipped, 1)[0]
    before = home.table.read_bytes()
    upload(page, png(picture))
    lock()
    judge(page, label)
    assert home.table.read_bytes() == before
    assert verdicts.live_accuracy(home).judged == 0


@pytest.mark.parametrize("label", ["Its label is right", "Remove"])
def test_page_change_without_the_right_changes_nothing(page, home, shipped, label, lock):
    add_misread(home, shipped, 1)
    open_part(page, "Corrections")
    before = home.table.read_bytes()
    lock()
    button(page, label).click().run()
    assert not page.exception
    assert home.table.read_bytes() == before


def test_page_roll_back_without_the_right_changes_nothing(page, home, lock, monkeypatch):
    versions.register(home)
    (home.versions / "v2-00000000.h5").write_bytes(home.model.read_bytes())
    monkeypatch.setattr(launch, "roll_back", lambda *_: pytest.fail("it was rolled back"))
    open_part(page, "Versions")
    lock()
    button(page, "Start over from the first network").click().run()
    assert not page.exception


def test_page_run_without_the_right_starts_none(page, home, shipped, begun, monkeypatch):
    monkeypatch.setenv("DIGITS_PASSWORD", "chalk")
    add_misread(home, shipped, 1)
    page.run()
    assert button(page, "Run Fine-tuning").disabled
    forge(page, "Run Fine-tuning")
    assert not page.exception
    assert begun == []


def test_page_label_that_nobody_picked_is_not_saved(page, home, shipped):
    add_misread(home, shipped, 1)
    open_part(page, "Corrections")
    before = home.table.read_bytes()
    assert button(page, "Save this label").disabled
    forge(page, "Save this label")
    assert not page.exception
    assert home.table.read_bytes() == before


def test_page_own_answer_cannot_be_vouched_for_by_the_same_visit(page, home, shipped):
    picture, _, label = add_misread(home, shipped, 1)[0]
    feedback.remove(home, feedback.load(home)[0][0])
    upload(page, png(picture))
    judge(page, str(label))
    (kept,), _ = feedback.load(home)
    open_part(page, "Corrections")
    button(page, "Its label is right").click().run()
    assert feedback.load(home)[0] == [kept]
    assert (kept.votes, len(kept.visits)) == (1, 8)


def test_start_of_many_at_once_is_one(home, begun):
    with ThreadPoolExecutor(20) as pool:
        started = list(pool.map(lambda _: launch.start(home), range(20)))
    assert len(begun) == 1
    assert sum(isinstance(one, float) and 0 < one <= launch.PAUSE for one in started) == 19


def test_start_after_another_servers_waits(home, begun):
    code = f"from digits.jobs import launch; launch.Run = lambda *_: None; launch.start({home!r})"
    code = code.replace(repr(home), f"launch.Home.at({str(home)!r})")
    subprocess.run([sys.executable, "-c", code], check=True, cwd=PROJECT)
    assert isinstance(launch.start(home), float)
    assert begun == []


# The password


@pytest.fixture
def clock(monkeypatch):
    """The time that the door sees, to be set."""
    now = [1e9]
    monkeypatch.setattr(password.time, "time", lambda: now[0])
    return now


def test_refusal_grows_for_all_visits_together_and_the_right_one_ends_it(home, clock):
    looked_at = []
    for second in range(300):
        clock[0] = 1e9 + second
        if password.refusal(home, "guess", "chalk") == "That is not the password.":
            looked_at.append(second)
    assert looked_at == [0, 1, 3, 7, 15, 31, 63, 123, 183, 243]
    assert "try again in 4 s" in password.refusal(home, "chalk", "chalk")
    clock[0] += 4
    assert password.refusal(home, "chalk", "chalk") == ""
    assert password.refusal(home, "guess", "chalk") == "That is not the password."
    clock[0] += 1
    assert password.refusal(home, "chalk", "chalk") == ""


def test_refusal_after_a_clock_that_jumped_locks_nobody_out(home, clock):
    for _ in range(20):
        password.refusal(home, "guess", "chalk")
        clock[0] += password.MAX_DELAY
    clock[0] -= 10**8
    assert password.refusal(home, "chalk", "chalk") == ""


def test_refusal_is_counted_across_processes_and_threads(home):
    code = (
        "from digits.home import Home; from digits.page.password import refusal;"
        f"print(refusal(Home.at({str(home)!r}), 'guess', 'chalk'))"
    )
    said = [subprocess.check_output([sys.executable, "-c", code], text=True, cwd=PROJECT)]
    for _ in range(4):  # wrong ones of other visits, at once
        with ThreadPoolExecutor(8) as pool:
            said += pool.map(lambda _: password.refusal(home, "guess", "chalk"), range(8))
    assert sum("not the password" in one for one in said) <= 3


def test_page_password_is_looked_at_once_for_each_that_is_given(page, home, monkeypatch):
    monkeypatch.setenv("DIGITS_PASSWORD", "chalk")
    page.run()
    page.text_input[0].set_value("cheese").run()
    assert "That is not the password." in page.error[0].value
    tries = home.tries.read_bytes()
    page.run()
    assert home.tries.read_bytes() == tries
    assert not page.text_input[0].value


def test_page_password_where_no_try_can_be_counted_says_so_and_lets_nobody_in(page, monkeypatch):
    def fail(*_):
        raise PermissionError(13, "Permission denied", "password.json.lock")

    monkeypatch.setenv("DIGITS_PASSWORD", "chalk")
    monkeypatch.setattr("digits.page.shared.refusal", fail)
    page.run()
    page.text_input(key="password").set_value("chalk").run()
    assert not page.exception
    assert any("nobody gets in" in error.value for error in page.error)
    assert not page.session_state["unlocked"]
