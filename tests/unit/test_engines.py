"""Engines: what is told of them without building them, and the fake that follows no motion."""

from __future__ import annotations

import importlib
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from made_clips import beep, first_sound_s, make_clip, pattern
from PIL import Image

from understudy.animate import animate
from understudy.engines.registry import ENGINES, engine_capabilities, engine_named
from understudy.media.clip import frame_times, probe, read_frames
from understudy.request import Scene
from understudy.tracking.motion import Motion

tracking = importlib.import_module("understudy.tracking.clip_tracking")


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("inputs")
    Image.fromarray(pattern(300, 300)).save(folder / "picture.png")
    make_clip(folder / "clip.mp4", [pattern(340, 340)] * 93, sound=beep(3.1, (1.3,)))
    ticks = [0, *(40 * i + (17 if i % 3 else 0) for i in range(1, 80))]
    make_clip(
        folder / "uneven.mp4",
        [pattern(340, 340)] * 80,
        ticks=ticks,
        base=Fraction(1, 1000),
        fps=Fraction(25),
    )
    return folder


def test_every_engine_tells_what_it_can() -> None:
    told = engine_capabilities()
    assert [each.name for each in told] == list(ENGINES)
    assert told[0].follows_motion
    assert not told[0].reads_prompt
    for each in told:
        assert each.device in ("cpu", "gpu")
        assert each.scenes[0] is Scene.IMAGE
        assert len(each.weights) in (0, len(each.scenes))
        if each.device == "cpu":
            assert engine_named(each.name).capabilities == each
        assert each.description.endswith(".")
        assert "\n" not in each.description


def test_telling_imports_nothing_heavy() -> None:
    script = "import sys; from understudy.engines import registry; registry.engine_capabilities(); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert not {"numpy", "cv2", "av", "PIL", "ai_edge_litert"} & set(done.stdout.split())


@pytest.fixture
def no_models(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("UNDERSTUDY_MODELS_DIR", str(tmp_path / "nowhere"))

    def track(*_: object, **__: object) -> Motion:
        raise AssertionError("tracked")

    monkeypatch.setattr(tracking, "track_clip", track)


@pytest.mark.usefixtures("no_models")
def test_the_fake_needs_no_model(inputs: Path, tmp_path: Path) -> None:
    result = animate(
        inputs / "picture.png",
        inputs / "clip.mp4",
        output=tmp_path / "made.mp4",
        engine="fake",
        provenance=False,
    )
    assert (result.engine, result.frames, result.sound) == ("fake", 93, True)
    assert result.duration_s == pytest.approx(3.1, abs=0.001)
    made = probe(result.path)
    assert (made.width, made.height, made.fps, made.frame_count) == (300, 300, 30, 93)
    assert first_sound_s(result.path) == pytest.approx(1.3, abs=0.03)


@pytest.mark.usefixtures("no_models")
def test_the_fake_keeps_times_that_vary(inputs: Path, tmp_path: Path) -> None:
    result = animate(
        inputs / "picture.png",
        inputs / "uneven.mp4",
        output=tmp_path / "made.mp4",
        engine="fake",
        provenance=False,
    )
    wanted = [time_s for time_s, _ in read_frames(probe(inputs / "uneven.mp4"))]
    assert [time_s for time_s, _ in read_frames(probe(result.path))] == pytest.approx(wanted, abs=1e-3)


def test_frame_times_are_those_of_the_decoded_frames(inputs: Path) -> None:
    for name in ("clip.mp4", "uneven.mp4"):
        clip = probe(inputs / name)
        assert frame_times(clip) == pytest.approx([time_s for time_s, _ in read_frames(clip)], abs=1e-6)


@pytest.mark.usefixtures("no_models")
def test_the_slow_fake_takes_its_time_while_it_draws(inputs: Path, tmp_path: Path) -> None:
    told: list[float] = []

    def progress(stage: str, done: int, total: int) -> None:
        if stage == "drawing":
            told.append(time.monotonic())

    animate(
        inputs / "picture.png",
        inputs / "clip.mp4",
        output=tmp_path / "made.mp4",
        engine="fake-slow",
        provenance=False,
        progress=progress,
    )
    assert len(told) == 93
    assert told[-1] - told[0] > 2.5
    assert np.diff(told).max() < 1
