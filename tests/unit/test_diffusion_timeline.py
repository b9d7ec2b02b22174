"""From the driving video's times to the model's and back: how many frames, which, and none held for long."""

from __future__ import annotations

import weakref
from collections.abc import Generator, Iterator
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import ArrayLike, NDArray

from understudy.engines.diffusion.assignment import MOST_FRAMES
from understudy.engines.diffusion.timeline import (
    SAME_S,
    Frame,
    model_times,
    retimed,
    sampled,
    shown_times,
)
from understudy.errors import EngineError

RATES = (
    8,
    12,
    15,
    Fraction(24000, 1001),
    24,
    25,
    Fraction(30000, 1001),
    30,
    48,
    50,
    Fraction(60000, 1001),
    60,
    120,
)
STEPS = st.lists(st.floats(0.001, 0.5), max_size=40)


def resampled(made: Iterator[Frame], fps: float, times_s: ArrayLike) -> Generator[Frame]:
    """What lies evenly, at the times of a video."""
    return retimed(made, model_times(times_s, fps), times_s)


def even(rate: Fraction | float, frames: int) -> NDArray[np.float32]:
    return (np.arange(frames) / float(rate)).astype(np.float32)


def flat(value: int, side: int = 8) -> Frame:
    return np.full((side, side, 3), value, np.uint8)


def numbered(count: int) -> Generator[Frame]:
    for number in range(count):
        yield flat(number % 256)


def clip(times_s: NDArray[np.float32]) -> Iterator[tuple[float, Frame]]:
    for number, time_s in enumerate(times_s):
        yield float(time_s), flat(number)


def values(frames: Iterator[Frame]) -> list[int]:
    return [int(frame[0, 0, 0]) for frame in frames]


@pytest.mark.parametrize("fps", [24, 30])
@pytest.mark.parametrize("rate", RATES, ids=str)
def test_the_model_covers_every_rate_with_no_frame_too_many(rate: Fraction, fps: int) -> None:
    for frames in (1, 2, 3, 7, 30, 101, 160):
        times_s = even(rate, frames)
        times = model_times(times_s, fps)
        assert times[0] == 0
        assert times[-1] >= times_s[-1] - SAME_S
        assert len(times) == 1 or times[-2] < times_s[-1] - SAME_S


@given(STEPS, st.sampled_from([24, 30]))
def test_the_model_covers_any_times(steps: list[float], fps: int) -> None:
    times_s = np.cumsum([0.0, *steps]).astype(np.float32)
    times = model_times(times_s, fps)
    assert times[0] == 0
    assert times[-1] >= times_s[-1] - SAME_S
    assert len(times) == 1 or times[-2] < times_s[-1] - SAME_S


def test_a_part_at_the_models_own_rate_has_as_many_frames() -> None:
    for rate, fps in ((24, 24), (30, 30)):
        assert [len(model_times(even(rate, frames), fps)) for frames in range(1, 400)] == [*range(1, 400)]


def test_a_part_longer_than_the_model_can_is_told_with_its_limit() -> None:
    longest = (MOST_FRAMES - 1) / 24
    assert len(model_times([0.0, longest], 24)) == MOST_FRAMES
    with pytest.raises(EngineError) as caught:
        model_times([0.0, longest + 0.1], 24)
    assert (caught.value.code, caught.value.limit) == ("too_many_frames", f"{MOST_FRAMES} frames")
    assert "at most 75 s" in caught.value.fix


@pytest.mark.parametrize("times_s", [[], [0.5, 1.0], [0.0, 0.0], [0.0, 1.0, 0.5], [0.0, float("nan")]])
def test_times_that_are_none_of_a_motion_are_a_mistake(times_s: list[float]) -> None:
    with pytest.raises(ValueError, match="times"):
        model_times(times_s, 24)


def test_a_clip_is_shown_by_its_nearest_frames() -> None:
    assert values(sampled(clip(even(30, 9)), even(24, 7))) == [0, 1, 2, 4, 5, 6, 7]  # 2.5 is 2, and 7.5 is 7
    assert values(sampled(clip(even(60, 9)), even(24, 4))) == [0, 2, 5, 7]
    assert values(sampled(clip(even(12, 4)), even(24, 7))) == [0, 0, 1, 1, 2, 2, 3]
    assert values(sampled(clip(even(24, 5)), even(24, 5))) == [0, 1, 2, 3, 4]


def test_a_clip_with_a_gap_shows_what_is_nearest_to_it() -> None:
    times_s = np.array([0, 1, 2, 9, 10], np.float32) / 30
    assert values(sampled(clip(times_s), even(30, 11))) == [0, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4]


def test_past_its_end_a_clips_last_frame_stays() -> None:
    assert values(sampled(clip(even(24, 3)), even(24, 6))) == [0, 1, 2, 2, 2, 2]


@given(STEPS, st.sampled_from([24, 30]))
def test_the_nearest_frame_is_shown_at_the_time_that_is_told(steps: list[float], fps: int) -> None:
    times_s = np.cumsum([0.0, *steps]).astype(np.float32)
    times = model_times(times_s, fps)
    shown = values(sampled(clip(times_s), times))
    assert np.allclose(shown_times(times_s, times), times_s[shown], atol=1e-9)
    nearest = np.abs(times[:, None] - times_s.astype(np.float64)).min(1)
    assert (np.abs(times_s[shown] - times) <= nearest + SAME_S).all()


