"""Our own API over HTTP: create in both ways, query, list, cancel, retry, delete; nobody sees another's tasks."""

from __future__ import annotations

import asyncio
import base64
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
from kling_examples import PNG
from open_app import LINKS, TASKS, OpenApp, with_app
from sqlalchemy import text

from understudy.config import Settings
from understudy.errors import ClipError
from understudy.server import native
from understudy.server.app import create_app
from understudy.server.native_form import FIELDS
from understudy.server.open_service import open_service
from understudy.storage import FakeStorage
from understudy.tasks.jobs import RENDER
from understudy.tasks.ledger import grant
from understudy.tasks.listeners import Listening

MIB = 2**20
TIME = re.compile(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


def test_create_by_links_and_query(database_url: str, tmp_path: Path) -> None:
    async def test(it: OpenApp) -> None:
        answer = await it.client.post(
            TASKS,
            json={
                **LINKS,
                "orientation": "image",
                "mode": "pro",
                "sound": False,
                "watermark": True,
                "prompt": "in the rain",
                "model": "kling-v3",
                "engine": "fake",
                "callback_url": "https://hooks.example.com/x",
                "external_task_id": "mine-1",
            },
        )
        assert answer.status_code == 201
        task = answer.json()
        assert answer.headers["location"] == f"http://service.test{TASKS}/{task['id']}"
        assert re.fullmatch(r"\d{16}", task["id"])
        assert TIME.fullmatch(task["created_at"])
        assert task["notes"] == [{"what": "prompt", "detail": "The engine fake does not act on a prompt."}]
        wanted = {
            "external_task_id": "mine-1",
            "status": "submitted",
            "engine": "fake",
            "model": "kling-v3",
            "mode": "pro",
            "orientation": "image",
            "sound": False,
            "watermark": True,
            "prompt": "in the rain",
            "callback_url": "https://hooks.example.com/x",
            "result": None,
            "error": None,
            "deduction": None,
        }
        assert {name: task[name] for name in wanted} == wanted
        for name in (task["id"], "mine-1"):
            queried = (await it.client.get(f"{TASKS}/{name}")).json()
            assert queried == {**task, "queue_position": 1}

    with_app(database_url, tmp_path, test)


def test_defaults(database_url: str, tmp_path: Path) -> None:
    async def test(it: OpenApp) -> None:
        task = await it.create(callback_url="", external_task_id=None, prompt="")
        wanted = {
            "engine": "puppet",
            "model": "kling-v2-6",
            "mode": "std",
            "orientation": "video",
            "sound": True,
            "watermark": False,
            "callback_url": None,
            "external_task_id": None,
            "notes": [],
        }
        assert {name: task[name] for name in wanted} == wanted

    with_app(database_url, tmp_path, test)


def test_upload_of_two_files(database_url: str, tmp_path: Path) -> None:
    storage = FakeStorage()
    image, video = PNG, bytes(range(256)) * 20000

    async def test(it: OpenApp) -> None:
        answer = await it.client.post(
            TASKS,
            data={"mode": "pro", "sound": "no", "prompt": "", "external_task_id": "ü/1"},
            files={"image": ("../../etc/x.png", image), "video": ("y.mp4", video)},
        )
        assert answer.status_code == 201, answer.text
        task = answer.json()
        assert (task["mode"], task["sound"], task["external_task_id"]) == ("pro", False, "ü/1")
        assert storage.objects == {f"inputs/{task['id']}/image": image, f"inputs/{task['id']}/video": video}

    with_app(database_url, tmp_path, test, storage=storage)


def test_inline_picture(database_url: str, tmp_path: Path) -> None:
    storage = FakeStorage()
    image = PNG

    async def test(it: OpenApp) -> None:
        given = {"image_base64": base64.b64encode(image).decode(), "video_url": LINKS["video_url"]}
        task = (await it.client.post(TASKS, json=given)).json()
        assert storage.objects == {f"inputs/{task['id']}/image": image}

    with_app(database_url, tmp_path, test, storage=storage)


@pytest.mark.parametrize(
    ("texts", "files", "status", "code", "says"),
    [
        ({}, {"image": b"x", "video": b"x", "other": b"x"}, 422, "field_invalid", "other"),
        ({"colour": "red"}, {"image": b"x", "video": b"x"}, 422, "field_invalid", "colour"),
        ({"mode": "best"}, {"image": b"x", "video": b"x"}, 422, "field_invalid", "mode"),
        ({"sound": "maybe"}, {"image": b"x", "video": b"x"}, 422, "field_invalid", "sound"),
        ({"mode": "x" * 70000}, {"image": b"x", "video": b"x"}, 413, "body_too_large", "mode"),
        ({}, {"image": b"x"}, 422, "field_missing", "video"),
        ({}, {"image": b"", "video": b"x"}, 422, "field_missing", "image"),
        ({"image_url": "https://a.example/b"}, {"image": b"x", "video": b"x"}, 422, "field_invalid", "image"),
        ({}, {"image": b"x" * (10 * MIB + 1), "video": b"x"}, 413, "body_too_large", "10 MB"),
    ],
)
def test_refused_forms_leave_nothing(
    database_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    texts: dict[str, str],
    files: dict[str, bytes],
    status: int,
    code: str,
    says: str,
) -> None:
    storage = FakeStorage()
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))

    async def test(it: OpenApp) -> None:
        answer = await it.client.post(TASKS, data=texts, files=files)
        assert (answer.status_code, answer.json()["error"]["code"]) == (status, code), answer.text
        assert says in answer.json()["error"]["message"]

    with_app(database_url, tmp_path, test, storage=storage)
    assert not storage.objects
    assert not list(folder.iterdir())


