"""Hands on made-up motion: fingers, palm and wrist with known answers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from test_retarget import HEIGHT, WIDTH, character_of, motion_of, standing

from understudy.engines.puppet.pose import Poses
from understudy.engines.puppet.retarget import retarget
from understudy.request import Orientation
from understudy.tracking.character import Character
from understudy.tracking.motion import Floats, Motion

FPS = 25.0
FRAMES = 60
PALM = 50.0  # pixels of the performer's palm
KNUCKLES = (5, 9, 13, 17)
FINGERS = ((5, 8), (9, 12), (13, 16), (17, 20))


def hand_shape(curl: float = 0.0, spread: float = 0.15, width: float = 1.0, thumb: float = 0.6) -> Floats:
    """(21, 2) an upright hand about its wrist, palm 1 long, fingers up, thumb at -x.

    Every joint of a finger turns by ``curl`` radians in the picture, fingers fan out by ``spread`` each; ``width`` is
    the palm's share of its width, negative when its other side shows.
    """
    at = np.zeros((21, 2))
    at[1], at[2], at[3], at[4] = (
        (-0.25 - r * np.sin(thumb) * 0.6, -0.2 - r * 0.5) for r in (0, 0.5, 0.9, 1.2)
    )
    for f, base in enumerate(KNUCKLES):
        at[base] = (-0.27 + 0.18 * f, -1.0)
        for k, length in enumerate((0.45, 0.28, 0.22)):
            angle = (f - 1.5) * spread + curl * (k + 1)
            at[base + k + 1] = at[base + k] + length * np.array([np.sin(angle), -np.cos(angle)])
    at[:, 0] *= width
    return at


def performed(shapes: list[Floats], body: Floats, *, side: int = 1, lost: slice | None = None) -> Motion:
    """Somebody who stands and shows ``shapes`` (T of (21, 2)) with one hand, fingers up at the wrist."""
    motion = motion_of([body] * len(shapes))
    hands = motion.hands.copy()
    score = np.zeros((len(shapes), 2), np.float32)
    for t, shape in enumerate(shapes):
        hands[t, side, :, :2] = motion.body[t, 15 + side, :2] + shape * PALM
        hands[t, side, :, 2] = 0
    score[:, side] = 1.0
    if lost is not None:
        hands[lost, side], score[lost, side] = np.nan, 0
    return replace(motion, hands=hands, hand_score=score)


def lifted() -> Floats:
    """World landmarks (33, 3): forearms straight up."""
    body = standing()
    for side in (0, 1):
        elbow = body[13 + side].copy()
        body[15 + side] = elbow + np.array([0, -0.25, 0])
        for k in (17, 19, 21):
            body[k + side] = body[15 + side] + np.array([0.01 * (k - 19), -0.08, 0])
    return body.astype(np.float32)


def hero(shape: Floats | None = None, size: float = 40.0) -> Character:
    """A character of other proportions, forearms up, whose hands show ``shape``."""
    body = (lifted() * 450).astype(np.float32)
    body[:, :2] += (330, 620)
    body[:11, :2] += (0, -60)  # nobody whom the performer could be
    body[25:, 1] -= 90
    made = character_of(body)
    hands = np.zeros((2, 21, 3), np.float32)
    for side in (0, 1):
        flat = (hand_shape() if shape is None else shape) * (1 if side else -1, 1)
        hands[side, :, :2] = body[15 + side, :2] + flat * size
    person = replace(made.person, hands=hands, hand_score=np.ones(2, np.float32))
    return replace(made, person=person)


def posed(motion: Motion, character: Character, orientation: Orientation = Orientation.VIDEO) -> Poses:
    poses = retarget(character, motion, orientation, WIDTH, HEIGHT)
    assert np.isfinite(poses.hands).all()
    assert np.isfinite(poses.joints).all()
    return poses


def angles(points: Floats) -> Floats:
    """(..., 21, 2) to (..., 4): the four fingers' directions, knuckle to tip, in degrees."""
    ends = np.stack([points[..., b, :] - points[..., a, :] for a, b in FINGERS], axis=-2)
    return np.degrees(np.arctan2(ends[..., 1], ends[..., 0]))


