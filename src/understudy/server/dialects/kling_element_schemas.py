"""Kling's element library in the words of OpenAPI: fields and limits are those that the code beside it reads."""

from __future__ import annotations

from typing import Any

from understudy.server.dialects.fields import URL_CHARACTERS
from understudy.server.dialects.inline_picture import ALLOWED as PICTURES
from understudy.server.dialects.kling_element_form import (
    DESCRIPTION_CHARACTERS,
    MOST_REFERENCES,
    NAME_CHARACTERS,
    TAGS,
    VOICE_CHARACTERS,
)
from understudy.server.dialects.kling_form import EXTERNAL_ID_CHARACTERS
from understudy.server.dialects.kling_schema import (
    a_text,
    an_object,
    choice,
    envelope,
    ref,
)
from understudy.tasks.element import Reference
from understudy.tasks.task import Status

EXAMPLE = {
    "element_name": "Mina",
    "element_description": "A dancer in a red coat",
    "reference_type": "image_refer",
    "element_image_list": {
        "frontal_image": "https://example.com/front.png",
        "refer_images": [{"image_url": "https://example.com/side.png"}],
    },
}
OLD_EXAMPLE = {
    "element_name": "Mina",
    "element_description": "A dancer in a red coat",
    "element_frontal_image": "https://example.com/front.png",
    "element_refer_list": [{"image_url": "https://example.com/side.png"}],
}


def element_schemas() -> dict[str, Any]:
    """Bodies and answers by their names in the document."""
    return {
        "KlingNewElement": {
            **an_object(
                "The body of a new element.",
                _new_element(),
                ("element_name", "element_description", "reference_type"),
            ),
            "examples": [EXAMPLE],
        },
        "KlingOldNewElement": {
            **an_object(
                "The older body of a new element; the newer one is taken too.",
                _old_new_element(),
                _OLD_REQUIRED,
            ),
            "examples": [OLD_EXAMPLE],
        },
        "KlingElementPictures": an_object("The character in pictures.", _pictures(), ()),
        "KlingElementPicture": an_object(
            "Another side of the character.", {"image_url": a_text(f"{PICTURES}.")}, ()
        ),
        "KlingElementVideos": an_object("The character in a video.", _videos(), ()),
        "KlingElementVideo": an_object(
            "3 to 8 s, MP4 or MOV, at most 200 MB.",
            {"video_url": a_text("Its address (http or https).") | {"maxLength": URL_CHARACTERS}},
        ),
        "KlingElementTag": an_object(
            "A tag.",
            {
                "tag_id": choice("; ".join(f"{tag} {name}" for tag, name in TAGS.items()), tuple(TAGS)),
                "tag_name": a_text(""),
            },
            ("tag_id",),
        ),
        "KlingElementToDelete": {
            **an_object(
                "An element that is not needed.",
                {
                    "element_id": {
                        "type": "integer",
                        "description": "Its number; a text of its digits will do.",
                    }
                },
            ),
            "examples": [{"element_id": 123456789012345}],
        },
        "KlingElementCreated": envelope(ref("KlingCreatedTask")),
        "KlingElementQueried": envelope(ref("KlingElementTask")),
        "KlingElementsListed": envelope({"type": "array", "items": ref("KlingElementTask")}),
        "KlingElementTask": _element_task(),
        "KlingElementResult": an_object(
            "",
            {
                "elements": {
                    "type": "array",
                    "items": ref("KlingLibraryElement"),
                    "description": "Empty until `succeed`.",
                }
            },
        ),
        "KlingLibraryElement": _library_element(),
        "KlingElementVoice": an_object(
            "The voice that was named.",
            {
                "voice_id": a_text("As it was sent."),
                "voice_name": a_text("Empty: there are no voices here."),
                "trial_url": a_text("Empty."),
                "owned_by": a_text("Empty."),
            },
            (),
        ),
        "KlingElementDeleted": envelope(
            an_object("", {"task_id": a_text("Of its creation."), "task_status": a_text("`succeed`.")})
        ),
        "KlingOldElementTold": envelope(ref("KlingOldElement")),
        "KlingOldElementsListed": envelope({"type": "array", "items": ref("KlingOldElement")}),
        "KlingOldElement": _old_element(),
        "KlingOldElementTag": an_object(
            "A tag.", {"id": a_text(""), "name": a_text(""), "description": a_text("Empty.")}
        ),
    }


