"""Skeleton pictures: the joints, colours and widths that the model was trained on, and what is left out of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from made_motion import performance

from understudy.engines.diffusion.pose_drawing import JOINTS, Skeleton, draw_pose, nearest_tracked
from understudy.tracking.motion import BODY, FACE, HAND, Floats, Motion

SAME = np.array([[1, 0, 0], [0, 1, 0]], np.float32)
NO_HANDS = np.zeros((2, HAND, 2), np.float32), np.zeros((2, HAND), np.bool_)
SIDE = 640
# Joints of somebody who faces us: nose, neck, right arm, left arm, right leg, left leg, eyes, ears, toes.
FIGURE = np.array(
    [
        (320, 100), (320, 200), (250, 200), (200, 260), (150, 320), (390, 200), (440, 260), (490, 320),
        (280, 380), (270, 470), (260, 560), (360, 380), (370, 470), (380, 560), (300, 70), (340, 70),
        (270, 90), (370, 90), (410, 590), (230, 590),
    ],
    np.float32,
)  # fmt: skip
# Of each limb the two joints and its colour in the picture: OpenPose's at 60 %, as Wan2.2's preprocessing draws them.
LIMBS = [
    (1, 2, (153, 0, 0)), (1, 5, (153, 51, 0)), (2, 3, (153, 102, 0)), (3, 4, (153, 153, 0)), (5, 6, (102, 153, 0)),
    (6, 7, (51, 153, 0)), (1, 8, (0, 153, 0)), (8, 9, (0, 153, 51)), (9, 10, (0, 153, 102)), (1, 11, (0, 153, 153)),
    (11, 12, (0, 102, 153)), (12, 13, (0, 51, 153)), (1, 0, (0, 0, 153)), (0, 14, (51, 0, 153)),
    (14, 16, (102, 0, 153)), (0, 15, (153, 0, 153)), (15, 17, (153, 0, 102)), (13, 18, (153, 0, 51)),
    (10, 19, (120, 120, 0)),
]  # fmt: skip


def drawn(seen: np.ndarray | None = None, side: int = SIDE) -> np.ndarray:
    every = np.ones(JOINTS, np.bool_) if seen is None else seen
    return draw_pose(FIGURE * side / SIDE, every, *NO_HANDS, side, side)


def middle(one: int, other: int) -> tuple[int, int]:
    x, y = (FIGURE[one] + FIGURE[other]) / 2
    return int(y), int(x)


def seen_motion(frames: int = 30, fps: float = 30.0) -> Motion:
    motion = performance(frames, fps)
    return replace(motion, body=np.repeat(motion.body[:1], frames, axis=0))


@pytest.mark.parametrize(("one", "other", "colour"), LIMBS)
def test_each_limb_has_its_colour(one: int, other: int, colour: tuple[int, ...]) -> None:
    assert tuple(drawn()[middle(one, other)]) == colour


def test_joints_are_discs_in_full_colour_over_the_limbs() -> None:
    picture = drawn()
    places = {
        0: (255, 0, 0),
        1: (255, 85, 0),
        4: (170, 255, 0),
        7: (0, 255, 85),
        10: (0, 170, 255),
        13: (85, 0, 255),
    }
    for joint, colour in {**places, 18: (200, 200, 0), 19: (100, 100, 0)}.items():
        x, y = FIGURE[joint].astype(int)
        assert tuple(picture[y, x]) == colour


@pytest.mark.parametrize(("side", "pixels"), [(1280, 11), (640, 5), (320, 3)])
def test_limbs_grow_with_the_picture(side: int, pixels: int) -> None:
    column = drawn(side=side)[:, int(285 * side / SIDE)]  # across the right shoulder's limb
    rows = slice(int(190 * side / SIDE), int(215 * side / SIDE))
    assert (column[rows] == (153, 0, 0)).all(axis=1).sum() == pixels


def test_a_joint_that_is_not_seen_takes_its_limbs_along_and_no_others() -> None:
    seen = np.ones(JOINTS, np.bool_)
    seen[3] = False
    picture = drawn(seen)
    for one, other, colour in LIMBS:
        wanted = (0, 0, 0) if 3 in (one, other) else colour
        assert tuple(picture[middle(one, other)]) == wanted


def test_hands_are_rainbows_with_blue_joints() -> None:
    hands = np.zeros((2, HAND, 2), np.float32)
    hands[0] = [(100 + 20 * (i // 4), 300 - 25 * ((i - 1) % 4 + 1) * (i > 0)) for i in range(HAND)]
    seen = np.zeros((2, HAND), np.bool_)
    seen[0] = True
    picture = draw_pose(FIGURE, np.zeros(JOINTS, np.bool_), hands, seen, SIDE, SIDE)
    colours = np.unique(picture.reshape(-1, 3).astype(int), axis=0)
    hues = [
        (0, 0, 0), (0, 0, 255), (255, 0, 0), (255, 76, 0), (255, 153, 0), (255, 230, 0), (204, 255, 0), (128, 255, 0),
        (51, 255, 0), (0, 255, 25), (0, 255, 102), (0, 255, 179), (0, 255, 255), (0, 178, 255), (0, 102, 255),
        (0, 25, 255), (51, 0, 255), (127, 0, 255), (204, 0, 255), (255, 0, 230), (255, 0, 153), (255, 0, 76),
    ]  # fmt: skip
    np.testing.assert_allclose(colours, sorted(hues), atol=1)
    x, y = hands[0, 8].astype(int)  # the tip of the index finger
    assert tuple(picture[y, x]) == (0, 0, 255)


def test_joints_come_from_blazepose() -> None:
    motion = seen_motion()
    body = motion.body[0, :, :2]
    joints = Skeleton.of(motion).body[0]
    np.testing.assert_allclose(joints[1], (body[11] + body[12]) / 2)  # the neck
    np.testing.assert_allclose(joints[[2, 3, 4, 5, 6, 7]], body[[12, 14, 16, 11, 13, 15]])
    np.testing.assert_allclose(joints[[8, 9, 10, 11, 12, 13]], body[[24, 26, 28, 23, 25, 27]])
    np.testing.assert_allclose(joints[[0, 14, 15, 16, 17, 18, 19]], body[[0, 5, 2, 8, 7, 31, 32]])


def test_the_affine_leads_to_the_models_picture() -> None:
    motion = seen_motion()
    affine = np.array([[2, 0, 10], [0, 2, 20]], np.float32)
    picture = Skeleton.of(motion).drawn(0, affine, 700, 720)
    assert picture.shape == (720, 700, 3)
    x, y = (2 * motion.body[0, 32, :2] + (10, 20)).astype(int)  # the right toes lie over all else
    assert tuple(picture[y, x]) == (100, 100, 0)


def test_a_joint_outside_the_picture_is_not_drawn() -> None:
    motion = seen_motion()
    motion.body[:, 15, 0] = motion.width + 1
    assert Skeleton.of(motion).body_seen[0].tolist() == [joint != 7 for joint in range(JOINTS)]


def test_a_joint_about_the_limit_of_visibility_does_not_flicker() -> None:
    motion = seen_motion(60)
    motion.visibility[:, 27] = 0.42 + 0.15 * (np.arange(60) % 2)
    assert len(set(Skeleton.of(motion).body_seen[:, 13].tolist())) == 1
    motion.visibility[:30, 27], motion.visibility[30:, 27] = 0.9, 0.05
    changes = np.flatnonzero(np.diff(Skeleton.of(motion).body_seen[:, 13].astype(int)))
    assert len(changes) == 1
    assert abs(int(changes[0]) - 30) <= 3


def test_a_wrist_with_a_hand_is_seen() -> None:
    motion = seen_motion()
    motion.visibility[:, 15] = 0.1
    assert not Skeleton.of(motion).body_seen[:, 7].any()
    motion.hands[:, 0] = motion.body[:, 15, None]
    motion.hand_score[:, 0] = 0.9
    skeleton = Skeleton.of(motion)
    assert skeleton.body_seen[:, 7].all()
    assert skeleton.hands_seen[:, 0].all()
    assert not skeleton.hands_seen[:, 1].any()


def lost(motion: Motion, frames: slice) -> None:
    for array in (motion.body, motion.hands, motion.face):
        array[frames] = np.nan
    for score in (motion.visibility, motion.hand_score, motion.face_score):
        score[frames] = 0


def test_a_lost_pose_stays_for_a_second_and_not_over_a_cut() -> None:
    motion = replace(seen_motion(90), cuts=(70,))
    lost(motion, slice(30, 90))
    skeleton = Skeleton.of(motion)
    assert skeleton.body_seen[30:59].any(axis=1).all()
    assert not skeleton.body_seen[61:].any()
    np.testing.assert_array_equal(skeleton.body[45], skeleton.body[29])
    assert nearest_tracked(motion)[[29, 69, 70]].tolist() == [29, 29, -1]


def test_nobody_gives_a_black_picture() -> None:
    nothing: Floats = np.full((4, BODY, 3), np.nan, np.float32)
    motion = replace(seen_motion(4), body=nothing, face=np.full((4, FACE, 3), np.nan, np.float32))
    assert not Skeleton.of(motion).drawn(2, SAME, 64, 64).any()
