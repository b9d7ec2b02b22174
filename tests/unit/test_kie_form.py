"""Kie's request, field by field: what is honoured, what is refused, and with which of Kie's codes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kie_examples import LEAST, LEAST_INPUT, PICTURE, VIDEO

from understudy.errors import FormError
from understudy.request import Mode, Orientation, Scene
from understudy.server.dialects.call import Call
from understudy.server.dialects.kie_form import FIELDS, INPUT_FIELDS, asked_task, decode_create
from understudy.server.dialects.notes import Note
from understudy.server.dialects.registry import DIALECTS, dialect_of_path
from understudy.tasks.submission import Link, Submission

KIE = DIALECTS["kie"]


def decoded(**given: Any) -> Submission:
    """The least request with these fields within ``input``."""
    return decode_create(LEAST | {"input": LEAST_INPUT | given}, engine="puppet").submission


def refusal(body: Any) -> tuple[int, str]:
    """Kie's code and message."""
    with pytest.raises(FormError) as caught:
        decode_create(body, engine="puppet")
    answer = KIE.encode_error(caught.value, "request")
    assert answer.status == 200
    assert answer.body["data"] is None
    return answer.body["code"], answer.body["msg"]


def test_the_least_body_and_its_defaults() -> None:
    made = decode_create(LEAST, engine="puppet")
    assert made.notes == ()
    assert made.submission == Submission(
        dialect="kie",
        model="kling-v3",
        engine="puppet",
        image=Link(PICTURE),
        video=Link(VIDEO),
        orientation=Orientation.VIDEO,
        mode=Mode.STD,
        sound=True,
        callback_at_end=True,
        matroska=True,
        extra={"input_urls": [PICTURE], "video_urls": [VIDEO], "mode": "720p"},
    )


def test_every_field_is_honoured() -> None:
    body = {
        "model": "kling-2.6/motion-control",
        "callBackUrl": "https://me.example/hook",
        "input": {
            "input_urls": ["http://media.example:8080/a.png?signature=x"],
            "video_urls": [VIDEO],
            "prompt": "a girl dances",
            "character_orientation": "image",
            "mode": "1080p",
            "background_source": "input_image",
        },
    }
    assert tuple(body) == FIELDS
    assert tuple(body["input"]) == INPUT_FIELDS
    s = decode_create(body, engine="puppet").submission
    assert (s.model, s.callback_url, s.prompt) == ("kling-v2-6", "https://me.example/hook", "a girl dances")
    assert s.image == Link("http://media.example:8080/a.png?signature=x")
    assert (s.orientation, s.mode) == (Orientation.IMAGE, Mode.PRO)
    assert s.extra["background_source"] == "input_image"
    assert s.extra["mode"] == "1080p"


@pytest.mark.parametrize(
    ("word", "mode"), [("720p", Mode.STD), ("1080p", Mode.PRO), ("std", Mode.STD), ("pro", Mode.PRO)]
)
def test_all_four_words_of_the_mode(word: str, mode: Mode) -> None:
    made = decoded(mode=word)
    assert (made.mode, made.extra["mode"]) == (mode, word)


@pytest.mark.parametrize(
    "given",
    [{name: None} for name in INPUT_FIELDS if name not in LEAST_INPUT] + [{"prompt": ""}],
    ids=str,
)
def test_null_is_left_out(given: dict[str, Any]) -> None:
    assert decoded(**given) == decoded()


@pytest.mark.parametrize("value", [None, ""])
def test_no_callback(value: object) -> None:
    assert decode_create(LEAST | {"callBackUrl": value}, engine="puppet").submission.callback_url is None


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({}, "model"),
        ({"model": "kling-9/motion-control", "input": LEAST_INPUT}, "model is"),
        ({"model": 3, "input": LEAST_INPUT}, "model is the number 3"),
        ({"model": LEAST["model"]}, "input is missing"),
        (LEAST | {"input": []}, "input is an array"),
        (LEAST | {"input": "text"}, "input is 'text'"),
        (LEAST | {"callBackUrl": "nowhere"}, "callBackUrl"),
        (LEAST | {"callBackUrl": 7}, "callBackUrl"),
        (LEAST | {"callbackUrl": "https://me.example"}, "Write callBackUrl"),
    ],
    ids=str,
)
def test_what_is_wrong_outside_of_input(body: Any, named: str) -> None:
    code, message = refusal(body)
    assert code == 422
    assert named in message


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"input_urls": None}, "input.input_urls is missing"),
        ({"input_urls": []}, "input.input_urls is missing"),
        ({"input_urls": PICTURE}, "input.input_urls is"),
        ({"input_urls": [PICTURE, PICTURE]}, "an array of 2"),
        ({"input_urls": [None]}, "input.input_urls[0] is null"),
        ({"input_urls": ["file:///etc/passwd"]}, "input.input_urls[0]"),
        ({"video_urls": None}, "input.video_urls is missing"),
        ({"video_urls": [VIDEO] * 3}, "an array of 3"),
        ({"video_urls": ["https://a:b@media.example/x"]}, "input.video_urls[0]"),
        ({"prompt": "x" * 2501}, "input.prompt is 2501 characters long"),
        ({"prompt": 7}, "input.prompt is the number 7"),
        ({"prompt": "\0"}, "input.prompt"),
        ({"character_orientation": "front"}, "input.character_orientation is 'front'"),
        ({"mode": "4k"}, "720p, 1080p, std, pro"),
        ({"mode": "720P"}, "input.mode is '720P'"),
        ({"background_source": "both"}, "input_image, input_video"),
        ({"inputUrls": [PICTURE]}, "Write input_urls"),
    ],
    ids=str,
)
def test_what_is_wrong_within_input(given: dict[str, Any], named: str) -> None:
    code, message = refusal(LEAST | {"input": LEAST_INPUT | given})
    assert code == 422
    assert named in message


