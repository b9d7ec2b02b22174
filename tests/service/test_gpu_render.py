"""Renders of a GPU's engine: what the child wants is made by another process, which stays, whatever a task does."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path

import fake_gpu
import psutil
import pytest
from fake_gpu import begun
from made_clips import make_clip, pattern
from PIL import Image
from test_renderer import TASK

from understudy import config
from understudy.config import Settings
from understudy.errors import EngineError, UnderstudyError
from understudy.extras import install
from understudy.media.clip import probe, read_frames
from understudy.sample import character_path, clip_path
from understudy.storage import FakeStorage
from understudy.tasks import children as module
from understudy.tasks import gpu_host, pace, renderer
from understudy.tasks.folders import WorkFolders
from understudy.tasks.gpu_hosts import GpuHosts
from understudy.tasks.handover import Handover
from understudy.tasks.renderer import Cancelled, ChildDied, Rendered, Renderer
from understudy.tasks.task import Task

GPU_TASK = replace(TASK, engine="wan-animate", sound=False, seed=fake_gpu.SEED)
CHILD = module.COMMAND
MOST_WAITING = 600 * 2**20  # bytes of a child that waits; 250 to 310 MiB were seen
Told = list[tuple[str, float, float | None]]


@dataclass
class Setting:
    """One GPU that is none, a storage, and who renders."""

    settings: Settings
    inputs: Path
    folders: WorkFolders
    hosts: GpuHosts
    log: Path
    storage: FakeStorage = field(default_factory=FakeStorage)
    told: Told = field(default_factory=list)

    async def render(
        self,
        prompt: str = "",
        task: Task = GPU_TASK,
        stop: Callable[[], bool] = lambda: False,
        told: Told | None = None,
    ) -> Rendered:
        async def report(stage: str, share: float, left_s: float | None) -> bool:
            (self.told if told is None else told).append((stage, share, left_s))
            return not stop()

        order = Handover(self.hosts, self.storage, self.folders, self.settings).order(task)
        async with self.folders.new(task.id) as folder:
            for name in ("image", "video"):
                os.link(self.inputs / name, folder / name)
            made = await Renderer(self.settings).render(folder, replace(task, prompt=prompt), report, order)
            assert probe(made.video).frame_count == 91
            return made

    @property
    def numbers(self) -> list[int]:
        return [number for _, number in begun(self.log)]

    @property
    def pids(self) -> set[int]:
        return {pid for pid, _ in begun(self.log)}

    def hosts_alive(self) -> list[int]:
        children = psutil.Process().children(recursive=True)
        return [each.pid for each in children if "fake_gpu" in each.cmdline() and "host" in each.cmdline()]

    def others_alive(self) -> list[int]:
        children = psutil.Process().children(recursive=True)
        ours = (each for each in children if each.name() != "postgres")  # which other tests have started
        return [each.pid for each in ours if "host" not in each.cmdline()]

    def left(self) -> list[str]:
        return [path.name for worker in self.folders.root.iterdir() for path in worker.iterdir()]

    async def until(self, reached: Callable[[], bool], within_s: float = 60) -> None:
        async with asyncio.timeout(within_s):
            while not reached():
                await asyncio.sleep(0.02)


Story = Callable[[Setting], Awaitable[None]]
Run = Callable[[Story], None]


@pytest.fixture(scope="session")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("inputs")
    Image.fromarray(pattern(300, 300)).save(folder / "image", format="PNG")
    make_clip(folder / "clip.mp4", [pattern(340, 340)] * 91).rename(folder / "video")
    return folder


@pytest.fixture
def run(inputs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    models, data = config.models_dir(), tmp_path / "data"
    data.mkdir()
    monkeypatch.setenv("UNDERSTUDY_DATA_DIR", str(data))
    monkeypatch.setenv("UNDERSTUDY_MODELS_DIR", str(models))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(Path(__file__).parent), *filter(None, sys.path)]))
    monkeypatch.setenv(fake_gpu.LOG, str(tmp_path / "segments.log"))
    monkeypatch.setattr(gpu_host, "COMMAND", fake_gpu.command("host"))
    monkeypatch.setattr(module, "COMMAND", fake_gpu.command("child"))

    def run(story: Story) -> None:
        async def told() -> None:
            with WorkFolders(tmp_path / "work") as folders:
                settings = Settings(data_dir=data, threads=2, gpu_steps=fake_gpu.STEPS)
                its = Setting(settings, inputs, folders, GpuHosts(("",)), tmp_path / "segments.log")
                try:
                    await story(its)
                    assert its.others_alive() == []
                    assert its.left() == []
                finally:
                    await its.hosts.close()
                assert its.hosts_alive() == []

        asyncio.run(told())

    return run


def nowhere(left: Callable[[], float | None]) -> AbstractContextManager[None]:
    """Nobody is told of the waiting."""
    return nullcontext()


def kept(its: Setting) -> list[str]:
    return sorted(key.rpartition("/")[2] for key in its.storage.objects)


def test_the_hosts_segments_become_the_video_and_the_model_stays(run: Run) -> None:
    async def story(its: Setting) -> None:
        made = await its.render()
        assert (made.width, made.frames, made.character_found_by) == (64, 91, "model")
        assert made.timings_s["denoising"] >= 0
        assert its.numbers == [0, 1, 2, 3]
        stages = list(dict.fromkeys(stage for stage, _, _ in its.told))
        assert stages[-1] == "sign"
        shares = [share for _, share, _ in its.told]
        assert shares == sorted(shares)
        its.storage.objects.clear()
        await its.render()
        assert its.numbers == [0, 1, 2, 3] * 2
        assert len(its.pids) == 1

    run(story)


def test_progress_is_the_makers(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(renderer, "REPORT_S", 0.1)

    async def story(its: Setting) -> None:
        await its.render("slow")
        denoising = [share for stage, share, _ in its.told if stage == "denoising"]
        assert len(denoising) >= 3
        assert denoising == sorted(denoising)
        assert denoising[0] < 0.8 < denoising[-1]  # where it is busy the first that is told is late

    run(story)


def test_finished_segments_are_stored_and_not_made_again(run: Run) -> None:
    """The host is killed in its third segment: two are there for whoever goes on, in another process."""

    async def story(its: Setting) -> None:
        with pytest.raises(ChildDied, match=r"GPU.*SIGKILL"):
            await its.render("die")
        assert kept(its) == ["segment-000.npy", "segment-001.npy", "tail-000.npy", "tail-001.npy"]
        await its.render("die")
        assert its.numbers == [0, 1, 2, 2, 3]
        assert len(its.pids) == 2
        await its.render("die")  # all are there
        assert its.numbers == [0, 1, 2, 2, 3]
        await its.render("other")  # and are those of this prompt alone
        assert its.numbers == [0, 1, 2, 2, 3, 0, 1, 2, 3]

    run(story)


def test_stored_segments_that_do_not_fit_are_made_again(run: Run) -> None:
    async def story(its: Setting) -> None:
        await its.render()
        key = next(key for key in its.storage.objects if key.endswith("tail-002.npy"))
        its.storage.objects[key] = its.storage.objects[key][:-1]
        await its.render()
        assert its.numbers == [0, 1, 2, 3, 2, 3]

    run(story)


def test_a_storage_that_is_slow_holds_no_segment_up(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(its: Setting) -> None:
        monkeypatch.setattr(its.storage, "put_file", lambda *_, **__: asyncio.sleep(60))
        async with asyncio.timeout(20):
            await its.render()

    run(story)


def test_a_cancelled_task_leaves_the_host_warm(run: Run) -> None:
    async def story(its: Setting) -> None:
        with pytest.raises(Cancelled):
            await its.render("slow", stop=lambda: 1 in its.numbers)
        assert its.others_alive() == []
        at = its.numbers
        await its.render()
        assert its.numbers == [*at, 0, 1, 2, 3]
        assert len(its.pids) == 1

    run(story)


@pytest.mark.parametrize("after_s", [0.0, 0.4, 1.2])
def test_cancelled_in_whatever_phase_nothing_is_left(run: Run, after_s: float) -> None:
    async def story(its: Setting) -> None:
        work = asyncio.create_task(its.render("slow"))
        await asyncio.sleep(after_s)
        work.cancel()
        begun_s = time.monotonic()
        with pytest.raises(asyncio.CancelledError):
            await work
        assert time.monotonic() - begun_s < 2
        assert its.others_alive() == []
        assert its.left() == []
        await its.render()

    run(story)


def test_a_host_that_does_not_stop_is_killed_and_the_next_task_gets_another(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gpu_host, "STOP_S", 0.3)

    async def story(its: Setting) -> None:
        with pytest.raises(Cancelled):
            await its.render("stuck", stop=lambda: 2 in its.numbers)
        await its.render()
        assert len(its.pids) == 2

    run(story)


def test_lack_of_memory_ends_the_task_with_advice_and_the_host_lives(run: Run) -> None:
    async def story(its: Setting) -> None:
        with pytest.raises(EngineError) as caught:
            await its.render("memory")
        assert caught.value.code == "gpu_memory"
        assert "std" in caught.value.fix
        await its.render()
        assert len(its.pids) == 1

    run(story)


def test_an_error_that_nobody_foresaw_ends_the_host_too(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    async def story(its: Setting) -> None:
        with pytest.raises(EngineError) as caught:
            await its.render("broken")
        assert caught.value.code == "engine_failed"
        assert "inner" not in str(caught.value)
        assert "an inner matter" in caplog.text
        await its.render()
        assert len(its.pids) == 2

    run(story)


def test_a_host_without_its_packages_names_the_command(
    run: Run, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv(fake_gpu.NO_MODEL, "1")

    async def story(its: Setting) -> None:
        with pytest.raises(UnderstudyError) as caught:
            await its.render()
        assert caught.value.code == "gpu_packages_missing"
        assert "understudy engines" in caught.value.fix
        assert install("gpu").split("`")[1] in caplog.text  # the operator's

    run(story)


def test_a_host_that_cannot_be_started_is_a_death(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu_host, "COMMAND", ("/nowhere",))

    async def story(its: Setting) -> None:
        with pytest.raises(ChildDied, match="could not be started"):
            await its.render()

    run(story)


def test_the_time_limit_holds_for_the_host_too(run: Run) -> None:
    async def story(its: Setting) -> None:
        its.settings = replace(its.settings, render_timeout_s=2)
        with pytest.raises(EngineError) as caught:
            await its.render("slow for long")
        assert caught.value.code == "render_timeout"
        assert "UNDERSTUDY_RENDER_TIMEOUT_S" in caught.value.fix
        its.settings = replace(its.settings, render_timeout_s=60)
        await its.render()
        assert len(its.pids) == 1

    run(story)


WANTED = "print(json.dumps({'wanted': {'segments': 4}}), flush=True); time.sleep(20)"
ROGUE = """
import json, os, sys, time
from pathlib import Path
import numpy as np
from fake_gpu import written
here = Path()
"""


def rogue(does: str) -> tuple[str, ...]:
    """A child that does that, and says that it wants segments."""
    return (sys.executable, "-P", "-c", f"{ROGUE}{does}\n{WANTED}")


ROGUES = {
    "nothing": ("", "assignment_invalid"),
    "a link to the assignment": (
        "written(here); os.rename('assignment.json', 'x'); os.symlink('x', 'assignment.json')",
        "assignment_invalid",
    ),
    "a link to an array": (
        "written(here); os.rename('driving.npy', 'x'); os.symlink('x', 'driving.npy')",
        "assignment_invalid",
    ),
    "a pipe": ("written(here); os.remove('driving.npy'); os.mkfifo('driving.npy')", "assignment_invalid"),
    "garbage": ("written(here); open('driving.npy', 'wb').write(b'x' * 99)", "assignment_invalid"),
    "a short array": (
        "written(here); os.truncate('driving.npy', os.path.getsize('driving.npy') - 1)",
        "assignment_invalid",
    ),
    "another shape": (
        "written(here); np.save('driving.npy', np.zeros((9, 9), np.uint8))",
        "assignment_invalid",
    ),
    "a pickle": (
        "written(here); np.save('driving.npy', np.array([{}], dtype=object))",
        "assignment_invalid",
    ),
    "a folder": ("written(here); os.remove('driving.npy'); os.mkdir('driving.npy')", "assignment_invalid"),
    "a key that leads elsewhere": (
        "written(here); s = open('assignment.json').read(); "
        "open('assignment.json', 'w').write(s.replace('\"digest\": \"', '\"digest\": \"../'))",
        "assignment_invalid",
    ),
    "a segment that is there": ("written(here); os.symlink('x', 'segment-001.npy')", "assignment_invalid"),
    "another seed": ("written(here, seed=9)", "ChildDied"),
    "more frames": ("written(here, frames=800)", "ChildDied"),
    "other segments": ("written(here, frames=81)", "ChildDied"),
}


@pytest.mark.parametrize("name", ROGUES)
def test_a_rogue_child_harms_its_own_task_alone(run: Run, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    does, code = ROGUES[name]

    async def story(its: Setting) -> None:
        await its.hosts.start()
        await its.until(lambda: bool(its.hosts_alive()))  # a moment passes before it has a command line
        process = its.hosts_alive()
        monkeypatch.setattr(module, "COMMAND", rogue(does))
        with pytest.raises((UnderstudyError, ChildDied)) as caught:
            await its.render()
        assert getattr(caught.value, "code", type(caught.value).__name__) == code
        monkeypatch.setattr(module, "COMMAND", fake_gpu.command("child"))
        await its.render()
        assert its.hosts_alive() == process
        assert len(process) == 1

    run(story)


@pytest.mark.parametrize(
    "wanted",
    [
        {"wanted": 4},
        {"wanted": {"segments": "4"}},
        {"wanted": {"segments": 0}},
        {"wanted": {"segments": 4, "folder": "/etc"}},
    ],
    ids=str,
)
def test_a_rogue_wish_is_not_heard(run: Run, monkeypatch: pytest.MonkeyPatch, wanted: object) -> None:
    script = f"print({json.dumps(wanted)!r})"

    async def story(its: Setting) -> None:
        monkeypatch.setattr(module, "COMMAND", (sys.executable, "-c", script))
        with pytest.raises(ChildDied, match="wants"):
            await its.render()
        assert its.hosts_alive() == []

    run(story)


def test_a_child_that_wants_twice_is_no_child_of_ours(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    does = "written(here, 'slow'); print(json.dumps({'wanted': {'segments': 4}}))"

    async def story(its: Setting) -> None:
        monkeypatch.setattr(module, "COMMAND", rogue(does))
        with pytest.raises(ChildDied, match="no need"):
            await its.render()

    run(story)


def test_an_array_that_is_cut_short_meanwhile_kills_nobody(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Mapped by the host it would be its death."""
    does = f"written(here, 'slow'); file = open('driving.npy', 'r+b'); {WANTED.partition(';')[0]}\n"
    does += "while os.path.exists('driving.npy'): time.sleep(0.001)\nfile.truncate(0)\ntime.sleep(3)\n"

    async def story(its: Setting) -> None:
        monkeypatch.setattr(module, "COMMAND", rogue(does))
        with pytest.raises(Cancelled):
            await its.render(stop=lambda: 2 in its.numbers)
        monkeypatch.setattr(module, "COMMAND", fake_gpu.command("child"))
        await its.render()
        assert len(its.pids) == 1

    run(story)


