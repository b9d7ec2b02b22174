"""What the native API answers: the models of its JSON, and tasks in that form."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from pydantic import BaseModel, ConfigDict

from understudy.engines.registry import capabilities_of
from understudy.request import Mode, Orientation, Scene
from understudy.server.links import Links
from understudy.server.offered import Offer
from understudy.tasks.prices import units_text
from understudy.tasks.task import Output, Status, StatusChange, Task


class _Answer(BaseModel):
    model_config = ConfigDict(use_attribute_docstrings=True)


class Remark(_Answer):
    """Something that was asked for, or is in the input, and that the output does not show."""

    what: str
    """A stable word."""
    detail: str
    """A sentence."""


class ResultAnswer(_Answer):
    """A finished video. Its files are kept for the days that the service is set to; then the links are null."""

    url: str | None
    """The video, as a signed link that needs no further authorization: treat it as a secret."""
    watermark_url: str | None
    """The watermarked video, if one was asked for."""
    width: int
    height: int
    fps: float
    frames: int
    duration_s: float
    size_bytes: int
    sound: bool
    """Whether it has sound: false where the driving video has none."""
    character_found_by: str
    """How the character was found in the picture."""
    driving_start_s: float
    """Where in the driving video the output begins."""
    left_out: list[Remark]
    timings_s: dict[str, float]
    """Seconds of work by stage."""


class FailureAnswer(_Answer):
    """Why a task failed, and what to do about it."""

    code: str
    message: str
    fix: str | None


class TaskAnswer(_Answer):
    """A task as it stands. Times are ISO 8601 in UTC."""

    id: str
    """16 digits; a text, so that no client rounds it."""
    external_task_id: str | None
    status: Status
    """Only moves forward: submitted, processing, then succeed or failed."""
    stage: str | None
    """What is being done at the moment: `waiting` for a GPU that others have; `no worker` while the server has none for
    such a task, which then waits for one, also where it was begun."""
    progress: float
    """Share of the work that is done, 0 to 1."""
    time_left_s: float | None
    """An estimate, while somebody works at it."""
    queue_position: int | None
    """1 is the next one to begin; only of a submitted task that is asked for by its id. 1001 stands for more."""
    engine: str
    model: str
    mode: Mode
    orientation: Orientation
    sound: bool
    watermark: bool
    prompt: str
    scene: Scene
    """What is around the character: the picture's background, or the driving video."""
    seed: int | None
    """The one that is used: that of the request, else the task's own. Null of an engine without any."""
    element_id: str | None
    """The element whose pictures it was given."""
    callback_url: str | None
    result: ResultAnswer | None
    error: FailureAnswer | None
    notes: list[Remark]
    """What of the request the engine does not act on."""
    deduction: str | None
    """Units, once it has ended; "0" for a failed one."""
    created_at: datetime
    updated_at: datetime
    """When its status last changed."""
    started_at: datetime | None
    ended_at: datetime | None
    files_deleted_at: datetime | None


class TasksAnswer(_Answer):
    """A page of tasks, newest first; past the end it is empty."""

    tasks: list[TaskAnswer]
    page: int
    size: int


class ProgressAnswer(_Answer):
    """How far a task is."""

    status: Status
    stage: str | None
    progress: float
    time_left_s: float | None
    queue_position: int | None


class EngineAnswer(_Answer):
    """A way to make the video, and what it can do."""

    name: str
    description: str
    default: bool
    """Whether it is taken for a task that names none."""
    device: str
    """What draws: cpu or gpu."""
    available: bool
    """Whether this service takes tasks for it."""
    reason: str | None
    """Why not; of one that makes some of its scenes, what it lacks for another."""
    fix: str | None
    """What the operator can do about that."""
    follows_motion: bool
    reads_prompt: bool
    scenes: list[Scene]
    """Those that a task may ask for."""
    seeded: bool
    """Whether its videos differ by the seed."""


class EnginesAnswer(_Answer):
    engines: list[EngineAnswer]


class AccountAnswer(_Answer):
    """The account whose key was sent."""

    name: str
    balance: str | None
    """Units that can still be reserved; null: unlimited."""
    concurrency_limit: int | None
    """How many tasks may live at once; null: as many as one likes."""
    live_tasks: int


