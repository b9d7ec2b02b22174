"""What goes in and comes out of Kling's API 2.0, as schemas of OpenAPI."""

from __future__ import annotations

from typing import Any

from understudy.request import Orientation
from understudy.server.dialects.fields import URL_CHARACTERS
from understudy.server.dialects.inline_picture import ALLOWED as PICTURES
from understudy.server.dialects.kling2_account import DETAILS
from understudy.server.dialects.kling2_answers import PRODUCT, STATUSES
from understudy.server.dialects.kling2_form import (
    AUDIO,
    CONTENTS,
    EXTERNAL_ID_CHARACTERS,
    INDEX_CHARACTERS,
    MODELS,
    PROMPT_CHARACTERS,
    RESOLUTIONS,
    WITH_ELEMENTS,
)
from understudy.server.dialects.kling2_window import LIMITS, LISTED, MOST_FILTERS
from understudy.server.dialects.kling_schema import (
    a_text,
    an_object,
    choice,
    envelope,
    head,
    ref,
)

EXAMPLE = {
    "contents": [
        {"type": "prompt", "text": "The girl is wearing a loose gray T-shirt"},
        {"type": "image", "url": "https://example.com/character.png"},
        {"type": "video", "url": "https://example.com/dance.mp4"},
    ],
    "settings": {"character_orientation": "video", "audio": "original", "resolution": "720p"},
    "options": {"callback_url": "", "external_task_id": "", "watermark_info": {"enabled": False}},
}
TIME = {"description": "Milliseconds since 1970.", "oneOf": [{"type": "integer"}, {"type": "string"}]}


def schemas() -> dict[str, Any]:
    """All of them, by name."""
    created = {
        "id": a_text("16 digits; a text, so that no client rounds it."),
        "status": choice("Only moves forward.", tuple(STATUSES.values())),
        "create_time": {"type": "integer", "description": "Milliseconds since 1970."},
        "update_time": {"type": "integer", "description": "When the status last changed."},
        "external_id": a_text("Where one was given."),
    }
    always = ("id", "status", "create_time", "update_time")
    task = {
        **created,
        "message": a_text("Of a failed task what was found, the limit, and what to do; else empty."),
        "outputs": _array("Kling2Output", "Empty until `succeeded`."),
        "billing": _array("Kling2Bill", "Empty until the task has ended."),
    }
    return {
        **{f"Kling2NewTask_{model}": _new_task(model) for model in MODELS},
        "Kling2Content": _content(),
        "Kling2Window": _window(),
        "Kling2Error": an_object("Every error of these paths has this form.", head()),
        "Kling2Created": envelope(ref("Kling2CreatedTask")),
        "Kling2CreatedTask": an_object("A task as it was created.", created, always),
        "Kling2Queried": envelope(_array("Kling2Task", "In the order of the ids.")),
        "Kling2Listed": envelope(ref("Kling2Page")),
        "Kling2Page": an_object("A page of tasks.", {"result": _array("Kling2Task", ""), **_paging()}),
        "Kling2Task": an_object(
            "A task as it stands; a callback's body is the same.",
            task,
            (*always, "message", "outputs", "billing"),
        ),
        "Kling2Output": an_object(
            "A finished video.",
            {
                "type": choice("", (PRODUCT,)),
                "id": a_text("Unique."),
                "url": a_text("A signed link that needs no further authorization: treat it as a secret."),
                "watermark_url": a_text("The watermarked video, where one was asked for."),
                "duration": a_text("Seconds."),
            },
            ("type", "id", "url", "duration"),
        ),
        "Kling2Bill": an_object(
            "What the task took.",
            {
                "charge_type": choice("Units, not money.", ("unit",)),
                "amount": a_text('Units; "0" for a failed task.'),
                "package_type": choice("", (PRODUCT,)),
            },
        ),
        "Kling2Costs": envelope(ref("Kling2Packs")),
        "Kling2Packs": an_object(
            "",
            {
                "code": {"type": "integer", "description": "0, once more."},
                "msg": a_text("success."),
                "resource_pack_subscribe_infos": _array("Kling2Pack", "One, or none that fits."),
            },
        ),
        "Kling2Pack": _pack(),
        "Kling2Billed": envelope(ref("Kling2Deductions")),
        "Kling2Deductions": an_object(
            "", {"result": ref("Kling2DeductionPage"), "next_cursor": a_text(""), "has_more": _flag("")}
        ),
        "Kling2DeductionPage": an_object(
            "", {"detail": _array("Kling2Deduction", ""), "count": {"type": "integer", "description": ""}}
        ),
        "Kling2Deduction": _deduction(),
    }


