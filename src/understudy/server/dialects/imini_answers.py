"""A task in imini's words: times as text with milliseconds, lengths as numbers, and null for what is not yet."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from understudy.server.dialects.call import View
from understudy.server.dialects.kling_answers import reason
from understudy.tasks.task import Output, Status, Task

STATUSES = {
    Status.SUBMITTED: "queued",
    Status.PROCESSING: "processing",
    Status.SUCCEED: "succeeded",
    Status.FAILED: "failed",
}
FAILED = "generation_failed"  # where the task knows no code of its own


def created(task: Task, view: View) -> dict[str, Any]:
    """The task as it was when it was created, however far it is now: a repeated request is answered alike."""
    return {
        "task_id": task_id(task),
        "status": STATUSES[Status.SUBMITTED],
        "model": model(task),
        "created_at": moment(task.created_at),
        "request_id": view.request_id,
    }


def queried(task: Task, view: View) -> dict[str, Any]:
    """The task as it stands."""
    there = task.status is Status.SUCCEED and task.output is not None
    return {
        "task_id": task_id(task),
        "status": STATUSES[task.status],
        "model": model(task),
        "created_at": moment(task.created_at),
        "completed_at": None if task.ended_at is None else moment(task.ended_at),
        "videos": [_video(task, task.output, view)] if there and task.output else None,
        "error": _error(task, view),
        "request_id": view.request_id,
    }


def task_id(task: Task) -> str:
    """imini's ids have 19 digits; ours are smaller."""
    return f"task_{task.id:019d}"


def model(task: Task) -> str:
    """imini's name for a model, also for those that only other protocols offer here."""
    return f"kling/{task.model}-motion-control"


def moment(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def _video(task: Task, output: Output, view: View) -> dict[str, Any]:
    return {
        "url": view.urls.get("video") or view.links.make(task.id, "video"),
        "width": output.width,
        "height": output.height,
        "duration": round(float(output.duration_s), 3),
        "cover_url": None if output.cover_key is None else view.links.make(task.id, "cover"),
    }


def _error(task: Task, view: View) -> dict[str, str] | None:
    if task.status is not Status.FAILED:
        return None
    return {
        "code": (task.error_code or FAILED).upper(),
        "message": reason(task, task.status_msg),
        "request_id": view.request_id,
    }
