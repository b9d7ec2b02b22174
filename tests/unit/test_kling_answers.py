"""A task in Kling's words: the very JSON, and the rules that a strict client's parser has for it."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from kling_examples import END, FAILED, LINKS, MADE, MADE_MS, OUTPUT, SUBMITTED, SUCCEEDED

from understudy.server.dialects.body import written
from understudy.server.dialects.kling_answers import created, envelope, queried
from understudy.server.dialects.notes import Note, told
from understudy.server.dialects.registry import DIALECTS
from understudy.tasks.task import Status, StatusChange, Task

TASKS = [SUBMITTED, replace(SUBMITTED, status=Status.PROCESSING, updated_at=END), SUCCEEDED, FAILED]


def test_the_answer_to_create_is_that_of_the_first_moment() -> None:
    first = created(SUBMITTED)
    assert first == {
        "task_id": "9007199254740991",
        "task_info": {"external_task_id": "order 7"},
        "task_status": "submitted",
        "created_at": MADE_MS,
        "updated_at": MADE_MS,
    }
    for later in TASKS:
        assert created(later) == first


def test_the_answer_to_a_query_of_a_video() -> None:
    assert queried(SUCCEEDED, LINKS) == {
        "task_id": "9007199254740991",
        "task_status": "succeed",
        "task_status_msg": "",
        "task_info": {"external_task_id": "order 7"},
        "task_result": {
            "videos": [
                {
                    "id": "9007199254740991-1",
                    "url": LINKS.make(SUCCEEDED.id, "video"),
                    "watermark_url": LINKS.make(SUCCEEDED.id, "watermarked"),
                    "duration": "3.041",
                }
            ]
        },
        "watermark_info": {"enabled": True},
        "final_unit_deduction": "3.6",
        "created_at": MADE_MS,
        "updated_at": MADE_MS + 90_000,
    }


def test_a_failed_task_tells_why_and_what_to_do() -> None:
    answer = queried(FAILED, LINKS)
    assert answer["task_status_msg"] == "The video lasts 1.00 s; at least 3 s are needed. Use a longer one."
    assert answer["final_unit_deduction"] == "0"
    assert answer["task_result"] == {"videos": []}
    cancelled = replace(FAILED, status_msg="cancelled by the account", error_code="cancelled")
    assert queried(cancelled, LINKS)["task_status_msg"] == "cancelled by the account"


def test_what_is_not_there_is_left_out() -> None:
    bare = queried(replace(SUBMITTED, external_task_id=None), LINKS)
    assert bare["task_info"] == {}
    assert bare["task_result"] == {"videos": []}
    assert "final_unit_deduction" not in bare
    (video,) = queried(replace(SUCCEEDED, output=replace(OUTPUT, watermark_key=None)), LINKS)["task_result"][
        "videos"
    ]
    assert set(video) == {"id", "url", "duration"}


def optional(value: object, kind: type) -> bool:
    return value is None or type(value) is kind


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.status)
def test_what_the_strictest_known_parser_insists_on(task: Task) -> None:
    whole = json.loads(written(envelope(queried(task, LINKS), "id")))
    data: dict[str, Any] = whole["data"]
    assert (type(whole["code"]), type(whole["message"]), type(whole["request_id"])) == (int, str, str)
    assert (whole["code"], whole["message"]) == (0, "SUCCEED")
    assert type(data["task_id"]) is type(data["task_status"]) is str
    assert optional(data.get("task_status_msg"), str)
    assert optional(data["watermark_info"]["enabled"], bool)
    assert optional(data.get("final_unit_deduction"), str)
    assert type(data["created_at"]) is type(data["updated_at"]) is int
    for video in data["task_result"]["videos"]:
        assert all(type(video.get(name)) is str for name in ("id", "url", "duration", "watermark_url"))
    assert bool(data["task_result"]["videos"]) == (data["task_status"] == "succeed")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (3.0413, "3.041"),
        (5.0, "5"),
        (10.0, "10"),
        (9.0667, "9.067"),
        (3.1, "3.1"),
        (30.0996, "30.1"),
        (100.0, "100"),
    ],
)
def test_a_duration_is_text_of_up_to_three_decimals(seconds: float, text: str) -> None:
    answer = queried(replace(SUCCEEDED, output=replace(OUTPUT, duration_s=seconds)), LINKS)
    assert answer["task_result"]["videos"][0]["duration"] == text


@pytest.mark.parametrize(
    ("units", "text"), [("4.50", "4.5"), ("0.00", "0"), ("10.00", "10"), ("0", "0"), ("36", "36")]
)
def test_units_are_text_without_idle_zeros(units: str, text: str) -> None:
    assert queried(replace(SUCCEEDED, deduction=Decimal(units)), LINKS)["final_unit_deduction"] == text


def test_other_addresses_than_links() -> None:
    urls = {"video": "data:video/mp4;base64,AA==", "watermarked": "data:video/mp4;base64,AQ=="}
    (video,) = queried(SUCCEEDED, LINKS, urls=urls)["task_result"]["videos"]
    assert (video["url"], video["watermark_url"]) == (urls["video"], urls["watermarked"])


def called_back(task: Task, change: StatusChange) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(DIALECTS["kling"].encode_callback(task, change, LINKS))
    return body


def test_a_callback_is_flat_and_of_its_moment() -> None:
    moment = MADE + timedelta(seconds=2)
    early = called_back(SUCCEEDED, StatusChange(Status.PROCESSING, "", moment))
    assert early == {
        "task_id": "9007199254740991",
        "task_status": "processing",
        "task_status_msg": "",
        "task_info": {"external_task_id": "order 7"},
        "task_result": {"videos": []},
        "created_at": MADE_MS,
        "updated_at": MADE_MS + 2000,
    }
    last = called_back(SUCCEEDED, StatusChange(Status.SUCCEED, "", END))
    asked = queried(SUCCEEDED, LINKS)
    assert last == {name: asked[name] for name in asked if name != "watermark_info"}


def test_the_callback_of_a_failure_says_what_the_query_says() -> None:
    told_back = called_back(FAILED, StatusChange(Status.FAILED, FAILED.status_msg, END))
    assert told_back["task_status_msg"] == queried(FAILED, LINKS)["task_status_msg"]
    assert told_back["final_unit_deduction"] == "0"


def test_notes_of_an_ended_task() -> None:
    assert told(SUBMITTED) == told(FAILED) == ()
    assert told(SUCCEEDED) == (Note("left_out", "prompt"), Note("left_out", "limbs"))
    assert told(replace(SUCCEEDED, files_deleted_at=END))[-1] == Note("files_deleted")


def test_any_external_id_is_written_so_that_every_parser_reads_it() -> None:
    odd = '"\\\u2028\x7f</script>😀'
    whole = written(queried(replace(SUBMITTED, external_task_id=odd), LINKS))
    assert whole.isascii()
    assert json.loads(whole)["task_info"]["external_task_id"] == odd
