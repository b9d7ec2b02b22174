"""Kling's request, field by field: what is honoured, what is refused, and with which of Kling's codes."""

from __future__ import annotations

import base64
import json
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kling_examples import LEAST, PNG

from understudy.errors import FormError
from understudy.request import Mode, Orientation
from understudy.server.dialects.body import json_object
from understudy.server.dialects.call import Call
from understudy.server.dialects.kling_form import FIELDS, decode_create, decode_page
from understudy.server.dialects.notes import Note, notes_header
from understudy.server.dialects.registry import DIALECTS, dialect_named, dialect_of_path
from understudy.tasks.submission import Inline, Link

KLING = DIALECTS["kling"]


def base64_of(content: bytes) -> str:
    return base64.b64encode(content).decode()


def refusal(**fields: Any) -> tuple[int, int, str]:
    """HTTP status, Kling's code and the message for the least body with these fields changed; ... takes one out."""
    body = {name: value for name, value in (LEAST | fields).items() if value is not ...}
    with pytest.raises(FormError) as caught:
        decode_create(body, engine="puppet")
    answer = KLING.encode_error(caught.value, "request")
    return answer.status, answer.body["code"], answer.body["message"]


def test_the_least_body_and_its_defaults() -> None:
    decoded = decode_create(LEAST, engine="puppet")
    s = decoded.submission
    assert decoded.notes == ()
    assert (s.dialect, s.model, s.engine) == ("kling", "kling-v2-6", "puppet")
    assert (s.image, s.video) == (Link(LEAST["image_url"]), Link(LEAST["video_url"]))
    assert (s.orientation, s.mode, s.sound, s.watermark) == (Orientation.VIDEO, Mode.STD, True, False)
    assert (s.prompt, s.callback_url, s.external_task_id, s.idempotency) == ("", None, None, None)


def test_every_field_is_honoured() -> None:
    body = {
        "model_name": "kling-v3",
        "prompt": "The girl is wearing a loose gray T-shirt",
        "image_url": base64_of(PNG),
        "video_url": "http://media.example:8080/dance.mp4?signature=x",
        "element_list": [],
        "keep_original_sound": "no",
        "character_orientation": "image",
        "mode": "pro",
        "watermark_info": {"enabled": True},
        "callback_url": "https://me.example/hook",
        "external_task_id": "order 7/ä",
    }
    assert tuple(body) == FIELDS
    s = decode_create(body, engine="puppet").submission
    assert (s.model, s.image, s.sound, s.watermark) == ("kling-v3", Inline(PNG), False, True)
    assert (s.orientation, s.mode) == (Orientation.IMAGE, Mode.PRO)
    assert (s.prompt, s.callback_url) == (body["prompt"], body["callback_url"])
    assert s.external_task_id == "order 7/ä"


@pytest.mark.parametrize(
    "fields",
    [
        *({name: None} for name in FIELDS if name not in LEAST),
        {"callback_url": ""},
        {"external_task_id": ""},
        {"prompt": ""},
        {"element_list": []},
    ],
    ids=str,
)
def test_null_and_where_allowed_an_empty_text_are_absent(fields: dict[str, Any]) -> None:
    assert decode_create(LEAST | fields, engine="puppet") == decode_create(LEAST, engine="puppet")


@pytest.mark.parametrize(
    ("fields", "what"),
    [
        ({"model_name": "kling-v3"}, ("model", "kling-v3")),
        ({"prompt": "x" * 2500}, ("prompt", "x" * 2500)),
        ({"prompt": "😀" * 2500}, ("prompt", "😀" * 2500)),
        ({"external_task_id": "x" * 256}, ("external_task_id", "x" * 256)),
        ({"external_task_id": " "}, ("external_task_id", " ")),
        ({"external_task_id": "../a?b#c\n"}, ("external_task_id", "../a?b#c\n")),
        ({"keep_original_sound": "yes"}, ("sound", True)),
        ({"watermark_info": {"enabled": False}}, ("watermark", False)),
        ({"image_url": "HTTPS://media.example/a.png"}, ("image", Link("HTTPS://media.example/a.png"))),
        ({"video_url": "http://[2001:db8::1]:81/"}, ("video", Link("http://[2001:db8::1]:81/"))),
        ({"video_url": "http://media.example/动作.mp4"}, ("video", Link("http://media.example/动作.mp4"))),
    ],
)
def test_values_at_the_edge_that_are_fine(fields: dict[str, Any], what: tuple[str, Any]) -> None:
    assert getattr(decode_create(LEAST | fields, engine="puppet").submission, what[0]) == what[1]


