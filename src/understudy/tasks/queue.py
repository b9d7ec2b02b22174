"""The queue: Procrastinate in the service's own Postgres. A job is in it once the transaction that put it commits."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import psycopg
from procrastinate import App, BaseConnector, BaseRetryStrategy, PsycopgConnector, RetryDecision
from procrastinate.exceptions import ConnectorException
from procrastinate.jobs import DeleteJobCondition, Job, Status
from procrastinate.manager import JobManager
from sqlalchemy.ext.asyncio import AsyncConnection

from understudy.tasks.database import unavailable

UPKEEP = "upkeep"  # the queue of what is done from time to time; its one job has the same name
UPKEEP_CRON = "*/5 * * * *"  # every five minutes

HEARTBEAT_S = 2.0
POLL_S = 1.0  # a job that is put back is not announced, only new ones are
CONNECT_S = 5.0
ENDED_JOBS_LIFE_H = 24
PAUSE_S = 1.0  # between two tries to reach the database

# It tells each job that is put in and done, and a database that is away by many tracebacks; we tell what matters.
logging.getLogger("procrastinate").setLevel(logging.CRITICAL)
logging.getLogger("psycopg.pool").setLevel(
    logging.ERROR
)  # it tells each try to reach a database that is away
logger = logging.getLogger(__name__)

JobFunction = Callable[[int], Coroutine[Any, Any, datetime | None]]
"""What a job does with its argument. Returns when to run it again, or None: it is done. It deals with its own errors;
one that escapes has the job tried again, ever later."""


class ProcrastinateJobs:
    """``Jobs``, as Procrastinate keeps them. Needs no connection of its own."""

    def __init__(self) -> None:
        self._app = App(connector=PsycopgConnector())

    async def put(
        self,
        connection: AsyncConnection,
        name: str,
        argument: int,
        *,
        lock: str | None = None,
        priority: int = 0,
    ) -> None:
        """See ``Jobs.put``. Among the jobs of one lock, one of higher ``priority`` goes before all of lower."""
        raw = await connection.get_raw_connection()
        job = self._app.configure_task(
            name, queue=name, lock=lock, priority=priority, connection=raw.driver_connection
        )
        try:
            await job.defer_async(id=argument)
        except ConnectorException as error:
            if connection_lost(error):
                raise unavailable() from error
            raise


class Room(Protocol):
    """Says whether one job more is to be taken, and is told of each by its argument."""

    def has_room(self) -> bool: ...

    def took(self, argument: int) -> None: ...

    def let_go(self, argument: int) -> None:
        """Nothing is done on the job any more."""


class QueueWorker:
    """Does the jobs of some queues, in the order in which they were put in, until it is cancelled: at most
    ``concurrency`` at once, and a further one only where ``room``, if any, has room for it.

    Where the database is lost, running jobs are left to end, and then the queues are taken up again.
    """

    def __init__(
        self,
        url: str,
        queues: Sequence[str],
        function: JobFunction,
        *,
        concurrency: int,
        room: Room | None = None,
    ) -> None:
        self._url = url
        self._queues = tuple(queues)
        self._name = ", ".join(queues)
        self._function = function
        self._concurrency = concurrency
        self._room = room
        self._running: set[asyncio.Task[datetime | None]] = set()
        self._stopping = False

    async def run(self) -> None:
        """Cancel it to stop: the jobs that are being done are cancelled, and go back into the queue at once."""
        while True:
            worker = asyncio.create_task(self._work())
            try:
                await asyncio.shield(worker)
                logger.warning("queue %s: lost the database", self._name)
            except (ConnectorException, psycopg.Error, OSError) as error:
                logger.warning("queue %s: the database is away (%s)", self._name, type(error).__name__)
            except asyncio.CancelledError:
                self._stopping = True
                worker.cancel()
                for job in self._running:
                    job.cancel()
                await asyncio.wait([worker])
                raise
            await asyncio.sleep(PAUSE_S)

    async def _work(self) -> None:
        async with opened(self._app(), self._url) as app:
            await app.run_worker_async(
                queues=list(self._queues),
                name=self._name,
                concurrency=self._concurrency,
                install_signal_handlers=False,
                fetch_job_polling_interval=POLL_S,
                update_heartbeat_interval=HEARTBEAT_S,
                delete_jobs=DeleteJobCondition.SUCCESSFUL,
            )

    def _app(self) -> App:
        app = queue_app(self._url, self._queues[0])
        if self._room is not None:
            app.job_manager = _Sparing(app.connector, self._room)
        for queue in self._queues:
            if queue != UPKEEP:
                app.task(name=queue, queue=queue, retry=_Again())(self._do)
        # Every worker puts the periodic job in, once for all of them. A worker of an app without periodic jobs would
        # not watch over its heartbeat: the first of its side tasks that ends is the last it looks at, and that would
        # be the idle one for periodic jobs.
        upkeep = app.task(name=UPKEEP, queue=UPKEEP, retry=_Again())(self._do_upkeep)
        app.periodic(cron=UPKEEP_CRON, lock=UPKEEP, queueing_lock=UPKEEP)(upkeep)
        return app

    async def _do_upkeep(self, timestamp: int) -> None:
        await self._do(timestamp)

    async def _do(self, id: int) -> None:
        """One job. Whatever comes out of it but success means: again, and when."""
        if self._stopping:
            raise _AgainError(datetime.now(UTC))
        job = asyncio.create_task(self._function(id))
        self._running.add(job)
        try:
            at = await job
        except asyncio.CancelledError:
            job.cancel()
            await asyncio.wait([job])
            raise _AgainError(datetime.now(UTC)) from None
        except Exception:
            logger.exception("queue %s: job %d", self._name, id)
            raise
        finally:
            self._running.discard(job)
        if at is not None:
            raise _AgainError(at)


class _Sparing(JobManager):
    """Takes no job where there is no room for it: then others may have it. The worker looks again soon.

    The worker tells it of the end of each job that it took, also of one that could not be begun.
    """

    def __init__(self, connector: BaseConnector, room: Room) -> None:
        super().__init__(connector)
        self._room = room
        self._taken: dict[int | None, int] = {}  # arguments, by their jobs

    async def fetch_job(self, queues: Iterable[str] | None, worker_id: int) -> Job | None:
        if not self._room.has_room():
            return None
        job = await super().fetch_job(queues, worker_id)
        if job is not None and "id" in job.task_kwargs:
            self._taken[job.id] = int(str(job.task_kwargs["id"]))
            self._room.took(self._taken[job.id])
        return job

    async def finish_job(self, job: Job, status: Status, delete_job: bool) -> None:
        self._let_go(job)
        await super().finish_job(job, status, delete_job)

    async def retry_job(
        self,
        job: Job,
        retry_at: datetime | None = None,
        priority: int | None = None,
        queue: str | None = None,
        lock: str | None = None,
    ) -> None:
        self._let_go(job)
        await super().retry_job(job, retry_at, priority, queue, lock)

    def _let_go(self, job: Job) -> None:
        """Before the database hears of it: that may be away."""
        argument = self._taken.pop(job.id, None)
        if argument is not None:
            self._room.let_go(argument)


class _AgainError(Exception):
    """The job is to be run again at that time."""

    def __init__(self, at: datetime) -> None:
        super().__init__()
        self.at = at


class _Again(BaseRetryStrategy):
    """No job is ever given up here: its function knows when enough was tried."""

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision:
        if isinstance(exception, _AgainError):
            return RetryDecision(retry_at=exception.at)
        return RetryDecision(retry_at=datetime.now(UTC) + timedelta(seconds=2 ** min(job.attempts + 1, 8)))


def connection_lost(error: ConnectorException) -> bool:
    return isinstance(error.__cause__, (psycopg.OperationalError, psycopg.InterfaceError))


def queue_app(url: str, name: str) -> App:
    """Procrastinate on that database, with a few connections of its own once it is opened by ``opened``."""
    connector = PsycopgConnector(
        conninfo=url,
        kwargs={"connect_timeout": int(CONNECT_S), "application_name": f"understudy {name}"},
        min_size=1,
        max_size=4,
        timeout=CONNECT_S,
        reconnect_timeout=CONNECT_S,
    )
    return App(connector=connector)


@asynccontextmanager
async def opened(app: App, url: str) -> AsyncIterator[App]:
    """The app with its connections. Raises psycopg.Error at once where the database is away: the pool would wait for
    half a minute, trying ever more seldom."""
    connection = await psycopg.AsyncConnection.connect(url, connect_timeout=int(CONNECT_S))
    await connection.close()
    async with app.open_async():
        yield app


async def delete_ended_jobs(url: str) -> None:
    """Those that ended a day ago and were kept. Raises UnavailableError."""
    try:
        async with opened(queue_app(url, UPKEEP), url) as app:
            await app.job_manager.delete_old_jobs(
                nb_hours=ENDED_JOBS_LIFE_H, include_failed=True, include_cancelled=True, include_aborted=True
            )
    except (ConnectorException, psycopg.Error, OSError) as error:
        raise unavailable() from error
