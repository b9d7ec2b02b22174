"""What Kie's clients ask beside tasks: the credits that are left, and a link for downloading that soon ends."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from understudy.errors import FormError, TaskError
from understudy.server.dialects.call import Call, View
from understudy.server.dialects.dialect import Answer
from understudy.server.dialects.fields import invalid, missing, unknown_keys
from understudy.server.dialects.kie_answers import balance, envelope
from understudy.server.dialects.notes import UNKNOWN_KEY

if TYPE_CHECKING:
    from understudy.server.service import Service
    from understudy.tasks.accounts import Account

CREDIT_PATH = "/api/v1/chat/credit"
DOWNLOAD_PATH = "/api/v1/common/download-url"
DOWNLOAD_S = 20 * 60
LINKS = "the link of a result of this account, as recordInfo tells it"


async def credits_left(_call: Call, account: Account, _view: View, _service: Service) -> Answer:
    return Answer(200, envelope(balance(account.balance)))


async def download_link(call: Call, account: Account, view: View, service: Service) -> Answer:
    """Raises FormError for what is no link of a result of the account's own."""
    notes = unknown_keys(call.body, ("url",), kind=UNKNOWN_KEY, what="The body")
    url = call.body.get("url")
    if url is None or url == "":
        raise missing("url", LINKS)
    found = view.links.result_of(url) if isinstance(url, str) else None
    if found is None:
        raise _not_ours()
    task_id, kind = found
    try:
        task = await service.tasks.find(account.id, str(task_id))
    except TaskError:
        raise _not_ours() from None
    if task.id != task_id:  # one of the account's own whose external id is the other's task id
        raise _not_ours()
    ending = view.links.make_until(task_id, kind, int(time.time()) + DOWNLOAD_S)
    return Answer(200, envelope(f"{ending}?download=1"), notes)


def _not_ours() -> FormError:
    """Without the address: somebody else's may be signed."""
    return invalid("url", "no link of a result of this account", LINKS)
