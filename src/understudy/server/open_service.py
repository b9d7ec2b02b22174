"""The service put together from its settings."""

from __future__ import annotations

from understudy.config import Settings
from understudy.server.auth import Authenticator
from understudy.server.links import Links
from understudy.server.offered import offered_by
from understudy.server.service import Service
from understudy.storage import open_storage
from understudy.tasks.database import Database
from understudy.tasks.elements import Elements
from understudy.tasks.queue import ProcrastinateJobs
from understudy.tasks.records import Tasks
from understudy.tasks.seal import Secrets


def open_service(settings: Settings, database_url: str) -> Service:
    """The service on a migrated database. Whoever opens it closes it: ``close_service``, which the app does at its
    end. Raises SettingError."""
    offered = offered_by(settings)
    secrets = Secrets.load(settings)
    storage = open_storage(settings)
    database = Database(database_url)
    jobs, closed = ProcrastinateJobs(), settings.maintenance == "on"
    return Service(
        settings=settings,
        database=database,
        tasks=Tasks(database, jobs, storage, closed=closed),
        authenticator=Authenticator(database, secrets),
        links=Links(settings.base_url, secrets.link_keys),
        storage=storage,
        elements=Elements(database, jobs, storage, closed=closed),
        offered=offered,
    )


async def close_service(service: Service) -> None:
    """Gives the database's connections back."""
    await service.database.close()
