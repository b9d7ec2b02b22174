"""Who lies in front of whom: told once, kept while it is doubtful, never flickering."""

from __future__ import annotations

from dataclasses import replace
from itertools import groupby

import numpy as np
import pytest
from capsule_figure import poses, standing
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from understudy.engines.puppet.order import TRUNK, DrawingOrder, drawing_order
from understudy.engines.puppet.parts import LIMBS, figure_size
from understudy.tracking.motion import Floats

FPS = 30.0
HOLD = 4  # frames: 0.15 s at least
ARM_JOINTS = (13, 15)


def order_of(gap: Floats, joints: tuple[int, ...], scale: float = 1.0) -> DrawingOrder:
    """The order while ``joints`` are ``gap`` (T,) figure sizes farther away than everything else."""
    rest = standing()
    performance = poses(np.repeat(rest[None], len(gap), axis=0), scale=scale)
    depth = np.zeros((len(gap), 33), np.float32)
    for joint in joints:
        depth[:, joint] = gap * figure_size(rest) * scale
    return drawing_order(replace(performance, depth=depth), LIMBS, rest, FPS)


def changes(states: NDArray[np.bool_]) -> int:
    return int((states[1:] != states[:-1]).sum())


def test_arms_lie_before_the_trunk_unless_they_are_clearly_behind() -> None:
    assert order_of(np.zeros(5), ()).before_trunk["left arm"].all()
    assert order_of(np.full(5, -0.5), ARM_JOINTS).before_trunk["left arm"].all()
    far = order_of(np.full(5, 0.6), ARM_JOINTS)
    assert not far.before_trunk["left arm"].any()
    assert far.before_trunk["right arm"].all()


def test_legs_lie_behind_the_trunk_unless_the_knee_comes_forward() -> None:
    assert not order_of(np.zeros(5), ()).before_trunk["left leg"].any()
    kick = order_of(np.full(5, -0.9), (25, 27))
    assert kick.before_trunk["left leg"].all()
    assert not kick.before_trunk["right leg"].any()


def test_the_nearer_leg_lies_in_front() -> None:
    assert order_of(np.full(5, -0.3), (25, 27)).left_leg_first.all()
    assert not order_of(np.full(5, -0.3), (26, 28)).left_leg_first.any()


def test_noise_about_the_border_changes_nothing() -> None:
    noise = np.random.default_rng(7)
    # With its elbow as far as its wrist, an arm goes behind at 0.32 / 1.4 and comes back at 0.15 / 1.4.
    doubtful = 0.165 + noise.uniform(-0.05, 0.05, 600)
    for begin, before in ((0.0, True), (0.6, False)):
        gap = np.concatenate([np.full(10, begin), doubtful])
        states = order_of(gap, ARM_JOINTS).before_trunk["left arm"]
        assert (states == before).all()
    legs = order_of(noise.uniform(-0.07, 0.07, 600), (25, 27)).left_leg_first
    assert changes(legs) == 0


def test_a_noisy_passage_changes_the_order_once_each_way() -> None:
    noise = np.random.default_rng(3)
    there = np.concatenate([np.linspace(0, 0.8, 120), np.linspace(0.8, 0, 120)])
    states = order_of(there + noise.normal(0, 0.03, 240), ARM_JOINTS).before_trunk["left arm"]
    assert changes(states) == 2
    assert states[0]
    assert states[-1]
    assert not states[110:130].any()


@settings(max_examples=40)
@given(st.integers(0, 10**6), st.integers(5, 90))
def test_an_order_stands_for_a_while(seed: int, frames: int) -> None:
    gap = np.random.default_rng(seed).normal(0.35, 1.0, frames)
    order = order_of(gap, (13, 15, 25, 27))
    for states in (*order.before_trunk.values(), order.left_leg_first):
        runs = [len(list(run)) for _, run in groupby(states)]
        assert len(states) == frames
        assert all(run >= HOLD for run in runs[1:-1])


@pytest.mark.parametrize("scale", [0.3, 3.0])
def test_a_figure_of_another_size_is_judged_alike(scale: float) -> None:
    assert not order_of(np.full(5, 0.6), ARM_JOINTS, scale).before_trunk["left arm"].any()
    assert order_of(np.full(5, 0.2), ARM_JOINTS, scale).before_trunk["left arm"].all()


def test_no_frames_have_no_order() -> None:
    assert len(order_of(np.zeros(0), ()).left_leg_first) == 0


def names(order: DrawingOrder, t: int = 0, *, legs_under: bool = False) -> list[tuple[str, int]]:
    ((stack, share),) = order.stacks(t, legs_under=legs_under)
    assert share == 1.0
    assert len(stack) == len(set(stack)) == 13
    return list(stack)


def test_at_rest_the_stack_is_the_picture() -> None:
    stack = names(order_of(np.zeros(5), ()))
    trunk = stack.index((TRUNK, 0))
    assert {name for name, _ in stack[:trunk]} == {"left leg", "right leg"}
    assert {name for name, _ in stack[trunk + 1 :]} == {"left arm", "right arm"}
    assert stack.index(("left arm", 0)) < stack.index(("left arm", 1)) < stack.index(("left arm", 2))


