"""A dialect's endpoints as routes: who asks, the service's work, and the answer, the same for every protocol.

Errors are left to the app, which answers them in the dialect's shape. They are plain routes that answer bytes: these
are asked for most often, by clients that poll.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import re
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace

from fastapi import APIRouter
from starlette.convertors import Convertor, register_url_convertor
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import compile_path

from understudy.engines.registry import engine_capabilities
from understudy.errors import ServiceError, UnavailableError
from understudy.server.dialects.body import written
from understudy.server.dialects.call import Call, View
from understudy.server.dialects.dialect import Decoded, Dialect
from understudy.server.dialects.endpoint import Ask, Create, Endpoint, Page, Query, Receive
from understudy.server.dialects.fields import invalid, shown
from understudy.server.dialects.notes import LEFT_OUT, Note, notes_header, told
from understudy.server.service import Service
from understudy.server.upload_sources import with_own_uploads
from understudy.storage import Storage
from understudy.tasks.accounts import Account
from understudy.tasks.standing import Standing
from understudy.tasks.submission import Idempotency
from understudy.tasks.task import Task

IDEMPOTENCY_CHARACTERS = 256
LARGE_BYTES = 64 * 1024  # from here on a body is decoded beside the event loop
JSON = "application/json; charset=utf-8"


class _Rest(Convertor[str]):
    """The rest of a path, whatever it holds: Starlette's own ``path`` ends at a line break."""

    regex = r"[\s\S]*"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


class _Digits(Convertor[str]):
    """A whole number, as the text that it is."""

    regex = "[0-9]+"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("rest", _Rest())
register_url_convertor("digits", _Digits())

Work = Callable[[Request, Call, Account], Awaitable[Response]]


def mounted(dialect: Dialect, service: Service) -> APIRouter:
    """The dialect's routes, with its prefix and without."""
    routes = APIRouter()
    for endpoint in dialect.endpoints():
        answer = _asked_by_an_account(dialect, service, endpoint)
        for path in _paths(dialect, endpoint):
            routes.add_route(path, answer, methods=[endpoint.method])
    return routes


def patterns(dialect: Dialect) -> list[re.Pattern[str]]:
    """What the paths of the dialect's endpoints match."""
    return [compile_path(path)[0] for one in dialect.endpoints() for path in _paths(dialect, one)]


def _paths(dialect: Dialect, endpoint: Endpoint) -> tuple[str, ...]:
    return tuple(dict.fromkeys((endpoint.path, dialect.prefix + endpoint.path)))


def _asked_by_an_account(
    dialect: Dialect, service: Service, endpoint: Endpoint
) -> Callable[[Request], Awaitable[Response]]:
    work = _work(endpoint, service)
    piecewise = isinstance(endpoint.verb, Receive)

    async def answer(request: Request) -> Response:
        request.state.dialect = dialect
        request.state.template = endpoint.path
        _check_spoken(dialect, service)
        call = Call(
            endpoint=endpoint.path,
            path=request.path_params,
            query=request.query_params.multi_items(),
            headers=request.headers,
            content=await request.body() if dialect.key_in_body else b"",
            scenes=service.offered.scenes,
        )
        if len(call.content) < LARGE_BYTES:
            who = dialect.authorization(call)
        else:  # to find it the body is decoded
            who = await asyncio.to_thread(dialect.authorization, call)
        account = await service.authenticator.account(who)
        if not (dialect.key_in_body or piecewise or request.method == "GET"):
            call = replace(call, content=await request.body())
        return await work(request, call, account)

    return answer


def _work(endpoint: Endpoint, service: Service) -> Work:
    match endpoint.verb:
        case Create() as verb:
            return _create(verb, service)
        case Query() as verb:
            return _query(verb, service)
        case Page() as verb:
            return _page(verb, service)
        case Ask() as verb:
            return _ask(verb, service)
        case Receive() as verb:
            return _receive(verb, service)


