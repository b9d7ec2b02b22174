"""The service as a client written for Kling meets it: a real instance, real videos, and everything that goes wrong."""

from __future__ import annotations

import base64
import io
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av
import jwt
import pytest
from kling_client import PATH, Keys, KlingClient, KlingError, World, world
from made_clips import make_clip, pattern
from served import Served, served
from standardwebhooks import Webhook, WebhookVerificationError

from understudy.sample import character_path, clip_path

RENDER_S = 240  # the most that one video of the sample may take on a busy machine
EXTERNAL_ID = "order 7/№ 1?#%2F"


@dataclass(frozen=True)
class Stage:
    service: Served
    around: World
    mine: KlingClient
    theirs: KlingClient

    def fields(self, **changed: Any) -> dict[str, Any]:
        """A good request, with changes; ... takes a field out."""
        good = {
            "image_url": self.around.url("/hero.png"),
            "video_url": self.around.url("/dance.mp4"),
            "character_orientation": "video",
            "mode": "std",
        }
        return {name: value for name, value in (good | changed).items() if value is not ...}

    def refusal(self, **changed: Any) -> tuple[int, int]:
        with pytest.raises(KlingError) as caught:
            self.mine.create(**self.fields(**changed))
        assert caught.value.message
        assert "data" not in caught.value.body
        return caught.value.status, caught.value.code

    def rotate(self, account: str) -> str:
        secret: str = json.loads(self.service.command("webhooks", "rotate", "--account", account, "--json"))[
            "secret"
        ]
        return secret


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("kling")
    short = make_clip(folder / "short.mp4", [pattern(480, 640)] * 30, fps=Fraction(30))
    files = {
        "/hero.png": character_path().read_bytes(),
        "/dance.mp4": clip_path().read_bytes(),
        "/short.mp4": short.read_bytes(),
        "/page.html": b"<html>" * 100,
    }
    with world(files) as around, served(folder) as service:
        mine = KlingClient(service.base_url, Keys(**service.keys("mine")))
        theirs = KlingClient(service.base_url, Keys(**service.keys("theirs")), by_api_key=True)
        with mine.http, theirs.http:
            yield Stage(service, around, mine, theirs)


def video_of(content: bytes) -> tuple[int, int, float, bool]:
    """Width, height, seconds and whether there is sound, from every frame decoded."""
    with av.open(io.BytesIO(content)) as container:
        stream = container.streams.video[0]
        frames = sum(1 for _ in container.decode(stream))
        assert stream.average_rate is not None
        return stream.width, stream.height, frames / float(stream.average_rate), bool(container.streams.audio)


