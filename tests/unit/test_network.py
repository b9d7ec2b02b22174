"""The guard: which addresses are public, which URLs have a form, and that a connection goes to what was checked."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import httpcore
import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.errors import FetchError
from understudy.media import addresses, network
from understudy.media.addresses import classify
from understudy.media.network import NetworkGuard, guarded_client

PUBLIC = [
    *("1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255"),
    *("128.0.0.0", "168.63.129.15", "168.63.129.17", "169.253.255.255", "169.255.0.0", "172.15.255.255"),
    *("172.32.0.0", "191.255.255.255", "192.0.1.0", "192.0.3.0", "192.88.98.255", "192.88.100.0"),
    *("192.167.255.255", "192.169.0.0", "198.17.255.255", "198.20.0.0", "198.51.99.255", "198.51.101.0"),
    *("203.0.112.255", "203.0.114.0", "223.255.255.255", "2001:200::", "2001:db7:ffff::1", "2001:db9::"),
    *("2001:4860:4860::8888", "2003::", "2606:4700:4700::1111", "3ffe:ffff::", "3fff:1000::"),
    *("::ffff:8.8.8.8", "64:ff9b::8.8.8.8"),
]
DENIED = [
    *("0.0.0.0", "0.255.255.255", "10.0.0.0", "10.255.255.255", "100.64.0.0", "100.127.255.255", "127.0.0.1"),
    *("127.255.255.255", "168.63.129.16", "169.254.0.0", "169.254.169.254", "169.254.255.255", "172.16.0.0"),
    *("172.31.255.255", "192.0.0.0", "192.0.0.192", "192.0.0.255", "192.0.2.0", "192.0.2.255", "192.88.99.1"),
    *("192.168.0.0", "192.168.255.255", "198.18.0.0", "198.19.255.255", "198.51.100.7", "203.0.113.255"),
    *("224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255"),
    *("::", "::1", "::2", "::7f00:1", "::8.8.8.8", "100::1", "1fff:ffff::", "4000::", "5f00::1"),
    *("64:ff9a::1", "64:ff9b:0:0:0:1::", "64:ff9b:1::1", "64:ff9b:1:ffff::8.8.8.8", "64:ff9b::127.0.0.1"),
    *("64:ff9b::169.254.169.254", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:0:127.0.0.1"),
    *(
        "2001::1",
        "2001:2::1",
        "2001:10::1",
        "2001:20::1",
        "2001:1ff:ffff::1",
        "2001:db8::1",
        "2001:db8:ffff::",
    ),
    *("2002::1", "2002:7f00:1::", "2002:808:808::", "2002:ffff::", "3fff::1", "3fff:fff:ffff::"),
    *(
        "fc00::1",
        "fd00:ec2::254",
        "fdff::1",
        "fe00::1",
        "fe80::1",
        "febf::1",
        "fec0::1",
        "feff::1",
        "ff02::1",
    ),
    "2606:4700::1%eth0",
]


@pytest.mark.parametrize("text", PUBLIC)
def test_a_public_address_may_be_reached(text: str) -> None:
    assert classify(ip_address(text)) is None


@pytest.mark.parametrize("text", DENIED)
def test_an_address_that_is_not_public_is_denied(text: str) -> None:
    assert classify(ip_address(text))


def test_the_reason_is_the_most_special_one() -> None:
    told = {
        text: classify(ip_address(text))
        for text in ("127.0.0.1", "2001::1", "2001:2::1", "100.64.0.1", "::1")
    }
    assert list(told.values()) == [
        "loopback",
        "Teredo",
        "protocol assignments",
        "carrier-grade NAT",
        "loopback",
    ]


def embedded(inner: IPv4Address) -> list[IPv6Address]:
    """The ways an IPv4 address travels within an IPv6 one: mapped, compatible, translated (two prefixes, and both
    of RFC 2765), 6to4, Teredo as server and as client."""
    number = int(inner)
    return [
        IPv6Address(0xFFFF << 32 | number),
        IPv6Address(number),
        IPv6Address(0xFFFF << 48 | number),
        IPv6Address(0x64_FF9B << 96 | number),
        IPv6Address(0x64_FF9B_0001 << 80 | number),
        IPv6Address(0x2002 << 112 | number << 80 | 1),
        IPv6Address(0x2001_0000 << 96 | number << 64 | 0xFFFF_FFFF),
        IPv6Address(0x2001_0000 << 96 | 0x0808_0808 << 64 | number ^ 0xFFFF_FFFF),
    ]


@given(
    st.sampled_from(sorted(addresses._DENIED_4)).flatmap(
        lambda text: st.integers(int(ip_network(text)[0]), int(ip_network(text)[-1]))
    )
)
def test_a_denied_address_is_denied_whichever_way_it_travels(number: int) -> None:
    inner = IPv4Address(number)
    assert classify(inner)
    assert all(classify(outer) for outer in embedded(inner))


@given(
    st.sampled_from(sorted(addresses._DENIED_6)).flatmap(
        lambda text: st.integers(int(ip_network(text)[0]), int(ip_network(text)[-1]))
    )
)
def test_every_address_of_a_denied_ipv6_network_is_denied(number: int) -> None:
    assert classify(IPv6Address(number))


@given(st.ip_addresses())
def test_what_python_calls_special_is_never_let_through(address: IPv4Address | IPv6Address) -> None:
    if classify(address) is None:
        unwrapped = address.ipv4_mapped or address if isinstance(address, IPv6Address) else address
        special = ("loopback", "link_local", "multicast", "unspecified", "private")
        assert [name for name in special if getattr(unwrapped, f"is_{name}")] == []


class Resolver:
    """Answers each look-up with the next list; the last one for ever."""

    def __init__(self, *answers: Iterable[str]) -> None:
        self.answers = [list(answer) for answer in answers]
        self.asked: list[str] = []

    async def __call__(self, host: str) -> list[str]:
        self.asked.append(host)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


def refused(guard: NetworkGuard, host: str = "a.example", port: int = 443) -> FetchError:
    with pytest.raises(FetchError) as caught:
        asyncio.run(guard.addresses(host, port))
    return caught.value


def test_every_record_must_pass() -> None:
    guard = NetworkGuard(resolver=Resolver(["8.8.8.8", "2606:4700::1", "10.0.0.5"]))
    error = refused(guard)
    assert error.code == "fetch_address_denied"
    assert "10.0.0.5" not in str(error)
    assert "8.8.8.8" not in str(error)


def test_addresses_that_pass_keep_their_order() -> None:
    found = asyncio.run(
        NetworkGuard(resolver=Resolver(["2606:4700::1", "8.8.8.8"])).addresses("a.example", 443)
    )
    assert [str(address) for address in found] == ["2606:4700::1", "8.8.8.8"]


@pytest.mark.parametrize(
    ("port", "passes"), [(80, True), (443, True), (1024, True), (65535, True), (22, False), (1023, False)]
)
def test_ports_of_public_addresses(port: int, *, passes: bool) -> None:
    guard = NetworkGuard(resolver=Resolver(["8.8.8.8"]))
    if passes:
        assert asyncio.run(guard.addresses("a.example", port))
    else:
        error = refused(guard, port=port)
        assert (error.code, error.value) == ("fetch_address_denied", str(port))


@pytest.mark.parametrize("text", ["10.1.2.3", "::ffff:10.1.2.3"])
def test_an_allowed_network_passes_at_any_port(text: str) -> None:
    guard = NetworkGuard([ip_network("10.0.0.0/8")], resolver=Resolver([text]))
    assert asyncio.run(guard.addresses("a.example", 22)) == [ip_address(text)]


@pytest.mark.parametrize(
    "text", ["11.0.0.1", "64:ff9b::10.1.2.3", "2002:a01:203::", "::10.1.2.3", "192.168.0.1"]
)
def test_an_allowed_network_allows_nothing_else(text: str) -> None:
    guard = NetworkGuard([ip_network("10.0.0.0/8")], resolver=Resolver([text]))
    assert refused(guard, port=22).code == "fetch_address_denied"


def test_an_allowed_network_does_not_excuse_a_denied_record() -> None:
    guard = NetworkGuard([ip_network("10.0.0.0/8")], resolver=Resolver(["10.0.0.1", "192.168.0.1"]))
    assert refused(guard).code == "fetch_address_denied"


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.1",
        "0x7f.1",
        "0x7f000001",
        "2130706433",
        "0177.0.0.1",
        "0",
        "localhost",
        "::1",
        "::ffff:7f00:1",
    ],
)
def test_the_systems_resolver_sees_through_odd_forms(host: str) -> None:
    assert refused(NetworkGuard(), host).code == "fetch_address_denied"


def test_a_name_without_an_address() -> None:
    async def nowhere(host: str) -> list[str]:
        raise OSError("no such name")

    assert refused(NetworkGuard(resolver=nowhere)).code == "fetch_unreachable"
    assert refused(NetworkGuard(resolver=Resolver([]))).code == "fetch_unreachable"
    assert refused(NetworkGuard(resolver=Resolver(["not an address"]))).code == "fetch_unreachable"
    assert refused(NetworkGuard(), "a" * 64 + ".example").code == "fetch_unreachable"


def test_a_name_server_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(host: str) -> list[str]:
        await asyncio.sleep(60)
        return []

    monkeypatch.setattr(network, "RESOLVE_TIMEOUT_S", 0.05)
    assert refused(NetworkGuard(resolver=never)).code == "fetch_timeout"


@pytest.mark.parametrize(
    "url",
    [
        *(
            "",
            "x",
            "//a.example/",
            "http:a.example",
            "http://",
            "http:///x",
            "ftp://a.example/",
            "file:///etc/passwd",
        ),
        *(
            "http://u:p@a.example/",
            "http://u@a.example/",
            "http://:@a.example/",
            "http://a.example@127.0.0.1/",
        ),
        *(
            "http://a b.example/",
            "http://a%2eexample/",
            "http://a..example/",
            "http://.example/",
            "http://-a.example/",
        ),
        *(
            "http://[fe80::1%25eth0]/",
            "http://[fe80::1%eth0]/",
            "http://[::1",
            "http://[::1]x/",
            "http://[v1.x]/",
        ),
        *("http://a.example:0/", "http://a.example:65536/", "http://a.example:x/", "http://a.example:-1/"),
        *(
            " http://a.example/",
            "http://a.example\r\nX: y/",
            "http://a.example/\x00",
            "http://\x00/",
            "http://*/",
        ),
        *(
            "gopher://a.example/",
            "data:image/png;base64,AAAA",
            "http://" + "a." * 130 + "example/",
            "http://" + "a" * 70_000,
        ),
    ],
)
def test_urls_that_are_refused_for_their_form(url: str) -> None:
    with pytest.raises(FetchError) as caught:
        NetworkGuard().check_url(url)
    assert caught.value.code == "fetch_url_invalid"
    assert "u:p" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://a.example/x.png?sig=1", "a.example"),
        ("HTTP://A.EXAMPLE./x", "a.example"),
        ("http://bücher.example/", "xn--bcher-kva.example"),
        ("http://[2606:4700::1]:8080/", "2606:4700::1"),
        ("http://under_score.example/", "under_score.example"),
        ("http://0x7f.1/", "0x7f.1"),
    ],
)
def test_urls_with_a_form(url: str, host: str) -> None:
    assert NetworkGuard().check_url(url).raw_host.decode() == host


class Wire:
    """Stands in for connecting: remembers where to, and answers or refuses."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, refusing: tuple[str, ...] = ()) -> None:
        self.reached: list[tuple[str, int]] = []
        self.sent: list[bytes] = []

        async def connect_tcp(_self: object, host: str, port: int, *_: object) -> httpcore.AsyncNetworkStream:
            self.reached.append((host, port))
            if host in refusing:
                raise httpcore.ConnectError("refused")
            return Stream(self)

        monkeypatch.setattr(httpcore.AnyIOBackend, "connect_tcp", connect_tcp)