_OLD_REQUIRED = ("element_name", "element_description", "element_frontal_image", "element_refer_list")


def _new_element() -> dict[str, Any]:
    return {
        "element_name": a_text("Its name.", NAME_CHARACTERS),
        "element_description": a_text("What it is.", DESCRIPTION_CHARACTERS),
        "reference_type": choice("Which of the two lists shows it.", tuple(map(str, Reference))),
        "element_image_list": {**ref("KlingElementPictures"), "description": "With `image_refer`."},
        "element_video_list": {**ref("KlingElementVideos"), "description": "With `video_refer`."},
        "element_voice_id": a_text("Kept and returned; nothing is spoken here.", VOICE_CHARACTERS),
        "tag_list": _list_of("KlingElementTag", len(TAGS), "Kept and returned."),
        "callback_url": {
            "maxLength": URL_CHARACTERS,
            **a_text("Kept, but not called: query the element's task."),
        },
        "external_task_id": a_text(
            "A name of your own, unique among the account's elements.", EXTERNAL_ID_CHARACTERS
        ),
    }


def _old_new_element() -> dict[str, Any]:
    return {
        "element_name": a_text("Its name.", NAME_CHARACTERS),
        "element_description": a_text("What it is.", DESCRIPTION_CHARACTERS),
        "element_frontal_image": a_text(f"From the front: {PICTURES}."),
        "element_refer_list": _list_of("KlingElementPicture", MOST_REFERENCES, "One to three other sides."),
        "tag_list": _list_of("KlingElementTag", len(TAGS), "Kept and returned."),
    }


def _pictures() -> dict[str, Any]:
    return {
        "frontal_image": a_text(f"From the front: {PICTURES}; in an answer empty where it came as base64."),
        "refer_images": _list_of("KlingElementPicture", MOST_REFERENCES, "One to three other sides."),
    }


def _videos() -> dict[str, Any]:
    return {"refer_videos": _list_of("KlingElementVideo", 1, "One video of the character, turning.")}


def _element_task() -> dict[str, Any]:
    fields = {
        "task_id": a_text("Of its creation: 16 digits."),
        "task_status": a_text("Only moves forward.") | {"enum": [str(status) for status in Status]},
        "task_status_msg": a_text("Of a failed one what was found, the limit, and what to do; else empty."),
        "task_info": ref("KlingTaskInfo"),
        "task_result": ref("KlingElementResult"),
        "created_at": {"type": "integer", "description": "Milliseconds since 1970."},
        "updated_at": {"type": "integer", "description": "Milliseconds since 1970."},
    }
    cost = {"final_unit_deduction": a_text('"0", once it has ended.')}
    return an_object("An element's task as it stands.", fields | cost, tuple(fields))


def _library_element() -> dict[str, Any]:
    return an_object(
        "An element.",
        {
            "element_id": {"type": "integer", "description": "15 digits, which no client rounds."},
            "element_name": a_text(""),
            "element_description": a_text(""),
            "reference_type": choice("", tuple(map(str, Reference))),
            "element_image_list": ref("KlingElementPictures"),
            "element_video_list": an_object("", _videos(), ()),
            "element_voice_info": ref("KlingElementVoice"),
            "tag_list": _list_of("KlingElementTag", len(TAGS), ""),
            "owned_by": a_text("The account's number."),
            "status": choice("", (str(Status.SUCCEED), "deleted")),
        },
    )


def _old_element() -> dict[str, Any]:
    return an_object(
        "An element as the older paths tell it.",
        {
            "element_id": {
                "type": "integer",
                "description": "15 digits; to be used once task_status is `succeed`.",
            },
            "element_name": a_text(""),
            "element_description": a_text(""),
            "element_frontal_image": a_text(""),
            "element_refer_list": _list_of("KlingElementPicture", MOST_REFERENCES, ""),
            "tag_list": _list_of("KlingOldElementTag", len(TAGS), ""),
            "owned_by": a_text("The account's number."),
            "task_id": a_text("Of its creation."),
            "task_status": a_text("") | {"enum": [str(status) for status in Status]},
            "task_status_msg": a_text(""),
        },
    )


def _list_of(name: str, most: int, words: str) -> dict[str, Any]:
    return {"type": "array", "items": ref(name), "maxItems": most, "description": words}
