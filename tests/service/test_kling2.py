"""Kling's API 2.0 on a real database: from a request to the video's bytes, tasks of other protocols, the account."""

from __future__ import annotations

import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import jwt
from callback_setting import LOOPBACK
from open_app import OpenApp, with_app
from receiver import receiving
from sqlalchemy import select
from standardwebhooks import Webhook

from understudy.media.network import NetworkGuard
from understudy.request import Orientation
from understudy.sample import clip_path
from understudy.server.dialects.registry import DIALECTS
from understudy.tasks import ledger
from understudy.tasks.accounts import account_named
from understudy.tasks.callbacks import Deliverer
from understudy.tasks.element import NewElement, Reference
from understudy.tasks.element_work import ElementWork
from understudy.tasks.keys import create_keys
from understudy.tasks.submission import Link
from understudy.tasks.tables import deliveries
from understudy.tasks.webhooks import rotate

LEGACY = "/v1/videos/motion-control"
IMAGE = {"type": "image", "url": "https://example.com/a.png"}
VIDEO = {"type": "video", "url": "https://example.com/a.mp4"}
BODY = {"contents": [IMAGE, VIDEO], "settings": {"character_orientation": "video"}}
OLD_BODY = {
    "image_url": IMAGE["url"],
    "video_url": VIDEO["url"],
    "character_orientation": "video",
    "mode": "std",
}


async def asked(it: OpenApp, method: str, path: str, **given: Any) -> Any:
    """The data of an answer that is none of an error."""
    answer = await it.client.request(method, path, **given)
    body = answer.json()
    assert (answer.status_code, body["code"]) == (200, 0), answer.text
    return body["data"]


async def made(it: OpenApp, model: str = "kling-3.0", **options: Any) -> dict[str, Any]:
    task: dict[str, Any] = await asked(
        it, "POST", f"/motion-control/{model}", json={**BODY, "options": options}
    )
    return task


async def finish(it: OpenApp, task_id: str, content: bytes, **more: bytes) -> None:
    """End a task well whose clip lasts 4 s."""
    account = await it.service.authenticator.account(it.client.headers["Authorization"])
    assert await it.work.fetched(await it.service.tasks.find(account.id, task_id), 4.0)
    await it.finish(task_id, content, **more)


async def grant(it: OpenApp, units: str) -> None:
    async with it.service.database.begin() as connection:
        account = await account_named(connection, "ann")
        await ledger.grant(connection, account.id, Decimal(units))


def test_from_a_request_to_the_bytes_of_the_video(database_url: str, tmp_path: Path) -> None:
    async def test(it: OpenApp) -> None:
        created = await made(it, external_task_id="shot 7", watermark_info={"enabled": True})
        assert created["status"] == "submitted"
        assert abs(created["create_time"] / 1000 - time.time()) < 60
        (waiting,) = await asked(it, "GET", f"/tasks?task_ids={created['id']}")
        assert waiting == {**created, "message": "", "outputs": [], "billing": []}
        film = clip_path().read_bytes()
        await finish(it, created["id"], film, watermarked=b"marked")

        (task,) = await asked(it, "GET", "/tasks?external_task_ids=shot%207")
        assert (task["id"], task["status"], task["external_id"]) == (created["id"], "succeeded", "shot 7")
        assert task["billing"] == [{"charge_type": "unit", "amount": "3.6", "package_type": "video"}]
        (output,) = task["outputs"]
        assert (output["type"], output["duration"]) == ("video", "4")
        assert (await it.client.get(output["url"])).content == film
        assert (await it.client.get(output["watermark_url"])).content == b"marked"

        again = await it.client.post(
            "/motion-control/kling-2.6", json={**BODY, "options": {"external_task_id": "shot 7"}}
        )
        assert (again.status_code, again.json()["code"]) == (400, 1201)
        assert "already exists" in again.json()["message"]

    with_app(database_url, tmp_path, test)


