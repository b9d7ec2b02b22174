"""Which part lies in front of which, stable in time."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from understudy.engines.puppet.overlap import near_head, on_body, touching
from understudy.engines.puppet.parts import EARS, HIPS, SHOULDERS, Limb, figure_size
from understudy.engines.puppet.pose import Poses
from understudy.tracking.motion import Floats

HOLD_S = 0.15  # an order stands at least so long
EVEN_S = 0.1  # depths are averaged over so long
AWAY_S = 0.5  # so far from where its depth says so an order may change, to change while nothing overlaps
FADE = 3  # frames in which a new order replaces the old one

# Depths in figure sizes at which a state is taken and left again. BlazePose's depth is off by 0.1 and more.
ARM_BEHIND = (0.32, 0.15)  # behind the trunk's middle
ELBOW_BEHIND = (0.3, 0.15)
KNEE_BEFORE = (0.75, 0.55)  # before its hip
ARM_NEARER = (0.12, -0.12)  # the left one than the right one
LEG_NEARER = (0.08, -0.08)
ELBOW_SHARE = 0.4  # of its elbow's depth that counts for a hand's: a hand follows its elbow behind the trunk
# A hand whose fingers the tracker sees is not behind anything, whatever its depth: by so many figure sizes it counts as
# nearer to the camera.
SEEN_HAND = 0.3
SEEN_OVER_OTHER = 0.15  # the same against the other hand, which something hides if its fingers are not seen
EARS_BEHIND = 0.1  # the head's middle lies so far behind the mean of the marked ears

TRUNK = "trunk"
Part = tuple[str, int]  # a limb's name and the number of its layer; the trunk's number is 0


@dataclass(frozen=True)
class DrawingOrder:
    """Over T frames: for every limb (T,) whether it lies in front of the trunk, of an arm its forearm and hand; for
    every arm (T,) whether its upper arm does; and (T,) whether the left leg, the left arm lies before the right one.
    ``fade`` frames lead from one order to the next."""

    limbs: tuple[Limb, ...]
    before_trunk: dict[str, NDArray[np.bool_]]
    upper_before_trunk: dict[str, NDArray[np.bool_]]
    left_leg_first: NDArray[np.bool_]
    left_arm_first: NDArray[np.bool_]
    fade: int

    def stacks(self, t: int, *, legs_under: bool = False) -> list[tuple[tuple[Part, ...], float]]:
        """The parts from back to front with their share in frame ``t``: one order, or two while they change.

        ``legs_under`` keeps the legs behind the trunk, whatever their depth: something hangs over them.
        """
        states = self._states
        for back in range(min(self.fade, t)):
            if (states[t - back] != states[t - back - 1]).any():
                new = (back + 1) / (self.fade + 1)
                old, now = self._stack(t - back - 1, legs_under), self._stack(t, legs_under)
                return [(now, 1.0)] if old == now else [(old, 1 - new), (now, new)]
        return [(self._stack(t, legs_under), 1.0)]

    @cached_property
    def _states(self) -> NDArray[np.bool_]:
        """(T, S)"""
        states = [*self.before_trunk.values(), *self.upper_before_trunk.values()]
        return np.stack([*states, self.left_leg_first, self.left_arm_first], axis=1)

    def _stack(self, t: int, legs_under: bool) -> tuple[Part, ...]:
        arms, legs = ([limb for limb in self.limbs if limb.arm == arm] for arm in (True, False))
        # The nearer one last.
        arms.sort(key=lambda limb: (limb.side == 0) == bool(self.left_arm_first[t]))
        legs.sort(key=lambda limb: (limb.side == 0) == bool(self.left_leg_first[t]))
        behind: list[Part] = []
        before: list[Part] = []
        for limb in arms:
            upper, lower = self.upper_before_trunk[limb.name][t], self.before_trunk[limb.name][t]
            for k, in_front in enumerate((upper, lower, lower)):
                (before if in_front else behind).append((limb.name, k))
        # Behind the trunk the arms are the farthest, before it the nearest.
        leg_parts = {
            front: [
                (limb.name, k)
                for limb in legs
                if (bool(self.before_trunk[limb.name][t]) and not legs_under) == front
                for k in range(3)
            ]
            for front in (False, True)
        }
        return (*behind, *leg_parts[False], (TRUNK, 0), *leg_parts[True], *before)


def drawing_order(
    poses: Poses, limbs: tuple[Limb, ...], rest: Floats, fps: float, rest_depth: Floats | None = None
) -> DrawingOrder:
    """The order over T frames. Depths are noisy: an arm goes behind only when it clearly is, and comes back late; a
    hand that is seen stays before trunk and head.

    ``rest`` (33, 2) and ``rest_depth`` (33,) are the reference's joints: a thigh that comes forward in the reference
    already (somebody seated) is drawn as the reference shows it, and so are crossed legs until the performer's clearly
    lie otherwise.
    """
    size = figure_size(rest) * np.maximum(poses.scale, 0.2)
    hold = max(round(HOLD_S * fps), 1)
    depth = poses.depth
    body = depth[:, [*SHOULDERS, *HIPS]].mean(axis=1)
    known = rest_depth is not None and bool(np.isfinite(rest_depth).all())

    def switched(
        value: Floats, borders: tuple[float, float], start: bool, overlap: NDArray[np.bool_]
    ) -> NDArray[np.bool_]:
        states = _switched(_even(value, fps), *borders, hold, start)
        return _changed_apart(states, overlap, round(AWAY_S * fps), hold)

    before, upper = {}, {}
    for limb in limbs:
        root, middle, end = limb.points
        if limb.arm:
            elbow, wrist = (depth[:, middle] - body) / size, (depth[:, end] - body) / size
            # Beside the head a hand is before or behind the head, not the trunk.
            head = (depth[:, list(EARS)].mean(axis=1) - body) / size - EARS_BEHIND
            gap = wrist - near_head(poses, rest, end) * head + ELBOW_SHARE * elbow
            gap = gap - SEEN_HAND * poses.hand_weight[:, limb.side]
            on_trunk = on_body(poses, rest, (middle, end, limb.far[0]))
            before[limb.name] = ~switched(gap, ARM_BEHIND, False, on_trunk)
            upper[limb.name] = ~switched(elbow, ELBOW_BEHIND, False, on_body(poses, rest, (middle,)))
        else:
            gap = (depth[:, root] - depth[:, middle]) / size
            if rest_depth is not None and np.isfinite(rest_depth[[root, middle]]).all():
                gap = gap - max(float(rest_depth[root] - rest_depth[middle]) / figure_size(rest), 0.0)
            before[limb.name] = switched(gap, KNEE_BEFORE, False, on_body(poses, rest, (middle,)))
    legs = (depth[:, 26] + depth[:, 28] - depth[:, 25] - depth[:, 27]) / (2 * size)
    arms = (0.3 * (depth[:, 14] - depth[:, 13]) + 0.7 * (depth[:, 16] - depth[:, 15])) / size
    arms = arms + SEEN_OVER_OTHER * (poses.hand_weight[:, 0] - poses.hand_weight[:, 1])
    crossed = (
        rest_depth is not None
        and known
        and float(rest_depth[[26, 28]].sum() - rest_depth[[25, 27]].sum()) > 0
    )
    return DrawingOrder(
        limbs,
        before,
        upper,
        switched(legs, LEG_NEARER, crossed, touching(poses, rest, (23, 25, 27, 31), (24, 26, 28, 32))),
        switched(arms, ARM_NEARER, False, touching(poses, rest, (11, 13, 15, 19), (12, 14, 16, 20))),
        min(FADE, hold - 1),
    )


def _even(value: Floats, fps: float) -> Floats:
    """(T,) averaged over ``EVEN_S`` about every frame."""
    half = round(EVEN_S * fps / 2)
    if half < 1 or len(value) < 2:
        return value
    padded = np.pad(value, half, mode="edge")
    averaged: Floats = np.convolve(padded, np.full(2 * half + 1, 1 / (2 * half + 1)), mode="valid")
    return averaged


def _switched(value: Floats, on: float, off: float, hold: int, start: bool) -> NDArray[np.bool_]:
    """(T,) a Schmitt trigger from ``start`` on: True from above ``on`` until below ``off``, each state held ``hold``
    frames."""
    state, since = start, hold
    states = np.zeros(len(value), bool)
    for t, v in enumerate(value):
        wanted = bool(v > off if state else v > on)
        if wanted != state and since >= hold:
            state, since = wanted, 0
        since += 1
        states[t] = state
    return states


def _changed_apart(
    states: NDArray[np.bool_], overlap: NDArray[np.bool_], away: int, hold: int
) -> NDArray[np.bool_]:
    """(T,) the same states, each change moved by up to ``away`` frames to the nearest frame without ``overlap`` (T,),
    if there is one between the changes before and after it."""
    changes = [int(t) + 1 for t in np.flatnonzero(states[1:] != states[:-1])]
    moved = states.copy()
    earliest = 1
    for number, change in enumerate(changes):
        latest = changes[number + 1] - hold if number + 1 < len(changes) else len(states) - 1
        frames = np.arange(max(earliest, change - away), min(latest, change + away) + 1)
        free = frames[~(overlap[frames] | overlap[frames - 1])]
        best = int(free[np.abs(free - change).argmin()]) if len(free) else change
        moved[min(best, change) : max(best, change)] = states[change] if best < change else not states[change]
        earliest = best + hold
    return moved
