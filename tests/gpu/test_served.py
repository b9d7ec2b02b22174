"""A service with a GPU worker on tiny weights: tasks of both scenes, and what another worker does not take."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from served import PROGRAM, Served, served

from understudy.media.clip import probe
from understudy.sample import character_path, clip_path

LIMIT_S = 300
PIXELS, STEPS = 64 * 80, 2


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tiny_weights import write_tiny_animate1, write_tiny_animate2

    folder = tmp_path_factory.mktemp("weights")
    write_tiny_animate2(folder / "wan-animate-2")
    write_tiny_animate1(folder / "wan-animate-1")
    return folder


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Its own worker makes what needs no GPU."""
    settings = {
        "ENGINE": "fake",
        "ENGINES": "wan-animate",
        "WORK": "cpu",
        "GPU_PIXELS": str(PIXELS),
        "GPU_STEPS": str(STEPS),
    }
    with served(tmp_path_factory.mktemp("service"), **settings) as running:
        yield running


@contextmanager
def gpu_worker(service: Served, weights: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A worker for GPU tasks alone, with a processor for a GPU."""
    environ = {
        **service.environ,
        "UNDERSTUDY_WORK": "gpu",
        "UNDERSTUDY_GPU_DEVICE": "cpu",
        "UNDERSTUDY_WEIGHTS_DIR": str(weights),
    }
    log = service.log.with_name("gpu-worker.log")
    with log.open("wb") as output:
        process = subprocess.Popen([PROGRAM, "worker"], env=environ, stdout=output, stderr=subprocess.STDOUT)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)
        print(log.read_text(errors="replace")[-5000:])


@pytest.fixture(scope="module")
def client(service: Served) -> Iterator[httpx.Client]:
    key = service.keys("studio")["api_key"]
    headers = {"Authorization": f"Bearer {key}"}
    with httpx.Client(base_url=service.base_url, headers=headers, trust_env=False, timeout=60) as made:
        yield made


def created(client: httpx.Client, **fields: str) -> dict[str, Any]:
    with character_path().open("rb") as image, clip_path().open("rb") as video:
        answer = client.post(
            "/understudy/v1/tasks",
            data={"engine": "wan-animate", **fields},
            files={"image": ("i.png", image), "video": ("v.mp4", video)},
        )
    assert answer.status_code in (200, 201, 202), answer.text
    return answer.json()  # type: ignore[no-any-return]


def ended(client: httpx.Client, task: dict[str, Any]) -> dict[str, Any]:
    until = time.monotonic() + LIMIT_S
    while True:
        now: dict[str, Any] = client.get(f"/understudy/v1/tasks/{task['id']}").json()
        if now["status"] in ("succeed", "failed"):
            return now
        assert time.monotonic() < until, now
        time.sleep(0.5)


def test_a_gpu_worker_takes_gpu_tasks_and_another_does_not(
    service: Served, client: httpx.Client, weights: Path, tmp_path: Path
) -> None:
    waiting = [created(client, seed="5"), created(client, scene="video", sound="false")]
    other = created(client, engine="fake")
    assert ended(client, other)["status"] == "succeed"
    for task in waiting:  # it was put in before
        now = client.get(f"/understudy/v1/tasks/{task['id']}").json()
        assert (now["status"], now["stage"]) == ("submitted", "no worker")
    alone = tmp_path / "weights"
    alone.mkdir()
    (alone / "wan-animate-2").symlink_to(weights / "wan-animate-2")
    with gpu_worker(service, alone):  # it can make the one scene, and leaves the other
        picture = ended(client, waiting[0])
        assert client.get(f"/understudy/v1/tasks/{waiting[1]['id']}").json()["status"] == "submitted"
    with gpu_worker(service, weights):
        scene = ended(client, waiting[1])
    clip = probe(clip_path())
    for task, sound in ((picture, clip.has_audio), (scene, False)):
        assert task["status"] == "succeed", task
        result = task["result"]
        path = tmp_path / f"{task['id']}.mp4"
        path.write_bytes(httpx.get(result["url"], trust_env=False).content)
        made = probe(path)
        assert made.frame_count == clip.frame_count
        assert abs(made.duration_s - clip.duration_s) < 0.05
        assert made.has_audio == sound
        assert min(made.width, made.height) == 720
        assert "size" in {part["what"] for part in result["left_out"]}
    assert picture["seed"] == 5
    assert scene["seed"] not in (None, 5)
    left = list((service.data_dir / "files").glob("segments/*"))
    assert left == []  # what was kept to go on from
