"""An arm that is held out to the camera: its hand by its tone, the sleeve behind it plain."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from understudy.engines.puppet.behind_hand import filled_behind
from understudy.engines.puppet.forearm import ReachingArm, part_reaching_arm
from understudy.engines.puppet.skin import bare_hand
from understudy.tracking.motion import Floats

SHAPE = (240, 200)
SKIN, SHIRT, CUFF = (210, 150, 130), (235, 236, 238), (30, 45, 40)
LINE = np.array([[100, 20], [110, 170], [95, 140], [80, 120]], np.float32)  # the elbow lies below the hand
RADII = np.array([24, 22, 18], np.float32)
FINGERS = ((64, 96), (48, 112), (52, 128))  # all of them beside the bones


def tone() -> Floats:
    lab = cv2.cvtColor(np.array([[SKIN]], np.uint8), cv2.COLOR_RGB2LAB)[0, 0]
    return np.asarray(lab[1:], np.float32)


def painted(short: bool) -> tuple[NDArray[np.uint8], NDArray[np.bool_], NDArray[np.bool_]]:
    """A picture of a white sleeve with a dark cuff, or a long one, a hand before it, the arm and the hand."""
    arm, hand = np.zeros(SHAPE, np.uint8), np.zeros(SHAPE, np.uint8)
    rgb = np.full((*SHAPE, 3), SHIRT, np.uint8)
    cv2.line(arm, (100, 20), (110, 172), 1, 48)
    if short:
        rgb[136:148] = CUFF
        rgb[148:] = SKIN
    for tip in FINGERS:
        cv2.line(hand, (88, 132), tip, 1, 8)
    cv2.circle(hand, (88, 132), 17, 1, -1)
    rgb[hand > 0] = SKIN
    rgb[(arm | hand) == 0] = SHIRT
    return rgb, (arm | hand) > 0, hand > 0


def parted(short: bool) -> tuple[ReachingArm, NDArray[np.bool_]]:
    rgb, mine, hand = painted(short)
    return part_reaching_arm(rgb, mine, LINE, RADII, tone()), hand


def test_the_hand_is_whole_and_takes_no_cloth_along() -> None:
    arm, hand = parted(short=True)
    assert float(arm.hand[hand].mean()) > 0.95
    assert float(hand[arm.hand].mean()) > 0.85


def test_below_a_short_sleeve_the_forearm_is_bare() -> None:
    arm, _ = parted(short=True)
    assert arm.bare
    assert np.abs(arm.ends - SKIN).max() < 12


def test_a_long_sleeve_goes_on_over_the_forearm() -> None:
    arm, _ = parted(short=False)
    assert not arm.bare
    assert np.abs(arm.ends - SHIRT).max() < 12


def test_a_cuff_is_not_repeated_behind_the_hand() -> None:
    arm, hand = parted(short=True)
    behind = hand & arm.upper
    dark = arm.rgb[behind].mean(axis=1) < 90
    ys = np.nonzero(behind)[0][dark]
    assert behind.any()
    assert len(ys) == 0 or ys.min() >= 128  # the cuff begins at 136


def test_the_hands_edge_shows_nothing_of_what_is_behind() -> None:
    arm, hand = parted(short=True)
    beyond = (cv2.dilate(arm.hand.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0) & (arm.upper | arm.hand)
    beyond &= cv2.dilate(hand.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    own = np.abs(arm.hand_rgb[beyond].astype(int) - SKIN).max(axis=1) < 20
    assert float(own.mean()) > 0.97


def test_a_bare_hand_is_found_beside_its_bone() -> None:
    rgb, _, hand = painted(short=False)
    lab = cv2.cvtColor(rgb, cv2.COLOR_RGB2LAB).astype(np.float32)
    found = bare_hand(lab, np.ones(SHAPE, bool), LINE[2:], float(RADII[2]), tone())
    assert found is not None
    assert float(found[hand].mean()) > 0.97
    assert not found[~(cv2.dilate(hand.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0)].any()


def test_skin_that_goes_on_far_beyond_is_no_finger() -> None:
    rgb, _, _ = painted(short=False)
    rgb[20:24] = SKIN  # a bare strip of something else
    rgb[200:] = SKIN
    lab = cv2.cvtColor(rgb, cv2.COLOR_RGB2LAB).astype(np.float32)
    found = bare_hand(lab, np.ones(SHAPE, bool), LINE[2:], float(RADII[2]) * 1.4, tone())
    assert found is not None
    assert not found[200:].any()


def test_a_glove_is_not_bare() -> None:
    rgb, mine, hand = painted(short=False)
    rgb[hand] = (20, 60, 200)
    lab = cv2.cvtColor(rgb, cv2.COLOR_RGB2LAB).astype(np.float32)
    assert bare_hand(lab, mine, LINE[2:], float(RADII[2]), tone()) is None
    assert bare_hand(lab, mine, LINE[2:], float(RADII[2]), None) is None


def behind(bare: bool) -> tuple[NDArray[np.uint8], NDArray[np.bool_], NDArray[np.uint8]]:
    """An arm with a hand before it whose edge is mixed of both, filled behind; the hidden part and the colours there
    as they should be."""
    truth = np.full((*SHAPE, 3), SHIRT, np.uint8)
    if bare:
        truth[120:] = SKIN
    upper, hidden = np.zeros(SHAPE, np.uint8), np.zeros(SHAPE, np.uint8)
    cv2.line(upper, (100, 20), (104, 190), 1, 48)
    cv2.circle(hidden, (104, 150), 20, 1, -1)
    share = cv2.GaussianBlur(hidden.astype(np.float32), (0, 0), 1.0)[..., None]
    rgb = np.rint(truth * (1 - share) + share * np.array([90, 20, 20])).astype(np.uint8)
    free = (upper > 0) & (hidden == 0)
    line = np.array([[100, 20], [104, 170], [104, 150], [104, 140]], np.float32)
    sleeve = {"flesh": truth[..., 2] < 200, "skin": np.array(SKIN, np.float32), "sleeve": 100 / 150}
    made = filled_behind(rgb, free, hidden > 0, line, **(sleeve if bare else {}))
    return made, (cv2.dilate(hidden, np.ones((7, 7), np.uint8)) > 0) & (upper > 0), truth


@pytest.mark.parametrize("bare", [False, True])
def test_behind_a_hand_the_arm_goes_on_without_a_line_at_the_hands_edge(bare: bool) -> None:
    made, place, truth = behind(bare)
    away = np.abs(made.astype(int) - truth).max(axis=2)
    ys = np.nonzero(place)[0]
    sharp = np.abs(ys - 120) > 8  # the sleeve's end may be off by that
    assert away[place][sharp].max() < 14


def test_of_an_arm_that_is_all_hidden_nothing_is_filled() -> None:
    rgb, mine, _ = painted(short=False)
    made = filled_behind(rgb, np.zeros_like(mine), mine, LINE)
    assert (made == rgb).all()
