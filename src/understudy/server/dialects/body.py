"""JSON bodies: read strictly, written so that every parser reads them."""

from __future__ import annotations

import json
from typing import Any, NoReturn

from understudy.errors import FormError

# Values take far more memory than their text, and decoding holds all else up: 15 MB of empty arrays, 4 s and 400 MB.
# Counted are commas, colons and opening brackets, those within texts too; a large request of ours has 200.
MOST_MARKS = 20_000
MARKS = (b",", b":", b"[", b"{")


def json_object(content: bytes) -> dict[str, Any]:
    """The object, whatever Content-Type was said. Raises FormError (``body_unreadable``) where it is not UTF-8, not
    JSON by the standard, not an object, names a key twice, or has very many values."""
    if sum(map(content.count, MARKS)) > MOST_MARKS:
        raise _unreadable("it has too many values")
    try:
        value = json.loads(
            content.decode("utf-8-sig"), object_pairs_hook=_each_once, parse_constant=_no_constant
        )
    except UnicodeDecodeError:
        raise _unreadable("it is not UTF-8") from None
    except json.JSONDecodeError as error:
        raise _unreadable(f"it is no JSON: {error.msg}, line {error.lineno}, column {error.colno}") from None
    except RecursionError:
        raise _unreadable("it is nested too deeply") from None
    except _RefusedError as error:
        raise _unreadable(str(error)) from None
    except ValueError:  # Python refuses to read whole numbers of thousands of digits
        raise _unreadable("it has too large a number") from None
    if not isinstance(value, dict):
        raise _unreadable("it is JSON, but not an object")
    return value


def written(body: object) -> bytes:
    """JSON in ASCII, whatever a stranger's text holds."""
    return json.dumps(body, separators=(",", ":")).encode("ascii")


class _RefusedError(ValueError):
    """What the standard leaves open and a service should not guess at."""


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) != len(pairs):
        raise _RefusedError("a key comes twice in one object")
    return values


def _no_constant(word: str) -> NoReturn:
    raise _RefusedError(f"{word} is no number of JSON's")


def _unreadable(why: str) -> FormError:
    return FormError(
        "body_unreadable",
        f"The request's body cannot be read: {why}.",
        limit="one JSON object in UTF-8",
        fix="Send one JSON object in UTF-8.",
    )
