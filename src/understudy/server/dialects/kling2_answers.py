"""A task in the words of Kling's API 2.0: those of the older generation, renamed, with its outputs and its bill."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from understudy.server.dialects import kling_answers
from understudy.server.dialects.body import written
from understudy.server.links import Links
from understudy.tasks.prices import units_text
from understudy.tasks.task import Status, StatusChange, Task

STATUSES = {
    Status.SUBMITTED: "submitted",
    Status.PROCESSING: "processing",
    Status.SUCCEED: "succeeded",
    Status.FAILED: "failed",
}
PRODUCT = "video"  # what a task makes, and the kind of units that it takes


def created(task: Task) -> dict[str, Any]:
    """The task as it was when it was created, however far it is now: a repeated request is answered alike."""
    then = kling_answers.created(task)
    return {
        "id": then["task_id"],
        "status": STATUSES[Status.SUBMITTED],
        "create_time": then["created_at"],
        "update_time": then["updated_at"],
        **_external_id(task),
    }


def queried(task: Task, links: Links, *, urls: Mapping[str, str] | None = None) -> dict[str, Any]:
    """The task as it stands. ``urls`` gives other addresses than links, by ``video`` and ``watermarked``."""
    now = kling_answers.queried(task, links, urls=urls)
    return {
        "id": now["task_id"],
        "status": STATUSES[task.status],
        "message": now["task_status_msg"],
        "create_time": now["created_at"],
        "update_time": now["updated_at"],
        **_external_id(task),
        "outputs": [{"type": PRODUCT, **video} for video in now["task_result"]["videos"]],
        "billing": _billing(task),
    }


def called_back(task: Task, change: StatusChange, links: Links) -> bytes:
    """The callback's body for one change, also where the task has gone on since."""
    then = replace(task, status=change.status, status_msg=change.status_msg, updated_at=change.at)
    if not change.status.ended:
        then = replace(then, deduction=None, fix=None)
    return written(queried(then, links))


def _external_id(task: Task) -> dict[str, str]:
    return {} if task.external_task_id is None else {"external_id": task.external_task_id}


def _billing(task: Task) -> list[dict[str, str]]:
    """One entry from the end on, of "0" for a failed task; none before, since nobody knows yet."""
    if task.deduction is None:
        return []
    return [{"charge_type": "unit", "amount": units_text(task.deduction), "package_type": PRODUCT}]
