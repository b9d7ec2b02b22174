"""PowerTokens and imini on a real database: from a request to the bytes of the result, and beside Kling's protocol."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from open_app import OpenApp, with_app

from understudy.errors import ClipError

KLING = {
    "image_url": "https://example.com/a.png",
    "video_url": "https://example.com/a.mp4",
    "character_orientation": "video",
    "mode": "std",
}
POWERTOKENS = KLING | {"model_name": "kling-v3", "external_task_id": "order 7"}
IMINI = {
    "model": "kling/kling-v3-motion-control",
    "reference_images": [{"url": "https://example.com/a.png"}],
    "reference_videos": [{"url": "https://example.com/a.mp4"}],
}
PATH = "/kling/v1/videos/motion-control"
GENERATE, TASKS = "/imini/router/v1/videos/generate", "/imini/router/v1/videos/tasks"
TOO_SHORT = ClipError("clip_too_short", "The video lasts 1.00 s.", fix="Use a longer one.")


async def told(app: OpenApp, path: str) -> Any:
    answer = await app.client.get(path)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def downloaded(app: OpenApp, link: str) -> tuple[str, bytes]:
    """Media type and content behind a link, without a key."""
    address = urlsplit(link)
    assert f"{address.scheme}://{address.netloc}" == "http://service.test"
    answer = await app.client.get(address.path, headers={"Authorization": ""})
    assert answer.status_code == 200
    return answer.headers["content-type"], answer.content


def test_powertokens_from_a_request_to_the_bytes(database_url: str, tmp_path: Path) -> None:
    async def story(app: OpenApp) -> None:
        made = (await app.client.post(PATH, json=POWERTOKENS)).json()["data"]
        name = made["task_id"]
        assert made["task_info"] == {"external_task_id": "order 7"}
        assert (await told(app, f"/v1/videos/{name}"))["status"] == "queued"
        early = await app.client.get(f"/v1/videos/{name}/content")
        assert (early.status_code, early.json()["code"]) == (400, 1201)
        await app.finish(name, b"the video's bytes")
        one = (await told(app, f"{PATH}/order%207"))["data"]
        assert (
            one
            == (await told(app, f"{PATH}/{name}"))["data"]
            == (await told(app, f"{PATH}?pageSize=5"))["data"][0]
        )
        assert (one["task_status"], one["final_unit_deduction"]) == ("succeed", "2.7")
        video = await told(app, f"/kling/v1/videos/{name}")
        assert (video["status"], video["progress"], video["model"]) == ("completed", 100, "kling-v3")
        link = one["task_result"]["videos"][0]["url"]
        assert video["metadata"] == {"url": link}
        content = await app.client.get(f"/v1/videos/{name}/content")
        assert (content.status_code, content.headers["location"]) == (302, link)
        assert await downloaded(app, link) == ("video/mp4", b"the video's bytes")

    with_app(database_url, tmp_path, story)


def test_imini_from_a_request_to_the_bytes(database_url: str, tmp_path: Path) -> None:
    async def story(app: OpenApp) -> None:
        made = (await app.client.post(GENERATE, json=IMINI)).json()
        number = str(int(made["task_id"].removeprefix("task_")))
        assert made["task_id"] == f"task_{number.zfill(19)}"
        queued = await told(app, f"{TASKS}/{made['task_id']}")
        assert (queued["status"], queued["videos"], queued["completed_at"]) == ("queued", None, None)
        assert queued["created_at"] == made["created_at"]
        await app.finish(number, b"the video's bytes", cover=b"the cover's bytes")
        done = await told(app, f"/v1/videos/tasks/{made['task_id']}")
        assert (done["status"], done["error"]) == ("succeeded", None)
        assert done["completed_at"] > done["created_at"]
        (video,) = done["videos"]
        assert (video["width"], video["height"], video["duration"]) == (720, 1280, 4.0)
        assert await downloaded(app, video["url"]) == ("video/mp4", b"the video's bytes")
        assert await downloaded(app, video["cover_url"]) == ("image/jpeg", b"the cover's bytes")

    with_app(database_url, tmp_path, story)


def test_what_was_made_in_one_is_told_by_the_others(database_url: str, tmp_path: Path) -> None:
    async def story(app: OpenApp) -> None:
        first = (await app.client.post(PATH, json=POWERTOKENS)).json()["data"]["task_id"]
        second = (await app.client.post(GENERATE, json=IMINI)).json()["task_id"]
        number = str(int(second.removeprefix("task_")))
        third = (await app.client.post("/v1/videos/motion-control", json=KLING)).json()["data"]["task_id"]
        await app.finish(first, b"first")
        await app.fail(number, TOO_SHORT)
        for name in ("order%207", first, f"task_{first.zfill(19)}"):
            seen = await told(app, f"{TASKS}/{name}")
            assert (seen["status"], seen["model"]) == ("succeeded", "kling/kling-v3-motion-control")
            assert seen["videos"][0]["cover_url"] is None
        assert (await told(app, f"/v1/videos/motion-control/{first}"))["data"]["task_status"] == "succeed"
        reason = "The video lasts 1.00 s. Use a longer one."
        assert (await told(app, f"/v1/videos/motion-control/{number}"))["data"]["task_status_msg"] == reason
        assert (await told(app, f"{PATH}/{number}"))["data"]["task_status"] == "failed"
        seen = await told(app, f"/v1/videos/{number}")
        assert seen["error"] == {"code": "clip_too_short", "message": reason}
        error = (await told(app, f"{TASKS}/{second}"))["error"]
        assert (error["code"], error["message"]) == ("CLIP_TOO_SHORT", reason)
        assert (await told(app, f"{TASKS}/{third}"))["model"] == "kling/kling-v2-6-motion-control"
        assert (await told(app, f"/v1/videos/{third}"))["model"] == "kling-v2-6"

    with_app(database_url, tmp_path, story)


def test_another_s_task_is_an_unknown_one(database_url: str, tmp_path: Path) -> None:
    async def story(app: OpenApp) -> None:
        name = (await app.client.post(PATH, json=POWERTOKENS)).json()["data"]["task_id"]
        theirs = await app.key_of("bob")
        for path, status in (
            (f"{PATH}/{name}", 400),
            (f"/v1/videos/{name}", 400),
            (f"/v1/videos/{name}/content", 400),
            (f"{TASKS}/task_{name.zfill(19)}", 404),
        ):
            assert (await app.client.get(path, headers=theirs)).status_code == status, path

    with_app(database_url, tmp_path, story)