BROKEN_FORMS = [
    b"",
    b"no form at all",
    b"--b\r\nContent-Disposition: form-data; name=mode\r\n\r\nstd",  # it breaks off
    b'--b\r\nContent-Disposition: form-data; name="prompt"\r\n\r\n\xff\r\n--b--\r\n',
    b'--b\r\nContent-Disposition: form-data; name="mode"\r\n\r\nstd\r\n' * 2 + b"--b--\r\n",
    b"--b\r\n\r\nwithout a name\r\n--b--\r\n",
    b"--b\r\nContent-Disposition: form-data; name=mode\r\n" + b"X: y\r\n" * 1000 + b"\r\nstd\r\n--b--\r\n",
]


def test_broken_forms(database_url: str, tmp_path: Path) -> None:
    async def test(it: OpenApp) -> None:
        for boundary in ("; boundary=b", ""):
            for body in BROKEN_FORMS:
                answer = await it.client.post(
                    TASKS, content=body, headers={"Content-Type": f"multipart/form-data{boundary}"}
                )
                assert answer.status_code in (400, 422), (body, answer.text)
                assert answer.json()["error"]["code"] in ("body_unreadable", "field_invalid")

    with_app(database_url, tmp_path, test)


def test_a_stranger_uploads_nothing(database_url: str, tmp_path: Path) -> None:
    async def test(it: OpenApp) -> None:
        began = False

        async def pieces() -> Any:
            nonlocal began
            began = True
            yield b"x"

        answer = await it.client.post(
            TASKS,
            content=pieces(),
            headers={"Authorization": "Bearer nobody", "Content-Type": "multipart/form-data; boundary=b"},
        )
        assert answer.status_code == 401
        assert not began

    with_app(database_url, tmp_path, test)


