"""A running service whose processes are killed at random: is anything lost, done twice, or left over?

    python benchmarks/faults.py --tasks 50 --kills 30 --seed 1
    python benchmarks/faults.py --real 3 --kills 6

A real ``understudy serve`` in a temporary folder gets tasks through Kling's API; their sources and callbacks are a
server of this process. Meanwhile SIGKILL hits the API, the worker, Postgres and renders. In the end each task must
have ended once, been settled once, and told its receiver of every step, in order; each result must be a video; and
nothing of the service may be left, no process and no file. Prints the counts as JSON; the exit code is 1 where one is
wrong.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
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

from understudy import config, sample
from understudy.tasks.postgres import EmbeddedPostgres

KLING = "/v1/videos/motion-control"
READY = "/understudy/v1/ready"
POSTGRES, CONNECTION = "postgres", "postgres: "
VICTIMS = {  # the words that tell a process, and how often it is chosen
    "api": ("understudy.server.api_process", 3),
    "worker": ("understudy.server.worker_process", 3),
    "postgres": (POSTGRES, 2),
    "connection": (CONNECTION, 1),  # which makes Postgres end all the others as well
    "render": ("understudy.tasks.child", 2),
}
ENDS = ("succeed", "failed")


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


def create(service: Service, key: str, world_url: str, number: int) -> str:
    """The task's id. The request is sent until it is answered: the idempotency key makes it one task."""
    body = {
        "model_name": "kling-v2-6",
        "image_url": f"{world_url}/picture.png",
        "video_url": f"{world_url}/clip.mp4",
        "character_orientation": "video",
        "mode": "std",
        "callback_url": f"{world_url}/callback",
        "external_task_id": f"shot-{number}",
    }
    headers = {"Authorization": f"Bearer {key}", "idempotency-key": f"shot-{number}"}
    while True:
        with suppress(httpx.HTTPError, ValueError):
            answer = httpx.post(service.url + KLING, json=body, headers=headers, timeout=30)
            told = answer.json()
            if told["code"] == 0:
                return str(told["data"]["task_id"])
            if answer.status_code < 500:
                raise SystemExit(f"refused: {told}")
        time.sleep(0.3)


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
    return done


def look_at_database(database_url: str, ids: list[str]) -> dict[str, Any]:
    with psycopg.connect(database_url) as connection:

        def count(query: str) -> int:
            row = connection.execute(query).fetchone()  # type: ignore[arg-type]  # the queries are ours
            return int(row[0]) if row else 0

        statuses = dict(connection.execute("SELECT id::text, status FROM tasks").fetchall())
        errors = connection.execute(
            "SELECT error_code, count(*) FROM tasks WHERE error_code IS NOT NULL GROUP BY 1"
        ).fetchall()
        ends = "SELECT task_id FROM deliveries WHERE status IN ('succeed', 'failed') GROUP BY 1 HAVING count(*) > 1"
        return {
            "tasks": len(statuses),
            "ended": sum(status in ENDS for status in statuses.values()),
            "succeeded": sum(status == "succeed" for status in statuses.values()),
            "failed_by": {str(code): number for code, number in errors},
            "lost": len(set(ids) - set(statuses)) + sum(status not in ENDS for status in statuses.values()),
            "ended_twice": count(f"SELECT count(*) FROM ({ends}) AS twice"),
            "settled": count("SELECT count(*) FROM ledger WHERE kind = 'settle'"),
            "settled_twice": count(
                "SELECT count(*) FROM (SELECT task_id FROM ledger WHERE kind = 'settle' "
                "GROUP BY 1 HAVING count(*) > 1) AS twice"
            ),
            "attempts_most": count("SELECT max(attempt) FROM tasks"),
            "crashes_counted": count("SELECT sum(crashes) FROM tasks"),
            "callbacks": count("SELECT count(*) FROM deliveries"),
            "callbacks_undelivered": count("SELECT count(*) FROM deliveries WHERE state <> 'delivered'"),
            "jobs_left": count(
                "SELECT count(*) FROM procrastinate_jobs WHERE status IN ('todo', 'doing') AND task_name <> 'upkeep'"
            ),
        }


def quiet(database_url: str, number: int) -> bool:
    """Whether all tasks have ended and all callbacks are through."""
    with psycopg.connect(database_url) as connection:
        row = connection.execute(
            "SELECT (SELECT count(*) FROM tasks WHERE ended_at IS NOT NULL), "
            "(SELECT count(*) FROM deliveries WHERE state = 'pending'), "
            "(SELECT count(*) FROM procrastinate_jobs WHERE status IN ('todo', 'doing') AND task_name <> 'upkeep')"
        ).fetchone()
    return row == (number, 0, 0)