@pytest.mark.parametrize("width", [76, 64, 1])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_base64_may_be_wrapped_into_lines(width: int, end: str) -> None:
    text = base64_of(PNG)
    wrapped = end.join(text[at : at + width] for at in range(0, len(text), width)) + end
    assert decode_create(LEAST | {"image_url": wrapped}, engine="puppet").submission.image == Inline(PNG)


BAD_URLS = [
    "ftp://media.example/a",
    "file:///etc/passwd",
    "media.example/a.mp4",
    "//media.example/a.mp4",
    "http://",
    "http:///a",
    "http://media.example:0/",
    "http://media.example:99999/",
    "http://user:secret@media.example/",
    "http://media.example/a b",
    "http://media.example/a\n",
    "http://media.example/\0",
    "http://media.example/\ud800",
    "http://media.example\\@evil.example/",
    "http://[::1/",
    "https://media.example/" + "a" * 8192,
    " https://media.example/",
    7,
    True,
    ["https://media.example/"],
    {"url": "https://media.example/"},
]

BAD = [
    *({name: ...} for name in LEAST),
    *({name: None} for name in LEAST),
    *({name: ""} for name in LEAST),
    *({"video_url": value} for value in BAD_URLS),
    *({"callback_url": value} for value in BAD_URLS),
    *({"image_url": value} for value in BAD_URLS if value != "//media.example/a.mp4"),
    {"image_url": "data:image/png;base64," + base64_of(PNG)},
    {"image_url": "DATA:image/png;base64," + base64_of(PNG)},
    {"image_url": base64_of(PNG) + "!"},
    {"image_url": base64_of(PNG) + "===="},
    {"image_url": base64_of(PNG + b"a").rstrip("=")},
    {"image_url": base64_of(PNG).replace("I", " ", 1)},
    {"image_url": base64_of(b"\xfb\xff" * 30).replace("+", "-").replace("/", "_")},
    {"image_url": "ünicode"},
    {"image_url": base64_of(b"GIF89a" + PNG)},
    {"image_url": base64_of(PNG[:20])},
    *({"prompt": value} for value in (7, True, ["x"], {}, "x" * 2501, "a\0b", "\ud800")),
    *({"external_task_id": value} for value in (7, True, ["x"], {}, "x" * 257, "a\0b", "\udfff")),
    *({"keep_original_sound": value} for value in ("", "Yes", "no ", "true", True, False, 1, [], {})),
    *({"character_orientation": value} for value in ("Image", "front", 1, True, ["image"], {})),
    *({"mode": value} for value in ("STD", "std ", "4k", 720, True, ["std"], {})),
    *({"watermark_info": value} for value in (True, "true", [], [1], {}, {"enabled": None})),
    *({"watermark_info": {"enabled": value}} for value in (0, 1, "true", "false", [])),
    {"watermark_info": {"enabled": True, "text": "mine"}},
    *({"model_name": value} for value in (3, True, ["kling-v3"], {})),
    *({"element_list": value} for value in ("", "1", 1, {}, True, [1], [None], [[]], [{}])),
    {"element_list": [{"element_id": 1}, {"element_id": 2}]},
    *({"element_list": [{"element_id": value}]} for value in (True, 1.5, -1, "", "x", "٣", "1" * 20, 2**70)),
    {"element_list": [{"element_id": 1, "name": "x"}]},
    {"element_list": [{"element_id": 1}], "character_orientation": "image"},
]


@pytest.mark.parametrize("fields", BAD, ids=lambda fields: ascii(fields)[:60])
def test_a_wrong_value_is_1201_and_names_its_field(fields: dict[str, Any]) -> None:
    status, code, message = refusal(**fields)
    assert (status, code) == (400, 1201)
    named = next(iter(fields))
    if "character_orientation" in fields:
        named = "character_orientation"
    assert message.startswith((named, f"{named}."))
    assert len(message) < 500
    assert message.isprintable()
    assert "secret" not in message


