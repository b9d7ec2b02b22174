"""Hands in one piece that bend: how their fingers may move, the field that moves them, and their outline."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from understudy.engines.puppet.blends import Blends
from understudy.engines.puppet.finger_turns import LONGEST, SHORTEST, TURN, room, turns_and_lengths
from understudy.engines.puppet.hand_bend import HandBend
from understudy.engines.puppet.hand_outline import own_hand
from understudy.engines.puppet.hand_points import chain, palm_area
from understudy.engines.puppet.hand_rig import RiggedHand, rig_hand
from understudy.engines.puppet.hand_shape import at_wrist
from understudy.engines.puppet.hand_skin import foreign
from understudy.engines.puppet.hand_target import HandTarget, HandTargets
from understudy.engines.puppet.joint import HIP
from understudy.engines.puppet.layer import Layer, cropped
from understudy.engines.puppet.limb_layers import RiggedLimb
from understudy.engines.puppet.parts import LIMBS
from understudy.engines.puppet.posed_hand import PosedHand, palm_map
from understudy.engines.puppet.posed_limb import PosedLimb
from understudy.engines.puppet.warp import BoneMap, rotation
from understudy.tracking.motion import Floats

SKIN, CLOTH = (205, 150, 125), (40, 50, 90)
SIZE = 260


def field_of(hand: PosedHand, points: Floats) -> Floats:
    """(rows, columns, 2) where points of the frame come from."""
    blends = Blends()
    source = hand.field(points, blends)
    blends.run()
    return source()


def landmarks() -> Floats:
    """An open hand, fingers up, 21 landmarks."""
    points = np.zeros((21, 2), np.float32)
    points[0] = 130, 220
    for first, x, lean, length in ((5, 100, -14, 24), (9, 122, -3, 27), (13, 144, 6, 25), (17, 165, 16, 19)):
        for k in range(4):
            points[first + k] = x + lean * k * 0.35, 140 - length * k
    points[1:5] = (104, 200), (82, 178), (66, 160), (52, 146)
    return points


def drawn() -> tuple[np.ndarray, Floats]:
    """(H, W, 3) the hand in skin before cloth, and its alpha: all is figure."""
    points = landmarks()
    rgb = np.full((SIZE, SIZE, 3), CLOTH, np.uint8)
    hand = np.zeros((SIZE, SIZE), np.uint8)
    cv2.fillConvexPoly(hand, cv2.convexHull(points[[0, 1, 5, 9, 13, 17]].astype(np.int32)), 1)
    hand = cv2.dilate(hand, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (21, 21)))
    for f in range(5):
        cv2.polylines(hand, [chain(points, f).astype(np.int32)], False, 1, 16)
    rgb[hand > 0] = SKIN
    return rgb, hand.astype(np.float32)


def rigged(points: Floats | None = None) -> RiggedHand:
    rgb, alpha = drawn()
    points = landmarks() if points is None else points
    made = rig_hand(0, rgb, alpha, points, points[0])
    assert made is not None
    return made


def bending(hand: RiggedHand) -> HandBend:
    return HandBend(hand, cropped("left hand", *drawn()))


def posed(hand: RiggedHand, target: HandTarget) -> PosedHand:
    still = BoneMap(0.0, np.eye(2, dtype=np.float32))
    rest = hand.points[0]
    palm = palm_map(hand, target, still, 1.0)
    return PosedHand(hand, bending(hand), target, rest, rest, palm, None)


def nodes(step: float = 3.0) -> Floats:
    at = np.arange(0, SIZE, step)
    return np.stack(np.meshgrid(at, at), axis=-1).astype(np.float32)


def bones(hand: RiggedHand) -> Floats:
    return np.diff(hand.lines, axis=1)


def test_a_clear_hands_fingers_are_all_free() -> None:
    assert rigged().free.min() > 0.9


def test_a_finger_that_points_at_the_camera_stays_in_its_place() -> None:
    points = landmarks()
    points[9:13] = points[9] + 0.25 * (points[9:13] - points[9])
    rgb, alpha = drawn()
    hand = rig_hand(0, rgb, alpha, points, points[0])
    assert hand is None or hand.free[2] == 0


def test_a_small_hand_stays_whole() -> None:
    rgb, alpha = drawn()
    small = cv2.resize(rgb, (40, 40)), cv2.resize(alpha, (40, 40))
    points = landmarks() * (40 / SIZE)
    assert rig_hand(0, *small, points, points[0]) is None


@pytest.mark.parametrize("wrong", ["nan", "elsewhere", "beside the picture", "no hand"])
def test_landmarks_that_cannot_be_believed_leave_the_hand_stiff(wrong: str) -> None:
    rgb, alpha = drawn()
    points, wrist = landmarks(), landmarks()[0]
    if wrong == "nan":
        points[7] = np.nan
    elif wrong == "elsewhere":
        points = points + np.array([60, 0], np.float32)
    elif wrong == "beside the picture":
        points = points + np.array([0, 400], np.float32)
    else:
        alpha = np.zeros_like(alpha)
    assert rig_hand(0, rgb, alpha, points, wrist) is None


def test_a_hand_in_its_own_pose_is_where_it_was() -> None:
    hand = rigged()
    still = posed(hand, HandTarget(hand.points, 1.0))
    assert still.off < 0.01
    assert np.abs(field_of(still, nodes()) - nodes()).max() < 0.05


def test_a_bent_finger_moves_its_tip_and_nothing_is_doubled() -> None:
    hand = rigged()
    points = hand.points.copy()
    turn = rotation(np.radians(-18))  # away from the others
    for k in (6, 7, 8):
        points[k] = points[5] + turn @ (hand.points[k] - hand.points[5])
    bent = posed(hand, HandTarget(points, 1.0))
    assert bent.off > 1
    source = field_of(bent, nodes())
    at = np.unravel_index(np.abs(source - hand.points[8]).sum(axis=2).argmin(), source.shape[:2])
    tip = nodes()[at]
    assert tip[0] < hand.points[8, 0] - 10
    assert np.hypot(*(tip - points[8])) < 0.5 * np.hypot(*(hand.points[8] - points[8]))
    assert folds(source, hand) == 0


def folds(source: Floats, hand: RiggedHand) -> int:
    """How many nodes inside the hand lie where the field folds over, which shows a thing twice."""
    across, down = np.gradient(source, axis=1), np.gradient(source, axis=0)
    area = across[..., 0] * down[..., 1] - across[..., 1] * down[..., 0]
    _, alpha = drawn()
    shown = cv2.remap(alpha, source, None, cv2.INTER_LINEAR) > 0.5
    return int(((area < 0) & shown).sum())


@pytest.mark.parametrize("seed", range(12))
def test_wild_landmarks_never_fold_a_hand(seed: int) -> None:
    hand = rigged()
    bend = bending(hand)
    wanted = bones(hand) + np.random.default_rng(seed).normal(0, 25, (5, 3, 2)).astype(np.float32)
    bend.bend(wanted, 1.0)
    source = bend.source(nodes())
    assert np.isfinite(source).all()
    assert folds(source, hand) <= 4


def test_bones_keep_within_their_limits_and_neighbours_that_touch_move_together() -> None:
    hand = rigged()
    between = room(hand)
    wanted = -bones(hand)  # folded back
    wanted[3] = bones(hand)[3] @ rotation(np.radians(80)).T
    turn, size = turns_and_lengths(hand, between, wanted, 1.0)
    assert np.abs(turn).max() <= TURN + 0.4
    assert size.min() >= SHORTEST - 1e-5
    assert size.max() <= LONGEST + 1e-5
    steps = np.diff(turn, axis=0)
    assert (steps >= between.least[:, None] - 1e-5).all()
    assert (steps <= between.most[:, None] + 1e-5).all()
    assert (np.abs(np.diff(size, axis=0)) <= between.shorter[:, None] + 1e-5).all()


def test_a_bone_that_swings_through_the_cameras_direction_does_not_jump() -> None:
    hand = rigged()
    between, last = room(hand), None
    for angle in np.linspace(0, 2 * np.pi, 181):
        wanted = bones(hand) @ rotation(float(angle)).T
        wanted[..., 1] *= 0.4
        turn, size = turns_and_lengths(hand, between, wanted, 1.0)
        if last is not None:
            assert np.abs(turn - last[0]).max() < 0.12
            assert np.abs(size - last[1]).max() < 0.12
        last = turn, size


def test_weight_nought_is_the_stiff_hand() -> None:
    hand = rigged()
    wild = hand.points + np.random.default_rng(1).normal(0, 30, (21, 2)).astype(np.float32)
    assert posed(hand, HandTarget(wild, 0.0)).off < 0.01


def mirrored(points: Floats) -> Floats:
    axis = points[[5, 9, 13, 17]].mean(axis=0) - points[0]
    axis /= np.hypot(*axis)
    normal = np.array([-axis[1], axis[0]])
    off = points - points[0]
    made = points[0] + np.outer(off @ axis, axis) - np.outer(off @ normal, normal)
    return made.astype(np.float32)


def test_a_mirrored_hand_lies_where_its_landmarks_are() -> None:
    hand = rigged()
    points = mirrored(hand.points)
    assert palm_area(points) * palm_area(hand.points) < 0
    over = posed(hand, HandTarget(points, 1.0, mirrored=True))
    for k in (0, 4, 8, 12, 17):
        assert np.abs(field_of(over, points[None, k : k + 1]) - hand.points[k]).max() < 2.5


def test_a_hand_turns_over_in_one_frame_where_it_is_narrow() -> None:
    hand = rigged()
    there, here = mirrored(hand.points), hand.points
    shares = np.clip(np.linspace(-0.5, 1.5, 21), 0, 1)[:, None, None]
    points = (here + shares * (there - here)).astype(np.float32)
    targets = HandTargets(hand, points, np.ones(21, np.float32))
    over = [targets.at(t).mirrored for t in range(21)]
    assert over == sorted(over)
    assert over[-1]
    first = over.index(True)
    widths = [abs(palm_area(p)) for p in points]
    assert min(widths[first - 1 : first + 1]) == min(widths)
    hardly = here + 0.55 * (there - here)  # edge-on, hardly beyond: noise
    points[:] = here
    points[10:12] = hardly
    assert not any(HandTargets(hand, points, np.ones(21, np.float32)).at(t).mirrored for t in range(21))


def test_an_outline_leaves_the_cloth_behind_and_the_fingers_whole() -> None:
    rgb, hand = drawn()
    noise = np.random.default_rng(3).normal(0, 4, rgb.shape)
    noisy = np.clip(rgb + noise, 0, 255).astype(np.uint8)
    figure = np.ones((SIZE, SIZE), np.float32)
    made = own_hand(noisy, figure, landmarks(), figure)
    assert made is not None
    _, share = made
    ahead = np.zeros(hand.shape, bool)
    ahead[:175] = True
    sure, none = cv2.erode(hand, np.ones((5, 5))) > 0, cv2.dilate(hand, np.ones((9, 9))) == 0
    assert share[sure & ahead].min() > 0.9
    assert share[none & ahead].max() < 0.1


@pytest.mark.parametrize("wild", ["empty", "beside", "one colour"])
def test_an_outline_that_cannot_be_told_is_none(wild: str) -> None:
    rgb, hand = drawn()
    points = landmarks()
    if wild == "empty":
        hand = np.zeros_like(hand)
    elif wild == "beside":
        points = points + 1000
    else:
        rgb[:] = SKIN
        hand[:] = 0
        hand[:20, :20] = 1
    assert own_hand(rgb, hand, points, hand) is None


def test_what_shows_between_fingers_is_not_the_hands() -> None:
    rgb, _ = drawn()
    figure = np.ones((SIZE, SIZE), bool)
    other = foreign(rgb, figure, landmarks())
    assert other is not None
    assert other[80, 107:111].all()  # cloth between index and middle finger
    assert not other[150, 130]
    grey = cv2.cvtColor(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    assert foreign(grey, figure, landmarks()) is None


def test_a_hand_fades_into_its_forearm_behind_the_wrist() -> None:
    share = at_wrist((SIZE, SIZE), landmarks())
    assert share[150, 130] > 0.99
    assert share[258, 130] < 0.01
    assert share[80, 122] > 0.99


def test_a_wrist_bends_as_far_as_a_wrist_does() -> None:
    starts = np.array([[0, 0], [0, 100], [0, 190]], np.float32)
    bones = np.array([[0, 100], [0, 90], [0, 40]], np.float32)
    layer = Layer("arm", np.zeros((1, 1, 4), np.uint8), (0, 0))
    arm = RiggedLimb(LIMBS[0], (layer, layer, layer), starts, bones, np.array([20, 15, 12], np.float32))
    bends = []
    for degrees in (0, 40, 90, 150):
        line = np.concatenate([starts, starts[2:] + bones[2] @ rotation(np.radians(degrees)).T])
        posed = PosedLimb(arm, line, 1.0, None, np.array([0, 1], np.float32), 1.0, HIP)
        bends.append(float(np.degrees(abs(posed.maps[2].turn))))
    assert bends[:2] == pytest.approx([0, 40], abs=0.1)
    assert 55 < bends[2] < bends[3] < 80
