"""The figures on made-up motions whose answers are known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from understudy.evaluation.faces import correlation, expression, face_figures, face_patch
from understudy.evaluation.joints import joint_figures, person_height, root_drift, without_gaps
from understudy.evaluation.limbs import limb_figures, torso_yaw
from understudy.request import Orientation
from understudy.tracking.motion import BODY, FACE, HAND, Motion

T = 60
STANDING = {
    0: (0, -80),
    11: (25, -60),
    12: (-25, -60),
    13: (45, -30),
    14: (-45, -30),
    15: (55, 5),
    16: (-55, 5),
    23: (16, 0),
    24: (-16, 0),
    25: (18, 45),
    26: (-18, 45),
    27: (19, 90),
    28: (-19, 90),
}
CENTRE = np.array([200.0, 300.0])
LEFT_ARM, RIGHT_ARM = (13, 15), (14, 16)
HEIGHT = 170.0


def turned(points: NDArray[np.float64], about: NDArray[np.float64], angle_deg: float) -> NDArray[np.float64]:
    c, s = np.cos(np.radians(angle_deg)), np.sin(np.radians(angle_deg))
    return about + (points - about) @ np.array([[c, s], [-s, c]])


def waving(frames: int = T, *, swing_deg: float = 40.0, delay: int = 0) -> Motion:
    """A figure whose arms swing about the shoulders; world landmarks are its pixels in one plane."""
    body = np.zeros((frames, BODY, 3))
    for joint, place in STANDING.items():
        body[:, joint, :2] = place
    for k in range(frames):
        swing = swing_deg * np.sin((k - delay) * 0.35)
        for shoulder, arm in ((11, LEFT_ARM), (12, RIGHT_ARM)):
            for joint in arm:
                body[k, joint, :2] = turned(body[k, joint, :2], body[k, shoulder, :2], swing)
    world = body / 100
    body[..., :2] += CENTRE
    visibility = np.zeros((frames, BODY), np.float32)
    visibility[:, list(STANDING)] = 1
    return Motion(
        width=405,
        height=720,
        times_s=(np.arange(frames) / 12).astype(np.float32),
        body=body.astype(np.float32),
        visibility=visibility,
        world=world.astype(np.float32),
        hands=np.full((frames, 2, HAND, 3), np.nan, np.float32),
        hand_score=np.zeros((frames, 2), np.float32),
        face=np.full((frames, FACE, 3), np.nan, np.float32),
        face_score=np.zeros(frames, np.float32),
    )


def moved(motion: Motion, by: tuple[float, float]) -> Motion:
    body = motion.body.copy()
    body[..., :2] += np.array(by, np.float32)
    return replace(motion, body=body)


def lost(motion: Motion, frames: slice) -> Motion:
    body, world, visibility = motion.body.copy(), motion.world.copy(), motion.visibility.copy()
    body[frames], world[frames], visibility[frames] = np.nan, np.nan, 0
    return replace(motion, body=body, world=world, visibility=visibility)


def one(motion: Motion) -> Motion:
    return replace(
        motion,
        times_s=motion.times_s[:1],
        body=motion.body[:1],
        visibility=motion.visibility[:1],
        world=motion.world[:1],
    )


def test_height_is_the_joints_vertical_extent() -> None:
    assert person_height(waving()) == pytest.approx(HEIGHT)
    assert person_height(lost(waving(), slice(None))) is None


def test_the_same_motion_is_perfect() -> None:
    motion = waving()
    joints = joint_figures(motion, motion, one(motion), HEIGHT, self_reenactment=True)
    assert joints.akd == joints.akd_p95 == joints.mkr == joints.mkr_shown == 0
    for orientation in Orientation:
        limbs = limb_figures(motion, motion, one(motion), HEIGHT, orientation)
        assert limbs.limb_deg == pytest.approx(0, abs=0.05)
        assert limbs.turned == limbs.lag == 0


def test_akd_is_distance_over_height() -> None:
    motion = waving()
    joints = joint_figures(motion, moved(motion, (17, 0)), one(motion), HEIGHT, self_reenactment=True)
    assert joints.akd == pytest.approx(0.1, rel=1e-4)
    assert joints.akd_p95 == pytest.approx(0.1, rel=1e-4)


def test_akd_needs_self_reenactment() -> None:
    motion = waving()
    assert joint_figures(motion, motion, one(motion), HEIGHT, self_reenactment=False).akd is None


def test_a_lost_person_counts_as_unmoved() -> None:
    motion = waving()
    half = joint_figures(motion, lost(motion, slice(30, 60)), one(motion), HEIGHT, self_reenactment=True)
    still = replace(motion, body=np.repeat(motion.body[:1], T, axis=0))
    unmoved = joint_figures(motion, still, one(motion), HEIGHT, self_reenactment=True)
    assert half.mkr == pytest.approx(0.5)
    assert half.akd is not None
    assert unmoved.akd is not None
    assert 0.3 * unmoved.akd < half.akd < 0.7 * unmoved.akd


def test_mkr_without_and_with_the_joints_the_reference_hides() -> None:
    motion = waving()
    visibility = motion.visibility.copy()
    visibility[:, [25, 26, 27, 28]] = 0
    shown = replace(motion, visibility=visibility)
    joints = joint_figures(motion, shown, one(shown), HEIGHT, self_reenactment=False)
    assert joints.mkr == pytest.approx(4 / 13)
    assert joints.mkr_shown == 0


def test_an_unseen_character_has_no_figures() -> None:
    motion = waving()
    nobody = lost(one(motion), slice(None))
    joints = joint_figures(motion, motion, nobody, HEIGHT, self_reenactment=False)
    assert joints.mkr is None
    assert limb_figures(motion, motion, nobody, HEIGHT, Orientation.VIDEO) == (None, None, None, None)


def test_jitter_and_stillness() -> None:
    rng = np.random.default_rng(1)
    still = replace(waving(), body=np.repeat(waving().body[:1], T, axis=0))
    noise = rng.normal(0, 0.2, still.body.shape).astype(np.float32)
    calm, restless = replace(still, body=still.body + noise), replace(still, body=still.body + 3 * noise)
    joints = joint_figures(calm, restless, one(still), HEIGHT, self_reenactment=True)
    assert joints.jitter == pytest.approx(3, rel=0.05)
    assert joints.still_p99 is not None
    assert 3 < joints.still_p99 < 6  # of a Rayleigh distribution whose axes have 0.6 px times the root of 6
    assert joint_figures(waving(), restless, one(still), HEIGHT, self_reenactment=True).still_p99 is None


@pytest.mark.parametrize("orientation", list(Orientation))
def test_limb_deg_is_the_angle(orientation: Orientation) -> None:
    motion = waving()
    body, world = motion.body.copy(), motion.world.copy()
    for points in (body, world):
        for k in range(T):
            points[k, 15, :2] = turned(points[k, 15, :2], points[k, 13, :2], 24.0)
    limbs = limb_figures(motion, replace(motion, body=body, world=world), one(motion), HEIGHT, orientation)
    assert limbs.limb_deg == pytest.approx(24 / 8, abs=0.05)


def test_limbs_that_the_reference_hides_do_not_count() -> None:
    motion = waving()
    hidden = one(motion)
    hidden.visibility[:, [13, 15]] = 0
    body = motion.body.copy()
    body[:, 15] = body[:, 13] + np.array([0, -30, 0], np.float32)
    limbs = limb_figures(motion, replace(motion, body=body), hidden, HEIGHT, Orientation.VIDEO)
    assert limbs.limb_deg == pytest.approx(0, abs=0.05)


def test_image_orientation_ignores_the_facing() -> None:
    motion = waving()
    c, s = np.cos(np.radians(30)), np.sin(np.radians(30))
    yaw = np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]], np.float32)
    facing = replace(motion, world=motion.world @ yaw)
    assert abs(abs(torso_yaw(facing.world)[0]) - 30) < 0.1
    limbs = limb_figures(motion, facing, one(motion), HEIGHT, Orientation.IMAGE)
    assert limbs.limb_deg == pytest.approx(0, abs=0.1)


def test_turned_frames_are_left_out() -> None:
    motion = waving()
    world = motion.world.copy()
    world[:15, :, 0] *= -1
    shown = moved(motion, (3, 0))
    body = shown.body.copy()
    body[:15, 13] += 40
    limbs = limb_figures(
        replace(motion, world=world), replace(shown, body=body), one(motion), HEIGHT, Orientation.VIDEO
    )
    assert limbs.turned == pytest.approx(0.25)
    assert limbs.limb_deg == pytest.approx(0, abs=0.05)


@pytest.mark.parametrize("delay", [-3, 0, 2])
def test_lag_is_found(delay: int) -> None:
    motion = waving()
    limbs = limb_figures(motion, waving(delay=delay), one(motion), HEIGHT, Orientation.VIDEO)
    assert limbs.lag == delay


def test_a_still_output_has_no_lag() -> None:
    motion = waving()
    still = waving(swing_deg=0)
    assert limb_figures(motion, still, one(motion), HEIGHT, Orientation.VIDEO).lag is None


def test_gaps_take_the_references_place() -> None:
    motion = waving()
    filled = without_gaps(lost(motion, slice(5, 9)), one(motion))
    assert np.array_equal(filled.body[6], motion.body[0])
    assert np.array_equal(filled.body[20], motion.body[20])


def test_root_drift_is_over_the_height() -> None:
    motion = waving()
    assert root_drift(moved(motion, (0, 17)), one(motion)) == pytest.approx(0.1, rel=1e-3)


def face(frames: int, *, mouth: float = 0.0, phase: float = 0.0) -> NDArray[np.float32]:
    points = np.zeros((frames, FACE, 3), np.float32)
    rng = np.random.default_rng(0)
    points[..., :2] = rng.uniform(-20, 20, (FACE, 2))
    fixed = {
        33: (-30, 0),
        133: (-10, 0),
        362: (10, 0),
        263: (30, 0),
        1: (0, 22),
        61: (-12, 38),
        291: (12, 38),
    }
    fixed |= {
        152: (0, 62),
        13: (0, 37),
        14: (0, 39),
        159: (-20, -4),
        145: (-20, 4),
        386: (20, -4),
        374: (20, 4),
    }
    for index, place in fixed.items():
        points[:, index, :2] = place
    points[:, 14, 1] += mouth * (1 + np.sin(np.arange(frames) * 0.7 + phase))
    points[..., :2] += 100
    return points


def test_expression_follows_the_mouth() -> None:
    speaking = face(T, mouth=4)
    assert expression(speaking, speaking) == pytest.approx(1)
    assert expression(speaking, face(T)) == 0
    assert expression(speaking, face(T, mouth=4, phase=np.pi)) == pytest.approx(-1)
    assert expression(face(T), speaking) is None
    assert expression(speaking, np.full_like(speaking, np.nan)) == 0


def test_patch_is_upright_and_the_same_wherever_the_face_is() -> None:
    rng = np.random.default_rng(3)
    small = rng.integers(0, 255, (25, 25, 3), np.uint8)
    picture = np.kron(small, np.ones((8, 8, 1), np.uint8)).astype(np.uint8)
    points = face(1)[0]
    there = points.copy()
    there[:, 0] += 40
    first = face_patch(picture, points)
    second = face_patch(np.roll(picture, 40, axis=1), there)
    assert first is not None
    assert second is not None
    assert first.shape == (90, 80, 3)
    assert correlation(first[None], second[None])[0] > 0.95
    assert face_patch(picture, np.full((FACE, 3), np.nan, np.float32)) is None


def test_a_lost_face_counts_nothing() -> None:
    rng = np.random.default_rng(4)
    patches = rng.integers(0, 255, (T, 90, 80, 3), np.uint8)
    performer = face(T, mouth=4)
    shown = performer.copy()
    shown[:40] = np.nan
    figures = face_figures(
        (performer, patches), (shown, patches), (performer[:1], patches[:1]), self_reenactment=True
    )
    assert figures.face_gt_ncc == 0
    whole = face_figures(
        (performer, patches), (performer, patches), (performer[:1], patches[:1]), self_reenactment=False
    )
    assert whole.face_gt_ncc is None
    assert whole.face_ncc is not None
    assert abs(whole.face_ncc) < 0.1