@pytest.mark.parametrize("model", ["kling-2.6/motion-control", "kling-3.0/motion-control"])
def test_the_scene_of_the_video_is_refused_with_the_reason(model: str) -> None:
    code, message = refusal({"model": model, "input": LEAST_INPUT | {"background_source": "input_video"}})
    assert code == 422
    assert "input.background_source" in message
    assert "this server's engine, puppet, cannot" in message


def test_the_scene_of_the_video_is_taken_where_the_engine_can_make_it() -> None:
    body = LEAST | {"input": LEAST_INPUT | {"background_source": "input_video"}}
    made = decode_create(body, engine="wan-animate", scenes=tuple(Scene)).submission
    assert (made.scene, made.extra["background_source"]) == (Scene.VIDEO, "input_video")
    with pytest.raises(FormError):
        decode_create(body, engine="wan-animate", scenes=(Scene.IMAGE,))
    for word in (None, "input_image"):
        body = LEAST | {"input": LEAST_INPUT | {"background_source": word}}
        assert decode_create(body, engine="wan-animate", scenes=tuple(Scene)).submission.scene is Scene.IMAGE


def test_what_nobody_knows_is_told_by_its_place() -> None:
    body = LEAST | {"seed": 1, "input": LEAST_INPUT | {"cfg_scale": 2}}
    notes = decode_create(body, engine="puppet").notes
    assert notes == (Note("unknown_key", "seed"), Note("unknown_key", "input.cfg_scale"))


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("task_kling-3.0_9007199254740991", "9007199254740991"),
        ("task_kling-2.6_1000000000000000", "1000000000000000"),
        ("9007199254740991", "9007199254740991"),
        ("order 7", "order 7"),
        ("task_kling-3.0_12", "task_kling-3.0_12"),
        ("task_kling-3.0_٩007199254740991", "task_kling-3.0_٩007199254740991"),
        ("task_kling-3.0_9007199254740991\n", "task_kling-3.0_9007199254740991\n"),
    ],
)
def test_the_forms_of_an_id(given: str, name: str) -> None:
    assert asked_task(Call(query=[("taskId", given), ("other", "x")])) == name


@pytest.mark.parametrize("query", [[], [("taskId", "")], [("taskid", "1")]])
def test_no_id_is_400(query: list[tuple[str, str]]) -> None:
    with pytest.raises(FormError) as caught:
        asked_task(Call(query=query))
    body = KIE.encode_error(caught.value, "request").body
    assert body == {"code": 400, "msg": "taskId parameter is required", "data": None}


def test_two_ids_are_422() -> None:
    with pytest.raises(FormError) as caught:
        asked_task(Call(query=[("taskId", "1"), ("taskId", "2")]))
    assert KIE.encode_error(caught.value, "request").body["code"] == 422


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/anything",
        "/api/v1",
        "/api/file-stream-upload",
        "/api/file-base64-upload/x",
        "/api/file-url-upload",
    ],
)
def test_paths_that_are_its_own(path: str) -> None:
    assert dialect_of_path(path) is KIE


ANY = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(
    body=st.fixed_dictionaries(
        {},
        optional=dict.fromkeys(FIELDS, ANY)
        | {"input": st.fixed_dictionaries({}, optional=dict.fromkeys(INPUT_FIELDS, ANY))},
    )
    | st.fixed_dictionaries(
        {"model": st.just(LEAST["model"])},
        optional={
            "input": st.fixed_dictionaries(
                {"input_urls": st.just([PICTURE]), "video_urls": st.just([VIDEO])},
                optional=dict.fromkeys(INPUT_FIELDS[2:], ANY),
            )
        },
    )
)
def test_any_json_is_decoded_or_refused_in_its_words(body: dict[str, Any]) -> None:
    try:
        json.dumps(dict(decode_create(body, engine="puppet").submission.extra))
    except FormError as error:
        answer = KIE.encode_error(error, "request")
        assert answer.body["code"] == 422
        assert json.loads(json.dumps(answer.body, ensure_ascii=True)) == answer.body
