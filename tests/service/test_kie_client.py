"""The service as a client written for Kie meets it: a real instance, uploads, a Matroska video, a signed callback."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import io
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import av
import httpx
import pytest
from kling_client import Callback, World, world
from kling_examples import SUBMITTED
from made_clips import make_clip, pattern
from PIL import Image
from served import Served, served

from understudy.config import Settings, models_dir
from understudy.errors import UnderstudyError
from understudy.tasks.renderer import Renderer

RENDER_S = 120  # the most that the engine without motion may take on a busy machine


def as_matroska(clip: Path, path: Path) -> Path:
    """The same packets in another container."""
    with av.open(str(clip)) as source, av.open(str(path), "w", format="matroska") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(source.streams.video[0]):
            if packet.dts is not None:
                packet.stream = stream
                target.mux(packet)
    return path


class KieClient:
    """Bearer key, and the code in the body: HTTP is 200 always."""

    def __init__(self, base_url: str, key: str) -> None:
        self.http = httpx.Client(
            base_url=base_url, trust_env=False, timeout=60, headers={"Authorization": f"Bearer {key}"}
        )

    def ask(self, method: str, path: str, **more: Any) -> Any:
        response = self.http.request(method, path, **more)
        assert response.status_code == 200
        body = response.json()
        assert body["code"] == 200, body
        return body["data"]

    def upload(self, path: Path) -> str:
        with path.open("rb") as file:
            fields = {"uploadPath": "motion", "fileName": path.name}
            data = self.ask("POST", "/api/file-stream-upload", data=fields, files={"file": file})
        return str(data["downloadUrl"])

    def create(self, **body: Any) -> str:
        return str(self.ask("POST", "/api/v1/jobs/createTask", json=body)["taskId"])

    def wait(self, task_id: str) -> Any:
        until = time.monotonic() + RENDER_S
        seen = ["waiting"]
        while True:
            task = self.ask("GET", "/api/v1/jobs/recordInfo", params={"taskId": task_id})
            if task["state"] != seen[-1]:
                seen.append(task["state"])
            if task["state"] in ("success", "fail"):
                order = ["waiting", "queuing", "generating", task["state"]]
                assert [state for state in order if state in seen] == seen
                return task
            assert time.monotonic() < until, task
            time.sleep(0.3)


@dataclass(frozen=True)
class Stage:
    service: Served
    around: World
    client: KieClient
    picture: Path
    clip: Path
    matroska: Path


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("kie")
    picture = folder / "hero.png"
    Image.fromarray(pattern(400, 400)).save(picture)
    clip = make_clip(folder / "dance.mp4", [pattern(340, 340)] * 100)
    matroska = as_matroska(clip, folder / "dance.mkv")
    with (
        world({"/hero.png": picture.read_bytes()}) as around,
        served(folder, ENGINE="fake") as service,
    ):
        client = KieClient(service.base_url, service.keys("mine")["api_key"])
        with client.http:
            yield Stage(service, around, client, picture, clip, matroska)


def callbacks(stage: Stage, task_id: str) -> list[Callback]:
    """Those of one task, once there is one."""
    until = time.monotonic() + 30
    while True:
        mine = [one for one in list(stage.around.posted) if one.told["data"]["taskId"] == task_id]
        if mine:
            return mine
        assert time.monotonic() < until
        time.sleep(0.1)


def test_from_an_upload_to_the_video(stage: Stage) -> None:
    made = stage.service.command("webhooks", "rotate", "--account", "mine", "--json")
    secret = str(json.loads(made)["secret"])
    picture, video = stage.client.upload(stage.picture), stage.client.upload(stage.matroska)
    assert picture.endswith(".png")
    assert video.endswith(".mkv")
    task_id = stage.client.create(
        model="kling-2.6/motion-control",
        callBackUrl=stage.around.url("/kie"),
        input={"input_urls": [picture], "video_urls": [video], "mode": "720p"},
    )
    task = stage.client.wait(task_id)
    assert (task["state"], task["failMsg"]) == ("success", "")
    assert task["creditsConsumed"] == 1.5
    (url,) = json.loads(task["resultJson"])["resultUrls"]
    link = stage.client.ask("POST", "/api/v1/common/download-url", json={"url": url})
    with httpx.Client(trust_env=False) as stranger:
        content = stranger.get(url).content
        assert stranger.get(link).content == content
    with av.open(io.BytesIO(content)) as container:
        stream = container.streams.video[0]
        assert (stream.width, stream.height) == (400, 400)  # that engine keeps the picture as it is
        assert sum(1 for _ in container.decode(stream)) == 100

    (told,) = callbacks(stage, task_id)
    headers = {name.lower(): value for name, value in told.headers.items()}
    content_signed = f"{task_id}.{headers['x-webhook-timestamp']}".encode()
    digest = hmac.new(secret.encode(), content_signed, hashlib.sha256).digest()
    assert headers["x-webhook-signature"] == base64.b64encode(digest).decode()
    assert told.told["code"] == 200
    assert told.told["data"] == {**task, "task_id": task_id}


def test_a_failed_one_is_told_once_by_501(stage: Stage) -> None:
    fetched = stage.client.ask(
        "POST",
        "/api/file-url-upload",
        json={"fileUrl": stage.around.url("/hero.png"), "uploadPath": "motion"},
    )
    assert fetched["fileSize"] == stage.picture.stat().st_size
    task_id = stage.client.create(
        model="kling-3.0/motion-control",
        callBackUrl=stage.around.url("/kie"),
        input={
            "input_urls": [fetched["downloadUrl"]],
            "video_urls": [fetched["downloadUrl"]],
        },
    )
    task = stage.client.wait(task_id)
    assert (task["state"], task["failCode"], task["creditsConsumed"]) == ("fail", "400", 0)
    assert "MP4" in task["failMsg"]
    (told,) = callbacks(stage, task_id)
    assert (told.told["code"], told.told["data"]["resultJson"]) == (501, None)
    time.sleep(1)
    assert len(callbacks(stage, task_id)) == 1


def test_matroska_comes_in_by_this_dialect_alone(stage: Stage) -> None:
    fields = {
        "image_url": stage.client.upload(stage.picture),
        "video_url": stage.client.upload(stage.matroska),
        "character_orientation": "video",
        "mode": "std",
    }
    answer = stage.client.http.post("/v1/videos/motion-control", json=fields).json()
    task = stage.client.wait(answer["data"]["task_id"])
    assert task["state"] == "fail"
    assert "MP4 or MOV" in task["failMsg"]


@pytest.mark.parametrize("matroska", [True, False])
def test_what_the_child_takes(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, matroska: bool
) -> None:
    """A picture is refused as a video, and WebP as a picture, whether Matroska may come or not."""
    monkeypatch.setenv("UNDERSTUDY_MODELS_DIR", str(models_dir()))
    work, data = tmp_path / "work", tmp_path / "data"
    work.mkdir()
    data.mkdir()
    task = replace(SUBMITTED, engine="fake", matroska=matroska)

    async def check() -> float:
        return await Renderer(Settings(data_dir=data, threads=1)).check(work, task)

    def found(picture: bytes, video: bytes) -> str:
        (work / "image").write_bytes(picture)
        (work / "video").write_bytes(video)
        try:
            asyncio.run(check())
        except UnderstudyError as error:
            return error.code
        return ""

    png = stage.picture.read_bytes()
    webp = io.BytesIO()
    Image.open(stage.picture).save(webp, "WEBP")
    assert found(png, stage.matroska.read_bytes()) == ("" if matroska else "clip_format")
    assert found(png, stage.clip.read_bytes()) == ""
    assert found(png, png) == "clip_format"
    assert found(webp.getvalue(), stage.clip.read_bytes()) == "picture_format"
