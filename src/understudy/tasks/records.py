"""An account's side of its tasks: hand in, find, list, cancel, delete, try again."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import bindparam, func, select, update

from understudy.errors import AccountError, FormError, TaskError, UnavailableError
from understudy.storage import Storage
from understudy.tasks.acceptance import accept, accepted_earlier
from understudy.tasks.accounts import Account
from understudy.tasks.changes import cancelled, end_badly
from understudy.tasks.database import Database
from understudy.tasks.inputs import Inputs
from understudy.tasks.jobs import Jobs
from understudy.tasks.rows import COLUMNS, task_of
from understudy.tasks.submission import Submission
from understudy.tasks.tables import tasks
from understudy.tasks.task import Task, new_id
from understudy.tasks.window import Window, is_behind

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


class Tasks:
    """What an account may do with its tasks. All methods raise UnavailableError while the database is away."""

    def __init__(self, database: Database, jobs: Jobs, storage: Storage, *, closed: bool = False) -> None:
        """``closed``: no new tasks are accepted, for maintenance."""
        self._database = database
        self._jobs = jobs
        self._storage = storage
        self._inputs = Inputs(database, storage)
        self._closed = closed

    async def submit(self, account: Account, submission: Submission) -> Task:
        """Accept a request: task, reservation, first job and first callback in one transaction.

        The same idempotency key gives the same task. Raises FormError (``external_id_taken``,
        ``idempotency_conflict``, ``field_invalid`` for an element, or an uploaded file, that cannot be used),
        AccountError (``balance_used_up``, ``too_many_tasks``), UnavailableError (``maintenance``).
        """
        if self._closed:
            raise UnavailableError(
                "maintenance",
                "The service is in maintenance and takes no new tasks; those accepted go on.",
                fix="Send it again later.",
            )
        try:
            views = await self._inputs.views(account.id, submission)
        except FormError:  # the element may be gone since the same request was accepted
            earlier = await accepted_earlier(self._database, account.id, submission.idempotency)
            if earlier is None:
                raise
            return earlier
        task_id = new_id()
        kept = await self._inputs.keep(task_id, submission, views)
        # Where the database is lost it may have been accepted: retention deletes inputs that no task has.
        try:
            accepted = await accept(
                self._database, self._jobs, account, submission, task_id, kept.image, kept.video, kept.views
            )
        except (FormError, AccountError):
            await self._inputs.forget(task_id)
            raise
        if accepted.id != task_id:  # the same request came before
            await self._inputs.forget(task_id)
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

    async def several(self, account_id: int, names: Sequence[str], *, external: bool = False) -> list[Task]:
        """The tasks of these ids, in decimal, or of these external ids, in that order and each once; what is unknown
        is left out."""
        column = tasks.c.external_task_id if external else tasks.c.id
        asked: dict[object, None] = {}
        for name in names:
            if external and "\0" not in name:
                asked[name] = None
            elif not external and _is_id(name):
                asked[int(name)] = None
        if not asked:
            return []
        query = select(*COLUMNS).where(
            tasks.c.account_id == account_id, tasks.c.deleted_at.is_(None), column.in_(list(asked))
        )
        async with self._database.read() as connection:
            found = {row._mapping[column]: task_of(row) for row in await connection.execute(query)}
        return [found[key] for key in asked if key in found]

    async def window(self, account_id: int, window: Window, most: int) -> list[Task]:
        """At most so many of the account's tasks in the window, newest first. New tasks move none to another page."""
        query = (
            select(*COLUMNS)
            .where(
                tasks.c.account_id == account_id,
                tasks.c.deleted_at.is_(None),
                tasks.c.created_at.between(window.start, window.end),
            )
            .order_by(tasks.c.created_at.desc(), tasks.c.id.desc())
            .limit(most)
        )
        if window.statuses:
            query = query.where(tasks.c.status.in_(window.statuses))
        if window.behind is not None:
            query = query.where(is_behind(window.behind))
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
            was_live = await end_badly(connection, self._jobs, task.id, cancelled())
            await connection.execute(update(tasks).where(mine).values(deleted_at=now))
        await self._storage.delete(f"inputs/{task.id}")
        await self._storage.delete(f"results/{task.id}")
        if was_live:  # its worker may be about to put something more there: the purge looks again
            return
        async with self._database.begin() as connection:  # told only now: else the purge does it
            await connection.execute(update(tasks).where(mine).values(files_deleted_at=now))

    async def retry(self, account: Account, task_id: int) -> Task:
        """Hand the same request in again, as a new task without an external id. Raises TaskError
        (``task_unknown``, ``inputs_gone``) and what ``submit`` raises."""
        task = await self.find(account.id, str(task_id))
        kept = await self._inputs.again(task)
        return await self.submit(
            account,
            Submission(
                dialect=task.dialect,
                model=task.model,
                engine=task.engine,
                image=kept.image,
                video=kept.video,
                orientation=task.orientation,
                mode=task.mode,
                sound=task.sound,
                watermark=task.watermark,
                prompt=task.prompt,
                callback_url=task.callback_url,
                callback_at_end=task.callback_at_end,
                element_id=task.element_id,
                views=kept.views,
                extra=task.extra,
                matroska=task.matroska,
                scene=task.scene,
                seed=task.seed,
            ),
        )


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