@pytest.mark.parametrize(
    "name", ["", "kling-v2.6", "kling-v1", "KLING-V3", "kling-v3 ", "x" * 9000, "\0\ud800"]
)
def test_an_unknown_model_is_404_1203(name: str) -> None:
    status, code, message = refusal(model_name=name)
    assert (status, code) == (404, 1203)
    assert "model_name" in message
    assert "kling-v2-6, kling-v3" in message
    assert message.isprintable()
    assert len(message) < 300


@pytest.mark.parametrize("given", [829836802793406551, "829836802793406551"], ids=["number", "text"])
def test_an_element_s_id_loses_no_digit(given: object) -> None:
    body = LEAST | {"element_list": [{"element_id": given}]}
    assert decode_create(body, engine="puppet").submission.element_id == 829836802793406551


def test_the_picture_s_limits_are_form() -> None:
    def sized(width: int, height: int, more: int = 0) -> str:
        return base64_of(PNG[:16] + struct.pack(">II", width, height) + PNG[24:] + bytes(more))

    for width, height in ((300, 300), (300, 750), (750, 300), (12500, 8000)):
        decode_create(LEAST | {"image_url": sized(width, height)}, engine="puppet")
    for width, height in ((299, 300), (300, 751), (751, 300), (65537, 65537), (12501, 8000), (0, 0)):
        assert refusal(image_url=sized(width, height))[:2] == (400, 1201), (width, height)
    limit = 10 * 2**20
    decode_create(LEAST | {"image_url": sized(720, 1280, limit - len(PNG))}, engine="puppet")
    for over in (1, 2, 3, 1000):
        assert refusal(image_url=sized(720, 1280, limit - len(PNG) + over))[:2] == (400, 1201)


def test_a_key_that_nobody_knows_is_told_and_a_misspelt_one_refused() -> None:
    body = LEAST | {"cfg_scale": 0.5, "duration": "5", "negative_prompt": "blur"}
    assert decode_create(body, engine="puppet").notes == (
        Note("unknown_key", "cfg_scale"),
        Note("unknown_key", "duration"),
        Note("unknown_key", "negative_prompt"),
    )
    for key in (
        "keepOriginalSound",
        "keep_orignal_sound",
        "external_id",
        "callbackUrl",
        "Mode",
        "modell_name",
    ):
        status, code, message = refusal(**{key: "no"})
        assert (status, code) == (400, 1201), key
        assert key in message
    assert refusal(**{f"key {n}": 1 for n in range(21)})[:2] == (400, 1201)


def test_the_header_of_notes_is_a_list_whatever_a_key_holds() -> None:
    notes = [
        Note("unknown_key", 'a"b\\c\r\nX: y\ud800ä' + "z" * 99),
        Note("files_deleted"),
        Note("files_deleted"),
    ]
    (value,) = notes_header(notes).values()
    assert value.isascii()
    assert value.isprintable()
    assert value.endswith('zzz", files_deleted')
    assert len(value) < 150
    assert notes_header([]) == {}


@pytest.mark.parametrize(
    ("address", "page"),
    [
        ([], (1, 30)),
        ([("pageNum", "1000")], (1000, 30)),
        ([("pageSize", "500"), ("pageNum", "2")], (2, 500)),
        ([("pageNum", "007")], (7, 30)),
    ],
)
def test_a_page(address: list[tuple[str, str]], page: tuple[int, int]) -> None:
    assert decode_page(Call(query=address)) == (*page, ())


@pytest.mark.parametrize("value", ["0", "1001", "-1", "+1", "1.0", "", "x", " 1", "٣", "9" * 5000])
def test_a_page_outside_the_ranges_is_refused(value: str) -> None:
    with pytest.raises(FormError, match=r"pageNum.*from 1 to 1000"):
        decode_page(Call(query=[("pageNum", value)]))
    with pytest.raises(FormError, match=r"pageSize.*from 1 to 500"):
        decode_page(Call(query=[("pageSize", "501" if value == "1001" else value)]))