def test_from_a_request_to_the_video(stage: Stage) -> None:
    old, new = stage.rotate("mine"), stage.rotate("mine")
    created = stage.mine.create(
        **stage.fields(
            model_name="kling-v2-6",
            callback_url=stage.around.url("/hook"),
            external_task_id=EXTERNAL_ID,
            watermark_info={"enabled": True},
        )
    )
    task_id = created["task_id"]
    assert task_id.isdigit()
    assert int(task_id) < 2**53
    assert created["task_info"] == {"external_task_id": EXTERNAL_ID}
    assert created["task_status"] == "submitted"
    assert abs(created["created_at"] / 1000 - time.time()) < 60
    assert created["created_at"] == created["updated_at"]

    task = stage.mine.wait(task_id, limit_s=RENDER_S)
    assert (task["task_status"], task["task_status_msg"]) == ("succeed", "")
    assert stage.mine.query(EXTERNAL_ID) == task == stage.mine.page(pageSize=500)[0]
    assert task["final_unit_deduction"] == "3"
    assert task["watermark_info"] == {"enabled": True}
    assert task["created_at"] == created["created_at"] < task["updated_at"]

    (video,) = task["task_result"]["videos"]
    assert float(video["duration"]) == pytest.approx(6, abs=0.05)
    plain, marked = stage.mine.http.get(video["url"]), stage.mine.http.get(video["watermark_url"])
    for one in (plain, marked):
        assert one.status_code == 200
        assert one.headers["content-type"] == "video/mp4"
        assert one.headers["x-content-type-options"] == "nosniff"
        width, height, seconds, sound = video_of(one.content)
        assert min(width, height) == 720
        assert seconds == pytest.approx(float(video["duration"]), abs=0.002)
        assert sound
    assert plain.content != marked.content
    part = stage.mine.http.get(video["url"], headers={"Range": "bytes=100-199"})
    assert part.status_code == 206
    assert part.headers["content-range"] == f"bytes 100-199/{len(plain.content)}"
    assert part.content == plain.content[100:200]
    assert stage.mine.http.get(video["url"].replace("/video/", "/watermarked/")).status_code == 404

    told = stage.around.callbacks(task_id, 3)
    assert [one.told["task_status"] for one in told] == ["submitted", "processing", "succeed"]
    for one in told:
        assert len(one.headers["webhook-signature"].split(" ")) == 2
        for secret in (old, new):
            assert Webhook(secret).verify(one.body, one.headers) == one.told
        with pytest.raises(WebhookVerificationError):
            Webhook("whsec_" + base64.b64encode(b"x" * 32).decode()).verify(one.body, one.headers)
        assert one.told["task_info"] == {"external_task_id": EXTERNAL_ID}
        assert "code" not in one.told
        assert "application/json" in one.headers["Content-Type"]
    assert len({one.headers["webhook-id"] for one in told}) == 3
    assert told[-1].told == {name: task[name] for name in task if name != "watermark_info"}
    assert told[0].told["updated_at"] == created["created_at"]
    assert sorted(one.told["updated_at"] for one in told) == [one.told["updated_at"] for one in told]


def test_an_inline_picture_without_sound_by_the_other_model(stage: Stage) -> None:
    picture = base64.encodebytes(character_path().read_bytes()).decode()
    fields = stage.fields(
        model_name="kling-v3",
        image_url=picture,
        character_orientation="image",
        keep_original_sound="no",
        prompt="in the rain",
    )
    response = stage.mine.ask("POST", PATH, json=fields | {"cfg_scale": 0.5})
    assert response.headers["understudy-notes"] == 'unknown_key;name="cfg_scale", left_out;name="prompt"'
    task = stage.mine.wait(response.json()["data"]["task_id"], limit_s=RENDER_S)
    assert task["task_status"] == "succeed"
    assert task["final_unit_deduction"] == "5.4"
    assert task["task_info"] == {}
    (video,) = task["task_result"]["videos"]
    assert "watermark_url" not in video
    *_, sound = video_of(stage.mine.http.get(video["url"]).content)
    assert not sound


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ({"video_url": "/short.mp4"}, "at least 3 s"),
        ({"video_url": "/nothing.mp4"}, "404"),
        ({"video_url": "/page.html"}, ""),
        ({"image_url": "/page.html"}, ""),
        ({"image_url": "/dance.mp4"}, ""),
    ],
    ids=str,
)
def test_what_only_the_worker_can_see_ends_the_task_as_failed(
    stage: Stage, source: dict[str, str], said: str
) -> None:
    links = {name: stage.around.url(path) for name, path in source.items()}
    created = stage.theirs.create(**stage.fields(**links, callback_url=stage.around.url("/theirs")))
    task = stage.theirs.wait(created["task_id"], limit_s=60)
    assert task["task_status"] == "failed"
    assert len(task["task_status_msg"]) > 20
    assert said in task["task_status_msg"]
    assert task["final_unit_deduction"] == "0"
    assert task["task_result"]["videos"] == []
    last = stage.around.callbacks(created["task_id"], 2)[-1]
    assert last.told["task_status"] == "failed"
    assert last.told["task_status_msg"] == task["task_status_msg"]
    assert last.told["final_unit_deduction"] == "0"
    assert "webhook-signature" not in last.headers  # this account has made no secret


