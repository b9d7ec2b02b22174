"""Retargeting: the performer's motion on the character's body, with the character's own proportions."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from understudy.engines.puppet import root
from understudy.engines.puppet.figure import Figure
from understudy.engines.puppet.hands import hand
from understudy.engines.puppet.head import head
from understudy.engines.puppet.limbs import feet, limbs, turn_of
from understudy.engines.puppet.pose import Poses
from understudy.engines.puppet.skeleton import Points, Reals, blur, rest_depth
from understudy.engines.puppet.stage import Stage, set_stage
from understudy.engines.puppet.torso import torso
from understudy.request import Orientation
from understudy.tracking.character import Character
from understudy.tracking.motion import Floats, Motion

_SPINE_M = 0.5


def retarget(
    character: Character, motion: Motion, orientation: Orientation, width: int, height: int
) -> Poses:
    """Put the ``motion`` of one shot on ``character``, who lies in the output picture of ``width`` x ``height``.

    Every bone takes the performer's direction in the picture and its foreshortening (its length now over its own
    full length) times the character's full length. ``video`` orientation keeps the performer's facing, lean and
    path; ``image`` turns the performer about the vertical to the reference's facing first and holds the sideways
    path. Where the performer passes through the reference's own pose, all is measured from that frame, and the
    result equals the reference there (exactly in ``video``). What is not shown, or not seen for long, rests.
    """
    stage = set_stage(character, motion, orientation, width, height)
    trunk = torso(stage)
    moved = limbs(stage, trunk.lean)
    figure = Figure(
        torso=trunk,
        head=head(stage, trunk.lean),
        limbs=moved,
        feet=feet(stage, moved),
        hands=(hand(stage, 0, turn_of(stage, moved, 2)), hand(stage, 1, turn_of(stage, moved, 3))),
        scale=root.scale(stage),
    )
    joints = root.placed(stage, figure)
    return Poses(
        joints=_floats(joints),
        depth=_depth(stage).astype(np.float32),
        facing=trunk.facing.astype(np.float32),
        scale=figure.scale.astype(np.float32),
        hands=_floats(figure.hand_points(joints)),
        hand_weight=np.stack([h.weight for h in figure.hands], axis=1).astype(np.float32),
        shown=stage.shown,
    )


def _depth(stage: Stage) -> Reals:
    """Depth (T, 33) in reference pixels about the mid-hip, easing to the reference's own where nothing is seen."""
    performer = stage.performer
    metres = performer.depth if stage.angle is None else performer.turned_depth(stage.angle)
    size = abs(stage.spine) / _SPINE_M
    depth = blur(metres * performer.trust, stage.fps, 0.08) * size + 0.05 * rest_depth(stage.character)
    return np.asarray(depth / (blur(performer.trust, stage.fps, 0.08) + 0.05))


def _floats(points: Points) -> Floats:
    both: NDArray[np.float64] = np.stack([points.real, points.imag], axis=-1)
    return both.astype(np.float32)
