"""Who signs in as a teacher, in the page's logic: `digits.page.teachers` and what follows of it."""

import pytest
import streamlit as st
from streamlit import config
from streamlit.testing.v1 import AppTest

from digits import feedback
from digits.feedback.corrections import PASSWORD
from digits.page import teachers
from tests.homes import PROJECT, make_home, misread
from tests.test_app import button, judge, png, said, upload
from tests.test_rights import forge

AUTH = {
    "redirect_uri": "http://localhost:8501/oauth2callback",
    "cookie_secret": "0123456789abcdef",
    "client_id": "digits",
    "client_secret": "chalk",
    "server_metadata_url": "http://localhost/.well-known/openid-configuration",
}
ANNA = {"is_logged_in": True, "email": "anna@school.org", "email_verified": True}


@pytest.fixture(scope="module")
def wrong(shipped):
    """A picture that the network reads wrong, its guess and its label."""
    return misread(shipped, 1)[0]


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("DIGITS_HOME", str(tmp_path))
    return make_home(tmp_path)


@pytest.fixture
def waiting(home, wrong):
    """What waits in the home to be learned: one correction."""
    return feedback.add(home, *wrong)


@pytest.fixture
def page(home, monkeypatch):
    """The page of a school where Anna and Ben may teach."""
    monkeypatch.setenv("DIGITS_TEACHERS", " ben@school.org,Anna@School.org , ")
    page = AppTest.from_file(str(PROJECT / "app.py"), default_timeout=120)
    page.secrets["auth"] = dict(AUTH)
    return page


def is_closed(page) -> bool:
    """Whether the visitor can change nothing: no judgement is offered, none is taken."""
    labels = [one.label for one in page.button]
    return "✓ right" not in labels and button(page, "Run Fine-tuning").disabled


def visited(page, wrong, user: dict | None = None):
    """The page as a visitor with those claims finds it who has given a picture."""
    page.user = user or {}
    return upload(page, png(wrong[0]))


@pytest.mark.parametrize(
    "claims",
    [
        {},
        {"email": "ANNA@school.org", "email_verified": "true"},
        {"email": "ben@school.org", "email_verified": True},
    ],
)
def test_page_teacher_who_signed_in_corrects_and_is_trusted(page, home, wrong, claims):
    user = ANNA | claims
    visited(page, wrong, user)
    assert f"Signed in as `{user['email']}`." in said(page)
    label = wrong[2]
    judge(page, str(label))
    ((kept,), _) = feedback.load(home)
    assert (kept.actual, kept.visits) == (label, PASSWORD)


def test_page_provider_that_says_nothing_of_verification_is_believed(page, home, wrong):
    visited(page, wrong, {"is_logged_in": True, "email": "anna@school.org"})
    assert "✓ right" in [one.label for one in page.button]


@pytest.mark.parametrize(
    ("claims", "why"),
    [
        ({"email": "eve@school.org"}, "`eve@school.org` is not among the teachers"),
        ({"email": "anna@school.org.evil.com"}, "not among the teachers"),
        ({"email": "anna@school.org,ben@school.org"}, "not among the teachers"),
        ({"email": ""}, "tells no e-mail address"),
        ({"email": None}, "tells no e-mail address"),
        ({"email_verified": False}, "is not verified by your provider"),
        ({"email_verified": "false"}, "is not verified by your provider"),
        ({"email_verified": None}, "is not verified by your provider"),
    ],
)
def test_page_who_signed_in_but_is_no_teacher_is_told_why_and_changes_nothing(
    page, waiting, wrong, begun, claims, why
):
    visited(page, wrong, ANNA | claims)
    assert why in said(page)
    assert is_closed(page)
    forge(page, "Run Fine-tuning")
    assert begun == []
    assert button(page, "Sign out")


@pytest.mark.parametrize("user", [{}, {"email": "anna@school.org"}, ANNA | {"is_logged_in": False}])
def test_page_who_has_not_signed_in_is_offered_to_and_changes_nothing(
    page, waiting, wrong, begun, user
):
    visited(page, wrong, user)
    assert button(page, "Sign in")
    assert is_closed(page)
    forge(page, "Run Fine-tuning")
    assert begun == []


