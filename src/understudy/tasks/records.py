"""An account's side of its tasks: hand in, find, list, cancel, delete, try again."""

from __future__ import annotations

import secrets
import tempfile
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

from sqlalchemy import bindparam, func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as postgres_insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from understudy.errors import AccountError, FormError, ServiceError, TaskError
from understudy.storage import Storage
from understudy.tasks import ledger
from understudy.tasks.accounts import Account
from understudy.tasks.changes import announce, cancelled, end_badly
from understudy.tasks.database import Database
from understudy.tasks.jobs import INTAKE, Jobs
from understudy.tasks.prices import price
from understudy.tasks.rows import COLUMNS, input_key, source_json, task_of
from understudy.tasks.submission import Idempotency, Inline, Link, Source, Stored, Submission, Upload
from understudy.tasks.tables import accounts, idempotency, tasks
from understudy.tasks.task import Status, Task

SMALLEST_ID = 10**15  # sixteen digits always, and below 2^53: JavaScript clients round larger numbers
LEAST_S = 3.0  # the shortest video; its price is reserved until the clip's length is known
KEY_LIFE = timedelta(hours=24)
NAME_SHOWN = 256  # characters: as long as an external id may be

# Statements of every request are built once: building one costs as much as its round trip.
BY_EXTERNAL_ID = select(*COLUMNS).where(
    tasks.c.account_id == bindparam("account"),
    tasks.c.deleted_at.is_(None),
    tasks.c.external_task_id == bindparam("name"),
)
BY_EITHER_ID = (
    select(*COLUMNS)
    .where(
        tasks.c.account_id == bindparam("account"),
        tasks.c.deleted_at.is_(None),
        (tasks.c.id == bindparam("task")) | (tasks.c.external_task_id == bindparam("name")),
    )
    .order_by((tasks.c.id == bindparam("task")).desc())
    .limit(1)
)
INSERT = (
    insert(tasks)
    .values(created_at=func.now(), updated_at=func.now(), seen_at=func.clock_timestamp())
    .returning(*COLUMNS)
)


