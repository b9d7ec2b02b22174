"""A receiver's trial: a callback of a task that does not exist."""

from __future__ import annotations

import secrets as tokens
import time
from datetime import UTC, datetime
from decimal import Decimal

from understudy.media.network import NetworkGuard
from understudy.request import Mode, Orientation
from understudy.tasks import posting, signing
from understudy.tasks.callbacks import CallbackBody
from understudy.tasks.posting import Answer
from understudy.tasks.submission import Link
from understudy.tasks.task import Status, StatusChange, Task


async def send_test(guard: NetworkGuard, callback_body: CallbackBody, url: str, secrets: list[str]) -> Answer:
    """Send what a receiver gets for a task that was just accepted, with a task id that is made up."""
    now = datetime.now(UTC)
    task = Task(
        id=10**15 + tokens.randbelow(10**15),
        account_id=0,
        dialect="kling",
        model="kling-v2-6",
        engine="",
        image=Link(""),
        video=Link(""),
        orientation=Orientation.VIDEO,
        mode=Mode.STD,
        sound=True,
        watermark=False,
        prompt="",
        callback_url=url,
        external_task_id=None,
        status=Status.SUBMITTED,
        status_msg="",
        error_code=None,
        fix=None,
        attempt=0,
        crashes=0,
        reserved=Decimal(0),
        deduction=None,
        created_at=now,
        updated_at=now,
        started_at=None,
        ended_at=None,
        stage=None,
        progress=0.0,
        time_left_s=None,
        output=None,
        files_deleted_at=None,
    )
    body = callback_body(task, StatusChange(Status.SUBMITTED, "", now))
    headers = signing.headers(f"msg_test_{tokens.token_hex(8)}", int(time.time()), body, secrets)
    return await posting.post(guard, url, body, headers)
