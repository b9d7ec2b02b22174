"""The border to the queue: a job is put in by the transaction that needs it done, and carries ids only."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from sqlalchemy.ext.asyncio import AsyncConnection

from understudy.request import Scene
from understudy.tasks.device import needs_gpu

# Each is also the name of its queue.
INTAKE, RENDER, DELIVER, ELEMENT = "intake", "render", "deliver", "element"


def render_job(engine: str, scene: Scene) -> str:
    """The job that makes a task's video, and the queue that it is in. An engine that needs a GPU has one for each of
    its scenes, since each needs weights of its own: a worker looks into those alone that it can make."""
    return f"{RENDER}-{engine}-{scene.value}" if needs_gpu(engine) else RENDER


def is_render(queue: str) -> bool:
    """Whether the jobs of that queue make videos."""
    return queue == RENDER or queue.startswith(f"{RENDER}-")


class Jobs(Protocol):
    """Puts a job into the queue within the caller's transaction.

    Jobs of one ``lock`` run one after the other, in the order they were put in, also when an earlier one waits to be
    tried again. ``argument`` is the id of a task (INTAKE, those of ``render_job``), of a delivery (DELIVER) or of an
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
