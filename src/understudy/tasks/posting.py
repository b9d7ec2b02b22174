"""One POST of a callback, and what came of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache
from importlib.metadata import version

import httpx

from understudy.errors import FetchError
from understudy.media.network import NetworkGuard, guarded_client

TIMEOUT_S = 15.0
READ_BYTES = 4096  # of the receiver's answer, which means nothing to us
READ_S = 1.0
NEVER = ("fetch_address_denied", "fetch_url_invalid")  # another try would be denied as well


@dataclass(frozen=True)
class Answer:
    """``http_status`` is None where there was no answer. ``error`` is empty for a delivered one, and holds neither the
    URL nor a secret. ``denied``: the address may not be called. ``retry_after_s`` is the receiver's wish."""

    http_status: int | None
    error: str
    took_ms: int
    denied: bool = False
    retry_after_s: float = 0.0
    body: bytes = b""

    @property
    def delivered(self) -> bool:
        return self.http_status is not None and 200 <= self.http_status < 300


async def post(
    guard: NetworkGuard, url: str, body: bytes, headers: Mapping[str, str], *, timeout_s: float = TIMEOUT_S
) -> Answer:
    """Send the body as JSON. Redirects are not followed. ``timeout_s`` bounds it from the name's look-up to the
    answer's head."""
    sent = {
        "Content-Type": "application/json; charset=utf-8",
        "User-Agent": _user_agent(),
        **headers,
    }
    begun = time.monotonic()
    # A client of its own for each try: no connection, cookie or pool that another receiver could hold up.
    async with guarded_client(guard, timeout_s=timeout_s) as client:
        try:
            request = client.build_request("POST", url, content=body, headers=sent)
            async with asyncio.timeout(timeout_s):
                response = await client.send(request, stream=True)
        except FetchError as error:
            told = f"{error.message} {error.fix}"
            return Answer(None, told, _since(begun), denied=error.code in NEVER)
        except (TimeoutError, httpx.TimeoutException):
            return Answer(None, f"no answer within {timeout_s:g} s", _since(begun))
        except httpx.HTTPError as error:
            return Answer(None, _in_words(error), _since(begun))
        except httpx.InvalidURL:
            return Answer(None, "the URL cannot be used", _since(begun), denied=True)
        took_ms = _since(begun)
        try:
            text = await _beginning(response)
        finally:
            with suppress(httpx.HTTPError):
                await response.aclose()
    status = response.status_code
    return Answer(
        status,
        _complaint(status),
        took_ms,
        retry_after_s=retry_after(response.headers.get("retry-after", "")) if status in (429, 503) else 0.0,
        body=text,
    )


def retry_after(value: str) -> float:
    """Seconds from now, from a Retry-After header: a number of seconds or a date. 0 where it says neither."""
    value = value.strip()
    if value.isascii() and value.isdigit():
        return float(value[:9])
    try:
        at = parsedate_to_datetime(value)
    except (ValueError, TypeError, OverflowError):
        return 0.0
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return max(0.0, (at - datetime.now(UTC)).total_seconds())


async def _beginning(response: httpx.Response) -> bytes:
    """A little of the answer's body, so that an ordinary receiver can send it to its end; its status is known."""
    read = b""
    with suppress(httpx.HTTPError, TimeoutError):
        async with asyncio.timeout(READ_S):
            async for piece in response.aiter_raw():
                read += piece
                if len(read) >= READ_BYTES:
                    break
    return read[:READ_BYTES]


def _complaint(status: int) -> str:
    if 200 <= status < 300:
        return ""
    if 300 <= status < 400:
        return f"answered {status}: a redirect is not followed"
    if status == 410:
        return "answered 410: wants no more callbacks of this task"
    return f"answered {status}"


def _in_words(error: httpx.HTTPError) -> str:
    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        return "its certificate is not trusted"
    if isinstance(error, httpx.ConnectError):
        return "no connection"
    if isinstance(error, httpx.NetworkError | httpx.RemoteProtocolError):
        return "the connection broke off before an answer"
    return f"the request failed ({type(error).__name__})"


@cache
def _user_agent() -> str:
    return f"Understudy/{version('understudy')}"


def _since(begun: float) -> int:
    return round((time.monotonic() - begun) * 1000)
