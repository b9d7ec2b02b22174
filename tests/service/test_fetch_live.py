"""Fetching from servers on the loopback interface that behave well, badly and maliciously."""

from __future__ import annotations

import asyncio
import gzip
import os
import ssl
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, ip_network
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from understudy.errors import FetchError
from understudy.media import network
from understudy.media.fetch import fetch
from understudy.media.network import NetworkGuard
from understudy.tasks.posting import Answer, post

Peer = Callable[[str, asyncio.StreamWriter], Awaitable[None]]

LOOPBACK = [ip_network("127.0.0.0/8")]
LIMIT = 1_000_000


class Server:
    """Answers each request with what ``peer`` writes, which is given the request's head; remembers the heads."""

    def __init__(self, peer: Peer, *, tls: ssl.SSLContext | None = None) -> None:
        self._peer = peer
        self._tls = tls
        self._tasks: list[asyncio.Task[None]] = []
        self.heads: list[str] = []

    async def __aenter__(self) -> Server:
        self._server = await asyncio.start_server(self._answer, "127.0.0.1", 0, ssl=self._tls)
        self.port = int(self._server.sockets[0].getsockname()[1])
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._tasks.append(task)
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                self.heads.append(head)
                await self._peer(head, writer)
                await writer.drain()
        finally:
            writer.close()
            with suppress(ConnectionError, ssl.SSLError):
                await writer.wait_closed()


def says(text: str, body: bytes = b"") -> Peer:
    async def peer(head: str, writer: asyncio.StreamWriter) -> None:
        writer.write(text.replace("\n", "\r\n").encode() + b"\r\n\r\n" + body)

    return peer


def good(body: bytes, headers: str = "") -> Peer:
    return says(f"HTTP/1.1 200 OK\nContent-Length: {len(body)}{headers}", body)


@pytest.fixture
def path(tmp_path: Path) -> Iterator[Path]:
    """Where to fetch to; afterwards nothing else lies there."""
    folder = tmp_path / "fetched"
    folder.mkdir()
    yield folder / "image"
    assert [entry.name for entry in folder.iterdir()] in ([], ["image"])


def run(
    peer: Peer,
    path: Path,
    *,
    target: str = "/x.png?Signature=SECRET",
    host: str = "127.0.0.1",
    guard: NetworkGuard | None = None,
    deadline_s: float = 5,
) -> list[str]:
    """Fetch from a server that answers so; what it was sent."""

    async def fetched() -> list[str]:
        async with Server(peer) as server:
            await fetch(
                f"http://{host}:{server.port}{target}",
                path,
                guard=guard or NetworkGuard(LOOPBACK),
                limit_bytes=LIMIT,
                deadline_s=deadline_s,
                what="reference image",
            )
            return server.heads

    return asyncio.run(fetched())


def refused(
    peer: Peer, path: Path, *, guard: NetworkGuard | None = None, deadline_s: float = 5
) -> FetchError:
    with pytest.raises(FetchError) as caught:
        run(peer, path, guard=guard, deadline_s=deadline_s)
    assert not path.exists()
    assert "SECRET" not in str(caught.value)
    return caught.value


def test_an_allowed_network_is_fetched_from(path: Path) -> None:
    body = bytes(range(256)) * 3000
    heads = run(good(body), path)
    assert path.read_bytes() == body
    assert heads[0].startswith("GET /x.png?Signature=SECRET HTTP/1.1\r\n")
    assert "accept-encoding: identity\r\n" in heads[0].lower()


def test_without_it_nothing_is_connected_to(path: Path) -> None:
    async def refuse() -> list[str]:
        async with Server(good(b"x")) as server:
            with pytest.raises(FetchError) as caught:
                await fetch(
                    f"http://127.0.0.1:{server.port}/",
                    path,
                    guard=NetworkGuard(),
                    limit_bytes=LIMIT,
                    deadline_s=5,
                    what="reference image",
                )
            assert caught.value.code == "fetch_address_denied"
            return server.heads

    assert asyncio.run(refuse()) == []


