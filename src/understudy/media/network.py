"""The guard against server-side request forgery: requests reach public addresses, and networks that were allowed.

A name is resolved once, all of its addresses must pass, and the connection goes to one of these very addresses: there
is no second look-up that could answer otherwise (DNS rebinding). The check sits where connections are made, so every
request and every hop of a redirect passes it; the Host header, SNI and the certificate check keep the name.
"""

from __future__ import annotations

import asyncio
import logging
import re
import socket
import ssl
import time
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from ipaddress import IPv6Address, ip_address

import certifi
import httpcore
import httpx

from understudy.config import Network
from understudy.errors import FetchError
from understudy.media.addresses import Address, classify

Resolver = Callable[[str], Awaitable[list[str]]]  # a name's addresses; OSError where there is none

RESOLVE_TIMEOUT_S = 8.0
RESOLVERS_AT_ONCE = 16
ADDRESSES_TRIED = 4
PORTS = (80, 443)
FIRST_FREE_PORT = 1024
HOST_LENGTH = 253

_HOST_NAME = re.compile(r"(?!-)[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*")

# httpx tells each request's whole URL at INFO, httpcore headers at DEBUG: either can hold a signature or a secret.
for _name in ("httpx", "httpcore"):
    logging.getLogger(_name).setLevel(logging.WARNING)


class NetworkGuard:
    """Says which URLs and addresses may be reached: public ones at ports 80, 443 and from 1024 on, and those in
    ``allow_networks`` at any port (an IPv4-mapped address counts as its IPv4 address).

    ``resolver`` stands in for the system's in tests.
    """

    def __init__(self, allow_networks: Iterable[Network] = (), *, resolver: Resolver | None = None) -> None:
        self._allowed = tuple(allow_networks)
        self._resolver = resolver or _SystemResolver()

    def check_url(self, url: str) -> httpx.URL:
        """The URL in parts, its host in ASCII without a dot at its end. Raises FetchError (``fetch_url_invalid``)."""
        try:
            parsed = httpx.URL(url)
            host = parsed.raw_host.decode("ascii").removesuffix(".")
        except (httpx.InvalidURL, ValueError, TypeError):
            raise _invalid("it is no URL") from None
        if parsed.scheme not in ("http", "https"):
            raise _invalid("it does not begin with http:// or https://")
        if parsed.userinfo:
            raise _invalid("it holds a user name or a password")
        if len(host) > HOST_LENGTH or not (_HOST_NAME.fullmatch(host) or _is_address(host)):
            raise _invalid("it names no host")
        if parsed.port is not None and not 0 < parsed.port < 2**16:
            raise _invalid("it names no port")
        return parsed.copy_with(host=host)

    async def addresses(self, host: str, port: int) -> list[Address]:
        """The addresses of a name (or an address), in the order to be tried, when every one of them passes.

        Raises FetchError: ``fetch_address_denied``, before anything is connected to; ``fetch_unreachable`` where the
        name has no address; ``fetch_timeout`` where no answer came in time.
        """
        try:
            async with asyncio.timeout(RESOLVE_TIMEOUT_S):
                found = [ip_address(text) for text in await self._resolver(host)]
        except TimeoutError:
            raise FetchError(
                "fetch_timeout",
                f"The name of the host {host!r} was not resolved within {RESOLVE_TIMEOUT_S:g} s.",
                value=host,
                limit=f"{RESOLVE_TIMEOUT_S:g} s",
                fix="Try again, or use another host.",
            ) from None
        except (OSError, ValueError):
            found = []
        if not found:
            raise FetchError(
                "fetch_unreachable",
                f"The host {host!r} was not found.",
                value=host,
                fix="Correct the host name; it must be known to this server.",
            )
        for address in found:
            self._check(address, port, host)
        return found

    def _check(self, address: Address, port: int, host: str) -> None:
        mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
        if any((mapped or address) in network for network in self._allowed):
            return
        if classify(address) is not None:
            raise FetchError(
                "fetch_address_denied",
                f"The host {host!r} has an address that is not public.",
                value=host,
                limit="public addresses",
                fix="Use a public address; private addresses need UNDERSTUDY_ALLOW_NETWORKS.",
            )
        if port not in PORTS and port < FIRST_FREE_PORT:
            raise FetchError(
                "fetch_address_denied",
                f"Port {port} of the host {host!r} may not be reached.",
                value=str(port),
                limit=f"ports {PORTS[0]}, {PORTS[1]} and from {FIRST_FREE_PORT} on",
                fix="Use one of these ports; any other needs UNDERSTUDY_ALLOW_NETWORKS.",
            )


