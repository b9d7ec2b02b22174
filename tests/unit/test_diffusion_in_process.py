"""Segments made in this process: they come as they are made, stay after an error, go with the finished video."""

from __future__ import annotations

import os
import shutil
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_diffusion_assignment import BLANK, written
from test_diffusion_generator import LONG

from understudy.engines.diffusion import in_process
from understudy.engines.diffusion.assignment import Assignment
from understudy.engines.diffusion.generator import Generator
from understudy.engines.diffusion.in_process import KEPT_S, InProcess
from understudy.engines.diffusion.model import FakeModel
from understudy.engines.diffusion.room import segments_bytes
from understudy.engines.diffusion.spec import WAN_ANIMATE_2
from understudy.errors import EngineError, SettingError
from understudy.progress import silent


class Slow(FakeModel):
    """Waits before segment ``at`` until it is let go."""

    def __init__(self, at: int) -> None:
        super().__init__(WAN_ANIMATE_2)
        self.at, self.let_go = at, threading.Event()

    def make(self, begun: object, number: int, *rest: object) -> object:  # type: ignore[override]
        if number == self.at:
            assert self.let_go.wait(30)
        return super().make(begun, number, *rest)  # type: ignore[arg-type]


def source_of(folder: Path, model: FakeModel, weights: str = "some") -> InProcess:
    return InProcess(Generator(lambda *_: model), folder / "kept", fingerprint=lambda _: weights)


def all_made(source: InProcess, blank: Assignment = LONG, stop_after: int = 99) -> list[int]:
    """How many frames each segment had, up to ``stop_after`` segments."""
    counts: list[int] = []
    with source.place() as place:
        assignment, driving = written(place, blank)
        segments = source.segments(place, assignment, silent)
        at = 0
        for made in segments:
            counts.append(len(made))
            inside = driving[at : at + len(made)]
            assert (made[: len(inside), 1:] == 255 - inside[:, 1:]).all()
            at += len(made)
            if len(counts) == stop_after:
                segments.close()
                raise KeyboardInterrupt
        segments.close()
    return counts


def broken_off(folder: Path) -> Slow:
    """The model of a run that was interrupted after its first segment."""
    first = Slow(1)
    threading.Timer(0.5, first.let_go.set).start()
    with pytest.raises(KeyboardInterrupt):
        all_made(source_of(folder, first), stop_after=1)
    return first


def test_the_first_segment_comes_before_the_last_is_made(tmp_path: Path) -> None:
    model = Slow(2)
    source = source_of(tmp_path, model)
    with source.place() as place:
        assignment, _ = written(place, LONG)
        segments = source.segments(place, assignment, silent)
        assert len(next(segments)) == 81
        assert len(next(segments)) == 80
        assert model.made == [0, 1]
        model.let_go.set()
        assert len(next(segments)) == 80
        segments.close()


def test_nothing_is_left_of_a_finished_video(tmp_path: Path) -> None:
    assert all_made(source_of(tmp_path, FakeModel(WAN_ANIMATE_2))) == [81, 80, 80]
    assert list((tmp_path / "kept").iterdir()) == []


def test_what_was_made_before_an_interruption_is_there_the_next_time(tmp_path: Path) -> None:
    first = broken_off(tmp_path)
    assert first.made[0] == 0
    again = FakeModel(WAN_ANIMATE_2)
    assert all_made(source_of(tmp_path, again)) == [81, 80, 80]
    assert again.made == [number for number in range(3) if number not in first.made]
    assert list((tmp_path / "kept").iterdir()) == []


def test_another_seed_does_not_go_on_with_it(tmp_path: Path) -> None:
    broken_off(tmp_path)
    again = FakeModel(WAN_ANIMATE_2)
    all_made(source_of(tmp_path, again), Assignment(**{**LONG.__dict__, "seed": 6}))
    assert again.made == [0, 1, 2]


def test_other_weights_do_not_go_on_with_it(tmp_path: Path) -> None:
    broken_off(tmp_path)
    again = FakeModel(WAN_ANIMATE_2)
    all_made(source_of(tmp_path, again, "others"))
    assert again.made == [0, 1, 2]


def test_the_makers_error_comes_out(tmp_path: Path) -> None:
    failure = EngineError("gpu_memory", "Too little.", fix="Take less.")
    with pytest.raises(EngineError, match="Too little"):
        all_made(source_of(tmp_path, FakeModel(WAN_ANIMATE_2, fail_at=1, error=failure)))


def test_two_processes_at_the_same_work_do_not_meet(tmp_path: Path) -> None:
    slow, quick = Slow(1), FakeModel(WAN_ANIMATE_2)
    source = source_of(tmp_path, slow)
    with source.place() as place:
        assignment, _ = written(place, LONG)
        segments = source.segments(place, assignment, silent)
        next(segments)  # and holds its lock now
        assert all_made(source_of(tmp_path, quick)) == [81, 80, 80]
        slow.let_go.set()
        assert len(list(segments)) == 2
    assert quick.made == [0, 1, 2]
    assert list((tmp_path / "kept").iterdir()) == []


