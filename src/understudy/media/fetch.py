"""Fetching a source from a stranger's URL: guarded, capped, within a deadline, whole or not at all."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager, suppress
from pathlib import Path

import httpx

from understudy.errors import FetchError, UnavailableError
from understudy.media.limits import MB
from understudy.media.network import NetworkGuard, guarded_client
from understudy.media.whole_file import part_beside

REDIRECTS = 3
STEP_TIMEOUT_S = 20.0  # to connect, and between two pieces
PIECE_BYTES = 256 * 1024
PIECE_S = (
    20.0  # for the answer's head, then for each piece: a source that drips must not keep a place for long
)
REDIRECT_STATUSES = (301, 302, 303, 307, 308)
OPENED = "Make sure that the URL can be opened without login from this server"


async def fetch(
    url: str, path: Path, *, guard: NetworkGuard, limit_bytes: int, deadline_s: float, what: str
) -> None:
    """Write what the URL answers to ``path``, which appears whole or not at all.

    ``what`` is "reference image" or "driving video" and stands in the messages. Raises FetchError, naming the host but
    never the whole URL (its query can be a signature): ``fetch_url_invalid``, ``fetch_address_denied``,
    ``fetch_unreachable``, ``fetch_timeout``, ``fetch_status``, ``fetch_encoding``, ``fetch_too_large``,
    ``fetch_too_many_redirects``; UnavailableError where the file cannot be written.
    """
    part = part_beside(path)
    try:
        async with (
            asyncio.timeout(deadline_s),
            guarded_client(guard, timeout_s=min(STEP_TIMEOUT_S, deadline_s)) as client,
        ):
            await _Source(client, guard, limit_bytes, what).save(url, part)
        part.replace(path)
    except TimeoutError:
        raise FetchError(
            "fetch_timeout",
            f"The {what} did not arrive within {deadline_s:g} s.",
            limit=f"{deadline_s:g} s",
            fix="Use a faster host, or a smaller file.",
        ) from None
    except OSError as error:
        raise UnavailableError(
            "unavailable",
            f"The {what} cannot be written: {error.strerror or type(error).__name__}.",
            fix="Make room in the server's folder for temporary files.",
        ) from error
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


class _Source:
    """One fetch, with what its messages need."""

    def __init__(self, client: httpx.AsyncClient, guard: NetworkGuard, limit_bytes: int, what: str) -> None:
        self._client = client
        self._guard = guard
        self._limit_bytes = limit_bytes
        self._what = what

    async def save(self, url: str, path: Path) -> None:
        for _hop in range(REDIRECTS + 1):
            checked = self._checked(url)
            target = await self._hop(checked, path)
            if target is None:
                return
            url = target
        raise self._error(
            "fetch_too_many_redirects",
            f"is behind more than {REDIRECTS} redirects",
            limit=str(REDIRECTS),
            fix="Give the URL that they lead to.",
        )

    def _checked(self, url: str) -> httpx.URL:
        try:
            return self._guard.check_url(url)
        except FetchError as error:
            raise self._named(error) from None

    @asynccontextmanager
    async def _answer(self, url: httpx.URL) -> AsyncIterator[httpx.Response]:
        try:
            response = await self._client.send(self._client.build_request("GET", url), stream=True)
        except FetchError as error:
            raise self._named(error) from None
        async with aclosing(response):
            yield response

    async def _hop(self, url: httpx.URL, path: Path) -> str | None:
        """Save the answer, or tell where it redirects to."""
        host = url.host
        try:
            async with asyncio.timeout(PIECE_S) as slow, self._answer(url) as response:
                location = response.headers.get("location")
                if response.status_code in REDIRECT_STATUSES and location:
                    return self._joined(url, location)
                self._check_answer(response, host)
                await self._save_body(response, path, slow)
                return None
        except httpx.TimeoutException:
            raise self._error(
                "fetch_timeout",
                f"did not come from {host!r} in time",
                value=host,
                limit=f"{STEP_TIMEOUT_S:g} s",
                fix=f"{OPENED}, and fast enough.",
            ) from None
        except TimeoutError:
            if not slow.expired():  # the deadline of the whole
                raise
            raise self._error(
                "fetch_timeout",
                f"comes too slowly from {host!r}",
                value=host,
                limit=f"{PIECE_BYTES // 1024} KB in {PIECE_S:g} s",
                fix="Use a faster host.",
            ) from None
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
            trust = "CERTIFICATE_VERIFY_FAILED" in str(error)
            raise self._error(
                "fetch_unreachable",
                f"could not be fetched from {host!r}" + (": its certificate is not trusted" if trust else ""),
                value=host,
                fix=f"{OPENED}; private addresses need UNDERSTUDY_ALLOW_NETWORKS.",
            ) from None

    def _check_answer(self, response: httpx.Response, host: str) -> None:
        if response.status_code != 200:
            raise self._error(
                "fetch_status",
                f"could not be fetched: {host!r} answered with HTTP status {response.status_code}",
                value=str(response.status_code),
                limit="200",
                fix=f"{OPENED}; a signed link may have expired.",
            )
        encoding = response.headers.get("content-encoding", "identity").strip().lower()
        if encoding not in ("", "identity"):
            raise self._error(
                "fetch_encoding",
                f"comes compressed from {host!r}, though it was asked for as it is",
                value=encoding[:40],
                limit="identity",
                fix="Switch the host's compression off for this file.",
            )
        told = response.headers.get("content-length", "")
        if told.isascii() and told.isdigit() and int(told[:18]) > self._limit_bytes:
            raise self._too_large()

    async def _save_body(self, response: httpx.Response, path: Path, slow: asyncio.Timeout) -> None:
        size_bytes = 0
        with path.open("xb") as file:
            async for piece in response.aiter_raw(PIECE_BYTES):
                slow.reschedule(asyncio.get_running_loop().time() + PIECE_S)
                size_bytes += len(piece)
                if size_bytes > self._limit_bytes:
                    raise self._too_large()
                await asyncio.to_thread(file.write, piece)

    def _joined(self, url: httpx.URL, location: str) -> str:
        try:
            return str(url.join(location))
        except (httpx.InvalidURL, ValueError):
            raise self._error(
                "fetch_url_invalid",
                f"is behind a redirect of {url.host!r} to something that is no URL",
                value=url.host,
                fix="Give the URL that it should lead to.",
            ) from None

    def _too_large(self) -> FetchError:
        limit = f"{self._limit_bytes / MB:g} MB"
        return self._error(
            "fetch_too_large",
            f"is larger than {limit}",
            value=f"> {limit}",
            limit=limit,
            fix="Use a smaller file.",
        )

    def _named(self, error: FetchError) -> FetchError:
        """The guard's error, telling which source it is about."""
        return FetchError(
            error.code,
            f"The {self._what} cannot be fetched. {error.message}",
            value=error.value,
            limit=error.limit,
            fix=error.fix,
        )

    def _error(
        self, code: str, what_about_it: str, *, value: str | None = None, limit: str | None = None, fix: str
    ) -> FetchError:
        return FetchError(code, f"The {self._what} {what_about_it}.", value=value, limit=limit, fix=fix)
