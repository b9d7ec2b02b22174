"""The trunk's field: still at rest, the head's own similarity, and torsos seen from the side or the back."""

from __future__ import annotations

import numpy as np
import pytest
from capsule_figure import standing

from understudy.engines.puppet.blends import Blends
from understudy.engines.puppet.cut import extended
from understudy.engines.puppet.joint import Joint
from understudy.engines.puppet.parts import LIMBS
from understudy.engines.puppet.trunk import (
    MIN_WIDTH,
    HipBlend,
    TrunkPose,
    TrunkRest,
    hip_parent,
    similarity,
)
from understudy.engines.puppet.warp import bone_map, rotation
from understudy.tracking.motion import Floats

MIRROR = [0, 4, 5, 6, 1, 2, 3, 8, 7, 10, 9, *(j + 1 if j % 2 else j - 1 for j in range(11, 33))]


@pytest.fixture
def grid() -> Floats:
    ys, xs = np.mgrid[-40:760:8, -40:520:8].astype(np.float32)
    return np.stack([xs, ys], axis=-1)


def field_of(pose: TrunkPose, points: Floats, hips: tuple[HipBlend, ...]) -> Floats:
    """(..., 2) where the trunk's points come from."""
    asked = Blends()
    source = pose.field(points, hips, blends=asked)
    asked.run()
    return source()


def blends(rest: TrunkRest, pose: TrunkPose, rest_joints: Floats, joints: Floats) -> tuple[HipBlend, ...]:
    """The thighs' blends as the painter makes them."""
    parent = hip_parent(rest, pose)
    assert parent is not None
    made = []
    for limb in LIMBS[2:]:
        was, now = extended(limb, rest_joints), extended(limb, joints)
        child = bone_map(was[1] - was[0], now[1] - now[0], 1.0)
        spine = pose.hips.origin - pose.shoulders.origin
        joint = Joint.between(was[0], now[0], spine, now[1] - now[0], 28.0, parent, child)
        made.append(HipBlend(joint, 1.0 if limb.side == 0 else -1.0))
    return tuple(made)


def test_nothing_moves_at_rest(grid: Floats) -> None:
    joints = standing()
    rest = TrunkRest.of(joints)
    pose = TrunkPose(rest, joints)
    np.testing.assert_allclose(field_of(pose, grid, ()), grid, atol=1e-3)
    np.testing.assert_allclose(field_of(pose, grid, blends(rest, pose, joints, joints)), grid, atol=1e-3)


def test_a_leaning_figure_at_rest_is_still_too(grid: Floats) -> None:
    joints = (standing() - (240, 400)) @ rotation(0.6).T + (240, 400)
    joints = joints.astype(np.float32)
    rest = TrunkRest.of(joints)
    np.testing.assert_allclose(field_of(TrunkPose(rest, joints), grid, ()), grid, atol=1e-3)


def test_a_figure_moved_as_a_whole_moves_as_a_whole(grid: Floats) -> None:
    rest_joints = standing()
    rest = TrunkRest.of(rest_joints)
    joints = (1.2 * (rest_joints - (240, 400)) @ rotation(0.3).T + (260, 380)).astype(np.float32)
    back = (grid - (260, 380)) @ rotation(-0.3).T / 1.2 + (240, 400)
    np.testing.assert_allclose(field_of(TrunkPose(rest, joints), grid, ()), back, atol=0.02)


def test_the_head_follows_its_own_similarity() -> None:
    rest_joints = standing()
    joints = rest_joints.copy()
    turn, pivot = rotation(np.radians(25)) * 1.1, np.array([240, 180], np.float32)
    joints[:11] = (rest_joints[:11] - pivot) @ turn.T + pivot
    pose = TrunkPose(TrunkRest.of(rest_joints), joints)
    on_head = joints[:7]
    np.testing.assert_allclose(field_of(pose, on_head, ()), rest_joints[:7], atol=0.05)
    # The belly knows nothing of it.
    belly = np.array([[240, 330], [220, 360]], np.float32)
    np.testing.assert_allclose(field_of(pose, belly, ()), belly, atol=1e-3)


@pytest.mark.parametrize("angle_deg", [0, 30, -170])
def test_similarity_is_found_exactly(angle_deg: float) -> None:
    points = standing()[:11]
    matrix = 1.3 * rotation(np.radians(angle_deg))
    found, shift = similarity(points, points @ matrix.T + (7, -5))
    np.testing.assert_allclose(found, matrix, atol=1e-4)
    np.testing.assert_allclose(shift, (7, -5), atol=0.02)


def test_similarity_of_points_in_one_place_is_finite() -> None:
    matrix, shift = similarity(np.ones((7, 2), np.float32), np.ones((7, 2), np.float32))
    assert np.isfinite(matrix).all()
    assert np.isfinite(shift).all()


