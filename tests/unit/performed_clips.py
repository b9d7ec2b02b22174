"""The road of a clip that a test made, as far as its frames' places go: from the file to the output's stamps."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from following_engine import Following
from made_motion import performance
from numbered_clips import chart_error, make_numbered, number_of, numbered
from numpy.typing import NDArray
from PIL import Image

from understudy import Result
from understudy.animate import animate
from understudy.engines.registry import ENGINES
from understudy.media.clip import Clip, frame_times, probe, read_frames
from understudy.tracking.motion import Motion

FRAMES = 24
COLOUR = 4.0  # levels of 255: what 4:2:0 and swscale's quick way to RGB cost
tracking = importlib.import_module("understudy.tracking.clip_tracking")
networks = importlib.import_module("understudy.tracking.mediapipe_tracker")


@dataclass(frozen=True)
class Row:
    """One kind of file: how it is made, and what must come out where that is not the usual."""

    name: str
    made: dict[str, Any] = field(default_factory=dict)
    suffix: str = ".mp4"
    changed: Callable[[Path], object] | None = None
    codec: str | None = None
    size: tuple[int, int] = (128, 96)
    fps: Fraction = Fraction(24)
    numbers: Sequence[int] = tuple(range(FRAMES))
    times_s: Sequence[float] | None = None  # None: one frame after the other at ``fps``
    within_s: float | None = None  # None: exact, but for Matroska's milliseconds
    start_s: float = 0.0
    variable: bool = False
    length_s: float | None = None  # None: one frame at ``fps`` after the last
    colour: float = COLOUR


def table(*rows: Row) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("row", [pytest.param(row, id=row.name) for row in rows])


def made_file(row: Row, folder: Path) -> Path:
    path = make_numbered(folder / f"clip{row.suffix}", **{"frames": FRAMES, **row.made})
    if row.changed is not None:
        row.changed(path)
    return path


def track_nothing(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Stand in for tracking: see the frames, keep their numbers (they are returned) and times."""
    seen: list[int] = []

    def track(frames: Iterable[tuple[float, NDArray[np.uint8]]], width: int, height: int, *_: Any) -> Motion:
        times = []
        for time_s, frame in frames:
            assert frame.shape == (height, width, 3)
            times.append(time_s)
            seen.append(number_of(frame))
        stamps = np.array(times) - times[0]
        moving = performance(len(times), 24, width, height)
        return replace(moving, times_s=stamps.astype(np.float32), start_s=times[0])

    monkeypatch.setattr(tracking, "track_clip", track)
    monkeypatch.setattr(networks, "MediaPipeTracker", lambda **_: None)
    monkeypatch.setitem(ENGINES, "fake", lambda *_: Following())
    return seen


def performed(path: Path) -> Result:
    """The whole road."""
    picture = path.parent / "picture.png"
    Image.fromarray(numbered(7, 64, 64)).save(picture)
    return animate(
        picture,
        path,
        output=path.parent / "made.mp4",
        engine="fake",
        limits=False,
        provenance=False,
        threads=1,
    )


def stamps_of(path: Path) -> tuple[list[Fraction], Fraction]:
    """What a player sees: the frames' times and the picture's length, from the file itself."""
    with av.open(str(path)) as file:
        stream = file.streams.video[0]
        assert stream.time_base is not None
        assert stream.duration is not None
        stamps = [Fraction(f.pts or 0) * stream.time_base for f in file.decode(stream)]
        return stamps, stream.duration * stream.time_base


def holds(row: Row, path: Path, tracked: list[int]) -> Clip:
    """All that must be true of a file, a frame or a result of ``row``."""
    clip = probe(path)
    within_s = row.within_s or (6e-4 if row.suffix in {".mkv", ".webm"} else 1e-6)
    wanted = [float(i / row.fps) for i in range(len(row.numbers))] if row.times_s is None else row.times_s
    assert row.codec is None or clip.codec == row.codec
    assert (clip.width, clip.height) == row.size
    assert (clip.fps, clip.variable_rate) == (row.fps, row.variable)
    assert clip.frame_count == len(row.numbers)
    assert clip.start_s == pytest.approx(row.start_s, abs=within_s + 1e-3)
    assert frame_times(clip) == pytest.approx(wanted, abs=within_s)
    shown = list(read_frames(clip, threads=1))
    assert [number_of(frame) for _, frame in shown] == list(row.numbers)
    assert [time_s for time_s, _ in shown] == pytest.approx(wanted, abs=within_s)
    for _, frame in shown[:: max(len(shown) // 4, 1)]:
        assert frame.shape == (row.size[1], row.size[0], 3)
        assert chart_error(frame) <= row.colour
    length_s = wanted[-1] + float(1 / row.fps) if row.length_s is None else row.length_s
    assert clip.duration_s == pytest.approx(length_s, abs=1.1e-3 + within_s)
    result = performed(path)
    assert tracked == list(row.numbers)
    stamps, length = stamps_of(result.path)
    assert result.frames == len(stamps) == len(row.numbers)
    frame_s = float(1 / row.fps)
    if row.variable:
        assert [float(t) for t in stamps] == pytest.approx(wanted, abs=2e-5 + within_s)
    else:
        assert stamps == [i / row.fps for i in range(len(stamps))]
        assert max(abs(float(t) - w) for t, w in zip(stamps, wanted, strict=True)) <= frame_s / 4
    assert float(length) == pytest.approx(length_s, abs=frame_s / 2)
    assert result.duration_s == pytest.approx(float(length), abs=1e-6)
    return clip
