"""Arms, legs and feet in their parents' order."""

from __future__ import annotations

import numpy as np

from understudy.engines.puppet.bone import transfer
from understudy.engines.puppet.skeleton import ANKLES, HEELS, LEGS, LIMBS, TOES, Points, unit
from understudy.engines.puppet.stage import Stage
from understudy.engines.puppet.torso import typical

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


def feet(stage: Stage, moved: Points) -> Points:
    """Ankle to heel and to toe (T, 2, 2): left and right foot; heel and toe. ``moved`` (T, 8) are the limbs."""
    rest = stage.rest
    result = np.empty((len(stage.performer), 2, 2), dtype=np.complex128)
    for i in (0, 1):
        ankle, heel, toe = ANKLES[i], HEELS[i], TOES[i]
        own_heel, own_toe = complex(rest[heel] - rest[ankle]), complex(rest[toe] - rest[ankle])
        change = turn_of(stage, moved, 6 + i)
        trust = stage.trust(ankle, toe)
        if stage.shown[[ankle, toe]].all() and abs(own_toe) > 1e-6 and not stage.cut and (trust > 0.5).any():
            bones = stage.metres[:, toe] - stage.metres[:, ankle]
            full = typical(np.abs(bones), trust, 0.6, 0.15)
            change = (
                transfer(bones, trust, own_toe, full, 1.0, stage.anchor, stage.fps, shortest=0.6) / own_toe
            )
        result[:, i, 0], result[:, i, 1] = own_heel * change, own_toe * change
    return result
