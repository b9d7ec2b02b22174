"""The border to the queue: a job is put in by the transaction that needs it done, and carries ids only."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from sqlalchemy.ext.asyncio import AsyncConnection

INTAKE, RENDER, DELIVER, ELEMENT = (
    "intake",
    "render",
    "deliver",
    "element",
)  # each is also the name of its queue


class Jobs(Protocol):
    """Puts a job into the queue within the caller's transaction.

    Jobs of one ``lock`` run one after the other, in the order they were put in, also when an earlier one waits to be
    tried again. ``argument`` is the id of a task (INTAKE, RENDER), of a delivery (DELIVER) or of an
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
