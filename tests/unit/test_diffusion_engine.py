"""The wan-animate engine over a fake source of segments: length, rate, size, sound, what is told, what is refused."""

from __future__ import annotations

import itertools
import os
import re
import shutil
import signal
import threading
import time
from collections.abc import Generator
from contextlib import AbstractContextManager
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_clips import beep, first_sound_s, make_clip
from made_motion import performance
from numpy.typing import NDArray
from PIL import Image

from understudy.animate import fulfil
from understudy.engines.diffusion.assignment import Assignment, AssignmentWriter, mapped
from understudy.engines.diffusion.engine import WanAnimateEngine
from understudy.engines.diffusion.generator import Generator as SegmentGenerator
from understudy.engines.diffusion.in_process import InProcess
from understudy.engines.diffusion.model import FakeModel
from understudy.engines.diffusion.source import STAGE, FakeSegments
from understudy.engines.diffusion.spec import WAN_ANIMATE_2
from understudy.errors import EngineError, RequestError
from understudy.media.clip import frame_times, probe, read_frames
from understudy.progress import Progress
from understudy.request import Matting, Mode, MotionRequest, Orientation, Result, Scene
from understudy.tracking.motion import Motion

SECONDS = 4
LOW, HIGH = 60, 180  # the clip grows from one grey to the other


class Watched(FakeSegments):
    """Keeps what it was asked to make, and whether its folder is still there."""

    def place(self) -> AbstractContextManager[Path]:
        place = super().place()
        self.place_of = place
        return place

    def segments(
        self, folder: Path, assignment: Assignment, progress: Progress
    ) -> Generator[NDArray[np.uint8]]:
        self.folder, self.assignment = folder, assignment
        self.driving = np.array(mapped(folder, assignment, assignment.spec.arrays[0][0])[:, ::16, ::16])
        self.reference = np.array(mapped(folder, assignment, "reference"))
        yield from super().segments(folder, assignment, progress)


def grey_clip(path: Path, fps: Fraction, *, width: int = 210, height: int = 320, sound: bool = True) -> Path:
    count = round(SECONDS * fps)
    levels = np.linspace(LOW, HIGH, count)
    frames = (np.full((height, width, 3), round(level), np.uint8) for level in levels)
    return make_clip(path, frames, fps=fps, sound=beep(SECONDS, (1.0, 2.5)) if sound else None)


def asked(folder: Path, fps: Fraction = Fraction(30), **more: object) -> MotionRequest:
    """A request whose motion is given, so that no network is loaded."""
    picture, motion = folder / "picture.png", folder / "motion.npz"
    Image.new("RGB", (300, 400), (200, 30, 30)).save(picture)
    clip = grey_clip(folder / "clip.mp4", fps)
    whole = performance(round(SECONDS * fps), float(fps))
    times = np.asarray(frame_times(probe(clip)), np.float32)
    replace(whole, width=210, height=320, times_s=times).save(motion)
    request = MotionRequest(
        picture, folder / "made.mp4", video=clip, motion=motion, engine="wan-animate", limits=False
    )
    return replace(request, **more)  # type: ignore[arg-type]


def made(folder: Path, fps: Fraction = Fraction(30), **more: object) -> tuple[Result, Watched]:
    source = Watched()
    return fulfil(asked(folder, fps, **more), engine=WanAnimateEngine(source)), source


@pytest.mark.parametrize("fps", [Fraction(n) for n in (12, 24, 25, 30, 60)] + [Fraction(30000, 1001)])
def test_the_video_has_the_clips_rate_length_moments_and_sound(tmp_path: Path, fps: Fraction) -> None:
    result, source = made(tmp_path, fps)
    found = probe(result.path)
    assert result.frames == found.frame_count == round(SECONDS * fps)
    assert abs(found.duration_s - SECONDS) < 0.05
    assert abs(float(found.fps) - float(fps)) < 0.01
    assert source.assignment.spec.fps == 24
    assert abs(source.assignment.frames - SECONDS * 24) <= 1
    beep_s = first_sound_s(result.path)
    assert beep_s is not None
    assert abs(beep_s - 1.0) < 0.05
    for time_s, frame in itertools.islice(read_frames(found), None, None, 7):
        wanted = LOW + (HIGH - LOW) * time_s / (SECONDS - 1 / float(fps))
        assert (
            abs(float(np.median(frame[:, -120:-80])) - wanted) < 4
        )  # the fake's right half is the driving video
        assert abs(frame[:, :40].mean(axis=(0, 1)) - (200, 30, 30)).max() < 12  # and its left the reference


