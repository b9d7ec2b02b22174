"""A task in Kie's words: milliseconds, states of its own, and JSON within texts."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from understudy.request import Mode
from understudy.server.dialects.body import written
from understudy.server.dialects.kie_form import DIALECT
from understudy.server.dialects.kie_id import NAMES, task_id
from understudy.server.dialects.kling_answers import milliseconds, reason
from understudy.server.links import Links
from understudy.tasks.ledger import MOST
from understudy.tasks.submission import Link, Stored
from understudy.tasks.task import Status, StatusChange, Task

SUCCESS = "success"
GENERATED, GENERATION_FAILED = 200, 501  # codes of callbacks
MESSAGES = {
    GENERATED: "Playground task completed successfully.",
    GENERATION_FAILED: "Playground task failed.",
}
STATES = ("waiting", "queuing", "generating", "success", "fail")
MODES = {Mode.STD: "720p", Mode.PRO: "1080p"}
OURS, THEIRS = "500", "400"  # failCode: whose fault it was that the task failed
OUR_FAULTS = (
    "assignment_",
    "engine_",
    "frames_missing",
    "gpu_",
    "internal",
    "matting_",
    "model_",
    "encode_",
    "out_of_memory",
    "output_",
    "provenance_",
    "render_",
    "segments_",
    "unavailable",
    "weights_",
    "worker_",
)  # how codes of errors begin that the sender has no part in


def envelope(data: object) -> dict[str, Any]:
    return {"code": 200, "msg": SUCCESS, "data": data}


def created(task: Task) -> dict[str, Any]:
    return {"taskId": task_id(task), "recordId": task_id(task)}


def recorded(task: Task, links: Links, *, urls: Mapping[str, str] | None = None) -> dict[str, Any]:
    """The task as it stands. ``urls`` gives other addresses than links, by ``video``."""
    made, end = (
        milliseconds(task.created_at),
        None if task.ended_at is None else milliseconds(task.ended_at),
    )
    return {
        "taskId": task_id(task),
        "model": NAMES[task.model],
        "state": state(task),
        "param": written(_param(task)).decode(),
        "resultJson": _result(task, links, urls or {}),
        "failCode": _fail_code(task),
        "failMsg": _fail_message(task),
        "costTime": None if end is None else end - made,
        "completeTime": end,
        "createTime": made,
        "updateTime": milliseconds(task.updated_at),
        "creditsConsumed": None if task.deduction is None else credit(task.deduction),
    }


def state(task: Task) -> str:
    """One of ``STATES``: queuing is what has both inputs and waits for its turn."""
    match task.status:
        case Status.SUBMITTED:
            return "waiting" if task.fetched_at is None else "queuing"
        case Status.PROCESSING:
            return "generating"
        case Status.SUCCEED:
            return "success"
    return "fail"


def credit(units: Decimal) -> int | float:
    """Credits are our units, one for one: a whole number, or at most two decimals."""
    return int(units) if units == units.to_integral_value() else float(units)


def balance(units: Decimal | None) -> int | float:
    """What an account has left. One without a limit has as much as any account could be granted."""
    return credit(MOST if units is None else units)


def called_back(task: Task, change: StatusChange, links: Links) -> bytes:
    """The callback's body; for the end alone, as these tasks ask."""
    code = GENERATION_FAILED if change.status is Status.FAILED else GENERATED
    data = recorded(task, links)
    return written({"code": code, "msg": MESSAGES[code], "data": {**data, "task_id": data["taskId"]}})


def signature(task: Task, timestamp: int, secret: str) -> dict[str, str]:
    """Kie's headers: base64 of HMAC-SHA256 over ``taskId.timestamp``. The key is the whole text of the account's
    webhook secret, as it was shown when it was made."""
    content = f"{task_id(task)}.{timestamp}".encode()
    digest = hmac.new(secret.encode(), content, hashlib.sha256).digest()
    return {
        "X-Webhook-Timestamp": str(timestamp),
        "X-Webhook-Signature": base64.b64encode(digest).decode("ascii"),
    }


def _param(task: Task) -> dict[str, Any]:
    """The request, as far as the task holds it; its own words where it came by this protocol."""
    extra = task.extra if task.dialect == DIALECT else {}
    given: dict[str, Any] = {
        "input_urls": extra.get("input_urls", _urls(task.image)),
        "video_urls": extra.get("video_urls", _urls(task.video)),
    }
    if task.prompt:
        given["prompt"] = task.prompt
    given |= {"character_orientation": str(task.orientation), "mode": extra.get("mode", MODES[task.mode])}
    if "background_source" in extra:
        given["background_source"] = extra["background_source"]
    param: dict[str, Any] = {"model": NAMES[task.model]}
    if task.callback_url is not None:
        param["callBackUrl"] = task.callback_url
    return {**param, "input": given}


def _urls(source: Link | Stored) -> list[str]:
    return [source.url] if isinstance(source, Link) else []


def _result(task: Task, links: Links, urls: Mapping[str, str]) -> str | None:
    if task.status is not Status.SUCCEED:
        return None
    url = urls.get("video") or links.make(task.id, "video")
    return written({"resultUrls": [url]}).decode()


def _fail_code(task: Task) -> str:
    if task.status is not Status.FAILED:
        return ""
    return OURS if (task.error_code or "internal").startswith(OUR_FAULTS) else THEIRS


def _fail_message(task: Task) -> str:
    """Why, and what to do about it. Who cancelled a task knows both."""
    return reason(task, task.status_msg) if task.status is Status.FAILED else ""