def test_each_generation_tells_the_other_s_tasks(database_url: str, tmp_path: Path) -> None:
    async def test(it: OpenApp) -> None:
        new = (await made(it, external_task_id="new"))["id"]
        old = (await asked(it, "POST", LEGACY, json=OLD_BODY | {"external_task_id": "old"}))["task_id"]
        ours = (await it.create())["id"]
        await finish(it, new, b"new video")
        await finish(it, old, b"old video")

        as_old = await asked(it, "GET", f"{LEGACY}/{new}")
        assert (as_old["task_status"], as_old["final_unit_deduction"]) == ("succeed", "3.6")
        video = as_old["task_result"]["videos"][0]
        assert (await it.client.get(video["url"])).content == b"new video"
        assert (await asked(it, "GET", f"{LEGACY}/new"))["task_id"] == new

        found = await asked(it, "GET", f"/tasks?task_ids={ours},0,{old},{new},{ours}")
        assert [(task["id"], task["status"]) for task in found] == [
            (ours, "submitted"),
            (old, "succeeded"),
            (new, "succeeded"),
        ]
        assert (await it.client.get(found[1]["outputs"][0]["url"])).content == b"old video"
        assert found[1]["external_id"] == "old"
        assert (await it.client.get(f"/understudy/v1/tasks/{new}")).json()["status"] == "succeed"

        stranger = await it.key_of("ben")
        for query in (f"task_ids={new}", "external_task_ids=new"):
            assert await asked(it, "GET", f"/tasks?{query}", headers=stranger) == []
        assert (await asked(it, "POST", "/tasks", json={}, headers=stranger))["result"] == []

    with_app(database_url, tmp_path, test)


def test_pages_by_cursor_while_tasks_come_in(database_url: str, tmp_path: Path) -> None:
    async def test(it: OpenApp) -> None:
        ids = [(await made(it))["id"] for _ in range(5)]
        seen: list[str] = []
        body: dict[str, Any] = {"limit": 2}
        for _ in ids:
            page = await asked(it, "POST", "/tasks", json=body)
            seen += [task["id"] for task in page["result"]]
            assert page["count"] == len(page["result"])
            if not page["has_more"]:
                break
            body = {"cursor": page["next_cursor"]}
            await made(it)
        assert seen == ids[::-1]
        assert len((await asked(it, "POST", "/tasks", json={}))["result"]) == 7

        await finish(it, ids[1], b"video")
        by_status = {"filters": [{"key": "status", "values": ["succeeded", "failed"]}]}
        (ended,) = (await asked(it, "POST", "/tasks", json=by_status))["result"]
        assert (ended["id"], ended["status"]) == (ids[1], "succeeded")
        at = ended["create_time"]  # rounded to the millisecond, and in all the same
        for times in (
            {"start_time": at, "end_time": at + 1},
            {"start_time": str(at - 1), "end_time": str(at)},
        ):
            found = (await asked(it, "POST", "/tasks", json=times))["result"]
            assert ids[1] in [task["id"] for task in found]
        assert (await asked(it, "POST", "/tasks", json={"end_time": at - 60_000}))["result"] == []

    with_app(database_url, tmp_path, test)


def test_an_account_s_costs(database_url: str, tmp_path: Path) -> None:
    async def test(it: OpenApp) -> None:
        async def pack(query: str = "", **given: Any) -> dict[str, Any]:
            data = await asked(it, "GET", f"/account/costs{query}", **given)
            assert (data["code"], data["msg"]) == (0, "success")
            (info,) = data["resource_pack_subscribe_infos"]
            return dict(info)

        assert (await pack())["remaining_quantity"] == 1e9
        await finish(it, (await made(it))["id"], b"video")
        (free,) = (await asked(it, "POST", "/account/billing/package", json={}))["result"]["detail"]
        assert (free["unit_before_deduction"], free["unit_after_deduction"]) == (1e9, 1e9)
        await grant(it, "10")
        now = round(time.time() * 1000)
        told = await pack(
            f"?start_time={now - 1000}&end_time={now + 1000}&resource_pack_name=Understudy%20units"
        )
        assert (told["total_quantity"], told["remaining_quantity"], told["status"]) == (10.0, 10.0, "online")
        assert abs(told["purchase_time"] - now) < 60_000

        await finish(it, (await made(it))["id"], b"video")
        await finish(it, (await made(it, "kling-2.6"))["id"], b"video")
        assert (await pack())["remaining_quantity"] == 4.4
        page = await asked(it, "POST", "/account/billing/package", json={"limit": 1})
        (last,) = page["result"]["detail"]
        assert (last["model_name"], last["deduction_amount"], last["duration"]) == ("kling-2.6", 2.0, "4")
        assert (last["unit_before_deduction"], last["unit_after_deduction"]) == (6.4, 4.4)
        assert page["has_more"]
        rest = await asked(it, "POST", "/account/billing/package", json={"cursor": page["next_cursor"]})
        assert [one["unit_after_deduction"] for one in rest["result"]["detail"]] == [6.4]
        last_page = await asked(it, "POST", "/account/billing/package", json={"cursor": rest["next_cursor"]})
        assert [one["unit_after_deduction"] for one in last_page["result"]["detail"]] == [1e9]
        assert not last_page["has_more"]
        money = await asked(it, "POST", "/account/billing/balance", json={})
        assert money["result"] == {"detail": [], "count": 0}

        await grant(it, "-4.4")
        assert (await pack())["status"] == "runOut"
        poor = await it.client.post("/motion-control/kling-3.0", json=BODY)
        assert (poor.status_code, poor.json()["code"]) == (429, 1102)

    with_app(database_url, tmp_path, test)