def test_the_model_draws_at_its_own_size_and_the_mode_gets_what_it_promises(tmp_path: Path) -> None:
    result, source = made(tmp_path, mode=Mode.PRO)
    assert (result.width, result.height) == (1080, 1440)
    assert (source.assignment.width, source.assignment.height) == (816, 1104)
    told = {part.what: part.detail for part in result.left_out}
    assert "1080 x 1440" in told["size"]
    assert "816 x" in told["size"]
    assert "24 frames a second; 24 of the video's 120" in told["rate"]


def test_fewer_pixels_and_other_steps_can_be_had(tmp_path: Path) -> None:
    source = Watched()
    engine = WanAnimateEngine(source, most_pixels=64 * 80, steps=3)
    result = fulfil(asked(tmp_path, Fraction(24)), engine=engine)
    assert (source.assignment.width, source.assignment.height) == (48, 80)
    assert (source.assignment.steps, source.assignment.chosen) == (3, True)
    assert (result.width, result.height) == (720, 960)


@pytest.mark.parametrize("fps", [8, 12, 24])
def test_a_video_whose_frames_are_all_the_models_is_told_nothing_else(tmp_path: Path, fps: int) -> None:
    result, _ = made(tmp_path, Fraction(fps))
    assert "rate" not in {part.what for part in result.left_out}


def test_progress_is_the_sources(tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    fulfil(asked(tmp_path), lambda *now: told.append(now), WanAnimateEngine(FakeSegments()))
    assert (STAGE, 2, 2) in told
    assert not [now for now in told if now[0] == "drawing"]


def test_what_the_model_is_told_and_given(tmp_path: Path) -> None:
    _, source = made(tmp_path, prompt="a knight in silver", seed=41)
    assert source.assignment.seed == 41
    assert "a knight in silver" in source.assignment.caption
    assert source.assignment.caption.startswith("人物外观描述：")
    assert source.reference.reshape(-1, 3).max(axis=0).tolist() == [200, 30, 30]
    middle = source.driving[:, source.driving.shape[1] // 2, source.driving.shape[2] // 2, 0].astype(int)
    assert (np.diff(middle) >= -1).all()
    assert middle[-1] - middle[0] > 110


def test_what_is_not_used_is_told(tmp_path: Path) -> None:
    joints, view = tmp_path / "joints.json", tmp_path / "view.png"
    joints.write_text("{}")
    Image.new("RGB", (300, 400)).save(view)
    result, _ = made(
        tmp_path,
        orientation=Orientation.IMAGE,
        views=(view,),
        joints=joints,
        matting=Matting.LEARNED,
    )
    assert {part.what for part in result.left_out} >= {"orientation", "views", "joints", "matting"}


def test_what_the_caption_has_no_room_for_is_told(tmp_path: Path) -> None:
    result, _ = made(tmp_path, prompt="a knight in silver " * 5000)
    told = {part.what: part.detail for part in result.left_out}
    assert re.search(r"last 9\d{4} characters", told["prompt"])
    assert "prompt" not in {part.what for part in made(tmp_path, prompt="a knight in silver")[0].left_out}


@pytest.mark.parametrize(("steps", "told"), [(0, "20 of the ordinary"), (6, "6 of the ordinary")])
def test_the_lack_of_the_lora_is_told(tmp_path: Path, steps: int, told: str) -> None:
    engine = WanAnimateEngine(Watched(), steps=steps, distilled=False)
    result = fulfil(asked(tmp_path, Fraction(30), scene=Scene.VIDEO), engine=engine)
    assert told in {part.what: part.detail for part in result.left_out}["steps"]
    result = fulfil(asked(tmp_path, Fraction(30)), engine=engine)  # of another model
    assert "steps" not in {part.what for part in result.left_out}


def test_in_the_videos_scene_the_output_has_the_videos_shape(tmp_path: Path) -> None:
    result, source = made(tmp_path, scene=Scene.VIDEO)
    assert source.assignment.model == "wan-animate-1"
    assert abs(source.assignment.frames - SECONDS * 30) <= 1
    assert (result.width, result.height) == (720, 1098)
    assert "rate" not in {part.what for part in result.left_out}


@pytest.mark.parametrize(("scene", "frames"), [(Scene.IMAGE, 96), (Scene.VIDEO, 60)])
def test_a_performer_who_is_lost_for_a_while_ends_only_what_needs_them(
    tmp_path: Path, scene: Scene, frames: int
) -> None:
    request = asked(tmp_path, Fraction(24), scene=scene)
    assert request.motion is not None
    motion = Motion.load(request.motion)
    body = motion.body.copy()
    body[24:36] = np.nan
    replace(motion, body=body).save(request.motion)
    result = fulfil(request, engine=WanAnimateEngine(Watched()))
    assert (result.frames, probe(result.path).frame_count) == (frames, frames)
    assert [each.what for each in result.left_out if each.what == "untracked"] == ["untracked"] * (
        scene is Scene.VIDEO
    )


def test_a_motion_alone_is_refused_before_any_work(tmp_path: Path) -> None:
    with pytest.raises(RequestError) as caught:
        made(tmp_path, video=None)
    assert caught.value.code == "video_missing"


def test_too_little_room_for_the_arrays_is_told_before_any_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**9, 10**9, 99_999))
    with pytest.raises(EngineError) as caught:
        made(tmp_path)
    assert caught.value.code == "segments_room"
    assert caught.value.value == "0 MB"
    assert caught.value.limit is not None
    assert caught.value.limit.endswith(" MB")
    assert not caught.value.limit.startswith("0")
    assert "<data>/segments" in caught.value.fix


