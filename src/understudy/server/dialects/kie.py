"""Kie's market API for motion control: jobs, credits, download links, and files for them."""

from __future__ import annotations

from collections.abc import Sequence

from understudy.errors import UnderstudyError
from understudy.server.dialects.call import Call, View
from understudy.server.dialects.dialect import Answer, Decoded, Description, Dialect
from understudy.server.dialects.endpoint import Ask, Create, Endpoint, Query, Receive
from understudy.server.dialects.kie_account import CREDIT_PATH, DOWNLOAD_PATH, credits_left, download_link
from understudy.server.dialects.kie_answers import called_back, created, envelope, recorded, signature
from understudy.server.dialects.kie_errors import kie_error, kie_upload_error
from understudy.server.dialects.kie_form import DIALECT, asked_task, decode_create
from understudy.server.dialects.kie_uploads import (
    BASE64_PATH,
    STREAM_PATH,
    URL_PATH,
    take_base64,
    take_form,
    take_url,
)
from understudy.server.links import Links
from understudy.tasks.task import StatusChange, Task

CREATE_PATH = "/api/v1/jobs/createTask"
QUERY_PATH = "/api/v1/jobs/recordInfo"
UPLOAD_PATHS = (STREAM_PATH, BASE64_PATH, URL_PATH)


class Kie(Dialect):
    """The dialect ``kie``. Its errors are HTTP 200 with their code in the body."""

    name = DIALECT
    owned = ("/api/v1", *UPLOAD_PATHS)
    form_paths = (STREAM_PATH,)

    def endpoints(self) -> Sequence[Endpoint]:
        return (
            Endpoint("POST", CREATE_PATH, Create(_decode, _created)),
            Endpoint("GET", QUERY_PATH, Query(asked_task, _queried)),
            Endpoint("GET", CREDIT_PATH, Ask(credits_left)),
            Endpoint("POST", DOWNLOAD_PATH, Ask(download_link)),
            Endpoint("POST", STREAM_PATH, Receive(take_form)),
            Endpoint("POST", BASE64_PATH, Ask(take_base64)),
            Endpoint("POST", URL_PATH, Ask(take_url)),
        )

    def description(self) -> Description:
        from understudy.server.dialects.kie_description import description

        return description()

    def encode_error(self, error: UnderstudyError, request_id: str) -> Answer:
        return Answer(200, kie_error(error))

    def encode_error_at(self, path: str, error: UnderstudyError, request_id: str) -> Answer:
        """Uploads say ``success`` too, also where the request does not come as far as their handler."""
        if f"/{path.strip('/')}".startswith(UPLOAD_PATHS):
            return Answer(200, kie_upload_error(error))
        return self.encode_error(error, request_id)

    def encode_callback(self, task: Task, change: StatusChange, links: Links) -> bytes:
        return called_back(task, change, links)

    def callback_headers(
        self, task: Task, webhook_id: str, timestamp: int, body: bytes, secrets: Sequence[str]
    ) -> dict[str, str]:
        """Kie's own signature by the newest secret, beside the standard ones: its form has room for one."""
        standard = super().callback_headers(task, webhook_id, timestamp, body, secrets)
        return {**standard, **signature(task, timestamp, secrets[0])} if secrets else standard


def _decode(call: Call, engine: str) -> Decoded:
    return decode_create(call.body, engine=engine, scenes=call.scenes)


def _created(task: Task, _view: View) -> object:
    return envelope(created(task))


def _queried(task: Task, view: View) -> object:
    return envelope(recorded(task, view.links, urls=view.urls))
