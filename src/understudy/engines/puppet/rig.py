"""The rig: the character made ready for animation, as layers in rest pose over a clean background."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from understudy.engines.puppet.bare_body import bare_body
from understudy.engines.puppet.cut import corridors
from understudy.engines.puppet.foot_parting import part_feet
from understudy.engines.puppet.hair import find_hair
from understudy.engines.puppet.hair_layer import part_hair
from understudy.engines.puppet.hand_shape import with_hand
from understudy.engines.puppet.hem import find_hem_over_legs
from understudy.engines.puppet.labels import label_pixels
from understudy.engines.puppet.layer import Layer
from understudy.engines.puppet.limb_layers import RiggedLimb, rig_limb
from understudy.engines.puppet.parts import moving_limbs
from understudy.engines.puppet.skirt import SWAY, Skirt
from understudy.engines.puppet.trunk_layer import rig_trunk
from understudy.engines.puppet.under_skirt import dressed
from understudy.tracking.motion import Floats

EXTEND = 0.15  # how far a figure that the picture's edge cuts is continued beyond it, in picture heights


@dataclass(frozen=True)
class Rig:
    """Rest pose of the character, in pixels of the output picture."""

    joints: Floats  # (33, 2)
    shown: NDArray[np.bool_]  # (33,)
    trunk: Layer
    limbs: tuple[RiggedLimb, ...]
    background: NDArray[np.uint8]  # (H, W, 3)
    front: Layer | None = None  # what lies on an arm and moves with the trunk: long hair, a scarf
    skirt: Skirt | None = None  # how what hangs from the trunk over the legs goes with them

    @property
    def width(self) -> int:
        return int(self.background.shape[1])

    @property
    def height(self) -> int:
        return int(self.background.shape[0])


def build_rig(
    alpha: Floats,
    foreground: NDArray[np.uint8],
    background: NDArray[np.uint8],
    joints: Floats,
    shown: NDArray[np.bool_],
    depth: Floats | None = None,
    hands: Floats | None = None,
) -> Rig:
    """Cut the character (``alpha`` (H, W) 0..1 over ``foreground`` (H, W, 3)) into layers about ``joints`` (33, 2),
    whose ``depth`` (33,) in pixels may be known, and so the landmarks of its left and right hand, ``hands`` (2, 21, 2),
    NaN where there are none."""
    moving = moving_limbs(shown, joints, depth)
    hair = find_hair(foreground, alpha > 0.5, joints, moving)
    cut = corridors(foreground, alpha, joints, moving, hair)
    if hands is not None:
        cut = [with_hand(c, foreground, alpha, hands[c.limb.side]) if c.limb.arm else c for c in cut]
    arms, front = part_hair(alpha, foreground, hair, cut, joints)
    labels = label_pixels(alpha, cut, joints, hair, foreground)
    labels = part_feet(labels, alpha > 0.5, foreground, cut)
    body = bare_body(alpha, foreground, labels, cut, joints)
    pad = _padding(alpha)
    legs, skirt, rooted = body, None, cut
    hem = find_hem_over_legs(alpha, body, cut, joints)
    if hem is not None:
        worn = dressed(alpha, body, hem, cut)
        body, legs, cut = worn.trunk, worn.legs, worn.cut
        rooted = [c for c in cut if c.limb.arm]
        skirt = Skirt.of(joints, 1.0 if len(rooted) < len(cut) else SWAY)
    limbs = tuple(
        rig_limb(
            i,
            alpha,
            arms,
            body if c.limb.arm else legs,
            cut,
            joints,
            pad,
            hands[c.limb.side] if hands is not None and c.limb.arm else None,
        )
        for i, c in enumerate(cut)
    )
    trunk = rig_trunk(alpha, foreground, body, rooted, joints, pad)
    return Rig(joints.astype(np.float32), shown, trunk, limbs, background, front, skirt)


def _padding(alpha: Floats) -> int:
    """How far to continue the picture beyond its edges: only if an edge cuts the figure."""
    edges = (alpha[0], alpha[-1], alpha[:, 0], alpha[:, -1])
    return round(EXTEND * alpha.shape[0]) if any((edge > 0.5).mean() > 0.02 for edge in edges) else 0