def test_a_full_disk_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(AssignmentWriter, "add", full)
    with pytest.raises(EngineError, match="No space left") as caught:
        made(tmp_path)
    assert caught.value.code == "segments_unwritable"


def test_a_break_off_ends_the_work_within_a_step(tmp_path: Path) -> None:
    """As Ctrl-C does: while the model is in the midst of a segment, and nobody can close what waits for it."""
    steps: list[int] = []

    class Long(FakeModel):
        def make(self, begun: Any, number: int, before: Any, step: Any) -> Any:
            for done in range(200):
                time.sleep(0.05)
                steps.append(done)
                step(done, 200)
            return super().make(begun, number, before, step)

    maker = SegmentGenerator(lambda *_: Long(WAN_ANIMATE_2))
    engine = WanAnimateEngine(InProcess(maker, tmp_path / "kept"), steps=2)
    request = asked(tmp_path)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
    try:
        threading.Thread(target=interrupt_after, args=(steps,), daemon=True).start()
        with pytest.raises(KeyboardInterrupt):
            fulfil(request, engine=engine)
    finally:
        signal.signal(signal.SIGINT, before)
    assert 0 < len(steps) < 150  # of 200
    assert not list(tmp_path.glob("*made*"))


def interrupt_after(steps: list[int]) -> None:
    while not steps:
        time.sleep(0.05)
    os.kill(os.getpid(), signal.SIGINT)


def test_the_folder_is_gone_afterwards_also_after_an_error(tmp_path: Path) -> None:
    _, source = made(tmp_path)
    assert not source.folder.exists()

    class Broken(Watched):
        def segments(
            self, folder: Path, assignment: Assignment, progress: Progress
        ) -> Generator[NDArray[np.uint8]]:
            self.folder = folder
            yield from itertools.islice(super().segments(folder, assignment, progress), 1)
            raise EngineError("gpu_memory", "Too little memory.", fix="Take a smaller mode.")

    broken = Broken()
    with pytest.raises(EngineError, match="Too little memory"):
        fulfil(asked(tmp_path), engine=WanAnimateEngine(broken))
    assert not broken.folder.exists()
    assert not (tmp_path / "made2.mp4").exists()
