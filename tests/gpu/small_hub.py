"""A hub of one's own on 127.0.0.1: the few answers of huggingface.co that a pull asks for, and what can go wrong."""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from urllib.parse import unquote, urlsplit

from small_weights import blob_of

LARGE = (".safetensors", ".model")  # kept apart from git, by their SHA-256


@dataclass
class Seen:
    """A request, as it came."""

    method: str
    path: str
    range: str | None
    authorized: bool


@dataclass
class Repo:
    """``commits`` are the files of each; ``main`` is where the name leads."""

    commits: dict[str, dict[str, bytes]]
    main: str


@dataclass
class SmallHub:
    repos: dict[str, Repo]
    address: str = ""
    elsewhere: str = ""  # where large files come from: another host, as the hub's own do
    seen: list[Seen] = field(default_factory=list)
    served_bytes: int = 0
    refuse: int = 0  # a status for everything
    refusal: Mapping[str, str] = field(default_factory=dict)
    break_at: dict[str, list[int]] = field(default_factory=dict)  # by the end of a path: bytes of each answer
    changed: dict[str, bytes] = field(default_factory=dict)  # by the end of a path: sent instead
    delay_s: float = 0.0  # after each piece
    ranges: bool = True
    gate: Event = field(default_factory=Event)  # what breaks is held open until it is set

    def __post_init__(self) -> None:
        self.gate.set()

    def asked(self, part: str) -> list[Seen]:
        return [one for one in self.seen if part in one.path]

    def content(self, digest: str) -> tuple[str, bytes]:
        for repo in self.repos.values():
            for files in repo.commits.values():
                for path, content in files.items():
                    if hashlib.sha256(content).hexdigest() == digest:
                        return path, content
        raise KeyError(digest)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: SmallHub

    def log_message(self, *_: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        hub = self.hub
        path = unquote(urlsplit(self.path).path)
        hub.seen.append(Seen(self.command, path, self.headers.get("Range"), "Authorization" in self.headers))
        if hub.refuse:
            self._say(hub.refuse, b"{}", hub.refusal)
            return
        if path.startswith("/large/"):
            name, content = hub.content(path.removeprefix("/large/"))
            self._send(name, content)
            return
        api = re.fullmatch(r"/api/models/([^/]+/[^/]+)/(revision|tree)/([^/]+)", path)
        file = re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path)
        found = api or file
        repo = hub.repos.get(found[1]) if found else None
        if repo is None or found is None:
            self._say(404, b"{}", {"X-Error-Code": "RepoNotFound"})
            return
        commit = found[3] if api else found[2]
        commit = repo.main if commit == "main" else commit
        if commit not in repo.commits:
            self._say(404, b"{}", {"X-Error-Code": "RevisionNotFound"})
        elif api and api[2] == "revision":
            self._say(200, json.dumps({"_id": "1", "id": found[1], "sha": commit}).encode())
        elif api:
            self._say(200, json.dumps([entry(*each) for each in repo.commits[commit].items()]).encode())
        elif found[3] not in repo.commits[commit]:
            self._say(404, b"{}", {"X-Error-Code": "EntryNotFound"})
        else:
            content = repo.commits[commit][found[3]]
            if found[3].endswith(LARGE):
                place = f"{hub.elsewhere}/large/{hashlib.sha256(content).hexdigest()}"
                self._say(302, b"", {"Location": place, "X-Repo-Commit": commit})
            else:
                self._send(found[3], content)

    def _send(self, name: str, content: bytes) -> None:
        hub = self.hub
        content = next((bad for end, bad in hub.changed.items() if name.endswith(end)), content)
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", "") if hub.ranges else "")
        start = int(asked[1]) if asked else 0
        self.send_response(206 if asked else 200)
        if asked:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        rest = content[start:]
        self.send_header("Content-Length", str(len(rest)))
        self.end_headers()
        breaks = next((each for end, each in hub.break_at.items() if name.endswith(end)), [])
        many = breaks.pop(0) if breaks else len(rest)
        for at in range(0, min(many, len(rest)), 2**20):
            piece = rest[at : min(at + 2**20, many)]
            self.wfile.write(piece)
            hub.served_bytes += len(piece)
            time.sleep(hub.delay_s)
        if many < len(rest):
            self.wfile.flush()
            hub.gate.wait(10)
            self.close_connection = True

    def _say(self, status: int, content: bytes, headers: Mapping[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)


def entry(path: str, content: bytes) -> dict[str, object]:
    """A file in a tree's listing."""
    told: dict[str, object] = {
        "type": "file",
        "path": path,
        "size": len(content),
        "oid": blob_of(content),
    }
    if path.endswith(LARGE):
        digest = hashlib.sha256(content).hexdigest()
        told["lfs"] = {"oid": digest, "size": len(content), "pointerSize": 135}
        told["xetHash"] = digest
    return told


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Whoever asked went away: some tests are about that."""


@contextmanager
def serving(hub: SmallHub) -> Iterator[SmallHub]:
    handler = type("Bound", (Handler,), {"hub": hub})
    server = Server(("127.0.0.1", 0), handler)
    hub.address = f"http://127.0.0.1:{server.server_port}"
    hub.elsewhere = f"http://localhost:{server.server_port}"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
