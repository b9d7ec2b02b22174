"""Reading the fields of a stranger's JSON object: a value that can be used, or a FormError that names field, value
and what is allowed."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from understudy.errors import FetchError, FormError
from understudy.media.network import NetworkGuard
from understudy.server.dialects.notes import Note

URL_CHARACTERS = 8192
URLS = f"an http:// or https:// URL without user name and password, of at most {URL_CHARACTERS} characters"
MOST_UNKNOWN = 20
GATEWAYS_MODEL = (
    "model"  # gateways send it beside the protocol's own name of a model; it is not a misspelt ``mode``
)

_SHOWN_CHARACTERS = 60
_UNFIT_FOR_TEXT = re.compile("[\0\ud800-\udfff]")
_UNFIT_FOR_URL = re.compile("[\0-\x20\x7f\\\\\ud800-\udfff]")
_GUARD = NetworkGuard()  # for the form of addresses only


def missing(name: str, allowed: str) -> FormError:
    return FormError(
        "field_missing",
        f"{name} is missing; allowed: {allowed}.",
        limit=allowed,
        fix="Add it to the request.",
    )


def invalid(name: str, found: str, allowed: str, *, fix: str = "Correct it.") -> FormError:
    """``found`` is the value, already fit to be shown: see ``shown``."""
    return FormError(
        "field_invalid", f"{name} is {found}; allowed: {allowed}.", value=found, limit=allowed, fix=fix
    )


def shown(value: object) -> str:
    """A stranger's value as an error may show it: short, of one line, nothing unprintable."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int() if value.bit_length() > 128:
            return "a very large number"
        case int() | float():
            return f"the number {value}"
        case str() if len(value) > _SHOWN_CHARACTERS:
            return f"{value[:_SHOWN_CHARACTERS]!r}... ({len(value)} characters)"
        case str():
            return repr(value)
        case Mapping():
            return "an object"
        case list() | tuple():
            return f"an array of {len(value)}"
    return f"of the type {type(value).__name__}"


def text(body: Mapping[str, Any], name: str, *, most: int) -> str:
    """A text of at most ``most`` characters that the database can keep. ``""`` and null are an absent one: ``""``."""
    value = body.get(name)
    if value is None or value == "":
        return ""
    allowed = f"a text of at most {most} characters, without zero bytes and halves of surrogate pairs"
    if not isinstance(value, str):
        raise invalid(name, shown(value), allowed)
    if len(value) > most:
        raise invalid(name, f"{len(value)} characters long", allowed, fix="Shorten it.")
    if not storable(value):
        raise invalid(name, shown(value), allowed)
    return value


def choice(body: Mapping[str, Any], name: str, allowed: Sequence[str], *, default: str | None = None) -> str:
    """One of the allowed words. Null counts as absent; without a default an absent one is an error."""
    value = body.get(name)
    words = ", ".join(allowed)
    if value is None:
        if default is None:
            raise missing(name, words)
        return default
    if not isinstance(value, str) or value not in allowed:
        raise invalid(name, shown(value), words)
    return value


def model_word(
    body: Mapping[str, Any], name: str, models: Collection[str], *, default: str | None = None
) -> str:
    """The word of a model that there is. Raises FormError (``model_unknown``) for another one; without a default an
    absent or empty one is missing."""
    value = body.get(name)
    allowed = ", ".join(models)
    if value is None and default is not None:
        return default
    if value is None or (value == "" and default is None):
        raise missing(name, allowed)
    if not isinstance(value, str):
        raise invalid(name, shown(value), allowed)
    if value not in models:
        raise FormError(
            "model_unknown",
            f"{name} is {shown(value)}; allowed: {allowed}.",
            value=shown(value),
            limit=allowed,
            fix="Choose one of them.",
        )
    return value


def http_url(name: str, value: object) -> str:
    """The address itself, if it could be one. Where it leads to is judged when it is asked for."""
    if not isinstance(value, str):
        raise invalid(name, shown(value), URLS)
    usable = len(value) <= URL_CHARACTERS and not _UNFIT_FOR_URL.search(value)
    if usable:
        try:
            _GUARD.check_url(value)
        except FetchError:
            usable = False
    if not usable:
        raise invalid(name, shown(_without_secrets(value)), URLS)
    return value


def optional_url(body: Mapping[str, Any], name: str) -> str | None:
    """An address that may be absent, null or empty."""
    value = body.get(name)
    return None if value is None or value == "" else http_url(name, value)


def storable(value: str) -> bool:
    """Postgres keeps neither zero bytes nor lone surrogates."""
    return not _UNFIT_FOR_TEXT.search(value)


def unknown_keys(given: Iterable[str], known: Collection[str], *, kind: str, what: str) -> tuple[Note, ...]:
    """A note for each key that nobody knows. One that looks like a misspelt known key is refused, and so are very
    many; ``what`` names the place, such as "the body"."""
    unknown = [key for key in given if key not in known]
    if len(unknown) > MOST_UNKNOWN:
        raise FormError(
            "field_invalid",
            f"{what} has {len(unknown)} unknown keys; allowed: {', '.join(known)}.",
            value=f"{len(unknown)} unknown keys",
            limit=f"{MOST_UNKNOWN} unknown keys",
            fix="Leave them out.",
        )
    for key in unknown:
        meant = _meant(key, known)
        if meant is not None and key != GATEWAYS_MODEL:
            raise FormError(
                "field_invalid",
                f"{what} has the unknown key {shown(key)}; allowed: {', '.join(known)}.",
                value=shown(key),
                limit=", ".join(known),
                fix=f"Write {meant}, if that is what you mean.",
            )
    return tuple(Note(kind, key) for key in unknown)


def _meant(key: str, known: Collection[str]) -> str | None:
    if len(key) > 64:
        return None
    plain = {_plain(name): name for name in known}
    near = difflib.get_close_matches(_plain(key), plain, n=1, cutoff=0.8)
    return plain[near[0]] if near else None


def _plain(key: str) -> str:
    return key.replace("_", "").replace("-", "").lower()


def _without_secrets(url: str) -> str:
    """Without query and credentials: signed addresses belong in no error and no log."""
    plain = url.partition("?")[0].partition("#")[0]
    before, at, after = plain.rpartition("@")
    return f"{before.partition('//')[0]}//***@{after}" if at and before else plain
