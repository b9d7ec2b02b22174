"""How the fingers of a picture can move without a tear: turns and lengths of their bones, held together.

A picture of a hand shows every finger once and nothing of what is behind it. So a finger never lies over another one
or over the palm: it turns sideways as far as there is room beside it, and what bends it towards the camera or away from
it makes it shorter. Neighbours that touch in the picture move together.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from understudy.engines.puppet.areas import distance_to_polyline
from understudy.engines.puppet.hand_points import THUMB
from understudy.engines.puppet.hand_rig import RiggedHand
from understudy.tracking.motion import Floats

SHORTEST, LONGEST = 0.55, 1.1  # of a bone: what points at the camera, what was measured too short
TURN = np.radians(38)  # that a bone is off its place in the palm at most; eased from half of it on
JOINT = np.radians(22)  # ... off the bone before it
AHEAD = 0.45  # of its length that a bone counts as going on ahead at least: one that folds back has no side
# Half widths between two neighbours' middle lines: touching fingers are that far apart, and so much of the two does not
# take part in what is stretched between them.
TOUCHING, CORES = 1.8, 1.3
SPREAD = 0.6  # of the room between two that is stretched at most
LEAST_TURN, MOST_TURN = np.radians(3), np.radians(22)  # of one neighbour against the other, whatever the room
SHEAR = 0.9  # half widths that the tip of a finger gets shorter than its neighbour's beside it
TOGETHER, ASUNDER = 2.4, 4.0  # half widths between two fingers that shorten together, and each for itself
ALONE = 4.0  # times that shear, of the latter


@dataclass(frozen=True)
class Room:
    """For neighbouring fingers (4,), from thumb and index on: radians by which the second turns against the first at
    ``least`` and at ``most``, and the share of their lengths by which one gets shorter than the other at most."""

    least: Floats
    most: Floats
    shorter: Floats


def room(hand: RiggedHand) -> Room:
    """What the reference leaves between a hand's fingers."""
    least, most, shorter = (np.zeros(4, np.float32) for _ in range(3))
    for f in range(4):
        one, other = hand.lines[f], hand.lines[f + 1]
        wide = float(hand.radii[f] + hand.radii[f + 1]) / 2
        gap = distance_to_polyline(other[1:], one) / wide
        lever = np.hypot(*(other[1:] - other[0]).T) / wide
        lever = np.maximum(lever, 1.0)
        close = float((np.maximum(gap - TOUCHING, 0) / lever).min())
        apart = float((SPREAD * np.maximum(gap - CORES, 0) / lever).min())
        close, apart = (min(max(angle, LEAST_TURN), MOST_TURN) for angle in (close, apart))
        ahead, aside = one[-1] - one[0], other[1:].mean(axis=0) - one[1:].mean(axis=0)
        left = float(ahead[0] * aside[1] - ahead[1] * aside[0]) > 0
        least[f], most[f] = (-close, apart) if left else (-apart, close)
        length = min(float(np.hypot(*np.diff(line, axis=0).T).sum()) for line in (one, other)) / wide
        alone = min(max((float(gap.min()) - TOGETHER) / (ASUNDER - TOGETHER), 0.0), 1.0)
        shorter[f] = SHEAR * (1 + (ALONE - 1) * alone) / max(length, 1.0)
    return Room(least, most, shorter)


def turns_and_lengths(
    hand: RiggedHand, between: Room, wanted: Floats, weight: float
) -> tuple[Floats, Floats]:
    """(5, 3) radians by which each bone turns against its place in the palm, and shares of its length, that come near
    to the bones ``wanted`` (5, 3, 2) in the reference's picture as far as ``weight`` 0..1 and the fingers go."""
    rest = np.diff(hand.lines, axis=1)
    lengths = np.maximum(np.hypot(rest[..., 0], rest[..., 1]), 1e-3)
    unit = rest / lengths[..., None]
    along = (wanted * unit).sum(axis=2) / lengths
    across = (unit[..., 0] * wanted[..., 1] - unit[..., 1] * wanted[..., 0]) / lengths
    across = np.minimum(np.maximum(across, -1), 1)
    turn = np.arctan2(across, np.maximum(along, AHEAD))
    size = np.clip(np.hypot(np.maximum(along, 0), across), SHORTEST, LONGEST) - 1
    follow = weight * hand.free[:, None]
    turn = _eased(turn, TURN) * follow
    size = size * follow
    turn[:, 0] = _apart(turn[:, 0], between.least, between.most)
    for k in (1, 2):
        turn[:, k] = turn[:, k - 1] + _eased(turn[:, k] - turn[:, k - 1], JOINT)
        turn[:, k] = _apart(turn[:, k], between.least, between.most)
    for k in range(3):
        size[:, k] = _apart(size[:, k], -between.shorter, between.shorter)
    return turn.astype(np.float32), (1 + size).astype(np.float32)


def _eased(angle: Floats, most: float) -> Floats:
    """Angles as they are up to half of ``most``, which they only come near to."""
    half = most / 2
    over = np.abs(angle) - half
    return np.where(over > 0, np.sign(angle) * (half + half * np.tanh(over / half)), angle)


def _apart(values: Floats, least: Floats, most: Floats) -> Floats:
    """(5,) the values nearest to ``values`` whose steps from finger to finger lie between ``least`` and ``most`` (4,):
    the four fingers keep their mean, the thumb follows them."""
    steps = np.minimum(np.maximum(values[1:] - values[:-1], least), most)
    made = np.zeros(len(values))
    np.cumsum(steps, out=made[1:])
    fingers = slice(THUMB + 1, None)
    made += (values[fingers] - made[fingers]).sum() / len(values[fingers])
    return made
