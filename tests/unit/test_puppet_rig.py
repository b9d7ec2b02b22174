"""Rig and drawing: at rest the rig is the picture; moved, it has no holes."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import cv2
import numpy as np
import pytest
from capsule_figure import (
    ARM_RADII,
    LEG_RADII,
    SKIN,
    CapsuleFigure,
    arm,
    draw,
    leg,
    poses,
    standing,
)
from numpy.typing import NDArray

from understudy.engines.puppet.draw import Painter
from understudy.engines.puppet.forearm import FOREARM_TO_UPPER_ARM, foreshortened
from understudy.engines.puppet.layer import Layer, cropped
from understudy.engines.puppet.limb_layers import RiggedLimb
from understudy.engines.puppet.order import drawing_order
from understudy.engines.puppet.parts import LIMBS
from understudy.engines.puppet.rest import rest_frame
from understudy.engines.puppet.rig import Rig, build_rig
from understudy.engines.puppet.warp import rotation
from understudy.tracking.motion import Floats

NAMES = tuple(limb.name for limb in LIMBS)
MIRROR = [0, 4, 5, 6, 1, 2, 3, 8, 7, 10, 9, *(j + 1 if j % 2 else j - 1 for j in range(11, 33))]


def figure(kind: str) -> CapsuleFigure:
    joints = standing()
    if kind == "arm on the trunk":
        arm(joints, 0, (336, 308), (262, 336))
    elif kind == "hand on a thigh":
        arm(joints, 0, (340, 312), (306, 408))
    elif kind == "legs together":
        leg(joints, 0, (270, 505), (268, 615))
        leg(joints, 1, (210, 505), (212, 615))
    elif kind == "hands clasped before a skirt":
        arm(joints, 0, (338, 330), (262, 398))
        arm(joints, 1, (142, 330), (218, 398))
        skirt = ((190, 395), (290, 395), (330, 560), (150, 560))
        return draw(joints, skirt=skirt)
    elif kind == "arm towards the camera":
        arm(joints, 0, (352, 300), (360, 318))
    elif kind == "cut by the edge":
        return draw(joints).cropped(560)
    return draw(joints)


KINDS = (
    "free",
    "arm on the trunk",
    "hand on a thigh",
    "legs together",
    "hands clasped before a skirt",
    "arm towards the camera",
    "cut by the edge",
)


@cache
def rigged(kind: str) -> tuple[CapsuleFigure, Rig]:
    made = figure(kind)
    return made, build_rig(made.alpha, made.foreground, made.background, made.joints, made.shown)


def painted(rig: Rig, joints: Floats, scale: float = 1.0) -> NDArray[np.uint8]:
    """One frame with the joints (33, 2) there, everything at one depth."""
    performance = poses(joints, rig.shown, scale)
    order = drawing_order(performance, tuple(limb.limb for limb in rig.limbs), rig.joints, 30.0)
    return Painter(rig, performance, order).frame(0)


def coverage(rig: Rig, joints: Floats, scale: float = 1.0) -> Floats:
    """(H, W) how much of each pixel the figure covers, from two pictures over black and over white."""
    over = [
        painted(replace(rig, background=np.full_like(rig.background, level)), joints, scale).astype(
            np.float32
        )
        for level in (0, 255)
    ]
    return 1 - (over[1] - over[0]).mean(axis=2) / 255


def turned(joints: Floats, name: str, at: int, degrees: float) -> Floats:
    """The joints with a limb turned about its root (``at`` 0) or its middle joint (1)."""
    limb = LIMBS[NAMES.index(name)]
    first, last = (13, 23) if limb.arm else (25, 33)
    moved = [j for j in range(first, last) if j % 2 == limb.points[0] % 2]
    if at:
        moved = [j for j in moved if j != limb.points[1]]
    pivot = joints[limb.points[at]]
    out = joints.copy()
    out[moved] = pivot + (joints[moved] - pivot) @ rotation(np.radians(degrees)).T
    return out


def capsule(shape: tuple[int, int], start: Floats, stop: Floats, radius: float) -> NDArray[np.bool_]:
    area = np.zeros(shape, np.uint8)
    a, b = (tuple(round(float(v)) for v in p) for p in (start, stop))
    cv2.line(area, a, b, 1, max(round(2 * radius), 1))
    cv2.circle(area, a, round(radius), 1, -1)
    cv2.circle(area, b, round(radius), 1, -1)
    return area.astype(bool)


@pytest.mark.parametrize("kind", KINDS)
def test_the_rest_pose_is_the_picture(kind: str) -> None:
    made, rig = rigged(kind)
    frame = rest_frame(rig)
    rows, columns = np.nonzero(made.alpha > 0)
    box = np.s_[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    error = frame[box].astype(np.float64) - made.picture[box]
    assert 10 * np.log10(255**2 / np.mean(error**2)) >= 38
    # No hole or shift hides in the mean: hardly a pixel is far off.
    assert float((np.abs(error).max(axis=2) > 40).mean()) < 0.002


@pytest.mark.parametrize("kind", KINDS)
def test_the_background_keeps_its_bytes(kind: str) -> None:
    made, rig = rigged(kind)
    outside = cv2.dilate((made.alpha > 0).astype(np.uint8), np.ones((5, 5), np.uint8)) == 0
    if kind == "arm towards the camera":  # the made forearm may stand out a little where the hand hides it
        outside[280:360, 320:400] = False
    np.testing.assert_array_equal(rest_frame(rig)[outside], made.background[outside])


def test_a_frame_is_new_each_time_and_leaves_the_rig_alone() -> None:
    made, rig = rigged("free")
    textures = [rig.trunk.texture.copy(), *(layer.texture.copy() for layer in rig.limbs[0].layers)]
    first = rest_frame(rig)
    kept = first.copy()
    painted(rig, turned(made.joints, "left arm", 0, 60))
    np.testing.assert_array_equal(first, kept)
    np.testing.assert_array_equal(rest_frame(rig), kept)
    np.testing.assert_array_equal(rig.background, made.background)
    for before, layer in zip(textures, (rig.trunk, *rig.limbs[0].layers), strict=True):
        np.testing.assert_array_equal(before, layer.texture)


@pytest.mark.parametrize("degrees", [-60, 60])
@pytest.mark.parametrize("at", [0, 1])
@pytest.mark.parametrize("name", NAMES)
def test_a_turned_limb_has_no_holes(name: str, at: int, degrees: float) -> None:
    made, rig = rigged("free")
    limb = LIMBS[NAMES.index(name)]
    radii = ARM_RADII if limb.arm else LEG_RADII
    joints = turned(made.joints, name, at, degrees)
    covered = coverage(rig, joints)
    line = limb.polyline(joints)
    for joint in (0, 1, 2):
        radius = 0.75 * min(radii[max(joint - 1, 0)], radii[joint])
        at_joint = capsule(covered.shape, line[joint], line[joint], radius)
        assert float(covered[at_joint].mean()) >= 0.99, f"hole at joint {joint}"
    for k in (0, 1):
        along = capsule(covered.shape, line[k], line[k + 1], 0.7 * radii[k])
        assert float(covered[along].min()) >= 0.97, f"background shows on segment {k}"


@pytest.mark.parametrize("name", NAMES)
def test_a_turned_limb_goes_where_its_joints_go(name: str) -> None:
    """Its colour is on the new line, and the old place shows the background or the trunk."""
    made, rig = rigged("free")
    number = NAMES.index(name)
    limb = LIMBS[number]
    degrees = -60 if limb.side == 0 else 60  # outwards
    joints = turned(made.joints, name, 0, degrees)
    frame = painted(rig, joints)
    line = limb.polyline(joints)
    radius = 0.5 * (ARM_RADII if limb.arm else LEG_RADII)[1]
    there = capsule(made.alpha.shape, (line[0] + line[1]) / 2, line[1], radius)
    own = made.picture[(made.truth == number + 1) & (made.alpha == 1)]
    wanted = np.median(own, axis=0)
    assert np.abs(frame[there].astype(int) - wanted).max() <= 6
    was = limb.polyline(made.joints)
    gone = capsule(made.alpha.shape, was[1], was[2], radius)
    np.testing.assert_array_equal(frame[gone], made.background[gone])


@pytest.mark.parametrize("degrees", [-60, 60])
def test_an_arm_lifted_off_the_trunk_leaves_the_trunk_whole(degrees: float) -> None:
    made, rig = rigged("arm on the trunk")
    joints = turned(made.joints, "left arm", 0, degrees)
    if degrees > 0:
        joints = turned(made.joints, "left arm", 1, 100)
    covered = coverage(rig, joints)
    trunk = np.zeros_like(made.truth)
    cv2.fillPoly(trunk, [np.array([[190, 235], [270, 235], [270, 380], [200, 380]], np.int32)], 1)
    assert float(covered[trunk > 0].min()) >= 0.94
    assert float(covered[trunk > 0].mean()) >= 0.995
    # Nothing of the arm's colours stays behind on the shirt.
    frame = painted(rig, joints).astype(int)
    where = capsule(made.alpha.shape, np.array([262, 336]), np.array([270, 333]), 8)
    assert (frame[where][:, 2] > frame[where][:, 0] + 40).all()  # blue, as the shirt


def test_a_hand_taken_off_a_thigh_leaves_the_thigh_whole() -> None:
    made, rig = rigged("hand on a thigh")
    joints = turned(made.joints, "left arm", 0, -70)
    hand = capsule(made.alpha.shape, made.joints[15] + (0, 12), made.joints[19], 10)
    on_leg = hand & capsule(made.alpha.shape, made.joints[23], made.joints[25], 0.8 * LEG_RADII[0])
    assert on_leg.sum() > 100
    assert float(coverage(rig, joints)[on_leg].min()) >= 0.95
    skin = np.abs(painted(rig, joints)[on_leg].astype(int) - SKIN).max(axis=1) < 30
    assert float(skin.mean()) < 0.05


def test_hands_taken_off_the_crotch_leave_nothing_behind() -> None:
    made, rig = rigged("hands clasped before a skirt")
    joints = turned(turned(made.joints, "left arm", 0, -70), "right arm", 0, 70)
    hands = (np.isin(made.truth, (1, 2)) & (made.alpha == 1))[410:470, 200:280]
    frame = painted(rig, joints)[410:470, 200:280].astype(int)
    blue = frame[hands][:, 2] > frame[hands][:, 0] + 40
    assert float(blue.mean()) > 0.9


def test_an_arm_behind_the_other_hand_is_whole() -> None:
    made, rig = rigged("hands clasped before a skirt")
    joints = turned(made.joints, "left arm", 0, -70)
    along = capsule(made.alpha.shape, joints[13], joints[15] + 0.5 * (joints[19] - joints[15]), 8)
    assert float(coverage(rig, joints)[along].min()) >= 0.95


@pytest.mark.parametrize("lift", [20, 60])
def test_a_figure_cut_by_the_bottom_edge_goes_on_below_it(lift: int) -> None:
    made, rig = rigged("cut by the edge")
    covered = coverage(rig, made.joints - np.array([0, lift], np.float32))
    bottom = covered[-1]
    shins = made.alpha[-1] > 0.5
    assert shins.sum() > 60
    assert float((bottom > 0.9)[shins].mean()) > 0.8
    # The rows above are whole too: no seam where the picture ended.
    for row in range(rig.height - lift - 4, rig.height):
        assert (covered[row] > 0.9).sum() >= 0.8 * shins.sum()


def test_a_whole_figure_does_not_go_on() -> None:
    made, rig = rigged("free")
    covered = coverage(rig, made.joints - np.array([0, 100], np.float32))
    assert covered[-60:].max() < 0.01


@pytest.mark.parametrize("scale", [0.5, 1.5])
def test_a_scaled_figure_is_drawn_at_its_size(scale: float) -> None:
    made, rig = rigged("free")
    middle = np.array([240, 390], np.float32)
    covered = coverage(rig, (middle + scale * (made.joints - middle)).astype(np.float32), scale)
    rows, columns = np.mgrid[: rig.height, : rig.width].astype(np.float32)
    back = cv2.remap(
        made.alpha, (columns - middle[0]) / scale + middle[0], (rows - middle[1]) / scale + middle[1], 1
    )
    assert float((np.abs(covered - back) > 0.5).mean()) < 0.002


@pytest.mark.parametrize("squeeze", [1.0, 0.3, 0.05, 0.0, -0.05, -1.0], ids=lambda value: f"width {value:g}")
def test_a_figure_seen_from_the_side_or_the_back_is_drawn(squeeze: float) -> None:
    made, rig = rigged("free")
    joints = made.joints.copy()
    joints[:, 0] = 240 + squeeze * (joints[:, 0] - 240)
    covered = coverage(rig, joints)
    shown, whole = covered.sum(), made.alpha.sum()
    assert 0.3 * whole < shown < 1.25 * whole
    belly = covered[300:340, 232:248]
    assert belly.min() > 0.97


def test_a_mirrored_torso_is_drawn() -> None:
    made, rig = rigged("free")
    covered = coverage(rig, made.joints[MIRROR].astype(np.float32))
    assert covered.sum() > 0.7 * made.alpha.sum()


@pytest.mark.parametrize("away", [(-2000, 0), (0, 3000), (450, 0)])
def test_a_figure_that_leaves_the_picture_is_no_crash(away: tuple[int, int]) -> None:
    made, rig = rigged("free")
    frame = painted(rig, made.joints + np.array(away, np.float32))
    assert frame.shape == made.background.shape
    if max(abs(v) for v in away) > 1000:
        np.testing.assert_array_equal(frame, made.background)


def made_arm() -> tuple[CapsuleFigure, Rig, RiggedLimb]:
    made, rig = rigged("arm towards the camera")
    return made, rig, next(limb for limb in rig.limbs if limb.limb.name == "left arm")


def test_a_forearm_towards_the_camera_is_made() -> None:
    _, rig, limb = made_arm()
    assert limb.made
    assert not any(other.made for other in rig.limbs if other is not limb)
    upper, fore = (float(np.hypot(*limb.bones[k])) for k in (0, 1))
    assert fore == pytest.approx(FOREARM_TO_UPPER_ARM * upper, rel=1e-3)
    assert not any(limb.made for limb in rigged("free")[1].limbs)


def test_a_made_forearm_has_the_sleeves_colour_and_no_holes() -> None:
    made, rig, limb = made_arm()
    joints = made.joints.copy()
    arm(joints, 0, (352, 300), (430, 320))
    along = capsule(made.alpha.shape, joints[13] + (18, 5), joints[15] - (14, 4), 6)
    assert float(coverage(rig, joints)[along].min()) >= 0.97
    colour = painted(rig, joints)[along].astype(int)
    sleeve = np.array((200, 60, 60))
    assert (np.abs(colour - sleeve * (colour.sum(axis=1) / sleeve.sum())[:, None]) < 20).all()
    assert limb.layers[1].texture[..., 3].max() == 255


def test_the_hand_goes_along_with_a_made_forearm() -> None:
    made, rig, _ = made_arm()
    joints = made.joints.copy()
    arm(joints, 0, (352, 300), (430, 320))
    hand = capsule(made.alpha.shape, joints[19], joints[17], 4)
    skin = np.abs(painted(rig, joints)[hand].astype(int) - SKIN).max(axis=1) < 25
    assert float(skin.mean()) > 0.9


@pytest.mark.parametrize(("fore", "wanted"), [(0.3, True), (0.45, True), (0.6, False), (1.0, False)])
def test_what_counts_as_foreshortened(fore: float, wanted: bool) -> None:
    bones = np.array([[60, 80], [fore * 100, 0], [30, 0]], np.float32)
    assert foreshortened(bones) is wanted


def test_a_layer_is_cropped_and_premultiplied() -> None:
    alpha = np.zeros((20, 30), np.float32)
    alpha[5:9, 10:16] = 0.5
    layer = cropped("part", np.full((20, 30, 3), 200, np.uint8), alpha)
    assert layer.origin == (10, 5)
    assert layer.texture.shape == (4, 6, 4)
    assert (layer.texture == (100, 100, 100, 128)).all()
    empty = cropped("nothing", np.zeros((20, 30, 3), np.uint8), np.zeros((20, 30), np.float32))
    assert isinstance(empty, Layer)
    assert not empty.texture.any()


def test_hands_lie_before_what_hangs_on_the_upper_arms() -> None:
    _, rig = rigged("free")
    rows, columns = np.mgrid[0 : rig.height, 0 : rig.width]
    elbow, shoulder = rig.joints[13], rig.joints[11]
    middle = (elbow + shoulder) / 2
    hair = (np.hypot(columns - middle[0], rows - middle[1]) < 16).astype(np.float32)
    green = np.zeros_like(rig.background)
    green[...] = (0, 255, 0)
    haired = replace(rig, front=cropped("hair", green, hair))
    at = int(middle[1]), int(middle[0])
    assert painted(haired, rig.joints)[at].tolist() == [0, 255, 0]
    joints = rig.joints.copy()
    arm(joints, 1, (float(rig.joints[12][0]), 330), (float(middle[0]), float(middle[1])))
    np.testing.assert_allclose(painted(haired, joints)[at], painted(rig, joints)[at], atol=2)


def test_a_new_order_fades_in_only_where_parts_lie_over_each_other() -> None:
    _, rig = rigged("arm on the trunk")
    performance = poses(np.repeat(rig.joints[None], 8, axis=0), rig.shown)
    order = drawing_order(performance, tuple(limb.limb for limb in rig.limbs), rig.joints, 30.0)
    order.before_trunk["left arm"][4:] = False
    order.upper_before_trunk["left arm"][4:] = False
    frames = [Painter(rig, performance, order).frame(t).astype(float) for t in range(8)]
    old, new = frames[3], frames[7]
    assert np.abs(new - old).max() > 40
    for t, share in ((4, 0.25), (5, 0.5), (6, 0.75)):
        np.testing.assert_allclose(frames[t], (1 - share) * old + share * new, atol=2)
