"""ModelsLab's request, field by field: what is honoured, what is refused and in which words; and who is asking."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kling_examples import PNG
from modelslab_examples import KEY, LEAST

from understudy.errors import AuthError, FormError, UnderstudyError
from understudy.request import Mode, Orientation
from understudy.server.dialects.call import Call
from understudy.server.dialects.modelslab_form import FIELDS, decode_create
from understudy.server.dialects.notes import Note
from understudy.server.dialects.registry import DIALECTS, dialect_of_path
from understudy.tasks.submission import Inline, Link, Submission

MODELSLAB = DIALECTS["modelslab"]


def body_with(**fields: Any) -> dict[str, Any]:
    """The least body with these fields changed; ... takes one out."""
    return {name: value for name, value in (LEAST | fields).items() if value is not ...}


def refusal(**fields: Any) -> tuple[int, str]:
    """HTTP status and message for that body."""
    with pytest.raises(FormError) as caught:
        decode_create(body_with(**fields), engine="puppet")
    answer = MODELSLAB.encode_error(caught.value, "request")
    assert answer.body["status"] == "error"
    assert set(answer.body) == {"status", "message"}
    return answer.status, answer.body["message"]


def submitted(**fields: Any) -> Submission:
    return decode_create(body_with(**fields), engine="puppet").submission


def test_the_least_body_and_its_defaults() -> None:
    assert decode_create(LEAST, engine="puppet").notes == ()
    assert submitted() == Submission(
        dialect="modelslab",
        model="kling-v2-6",
        engine="puppet",
        image=Link("https://media.example/hero.png"),
        video=Link("https://media.example/dance.mp4"),
        orientation=Orientation.VIDEO,
        mode=Mode.STD,
        sound=True,
        watermark=False,
        prompt="",
        callback_url=None,
        callback_at_end=True,
        external_task_id=None,
        extra={"track_id": None},
    )


def test_every_field_is_honoured() -> None:
    body = {
        "key": KEY,
        "model_id": "kling-v3-motion-control",
        "init_image": "https://media.example/a.jpg?signature=x",
        "init_video": "http://media.example:8080/a.mov",
        "character_orientation": "image",
        "prompt": "make this image accurately animate to the video",
        "mode": "pro",
        "keep_original_sound": "no",
        "webhook": "https://me.example/hook",
        "track_id": "order 7/ä",
    }
    assert tuple(body) == FIELDS
    assert decode_create(body, engine="relay").submission == Submission(
        dialect="modelslab",
        model="kling-v3",
        engine="relay",
        image=Link(body["init_image"]),
        video=Link(body["init_video"]),
        orientation=Orientation.IMAGE,
        mode=Mode.PRO,
        sound=False,
        prompt=body["prompt"],
        callback_url="https://me.example/hook",
        callback_at_end=True,
        extra={"track_id": "order 7/ä"},
    )


def test_the_seed_s_own_example() -> None:
    text = """{"prompt": "make this image accurately animate to the video",
        "init_image": "https://assets.modelslab.com/generations/8d4def68.jpg",
        "init_video": "https://assets.modelslab.com/generations/5c570825.mov", "character_orientation": "image",
        "model_id": "kling-motion-control", "mode": "std", "key": "YOUR_API_KEY"}"""
    submission = decode_create(json.loads(text), engine="puppet").submission
    assert (submission.model, submission.mode, submission.orientation) == ("kling-v2-6", "std", "image")


@pytest.mark.parametrize(
    "fields",
    [
        *({name: None} for name in ("prompt", "mode", "keep_original_sound", "webhook", "track_id")),
        {"prompt": ""},
        {"webhook": ""},
        {"webhook": None, "track_id": None},
    ],
    ids=str,
)
def test_null_and_where_allowed_an_empty_text_are_absent(fields: dict[str, Any]) -> None:
    assert submitted(**fields) == submitted()


@pytest.mark.parametrize(
    "value", ["video_001", "", " ", "x" * 256, 0, 7, -7, 2**63 - 1, -1.5, 0.1, 1e300, None]
)
def test_a_track_id_is_kept_as_it_came(value: object) -> None:
    kept = submitted(track_id=value).extra["track_id"]
    assert kept == value
    assert type(kept) is type(value)


@pytest.mark.parametrize(
    "prefix", ["", "data:image/png;base64,", "DATA:image/jpeg;base64,", "data:image/svg+xml;base64,"]
)
def test_the_picture_may_come_as_base64(prefix: str) -> None:
    picture = prefix + base64.b64encode(PNG).decode()
    assert submitted(init_image=picture).image == Inline(PNG)
    for bad in (f"{picture}!", f"{prefix}{prefix}x", prefix + base64.b64encode(b"GIF89a" + PNG).decode()):
        assert refusal(init_image=bad)[0] == 400


BAD_URLS = [
    "ftp://media.example/a",
    "media.example/a.mp4",
    "http://",
    "http://user:secret@media.example/",
    "http://media.example/a b",
    "http://media.example/\0",
    "https://media.example/" + "a" * 8192,
    "iVBORw0KGgo=",
    "data:image/png;base64,iVBORw0KGgo=",
    7,
    True,
    ["https://media.example/"],
    {"url": "https://media.example/"},
]


def each(name: str, *values: Any) -> list[dict[str, Any]]:
    return [{name: value} for value in values]


BAD = [
    *each("init_image", *BAD_URLS),
    *each("init_video", *BAD_URLS),
    *each("webhook", *BAD_URLS),
    *each("model_id", 3, True, ["kling-motion-control"], {}),
    *each("character_orientation", "Image", "front", 1, True, ["image"], {}),
    *each("prompt", 7, True, ["x"], {}, "x" * 2501, "a\0b", "\ud800"),
    *each("mode", "", "STD", "4k", "720p", 720, True, ["std"], {}),
    *each("keep_original_sound", "", "Yes", "true", True, False, 1, [], {}),
    *each("track_id", True, False, [], [1], {}, "x" * 257, "a\0b", "\udfff", 2**63, float("inf")),
]


@pytest.mark.parametrize("fields", BAD, ids=lambda fields: ascii(fields)[:60])
def test_a_wrong_value_is_400_and_names_its_field_and_what_is_allowed(fields: dict[str, Any]) -> None:
    status, message = refusal(**fields)
    assert status == 400
    assert message.startswith(f"{next(iter(fields))} is ")
    assert "allowed: " in message
    assert len(message) < 500
    assert message.isprintable()
    assert "secret" not in message


@pytest.mark.parametrize("name", [name for name in LEAST if name != "key"])
@pytest.mark.parametrize("value", [..., None, ""])
def test_a_missing_field_is_told_in_modelslab_s_words(name: str, value: object) -> None:
    status, message = refusal(**{name: value})
    assert status == 400
    assert message.startswith(f"The {name} field is required; allowed: ")


@pytest.mark.parametrize("name", ["flux", "kling-v3", "KLING-MOTION-CONTROL", "org/model:1.0"])
def test_an_unknown_model(name: str) -> None:
    status, message = refusal(model_id=name)
    assert status == 400
    assert message.startswith(f"Model not found: {name}; ")
    assert "kling-motion-control, kling-v3-motion-control" in message


@pytest.mark.parametrize("name", ["x" * 9000, "\0\ud800", "a\nb", "<b>"])
def test_an_unknown_model_is_shown_so_that_it_does_no_harm(name: str) -> None:
    message = refusal(model_id=name)[1]
    assert message.startswith("Model not found: '")
    assert message.isprintable()
    assert len(message) < 300


def test_a_key_that_nobody_knows_is_told_and_a_misspelt_one_refused() -> None:
    body = LEAST | {"duration": "5", "negative_prompt": "blur", "base64": False}
    assert [*decode_create(body, engine="puppet").notes] == [
        Note("unknown_key", "duration"),
        Note("unknown_key", "negative_prompt"),
        Note("unknown_key", "base64"),
    ]
    for key in ("initImage", "init_img", "trackId", "webhook_url", "Mode", "keepOriginalSound"):
        status, message = refusal(**{key: "no"})
        assert status == 400, key
        assert key in message
    assert refusal(**{f"key {n}": 1 for n in range(21)})[0] == 400


def asking(body: object = None, **headers: str) -> str | None:
    content = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    return MODELSLAB.authorization(Call(headers=headers, content=content))


@pytest.mark.parametrize(
    ("body", "headers", "found"),
    [
        ({"key": "mine"}, {}, "Bearer mine"),
        ({"key": "mine"}, {"key": "other", "authorization": "Bearer third"}, "Bearer mine"),
        ({"key": None}, {"key": "other"}, "Bearer other"),
        ({"key": ""}, {"key": "other"}, "Bearer other"),
        ({}, {"key": "other", "authorization": "Bearer third"}, "Bearer other"),
        (None, {"key": "other"}, "Bearer other"),
        (b"{", {"key": "other"}, "Bearer other"),
        ({}, {"authorization": "Bearer third"}, "Bearer third"),
        ({}, {"key": "", "authorization": "Bearer third"}, "Bearer third"),
        (b"no JSON", {"authorization": "Bearer third"}, "Bearer third"),
        ({}, {}, None),
        ({"key": None}, {}, None),
        (None, {}, None),
    ],
)
def test_who_is_asking(body: object, headers: dict[str, str], found: str | None) -> None:
    assert asking(body, **headers) == found


@pytest.mark.parametrize("key", [7, True, [KEY], {"value": KEY}, 1.5])
def test_a_key_that_is_no_text_is_not_shown(key: object) -> None:
    with pytest.raises(AuthError) as caught:
        asking({"key": key}, authorization="Bearer good")
    answer = MODELSLAB.encode_error(caught.value, "request")
    assert answer.status == 401
    assert answer.body["message"].startswith("Invalid API key")
    assert KEY not in str(caught.value) + answer.body["message"]
    assert caught.value.value is None


def test_where_nothing_says_who_asks_an_unreadable_body_is_the_error() -> None:
    for content in (b"{", b"[]", b"\xff", b'{"key": "a", "key": "b"}', b"[" * 100_000):
        with pytest.raises(FormError) as caught:
            asking(content)
        assert MODELSLAB.encode_error(caught.value, "request").status == 400


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
near_values = st.sampled_from(
    ["", "std", "image", "yes", "http://", "https://a.example/", 2**80, [{}], "flux"]
)


@given(
    st.dictionaries(
        st.sampled_from(FIELDS[1:]) | st.text(max_size=20), json_values | near_values, max_size=12
    )
)
def test_any_object_decodes_or_is_an_error_that_can_be_answered(body: dict[str, Any]) -> None:
    for whole in (body, LEAST | body, {**body, "key": KEY}):
        try:
            kept = decode_create(whole, engine="puppet").submission
            json.dumps(dict(kept.extra), allow_nan=False)
            assert KEY not in repr(kept)
        except FormError as error:
            answer = MODELSLAB.encode_error(error, "request")
            assert answer.status == 400
            assert set(answer.body) == {"status", "message"}
            assert answer.body["message"].isprintable()
            assert KEY not in answer.body["message"]


@given(st.binary(max_size=200) | json_values.map(lambda value: json.dumps({"key": value}).encode()))
def test_any_bytes_say_who_asks_or_are_an_error_that_can_be_answered(content: bytes) -> None:
    try:
        found = MODELSLAB.authorization(Call(content=content)) or "Bearer "
    except UnderstudyError as error:
        status = MODELSLAB.encode_error(error, "request").status
        found = {400: "Bearer ", 401: "Bearer "}[status]
    assert found.startswith("Bearer ")


def test_the_registry() -> None:
    for path in ("/api/v7", "/api/v7/video-fusion/motion-control", "/api/v7/images/text-to-image"):
        assert dialect_of_path(path) is MODELSLAB
    assert dialect_of_path("/api/v70") is not MODELSLAB