def guarded_client(guard: NetworkGuard, *, timeout_s: float) -> httpx.AsyncClient:
    """A client whose every request passes the guard, which raises FetchError. It follows no redirects, keeps no
    cookies between hosts and knows no proxy. ``timeout_s`` is that of each step (connect, write, read), not of the
    whole; a body is of any length until its reader stops.
    """
    return httpx.AsyncClient(
        transport=_GuardedTransport(guard),
        timeout=timeout_s,
        trust_env=False,
        follow_redirects=False,
        headers={"User-Agent": "understudy", "Accept": "*/*", "Accept-Encoding": "identity"},
    )


class _GuardedTransport(httpx.AsyncBaseTransport):
    """httpx's border to the network, over an httpcore pool that connects through the guard."""

    def __init__(self, guard: NetworkGuard) -> None:
        self._guard = guard
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=_ssl_context(), network_backend=_GuardedBackend(guard), http1=True, http2=False
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        url = self._guard.check_url(str(request.url))
        assert isinstance(request.stream, httpx.AsyncByteStream)
        with _translated(request):
            response = await self._pool.handle_async_request(
                httpcore.Request(
                    method=request.method,
                    url=httpcore.URL(
                        scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path
                    ),
                    headers=request.headers.raw,
                    content=request.stream,
                    extensions={"timeout": request.extensions.get("timeout", {})},
                )
            )
        assert isinstance(response.stream, AsyncIterable)
        return httpx.Response(
            status_code=response.status, headers=response.headers, stream=_Body(response, request)
        )

    async def aclose(self) -> None:
        await self._pool.aclose()


class _Body(httpx.AsyncByteStream):
    def __init__(self, response: httpcore.Response, request: httpx.Request) -> None:
        self._response = response
        self._request = request

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with _translated(self._request):
            async for piece in self._response.aiter_stream():
                yield piece

    async def aclose(self) -> None:
        with _translated(self._request):
            await self._response.aclose()


class _GuardedBackend(httpcore.AsyncNetworkBackend):
    """Connects to checked addresses only."""

    def __init__(self, guard: NetworkGuard) -> None:
        self._guard = guard
        self._plain = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        addresses = (await self._guard.addresses(host, port))[:ADDRESSES_TRIED]
        end = None if timeout is None else time.monotonic() + timeout
        failure: Exception = httpcore.ConnectError("no address")
        for tried, address in enumerate(addresses):
            left = None if end is None else max(end - time.monotonic(), 0.01) / (len(addresses) - tried)
            try:
                return await self._plain.connect_tcp(str(address), port, left, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure

    async def sleep(self, seconds: float) -> None:
        await self._plain.sleep(seconds)


class _SystemResolver:
    """getaddrinfo in threads of its own: a slow name server must not hold up what else runs in threads."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(RESOLVERS_AT_ONCE, thread_name_prefix="resolve")

    async def __call__(self, host: str) -> list[str]:
        def look_up() -> list[str]:
            found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
            return list(dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in found))

        return await asyncio.get_running_loop().run_in_executor(self._threads, look_up)


@contextmanager
def _translated(request: httpx.Request) -> Iterator[None]:
    """httpcore's errors as httpx's, which have the same names; a broken TLS record comes through it as an OSError."""
    try:
        yield
    except (httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError) as error:
        kind: type[httpx.TransportError] = getattr(httpx, type(error).__name__)
        raise kind(str(error), request=request) from error
    except OSError as error:
        raise httpx.NetworkError(type(error).__name__, request=request) from error


@cache
def _ssl_context() -> ssl.SSLContext:
    """Trusts certifi's authorities and those of the machine."""
    context = ssl.create_default_context(cafile=certifi.where())
    context.load_default_certs()
    return context


def _is_address(host: str) -> bool:
    try:
        return not getattr(ip_address(host), "scope_id", None)
    except ValueError:
        return False


def _invalid(why: str) -> FetchError:
    return FetchError(
        "fetch_url_invalid",
        f"The URL cannot be used: {why}.",
        limit="http://host/... or https://host/...",
        fix="Give a whole URL with http or https, a host and no user name or password.",
    )