def test_a_forearm_may_lie_before_the_trunk_and_its_upper_arm_behind() -> None:
    rest = standing()
    depth = np.zeros((5, 33), np.float32)
    depth[:, 13], depth[:, 15] = 0.5 * figure_size(rest), -0.4 * figure_size(rest)
    performance = replace(poses(np.repeat(rest[None], 5, axis=0)), depth=depth)
    stack = names(drawing_order(performance, LIMBS, rest, FPS))
    assert stack.index(("left arm", 0)) < stack.index((TRUNK, 0)) < stack.index(("left arm", 1))


@pytest.mark.parametrize(("joints", "last"), [((13, 15), "left arm"), ((14, 16), "right arm")])
def test_of_crossed_arms_the_nearer_comes_last(joints: tuple[int, ...], last: str) -> None:
    assert names(order_of(np.full(5, -0.4), joints))[-1] == (last, 2)


def test_legs_stay_under_what_hangs_over_them() -> None:
    kick = order_of(np.full(5, -0.9), (25,))
    assert ("left leg", 1) in names(kick)[names(kick).index((TRUNK, 0)) :]
    under = names(kick, legs_under=True)
    assert ("left leg", 1) in under[: under.index((TRUNK, 0))]


def test_a_hand_at_the_head_is_before_or_behind_the_head() -> None:
    rest = standing()
    joints = np.repeat(rest[None], 5, axis=0)
    joints[:, 15] = rest[0]
    depth = np.zeros((5, 33), np.float32)
    depth[:, :11] = -0.3 * figure_size(rest)  # somebody who bows: the head lies before the trunk
    order = drawing_order(replace(poses(joints), depth=depth), LIMBS, rest, FPS)
    assert not order.before_trunk["left arm"].any()
    assert order.before_trunk["right arm"].all()


def test_a_hand_that_is_seen_stays_before_the_face() -> None:
    rest = standing()
    joints = np.repeat(rest[None], 5, axis=0)
    joints[:, 15] = rest[0]
    depth = np.zeros((5, 33), np.float32)
    depth[:, [13, 15]] = 0.3 * figure_size(rest)
    hidden = replace(poses(joints), depth=depth)
    weight = np.zeros((5, 2), np.float32)
    weight[:, 0] = 1.0
    assert not drawing_order(hidden, LIMBS, rest, FPS).before_trunk["left arm"].any()
    seen = replace(hidden, hand_weight=weight)
    assert drawing_order(seen, LIMBS, rest, FPS).before_trunk["left arm"].all()


def test_of_clasped_hands_the_one_that_is_seen_lies_on_top() -> None:
    rest = standing()
    performance = poses(np.repeat(rest[None], 5, axis=0))
    for side, last in ((0, "left arm"), (1, "right arm")):
        weight = np.zeros((5, 2), np.float32)
        weight[:, side] = 1.0
        order = drawing_order(replace(performance, hand_weight=weight), LIMBS, rest, FPS)
        assert names(order)[-1] == (last, 2)


def test_a_new_order_is_faded_in() -> None:
    rest = standing()
    joints = np.repeat(rest[None], 40, axis=0)
    joints[:, 15] = (240, 330)  # on the belly throughout: no moment at which nothing overlaps
    depth = np.zeros((40, 33), np.float32)
    depth[20:, [13, 15]] = 0.8 * figure_size(rest)
    order = drawing_order(replace(poses(joints), depth=depth), LIMBS, rest, FPS)
    change = int(np.flatnonzero(np.diff(order.before_trunk["left arm"]))[0]) + 1
    assert abs(change - 20) <= 2
    shares = [[share for _, share in order.stacks(t)] for t in range(change - 1, change + order.fade + 1)]
    assert shares == [[1.0], [0.75, 0.25], [0.5, 0.5], [0.25, 0.75], [1.0]]


def test_an_order_changes_while_nothing_overlaps() -> None:
    rest = standing()
    joints = np.repeat(rest[None], 60, axis=0)
    joints[:, 13], joints[:, 15], joints[:, [17, 19, 21]] = (250, 300), (240, 330), (235, 340)  # on the belly
    apart = slice(22, 26)
    joints[apart, 13], joints[apart, 15], joints[apart, 17:22:2] = (380, 215), (450, 215), (470, 215)
    depth = np.zeros((60, 33), np.float32)
    depth[30:, [13, 15]] = 0.8 * figure_size(rest)
    order = drawing_order(replace(poses(joints), depth=depth), LIMBS, rest, FPS)
    (change,) = np.flatnonzero(np.diff(order.before_trunk["left arm"])) + 1
    assert 22 < change < 26


def test_crossed_legs_are_drawn_as_the_reference_shows_them_while_it_is_doubtful() -> None:
    rest = standing()
    performance = poses(np.repeat(rest[None], 5, axis=0))
    for nearer, first in (((25, 27), True), ((26, 28), False)):
        rest_depth = np.zeros(33, np.float32)
        rest_depth[list(nearer)] = -30
        order = drawing_order(performance, LIMBS, rest, FPS, rest_depth)
        assert (order.left_leg_first == first).all()
