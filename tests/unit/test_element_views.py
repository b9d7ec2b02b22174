"""Which frames of a video become a character's views."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from made_clips import make_clip
from numpy.typing import NDArray
from PIL import Image

from understudy.errors import ClipError, ModelError
from understudy.media.clip import Clip, probe
from understudy.tasks import element_views
from understudy.tasks.element_views import Look, check_element_clip, choose, pick_views
from understudy.tracking.tracker import FakeTracker, Person


def looks(*facings: float | None, sharpness: float = 100.0) -> list[Look]:
    return [Look(float(index), sharpness, facing) for index, facing in enumerate(facings)]


@pytest.mark.parametrize(
    ("facings", "chosen"),
    [
        ((-170, -90, 5, 60, 90, 180), [5, -170, 90, -90]),
        ((179, 20, -179, 100), [20, -179, 100]),  # -179 is but two degrees from 179
        ((0, 1, 2, 3, 4), [0, 4, 2]),  # who never turns has three views all the same
        ((0, 10, 90, 100, 45), [0, 100, 45]),
    ],
    ids=str,
)
def test_views_are_from_different_sides_the_front_first(
    facings: tuple[float, ...], chosen: list[float]
) -> None:
    assert [look.facing_deg for look in choose(looks(*facings), 4)] == chosen


def test_blurred_frames_are_no_views() -> None:
    sharp = looks(30.0, 60.0, 90.0, 120.0)
    blurred = [Look(9.0, 20.0, 0.0), Look(10.0, 20.0, 180.0)]
    assert {look.time_s for look in choose(sharp + blurred, 4)} <= {0.0, 1.0, 2.0, 3.0}


def test_where_nobody_is_found_the_sharpest_of_each_part_is_taken() -> None:
    given = [Look(float(at), 100.0 + (at % 3 == 1), None) for at in range(12)]
    assert [look.time_s for look in choose(given, 4)] == [1.0, 4.0, 7.0, 10.0]
    assert [look.time_s for look in choose(given[:2], 4)] == [0.0, 1.0]
    seen_twice = [*given[:10], replace(given[10], facing_deg=0.0), replace(given[11], facing_deg=90.0)]
    assert len(choose(seen_twice, 4)) == 4


def shown(index: int, *, blurred: bool) -> NDArray[np.uint8]:
    """A text that tells the frame's number, in a picture of its own colour."""
    frame = np.full((360, 640, 3), 60, np.uint8)
    frame[:, :, 0] = 40 + 2 * index
    frame[::8] = 200
    if blurred:
        frame[:] = cv2.GaussianBlur(frame, (31, 31), 0)
    return frame


def facing(degrees: float) -> Person:
    world = np.zeros((33, 3), np.float32)
    across = np.array([math.cos(math.radians(degrees)), 0, math.sin(math.radians(degrees))])
    world[11], world[12] = across * 0.2, -across * 0.2
    lost: Any = np.full((2, 21, 3), np.nan, np.float32)
    return Person(
        world,
        np.ones(33, np.float32),
        world,
        lost,
        np.zeros(2, np.float32),
        np.full((468, 3), np.nan, np.float32),
        0.0,
    )


class Turning(FakeTracker):
    """Finds somebody who turns once around from the first look to the last."""

    def __init__(self) -> None:
        super().__init__([facing(15.0 * step - 180) for step in range(24)])

    def find(self, picture: Any, *, mask: bool = False) -> Person | None:
        return self.track(picture)


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """Four seconds of which every second frame is sharp."""
    return make_clip(
        tmp_path / "turn.mp4", [shown(at, blurred=at % 2 == 0) for at in range(96)], fps=Fraction(24)
    )


def places(folder: Path) -> list[Path]:
    return [folder / f"view-{number}" for number in range(1, 5)]


def test_the_views_of_a_turning_person(clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(element_views, "_tracker", lambda _threads: Turning())
    assert pick_views(clip, places(tmp_path), 1) == 4
    reds = []
    for place in places(tmp_path):
        with Image.open(place) as picture:
            assert (picture.format, picture.size) == ("PNG", (640, 360))
            reds.append(float(np.asarray(picture)[4, 4, 0]))
            assert np.asarray(picture)[8].mean() > 150  # its lines are not blurred
    # Looks of four frames each, 15 degrees apart: 0 degrees is the twelfth look, -180 the first, then the sides.
    front, back, *sides = [(red - 40) / 2 for red in reds]
    assert abs(front - 49) < 3
    assert back < 3
    assert sorted(round(side / 24) for side in sides) == [1, 3]


def test_without_models_views_are_spread_over_the_video(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(**_: object) -> None:
        raise ModelError("model_missing", "There is none.", fix="Pull it.")

    monkeypatch.setattr("understudy.tracking.mediapipe_tracker.MediaPipeTracker", missing)
    assert pick_views(clip, places(tmp_path), 1) == 4
    with_red = [np.asarray(Image.open(place))[4, 4, 0] for place in places(tmp_path)]
    assert sorted(with_red) == with_red
    assert float(with_red[-1]) - float(with_red[0]) > 96


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"duration_s": 2.8}, "clip_too_short"),
        ({"duration_s": 8.2}, "clip_too_long"),
        ({"size_bytes": 200 * 2**20 + 1}, "clip_file_size"),
        ({"width": 339, "height": 600}, "clip_too_small"),
        ({"width": 3851, "height": 2000}, "clip_too_large"),
        ({"width": 1001, "height": 400}, "clip_aspect"),
        ({"width": 1000, "height": 400, "duration_s": 8.05, "size_bytes": 200 * 2**20}, None),
    ],
    ids=str,
)
def test_the_limits_of_a_character_s_video(clip: Path, changed: dict[str, Any], code: str | None) -> None:
    found: Clip = replace(probe(clip), **changed)
    if code is None:
        check_element_clip(found)
        return
    with pytest.raises(ClipError) as caught:
        check_element_clip(found)
    assert caught.value.code == code
    assert caught.value.limit
    assert caught.value.value