def test_the_host_header_keeps_the_name(path: Path) -> None:
    async def resolver(host: str) -> list[str]:
        return ["127.0.0.1"]

    heads = run(good(b"x"), path, host="media.example", guard=NetworkGuard(LOOPBACK, resolver=resolver))
    assert "\r\nHost: media.example:" in heads[0]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_followed(path: Path, status: int) -> None:
    async def peer(head: str, writer: asyncio.StreamWriter) -> None:
        answer = (
            good(b"end")
            if "/end" in head
            else says(f"HTTP/1.1 {status} Found\nLocation: end\nContent-Length: 0")
        )
        await answer(head, writer)

    assert len(run(peer, path)) == 2
    assert path.read_bytes() == b"end"


def test_three_redirects_are_the_most(path: Path) -> None:
    async def peer(head: str, writer: asyncio.StreamWriter) -> None:
        left = int(head.split()[1].removeprefix("/"))
        step = says(f"HTTP/1.1 302 Found\nLocation: /{left - 1}\nContent-Length: 0")
        await (step if left else good(b"end"))(head, writer)

    assert len(run(peer, path, target="/3")) == 4
    with pytest.raises(FetchError) as caught:
        run(peer, path, target="/4")
    assert caught.value.code == "fetch_too_many_redirects"


def test_a_redirect_loop_ends(path: Path) -> None:
    assert (
        refused(says("HTTP/1.1 302 Found\nLocation: /x\nContent-Length: 0"), path).code
        == "fetch_too_many_redirects"
    )


@pytest.mark.parametrize(
    ("location", "code"),
    [
        ("http://169.254.169.254/latest/meta-data/", "fetch_address_denied"),
        ("http://[::1]/", "fetch_address_denied"),
        ("//10.0.0.1/", "fetch_address_denied"),
        ("http://0x7f.1.2/../", "fetch_address_denied"),
        ("file:///etc/passwd", "fetch_url_invalid"),
        ("http://u:p@a.example/", "fetch_url_invalid"),
        ("http://[", "fetch_url_invalid"),
    ],
)
def test_a_redirect_is_checked_like_the_first_url(path: Path, location: str, code: str) -> None:
    guard = NetworkGuard([ip_network("127.0.0.1/32")])
    assert (
        refused(says(f"HTTP/1.1 302 Found\nLocation: {location}\nContent-Length: 0"), path, guard=guard).code
        == code
    )


def test_a_name_that_flips_between_two_hops(path: Path) -> None:
    answers = [["127.0.0.1"], ["10.0.0.1"]]

    async def resolver(host: str) -> list[str]:
        return answers.pop(0)

    guard = NetworkGuard(LOOPBACK, resolver=resolver)
    with pytest.raises(FetchError) as caught:
        run(
            says("HTTP/1.1 302 Found\nLocation: /next\nContent-Length: 0\nConnection: close"),
            path,
            host="flip.example",
            guard=guard,
        )
    assert caught.value.code == "fetch_address_denied"
    assert answers == []


@pytest.mark.parametrize("status", [201, 204, 206, 304, 401, 403, 404, 500, 503])
def test_any_other_status_is_named(path: Path, status: int) -> None:
    error = refused(says(f"HTTP/1.1 {status} No\nContent-Length: 0"), path)
    assert (error.code, error.value) == ("fetch_status", str(status))
    assert "127.0.0.1" in error.message


def test_a_redirect_to_nowhere_is_a_status(path: Path) -> None:
    assert refused(says("HTTP/1.1 302 Found\nContent-Length: 0"), path).code == "fetch_status"


def test_exactly_the_limit_is_taken(path: Path) -> None:
    run(good(b"x" * LIMIT), path)
    assert path.stat().st_size == LIMIT


def test_a_length_over_the_limit_is_refused_before_the_body(path: Path) -> None:
    error = refused(says(f"HTTP/1.1 200 OK\nContent-Length: {LIMIT + 1}"), path)
    assert error.code == "fetch_too_large"


