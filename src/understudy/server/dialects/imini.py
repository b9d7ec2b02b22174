"""imini's router for videos, with its one model of motion control. It documents no callbacks, no list and no cancel."""

from __future__ import annotations

from collections.abc import Sequence

from understudy.errors import UnderstudyError
from understudy.server.dialects.dialect import Answer, Description, Dialect
from understudy.server.dialects.endpoint import Create, Endpoint, Query
from understudy.server.dialects.imini_answers import created, queried
from understudy.server.dialects.imini_errors import imini_error
from understudy.server.dialects.imini_form import (
    DIALECT,
    GENERATE_PATH,
    PREFIX,
    TASKS_PATH,
    decode_create,
    task_name,
)


class Imini(Dialect):
    """The dialect ``imini``."""

    name = DIALECT
    owned = ("/imini", GENERATE_PATH, TASKS_PATH)
    prefix = PREFIX

    def endpoints(self) -> Sequence[Endpoint]:
        return (
            Endpoint("POST", GENERATE_PATH, Create(decode_create, created)),
            Endpoint("GET", f"{TASKS_PATH}/{{task_id:rest}}", Query(task_name, queried)),
        )

    def description(self) -> Description:
        from understudy.server.dialects.imini_description import description

        return description()

    def encode_error(self, error: UnderstudyError, request_id: str) -> Answer:
        return Answer(*imini_error(error, request_id))
