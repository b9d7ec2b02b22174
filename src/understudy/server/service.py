"""What every entrance of the server is given."""

from __future__ import annotations

from dataclasses import dataclass

from understudy.config import Settings
from understudy.server.auth import Authenticator
from understudy.server.links import Links
from understudy.server.offered import Offered
from understudy.storage import Storage
from understudy.tasks.database import Database
from understudy.tasks.elements import Elements
from understudy.tasks.records import Tasks


@dataclass(frozen=True)
class Service:
    settings: Settings
    database: Database
    tasks: Tasks
    authenticator: Authenticator
    links: Links
    storage: Storage
    elements: Elements
    offered: Offered
