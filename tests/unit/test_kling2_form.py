"""A request of Kling's API 2.0, field by field: what is honoured, what is refused, and in which words."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kling_examples import PNG

from understudy.errors import AuthError, FormError
from understudy.request import Mode, Orientation
from understudy.server.dialects.call import Call
from understudy.server.dialects.dialect import Decoded
from understudy.server.dialects.kling2 import Kling2
from understudy.server.dialects.kling2_form import MODELS, decode_create
from understudy.server.dialects.notes import Note
from understudy.tasks.submission import Inline, Link, Submission

PROMPT = {"type": "prompt", "text": "The girl is wearing a loose gray T-shirt"}
IMAGE = {"type": "image", "url": "https://media.example/hero.png"}
VIDEO = {"type": "video", "url": "https://media.example/dance.mp4"}
ELEMENT = {"type": "element", "element_id": "829836802793406551", "id": "element_1"}
LEAST = {"contents": [IMAGE, VIDEO], "settings": {"character_orientation": "video"}}
LEAST_SUBMISSION = Submission(
    dialect="kling-2",
    model="kling-v3",
    engine="puppet",
    image=Link(IMAGE["url"]),
    video=Link(VIDEO["url"]),
)


def decoded(body: object, model: str = "kling-3.0") -> Decoded:
    return decode_create(model, Call(content=json.dumps(body).encode()), "puppet")


def request(**fields: Any) -> dict[str, Any]:
    """The least body with settings, options and contents changed; ... takes a field out."""
    body: dict[str, Any] = {**LEAST, **fields}
    return {name: value for name, value in body.items() if value is not ...}


def settings(**fields: Any) -> dict[str, Any]:
    return request(settings={"character_orientation": "video", **fields})


def options(**fields: Any) -> dict[str, Any]:
    return request(options=fields)


def contents(*items: Any) -> dict[str, Any]:
    return request(contents=list(items))


def changed(**fields: Any) -> dict[str, Any]:
    """What of the least submission is another."""
    return fields


GOOD: list[tuple[dict[str, Any], dict[str, Any]]] = [
    (LEAST, {}),
    (contents(VIDEO, PROMPT, IMAGE), changed(prompt=PROMPT["text"])),
    (contents(IMAGE, VIDEO, {"type": "prompt", "text": "x" * 2500}), changed(prompt="x" * 2500)),
    (contents(IMAGE, VIDEO, {"type": "prompt", "text": ""}), {}),
    (contents({"type": "image", "url": base64.b64encode(PNG).decode()}, VIDEO), changed(image=Inline(PNG))),
    (
        contents({"type": "image", "url": "http://a.example/a"}, VIDEO),
        changed(image=Link("http://a.example/a")),
    ),
    (
        contents(IMAGE, {"type": "video", "url": "http://a.example/a"}),
        changed(video=Link("http://a.example/a")),
    ),
    (contents(IMAGE, VIDEO, ELEMENT), changed(element_id=829836802793406551)),
    (contents(IMAGE, VIDEO, {"type": "element", "element_id": 7}), changed(element_id=7)),
    (request(settings={"character_orientation": "image"}), changed(orientation=Orientation.IMAGE)),
    (
        request(contents=[IMAGE, VIDEO, ELEMENT], settings={"character_orientation": "image"}),
        changed(element_id=829836802793406551, orientation=Orientation.VIDEO),
    ),
    (settings(audio="original"), {}),
    (settings(audio="off"), changed(sound=False)),
    (settings(audio=None, resolution=None), {}),
    (settings(resolution="720p"), {}),
    (settings(resolution="1080p"), changed(mode=Mode.PRO)),
    (options(), {}),
    (request(options=None), {}),
    (options(callback_url="", external_task_id="", watermark_info=None), {}),
    (options(callback_url=None, external_task_id=None), {}),
    (options(callback_url="https://me.example/hook"), changed(callback_url="https://me.example/hook")),
    (options(external_task_id="order 7/ä"), changed(external_task_id="order 7/ä")),
    (options(external_task_id="x" * 256), changed(external_task_id="x" * 256)),
    (options(watermark_info={"enabled": True}), changed(watermark=True)),
    (options(watermark_info={"enabled": False}), {}),
    (options(watermark_info={}), {}),
]


@pytest.mark.parametrize(("body", "fields"), GOOD, ids=lambda value: ascii(value)[:60])
def test_what_a_request_becomes(body: dict[str, Any], fields: dict[str, Any]) -> None:
    assert decoded(body) == Decoded(replace(LEAST_SUBMISSION, **fields))


def test_the_model_of_the_path_sets_the_price() -> None:
    assert {path: decoded(LEAST, path).submission.model for path in MODELS} == {
        "kling-3.0": "kling-v3",
        "kling-2.6": "kling-v2-6",
    }


BAD: list[tuple[Any, str]] = [
    ({}, "contents is missing; allowed: an array of objects, one a type: prompt, image, video, element."),
    (contents(), "contents is missing"),
    (request(contents=None), "contents is missing"),
    (request(contents={}), "contents is an object"),
    (contents(VIDEO), "contents: an object with the type 'image' is missing"),
    (contents(IMAGE), "contents: an object with the type 'video' is missing"),
    (
        contents(IMAGE, VIDEO, IMAGE),
        "contents[2].type is 'image' once more; allowed: each type once; contents[0]",
    ),
    (contents(IMAGE, "video"), "contents[1] is 'video'"),
    (contents(IMAGE, None), "contents[1] is null"),
    (
        contents(IMAGE, {"url": VIDEO["url"]}),
        "contents[1].type is missing; allowed: prompt, image, video, element.",
    ),
    (contents(IMAGE, {"type": "first_frame"}), "contents[1].type is 'first_frame'; allowed: prompt,"),
    (contents(IMAGE, {"type": ["video"]}), "contents[1].type is an array of 1"),
    (contents(IMAGE, {"type": "video"}), "contents[1].url is missing; allowed: an http"),
    (contents(IMAGE, {"type": "video", "url": ""}), "contents[1].url is missing"),
    (
        contents(IMAGE, {"type": "video", "url": "ftp://a.example/a"}),
        "contents[1].url is 'ftp://a.example/a'",
    ),
    (contents(IMAGE, {"type": "video", "url": 7}), "contents[1].url is the number 7"),
    (contents({"type": "image"}, VIDEO), "contents[0].url is missing; allowed: an http(s) URL, or a JPEG"),
    (contents({"type": "image", "url": True}, VIDEO), "contents[0].url is true"),
    (contents({"type": "image", "url": "not base64!"}, VIDEO), "contents[0].url is neither a URL nor base64"),
    (
        contents({"type": "image", "url": "data:image/png;base64,AA=="}, VIDEO),
        "contents[0].url is base64 with a data",
    ),
    (
        contents({"type": "image", "url": "R0lGODlhAQABAAAAACw="}, VIDEO),
        "contents[0].url is base64 of something",
    ),
    (
        contents(IMAGE, VIDEO, {"type": "prompt", "text": "x" * 2501}),
        "contents[2].text is 2501 characters long",
    ),
    (contents(IMAGE, VIDEO, {"type": "prompt", "text": 5}), "contents[2].text is the number 5"),
    (contents(IMAGE, VIDEO, {"type": "prompt", "text": "\0"}), "contents[2].text is "),
    (contents(IMAGE, VIDEO, {"type": "element", "id": "a"}), "contents[2].element_id is missing"),
    (contents(IMAGE, VIDEO, ELEMENT | {"element_id": "x"}), "contents[2].element_id is 'x'"),
    (contents(IMAGE, VIDEO, ELEMENT | {"element_id": 1.5}), "contents[2].element_id is the number 1.5"),
    (contents(IMAGE, VIDEO, ELEMENT | {"id": 5}), "contents[2].id is the number 5"),
    (contents(IMAGE, VIDEO, ELEMENT, ELEMENT), "contents[3].type is 'element' once more"),
    (contents(IMAGE, VIDEO | {"urls": "x"}, ELEMENT), "contents[1] has the unknown key 'urls'"),
    (request(settings=...), "settings.character_orientation is missing; allowed: image, video."),
    (request(settings=None), "settings.character_orientation is missing"),
    (request(settings={}), "settings.character_orientation is missing"),
    (request(settings=[]), "settings is an array of 0; allowed: an object with character_orientation, audio"),
    (request(settings={"character_orientation": "front"}), "settings.character_orientation is 'front'"),
    (settings(audio="yes"), "settings.audio is 'yes'; allowed: original, off."),
    (settings(audio=False), "settings.audio is false"),
    (settings(resolution="4k"), "settings.resolution is '4k'; allowed: 720p, 1080p."),
    (settings(resolution="720P"), "settings.resolution is '720P'"),
    (settings(Resolution="720p"), "settings has the unknown key 'Resolution'"),
    (request(options="x"), "options is 'x'; allowed: an object with callback_url"),
    (options(callback_url="nowhere"), "options.callback_url is 'nowhere'"),
    (options(external_task_id="x" * 257), "options.external_task_id is 257 characters long"),
    (options(external_task_id=7), "options.external_task_id is the number 7"),
    (options(watermark_info=True), "options.watermark_info is true"),
    (
        options(watermark_info={"enabled": "true"}),
        "options.watermark_info.enabled is 'true'; allowed: true, false.",
    ),
    (options(watermark_info={"enable": True}), "options.watermark_info is an object with the key 'enable'"),
    (options(externalTaskId="x"), "options has the unknown key 'externalTaskId'"),
    (request(content=[]), "The body has the unknown key 'content'"),
]


@pytest.mark.parametrize(("body", "words"), BAD, ids=lambda value: ascii(value)[:60])
def test_what_is_refused_is_named(body: Any, words: str) -> None:
    with pytest.raises(FormError) as caught:
        decoded(body)
    answer = Kling2().encode_error(caught.value, "request")
    assert (answer.status, answer.body["code"], answer.body["request_id"]) == (400, 1201, "request")
    assert answer.body["message"].startswith(words), answer.body["message"]
    assert "data" not in answer.body


def test_the_older_model_has_no_elements() -> None:
    with pytest.raises(FormError, match=r"contents\[2\].type is 'element'; allowed: prompt, image, video\."):
        decoded(contents(IMAGE, VIDEO, ELEMENT), "kling-2.6")


def test_what_nobody_acts_on_is_noted() -> None:
    body = {
        "contents": [IMAGE | {"weight": 1}, VIDEO],
        "settings": {"character_orientation": "video", "duration": 5},
        "options": {"priority": "high"},
        "model_name": "kling-v3",
    }
    known = [Note("unknown_key", name) for name in ("model_name", "weight", "duration", "priority")]
    assert decoded(body) == Decoded(LEAST_SUBMISSION, tuple(known))


def test_an_unreadable_body() -> None:
    for content in (b"", b"[]", b"{", b'{"contents":1,"contents":2}'):
        with pytest.raises(FormError) as caught:
            decode_create("kling-3.0", Call(content=content), "puppet")
        assert Kling2().encode_error(caught.value, "r").body["code"] == 1200


JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
FIELD = st.sampled_from(["type", "url", "text", "element_id", "id"])
ITEM = (
    st.dictionaries(FIELD, st.sampled_from(["image", "video", "prompt", "element"]) | JSON_VALUES)
    | JSON_VALUES
)
BODY = st.fixed_dictionaries(
    {},
    optional={
        "contents": st.lists(ITEM, max_size=5) | JSON_VALUES,
        "settings": st.dictionaries(
            st.sampled_from(["character_orientation", "audio", "resolution"]), JSON_VALUES
        )
        | JSON_VALUES,
        "options": st.dictionaries(
            st.sampled_from(["callback_url", "external_task_id", "watermark_info"]), JSON_VALUES
        )
        | JSON_VALUES,
    },
)


@given(body=BODY | st.dictionaries(st.text(max_size=12), JSON_VALUES), model=st.sampled_from(list(MODELS)))
def test_any_json_is_a_submission_or_an_error_that_can_be_answered(body: dict[str, Any], model: str) -> None:
    try:
        found = decoded(body, model)
    except FormError as error:
        answer = Kling2().encode_error(error, "request")
        assert answer.status == 400
        assert json.dumps(answer.body).encode("ascii")
    else:
        assert found.submission.dialect == "kling-2"


def asked(endpoint: str, authorization: str | None) -> str | None:
    headers = {} if authorization is None else {"authorization": authorization}
    return Kling2().authorization(Call(endpoint=endpoint, headers=headers))


@pytest.mark.parametrize("authorization", [None, "", "Bearer us-key", "Bearer a.b", "Bearer a.b.c.d"])
def test_who_is_no_jwt_is_asked_after_as_ever(authorization: str | None) -> None:
    for endpoint in Kling2().endpoints():
        assert asked(endpoint.path, authorization) == authorization


def test_a_jwt_is_told_of_api_keys_but_at_the_costs() -> None:
    token = "Bearer eyJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJhIn0.c2ln"
    assert asked("/account/costs", token) == token
    others = {endpoint.path for endpoint in Kling2().endpoints()} - {"/account/costs"}
    assert len(others) == 5
    for path in others:
        with pytest.raises(AuthError) as caught:
            asked(path, token)
        answer = Kling2().encode_error(caught.value, "r")
        assert (answer.status, answer.body["code"]) == (401, 1002)
        assert "does not support AK/SK" in answer.body["message"]
        assert "Create an API key" in answer.body["message"]
        assert "eyJ" not in answer.body["message"]
