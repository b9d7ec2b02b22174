"""ModelsLab's dialect on a real database: a task's whole life, where the key ends up, and other dialects' views."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
from open_app import TASKS, OpenApp, with_app
from sqlalchemy import select, text

from understudy.errors import ClipError
from understudy.server.dialects.modelslab_answers import usual_s
from understudy.server.dialects.registry import dialect_named
from understudy.tasks.tables import deliveries
from understudy.tasks.task import StatusChange

PATH = "/api/v7/video-fusion/motion-control"
KLING = "/v1/videos/motion-control"
CONTENT = bytes(range(256)) * 40


class Client:
    """What ModelsLab's clients have in common: JSON by POST, the key in it, and no header of ours."""

    def __init__(self, it: OpenApp) -> None:
        self.key = it.client.headers["authorization"].removeprefix("Bearer ")
        self.http = httpx.AsyncClient(transport=httpx.ASGITransport(it.app), base_url="http://service.test")

    async def post(self, path: str, **more: Any) -> Any:
        answer = await self.http.post(path, json={"key": self.key, **more})
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def create(self, **more: Any) -> Any:
        return await self.post(
            PATH,
            **{
                "model_id": "kling-v3-motion-control",
                "init_image": "https://example.com/a.png",
                "init_video": "https://example.com/a.mp4",
                "character_orientation": "image",
                **more,
            },
        )


def test_from_create_to_download(database_url: str, tmp_path: Path) -> None:
    async def test(it: OpenApp) -> None:
        client = Client(it)
        made = await client.create(prompt="slow", track_id="order 7")
        (link,) = made["future_links"]
        assert (made["status"], made["output"]) == ("processing", [])
        assert made["fetch_result"] == f"http://service.test/api/v7/video-fusion/fetch/{made['id']}"
        assert made["eta"] == round(usual_s(made["meta"]["mode"]) + 0.5)  # nobody knows better yet
        early = await client.http.get(link)
        assert (early.status_code, early.headers["retry-after"]) == (404, "5")
        assert (await client.post(made["fetch_result"]))["status"] == "processing"
        await it.finish(str(made["id"]), CONTENT)
        done = await client.post(made["fetch_result"])
        assert (done["status"], done["id"], done["output"]) == ("success", made["id"], [link])
        assert 0 <= done["generationTime"] < 60
        assert done["meta"] == made["meta"] | {"width": 720, "height": 1280, "fps": 30.0, "duration": 4.0}
        assert done["meta"]["track_id"] == "order 7"
        assert (await client.http.get(link)).content == CONTENT
        later = await client.create()
        assert later["eta"] == 1  # the one task that has ended took no second

    with_app(database_url, tmp_path, test)


def test_a_failed_task_and_an_unknown_one(database_url: str, tmp_path: Path) -> None:
    async def test(it: OpenApp) -> None:
        client = Client(it)
        made = await client.create()
        await it.fail(str(made["id"]), ClipError("clip_too_short", "It lasts 1 s.", fix="Use a longer one."))
        done = await client.post(made["fetch_result"])
        assert done == {"status": "error", "id": made["id"], "message": "It lasts 1 s. Use a longer one."}
        assert (await client.http.get(made["future_links"][0])).status_code == 410
        for name in ("1", "none", str(made["id"]) + "0"):
            answer = await client.http.post(f"/api/v7/video-fusion/fetch/{name}", json={"key": client.key})
            assert answer.status_code == 404
            assert answer.json()["status"] == "error"

    with_app(database_url, tmp_path, test)


def test_the_key_lies_in_no_table_and_no_file(database_url: str, tmp_path: Path) -> None:
    async def test(it: OpenApp) -> None:
        client = Client(it)
        made = await client.create(webhook="https://me.example/hook", track_id=7, prompt="to be found")
        wrong = await client.http.post(PATH, json={"key": client.key + "x"})
        assert wrong.status_code == 401
        assert client.key not in wrong.text
        bad = {"key": client.key, "mode": "no"}
        again = await client.http.post(PATH, headers={"idempotency-key": "once"}, json=bad)
        assert again.status_code == 400
        await it.finish(str(made["id"]), CONTENT)
        kept: list[str] = []
        async with it.service.database.read() as connection:
            names = await connection.execute(
                text("SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'")
            )
            for name in names.scalars().all():
                kept += (await connection.execute(text(f'SELECT t::text FROM "{name}" t'))).scalars().all()
        kept += [path.read_text("latin-1") for path in tmp_path.rglob("*") if path.is_file()]
        assert any("to be found" in row for row in kept)
        assert not any(client.key in row for row in kept)

    with_app(database_url, tmp_path, test)


