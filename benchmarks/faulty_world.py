"""What ``faults.py`` works with: sources and a receiver of callbacks, a served instance, and its processes' ends."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from fractions import Fraction
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import av
import httpx
import numpy as np
import psutil
import psycopg
from PIL import Image

from understudy import config
from understudy.tasks.postgres import EmbeddedPostgres

READY = "/understudy/v1/ready"
POSTGRES, CONNECTION = "postgres", "postgres: "
VICTIMS = {  # the words that tell a process, and how often it is chosen
    "api": ("understudy.server.api_process", 3),
    "worker": ("understudy.server.worker_process", 3),
    "postgres": (POSTGRES, 2),
    "connection": (CONNECTION, 1),  # which makes Postgres end all the others as well
    "render": ("understudy.tasks.child", 2),
}


@dataclass
class World:
    """Where sources lie and callbacks arrive. Every tenth callback is turned away at first, with status 500."""

    files: dict[str, bytes]
    heard: list[tuple[str, str, str]] = field(default_factory=list)  # task, message id, status, in order
    turned_away: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _calls: int = 0

    def hear(self, message_id: str, body: dict[str, Any]) -> int:
        with self._lock:
            self._calls += 1
            if self._calls % 10 == 0:
                self.turned_away += 1
                return 500
            self.heard.append((body["task_id"], message_id, body["task_status"]))
            return 200

    @contextmanager
    def served(self) -> Iterator[str]:
        world = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.answer(200, world.files[self.path.lstrip("/")])

            def do_POST(self) -> None:
                with suppress(ValueError):  # who sends it was killed
                    body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                    self.answer(world.hear(self.headers["webhook-id"], body), b"")

            def answer(self, status: int, content: bytes) -> None:
                with suppress(OSError):  # who asked was killed
                    self.send_response(status)
                    self.send_header("Content-Length", str(len(content)))
                    self.end_headers()
                    self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, args=(0.1,), daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            server.server_close()


class Service:
    """``understudy serve`` in a folder of its own, for temporary files too."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self.data_dir, self.temporary = folder / "data", folder / "tmp"
        self.temporary.mkdir()
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        given = {
            "DATA_DIR": str(self.data_dir),
            "MODELS_DIR": str(config.models_dir()),
            "ALLOW_NETWORKS": "127.0.0.0/8",
            "PORT": str(port),
            **settings,
        }
        own = {name: value for name, value in os.environ.items() if not name.startswith("UNDERSTUDY_")}
        environment = own | {f"UNDERSTUDY_{name}": value for name, value in given.items()}
        self.log = folder / "serve.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "understudy.cli", "serve"],
                env={**environment, "TMPDIR": str(self.temporary)},
                stdout=log,
                stderr=log,
            )
        self.root = psutil.Process(self.process.pid)

    def wait_ready(self) -> None:
        until(lambda: httpx.get(self.url + READY).status_code == 200, 90, "ready")
        self.database_url = EmbeddedPostgres(self.data_dir).start()  # it is found running

    def victims(self, words: str) -> list[psutil.Process]:
        """Its processes with these words in their command line; of Postgres the server, or what it does for one
        client."""
        found = []
        for process in self.root.children(recursive=True):
            with suppress(psutil.Error):
                command = process.cmdline()
                if words == POSTGRES:
                    chosen = process.name() == "postgres" and process.parent() == self.root
                elif words == CONNECTION:
                    chosen = command[0].startswith(CONNECTION) and "[local]" in command[0]
                else:
                    chosen = words in command
                if chosen:
                    found.append(process)
        return found

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(40)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def leftovers(self) -> list[str]:
        """Processes of it that still live after its end."""
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                words = " ".join([*process.cmdline(), process.cwd(), process.environ().get("TMPDIR", "")])
                if str(self.data_dir) in words or str(self.temporary) in words:
                    found.append(" ".join(process.cmdline()))
        return found


def until(condition: Callable[[], bool], limit_s: float, what: str) -> None:
    end = time.monotonic() + limit_s
    while time.monotonic() < end:
        with suppress(httpx.HTTPError, psycopg.Error):
            if condition():
                return
        time.sleep(0.3)
    raise SystemExit(f"{what}: not within {limit_s:g} s")


def kill_at_random(service: Service, kills: int, pause_s: float, chance: random.Random) -> Counter[str]:
    """Kill as many processes, with pauses between. Every kind gets its turn; one that is not there waits for it."""
    done: Counter[str] = Counter()
    turns: list[str] = []
    while done.total() < kills and service.process.poll() is None:
        time.sleep(chance.uniform(0.3, 1.7) * pause_s)
        if not turns:
            turns = [name for name, (_, often) in VICTIMS.items() for _ in range(often)]
            chance.shuffle(turns)
        for name in list(turns):
            found = service.victims(VICTIMS[name][0])
            if found:
                with suppress(psutil.Error):
                    chance.choice(found).kill()
                    done[name] += 1
                    turns.remove(name)
                break
        else:
            turns = []  # what is left of them may never come again: without work there is no render to kill
    return done


def made_files() -> dict[str, bytes]:
    """A picture and a clip of three seconds, small, so that the work is quick."""
    with tempfile.TemporaryDirectory() as name:
        picture, clip = Path(name) / "picture.png", Path(name) / "clip.mp4"
        slope = np.linspace(0, 255, 360 * 480 * 3).reshape(480, 360, 3).astype(np.uint8)
        Image.fromarray(slope).save(picture)
        with av.open(str(clip), "w") as container:
            stream = container.add_stream("libx264", rate=Fraction(25), options={"preset": "ultrafast"})
            stream.width, stream.height, stream.pix_fmt = 360, 480, "yuv420p"
            for at in range(77):
                container.mux(stream.encode(av.VideoFrame.from_ndarray(np.roll(slope, at * 4, axis=1))))
            container.mux(stream.encode())
        return {path.name: path.read_bytes() for path in (picture, clip)}
