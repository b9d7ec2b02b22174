"""A client of Kling's Motion Control API, written from its documents, and the world around it: a place where its
pictures and videos lie, and a receiver of callbacks. Nothing here knows Understudy."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import quote

import httpx
import jwt

PATH = "/v1/videos/motion-control"


@dataclass(frozen=True)
class Keys:
    access_key: str
    secret_key: str
    api_key: str


class KlingError(Exception):
    """An answer whose code is not 0."""

    def __init__(self, status: int, body: dict[str, Any]) -> None:
        super().__init__(status, body)
        self.status, self.code, self.message = status, body["code"], body["message"]
        self.body = body


class KlingClient:
    """Signs a token of its own for each request, or sends the API key."""

    def __init__(self, base_url: str, keys: Keys, *, by_api_key: bool = False) -> None:
        self.http = httpx.Client(base_url=base_url, trust_env=False, timeout=60)
        self._keys = keys
        self._by_api_key = by_api_key

    def token(self, **claims: Any) -> str:
        now = int(time.time())
        usual = {"iss": self._keys.access_key, "exp": now + 1800, "nbf": now - 5}
        return jwt.encode(usual | claims, self._keys.secret_key, algorithm="HS256")

    def ask(
        self, method: str, path: str, *, headers: dict[str, str] | None = None, **more: Any
    ) -> httpx.Response:
        token = self._keys.api_key if self._by_api_key else self.token()
        return self.http.request(
            method, path, headers={"Authorization": f"Bearer {token}"} | (headers or {}), **more
        )

    def data(self, method: str, path: str, **more: Any) -> Any:
        response = self.ask(method, path, **more)
        body = response.json()
        assert isinstance(body["code"], int)
        assert isinstance(body["message"], str)
        assert isinstance(body["request_id"], str)
        if body["code"] != 0:
            assert not response.is_success
            raise KlingError(response.status_code, body)
        assert response.status_code == 200
        return body["data"]

    def create(self, *, headers: dict[str, str] | None = None, **fields: Any) -> Any:
        return self.data("POST", PATH, json=fields, headers=headers)

    def query(self, name: str) -> Any:
        return self.data("GET", f"{PATH}/{quote(name, safe='')}")

    def page(self, **parameters: int) -> Any:
        return self.data("GET", PATH, params=parameters)

    def wait(self, task_id: str, *, limit_s: float) -> Any:
        """Polls until the task has ended."""
        until = time.monotonic() + limit_s
        seen = ["submitted"]
        while True:
            task = self.query(task_id)
            if task["task_status"] != seen[-1]:
                seen.append(task["task_status"])
            if task["task_status"] in ("succeed", "failed"):
                assert seen in (["submitted", "processing", seen[-1]], ["submitted", seen[-1]])
                return task
            assert time.monotonic() < until, f"after {limit_s} s the task is {task}"
            time.sleep(0.5)


@dataclass(frozen=True)
class Callback:
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def told(self) -> dict[str, Any]:
        told: dict[str, Any] = json.loads(self.body)
        return told


@dataclass
class World:
    """Serves ``files`` by path (what lies under ``/slow`` once ``released`` is set), keeps what is posted to it."""

    base_url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    posted: list[Callback] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)

    def url(self, path: str) -> str:
        return self.base_url + path

    def callbacks(self, task_id: str, count: int, *, limit_s: float = 30) -> list[Callback]:
        """Those of one task, as they came, once there are so many."""
        until = time.monotonic() + limit_s
        while True:
            mine = [one for one in list(self.posted) if one.told["task_id"] == task_id]
            if len(mine) >= count:
                return mine
            assert time.monotonic() < until, f"after {limit_s} s only {mine} came"
            time.sleep(0.1)


@contextmanager
def world(files: dict[str, bytes]) -> Iterator[World]:
    around = World(files=files)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path.startswith("/slow"):
                around.released.wait(60)
            content = around.files.get(self.path)
            self.send_response(404 if content is None else 200)
            self.send_header("Content-Length", str(len(content or b"")))
            self.end_headers()
            self.wfile.write(content or b"")

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            around.posted.append(Callback(self.path, dict(self.headers), body))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    around.base_url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield around
    finally:
        around.released.set()
        server.shutdown()
        thread.join()
        server.server_close()
