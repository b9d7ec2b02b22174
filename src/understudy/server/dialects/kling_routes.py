"""Kling's three routes. Errors are left to the app, which answers them in this dialect's shape.

They are plain routes that answer bytes: these are asked for most often, by clients that poll.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import Iterable
from dataclasses import replace

from fastapi import APIRouter
from starlette.convertors import Convertor, register_url_convertor
from starlette.requests import Request
from starlette.responses import Response

from understudy.engines.registry import engine_capabilities
from understudy.errors import ServiceError
from understudy.server.dialects.body import json_object
from understudy.server.dialects.dialect import Decoded
from understudy.server.dialects.fields import invalid, shown
from understudy.server.dialects.kling_answers import created, envelope, queried, told, written
from understudy.server.dialects.kling_form import PATH, decode_create, decode_page
from understudy.server.dialects.notes import LEFT_OUT, Note, notes_header
from understudy.server.service import Service
from understudy.storage import Storage
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


register_url_convertor("rest", _Rest())


def router(service: Service) -> APIRouter:
    engine = service.settings.engine
    reads_prompt = any(one.reads_prompt for one in engine_capabilities() if one.name == engine)
    data_links = service.settings.result_links == "data"

    async def create(request: Request) -> Response:
        account = await service.authenticator.account(request.headers.get("authorization"))
        key = _idempotency_key(request)
        content = await request.body()
        if len(content) < LARGE_BYTES:
            decoded, digest = _read(content, engine)
        else:
            decoded, digest = await asyncio.to_thread(_read, content, engine)
        submission = decoded.submission
        if key:
            submission = replace(submission, idempotency=Idempotency(key, digest))
        task = await service.tasks.submit(account, submission)
        unread = [Note(LEFT_OUT, "prompt")] if submission.prompt and not reads_prompt else []
        return _answer(request, created(task), (*decoded.notes, *unread))

    async def query(request: Request) -> Response:
        account = await service.authenticator.account(request.headers.get("authorization"))
        task = await service.tasks.find(account.id, request.path_params["name"])
        urls = await _data_urls(service.storage, task) if data_links else {}
        body = queried(task, service.links, urls=urls)
        if not urls:
            return _answer(request, body, told(task))
        return await asyncio.to_thread(_answer, request, body, told(task))

    async def page(request: Request) -> Response:
        account = await service.authenticator.account(request.headers.get("authorization"))
        number, size, notes = decode_page(request.query_params.multi_items())
        tasks = await service.tasks.page(account.id, number, size)
        return _answer(request, [queried(task, service.links) for task in tasks], notes)

    routes = APIRouter()
    routes.add_route(PATH, create, methods=["POST"])
    routes.add_route(PATH, page, methods=["GET"])
    routes.add_route(f"{PATH}/{{name:rest}}", query, methods=["GET"])
    return routes


def _read(content: bytes, engine: str) -> tuple[Decoded, str]:
    return decode_create(json_object(content), engine=engine), hashlib.sha256(content).hexdigest()


def _idempotency_key(request: Request) -> str:
    key = request.headers.get("idempotency-key", "")
    if len(key) > IDEMPOTENCY_CHARACTERS or not key.isprintable():
        raise invalid(
            "the header idempotency-key", shown(key), f"1 to {IDEMPOTENCY_CHARACTERS} printable characters"
        )
    return key


def _answer(request: Request, data: object, notes: Iterable[Note]) -> Response:
    content = written(envelope(data, request.state.request_id))
    return Response(content, headers=notes_header(notes), media_type=JSON)


async def _data_urls(storage: Storage, task: Task) -> dict[str, str]:
    """The results themselves as ``data:`` addresses. Empty where there are none, or none any more."""
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
