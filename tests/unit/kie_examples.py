"""The least request of Kie's dialect, and tasks made by it, for its tests."""

from __future__ import annotations

from dataclasses import replace

from kling_examples import FAILED, SUBMITTED, SUCCEEDED

from understudy.tasks.task import Task

PICTURE, VIDEO = "https://media.example/hero.png", "https://media.example/dance.mp4"
LEAST_INPUT = {"input_urls": [PICTURE], "video_urls": [VIDEO]}
LEAST = {"model": "kling-3.0/motion-control", "input": LEAST_INPUT}
EXTRA = {"input_urls": [PICTURE], "video_urls": [VIDEO], "mode": "pro"}


def by_kie(task: Task) -> Task:
    """The same task as if it had come by this dialect."""
    return replace(task, dialect="kie", extra=EXTRA, external_task_id=None, callback_at_end=True)


WAITING, SUCCESS, FAIL = by_kie(SUBMITTED), by_kie(SUCCEEDED), by_kie(FAILED)