def test_an_engine_that_needs_no_gpu_may_not_want_one(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(its: Setting) -> None:
        monkeypatch.setattr(module, "COMMAND", rogue(""))

        async def report(stage: str, share: float, left_s: float | None) -> bool:
            return True

        async with its.folders.new(1) as folder:
            with pytest.raises(ChildDied, match="no need"):
                await Renderer(its.settings).render(folder, TASK, report)

    run(story)


def test_two_gpus_make_two_tasks_at_once(run: Run) -> None:
    async def story(its: Setting) -> None:
        its.hosts = GpuHosts(("0", "1"))
        other = replace(GPU_TASK, id=GPU_TASK.id + 1)
        await asyncio.gather(its.render("slow"), its.render("slow", other))
        assert sorted(its.numbers) == sorted([0, 1, 2, 3] * 2)
        assert len(its.pids) == 2

    run(story)


def waits(told: Told) -> bool:
    return bool(told) and told[-1][0] == "waiting"


def test_waiting_for_a_gpu_is_told_and_does_not_count_against_the_time_limit(run: Run) -> None:
    """The limit's clock is the event loop's: it is put on, so that a slow machine still has the whole limit."""
    limit_s, waits_s = 120, 1.5

    async def story(its: Setting) -> None:
        its.settings = replace(its.settings, render_timeout_s=limit_s)
        loop = asyncio.get_running_loop()
        clock, begun_s = loop.time, time.monotonic()
        async with its.hosts.one(0, nowhere):
            work = asyncio.create_task(its.render())
            await its.until(lambda: waits(its.told))
            share = its.told[-1][1]
            loop.time = lambda: clock() + limit_s  # type: ignore[method-assign]
            await asyncio.sleep(waits_s)
            assert not work.done()
            assert waits(its.told)
            assert its.told[-1][1] == share
            assert its.numbers == []
            assert len(its.left()) == 2  # the child's folder, and the assignment out of its reach
        assert waits_s < (await work).timings_s["waiting"] < time.monotonic() - begun_s
        shares = [share for _, share, _ in its.told]
        assert shares == sorted(shares)
        assert its.told[-1][0] == "sign"

    run(story)


def test_who_waits_is_told_how_long_by_who_has_the_gpu(run: Run) -> None:
    async def story(its: Setting) -> None:
        told: Told = []
        first = asyncio.create_task(its.render("slow, then gated"))
        await its.until(lambda: 0 in its.numbers)
        second = asyncio.create_task(its.render("other", replace(GPU_TASK, id=GPU_TASK.id + 1), told=told))
        await its.until(lambda: any(stage == "waiting" and left_s is not None for stage, _, left_s in told))
        assert not first.done()
        fake_gpu.open_gate(its.log)
        await asyncio.gather(first, second)
        assert its.numbers == [0, 1, 2, 3] * 2
        assert len(its.pids) == 1

    run(story)


def test_cancelled_while_it_waits_it_ends_at_once_and_holds_nobody_up(run: Run) -> None:
    async def story(its: Setting) -> None:
        told: Told = []
        async with its.hosts.one(0, nowhere):
            waiting = [
                asyncio.create_task(its.render(task=replace(GPU_TASK, id=number), told=told))
                for number in (1, 2)
            ]
            await its.until(lambda: len(its.left()) == 4)
            await its.until(lambda: waits(told))
            waiting[0].cancel()
            begun_s = time.monotonic()
            await asyncio.wait(waiting[:1])
            assert time.monotonic() - begun_s < 1
            assert waiting[0].cancelled()
            assert len(its.others_alive()) == 1
            assert len(its.left()) == 2
        await waiting[1]
        assert its.numbers == [0, 1, 2, 3]

    run(story)


def test_a_child_that_dies_while_it_waits_is_noticed(run: Run) -> None:
    async def story(its: Setting) -> None:
        async with its.hosts.one(0, nowhere):
            work = asyncio.create_task(its.render())
            await its.until(lambda: waits(its.told))
            os.kill(its.others_alive()[0], signal.SIGKILL)
            with pytest.raises(ChildDied, match="SIGKILL"):
                await work
        await its.render()

    run(story)


def test_the_host_is_told_its_gpu_and_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("UNDERSTUDY_SECRET_KEY", "UNDERSTUDY_DATABASE_URL", "AWS_SECRET_ACCESS_KEY", "HF_TOKEN"):
        monkeypatch.setenv(name, "hidden")
    told = gpu_host._environment("3")
    assert told["CUDA_VISIBLE_DEVICES"] == "3"
    assert "hidden" not in told.values()
    assert told["HF_HUB_OFFLINE"] == "1"


def test_the_engine_itself_in_its_confined_child(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the model alone replaced: its frames are the driving video beside the reference image."""
    monkeypatch.setattr(module, "COMMAND", CHILD)
    stages: list[str] = []  # all of them: a report sees what is there twice a second
    tell, wait = pace.Pace.tell, pace.Pace.wait

    def telling(its: pace.Pace, stage: str, done: int, total: int, now_s: float) -> None:
        stages.append(stage)
        tell(its, stage, done, total, now_s)

    def waiting(its: pace.Pace, left: Callable[[], float | None], now_s: float) -> None:
        stages.append(pace.WAITING)
        wait(its, left, now_s)

    monkeypatch.setattr(pace.Pace, "tell", telling)
    monkeypatch.setattr(pace.Pace, "wait", waiting)

    async def story(its: Setting) -> None:
        async def report(stage: str, share: float, left_s: float | None) -> bool:
            its.told.append((stage, share, left_s))
            return True

        order = Handover(its.hosts, its.storage, its.folders, its.settings).order(GPU_TASK)
        async with its.folders.new(1) as folder:
            shutil.copy(character_path(), folder / "image")
            shutil.copy(clip_path(), folder / "video")
            async with its.hosts.one(0, nowhere):
                work = asyncio.create_task(Renderer(its.settings).render(folder, GPU_TASK, report, order))
                await its.until(lambda: waits(its.told), within_s=120)
                child = psutil.Process(its.others_alive()[0])
                before = child.cpu_times()
                await asyncio.sleep(2)
                spent_s = sum(child.cpu_times()[:2]) - sum(before[:2])
                assert spent_s < 0.2  # its limit on those is not for waiting
                assert child.memory_info().rss < MOST_WAITING
            made = await work
            _, first = next(read_frames(probe(made.video)))
        assert (made.frames, min(made.width, made.height)) == (180, 720)
        known = (*pace.ON_GPU, pace.WAITING)
        in_order = list(dict.fromkeys(stage for stage in stages if stage in known))
        assert in_order[-3:] == ["clip", "waiting", "denoising"]
        assert its.told[-1][0] == "sign"
        assert {"loading", "denoising"} & set(made.timings_s)
        assert first.std() > 5

    run(story)
