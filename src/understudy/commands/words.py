"""A stranger's words within a line of ours."""

from __future__ import annotations

from urllib.parse import urlsplit

from understudy.terminal import plain


def one_line(text: str) -> str:
    """The text on one line, with nothing in it that a terminal would obey."""
    return plain(" ".join(text.splitlines()))


def without_secrets(url: str) -> str:
    """The URL without user name, password and what follows the path: any of these can be a key."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "(no URL)"
    more = "?..." if parts.query or parts.fragment else ""
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}{more}"
