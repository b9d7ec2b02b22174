"""What the model is given to replace a performer, on real clips: the mask above all."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice, pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
from made_motion import performance
from numpy.typing import NDArray

from understudy.engines.diffusion.face_crops import FaceCrops
from understudy.engines.diffusion.performer_mask import cell_px
from understudy.engines.diffusion.replacement import replacement_entries
from understudy.engines.diffusion.spec import WAN_ANIMATE_1
from understudy.errors import ModelError
from understudy.media.clip import probe, read_frames
from understudy.tracking.clip_tracking import track_clip
from understudy.tracking.mediapipe_tracker import MediaPipeTracker
from understudy.tracking.models import model_path
from understudy.tracking.motion import LARGEST_PX, Motion
from understudy.tracking.tracker import Frame

SHORT_SIDE, FRAMES = 432, 48
SAME = np.array([[1, 0, 0], [0, 1, 0]], np.float32)
MOVED = 45  # grey levels that a pixel of a moving performer differs from the wall behind


@dataclass(frozen=True)
class Made:
    motion: Motion
    frames: list[Frame]
    entries: list[dict[str, NDArray[np.uint8]]]

    @property
    def masks(self) -> NDArray[np.bool_]:
        return np.stack([entry["mask"] for entry in self.entries]) > 0


def frames_of(clip: Path, count: int = FRAMES, first: int = 0) -> list[Frame]:
    return [
        frame
        for _, frame in islice(read_frames(probe(clip), short_side_max=SHORT_SIDE), first, first + count)
    ]


def made(frames: list[Frame], fps: float = 24.0) -> Made:
    try:
        model_path("pose_landmark_full")
    except ModelError as error:
        if os.environ.get("CI", "").lower() == "true":
            pytest.fail(str(error))
        pytest.skip(str(error))
    height, width = frames[0].shape[:2]
    motion = track_clip(
        ((i / fps, frame) for i, frame in enumerate(frames)), width, height, MediaPipeTracker()
    )
    return Made(motion, frames, list(replacement_entries(shown(frames), motion, SAME)))


def shown(frames: Iterable[Frame]) -> Iterator[tuple[int, Frame, Frame]]:
    return ((t, frame, frame) for t, frame in enumerate(frames))


@pytest.fixture(scope="module")
def dance(media: Path) -> Made:
    return made(frames_of(media / "videos" / "fb_dance_rooftop.mp4"))


@pytest.fixture(scope="module")
def half_body(media: Path) -> Made:
    return made(frames_of(media / "videos" / "ub_christmas_sweater_dance.mp4", 65), 16.0)


@pytest.fixture(scope="module")
def hands_before_face(media: Path) -> Made:
    return made(frames_of(media / "videos" / "ub_ai_gestures_lakeside.mp4", 40, 80), 29.0)


def overlaps(masks: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Of each two neighbouring masks the share that both have."""
    return np.array([(a & b).sum() / (a | b).sum() for a, b in pairwise(masks)])


def test_entries_are_those_of_the_models_arrays(dance: Made) -> None:
    height, width = dance.frames[0].shape[:2]
    for name, entry in WAN_ANIMATE_1.arrays:
        wanted = tuple({0: height, -1: width}.get(side, side) for side in entry)
        for made_entry in dance.entries:
            assert made_entry[name].shape == wanted
            assert made_entry[name].dtype == np.uint8
    assert set(dance.entries[0]) == {name for name, _ in WAN_ANIMATE_1.arrays}
    assert set(np.unique(dance.entries[20]["mask"]).tolist()) == {0, 255}


def test_the_background_is_the_scene_without_the_performers_place(dance: Made) -> None:
    for frame, entry in zip(dance.frames, dance.entries, strict=True):
        there = entry["mask"] > 0
        assert not entry["background"][there].any()
        np.testing.assert_array_equal(entry["background"][~there], frame[~there])