class HealthAnswer(_Answer):
    status: str


class ReadinessAnswer(_Answer):
    """Whether tasks can be accepted and done."""

    ready: bool
    missing: list[str]
    """Of `database`, `worker`, `storage`."""


class ErrorDetail(_Answer):
    code: str
    """Stable: programs may compare it."""
    message: str
    value: str | None
    """What was found."""
    limit: str | None
    """What is allowed."""
    fix: str
    """What to do about it."""
    request_id: str


class ErrorAnswer(_Answer):
    """Every error of this API has this form."""

    error: ErrorDetail


def task_answer(task: Task, links: Links, *, queue_position: int | None = None) -> TaskAnswer:
    engine = capabilities_of(task.engine)
    notes = []
    if task.prompt and not (engine and engine.reads_prompt):
        notes.append(Remark(what="prompt", detail=f"The engine {task.engine} does not act on a prompt."))
    return TaskAnswer(
        id=str(task.id),
        external_task_id=task.external_task_id,
        status=task.status,
        stage=None if task.status.ended else task.stage,
        progress=task.progress,
        time_left_s=task.time_left_s,
        queue_position=queue_position,
        engine=task.engine,
        model=task.model,
        mode=task.mode,
        orientation=task.orientation,
        sound=task.sound,
        watermark=task.watermark,
        prompt=task.prompt,
        scene=task.scene,
        seed=task.noise_seed if engine and engine.seeded else None,
        element_id=None if task.element_id is None else str(task.element_id),
        callback_url=task.callback_url,
        result=None if task.output is None else _result(task, task.output, links),
        error=_failure(task) if task.status is Status.FAILED else None,
        notes=notes,
        deduction=None if task.deduction is None else units_text(task.deduction),
        created_at=task.created_at.astimezone(UTC),
        updated_at=task.updated_at.astimezone(UTC),
        started_at=_utc(task.started_at),
        ended_at=_utc(task.ended_at),
        files_deleted_at=_utc(task.files_deleted_at),
    )


def progress_answer(task: Task, queue_position: int | None) -> ProgressAnswer:
    return ProgressAnswer(
        status=task.status,
        stage=None if task.status.ended else task.stage,
        progress=task.progress,
        time_left_s=task.time_left_s,
        queue_position=queue_position,
    )


def engine_answer(offer: Offer, default_engine: str) -> EngineAnswer:
    engine = offer.engine
    return EngineAnswer(
        name=engine.name,
        description=engine.description,
        default=engine.name == default_engine,
        device=engine.device,
        available=offer.taken,
        reason=offer.missing.reason if offer.missing else None,
        fix=offer.missing.fix if offer.missing else None,
        follows_motion=engine.follows_motion,
        reads_prompt=engine.reads_prompt,
        scenes=list(offer.scenes),
        seeded=engine.seeded,
    )


def _result(task: Task, output: Output, links: Links) -> ResultAnswer:
    there = task.files_deleted_at is None
    watermarked = there and output.watermark_key is not None
    return ResultAnswer(
        url=links.make(task.id, "video") if there else None,
        watermark_url=links.make(task.id, "watermarked") if watermarked else None,
        width=output.width,
        height=output.height,
        fps=output.fps,
        frames=output.frames,
        duration_s=output.duration_s,
        size_bytes=output.size_bytes,
        sound=output.sound,
        character_found_by=output.character_found_by,
        driving_start_s=output.driving_start_s,
        left_out=[Remark(what=part.what, detail=part.detail) for part in output.left_out],
        timings_s=dict(output.timings_s),
    )


def _failure(task: Task) -> FailureAnswer:
    return FailureAnswer(code=task.error_code or "internal", message=task.status_msg, fix=task.fix)


def _utc(time: datetime | None) -> datetime | None:
    return None if time is None else time.astimezone(UTC)


def callback_body(task: Task, change: StatusChange, links: Links) -> bytes:
    """The task as the change left it, which may have gone on since."""
    as_told = replace(task, status=change.status, status_msg=change.status_msg, updated_at=change.at)
    if not change.status.ended:
        as_told = replace(
            as_told, output=None, deduction=None, ended_at=None, stage=None, progress=0.0, time_left_s=None
        )
    return task_answer(as_told, links).model_dump_json().encode()
