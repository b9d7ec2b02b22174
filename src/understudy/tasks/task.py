"""A task: one accepted request and its life."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from understudy.request import MOST_SEED, LeftOut, Mode, Orientation, Scene
from understudy.tasks.submission import Link, Stored

SMALLEST_ID = 10**15  # sixteen digits always, and below 2^53: JavaScript clients round larger numbers


class Status(StrEnum):
    """Kling's own words. A task only moves forward: submitted, processing, then one of the two ends."""

    SUBMITTED = "submitted"
    PROCESSING = "processing"
    SUCCEED = "succeed"
    FAILED = "failed"

    @property
    def ended(self) -> bool:
        return self in (Status.SUCCEED, Status.FAILED)


@dataclass(frozen=True)
class Output:
    """A finished task's video: where it lies in the storage, and what it is (pixels, seconds). ``cover_key`` is a frame
    of it as a JPEG; tasks of earlier versions have none."""

    key: str
    width: int
    height: int
    fps: float
    frames: int
    duration_s: float
    size_bytes: int
    sound: bool
    watermark_key: str | None = None
    cover_key: str | None = None
    character_found_by: str = ""
    driving_start_s: float = 0.0
    left_out: tuple[LeftOut, ...] = ()
    timings_s: Mapping[str, float] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return {
            **{name: getattr(self, name) for name in self.__dataclass_fields__},
            "left_out": [[part.what, part.detail] for part in self.left_out],
            "timings_s": dict(self.timings_s),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Output:
        left_out = tuple(LeftOut(what, detail) for what, detail in value["left_out"])
        return cls(**{**value, "left_out": left_out})


@dataclass(frozen=True)
class Task:
    """A task as it stands. ``id`` is below 2^53; each dialect renders its own form of it.

    ``attempt`` counts the times that a worker took it up and fences late writers; ``crashes`` the workers or children
    that died of it. ``deduction`` is set when it ends: units, 0 for a failed one. ``progress`` is the share done
    (0 to 1) of the whole, ``stage`` what is being done, ``time_left_s`` the worker's estimate for the whole task.
    Times are aware, UTC. ``views`` are copies of the pictures of the element ``element_id``,
    the task's own. ``callback_at_end``: its callbacks tell of its end alone. ``extra`` is what its dialect
    keeps for its own answers. ``matroska``: its driving video may be a Matroska file too. ``fetched_at`` is when both
    inputs were here and found right. ``seed`` is None where none was given: ``noise_seed`` is what is used.
    """

    id: int
    account_id: int
    dialect: str
    model: str
    engine: str
    image: Link | Stored
    video: Link | Stored
    orientation: Orientation
    mode: Mode
    sound: bool
    watermark: bool
    prompt: str
    callback_url: str | None
    external_task_id: str | None
    status: Status
    status_msg: str
    error_code: str | None
    fix: str | None
    attempt: int
    crashes: int
    reserved: Decimal
    deduction: Decimal | None
    created_at: datetime
    updated_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    stage: str | None
    progress: float
    time_left_s: float | None
    output: Output | None
    files_deleted_at: datetime | None
    callback_at_end: bool = False
    element_id: int | None = None
    views: tuple[Stored, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)
    matroska: bool = False
    fetched_at: datetime | None = None
    scene: Scene = Scene.IMAGE
    seed: int | None = None

    @property
    def noise_seed(self) -> int:
        """The seed that was given, else one that all attempts at this task have and other tasks have not."""
        return self.id % (MOST_SEED + 1) if self.seed is None else self.seed


@dataclass(frozen=True)
class StatusChange:
    """One step of a task, as a callback tells it."""

    status: Status
    status_msg: str
    at: datetime


def new_id() -> int:
    """Of a task, or of what is asked for as one."""
    return SMALLEST_ID + secrets.randbelow(2**53 - SMALLEST_ID)
