"""A task in ModelsLab's words: its statuses, a whole number as id, and a link that is told before there is a video."""

from __future__ import annotations

import math
from typing import Any

from understudy.request import Mode
from understudy.server.dialects.body import written
from understudy.server.dialects.call import View
from understudy.server.dialects.kling_answers import reason
from understudy.server.dialects.modelslab_form import FETCH_PATH, MODELS
from understudy.server.links import Links
from understudy.tasks import pace
from understudy.tasks.task import Status, StatusChange, Task

NAMES = {ours: theirs for theirs, ours in MODELS.items()}
TRY_AGAIN = "Try to fetch request after given estimated time"
TIP = "The video is made in the background: send a POST with your key to fetch_result, or give a webhook."


def answered(task: Task, view: View) -> dict[str, Any]:
    """The task as it stands: the answer to a create, and to a fetch. A failed one comes with HTTP 200 too."""
    match task.status:
        case Status.SUCCEED:
            video = view.links.make(task.id, "video")
            return {
                **_success(task, view.urls.get("video") or video),
                "proxy_links": [video],
                "fetch_result": _fetch(task, view.links),
            }
        case Status.FAILED:
            return {"status": "error", "id": task.id, "message": reason(task, task.status_msg)}
    return {
        "status": "processing",
        "tip": TIP,
        "eta": eta_s(task, view.wait_s),
        "message": TRY_AGAIN,
        "id": task.id,
        "fetch_result": _fetch(task, view.links),
        "output": [],
        "proxy_links": [],
        "future_links": [view.links.make(task.id, "video")],
        "meta": _meta(task),
    }


def called_back(task: Task, change: StatusChange, links: Links) -> bytes:
    """The webhook's body for one change, also where the task has gone on since."""
    track_id = task.extra.get("track_id")
    match change.status:
        case Status.SUCCEED:
            body = {**_success(task, links.make(task.id, "video")), "track_id": track_id}
        case Status.FAILED:
            message = reason(task, change.status_msg)
            body = {"status": "failed", "id": task.id, "message": message, "track_id": track_id}
        case _:
            body = {"status": "processing", "id": task.id, "track_id": track_id}
    return written(body)


def eta_s(task: Task, wait_s: float | None) -> int:
    """Whole seconds until the end, at least 1; ``wait_s`` is what is known of it."""
    return max(1, math.ceil(usual_s(task.mode) if wait_s is None else wait_s))


def usual_s(mode: Mode) -> float:
    """Seconds that a video takes on two quiet cores, by the speed that is measured of the puppet's stages, for a clip
    of ``pace.GUESSED_FRAMES`` frames: nobody has counted them before the task has begun."""
    return sum(
        (pace.START_S[stage] + pace.FRAME_S[stage] * pace.GUESSED_FRAMES)
        * (pace.PRO[stage] if mode is Mode.PRO else 1.0)
        for stage in pace.ALL
    )


def _success(task: Task, video: str) -> dict[str, Any]:
    began = task.started_at or task.created_at
    took = (task.ended_at or task.updated_at) - began
    return {
        "status": "success",
        "generationTime": round(max(took.total_seconds(), 0.0), 2),
        "id": task.id,
        "output": [] if task.output is None else [video],
        "meta": _meta(task),
    }


def _meta(task: Task) -> dict[str, Any]:
    """What was asked for, without the addresses, which may be secrets; and what the video is, once there is one."""
    asked: dict[str, Any] = {
        "model_id": NAMES.get(task.model, task.model),
        "prompt": task.prompt,
        "mode": str(task.mode),
        "character_orientation": str(task.orientation),
        "keep_original_sound": "yes" if task.sound else "no",
        "track_id": task.extra.get("track_id"),
    }
    return asked | _size(task)


def _size(task: Task) -> dict[str, Any]:
    if task.output is None:
        return {}
    out = task.output
    return {"width": out.width, "height": out.height, "fps": out.fps, "duration": round(out.duration_s, 3)}


def _fetch(task: Task, links: Links) -> str:
    return links.public(f"{FETCH_PATH}/{task.id}")
