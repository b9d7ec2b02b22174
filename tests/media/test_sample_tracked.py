"""The tracker follows the sample's dancer, whose joints are known, and finds the explorer. Needs the models only."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import av
import cv2
import numpy as np

from understudy.sample import character_path, clip_path, truth_path
from understudy.tracking.mediapipe_tracker import MediaPipeTracker
from understudy.tracking.motion import Floats
from understudy.tracking.tracker import Person


@cache
def people() -> list[Person | None]:
    tracker = MediaPipeTracker()
    with av.open(str(clip_path())) as container:
        return [tracker.track(f.to_ndarray(format="rgb24")) for f in container.decode(video=0)]


@cache
def truth() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(truth_path().read_text())
    return loaded


def seen() -> list[Person]:
    return [person for person in people() if person is not None]


def test_dancer_is_followed_in_every_frame() -> None:
    assert len(seen()) == len(truth()["joints"])


def test_joints_are_where_they_really_are() -> None:
    joints = np.array(truth()["joints"], np.float32)
    tracked = np.stack([person.body[truth()["landmarks"], :2] for person in seen()])
    height = np.median(np.ptp(joints[..., 1], axis=1))
    error = np.linalg.norm(tracked - joints, axis=-1) / height
    assert np.median(error) <= 0.015
    assert np.percentile(error, 95) <= 0.04


def test_face_and_hands_are_found() -> None:
    assert np.mean([person.face_score > 0.5 for person in seen()]) >= 0.95
    assert np.mean([(person.hand_score > 0.5).all() for person in seen()]) >= 0.9


def test_mouth_and_lids_can_be_read() -> None:
    faces = np.stack([person.face[:, :2] for person in seen()])
    eyes = np.linalg.norm(faces[:, 33] - faces[:, 263], axis=-1)

    def opening(upper: int, lower: int) -> Floats:
        gap: Floats = np.linalg.norm(faces[:, upper] - faces[:, lower], axis=-1) / eyes
        return gap

    lids = opening(159, 145) + opening(386, 374)
    assert np.corrcoef(opening(13, 14), truth()["mouth"])[0, 1] >= 0.9
    assert np.corrcoef(lids, truth()["blink"])[0, 1] <= -0.8


def test_explorer_is_found_with_face_and_limbs() -> None:
    person = MediaPipeTracker().find(cv2.cvtColor(cv2.imread(str(character_path())), cv2.COLOR_BGR2RGB))
    assert person is not None
    assert person.face_score > 0.5
    assert (person.visibility[[0, 11, 12, 13, 14, 15, 16, 23, 24, 25, 26, 27, 28]] > 0.8).all()