REFUSED_JSON = [
    (b"", 400, "body_unreadable"),
    (b"{", 400, "body_unreadable"),
    (b"[]", 400, "body_unreadable"),
    (b"\xff", 400, "body_unreadable"),
    (b"[" * 100000, 400, "body_unreadable"),
    (b"{}", 422, "field_missing"),
    (b'{"image_url": "https://a.example/b", "video_url": "file:///etc/passwd"}', 422, "field_invalid"),
    (b'{"image_url": 7}', 422, "field_invalid"),
    (b'{"prompt": "\\u0000"}', 422, "field_invalid"),
    (b'{"prompt": "\\ud800"}', 422, "field_invalid"),
    (b'{"engine": "none"}', 422, "field_invalid"),
]


def test_refused_json(database_url: str, tmp_path: Path) -> None:
    async def test(it: OpenApp) -> None:
        for content, status, code in REFUSED_JSON:
            answer = await it.client.post(TASKS, content=content)
            assert (answer.status_code, answer.json()["error"]["code"]) == (status, code), (
                content[:99],
                answer.text,
            )

    with_app(database_url, tmp_path, test)


def test_an_unknown_field_is_told_what_there_is(database_url: str, tmp_path: Path) -> None:
    async def test(it: OpenApp) -> None:
        error = (await it.client.post(TASKS, json={**LINKS, "imageurl": "x"})).json()["error"]
        assert error["limit"] == ", ".join(FIELDS)
        assert "imageurl" in error["message"]

    with_app(database_url, tmp_path, test)


def test_idempotency(database_url: str, tmp_path: Path) -> None:
    async def test(it: OpenApp) -> None:
        key = {"Idempotency-Key": "k1"}
        first = await it.client.post(TASKS, json=LINKS, headers=key)
        again = await it.client.post(TASKS, json=LINKS, headers=key)
        other = await it.client.post(TASKS, json={**LINKS, "mode": "pro"}, headers=key)
        assert first.json()["id"] == again.json()["id"]
        assert other.status_code == 409
        form = {"Idempotency-Key": "k2"}
        sent = [
            await it.client.post(TASKS, files={"image": image, "video": b"v"}, headers=form)
            for image in (b"a", b"a", b"b")
        ]
        assert [answer.status_code for answer in sent] == [201, 201, 409]
        assert sent[0].json()["id"] == sent[1].json()["id"]
        long = await it.client.post(TASKS, json=LINKS, headers={"Idempotency-Key": "x" * 257})
        assert long.json()["error"]["code"] == "field_invalid"

    with_app(database_url, tmp_path, test)


def test_the_life_of_a_task(database_url: str, tmp_path: Path) -> None:
    async def test(it: OpenApp) -> None:
        task = await it.create(watermark=True)
        work = await it.begin(task["id"])
        await it.work.report(work, "draw", 0.25, 12.5)
        seen = (await it.client.get(f"{TASKS}/{task['id']}")).json()
        assert (seen["status"], seen["stage"], seen["progress"], seen["time_left_s"]) == (
            "processing",
            "draw",
            0.25,
            12.5,
        )
        assert TIME.fullmatch(seen["started_at"])
        assert seen["queue_position"] is None
        await it.finish(task["id"], b"video", watermarked=b"marked")
        done = (await it.client.get(f"{TASKS}/{task['id']}")).json()
        result = done["result"]
        assert (done["status"], done["deduction"], done["error"]) == ("succeed", "1.5", None)
        assert (await it.client.get(result.pop("url"))).content == b"video"
        assert (await it.client.get(result.pop("watermark_url"))).content == b"marked"
        assert result == {
            "width": 720,
            "height": 1280,
            "fps": 30.0,
            "frames": 120,
            "duration_s": 4.0,
            "size_bytes": 5,
            "sound": True,
            "character_found_by": "pose",
            "driving_start_s": 0.0,
            "left_out": [],
            "timings_s": {"draw": 1.5},
        }

    with_app(database_url, tmp_path, test)


