"""A task in the words of Kling's API 2.0: the very JSON, its callback and the callback's signature."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from kling_examples import END, FAILED, LINKS, MADE, MADE_MS, OUTPUT, SUBMITTED, SUCCEEDED

from understudy.errors import SERVICE_CODES, UnderstudyError
from understudy.request import Mode
from understudy.server.dialects.kling2 import Kling2
from understudy.server.dialects.kling2_account import costs, detail, pack_id
from understudy.server.dialects.kling2_answers import created, queried
from understudy.server.dialects.kling_errors import ROWS
from understudy.tasks.pack import Deduction, Pack
from understudy.tasks.task import Status, StatusChange, Task

FIRST = {
    "id": "9007199254740991",
    "status": "submitted",
    "create_time": MADE_MS,
    "update_time": MADE_MS,
    "external_id": "order 7",
}
VIDEO = {
    "type": "video",
    "id": "9007199254740991-1",
    "url": LINKS.make(SUCCEEDED.id, "video"),
    "watermark_url": LINKS.make(SUCCEEDED.id, "watermarked"),
    "duration": "3.041",
}
ENDED = {**FIRST, "update_time": MADE_MS + 90_000}
WHY = "The video lasts 1.00 s; at least 3 s are needed. Use a longer one."


def bill(amount: str) -> list[dict[str, str]]:
    return [{"charge_type": "unit", "amount": amount, "package_type": "video"}]


ANSWERS: list[tuple[Task, dict[str, Any]]] = [
    (SUBMITTED, {**FIRST, "message": "", "outputs": [], "billing": []}),
    (
        replace(SUBMITTED, status=Status.PROCESSING, updated_at=END, external_task_id=None),
        {
            **{name: value for name, value in ENDED.items() if name != "external_id"},
            "status": "processing",
            "message": "",
            "outputs": [],
            "billing": [],
        },
    ),
    (SUCCEEDED, {**ENDED, "status": "succeeded", "message": "", "outputs": [VIDEO], "billing": bill("3.6")}),
    (
        replace(SUCCEEDED, output=replace(OUTPUT, watermark_key=None), deduction=Decimal("4.50")),
        {
            **ENDED,
            "status": "succeeded",
            "message": "",
            "outputs": [{name: value for name, value in VIDEO.items() if name != "watermark_url"}],
            "billing": bill("4.5"),
        },
    ),
    (FAILED, {**ENDED, "status": "failed", "message": WHY, "outputs": [], "billing": bill("0")}),
    (
        replace(FAILED, status_msg="cancelled by the account", error_code="cancelled"),
        {
            **ENDED,
            "status": "failed",
            "message": "cancelled by the account",
            "outputs": [],
            "billing": bill("0"),
        },
    ),
]


@pytest.mark.parametrize(("task", "answer"), ANSWERS, ids=lambda value: getattr(value, "status", ""))
def test_a_task_as_it_stands(task: Task, answer: dict[str, Any]) -> None:
    assert queried(task, LINKS) == answer
    assert created(task) == {name: FIRST[name] for name in FIRST if name in answer}  # whatever it is now


@pytest.mark.parametrize("dialect", ["kling", "native", "kie", "of a version to come"])
def test_a_task_of_another_dialect_is_told_alike(dialect: str) -> None:
    assert queried(replace(SUCCEEDED, dialect=dialect, extra={}), LINKS) == ANSWERS[2][1]


def test_other_addresses_than_links() -> None:
    (video,) = queried(SUCCEEDED, LINKS, urls={"video": "data:a", "watermarked": "data:b"})["outputs"]
    assert (video["url"], video["watermark_url"]) == ("data:a", "data:b")


def called_back(task: Task, change: StatusChange) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(Kling2().encode_callback(task, change, LINKS))
    return body


def test_a_callback_is_flat_and_of_its_moment() -> None:
    for task in (SUBMITTED, SUCCEEDED, FAILED):  # also where the task has gone on since
        assert called_back(task, StatusChange(Status.SUBMITTED, "", MADE)) == ANSWERS[0][1]
        moment = MADE + timedelta(seconds=2)
        assert called_back(task, StatusChange(Status.PROCESSING, "", moment)) == {
            **ANSWERS[0][1],
            "status": "processing",
            "update_time": MADE_MS + 2000,
        }
    told = called_back(FAILED, StatusChange(Status.PROCESSING, "again", END))["message"]
    assert told == "again"  # without what to do about the failure that came later
    assert called_back(SUCCEEDED, StatusChange(Status.SUCCEED, "", END)) == ANSWERS[2][1]
    assert called_back(FAILED, StatusChange(Status.FAILED, FAILED.status_msg, END)) == ANSWERS[4][1]


def test_the_published_signature_of_a_callback() -> None:
    secret = "whsec_dGVzdHNlY3JldHRlc3RzZWNyZXR0ZXN0c2VjcmV0MTI="
    body = (
        b'{"id":"1234567890","status":"succeeded","message":"",'
        b'"create_time":1781080778802,"update_time":1781080794151}'
    )
    headers = Kling2().callback_headers(SUCCEEDED, "9876543210", 1781080794, body, [secret])
    assert headers == {
        "webhook-id": "9876543210",
        "webhook-timestamp": "1781080794",
        "webhook-signature": "v1,UsKlJP00XoQyOn410NM9xv34sP+Gl0jnOO9Lcpr7NJ4=",
    }
    assert "webhook-signature" not in Kling2().callback_headers(SUCCEEDED, "1", 1, body, [])
    other = Kling2().callback_headers(SUCCEEDED, "1", 1, body + b" ", [secret])
    assert other["webhook-signature"] != headers["webhook-signature"]


@pytest.mark.parametrize("code", sorted(SERVICE_CODES))
def test_each_error_is_kling_s(code: str) -> None:
    answer = Kling2().encode_error(UnderstudyError(code, "It was so.", fix="Do this."), "some-id")
    assert (answer.status, answer.body["code"]) == ROWS[code]
    assert set(answer.body) == {"code", "message", "request_id"}


SINCE_MS = MADE_MS
FULL = Pack(Decimal("200.00"), Decimal("118.50"), MADE)


def packs(pack: Pack = FULL, **asked: Any) -> list[dict[str, Any]]:
    given = {"start_ms": None, "end_ms": None, "name": None} | asked
    answer = costs(pack, 7, **given)
    assert (answer["code"], answer["msg"]) == (0, "success")
    infos: list[dict[str, Any]] = answer["resource_pack_subscribe_infos"]
    return infos


def test_a_resource_pack() -> None:
    assert packs() == [
        {
            "resource_pack_name": "Understudy units",
            "resource_pack_id": "00000000000000000000000000000007",
            "resource_pack_type": "decreasing_total",
            "total_quantity": 200.0,
            "remaining_quantity": 118.5,
            "purchase_time": SINCE_MS,
            "effective_time": SINCE_MS,
            "invalid_time": 4102444800000,
            "status": "online",
        }
    ]
    (empty,) = packs(Pack(Decimal(200), Decimal(0), MADE))
    assert (empty["remaining_quantity"], empty["status"]) == (0.0, "runOut")
    (unlimited,) = packs(Pack(None, None, MADE))
    assert unlimited["total_quantity"] == unlimited["remaining_quantity"] == 1e9
    assert unlimited["status"] == "online"


@pytest.mark.parametrize(
    ("asked", "there"),
    [
        ({"name": "Understudy units"}, True),
        ({"name": "Understudy"}, False),
        ({"start_ms": SINCE_MS + 1, "end_ms": SINCE_MS + 2}, True),
        ({"end_ms": SINCE_MS}, True),
        ({"end_ms": SINCE_MS - 1}, False),
        ({"start_ms": 4102444800000}, True),
        ({"start_ms": 4102444800001}, False),
    ],
    ids=str,
)
def test_which_time_and_name_a_pack_has(asked: dict[str, Any], there: bool) -> None:
    assert len(packs(**asked)) == there


def test_a_deduction() -> None:
    one = Deduction(SUCCEEDED, END, Decimal("3.60"), Decimal(100), Decimal("96.40"))
    assert detail(one, LINKS) == {
        "package_id": pack_id(1),
        "product_type": "video",
        "task_id": "9007199254740991",
        "api_key_name": "",
        "product_function": "Motion Control",
        "model_name": "kling-3.0",
        "resolution": "1080p",
        "duration": "3.041",
        "refer_video_input": True,
        "video_sound": "original",
        "voice_control": False,
        "deduction_time": str(MADE_MS + 90_000),
        "unit_before_deduction": 100.0,
        "deduction_amount": 3.6,
        "unit_after_deduction": 96.4,
    }
    other = replace(SUCCEEDED, mode=Mode.STD, sound=False, model="kling-v2-6")
    told = detail(replace(one, task=other), LINKS)
    assert (told["resolution"], told["video_sound"], told["model_name"]) == ("720p", "off", "kling-2.6")