def test_page_teacher_signed_out_while_the_page_was_open_changes_nothing(page, home, wrong):
    visited(page, wrong, ANNA)
    page.user = {}
    judge(page, "7")
    assert feedback.load(home) == ([], [])


def test_page_password_opens_beside_signing_in(page, home, wrong, monkeypatch):
    monkeypatch.setenv("DIGITS_PASSWORD", "chalk")
    visited(page, wrong, ANNA | {"email": "eve@school.org"})
    page.text_input(key="password").set_value("chalk").run()
    assert "✓ right" in [one.label for one in page.button]


# What is set up by half


@pytest.mark.parametrize(
    ("listed", "auth", "why"),
    [
        ("anna@school.org", None, "`secrets.toml` is missing or without"),
        (",", None, "`secrets.toml` is missing or without"),
        ("", "no section", "`secrets.toml` cannot be read"),
        ("", AUTH, "DIGITS_TEACHERS names nobody"),
        (" , ", AUTH, "DIGITS_TEACHERS names nobody"),
        ("anna@school.org", AUTH | {"cookie_secret": "short"}, "could be forged"),
        ("anna@school.org", {"client_id": "digits"}, "could be forged"),
    ],
)
def test_page_set_up_by_half_says_what_is_missing_and_lets_nobody_in(
    page, waiting, wrong, monkeypatch, listed, auth, why
):
    monkeypatch.setenv("DIGITS_TEACHERS", listed)
    page.secrets.clear()
    page.secrets.update({"auth": auth} if auth else {"other": 1})
    visited(page, wrong, ANNA)
    assert [one.value for one in page.warning if why in one.value]
    assert is_closed(page)
    assert "Sign in" not in [one.label for one in page.button]


@pytest.fixture
def secrets(tmp_path_factory):
    """Streamlit's secrets.toml, without anything that a page needs; it has been read."""
    path = tmp_path_factory.mktemp("secrets") / "secrets.toml"
    path.write_text("other = 1")
    st.secrets._reset()
    before = st.get_option("secrets.files")
    config._set_option("secrets.files", [str(path)], "a test")
    yield path
    config._set_option("secrets.files", before, "a test")
    st.secrets._reset()


@pytest.mark.parametrize("content", [b"[auth", b"\xff", b"auth = 1", None])
def test_page_damaged_secrets_close_it_in_a_sentence_without_a_path(
    home, waiting, wrong, begun, secrets, content
):
    page = AppTest.from_file(str(PROJECT / "app.py"), default_timeout=120)
    assert not is_closed(visited(page, wrong))
    secrets.unlink()
    secrets.mkdir() if content is None else secrets.write_bytes(content)
    st.secrets._reset()  # as Streamlit does when the file changes, and on the next start
    judge(page, "7")
    forge(page, "Run Fine-tuning")
    assert is_closed(page)
    assert "`secrets.toml` cannot be read" in page.warning[0].value
    assert str(secrets) not in said(page)
    assert (feedback.load(home)[0], begun) == ([waiting], [])


def test_page_without_a_list_and_a_section_is_open_and_offers_no_door(
    page, waiting, wrong, monkeypatch
):
    monkeypatch.delenv("DIGITS_TEACHERS")
    page.secrets.clear()
    page.secrets["other"] = 1
    visited(page, wrong, ANNA)
    assert not button(page, "Run Fine-tuning").disabled
    assert not {"Sign in", "Sign out"} & {one.label for one in page.button}
    assert not page.text_input


def test_page_provider_that_lacks_something_is_told_in_a_sentence(page, monkeypatch):
    # AppTest's secrets do not reach the section that Streamlit's own `login` reads
    page.run()
    button(page, "Sign in").click().run()
    assert not page.exception
    assert "authentication" in page.error[0].value


@pytest.mark.parametrize(
    ("section", "names"),
    [
        (AUTH, ["default"]),
        ({"cookie_secret": "x"}, ["default"]),
        ({"school": AUTH, "client_kwargs": {"prompt": "login"}}, ["school"]),
        (AUTH | {"school": AUTH, "other": AUTH}, ["default", "school", "other"]),
    ],
)
def test_providers_are_those_of_the_section(section, names, monkeypatch):
    monkeypatch.setattr(teachers, "_section", lambda: section)
    assert teachers.providers() == names