@pytest.mark.parametrize(
    ("fields", "status", "code"),
    [
        *(({name: ...}, 400, 1201) for name in ("image_url", "video_url", "character_orientation", "mode")),
        ({"model_name": "kling-v9"}, 404, 1203),
        ({"mode": "4k"}, 400, 1201),
        ({"mode": 1}, 400, 1201),
        ({"character_orientation": "front"}, 400, 1201),
        ({"keep_original_sound": True}, 400, 1201),
        ({"prompt": "x" * 2501}, 400, 1201),
        ({"prompt": "\0"}, 400, 1201),
        ({"image_url": "data:image/png;base64,iVBORw0KGgo="}, 400, 1201),
        ({"image_url": "not base64!"}, 400, 1201),
        ({"image_url": "R0lGODlhAQABAAAAACw="}, 400, 1201),
        ({"video_url": "file:///etc/passwd"}, 400, 1201),
        ({"callback_url": "nowhere"}, 400, 1201),
        ({"external_task_id": "x" * 257}, 400, 1201),
        ({"watermark_info": {"enabled": "true"}}, 400, 1201),
        ({"element_list": [{"element_id": 829836802793406551}]}, 400, 1201),
        ({"characterOrientation": "image"}, 400, 1201),
    ],
    ids=lambda value: ascii(value)[:50],
)
def test_bad_fields(stage: Stage, fields: dict[str, Any], status: int, code: int) -> None:
    assert stage.refusal(**fields) == (status, code)


@pytest.mark.parametrize(
    ("content", "status", "code"),
    [
        (b"", 400, 1200),
        (b"{", 400, 1200),
        (b"[]", 400, 1200),
        (b"\xff{}", 400, 1200),
        (b'{"a": 1, "a": 1}', 400, 1200),
        (b'{"a":' * 50_000, 400, 1200),
        (b" " * (17 * 2**20), 413, 1200),
    ],
    ids=lambda value: ascii(value)[:20],
)
def test_bad_bodies(stage: Stage, content: bytes, status: int, code: int) -> None:
    response = stage.mine.ask("POST", PATH, content=content)
    assert (response.status_code, response.json()["code"]) == (status, code)


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", f"{PATH}?pageNum=0", 400, 1201),
        ("GET", f"{PATH}?pageSize=501", 400, 1201),
        ("GET", f"{PATH}/867000000000000001", 400, 1201),
        ("GET", f"{PATH}/%00", 400, 1201),
        ("GET", f"{PATH}/%ff%fe", 400, 1201),
        ("GET", f"{PATH}/{'9' * 5000}", 400, 1201),
        ("DELETE", PATH, 405, 1202),
        ("GET", "/v1/videos/text2video", 404, 1203),
    ],
)
def test_bad_addresses(stage: Stage, method: str, path: str, status: int, code: int) -> None:
    response = stage.mine.ask(method, path)
    body = response.json()
    assert (response.status_code, body["code"]) == (status, code)
    assert body["request_id"] == response.headers["x-request-id"]


def test_bad_tokens(stage: Stage) -> None:
    def asked(authorization: str) -> tuple[int, int]:
        response = stage.mine.http.get(PATH, headers={"Authorization": authorization})
        return response.status_code, response.json()["code"]

    now, claims = int(time.time()), {"iss": "nobody", "exp": int(time.time()) + 1800}
    assert asked(f"Bearer {stage.mine.token()}") == (200, 0)
    assert asked("") == (401, 1001)
    unread = stage.mine.http.post(PATH, content=b" " * (8 * 2**20))  # answered before its body was read
    assert (unread.status_code, unread.json()["code"]) == (401, 1001)
    assert asked("Bearer rubbish") == (401, 1002)
    assert asked(f"Bearer {stage.mine.token(iss='nobody')}") == (401, 1002)
    assert asked(f"Bearer {stage.mine.token(nbf=now + 600)}") == (401, 1003)
    assert asked(f"Bearer {stage.mine.token(exp=now - 600)}") == (401, 1004)
    assert asked(f"Bearer {jwt.encode(claims, None, algorithm='none')}") == (401, 1002)
    assert asked(f"Bearer {jwt.encode(claims, 'x' * 64, algorithm='HS512')}") == (401, 1002)


