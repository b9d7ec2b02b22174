"""The outline of a body behind an arm: smooth, as wide as what is seen, never beyond what hides it."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from understudy.engines.puppet.body_outline import body_outline, smoothing_spline
from understudy.tracking.motion import Floats

SHAPE = (400, 300)


def standing() -> Floats:
    joints = np.zeros((33, 2), np.float32)
    joints[:11] = (150, 30)
    joints[11], joints[12] = (200, 80), (100, 80)
    joints[23], joints[24] = (180, 220), (120, 220)
    joints[25:33:2], joints[26:33:2] = (180, 330), (120, 330)
    return joints


def waist() -> NDArray[np.bool_]:
    """(H, W) a body that is narrower at the waist, its half width 50 +- 8 pixels, without arms."""
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    half = 50 + 8 * np.cos((y - 80) * 2 * np.pi / 140)
    body: NDArray[np.bool_] = (np.abs(x - 150) < half) & (y > 70) & (y < 390)
    return body


def strip(left: int, right: int, top: int = 80, bottom: int = 260) -> NDArray[np.bool_]:
    area = np.zeros(SHAPE, bool)
    area[top:bottom, left:right] = True
    return area


def test_the_other_side_tells_the_shape() -> None:
    body = waist()
    arm = strip(180, 230)  # covers the whole left side from the armpit to the hip
    hidden = body_outline(body | arm, arm, standing()).hidden
    rows = slice(140, 240)
    wanted = (body & arm)[rows]
    missed = (wanted & ~hidden[rows]).sum(axis=1)
    beyond = (hidden & ~body)[rows].sum(axis=1)
    assert missed.max() <= 5
    assert beyond.max() <= 8


def test_it_never_sticks_out_beyond_what_hides_it() -> None:
    body = waist() & ~strip(175, 300)
    arm = strip(175, 184)
    assert not (body_outline(body | arm, arm, standing()).hidden & ~arm).any()


def test_a_hand_before_the_hip_leaves_no_dent() -> None:
    body = waist()
    hand = strip(165, 215, 190, 230)
    hidden = body_outline(body | hand, hand, standing()).hidden
    assert (hidden & body & hand).sum() > 0.93 * (body & hand).sum()
    assert (hidden & ~body).sum() < 0.2 * (hand & ~body).sum()


@pytest.mark.parametrize("seed", range(5))
def test_a_ragged_cut_gives_a_smooth_outline(seed: int) -> None:
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    jitter = np.random.default_rng(seed).integers(-3, 4, SHAPE[0] // 4).repeat(4)
    body = (np.abs(x - 150) < 50) & (y > 70) & (y < 390)
    arm = (x >= 196 + jitter[:, None]) & (x < 230) & (y > 80) & (y < 260)
    outline = body_outline(body | arm, arm, standing())
    covered = (body & ~arm) | outline.hidden
    edge = np.array([np.flatnonzero(covered[row]).max() for row in range(140, 240)])
    assert np.abs(np.diff(edge, 2)).max() <= 3
    assert np.ptp(edge) <= 8


def test_a_thin_piece_beside_the_arm_is_loose() -> None:
    body = waist()
    arm = strip(200, 230)
    rest = strip(230, 236, 200, 230)  # a rim of the sleeve that the cut left over
    outline = body_outline(body | arm | rest, arm, standing())
    assert outline.loose[rest].mean() > 0.9
    assert not (outline.loose & waist()).any()


def test_an_arm_that_hangs_free_hides_nothing() -> None:
    body, arm = waist(), strip(225, 245)
    assert not body_outline(body | arm, arm, standing()).hidden.any()


def test_the_axis_may_be_hidden_too() -> None:
    body = waist()
    hands = strip(110, 190, 180, 215)
    hidden = body_outline(body | hands, hands, standing()).hidden
    assert (hidden & hands).sum() > 0.99 * hands.sum()


def test_no_arms_no_body_no_size_are_no_crash() -> None:
    nothing = np.zeros(SHAPE, bool)
    assert not body_outline(waist(), nothing, standing()).hidden.any()
    everything = strip(120, 190)
    assert body_outline(everything, everything, standing()).hidden.shape == SHAPE
    still = np.full((33, 2), 150, np.float32)
    assert body_outline(waist(), strip(180, 230), still).hidden.shape == SHAPE


@pytest.mark.parametrize("count", [1, 2, 3, 4, 9, 60])
def test_the_smooth_line_is_what_a_dense_matrix_gives(count: int) -> None:
    random = np.random.default_rng(count)
    weight = random.random(count) * (random.random(count) > 0.3) + 0.01
    wanted = weight * random.random(count) * 50
    bends = np.diff(np.eye(count), 2, axis=0)
    dense = np.linalg.solve(np.diag(weight) + 30.0 * bends.T @ bends, wanted)
    np.testing.assert_allclose(smoothing_spline(weight, wanted, 30.0), dense, rtol=1e-4)