def apart(one: Floats, other: Floats) -> Floats:
    return np.abs((one - other + 180) % 360 - 180)


def test_fingers_point_where_the_performers_point() -> None:
    shapes = [hand_shape(curl=0.5 * np.sin(t / 8), spread=0.1 + 0.1 * np.cos(t / 9)) for t in range(FRAMES)]
    motion = performed(shapes, lifted())
    poses = posed(motion, hero(hand_shape(spread=0.05)))
    assert (poses.hand_weight[:, 1] == 1).all()
    off = apart(angles(poses.hands[:, 1]), angles(motion.hands[:, 1, :, :2]))
    assert off[3:-3].max() < 5
    assert off.mean() < 1.5


def test_a_fist_that_closes_shortens_and_folds_the_fingers() -> None:
    shapes = [hand_shape(curl=1.4 * min(max((t - 15) / 20, 0), 1)) for t in range(FRAMES)]
    poses = posed(performed(shapes, lifted()), hero())
    reach = np.linalg.norm(poses.hands[:, 1, 12] - poses.hands[:, 1, 9], axis=1)
    palm = np.linalg.norm(poses.hands[:, 1, 9] - poses.hands[:, 1, 0], axis=1)
    assert reach[-1] < 0.6 * reach[0]
    assert palm.min() > 0.6 * palm.max()
    assert (np.diff(reach) < 0.5).all()  # it closes steadily


def test_foreshortened_phalanges_get_shorter_but_never_vanish_or_stretch() -> None:
    shapes = []
    for t in range(FRAMES):
        shape = hand_shape()
        share = 1.0 if t < 20 else 0.05
        for base in KNUCKLES:
            for k in (1, 2, 3):
                shape[base + k] = shape[base] + share * (hand_shape()[base + k] - shape[base])
        shapes.append(shape)
    character = hero()
    poses = posed(performed(shapes, lifted()), character)
    own = np.linalg.norm(np.diff(character.person.hands[1, 9:13, :2], axis=0), axis=1)
    made = np.linalg.norm(np.diff(poses.hands[:, 1, 9:13], axis=1), axis=2) / poses.scale[:, None]
    assert (made > 0.3 * own).all()
    assert (made < 1.3 * own).all()
    assert (made[-1] < 0.5 * own).all()
    assert (made[5] > 0.9 * own).all()


def test_a_palm_turns_over_once_quickly_and_never_hovers() -> None:
    widths = np.cos(np.linspace(0, np.pi, FRAMES))
    poses = posed(performed([hand_shape(width=w) for w in widths], lifted()), hero())
    across = poses.hands[:, 1, 17, 0] - poses.hands[:, 1, 5, 0]
    share = across / across[0]
    assert share[-1] < -0.9
    assert (np.abs(share) < 0.55).sum() <= 5
    assert (np.diff(np.sign(share)) != 0).sum() == 1


def test_a_palm_seen_edge_on_does_not_flicker() -> None:
    rng = np.random.default_rng(5)
    widths = np.concatenate([np.ones(20), 0.12 * rng.standard_normal(FRAMES - 20)])
    poses = posed(performed([hand_shape(width=w) for w in widths], lifted()), hero())
    across = poses.hands[:, 1, 17, 0] - poses.hands[:, 1, 5, 0]
    assert (across > 0.5 * across[0]).all()


def test_a_lost_hand_goes_stiff_and_comes_back_without_a_jump() -> None:
    shapes = [hand_shape(curl=0.7)] * 20 + [hand_shape(curl=0.7)] * (FRAMES - 20)
    motion = performed(shapes, lifted(), lost=slice(20, 42))
    character = hero()
    poses = posed(motion, character)
    weight = poses.hand_weight[:, 1]
    assert weight[5] == 1
    assert (weight[20:42] < 0.05).all()
    assert np.abs(np.diff(weight)).max() < 0.4
    local = poses.hands[:, 1] - poses.hands[:, 1, :1]
    assert np.linalg.norm(np.diff(local, axis=0), axis=2).max() < 0.4 * np.linalg.norm(local[0, 9])
    own = character.person.hands[1, :, :2] - character.person.hands[1, 0, :2]
    assert apart(angles(local[30]), angles(own)).max() < 20


