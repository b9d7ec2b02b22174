"""An element in Kling's words: as the task that makes it, and, on the older paths, as itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from understudy.server.dialects.kling_answers import milliseconds
from understudy.server.dialects.kling_element_form import TAGS
from understudy.tasks.element import Element, Reference, link_of
from understudy.tasks.submission import Link, Stored
from understudy.tasks.task import Status

DELETED = "deleted"
FREE = "0"  # units: elements cost nothing here


def element_created(element: Element) -> dict[str, Any]:
    """The making as it was accepted."""
    return {
        "task_id": str(element.task_id),
        "task_info": _task_info(element),
        "task_status": str(Status.SUBMITTED),
        "created_at": milliseconds(element.created_at),
        "updated_at": milliseconds(element.created_at),
    }


def element_queried(element: Element) -> dict[str, Any]:
    """The making as it stands, with the element once there is one."""
    made = element.status is Status.SUCCEED
    answer = {
        "task_id": str(element.task_id),
        "task_status": str(element.status),
        "task_status_msg": _message(element),
        "task_info": _task_info(element),
        "task_result": {"elements": [_element(element)] if made else []},
        "created_at": milliseconds(element.created_at),
        "updated_at": milliseconds(element.updated_at),
    }
    if element.status.ended:
        answer["final_unit_deduction"] = FREE
    return answer


def element_deleted(element: Element) -> dict[str, Any]:
    return {"task_id": str(element.task_id), "task_status": str(Status.SUCCEED)}


def old_element(element: Element) -> dict[str, Any]:
    """The older form: the element at once, and, which Kling's has not, how its making stands."""
    frontal, others = _pictures(element)
    return {
        "element_id": element.id,
        "element_name": element.name,
        "element_description": element.description,
        "element_frontal_image": frontal,
        "element_refer_list": others,
        "tag_list": [{"id": tag, "name": TAGS.get(tag, ""), "description": ""} for tag in element.tags],
        "owned_by": str(element.account_id),
        "task_id": str(element.task_id),
        "task_status": str(element.status),
        "task_status_msg": _message(element),
    }


def _element(element: Element) -> dict[str, Any]:
    pictures: dict[str, Any] = {}
    videos: dict[str, Any] = {}
    if element.reference is Reference.IMAGES:
        pictures["frontal_image"], pictures["refer_images"] = _pictures(element)
    else:
        videos["refer_videos"] = [{"video_url": _address(source)} for source in element.sources]
    return {
        "element_id": element.id,
        "element_name": element.name,
        "element_description": element.description,
        "reference_type": str(element.reference),
        "element_image_list": pictures,
        "element_video_list": videos,
        "element_voice_info": _voice(element),
        "tag_list": [{"tag_id": tag, "tag_name": TAGS.get(tag, "")} for tag in element.tags],
        "owned_by": str(element.account_id),
        "status": str(Status.SUCCEED) if element.deleted_at is None else DELETED,
    }


def _pictures(element: Element) -> tuple[str, list[dict[str, str]]]:
    """The frontal picture's address and those of the others; of a video's element there are none."""
    sources: Sequence[Link | Stored] = element.sources if element.reference is Reference.IMAGES else ()
    addresses = [_address(source) for source in sources]
    return next(iter(addresses), ""), [{"image_url": address} for address in addresses[1:]]


def _address(source: Link | Stored) -> str:
    """The link that was sent; empty for a picture that came within the request."""
    return link_of(source) or ""


def _voice(element: Element) -> dict[str, str]:
    """What the account said; there are no voices here that could be looked up."""
    if element.voice_id is None:
        return {}
    return {"voice_id": element.voice_id, "voice_name": "", "trial_url": "", "owned_by": ""}


def _task_info(element: Element) -> dict[str, str]:
    return {} if element.external_task_id is None else {"external_task_id": element.external_task_id}


def _message(element: Element) -> str:
    return f"{element.status_msg} {element.fix}" if element.status_msg and element.fix else element.status_msg
