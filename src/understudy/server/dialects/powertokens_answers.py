"""A task as PowerTokens tells of videos in OpenAI's manner: whole seconds, and its own words for the status."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from understudy.server.dialects.call import View
from understudy.server.dialects.kling_answers import reason
from understudy.tasks.task import Status, Task

STATUSES = {
    Status.SUBMITTED: "queued",
    Status.PROCESSING: "in_progress",
    Status.SUCCEED: "completed",
    Status.FAILED: "failed",
}
UNFINISHED_PERCENT = 99  # the most that a task tells before its end
FAILED = "generation_failed"  # where the task knows no code of its own


def video(task: Task, view: View) -> dict[str, Any]:
    """The task as it stands: its progress in percent, ``metadata.url`` once there is a video."""
    return {
        "id": str(task.id),
        "object": "video",
        "model": task.model,
        "status": STATUSES[task.status],
        "progress": _percent(task),
        "created_at": _seconds(task.created_at),
        "completed_at": None if task.ended_at is None else _seconds(task.ended_at),
        "metadata": _metadata(task, view),
        "error": _error(task),
    }


def _percent(task: Task) -> int:
    if task.status is Status.SUCCEED:
        return 100
    return min(int(task.progress * 100), UNFINISHED_PERCENT)


def _metadata(task: Task, view: View) -> dict[str, str]:
    if task.status is not Status.SUCCEED:
        return {}
    return {"url": view.urls.get("video") or view.links.make(task.id, "video")}


def _error(task: Task) -> dict[str, str] | None:
    if task.status is not Status.FAILED:
        return None
    return {"code": task.error_code or FAILED, "message": reason(task, task.status_msg)}


def _seconds(moment: datetime) -> int:
    return int(moment.timestamp())
