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

from understudy.engines.puppet.order import DrawingOrder, drawing_order
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
    doubtful = 0.35 + noise.uniform(-0.09, 0.09, 600)  # between coming back (0.25) and going behind (0.45)
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
