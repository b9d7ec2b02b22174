"""From frames to a motion with a fake tracker: shots, gaps, smoothing, the choice of the performance."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from understudy.errors import PerformerError
from understudy.tracking.camera import CameraMovement
from understudy.tracking.clip_tracking import track_clip
from understudy.tracking.motion import BODY, FACE, HAND, Floats, Motion, Shot
from understudy.tracking.performance import choose_performance
from understudy.tracking.shots import CutFinder, find_dissolves, with_cuts
from understudy.tracking.sides import mixed_up
from understudy.tracking.smoothing import CALM_SQUARES, CALMER, Noise, calm, fill_gaps, smooth, spikes
from understudy.tracking.thumbnail import small, tiny
from understudy.tracking.tracker import FakeTracker, Frame, Person, nobody

FPS = 30.0


def scene(seed: int, shift: int = 0) -> Frame:
    """A blotchy picture that slides sideways with ``shift``."""
    rng = np.random.default_rng(seed)
    blocks = rng.integers(0, 255, (15, 40, 3), np.uint8)
    picture = np.repeat(np.repeat(blocks, 16, axis=0), 16, axis=1)
    return np.ascontiguousarray(np.roll(picture, shift, axis=1)[:240, :320])


def standing(x: float = 160.0) -> Person:
    body = np.zeros((BODY, 3), np.float32)
    body[:, 0] = x + np.linspace(-20, 20, BODY)
    body[:, 1] = np.linspace(20, 220, BODY)
    return replace(
        nobody(), body=body, visibility=np.ones(BODY, np.float32), world=np.zeros((BODY, 3), np.float32)
    )


def timed(frames: list[Frame]) -> Iterator[tuple[float, Frame]]:
    return ((i / FPS, frame) for i, frame in enumerate(frames))


def motion_of(tracked: list[bool], cuts: tuple[int, ...] = (), fps: float = FPS) -> Motion:
    count = len(tracked)
    body = np.tile(standing().body, (count, 1, 1))
    body[~np.array(tracked)] = np.nan
    return Motion(
        width=320,
        height=240,
        times_s=(np.arange(count) / fps).astype(np.float32),
        body=body,
        visibility=np.ones((count, BODY), np.float32),
        world=body.copy(),
        hands=np.full((count, 2, HAND, 3), np.nan, np.float32),
        hand_score=np.zeros((count, 2), np.float32),
        face=np.full((count, FACE, 3), np.nan, np.float32),
        face_score=np.zeros(count, np.float32),
        cuts=cuts,
    )


def cuts_in(frames: list[Frame]) -> list[int]:
    return [i for i, (*_, is_cut) in enumerate(with_cuts(timed(frames))) if is_cut]


def test_a_hard_cut_is_found_where_it_is() -> None:
    frames = [scene(1, 2 * i) for i in range(12)] + [scene(2, 2 * i) for i in range(12)]
    assert cuts_in(frames) == [12]


def test_a_cut_near_either_end_is_found() -> None:
    frames = [scene(1)] * 1 + [scene(2)] * 8 + [scene(3)] * 1
    assert cuts_in(frames) == [1, 9]


def test_fast_movement_is_no_cut() -> None:
    frames = [scene(1)] * 10 + [scene(1, 30 * i) for i in range(1, 12)] + [scene(1, 330)] * 6
    assert cuts_in(frames) == []


def test_a_flash_of_light_is_no_cut() -> None:
    frames = [scene(1, i) for i in range(20)]
    frames[9] = np.full_like(frames[9], 255)
    assert cuts_in(frames) == []


def test_frames_come_out_whole_and_in_order_and_few_are_held() -> None:
    alive = 0

    def source() -> Iterator[tuple[float, Frame]]:
        nonlocal alive
        for i in range(30):
            alive = i
            yield float(i), np.full((8, 8, 3), i, np.uint8)

    for i, (time_s, frame, *_) in enumerate(with_cuts(source())):
        assert (time_s, frame[0, 0, 0]) == (i, i)
        assert alive - i <= 4
    assert i == 29


@pytest.mark.parametrize("length", [0, 1, 2, 3, 4])
def test_short_clips_pass_the_cut_finder(length: int) -> None:
    assert len(list(with_cuts(timed([scene(1)] * length)))) == length
    finder = CutFinder()
    finder.end()
    assert finder.known == 0


def test_a_dissolve_is_found_and_movement_is_not() -> None:
    first, second = ([scene(seed, i // 8) for i in range(60)] for seed in (1, 2))
    share = np.clip((np.arange(60) - 25) / 12, 0, 1)
    mixed = [(a * (1 - s) + b * s).astype(np.uint8) for a, b, s in zip(first, second, share, strict=True)]
    thumbnails = np.stack([tiny(small(f)) for f in mixed])
    found = find_dissolves(thumbnails, FPS)
    assert len(found) == 1
    assert 20 <= found[0][0] <= 28
    assert 34 <= found[0][1] <= 43
    assert find_dissolves(np.stack([tiny(small(scene(1, 4 * i))) for i in range(60)]), FPS) == ()
    cut = np.stack([tiny(small(f)) for f in first[:30] + second[:30]])
    assert find_dissolves(cut, FPS) == ()


def moving(count: int = 120) -> tuple[Floats, Floats]:
    """A point at rest, then swinging with growing speed, then at rest; the truth and it with noise."""
    t = np.arange(count) / FPS
    swing = np.where(
        (t > 1) & (t < 3), 80 * np.sin(2 * np.pi * 1.5 * (t - 1)) * np.sin(np.pi * (t - 1) / 2), 0
    )
    truth = np.stack([200 + swing, 100 + 0.3 * swing], axis=-1)[:, None].astype(np.float32)
    noise = np.random.default_rng(3).normal(0, 0.6, truth.shape).astype(np.float32)
    return truth, truth + noise


def test_the_calmest_share_of_white_noise_is_the_chi_squared_distributions() -> None:
    def below(x: float, number: int) -> float:
        if number == 2:
            return 1 - math.exp(-x / 2)
        one = math.erf(math.sqrt(x / 2))
        return one if number == 1 else one - math.sqrt(2 * x / math.pi) * math.exp(-x / 2)

    for number, mean in CALM_SQUARES.items():
        assert below(number * mean, number) == pytest.approx(CALMER, abs=1e-12)


def test_smoothing_calms_rest_and_keeps_movement_without_lag() -> None:
    truth, noisy = moving()
    calmed = calm(noisy, FPS, Noise(0.1, 2.0))
    rest, swing = slice(5, 25), slice(32, 88)
    assert np.abs(calmed - truth)[rest].mean() < 0.4 * np.abs(noisy - truth)[rest].mean()
    assert np.abs(calmed - truth)[swing].mean() < 1.25 * np.abs(noisy - truth)[swing].mean()
    assert np.abs(calmed - truth)[swing].max() < 3.5
    errors = [np.abs(calmed[30 + k : 90 + k] - truth[30:90]).mean() for k in (-1, 0, 1)]
    assert int(np.argmin(errors)) == 1


def test_the_noise_is_told_from_the_frames_that_were_looked_at() -> None:
    resting = np.random.default_rng(3).normal(0, 0.6, (120, 1, 2)).astype(np.float32)
    looked = np.arange(120) % 2 == 0
    resting[1:-1:2] = (resting[:-2:2] + resting[2::2]) / 2
    calmed = calm(resting, FPS, Noise(0.01, 2.0), looked=looked)
    assert calmed[5:-5].std() < 0.5 * resting[5:-5].std()


def test_smoothing_does_not_drag_the_ends() -> None:
    line = np.stack([np.arange(60) * 3.0, np.zeros(60)], axis=-1)[:, None].astype(np.float32)
    noisy = line + np.random.default_rng(5).normal(0, 0.3, line.shape).astype(np.float32)
    assert np.abs(calm(noisy, FPS, Noise(0.1, 2.0)) - line)[[0, 1, -2, -1]].max() < 1.5


def test_a_step_stays_a_step() -> None:
    points = np.zeros((40, 1, 2), np.float32)
    points[20:] = 50
    assert np.abs(calm(points, FPS, Noise(0.1, 1.0)) - points).max() < 1e-3


def test_what_is_lost_stays_lost_and_does_not_spread() -> None:
    _, noisy = moving()
    noisy[40:60] = np.nan
    calmed = calm(noisy, FPS, Noise(0.1, 2.0))
    assert np.isnan(calmed[40:60]).all()
    assert np.isfinite(calmed[:40]).all()
    assert np.isfinite(calmed[60:]).all()


def test_points_that_are_lost_together_are_calmed_as_each_by_itself() -> None:
    points = np.random.default_rng(4).normal(0, 1, (90, 3, 2)).astype(np.float32).cumsum(axis=0)
    points[40:60] = np.nan
    points[70] = np.nan
    together = calm(points, FPS, Noise(0.1, 2.0))
    for n in range(3):
        np.testing.assert_allclose(together[:, n : n + 1], calm(points[:, n : n + 1], FPS, Noise(0.1, 2.0)))
    points[20:30, 1] = np.nan  # now one of them is lost by itself
    apart = calm(points, FPS, Noise(0.1, 2.0))
    np.testing.assert_allclose(apart[:, [0, 2]], together[:, [0, 2]])
    np.testing.assert_allclose(apart[:, 1:2], calm(points[:, 1:2], FPS, Noise(0.1, 2.0)))


def test_short_gaps_are_filled_and_long_ones_are_not() -> None:
    values = np.arange(30, dtype=np.float32).reshape(30, 1, 1).copy()
    values[5:8] = np.nan
    values[15:26] = np.nan
    filled = fill_gaps(values, 9)
    assert filled[5:8, 0, 0] == pytest.approx([5, 6, 7])
    assert np.isnan(filled[15:26]).all()


def test_no_smoothing_across_a_cut() -> None:
    motion = motion_of([True] * 60, cuts=(30,))
    motion.body[30:, :, 0] += 100
    assert np.abs(smooth(motion).body - motion.body).max() < 1e-2


def test_a_landmark_that_jumps_for_one_frame_is_a_spike() -> None:
    body = motion_of([True] * 20).body
    body[7, 15, 0] += 40
    body[12:, 16, 0] += 40  # moved, and stays
    assert spikes(body, 200.0) == [(7, 15)]


def test_limbs_that_change_sides_for_two_frames_are_told() -> None:
    body = np.tile(standing().body, (20, 1, 1))
    body[:, 25::2, 0] += 60
    body[8:10, 25:33] = body[8:10][:, [26, 25, 28, 27, 30, 29, 32, 31]]
    assert mixed_up(body, 200.0) == ([], [8, 9])
    crossed = np.tile(standing().body, (20, 1, 1))
    crossed[10:, 25:33] = crossed[10:][:, [26, 25, 28, 27, 30, 29, 32, 31]]
    assert mixed_up(crossed, 200.0) == ([], [])


def test_mix_ups_of_every_length_are_told_one_after_the_other() -> None:
    body = np.tile(standing().body, (40, 1, 1))
    body[:, 13:23:2, 0] += 60
    wrong = [5, 9, 10, 14, 15, 16, 20, 22, 38]
    body[wrong, 13:23] = body[wrong][:, [14, 13, 16, 15, 18, 17, 20, 19, 22, 21]]
    assert mixed_up(body, 200.0) == (wrong, [])
    longer = np.tile(standing().body, (20, 1, 1))
    longer[:, 13:23:2, 0] += 60
    longer[8:12, 13:23] = longer[8:12][:, [14, 13, 16, 15, 18, 17, 20, 19, 22, 21]]
    assert mixed_up(longer, 200.0) == ([], [])


class Counting(FakeTracker):
    restarts = 0

    def restart(self) -> None:
        self.restarts += 1


def test_a_clip_becomes_a_motion() -> None:
    frames = [scene(1)] * 20 + [scene(2)] * 20
    tracker = Counting([standing()])
    told: list[tuple[str, int, int]] = []
    motion = track_clip(timed(frames), 320, 240, tracker, lambda *step: told.append(step), 40)
    motion._check_shapes()
    assert motion.cuts == (20,)
    assert tracker.restarts == 2  # at the start and at the cut
    assert motion.tracked.all()
    assert motion.fps == pytest.approx(FPS, rel=1e-3)
    assert motion.camera is None
    assert told[-1] == ("tracking", 40, 40)


def test_a_clip_whose_first_frames_are_lost_keeps_its_own_times() -> None:
    frames = [(0.8 + i / FPS, scene(3)) for i in range(6)]
    motion = track_clip(frames, 320, 240, FakeTracker([standing()]))
    assert motion.start_s == pytest.approx(0.8)
    assert motion.times_s[0] == 0
    assert motion.times_s[-1] == pytest.approx(5 / FPS)


@pytest.mark.parametrize("wrong", [2 / FPS, 0.0, math.nan, math.inf])
def test_a_frame_whose_time_is_not_past_the_one_before_is_left_out(wrong: float) -> None:
    stamps = [0.0, 1 / FPS, 2 / FPS, wrong, 3 / FPS, 4 / FPS]
    motion = track_clip([(t, scene(3)) for t in stamps], 320, 240, FakeTracker([standing()]))
    assert motion.times_s == pytest.approx([k / FPS for k in range(5)])
    assert motion.fps == pytest.approx(FPS, rel=1e-3)


def test_nobody_in_a_clip_and_no_clip_at_all() -> None:
    motion = track_clip(timed([scene(1)] * 10), 320, 240, FakeTracker([None]))
    assert not motion.tracked.any()
    assert np.isnan(motion.face).all()
    with pytest.raises(ValueError, match="no frames"):
        track_clip(iter(()), 320, 240, FakeTracker([None]))


def test_a_body_that_jumps_at_the_start_was_somebody_else() -> None:
    people: list[Person | None] = [*[standing(700.0)] * 10, *[standing()] * 50]
    motion = track_clip(timed([scene(1)] * 60), 320, 240, FakeTracker(people))
    assert not motion.tracked[:10].any()
    assert motion.tracked[10:].all()


def test_a_camera_that_pans_is_measured_and_a_resting_one_is_none() -> None:
    panning, resting = CameraMovement(320, 240), CameraMovement(320, 240)
    rng = np.random.default_rng(2)
    wide = np.kron(rng.integers(0, 255, (24, 50)), np.ones((10, 10))).astype(np.uint8)
    for i in range(31):
        panning.add(np.ascontiguousarray(wide[:, 2 * i : 2 * i + 320]), None, cut=False)
        resting.add(np.ascontiguousarray(wide[:, :320]), None, cut=False)
    assert resting.affines() is None
    found = panning.affines()
    assert found is not None
    assert found[0] == pytest.approx(np.eye(2, 3))
    assert found[30] == pytest.approx(np.array([[1, 0, -60], [0, 1, 0]]), abs=1.0)
    assert found[16, 0, 2] == pytest.approx(-32, abs=1.0)


@pytest.mark.parametrize("frames", [16, 31])
def test_a_camera_that_moves_after_a_rest_is_measured_from_where_it_begins(frames: int) -> None:
    camera = CameraMovement(320, 240)
    wide = np.kron(np.random.default_rng(2).integers(0, 255, (24, 50)), np.ones((10, 10))).astype(np.uint8)
    for i in range(frames):
        left = 0 if i < 14 else 12
        camera.add(np.ascontiguousarray(wide[:, left : left + 320]), None, cut=False)
    found = camera.affines()
    assert found is not None
    assert found[12:, 0, 2] == pytest.approx([0, -4, -8] + [-12] * (frames - 15), abs=0.5)


def test_the_longest_tracked_stretch_is_chosen() -> None:
    tracked = [False] * 10 + [True] * 100 + [False] * 20 + [True] * 30 + [True] * 95
    shot, left_out = choose_performance(motion_of(tracked, cuts=(160,)))
    assert shot == Shot(10, 110)
    assert [(p.start, p.stop, p.reason) for p in left_out] == [
        (0, 10, "untracked"),
        (110, 160, "untracked"),
        (160, 255, "other_shot"),
    ]


def test_who_sees_the_video_needs_no_performer_in_every_frame() -> None:
    tracked = [False] * 10 + [True] * 60 + [False] * 20 + [True] * 70 + [True] * 95
    shot, left_out = choose_performance(motion_of(tracked, cuts=(160,)), gaps=True)
    assert shot == Shot(0, 160)
    assert [(p.start, p.stop, p.reason) for p in left_out] == [(160, 255, "other_shot")]
    scattered = [True] + [False] * 158 + [True] + [True] * 100  # a longer shot, but hardly anybody in it
    assert choose_performance(motion_of(scattered, cuts=(160,)), gaps=True)[0] == Shot(160, 260)
    late = [False] * 140 + [True] * 100
    assert choose_performance(motion_of(late), gaps=True)[0] == Shot(140, 240)
    with pytest.raises(PerformerError):
        choose_performance(motion_of([False] * 90), gaps=True)


def test_three_seconds_are_three_seconds_at_any_rate() -> None:
    for fps in (8.0, 23.976, 29.97, 60.0):
        count = round(3 * fps)
        assert len(choose_performance(motion_of([True] * count, fps=fps))[0]) == count
        with pytest.raises(PerformerError):
            choose_performance(motion_of([True] * (count - 3), fps=fps))


def test_nobody_and_too_short_are_told_apart() -> None:
    with pytest.raises(PerformerError) as nobody_there:
        choose_performance(motion_of([False] * 90))
    assert nobody_there.value.code == "performer_not_found"
    with pytest.raises(PerformerError) as short:
        choose_performance(motion_of([True] * 60 + [False] * 60))
    assert short.value.code == "performer_too_short"
    assert (short.value.value, short.value.limit) == ("2.00 s", "at least 3 s")
