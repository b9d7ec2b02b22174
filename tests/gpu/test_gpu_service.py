"""The service with the real model's code on tiny weights: a GPU's task is made by the worker that is for it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from served import PROGRAM, STOP_S, Served, served

from understudy.media.clip import probe, read_frames
from understudy.sample import character_path, clip_path

WAIT_S = 300.0
SMALL = {"GPU_DEVICE": "cpu", "GPU_PIXELS": "4096", "GPU_STEPS": "1"}


@contextmanager
def worker(service: Served, log: Path) -> Iterator[None]:
    """A worker for GPU tasks alone, beside the service."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            [PROGRAM, "worker", "--work", "gpu"], env=service.environ, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        yield
        assert process.poll() is None
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(STOP_S)


def sent(client: httpx.Client, engine: str) -> str:
    answer = client.post(
        "/tasks",
        data={"engine": engine},
        files={"image": character_path().read_bytes(), "video": clip_path().read_bytes()},
    )
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def until(client: httpx.Client, name: str, *statuses: str) -> dict[str, Any]:
    until_s = time.monotonic() + WAIT_S
    while True:
        task: dict[str, Any] = client.get(f"/tasks/{name}").json()
        if task["status"] in statuses:
            return task
        assert time.monotonic() < until_s, task
        time.sleep(0.2)


def test_a_gpu_workers_task_is_made_by_it_alone(tiny_animate2: Path, tmp_path: Path) -> None:
    shutil.copytree(tiny_animate2, tmp_path / "weights" / "wan-animate-2")
    settings = {"WORK": "cpu", "ENGINES": "wan-animate,fake", "WEIGHTS_DIR": str(tmp_path / "weights"), **SMALL}
    with served(tmp_path, **settings) as service:
        key = service.keys("mine")["api_key"]
        with httpx.Client(
            base_url=f"{service.base_url}/understudy/v1",
            headers={"Authorization": f"Bearer {key}"},
            trust_env=False,
            timeout=30,
        ) as client:
            on_gpu, on_cpu = sent(client, "wan-animate"), sent(client, "fake")
            assert until(client, on_cpu, "succeed", "failed")["status"] == "succeed"
            time.sleep(2)  # one more look into every queue
            assert client.get(f"/tasks/{on_gpu}").json()["status"] == "submitted"
            with worker(service, tmp_path / "worker.log"):
                task = until(client, on_gpu, "succeed", "failed")
            assert task["status"] == "succeed", (task, (tmp_path / "worker.log").read_text())
            video = tmp_path / "made.mp4"
            video.write_bytes(client.get(task["result"]["url"]).content)
    frames = [frame for _, frame in read_frames(probe(video))]
    assert len(frames) == 180
    assert min(frames[0].shape[:2]) == 720
    assert np.abs(frames[0].astype(int) - frames[90]).mean() > 1
    assert not os.path.exists(tmp_path / "data" / "files" / "segments" / on_gpu)
