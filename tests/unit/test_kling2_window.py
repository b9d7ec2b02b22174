"""Which tasks are asked for: ids, times, filters, and a cursor that only this server makes."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kling_examples import MADE, SUBMITTED

from understudy.errors import FormError
from understudy.server.dialects.call import Call
from understudy.server.dialects.kling2 import Kling2
from understudy.server.dialects.kling2_account import OF_BALANCE, OF_PACKAGE, any_of_pack, decode_costs
from understudy.server.dialects.kling2_window import (
    CLOCKS_MS,
    TASKS,
    Listing,
    decode_listing,
    decode_names,
    milliseconds,
)
from understudy.server.dialects.notes import Note
from understudy.tasks.task import Status
from understudy.tasks.window import Place

NOW = 1_795_000_000_000
DAYS_30 = 30 * 24 * 3600 * 1000
HALF = timedelta(microseconds=500)


def listing(**body: Any) -> Listing:
    return decode_listing(body, TASKS, now_ms=NOW, default_limit=100)


def moment(ms: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms)


@pytest.mark.parametrize(
    ("query", "answer"),
    [
        ([("task_ids", "1")], (["1"], False)),
        ([("task_ids", "1,2,3")], (["1", "2", "3"], False)),
        ([("task_ids", "1, 2,,")], (["1", "2"], False)),
        ([("task_ids", ",".join("7" * 20))], (["7"] * 20, False)),
        ([("external_task_ids", "a b,ä")], (["a b", "ä"], True)),
        ([("external_task_ids", " a,b ")], ([" a", "b "], True)),
        ([("task_ids", ""), ("external_task_ids", "x")], (["x"], True)),
    ],
)
def test_names(query: list[tuple[str, str]], answer: tuple[list[str], bool]) -> None:
    assert decode_names(Call(query=query)) == (*answer, ())
    assert decode_names(Call(query=[*query, ("trace", "1")]))[2] == (Note("unknown_parameter", "trace"),)


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ([], "task_ids or external_task_ids is missing; allowed: at most 20 ids"),
        ([("task_ids", ", ,")], "task_ids is missing"),
        ([("external_task_ids", ",")], "external_task_ids is missing"),
        ([("task_ids", "")], "task_ids or external_task_ids is missing"),
        ([("task_ids", "1"), ("external_task_ids", "x")], "task_ids is given beside external_task_ids"),
        ([("task_ids", "1"), ("task_ids", "2")], "task_ids is given twice"),
        ([("task_ids", ",".join("1" * 21))], "task_ids is 21 ids; allowed: at most 20 ids"),
        ([("external_task_ids", ",".join("a" * 21))], "external_task_ids is 21 ids"),
        ([("task_id", "1")], "The address has the unknown key 'task_id'"),
    ],
)
def test_names_that_are_refused(query: list[tuple[str, str]], words: str) -> None:
    with pytest.raises(FormError) as caught:
        decode_names(Call(query=query))
    assert caught.value.message.startswith(words)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, Listing(NOW - DAYS_30, NOW + CLOCKS_MS, 100, {})),
        (
            {"cursor": "", "filters": [], "start_time": "", "end_time": None},
            Listing(NOW - DAYS_30, NOW + CLOCKS_MS, 100, {}),
        ),
        ({"start_time": 5, "end_time": "7", "limit": 500}, Listing(5, 7, 500, {})),
        ({"end_time": 7}, Listing(0, 7, 100, {})),
        ({"end_time": DAYS_30 + 7, "limit": 1}, Listing(7, DAYS_30 + 7, 1, {})),
        (
            {
                "filters": [
                    {"key": "status", "values": ["succeeded", "failed"]},
                    {"key": "status", "values": ["failed"]},
                ]
            },
            Listing(NOW - DAYS_30, NOW + CLOCKS_MS, 100, {"status": ("succeeded", "failed")}),
        ),
        (
            {
                "filters": [
                    {"key": "status", "values": []},
                    {"key": "product_type", "values": ["video", "try_on"]},
                ]
            },
            Listing(NOW - DAYS_30, NOW + CLOCKS_MS, 100, {"product_type": ("video", "try_on")}),
        ),
        (
            {"trace": 1},
            Listing(NOW - DAYS_30, NOW + CLOCKS_MS, 100, {}, notes=(Note("unknown_key", "trace"),)),
        ),
    ],
    ids=str,
)
def test_windows(body: dict[str, Any], expected: Listing) -> None:
    assert listing(**body) == expected


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"start_time": 7, "end_time": 7}, "start_time is the number 7; allowed: a time before end_time"),
        ({"start_time": NOW + DAYS_30}, "start_time is the number"),
        ({"start_time": "soon"}, "start_time is 'soon'; allowed: milliseconds since 1970"),
        ({"start_time": 1.5}, "start_time is the number 1.5"),
        ({"end_time": True}, "end_time is true"),
        ({"end_time": -1}, "end_time is the number -1"),
        ({"end_time": "٣"}, "end_time is "),
        ({"end_time": "9" * 400}, "end_time is "),
        ({"end_time": 10**40}, "end_time is "),
        ({"limit": 0}, "limit is the number 0; allowed: a whole number from 1 to 500"),
        ({"limit": 501}, "limit is the number 501"),
        ({"limit": "5"}, "limit is '5'"),
        ({"limit": True}, "limit is true"),
        ({"filters": {}}, "filters is an object"),
        ({"filters": [{"key": "status", "values": []}] * 21}, "filters is an array of 21"),
        ({"filters": ["status"]}, "filters[0] is 'status'"),
        (
            {"filters": [{"key": "state", "values": []}]},
            "filters[0].key is 'state'; allowed: status, product_type.",
        ),
        ({"filters": [{"key": [], "values": []}]}, "filters[0].key is an array of 0"),
        ({"filters": [{"values": []}]}, "filters[0].key is null"),
        ({"filters": [{"key": "status"}]}, "filters[0].values is null"),
        ({"filters": [{"key": "status", "values": "failed"}]}, "filters[0].values is 'failed'"),
        (
            {"filters": [{"key": "status", "values": ["succeed"]}]},
            "filters[0].values is an array with 'succeed'",
        ),
        ({"filters": [{"key": "status", "values": [7]}]}, "filters[0].values is an array with the number 7"),
        (
            {"filters": [{"key": "product_type", "values": ["try-on"]}]},
            "filters[0].values is an array with 'try-on'",
        ),
        (
            {"filters": [{"key": "status", "values": ["failed"] * 101}]},
            "filters[0].values is an array of 101",
        ),
        (
            {"filters": [{"key": "status", "values": [], "value": []}]},
            "filters[0] is an object with the key 'value'",
        ),
        ({"startTime": 5}, "The body has the unknown key 'startTime'"),
        ({"cursor": 5}, "cursor is the number 5; allowed: the next_cursor of an answer."),
        ({"cursor": "abc"}, "cursor is 'abc'"),
    ],
    ids=str,
)
def test_windows_that_are_refused(body: dict[str, Any], words: str) -> None:
    with pytest.raises(FormError) as caught:
        listing(**body)
    assert caught.value.message.startswith(words), caught.value.message


def test_a_window_holds_what_answers_round_into_it() -> None:
    window = listing(
        start_time=1000, end_time=2000, filters=[{"key": "status", "values": ["succeeded"]}]
    ).window()
    assert (window.start, window.end) == (moment(1000) - HALF, moment(2000) + HALF)
    assert (window.statuses, window.behind) == ((Status.SUCCEED,), None)


def test_a_cursor_goes_on_with_the_same_window() -> None:
    first = listing(start_time=1000, end_time=NOW, limit=7, filters=[{"key": "status", "values": ["failed"]}])
    cursor = first.cursor(SUBMITTED)
    behind = Place(MADE, SUBMITTED.id)
    assert listing(cursor=cursor) == replace(first, behind=behind)
    assert listing(cursor=cursor, start_time="nonsense", end_time=1) == replace(first, behind=behind)
    other = listing(cursor=cursor, limit=9, filters=[{"key": "status", "values": ["succeeded"]}])
    assert other == replace(first, behind=behind, limit=9, filters={"status": ("succeeded",)})
    with pytest.raises(FormError):
        listing(cursor=cursor, limit=0)
    alone = decode_listing(
        {"cursor": cursor, "limit": 0, "filters": "x"},
        OF_BALANCE,
        now_ms=NOW,
        default_limit=5,
        cursor_alone=True,
    )
    assert alone == replace(first, behind=behind)


def written(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode()


FINE = [1, 2, 3, ["failed"], 4, 5]


@pytest.mark.parametrize(
    "cursor",
    [
        written(FINE)[:-1],
        written(FINE) + "\n",
        written(FINE) + "ä",
        written({}),
        written(FINE[:-1]),
        written([*FINE, 6]),
        *(
            written([*FINE[:at], bad, *FINE[at + 1 :]])
            for at in range(6)
            for bad in (-1, 2**62, "1", True, 1.5, None)
        ),
        written([1, 2, 3, ["gone"], 4, 5]),
        written([1, 2, 3, [["failed"]], 4, 5]),
        written([1, 2, 501, [], 4, 5]),
        "x" * 513,
        base64.b64encode(b"\xff" * 30).decode(),
    ],
)
def test_a_strange_cursor_is_refused(cursor: str) -> None:
    assert listing(cursor=written(FINE)).behind is not None
    with pytest.raises(FormError, match="cursor is "):
        listing(cursor=cursor)


@given(
    cursor=st.text(max_size=40) | st.binary(max_size=40).map(lambda b: base64.urlsafe_b64encode(b).decode())
)
def test_any_cursor_is_a_window_or_refused(cursor: str) -> None:
    try:
        found = listing(cursor=cursor)
    except FormError as error:
        answer = Kling2().encode_error(error, "r")
        assert (answer.status, answer.body["code"]) == (400, 1201)
    else:
        assert found.behind is None or len(cursor) > 10


@given(at_us=st.integers(0, 253_402_300_799_000_000), task_id=st.integers(0, 2**53))
def test_a_place_comes_back_to_the_microsecond(at_us: int, task_id: int) -> None:
    at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at_us)
    cursor = listing().cursor(replace(SUBMITTED, id=task_id, created_at=at))
    assert listing(cursor=cursor).behind == Place(at, task_id)


def asked_costs(**query: str) -> tuple[Any, ...]:
    return decode_costs(Call(query=list(query.items())))


def test_costs_are_asked_with_times_or_without() -> None:
    assert asked_costs() == (None, None, None, ())
    assert asked_costs(start_time="5", end_time="7", resource_pack_name="x") == (5, 7, "x", ())
    assert asked_costs(start_time="", resource_pack_name="") == (None, None, None, ())
    assert asked_costs(trace="1")[3] == (Note("unknown_parameter", "trace"),)
    for bad in (
        {"start_time": "x"},
        {"end_time": "-5"},
        {"start_time": "7", "end_time": "7"},
        {"startTime": "7"},
    ):
        with pytest.raises(FormError):
            asked_costs(**bad)
    with pytest.raises(FormError, match="start_time is given twice"):
        decode_costs(Call(query=[("start_time", "1"), ("start_time", "2")]))


@pytest.mark.parametrize(
    ("filters", "there"),
    [
        ({}, True),
        ({"product_type": ["video", "image"]}, True),
        ({"product_type": ["try-on"]}, False),
        ({"package_name": ["x", "Understudy units"]}, True),
        ({"package_name": ["x"]}, False),
        ({"package_id": ["0" * 31 + "7"]}, True),
        ({"package_id": ["0" * 31 + "8"], "product_type": ["video"]}, False),
        ({"api_key_name": ["mine"]}, False),
        ({"api_key_name": [""]}, True),
        ({"api_key_name": [], "package_name": [], "package_id": [], "product_type": []}, True),
    ],
    ids=str,
)
def test_filters_of_deductions(filters: dict[str, list[str]], there: bool) -> None:
    given = [{"key": key, "values": values} for key, values in filters.items()]
    found = decode_listing({"filters": given}, OF_PACKAGE, now_ms=NOW, default_limit=500)
    assert found.limit == 500
    assert any_of_pack(found, 7) is there


def test_a_package_has_one_name() -> None:
    given = [{"key": "package_name", "values": ["a"]}, {"key": "package_id", "values": ["b"]}]
    with pytest.raises(FormError, match="package_name and package_id"):
        any_of_pack(decode_listing({"filters": given}, OF_PACKAGE, now_ms=NOW, default_limit=500), 7)
    assert milliseconds({"a": "007"}, "a") == 7


JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=8,
)
FILTER = st.fixed_dictionaries(
    {"key": st.sampled_from(["status", "product_type", "package_id"]) | JSON_VALUES},
    optional={"values": st.lists(st.sampled_from(["succeeded", "video"]) | JSON_VALUES, max_size=3)},
)
FIELD_VALUES = {
    "start_time": st.integers(-5, 2**50) | JSON_VALUES,
    "end_time": st.integers(0, 2**50).map(str) | JSON_VALUES,
    "cursor": JSON_VALUES,
    "limit": st.integers(0, 501) | JSON_VALUES,
    "filters": st.lists(FILTER | JSON_VALUES, max_size=3) | JSON_VALUES,
}


@given(
    body=st.fixed_dictionaries({}, optional=FIELD_VALUES)
    | st.dictionaries(st.text(max_size=12), JSON_VALUES),
    dimensions=st.sampled_from([TASKS, OF_BALANCE, OF_PACKAGE]),
    alone=st.booleans(),
)
def test_any_json_is_a_window_or_an_error_that_can_be_answered(
    body: dict[str, Any], dimensions: Any, alone: bool
) -> None:
    try:
        found = decode_listing(body, dimensions, now_ms=NOW, default_limit=100, cursor_alone=alone)
    except FormError as error:
        answer = Kling2().encode_error(error, "r")
        assert (answer.status, answer.body["code"]) == (400, 1201)
        assert json.dumps(answer.body).encode("ascii")
    else:
        assert found.window().start < found.window().end
        assert 1 <= found.limit <= 500


@given(
    query=st.lists(
        st.tuples(
            st.sampled_from(["task_ids", "external_task_ids"]) | st.text(max_size=9), st.text(max_size=60)
        )
    )
)
def test_any_address_names_at_most_twenty_or_is_refused(query: list[tuple[str, str]]) -> None:
    try:
        names, external, _ = decode_names(Call(query=query))
    except FormError as error:
        answer = Kling2().encode_error(error, "r")
        assert (answer.status, answer.body["code"]) == (400, 1201)
    else:
        assert 1 <= len(names) <= 20
        assert external == bool(dict(query).get("external_task_ids"))
