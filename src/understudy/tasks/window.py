"""Which of an account's tasks a listing shows, and where its next page begins."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import BigInteger, ColumnElement, DateTime, literal, tuple_

from understudy.tasks.tables import tasks
from understudy.tasks.task import Status


@dataclass(frozen=True)
class Place:
    """Behind the task of that moment of creation and that id, in the order of a listing: newest first."""

    at: datetime
    task_id: int


@dataclass(frozen=True)
class Window:
    """Tasks created from ``start`` to ``end``, both included, that stand at one of ``statuses`` (none named: at any)
    and come behind a place. Times are aware."""

    start: datetime
    end: datetime
    statuses: tuple[Status, ...] = ()
    behind: Place | None = None


def is_behind(place: Place) -> ColumnElement[bool]:
    """Whether a task comes behind the place."""
    at, task_id = literal(place.at, DateTime(timezone=True)), literal(place.task_id, BigInteger)
    return tuple_(tasks.c.created_at, tasks.c.id) < tuple_(at, task_id)
