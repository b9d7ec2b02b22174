"""Figures that no tracker finds, but a joints file or a given alpha may bring: each makes a rig and frames."""

from __future__ import annotations

import numpy as np
import pytest
from capsule_figure import draw, standing

from understudy.engines.puppet import labels
from understudy.engines.puppet.exercises import exercise_poses
from understudy.engines.puppet.rest import painted, rest_poses
from understudy.engines.puppet.rig import build_rig
from understudy.tracking.motion import Floats


def _in_one_place(joints: Floats, *landmarks: int) -> Floats:
    joints[list(landmarks)] = joints[list(landmarks)].mean(axis=0)
    return joints


def _without_a_head(joints: Floats) -> Floats:
    joints[:11] = joints[[11, 12]].mean(axis=0)
    return joints


def _in_profile(joints: Floats) -> Floats:
    return _in_one_place(_in_one_place(joints, 11, 12), 23, 24)


@pytest.mark.parametrize(
    "joints",
    [
        _in_one_place(standing(), 23, 24),
        _in_one_place(standing(), 11, 12),
        _in_profile(standing()),
        _without_a_head(standing()),
        standing() * np.float32(3),
        standing()[:, ::-1].copy(),
    ],
    ids=["hips", "shoulders", "profile", "head", "outside", "lying"],
)
def test_odd_joints_make_frames(joints: Floats) -> None:
    figure = draw(standing())
    rig = build_rig(figure.alpha, figure.foreground, figure.background, joints, figure.shown)
    for poses in (rest_poses(rig), exercise_poses(rig)):
        for frame in painted(rig, poses):
            assert frame.shape == figure.background.shape


def test_thousands_of_specks_are_not_asked_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    figure = draw(standing())
    holes = np.random.default_rng(3).random(figure.alpha.shape) < 0.3
    alpha = np.where(holes, 0, figure.alpha).astype(np.float32)
    asked = []
    refused = labels._refused
    monkeypatch.setattr(labels, "_refused", lambda *given: asked.append(1) or refused(*given))
    build_rig(alpha, figure.foreground, figure.background, figure.joints, figure.shown)
    assert len(asked) < 400
