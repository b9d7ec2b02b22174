"""Kling's element library: what can be asked of it, on its paths and on the older ones."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from understudy.server.dialects.call import Call, View
from understudy.server.dialects.dialect import Answer
from understudy.server.dialects.endpoint import Ask, Endpoint
from understudy.server.dialects.kling_answers import envelope
from understudy.server.dialects.kling_element_answers import (
    element_created,
    element_deleted,
    element_queried,
    old_element,
)
from understudy.server.dialects.kling_element_form import Decoded, decode_delete, decode_new, decode_old
from understudy.server.dialects.kling_form import decode_page
from understudy.server.upload_sources import element_with_own_uploads
from understudy.tasks.element import Element

if TYPE_CHECKING:
    from understudy.server.service import Service
    from understudy.tasks.accounts import Account

ELEMENTS, OLD_ELEMENTS = "/v1/general/advanced-custom-elements", "/v1/general/custom-elements"
PRESETS, OLD_PRESETS = "/v1/general/advanced-presets-elements", "/v1/general/presets-elements"
DELETE, OLD_DELETE = "/v1/general/delete-advanced-elements", "/v1/general/delete-elements"

_Told = Callable[[Element], dict[str, Any]]


def element_endpoints() -> Sequence[Endpoint]:
    """A slash may end the path of a creation, as it does in Kling's examples."""
    new, old = (
        _Library(decode_new, element_created, element_queried),
        _Library(decode_old, old_element, old_element),
    )
    return (
        *(Endpoint("POST", path + end, Ask(new.create)) for path in (ELEMENTS,) for end in ("", "/")),
        *(Endpoint("POST", path + end, Ask(old.create)) for path in (OLD_ELEMENTS,) for end in ("", "/")),
        Endpoint("GET", ELEMENTS, Ask(new.page)),
        Endpoint("GET", OLD_ELEMENTS, Ask(old.page)),
        Endpoint("GET", f"{ELEMENTS}/{{name:rest}}", Ask(new.query)),
        Endpoint("GET", f"{OLD_ELEMENTS}/{{name:rest}}", Ask(old.query)),
        Endpoint("GET", PRESETS, Ask(_presets)),
        Endpoint("GET", OLD_PRESETS, Ask(_presets)),
        Endpoint("POST", DELETE, Ask(_delete)),
        Endpoint("POST", OLD_DELETE, Ask(_delete)),
    )


class _Library:
    """One of the two forms in which the library is spoken of."""

    def __init__(self, decode: Callable[[dict[str, Any]], Decoded], created: _Told, queried: _Told) -> None:
        self._decode = decode
        self._created = created
        self._queried = queried

    async def create(self, call: Call, account: Account, view: View, service: Service) -> Answer:
        # Always beside the event loop: a body may hold four pictures.
        new, notes = await asyncio.to_thread(lambda: self._decode(call.body))
        element = await service.elements.create(account, await element_with_own_uploads(service, new))
        return Answer(200, envelope(self._created(element), view.request_id), notes)

    async def query(self, call: Call, account: Account, view: View, service: Service) -> Answer:
        element = await service.elements.find(account.id, call.path["name"])
        return Answer(200, envelope(self._queried(element), view.request_id))

    async def page(self, call: Call, account: Account, view: View, service: Service) -> Answer:
        number, size, notes = decode_page(call)
        elements = await service.elements.page(account.id, number, size)
        return Answer(200, envelope([self._queried(each) for each in elements], view.request_id), notes)


async def _presets(call: Call, _account: Account, view: View, _service: Service) -> Answer:
    """This server has no elements of its own."""
    *_, notes = decode_page(call)
    return Answer(200, envelope([], view.request_id), notes)


async def _delete(call: Call, account: Account, view: View, service: Service) -> Answer:
    number, notes = decode_delete(call.body)
    element = await service.elements.delete(account.id, number)
    return Answer(200, envelope(element_deleted(element), view.request_id), notes)