@pytest.mark.parametrize("headers", ["Connection: close", "Transfer-Encoding: chunked"])
def test_an_endless_body_is_cut_off(path: Path, headers: str) -> None:
    sent = 0

    async def peer(head: str, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(f"HTTP/1.1 200 OK\r\n{headers}\r\n\r\n".encode())
        piece = b"x" * 0x10000
        framed = b"10000\r\n" + piece + b"\r\n" if "chunked" in headers else piece
        while True:
            writer.write(framed)
            sent += len(piece)
            await writer.drain()

    assert refused(peer, path).code == "fetch_too_large"
    assert sent < 20 * LIMIT  # what the sockets' buffers took, and no more


@pytest.mark.parametrize("drip", [b"x", b"X-Drip: 1\r\n"])
def test_a_dripping_answer_ends_with_the_deadline(path: Path, drip: bytes) -> None:
    async def peer(head: str, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n" + (b"" if b":" in drip else b"\r\n"))
        while True:
            writer.write(drip)
            await writer.drain()
            await asyncio.sleep(0.02)

    error = refused(peer, path, deadline_s=0.4)
    assert (error.code, error.limit) == ("fetch_timeout", "0.4 s")


def test_a_dripping_source_loses_its_place_long_before_the_deadline(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def peer(head: str, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.02)

    monkeypatch.setattr("understudy.media.fetch.PIECE_S", 0.3)
    error = refused(peer, path, deadline_s=60)
    assert (error.code, error.limit) == ("fetch_timeout", "256 KB in 0.3 s")


def test_a_steady_source_may_take_its_time(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    piece = bytes(LIMIT // 8)

    async def peer(head: str, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (8 * len(piece)))
        for _ in range(8):
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0.2)

    monkeypatch.setattr("understudy.media.fetch.PIECE_BYTES", len(piece))
    monkeypatch.setattr("understudy.media.fetch.PIECE_S", 1.0)
    run(peer, path)
    assert path.stat().st_size == 8 * len(piece)


def test_silence_ends_with_the_deadline(path: Path) -> None:
    async def peer(head: str, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(2)

    assert refused(peer, path, deadline_s=0.3).code == "fetch_timeout"


def test_a_compressed_body_is_refused_unopened(path: Path) -> None:
    bomb = gzip.compress(bytes(100_000_000))
    assert refused(good(bomb, "\nContent-Encoding: gzip"), path).code == "fetch_encoding"


def test_what_is_there_already_stands_until_the_whole_has_come(path: Path) -> None:
    path.write_bytes(b"before")
    with pytest.raises(FetchError) as caught:
        run(says("HTTP/1.1 200 OK\nContent-Length: 100", b"half"), path)
    assert caught.value.code == "fetch_unreachable"
    assert path.read_bytes() == b"before"


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "SSH-2.0-OpenSSH_9.6",
        "HTTP/1.1 banana",
        "HTTP/1.1 200 OK\nContent-Length: -1",
        "HTTP/1.1 200 OK\nContent-Length: 1\nContent-Length: 2",
        "HTTP/1.1 200 OK\nX: " + "y" * 200_000,
        "HTTP/1.1 200 OK\nTransfer-Encoding: banana",
    ],
)
def test_what_is_no_http_is_unreachable(path: Path, answer: str) -> None:
    assert refused(says(answer), path).code == "fetch_unreachable"


def test_nobody_listening(path: Path) -> None:
    async def closed() -> None:
        async with Server(good(b"x")) as server:
            port = server.port
        with pytest.raises(FetchError) as caught:
            await fetch(
                f"http://127.0.0.1:{port}/",
                path,
                guard=NetworkGuard(LOOPBACK),
                limit_bytes=LIMIT,
                deadline_s=5,
                what="driving video",
            )
        assert caught.value.code == "fetch_unreachable"

    asyncio.run(closed())


def test_credentials_of_the_machine_do_not_travel(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password hidden")
    monkeypatch.setenv("NETRC", str(netrc))

    async def peer(head: str, writer: asyncio.StreamWriter) -> None:
        go_on = says("HTTP/1.1 302 Found\nLocation: /end\nContent-Length: 0")
        await (good(b"end") if "/end" in head else go_on)(head, writer)

    heads = "".join(run(peer, path)).lower()
    assert "authorization" not in heads


SIGNS_CERTIFICATES = x509.KeyUsage(  # Python 3.13 and newer insist on it
    digital_signature=False,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=True,
    crl_sign=False,
    encipher_only=False,
    decipher_only=False,
)


class Certificates:
    """An authority of its own and a server's certificate for one name."""

    def __init__(self, folder: Path, name: str) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        authority = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test authority")])
        now = datetime.now(UTC)
        builder = (
            x509.CertificateBuilder()
            .issuer_name(authority)
            .public_key(key.public_key())
            .not_valid_before(now - timedelta(minutes=5))
            .not_valid_after(now + timedelta(hours=1))
        )
        root = (
            builder.subject_name(authority)
            .serial_number(1)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(SIGNS_CERTIFICATES, critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .sign(key, hashes.SHA256())
        )
        leaf = (
            builder.subject_name(x509.Name([]))
            .serial_number(2)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=True)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False
            )
            .sign(key, hashes.SHA256())
        )
        self.root, self._chain = folder / "root.pem", folder / "chain.pem"
        self.root.write_bytes(root.public_bytes(serialization.Encoding.PEM))
        self._chain.write_bytes(
            leaf.public_bytes(serialization.Encoding.PEM)
            + key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )

    def server_context(self, names: list[str | None]) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self._chain)
        context.sni_callback = lambda _socket, name, _context: names.append(name)
        return context


@pytest.mark.parametrize(
    ("host", "trusted"), [("media.example", True), ("other.example", False), ("media.example.", True)]
)
def test_certificates_are_checked_for_the_name_not_the_address(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, host: str, *, trusted: bool
) -> None:
    certificates = Certificates(tmp_path, "media.example")
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates.root))
    network._ssl_context.cache_clear()
    names: list[str | None] = []

    async def resolver(host: str) -> list[str]:
        return [str(IPv4Address("127.0.0.1"))]

    async def fetched() -> None:
        async with Server(good(b"secret"), tls=certificates.server_context(names)) as server:
            await fetch(
                f"https://{host}:{server.port}/",
                path,
                guard=NetworkGuard(LOOPBACK, resolver=resolver),
                limit_bytes=LIMIT,
                deadline_s=5,
                what="driving video",
            )

    try:
        if trusted:
            asyncio.run(fetched())
            assert path.read_bytes() == b"secret"
        else:
            with pytest.raises(FetchError, match="certificate is not trusted") as caught:
                asyncio.run(fetched())
            assert caught.value.code == "fetch_unreachable"
    finally:
        network._ssl_context.cache_clear()
    assert names == [host.removesuffix(".")]


