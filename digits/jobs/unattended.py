"""What a run needs that nobody watches: it makes way for others, and tells a monitor."""

from __future__ import annotations

import os
import urllib.request
from contextlib import suppress

PING_TIMEOUT = 5  # s; nobody waits for a monitor that does not answer
NICE = 10  # of 19: the page goes first


def make_way() -> None:
    """Lower this process' priority, so that the page stays quick meanwhile."""
    os.nice(NICE)


def ping(url: str | None, word: str, message: str = "") -> None:
    """Tell a monitor how the run goes, in the manner of https://healthchecks.io/docs/http_api/.

    word: `start`, or the exit code. Nothing that goes wrong here concerns the run.
    """
    if not url:
        return
    address = f"{url.rstrip('/')}/{word}"
    with (
        suppress(OSError, ValueError),  # no network, no such host, no such check
        urllib.request.urlopen(address, data=message.encode(), timeout=PING_TIMEOUT),
    ):
        pass
