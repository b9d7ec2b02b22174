"""Legs come apart where the picture shows that they end, not where their landmarks say."""

from __future__ import annotations

import numpy as np
import pytest
from capsule_figure import COLOURS, LEG_RADII, CapsuleFigure, draw, leg, standing

from understudy.engines.puppet.cut import corridors, extended
from understudy.engines.puppet.inseam import leg_side
from understudy.engines.puppet.labels import label_pixels
from understudy.engines.puppet.parts import LIMBS, is_seated, moving_limbs
from understudy.engines.puppet.seam import edge_strength

LEFT, RIGHT = 3, 4


def apart() -> CapsuleFigure:
    joints = standing()
    leg(joints, 0, (288, 505), (296, 615))
    leg(joints, 1, (192, 505), (184, 615))
    grey = ((120, 120, 124),) * 3
    return draw(joints, colours=COLOURS | {"left leg": grey, "right leg": grey})


@pytest.mark.parametrize("aside", [-14, 0, 14])
def test_legs_are_parted_at_the_gap_however_the_landmarks_lie(aside: int) -> None:
    figure = apart()
    joints = figure.joints.copy()
    joints[23:27, 0] += aside
    cut = corridors(figure.foreground, figure.alpha, joints, moving_limbs(figure.shown))
    labels = label_pixels(figure.alpha, cut, joints)
    below = figure.alpha > 0.5
    below[: round(float(joints[23, 1]) + 1.3 * LEG_RADII[0])] = False
    middle = np.zeros_like(below)
    middle[:, :240] = True
    for side, number in ((~middle, LEFT), (middle, RIGHT)):
        own = below & side & np.isin(figure.truth, (LEFT, RIGHT))
        assert own.sum() > 3000
        assert float((labels[own] == number).mean()) > 0.995


def test_the_border_between_legs_is_the_same_for_both() -> None:
    figure = apart()
    lines = [extended(LIMBS[k], figure.joints) for k in (2, 3)]
    radii = np.array(LEG_RADII, np.float32)
    inside, edges = figure.alpha > 0.5, edge_strength(figure.foreground)
    left = leg_side(lines[0], lines[1], radii, inside, edges)
    right = leg_side(lines[1], lines[0], radii, inside, edges)
    assert left is not None
    assert right is not None
    both = left[1] & right[1]
    assert both.sum() < 3 * inside.shape[0]  # the border's own pixels
    assert (left[0] & ~left[1]).sum() < 3 * inside.shape[0]


def test_crossed_legs_have_no_border() -> None:
    joints = standing()
    leg(joints, 0, (215, 505), (200, 615))
    leg(joints, 1, (265, 505), (280, 615))
    figure = draw(joints)
    lines = [extended(LIMBS[k], joints) for k in (2, 3)]
    inside, edges = figure.alpha > 0.5, edge_strength(figure.foreground)
    assert leg_side(lines[0], lines[1], np.array(LEG_RADII, np.float32), inside, edges) is None


@pytest.mark.parametrize(
    ("knees", "forward", "seated"),
    [
        (((288, 505), (192, 505)), 0.0, False),
        (((288, 430), (192, 430)), 0.0, False),  # short legs
        (((288, 430), (192, 430)), 300.0, True),  # thighs towards the camera
        (((345, 415), (135, 415)), 0.0, True),  # knees apart, before the body
        (((380, 380), (192, 505)), 0.0, False),  # one knee raised
    ],
)
def test_who_is_seated(
    knees: tuple[tuple[float, float], tuple[float, float]], forward: float, seated: bool
) -> None:
    joints, depth = standing(), np.zeros(33, np.float32)
    for side in (0, 1):
        leg(joints, side, knees[side], (knees[side][0], knees[side][1] + 110))
    depth[25:27] = -forward
    assert is_seated(joints, depth) is seated
    shown = np.ones(33, bool)
    moved = {limb.arm for limb in moving_limbs(shown, joints, depth)}
    assert moved == ({True} if seated else {True, False})
