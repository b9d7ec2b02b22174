"""Strips of background beside limbs are cut, and what only looks like them stays."""

from dataclasses import replace

import cv2
import numpy as np
from capsule_figure import draw, standing

from understudy.engines.puppet.trimap import settle_labels
from understudy.tracking.tracker import nobody

DARK = (30, 24, 40)


def settled(picture, belief):
    body = np.zeros((33, 3), np.float32)
    body[:, :2] = standing()
    person = replace(nobody(), body=body, visibility=np.ones(33, np.float32))
    return settle_labels(picture, belief.astype(np.float32), person, None)


def between_the_shins():
    """(H, W) a strip from the knees to the ankles."""
    joints = standing()
    drawn = np.zeros(draw(joints).alpha.shape, np.uint8)
    corners = np.rint(joints[[25, 26, 28, 27]]).astype(np.int32)
    cv2.fillConvexPoly(drawn, corners, 1)
    return (drawn > 0) & (draw(joints).alpha < 0.01)


def pictured(ground):
    figure = draw(standing())
    alpha = figure.alpha[..., None]
    picture = alpha * figure.foreground + (1 - alpha) * np.float32(ground)
    return np.clip(picture, 0, 255).astype(np.uint8), figure.alpha


def test_background_between_the_shins_goes_though_it_is_believed():
    picture, alpha = pictured(DARK)
    gap = between_the_shins()
    assert gap.sum() > 500
    label = settled(picture, np.where(gap, 0.85, alpha))
    assert label[gap].mean() < 0.2
    assert label[alpha > 0.99].mean() > 0.97


def test_cloth_between_the_shins_stays():
    """A skirt of a colour of its own, that nothing outside the figure has."""
    picture, alpha = pictured(DARK)
    gap = between_the_shins()
    picture[gap] = (200, 60, 120)
    label = settled(picture, np.where(gap, 0.85, alpha))
    assert label[gap].mean() > 0.9


def test_limb_that_the_networks_do_not_see_stays():
    picture, alpha = pictured(DARK)
    joints = standing()
    arm = np.zeros(alpha.shape, np.uint8)
    for a, b in ((13, 15), (15, 19)):
        cv2.line(arm, np.rint(joints[a]).astype(int).tolist(), np.rint(joints[b]).astype(int).tolist(), 1, 9)
    unseen = (arm > 0) & (alpha > 0.99)
    assert unseen.any()
    label = settled(picture, np.where(arm > 0, 0.35 * alpha, alpha))
    assert label[unseen].mean() > 0.8
