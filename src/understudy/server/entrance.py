"""What every request passes on its way in and out: its id, one line in the log, the body's limit, and its errors."""

from __future__ import annotations

import logging
import time
import traceback
import uuid

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from understudy.errors import FormError, UnavailableError, UnderstudyError
from understudy.server import errors_native
from understudy.server.dialects.registry import dialect_of_path, form_paths

logger = logging.getLogger(__name__)

MIB = 2**20
BODY_BYTES = 16 * MIB  # a picture of 10 MiB in base64, and what goes with it
UPLOAD_BYTES = 112 * MIB  # a picture of 10 MiB and a video of 100 MiB, and what goes with them
RETRY_AFTER_S = 2
SHOWN_CHARACTERS = 200
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Entrance:
    """Outermost ASGI layer. The log has a route's template, never the path: links are capabilities, ids are the
    accounts' own."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        request_id = str(uuid.uuid4())
        scope.setdefault("state", {})["request_id"] = request_id
        status = 0

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = _with_our_headers(message.get("headers", ()), request_id)
            await send(message)

        try:
            await self._app(scope, _limited(scope, receive), answer)
        except ClientDisconnect:
            status = status or 499  # nobody is left to answer
        except Exception as error:
            if not isinstance(error, UnderstudyError):
                _log_unexpected(error, request_id)
            if status:
                raise  # the server cuts the connection, so that the client does not take a part for the whole
            await error_response(scope, error)(scope, receive, answer)
        finally:
            _log_request(scope, status, began, request_id)


def error_response(scope: Scope, error: Exception) -> Response:
    """The error in the words of whoever owns the path."""
    known = _understood(scope, error)
    request_id: str = scope["state"]["request_id"]
    dialect = scope["state"].get("dialect") or dialect_of_path(scope["path"])
    if dialect is None:
        answer = errors_native.encode_error(known, request_id)
    else:
        answer = dialect.encode_error_at(scope["path"], known, request_id)
    headers = dict(error.headers or {}) if isinstance(error, HTTPException) else {}
    if known.code == "method_unknown":
        headers["Allow"] = known.limit or ""
    if isinstance(known, UnavailableError) and known.code == "unavailable":
        headers["Retry-After"] = str(RETRY_AFTER_S)
    if answer.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return JSONResponse(answer.body, answer.status, headers)


async def handle_error(request: Request, error: Exception) -> Response:
    """The application's handler of all errors that have a meaning to us."""
    return error_response(request.scope, error)


def internal_error() -> UnavailableError:
    return UnavailableError(
        "internal",
        "The service made an error while it answered this request.",
        fix="Try again; if it stays, give the operator the request id.",
    )


def body_too_large(limit_bytes: int) -> FormError:
    return FormError(
        "body_too_large",
        f"The request's body has more than {limit_bytes // MIB} MB.",
        limit=f"{limit_bytes // MIB} MB",
        fix="Send less: a picture of at most 10 MB and a video of at most 100 MB, or links to them.",
    )


def _understood(scope: Scope, error: Exception) -> UnderstudyError:
    if isinstance(error, UnderstudyError):
        return error
    if isinstance(error.__cause__, UnderstudyError):  # raised while FastAPI read the body
        return error.__cause__
    if isinstance(error, RequestValidationError):
        return _invalid(error)
    if not isinstance(error, HTTPException):
        return internal_error()
    method, path = scope["method"][:20], scope["path"][:SHOWN_CHARACTERS]
    if error.status_code == 404:
        return FormError(
            "route_unknown",
            f"There is nothing at {path!r}.",
            value=path,
            fix="See /understudy/v1/docs for what there is.",
        )
    if error.status_code == 405:
        allowed = _allowed(scope)
        return FormError(
            "method_unknown",
            f"{path!r} does not know the method {method!r}.",
            value=method,
            limit=allowed,
            fix=f"Use {allowed}.",
        )
    if error.status_code == 413:
        return body_too_large(_body_limit(scope))
    if error.status_code < 500:
        return FormError(
            "body_unreadable", "The request's body cannot be read.", fix="Send what its Content-Type says."
        )
    return internal_error()


def _allowed(scope: Scope) -> str:
    """The methods of every route at that path: Starlette tells those of the first."""
    routes = scope["app"].router.routes
    return ", ".join(
        method
        for method in sorted(METHODS)
        if any(route.matches({**scope, "method": method})[0] is Match.FULL for route in routes)
    )


def _invalid(error: RequestValidationError) -> FormError:
    first = error.errors()[0]
    field = str(first["loc"][-1])[:SHOWN_CHARACTERS]
    if first["type"] == "missing":
        return FormError("field_missing", f"{field!r} is missing.", value=field, fix=f"Send {field!r}.")
    value = repr(first.get("input"))[:SHOWN_CHARACTERS]
    return FormError(
        "field_invalid",
        f"{field!r} cannot be {value}: {first['msg']}.",
        value=value,
        limit=str(first["msg"]),
        fix=f"Correct {field!r}.",
    )


def _header(scope: Scope, name: bytes) -> bytes:
    return next((value for key, value in scope["headers"] if key == name), b"")


def _body_limit(scope: Scope) -> int:
    form = _header(scope, b"content-type").lower().startswith(b"multipart/")
    return UPLOAD_BYTES if form and scope["path"] in form_paths() else BODY_BYTES


def _limited(scope: Scope, receive: Receive) -> Receive:
    """``receive`` that raises FormError (``body_too_large``): before the first byte where the length is told."""
    limit = _body_limit(scope)
    told = _header(scope, b"content-length")
    told_bytes = int(told) if told.isdigit() else 0
    received = 0

    async def limited() -> Message:
        nonlocal received
        if told_bytes > limit:
            raise body_too_large(limit)
        message = await receive()
        if message["type"] == "http.request":
            received += len(message.get("body", b""))
            if received > limit:
                raise body_too_large(limit)
        return message

    return limited


def _with_our_headers(
    headers: list[tuple[bytes, bytes]] | tuple[()], request_id: str
) -> list[tuple[bytes, bytes]]:
    ours = [
        *headers,
        (b"x-request-id", request_id.encode()),
        (b"x-content-type-options", b"nosniff"),
    ]
    if not any(name == b"cache-control" for name, _ in headers):
        ours.append((b"cache-control", b"no-store"))  # answers hold signed links
    return ours


def _log_unexpected(error: Exception, request_id: str) -> None:
    """Frames as they are; the message may hold what a stranger sent, so it is escaped and short."""
    frames = "".join(traceback.format_tb(error.__traceback__))
    logger.error(
        "unexpected %s in request %s: %s\n%s",
        type(error).__name__,
        request_id,
        ascii(str(error))[:1000],
        frames,
    )


def _log_request(scope: Scope, status: int, began: float, request_id: str) -> None:
    method = scope["method"]
    route = scope["state"].get("template") or getattr(scope.get("route"), "path", "-")
    took_ms = (time.perf_counter() - began) * 1000
    logger.info(
        "%s %s %d %.1f ms %s", method if method in METHODS else "?", route, status, took_ms, request_id
    )