class Tasks:
    """What an account may do with its tasks. All methods raise UnavailableError while the database is away."""

    def __init__(self, database: Database, jobs: Jobs, storage: Storage) -> None:
        self._database = database
        self._jobs = jobs
        self._storage = storage

    async def submit(self, account: Account, submission: Submission) -> Task:
        """Accept a request: task, reservation, first job and first callback in one transaction.

        The same idempotency key gives the same task. Raises FormError (``external_id_taken``,
        ``idempotency_conflict``), AccountError (``balance_used_up``, ``too_many_tasks``).
        """
        task_id = new_id()
        image = await self._keep(task_id, "image", submission.image)
        video = await self._keep(task_id, "video", submission.video)
        accepted: Task | None = None
        try:
            accepted = await self._accept(account, submission, task_id, image, video)
        finally:
            if accepted is None or accepted.id != task_id:  # refused, or the same request came before
                with suppress(ServiceError):
                    await self._storage.delete(f"inputs/{task_id}")
        return accepted

    async def find(self, account_id: int, name: str) -> Task:
        """The task of that id, in decimal, else of that external id. Raises TaskError (``task_unknown``)."""
        if "\0" in name:  # which the database would refuse to look for
            raise _unknown(name)
        async with self._database.read() as connection:
            given: dict[str, object] = {"account": account_id, "name": name}
            if _is_id(name):
                found = await connection.execute(BY_EITHER_ID, given | {"task": int(name)})
            else:
                found = await connection.execute(BY_EXTERNAL_ID, given)
            row = found.first()
        if row is None:
            raise _unknown(name)
        return task_of(row)

    async def page(self, account_id: int, number: int, size: int) -> list[Task]:
        """Page ``number`` (from 1) of the account's tasks, newest first; past the end empty."""
        # The index alone tells which rows the page has: a late page reads no more of the table than the first.
        wanted = (
            select(tasks.c.id)
            .where(tasks.c.account_id == account_id, tasks.c.deleted_at.is_(None))
            .order_by(tasks.c.created_at.desc(), tasks.c.id.desc())
            .limit(size)
            .offset((number - 1) * size)
            .subquery()
        )
        query = (
            select(*COLUMNS)
            .join(wanted, wanted.c.id == tasks.c.id)
            .order_by(tasks.c.created_at.desc(), tasks.c.id.desc())
        )
        async with self._database.read() as connection:
            return [task_of(row) for row in await connection.execute(query)]

    async def cancel(self, account_id: int, task_id: int) -> Task:
        """End a live task at once; its worker learns of it within a second and stops. Raises TaskError
        (``task_unknown``, ``task_ended``)."""
        task = await self.find(account_id, str(task_id))
        async with self._database.begin() as connection:
            ended = await end_badly(connection, self._jobs, task.id, cancelled())
        if not ended:
            raise TaskError(
                "task_ended",
                f"The task {task.id} has ended already.",
                value=str(task.id),
                fix="Query it for its result; an ended task cannot be cancelled.",
            )
        return await self.find(account_id, str(task_id))

    async def delete(self, account_id: int, task_id: int) -> None:
        """Delete a task's files and hide it from its account for good; a live one is cancelled first. The record
        stays for the ledger. Raises TaskError (``task_unknown``)."""
        task = await self.find(account_id, str(task_id))
        now = func.clock_timestamp()
        mine = tasks.c.id == task.id
        async with self._database.begin() as connection:
            await end_badly(connection, self._jobs, task.id, cancelled())
            await connection.execute(update(tasks).where(mine).values(deleted_at=now))
        await self._storage.delete(f"inputs/{task.id}")
        await self._storage.delete(f"results/{task.id}")
        async with self._database.begin() as connection:  # told only now: else the purge does it
            await connection.execute(update(tasks).where(mine).values(files_deleted_at=now))

    async def retry(self, account: Account, task_id: int) -> Task:
        """Hand the same request in again, as a new task without an external id. Raises TaskError
        (``task_unknown``, ``inputs_gone``) and what ``submit`` raises."""
        task = await self.find(account.id, str(task_id))
        return await self.submit(
            account,
            Submission(
                dialect=task.dialect,
                model=task.model,
                engine=task.engine,
                image=task.image,
                video=task.video,
                orientation=task.orientation,
                mode=task.mode,
                sound=task.sound,
                watermark=task.watermark,
                prompt=task.prompt,
                callback_url=task.callback_url,
            ),
        )

    async def _keep(self, task_id: int, which: str, source: Source) -> Link | Stored:
        """Put what came with the request where the worker finds it."""
        key = input_key(task_id, which)
        match source:
            case Link():
                return source
            case Inline(content):
                await self._storage.put_bytes(key, content)
            case Upload(path):
                await self._storage.put_file(key, path)
            case Stored(other):
                await self._copy(other, key)
        return Stored(key)

    async def _copy(self, source: str, target: str) -> None:
        with tempfile.TemporaryDirectory(prefix="understudy-") as folder:
            path = Path(folder) / "input"
            try:
                await self._storage.get_file(source, path)
            except ServiceError as error:
                if error.code != "file_missing":
                    raise
                raise TaskError(
                    "inputs_gone",
                    "The task's inputs were deleted after its end.",
                    fix="Create a new task with the picture and the video.",
                ) from None
            await self._storage.put_file(target, path)

    async def _accept(
        self,
        account: Account,
        submission: Submission,
        task_id: int,
        image: Link | Stored,
        video: Link | Stored,
    ) -> Task:
        try:
            async with self._database.begin() as connection:
                if submission.idempotency is not None:
                    earlier = await _earlier(connection, account.id, submission.idempotency)
                    if earlier is not None:
                        return earlier
                return await self._insert(connection, account, submission, task_id, image, video)
        except (
            _OvertakenError
        ):  # the same key came twice at once: the other one is accepted, and is the answer
            return await self._accept(account, submission, task_id, image, video)
        except IntegrityError as error:
            if "tasks_external" not in str(error.orig):
                raise
            raise FormError(
                "external_id_taken",
                f"external_task_id {submission.external_task_id!r} already exists in this account.",
                value=submission.external_task_id,
                fix="Choose one that was never used, or query the task that has it.",
            ) from None

    async def _insert(
        self,
        connection: AsyncConnection,
        account: Account,
        submission: Submission,
        task_id: int,
        image: Link | Stored,
        video: Link | Stored,
    ) -> Task:
        if account.concurrency_limit is not None:
            await _check_concurrency(connection, account)
        reserved = price(submission.model, submission.mode, LEAST_S)
        row = await connection.execute(
            INSERT,
            {
                "id": task_id,
                "account_id": account.id,
                "external_task_id": submission.external_task_id,
                "dialect": submission.dialect,
                "model": submission.model,
                "engine": submission.engine,
                "image": source_json(image),
                "video": source_json(video),
                "orientation": submission.orientation,
                "mode": submission.mode,
                "sound": submission.sound,
                "watermark": submission.watermark,
                "prompt": submission.prompt,
                "callback_url": submission.callback_url,
                "status": Status.SUBMITTED,
                "reserved": reserved,
            },
        )
        task = task_of(row.one())
        if account.balance is not None:  # else nothing is held
            await ledger.reserve(connection, account.id, task.id, reserved)
        if submission.idempotency is not None:
            await _remember(connection, account.id, submission.idempotency, task.id)
        await self._jobs.put(connection, INTAKE, task.id)
        await announce(connection, self._jobs, task)
        return task


