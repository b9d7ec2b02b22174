"""Our tracker on real clips: against MediaPipe's own, and against what the catalogue says of the clips."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import av
import numpy as np
import pytest

from understudy.errors import ModelError
from understudy.tracking.clip_tracking import track_clip
from understudy.tracking.mediapipe_tracker import MediaPipeTracker
from understudy.tracking.models import model_path
from understudy.tracking.motion import Motion
from understudy.tracking.performance import choose_performance
from understudy.tracking.shots import with_cuts
from understudy.tracking.tracker import Frame

ROOT = Path(__file__).parents[2]
JOINTS = [0, 11, 12, 13, 14, 15, 16, 23, 24, 25, 26, 27, 28]
FRAMES = 60


def unavailable(reason: str) -> None:
    """Skip on a developer's machine; in CI a thing that cannot be tested has failed."""
    if os.environ.get("CI", "").lower() == "true":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="module")
def tracker() -> MediaPipeTracker:
    try:
        model_path("pose_landmark_full")
    except ModelError as error:
        unavailable(str(error))
    return MediaPipeTracker()


@pytest.fixture(scope="session")
def reference() -> Path:
    """The Python of the virtual environment that has MediaPipe's own tracker."""
    made = subprocess.run(
        [str(ROOT / "scripts" / "reference_tracker.sh")], capture_output=True, text=True, check=False
    )
    if made.returncode:
        unavailable(f"No reference tracker: {made.stderr.strip()[-300:]}")
    return ROOT / ".venv-mediapipe" / "bin" / "python"


def frames_of(path: Path, limit: int | None = None) -> Iterator[tuple[float, Frame]]:
    with av.open(str(path)) as clip:
        for frame in islice(clip.decode(video=0), limit):
            yield float(frame.time or 0), np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)


def motion_of(path: Path, tracker: MediaPipeTracker, limit: int | None = None) -> Motion:
    with av.open(str(path)) as clip:
        width, height = clip.streams.video[0].width, clip.streams.video[0].height
    return track_clip(frames_of(path, limit), width, height, tracker)


@pytest.mark.parametrize("name", ["fb_dance_lake.mp4", "fb_dance_rooftop.mp4", "ub_talk_seated_gestures.mp4"])
def test_joints_agree_with_mediapipe(
    media: Path, tmp_path: Path, tracker: MediaPipeTracker, reference: Path, name: str
) -> None:
    frames = [frame for _, frame in frames_of(media / "videos" / name, FRAMES)]
    height, width = frames[0].shape[:2]
    out = tmp_path / "reference.npz"
    subprocess.run(
        [
            str(reference),
            str(Path(__file__).parent / "reference_tracker.py"),
            str(width),
            str(height),
            str(out),
        ],
        input=b"".join(frame.tobytes() for frame in frames),
        check=True,
        capture_output=True,
    )
    with np.load(out) as held:
        theirs = held["points"]
    tracker.restart()
    people = [tracker.track(frame) for frame in frames]
    assert all(person is not None for person in people)
    ours = np.stack([person.body for person in people if person is not None])
    world = np.stack([person.world for person in people if person is not None])

    person_height = np.nanmedian(np.ptp(theirs[:, JOINTS, 1], axis=1))
    apart = np.linalg.norm(ours[:, JOINTS, :2] - theirs[:, JOINTS, :2], axis=2) / person_height
    assert np.nanmedian(apart) <= 0.01
    assert np.nanpercentile(apart, 90) <= 0.03
    deep = np.abs(ours[:, JOINTS, 2] - theirs[:, JOINTS, 2]) / person_height
    assert np.nanmedian(deep) <= 0.05
    assert np.nanmedian(np.linalg.norm(world - theirs[:, :, 4:7], axis=2)) <= 0.03


def test_the_joints_would_not_agree_with_left_and_right_exchanged(
    media: Path, tracker: MediaPipeTracker
) -> None:
    """Guards the comparison above: a limit that any pose passes would be worth nothing."""
    person = tracker.find(next(frames_of(media / "videos" / "fb_dance_rooftop.mp4"))[1])
    assert person is not None
    left, right = person.body[[11, 13, 15, 23, 25, 27]], person.body[[12, 14, 16, 24, 26, 28]]
    assert np.median(np.linalg.norm(left - right, axis=1)) > 0.05 * np.ptp(person.body[JOINTS, 1])
    # She faces the camera: her own left is on the picture's right side.
    assert (left[:, 0] > right[:, 0]).all()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("neg_cuts_studio_singer.mp4", [297, 585]),
        ("ub_talk_seated_gestures.mp4", [271]),
        ("fb_kungfu_still_then_fast.mp4", []),
        ("ub_running_tracking_shot.mp4", []),
        ("sty_ai_dance_8fps.mp4", []),
    ],
)
def test_shots_are_those_of_the_catalogue(media: Path, name: str, expected: list[int]) -> None:
    found = [
        index for index, (*_, is_cut) in enumerate(with_cuts(frames_of(media / "videos" / name))) if is_cut
    ]
    assert found == expected


def test_face_and_both_hands_of_a_speaker(media: Path, tracker: MediaPipeTracker) -> None:
    motion = motion_of(media / "videos" / "ub_talk_seated_gestures.mp4", tracker, 90)
    assert motion.tracked.all()
    assert (motion.face_score > 0.5).mean() > 0.95
    assert ((motion.hand_score > 0.5).mean(axis=0) > 0.9).all()
    for hand, wrist in ((0, 15), (1, 16)):
        off = np.linalg.norm(motion.hands[:, hand, 0, :2] - motion.body[:, wrist, :2], axis=1)
        assert np.nanmedian(off) < 0.06 * motion.height


def test_a_still_performer_does_not_tremble(media: Path, tracker: MediaPipeTracker) -> None:
    motion = motion_of(media / "videos" / "fb_kungfu_still_then_fast.mp4", tracker, 100)
    bend = np.linalg.norm(np.diff(motion.body[5:-5, JOINTS, :2], 2, axis=0), axis=2)
    # Pixels, of 1280. Unsmoothed they are 0.9 and 2.6.
    assert np.median(bend) < 0.3
    assert np.percentile(bend, 95) < 1.5


@pytest.mark.parametrize("name", ["neg_skeleton_only.MOV", "neg_animal_shiba.mp4"])
def test_nobody_is_found_where_nobody_is(media: Path, tracker: MediaPipeTracker, name: str) -> None:
    motion = motion_of(media / "videos" / name, tracker, 40)
    assert not motion.tracked.any()


def test_the_largest_of_several_people_is_found(media: Path, tracker: MediaPipeTracker) -> None:
    picture = media / "images" / "neg_img_two_women.png"
    with av.open(str(picture)) as container:
        frame = next(container.decode(video=0)).to_ndarray(format="rgb24")
    person = tracker.find(np.asarray(frame, np.uint8), mask=True)
    assert person is not None
    assert person.body[0, 0] < frame.shape[1] / 2
    assert person.mask is not None
    assert person.mask.shape == frame.shape[:2]
    assert person.mask[:, : frame.shape[1] // 2].mean() > 4 * person.mask[:, frame.shape[1] // 2 :].mean()


def test_the_longest_shot_is_used(media: Path, tracker: MediaPipeTracker) -> None:
    motion = motion_of(media / "videos" / "ub_talk_seated_gestures.mp4", tracker, 400)
    shot, left_out = choose_performance(motion)
    assert (shot.start, shot.stop) == (0, 271)
    assert [part.reason for part in left_out] == ["other_shot"]
