"""Feet: their tips from the matte, their outline from the picture, level and in place while they stand."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from capsule_figure import leg, standing
from test_retarget import HEIGHT, WIDTH, character_of, motion_of, other_body
from test_retarget import standing as standing_world

from understudy.engines.puppet.cut import Corridor
from understudy.engines.puppet.foot_matte import with_sharp_feet
from understudy.engines.puppet.foot_parting import part_feet
from understudy.engines.puppet.matte import Matte
from understudy.engines.puppet.parts import LIMBS, TOE_REACH
from understudy.engines.puppet.performer import measure
from understudy.engines.puppet.planting import corrections, lifted, planted
from understudy.engines.puppet.retarget import retarget
from understudy.engines.puppet.toe import find_foot, with_true_feet
from understudy.request import Orientation
from understudy.tracking.character import Character
from understudy.tracking.motion import Floats
from understudy.tracking.tracker import nobody

LEFT, RIGHT = LIMBS[2], LIMBS[3]
PICTURE = (720, 480)
GREY = 150


def legs(left_toe: tuple[float, float], right_toe: tuple[float, float]) -> Floats:
    """Joints (33, 2) of a figure whose ankles are at (288, 600) and (192, 600)."""
    joints = standing()
    leg(joints, 0, (288, 500), (288, 600))
    leg(joints, 1, (192, 500), (192, 600))
    joints[29], joints[30] = (286, 610), (194, 610)
    joints[31], joints[32] = left_toe, right_toe
    return joints.astype(np.float32)


def shins(shape: tuple[int, int] = PICTURE) -> np.ndarray:
    mask = np.zeros(shape, np.uint8)
    for x in (288, 192):
        cv2.line(mask, (x, 420), (x, 605), 1, 24)
    return mask


def known(joints: Floats) -> Character:
    body = np.concatenate([joints, np.zeros((33, 1))], axis=1).astype(np.float32)
    person = replace(nobody(), body=body, visibility=np.ones(33, np.float32), world=standing_world())
    return Character(person, "tracker", np.ones(33, bool), np.ones((64, 36), np.float32))


@pytest.mark.parametrize(
    ("marked", "tip"),
    [
        ((288, 632), (288, 652)),  # from the front
        ((318, 622), (336, 636)),  # between
        ((326, 612), (342, 613)),  # from the side
        ((250, 612), (224, 614)),  # the other side
    ],
)
def test_the_toe_is_the_far_end_of_the_foot(marked: tuple[int, int], tip: tuple[int, int]) -> None:
    mask = shins()
    cv2.line(mask, (288, 606), tip, 1, 20)
    foot = find_foot(mask.astype(np.float32), legs(marked, (192, 632)), LEFT)
    assert foot is not None
    along = np.array(tip, float) - (288, 606)
    wanted = np.array(tip) + 10 * along / np.hypot(*along)  # the line's round end
    assert np.hypot(*(foot.toe - wanted)) < 9


def test_the_heel_of_a_foot_from_the_side_is_at_its_back() -> None:
    mask = shins()
    cv2.rectangle(mask, (264, 600), (352, 628), 1, -1)
    foot = find_foot(mask.astype(np.float32), legs((326, 614), (192, 632)), LEFT)
    assert foot is not None
    assert np.hypot(*(foot.heel - (267, 625))) < 10
    assert foot.toe[0] > 345


def test_no_foot_is_claimed_that_is_cut_empty_or_unknown() -> None:
    joints = legs((288, 632), (192, 632))
    mask = shins()
    assert find_foot(np.zeros(PICTURE, np.float32), joints, LEFT) is None
    cv2.line(mask, (288, 606), (288, 652), 1, 20)
    assert find_foot(mask[:640].astype(np.float32), joints, LEFT) is None
    assert find_foot(np.ones(PICTURE, np.float32), joints, LEFT) is None  # a gown to the floor
    lost = joints.copy()
    lost[31] = np.nan
    assert find_foot(mask.astype(np.float32), lost, LEFT) is None


def test_a_foot_that_is_not_found_keeps_its_marks() -> None:
    joints = legs((288, 632), (192, 632))
    mask = shins()
    cv2.line(mask, (288, 606), (288, 652), 1, 20)
    feet = with_true_feet(known(joints), mask.astype(np.float32)).person.body[:, :2]
    assert abs(feet[31, 1] - 662) < 6
    np.testing.assert_allclose(feet[32], joints[28] + TOE_REACH * (joints[32] - joints[28]), atol=0.01)
    np.testing.assert_array_equal(feet[:29], joints[:29])


def scene() -> tuple[np.ndarray, np.ndarray]:
    """A floor in grey with two shoes of nearly its colour, drawn with a thin dark outline; and what they cover."""
    rng = np.random.default_rng(1)
    rgb = np.full((*PICTURE, 3), GREY, np.float32)
    truth = shins()
    rgb[truth > 0] = (60, 70, 120)
    for x in (288, 192):
        shoe = np.zeros(PICTURE, np.uint8)
        cv2.ellipse(shoe, (x, 628), (26, 34), 0, 0, 360, 1, -1)
        rgb[shoe > 0] = GREY + 18
        rim = np.zeros(PICTURE, np.uint8)
        cv2.ellipse(rim, (x, 628), (26, 34), 0, 0, 360, 1, 2)
        rgb[rim > 0] = 70
        truth |= shoe
    rgb = cv2.GaussianBlur(rgb + rng.normal(0, 1.5, rgb.shape).astype(np.float32), (0, 0), 0.7)
    return np.clip(rgb, 0, 255).astype(np.uint8), truth > 0


def test_the_missed_side_of_a_shoe_is_found_again() -> None:
    rgb, truth = scene()
    missed = truth.copy()
    missed[610:, 296:330] = False  # the side of the left shoe
    alpha = missed.astype(np.float32)
    character = known(legs((288, 645), (192, 645)))
    sharp = with_sharp_feet(Matte(alpha, rgb), rgb, character).alpha > 0.5
    lost = truth & ~missed
    assert sharp[lost].mean() > 0.8
    assert (sharp & ~truth).sum() < 0.15 * truth[594:].sum()
    again = with_sharp_feet(Matte(alpha, rgb), rgb, character).alpha > 0.5
    np.testing.assert_array_equal(sharp, again)


def test_a_matte_that_is_right_stays() -> None:
    rgb, truth = scene()
    alpha = truth.astype(np.float32)
    sharp = with_sharp_feet(Matte(alpha, rgb), rgb, known(legs((288, 645), (192, 645))))
    assert ((sharp.alpha > 0.5) != truth).sum() < 0.06 * truth[594:].sum()
    np.testing.assert_array_equal(sharp.alpha[:560], alpha[:560])


def test_odd_feet_leave_the_matte_alone() -> None:
    rgb, truth = scene()
    matte = Matte(truth.astype(np.float32), rgb)
    lost = legs((288, 645), (192, 645))
    lost[27:] = np.nan
    outside = legs((288, 645), (192, 645)) + np.array([3000, 0], np.float32)
    tiny = legs((288, 645), (192, 645)) * np.float32(0.01)
    for joints in (lost, outside, tiny):
        np.testing.assert_array_equal(with_sharp_feet(matte, rgb, known(joints)).alpha, matte.alpha)
    plain = np.full_like(rgb, GREY)
    np.testing.assert_array_equal(
        with_sharp_feet(Matte(matte.alpha, plain), plain, known(legs((288, 645), (192, 645)))).alpha.shape,
        PICTURE,
    )


def test_shoes_side_by_side_are_parted_at_their_own_border() -> None:
    rgb = np.full((*PICTURE, 3), 230, np.uint8)
    truth = np.zeros(PICTURE, np.uint8)
    # The right shoe (2) reaches over the middle between the ankles.
    for number, x, far, colour in ((2, 210, 252, (40, 60, 140)), (1, 270, 286, (180, 60, 40))):
        shape = np.zeros(PICTURE, np.uint8)
        cv2.line(shape, (x, 590), (far if number == 2 else x + 4, 650), 1, 34)
        truth[(shape > 0) & (truth == 0)] = number
        rgb[truth == number] = colour
    core = truth > 0
    columns = np.broadcast_to(np.arange(PICTURE[1]), PICTURE)
    labels = np.where(core, np.where(columns < 240, 2, 1), 0).astype(np.uint8)
    radii = np.array([30, 20, 17], np.float32)
    lines = [
        np.array([[270, 400], [270, 500], [270, 596], [276, 655]], np.float32),
        np.array([[210, 400], [210, 500], [210, 596], [250, 655]], np.float32),
    ]
    cut = [Corridor(limb, core, line, radii) for limb, line in zip((LEFT, RIGHT), lines, strict=True)]
    parted = part_feet(labels, core, rgb, cut)
    zone = core & (np.arange(PICTURE[0]) > 606)[:, None]
    before, after = ((found[zone] != truth[zone]).mean() for found in (labels, parted))
    assert before > 0.08
    assert after < 0.05
    np.testing.assert_array_equal(part_feet(labels, core, rgb, cut[:1]), labels)


def angles(joints: Floats, toe: int, ankle: int) -> Floats:
    foot = joints[:, toe] - joints[:, ankle]
    return np.degrees(np.unwrap(np.arctan2(foot[:, 1], foot[:, 0])))


def test_the_sole_stays_level_while_the_performer_turns_on_the_floor() -> None:
    worlds = []
    for t in range(60):
        world = standing_world()
        aside = 0.12 * np.sin(t / 9)  # both toes point aside, then to the other side
        world[[31, 32], 0] += aside
        worlds.append(world.astype(np.float32))
    body = other_body()
    poses = retarget(character_of(body), motion_of(worlds), Orientation.VIDEO, WIDTH, HEIGHT)
    for ankle, toe in ((27, 31), (28, 32)):
        own = angles(body[None, :, :2], toe, ankle)[0]
        assert np.abs(angles(poses.joints, toe, ankle) - own).max() < 1.0
        assert np.ptp(poses.joints[:, toe], axis=0).max() < 1.0


def test_a_leg_that_swings_up_takes_its_foot_along() -> None:
    worlds = []
    for t in range(60):
        world = standing_world().astype(np.float64)
        turn = -0.5 * np.sin(np.pi * min(max((t - 20) / 20, 0), 1))
        c, s = np.cos(turn), np.sin(turn)
        own = [25, 27, 29, 31]
        world[own, :2] = world[23, :2] + (world[own, :2] - world[23, :2]) @ np.array([[c, s], [-s, c]])
        worlds.append(world.astype(np.float32))
    body = other_body()
    poses = retarget(character_of(body), motion_of(worlds), Orientation.VIDEO, WIDTH, HEIGHT)
    turned = angles(poses.joints, 31, 27) - angles(body[None, :, :2], 31, 27)[0]
    assert 18 < abs(turned[30]) < 45
    assert np.abs(turned[[0, 5, 55, 59]]).max() < 1.0
    length = np.hypot(*(poses.joints[:, 31] - poses.joints[:, 27]).T)
    own_length = np.hypot(*(body[31, :2] - body[27, :2]))
    assert length.min() > 0.59 * own_length
    assert length.max() < 1.26 * own_length


def test_a_raised_foot_is_lifted_and_a_sliding_one_is_not() -> None:
    worlds, path = [], []
    for t in range(80):
        world = standing_world()
        world[[25, 27, 29, 31], 1] -= 0.25 if 30 <= t < 50 else 0.0
        world[[28, 30, 32], 0] += 0.002 * t
        worlds.append(world.astype(np.float32))
        path.append((360.0, 640.0))
    up = lifted(measure(motion_of(worlds, path)))
    assert up.shape == (80, 2)
    assert up[33:47, 0].min() > 0.95
    assert up[:22, 0].max() < 0.05
    assert up[:, 1].max() < 0.05


def test_standing_feet_are_held_and_the_pinned_frame_is_not_moved() -> None:
    rng = np.random.default_rng(2)
    frames, fps, pin = 80, 25.0, 40
    drift = np.linspace(0, 12, frames)
    feet = np.stack([200 + drift, 300 + drift], axis=1) + rng.normal(0, 0.5, (frames, 2)) + 600j
    standing = np.zeros((frames, 2))
    standing[5:30, 0] = standing[20:60, 1] = standing[65:78, 0] = 1.0
    root, steps = corrections(feet, feet[..., None], standing, 40.0, fps, np.eye(frames)[pin])
    for foot, part in ((0, slice(5, 30)), (1, slice(20, 60)), (0, slice(65, 78))):
        held = (feet + root[:, None] + steps)[part, foot]
        assert np.abs(held - held[0]).max() < 1e-6
    assert abs(root[pin]) < 1e-9
    assert np.abs(steps[pin]).max() < 1e-9
    assert np.abs(np.diff(root)).max() < 1.5  # the body does not tremble with a foot's noise
    assert np.isfinite(steps).all()


def test_a_panning_camera_carries_a_standing_foot() -> None:
    way = np.linspace(0, 300, 60)
    feet = np.stack([200 + way, 300 + way], axis=1) + 600j
    root, steps = corrections(feet, feet[..., None], np.ones((60, 2)), 40.0, 25.0, np.eye(60)[0])
    assert np.abs((feet + root[:, None] + steps) - feet).max() < 1e-6


@pytest.mark.parametrize("frames", [1, 2, 5])
def test_short_and_lost_motions_are_calm(frames: int) -> None:
    motion = motion_of([standing_world()] * frames)
    assert lifted(measure(motion)).shape == (frames, 2)
    assert planted(measure(motion)).shape == (frames, 2)
    motion.body[:] = np.nan
    motion.visibility[:] = 0
    poses = retarget(character_of(other_body()), motion, Orientation.VIDEO, WIDTH, HEIGHT)
    assert np.isfinite(poses.joints).all()


def test_a_slow_drift_is_kept_where_the_reference_is_a_frame_of_the_clip() -> None:
    rng = np.random.default_rng(3)
    way = np.linspace(0, 20, 150)
    feet = np.stack([200 + way, 300 + way], axis=1) + rng.normal(0, 1.0, (150, 2)) + 600j
    root, steps = corrections(feet, feet[..., None], np.ones((150, 2)), 60.0, 25.0, np.eye(150)[0], own=True)
    held = feet + root[:, None] + steps
    assert np.abs(np.diff(held, axis=0)).max() < 0.5
    assert 14 < abs(held[-1, 0] - held[0, 0]) < 26


def test_one_odd_frame_of_a_still_performer_does_not_move_the_figure() -> None:
    rng = np.random.default_rng(4)
    feet = np.tile(np.array([200 + 600j, 300 + 600j]), (80, 1)) + rng.normal(0, 0.2, (80, 2))
    feet[0] += 3.0
    root, steps = corrections(
        feet, feet[..., None], np.ones((80, 2)), 40.0, 25.0, np.full(80, 1 / 80), own=True
    )
    moved = feet + root[:, None] + steps - feet[1:].mean(axis=0)
    assert np.abs(moved[5:]).max() < 1.2
    assert np.abs(moved[25:]).max() < 0.4
