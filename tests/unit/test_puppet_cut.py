"""Cutting: a figure whose every pixel's part is known is cut where its parts end."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from capsule_figure import (
    ARM_RADII,
    LEG_RADII,
    NOTHING,
    SHIRT,
    SKIN,
    TRUNK,
    CapsuleFigure,
    arm,
    draw,
    leg,
    standing,
)
from numpy.typing import NDArray

from understudy.engines.puppet.areas import distance_to_polyline
from understudy.engines.puppet.cut import Corridor, corridors, extended
from understudy.engines.puppet.labels import label_pixels
from understudy.engines.puppet.layer import soft
from understudy.engines.puppet.parts import HIPS, LIMBS, centre, moving_limbs
from understudy.engines.puppet.stray import adopt_strays, drop_shards
from understudy.tracking.motion import Floats

NUMBERS = {limb.name: i + 1 for i, limb in enumerate(LIMBS)}
GREY = (120, 120, 124)


def cut(figure: CapsuleFigure) -> tuple[list[Corridor], NDArray[np.uint8]]:
    found = corridors(figure.foreground, figure.alpha, figure.joints, moving_limbs(figure.shown))
    return found, label_pixels(figure.alpha, found, figure.joints, None, figure.foreground)


def core(figure: CapsuleFigure) -> NDArray[np.bool_]:
    return figure.alpha > 0.5


def disc(figure: CapsuleFigure, point: Floats, radius: float) -> NDArray[np.bool_]:
    area = np.zeros(figure.alpha.shape, np.uint8)
    cv2.circle(area, (round(float(point[0])), round(float(point[1]))), round(radius), 1, -1)
    return area.astype(bool)


def limbs_own(figure: CapsuleFigure, name: str) -> NDArray[np.bool_]:
    """The limb's visible pixels beyond its root, where it and the trunk are one."""
    limb = LIMBS[NUMBERS[name] - 1]
    root = disc(figure, figure.joints[limb.points[0]], 1.2 * (ARM_RADII if limb.arm else LEG_RADII)[0])
    return (figure.truth == NUMBERS[name]) & core(figure) & ~root


def share(labels: NDArray[np.uint8], where: NDArray[np.bool_], name: str) -> float:
    assert where.sum() > 100
    return float((labels[where] == NUMBERS[name]).mean())


@pytest.fixture(scope="module")
def free() -> tuple[CapsuleFigure, list[Corridor], NDArray[np.uint8]]:
    figure = draw(standing())
    return figure, *cut(figure)


@pytest.mark.parametrize("name", list(NUMBERS))
def test_free_limbs_keep_their_own_pixels(
    free: tuple[CapsuleFigure, list[Corridor], NDArray[np.uint8]], name: str
) -> None:
    figure, _, labels = free
    assert share(labels, limbs_own(figure, name), name) >= 0.99


def test_head_and_belly_are_the_trunks(
    free: tuple[CapsuleFigure, list[Corridor], NDArray[np.uint8]],
) -> None:
    figure, _, labels = free
    trunk = (figure.truth == TRUNK) & core(figure)
    trunk[round(float(centre(figure.joints, HIPS)[1])) - 10 :] = False
    assert float((labels[trunk] == TRUNK).mean()) >= 0.99


def test_widths_are_measured_on_the_matte(
    free: tuple[CapsuleFigure, list[Corridor], NDArray[np.uint8]],
) -> None:
    for corridor in free[1]:
        wanted = ARM_RADII if corridor.limb.arm else LEG_RADII
        np.testing.assert_allclose(corridor.radii, wanted, atol=2.5)


def test_a_figure_of_other_proportions_is_cut_as_well() -> None:
    """A child's: the whole figure at 0.6, head and limbs where they belong."""
    whole = draw(standing())
    alpha = cv2.resize(whole.alpha, (288, 432), interpolation=cv2.INTER_AREA)
    rgb = cv2.resize(whole.foreground, (288, 432), interpolation=cv2.INTER_AREA)
    joints = (whole.joints + 0.5) * 0.6 - 0.5
    truth = cv2.resize(whole.truth, (288, 432), interpolation=cv2.INTER_NEAREST)
    figure = CapsuleFigure(joints, alpha, rgb, rgb, truth)
    _, labels = cut(figure)
    for name in NUMBERS:
        assert share(labels, limbs_own(figure, name), name) >= 0.97


def folded() -> CapsuleFigure:
    """The left forearm across the belly."""
    joints = standing()
    arm(joints, 0, (336, 308), (262, 336))
    return draw(joints)


