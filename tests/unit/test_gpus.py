"""Which GPUs a worker takes tasks for."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from understudy.config import Settings
from understudy.engines.diffusion.availability import Availability, Missing
from understudy.engines.diffusion.devices import Device
from understudy.errors import SettingError
from understudy.request import Scene
from understudy.server import worker_process
from understudy.tasks import gpus
from understudy.tasks.gpus import gpu_queues, gpus_of

TWO = Availability((Device("a card", 81920), Device("a card", 81920)), {}, (Scene.IMAGE,))
NONE = Availability((), {Scene.IMAGE: Missing("Not installed: torch.", "Run `pip install`.")}, ())
SETTINGS = Settings(data_dir=Path("/nowhere"))


@pytest.fixture(autouse=True)
def _plain(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("UNDERSTUDY_GPU_DEVICE", "CUDA_VISIBLE_DEVICES"):
        monkeypatch.delenv(name, raising=False)


def there(monkeypatch: pytest.MonkeyPatch, found: Availability) -> None:
    monkeypatch.setattr(gpus, "availability", lambda engine: found)


def test_all_that_are_there_or_those_that_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    there(monkeypatch, TWO)
    assert gpus_of(SETTINGS) == gpus_of(replace(SETTINGS, work="gpu")) == ("0", "1")
    assert gpus_of(replace(SETTINGS, gpus=("1",))) == ("1",)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,GPU-8f6a, 3")
    assert gpus_of(SETTINGS) == ("2", "GPU-8f6a", "3")


def test_none_where_the_worker_is_for_other_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    there(monkeypatch, TWO)
    assert gpus_of(replace(SETTINGS, work="cpu")) == ()


def test_its_queues_are_of_the_scenes_that_can_be_made_here(monkeypatch: pytest.MonkeyPatch) -> None:
    there(monkeypatch, TWO)
    assert gpu_queues(SETTINGS) == ("render-wan-animate-image",)
    assert gpu_queues(replace(SETTINGS, work="cpu")) == ()
    there(monkeypatch, replace(TWO, scenes=(Scene.IMAGE, Scene.VIDEO)))
    assert gpu_queues(SETTINGS) == ("render-wan-animate-image", "render-wan-animate-video")
    there(monkeypatch, NONE)
    assert gpu_queues(SETTINGS) == ()


def test_the_processor_stands_in_once(monkeypatch: pytest.MonkeyPatch) -> None:
    there(monkeypatch, Availability((Device("cpu", None),), {}, (Scene.IMAGE,)))
    monkeypatch.setenv("UNDERSTUDY_GPU_DEVICE", "cpu")
    assert gpus_of(SETTINGS) == ("",)


def test_where_the_engine_is_not_available_it_is_said_only_to_who_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    there(monkeypatch, NONE)
    assert gpus_of(SETTINGS) == ()
    with pytest.raises(SettingError, match="torch") as caught:
        gpus_of(replace(SETTINGS, work="gpu"))
    assert caught.value.fix == "Run `pip install`."


@pytest.mark.parametrize("work", ["all", "gpu"])
def test_a_numbered_device_and_chosen_gpus_contradict_each_other(
    monkeypatch: pytest.MonkeyPatch, work: str
) -> None:
    there(monkeypatch, TWO)
    for device in ("cuda", "cuda:0"):
        monkeypatch.setenv("UNDERSTUDY_GPU_DEVICE", device)
        assert gpus_of(replace(SETTINGS, gpus=("1",), work=work)) == ("1",)
    monkeypatch.setenv("UNDERSTUDY_GPU_DEVICE", "cuda:1")
    assert gpus_of(replace(SETTINGS, work=work)) == ("",)
    with pytest.raises(SettingError, match="cuda:1"):
        gpus_of(replace(SETTINGS, gpus=("1",), work=work))


def test_a_worker_for_gpu_tasks_alone_that_can_make_no_scene_does_not_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its weights went between the two looks at what there is."""

    async def start(hosts: object) -> None:
        raise AssertionError("it started")

    monkeypatch.setattr(worker_process, "gpus_of", lambda settings: ("0",))
    monkeypatch.setattr(worker_process, "gpu_queues", lambda settings: ())
    monkeypatch.setattr(worker_process.GpuHosts, "start", start)
    url = "postgresql://nobody@127.0.0.1:1/none"
    with pytest.raises(SettingError, match="can make none of their scenes") as caught:
        asyncio.run(worker_process.work(Settings(data_dir=tmp_path, work="gpu", database_url=url)))
    assert caught.value.code == "work_impossible"
    assert "`understudy engines`" in caught.value.fix
