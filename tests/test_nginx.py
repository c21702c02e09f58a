"""Two real servers on one home behind a real nginx, which has docs/nginx.conf as it lies there."""

from __future__ import annotations

import os
import re
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import pytest
import requests
from playwright.sync_api import expect

from digits import feedback, model, versions
from digits.home import Home
from tests.homes import make_home, misread
from tests.proxied import NGINX, proxy
from tests.served import BROWSER, Server, answer, click, serve, upload

WAIT = 120_000  # ms for anything on the page; a machine may be busy
RUN = 300_000  # ms for a fine-tuning
COOKIE = "digits_server"
AT_ONCE = 160  # uploads: 40 pass, 80 wait for their turn, the others are refused
PATIENCE = 5  # s that they wait for it

if not (BROWSER and NGINX) and not os.environ.get("CI"):  # on CI their absence is a failure
    pytest.skip("needs both: apt-get install chromium nginx", allow_module_level=True)


class Site(NamedTuple):
    """Where visitors go, the servers that the cookie calls one and two, and their home."""

    address: str
    one: Server
    two: Server
    home: Home


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    home = make_home(folder / "home")
    with serve(home) as one, serve(home) as two, proxy(folder / "nginx", (one, two)) as nginx:
        yield Site(nginx.address, one, two, home)


@pytest.fixture
def visit(browser, site):
    """Return what opens a page for a visitor of the server named, who has been there before."""
    visitors = []

    def open_page(server: str):
        visitor = browser.new_context()
        visitors.append(visitor)
        visitor.add_cookies([{"name": COOKIE, "value": server, "url": site.address}])
        page = visitor.new_page()
        page.set_default_timeout(WAIT)
        page.said = []
        page.on("console", lambda message: page.said.append(message.text))
        page.goto(site.address)
        page.get_by_role("button", name="Run Fine-tuning").wait_for()
        return page

    yield open_page
    for visitor in visitors:
        visitor.close()


def server_of(page) -> str:
    """Return which server the page's cookie names."""
    return next(one["value"] for one in page.context.cookies() if one["name"] == COOKIE)


def sessions(server: Server) -> int:
    """Return how many visits a server holds, as it says itself."""
    said = requests.get(f"{server.address}/_stcore/metrics").text
    return int(re.search(r"^active_sessions (\d+)", said, re.MULTILINE)[1])


# What every visitor gets


def test_first_visits_are_spread_and_come_back_to_their_server(site):
    seen = set()
    for _ in range(40):  # all on one: once in 10¹²
        with requests.Session() as visitor:
            first = visitor.get(site.address).cookies[COOKIE]
            again = {visitor.get(site.address).cookies[COOKIE] for _ in range(3)}
        assert again == {first}
        seen.add(first)
    assert seen == {"one", "two"}


@pytest.mark.parametrize(
    "path", ["/_stcore/metrics", "/_stcore/metrics/", "/_stcore//metrics", "/_stcore/%6detrics"]
)
def test_metrics_are_closed(site, path):
    assert requests.get(site.address + path).status_code == 404
    assert requests.get(f"{site.one.address}/_stcore/metrics").ok


def test_scripts_come_compressed_and_whole(site):
    name = re.search(r'src="\./(static/js/index[^"]+)"', requests.get(site.address).text)[1]
    plain = requests.get(f"{site.one.address}/{name}").content
    with requests.get(f"{site.address}/{name}", stream=True) as packed:
        assert packed.headers["Content-Encoding"] == "gzip"
        sent = packed.raw.read()
    assert len(sent) < len(plain) / 2
    assert requests.get(f"{site.address}/{name}").content == plain


@pytest.mark.parametrize("path", ["/", "/_stcore/health", "/_stcore/metrics", "/missing.js"])
def test_headers_keep_strangers_pages_and_other_hosts_out(site, path):
    headers = requests.get(site.address + path).headers
    assert headers["X-Frame-Options"] == "SAMEORIGIN"
    assert headers["X-Content-Type-Options"] == "nosniff"
    policy = headers["Content-Security-Policy"].split("; ")
    assert {"frame-ancestors 'self'", "object-src 'none'"} < set(policy)
    assert "http" not in headers["Content-Security-Policy"]


