"""Kling's three routes in the words of OpenAPI: fields, limits and codes are those that the code beside it reads."""

from __future__ import annotations

from typing import Any

from understudy.request import Mode, Orientation
from understudy.server.dialects.dialect import Description
from understudy.server.dialects.fields import URL_CHARACTERS
from understudy.server.dialects.inline_picture import ALLOWED as PICTURES
from understudy.server.dialects.kling_form import (
    EXTERNAL_ID_CHARACTERS,
    MODELS,
    PAGE_NUMBERS,
    PAGE_SIZES,
    PATH,
    PROMPT_CHARACTERS,
)
from understudy.server.dialects.kling_schema import (
    a_text,
    an_object,
    choice,
    envelope,
    head,
    operation,
    parameter,
    ref,
    whole,
)
from understudy.tasks.task import Status

EXAMPLE = {
    "model_name": "kling-v2-6",
    "image_url": "https://example.com/character.png",
    "video_url": "https://example.com/dance.mp4",
    "character_orientation": "video",
    "mode": "std",
}


def description() -> Description:
    paths = {
        PATH: {"post": _create(), "get": _list()},
        f"{PATH}/{{task_id}}": {"get": _query()},
    }
    return Description(paths, _schemas())


def _create() -> dict[str, Any]:
    key = parameter("idempotency-key", "header", a_text("The same key and body within 24 hours: one task."))
    return operation(
        "kling_create",
        "Create Task",
        "Looks at form only and answers at once. What must be fetched is looked at next: what is wrong with it ends "
        'the task as `failed`, with the reason in `task_status_msg` and `final_unit_deduction` `"0"`.',
        "KlingCreated",
        (1102, 1200, 1201, 1203, 1303),
        parameters=[key],
        body="KlingNewTask",
    )


def _query() -> dict[str, Any]:
    name = a_text("The task's id, else its external_task_id, percent-encoded.") | {
        "examples": ["4503599627370496"]
    }
    return operation(
        "kling_query",
        "Query Task (Single)",
        "A task as it stands.",
        "KlingQueried",
        (1201,),
        parameters=[parameter("task_id", "path", name)],
    )


def _list() -> dict[str, Any]:
    return operation(
        "kling_list",
        "Query Task (List)",
        "The account's tasks, newest first; past the end there are none.",
        "KlingListed",
        (1201,),
        parameters=[
            parameter("pageNum", "query", whole("Page number.", PAGE_NUMBERS) | {"default": 1}),
            parameter("pageSize", "query", whole("Tasks on a page.", PAGE_SIZES) | {"default": 30}),
        ],
    )


def _schemas() -> dict[str, Any]:
    id_and_times = {
        "task_id": a_text("16 digits; a text, so that no client rounds it."),
        "task_status": a_text("Only moves forward.") | {"enum": [str(status) for status in Status]},
        "task_info": ref("KlingTaskInfo"),
        "created_at": {"type": "integer", "description": "Milliseconds since 1970."},
        "updated_at": {
            "type": "integer",
            "description": "When the status last changed; milliseconds since 1970.",
        },
    }
    return {
        "KlingNewTask": {
            **an_object("The body of a new task.", _new_task(), _REQUIRED),
            "examples": [EXAMPLE],
        },
        "KlingElement": an_object(
            "An element of the library.",
            {
                "element_id": {
                    "type": "integer",
                    "format": "int64",
                    "description": "Its number; a text of its digits will do.",
                }
            },
        ),
        "KlingCreated": envelope(ref("KlingCreatedTask")),
        "KlingQueried": envelope(ref("KlingTask")),
        "KlingListed": envelope({"type": "array", "items": ref("KlingTask")}),
        "KlingError": an_object("Every error under `/v1` has this form.", head(), tuple(head())),
        "KlingCreatedTask": an_object("A task as it was created.", id_and_times, tuple(id_and_times)),
        "KlingTask": an_object(
            "A task as it stands.",
            {
                **id_and_times,
                "task_status_msg": a_text(
                    "Of a failed task what was found, the limit, and what to do; else empty."
                ),
                "task_result": ref("KlingTaskResult"),
                "watermark_info": ref("KlingWatermark"),
                "final_unit_deduction": a_text('Units, once it has ended; "0" for a failed one.'),
            },
            (*id_and_times, "task_status_msg", "task_result", "watermark_info"),
        ),
        "KlingTaskInfo": an_object(
            "What the task was created with.", {"external_task_id": a_text("Where one was given.")}, ()
        ),
        "KlingTaskResult": an_object(
            "",
            {
                "videos": {
                    "type": "array",
                    "items": ref("KlingVideo"),
                    "description": "Empty until `succeed`.",
                }
            },
        ),
        "KlingVideo": an_object(
            "A finished video.",
            {
                "id": a_text("Unique."),
                "url": a_text("A signed link that needs no further authorization: treat it as a secret."),
                "watermark_url": a_text("The watermarked video, where one was asked for."),
                "duration": a_text("Seconds."),
            },
            ("id", "url", "duration"),
        ),
        "KlingWatermark": an_object(
            "", {"enabled": {"type": "boolean", "description": "Make a watermarked video beside the first."}}
        ),
    }


_REQUIRED = ("image_url", "video_url", "character_orientation", "mode")


def _new_task() -> dict[str, Any]:
    url = {"maxLength": URL_CHARACTERS}
    return {
        "model_name": choice("Sets the price per second.", MODELS, default=MODELS[0]),
        "prompt": a_text("What else should be seen.", PROMPT_CHARACTERS),
        "image_url": a_text(f"The reference image: {PICTURES}; 300 to 65536 pixels a side, 1:2.5 to 2.5:1."),
        "video_url": url
        | a_text(
            "The driving video (http or https): MP4 or MOV, at most 100 MB, 340 to 3850 pixels a side, 3 to 30 s, or "
            "10 s with the orientation `image`."
        ),
        "element_list": {
            "type": "array",
            "items": ref("KlingElement"),
            "maxItems": 1,
            "description": "An element of the account whose pictures show the same character from other sides; only "
            "with the orientation `video`. `image_url` stays the reference image.",
        },
        "keep_original_sound": choice("Keep the driving video's sound.", ("yes", "no"), default="yes"),
        "character_orientation": choice("Whose facing the output follows.", tuple(map(str, Orientation))),
        "mode": choice("`std`: the short side has 720 pixels; `pro`: 1080.", tuple(map(str, Mode))),
        "watermark_info": {**ref("KlingWatermark"), "description": "Left out: no watermarked video."},
        "callback_url": url | a_text("Gets a POST at every change of status. Empty counts as left out."),
        "external_task_id": a_text(
            "A name of your own, unique in the account for ever. Empty counts as left out.",
            EXTERNAL_ID_CHARACTERS,
        ),
    }