def test_two_accounts_see_nothing_of_each_other(stage: Stage) -> None:
    name = f"both {time.time()}"
    fields = stage.fields(video_url=stage.around.url("/nothing.mp4"), external_task_id=name)
    mine, theirs = stage.mine.create(**fields), stage.theirs.create(**fields)
    assert mine["task_id"] != theirs["task_id"]
    assert stage.mine.query(name)["task_id"] == mine["task_id"]
    assert stage.theirs.query(name)["task_id"] == theirs["task_id"]
    with pytest.raises(KlingError) as caught:
        stage.theirs.query(mine["task_id"])
    assert (caught.value.status, caught.value.code) == (400, 1201)
    seen = {task["task_id"] for task in stage.theirs.page(pageSize=500)}
    assert theirs["task_id"] in seen
    assert mine["task_id"] not in seen


def test_an_external_id_is_used_once_and_an_idempotent_request_repeated(stage: Stage) -> None:
    name = f"once {time.time()}"
    fields = stage.fields(video_url=stage.around.url("/nothing.mp4"), external_task_id=name)
    first = stage.mine.create(**fields, headers={"idempotency-key": name})
    stage.mine.wait(first["task_id"], limit_s=60)
    assert stage.mine.create(**fields, headers={"idempotency-key": name}) == first
    assert stage.refusal(**fields) == (400, 1201)
    with pytest.raises(KlingError) as caught:
        stage.mine.create(**(fields | {"mode": "pro"}), headers={"idempotency-key": name})
    assert (caught.value.status, caught.value.code) == (400, 1201)
    assert stage.theirs.create(**fields, headers={"idempotency-key": name}) != first
    assert (
        len([task for task in stage.mine.page(pageSize=500) if task["task_info"] == first["task_info"]]) == 1
    )


def test_pages_are_newest_first_and_empty_past_the_end(stage: Stage) -> None:
    made = [
        stage.theirs.create(**stage.fields(video_url=stage.around.url("/nothing.mp4")))["task_id"]
        for _ in range(3)
    ]
    listed = [task["task_id"] for task in stage.theirs.page(pageSize=3)]
    assert listed == made[::-1]
    assert [stage.theirs.page(pageNum=n, pageSize=1)[0]["task_id"] for n in (1, 2, 3)] == listed
    assert stage.theirs.page(pageNum=1000) == []


def test_what_an_account_may_not_do(stage: Stage) -> None:
    client = KlingClient(stage.service.base_url, Keys(**stage.service.keys("small")))
    fields = stage.fields(video_url=stage.around.url("/slow/nothing.mp4"))
    with client.http:
        stage.service.command("accounts", "limit", "small", "--concurrency", "1")
        live = client.create(**fields)
        with pytest.raises(KlingError, match="parallel task over resource pack limit") as caught:
            client.create(**fields)
        assert (caught.value.status, caught.value.code) == (429, 1303)
        stage.around.released.set()
        assert client.wait(live["task_id"], limit_s=60)["task_status"] == "failed"
        stage.service.command("accounts", "grant", "small", "1.4")  # 3 s of the cheapest cost 1.5
        with pytest.raises(KlingError, match="Account balance not enough") as caught:
            client.create(**fields)
        assert (caught.value.status, caught.value.code) == (429, 1102)
        stage.service.command("accounts", "grant", "small", "0.1")
        assert client.wait(client.create(**fields)["task_id"], limit_s=60)["final_unit_deduction"] == "0"
        client.create(**fields)  # what the failed one held was given back
        stage.service.command("accounts", "disable", "small")
        with pytest.raises(KlingError) as caught:
            client.page()
        assert (caught.value.status, caught.value.code) == (429, 1100)