def test_the_mask_is_made_of_cells(dance: Made) -> None:
    cell = cell_px(*dance.frames[0].shape[:2])
    for mask in dance.masks[::10]:
        whole = mask[: mask.shape[0] // cell * cell, : mask.shape[1] // cell * cell]
        cells = whole.reshape(whole.shape[0] // cell, cell, whole.shape[1] // cell, cell)
        assert (cells.all(axis=(1, 3)) == cells.any(axis=(1, 3))).all()


@pytest.mark.parametrize("clip", ["dance", "half_body", "hands_before_face"])
def test_every_joint_that_is_seen_lies_in_the_mask(clip: str, request: pytest.FixtureRequest) -> None:
    given: Made = request.getfixturevalue(clip)
    height, width = given.frames[0].shape[:2]
    for t, mask in enumerate(given.masks):
        points = [given.motion.body[t][given.motion.visibility[t] >= 0.5, :2]]
        points += [
            given.motion.hands[t, side, :, :2] for side in np.flatnonzero(given.motion.hand_score[t] >= 0.5)
        ]
        every = np.concatenate(points)
        inside = every[((every >= 0) & (every < (width, height))).all(axis=1)].astype(int)
        assert mask[inside[:, 1], inside[:, 0]].all()


def test_all_that_moves_before_a_still_wall_lies_in_the_mask(half_body: Made) -> None:
    """Hair, antlers, cloth and hands, told without any network: what differs from the clip's median."""
    wall = np.median(np.stack(half_body.frames[::2]), axis=0)
    covered = []
    for frame, mask in zip(half_body.frames, half_body.masks, strict=True):
        moving = (np.abs(frame - wall).max(axis=2) > MOVED).astype(np.uint8)
        moving = cv2.morphologyEx(moving, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8)) > 0
        covered.append((moving & mask).sum() / moving.sum())
    assert np.mean(covered) > 0.99
    assert np.min(covered) > 0.95  # in the first frames the median still shows her where she stands later


@pytest.mark.parametrize(
    ("clip", "mean", "least"),
    [("dance", 0.90, 0.72), ("half_body", 0.90, 0.80), ("hands_before_face", 0.95, 0.85)],
)
def test_the_mask_does_not_flicker(
    clip: str, mean: float, least: float, request: pytest.FixtureRequest
) -> None:
    both = overlaps(request.getfixturevalue(clip).masks)
    assert both.mean() >= mean
    assert both.min() >= least


def test_most_of_the_scene_stays(dance: Made) -> None:
    assert dance.masks.mean() < 0.4


def test_somebody_else_stays_in_the_scene(media: Path) -> None:
    """Two real people side by side: the tracker follows the larger, and the mask leaves the other alone."""
    small = frames_of(media / "videos" / "fb_dance_rooftop.mp4", 24)
    large = frames_of(media / "videos" / "fb_kungfu_still_then_fast.mp4", 24, 200)
    both = made([np.hstack([a, b]) for a, b in zip(small, large, strict=True)])
    half = small[0].shape[1]
    assert both.masks[:, :, half:].mean() > 0.3
    assert not both.masks[:, :, : int(0.8 * half)].any()
    assert all(not entry["pose"][:, : int(0.8 * half)].any() for entry in both.entries)


def test_somebody_who_leaves_takes_the_mask_along(media: Path) -> None:
    """A real dancer, the frame moving away from her."""
    frames = frames_of(media / "videos" / "fb_dance_rooftop.mp4", 44)
    width = frames[0].shape[1]
    leaving = []
    for t, frame in enumerate(frames):
        wide = np.hstack([frame, np.repeat(frame[:, -1:], 2 * width, axis=1)])
        at = max(t - 8, 0) * width // 24
        leaving.append(np.ascontiguousarray(wide[:, at : at + width]))
    gone = made(leaving)
    assert all(mask.any() for mask in gone.masks[:16])
    assert gone.entries[5]["face"].any()
    for entry in gone.entries[-4:]:
        assert not entry["mask"].any()
        assert not entry["pose"].any()
        assert not entry["face"].any()


def test_somebody_whom_the_tracker_loses_for_a_while_is_not_shown(media: Path) -> None:
    frames = frames_of(media / "videos" / "fb_dance_rooftop.mp4", 30)
    motion = made(frames).motion
    for array in (motion.body, motion.hands, motion.face):
        array[10:20] = np.nan
    whole = made(frames).masks
    masks = np.stack([e["mask"] for e in replacement_entries(shown(frames), motion, SAME)]) > 0
    for t in range(10, 20):
        assert (masks[t] & whole[t]).sum() > 0.85 * whole[t].sum()


def test_a_frame_that_is_shown_twice_has_one_entry(dance: Made) -> None:
    twice = [(t // 2, dance.frames[t // 2], dance.frames[t // 2]) for t in range(12)]
    entries = list(replacement_entries(twice, dance.motion, SAME))
    for t, entry in enumerate(entries):
        for name, array in entry.items():
            np.testing.assert_array_equal(array, dance.entries[t // 2][name])


def test_a_cut_leaves_nothing_of_the_mask_before(dance: Made) -> None:
    cut = replace(dance.motion, cuts=(20,))
    after = list(replacement_entries(shown(dance.frames[:21]), cut, SAME))[-1]
    alone = next(replacement_entries([(20, dance.frames[20], dance.frames[20])], cut, SAME))
    np.testing.assert_array_equal(after["mask"], alone["mask"])
    assert (
        dance.entries[20]["mask"] > after["mask"]
    ).any()  # without the cut it holds what was left just now


def test_no_numbers_of_a_motion_file_break_it(dance: Made) -> None:
    """A stranger's file may hold any place up to the limits, and unknown ones anywhere."""
    chance = np.random.default_rng(0)
    frame = np.asarray(dance.frames[0][:128, :96])
    for round_ in range(8):
        motion = performance(4, 24.0, 96, 128)
        for points in (motion.body, motion.hands, motion.face):
            points[:] = chance.uniform(-1, 1, points.shape) * (100 * LARGEST_PX if round_ % 2 else 150)
            points[chance.random(points.shape) < 0.03 * (round_ % 3)] = np.nan
        for score in (motion.visibility, motion.hand_score, motion.face_score):
            score[:] = chance.uniform(-3, 3, score.shape)
        for entry in replacement_entries(((t, frame, frame) for t in range(4)), motion, SAME):
            assert entry["mask"].shape == (128, 96)


def test_landmarks_follow_the_affine_into_a_letterbox(dance: Made) -> None:
    """The model's frame is half as large, with bars: its mask is the same place there."""
    height, width = (side // 2 for side in dance.frames[0].shape[:2])
    affine = np.array([[0.5, 0, 40], [0, 0.5, 16]], np.float32)
    boxed = []
    for t in range(8):
        native = np.zeros((height + 32, width + 80, 3), np.uint8)
        native[16 : 16 + height, 40 : 40 + width] = cv2.resize(dance.frames[t], (width, height))
        boxed.append((t, native, dance.frames[t]))
    last = list(replacement_entries(boxed, dance.motion, affine))[-1]
    inside = last["mask"][16 : 16 + height, 40 : 40 + width] > 0
    wanted = dance.masks[7][::2, ::2][:height, :width]
    assert (inside & wanted).sum() > 0.75 * (inside | wanted).sum()
    assert last["pose"].any()
    np.testing.assert_array_equal(last["face"], dance.entries[7]["face"])


def test_the_face_is_steady(hands_before_face: Made) -> None:
    """The box shakes less than the face's own landmarks, which follow a moving head and hands before it."""
    boxes, mesh = FaceCrops(hands_before_face.motion).boxes, hands_before_face.motion.face[:, 1, :2]
    assert np.isfinite(boxes).all()
    middles = (boxes[:, :2] + boxes[:, 2:]) / 2
    assert np.abs(np.diff(middles, n=2, axis=0)).mean() < 0.9 * np.abs(np.diff(mesh, n=2, axis=0)).mean()
    assert np.abs(middles - mesh).max() < 0.25 * (boxes[:, 2:] - boxes[:, :2]).mean()
    assert all(entry["face"].std() > 10 for entry in hands_before_face.entries)
