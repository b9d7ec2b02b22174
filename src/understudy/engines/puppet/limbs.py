"""Arms and legs in their parents' order."""

from __future__ import annotations

import numpy as np

from understudy.engines.puppet.bone import transfer
from understudy.engines.puppet.skeleton import LEGS, LIMBS, Points, unit
from understudy.engines.puppet.stage import Stage

_LOWER = (2, 3, 6, 7)


def limbs(stage: Stage, lean: Points) -> Points:
    """The eight limbs (T, 8) in reference pixels before the figure's scale.

    A limb whose end is not shown turns with its parent, and so do both legs of a figure that the edge cuts; ``lean``
    (T,) is the torso's turn against the reference.
    """
    rest = stage.rest
    moved = np.empty((len(stage.performer), len(LIMBS)), dtype=np.complex128)
    for i, (a, b) in enumerate(LIMBS):
        own = complex(rest[b] - rest[a])
        if stage.shown[a] and stage.shown[b] and not (stage.cut and i in LEGS):
            moved[:, i] = transfer(
                stage.limb(i),
                stage.trust(a, b),
                own,
                stage.full_m[i],
                stage.share[i],
                stage.anchor,
                stage.fps,
            )
        elif i in _LOWER:
            moved[:, i] = own * turn_of(stage, moved, i - 2)
        else:
            moved[:, i] = own * (1.0 if stage.cut and i in LEGS else lean)
    return moved


def turn_of(stage: Stage, moved: Points, i: int) -> Points:
    """Turn (T,) of limb ``i`` against the reference, unit."""
    a, b = LIMBS[i]
    own = complex(stage.rest[b] - stage.rest[a])
    return unit(moved[:, i] / own) if abs(own) > 1e-6 else np.ones(len(moved), dtype=np.complex128)
