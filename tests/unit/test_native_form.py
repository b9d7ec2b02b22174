"""The native form: what a request for a new task may hold, and what is said of one that holds something else."""

from __future__ import annotations

import base64
import json
from contextlib import suppress
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kling_examples import PNG

from understudy.errors import FormError
from understudy.request import Mode, Orientation
from understudy.server.native_form import NewTask, decode, from_form, from_json, idempotency_of
from understudy.tasks.prices import MODELS
from understudy.tasks.submission import Inline, Link, Submission, Upload

LINKS = {"image_url": "https://a.example/i.png", "video_url": "https://a.example/v.mp4"}
ENGINES = ("puppet", "fake")


def read(fields: dict[str, Any], files: dict[str, Path] | None = None) -> Submission:
    return decode(
        from_json(json.dumps(fields).encode()), files or {}, engines=ENGINES, default_engine="puppet"
    )


def refused(fields: dict[str, Any], files: dict[str, Path] | None = None) -> FormError:
    with pytest.raises(FormError) as caught:
        read(fields, files)
    return caught.value


def test_all_fields() -> None:
    submission = read(
        {
            **LINKS,
            "orientation": "image",
            "mode": "pro",
            "sound": False,
            "watermark": True,
            "prompt": "p" * 2500,
            "engine": "fake",
            "model": "kling-v3",
            "callback_url": "https://a.example/hook",
            "external_task_id": "x" * 256,
        }
    )
    assert submission == Submission(
        dialect="native",
        model="kling-v3",
        engine="fake",
        image=Link(LINKS["image_url"]),
        video=Link(LINKS["video_url"]),
        orientation=Orientation.IMAGE,
        mode=Mode.PRO,
        sound=False,
        watermark=True,
        prompt="p" * 2500,
        callback_url="https://a.example/hook",
        external_task_id="x" * 256,
    )


def test_models_are_the_price_lists() -> None:
    assert get_args(NewTask.model_fields["model"].annotation) == MODELS


def test_left_out_null_and_empty_are_the_same() -> None:
    plain = read(LINKS)
    for empty in (None, ""):
        assert read({**LINKS, "prompt": empty, "callback_url": empty, "external_task_id": empty}) == plain
    assert (plain.prompt, plain.callback_url, plain.external_task_id) == ("", None, None)


@pytest.mark.parametrize(
    ("fields", "code", "says"),
    [
        ({"image_url": LINKS["image_url"]}, "field_missing", "video"),
        ({"video_url": LINKS["video_url"]}, "field_missing", "image"),
        ({**LINKS, "image_base64": "AAAA"}, "field_invalid", "image_base64"),
        ({**LINKS, "colour": 1}, "field_invalid", "colour"),
        ({**LINKS, "mode": "PRO"}, "field_invalid", "std"),
        ({**LINKS, "mode": None}, "field_invalid", "mode"),
        ({**LINKS, "sound": "yes"}, "field_invalid", "true, false"),
        ({**LINKS, "sound": 1}, "field_invalid", "true, false"),
        ({**LINKS, "prompt": "p" * 2501}, "field_invalid", "2500"),
        ({**LINKS, "prompt": ["p"]}, "field_invalid", "prompt"),
        ({**LINKS, "prompt": "\0"}, "field_invalid", "prompt"),
        ({**LINKS, "external_task_id": "\ud800"}, "field_invalid", "external_task_id"),
        ({**LINKS, "external_task_id": "x" * 257}, "field_invalid", "256"),
        ({**LINKS, "engine": "wan"}, "field_invalid", "puppet, fake"),
        ({**LINKS, "model": "kling-v1"}, "field_invalid", "kling-v2-6"),
        ({**LINKS, "callback_url": "ftp://a.example"}, "field_invalid", "callback_url"),
        ({**LINKS, "video_url": "/etc/passwd"}, "field_invalid", "video_url"),
        ({**LINKS, "video_url": "https://a.example/" + "x" * 8192}, "field_invalid", "8192"),
    ],
)
def test_refusals_name_field_and_limit(fields: dict[str, Any], code: str, says: str) -> None:
    error = refused(fields)
    assert error.code == code
    assert says in f"{error.message} {error.limit}"
    assert len(error.message) < 1000
    assert error.fix


def test_pictures_in_base64() -> None:
    fields = {"video_url": LINKS["video_url"]}
    assert read({**fields, "image_base64": base64.b64encode(PNG).decode()}).image == Inline(PNG)
    for wrong in ("data:image/png;base64,AAAA", "A", "!!!!", base64.b64encode(b"GIF89a").decode()):
        assert refused({**fields, "image_base64": wrong}).code == "field_invalid"


def test_forms() -> None:
    texts = {"sound": "No", "watermark": "TRUE", "mode": "", "prompt": ""}
    files = {"image": Path("i"), "video": Path("v")}
    submission = decode(from_form(texts), files, engines=ENGINES, default_engine="fake")
    assert (submission.sound, submission.watermark, submission.mode) == (False, True, Mode.STD)
    assert (submission.image, submission.video) == (Upload(Path("i")), Upload(Path("v")))
    assert submission.engine == "fake"


def test_idempotency_keys() -> None:
    assert idempotency_of(None, "") is None
    assert idempotency_of("", "") is None
    kept = idempotency_of("k" * 256, "hash")
    assert kept is not None
    assert kept.key == "k" * 256
    for wrong in ("k" * 257, "a\0"):
        with pytest.raises(FormError):
            idempotency_of(wrong, "")


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from([*NewTask.model_fields, "other"]), _JSON))
def test_any_object_is_read_or_refused(fields: dict[str, Any]) -> None:
    with suppress(FormError):
        read(fields)


@given(st.binary())
def test_any_body_is_read_or_refused(content: bytes) -> None:
    with pytest.raises(FormError):
        decode(from_json(content), {}, engines=ENGINES, default_engine="puppet")
