"""The border to the queue: a job is put in by the transaction that needs it done, and carries ids only."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from sqlalchemy.ext.asyncio import AsyncConnection

from understudy.tasks.device import needs_gpu

INTAKE, RENDER, RENDER_GPU, DELIVER, ELEMENT = (
    "intake",
    "render",
    "render-gpu",
    "deliver",
    "element",
)  # each is also the name of its queue


def render_job(engine: str) -> str:
    """The job that makes a task's video, by the task's engine: those that need a GPU have a queue of their own, which
    only workers with one look into."""
    return RENDER_GPU if needs_gpu(engine) else RENDER


class Jobs(Protocol):
    """Puts a job into the queue within the caller's transaction.

    Jobs of one ``lock`` run one after the other, in the order they were put in, also when an earlier one waits to be
    tried again. ``argument`` is the id of a task (INTAKE, RENDER, RENDER_GPU), of a delivery (DELIVER) or of an
    element (ELEMENT).
    """

    async def put(
        self,
        connection: AsyncConnection,
        name: str,
        argument: int,
        *,
        lock: str | None = None,
    ) -> None: ...


@dataclass
class FakeJobs:
    """Remembers what was put in: for tests of those who put."""

    put_in: list[tuple[str, int]] = field(default_factory=list)

    async def put(
        self,
        connection: AsyncConnection,
        name: str,
        argument: int,
        *,
        lock: str | None = None,
    ) -> None:
        self.put_in.append((name, argument))
