"""What hangs over both legs stays one piece, follows them softly, and hides legs that are there."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import cv2
import numpy as np
import pytest
from capsule_figure import COLOURS, SKIN, CapsuleFigure, draw, leg, poses, standing

from understudy.engines.puppet.bare_body import bare_body
from understudy.engines.puppet.cut import corridors
from understudy.engines.puppet.draw import Painter
from understudy.engines.puppet.hem import Hem, find_hem_over_legs
from understudy.engines.puppet.labels import label_pixels
from understudy.engines.puppet.order import drawing_order
from understudy.engines.puppet.parts import moving_limbs
from understudy.engines.puppet.rest import rest_frame
from understudy.engines.puppet.rig import Rig, build_rig
from understudy.engines.puppet.skirt import PosedSkirt, Skirt, leg_lines
from understudy.tracking.motion import Floats

BARE = COLOURS | {"left leg": (SKIN, SKIN, (30, 30, 30)), "right leg": (SKIN, SKIN, (30, 30, 30))}
SKIRT = ((196, 385), (284, 385), (322, 480), (158, 480))
SHIRT_HEM = 20  # pixels below the hips: where the figure's shirt ends
LAYERS = ("left leg", "right leg", "trunk", "left arm", "right arm")


@cache
def skirted(longer: int = 0, height: int = 720) -> CapsuleFigure:
    skirt = tuple((x, y + longer * (y > 400)) for x, y in SKIRT)
    return draw(standing(), LAYERS, BARE, skirt).cropped(height)


def hem_of(figure: CapsuleFigure) -> Hem | None:
    cut = corridors(figure.foreground, figure.alpha, figure.joints, moving_limbs(figure.shown))
    labels = label_pixels(figure.alpha, cut, figure.joints)
    body = bare_body(figure.alpha, figure.foreground, labels, cut, figure.joints)
    return find_hem_over_legs(figure.alpha, body, cut, figure.joints)


def depth(figure: CapsuleFigure) -> float:
    hem = hem_of(figure)
    return hem.depth if hem is not None else 0.0


@cache
def rigged(longer: int = 0, height: int = 720) -> Rig:
    figure = skirted(longer, height)
    return build_rig(figure.alpha, figure.foreground, figure.background, figure.joints, figure.shown)


def posed(*legs: tuple[int, tuple[float, float], tuple[float, float]]) -> Floats:
    joints = standing()
    for side, knee, ankle in legs:
        leg(joints, side, knee, ankle)
    return joints


SPREAD = posed((0, (360, 466), (436, 546)), (1, (120, 466), (44, 546)))
RAISED = posed((0, (380, 385), (392, 490)))
CROSSED = posed((0, (236, 503), (226, 612)), (1, (250, 505), (262, 612)))


def test_a_skirts_hem_is_found() -> None:
    figure = skirted()
    hem = hem_of(figure)
    assert hem is not None
    inside = figure.alpha > 0.5
    skirt = np.zeros(inside.shape, np.uint8)
    cv2.fillPoly(skirt, [np.array(SKIRT, np.int32)], 1)
    skirt[:400] = 0
    found = hem.above & inside
    found[:400] = False
    both = (found & (skirt > 0)).sum() / (found | (skirt > 0)).sum()
    assert both > 0.85


@pytest.mark.parametrize("apart", [0, 10, 20])
def test_trousers_have_no_hem(apart: int) -> None:
    """Standing apart, and so close that the legs touch all the way down."""
    joints = posed((0, (262 + apart, 505), (256 + apart, 615)), (1, (218 - apart, 505), (224 - apart, 615)))
    grey = ((120, 120, 124), (120, 120, 124), (30, 30, 30))
    assert depth(draw(joints, LAYERS, COLOURS | {"left leg": grey, "right leg": grey})) < SHIRT_HEM


def test_bare_legs_have_no_hem() -> None:
    assert depth(draw(standing(), LAYERS, BARE)) < SHIRT_HEM


def test_a_skirted_figure_at_rest_is_the_picture() -> None:
    figure, rig = skirted(), rigged()
    assert rig.skirt is not None
    error = np.abs(rest_frame(rig).astype(int) - figure.picture)[figure.alpha > 0.99]
    assert float((error**2).mean()) < 12


def test_legs_under_a_skirt_are_the_legs_that_are_seen_below() -> None:
    for limb in rigged().limbs:
        if limb.limb.arm:
            continue
        thigh = limb.layers[0].texture
        solid = thigh[thigh[..., 3] == 255][:, :3].astype(int)
        assert len(solid) > 2000
        assert float((np.abs(solid - SKIN).max(axis=1) < 30).mean()) > 0.97


def painted(rig: Rig, joints: Floats) -> Floats:
    """(H, W, 3) over a background of one colour."""
    flat = replace(rig, background=np.full_like(rig.background, 255))
    pose = poses(joints, rig.shown)
    order = drawing_order(pose, tuple(limb.limb for limb in rig.limbs), rig.joints, 30.0)
    return Painter(flat, pose, order).frame(0).astype(np.float32)


def test_a_skirt_is_not_split_by_spread_legs() -> None:
    frame = painted(rigged(), SPREAD)
    shirt = np.abs(frame - np.array((60, 90, 190))).max(axis=2) < 30
    assert shirt[410:465, 225:255].all()
    assert shirt[440].sum() > 1.15 * np.ptp([196, 284])


def test_a_raised_knee_lifts_its_side_of_the_hem() -> None:
    frame = painted(rigged(), RAISED)
    shirt = np.abs(frame - np.array((60, 90, 190))).max(axis=2) < 30
    left, right = (np.nonzero(shirt[:, columns])[0].max() for columns in (slice(320, 330), slice(190, 200)))
    assert left < right - 25


@pytest.mark.parametrize("joints", [SPREAD, RAISED, CROSSED], ids=["spread", "raised", "crossed"])
def test_the_cloths_field_never_folds(joints: Floats) -> None:
    skirt = Skirt.of(standing())
    field = PosedSkirt(skirt, leg_lines(joints))
    rows, columns = np.mgrid[380:560:2, 60:420:2].astype(np.float32)
    source = field.source(np.stack([columns, rows], axis=-1))
    by_y, by_x = (np.gradient(source, 2.0, axis=axis) for axis in (0, 1))
    determinant = by_x[..., 0] * by_y[..., 1] - by_x[..., 1] * by_y[..., 0]
    assert float((determinant < -0.02).mean()) < 0.002


def test_at_rest_the_cloth_does_not_move() -> None:
    joints = standing()
    rows, columns = np.mgrid[200:700:8, 20:460:8].astype(np.float32)
    grid = np.stack([columns, rows], axis=-1)
    moved = PosedSkirt(Skirt.of(joints), leg_lines(joints)).source(grid)
    np.testing.assert_allclose(moved, grid, atol=0.05)


def test_above_the_hips_nothing_moves() -> None:
    skirt = Skirt.of(standing())
    grid = np.stack(np.meshgrid(np.arange(200, 281, 8.0), np.arange(220, 330, 8.0)), axis=-1).astype(
        np.float32
    )
    np.testing.assert_allclose(PosedSkirt(skirt, leg_lines(SPREAD)).source(grid), grid, atol=0.5)


def test_a_dress_that_shows_no_leg_keeps_its_legs() -> None:
    """The picture ends a little below the hem: what is seen of the legs is too little to make them up from."""
    rig = rigged(longer=20, height=507)
    assert rig.skirt is not None
    assert {limb.limb.arm for limb in rig.limbs} == {True}