def test_webhooks_tell_of_the_end_and_bring_the_track_id_back(database_url: str, tmp_path: Path) -> None:
    async def test(it: OpenApp) -> None:
        client = Client(it)
        for track_id in ("order 7", 7, 2**53, -1.5, 0, "", None):
            made = await client.create(webhook="https://me.example/hook", track_id=track_id)
            await it.finish(str(made["id"]), CONTENT)
            account = await it.service.authenticator.account(f"Bearer {client.key}")
            task = await it.service.tasks.find(account.id, str(made["id"]))
            async with it.service.database.read() as connection:
                sent = (
                    await connection.execute(
                        select(deliveries.c.status).where(deliveries.c.task_id == task.id)
                    )
                ).scalars()
                assert [*sent] == ["succeed"]
            change = StatusChange(task.status, "", task.updated_at)
            body = json.loads(dialect_named(task.dialect).encode_callback(task, change, it.service.links))
            assert (body["status"], body["id"], body["track_id"]) == ("success", made["id"], track_id)
            assert type(body["track_id"]) is type(track_id)
            assert (await client.http.get(body["output"][0])).content == CONTENT

    with_app(database_url, tmp_path, test)


def test_made_here_and_asked_for_elsewhere(database_url: str, tmp_path: Path) -> None:
    async def test(it: OpenApp) -> None:
        made = await Client(it).create()
        there = (await it.client.get(f"{KLING}/{made['id']}")).json()["data"]
        assert (there["task_id"], there["task_status"]) == (str(made["id"]), "submitted")
        await it.finish(str(made["id"]), CONTENT)
        there = (await it.client.get(f"{KLING}/{made['id']}")).json()["data"]
        assert there["task_result"]["videos"][0]["url"] == made["future_links"][0]
        native = (await it.client.get(f"{TASKS}/{made['id']}")).json()
        assert (native["model"], native["orientation"]) == ("kling-v3", "image")

    with_app(database_url, tmp_path, test)


def test_made_elsewhere_and_asked_for_here(database_url: str, tmp_path: Path) -> None:
    async def test(it: OpenApp) -> None:
        client = Client(it)
        asked = {
            "image_url": "https://example.com/a.png",
            "video_url": "https://example.com/a.mp4",
            "character_orientation": "video",
            "mode": "std",
            "external_task_id": "mine",
        }
        made = (await it.client.post(KLING, json=asked)).json()["data"]
        number = int(made["task_id"])
        for name in (made["task_id"], "mine"):
            here = await client.post(f"/api/v7/video-fusion/fetch/{name}")
            assert (here["status"], here["id"]) == ("processing", number)
        await it.finish(made["task_id"], CONTENT)
        here = await client.post(f"/api/v7/video-fusion/fetch/{number}")
        assert here["status"] == "success"
        assert (here["meta"]["model_id"], here["meta"]["track_id"]) == ("kling-motion-control", None)
        assert (await client.http.get(here["output"][0])).content == CONTENT
        stranger = (await it.key_of("bob"))["Authorization"].removeprefix("Bearer ")
        answer = await client.http.post(f"/api/v7/video-fusion/fetch/{number}", json={"key": stranger})
        assert answer.status_code == 404

    with_app(database_url, tmp_path, test)


def test_limits_of_an_account(database_url: str, tmp_path: Path) -> None:
    async def test(it: OpenApp) -> None:
        client = Client(it)
        async with it.service.database.begin() as connection:
            await connection.execute(text("UPDATE accounts SET concurrency_limit = 1"))
        first = await client.create()
        body = {"key": client.key, "model_id": "kling-motion-control", "character_orientation": "video"}
        body |= {"init_image": "https://example.com/a.png", "init_video": "https://example.com/a.mp4"}
        busy = await client.http.post(PATH, json=body)
        assert (busy.status_code, busy.json()) == (
            429,
            {
                "status": "error",
                "message": "Rate limit exceeded. Maximum 1 queued requests allowed.",
                "retry_after": 30,
            },
        )
        await it.finish(str(first["id"]), CONTENT)
        async with it.service.database.begin() as connection:
            await connection.execute(text("UPDATE accounts SET balance = 0"))
        poor = await client.http.post(PATH, json=body)
        assert poor.status_code == 402
        assert poor.json()["message"].startswith("Insufficient credits.")
        async with it.service.database.begin() as connection:
            await connection.execute(text("UPDATE accounts SET disabled = true"))
        assert (await client.http.post(PATH, json=body)).status_code == 403

    with_app(database_url, tmp_path, test)