def test_an_arm_on_the_trunk_comes_away_along_its_edge() -> None:
    figure = folded()
    _, labels = cut(figure)
    assert share(labels, limbs_own(figure, "left arm"), "left arm") >= 0.95
    # Nothing worth mention of the trunk goes with it, and the border is where the colours change.
    taken = (labels == NUMBERS["left arm"]) & (figure.truth == TRUNK) & core(figure)
    assert taken.sum() < 0.04 * (figure.truth == NUMBERS["left arm"]).sum()
    line = extended(LIMBS[0], figure.joints)
    ys, xs = np.nonzero(taken)
    pixels = np.stack([xs, ys], axis=1).astype(np.float32)
    assert (distance_to_polyline(pixels, line) < max(ARM_RADII) + 5).all()


def test_an_arm_of_the_trunks_colour_is_cut_by_its_width() -> None:
    joints = standing()
    arm(joints, 0, (336, 308), (262, 336))
    colours = {
        "left arm": (SHIRT, SHIRT, SKIN),
        "right arm": (SHIRT, SHIRT, SKIN),
        "left leg": (GREY, GREY, GREY),
        "right leg": (GREY, GREY, GREY),
    }
    figure = draw(joints, colours=colours)
    _, labels = cut(figure)
    assert share(labels, limbs_own(figure, "left arm"), "left arm") >= 0.85
    taken = (labels == NUMBERS["left arm"]) & (figure.truth == TRUNK) & core(figure)
    assert taken.sum() < 0.25 * (figure.truth == NUMBERS["left arm"]).sum()


def test_a_hand_on_a_thigh_is_the_hand() -> None:
    joints = standing()
    arm(joints, 0, (340, 312), (306, 408))
    figure = draw(joints)
    _, labels = cut(figure)
    hand = limbs_own(figure, "left arm")
    hand[: round(float(joints[15, 1]))] = False
    assert hand.sum() > 500
    assert share(labels, hand, "left arm") >= 0.95
    thigh = limbs_own(figure, "left leg")
    assert share(labels, thigh, "left leg") >= 0.95


@pytest.mark.parametrize("apart", [0, 8, 24])
def test_nothing_below_the_crotch_stays_with_the_trunk(apart: int) -> None:
    joints = standing()
    leg(joints, 0, (268 + apart, 505), (268 + apart, 615))
    leg(joints, 1, (212 - apart, 505), (212 - apart, 615))
    figure = draw(joints, colours=dict.fromkeys(NUMBERS, (GREY, GREY, GREY)))
    _, labels = cut(figure)
    below = core(figure)
    below[: round(float(joints[23, 1]) + LEG_RADII[0])] = False
    assert below.sum() > 5000
    assert not (labels[below] == TRUNK).any()
    # Each leg is one piece, without a strip of the other.
    for name in ("left leg", "right leg"):
        assert share(labels, limbs_own(figure, name) & below, name) >= 0.95


def test_a_panel_between_the_legs_goes_with_the_legs() -> None:
    joints = standing()
    leg(joints, 0, (310, 505), (316, 615))
    leg(joints, 1, (170, 505), (164, 615))
    panel = ((225, 400), (255, 400), (290, 500), (190, 500))
    figure = draw(joints, order=("trunk", "left leg", "right leg", "left arm", "right arm"), skirt=panel)
    _, labels = cut(figure)
    between = (figure.truth == TRUNK) & core(figure)
    between[: round(float(joints[23, 1]) + 0.8 * LEG_RADII[0])] = False
    assert between.sum() > 2000
    assert not (labels[between] == TRUNK).any()
    assert share(labels, between, "left leg") + share(labels, between, "right leg") == 1


def test_what_lies_outside_the_matte_is_labelled_as_its_neighbour(
    free: tuple[CapsuleFigure, list[Corridor], NDArray[np.uint8]],
) -> None:
    figure, _, labels = free
    soft_edge = (figure.alpha > 0.02) & ~core(figure)
    tips = disc(figure, extended(LIMBS[0], figure.joints)[3], 40) & soft_edge
    assert tips.any()
    assert (labels[tips] == NUMBERS["left arm"]).all()
    assert (labels != NOTHING).all()


def skirted() -> CapsuleFigure:
    """Hands clasped before the hips cut the skirt below off from the blouse above."""
    joints = standing()
    arm(joints, 0, (338, 330), (262, 398))
    arm(joints, 1, (142, 330), (218, 398))
    skirt = ((190, 395), (290, 395), (330, 560), (150, 560))
    colours = dict.fromkeys(NUMBERS, (SKIN, SKIN, SKIN))
    return draw(joints, skirt=skirt, colours=colours)


