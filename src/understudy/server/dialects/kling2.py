"""Kling's API 2.0 for motion control, where the model stands in the path, and the account's costs."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from understudy.errors import AuthError, UnderstudyError
from understudy.server.dialects import kling2_account as account_words
from understudy.server.dialects.call import Call, View
from understudy.server.dialects.dialect import Answer, Description, Dialect
from understudy.server.dialects.endpoint import Ask, Create, Endpoint
from understudy.server.dialects.kling2_answers import PRODUCT, called_back, created, queried
from understudy.server.dialects.kling2_form import CREATE, DIALECT, MODELS, decode_create
from understudy.server.dialects.kling2_window import LIST, LISTED, TASKS, decode_listing, decode_names
from understudy.server.dialects.kling_answers import envelope
from understudy.server.dialects.kling_errors import kling_error
from understudy.server.dialects.notes import told
from understudy.server.links import Links
from understudy.tasks.pack import deductions, pack_of
from understudy.tasks.task import StatusChange, Task

if TYPE_CHECKING:
    from understudy.server.service import Service
    from understudy.tasks.accounts import Account

JWT_DOTS = 2  # between its three parts; no API key has any


class Kling2(Dialect):
    """The dialect ``kling-2``. Its errors are those of ``kling``: Kling has one table for both generations."""

    name = DIALECT
    owned = (CREATE, LIST, "/account")

    def endpoints(self) -> Sequence[Endpoint]:
        return (
            *(
                Endpoint("POST", f"{CREATE}/{model}", Create(partial(decode_create, model), _created))
                for model in MODELS
            ),
            Endpoint("GET", LIST, Ask(_several)),
            Endpoint("POST", LIST, Ask(_listed)),
            Endpoint("GET", account_words.COSTS, Ask(_costs)),
            Endpoint("POST", account_words.BALANCE, Ask(_balance)),
            Endpoint("POST", account_words.PACKAGE, Ask(_package)),
        )

    def authorization(self, call: Call) -> str | None:
        """Raises AuthError (``auth_invalid``) for a JWT, but for the costs, which are of the older generation."""
        given = super().authorization(call)
        if call.endpoint != account_words.COSTS and given is not None and given.count(".") == JWT_DOTS:
            raise AuthError(
                "auth_invalid",
                "Authentication error. The current API does not support AK/SK, that is, a JWT.",
                fix="Create an API key (`understudy keys create` makes one with each pair) and send it instead.",
            )
        return given

    def description(self) -> Description:
        from understudy.server.dialects.kling2_description import description

        return description()

    def encode_error(self, error: UnderstudyError, request_id: str) -> Answer:
        return Answer(*kling_error(error, request_id))

    def encode_callback(self, task: Task, change: StatusChange, links: Links) -> bytes:
        return called_back(task, change, links)


def _created(task: Task, view: View) -> object:
    return envelope(created(task), view.request_id)


async def _several(call: Call, account: Account, view: View, service: Service) -> Answer:
    names, external, notes = decode_names(call)
    tasks = await service.tasks.several(account.id, names, external=external)
    if len(names) > 1 or not tasks:
        return _ok([queried(task, view.links) for task in tasks], view, notes)
    from understudy.server.dialects.mounting import data_urls

    (task,) = tasks
    urls = await data_urls(service.storage, task) if service.settings.result_links == "data" else {}
    return _ok([queried(task, view.links, urls=urls)], view, (*notes, *told(task)))


async def _listed(call: Call, account: Account, view: View, service: Service) -> Answer:
    listing = decode_listing(call.body, TASKS, now_ms=_now_ms(), default_limit=LISTED)
    tasks: list[Task] = []
    if PRODUCT in listing.filters.get("product_type", (PRODUCT,)):
        tasks = await service.tasks.window(account.id, listing.window(), listing.limit + 1)
    page = tasks[: listing.limit]
    more = len(tasks) > len(page)
    data = {
        "result": [queried(task, view.links) for task in page],
        "count": len(page),
        "next_cursor": listing.cursor(page[-1]) if more else "",
        "has_more": more,
    }
    return _ok(data, view, listing.notes)


async def _costs(call: Call, account: Account, view: View, service: Service) -> Answer:
    start_ms, end_ms, name, notes = account_words.decode_costs(call)
    pack = await pack_of(service.database, account)
    return _ok(account_words.costs(pack, account.id, start_ms, end_ms, name), view, notes)


async def _balance(call: Call, _account: Account, view: View, _service: Service) -> Answer:
    """Money that tasks took: accounts have units alone, so there is none."""
    listing = decode_listing(
        call.body,
        account_words.OF_BALANCE,
        now_ms=_now_ms(),
        default_limit=account_words.DETAILS,
        cursor_alone=True,
    )
    return _ok(account_words.details([], None), view, listing.notes)


async def _package(call: Call, account: Account, view: View, service: Service) -> Answer:
    """Units that tasks took."""
    listing = decode_listing(
        call.body,
        account_words.OF_PACKAGE,
        now_ms=_now_ms(),
        default_limit=account_words.DETAILS,
        cursor_alone=True,
    )
    found = []
    if account_words.any_of_pack(listing, account.id):
        found = await deductions(service.database, account.id, listing.window(), listing.limit + 1)
    page = found[: listing.limit]
    cursor = listing.cursor(page[-1].task) if len(found) > len(page) else None
    shown = [account_words.detail(one, view.links) for one in page]
    return _ok(account_words.details(shown, cursor), view, listing.notes)


def _ok(data: Any, view: View, notes: Sequence[Any]) -> Answer:
    return Answer(200, envelope(data, view.request_id), tuple(notes))


def _now_ms() -> int:
    return round(time.time() * 1000)
