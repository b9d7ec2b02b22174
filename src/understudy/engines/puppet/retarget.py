"""Retargeting: the performer's motion on the character's body, with the character's own proportions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from understudy.engines.puppet import root
from understudy.engines.puppet.anchor import find_anchor
from understudy.engines.puppet.feet import feet
from understudy.engines.puppet.figure import Figure
from understudy.engines.puppet.hands import hand
from understudy.engines.puppet.head import head
from understudy.engines.puppet.limbs import limbs, turn_of
from understudy.engines.puppet.performer import measure
from understudy.engines.puppet.pose import Poses
from understudy.engines.puppet.skeleton import (
    HIPS,
    SHOULDERS,
    SWAPPED,
    Points,
    Reals,
    blur,
    rest_depth,
    rest_points,
)
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
    if _seen_from_behind(character) and home(character, motion, height) is None:
        # Its drawing cannot turn round: its limbs follow those that the picture shows on their side.
        return _swapped(retarget(_relabelled(character), motion, orientation, width, height))
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


def _seen_from_behind(character: Character) -> bool:
    """Whether the landmarks of the reference have left where a front view has right: a back, or a mistaken front."""
    body = character.person.body[:, 0]
    if not np.isfinite(body[[*SHOULDERS, *HIPS]]).all():
        return False
    return float(body[11] - body[12] + body[23] - body[24]) < 0.0


def home(character: Character, motion: Motion, height: int) -> Reals | None:
    """(T,) which frames of the ``motion`` the reference image of that ``height`` is, adding up to 1; None if none."""
    anchor = find_anchor(measure(motion), rest_points(character), character.shown, height / motion.height)
    return None if anchor is None else anchor.weights


def _relabelled(character: Character) -> Character:
    """The character with left and right called the other way round."""
    p = character.person
    person = replace(
        p,
        body=p.body[SWAPPED],
        visibility=p.visibility[SWAPPED],
        world=p.world[SWAPPED],
        hands=p.hands[::-1],
        hand_score=p.hand_score[::-1],
    )
    return replace(character, person=person, shown=character.shown[SWAPPED])


def _swapped(poses: Poses) -> Poses:
    return replace(
        poses,
        joints=poses.joints[:, SWAPPED],
        depth=poses.depth[:, SWAPPED],
        hands=poses.hands[:, ::-1],
        hand_weight=poses.hand_weight[:, ::-1],
        shown=poses.shown[SWAPPED],
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