def _new_task(model: str) -> dict[str, Any]:
    kinds = [kind for kind in CONTENTS if kind != "element" or model == WITH_ELEMENTS]
    settings = {
        "character_orientation": choice("Whose facing the output follows.", tuple(map(str, Orientation))),
        "audio": choice("The driving video's sound, or none.", AUDIO) | {"default": AUDIO[0]},
        "resolution": choice("Of the short side.", tuple(RESOLUTIONS)) | {"default": "720p"},
    }
    options = {
        "callback_url": a_text(
            "Gets a POST at every change of status. Empty counts as left out.", URL_CHARACTERS
        ),
        "external_task_id": a_text(
            "A name of your own, unique in the account for ever. Empty counts as left out.",
            EXTERNAL_ID_CHARACTERS,
        ),
        "watermark_info": an_object("", {"enabled": _flag("Make a watermarked video beside the first.")}, ()),
    }
    fields = {
        "contents": _array(
            "Kling2Content", f"Each type at most once: {', '.join(kinds)}; image and video are needed."
        ),
        "settings": an_object("", settings, ("character_orientation",)),
        "options": an_object("", options, ()),
    }
    return {**an_object("The body of a new task.", fields, ("contents", "settings")), "examples": [EXAMPLE]}


def _content() -> dict[str, Any]:
    fields = {
        "type": choice("", tuple(CONTENTS)),
        "text": a_text("Of a prompt: what else should be seen.", PROMPT_CHARACTERS),
        "url": a_text(f"Of a video: http or https. Of an image: {PICTURES}."),
        "element_id": a_text("Of an element of the library; it forces the orientation `video`."),
        "id": a_text("Of an element: by what name the prompt speaks of it.", INDEX_CHARACTERS),
    }
    return an_object("Something that goes in.", fields, ("type",))


def _window() -> dict[str, Any]:
    limit = {"type": "integer", "description": f"{LISTED} tasks or {DETAILS} deductions, where left out."}
    one = an_object(
        "Alternatives of one dimension.",
        {
            "key": a_text("`status`, `product_type` and others."),
            "values": {"type": "array", "items": a_text("")},
        },
    )
    fields = {
        "start_time": TIME,
        "end_time": TIME,
        "cursor": a_text("An answer's next_cursor. Empty counts as left out."),
        "limit": limit | {"minimum": LIMITS[0], "maximum": LIMITS[1]},
        "filters": {"type": "array", "items": one, "maxItems": MOST_FILTERS, "description": ""},
    }
    example = {
        "start_time": "1795000000000",
        "end_time": "1795262400123",
        "cursor": "",
        "limit": LISTED,
        "filters": [],
    }
    words = "Which tasks: without times those of the last 30 days."
    return {**an_object(words, fields, ()), "examples": [example]}


def _pack() -> dict[str, Any]:
    words = {
        "resource_pack_name": "Always the same.",
        "resource_pack_id": "32 hexadecimal digits.",
        "resource_pack_type": "decreasing_total.",
    }
    fields: dict[str, Any] = {name: a_text(each) for name, each in words.items()}
    for name, each in {"total_quantity": "Units granted.", "remaining_quantity": "Units left."}.items():
        fields[name] = {"type": "number", "description": each}
    for name in ("purchase_time", "effective_time", "invalid_time"):
        fields[name] = {"type": "integer", "description": "Milliseconds since 1970."}
    fields["status"] = choice("runOut: nothing is left.", ("online", "runOut"))
    return an_object("The account's units.", fields)


def _deduction() -> dict[str, Any]:
    texts = ("package_id", "product_type", "task_id", "api_key_name", "product_function", "model_name")
    fields: dict[str, Any] = {name: a_text("") for name in texts}
    fields["resolution"] = choice("", tuple(RESOLUTIONS))
    fields["duration"] = a_text("Seconds.")
    fields["refer_video_input"] = _flag("Always.")
    fields["video_sound"] = choice("", AUDIO)
    fields["voice_control"] = _flag("Never.")
    fields["deduction_time"] = a_text("Milliseconds since 1970.")
    for name in ("unit_before_deduction", "deduction_amount", "unit_after_deduction"):
        fields[name] = {"type": "number", "description": "Units."}
    return an_object("What one task took.", fields)


def _paging() -> dict[str, Any]:
    return {
        "count": {"type": "integer", "description": "Tasks on this page."},
        "next_cursor": a_text("Empty on the last page."),
        "has_more": _flag("Whether there is another page."),
    }


def _array(schema: str, words: str) -> dict[str, Any]:
    return {"type": "array", "items": ref(schema), "description": words}


def _flag(words: str) -> dict[str, Any]:
    return {"type": "boolean", "description": words}
