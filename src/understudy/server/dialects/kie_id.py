"""The form that Kie's ids have: ``task_kling-3.0_`` and our own number."""

from __future__ import annotations

import re

from understudy.tasks.task import Task

MODELS = {"kling-2.6/motion-control": "kling-v2-6", "kling-3.0/motion-control": "kling-v3"}
"""Kie's models, and ours with the same price."""
NAMES = {ours: kies for kies, ours in MODELS.items()}

_OURS = re.compile(r"task_kling-[0-9]+\.[0-9]+_([1-9][0-9]{15})", re.ASCII)


def task_id(task: Task) -> str:
    """The task's id as Kie writes it, whichever protocol made the task."""
    return f"task_{NAMES[task.model].partition('/')[0]}_{task.id}"


def task_name(given: str) -> str:
    """What to look for: the number in an id of this form, else what was given, a plain number or an external id."""
    found = _OURS.fullmatch(given)
    return given if found is None else found[1]