def test_a_short_gap_is_bridged_and_a_glimpse_is_not_followed() -> None:
    shapes = [hand_shape(curl=0.5)] * FRAMES
    gap = posed(performed(shapes, lifted(), lost=slice(20, 25)), hero())
    assert (gap.hand_weight[:, 1] == 1).all()
    motion = performed(shapes, lifted())
    hands, score = motion.hands.copy(), motion.hand_score.copy()
    hands[:, 1], score[:, 1] = np.nan, 0
    hands[30:32], score[30:32, 1] = motion.hands[30:32], 1
    glimpse = posed(replace(motion, hands=hands, hand_score=score), hero())
    assert (glimpse.hand_weight == 0).all()


@pytest.mark.parametrize("size", [PALM, 14.0])
def test_the_references_own_frame_gives_its_own_hand(size: float) -> None:
    """Also one so small that its fingers are followed in part only."""
    shapes = [hand_shape(curl=0.3 * np.sin(t / 7), spread=0.15) for t in range(FRAMES)]
    body = lifted()
    motion = performed([shape * size / PALM for shape in shapes], body)
    made = character_of(motion.body[0])
    hands = np.zeros((2, 21, 3), np.float32)
    hands[:] = motion.hands[0, 1]
    hands[0, :, :2] = motion.body[0, 15, :2] + hand_shape() * (-size, size)
    person = replace(made.person, world=body, hands=hands, hand_score=np.ones(2, np.float32))
    poses = posed(motion, replace(made, person=person))
    assert np.abs(poses.hands[0, 1] - motion.hands[0, 1, :, :2]).max() < 1.0
    off = apart(angles(poses.hands[:, 1]), angles(motion.hands[:, 1, :, :2]))
    assert off.mean() < (2 if size == PALM else 15)


def test_a_stiff_wrist_stays_within_its_reach_and_does_not_twist() -> None:
    worlds = []
    for t in range(FRAMES):
        body = lifted()
        turn = 2.6 * np.sin(t / 5)  # knuckles that the tracker throws about, and back along the forearm
        for k in (17, 19, 21):
            body[k + 1, :2] = body[16, :2] + 0.08 * np.array([np.sin(turn), -np.cos(turn)])
        worlds.append(body)
    poses = posed(motion_of(worlds), hero())
    forearm = (poses.joints[:, 16] - poses.joints[:, 14]) @ [1, 1j]
    hand = (poses.hands[:, 1, 9] - poses.hands[:, 1, 0]) @ [1, 1j]
    bend = np.degrees(np.angle(hand / forearm))
    assert np.abs(bend).max() < 70
    assert np.abs(np.diff(bend)).max() < 25


@pytest.mark.parametrize("orientation", [Orientation.VIDEO, Orientation.IMAGE])
@pytest.mark.parametrize("frames", [1, 2, 5])
def test_wild_hands_are_calm(orientation: Orientation, frames: int) -> None:
    rng = np.random.default_rng(frames)
    motion = performed([rng.normal(0, 50, (21, 2)) for _ in range(frames)], lifted())
    posed(motion, hero(), orientation)
    nowhere = replace(motion, hands=np.full_like(motion.hands, np.nan))  # scored, and not there
    assert (posed(nowhere, hero(), orientation).hand_weight == 0).all()
    posed(performed([np.zeros((21, 2))] * frames, lifted()), hero(), orientation)
    unknown = hero()
    lost = replace(unknown.person, hands=np.full((2, 21, 3), np.nan, np.float32))
    posed(motion, replace(unknown, person=lost), orientation)