def _create(verb: Create, service: Service) -> Work:
    engine = service.settings.engine
    reads_prompt = any(one.reads_prompt for one in engine_capabilities() if one.name == engine)

    def read(call: Call) -> tuple[Decoded, str]:
        # A part of what is asked may stand in the path.
        asked = hashlib.sha256(call.endpoint.encode() + b"\0" + call.content)
        return verb.decode(call, engine), asked.hexdigest()

    async def create(request: Request, call: Call, account: Account) -> Response:
        key = _idempotency_key(call)
        if len(call.content) < LARGE_BYTES:
            decoded, digest = read(call)
        else:
            decoded, digest = await asyncio.to_thread(read, call)
        submission = await with_own_uploads(service, decoded.submission)
        if key:
            submission = replace(submission, idempotency=Idempotency(key, digest))
        task = await service.tasks.submit(account, submission)
        unread = [Note(LEFT_OUT, "prompt")] if submission.prompt and not reads_prompt else []
        view = await _view(request, service, task if verb.estimated else None)
        return _answer(verb.answer(task, view), (*decoded.notes, *unread))

    return create


def _query(verb: Query, service: Service) -> Work:
    data_links = service.settings.result_links == "data"

    async def query(request: Request, call: Call, account: Account) -> Response:
        task = await service.tasks.find(account.id, verb.name(call))
        view = await _view(request, service, task if verb.estimated else None)
        urls = await data_urls(service.storage, task) if data_links else {}
        if not urls:
            return _answer(verb.answer(task, view), told(task))
        body = verb.answer(task, replace(view, urls=urls))
        return await asyncio.to_thread(_answer, body, told(task))

    return query


def _page(verb: Page, service: Service) -> Work:
    async def page(request: Request, call: Call, account: Account) -> Response:
        number, size, notes = verb.read(call)
        tasks = await service.tasks.page(account.id, number, size)
        return _answer(verb.answer(tasks, await _view(request, service, None)), notes)

    return page


def _ask(verb: Ask, service: Service) -> Work:
    async def ask(request: Request, call: Call, account: Account) -> Response:
        answer = await verb.handle(call, account, await _view(request, service, None), service)
        if service.settings.result_links == "data":  # it may hold whole videos
            response = await asyncio.to_thread(_answer, answer.body, answer.notes, answer.status)
        else:
            response = _answer(answer.body, answer.notes, answer.status)
        response.headers.update(answer.headers)
        return response

    return ask


def _receive(verb: Receive, service: Service) -> Work:
    async def receive(request: Request, call: Call, account: Account) -> Response:
        answer = await verb.handle(request, call, account, await _view(request, service, None), service)
        return _answer(answer.body, answer.notes, answer.status)

    return receive


def _check_spoken(dialect: Dialect, service: Service) -> None:
    """Raise UnavailableError (``dialect_off``) where the operator has switched this protocol off."""
    spoken = service.settings.dialects
    if spoken and dialect.name not in spoken:
        raise UnavailableError(
            "dialect_off",
            f"This server does not speak the protocol {dialect.name!r}: its operator has switched it off.",
            value=dialect.name,
            limit=", ".join(spoken),
            fix="Ask the operator, who can add it to the setting dialects.",
        )


async def _view(request: Request, service: Service, task: Task | None) -> View:
    """``task`` where it is to be estimated how long it will take."""
    wait_s = None
    if task is not None:
        wait_s = await Standing(service.database).wait_s(task, service.settings.renders_at_once)
    return View(service.links, request.state.request_id, wait_s=wait_s)


def _idempotency_key(call: Call) -> str:
    key = call.headers.get("idempotency-key", "")
    if len(key) > IDEMPOTENCY_CHARACTERS or not key.isprintable():
        raise invalid(
            "the header idempotency-key", shown(key), f"1 to {IDEMPOTENCY_CHARACTERS} printable characters"
        )
    return key


def _answer(body: object, notes: Iterable[Note], status: int = 200) -> Response:
    return Response(written(body), status, headers=notes_header(notes), media_type=JSON)


async def data_urls(storage: Storage, task: Task) -> dict[str, str]:
    """The task's results themselves as ``data:`` addresses. Empty where there are none, or none any more."""
    if task.output is None or task.files_deleted_at is not None:
        return {}
    keys = {"video": task.output.key, "watermarked": task.output.watermark_key}
    try:
        return {kind: await _data_url(storage, key) for kind, key in keys.items() if key is not None}
    except ServiceError as error:
        if error.code != "file_missing":  # deleted since the record was read
            raise
        return {}


async def _data_url(storage: Storage, key: str) -> str:
    pieces = [piece async for piece in storage.read(key, 0, await storage.size(key))]
    return await asyncio.to_thread(_data, pieces)


def _data(pieces: list[bytes]) -> str:
    return "data:video/mp4;base64," + base64.b64encode(b"".join(pieces)).decode("ascii")
