"""Create, query and list under load, beside an empty FastAPI app in the same run.

    python benchmarks/load.py --tasks 10000 --requests 600

A real ``understudy serve`` (API, worker, embedded Postgres) in a temporary folder with so many tasks in its table, and
an empty FastAPI app under uvicorn, are asked in turns, one request at a time from another process: medians in
milliseconds and their ratio. Created tasks name a source that the guard refuses, so that no render shares the
processor; with ``--clients`` above 1 as many clients ask at once.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx
import psycopg

EMPTY = """
from fastapi import FastAPI
app = FastAPI()
@app.api_route("/empty", methods=["GET", "POST"])
async def empty() -> dict[str, str]:
    return {}
"""
REQUEST = {
    "model_name": "kling-v2-6",
    "image_url": "http://127.0.0.1:1/hero.png",
    "video_url": "http://127.0.0.1:1/dance.mp4",
    "character_orientation": "video",
    "mode": "std",
}
FILL = """
INSERT INTO tasks (id, account_id, external_task_id, dialect, model, engine, image, video, orientation, mode, sound,
                   watermark, status, reserved, deduction, created_at, updated_at, ended_at, files_deleted_at)
SELECT 1000000000000000 + n, (SELECT min(id) FROM accounts), 'shot ' || n, 'kling', 'kling-v2-6', 'puppet',
       '{"url": "https://example.com/hero.png"}', '{"url": "https://example.com/dance.mp4"}', 'video', 'std', true,
       false, 'failed', 1.5, 0, t, t, t, t
FROM (SELECT n, now() - interval '1 second' * (20000 - n) AS t FROM generate_series(1, %s) AS n) AS rows
"""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tasks", type=int, default=10_000)
    parser.add_argument("--requests", type=int, default=600)
    parser.add_argument("--clients", type=int, default=1)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="understudy-load-") as folder:
        print(
            json.dumps(
                asyncio.run(measure(Path(folder), given.tasks, given.requests, given.clients)), indent=2
            )
        )


async def measure(folder: Path, tasks: int, requests: int, clients: int) -> dict[str, Any]:
    (folder / "empty_app.py").write_text(EMPTY)
    ports = [_free_port(), _free_port()]
    data = folder / "data"
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    empty = [
        sys.executable,
        "-m",
        "uvicorn",
        "--app-dir",
        str(folder),
        "--port",
        str(ports[0]),
        "--no-access-log",
    ]
    ours = [sys.executable, "-m", "understudy.cli", "serve", "--port", str(ports[1]), "--data-dir", str(data)]
    processes = [
        subprocess.Popen([*empty, "empty_app:app"], **quiet),  # type: ignore[call-overload]
        subprocess.Popen(ours, **quiet, env={**os.environ, "UNDERSTUDY_ENGINE": "fake"}),  # type: ignore[call-overload]
    ]
    try:
        async with AsyncExitStack() as stack:
            clients_of = [
                await stack.enter_async_context(
                    httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30)
                )
                for port in ports
            ]
            await _up(clients_of[0], "/empty")
            await _up(clients_of[1], "/understudy/v1/ready")
            keys = json.loads((data / "keys.json").read_text())
            clients_of[1].headers["Authorization"] = f"Bearer {keys['api_key']}"
            _fill(data, tasks)
            return await _ask(*clients_of, requests, clients)
    finally:
        for process in processes:
            process.send_signal(signal.SIGTERM)
        for process in processes:
            process.wait(30)


async def _ask(
    empty: httpx.AsyncClient, ours: httpx.AsyncClient, requests: int, clients: int
) -> dict[str, Any]:
    path = "/v1/videos/motion-control"
    middle = "1000000000005000"
    kinds: dict[str, Callable[[], Awaitable[httpx.Response]]] = {
        "empty GET": lambda: empty.get("/empty"),
        "query": lambda: ours.get(f"{path}/{middle}"),
        "query by external id": lambda: ours.get(f"{path}/shot 5000"),
        "empty POST": lambda: empty.post("/empty", json=REQUEST),
        "create": lambda: ours.post(path, json=REQUEST),
        "list page 1": lambda: ours.get(path, params={"pageNum": 1, "pageSize": 30}),
        "list page 300": lambda: ours.get(path, params={"pageNum": 300, "pageSize": 30}),
    }
    for ask in kinds.values():  # warm
        for _ in range(10):
            (await ask()).raise_for_status()
    took: dict[str, list[float]] = {kind: [] for kind in kinds}

    async def client() -> None:
        for _ in range(requests // clients):
            for kind, ask in kinds.items():
                begun = time.perf_counter()
                answer = await ask()
                took[kind].append((time.perf_counter() - begun) * 1000)
                answer.raise_for_status()

    await asyncio.gather(*(client() for _ in range(clients)))
    p50 = {kind: round(statistics.median(times), 2) for kind, times in took.items()}
    return {
        "p50_ms": p50,
        "p95_ms": {kind: round(statistics.quantiles(times, n=20)[18], 2) for kind, times in took.items()},
        "create / empty POST": round(p50["create"] / p50["empty POST"], 2),
        "query / empty GET": round(p50["query"] / p50["empty GET"], 2),
        "page 300 / page 1": round(p50["list page 300"] / p50["list page 1"], 2),
    }


def _fill(data: Path, tasks: int) -> None:
    lines = (data / "postgres" / "postmaster.pid").read_text().splitlines()
    with psycopg.connect(
        host=lines[4].strip(), user="postgres", dbname="understudy", autocommit=True
    ) as connection:
        connection.execute(FILL, (tasks,))
        connection.execute("VACUUM ANALYZE tasks")


async def _up(client: httpx.AsyncClient, path: str) -> None:
    for _ in range(300):
        try:
            if (await client.get(path)).status_code == 200:
                return
        except httpx.TransportError:
            pass
        await asyncio.sleep(0.1)
    raise SystemExit(f"{client.base_url} did not come up within 30 s")


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


if __name__ == "__main__":
    main()