def test_a_failed_task_says_why(database_url: str, tmp_path: Path) -> None:
    async def test(it: OpenApp) -> None:
        task = await it.create()
        await it.fail(task["id"], ClipError("clip_short", "The video has 2 s.", fix="Take a longer one."))
        failed = (await it.client.get(f"{TASKS}/{task['id']}")).json()
        assert (failed["status"], failed["deduction"], failed["result"]) == ("failed", "0", None)
        assert failed["error"] == {
            "code": "clip_short",
            "message": "The video has 2 s.",
            "fix": "Take a longer one.",
        }

    with_app(database_url, tmp_path, test)


def test_cancel_retry_delete(database_url: str, tmp_path: Path) -> None:
    async def test(it: OpenApp) -> None:
        task = await it.create(external_task_id="mine")
        path = f"{TASKS}/mine"
        cancelled = (await it.client.post(f"{path}/cancel")).json()
        assert (cancelled["status"], cancelled["deduction"]) == ("failed", "0")
        assert cancelled["error"]["message"] == "cancelled by the account"
        assert (await it.client.post(f"{path}/cancel")).json()["error"]["code"] == "task_ended"
        again = await it.client.post(f"{path}/retry")
        assert again.status_code == 201
        assert again.json()["id"] != task["id"]
        assert again.json()["external_task_id"] is None
        deleted = await it.client.delete(path)
        assert (deleted.status_code, deleted.content) == (204, b"")
        for method, where in (("GET", path), ("DELETE", path), ("POST", f"{path}/retry")):
            assert (await it.client.request(method, where)).status_code == 404
        assert [each["id"] for each in (await it.client.get(TASKS)).json()["tasks"]] == [again.json()["id"]]

    with_app(database_url, tmp_path, test)


def test_two_accounts_do_not_see_each_other(database_url: str, tmp_path: Path) -> None:
    async def test(it: OpenApp) -> None:
        task = await it.create(external_task_id="mine")
        other = await it.key_of("ben")
        for name in (task["id"], "mine"):
            for method, end in (
                ("GET", ""),
                ("GET", "/events"),
                ("POST", "/cancel"),
                ("POST", "/retry"),
                ("DELETE", ""),
            ):
                answer = await it.client.request(method, f"{TASKS}/{name}{end}", headers=other)
                assert (answer.status_code, answer.json()["error"]["code"]) == (404, "task_unknown")
        assert (await it.client.get(TASKS, headers=other)).json()["tasks"] == []
        assert (await it.client.get(f"{TASKS}/mine")).json()["status"] == "submitted"

    with_app(database_url, tmp_path, test)


def test_pages(database_url: str, tmp_path: Path) -> None:
    async def test(it: OpenApp) -> None:
        made = [(await it.create())["id"] for _ in range(5)]
        pages = [(await it.client.get(f"{TASKS}?page={n}&size=2")).json() for n in (1, 2, 3, 4)]
        assert [[task["id"] for task in page["tasks"]] for page in pages] == [
            [made[4], made[3]],
            [made[2], made[1]],
            [made[0]],
            [],
        ]

    with_app(database_url, tmp_path, test)


def test_queue_positions(database_url: str, tmp_path: Path) -> None:
    async def test(it: OpenApp) -> None:
        made = [(await it.create())["id"] for _ in range(3)]
        assert [await _position(it, task) for task in made] == [1, 2, 3]
        await it.begin(made[0])
        assert [await _position(it, task) for task in made] == [None, 1, 2]

    async def _position(it: OpenApp, task: str) -> object:
        return (await it.client.get(f"{TASKS}/{task}")).json()["queue_position"]

    with_app(database_url, tmp_path, test)