def test_what_was_left_long_ago_goes(tmp_path: Path) -> None:
    old, young = tmp_path / "kept" / "old", tmp_path / "kept" / "young"
    for place in (old, young):
        place.mkdir(parents=True)
        np.save(place / "segment-000.npy", np.zeros(3))
    then = time.time() - KEPT_S - 60
    os.utime(old, (then, then))
    all_made(source_of(tmp_path, FakeModel(WAN_ANIMATE_2)), BLANK)
    assert not old.exists()
    assert young.exists()


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("a file")
    with pytest.raises(EngineError) as caught:
        all_made(source_of(tmp_path, FakeModel(WAN_ANIMATE_2)))
    assert caught.value.code == "segments_unwritable"


def test_a_folder_is_cleared_while_nobody_else_can_take_it_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second run of the same inputs, which begins while the first one clears away what it kept."""
    source, other = source_of(tmp_path, FakeModel(WAN_ANIMATE_2)), FakeModel(WAN_ANIMATE_2)
    counts: list[list[int]] = []
    remove = shutil.rmtree

    def slow(path: Path, **options: Any) -> None:
        if not counts and Path(path).parent.name == "kept" and Path(path).name.endswith("-some"):
            counts.append(all_made(source_of(tmp_path, other)))
        remove(path, **options)

    monkeypatch.setattr(shutil, "rmtree", slow)
    assert all_made(source) == [81, 80, 80]
    assert counts == [[81, 80, 80]]


@pytest.mark.parametrize(
    ("variable", "told"), [("UNDERSTUDY_GPU_STEPS", "500"), ("UNDERSTUDY_GPU_PIXELS", "-1")]
)
def test_numbers_that_cannot_be_are_told_before_any_work(
    monkeypatch: pytest.MonkeyPatch, variable: str, told: str
) -> None:
    monkeypatch.setenv(variable, told)
    monkeypatch.setattr(in_process, "_maker", lambda: None)
    with pytest.raises(SettingError, match=variable):
        in_process.wan_animate()


@pytest.mark.parametrize("variable", ["UNDERSTUDY_GPU_PLAN", "UNDERSTUDY_GPU_PRECISION"])
def test_a_plan_that_is_none_is_told_before_any_work(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, "tiny")
    with pytest.raises(EngineError) as caught:
        in_process.wan_animate()
    assert caught.value.code == "gpu_plan"
    assert variable in caught.value.fix


def free_bytes(monkeypatch: pytest.MonkeyPatch, free: int) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**12, 10**12, free))


def test_what_is_kept_counts_as_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = broken_off(tmp_path)
    free_bytes(monkeypatch, segments_bytes(LONG, len(first.made)))
    assert all_made(source_of(tmp_path, FakeModel(WAN_ANIMATE_2))) == [81, 80, 80]


def test_too_little_room_for_the_segments_is_told_before_one_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = FakeModel(WAN_ANIMATE_2)
    free_bytes(monkeypatch, segments_bytes(LONG) - 1)
    with pytest.raises(EngineError) as caught:
        all_made(source_of(tmp_path, model))
    assert caught.value.code == "segments_room"
    assert model.made == []


def test_arrays_that_nobody_goes_on_from_are_cleared_at_once(tmp_path: Path) -> None:
    """A killed run's: of one that had not begun to make anything all of it, else what the next run writes anew."""
    unknown, known = tmp_path / "kept" / "new-x", tmp_path / "kept" / "known"
    for place in (unknown, known):
        place.mkdir(parents=True)
        for name in ("reference", "driving", "segment-000", "tail-000"):
            np.save(place / f"{name}.npy", np.zeros(3))
    source = source_of(tmp_path, FakeModel(WAN_ANIMATE_2))
    with source.place() as alive:
        all_made(source_of(tmp_path, FakeModel(WAN_ANIMATE_2)), BLANK)
        assert alive.exists()
    assert not unknown.exists()
    assert {path.name for path in known.glob("*.npy")} == {"segment-000.npy", "tail-000.npy"}


def test_a_disk_that_is_full_before_the_first_segment_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(in_process, "_locked", full)
    with pytest.raises(EngineError, match="No space left") as caught:
        all_made(source_of(tmp_path, FakeModel(WAN_ANIMATE_2)))
    assert caught.value.code == "segments_unwritable"
    assert "<data>/segments" in caught.value.fix


def test_what_nobody_foresaw_is_told_as_the_service_tells_it(tmp_path: Path) -> None:
    model = FakeModel(WAN_ANIMATE_2, fail_at=1, error=RuntimeError("an illegal access"))
    with pytest.raises(EngineError) as caught:
        all_made(source_of(tmp_path, model))
    assert caught.value.code == "engine_failed"
    assert "RuntimeError" in caught.value.message
    told = tmp_path / "gpu-error.txt"
    assert str(told) in caught.value.fix
    assert "an illegal access" in told.read_text()
    assert "Traceback" in told.read_text()
    assert isinstance(caught.value.__cause__, RuntimeError)
