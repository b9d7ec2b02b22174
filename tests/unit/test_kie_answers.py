"""A task in Kie's words: the very JSON, in every state, whichever protocol made it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from kie_examples import FAIL, PICTURE, SUCCESS, VIDEO, WAITING
from kling_examples import END, LINKS, MADE, MADE_MS, SUBMITTED, SUCCEEDED

from understudy.errors import SERVICE_CODES
from understudy.request import Mode
from understudy.server.dialects.kie_answers import (
    OUR_FAULTS,
    balance,
    created,
    envelope,
    recorded,
    signature,
    state,
)
from understudy.server.dialects.registry import DIALECTS
from understudy.tasks.submission import Stored
from understudy.tasks.task import Status, StatusChange, Task

KIE = DIALECTS["kie"]
ID = "task_kling-3.0_9007199254740991"
QUEUING = replace(WAITING, fetched_at=MADE + timedelta(seconds=2))
GENERATING = replace(QUEUING, status=Status.PROCESSING, updated_at=MADE + timedelta(seconds=5))
PARAM = {
    "model": "kling-3.0/motion-control",
    "callBackUrl": "https://me.example/hook",
    "input": {
        "input_urls": [PICTURE],
        "video_urls": [VIDEO],
        "character_orientation": "video",
        "mode": "pro",
    },
}


def test_the_answer_to_create() -> None:
    assert envelope(created(WAITING)) == {
        "code": 200,
        "msg": "success",
        "data": {"taskId": ID, "recordId": ID},
    }
    assert created(replace(WAITING, model="kling-v2-6"))["taskId"] == "task_kling-2.6_9007199254740991"
    assert created(SUCCESS) == created(WAITING)


COMMON: dict[str, Any] = {
    "taskId": ID,
    "model": "kling-3.0/motion-control",
    "param": PARAM,
    "resultJson": None,
    "failCode": "",
    "failMsg": "",
    "costTime": None,
    "completeTime": None,
    "createTime": MADE_MS,
    "updateTime": MADE_MS,
    "creditsConsumed": None,
}
ENDED = {"costTime": 90_000, "completeTime": MADE_MS + 90_000, "updateTime": MADE_MS + 90_000}


@pytest.mark.parametrize(
    ("task", "told"),
    [
        (WAITING, {"state": "waiting"}),
        (QUEUING, {"state": "queuing"}),
        (GENERATING, {"state": "generating", "updateTime": MADE_MS + 5000}),
        (
            SUCCESS,
            {
                "state": "success",
                "resultJson": {"resultUrls": [LINKS.make(SUCCESS.id, "video")]},
                "creditsConsumed": 3.6,
                **ENDED,
            },
        ),
        (
            FAIL,
            {
                "state": "fail",
                "failCode": "400",
                "failMsg": "The video lasts 1.00 s; at least 3 s are needed. Use a longer one.",
                "creditsConsumed": 0,
                **ENDED,
            },
        ),
    ],
    ids=lambda value: value["state"] if isinstance(value, dict) else "",
)
def test_every_state(task: Task, told: dict[str, Any]) -> None:
    answer = recorded(task, LINKS)
    for name in ("param", "resultJson"):  # JSON within texts
        assert answer[name] is None or type(answer[name]) is str
    read = answer | {
        "param": json.loads(answer["param"]),
        "resultJson": json.loads(answer["resultJson"] or "null"),
    }
    assert read == COMMON | told


def test_param_tells_what_was_asked_in_its_own_words() -> None:
    extra = {**WAITING.extra, "mode": "1080p", "background_source": "input_image"}
    task = replace(WAITING, extra=extra, prompt="rain", callback_url=None, image=Stored("inputs/1/image"))
    assert json.loads(recorded(task, LINKS)["param"]) == {
        "model": "kling-3.0/motion-control",
        "input": {
            "input_urls": [PICTURE],
            "video_urls": [VIDEO],
            "prompt": "rain",
            "character_orientation": "video",
            "mode": "1080p",
            "background_source": "input_image",
        },
    }


@pytest.mark.parametrize(("mode", "word"), [(Mode.STD, "720p"), (Mode.PRO, "1080p")])
def test_param_of_another_protocol_s_task(mode: Mode, word: str) -> None:
    other = replace(SUBMITTED, mode=mode, image=Stored("inputs/1/image"), extra={"mode": "not Kie's"})
    assert json.loads(recorded(other, LINKS)["param"])["input"] == {
        "input_urls": [],
        "video_urls": ["https://media.example/a.mp4"],
        "character_orientation": "video",
        "mode": word,
    }
    assert recorded(SUCCEEDED, LINKS)["state"] == "success"


def test_data_links_stand_in_for_links() -> None:
    answer = recorded(SUCCESS, LINKS, urls={"video": "data:video/mp4;base64,AAAA"})
    assert json.loads(answer["resultJson"]) == {"resultUrls": ["data:video/mp4;base64,AAAA"]}


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("engine_failed", "500"),
        ("out_of_memory", "500"),
        ("render_timeout", "500"),
        ("worker_lost", "500"),
        ("internal", "500"),
        ("model_missing", "500"),
        ("weights_missing", "500"),
        ("gpu_memory", "500"),
        ("assignment_invalid", "500"),
        (None, "500"),
        ("character_not_found", "400"),
        ("performer_not_found", "400"),
        ("fetch_status", "400"),
        ("clip_too_long", "400"),
        ("cancelled", "400"),
    ],
)
def test_whose_fault_a_failure_was(code: str | None, told: str) -> None:
    assert recorded(replace(FAIL, error_code=code), LINKS)["failCode"] == told


def test_the_beginnings_of_our_faults_are_none_of_the_sender_s() -> None:
    theirs = SERVICE_CODES - {"internal", "unavailable"} | {"picture_aspect", "clip_codec", "fetch_timeout"}
    assert [code for code in theirs if code.startswith(OUR_FAULTS)] == ["model_unknown"]  # never a task's end


def test_who_cancelled_is_told_no_more() -> None:
    task = replace(FAIL, status_msg="cancelled by the account", error_code="cancelled")
    assert recorded(task, LINKS)["failMsg"] == "cancelled by the account"


@pytest.mark.parametrize(
    ("units", "told"), [("4.50", 4.5), ("0.00", 0), ("12", 12), ("60.62", 60.62), (None, 1_000_000_000)]
)
def test_credits_are_units(units: str | None, told: float) -> None:
    found = balance(None if units is None else Decimal(units))
    assert (found, type(found)) == (told, type(told))


def test_the_callbacks() -> None:
    done = json.loads(KIE.encode_callback(SUCCESS, StatusChange(Status.SUCCEED, "", END), LINKS))
    assert done == {
        "code": 200,
        "msg": "Playground task completed successfully.",
        "data": {**recorded(SUCCESS, LINKS), "task_id": ID},
    }
    failed = json.loads(KIE.encode_callback(FAIL, StatusChange(Status.FAILED, "x", END), LINKS))
    assert (failed["code"], failed["msg"]) == (501, "Playground task failed.")
    assert (failed["data"]["state"], failed["data"]["resultJson"]) == ("fail", None)
    assert failed["data"]["taskId"] == failed["data"]["task_id"] == ID


def test_its_own_signature_beside_the_standard_one() -> None:
    secrets = [
        "whsec_" + base64.b64encode(b"n" * 32).decode(),
        "whsec_" + base64.b64encode(b"o" * 32).decode(),
    ]
    headers = KIE.callback_headers(SUCCESS, "msg_1", 1795262400, b"{}", secrets)
    digest = hmac.new(secrets[0].encode(), f"{ID}.1795262400".encode(), hashlib.sha256).digest()
    assert headers["X-Webhook-Timestamp"] == "1795262400"
    assert headers["X-Webhook-Signature"] == base64.b64encode(digest).decode()
    assert headers["webhook-id"] == "msg_1"
    assert len(headers["webhook-signature"].split(" ")) == 2
    assert not any(name.startswith("X-") for name in KIE.callback_headers(SUCCESS, "msg_1", 1, b"{}", []))
    assert signature(SUCCESS, 1, "a") != signature(SUCCESS, 2, "a") != signature(SUCCESS, 2, "b")


def test_states_are_all_kie_has() -> None:
    assert [state(task) for task in (WAITING, QUEUING, GENERATING, SUCCESS, FAIL)] == [
        "waiting",
        "queuing",
        "generating",
        "success",
        "fail",
    ]