def test_a_task_that_waits_for_a_worker_which_is_not_there_says_so(database_url: str, tmp_path: Path) -> None:
    async def test(it: OpenApp) -> None:
        task = await it.create()
        listening = Listening(it.service.database, {RENDER: 1})
        stages = []
        for fetched, listened in ((False, False), (True, False), (True, True)):
            if fetched:
                known = await it.work.load(int(task["id"]))
                assert known is not None
                await it.work.fetched(known, 5.0)
            if listened:
                await listening.say()
            now = (await it.client.get(f"{TASKS}/{task['id']}")).json()
            assert (now["status"], now["queue_position"]) == ("submitted", 1)
            stages.append(now["stage"])
            (listed,) = (await it.client.get(TASKS)).json()["tasks"]
            assert listed["stage"] == now["stage"]
        assert stages == [None, "no worker", None]
        await it.work.report(await it.begin(task["id"]), "denoising", 0.7, 42.0)
        told = []
        for silent_s in (0, 21, 600):
            async with it.service.database.begin() as connection:
                for table in ("listeners", "tasks"):
                    ago = f"seen_at = clock_timestamp() - interval '{silent_s} s'"
                    await connection.execute(text(f"UPDATE {table} SET {ago}"))
            now = (await it.client.get(f"{TASKS}/{task['id']}")).json()
            (listed,) = (await it.client.get(TASKS)).json()["tasks"]
            assert listed == now
            assert (now["status"], now["progress"]) == ("processing", 0.7)
            told.append((now["stage"], now["time_left_s"]))
        assert told == [("denoising", 42.0), ("denoising", 42.0), ("no worker", None)]

    with_app(database_url, tmp_path, test)


def test_account_and_engines(database_url: str, tmp_path: Path) -> None:
    async def test(it: OpenApp) -> None:
        await it.create()
        account = (await it.client.get("/understudy/v1/account")).json()
        assert account == {"name": "ann", "balance": None, "concurrency_limit": None, "live_tasks": 1}
        async with it.service.database.begin() as connection:
            owner = await connection.scalar(text("SELECT id FROM accounts WHERE name = 'ann'"))
            await grant(connection, owner, Decimal(1))
        poor = await it.client.post(TASKS, json=LINKS)
        assert (poor.status_code, poor.json()["error"]["code"]) == (402, "balance_used_up")
        engines = (await it.client.get("/understudy/v1/engines")).json()["engines"]
        assert [engine["name"] for engine in engines if engine["default"]] == ["fake"]

    with_app(database_url, tmp_path, test, engine="fake")


def test_health_and_readiness(database_url: str, tmp_path: Path) -> None:
    storage = FakeStorage()

    async def test(it: OpenApp) -> None:
        bare = {"Authorization": ""}
        assert (await it.client.get("/understudy/v1/health", headers=bare)).json() == {"status": "alive"}
        answer = await it.client.get("/understudy/v1/ready", headers=bare)
        assert (answer.status_code, answer.json()) == (503, {"ready": False, "missing": ["worker"]})
        async with it.service.database.begin() as connection:
            await connection.execute(text("INSERT INTO procrastinate_workers DEFAULT VALUES"))
        await asyncio.sleep(2.1)
        answer = await it.client.get("/understudy/v1/ready", headers=bare)
        assert (answer.status_code, answer.json()) == (200, {"ready": True, "missing": []})
        storage.away = True
        await asyncio.sleep(2.1)
        answer = await it.client.get("/understudy/v1/ready", headers=bare)
        assert (answer.status_code, answer.json()["missing"]) == (503, ["storage"])

    with_app(database_url, tmp_path, test, storage=storage)


def test_without_a_database(tmp_path: Path) -> None:
    async def whole() -> None:
        service = open_service(Settings(data_dir=tmp_path), f"postgresql://nobody@/none?host={tmp_path}")
        app = create_app(service)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://t") as client,
        ):
            answer = await client.get(f"{native.PREFIX}/tasks", headers={"Authorization": "Bearer x"})
            assert (answer.status_code, answer.json()["error"]["code"]) == (503, "unavailable")
            ready = (await client.get(f"{native.PREFIX}/ready")).json()
            assert ready["missing"] == ["database", "worker"]
            assert (await client.get(f"{native.PREFIX}/health")).status_code == 200

    asyncio.run(whole())
