"""What several tests share: the project's own rows and network, loaded once."""

from __future__ import annotations

import numpy as np
import pytest
from streamlit.runtime.scriptrunner import script_runner

from digits import metrics, model, versions
from digits.home import MODEL, Home
from digits.jobs import launch
from digits.learning import finetune
from digits.model import training
from digits.rows import first_of_each_digit, is_held_out, read_rows
from tests import postgres
from tests.homes import PROJECT
from tests.served import LAUNCH

KINDS = "folder", "database"
ON_BOTH = {  # the modules whose tests run on both
    f"test_{name}" for name in ("feedback", "progress", "receipts", "verdicts", "versions", "votes")
}
OF_FOLDERS = {"test_add_after_a_torn_row_stands_on_its_own_line"}  # no commit is torn


@pytest.fixture(scope="session", autouse=True)
def without_keras():
    """Run the page as where it serves, without Keras: Streamlit clears its session each time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(script_runner, "_clean_problem_modules", lambda: None)
        yield


@pytest.fixture(scope="session")
def rows():
    """The digits, uint8 (5000, 28, 28), and labels of train.csv; not to be written to."""
    digits, labels = read_rows(PROJECT / "train.csv")
    digits.flags.writeable = labels.flags.writeable = False
    return digits, labels


@pytest.fixture(scope="session")
def replay(rows):
    """The digits and labels of train.csv's replay rows."""
    digits, labels = rows
    part = ~is_held_out(digits)
    return digits[part], labels[part]


@pytest.fixture(scope="session")
def held_out(rows):
    """The digits and labels of train.csv's held-out rows."""
    digits, labels = rows
    part = is_held_out(digits)
    return digits[part], labels[part]


@pytest.fixture(scope="session")
def shipped():
    """The network in model.h5; not to be trained."""
    return model.load(PROJECT / MODEL)


@pytest.fixture(scope="session")
def net():
    """The shipped network, without TensorFlow."""
    return model.load_light(PROJECT / MODEL)


@pytest.fixture(scope="session")
def few(rows):
    """The first eight rows of each digit: digits, uint8 (80, 28, 28), and labels, int (80,)."""
    digits, labels = rows
    first = first_of_each_digit(labels, 8)
    return digits[first], labels[first]


@pytest.fixture(scope="session")
def bent(shipped, replay):
    """Twelve misclassified digits, replay rows bent twice, and their labels."""
    rng = np.random.default_rng(3)
    digits = training.augment(training.augment(replay[0], rng), rng)
    wrong = ~metrics.correct(replay[1], model.predict(shipped, digits))
    return digits[wrong][:12], replay[1][wrong][:12]


@pytest.fixture(scope="session")
def lesson(shipped, replay, bent):
    """What a short lesson on bent makes of the shipped network, and the progress it told."""
    told = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(finetune, "ROUNDS", 1)
        patch.setattr(finetune, "REPLAY_ROWS", 200)
        old = finetune.replay_rows(replay, model.predict(shipped, replay[0]), seed=0)
        net = finetune.fine_tune(
            shipped, shipped, bent, old, 0, lambda *one: told.append(one), lambda head: 0.9
        )
    return net, told


def pytest_generate_tests(metafunc):
    """Run the tests of what a home keeps on both kinds of homes."""
    if metafunc.module.__name__.rpartition(".")[2] in ON_BOTH and "home" in metafunc.fixturenames:
        one = metafunc.function.__name__ in OF_FOLDERS
        metafunc.parametrize("home", KINDS[:1] if one else KINDS, indirect=True)


@pytest.fixture(scope="module")  # while it is lent, no other test may use an event loop
def browser(request):
    """A real browser, which waits for what is expected as long as the tests' module says."""
    from playwright.sync_api import expect, sync_playwright

    with sync_playwright() as playwright:
        expect.set_options(timeout=request.module.WAIT)
        browser = playwright.chromium.launch(**LAUNCH)
        yield browser
        browser.close()


@pytest.fixture
def home(request, tmp_path):
    """A home in the test's own folder, or in a database of its own; empty so far."""
    if getattr(request, "param", "") != "database":
        return Home.at(tmp_path)
    home = request.getfixturevalue("shared")
    home.follow()
    return home


@pytest.fixture(scope="session")
def database_server():
    """A PostgreSQL server; a test that stops it starts it again."""
    with postgres.serve() as server:
        yield server


@pytest.fixture
def shared(database_server, tmp_path, monkeypatch):
    """A home in a database of its own, empty so far, that this host follows in a folder."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with database_server.new_database() as address:
        yield Home.at(address)


@pytest.fixture
def begun(monkeypatch):
    """The fine-tunings that were started, without any."""
    begun = []

    class Begun:
        says, went_well, ended = "Done.", True, versions.now()

        def __init__(self, *options):
            begun.append(options)

        def is_alive(self):
            return False

    monkeypatch.setattr(launch, "Run", Begun)
    return begun