@pytest.mark.parametrize("width", [1.0, 0.5, 0.1, 0.02, 0.0, -0.02, -0.1, -1.0])
def test_a_torso_in_profile_keeps_some_width(width: float, grid: Floats) -> None:
    rest_joints = standing()
    rest = TrunkRest.of(rest_joints)
    joints = rest_joints.copy()
    joints[11:, 0] = 240 + width * (joints[11:, 0] - 240)
    pose = TrunkPose(rest, joints)
    assert 0.25 <= MIN_WIDTH <= 0.6
    for posed, was in ((pose.hips, rest.hips), (pose.shoulders, rest.shoulders)):
        full = np.hypot(*was.axes[:, 0])
        wide = np.hypot(*posed.axes[:, 0])
        assert wide >= MIN_WIDTH * full - 1e-2
        assert wide == pytest.approx(max(abs(width), MIN_WIDTH) * full, rel=1e-3)
    assert np.isfinite(field_of(pose, grid, ())).all()


def test_a_crouching_torso_keeps_some_height(grid: Floats) -> None:
    rest_joints = standing()
    joints = rest_joints.copy()
    joints[11:13] = joints[23:25] - (0, 2)
    pose = TrunkPose(TrunkRest.of(rest_joints), joints)
    assert np.isfinite(field_of(pose, grid, ())).all()


def test_a_mirrored_torso_has_no_blend_with_its_thighs(grid: Floats) -> None:
    rest_joints = standing()
    rest = TrunkRest.of(rest_joints)
    pose = TrunkPose(rest, rest_joints[MIRROR])
    matrix = rest.hips.axes @ np.linalg.inv(pose.hips.axes)
    assert np.linalg.det(matrix) < 0
    assert hip_parent(rest, pose) is None
    field = field_of(pose, grid, ())
    assert np.isfinite(field).all()
    # On the spine, and mirrored beside it.
    at = np.array([[240, 330], [215, 330]], np.float32)
    np.testing.assert_allclose(field_of(pose, at, ()), [[240, 330], [265, 330]], atol=0.05)


def test_hip_parent_is_the_trunks_own_map() -> None:
    rest_joints = standing()
    rest = TrunkRest.of(rest_joints)
    joints = ((rest_joints - (240, 400)) @ rotation(0.5).T * 1.4 + (250, 410)).astype(np.float32)
    parent = hip_parent(rest, TrunkPose(rest, joints))
    assert parent is not None
    assert parent.turn == pytest.approx(-0.5, abs=1e-4)
    np.testing.assert_allclose(parent.stretch, np.eye(2) / 1.4, atol=1e-4)


def test_hips_on_shoulders_still_give_a_field(grid: Floats) -> None:
    joints = standing()
    posed = joints.copy()
    posed[[11, 12]] = posed[[23, 24]]
    rest = TrunkRest.of(joints)
    assert np.isfinite(field_of(TrunkPose(rest, posed), grid, ())).all()
    posed[12], posed[24] = posed[11], posed[23]
    assert np.isfinite(field_of(TrunkPose(rest, posed), grid, ())).all()


def test_a_raised_arm_takes_its_shoulder_along_and_the_trunk_follows() -> None:
    rest_joints = standing()
    rest = TrunkRest.of(rest_joints)
    joints = rest_joints.copy()
    joints[13], joints[15] = (300, 90), (300, 10)  # the left arm straight up
    pose = TrunkPose(rest, joints)
    left, right = (
        pose.lifted(limb, extended(limb, joints), extended(limb, rest_joints)) for limb in LIMBS[:2]
    )
    np.testing.assert_array_equal(right, extended(LIMBS[1], joints))
    rise = joints[11] - left[0]
    width = joints[11, 0] - joints[12, 0]
    assert 0.08 * width < rise[1] < 0.15 * width  # up
    assert 0 < rise[0] < 0.08 * width  # towards the neck
    np.testing.assert_allclose(field_of(pose, left[:1], ()), rest_joints[[11]], atol=0.05)
    # The other shoulder and the belly know nothing of it.
    still = np.array([rest_joints[12], (240, 330)], np.float32)
    np.testing.assert_allclose(field_of(pose, still, ()), still, atol=0.05)


def test_the_shoulders_rise_never_folds_the_trunk(grid: Floats) -> None:
    rest_joints = standing()
    joints = rest_joints.copy()
    for side in (0, 1):
        joints[13 + side], joints[15 + side] = joints[11 + side] - (0, 120), joints[11 + side] - (0, 220)
    pose = TrunkPose(TrunkRest.of(rest_joints), joints)
    for limb in LIMBS[:2]:
        pose.lifted(limb, extended(limb, joints), extended(limb, rest_joints))
    field = field_of(pose, grid, ())
    right, down = np.diff(field, axis=1)[:-1], np.diff(field, axis=0)[:, :-1]
    assert (right[..., 0] * down[..., 1] - right[..., 1] * down[..., 0] > 0).all()


def test_a_trunk_seen_from_the_side_does_not_stretch_to_its_arms() -> None:
    rest_joints = standing()
    rest = TrunkRest.of(rest_joints)
    shares = []
    for width in (1.0, 0.8, 0.6, 0.4):
        joints = rest_joints.copy()
        joints[11:, 0] = 240 + width * (joints[11:, 0] - 240)
        shares.append(TrunkPose(rest, joints).frontal)
    assert shares[0] == 1.0
    assert shares[-1] == 0.0
    assert shares == sorted(shares, reverse=True)