@pytest.mark.parametrize("height", [720, 500])  # with legs, and cut by the edge, so that no leg can claim it
def test_a_skirt_below_clasped_hands_is_not_the_hands(height: int) -> None:
    figure = skirted().cropped(height)
    found, labels = cut(figure)
    assert [c.limb.arm for c in found] == [True, True] + [False, False] * (height == 720)
    skirt = (figure.truth == TRUNK) & core(figure)
    skirt[:450] = False
    islands, _ = cv2.connectedComponents((core(figure) & np.isin(labels, (0, 3, 4))).astype(np.uint8))
    assert islands > 2  # the hands do cut it off
    assert skirt.sum() > 4000
    for name in ("left arm", "right arm"):
        assert share(labels, skirt, name) < 0.01


def test_what_hangs_on_an_arm_alone_is_the_arms() -> None:
    figure = draw(standing())
    piece = np.zeros_like(figure.alpha)
    cv2.line(piece, (372, 330), (430, 299), 1.0, 12)  # stands off from the forearm
    loose = CapsuleFigure(
        figure.joints, np.maximum(figure.alpha, piece), figure.foreground, figure.background, figure.truth
    )
    _, labels = cut(loose)
    assert (labels[(piece > 0) & (figure.alpha < 0.5)] == NUMBERS["left arm"]).all()


def test_a_big_bag_in_a_hand_goes_with_the_hand() -> None:
    figure = draw(standing())
    tip = extended(LIMBS[0], figure.joints)[3]
    alpha, rgb = figure.alpha.copy(), figure.foreground.copy()
    x, y = round(float(tip[0])), round(float(tip[1]))
    for area in (alpha, rgb):
        value = 1.0 if area is alpha else (200, 160, 90)
        area[y - 4 : y + 60, x - 2 : x + 3] = value
        area[y + 60 : y + 200, x - 40 : x + 60] = value
    bag = np.zeros(alpha.shape, bool)
    bag[y + 70 : y + 200, x - 40 : x + 60] = True
    _, labels = cut(CapsuleFigure(figure.joints, alpha, rgb, figure.background, figure.truth))
    assert bag.sum() > 1.2 * (figure.truth == NUMBERS["left arm"]).sum()
    assert share(labels, bag, "left arm") == 1.0


@pytest.mark.parametrize("shirt_too", [True, False])
def test_skin_that_the_band_missed_is_the_bare_arms(shirt_too: bool) -> None:
    """A stub of the upper arm goes with the arm if the trunk has other colours, else nothing tells it."""
    figure = draw(standing())
    area, arm_area, stub = (np.zeros(figure.alpha.shape, bool) for _ in range(3))
    area[200:400, 180:300], arm_area[280:300, 340:440], stub[280:300, 312:340] = True, True, True
    area[285:295, 300:312] = True
    line = np.array([(300, 262), (360, 272), (400, 290), (430, 290)], np.float32)
    arm = Corridor(LIMBS[0], arm_area, line, np.array([10, 10, 10], np.float32))
    rgb = np.full((*area.shape, 3), SKIN if shirt_too else (60, 90, 190), np.uint8)
    rgb[arm_area | stub] = SKIN
    labels = np.where(arm_area, 1, 0).astype(np.uint8)
    adopt_strays(labels, area | arm_area | stub, [arm], figure.joints, rgb)
    assert share(labels, stub, "left arm") == pytest.approx(0.0 if shirt_too else 1.0, abs=0.2)


def test_shards_of_an_arms_colour_in_the_skirt_are_the_skirts() -> None:
    line = np.array([(300, 200), (300, 250), (300, 300), (300, 320)], np.float32)
    area, shard, core_area = (np.zeros((500, 480), bool) for _ in range(3))
    area[200:320, 290:310], shard[350:356, 290:310], core_area[100:450, 200:320] = True, True, True
    arm = Corridor(LIMBS[0], area | shard, line, np.array([10, 10, 10], np.float32))
    labels = (area | shard).astype(np.uint8)
    drop_shards(labels, core_area, [arm])
    assert not labels[shard].any()
    assert labels[area].all()


def test_a_limb_that_is_not_shown_is_not_cut() -> None:
    figure = draw(standing()).cropped(420)  # above the knees
    names = {limb.name for limb in moving_limbs(figure.shown)}
    assert names == {"left arm", "right arm"}
    figure = draw(standing()).cropped(560)  # knees shown, ankles not
    assert {limb.name for limb in moving_limbs(figure.shown)} == set(NUMBERS)
    figure.shown[15] = False  # without its wrist an arm stays with the trunk
    assert "left arm" not in {limb.name for limb in moving_limbs(figure.shown)}