def look_at_callbacks(world: World, ids: list[str]) -> dict[str, int]:
    """What the receiver heard: each step at least once, first heard in order, one message for the end of each task."""
    order = ["submitted", "processing", "end"]
    wrong_order = several_ends = unheard = 0
    for task_id in ids:
        first = dict.fromkeys(
            (message, "end" if status in ENDS else status)
            for told, message, status in world.heard
            if told == task_id
        )
        steps = [status for _, status in first]
        wrong_order += steps != sorted(steps, key=order.index)
        several_ends += steps.count("end") > 1
        unheard += steps.count("end") < 1 or steps.count("submitted") != 1
    repeated = len(world.heard) - len({message for _, message, _ in world.heard})
    return {
        "callbacks_heard": len(world.heard),
        "callbacks_heard_again": repeated,
        "callbacks_turned_away": world.turned_away,
        "tasks_unheard": unheard,
        "tasks_in_wrong_order": wrong_order,
        "tasks_heard_to_end_twice": several_ends,
    }


def look_at_results(service: Service, key: str, ids: list[str], folder: Path) -> int:
    """How many of the succeeded tasks' videos are not whole."""

    def broken(task_id: str) -> bool:
        told = httpx.get(f"{service.url}{KLING}/{task_id}", headers={"Authorization": f"Bearer {key}"}).json()
        if told["data"]["task_status"] != "succeed":
            return False
        video = told["data"]["task_result"]["videos"][0]
        path = folder / f"{task_id}.mp4"
        answer = httpx.get(video["url"], timeout=60)
        path.write_bytes(answer.content)
        try:
            with av.open(str(path)) as container:
                frames = sum(1 for _ in container.decode(video=0))
        except av.FFmpegError as error:
            print(
                f"{task_id}: HTTP {answer.status_code}, {len(answer.content)} bytes: {error}", file=sys.stderr
            )
            return True
        return frames < 25 * float(video["duration"]) * 0.9

    with ThreadPoolExecutor(2) as pool:
        return sum(pool.map(broken, ids))


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


def run(
    tasks: int, kills: int, pause_s: float, engine: str, seed: int, real: bool, folder: Path
) -> dict[str, Any]:
    chance = random.Random(seed)
    files = made_files()
    if real:
        files = {
            "picture.png": sample.character_path().read_bytes(),
            "clip.mp4": sample.clip_path().read_bytes(),
        }
    world = World(files)
    began = time.monotonic()
    with world.served() as world_url:
        service = Service(folder, ENGINE=engine)
        try:
            service.wait_ready()
            key = json.loads((service.data_dir / "keys.json").read_text())["api_key"]
            with ThreadPoolExecutor(5) as pool:
                killer = pool.submit(kill_at_random, service, kills, pause_s, chance)
                ids = []
                for number in range(tasks):
                    ids.append(create(service, key, world_url, number))
                    time.sleep(chance.uniform(0, 0.4))
                killed = killer.result()
            until(lambda: quiet(service.database_url, tasks), 1200 if real else 600, "all ended")
            counts = {
                **look_at_database(service.database_url, ids),
                **look_at_callbacks(world, ids),
                "results_broken": look_at_results(service, key, ids, folder),
            }
        finally:
            service.stop()
    left = [
        str(path.relative_to(folder)) for place in ("tmp", "data/work") for path in (folder / place).glob("*")
    ]
    return {
        "killed": dict(killed),
        "accepted": len(set(ids)),
        **counts,
        "processes_left": service.leftovers(),
        "files_left": left,
        "took_s": round(time.monotonic() - began),
    }


def wrong(told: dict[str, Any], tasks: int) -> list[str]:
    """The counts that are not as they have to be."""
    expected = {
        **dict.fromkeys(("accepted", "tasks", "ended", "settled"), tasks),
        **dict.fromkeys(("lost", "ended_twice", "settled_twice", "callbacks_undelivered", "jobs_left"), 0),
        **dict.fromkeys(("tasks_unheard", "tasks_in_wrong_order", "tasks_heard_to_end_twice"), 0),
        "results_broken": 0,
        "processes_left": [],
        "files_left": [],
    }
    found = [name for name, value in expected.items() if told[name] != value]
    # A task that was begun three times when its worker was killed is rightly given up; nothing else may fail.
    return found + [f"failed by {code}" for code in told["failed_by"] if code != "worker_lost"]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tasks", type=int, default=50)
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--pause-s", type=float, default=4.0, help="between two kills, in the mean")
    parser.add_argument("--engine", default="fake")
    parser.add_argument("--real", type=int, default=0, help="so many real renders of the sample instead")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, help="a folder that does not exist; its log and data are kept")
    given = parser.parse_args()
    folder = given.keep or Path(tempfile.mkdtemp(prefix="understudy-faults-"))
    folder.mkdir(parents=True, exist_ok=True)
    tasks = given.real or given.tasks
    engine = "puppet" if given.real else given.engine
    try:
        told = run(tasks, given.kills, given.pause_s, engine, given.seed, bool(given.real), folder)
    finally:
        if given.keep is None:
            shutil.rmtree(folder, ignore_errors=True)
    told["wrong"] = wrong(told, tasks)
    print(json.dumps(told, indent=2))
    sys.exit(1 if told["wrong"] else 0)


if __name__ == "__main__":
    main()
