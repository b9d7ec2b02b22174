"""The body without its arms: nothing of an arm is left, each part goes on as itself, a face as its other half."""

from __future__ import annotations

import numpy as np
from capsule_figure import SHIRT, SKIN, CapsuleFigure, arm, draw, standing

from understudy.engines.puppet.bare_body import NOTHING, BareBody, arm_pixels, bare_body
from understudy.engines.puppet.cut import Corridor
from understudy.engines.puppet.parts import LIMBS

TRUNK, LEFT_LEG = 0, 3


def bared(made: CapsuleFigure) -> BareBody:
    """The figure's body, from labels that are right."""
    none = np.zeros(made.alpha.shape, bool)
    radii = np.array([20, 16, 13], np.float32)
    cut = [Corridor(limb, none, limb.polyline(made.joints), radii) for limb in LIMBS]
    labels = np.where(made.truth == NOTHING, 0, made.truth).astype(np.uint8)
    return bare_body(made.alpha, made.foreground, labels, cut, made.joints)


def test_behind_an_arm_before_the_trunk_lies_the_trunk() -> None:
    joints = standing()
    arm(joints, 0, (336, 308), (240, 336))
    made = draw(joints)
    body = bared(made)
    hidden = body.behind == TRUNK
    before = np.isin(made.truth, (1,)) & (np.abs(np.arange(480) - 240) < 30)[None]
    assert hidden[before & (made.alpha == 1)].mean() > 0.98
    assert np.abs(body.rgb[before & hidden].astype(int) - SHIRT).max() < 12


def test_behind_a_hand_on_a_thigh_lies_the_thigh() -> None:
    joints = standing()
    arm(joints, 0, (340, 312), (306, 425))
    made = draw(joints)
    body = bared(made)
    hand = (made.truth == 1) & (made.alpha == 1)
    hand[:430] = False
    on_leg = hand & (body.behind != NOTHING)
    assert on_leg.sum() > 100
    assert (body.behind[on_leg] == LEFT_LEG).mean() > 0.9
    skin = np.abs(body.rgb[on_leg].astype(int) - SKIN).max(axis=1) < 20
    assert skin.mean() < 0.02


def test_a_face_behind_a_hand_is_its_other_half() -> None:
    made = draw(standing())
    rgb, labels = made.foreground.copy(), np.where(made.truth == NOTHING, 0, made.truth).astype(np.uint8)
    rgb[105:118, 220:234] = (20, 40, 30)  # an eye on one side; the other is behind a hand
    labels[98:126, 240:268] = 1
    rgb[98:126, 240:268] = (250, 200, 0)
    radii = np.array([20, 16, 13], np.float32)
    none = np.zeros(labels.shape, bool)
    cut = [Corridor(limb, none, limb.polyline(made.joints), radii) for limb in LIMBS]
    body = bare_body(made.alpha, rgb, labels, cut, made.joints)
    assert (body.behind[98:126, 240:268] == TRUNK).all()
    assert np.abs(body.rgb[107:116, 249:259].astype(int) - (20, 40, 30)).max() < 8
    assert np.abs(body.rgb[98:126, 240:268].astype(int) - (250, 200, 0)).max(axis=2).min() > 40


def test_where_nothing_is_hidden_the_picture_stays() -> None:
    made = draw(standing())
    body = bared(made)
    far = np.ones(made.alpha.shape, bool)
    far[190:260, 150:330] = False  # arms join the trunk at the shoulders
    np.testing.assert_array_equal(body.rgb[far], made.foreground[far])
    np.testing.assert_array_equal(body.behind[far], NOTHING)


def test_no_arms_change_nothing() -> None:
    made = draw(standing())
    body = bare_body(made.alpha, made.foreground, np.zeros_like(made.truth), [], made.joints)
    assert body.rgb is made.foreground
    assert (body.behind == NOTHING).all()
    assert not arm_pixels(body.labels, []).any()