@pytest.mark.parametrize("alpha", [0.0, 1.0])
def test_a_matte_that_shows_no_figure_is_no_crash(alpha: float) -> None:
    figure = draw(standing())
    flat = CapsuleFigure(
        figure.joints, np.full_like(figure.alpha, alpha), figure.foreground, figure.background, figure.truth
    )
    found, labels = cut(flat)
    assert len(found) == len(LIMBS)
    assert labels.shape == figure.alpha.shape


def test_joints_outside_the_picture_are_no_crash() -> None:
    figure = draw(standing()).cropped(420)
    figure.joints[11:, 0] += 300
    _, labels = cut(figure)
    assert labels.shape == figure.alpha.shape


def test_joints_in_one_place_are_no_crash() -> None:
    figure = draw(standing())
    one = CapsuleFigure(
        np.full((33, 2), 240, np.float32), figure.alpha, figure.foreground, figure.background, figure.truth
    )
    _, labels = cut(one)
    assert labels.shape == figure.alpha.shape


def test_a_soft_cut_is_half_at_the_border() -> None:
    area = np.zeros((40, 40), bool)
    area[:, :20] = True
    edge = soft(area)[20]
    assert (np.diff(edge) <= 1e-6).all()
    assert edge[5] == pytest.approx(1.0)
    assert edge[35] == pytest.approx(0.0)
    # Soft only beside the border: what is well inside stays whole.
    assert ((edge > 0.01) & (edge < 0.99)).sum() <= 8


@pytest.mark.parametrize("looks_like_it", [True, False])
def test_a_flap_between_hand_and_leg_is_the_hands_only_if_it_looks_like_it(looks_like_it: bool) -> None:
    joints = standing()
    arm_area, leg_area, flap, core_area = (np.zeros((720, 480), bool) for _ in range(4))
    arm_area[150:330, 300:330], flap[250:330, 330:380], leg_area[330:500, 300:400] = True, True, True
    core_area[100:420, 200:280] = True
    core_area |= arm_area | leg_area | flap
    radii = np.array([15, 15, 15], np.float32)
    parts = [
        Corridor(LIMBS[0], arm_area, extended(LIMBS[0], joints), radii, None, flap & (not looks_like_it)),
        Corridor(LIMBS[2], leg_area, extended(LIMBS[2], joints), radii),
    ]
    labels = label_pixels(core_area.astype(np.float32), parts, joints)
    assert float((labels[flap] == 1).mean()) == (1.0 if looks_like_it else 0.0)


def test_a_print_on_a_sleeve_is_the_sleeves() -> None:
    figure = draw(standing())
    elbow = figure.joints[13]
    rgb = figure.foreground.copy()
    patch = disc(figure, elbow, 9)
    rgb[patch] = (30, 60, 200)
    _, labels = cut(CapsuleFigure(figure.joints, figure.alpha, rgb, figure.background, figure.truth))
    assert share(labels, patch, "left arm") > 0.95


def test_the_outline_of_a_drawn_arm_is_the_arms() -> None:
    """Thick lines in one ink about paper: no colour of the arm's own is in them, and they run on about the trunk."""
    figure = draw(standing())
    whole = (figure.alpha > 0.5).astype(np.uint8)
    inside = cv2.erode(whole, np.ones((9, 9), np.uint8)) > 0
    rgb = np.where(inside[..., None], np.uint8(225), np.uint8(60)) * np.ones(3, np.uint8)
    _, labels = cut(CapsuleFigure(figure.joints, figure.alpha, rgb, figure.background, figure.truth))
    line = (whole > 0) & ~inside & (figure.truth == NUMBERS["left arm"])
    line[: round(float(figure.joints[11][1])) + 40] = False
    assert share(labels, line, "left arm") > 0.9


def test_an_arm_whose_elbow_was_found_beside_it_is_cut_whole() -> None:
    joints = standing()
    figure = draw(joints)
    beside = joints.copy()
    beside[13] += (34, -14)  # farther out than the arm is wide there
    cut = corridors(figure.foreground, figure.alpha, beside, LIMBS)
    arm = next(c for c in cut if c.limb.name == "left arm")
    whole = figure.truth == 1 + [limb.name for limb in LIMBS].index("left arm")
    assert (arm.mask & whole).sum() > 0.85 * whole.sum()  # without moving it back: 0.64
