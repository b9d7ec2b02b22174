"""Fetching: whatever the URL is, the only answer is a FetchError that keeps the URL to itself."""

from __future__ import annotations

import asyncio
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.errors import FetchError, UnavailableError
from understudy.media.fetch import fetch
from understudy.media.network import NetworkGuard


async def private(host: str) -> list[str]:
    return ["10.0.0.1"]


def refused(url: str) -> FetchError:
    """Fetching it fails, and leaves nothing in the folder."""
    with TemporaryDirectory() as folder:
        with pytest.raises(FetchError) as caught:
            asyncio.run(
                fetch(
                    url,
                    Path(folder) / "image",
                    guard=NetworkGuard(resolver=private),
                    limit_bytes=10,
                    deadline_s=5,
                    what="reference image",
                )
            )
        assert list(Path(folder).iterdir()) == []
    return caught.value


SCRAPS = st.sampled_from(
    [
        "http",
        "https",
        "://",
        ":",
        "//",
        "/",
        "@",
        "[",
        "]",
        "%00",
        "%",
        "a.example",
        "127.0.0.1",
        "::1",
        ".",
        "?",
        "#",
    ]
)


@given(
    st.one_of(
        st.text(max_size=40),
        st.lists(st.one_of(SCRAPS, st.text(max_size=4)), max_size=12).map("".join),
        st.text(max_size=40).map("http://{}/".format),
        st.text(max_size=40).map("http://a.example{}".format),
        st.text(max_size=40).map("https://a.example/{}".format),
    )
)
def test_no_url_raises_anything_else(url: str) -> None:
    assert refused(url).code in ("fetch_url_invalid", "fetch_address_denied")


def test_a_denied_host_is_told_by_name_only() -> None:
    error = refused("https://media.example/x.png?Signature=SECRET#fragment")
    assert error.code == "fetch_address_denied"
    assert "The reference image cannot be fetched. The host 'media.example' has" in str(error)
    assert "UNDERSTUDY_ALLOW_NETWORKS" in error.fix
    assert "SECRET" not in str(error)
    assert "10.0.0.1" not in str(error)


def test_every_port_of_a_denied_host_answers_alike() -> None:
    told = {str(refused(f"http://media.example:{port}/")) for port in (1, 22, 80, 443, 5432, 65535)}
    assert len(told) == 1


def test_a_name_server_that_hangs_ends_with_the_deadline() -> None:
    async def never(host: str) -> list[str]:
        await asyncio.sleep(60)
        return []

    with pytest.raises(FetchError) as caught:
        asyncio.run(
            fetch(
                "http://a.example/",
                Path("image"),
                guard=NetworkGuard(resolver=never),
                limit_bytes=10,
                deadline_s=0.05,
                what="driving video",
            )
        )
    assert caught.value.code == "fetch_timeout"
    assert "driving video" in caught.value.message


def test_the_fault_of_a_full_or_missing_folder_is_not_the_urls(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Answer:
        status_code = 200
        headers: dict[str, str] = {}  # noqa: RUF012

        async def aiter_raw(self, size: int) -> object:
            yield b"x"

        async def aclose(self) -> None: ...

    async def send(*_: object, **__: object) -> Answer:
        return Answer()

    monkeypatch.setattr("httpx.AsyncClient.send", send)
    with pytest.raises(UnavailableError, match="No such file"):
        asyncio.run(
            fetch(
                "http://a.example/",
                tmp_path / "no" / "image",
                guard=NetworkGuard(resolver=private),
                limit_bytes=10,
                deadline_s=5,
                what="driving video",
            )
        )
