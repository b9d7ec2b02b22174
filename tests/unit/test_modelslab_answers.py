"""A task in ModelsLab's words: the very JSON of each state, of webhooks and of tasks that were made elsewhere."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import kling_examples
import pytest
from kling_examples import LINKS, MADE, OUTPUT
from modelslab_examples import END, FAILED, PROCESSING, SUBMITTED, SUCCEEDED

from understudy.request import Mode
from understudy.server.dialects.body import written
from understudy.server.dialects.call import View
from understudy.server.dialects.modelslab_answers import answered, eta_s, usual_s
from understudy.server.dialects.registry import DIALECTS
from understudy.tasks.task import Status, StatusChange, Task

ID = 9007199254740991
FETCH = f"https://motion.example/api/v7/video-fusion/fetch/{ID}"
META = {
    "model_id": "kling-v3-motion-control",
    "prompt": "slow",
    "mode": "pro",
    "character_orientation": "video",
    "keep_original_sound": "yes",
    "track_id": 42,
}
SIZE = {"width": 720, "height": 1280, "fps": 30.0, "duration": 3.041}
VIDEO = LINKS.make(ID, "video")


def told(task: Task, *, wait_s: float | None = None, **urls: str) -> Any:
    return json.loads(written(answered(task, View(LINKS, "request", urls, wait_s))))


@pytest.mark.parametrize("task", [SUBMITTED, PROCESSING], ids=["submitted", "processing"])
def test_a_live_task(task: Task) -> None:
    answer = told(task, wait_s=41.2)
    assert isinstance(answer.pop("tip"), str)
    assert answer == {
        "status": "processing",
        "eta": 42,
        "message": "Try to fetch request after given estimated time",
        "id": ID,
        "fetch_result": FETCH,
        "output": [],
        "proxy_links": [],
        "future_links": [VIDEO],
        "meta": META,
    }


def test_a_finished_task_and_nothing_to_download_twice() -> None:
    assert told(SUCCEEDED) == {
        "status": "success",
        "generationTime": 80.0,
        "id": ID,
        "output": [VIDEO],
        "proxy_links": [VIDEO],
        "fetch_result": FETCH,
        "meta": META | SIZE,
    }


def test_the_link_that_was_told_first_is_the_one_that_holds() -> None:
    assert told(SUBMITTED)["future_links"] == told(SUCCEEDED)["output"]


def test_a_failed_task_tells_why_and_what_to_do() -> None:
    assert told(FAILED) == {
        "status": "error",
        "id": ID,
        "message": "The video lasts 1.00 s; at least 3 s are needed. Use a longer one.",
    }
    cancelled = replace(FAILED, status_msg="cancelled by the account", error_code="cancelled")
    assert told(cancelled)["message"] == "cancelled by the account"


def test_other_addresses_than_links() -> None:
    answer = told(SUCCEEDED, video="data:video/mp4;base64,AA==")
    assert (answer["output"], answer["proxy_links"]) == (["data:video/mp4;base64,AA=="], [VIDEO])


def test_generation_time_is_what_the_work_took() -> None:
    began = MADE + timedelta(seconds=1)
    ended = began + timedelta(seconds=12.3456)
    assert told(replace(SUCCEEDED, started_at=began, ended_at=ended))["generationTime"] == 12.35


@pytest.mark.parametrize(
    ("wait_s", "eta"), [(0.0, 1), (0.2, 1), (1.0, 1), (1.01, 2), (59.5, 60), (3600.0, 3600)]
)
def test_an_eta_is_whole_seconds_and_never_none_for_a_live_task(wait_s: float, eta: int) -> None:
    assert eta_s(SUBMITTED, wait_s) == eta


def test_where_nothing_is_known_the_measured_speed_is_told() -> None:
    """``docs/performance.md``: 10 s of video take 11 to 16 s at 720 pixels, and more at 1080."""
    assert 10 <= usual_s(Mode.STD) < usual_s(Mode.PRO) <= 25
    assert eta_s(replace(SUBMITTED, mode=Mode.STD), None) == 16
    assert told(SUBMITTED)["eta"] == eta_s(SUBMITTED, None) == 20


@pytest.mark.parametrize("model", ["kling-v2-6", "kling-v3", "some-later-model"])
def test_tasks_of_another_dialect_are_told_too(model: str) -> None:
    names = {"kling-v2-6": "kling-motion-control", "kling-v3": "kling-v3-motion-control"}
    for task in (kling_examples.SUBMITTED, kling_examples.SUCCEEDED):
        answer = told(replace(task, model=model), wait_s=5.0)
        assert answer["id"] == task.id
        assert answer["meta"]["model_id"] == names.get(model, model)
        assert answer["meta"]["track_id"] is None
    assert told(kling_examples.FAILED)["status"] == "error"


def test_what_clients_insist_on() -> None:
    """The official CLI reads ``id`` as a number, ``eta`` as a number, and takes any ``output`` as the end."""
    for task in (SUBMITTED, PROCESSING, SUCCEEDED, FAILED):
        answer = told(task, wait_s=3.0)
        assert type(answer["id"]) is int
        assert answer["id"] < 2**53
        assert answer["status"] in ("processing", "success", "error")
        assert bool(answer.get("output")) == (answer["status"] == "success")
        assert type(answer.get("eta", 1)) is int
        if "fetch_result" in answer:
            assert answer["fetch_result"].rsplit("/", 1)[1] == str(answer["id"])


def called_back(task: Task, change: StatusChange) -> Any:
    return json.loads(DIALECTS["modelslab"].encode_callback(task, change, LINKS))


def test_the_webhook_of_a_success() -> None:
    assert called_back(SUCCEEDED, StatusChange(Status.SUCCEED, "", END)) == {
        "status": "success",
        "id": ID,
        "output": [VIDEO],
        "generationTime": 80.0,
        "track_id": 42,
        "meta": META | SIZE,
    }


def test_the_webhook_of_a_failure_says_failed() -> None:
    assert called_back(FAILED, StatusChange(Status.FAILED, FAILED.status_msg, END)) == {
        "status": "failed",
        "id": ID,
        "message": told(FAILED)["message"],
        "track_id": 42,
    }


def test_a_webhook_of_a_change_on_the_way_is_of_its_moment() -> None:
    body = called_back(SUCCEEDED, StatusChange(Status.PROCESSING, "", MADE))
    assert body == {"status": "processing", "id": ID, "track_id": 42}


@pytest.mark.parametrize("track_id", ["video_001", "", '"\\\u2028😀', 7, 0, 2**63 - 1, -1.5, 0.1, None])
def test_a_track_id_comes_back_as_it_was_sent(track_id: object) -> None:
    for task, status in ((SUCCEEDED, Status.SUCCEED), (FAILED, Status.FAILED)):
        body = called_back(replace(task, extra={"track_id": track_id}), StatusChange(status, "", END))
        assert body["track_id"] == track_id
        assert type(body["track_id"]) is type(track_id)


def test_a_task_without_anything_of_its_dialect_has_a_webhook_too() -> None:
    bare = replace(SUCCEEDED, extra={})
    assert called_back(bare, StatusChange(Status.SUCCEED, "", END))["track_id"] is None


def test_a_record_without_a_file_lists_none() -> None:
    assert told(replace(SUCCEEDED, output=None))["output"] == []
    assert told(replace(SUCCEEDED, output=replace(OUTPUT, watermark_key=None)))["output"] == [VIDEO]