@pytest.mark.parametrize(("size", "refused"), [(11 << 20, False), ((11 << 20) + 1, True)])
def test_upload_larger_than_a_picture_may_be_is_refused_by_the_proxy(site, size, refused):
    done = requests.put(f"{site.address}/_stcore/upload_file/a/b", data=bytes(size))
    assert (done.status_code == 413) == refused  # Streamlit knows of no visit a: 403


def test_uploads_of_one_address_are_bounded(site, tmp_path):
    def send(_) -> int | None:
        try:
            place = f"{nginx.address}/_stcore/upload_file/a/b"
            return requests.put(place, data=b"x", timeout=PATIENCE).status_code
        except requests.Timeout:
            return None

    with proxy(tmp_path, (site.one, site.two)) as nginx, ThreadPoolExecutor(AT_ONCE) as pool:
        outcomes = list(pool.map(send, range(AT_ONCE)))
    assert outcomes.count(403) > 0  # they reached Streamlit, which knows of no visit a
    assert outcomes.count(None) > 0
    assert 0 < outcomes.count(429) <= AT_ONCE - 120


# What visitors of both servers share


def test_loop_on_one_server_is_seen_on_the_other(site, visit, tmp_path):
    picture, guessed, actual = misread(model.load_light(site.home.model), 1)[0]
    shown, others = tmp_path / "0.png", [tmp_path / f"{i}.png" for i in (1, 2)]
    for path in (shown, *others):
        picture.save(path)
    here = visit("one")
    upload(here, shown, *others)  # each a request of its own: by turns, one of them would be lost
    expect(here.locator(".answer h2")).to_have_count(3)
    here.reload()
    upload(here, shown)
    expect(answer(here)).to_contain_text(str(guessed))
    click(here, "button", str(actual))
    expect(here.locator(".said").get_by_text(f"Stored: {guessed} → {actual}")).to_be_visible()

    there = visit("two")
    assert (sessions(site.one), sessions(site.two)) == (1, 1)
    site.home.versions.mkdir(exist_ok=True)
    site.home.started.touch()  # as a press on any server of the home leaves it
    click(there, "button", "Run Fine-tuning")
    expect(there.get_by_text("The next run may start in")).to_be_visible()
    os.utime(site.home.started, (0, 0))  # that was long ago
    click(here, "button", "Run Fine-tuning")
    expect(here.get_by_text("Learned 1 of 1.")).to_be_visible(timeout=RUN)
    assert len([one for one in versions.history(site.home) if one.run]) == 1

    there.reload()
    upload(there, shown)
    expect(answer(there)).to_contain_text(str(actual))
    click(there, "tab", "Versions")
    click(there, "button", "Put v1 in service")
    expect(there.get_by_text("v1 answers now.")).to_be_visible()
    here.reload()
    upload(here, shown)
    expect(answer(here)).to_contain_text(str(guessed))
    assert (server_of(here), server_of(there)) == ("one", "two")
    assert not [text for text in here.said + there.said if "Content Security Policy" in text]


def test_visitor_of_a_stopped_server_goes_on_at_the_other_and_stays(site, visit, tmp_path):
    picture, guessed, actual = misread(model.load_light(site.home.model), 2)[1]
    picture.save(shown := tmp_path / "digit.png")
    page = visit("two")
    before = len(feedback.load(site.home)[0])
    site.two.process.terminate()
    site.two.process.wait()

    page.reload()
    upload(page, shown)
    expect(answer(page)).to_contain_text(str(guessed))
    assert server_of(page) == "one"
    port = site.two.address.rpartition(":")[2]
    with serve(site.home, port=port) as again:
        upload(page, shown)
        click(page, "button", str(actual))
        expect(page.locator(".said").get_by_text(f"Stored: {guessed} → {actual}")).to_be_visible()
        assert (server_of(page), sessions(again)) == ("one", 0)
    assert len(feedback.load(site.home)[0]) == before + 1
