"""Examples that tests of Kling's dialect share: the least request, a picture's header, and a task at four moments."""

from __future__ import annotations

import struct
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from understudy.request import LeftOut, Mode, Orientation
from understudy.server.links import Links
from understudy.tasks.submission import Link
from understudy.tasks.task import Output, Status, Task

PNG = b"\x89PNG\r\n\x1a\n" + b"\0\0\0\x0dIHDR" + struct.pack(">II", 720, 1280) + b"\x08\x02\0\0\0" + b"crc!"
LEAST = {
    "image_url": "https://media.example/hero.png",
    "video_url": "https://media.example/dance.mp4",
    "character_orientation": "video",
    "mode": "std",
}

MADE = datetime(2026, 11, 21, 12, 0, 0, 123456, tzinfo=UTC)
MADE_MS = 1795262400123
LINKS = Links("https://motion.example", [b"secret"])
SUBMITTED = Task(
    id=9007199254740991,
    account_id=1,
    dialect="kling",
    model="kling-v3",
    engine="puppet",
    image=Link("https://media.example/a.png"),
    video=Link("https://media.example/a.mp4"),
    orientation=Orientation.VIDEO,
    mode=Mode.PRO,
    sound=True,
    watermark=False,
    prompt="",
    callback_url="https://me.example/hook",
    external_task_id="order 7",
    status=Status.SUBMITTED,
    status_msg="",
    error_code=None,
    fix=None,
    attempt=0,
    crashes=0,
    reserved=Decimal("3.60"),
    deduction=None,
    created_at=MADE,
    updated_at=MADE,
    started_at=None,
    ended_at=None,
    stage=None,
    progress=0.0,
    time_left_s=None,
    output=None,
    files_deleted_at=None,
)
END = MADE + timedelta(seconds=90)
OUTPUT = Output(
    key="results/9007199254740991/1/video.mp4",
    width=720,
    height=1280,
    fps=30.0,
    frames=91,
    duration_s=3.0413,
    size_bytes=1000,
    sound=True,
    watermark_key="results/9007199254740991/1/watermarked.mp4",
    left_out=(LeftOut("prompt", "It reads no words."), LeftOut("limbs", "Not shown.")),
)
SUCCEEDED = replace(
    SUBMITTED,
    status=Status.SUCCEED,
    watermark=True,
    deduction=Decimal("3.60"),
    updated_at=END,
    ended_at=END,
    output=OUTPUT,
)
FAILED = replace(
    SUBMITTED,
    status=Status.FAILED,
    status_msg="The video lasts 1.00 s; at least 3 s are needed.",
    fix="Use a longer one.",
    error_code="clip_too_short",
    deduction=Decimal("0.00"),
    updated_at=END,
    ended_at=END,
)
