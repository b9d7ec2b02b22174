"""Our own API, under ``/understudy/v1``."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path as FilePath
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Header, Path, Query, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse

from understudy.server import native_form
from understudy.server.events import EVENT_STREAM, TaskEvents, already_told, as_deserted, in_queue
from understudy.server.native_answers import (
    AccountAnswer,
    EnginesAnswer,
    HealthAnswer,
    ReadinessAnswer,
    TaskAnswer,
    TasksAnswer,
    engine_answer,
    task_answer,
)
from understudy.server.native_asked import ALWAYS, PREFIX, Caller, The, errors
from understudy.server.native_elements import router as elements
from understudy.server.readiness import Readiness
from understudy.server.service import Service
from understudy.server.upload_sources import with_own_uploads
from understudy.server.uploads import uploaded_form
from understudy.tasks.prices import units_text
from understudy.tasks.standing import Standing
from understudy.tasks.submission import Submission

TASK_EXAMPLE = "4503599627370496"
LARGE_BYTES = 64 * 1024  # from here on a body is decoded beside the event loop

_Given = TypeVar("_Given")

TaskName = Annotated[
    str,
    Path(
        alias="id",
        description="The task's id, else an external_task_id (percent-encoded; one with a slash cannot be used here).",
        examples=[TASK_EXAMPLE],
    ),
]
_NEW_TASK: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": {"$ref": "#/components/schemas/NewTask"}},
            "multipart/form-data": {"schema": {"$ref": "#/components/schemas/NewTaskForm"}},
        },
    }
}

router = APIRouter(prefix=PREFIX)
router.include_router(elements)


@router.post(
    "/tasks",
    status_code=201,
    tags=["tasks"],
    summary="Create a task",
    responses=errors(400, 402, 409, 413, 422, 429, *ALWAYS),
    openapi_extra=_NEW_TASK,
)
async def create_task(
    request: Request,
    response: Response,
    service: The,
    account: Caller,
    idempotency_key: Annotated[
        str | None,
        Header(
            alias="Idempotency-Key", description="The same key and body within 24 hours give the same task."
        ),
    ] = None,
) -> TaskAnswer:
    """Hands in a picture and a video, by links (JSON) or as files (a form with the files `image` and `video`).

    Only the form is checked here. Fetching, decoding and the limits on both come next, and end a task that breaks
    them as `failed`, with the reason and without a price.
    """
    if request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        async with uploaded_form(request, files=native_form.FILE_BYTES, fields=native_form.FIELDS) as form:
            submission = _submission(
                service, native_form.from_form, form.fields, form.files, idempotency_key, form.body_sha256
            )
            task = await service.tasks.submit(account, await with_own_uploads(service, submission))
    else:
        content = await request.body()
        digest = hashlib.sha256(content).hexdigest() if idempotency_key else ""
        read = partial(_submission, service, native_form.from_json, content, {}, idempotency_key, digest)
        submission = read() if len(content) < LARGE_BYTES else await asyncio.to_thread(read)
        task = await service.tasks.submit(account, await with_own_uploads(service, submission))
    response.headers["Location"] = f"{service.settings.base_url}{PREFIX}/tasks/{task.id}"
    return task_answer(task, service.links)


@router.get("/tasks", tags=["tasks"], summary="List tasks", responses=errors(422, *ALWAYS))
async def list_tasks(
    service: The,
    account: Caller,
    page: Annotated[int, Query(ge=1, le=1000)] = 1,
    size: Annotated[int, Query(ge=1, le=500)] = 30,
) -> TasksAnswer:
    """The account's tasks, newest first."""
    tasks = await as_deserted(service, await service.tasks.page(account.id, page, size))
    return TasksAnswer(tasks=[task_answer(task, service.links) for task in tasks], page=page, size=size)


@router.get("/tasks/{id}", tags=["tasks"], summary="Query a task", responses=errors(404, *ALWAYS))
async def query_task(service: The, account: Caller, name: TaskName) -> TaskAnswer:
    """A task as it stands."""
    task = await service.tasks.find(account.id, name)
    task, position = await in_queue(service, task)
    return task_answer(task, service.links, queue_position=position)