class Stream(httpcore.AsyncMockStream):
    def __init__(self, wire: Wire) -> None:
        super().__init__([b"HTTP/1.1 204 No Content\r\n\r\n"])
        self._wire = wire

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._wire.sent.append(buffer)


def get(guard: NetworkGuard, *urls: str) -> None:
    async def run() -> None:
        async with guarded_client(guard, timeout_s=5) as client:
            for url in urls:
                assert (await client.get(url)).status_code == 204

    asyncio.run(run())


def test_the_connection_goes_to_the_checked_address(monkeypatch: pytest.MonkeyPatch) -> None:
    wire = Wire(monkeypatch)
    resolver = Resolver(["8.8.8.8"], ["127.0.0.1"])
    get(NetworkGuard(resolver=resolver), "http://a.example:8080/x?y")
    assert wire.reached == [("8.8.8.8", 8080)]
    assert resolver.asked == ["a.example"]
    head = b"".join(wire.sent)
    assert head.startswith(b"GET /x?y HTTP/1.1\r\n")
    assert b"Host: a.example:8080\r\n" in head


def test_a_name_that_flips_is_checked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    wire = Wire(monkeypatch)
    guard = NetworkGuard(resolver=Resolver(["8.8.8.8"], ["127.0.0.1"]))
    with pytest.raises(FetchError, match="not public"):
        get(guard, "http://a.example/", "http://a.example:8100/")
    assert wire.reached == [("8.8.8.8", 80)]


def test_the_next_address_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    wire = Wire(monkeypatch, refusing=("2606:4700::1",))
    get(NetworkGuard(resolver=Resolver(["2606:4700::1", "8.8.8.8"])), "http://a.example/")
    assert [host for host, _ in wire.reached] == ["2606:4700::1", "8.8.8.8"]


def test_a_refused_connection_is_httpx_own_error(monkeypatch: pytest.MonkeyPatch) -> None:
    Wire(monkeypatch, refusing=("8.8.8.8",))
    with pytest.raises(httpx.ConnectError):
        get(NetworkGuard(resolver=Resolver(["8.8.8.8"])), "http://a.example/")


def test_no_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:3128")
    wire = Wire(monkeypatch)
    get(NetworkGuard(resolver=Resolver(["8.8.8.8"])), "http://a.example/")
    assert wire.reached == [("8.8.8.8", 80)]


def test_urls_are_not_logged(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    Wire(monkeypatch)
    with caplog.at_level(logging.DEBUG):
        get(NetworkGuard(resolver=Resolver(["8.8.8.8"])), "http://a.example/?sig=SECRET")
    assert "SECRET" not in caplog.text