@pytest.mark.parametrize("when", ["before its answer", "in its answer"])
def test_tls_that_a_server_breaks_is_the_servers_fault(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    """Not a disk of ours that cannot be written, which would be waited for without end."""
    certificates = Certificates(tmp_path, "media.example")
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates.root))
    network._ssl_context.cache_clear()

    async def broken(head: str, writer: asyncio.StreamWriter) -> None:
        if when == "in its answer":
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nsome")
            await writer.drain()
        os.write(writer.get_extra_info("socket").fileno(), b"no record of TLS" * 4)  # past the encryption
        await asyncio.sleep(1)

    async def resolver(host: str) -> list[str]:
        return ["127.0.0.1"]

    guard = NetworkGuard(LOOPBACK, resolver=resolver)

    async def fetched() -> Answer:
        async with Server(broken, tls=certificates.server_context([])) as server:
            url = f"https://media.example:{server.port}/"
            with pytest.raises(FetchError) as caught:
                await fetch(url, path, guard=guard, limit_bytes=LIMIT, deadline_s=5, what="driving video")
            assert caught.value.code == "fetch_unreachable"
            return await post(guard, url, b"{}", {}, timeout_s=5)

    try:
        answer = asyncio.run(fetched())
    finally:
        network._ssl_context.cache_clear()
    if when == "in its answer":  # its status is known by then
        assert answer.delivered
    else:
        assert (answer.http_status, answer.error) == (None, "the connection broke off before an answer")
