"""Which tasks a request of Kling's API 2.0 asks for: by their ids, or all of a time, page by page with a cursor.

A cursor is our own JSON in base64: a strange one is refused. What it could be made to say, anybody may ask for anyway.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from understudy.server.dialects.call import Call
from understudy.server.dialects.fields import invalid, missing, shown, unknown_keys
from understudy.server.dialects.kling2_answers import PRODUCT, STATUSES
from understudy.server.dialects.notes import UNKNOWN_KEY, UNKNOWN_PARAMETER, Note
from understudy.tasks.task import Task
from understudy.tasks.window import Place, Window

LIST = "/tasks"
LISTED = 100  # tasks on a page, unless another number is asked for
NAMES = ("task_ids", "external_task_ids")
MOST_NAMES = 20
FIELDS = ("start_time", "end_time", "cursor", "limit", "filters")
LIMITS = (1, 500)
MOST_FILTERS = 20
MOST_VALUES = 100
TIMES_MS = (0, 253_402_300_799_000)  # to the last second of the year 9999
SPAN_MS = 30 * 86_400_000
CURSOR_CHARACTERS = 512
CLOCKS_MS = 60_000  # by which the database's clock may be ahead, so that no task just made is missing

_TIMES = f"milliseconds since 1970, a number or its digits, at most {TIMES_MS[1]}"
_CURSORS = "the next_cursor of an answer"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_HALF = timedelta(microseconds=500)  # answers round moments to the millisecond; a time that they told is in
_WORDS = {word: status for status, word in STATUSES.items()}


@dataclass(frozen=True)
class Dimension:
    """What can be filtered by: ``words`` are those allowed, none named: any text."""

    key: str
    words: tuple[str, ...] = ()


@dataclass(frozen=True)
class Listing:
    """A page of tasks. ``filters`` are the values by dimension; a dimension without any is left out."""

    start_ms: int
    end_ms: int
    limit: int
    filters: Mapping[str, tuple[str, ...]]
    behind: Place | None = None
    notes: tuple[Note, ...] = ()

    def window(self) -> Window:
        return Window(
            start=_moment(self.start_ms) - _HALF,
            end=_moment(self.end_ms) + _HALF,
            statuses=tuple(_WORDS[word] for word in self.filters.get("status", ())),
            behind=self.behind,
        )

    def cursor(self, last: Task) -> str:
        """Where the page behind the one that ends with this task begins."""
        at_us = (last.created_at - _EPOCH) // timedelta(microseconds=1)
        statuses = list(self.filters.get("status", ()))
        value = [self.start_ms, self.end_ms, self.limit, statuses, at_us, last.id]
        return base64.urlsafe_b64encode(json.dumps(value, separators=(",", ":")).encode()).decode()


TASKS = (
    Dimension("status", tuple(STATUSES.values())),
    Dimension("product_type", (PRODUCT, "image", "try_on")),
)


def decode_names(call: Call) -> tuple[list[str], bool, tuple[Note, ...]]:
    """The ids that ``GET /tasks`` asks for, whether they are external ones, and notes. Raises FormError."""
    given: dict[str, str] = {}
    for name, value in call.query:
        if name in given:
            raise invalid(name, "given twice", "one value")
        given[name] = value
    notes = unknown_keys(given, NAMES, kind=UNKNOWN_PARAMETER, what="The address")
    named = [name for name in NAMES if given.get(name)]
    allowed = f"at most {MOST_NAMES} ids with commas between"
    if not named:
        raise missing(" or ".join(NAMES), allowed)
    if len(named) > 1:
        raise invalid(NAMES[0], f"given beside {NAMES[1]}", "one of the two")
    (name,) = named
    external = name == NAMES[1]
    parts = given[name].split(",")
    names = [one for one in (parts if external else [part.strip() for part in parts]) if one]
    if not names:
        raise missing(name, allowed)
    if len(names) > MOST_NAMES:
        raise invalid(name, f"{len(names)} ids", allowed, fix="Ask for the others in another request.")
    return names, external, notes


def decode_listing(
    body: Mapping[str, Any],
    dimensions: tuple[Dimension, ...],
    *,
    now_ms: int,
    default_limit: int,
    cursor_alone: bool = False,
) -> Listing:
    """The body of ``POST /tasks`` and its like. A cursor brings its own times, and limit and filters where the body
    has none; ``cursor_alone``: whatever the body has. Raises FormError (``field_invalid``)."""
    notes = unknown_keys(body, FIELDS, kind=UNKNOWN_KEY, what="The body")
    cursor = body.get("cursor")
    carried = None if cursor is None or cursor == "" else _carried(cursor, notes)
    if carried is not None and cursor_alone:
        return carried
    limit = _limit(body)
    filters = _filters(body, dimensions)
    if carried is not None:
        return replace(carried, limit=limit or carried.limit, filters=filters or carried.filters)
    end_ms = milliseconds(body, "end_time")
    start_ms = milliseconds(body, "start_time")
    if start_ms is None:
        start_ms = max(TIMES_MS[0], (now_ms if end_ms is None else end_ms) - SPAN_MS)
    if end_ms is None:
        end_ms = now_ms + CLOCKS_MS
    check_order(start_ms, end_ms)
    return Listing(start_ms, end_ms, limit or default_limit, filters, notes=notes)


def milliseconds(given: Mapping[str, Any], name: str) -> int | None:
    """A time; None where it is absent, null or empty. Raises FormError (``field_invalid``)."""
    value = given.get(name)
    if value is None or value == "":
        return None
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= len(str(TIMES_MS[1])):
        value = int(value)
    if not _whole(value, TIMES_MS):
        raise invalid(name, shown(value), _TIMES)
    return int(value)


def check_order(start_ms: int, end_ms: int) -> None:
    """Raise FormError where a time does not begin before it ends."""
    if start_ms >= end_ms:
        raise invalid("start_time", f"the number {start_ms}", f"a time before end_time, which is {end_ms}")


def _limit(body: Mapping[str, Any]) -> int | None:
    value = body.get("limit")
    if value is not None and not _whole(value, LIMITS):
        raise invalid("limit", shown(value), f"a whole number from {LIMITS[0]} to {LIMITS[1]}")
    return value


def _filters(body: Mapping[str, Any], dimensions: tuple[Dimension, ...]) -> dict[str, tuple[str, ...]]:
    """Values of one dimension are alternatives, also where it comes twice."""
    value = body.get("filters")
    allowed = f'an array of at most {MOST_FILTERS} {{"key": "...", "values": ["..."]}}'
    if value is None:
        return {}
    if not isinstance(value, list) or len(value) > MOST_FILTERS:
        raise invalid("filters", shown(value), allowed)
    known = {one.key: one for one in dimensions}
    found: dict[str, dict[str, None]] = {}
    for number, each in enumerate(value):
        name = f"filters[{number}]"
        if not isinstance(each, Mapping):
            raise invalid(name, shown(each), '{"key": "...", "values": ["..."]}')
        for key in each:
            if key not in ("key", "values"):
                raise invalid(name, f"an object with the key {shown(key)}", "key and values")
        key = each.get("key")
        if not isinstance(key, str) or key not in known:
            raise invalid(f"{name}.key", shown(key), ", ".join(known))
        words = found.setdefault(key, {})
        words.update(dict.fromkeys(_values(f"{name}.values", each.get("values"), known[key])))
    return {key: tuple(words) for key, words in found.items() if words}


def _values(name: str, value: object, dimension: Dimension) -> list[str]:
    words = ", ".join(dimension.words) or "any text"
    if not isinstance(value, list) or len(value) > MOST_VALUES:
        raise invalid(name, shown(value), f"an array of at most {MOST_VALUES}, each of: {words}")
    for each in value:
        if not isinstance(each, str) or (dimension.words and each not in dimension.words):
            raise invalid(name, f"an array with {shown(each)}", words)
    return value


def _carried(cursor: object, notes: tuple[Note, ...]) -> Listing:
    if not isinstance(cursor, str) or len(cursor) > CURSOR_CHARACTERS:
        raise invalid("cursor", shown(cursor), _CURSORS)
    try:
        value = json.loads(base64.b64decode(cursor, altchars=b"-_", validate=True))
    except (binascii.Error, ValueError, RecursionError):
        value = None
    match value:
        case [start_ms, end_ms, limit, list(statuses), at_us, task_id] if (
            _whole(start_ms, TIMES_MS)
            and _whole(end_ms, TIMES_MS)
            and _whole(limit, LIMITS)
            and all(isinstance(word, str) and word in _WORDS for word in statuses)
            and _whole(at_us, (TIMES_MS[0] * 1000, TIMES_MS[1] * 1000))
            and _whole(task_id, (0, 2**53))
        ):
            filters = {"status": tuple(statuses)} if statuses else {}
            behind = Place(_EPOCH + timedelta(microseconds=at_us), task_id)
            return Listing(start_ms, end_ms, limit, filters, behind, notes)
    raise invalid("cursor", shown(cursor), _CURSORS)


def _whole(value: object, limits: tuple[int, int]) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and limits[0] <= value <= limits[1]


def _moment(ms: int) -> datetime:
    return _EPOCH + timedelta(milliseconds=ms)
