"""A body that is followed in steps: which looks are taken, and which joints have a word in it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from understudy.tracking import followed_body
from understudy.tracking.body import Body
from understudy.tracking.followed_body import FollowedBody
from understudy.tracking.tracker import Frame, Shown


@pytest.fixture
def follower(monkeypatch: pytest.MonkeyPatch) -> FollowedBody:
    monkeypatch.setattr(followed_body, "PoseDetector", lambda **_: None)
    monkeypatch.setattr(followed_body, "BodyLandmarks", lambda **_: None)
    made = FollowedBody()
    made._longer_side = 400
    return made


def number_in(frame: Frame) -> int:
    return int(frame[0, 0, 0])


def body_at(x: float) -> Body:
    landmarks = np.zeros((33, 3), np.float32)
    landmarks[:, 0] = x
    landmarks[:, 1] = np.linspace(0, 200, 33)
    return Body(landmarks, np.ones(33, np.float32), landmarks, 1.0, landmarks[:2, :2], None)


@pytest.mark.parametrize("fps", [30.0, 60.0])
def test_each_look_is_told_how_many_frames_have_passed(
    follower: FollowedBody, monkeypatch: pytest.MonkeyPatch, fps: float
) -> None:
    looks: list[tuple[int, int]] = []

    def look(frame: Frame, frames: int = 1) -> Body:
        looks.append((number_in(frame), frames))
        return body_at(3.0 * number_in(frame))

    def shown() -> Iterator[Shown]:
        for k in range(60):
            yield Shown(k / fps, np.full((4, 4, 3), k, np.uint8), False)

    monkeypatch.setattr(follower, "next", look)
    monkeypatch.setattr(follower, "look", lambda at, *_: body_at(3.0 * number_in(at.shown.frame)))
    moments = [moment for block in follower.bodies(shown()) for moment in block]
    assert [moment.shown.time_s for moment in moments] == [k / fps for k in range(60)]
    assert len(looks) < 45
    assert [now - before for (before, _), (now, _) in pairwise(looks)] == [frames for _, frames in looks[1:]]


def test_a_joint_that_is_not_seen_holds_up_no_step(follower: FollowedBody) -> None:
    before, now, after = body_at(0), body_at(3), body_at(6)
    after.landmarks[16, 0] += 100
    assert follower.turn(before, now, after, 1 / 30, 1 / 30) > 1
    hidden = np.ones(33, np.float32)
    hidden[16] = 0.4
    for seen in (
        (replace(before, visibility=hidden), now, after),
        (before, replace(now, visibility=hidden), after),
        (before, now, replace(after, visibility=hidden)),
    ):
        assert follower.turn(*seen, 1 / 30, 1 / 30) == pytest.approx(0, abs=1e-3)
