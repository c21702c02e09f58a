"""The password's tries: one counter for all visits and servers of a home, with a growing delay.

A wrong one makes everybody wait before the next is looked at, so that many visits at once guess no
faster than one. Who is in already stays in.
"""

from __future__ import annotations

import hmac
import time
from dataclasses import dataclass

from digits import durable, records
from digits.home import Home

FIRST_DELAY, MAX_DELAY = 1.0, 60.0  # s after the first wrong try, and at most: it doubles
FORGIVEN = 3600.0  # s without a try, after which the count begins again


@dataclass(frozen=True)
class Tries:
    """How many wrong passwords were given in a row, and when the last was, s since 1970."""

    wrong: int = 0
    at: float = 0.0

    @property
    def delay(self) -> float:
        """The seconds from the last wrong try to the next that is looked at."""
        return min(FIRST_DELAY * 2 ** (self.wrong - 1), MAX_DELAY) if self.wrong else 0.0


def refusal(home: Home, given: str, password: str) -> str:
    """Return "" if the password given is right and was looked at, else what to do.

    Raises OSError when the try cannot be counted: then nobody gets in.
    """
    path, now = home.tries, time.time()
    with home.lock(path):  # one after another, also of several servers
        tries = records.read(path, Tries)
        passed = abs(now - tries.at)  # a clock put back gives nobody more tries, nor locks out long
        if passed < tries.delay:
            return f"After a wrong password, try again in {tries.delay - passed:.0f} s."
        if hmac.compare_digest(given.encode(), password.encode()):
            durable.remove(path)
            return ""
        wrong = 1 if passed > FORGIVEN else min(tries.wrong, 99) + 1
        records.write(path, Tries(wrong, now))
    return "That is not the password."
