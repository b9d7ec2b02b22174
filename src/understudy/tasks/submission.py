"""What an entrance hands in to become a task, in nobody's dialect."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from understudy.request import Mode, Orientation, Scene


@dataclass(frozen=True)
class Link:
    """A source to be fetched by the worker."""

    url: str


@dataclass(frozen=True)
class Inline:
    """A source that came within the request, as bytes that nobody has opened yet."""

    content: bytes


@dataclass(frozen=True)
class Stored:
    """A source that lies in the storage already, under ``key``. ``link``: what was sent, where it was a link to it."""

    key: str
    link: str | None = None


@dataclass(frozen=True)
class Upload:
    """A source that came as a file and lies in one of our own, until the submission is accepted or refused."""

    path: Path


Source = Link | Inline | Stored | Upload


@dataclass(frozen=True)
class Idempotency:
    """A caller's promise that requests with the same ``key`` are the same one; the hash tells whether that is true."""

    key: str
    body_sha256: str


@dataclass(frozen=True)
class Submission:
    """One request after its form was found right. ``model`` sets the price; ``engine`` makes the video.

    ``element_id``: an element of the account, whose pictures show the same character as ``image`` from other sides;
    ``views``: such pictures themselves, instead of it.
    ``seed`` None: the task has one of its own.
    ``matroska``: the driving video may be a Matroska file too, where else MP4 and MOV alone may come.
    ``callback_at_end``: callbacks tell of the task's end alone. ``extra`` is JSON that the dialect wants back for its
    own answers; no key and no other secret may be in it.
    """

    dialect: str
    model: str
    engine: str
    image: Source
    video: Source
    orientation: Orientation = Orientation.VIDEO
    mode: Mode = Mode.STD
    sound: bool = True
    watermark: bool = False
    prompt: str = ""
    callback_url: str | None = None
    callback_at_end: bool = False
    external_task_id: str | None = None
    element_id: int | None = None
    views: tuple[Inline | Stored | Upload, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)
    idempotency: Idempotency | None = None
    matroska: bool = False
    scene: Scene = Scene.IMAGE
    seed: int | None = None
