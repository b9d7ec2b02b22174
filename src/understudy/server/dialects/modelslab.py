"""ModelsLab's motion control (version 7 of its API): the key in the body, and a result that is fetched by POST."""

from __future__ import annotations

from collections.abc import Sequence

from understudy.errors import UnderstudyError
from understudy.server.dialects.call import Call
from understudy.server.dialects.dialect import Answer, Decoded, Description, Dialect
from understudy.server.dialects.endpoint import Create, Endpoint, Query
from understudy.server.dialects.modelslab_answers import answered, called_back
from understudy.server.dialects.modelslab_errors import modelslab_error
from understudy.server.dialects.modelslab_form import (
    DIALECT,
    FETCH_PATH,
    PATH,
    ROOM,
    authorization,
    decode_create,
)
from understudy.server.links import Links
from understudy.tasks.task import StatusChange, Task


class ModelsLab(Dialect):
    """The dialect ``modelslab``."""

    name = DIALECT
    owned = (ROOM,)
    key_in_body = True

    def endpoints(self) -> Sequence[Endpoint]:
        return (
            Endpoint("POST", PATH, Create(_decode, answered, estimated=True)),
            Endpoint("POST", f"{FETCH_PATH}/{{name:rest}}", Query(_name, answered, estimated=True)),
        )

    def description(self) -> Description:
        from understudy.server.dialects.modelslab_description import description

        return description()

    def authorization(self, call: Call) -> str | None:
        return authorization(call)

    def encode_error(self, error: UnderstudyError, request_id: str) -> Answer:
        return Answer(*modelslab_error(error))

    def encode_callback(self, task: Task, change: StatusChange, links: Links) -> bytes:
        return called_back(task, change, links)


def _decode(call: Call, engine: str) -> Decoded:
    return decode_create(call.body, engine=engine)


def _name(call: Call) -> str:
    return call.path["name"]
