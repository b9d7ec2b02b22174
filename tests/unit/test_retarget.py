"""Retargeting on made-up motion: what must hold for any performer and any character."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from understudy.engines.puppet.retarget import retarget
from understudy.engines.puppet.skeleton import LIMBS, STANDING, SWAPPED, plane
from understudy.request import Orientation
from understudy.tracking.character import Character
from understudy.tracking.motion import Floats, Motion
from understudy.tracking.tracker import nobody

WIDTH, HEIGHT = 720, 1280
FPS = 25.0


def standing(arms: float = 0.0, yaw: float = 0.0) -> Floats:
    """World landmarks (33, 3) of a standing adult; ``arms`` (radians) lifts both sideways, ``yaw`` turns the body."""
    at = np.zeros((33, 3))
    at[:, 0], at[:, 1] = STANDING.real, STANDING.imag
    at[:11, 2] = -0.1
    at[[29, 30], 2], at[[31, 32], 2] = 0.03, -0.12
    for shoulder, arm, sign in ((11, (13, 15, 17, 19, 21), -1), (12, (14, 16, 18, 20, 22), 1)):
        c, s = np.cos(sign * arms), np.sin(sign * arms)
        off = at[list(arm), :2] - at[shoulder, :2]
        at[list(arm), :2] = at[shoulder, :2] + off @ np.array([[c, s], [-s, c]])
    c, s = np.cos(yaw), np.sin(yaw)
    return (at @ np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])).astype(np.float32)


def motion_of(
    worlds: list[Floats], path: list[tuple[float, float]] | None = None, size: float = 600.0
) -> Motion:
    """A motion seen by an orthographic camera of ``size`` pixels a metre, the mid-hip along ``path``."""
    world = np.stack(worlds)
    frames = len(world)
    where = np.array(path if path is not None else [(360.0, 640.0)] * frames)
    body = world * size
    body[:, :, :2] += where[:, None]
    empty = nobody()
    return Motion(
        WIDTH,
        HEIGHT,
        (np.arange(frames) / FPS).astype(np.float32),
        body.astype(np.float32),
        np.ones((frames, 33), np.float32),
        world,
        np.repeat(empty.hands[None], frames, 0),
        np.zeros((frames, 2), np.float32),
        np.repeat(empty.face[None], frames, 0),
        np.zeros(frames, np.float32),
    )


def character_of(body: Floats, world: Floats | None = None, *, cut: bool = False) -> Character:
    shown = np.ones(33, bool)
    if cut:
        shown[25:] = False
    person = replace(
        nobody(), body=body, visibility=np.ones(33, np.float32), world=standing() if world is None else world
    )
    mask = np.zeros((64, 36), np.float32)
    mask[8 : 64 if cut else 60, 10:26] = 1
    return Character(person, "tracker", shown, mask)


def other_body() -> Floats:
    """A character with a large head, long arms and short legs, in the output picture."""
    at = standing(0.5).astype(np.float64)
    at[:11, :2] = (at[:11, :2] - at[0, :2]) * 2 + at[0, :2] - [0, 0.1]
    for shoulder, arm in ((11, (13, 15, 17, 19, 21)), (12, (14, 16, 18, 20, 22))):
        at[list(arm)] = (at[list(arm)] - at[shoulder]) * 1.3 + at[shoulder]
    for hip, leg in ((23, (25, 27, 29, 31)), (24, (26, 28, 30, 32))):
        at[list(leg)] = (at[list(leg)] - at[hip]) * 0.6 + at[hip]
    at = at * 450
    at[:, :2] += [330, 700]
    return at.astype(np.float32)


def angles(joints: Floats) -> np.ndarray:
    points = plane(joints)
    return np.stack([np.angle(points[..., b] - points[..., a]) for a, b in LIMBS], axis=-1)


def apart(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.degrees(np.abs(np.angle(np.exp(1j * (a - b)))))


def dance(frames: int = 75) -> list[Floats]:
    return [standing(0.2 + 1.0 * np.sin(t / 9) ** 2) for t in range(frames)]


@pytest.mark.parametrize("orientation", list(Orientation))
def test_a_still_driver_in_the_reference_pose_leaves_the_reference_alone(orientation: Orientation) -> None:
    motion = motion_of([standing(0.3)] * 40)
    body = motion.body[0] * 0.5625
    poses = retarget(character_of(body), motion, orientation, 405, 720)
    assert np.abs(poses.joints - body[None, :, :2]).max() < 0.5
    assert np.abs(poses.scale - 1).max() < 1e-3
    assert poses.facing.min() > 0.99


def test_a_frame_of_the_clip_is_the_reference_there_and_the_clip_elsewhere() -> None:
    motion = motion_of(dance(), [(330 + t, 640.0) for t in range(75)], size=480)
    body = motion.body[20]
    poses = retarget(character_of(body), motion, Orientation.VIDEO, WIDTH, HEIGHT)
    away = np.abs(poses.joints[20] - body[:, :2]).max(axis=1)
    assert np.delete(away, np.arange(17, 23)).max() < 0.5
    assert away.max() < 5  # hands are smoothed over time
    big = [0, *range(11, 17), *range(23, 29)]
    assert np.abs(poses.joints[:, big] - motion.body[:, big, :2]).max() < 1.0


@pytest.mark.parametrize("orientation", list(Orientation))
def test_limbs_point_where_the_performers_do_on_any_body(orientation: Orientation) -> None:
    motion = motion_of(dance())
    poses = retarget(character_of(other_body()), motion, orientation, WIDTH, HEIGHT)
    assert apart(angles(poses.joints), angles(motion.body)).mean() < 2.0


def test_the_character_keeps_its_own_lengths() -> None:
    body = other_body()
    poses = retarget(character_of(body), motion_of(dance()), Orientation.VIDEO, WIDTH, HEIGHT)
    for a, b in LIMBS:
        own = np.linalg.norm(body[b, :2] - body[a, :2])
        drawn = np.linalg.norm(poses.joints[:, b] - poses.joints[:, a], axis=1)
        assert np.abs(drawn / own - 1).max() < 0.12
    eyes = np.linalg.norm(poses.joints[:, 3] - poses.joints[:, 6], axis=1)
    assert np.ptp(eyes) < 0.02 * eyes.mean()


def test_a_limb_that_points_at_the_camera_is_foreshortened() -> None:
    worlds = dance(40)
    for t in range(20, 40):
        worlds[t] = worlds[t].copy()
        worlds[t][15] = worlds[t][13] + np.array([0.05, 0.02, -0.24], np.float32)
    poses = retarget(character_of(other_body()), motion_of(worlds), Orientation.VIDEO, WIDTH, HEIGHT)
    drawn = np.linalg.norm(poses.joints[:, 15] - poses.joints[:, 13], axis=1)
    assert drawn[30] < 0.35 * drawn[10]
    assert poses.depth[30, 15] < poses.depth[30, 13] - 20


def test_the_path_starts_where_the_character_stands_and_short_legs_make_a_short_way() -> None:
    motion = motion_of([standing()] * 50, [(300 + 3.0 * t, 640.0) for t in range(50)])
    body = other_body()
    poses = retarget(character_of(body), motion, Orientation.VIDEO, WIDTH, HEIGHT)
    hips = poses.joints[:, 23:25].mean(axis=1)
    assert abs(hips[0, 0] - body[23:25, 0].mean()) < 1.0
    assert 0.35 < (hips[-1, 0] - hips[0, 0]) / 147.0 < 0.55
    assert abs(poses.joints[0, 27:33, 1].max() - body[27:33, 1].max()) < 2.0


def test_image_orientation_takes_the_yaw_out_and_holds_the_place() -> None:
    worlds = [standing(0.3, yaw=0.9 * np.sin(t / 12)) for t in range(60)]
    motion = motion_of(worlds, [(300 + 3.0 * t, 640.0) for t in range(60)])
    body = other_body()
    poses = retarget(character_of(body), motion, Orientation.IMAGE, WIDTH, HEIGHT)
    own = body[11, 0] - body[12, 0]
    assert np.abs((poses.joints[:, 11, 0] - poses.joints[:, 12, 0]) / own - 1).max() < 0.1
    hips = poses.joints[:, 23:25].mean(axis=1)
    assert np.abs(hips[:, 0] - body[23:25, 0].mean()).max() < 0.07 * np.ptp(body[:, 1])
    assert (poses.scale == 1).all()
    assert (poses.facing == 1).all()


def test_a_jump_lifts_the_feet_in_image_orientation_and_standing_keeps_them_on_the_floor() -> None:
    height = [60 * max(np.sin((t - 30) / 10 * np.pi), 0) if 30 <= t < 40 else 0.0 for t in range(70)]
    motion = motion_of([standing()] * 70, [(360.0, 640.0 - h) for h in height])
    body = other_body()
    poses = retarget(character_of(body), motion, Orientation.IMAGE, WIDTH, HEIGHT)
    low = poses.joints[:, 27:33, 1].max(axis=1)
    ground = body[27:33, 1].max()
    assert np.abs(low[:24] - ground).max() < 3.0
    assert low[35] < ground - 10


def test_a_turned_torso_is_never_paper_nor_mirrored() -> None:
    worlds = [standing(0.2, yaw=np.pi * min(max((t - 20) / 40, 0), 1)) for t in range(100)]
    body = other_body()
    poses = retarget(character_of(body), motion_of(worlds), Orientation.VIDEO, WIDTH, HEIGHT)
    width = poses.joints[:, 11, 0] - poses.joints[:, 12, 0]
    own = body[11, 0] - body[12, 0]
    assert (width / own).min() > 0.43
    assert poses.facing[0] > 0.99
    assert abs(poses.facing[-1]) < 0.05


def test_the_cut_edge_of_a_half_figure_is_never_lifted() -> None:
    worlds = [standing(0.3 * abs(np.sin(t / 5))) for t in range(60)]
    path = [(360 + 90 * np.sin(t / 8), 640 + 80 * np.sin(t / 6)) for t in range(60)]
    body = other_body() + np.array([0, 330, 0], np.float32)
    poses = retarget(character_of(body, cut=True), motion_of(worlds, path), Orientation.VIDEO, WIDTH, HEIGHT)
    assert (poses.joints[:, 23:25, 1] >= body[23:25, 1] - 0.5).all()
    drawn = poses.joints[:, 27] - poses.joints[:, 23]
    assert np.abs(drawn - (body[27, :2] - body[23, :2])).max() < 0.08 * np.ptp(body[:, 1])
    assert np.ptp(poses.joints[:, 15, 1]) > 20


def test_legs_that_the_driver_does_not_show_stand_as_in_the_reference() -> None:
    motion = motion_of(dance(), [(360.0, 1100.0)] * 75)
    motion.visibility[:, 25:] = 0.02
    body = other_body()
    poses = retarget(character_of(body), motion, Orientation.VIDEO, WIDTH, HEIGHT)
    assert apart(angles(poses.joints), angles(body[None]))[:, 4:].max() < 1.0
    assert np.ptp(poses.joints[:, 27], axis=0).max() < 2.0
    assert np.ptp(poses.joints[:, 15, 1]) > 50


def test_a_lost_performer_eases_to_rest_without_a_jump() -> None:
    motion = motion_of(dance(200))
    motion.body[60:160], motion.world[60:160], motion.visibility[60:160] = np.nan, np.nan, 0
    body = other_body()
    poses = retarget(character_of(body), motion, Orientation.VIDEO, WIDTH, HEIGHT)
    assert np.isfinite(poses.joints).all()
    speed = np.linalg.norm(np.diff(poses.joints, axis=0), axis=2)
    assert speed[55:165].max() < 1.6 * max(speed[:55].max(), speed[165:].max())
    assert apart(angles(poses.joints[110:111]), angles(body[None])).max() < 6.0


def test_nobody_at_all_leaves_the_reference_alone() -> None:
    motion = motion_of(dance(5))
    motion.body[:], motion.world[:], motion.visibility[:] = np.nan, np.nan, 0
    body = other_body()
    for orientation in Orientation:
        poses = retarget(character_of(body), motion, orientation, WIDTH, HEIGHT)
        assert np.abs(poses.joints - body[None, :, :2]).max() < 0.5


def test_a_hand_eases_in_and_out_and_keeps_its_size() -> None:
    frames = 60
    motion = motion_of(dance(frames))
    hand = motion.body[:, 15, None, :] + np.linspace(0, 60, 21)[None, :, None] * np.array([0.3, 1.0, 0.0])
    motion.hands[:, 0] = hand
    motion.hand_score[:, 0] = 1
    motion.hands[25:35, 0], motion.hand_score[25:35, 0] = np.nan, 0
    poses = retarget(character_of(other_body()), motion, Orientation.VIDEO, WIDTH, HEIGHT)
    weight = poses.hand_weight[:, 0]
    assert weight[10] == 1
    assert weight[30] == 0
    assert np.abs(np.diff(weight)).max() < 1 / (0.15 * FPS) * 1.6
    assert np.isfinite(poses.hands).all()
    length = np.linalg.norm(poses.joints[:, 19] - poses.joints[:, 15], axis=1)
    assert length.min() > 0.59 * length.max()


def test_a_figure_seen_from_behind_follows_by_the_sides_of_the_picture() -> None:
    body = other_body()
    motion = motion_of(dance())
    front = retarget(character_of(body), motion, Orientation.VIDEO, WIDTH, HEIGHT)
    back = retarget(
        character_of(body[SWAPPED], standing()[SWAPPED]), motion, Orientation.VIDEO, WIDTH, HEIGHT
    )
    assert np.abs(back.joints - front.joints[:, SWAPPED]).max() < 0.5


def test_a_character_with_few_joints_is_completed() -> None:
    body = other_body()
    few = np.full((33, 3), np.nan, np.float32)
    for j in (0, *range(11, 17), *range(23, 29)):
        few[j] = body[j]
    character = character_of(few, np.full((33, 3), np.nan, np.float32))
    poses = retarget(
        replace(character, shown=np.isfinite(few[:, 0])), motion_of(dance()), Orientation.VIDEO, 720, 1280
    )
    assert np.isfinite(poses.joints).all()
    assert np.linalg.norm(poses.joints[:, 31] - poses.joints[:, 27], axis=1).max() < 150


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**31), frames=st.integers(1, 12), image=st.booleans())
def test_whatever_is_missing_nothing_is_nan(seed: int, frames: int, image: bool) -> None:
    rng = np.random.default_rng(seed)
    motion = motion_of([standing(float(rng.uniform(0, 2)), float(rng.uniform(-4, 4))) for _ in range(frames)])
    motion.visibility[:] = rng.uniform(0, 1, motion.visibility.shape)
    lost = rng.random(frames) < 0.4
    motion.body[lost], motion.world[lost], motion.visibility[lost] = np.nan, np.nan, 0
    motion.hands[:, 0] = rng.uniform(0, 700, motion.hands[:, 0].shape)
    motion.hand_score[:, 0] = rng.random(frames) < 0.7
    motion.hands[motion.hand_score < 0.5] = np.nan
    character = replace(character_of(other_body()), shown=rng.random(33) < 0.7)
    orientation = Orientation.IMAGE if image else Orientation.VIDEO
    poses = retarget(character, motion, orientation, WIDTH, HEIGHT)
    for name in ("joints", "depth", "facing", "scale", "hands", "hand_weight"):
        values = getattr(poses, name)
        assert values.dtype == np.float32
        assert len(values) == frames
        assert np.isfinite(values).all()
