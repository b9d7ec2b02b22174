"""The process that works on tasks: ``python -m understudy.server.worker_process``, started by the supervisor."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Coroutine, Sequence
from datetime import datetime
from typing import Any

from procrastinate.exceptions import ConnectorException

from understudy.config import Settings
from understudy.errors import SettingError
from understudy.media.network import NetworkGuard
from understudy.server.dialects.registry import dialect_named
from understudy.server.links import Links
from understudy.server.parent import settings_from_parent
from understudy.storage import Storage, open_storage
from understudy.tasks.callbacks import Deliverer
from understudy.tasks.database import Database
from understudy.tasks.element_intake import ElementIntake
from understudy.tasks.element_work import ElementWork
from understudy.tasks.folders import FOLDER_NAME, WorkFolders
from understudy.tasks.gpu_hosts import GpuHosts
from understudy.tasks.gpus import gpu_queues, gpus_of
from understudy.tasks.intake import Intake
from understudy.tasks.jobs import DELIVER, ELEMENT, INTAKE, RENDER
from understudy.tasks.listeners import Listening
from understudy.tasks.patience import patiently
from understudy.tasks.queue import UPKEEP, JobFunction, ProcrastinateJobs, QueueWorker
from understudy.tasks.recovery import Recovery
from understudy.tasks.renderer import Renderer
from understudy.tasks.rendering import Rendering
from understudy.tasks.retention import Retention
from understudy.tasks.seal import Secrets
from understudy.tasks.task import StatusChange, Task
from understudy.tasks.work import Work

INTAKES_AT_ONCE = 32  # most wait for a source; two checks run at once
DELIVERIES_AT_ONCE = 64  # most of them wait for their receiver
ELEMENTS_AT_ONCE = 4  # most wait for a source; one check runs at once
ONLY_GPU = "gpu"  # of the setting work
OUR_LOG = "understudy"
STOP_S = 10.0  # the supervisor kills a little later


async def work(settings: Settings) -> None:
    """All queues, until SIGTERM or SIGINT; what is being done then goes back into its queue."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(_tell)
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    with WorkFolders(settings.data_dir / FOLDER_NAME) as folders:
        database = Database(settings.database_url, pool_size=16)
        hosts = GpuHosts(await asyncio.to_thread(gpus_of, settings))
        queues = await asyncio.to_thread(gpu_queues, settings) if len(hosts) else ()
        if settings.work == ONLY_GPU and not queues:  # the weights were there a moment ago
            raise SettingError(
                "work_impossible",
                "This worker is for GPU tasks alone, and this machine can make none of their scenes.",
                fix="Ask `understudy engines` on this machine what it lacks.",
            )
        if queues:
            logging.getLogger(OUR_LOG).info("GPU tasks are taken from %s", ", ".join(queues))
        try:
            await hosts.start()
            parts = _parts(settings, database, folders, hosts, queues)
            running = [asyncio.create_task(part) for part in parts]
            stopped = asyncio.create_task(stop.wait())
            await asyncio.wait([*running, stopped], return_when=asyncio.FIRST_COMPLETED)
            ended = [part for part in running if part.done()]
            for part in (*running, stopped):
                part.cancel()
            await asyncio.wait([*running, stopped], timeout=STOP_S)
            for part in ended:
                part.result()  # none ends by itself: its error ends the process, which is then started again
        finally:
            await hosts.close()
            await database.close()


def _parts(
    settings: Settings, database: Database, folders: WorkFolders, hosts: GpuHosts, on_gpus: Sequence[str]
) -> list[Coroutine[object, object, None]]:
    storage = open_storage(settings)
    renderer = Renderer(settings)
    jobs = ProcrastinateJobs()
    tasks = Work(database, jobs)
    workers: list[QueueWorker] = []
    places: dict[str, int] = {}
    if on_gpus:
        from understudy.tasks.handover import Handover  # its arrays are of no use to other workers

        handover = Handover(hosts, storage, folders, settings)
        on_gpu = Rendering(tasks, storage, renderer, folders, handover).run
        workers.append(QueueWorker(database.url, on_gpus, on_gpu, concurrency=hosts.most_tasks, room=hosts))
        places |= dict.fromkeys(on_gpus, len(hosts))
    if settings.work != ONLY_GPU:
        functions = _functions(settings, database, folders, storage, renderer, tasks)
        workers += [
            QueueWorker(database.url, (queue,), function, concurrency=at_once)
            for queue, function, at_once in functions
        ]
        places |= {queue: at_once for queue, _, at_once in functions}
    listening = Listening(database, places, worker=folders.name, dead=folders.dead)
    beside = listening.run(), Recovery(database, jobs, tasks).run()
    return [*(worker.run() for worker in workers), *beside]


def _functions(
    settings: Settings,
    database: Database,
    folders: WorkFolders,
    storage: Storage,
    renderer: Renderer,
    tasks: Work,
) -> list[tuple[str, JobFunction, int]]:
    """Of the queues that need no GPU: their names, and how many of their jobs are done at once."""
    secrets = Secrets.load(settings)
    links = Links(settings.base_url, secrets.link_keys)
    guard = NetworkGuard(settings.allow_networks)

    def callback_body(task: Task, change: StatusChange) -> bytes:
        return dialect_named(task.dialect).encode_callback(task, change, links)

    def callback_headers(
        task: Task, webhook_id: str, timestamp: int, body: bytes, keys: Sequence[str]
    ) -> dict[str, str]:
        return dialect_named(task.dialect).callback_headers(task, webhook_id, timestamp, body, keys)

    deliverer = Deliverer(database, guard, secrets, callback_body, callback_headers)

    async def deliver(delivery_id: int) -> datetime | None:
        return await patiently(lambda: deliverer.deliver(delivery_id))

    return [
        (INTAKE, Intake(tasks, storage, guard, renderer, folders).run, INTAKES_AT_ONCE),
        (RENDER, Rendering(tasks, storage, renderer, folders).run, settings.renders_at_once),
        (DELIVER, deliver, DELIVERIES_AT_ONCE),
        (
            ELEMENT,
            ElementIntake(ElementWork(database), storage, guard, renderer, folders).run,
            ELEMENTS_AT_ONCE,
        ),
        (UPKEEP, Retention(database, storage, folders, result_days=settings.result_days).run, 1),
    ]


def _tell(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """What nobody waited for: a job whose end the queue could not write down, which recovery sees to, in one line."""
    error = context.get("exception")
    if isinstance(error, ConnectorException):
        logging.getLogger(OUR_LOG).warning("the end of a job could not be written (%s)", type(error).__name__)
    else:
        loop.default_exception_handler(context)


def main() -> None:
    settings = settings_from_parent()
    logging.basicConfig(level=logging.WARNING, format="worker: %(message)s")
    logging.getLogger(OUR_LOG).setLevel(logging.INFO)
    asyncio.run(work(settings))


if __name__ == "__main__":
    main()