def test_a_page_s_other_parameters() -> None:
    with pytest.raises(FormError, match="twice"):
        decode_page(Call(query=[("pageNum", "1"), ("pageNum", "2")]))
    with pytest.raises(FormError, match="Write pageNum"):
        decode_page(Call(query=[("page_num", "1")]))
    assert decode_page(Call(query=[("t", "1")]))[2] == (Note("unknown_parameter", "t"),)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b" ",
        b"\xff\xfe{}",
        b"\xc3\x28",
        b"[]",
        b'"text"',
        b"7",
        b"null",
        b"{",
        b"{'a': 1}",
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b'{"a": -Infinity}',
        b'{"a": 1, "a": 2}',
        b'{"a": {"b": 1, "b": 1}}',
        b'{"a": ' + b"9" * 5000 + b"}",
        b'{"a":' * 100_000,
        b"[" * 1_000_000,
        b'{"a": 1} {"b": 2}',
        b"mode=std&image_url=x",
        '{"a": "ä"}'.encode("latin-1"),
        '{"a": 1}'.encode("utf-16"),
    ],
    ids=lambda content: ascii(content[:24]),
)
def test_an_unreadable_body_is_1200(content: bytes) -> None:
    with pytest.raises(FormError) as caught:
        json_object(content)
    answer = KLING.encode_error(caught.value, "request")
    assert (answer.status, answer.body["code"]) == (400, 1200)


def test_a_readable_body() -> None:
    assert json_object(b'\xef\xbb\xbf{"a": "\\ud83d\\ude00", "b": 1e999}') == {"a": "😀", "b": float("inf")}


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
near_values = st.sampled_from(
    [
        "",
        "std",
        "image",
        "yes",
        "http://",
        "https://a.example/",
        "data:",
        base64_of(PNG),
        2**80,
        [{}],
        {"enabled": 1},
    ]
)


@given(
    st.dictionaries(st.sampled_from(FIELDS) | st.text(max_size=20), json_values | near_values, max_size=14)
)
def test_any_object_decodes_or_is_a_form_error_that_can_be_answered(body: dict[str, Any]) -> None:
    for whole in (body, LEAST | body):
        try:
            decode_create(whole, engine="puppet")
        except FormError as error:
            answer = KLING.encode_error(error, "request")
            assert set(answer.body) == {"code", "message", "request_id"}
            assert answer.status in (400, 404)
            assert answer.body["message"].encode("utf-8").isascii() or answer.body["message"].isprintable()


@given(st.binary(max_size=200))
def test_any_bytes_are_an_object_or_a_form_error(content: bytes) -> None:
    try:
        found: object = json_object(content)
    except FormError as error:
        found = error.code
    assert isinstance(found, dict) or found == "body_unreadable"


def test_the_seed_s_own_example() -> None:
    text = """{"model_name": "kling-v2-6", "image_url": "https://p2-kling.klingai.com/kcdn/multi-3.ng.png",
        "prompt": "The girl", "video_url": "https://p2-kling.klingai.com/kcdn/dance.mp4", "keep_original_sound": "yes",
        "character_orientation": "image", "mode": "pro", "callback_url": "", "external_task_id": "xxx"}"""
    submission = decode_create(json.loads(text), engine="puppet").submission
    assert (submission.callback_url, submission.external_task_id) == (None, "xxx")


def test_the_registry() -> None:
    assert dialect_named("kling") is KLING
    assert dialect_of_path("/v1") is dialect_of_path("/v1/videos/none") is KLING
    for path in ("/", "/v12", "/understudy/v1/tasks", "/files/1", "/V1/videos"):
        assert dialect_of_path(path) is not KLING


def test_what_gateways_send_beside_the_model_s_name_is_not_taken_for_the_mode() -> None:
    both = decode_create(LEAST | {"model": "kling-v3"}, engine="puppet")  # as gateways send it, beside mode
    assert both.notes == (Note("unknown_key", "model"),)
    assert both.submission.model == "kling-v2-6"


@pytest.mark.parametrize("part", [b"[],", b"{},", b'"a":1,'])
def test_a_body_of_very_many_values_is_refused_before_it_is_decoded(part: bytes) -> None:
    with pytest.raises(FormError, match="too many values") as caught:
        json_object(b'{"a":[' + part * 10**6)
    assert caught.value.code == "body_unreadable"
