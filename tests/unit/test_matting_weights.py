"""Pulling the learned matte's network: whole, broken off, gone on with, wrong."""

from __future__ import annotations

import fcntl
import hashlib
import threading
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from understudy.engines.puppet import matting_weights
from understudy.engines.puppet.matting_weights import MB, Weights, pull_matting, weights_path
from understudy.errors import ModelError

CONTENT = np.random.default_rng(5).bytes(3 * MB)


class Host(ThreadingHTTPServer):
    """Serves ``content``; ``cuts`` are the bytes after which one answer after the other breaks off."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.content, self.ranges, self.status = CONTENT, True, 200
        self.cuts: list[int] = []
        self.asked: list[str | None] = []


class Answer(BaseHTTPRequestHandler):
    server: Host

    def do_GET(self) -> None:
        wanted = self.headers.get("Range")
        self.server.asked.append(wanted)
        content, status = self.server.content, self.server.status
        if status != 200:
            self.send_error(status)
            return
        start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted and self.server.ranges else 0
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        stop = start + self.server.cuts.pop(0) if self.server.cuts else None
        self.wfile.write(content[start:stop])

    def log_message(self, format: str, *args: object) -> None:
        del format, args


@pytest.fixture
def host() -> Iterator[Host]:
    with Host() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def weights(host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Weights:
    monkeypatch.setenv("UNDERSTUDY_MODELS_DIR", str(tmp_path / "new" / "models"))
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    known = Weights(
        name="small",
        address=f"http://127.0.0.1:{host.server_port}/small.onnx",
        sha256=hashlib.sha256(CONTENT).hexdigest(),
        size_bytes=len(CONTENT),
        licence="none",
    )
    monkeypatch.setattr(matting_weights, "WEIGHTS", known)
    return known


def failed(code: str) -> ModelError:
    with pytest.raises(ModelError) as caught:
        pull_matting()
    assert caught.value.code == code
    return caught.value


def test_what_is_pinned_is_the_file_of_the_release() -> None:
    known = matting_weights.WEIGHTS
    assert known.address.startswith("https://github.com/danielgatis/rembg/releases/download/")
    assert len(known.sha256) == 64
    assert known.size_bytes == 178_648_008
    assert "Apache-2.0" in known.licence


def test_a_pull_brings_the_file_and_tells_how_far_it_is(weights: Weights) -> None:
    told: list[tuple[str, int, int]] = []
    path = pull_matting(lambda *step: told.append(step))
    assert path.read_bytes() == CONTENT
    assert weights_path() == path
    assert [file.name for file in path.parent.iterdir()] == ["small.onnx"]
    assert {stage for stage, _, _ in told} == {"matting MB"}
    assert [done for _, done, _ in told] == sorted(done for _, done, _ in told)
    assert told[-1] == ("matting MB", 3, 3)


def test_a_second_pull_asks_nobody(weights: Weights, host: Host) -> None:
    pull_matting()
    pull_matting()
    assert host.asked == [None]


def test_a_connection_that_breaks_off_is_gone_on_with_at_once(weights: Weights, host: Host) -> None:
    host.cuts = [MB + 7, 500_000]
    assert pull_matting().read_bytes() == CONTENT
    assert host.asked[0] is None
    starts = [int((wanted or "").removeprefix("bytes=").removesuffix("-")) for wanted in host.asked[1:]]
    assert 0 < starts[0] < starts[1] < len(CONTENT)


def test_what_came_stays_for_the_next_pull(weights: Weights, host: Host) -> None:
    host.cuts = [MB, 0]  # the second connection brings nothing: given up
    error = failed("matting_pull_failed")
    assert "goes on where it stopped" in error.fix
    came = weights.part.stat().st_size
    assert 0 < came <= MB
    assert not weights.path.exists()
    assert pull_matting().read_bytes() == CONTENT
    assert host.asked[-1] == f"bytes={came}-"


def test_a_host_without_ranges_begins_anew(weights: Weights, host: Host) -> None:
    host.ranges = False
    weights.part.parent.mkdir(parents=True)
    weights.part.write_bytes(b"x" * 1000)
    assert pull_matting().read_bytes() == CONTENT


@pytest.mark.parametrize("half", [CONTENT, CONTENT + b"more", b"y" * 1000])
def test_a_half_that_is_whole_too_long_or_wrong(weights: Weights, host: Host, half: bytes) -> None:
    weights.part.parent.mkdir(parents=True)
    weights.part.write_bytes(half)
    if half.startswith(b"y"):
        failed("matting_corrupt")  # and it is away: the next pull begins anew
        assert not weights.part.exists()
    assert pull_matting().read_bytes() == CONTENT
    assert len(host.asked) == {len(CONTENT): 0, len(CONTENT) + 4: 1, 1000: 2}[len(half)]


def test_another_file_of_the_same_size_is_refused(weights: Weights, host: Host) -> None:
    host.content = CONTENT[:-1] + bytes([CONTENT[-1] ^ 1])
    error = failed("matting_corrupt")
    assert weights.sha256 in (error.limit or "")
    assert list(weights.path.parent.iterdir()) == []


def test_a_longer_file_is_not_read_to_its_end(weights: Weights, host: Host) -> None:
    host.content = CONTENT * 3
    assert "another file" in failed("matting_pull_failed").message
    assert weights.part.stat().st_size == 0


def test_a_login_page_does_not_become_the_beginning_of_the_file(weights: Weights, host: Host) -> None:
    weights.part.parent.mkdir(parents=True)
    weights.part.write_bytes(CONTENT[:MB])
    host.content, host.ranges = b"<html>Please log in</html>", False
    with pytest.raises(ModelError, match="another file") as raised:
        pull_matting(weights=weights)
    assert raised.value.code == "matting_pull_failed"
    assert weights.part.read_bytes() == CONTENT[:MB]
    host.content, host.ranges = CONTENT, True
    assert pull_matting(weights=weights).read_bytes() == CONTENT


def test_a_host_that_refuses_is_one_error(weights: Weights, host: Host) -> None:
    host.status = 404
    assert "404" in failed("matting_pull_failed").message
    assert len(host.asked) == 1


def test_no_network_is_one_error(weights: Weights, monkeypatch: pytest.MonkeyPatch) -> None:
    nowhere = replace(weights, address="http://127.0.0.1:1/small.onnx")
    monkeypatch.setattr(matting_weights, "WEIGHTS", nowhere)
    assert str(weights.path) in failed("matting_pull_failed").fix


def test_two_pulls_at_once_do_not_mix(weights: Weights, host: Host) -> None:
    weights.part.parent.mkdir(parents=True)
    with weights.part.open("wb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        assert "another process" in failed("matting_pull_failed").message
    assert host.asked == []


def test_a_folder_that_cannot_be_made_is_one_error(
    weights: Weights, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("UNDERSTUDY_MODELS_DIR", str(tmp_path / "file" / "models"))
    failed("matting_pull_failed")


def test_looking_for_the_file_downloads_nothing(weights: Weights, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(urllib.request, "urlopen", lambda *_, **__: pytest.fail("opened a connection"))
    with pytest.raises(ModelError) as caught:
        weights_path()
    assert caught.value.code == "matting_missing"
    assert caught.value.fix.startswith("Run `understudy models pull matting`.")
    weights.path.parent.mkdir(parents=True)
    weights.path.write_bytes(CONTENT[:-1])
    with pytest.raises(ModelError) as caught:
        weights_path()
    assert caught.value.code == "matting_corrupt"
