"""An element: a character of an account's library, with its views, and the life of its making."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Row

from understudy.tasks.rows import source_of
from understudy.tasks.submission import Link, Source, Stored
from understudy.tasks.tables import elements
from understudy.tasks.task import Status

MOST_ID = 10**15 - 1  # fifteen digits: JavaScript clients round larger ones


class Reference(StrEnum):
    """What shows the character: pictures or a video. Kling's own words."""

    IMAGES = "image_refer"
    VIDEO = "video_refer"


@dataclass(frozen=True)
class NewElement:
    """What an entrance hands in to become an element. ``sources`` are its pictures, the frontal one first, or its one
    video. ``voice_id`` and ``tags`` are kept for the account and nothing else."""

    name: str
    description: str
    reference: Reference
    sources: Sequence[Source]
    voice_id: str | None = None
    tags: tuple[str, ...] = ()
    callback_url: str | None = None
    external_task_id: str | None = None


@dataclass(frozen=True)
class Element:
    """An element as it stands. ``id`` has fifteen digits; ``task_id``, of sixteen, names its making.

    ``views`` are the pictures in the storage, once it has succeeded: the first is the frontal one. ``tries`` counts how
    often a worker took it up. Times are aware, UTC; ``deleted_at`` is when its account deleted it.
    """

    id: int
    task_id: int
    account_id: int
    external_task_id: str | None
    name: str
    description: str
    reference: Reference
    sources: tuple[Link | Stored, ...]
    voice_id: str | None
    tags: tuple[str, ...]
    callback_url: str | None
    status: Status
    status_msg: str
    error_code: str | None
    fix: str | None
    tries: int
    views: tuple[Stored, ...]
    created_at: datetime
    updated_at: datetime
    ended_at: datetime | None
    deleted_at: datetime | None


COLUMNS = tuple(
    elements.c["reference_type" if name == "reference" else name] for name in Element.__dataclass_fields__
)


def element_of(row: Row[Any]) -> Element:
    values = dict(row._mapping)
    reference = Reference(values.pop("reference_type"))
    return Element(
        **{
            **values,
            "sources": tuple(source_of(source) for source in values["sources"]),
            "tags": tuple(values["tags"]),
            "views": tuple(Stored(key) for key in values["views"]),
            "status": Status(values["status"]),
        },
        reference=reference,
    )


def link_of(source: Link | Stored) -> str | None:
    """The link that was sent; None for what came within the request."""
    return source.url if isinstance(source, Link) else source.link


def folder_of(element_id: int) -> str:
    """Where all of an element's files lie in the storage."""
    return f"elements/{element_id}"


def given_folder(element_id: int) -> str:
    """Where what need not be fetched lies, until its views are there."""
    return f"{folder_of(element_id)}/given"


def view_key(element_id: int, name: str) -> str:
    return f"{folder_of(element_id)}/{name}"
