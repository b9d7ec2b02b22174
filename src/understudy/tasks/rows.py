"""Rows of the ``tasks`` table to tasks, and sources to what is kept of them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row

from understudy.request import Mode, Orientation, Scene
from understudy.tasks.submission import Link, Stored
from understudy.tasks.tables import tasks
from understudy.tasks.task import Output, Status, Task

COLUMNS = tuple(
    tasks.c[name] for name in Task.__dataclass_fields__
)  # the record's other columns are the worker's own
WHAT = {"image": "reference image", "video": "driving video"}  # a task's inputs, as errors name them


def task_of(row: Row[Any]) -> Task:
    values = dict(row._mapping)
    output = values.pop("output")
    return Task(
        **{
            **values,
            "image": source_of(values["image"]),
            "video": source_of(values["video"]),
            "orientation": Orientation(values["orientation"]),
            "mode": Mode(values["mode"]),
            "scene": Scene(values["scene"]),
            "status": Status(values["status"]),
            "views": tuple(Stored(key) for key in values["views"]),
        },
        output=None if output is None else Output.from_json(output),
    )


def source_json(source: Link | Stored) -> dict[str, str]:
    if isinstance(source, Link):
        return {"url": source.url}
    return {"key": source.key} if source.link is None else {"key": source.key, "link": source.link}


def source_of(value: dict[str, str]) -> Link | Stored:
    return Link(value["url"]) if "url" in value else Stored(value["key"], value.get("link"))


def input_key(task_id: int, which: str) -> str:
    """Where a task's input lies once it is here: ``which`` is ``image``, ``video`` or a view's name."""
    return f"inputs/{task_id}/{which}"


def result_key(task_id: int, attempt: int, name: str) -> str:
    return f"results/{task_id}/{attempt}/{name}"


def segments_key(task_id: int) -> str:
    """Below it lie the segments of a task's video that a GPU has made so far."""
    return f"segments/{task_id}"
