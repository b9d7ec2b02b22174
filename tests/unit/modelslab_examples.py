"""Examples that tests of ModelsLab's dialect share: the least request, and tasks that were made through it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import kling_examples
from kling_examples import MADE, OUTPUT

from understudy.tasks.task import Status

KEY = "sk-its-owner-alone-knows-it"
LEAST = {
    "key": KEY,
    "model_id": "kling-motion-control",
    "init_image": "https://media.example/hero.png",
    "init_video": "https://media.example/dance.mp4",
    "character_orientation": "video",
}

SUBMITTED = replace(
    kling_examples.SUBMITTED,
    dialect="modelslab",
    prompt="slow",
    external_task_id=None,
    callback_at_end=True,
    extra={"track_id": 42},
)
BEGAN = MADE + timedelta(seconds=10)
END = MADE + timedelta(seconds=90)
PROCESSING = replace(SUBMITTED, status=Status.PROCESSING, started_at=BEGAN, time_left_s=41.2)
SUCCEEDED = replace(
    SUBMITTED, status=Status.SUCCEED, started_at=BEGAN, updated_at=END, ended_at=END, output=OUTPUT
)
FAILED = replace(
    SUBMITTED,
    status=Status.FAILED,
    started_at=BEGAN,
    updated_at=END,
    ended_at=END,
    status_msg="The video lasts 1.00 s; at least 3 s are needed.",
    fix="Use a longer one.",
    error_code="clip_too_short",
)
