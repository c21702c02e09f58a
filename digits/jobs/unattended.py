"""What a run needs that nobody watches: a log, short messages, low priority, a monitor told."""

from __future__ import annotations

import logging
import os
import signal
import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from logging.handlers import RotatingFileHandler
from pathlib import Path

PING_TIMEOUT = 5  # s; nobody waits for a monitor that does not answer
LOG_BYTES, LOG_FILES = 1_000_000, 3  # a thousand runs, then a new file; older ones that stay
MAX_MESSAGE = 300  # characters: what a line of a terminal or a mail still shows
TELLING = 3.0  # s for a stopped run to say so, at most
NICE = 10  # of 19: the page goes first

log = logging.getLogger("digits")


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


@contextmanager
def ending_at_once(tell: Callable[[int], None], code: int) -> Iterator[None]:
    """End this process with the exit code at SIGTERM or SIGINT meanwhile, when it has told.

    tell: is given the file descriptor to say so on. Not by an exception: threads that import or
    train would keep the process, and its lock, for as long as they take. The kernel frees the lock,
    and the next run sweeps up, as after a kill.
    """
    said = os.dup(2)  # native code may be muted on 2 while TensorFlow is imported

    def telling() -> None:
        with suppress(OSError):
            tell(said)

    def end(number: int, frame: object) -> None:
        teller = threading.Thread(target=telling, daemon=True)  # this one may be writing just now
        teller.start()
        teller.join(TELLING)
        os._exit(code)

    before = {name: signal.signal(name, end) for name in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)
        os.close(said)


@contextmanager
def journal(path: Path | None, level: int) -> Iterator[None]:
    """Keep what is logged meanwhile in a file, if one is given, and show it from a level on."""
    handlers: list[logging.Handler] = [logging.StreamHandler()]
    handlers[0].setLevel(level)
    if path is not None:
        file = RotatingFileHandler(path, "a", LOG_BYTES, LOG_FILES, encoding="utf-8", delay=True)
        file.setFormatter(logging.Formatter("%(asctime)s %(process)d %(message)s"))
        handlers.append(file)
    logging.raiseExceptions = False  # a disk too full for the log stops no run
    log.setLevel(logging.INFO)
    log.handlers, log.propagate = handlers, False  # TensorFlow gives the root logger one
    logging.captureWarnings(True)  # Keras' and others' are for the log alone
    noted = logging.getLogger("py.warnings")
    noted.handlers, noted.propagate = handlers[1:] or [logging.NullHandler()], False
    try:
        yield
    finally:
        logging.captureWarnings(False)
        log.handlers, noted.handlers = [], []
        for handler in handlers:
            with suppress(OSError):  # as above
                handler.close()


def shortened(message: str) -> str:
    """Return the message as one line of MAX_MESSAGE characters at most; the log keeps the rest."""
    line = " ".join(message.split())
    if len(line) <= MAX_MESSAGE:
        return line
    log.info("In full: %s", message)
    return f"{line[: MAX_MESSAGE - 1]}…"
