"""A worker that is lost while it makes an element leaves the making to another one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from test_elements import LOOPBACK, Looker, new
from test_recovery import JOBS, _postgres_is_old, begin, job_statuses, look  # noqa: F401 - the fixture is used by all
from work_setting import Setting, run, running, until

from understudy.tasks.element_intake import ElementIntake
from understudy.tasks.element_work import ElementWork
from understudy.tasks.elements import Elements
from understudy.tasks.jobs import ELEMENT
from understudy.tasks.queue import QueueWorker
from understudy.tasks.task import Status


def test_a_lost_workers_element_is_made_by_another(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(its: Setting) -> None:
        work, looker = ElementWork(its.database), Looker()
        element = await Elements(its.database, JOBS, its.storage).create(await its.account(), new())
        await work.claim(element.id)  # by the one that is lost
        await begin(its, ELEMENT, heartbeat_s=3, begun_s=60)
        await look(its, monkeypatch)
        assert await job_statuses(its, ELEMENT) == ["doing"]  # its worker lives, and may take long
        await begin_again(its)
        await look(its, monkeypatch)
        assert await job_statuses(its, ELEMENT) == ["todo"]
        renderer: Any = looker
        intake = ElementIntake(work, its.storage, LOOPBACK, renderer, its.folders)
        worker = QueueWorker(database_url, (ELEMENT,), intake.run, concurrency=1)

        async def made() -> bool:
            found = await work.load(element.id)
            return found is not None and found.status is Status.SUCCEED

        async with running(worker.run()):
            await until(made)
        assert looker.seen == [[b"the front", b"a side"]]
        found = await work.load(element.id)
        assert found is not None
        assert found.tries == 2

    run(database_url, tmp_path, story, queue=JOBS)


async def begin_again(its: Setting) -> None:
    """Nothing was heard of the worker for half a minute."""
    await its.scalar("UPDATE procrastinate_workers SET last_heartbeat = now() - interval '30 s' RETURNING 1")
