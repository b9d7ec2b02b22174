"""The native form: what a request for a new task may hold, and what is said of one that holds something else."""

from __future__ import annotations

import base64
import json
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kling_examples import PNG

from understudy.engines.capabilities import FAKE, PUPPET, WAN_ANIMATE
from understudy.engines.diffusion.availability import Missing
from understudy.errors import FormError
from understudy.request import MOST_SEED, Mode, Orientation, Scene
from understudy.server.native_form import NewTask, decode, from_form, from_json, idempotency_of
from understudy.server.offered import Offer, Offered
from understudy.tasks.prices import MODELS
from understudy.tasks.submission import Inline, Link, Submission, Upload

LINKS = {"image_url": "https://a.example/i.png", "video_url": "https://a.example/v.mp4"}
OFFERED = Offered(
    [
        Offer(PUPPET, PUPPET.scenes),
        Offer(WAN_ANIMATE, (), Missing("No NVIDIA or AMD GPU is seen.", "Use another machine.")),
        Offer(FAKE, FAKE.scenes),
    ],
    "puppet",
)
WITH_GPU = Offered([OFFERED.offers[0], Offer(WAN_ANIMATE, WAN_ANIMATE.scenes)], "puppet")


def read(
    fields: dict[str, Any], files: dict[str, Path] | None = None, offered: Offered = OFFERED
) -> Submission:
    return decode(from_json(json.dumps(fields).encode()), files or {}, offered=offered)


def refused(
    fields: dict[str, Any], files: dict[str, Path] | None = None, offered: Offered = OFFERED
) -> FormError:
    with pytest.raises(FormError) as caught:
        read(fields, files, offered)
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
            "scene": "image",
            "seed": MOST_SEED,
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
        scene=Scene.IMAGE,
        seed=MOST_SEED,
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
        ({**LINKS, "engine": "wan-animate"}, "field_invalid", "No NVIDIA or AMD GPU is seen."),
        ({**LINKS, "engine": "wan-animate"}, "field_invalid", "puppet, fake"),
        ({**LINKS, "scene": "video"}, "field_invalid", "'image' with the engine puppet"),
        ({**LINKS, "scene": "sky"}, "field_invalid", "image or video"),
        ({**LINKS, "scene": None}, "field_invalid", "scene"),
        ({**LINKS, "seed": -1}, "field_invalid", "0 to 2147483647"),
        ({**LINKS, "seed": 2**31}, "field_invalid", "seed is the number 2147483648"),
        ({**LINKS, "seed": 10**60}, "field_invalid", "a very large number"),
        ({**LINKS, "seed": 1.0}, "field_invalid", "a whole number"),
        ({**LINKS, "seed": "1"}, "field_invalid", "a whole number"),
        ({**LINKS, "seed": True}, "field_invalid", "a whole number"),
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
    submission = decode(from_form(texts), files, offered=replace(OFFERED, default="fake"))
    assert (submission.sound, submission.watermark, submission.mode) == (False, True, Mode.STD)
    assert (submission.image, submission.video) == (Upload(Path("i")), Upload(Path("v")))
    assert submission.engine == "fake"


def test_a_scene_is_taken_where_the_engine_can_make_it() -> None:
    asked = {**LINKS, "engine": "wan-animate", "scene": "video", "seed": 0}
    submission = read(asked, offered=WITH_GPU)
    assert (submission.engine, submission.scene, submission.seed) == ("wan-animate", Scene.VIDEO, 0)
    error = refused({**LINKS, "scene": "video"}, offered=WITH_GPU)
    assert error.fix == "Name the engine wan-animate."
    only_pictures = Offered([Offer(WAN_ANIMATE, (Scene.IMAGE,))], "wan-animate")
    error = refused(asked, offered=only_pictures)
    assert (error.value, error.fix) == ("'video'", "Leave it out.")
    assert read(LINKS, offered=only_pictures).engine == "wan-animate"


def test_a_form_has_its_seed_in_digits() -> None:
    assert from_form({"seed": "17"}).seed == 17
    assert from_form({"seed": ""}).seed is None
    for wrong in ("-1", "1.5", "0x1", "2147483648", "9" * 5000, "\u0661"):
        with pytest.raises(FormError) as caught:
            from_form({"seed": wrong})
        assert "0 to 2147483647" in caught.value.message


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
        decode(from_json(content), {}, offered=OFFERED)