def test_callbacks_are_signed_and_say_what_the_query_says(database_url: str, tmp_path: Path) -> None:
    async def test(it: OpenApp) -> None:
        kling2 = DIALECTS["kling-2"]
        async with receiving() as receiver:
            created = await made(it, callback_url=receiver.url, external_task_id="shot 7")
            await finish(it, created["id"], b"video")
            async with it.service.database.begin() as connection:
                account = await account_named(connection, "ann")
                secret = (await rotate(connection, it.secrets, account.id)).secret
                numbers = list(await connection.scalars(select(deliveries.c.id).order_by(deliveries.c.id)))
            deliverer = Deliverer(
                it.service.database,
                NetworkGuard(LOOPBACK),
                it.secrets,
                lambda task, change: kling2.encode_callback(task, change, it.service.links),
                kling2.callback_headers,
            )
            for number in numbers:
                assert await deliverer.deliver(number) is None
        told = [Webhook(secret).verify(one.body, one.headers) for one in receiver.received]
        assert [body["status"] for body in told] == ["submitted", "processing", "succeeded"]
        assert told[0] == {**created, "message": "", "outputs": [], "billing": []}
        assert told[2:] == await asked(it, "GET", f"/tasks?task_ids={created['id']}")

    with_app(database_url, tmp_path, test)


def test_an_element_goes_with_the_newer_model_and_faces_as_the_video_does(
    database_url: str, tmp_path: Path
) -> None:
    async def test(it: OpenApp) -> None:
        account = await it.service.authenticator.account(it.client.headers["Authorization"])
        picture = Link(IMAGE["url"])
        new = NewElement("hero", "the hero", Reference.IMAGES, (picture, picture))
        element = await it.service.elements.create(account, new)

        async def sent(number: object, model: str = "kling-3.0") -> Any:
            named = {"type": "element", "element_id": number, "id": "element_1"}
            body = {"contents": [IMAGE, VIDEO, named], "settings": {"character_orientation": "image"}}
            return await it.client.post(f"/motion-control/{model}", json=body)

        early = await sent(str(element.id))
        assert (early.status_code, early.json()["code"]) == (400, 1201)
        assert "still being made" in early.json()["message"]
        await it.service.storage.put_bytes("elements/front", b"front")
        assert await ElementWork(it.service.database).succeed(element.id, ["elements/front"])
        for number in (str(element.id), element.id):
            answer = await sent(number)
            assert answer.status_code == 200, answer.text
            task = await it.service.tasks.find(account.id, answer.json()["data"]["id"])
            assert (task.element_id, task.orientation) == (element.id, Orientation.VIDEO)
            assert len(task.views) == 1
        for refused in (await sent("829836802793406551"), await sent(str(element.id), "kling-2.6")):
            assert (refused.status_code, refused.json()["code"]) == (400, 1201)

    with_app(database_url, tmp_path, test)


def test_a_signed_token_is_for_the_older_generation(database_url: str, tmp_path: Path) -> None:
    async def test(it: OpenApp) -> None:
        async with it.service.database.begin() as connection:
            account = await account_named(connection, "ann")
            keys = await create_keys(connection, it.secrets, account.id)
        now = int(time.time())
        claims = {"iss": keys.access_key, "exp": now + 1800, "nbf": now - 5}
        signed = {"Authorization": f"Bearer {jwt.encode(claims, keys.secret_key, algorithm='HS256')}"}
        assert await asked(it, "GET", LEGACY, headers=signed) == []
        assert await asked(it, "GET", "/account/costs", headers=signed)
        for method, path in (("GET", "/tasks?task_ids=1"), ("POST", "/motion-control/kling-3.0")):
            refused = await it.client.request(method, path, headers=signed)
            assert (refused.status_code, refused.json()["code"]) == (401, 1002)
            assert "AK/SK" in refused.json()["message"]
            assert "API key" in refused.json()["message"]
        garbage = await it.client.get("/account/costs", headers={"Authorization": "Bearer x"})
        assert (garbage.status_code, garbage.json()["code"]) == (401, 1002)
        assert "3 parts" in garbage.json()["message"]

    with_app(database_url, tmp_path, test)
