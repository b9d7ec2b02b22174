"""Joints: one field for both layers, never folded over, closed and round through the whole range, still at rest."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from understudy.engines.puppet.blends import Blends
from understudy.engines.puppet.joint import HIP, LIMB, SHOULDER, Bend, Joint, segment_field
from understudy.engines.puppet.warp import BoneMap, bone_map
from understudy.tracking.motion import Floats

LENGTH, RADIUS = 90.0, 20.0
RANGE_DEG = (*range(0, 180, 10), *range(-170, 0, 20))
angles = st.floats(-np.pi, np.pi)


def vector(angle: float, length: float = 1.0) -> Floats:
    return np.array([np.cos(angle), np.sin(angle)], np.float32) * np.float32(length)


class Chain:
    """Two bones that meet in the origin, both at rest (bent by ``rest_deg``) and in the picture (by ``bend_deg``)."""

    def __init__(
        self,
        bend_deg: float,
        turn_deg: float = 0.0,
        stretch: tuple[float, float] = (1.0, 1.0),
        rest_deg: float = 0.0,
        bend: Bend = LIMB,
    ) -> None:
        turn, angle = np.radians(turn_deg), np.radians(bend_deg)
        rest = vector(0.0, LENGTH), vector(np.radians(rest_deg), LENGTH)
        posed = vector(turn, LENGTH * stretch[0]), vector(turn + angle, LENGTH * stretch[1])
        here = np.zeros(2, np.float32)
        self.rest, self.posed = (-rest[0], here, rest[1]), (-posed[0], here, posed[1])
        self.maps = bone_map(rest[0], posed[0], 1.0), bone_map(rest[1], posed[1], 1.0)
        self.joint = Joint.between(here, here, posed[0], posed[1], RADIUS, *self.maps, bend)

    def field(self, k: int, grid: Floats) -> Floats:
        blends = Blends()
        field = segment_field(grid, self.rest[k], self.posed[k], self.maps[k], (self.joint,), blends)
        blends.run()
        return field

    def shows(self, k: int, grid: Floats) -> NDArray[np.bool_]:
        """(N,) where the layer of bone ``k``, a capsule with round ends, is seen."""
        return to_segment(self.field(k, grid), self.rest[k], self.rest[k + 1]) < RADIUS

    def turned(self, k: int, grid: Floats, step: float = 0.02) -> Floats:
        """(N,) determinant of the field's Jacobian, by central differences."""
        sides = [
            (self.field(k, grid + d) - self.field(k, grid - d)) / (2 * step)
            for d in (np.array([step, 0], np.float32), np.array([0, step], np.float32))
        ]
        return sides[0][:, 0] * sides[1][:, 1] - sides[0][:, 1] * sides[1][:, 0]


def to_segment(points: Floats, start: Floats, stop: Floats) -> Floats:
    along = stop - start
    share = np.clip(((points - start) @ along) / (along @ along), 0, 1)
    away: Floats = np.linalg.norm(points - start - share[:, None] * along, axis=1)
    return away


@pytest.fixture(scope="module")
def grid() -> Floats:
    """(N, 2) points about the joint, none in it."""
    ys, xs = np.mgrid[-130:131:3, -130:131:3].astype(np.float32) + np.float32(0.5)
    return np.stack([xs.ravel(), ys.ravel()], axis=1)


@pytest.mark.parametrize("kind", [LIMB, HIP, SHOULDER])
@pytest.mark.parametrize("rest_deg", [0, 60, -90, 170])
def test_nothing_moves_at_rest(rest_deg: float, kind: Bend, grid: Floats) -> None:
    chain = Chain(rest_deg, rest_deg=rest_deg, bend=kind)
    for k in (0, 1):
        np.testing.assert_allclose(chain.field(k, grid), grid, atol=1e-3)


@pytest.mark.parametrize("turn_deg", [0.0, 140.0])
@pytest.mark.parametrize("bend_deg", RANGE_DEG)
def test_the_field_never_folds_over(bend_deg: float, turn_deg: float, grid: Floats) -> None:
    chain = Chain(bend_deg, turn_deg)
    for k in (0, 1):
        assert (chain.turned(k, grid) > 0).all()


@settings(max_examples=150, deadline=None)
@given(
    st.floats(-165, 165),
    st.floats(-120, 120),
    st.tuples(st.floats(0.6, 1.2), st.floats(0.6, 1.2)),
    st.sampled_from([LIMB, HIP, SHOULDER]),
)
def test_nor_where_it_is_seen_with_bones_bent_at_rest_and_foreshortened(
    bend_deg: float, rest_deg: float, stretch: tuple[float, float], kind: Bend
) -> None:
    ys, xs = np.mgrid[-100:101:5, -100:101:5].astype(np.float32) + np.float32(0.5)
    points = np.stack([xs.ravel(), ys.ravel()], axis=1)
    near = np.hypot(points[:, 0], points[:, 1]) < kind.reach[0] * RADIUS
    chain = Chain(bend_deg, 20.0, stretch, rest_deg, kind)
    for k in (0, 1):
        assert (chain.turned(k, points[near]) > 0).all()


