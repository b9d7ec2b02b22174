"""Maps of bones: they land exactly where they should, within what a bone may stretch and a joint may turn."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.engines.puppet.warp import (
    MAX_END_STRETCH,
    MAX_STRETCH,
    MIN_END_STRETCH,
    MIN_STRETCH,
    bone_map,
    limited_turn,
    rotation,
)
from understudy.tracking.motion import Floats

angles = st.floats(-np.pi, np.pi)


def vector(angle: float, length: float = 1.0) -> Floats:
    return np.array([np.cos(angle), np.sin(angle)], np.float32) * np.float32(length)


@given(
    angles, angles, st.floats(10, 300), st.floats(MIN_STRETCH + 0.01, MAX_STRETCH - 0.01), st.floats(0.5, 2)
)
def test_a_bone_lands_exactly(
    rest_angle: float, posed_angle: float, length: float, ratio: float, scale: float
) -> None:
    rest, posed = vector(rest_angle, length), vector(posed_angle, length * ratio * scale)
    back = bone_map(rest, posed, scale)
    np.testing.assert_allclose(back.matrix @ posed, rest, atol=2e-4 * length)
    # Across the bone the figure's scale decides, whatever the foreshortening.
    across = vector(posed_angle + np.pi / 2, scale)
    np.testing.assert_allclose(np.hypot(*(back.matrix @ across)), 1.0, rtol=1e-4)


@pytest.mark.parametrize(
    ("end", "asked", "given_"),
    [
        (False, 0.01, MIN_STRETCH),
        (False, 0.5, 0.5),
        (False, 9.0, MAX_STRETCH),
        (True, 0.01, MIN_END_STRETCH),
        (True, 9.0, MAX_END_STRETCH),
    ],
)
@pytest.mark.parametrize("scale", [0.7, 1.0, 1.5])
def test_stretch_has_limits(end: bool, asked: float, given_: float, scale: float) -> None:
    rest = vector(0.3, 50)
    back = bone_map(rest, vector(1.9, 50 * asked * scale), scale, end=end)
    drawn = np.linalg.inv(back.matrix) @ rest
    assert np.hypot(*drawn) / 50 / scale == pytest.approx(given_, rel=1e-4)
    assert np.arctan2(drawn[1], drawn[0]) == pytest.approx(1.9, abs=1e-4)


def test_a_bone_without_length_gives_a_finite_map() -> None:
    nothing = np.zeros(2, np.float32)
    for rest, posed in ((nothing, vector(0, 5)), (vector(0, 5), nothing), (nothing, nothing)):
        matrix = bone_map(rest, posed, 1.0).matrix
        assert np.isfinite(matrix).all()
        assert abs(np.linalg.det(matrix)) > 1e-3


@given(angles, st.floats(-np.pi + 0.01, np.pi - 0.01), st.floats(0.1, 3.0))
def test_a_turn_is_limited_to_the_limit_and_no_more(parent_at: float, bend: float, limit: float) -> None:
    bone = vector(0.0, 40)
    parent, child = (
        bone_map(bone, vector(parent_at, 40), 1.0),
        bone_map(bone, vector(parent_at + bend, 40), 1.0),
    )
    back = limited_turn(parent, child, limit)
    if abs(bend) <= limit:
        assert back == pytest.approx(0.0, abs=1e-4)
    else:
        # As the foot does it: the posed bone is turned by the negative of what the inverse map turns.
        bent = bone_map(bone, rotation(-back) @ vector(parent_at + bend, 40), 1.0)
        gap = (bent.turn - parent.turn + np.pi) % (2 * np.pi) - np.pi
        assert abs(gap) == pytest.approx(limit, abs=1e-3)
        assert np.sign(gap) == -np.sign(bend)
