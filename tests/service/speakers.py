"""One client of each protocol, as small as can be: what it sends, and what it reads in the answers."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx

IMAGE, VIDEO = "https://example.com/a.png", "https://example.com/a.mp4"
KLING = {
    "model_name": "kling-v3",
    "image_url": IMAGE,
    "video_url": VIDEO,
    "character_orientation": "video",
    "mode": "std",
}


@dataclass(frozen=True)
class Speaker:
    """``form`` is how the protocol writes a task's number; ``made`` reads it in the answer to the request, ``told``
    the state and, of a finished task, the video's address. ``orientation`` is where the request has that word."""

    path: str
    body: dict[str, Any]
    orientation: tuple[str, ...]
    made: Callable[[Any], Any]
    form: Callable[[int], str]
    asked: Callable[[str], tuple[str, str, dict[str, Any] | None]]
    told: Callable[[Any], tuple[str, str | None]]
    words: tuple[str, str, str]  # of a task that waits, that succeeded, that failed
    key_in_body: bool = False

    async def create(self, client: httpx.AsyncClient, **changed: Any) -> httpx.Response:
        return await client.post(self.path, json=self._signed(client, {**self.body, **changed}))

    async def ask(self, client: httpx.AsyncClient, name: str) -> httpx.Response:
        method, path, body = self.asked(name)
        given = None if body is None else self._signed(client, body)
        return await client.request(method, path, json=given)

    def _signed(self, client: httpx.AsyncClient, body: dict[str, Any]) -> dict[str, Any]:
        key = client.headers["authorization"].removeprefix("Bearer ")
        return {**body, "key": key} if self.key_in_body else body


def _kling(answer: Any) -> tuple[str, str | None]:
    videos = answer["data"]["task_result"]["videos"]
    return answer["data"]["task_status"], videos[0]["url"] if videos else None


def _imini(answer: Any) -> tuple[str, str | None]:
    return answer["status"], answer["videos"][0]["url"] if answer["videos"] else None


def _kling2(answer: Any) -> tuple[str, str | None]:
    (task,) = answer["data"]
    return task["status"], task["outputs"][0]["url"] if task["outputs"] else None


def _modelslab(answer: Any) -> tuple[str, str | None]:
    return answer["status"], answer["output"][0] if answer.get("output") else None


def _kie(answer: Any) -> tuple[str, str | None]:
    made = answer["data"]["resultJson"]
    return answer["data"]["state"], json.loads(made)["resultUrls"][0] if made else None


def _native(answer: Any) -> tuple[str, str | None]:
    return answer["status"], answer["result"]["url"] if answer.get("result") else None


def _get(path: str) -> Callable[[str], tuple[str, str, None]]:
    return lambda name: ("GET", path + name, None)


SPEAKERS = {
    "kling": Speaker(
        "/v1/videos/motion-control",
        KLING,
        ("character_orientation",),
        lambda answer: answer["data"]["task_id"],
        str,
        _get("/v1/videos/motion-control/"),
        _kling,
        ("submitted", "succeed", "failed"),
    ),
    "powertokens": Speaker(
        "/kling/v1/videos/motion-control",
        KLING,
        ("character_orientation",),
        lambda answer: answer["data"]["task_id"],
        str,
        _get("/kling/v1/videos/motion-control/"),
        _kling,
        ("submitted", "succeed", "failed"),
    ),
    "imini": Speaker(
        "/imini/router/v1/videos/generate",
        {
            "model": "kling/kling-v3-motion-control",
            "reference_images": [{"url": IMAGE}],
            "reference_videos": [{"url": VIDEO}],
            "extra_params": {"character_orientation": "video"},
        },
        ("extra_params", "character_orientation"),
        lambda answer: answer["task_id"],
        "task_{:019d}".format,
        _get("/imini/router/v1/videos/tasks/"),
        _imini,
        ("queued", "succeeded", "failed"),
    ),
    "kling-2": Speaker(
        "/motion-control/kling-3.0",
        {
            "contents": [{"type": "image", "url": IMAGE}, {"type": "video", "url": VIDEO}],
            "settings": {"character_orientation": "video"},
        },
        ("settings", "character_orientation"),
        lambda answer: answer["data"]["id"],
        str,
        _get("/tasks?task_ids="),
        _kling2,
        ("submitted", "succeeded", "failed"),
    ),
    "modelslab": Speaker(
        "/api/v7/video-fusion/motion-control",
        {
            "model_id": "kling-v3-motion-control",
            "init_image": IMAGE,
            "init_video": VIDEO,
            "character_orientation": "video",
        },
        ("character_orientation",),
        lambda answer: answer["id"],
        str,
        lambda name: ("POST", f"/api/v7/video-fusion/fetch/{name}", {}),
        _modelslab,
        ("processing", "success", "error"),
        key_in_body=True,
    ),
    "kie": Speaker(
        "/api/v1/jobs/createTask",
        {
            "model": "kling-3.0/motion-control",
            "input": {"input_urls": [IMAGE], "video_urls": [VIDEO], "character_orientation": "video"},
        },
        ("input", "character_orientation"),
        lambda answer: answer["data"]["taskId"],
        "task_kling-3.0_{}".format,
        _get("/api/v1/jobs/recordInfo?taskId="),
        _kie,
        ("waiting", "success", "fail"),
    ),
    "native": Speaker(
        "/understudy/v1/tasks",
        {"image_url": IMAGE, "video_url": VIDEO, "model": "kling-v3"},
        ("orientation",),
        lambda answer: answer["id"],
        str,
        _get("/understudy/v1/tasks/"),
        _native,
        ("submitted", "succeed", "failed"),
    ),
}