@pytest.mark.parametrize("bend_deg", RANGE_DEG)
def test_distance_from_the_joint_is_kept(bend_deg: float, grid: Floats) -> None:
    chain = Chain(bend_deg, 30.0)
    away = np.linalg.norm(grid, axis=1)
    for k in (0, 1):
        np.testing.assert_allclose(np.linalg.norm(chain.field(k, grid), axis=1), away, atol=0.02)


@pytest.mark.parametrize("bend_deg", [-40, -20, 0, 25, 40])
def test_a_little_bent_both_layers_see_one_field(bend_deg: float, grid: Floats) -> None:
    chain = Chain(bend_deg, 50.0, (0.9, 1.2))
    near = grid[np.linalg.norm(grid, axis=1) < LIMB.reach[0] * RADIUS]
    np.testing.assert_allclose(chain.field(0, near), chain.field(1, near), atol=0.05)


@pytest.mark.parametrize("bend_deg", RANGE_DEG)
def test_the_opening_side_is_one_field_however_far_it_bends(bend_deg: float, grid: Floats) -> None:
    chain = Chain(bend_deg)
    outer = vector(np.radians(bend_deg / 2 - (90 if bend_deg >= 0 else -90)))
    near = grid[(np.linalg.norm(grid, axis=1) < LIMB.reach[0] * RADIUS) & (grid @ outer > 0)]
    about = near[np.abs(near @ np.array([-outer[1], outer[0]])) < near @ outer]  # within 45 degrees
    np.testing.assert_allclose(chain.field(0, about), chain.field(1, about), atol=0.05)


@pytest.mark.parametrize("bend_deg", RANGE_DEG)
def test_a_capsule_limb_stays_closed_and_keeps_its_width(bend_deg: float, grid: Floats) -> None:
    chain = Chain(bend_deg, 10.0)
    seen = chain.shows(0, grid) | chain.shows(1, grid)
    away = np.minimum(
        to_segment(grid, chain.posed[0], chain.posed[1]), to_segment(grid, chain.posed[1], chain.posed[2])
    )
    assert seen[away < 0.97 * RADIUS].mean() > 0.99  # the soft crease rounds its innermost corner a little
    assert seen[to_segment(grid, chain.posed[1], chain.posed[1] + 0.01) < 0.97 * RADIUS].all()
    assert not seen[away > 1.45 * RADIUS].any()  # no spikes, no ghosts
    assert seen[away > 1.1 * RADIUS].mean() < 0.005


def test_a_joint_that_folds_through_does_not_jump(grid: Floats) -> None:
    near = grid[np.linalg.norm(grid, axis=1) < LIMB.reach[0] * RADIUS]
    before, after = Chain(179.9), Chain(-179.9)
    for k in (0, 1):
        np.testing.assert_allclose(before.field(k, near), after.field(k, near), atol=0.2)


@given(angles, angles)
def test_far_away_each_bone_is_its_own(at: float, bend: float) -> None:
    chain = Chain(np.degrees(bend))
    far = vector(at, LIMB.reach[1] * RADIUS + 1)[None]
    for k, own in enumerate(chain.maps):
        assert isinstance(own, BoneMap)
        np.testing.assert_allclose(chain.field(k, far), far @ own.matrix.T, atol=0.02)


@pytest.mark.parametrize("bend_deg", [30, 90, 120])
def test_what_lies_on_the_shoulder_stays(bend_deg: float) -> None:
    """The trunk above the collarbone does not follow a raised arm: hair, a hood, the neck."""
    chain = Chain(-90 + bend_deg, rest_deg=-90, bend=SHOULDER)  # up is positive here
    above = np.array([vector(np.radians(angle), 18) for angle in range(95, 181, 5)])
    np.testing.assert_allclose(chain.field(0, above), above, atol=0.02)


def test_blends_are_the_same_one_by_one_and_together() -> None:
    chains = [Chain(bend, turn) for bend, turn in ((35, 10), (140, -60), (0, 0), (-80, 120))]
    nodes = np.stack(np.meshgrid(np.arange(-100, 100, 9), np.arange(-80, 120, 9)), axis=-1).astype(np.float32)
    together = Blends()
    asked = [
        segment_field(nodes, chain.rest[k], chain.posed[k], chain.maps[k], (chain.joint,), together)
        for chain in chains
        for k in (0, 1)
    ]
    together.run()
    together.run()  # nothing is added twice
    alone = [chain.field(k, nodes) for chain in chains for k in (0, 1)]
    np.testing.assert_allclose(np.array(asked), np.array(alone), atol=1e-3)


def test_nodes_and_points_bend_alike() -> None:
    chain = Chain(70, 20)
    nodes = np.stack(np.meshgrid(np.arange(-60, 60, 7), np.arange(-50, 70, 7)), axis=-1).astype(np.float32)
    for k in (0, 1):
        points = chain.field(k, nodes.reshape(-1, 2)).reshape(nodes.shape)
        np.testing.assert_allclose(chain.field(k, nodes), points, atol=0.01)
