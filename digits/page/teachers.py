"""Teachers who sign in, with OpenID Connect: those whose addresses DIGITS_TEACHERS names.

Streamlit does the signing in, at the providers that the section `[auth]` of its secrets.toml names.
Here stands who of all those may change things. When half of what it takes is missing, nobody may:
better a page closed by mistake than one open by mistake.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import streamlit as st

SECRET = 16  # characters of cookie_secret, at least: whoever guesses it signs in as anybody
DEFAULT = "default"  # what Streamlit calls the provider that stands in `[auth]` itself


def are_set_up() -> bool:
    """Return whether the owner wants teachers to sign in, be it by half: others may not change."""
    return bool(_listed()) or _section() != {}


def fault() -> str:
    """Return why nobody can sign in although somebody should, and the remedy, or ""."""
    section = _section()
    if section is None:
        return (
            "Streamlit's `secrets.toml` cannot be read, so nobody can sign in and the page stays "
            "closed: its owner can mend or remove it (`finetuning.py --check` says where it is)."
        )
    if not are_set_up():
        return ""
    if not section:
        return (
            "DIGITS_TEACHERS is set, but Streamlit's `secrets.toml` is missing or without a "
            "section `[auth]`, so nobody can sign in: add the section, or unset the variable."
        )
    if not _addresses():
        return (
            "Streamlit's `secrets.toml` has a section `[auth]`, but DIGITS_TEACHERS names nobody, "
            "so nobody can sign in: set it to the teachers' addresses, separated by commas."
        )
    if len(str(section.get("cookie_secret", ""))) < SECRET:
        return (
            f"`cookie_secret` in the section `[auth]` has fewer than {SECRET} characters, so that "
            "a sign-in could be forged and nobody can sign in: give it 32 random ones."
        )
    return ""


def providers() -> list[str]:
    """Return the names of the providers at which one can sign in, as `st.login` takes them."""
    section = _section() or {}
    named = [
        name for name, one in section.items() if isinstance(one, Mapping) and "client_id" in one
    ]
    return named if named and "client_id" not in section else [DEFAULT, *named]


def is_signed_in() -> bool:
    """Return whether the visitor is signed in, a teacher or not."""
    return st.user.get("is_logged_in") is True


def address() -> str:
    """Return the e-mail address of who is signed in, "" when the provider does not tell it."""
    return str(st.user.get("email") or "")


def refusal() -> str:
    """Return why who is signed in is no teacher, in a sentence; "" for a teacher."""
    verified = st.user.get("email_verified", True)
    if not address():
        return "Your sign-in tells no e-mail address, so you are not known as a teacher."
    if str(verified).casefold() != "true":  # some providers write it as text
        return f"`{address()}` is not verified by your provider: verify it there, sign in again."
    if address().casefold() not in _addresses():
        return f"`{address()}` is not among the teachers of this page: its owner can add it."
    return ""


def is_one() -> bool:
    """Return whether the visitor is signed in as a teacher."""
    return not fault() and is_signed_in() and not refusal()


def _listed() -> str:
    """Return what DIGITS_TEACHERS says, "" when it is not set."""
    return os.environ.get("DIGITS_TEACHERS", "")


def _addresses() -> set[str]:
    """Return the addresses that DIGITS_TEACHERS names, without case."""
    return {one.strip().casefold() for one in _listed().split(",")} - {""}


def _section() -> Mapping[str, Any] | None:
    """Return the section `[auth]` of Streamlit's secrets, an empty one when there is none.

    None when secrets are there but cannot be read: to Streamlit these are as none.
    """
    try:
        if st.secrets.load_if_toml_exists():
            section = st.secrets.get("auth", {})
            return section if isinstance(section, Mapping) else None
    except (OSError, ValueError):  # not for this user, or no UTF-8
        return None
    return None if any(map(os.path.lexists, st.get_option("secrets.files"))) else {}