class _OvertakenError(Exception):
    """Another request with the same idempotency key was accepted in the meantime."""


def new_id() -> int:
    return SMALLEST_ID + secrets.randbelow(2**53 - SMALLEST_ID)


def _is_id(name: str) -> bool:
    """Whether the name can be a task's id: the digits that we render, and no others."""
    return name.isascii() and name.isdigit() and len(name) <= 16 and str(int(name)) == name


def _unknown(name: str) -> TaskError:
    return TaskError(
        "task_unknown",
        f"There is no task with the task/external id {name[:NAME_SHOWN]!r} in this account.",
        value=name[:NAME_SHOWN],
        fix="Check the id, and that the key belongs to the account which made the task.",
    )


async def _check_concurrency(connection: AsyncConnection, account: Account) -> None:
    """Raise AccountError where as many tasks live as the account may have. Requests at once wait for each other."""
    await connection.execute(
        select(accounts.c.id).where(accounts.c.id == account.id).with_for_update(key_share=True)
    )
    live = await connection.scalar(
        select(func.count()).where(tasks.c.account_id == account.id, tasks.c.ended_at.is_(None))
    )
    limit = account.concurrency_limit
    if limit is not None and (live or 0) >= limit:
        raise AccountError(
            "too_many_tasks",
            "parallel task over resource pack limit",  # Kling's words, which its clients may look for
            value=f"{live} live tasks",
            limit=f"{limit} at once",
            fix="Wait until one of them ends, then send it again.",
        )


async def _earlier(connection: AsyncConnection, account_id: int, given: Idempotency) -> Task | None:
    """The task that this key made within its life. Raises FormError (``idempotency_conflict``)."""
    kept = (
        await connection.execute(
            select(idempotency.c.body_sha256, idempotency.c.task_id).where(
                idempotency.c.account_id == account_id,
                idempotency.c.key == given.key,
                idempotency.c.created_at > func.now() - KEY_LIFE,
            )
        )
    ).first()
    if kept is None:
        return None
    if kept.body_sha256 != given.body_sha256:
        raise FormError(
            "idempotency_conflict",
            f"The idempotency key {given.key!r} was used within the last 24 hours with another body.",
            value=given.key,
            fix="Send the same body again, or choose a new key.",
        )
    found = await connection.execute(select(*COLUMNS).where(tasks.c.id == kept.task_id))
    return task_of(found.one())


async def _remember(connection: AsyncConnection, account_id: int, given: Idempotency, task_id: int) -> None:
    new = postgres_insert(idempotency).values(
        account_id=account_id, key=given.key, body_sha256=given.body_sha256, task_id=task_id
    )
    kept = await connection.execute(
        new.on_conflict_do_update(
            index_elements=[idempotency.c.account_id, idempotency.c.key],
            set_={
                "body_sha256": new.excluded.body_sha256,
                "task_id": new.excluded.task_id,
                "created_at": func.now(),
            },
            where=idempotency.c.created_at <= func.now() - KEY_LIFE,
        ).returning(idempotency.c.task_id)
    )
    if kept.first() is None:
        raise _OvertakenError
