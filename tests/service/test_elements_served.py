"""The element library of a served instance, as a client written for Kling meets it: pictures and a video become views
that a finished video shows."""

from __future__ import annotations

import base64
import io
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from kling_client import Keys, KlingClient, KlingError, World, world
from made_clips import make_clip, pattern
from PIL import Image
from served import served

from understudy.media.clip import probe, read_frames
from understudy.sample import character_path, clip_path

ELEMENTS, OLD_ELEMENTS = "/v1/general/advanced-custom-elements", "/v1/general/custom-elements"
DELETE = "/v1/general/delete-advanced-elements"
WORDS = {"element_name": "Mina", "element_description": "A dancer"}
RED, BLUE = (200, 40, 40), (40, 40, 200)
WAIT_S = 60.0


def plain(colour: tuple[int, int, int]) -> bytes:
    content = io.BytesIO()
    Image.new("RGB", (400, 300), colour).save(content, format="PNG")
    return content.getvalue()


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[KlingClient, World]]:
    """An instance with the fake engine, which shows the reference image and then each view."""
    folder = tmp_path_factory.mktemp("elements")
    clip = make_clip(folder / "clip.mp4", [pattern(340, 340)] * 93)
    files = {
        "/hero.png": plain((90, 90, 90)),
        "/red.png": plain(RED),
        "/clip.mp4": clip.read_bytes(),
        "/turn.mp4": clip_path().read_bytes(),
        "/character.png": character_path().read_bytes(),
    }
    with world(files) as around, served(folder, ENGINE="fake") as service:
        client = KlingClient(service.base_url, Keys(**service.keys("mine")))
        with client.http:
            yield client, around


def made(client: KlingClient, path: str = ELEMENTS, **fields: Any) -> dict[str, Any]:
    """The element's task, once it has ended."""
    name = client.data("POST", path, json=WORDS | fields)["task_id"]
    until = time.monotonic() + WAIT_S
    while True:
        task: dict[str, Any] = client.data("GET", f"{ELEMENTS}/{name}")
        if task["task_status"] in ("succeed", "failed"):
            return task
        assert time.monotonic() < until, task
        time.sleep(0.2)


def finished(
    client: KlingClient, around: World, folder: Path, element_id: object
) -> list[np.ndarray[Any, Any]]:
    """The frames of a video that was made with the element."""
    task = client.create(
        image_url=around.url("/hero.png"),
        video_url=around.url("/clip.mp4"),
        character_orientation="video",
        mode="std",
        element_list=[{"element_id": element_id}],
    )
    (video,) = client.wait(task["task_id"], limit_s=WAIT_S)["task_result"]["videos"]
    (folder / "made.mp4").write_bytes(client.http.get(video["url"]).content)
    return [frame for _, frame in read_frames(probe(folder / "made.mp4"))]


def test_pictures_by_link_and_in_base64_reach_the_video(
    stage: tuple[KlingClient, World], tmp_path: Path
) -> None:
    client, around = stage
    inline = base64.b64encode(plain(BLUE)).decode()
    pictures = {"frontal_image": around.url("/red.png"), "refer_images": [{"image_url": inline}]}
    task = made(client, reference_type="image_refer", element_image_list=pictures)
    (element,) = task["task_result"]["elements"]
    assert len(str(element["element_id"])) == 15
    assert element["element_image_list"] == {
        "frontal_image": around.url("/red.png"),
        "refer_images": [{"image_url": ""}],
    }
    frames = finished(client, around, tmp_path, str(element["element_id"]))
    for third, colour in enumerate(((90, 90, 90), RED, BLUE)):
        shown = frames[len(frames) * (2 * third + 1) // 6][50:250, 50:350].reshape(-1, 3).mean(axis=0)
        assert np.abs(shown - colour).max() < 25, (third, shown)
    client.data("POST", DELETE, json={"element_id": element["element_id"]})
    with pytest.raises(KlingError) as caught:
        finished(client, around, tmp_path, element["element_id"])
    assert (caught.value.status, caught.value.code) == (400, 1201)
    (deleted,) = client.data("GET", f"{ELEMENTS}/{task['task_id']}")["task_result"]["elements"]
    assert deleted["status"] == "deleted"


def test_a_video_of_the_character(stage: tuple[KlingClient, World], tmp_path: Path) -> None:
    client, around = stage
    videos = {"refer_videos": [{"video_url": around.url("/turn.mp4")}]}
    task = made(client, reference_type="video_refer", element_video_list=videos, external_task_id="turn")
    assert client.data("GET", f"{ELEMENTS}/turn") == task
    (element,) = task["task_result"]["elements"]
    frames = finished(client, around, tmp_path, element["element_id"])
    assert np.abs(frames[0].astype(int) - frames[-1]).mean() > 20  # it ends with a view of the performer


def test_the_older_path_and_what_fails(stage: tuple[KlingClient, World]) -> None:
    client, around = stage
    told = client.data(
        "POST",
        OLD_ELEMENTS,
        json=WORDS
        | {
            "element_frontal_image": around.url("/character.png"),
            "element_refer_list": [{"image_url": around.url("/gone.png")}],
        },
    )
    until = time.monotonic() + WAIT_S
    while (task := client.data("GET", f"{ELEMENTS}/{told['task_id']}"))["task_status"] != "failed":
        assert time.monotonic() < until, task
        time.sleep(0.2)
    assert "404" in task["task_status_msg"]
    assert task["task_result"] == {"elements": []}
    assert told["element_id"] in [each["element_id"] for each in client.data("GET", OLD_ELEMENTS)]
