"""Signing in as a person does: a real provider of OpenID Connect, a real server, a real browser."""

from __future__ import annotations

import asyncio
import os

import pytest
from oidc_provider_mock import User, run_server_in_thread
from playwright.sync_api import expect, sync_playwright
from streamlit.proto.WidgetStates_pb2 import WidgetState

from digits import feedback
from digits.feedback.corrections import PASSWORD
from stress.session import opened
from tests.homes import add_misread, make_home, misread
from tests.served import BROWSER, LAUNCH, answer, click, serve, settle, upload

WAIT = 120_000  # ms for anything in the browser; a machine may be busy
TEACHER, STRANGER, PRETENDER = "anna@school.org", "eve@school.org", "ben@school.org"
PEOPLE = [
    User(sub="teacher", claims={"email": TEACHER.upper(), "email_verified": True}),
    User(sub="stranger", claims={"email": STRANGER, "email_verified": True}),
    User(sub="pretender", claims={"email": PRETENDER, "email_verified": False}),
]

if not BROWSER and not os.environ.get("CI"):  # on CI its absence is a failure
    pytest.skip("needs Chromium: apt-get install chromium", allow_module_level=True)


@pytest.fixture(scope="module")
def provider():
    """The address of a provider that knows PEOPLE and asks no passwords."""
    with run_server_in_thread(user_claims=PEOPLE) as server:
        yield f"http://localhost:{server.server_port}"


@pytest.fixture
def home(tmp_path, shipped):
    """A home in which a correction waits."""
    home = make_home(tmp_path / "home")
    add_misread(home, shipped, 1)
    return home


@pytest.fixture
def address(home, provider, tmp_path, monkeypatch):
    """The address of a page where two may teach, with no password."""
    secrets = tmp_path / "secrets.toml"
    secrets.write_text(
        f"""
        [auth]
        redirect_uri = "http://127.0.0.1:{{port}}/oauth2callback"
        cookie_secret = "0123456789abcdef0123456789abcdef"
        client_id = "digits"
        client_secret = "chalk"
        server_metadata_url = "{provider}/.well-known/openid-configuration"
        """
    )
    monkeypatch.setenv("DIGITS_TEACHERS", f"{PRETENDER}, {TEACHER}")
    monkeypatch.setenv("STREAMLIT_SECRETS_FILES", str(secrets))
    monkeypatch.setenv("AUTHLIB_INSECURE_TRANSPORT", "1")
    with serve(home) as server:
        yield server.address


@pytest.fixture
def page(address):
    """The page in a browser of its own, as a stranger finds it."""
    with sync_playwright() as playwright:
        expect.set_options(timeout=WAIT)
        browser = playwright.chromium.launch(**LAUNCH)
        page = browser.new_page()
        page.set_default_timeout(WAIT)
        page.goto(address)
        yield page
        browser.close()


def sign_in(page, who: str) -> None:
    """Sign in at the provider."""
    click(page, "button", "Sign in")
    page.get_by_role("button", name=who).click()
    page.get_by_role("button", name="Sign out").wait_for()
    settle(page)


def sign_out(page) -> None:
    """Sign out here and at the provider."""
    click(page, "button", "Sign out")
    page.get_by_role("button", name="End session").click()
    page.get_by_role("button", name="Sign in").wait_for()
    settle(page)


def is_closed(page) -> bool:
    """Whether nothing may be changed on the page."""
    return page.get_by_role("button", name="Run Fine-tuning").is_disabled()


def test_page_opens_to_teachers_who_sign_in_and_closes_when_they_sign_out(
    page, home, shipped, tmp_path
):
    picture, _, label = misread(shipped, 2)[1]
    picture.save(tmp_path / "digit.png")
    page.get_by_role("button", name="Sign in").wait_for()
    settle(page)
    assert is_closed(page)
    for who, why in (("stranger", "is not among the teachers"), ("pretender", "is not verified")):
        sign_in(page, who)
        expect(page.get_by_text(why)).to_be_visible()
        assert is_closed(page)
        sign_out(page)
    sign_in(page, "teacher")
    expect(page.get_by_text(f"Signed in as {TEACHER.upper()}")).to_be_visible()
    assert not is_closed(page)
    upload(page, tmp_path / "digit.png")
    answer(page).wait_for()
    click(page, "button", str(label))
    expect(page.locator(".said")).to_contain_text("Stored: ")
    assert feedback.load(home)[0][-1].visits == PASSWORD
    sign_out(page)
    assert is_closed(page)


def test_forged_messages_without_signing_in_start_nothing(address, home):
    async def forge() -> None:
        async with opened(address) as session:
            find = session._finder("button", lambda one: one.label == "Run Fine-tuning")
            button = await session.until(find)
            assert button.disabled
            before = session._elements
            await session.run(WidgetState(id=button.id, trigger_value=True))
            await session.until(lambda: session._elements is not before)

    asyncio.run(forge())
    assert not home.started.exists()