def test_no_frame_at_all_is_told() -> None:
    with pytest.raises(EngineError) as caught:
        list(sampled(iter(()), [0.0]))
    assert caught.value.code == "frames_missing"


def test_sampling_holds_two_frames_and_reads_no_more_than_it_needs() -> None:
    alive: list[weakref.ref[Frame]] = []
    most = 0

    def frames() -> Iterator[tuple[float, Frame]]:
        nonlocal most
        for number in range(1000):
            frame = flat(number % 256)
            alive.append(weakref.ref(frame))
            most = max(most, sum(entry() is not None for entry in alive))
            yield number / 60, frame
            del frame

    for _ in sampled(frames(), even(24, 48)):
        pass
    assert most <= 4
    assert len(alive) < 125  # two seconds and no more of sixteen


@settings(deadline=None, max_examples=30)
@given(STEPS, st.sampled_from([15, 24, 30]))
def test_as_many_frames_come_as_are_asked_for(steps: list[float], fps: int) -> None:
    times_s = np.cumsum([0.0, *steps]).astype(np.float32)
    count = len(model_times(times_s, fps))
    assert sum(1 for _ in resampled(numbered(count), fps, times_s)) == len(times_s)


@pytest.mark.parametrize("fps", [24, 30])
@pytest.mark.parametrize("rate", RATES, ids=str)
def test_as_many_frames_come_at_every_rate(rate: Fraction, fps: int) -> None:
    times_s = even(rate, 61)
    frames = list(resampled(numbered(len(model_times(times_s, fps))), fps, times_s))
    assert len(frames) == 61
    assert np.array_equal(frames[0], flat(0))


def test_at_the_models_own_times_its_frames_come_as_they_are() -> None:
    generator = np.random.default_rng(1)
    made = [generator.integers(0, 256, (8, 8, 3), np.uint8) for _ in range(90)]
    assert [*map(id, resampled(iter(made), 24, even(24, 90)))] == [*map(id, made)]
    assert [*map(id, resampled(iter(made), 30, even(15, 45)))] == [*map(id, made[::2])]
    every_other = [*map(id, resampled(iter(made), 24, even(48, 179)))][::2]
    assert every_other == [*map(id, made)]
    every_fifth = [*map(id, resampled(iter(made), 24, even(30, 101)))][::5]
    assert every_fifth == [*map(id, made[:81:4])]


def test_one_frame_is_one_frame() -> None:
    made = list(numbered(1))
    assert [*map(id, resampled(iter(made), 24, [0.0]))] == [id(made[0])]


def test_frames_made_at_the_videos_own_times_come_as_they_are() -> None:
    times_s = even(30, 31)
    made_s = shown_times(times_s, model_times(times_s, 24))
    made = list(numbered(len(made_s)))
    frames = [*map(id, retimed(iter(made), made_s, times_s))]
    exact = [*map(id, made)]
    assert sum(frame in exact for frame in frames) == len(made) == 25


def test_of_several_frames_of_one_time_the_last_is_shown() -> None:
    times_s = even(12, 5)
    made_s = shown_times(times_s, model_times(times_s, 24))
    made = list(numbered(len(made_s)))
    shown = values(retimed(iter(made), made_s, times_s))
    assert [float(made_s[number]) for number in shown] == pytest.approx(times_s.tolist())
    assert shown == [1, 3, 5, 7, 8]


def test_a_model_that_makes_too_few_frames_is_told() -> None:
    with pytest.raises(EngineError) as caught:
        list(resampled(numbered(3), 24, even(24, 4)))
    assert (caught.value.code, caught.value.value, caught.value.limit) == (
        "frames_missing",
        "3 frames",
        "4 frames",
    )


def test_resampling_holds_two_frames_and_makes_none_before_it_is_needed() -> None:
    alive: list[weakref.ref[Frame]] = []
    most = 0

    def made() -> Iterator[Frame]:
        nonlocal most
        while True:
            frame = flat(len(alive) % 256)
            alive.append(weakref.ref(frame))
            most = max(most, sum(entry() is not None for entry in alive))
            yield frame
            del frame

    for number, _ in enumerate(resampled(made(), 24, even(24, 200))):
        assert len(alive) == number + 1
    alive.clear()
    for _ in resampled(made(), 24, even(60, 200)):
        pass
    assert most <= 4
    assert len(alive) == 81


def test_sources_are_closed_when_the_consumer_stops() -> None:
    closed = []

    def source() -> Generator[Frame]:
        try:
            while True:
                yield flat(0)
        finally:
            closed.append("made")

    def pairs() -> Generator[tuple[float, Frame]]:
        try:
            for number in range(1000):
                yield number / 30, flat(0)
        finally:
            closed.append("clip")

    frames = resampled(source(), 24, even(30, 100))
    next(frames)
    next(frames)
    frames.close()
    shown = sampled(pairs(), even(24, 100))
    next(shown)
    shown.close()
    assert closed == ["made", "clip"]
    assert len(list(resampled(source(), 24, even(24, 5)))) == 5
    assert len(list(sampled(pairs(), even(24, 5)))) == 5
    assert closed == ["made", "clip", "made", "clip"]
