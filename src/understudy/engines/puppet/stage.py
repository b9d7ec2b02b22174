"""What every part of the figure needs to know while the motion is put on it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from understudy.engines.puppet.anchor import Anchor, find_anchor
from understudy.engines.puppet.facing import unturned
from understudy.engines.puppet.path import is_cut
from understudy.engines.puppet.performer import Performer, measure
from understudy.engines.puppet.proportions import foreshortening, full_lengths
from understudy.engines.puppet.roll import rolled
from understudy.engines.puppet.skeleton import HIPS, LIMBS, SHOULDERS, Points, Reals, middle, rest_points
from understudy.request import Orientation
from understudy.tracking.character import Character
from understudy.tracking.motion import Motion


@dataclass(frozen=True)
class Stage:
    """The performer, the character and how they come together; T frames.

    ``rest`` (33,) are the character's landmarks in the reference image, ``shown`` (33,) those to animate. ``metres``
    (T, 33) is the performer, facing as wanted; ``angle`` (T,) the turn about the vertical that made it so, or None.
    ``full_m`` (8,) are the performer's limbs at full length, ``share`` (8,) what the reference shows of the
    character's. ``hands`` (T, 2, 21, 3) are the performer's in pixels, NaN where lost, and ``hands_seen`` (T, 2).
    ``yaw`` is the reference's, in radians. ``cut`` tells that the picture's lower edge cuts the figure. ``roll`` (T,)
    is the head's by the face mesh, a unit turn against the reference's, and ``roll_trust`` (T,) how far to believe it.
    """

    tracked: NDArray[np.bool_]
    hands: Reals
    hands_seen: NDArray[np.bool_]
    character: Character
    performer: Performer
    orientation: Orientation
    width: int
    height: int
    rest: Points
    shown: NDArray[np.bool_]
    metres: Points
    angle: Reals | None
    anchor: Anchor | None
    full_m: Reals
    share: Reals
    yaw: float
    cut: bool
    roll: Points
    roll_trust: Reals

    @property
    def fps(self) -> float:
        return self.performer.fps

    @property
    def travels(self) -> bool:
        """Whether the performer's own facing and path are followed."""
        return self.orientation is Orientation.VIDEO

    @property
    def first(self) -> int:
        """The first frame in which the performer is seen."""
        return int(np.argmax(self.tracked))

    @property
    def spine(self) -> complex:
        """The character's own mid-hip to mid-shoulder."""
        spine = complex(middle(self.rest, SHOULDERS) - middle(self.rest, HIPS))
        return spine if abs(spine) > 1e-6 else -1j

    @property
    def size(self) -> float:
        """The character's height in pixels, as far as its landmarks go."""
        return max(float(np.ptp(self.rest.imag)), 1.0)

    def trust(self, *joints: int) -> Reals:
        return np.asarray(self.performer.trust[:, joints].min(axis=1))

    def limb(self, i: int) -> Points:
        a, b = LIMBS[i]
        return np.asarray(self.metres[:, b] - self.metres[:, a])


def set_stage(
    character: Character, motion: Motion, orientation: Orientation, width: int, height: int
) -> Stage:
    performer = measure(motion)
    rest = rest_points(character)
    shown = character.shown & np.isfinite(character.person.body[:, :2]).all(axis=1)
    anchor = find_anchor(performer, rest, shown, height / motion.height)
    yaw = anchor.number(performer.yaw) if anchor is not None else _reference_yaw(character)
    cut = is_cut(character, rest, height)
    hands, seen = motion.hands.astype(np.float64), np.nan_to_num(motion.hand_score) > 0.5
    if orientation is Orientation.VIDEO:
        performer, hands, seen = unturned(performer, hands, seen)
    angle: Reals | None = None
    metres = performer.metres
    if orientation is Orientation.IMAGE:
        angle = yaw - performer.yaw
        metres = performer.turned(angle)
    flat = np.stack([performer.metres[:, b] - performer.metres[:, a] for a, b in LIMBS], axis=1)
    trust = np.stack([performer.trust[:, limb].min(axis=1) for limb in LIMBS], axis=1)
    full = full_lengths(flat, trust, performer.world)
    roll, roll_trust = rolled(motion, character)
    share = foreshortening(rest, character.person.world.astype(np.float64), shown)
    return Stage(
        tracked=performer.trust.max(axis=1) > 0.5,
        hands=hands,
        hands_seen=seen,
        character=character,
        performer=performer,
        orientation=orientation,
        width=width,
        height=height,
        rest=rest,
        shown=shown,
        metres=metres,
        angle=angle,
        anchor=anchor,
        full_m=full,
        share=share,
        yaw=yaw,
        cut=cut,
        roll=roll,
        roll_trust=roll_trust,
    )


def _reference_yaw(character: Character) -> float:
    world = character.person.world
    if not np.isfinite(world[[*SHOULDERS, *HIPS]]).all():
        return 0.0
    line = world[11] - world[12] + world[23] - world[24]
    return float(np.arctan2(line[2], line[0])) if np.hypot(line[0], line[2]) > 1e-6 else 0.0
