"""A task in Kling's words: its types, its names, milliseconds, and numbers as text where Kling has text."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from understudy.server.dialects.body import written
from understudy.server.links import Links
from understudy.tasks.prices import units_text
from understudy.tasks.task import Output, Status, StatusChange, Task

SUCCEED = "SUCCEED"
CANCELLED = "cancelled"  # the error code of a task that its account ended


def envelope(data: object, request_id: str) -> dict[str, Any]:
    return {"code": 0, "message": SUCCEED, "request_id": request_id, "data": data}


def created(task: Task) -> dict[str, Any]:
    """The task as it was when it was created, however far it is now: a repeated request is answered alike."""
    made = milliseconds(task.created_at)
    return {
        "task_id": str(task.id),
        "task_info": _task_info(task),
        "task_status": str(Status.SUBMITTED),
        "created_at": made,
        "updated_at": made,
    }


def queried(task: Task, links: Links, *, urls: Mapping[str, str] | None = None) -> dict[str, Any]:
    """The task as it stands. ``urls`` gives other addresses than links, by ``video`` and ``watermarked``."""
    answer = {
        "task_id": str(task.id),
        "task_status": str(task.status),
        "task_status_msg": reason(task, task.status_msg),
        "task_info": _task_info(task),
        "task_result": _result(task, task.status, links, urls),
        "watermark_info": {"enabled": task.watermark},
        "created_at": milliseconds(task.created_at),
        "updated_at": milliseconds(task.updated_at),
    }
    if task.deduction is not None:
        answer["final_unit_deduction"] = units_text(task.deduction)
    return answer


def called_back(task: Task, change: StatusChange, links: Links) -> bytes:
    """The callback's body for one change, also where the task has gone on since."""
    body = {
        "task_id": str(task.id),
        "task_status": str(change.status),
        "task_status_msg": reason(task, change.status_msg) if change.status.ended else change.status_msg,
        "created_at": milliseconds(task.created_at),
        "updated_at": milliseconds(change.at),
        "task_info": _task_info(task),
        "task_result": _result(task, change.status, links, None),
    }
    if change.status.ended and task.deduction is not None:
        body["final_unit_deduction"] = units_text(task.deduction)
    return written(body)


def _task_info(task: Task) -> dict[str, str]:
    return {} if task.external_task_id is None else {"external_task_id": task.external_task_id}


def reason(task: Task, message: str) -> str:
    """A failed task's reason and what to do about it. Who cancelled a task knows both."""
    if not message or not task.fix or task.error_code == CANCELLED:
        return message
    return f"{message} {task.fix}"


def _result(task: Task, status: Status, links: Links, urls: Mapping[str, str] | None) -> dict[str, Any]:
    if status is not Status.SUCCEED or task.output is None:
        return {"videos": []}
    return {"videos": [_video(task, task.output, links, urls or {})]}


def _video(task: Task, output: Output, links: Links, urls: Mapping[str, str]) -> dict[str, str]:
    video = {"id": f"{task.id}-1", "url": urls.get("video") or links.make(task.id, "video")}
    if output.watermark_key is not None:
        video["watermark_url"] = urls.get("watermarked") or links.make(task.id, "watermarked")
    video["duration"] = _seconds(output.duration_s)
    return video


def milliseconds(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


def _seconds(duration_s: float) -> str:
    text = f"{duration_s:.3f}"
    return text.rstrip("0").rstrip(".")
