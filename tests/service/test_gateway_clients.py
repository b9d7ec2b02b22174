"""A served instance as clients of PowerTokens and imini meet it: real videos, their sound, and a cover that is real."""

from __future__ import annotations

import base64
import io
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import av
import httpx
import numpy as np
import pytest
from kling_client import Keys, KlingClient, KlingError, World, world
from made_clips import beep, make_clip, pattern
from PIL import Image
from served import Served, served

LIMIT_S = 60


@dataclass(frozen=True)
class Stage:
    service: Served
    around: World
    keys: Keys

    def imini(self) -> httpx.Client:
        """As imini's script has it: the base URL with the router's prefix, the key as Bearer."""
        return httpx.Client(
            base_url=f"{self.service.base_url}/imini/router",
            headers={"Authorization": f"Bearer {self.keys.api_key}"},
            trust_env=False,
            timeout=LIMIT_S,
        )


@pytest.fixture(scope="module")
def picture() -> bytes:
    file = io.BytesIO()
    Image.fromarray(pattern(300, 300)).save(file, "PNG")
    return file.getvalue()


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory, picture: bytes) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("gateways")
    clip = make_clip(folder / "clip.mp4", [pattern(340, 340)] * 91, sound=beep(91 / 30, (1.3,)))
    files = {"/hero.png": picture, "/dance.mp4": clip.read_bytes(), "/page.html": b"<html>" * 100}
    with world(files) as around, served(folder, ENGINE="fake") as service:
        yield Stage(service, around, Keys(**service.keys("mine")))


def opened(content: bytes) -> tuple[np.ndarray[Any, Any], int, bool]:
    """The first frame in RGB, how many there are, and whether there is sound."""
    with av.open(io.BytesIO(content)) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
        return frames[0], len(frames), bool(container.streams.audio)


def ended(client: httpx.Client, name: str) -> dict[str, Any]:
    """Polls as the script does, by the status's words."""
    until = time.monotonic() + LIMIT_S
    while True:
        task: dict[str, Any] = client.get(f"/v1/videos/tasks/{name}").raise_for_status().json()
        if task["status"] in ("succeeded", "failed"):
            return task
        assert task["status"] in ("queued", "processing")
        assert time.monotonic() < until, task
        time.sleep(0.3)


@pytest.mark.parametrize("sound", [False, True])
def test_imini_s_script_gets_its_video_and_a_cover(stage: Stage, picture: bytes, sound: bool) -> None:
    """It sends the picture as a data: URL and the video at the root; sound is only there where it is asked for."""
    body: dict[str, Any] = {
        "model": "kling/kling-v3-motion-control",
        "resolution": "720P",
        "character_image": "data:image/png;base64," + base64.b64encode(picture).decode(),
        "motion_video": stage.around.url("/dance.mp4"),
        **({"generate_audio": True} if sound else {}),
    }
    with stage.imini() as client:
        made = client.post("/v1/videos/generate", json=body).raise_for_status().json()
        task = ended(client, made["task_id"])
        assert (task["status"], task["error"]) == ("succeeded", None), task
        (video,) = task["videos"]
    with httpx.Client(trust_env=False) as anyone:
        content = anyone.get(video["url"]).raise_for_status().content
        first, frames, has_sound = opened(content)
        assert (video["width"], video["height"]) == (first.shape[1], first.shape[0])
        assert video["duration"] == pytest.approx(frames / 30, abs=0.01)
        assert has_sound is sound
        cover = anyone.get(video["cover_url"]).raise_for_status()
        assert cover.headers["content-type"] == "image/jpeg"
        with Image.open(io.BytesIO(cover.content)) as shown:
            assert np.abs(np.asarray(shown).astype(int) - first).mean() < 5


def test_what_imini_s_worker_finds_is_told_in_the_task(stage: Stage) -> None:
    body = {
        "model": "kling/kling-v3-motion-control",
        "reference_images": [{"url": stage.around.url("/page.html")}],
        "reference_videos": [{"url": stage.around.url("/dance.mp4")}],
    }
    with stage.imini() as client:
        task = ended(client, client.post("/v1/videos/generate", json=body).json()["task_id"])
        assert (task["status"], task["videos"]) == ("failed", None)
        assert task["error"]["code"] == "PICTURE_FORMAT"
        assert len(task["error"]["message"]) > 20
        refused = client.post("/v1/videos/generate", json=body | {"resolution": "4K"})
        assert refused.status_code == 400
        error = refused.json()["error"]
        assert (error["code"], error["status"]) == ("INVALID_PARAMETER", 400)
        assert error["message"].startswith("resolution is '4K'; allowed: 720P, 1080P")


def test_kling_s_client_works_below_powertokens_prefix(stage: Stage) -> None:
    client = KlingClient(f"{stage.service.base_url}/kling", stage.keys, by_api_key=True)
    fields = {
        "image_url": stage.around.url("/hero.png"),
        "video_url": stage.around.url("/dance.mp4"),
        "character_orientation": "video",
        "mode": "std",
    }
    with client.http:
        with pytest.raises(KlingError, match="model_name is missing") as caught:
            client.create(**fields)
        assert (caught.value.status, caught.value.code) == (400, 1201)
        made = client.create(model_name="kling-v3", callback_url=stage.around.url("/hook"), **fields)
        task = client.wait(made["task_id"], limit_s=LIMIT_S)
        (video,) = task["task_result"]["videos"]
        assert client.page(pageSize=1) == [task]
        content = client.ask("GET", f"/v1/videos/{made['task_id']}/content", headers={"Accept": "video/mp4"})
        assert (content.status_code, content.headers["location"]) == (302, video["url"])
        _, frames, has_sound = opened(client.http.get(video["url"]).content)
        assert float(video["duration"]) == pytest.approx(frames / 30, abs=0.01)
        assert has_sound
    told = [one.told for one in stage.around.callbacks(made["task_id"], 3)]
    assert [one["task_status"] for one in told] == ["submitted", "processing", "succeed"]
    assert told[-1]["task_result"] == task["task_result"]


def test_no_key_no_answer(stage: Stage) -> None:
    with httpx.Client(base_url=stage.service.base_url, trust_env=False) as client:
        imini = client.get("/imini/router/v1/videos/tasks/task_0000000000000000001")
        assert (imini.status_code, imini.json()["error"]["code"]) == (401, "UNAUTHORIZED")
        powertokens = client.post("/kling/v1/videos/motion-control", content=b"{")
        assert (powertokens.status_code, powertokens.json()["code"]) == (401, 1001)
        assert powertokens.json()["error"]["type"] == "authentication_error"
