"""PowerTokens' requests: Kling's, with a model that must be named, and two of OpenAI's manner that tell of a video."""

from __future__ import annotations

from understudy.errors import TaskError
from understudy.server.dialects.call import Call
from understudy.server.dialects.dialect import Decoded
from understudy.server.dialects.kling_form import decode_create as decode_kling
from understudy.tasks.task import Status, Task

DIALECT = "powertokens"
PREFIX = "/kling"
VIDEO_PATH = "/v1/videos/{task_id:digits}"  # no name: under /v1/videos those are Kling's kinds of video
CONTENT_PATH = f"{VIDEO_PATH}/content"
MODELS = ("kling-v3",)


def decode_create(call: Call, engine: str) -> Decoded:
    """The body of ``POST /kling/v1/videos/motion-control``. Raises FormError as Kling's does."""
    return decode_kling(call.body, engine=engine, dialect=DIALECT, models=MODELS, default_model=None)


def task_id(call: Call) -> str:
    return call.path["task_id"]


def check_content(task: Task) -> None:
    """Raise TaskError (``task_running``, ``task_ended``) where the task has no video to be sent."""
    if not task.status.ended:
        raise TaskError(
            "task_running",
            f"The task {task.id} is {task.status}: it has no video yet.",
            value=str(task.status),
            limit=str(Status.SUCCEED),
            fix="Query it until it is completed.",
        )
    if task.status is Status.FAILED:
        raise TaskError(
            "task_ended",
            f"The task {task.id} has failed, so it has no video.",
            value=str(task.status),
            limit=str(Status.SUCCEED),
            fix="Query it for the reason.",
        )
    if task.files_deleted_at is not None:
        raise TaskError(
            "task_ended",
            f"The video of the task {task.id} was deleted, as every result is in the end.",
            value=str(task.status),
            fix="Create the task again; save results when they are finished.",
        )
