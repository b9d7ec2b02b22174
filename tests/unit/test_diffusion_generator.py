"""The generator: which segments it makes, where it goes on, how it ends."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from test_diffusion_assignment import BLANK, written

from understudy.engines.diffusion.assignment import Assignment, finished, segment, segment_name
from understudy.engines.diffusion.generator import Generator
from understudy.engines.diffusion.maker import StoppedError
from understudy.engines.diffusion.model import FakeModel, Step, segment_frames
from understudy.engines.diffusion.source import STAGE
from understudy.engines.diffusion.spec import LOADING, WAN_ANIMATE_2
from understudy.errors import EngineError
from understudy.progress import silent

LONG = replace(BLANK, frames=200)  # three segments


class OutOfMemoryError(RuntimeError):
    """As torch names its own."""


def made_of(folder: Path, assignment: Assignment) -> np.ndarray:
    return np.concatenate([segment(folder, assignment, n) for n in range(assignment.segments)])


def test_all_segments_in_order_and_each_from_the_one_before(tmp_path: Path) -> None:
    assignment, driving = written(tmp_path, LONG)
    model, told = FakeModel(WAN_ANIMATE_2), []
    Generator(lambda *_: model).make(tmp_path, lambda *now: told.append(now))
    assert model.made == [0, 1, 2]
    made = made_of(tmp_path, assignment)[:200]
    assert (made[:, 1:] == 255 - driving[:, 1:]).all()
    assert (made[:81, 0, 0] == 0).all()
    assert (made[81:, 0, 0] > 0).all()  # the fake's mark of a segment that had one before it
    assert told == [(LOADING, 0, 1), (LOADING, 1, 1), *((STAGE, done, 9) for done in range(10))]


def test_it_goes_on_after_the_last_finished_segment(tmp_path: Path) -> None:
    assignment, _ = written(tmp_path / "whole", LONG)
    Generator(lambda *_: FakeModel(WAN_ANIMATE_2)).make(tmp_path / "whole", silent)
    written(tmp_path / "killed", LONG)
    asked = 0

    def stop_in_the_second() -> bool:
        nonlocal asked
        asked += 1
        return asked > 6

    first, second = FakeModel(WAN_ANIMATE_2), FakeModel(WAN_ANIMATE_2)
    with pytest.raises(StoppedError):
        Generator(lambda *_: first).make(tmp_path / "killed", silent, stop_in_the_second)
    assert first.made == [0]
    told: list[tuple[str, int, int]] = []
    Generator(lambda *_: second).make(tmp_path / "killed", lambda *now: told.append(now))
    assert second.made == [1, 2]
    assert told[2] == (STAGE, 3, 9)
    assert (made_of(tmp_path / "killed", assignment) == made_of(tmp_path / "whole", assignment)).all()


def test_nothing_is_loaded_where_all_is_made(tmp_path: Path) -> None:
    written(tmp_path, LONG)
    loads = []

    def load(assignment: Assignment, told: Step) -> FakeModel:
        loads.append(assignment)
        return FakeModel(WAN_ANIMATE_2)

    generator = Generator(load)
    generator.make(tmp_path, silent)
    generator.make(tmp_path, silent)
    assert len(loads) == 1


def test_a_stop_while_the_model_loads_is_heard_right_after(tmp_path: Path) -> None:
    written(tmp_path, LONG)
    told: list[tuple[str, int, int]] = []
    with pytest.raises(StoppedError):
        Generator(lambda *_: FakeModel(WAN_ANIMATE_2)).make(
            tmp_path, lambda *now: told.append(now), lambda: True
        )
    assert told == [(LOADING, 0, 1)]


def test_a_segment_that_was_cut_off_is_made_again(tmp_path: Path) -> None:
    assignment, _ = written(tmp_path, LONG)
    Generator(lambda *_: FakeModel(WAN_ANIMATE_2)).make(tmp_path, silent)
    (tmp_path / segment_name(1)).write_bytes(b"cut off")
    again = FakeModel(WAN_ANIMATE_2)
    Generator(lambda *_: again).make(tmp_path, silent)
    assert again.made == [1, 2]
    assert finished(tmp_path, assignment) == 3


@pytest.mark.parametrize(
    "error",
    [
        OutOfMemoryError("CUDA out of memory"),
        MemoryError(),
        RuntimeError("CUDA error: out of memory"),
        RuntimeError("cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED"),
    ],
)
def test_out_of_memory_is_told_and_the_next_try_goes_on(tmp_path: Path, error: Exception) -> None:
    assignment, _ = written(tmp_path, LONG)
    model = FakeModel(WAN_ANIMATE_2, fail_at=1, error=error)
    generator = Generator(lambda *_: model)
    with pytest.raises(EngineError) as caught:
        generator.make(tmp_path, silent)
    assert caught.value.code == "gpu_memory"
    assert "UNDERSTUDY_GPU_PLAN" in caught.value.fix
    assert finished(tmp_path, assignment) == 1
    generator.make(tmp_path, silent)
    assert finished(tmp_path, assignment) == 3


def test_a_card_that_was_too_full_goes_on_with_what_needs_less(tmp_path: Path) -> None:
    assignment, driving = written(tmp_path, LONG)
    larger = FakeModel(WAN_ANIMATE_2, fail_at=1, error=OutOfMemoryError("CUDA out of memory"))
    smaller = FakeModel(WAN_ANIMATE_2)
    models = [larger, smaller]
    generator = Generator(lambda *_: models[0], lambda asked: asked == assignment and bool(models.pop(0)))
    generator.make(tmp_path, silent)
    assert (larger.made, larger.forgot, smaller.made) == ([0], 1, [1, 2])
    assert (made_of(tmp_path, assignment)[:200, 1:] == 255 - driving[:, 1:]).all()


@pytest.mark.parametrize(
    "error",
    [MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9")],
)
def test_the_machines_own_memory_is_not_saved_by_another_plan(tmp_path: Path, error: Exception) -> None:
    written(tmp_path, LONG)
    model = FakeModel(WAN_ANIMATE_2, fail_at=1, error=error)
    with pytest.raises(EngineError) as caught:
        Generator(lambda *_: model, lambda _: pytest.fail("asked for another")).make(tmp_path, silent)
    assert caught.value.code == "gpu_memory"
    assert "machine's own" in caught.value.message


def test_a_stop_is_heard_between_the_parts_that_are_loaded(tmp_path: Path) -> None:
    written(tmp_path, LONG)
    told: list[tuple[str, int, int]] = []

    def load(assignment: Assignment, part: Step) -> FakeModel:
        part(10, 40)
        raise AssertionError("it went on")

    with pytest.raises(StoppedError):
        Generator(load).make(tmp_path, lambda *now: told.append(now), lambda: len(told) > 1)
    assert told == [(LOADING, 0, 1), (LOADING, 10, 41)]


def test_two_threads_come_one_after_the_other(tmp_path: Path) -> None:
    """As the Python API's users may: the model and its scheduler are the process's."""
    inside, most = 0, 0

    class Counting(FakeModel):
        def make(self, *arguments: object) -> object:  # type: ignore[override]
            nonlocal inside, most
            inside += 1
            most = max(most, inside)
            time.sleep(0.02)
            made = super().make(*arguments)  # type: ignore[arg-type]
            inside -= 1
            return made

    generator = Generator(lambda *_: Counting(WAN_ANIMATE_2))
    assignments = [written(tmp_path / name, LONG)[0] for name in ("one", "two")]
    with ThreadPoolExecutor(2) as both:
        works = [both.submit(generator.make, tmp_path / name, silent) for name in ("one", "two")]
        for work in works:
            work.result()
    assert most == 1
    assert [finished(tmp_path / name, a) for name, a in zip(("one", "two"), assignments, strict=True)] == [
        3,
        3,
    ]


def test_who_waits_for_another_thread_can_be_stopped(tmp_path: Path) -> None:
    begun, go_on = threading.Event(), threading.Event()

    class Waiting(FakeModel):
        def make(self, *arguments: object) -> object:  # type: ignore[override]
            begun.set()
            assert go_on.wait(30)
            return super().make(*arguments)  # type: ignore[arg-type]

    generator = Generator(lambda *_: Waiting(WAN_ANIMATE_2))
    for name in ("one", "two"):
        written(tmp_path / name, LONG)
    with ThreadPoolExecutor(1) as beside:
        first = beside.submit(generator.make, tmp_path / "one", silent)
        assert begun.wait(30)
        with pytest.raises(StoppedError):
            generator.make(tmp_path / "two", silent, lambda: True)
        go_on.set()
        first.result()


def test_other_errors_come_as_they_are(tmp_path: Path) -> None:
    written(tmp_path, LONG)
    model = FakeModel(WAN_ANIMATE_2, fail_at=0, error=RuntimeError("a bug"))
    with pytest.raises(RuntimeError, match="a bug"):
        Generator(lambda *_: model).make(tmp_path, silent)


def test_padding_goes_back_and_forth_however_short_the_clip() -> None:
    spec = replace(WAN_ANIMATE_2, segment_frames=9)
    assert segment_frames(spec, 4, 0).tolist() == [0, 1, 2, 3, 3, 2, 1, 0, 0]
    assert segment_frames(spec, 1, 0).tolist() == [0] * 9
    assert segment_frames(spec, 12, 1).tolist() == [8, 9, 10, 11, 11, 10, 9, 8, 7]
