"""The border of an arm: a smooth band on the picture's edges, then to the pixel where colours change."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from understudy.engines.puppet.band import find_band
from understudy.engines.puppet.colours import MOST, Colours, seen_along
from understudy.engines.puppet.parts import LIMBS
from understudy.engines.puppet.strip import Strip
from understudy.engines.puppet.walker import links, walk
from understudy.tracking.motion import Floats

HEIGHT, WIDTH = 420, 300
LINE = np.array([[200, 60], [200, 180], [200, 300], [200, 360]], np.float32)
HALF = np.array([24, 24, 24], np.float32)
GREY, SKIN = (120.0, 128.0, 128.0), (170.0, 140.0, 145.0)


def joints() -> Floats:
    points = np.zeros((33, 2), np.float32)
    points[[11, 12, 23, 24]] = [[200, 60], [100, 60], [180, 300], [120, 300]]
    return points


def picture(arm: tuple[float, float, float], crease: float | None = None) -> tuple[Floats, NDArray[np.bool_]]:
    """(H, W, 3) Lab and the matte: a grey trunk and an arm of another colour or behind a crease; the figure ends at
    x = 220."""
    lab = np.empty((HEIGHT, WIDTH, 3), np.float32)
    lab[:] = GREY
    lab[:, 175:] = arm
    if crease is not None:
        lab[:, 174:177, 0] -= crease
    figure = np.zeros((HEIGHT, WIDTH), bool)
    figure[:, 40:221] = True
    return lab, figure


def band(lab: Floats, figure: NDArray[np.bool_]) -> tuple[Strip, Floats, Floats]:
    strip = Strip(LIMBS[0], LINE, HALF, joints(), 80.0)
    outer, inner = find_band(strip, lab, figure, np.zeros_like(figure))
    return strip, outer, inner


def test_a_strip_runs_from_the_shoulder_to_the_tips_with_outwards_to_the_outside() -> None:
    strip = Strip(LIMBS[0], LINE, HALF, joints(), 80.0)
    np.testing.assert_allclose(strip.points[[0, -1]], LINE[[0, 3]])
    np.testing.assert_allclose(strip.normals, np.broadcast_to([1.0, 0.0], strip.normals.shape), atol=1e-5)
    assert (np.diff(strip.along) >= 0).all()


def test_an_arm_of_another_colour_ends_where_its_colour_ends() -> None:
    _, outer, inner = band(*picture(SKIN))
    np.testing.assert_allclose(outer, 21, atol=2)
    np.testing.assert_allclose(inner, 25, atol=2)


def test_an_arm_of_the_trunks_colour_ends_at_a_crease() -> None:
    for at in (170, 178, 185):
        lab, figure = picture(GREY)
        lab[:, at - 1 : at + 2, 0] -= 25
        _, _, inner = band(lab, figure)
        np.testing.assert_allclose(inner, 200 - at, atol=3)


def test_an_arm_that_nothing_bounds_has_the_width_that_is_expected() -> None:
    _, outer, inner = band(*picture(GREY))
    np.testing.assert_allclose(outer + inner, 2 * 24, atol=5)


def test_stripes_across_an_arm_do_not_move_its_border() -> None:
    lab, figure = picture(GREY, crease=25)
    lab[::12, 60:] -= 40
    lab[1::12, 60:] -= 40
    _, _, inner = band(lab, figure)
    assert np.abs(inner[5:-5] - 25).max() < 4


def test_the_border_is_smooth() -> None:
    lab, figure = picture(GREY)
    lab += np.random.default_rng(3).normal(0, 6, lab.shape).astype(np.float32)
    _, _, inner = band(lab, figure)
    assert np.abs(np.diff(inner)).max() < 5


def test_bones_of_no_length_make_no_strip_that_breaks() -> None:
    line = np.repeat(LINE[:1], 4, axis=0)
    strip = Strip(LIMBS[0], line, HALF, joints(), 80.0)
    assert np.isfinite(strip.normals).all()
    lab, figure = picture(SKIN)
    outer, inner = find_band(strip, lab, figure, np.zeros_like(figure))
    assert np.isfinite(outer).all()
    assert np.isfinite(inner).all()


def test_colours_are_told_apart_by_their_place_along_the_limb() -> None:
    """Above, the limb is skin before grey; below it is grey before skin."""
    lab = np.empty((40, 20, 3), np.float32)
    lab[:20, :10], lab[:20, 10:] = SKIN, GREY
    lab[20:, :10], lab[20:, 10:] = GREY, SKIN
    along = np.repeat(np.where(np.arange(40) < 20, 0.0, 2.0)[:, None], 20, axis=1).astype(np.float32)
    ours = np.zeros((40, 20), np.float32)
    ours[:, 2:8] = 1
    theirs = np.zeros((40, 20), np.float32)
    theirs[:, 12:18] = 1
    odds = Colours(lab, along).odds(ours, theirs)
    assert (odds[:, :10] > 1).all()
    assert (odds[:, 10:] < -1).all()
    assert np.abs(odds).max() <= MOST + 1e-5


def test_a_colour_that_both_sides_have_tells_nothing() -> None:
    lab = np.full((10, 10, 3), 128, np.float32)
    half = np.zeros((10, 10), np.float32)
    half[:, :5] = 1
    odds = Colours(lab, np.zeros((10, 10), np.float32)).odds(half, 1 - half)
    np.testing.assert_allclose(odds, 0, atol=0.05)


def test_a_hand_has_the_same_colours_to_its_tips() -> None:
    assert float(seen_along(np.array(3.0, np.float32)) - seen_along(np.array(2.0, np.float32))) < 0.5
    assert float(seen_along(np.array(1.7, np.float32))) == pytest.approx(1.7)


def test_a_walker_stays_behind_an_edge() -> None:
    """Only the ends are known; the border between lies where the picture has an edge and not half way."""
    lab = np.zeros((20, 24, 3), np.float32)
    lab[:, 18:] = 60
    ours, theirs = np.zeros((20, 24), np.float32), np.zeros((20, 24), np.float32)
    ours[:, 0], theirs[:, 23] = 1, 1
    right, down = links(lab, np.ones((20, 24), bool))
    chance = walk(right, down, ours, theirs)
    assert (chance[:, :17] > 0.5).all()
    assert (chance[:, 19:] < 0.5).all()


def test_a_walker_evens_out_what_single_pixels_say() -> None:
    rng = np.random.default_rng(1)
    lab = np.zeros((60, 60, 3), np.float32)
    alone = np.where(np.arange(60) < 30, 0.65, 0.35)[None] + rng.normal(0, 0.2, (60, 60))
    right, down = links(lab, np.ones((60, 60), bool))
    chance = walk(right, down, (0.05 * alone).astype(np.float32), (0.05 * (1 - alone)).astype(np.float32))
    border = (chance > 0.5).sum(axis=1)
    assert np.abs(border - 30).max() <= 3
