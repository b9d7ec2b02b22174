"""PowerTokens' Kling Motion Control: Kling's own requests and answers below ``/kling``, and videos as OpenAI's are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from understudy.errors import UnderstudyError
from understudy.server.dialects.call import Call, View
from understudy.server.dialects.dialect import Answer, Description, Dialect
from understudy.server.dialects.endpoint import Ask, Endpoint, Query
from understudy.server.dialects.kling import motion_control
from understudy.server.dialects.kling_answers import called_back
from understudy.server.dialects.powertokens_answers import video
from understudy.server.dialects.powertokens_errors import powertokens_error
from understudy.server.dialects.powertokens_form import (
    CONTENT_PATH,
    DIALECT,
    PREFIX,
    VIDEO_PATH,
    check_content,
    decode_create,
    task_id,
)
from understudy.server.links import Links
from understudy.tasks.task import StatusChange, Task

if TYPE_CHECKING:
    from understudy.server.service import Service
    from understudy.tasks.accounts import Account


class PowerTokens(Dialect):
    """The dialect ``powertokens``. Its paths without the prefix are Kling's, which stands before it in the registry."""

    name = DIALECT
    owned = (PREFIX,)
    prefix = PREFIX

    def endpoints(self) -> Sequence[Endpoint]:
        return (
            *motion_control(decode_create),
            Endpoint("GET", CONTENT_PATH, Ask(_content)),
            Endpoint("GET", VIDEO_PATH, Query(task_id, video)),
        )

    def description(self) -> Description:
        from understudy.server.dialects.powertokens_description import description

        return description()

    def encode_error(self, error: UnderstudyError, request_id: str) -> Answer:
        return Answer(*powertokens_error(error, request_id))

    def encode_callback(self, task: Task, change: StatusChange, links: Links) -> bytes:
        return called_back(task, change, links)


async def _content(call: Call, account: Account, view: View, service: Service) -> Answer:
    """Leads to the video's link, which needs no key."""
    task = await service.tasks.find(account.id, task_id(call))
    check_content(task)
    link = view.links.make(task.id, "video")
    return Answer(302, {"url": link}, headers={"Location": link})
