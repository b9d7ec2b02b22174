"""Tasks in the native form: as they stand, and as a change of status left them."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from kling_examples import END, LINKS, MADE, OUTPUT, SUBMITTED

from understudy.server.dialects.registry import dialect_named
from understudy.server.native_answers import progress_answer, task_answer
from understudy.server.native_form import NAME
from understudy.tasks.task import Status, StatusChange, Task

DONE = replace(
    SUBMITTED,
    dialect=NAME,
    status=Status.SUCCEED,
    deduction=Decimal("3.60"),
    updated_at=END,
    ended_at=END,
    started_at=MADE,
    progress=1.0,
    output=OUTPUT,
)


def told(task: Task, change: StatusChange) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(dialect_named(NAME).encode_callback(task, change, LINKS))
    return body


def test_a_callback_tells_the_change_and_not_what_came_after() -> None:
    at = MADE + timedelta(seconds=5)
    first = told(DONE, StatusChange(Status.PROCESSING, "", at))
    assert (first["status"], first["updated_at"]) == ("processing", "2026-11-21T12:00:05.123456Z")
    for name in ("result", "deduction", "ended_at", "error", "stage", "time_left_s"):
        assert first[name] is None
    last = told(DONE, StatusChange(Status.SUCCEED, "", END))
    assert last == json.loads(task_answer(DONE, LINKS).model_dump_json())
    assert last["result"]["url"] == LINKS.make(DONE.id, "video")
    assert last["deduction"] == "3.6"


def test_a_failure_is_told_with_its_reason() -> None:
    failed = replace(
        SUBMITTED,
        status=Status.FAILED,
        status_msg="It is too short.",
        error_code="clip_short",
        fix="Take more.",
    )
    body = told(failed, StatusChange(Status.FAILED, "It is too short.", END))
    assert body["error"] == {"code": "clip_short", "message": "It is too short.", "fix": "Take more."}


def test_times_are_utc_wherever_the_database_is() -> None:
    elsewhere = replace(SUBMITTED, created_at=MADE.astimezone(ZoneInfo("Asia/Kolkata")))
    assert (
        json.loads(task_answer(elsewhere, LINKS).model_dump_json())["created_at"]
        == "2026-11-21T12:00:00.123456Z"
    )


def test_deleted_files_have_no_links() -> None:
    gone = task_answer(replace(DONE, files_deleted_at=END), LINKS)
    assert gone.result is not None
    assert (gone.result.url, gone.result.watermark_url, gone.result.frames) == (None, None, 91)


def test_notes_of_what_is_not_acted_on() -> None:
    assert not task_answer(SUBMITTED, LINKS).notes
    assert [note.what for note in task_answer(replace(SUBMITTED, prompt="rain"), LINKS).notes] == ["prompt"]


def test_nothing_is_being_done_to_a_task_that_has_ended() -> None:
    task = replace(DONE, stage="drawing")
    assert task_answer(replace(task, status=Status.PROCESSING), LINKS).stage == "drawing"
    assert task_answer(task, LINKS).stage is None
    assert progress_answer(task, None).stage is None
