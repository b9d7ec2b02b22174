"""imini's request, field by field: what it becomes, and what is refused with which of imini's codes."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kling_examples import PNG

from understudy.errors import FormError
from understudy.request import Mode, Orientation
from understudy.server.dialects.body import written
from understudy.server.dialects.call import Call
from understudy.server.dialects.imini_errors import imini_error
from understudy.server.dialects.imini_form import FIELDS, decode_create, task_name
from understudy.server.dialects.notes import Note
from understudy.tasks.submission import Inline, Link, Submission

IMAGE, VIDEO = "https://media.example/hero.png", "https://media.example/dance.mp4"
LEAST = {
    "model": "kling/kling-v3-motion-control",
    "reference_images": [{"url": IMAGE}],
    "reference_videos": [{"url": VIDEO}],
}
LEAST_SUBMISSION = Submission(
    dialect="imini",
    model="kling-v3",
    engine="puppet",
    image=Link(IMAGE),
    video=Link(VIDEO),
    orientation=Orientation.VIDEO,
    mode=Mode.STD,
    sound=False,
)
PICTURE = base64.b64encode(PNG).decode()


def request(**fields: Any) -> Call:
    """The least request with these fields changed; ... takes one out."""
    body = {name: value for name, value in (LEAST | fields).items() if value is not ...}
    return Call(content=json.dumps(body).encode())


def refusal(**fields: Any) -> tuple[int, str, str]:
    with pytest.raises(FormError) as caught:
        decode_create(request(**fields), "puppet")
    status, body = imini_error(caught.value, "id")
    assert set(body) == {"error"}
    assert body["error"]["status"] == status
    return status, body["error"]["code"], body["error"]["message"]


SCRIPT = {"reference_images": ..., "reference_videos": ...}  # what the official script leaves out


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, {}),
        ({"prompt": "in the rain"}, {"prompt": "in the rain"}),
        ({"prompt": "x" * 2500}, {"prompt": "x" * 2500}),
        ({"resolution": "720P"}, {"mode": Mode.STD}),
        ({"resolution": "1080P"}, {"mode": Mode.PRO}),
        ({"resolution": "720p"}, {"mode": Mode.STD}),
        ({"resolution": "1080p"}, {"mode": Mode.PRO}),
        ({"generate_audio": True}, {"sound": True}),
        ({"generate_audio": False}, {"sound": False}),
        ({"extra_params": {}}, {}),
        ({"extra_params": {"character_orientation": "image"}}, {"orientation": Orientation.IMAGE}),
        ({"extra_params": {"character_orientation": "video"}}, {"orientation": Orientation.VIDEO}),
        ({"extra_params": {"character_orientation": None}}, {}),
        ({"reference_images": [{"url": f"data:image/png;base64,{PICTURE}"}]}, {"image": Inline(PNG)}),
        (
            {"reference_images": [{"url": f"DATA:application/octet-stream;Base64,{PICTURE}"}]},
            {"image": Inline(PNG)},
        ),
        ({"reference_images": [IMAGE], "reference_videos": [VIDEO]}, {}),
        ({**SCRIPT, "character_image": IMAGE, "motion_video": VIDEO}, {}),
        ({**SCRIPT, "character_image": {"url": IMAGE}, "motion_video": {"url": VIDEO}}, {}),
        (
            {**SCRIPT, "character_image": f"data:image/jpeg;base64,{PICTURE}", "motion_video": VIDEO},
            {"image": Inline(PNG)},
        ),
        ({"reference_videos": ..., "reference_video": VIDEO}, {}),
        ({"reference_videos": ..., "reference_video": {"url": VIDEO}}, {}),
        ({name: None for name in FIELDS if name not in LEAST}, {}),
        ({"prompt": ""}, {}),
    ],
    ids=lambda value: ascii(value)[:60],
)
def test_what_a_request_becomes(fields: dict[str, Any], expected: dict[str, Any]) -> None:
    decoded = decode_create(request(**fields), "puppet")
    told = {name: getattr(decoded.submission, name) for name in Submission.__dataclass_fields__}
    least = {name: getattr(LEAST_SUBMISSION, name) for name in Submission.__dataclass_fields__}
    assert told == least | expected
    assert decoded.notes == ()


@pytest.mark.parametrize(
    ("fields", "names"),
    [
        ({"aspect_ratio": "9:16", "duration": 5}, ["aspect_ratio", "duration"]),
        (
            {"extra_params": {"cfg_scale": 1, "multi_shot": True}},
            ["extra_params.cfg_scale", "extra_params.multi_shot"],
        ),
        (
            {"reference_images": [{"url": IMAGE, "reference_type": "asset"}]},
            ["reference_images[0].reference_type"],
        ),
        ({"reference_videos": ..., "motion_video": {"url": VIDEO, "start": 1}}, ["motion_video.start"]),
        ({"callback_url": "https://me.example/"}, ["callback_url"]),
    ],
    ids=lambda value: ascii(value)[:60],
)
def test_what_nobody_acts_on_is_noted(fields: dict[str, Any], names: list[str]) -> None:
    decoded = decode_create(request(**fields), "puppet")
    assert decoded.notes == tuple(Note("unknown_key", name) for name in names)
    assert decoded.submission.callback_url is None


BAD: list[tuple[str, dict[str, Any]]] = [
    *(("model", {"model": value}) for value in (..., None, "", "kling-v3", "kling/kling-v3", 3, ["x"], {})),
    *(("resolution", {"resolution": value}) for value in ("", "4K", "720", " 720P", 720, True, ["720P"], {})),
    *(("reference_images", {"reference_images": value}) for value in (..., None, [], "x", {}, 3, True)),
    ("reference_images", {"reference_images": [{"url": IMAGE}, {"url": IMAGE}]}),
    *(
        ("reference_images[0]", {"reference_images": [value]})
        for value in (None, 3, True, [], "", "hero.png")
    ),
    ("reference_images[0].url", {"reference_images": [{}]}),
    ("reference_images[0].url", {"reference_images": [{"url": None}]}),
    *(
        ("reference_images[0].url", {"reference_images": [{"url": value}]})
        for value in (3, "", PICTURE, "file:///x")
    ),
    *(
        ("reference_images[0].url", {"reference_images": [{"url": f"data:{value}"}]})
        for value in (
            "",
            ",",
            f"image/png,{PICTURE}",
            ";base64,!",
            ";base64,R0lGODlhAQABAAAAACw=",
            "image/png;base64",
        )
    ),
    *(("reference_videos", {"reference_videos": value}) for value in (..., None, [], "x", {}, 3, True)),
    ("reference_videos", {"reference_videos": [{"url": VIDEO}, {"url": VIDEO}]}),
    *(
        ("reference_videos[0]", {"reference_videos": [value]})
        for value in (None, 3, "data:video/mp4;base64,AAAA")
    ),
    ("reference_videos[0].url", {"reference_videos": [{"url": "data:video/mp4;base64,AAAA"}]}),
    ("character_image", {"character_image": IMAGE}),
    ("motion_video", {"motion_video": VIDEO}),
    ("reference_video", {"reference_video": VIDEO}),
    ("reference_video", {"reference_videos": ..., "motion_video": VIDEO, "reference_video": VIDEO}),
    ("character_image", {"reference_images": ..., "character_image": [IMAGE]}),
    ("motion_video.url", {"reference_videos": ..., "motion_video": {"url": 3}}),
    *(("generate_audio", {"generate_audio": value}) for value in ("true", "yes", 1, 0, "", [], {})),
    *(("extra_params", {"extra_params": value}) for value in ("", [], 3, True)),
    *(
        ("extra_params.character_orientation", {"extra_params": {"character_orientation": value}})
        for value in ("", "front", "Image", 1, [], {})
    ),
]


@pytest.mark.parametrize(("named", "fields"), BAD, ids=lambda value: ascii(value)[:60])
def test_a_wrong_value_names_its_field(named: str, fields: dict[str, Any]) -> None:
    status, code, message = refusal(**fields)
    assert (status, code) == (400, "INVALID_PARAMETER")
    assert message.startswith(f"{named} ")
    assert "allowed: " in message
    assert len(message) < 600
    assert message.isprintable()


@pytest.mark.parametrize(
    "prompt", [3, True, ["x"], {}, "x" * 2501, "a\0b"], ids=lambda value: ascii(value)[:20]
)
def test_a_wrong_prompt_has_a_code_of_its_own(prompt: object) -> None:
    status, code, message = refusal(prompt=prompt)
    assert (status, code) == (400, "INVALID_PROMPT")
    assert message.startswith("prompt ")


@pytest.mark.parametrize(
    ("fields", "meant"),
    [
        ({"reference_image": [{"url": IMAGE}]}, "reference_images"),
        ({"generateAudio": True}, "generate_audio"),
        ({"extra_params": {"characterOrientation": "image"}}, "character_orientation"),
        ({"reference_images": [{"URL": IMAGE}]}, "url"),
    ],
    ids=str,
)
def test_a_misspelt_key_is_refused_with_the_right_one(fields: dict[str, Any], meant: str) -> None:
    status, code, message = refusal(**fields)
    assert (status, code) == (400, "INVALID_PARAMETER")
    assert message.endswith(f"Write {meant}, if that is what you mean.")


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ("task_0009007199254740991", "9007199254740991"),
        ("task_0000000000000000000", "0"),
        ("9007199254740991", "9007199254740991"),
        ("order 7/x", "order 7/x"),
        ("task_9007199254740991", "task_9007199254740991"),
        ("task_00090071992547409911", "task_00090071992547409911"),
        ("task_000900719925474099\u0661", "task_000900719925474099\u0661"),
        ("task_0009007199254740991\n", "task_0009007199254740991\n"),
        ("", ""),
    ],
)
def test_a_task_s_name(given: str, found: str) -> None:
    assert task_name(Call(path={"task_id": given})) == found


JSONS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(("url", "character_orientation")) | st.text(), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from(FIELDS) | st.text(), JSONS), st.booleans())
def test_any_object_is_read_or_refused_in_words(body: dict[str, Any], least: bool) -> None:
    content = json.dumps(LEAST | body if least else body).encode()
    try:
        decoded = decode_create(Call(content=content), "puppet")
    except FormError as error:
        status, answer = imini_error(error, "id")
        assert (status, answer["error"]["code"]) in {(400, "INVALID_PARAMETER"), (400, "INVALID_PROMPT")}
        assert written(answer)
    else:
        assert decoded.submission.model == "kling-v3"
