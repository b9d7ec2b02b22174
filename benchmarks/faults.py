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
import random
import shutil
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import av
import httpx
import psycopg

from faulty_world import Service, World, kill_at_random, made_files, until
from understudy import sample

KLING = "/v1/videos/motion-control"
ENDS = ("succeed", "failed")


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
