"""Fingers that bend: the ribbon's field, what is cut from a drawn hand, what a hand is asked for."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from understudy.engines.puppet.finger_chain import SHORTEST, FingerChain, unfolded
from understudy.engines.puppet.finger_outline import even_finger
from understudy.engines.puppet.hand_cut import CutHand, cut_hand
from understudy.engines.puppet.hand_points import THUMB, chain, palm_area
from understudy.engines.puppet.hand_shape import at_wrist
from understudy.engines.puppet.hand_skin import foreign
from understudy.engines.puppet.hand_target import FLIP_FRAMES, HandTarget, HandTargets
from understudy.engines.puppet.joint import HIP
from understudy.engines.puppet.layer import Layer
from understudy.engines.puppet.limb_layers import RiggedLimb
from understudy.engines.puppet.parts import LIMBS
from understudy.engines.puppet.posed_hand import PosedHand, palm_map
from understudy.engines.puppet.posed_limb import PosedLimb
from understudy.engines.puppet.warp import BoneMap, rotation
from understudy.tracking.motion import Floats

SKIN, CLOTH = (205, 150, 125), (40, 50, 90)
SIZE = 260


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


def cut() -> CutHand:
    rgb, alpha = drawn()
    made = cut_hand("left hand", 0, rgb, alpha, landmarks(), landmarks()[0])
    assert made is not None
    return made


def posed(hand: CutHand, target: HandTarget) -> PosedHand:
    still = BoneMap(0.0, np.eye(2, dtype=np.float32))
    rest = hand.points[0]
    palm = palm_map(hand, target, still, 1.0)
    return PosedHand(hand, target, rest, rest, palm, None, 1.0)


def test_a_clear_hand_has_five_fingers() -> None:
    assert [f.number for f in cut().fingers] == [0, 1, 2, 3, 4]


def test_a_small_hand_stays_whole() -> None:
    rgb, alpha = drawn()
    small = cv2.resize(rgb, (90, 90)), cv2.resize(alpha, (90, 90))
    points = landmarks() * (90 / SIZE)
    assert cut_hand("left hand", 0, *small, points, points[0]) is None


@pytest.mark.parametrize("wrong", ["nan", "elsewhere", "beside the picture", "no hand"])
def test_landmarks_that_cannot_be_believed_leave_the_hand_whole(wrong: str) -> None:
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
    assert cut_hand("left hand", 0, rgb, alpha, points, wrist) is None


def test_a_hand_in_its_own_pose_is_where_it_was() -> None:
    hand = cut()
    still = posed(hand, HandTarget(hand.points, 1.0))
    assert still.off < 0.01
    for _, field, (x0, y0, x1, y1), _ in still.parts:
        grid = np.stack(np.meshgrid(np.arange(x0, x1, 3.0), np.arange(y0, y1, 3.0)), axis=-1).astype(
            np.float32
        )
        source = field(grid)
        near = source[..., 0] > -1000  # off the finger nothing is asked for
        assert np.abs(source - grid)[near].max() < 0.05


def test_a_bent_finger_shows_its_tip_where_it_is_asked_for() -> None:
    hand = cut()
    points = hand.points.copy()
    turn = rotation(np.radians(40))
    for k in (6, 7, 8):
        points[k] = points[5] + turn @ (hand.points[k] - hand.points[5])
    bent = posed(hand, HandTarget(points, 1.0))
    assert bent.off > 1
    index = next(part for part in bent.parts if part[0] is hand.fingers[1].layer)
    assert np.abs(index[1](points[None, 8:9]) - hand.points[8]).max() < 2.5
    middle = next(part for part in bent.parts if part[0] is hand.fingers[2].layer)
    assert np.abs(middle[1](hand.points[None, 12:13]) - hand.points[12]).max() < 1.0


def test_weight_nought_is_the_stiff_hand() -> None:
    hand = cut()
    wild = hand.points + np.random.default_rng(1).normal(0, 30, (21, 2)).astype(np.float32)
    assert posed(hand, HandTarget(wild, 0.0)).off < 0.01


def test_a_mirrored_hand_shows_the_mirror_image_and_its_thumb_on_the_other_side_of_the_palm() -> None:
    hand = cut()
    axis = hand.points[[5, 9, 13, 17]].mean(axis=0) - hand.points[0]
    axis /= np.hypot(*axis)
    normal = np.array([-axis[1], axis[0]])
    off = hand.points - hand.points[0]
    points = hand.points[0] + np.outer(off @ axis, axis) - np.outer(off @ normal, normal)
    assert palm_area(points) * palm_area(hand.points) < 0
    over = posed(hand, HandTarget(points.astype(np.float32), 1.0, mirrored=True))
    here = posed(hand, HandTarget(hand.points, 1.0))
    layers = [[part[0].name for part in each.parts] for each in (here, over)]
    thumb, palm = hand.fingers[0].layer.name, hand.palm.name
    assert hand.fingers[0].number == THUMB
    first, second = (names.index(thumb) > names.index(palm) for names in layers)
    assert first != second
    part = next(p for p in over.parts if p[0] is hand.fingers[2].layer)
    assert np.abs(part[1](points[None, 12:13].astype(np.float32)) - hand.points[12]).max() < 2.0


def test_a_hand_turns_over_within_frames_and_never_vanishes() -> None:
    hand = cut()
    points = np.repeat(hand.points[None], 20, axis=0)
    points[10:, :, 0] = 2 * hand.points[0, 0] - points[10:, :, 0]
    targets = HandTargets(hand, points, np.ones(20, np.float32))
    states = [targets.at(t) for t in range(20)]
    assert [len(s) for s in states] == [1] * 10 + [2] * FLIP_FRAMES + [1] * (10 - FLIP_FRAMES)
    assert all(max(s.opacity for s in each) == 1 for each in states)
    assert not states[0][0].mirrored
    assert states[-1][0].mirrored


def test_a_finger_is_never_folded_back_nor_shorter_than_allowed() -> None:
    lengths = np.array([20.0, 15.0, 10.0])
    ahead = np.array([0.0, -1.0], np.float32)
    for angle in np.radians([0, 60, 120, 179, 181, 240]):
        asked = (rotation(float(angle)) @ ahead)[None] * np.array([[20.0], [0.1], [-10.0]])
        made = unfolded(asked.astype(np.float32), lengths, ahead)
        assert np.isfinite(made).all()
        assert (np.hypot(*made.T) >= SHORTEST * lengths - 1e-3).all()
    nearly = [
        unfolded(np.array([[side * 0.01, 20.0]], np.float32), lengths[:1], ahead) for side in (-1.0, 1.0)
    ]
    assert np.abs(nearly[0] - nearly[1]).max() < 1.0  # pointing at the camera it does not jump


def test_a_ribbon_keeps_its_width_where_it_is_short() -> None:
    rest = np.array([[50, 90], [50, 70], [50, 55], [50, 45]], np.float32)
    short = rest.copy()
    short[:, 1] = 90 + 0.4 * (rest[:, 1] - 90)
    bent = FingerChain(rest, short, 1.0, 10.0)
    grid = np.array([[[45, 80], [55, 80]]], np.float32)
    field = grid.copy()
    bent.blend(field, grid, np.array([0, -1], np.float32), 8.0)
    assert field[0, 1, 0] - field[0, 0, 0] == pytest.approx(10, abs=0.2)


def test_an_outline_is_even_where_the_cut_was_ragged() -> None:
    line = np.array([[60, 100], [60, 75], [60, 55], [60, 40]], np.float32)
    ragged = np.zeros((120, 120), bool)
    ragged[40:100, 52:69] = True
    ragged[60:63, 69:80] = True  # a wing
    ragged[70:73, 52:57] = False  # a notch
    even = even_finger(ragged, line, 8.0)
    assert not even[60:63, 72:].any()
    assert even[70:73, 54:57].all()


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
