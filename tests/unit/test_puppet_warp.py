"""Warp fields: bones land exactly where they should, joints stay closed, nothing moves at rest."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.engines.puppet.warp import (
    MAX_END_STRETCH,
    MAX_STRETCH,
    MIN_END_STRETCH,
    MIN_STRETCH,
    Joint,
    bone_map,
    limited_turn,
    rotation,
    segment_field,
)
from understudy.tracking.motion import Floats

LENGTH, REACH = 80.0, 20.0
angles = st.floats(-np.pi, np.pi)
BENDS_DEG = (-75, -60, -30, -5, 0, 20, 45, 60, 75)


def vector(angle: float, length: float = 1.0) -> Floats:
    return np.array([np.cos(angle), np.sin(angle)], np.float32) * np.float32(length)


class Chain:
    """Two bones, straight to the right at rest, turned and bent in the picture."""

    def __init__(
        self, bend_deg: float, turn_deg: float = 0.0, stretch: tuple[float, float] = (1.0, 1.0)
    ) -> None:
        bend, turn = np.radians(bend_deg), np.radians(turn_deg)
        self.rest = np.array([[100, 100], [100 + LENGTH, 100], [100 + 2 * LENGTH, 100]], np.float32)
        first, second = vector(turn, LENGTH * stretch[0]), vector(turn + bend, LENGTH * stretch[1])
        start = np.array([150, 120], np.float32)
        self.posed = np.stack([start, start + first, start + first + second])
        bone = vector(0.0, LENGTH)
        self.parent, self.child = bone_map(bone, first, 1.0), bone_map(bone, second, 1.0)
        self.joint = Joint.between(self.rest[1], self.posed[1], first, second, REACH, self.parent, self.child)

    def field(self, k: int, grid: Floats) -> Floats:
        own = (self.parent, self.child)[k]
        return segment_field(grid, self.rest[k], self.posed[k], own, (self.joint,))

    def about_joint(self, reach: float) -> Floats:
        """(N, 2) points within ``reach`` half widths of the joint."""
        ys, xs = np.mgrid[-60:61, -60:61].astype(np.float32)
        near = np.hypot(xs, ys) < reach * REACH
        return self.posed[1] + np.stack([xs[near], ys[near]], axis=1)


@given(
    angles, angles, st.floats(10, 300), st.floats(MIN_STRETCH + 0.01, MAX_STRETCH - 0.01), st.floats(0.5, 2)
)
def test_a_bone_lands_exactly(
    rest_angle: float, posed_angle: float, length: float, ratio: float, scale: float
) -> None:
    rest, posed = vector(rest_angle, length), vector(posed_angle, length * ratio * scale)
    back = bone_map(rest, posed, scale)
    np.testing.assert_allclose(back.matrix @ posed, rest, atol=2e-4 * length)
    # Across the bone the figure's scale decides, whatever the foreshortening.
    across = vector(posed_angle + np.pi / 2, scale)
    np.testing.assert_allclose(np.hypot(*(back.matrix @ across)), 1.0, rtol=1e-4)


@pytest.mark.parametrize(
    ("end", "asked", "given_"),
    [
        (False, 0.01, MIN_STRETCH),
        (False, 0.5, 0.5),
        (False, 9.0, MAX_STRETCH),
        (True, 0.01, MIN_END_STRETCH),
        (True, 9.0, MAX_END_STRETCH),
    ],
)
@pytest.mark.parametrize("scale", [0.7, 1.0, 1.5])
def test_stretch_has_limits(end: bool, asked: float, given_: float, scale: float) -> None:
    rest = vector(0.3, 50)
    back = bone_map(rest, vector(1.9, 50 * asked * scale), scale, end=end)
    drawn = np.linalg.inv(back.matrix) @ rest
    assert np.hypot(*drawn) / 50 / scale == pytest.approx(given_, rel=1e-4)
    assert np.arctan2(drawn[1], drawn[0]) == pytest.approx(1.9, abs=1e-4)


def test_a_bone_without_length_gives_a_finite_map() -> None:
    nothing = np.zeros(2, np.float32)
    for rest, posed in ((nothing, vector(0, 5)), (vector(0, 5), nothing), (nothing, nothing)):
        matrix = bone_map(rest, posed, 1.0).matrix
        assert np.isfinite(matrix).all()
        assert abs(np.linalg.det(matrix)) > 1e-3


@given(angles, st.floats(-np.pi + 0.01, np.pi - 0.01), st.floats(0.1, 3.0))
def test_a_turn_is_limited_to_the_limit_and_no_more(parent_at: float, bend: float, limit: float) -> None:
    bone = vector(0.0, 40)
    parent, child = (
        bone_map(bone, vector(parent_at, 40), 1.0),
        bone_map(bone, vector(parent_at + bend, 40), 1.0),
    )
    back = limited_turn(parent, child, limit)
    if abs(bend) <= limit:
        assert back == pytest.approx(0.0, abs=1e-4)
    else:
        # As the foot does it: the posed bone is turned by the negative of what the inverse map turns.
        bent = bone_map(bone, rotation(-back) @ vector(parent_at + bend, 40), 1.0)
        gap = (bent.turn - parent.turn + np.pi) % (2 * np.pi) - np.pi
        assert abs(gap) == pytest.approx(limit, abs=1e-3)
        assert np.sign(gap) == -np.sign(bend)


@pytest.mark.parametrize("turn_deg", [0.0, 140.0, -100.0])
@pytest.mark.parametrize("bend_deg", BENDS_DEG)
def test_both_layers_see_one_field_about_the_joint(bend_deg: float, turn_deg: float) -> None:
    chain = Chain(bend_deg, turn_deg, (0.9, 1.2))
    grid = chain.about_joint(1.2)
    np.testing.assert_allclose(chain.field(0, grid), chain.field(1, grid), atol=5e-3)
    # On the bisector in particular, where the one layer takes over from the other.
    across = np.array([-chain.joint.bisector[1], chain.joint.bisector[0]])
    line = chain.posed[1] + np.linspace(-1.2 * REACH, 1.2 * REACH, 41)[:, None].astype(np.float32) * across
    np.testing.assert_allclose(chain.field(0, line), chain.field(1, line), atol=5e-3)


@pytest.mark.parametrize("bend_deg", BENDS_DEG)
def test_distance_from_the_joint_is_kept(bend_deg: float) -> None:
    chain = Chain(bend_deg, 30.0)
    grid = chain.about_joint(1.2)
    away = np.linalg.norm(grid - chain.posed[1], axis=1)
    for k in (0, 1):
        source = np.linalg.norm(chain.field(k, grid) - chain.rest[1], axis=1)
        np.testing.assert_allclose(source, away, atol=5e-3)


@pytest.mark.parametrize("bend_deg", BENDS_DEG)
def test_nothing_tears_at_the_joint(bend_deg: float) -> None:
    """One pixel on, the source is at most 2.6 pixels on: 75 degrees eased over two half widths, at its rim."""
    chain = Chain(bend_deg, 10.0)
    grid = chain.about_joint(1.1)
    for k in (0, 1):
        here = chain.field(k, grid)
        for way in ((1, 0), (0, 1)):
            there = chain.field(k, grid + np.array(way, np.float32))
            assert np.linalg.norm(there - here, axis=1).max() < 2.6


@pytest.mark.parametrize("bend_deg", BENDS_DEG)
def test_no_spikes_anywhere(bend_deg: float) -> None:
    """Nothing is drawn farther out than it lies at rest, and no part of the limb is pinched to a point."""
    chain = Chain(bend_deg, -20.0)
    grid = chain.about_joint(3.0)
    away = np.linalg.norm(grid - chain.posed[1], axis=1)
    for k in (0, 1):
        source = np.linalg.norm(chain.field(k, grid) - chain.rest[1], axis=1)
        assert (source <= away + 0.01).all()
        assert (source >= 0.6 * away - 0.01).all()


@pytest.mark.parametrize("bend_deg", [150, 165, 179, -155])
def test_a_folded_joint_is_a_plain_hinge(bend_deg: float) -> None:
    chain = Chain(bend_deg)
    assert chain.joint.flex == pytest.approx(0.0, abs=1e-6)
    grid = chain.about_joint(3.0)
    for k, own in ((0, chain.parent), (1, chain.child)):
        plain = chain.rest[k] + (grid - chain.posed[k]) @ own.matrix.T
        np.testing.assert_allclose(chain.field(k, grid), plain, atol=5e-3)


def test_a_joint_bends_smoothly_first_and_then_less_and_less() -> None:
    flex = [Chain(bend).joint.flex for bend in range(0, 180, 5)]
    assert flex[:16] == [1.0] * 16  # to 75 degrees
    assert all(a >= b for a, b in pairwise(flex))
    assert all(a - b < 0.3 for a, b in pairwise(flex))  # without a jump
    assert flex[30:] == pytest.approx([0.0] * 6, abs=1e-6)


def test_nothing_moves_at_rest() -> None:
    bone = vector(0.7, LENGTH)
    still = bone_map(bone, bone, 1.0)
    start = np.array([300, 400], np.float32)
    joint = Joint.between(start + bone, start + bone, bone, bone, REACH, still, still)
    ys, xs = np.mgrid[0:1280:16, 0:720:16].astype(np.float32)
    grid = np.stack([xs, ys], axis=-1)
    np.testing.assert_allclose(segment_field(grid, start, start, still, (joint,)), grid, atol=1e-3)


@pytest.mark.parametrize("bend_deg", [180.0, 179.99, -179.99])
def test_a_joint_folded_right_back_has_a_bisector(bend_deg: float) -> None:
    bisector = Chain(bend_deg).joint.bisector
    assert np.hypot(*bisector) == pytest.approx(1.0, abs=1e-5)