@router.get(
    "/tasks/{id}/events",
    tags=["tasks"],
    summary="Follow a task",
    response_class=StreamingResponse,
    responses={
        200: {
            "description": "Server-sent events: `status` (a task, as the query gives it) at once and at each change of "
            "status, `progress` in between. The stream ends after the status succeed or failed.",
            "content": {EVENT_STREAM: {"schema": {"type": "string"}}},
        },
        204: {
            "description": "`Last-Event-ID` says that the end was told already: an EventSource then stops."
        },
        **errors(404, *ALWAYS),
    },
)
async def follow_task(
    service: The,
    account: Caller,
    name: TaskName,
    last_event_id: Annotated[
        str | None, Header(description="Sent by an EventSource that reconnects.")
    ] = None,
) -> Response:
    """Server-sent events until the task has ended."""
    task = await service.tasks.find(account.id, name)
    if already_told(task, last_event_id):
        return Response(status_code=204)
    return TaskEvents(service, account.id, task)


@router.post(
    "/tasks/{id}/cancel", tags=["tasks"], summary="Cancel a task", responses=errors(404, 409, *ALWAYS)
)
async def cancel_task(service: The, account: Caller, name: TaskName) -> TaskAnswer:
    """Ends a live task at once as `failed`, "cancelled by the account", without a price; work on it stops within two
    seconds."""
    task = await service.tasks.find(account.id, name)
    return task_answer(await service.tasks.cancel(account.id, task.id), service.links)


@router.post(
    "/tasks/{id}/retry",
    status_code=201,
    tags=["tasks"],
    summary="Try a task again",
    responses=errors(402, 404, 410, 422, 429, *ALWAYS),
)
async def retry_task(service: The, account: Caller, name: TaskName, response: Response) -> TaskAnswer:
    """Hands the same request in again, as a new task without an external id."""
    task = await service.tasks.find(account.id, name)
    native_form.check_engine(service.offered, task.engine, task.scene)
    again = await service.tasks.retry(account, task.id)
    response.headers["Location"] = f"{service.settings.base_url}{PREFIX}/tasks/{again.id}"
    return task_answer(again, service.links)


@router.delete(
    "/tasks/{id}", status_code=204, tags=["tasks"], summary="Delete a task", responses=errors(404, *ALWAYS)
)
async def delete_task(service: The, account: Caller, name: TaskName) -> Response:
    """Deletes its files and hides it for good; a live one is cancelled first."""
    task = await service.tasks.find(account.id, name)
    await service.tasks.delete(account.id, task.id)
    return Response(status_code=204)


@router.get("/engines", tags=["service"], summary="List engines", responses=errors(*ALWAYS))
async def list_engines(service: The, _account: Caller) -> EnginesAnswer:
    """The engines: what each can do, and whether this service takes tasks for it."""
    offered = service.offered
    return EnginesAnswer(engines=[engine_answer(offer, offered.default) for offer in offered.offers])


@router.get("/account", tags=["service"], summary="Show the account", responses=errors(*ALWAYS))
async def show_account(service: The, account: Caller) -> AccountAnswer:
    """Whose key this is, and what it may do."""
    return AccountAnswer(
        name=account.name,
        balance=None if account.balance is None else units_text(account.balance),
        concurrency_limit=account.concurrency_limit,
        live_tasks=await Standing(service.database).live(account.id),
    )


@router.get("/health", tags=["service"], summary="Is it alive?")
async def health() -> HealthAnswer:
    """Answers as long as the process lives. No key needed."""
    return HealthAnswer(status="alive")


@router.get(
    "/ready",
    tags=["service"],
    summary="Is it ready?",
    responses={503: {"model": ReadinessAnswer, "description": "Something is missing."}},
)
async def ready(request: Request) -> JSONResponse:
    """Whether database, worker and storage are there. No key needed."""
    readiness: Readiness = request.app.state.readiness
    missing = await readiness.missing()
    answer = ReadinessAnswer(ready=not missing, missing=missing)
    return JSONResponse(answer.model_dump(), 503 if missing else 200)


def _submission(
    service: Service,
    read: Callable[[_Given], native_form.NewTask],
    given: _Given,
    files: Mapping[str, FilePath],
    key: str | None,
    body_sha256: str,
) -> Submission:
    return native_form.decode(
        read(given),
        files,
        offered=service.offered,
        idempotency=native_form.idempotency_of(key, body_sha256),
    )
