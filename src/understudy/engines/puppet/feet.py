"""Feet: level on the floor while they stand, turned as the performer turns theirs while they are in the air."""

from __future__ import annotations

import numpy as np

from understudy.engines.puppet.limbs import turn_of
from understudy.engines.puppet.planting import lifted
from understudy.engines.puppet.skeleton import ANKLES, HEELS, KNEES, TOES, Points, Reals, blur, smooth, unit
from understudy.engines.puppet.stage import Stage
from understudy.engines.puppet.torso import typical

_FLAT_S = 0.35  # about a stance in which a foot's direction is that of its last or next stand
_SOME = 0.02  # weight of the usual direction against that of the stances nearby
_FULL_FOOT_M = 0.15  # ankle to toe's joint of an adult, where none is seen well
_SHORTEST, _LONGEST = 0.6, 1.25  # of the foot's length in the reference
_CLEAR = 0.5  # of its full length a bone shows, if its direction in the picture is to be believed whole
_MOST = np.radians(70)  # a foot in the air against how it stands
# Sine between the shin's line and the foot's: seen from the front, from the side
_FRONTAL, _SIDE = 0.25, 0.75


def feet(stage: Stage, moved: Points) -> Points:
    """Ankle to heel and to toe (T, 2, 2): left and right foot; heel and toe.

    ``moved`` (T, 8) are the limbs. A picture shows a foot from one side only, so a foot on the floor stays as it is in
    the reference, whichever way the performer's points: its sole is level. In the air it turns by as much as the
    performer's has turned since it stood (a foot seen from the side), or with its shin (one seen from the front, whose
    nodding the picture shows as length alone).
    """
    rest, air = stage.rest, lifted(stage.performer)
    result = np.empty((len(stage.performer), 2, 2), dtype=np.complex128)
    for i in (0, 1):
        ankle, heel, toe = ANKLES[i], HEELS[i], TOES[i]
        own_heel, own_toe = complex(rest[heel] - rest[ankle]), complex(rest[toe] - rest[ankle])
        change = turn_of(stage, moved, 6 + i)
        if stage.shown[[ankle, toe]].all() and abs(own_toe) > 1e-6 and not stage.cut:
            change = _change(stage, i, change, air[:, i])
        result[:, i, 0], result[:, i, 1] = own_heel * change, own_toe * change
    return result


def _change(stage: Stage, i: int, shin: Points, air: Reals) -> Points:
    """Turn and length (T,) of foot ``i`` against the reference; ``shin`` (T,) is the turn of what it hangs from."""
    knee, ankle, toe = KNEES[i], ANKLES[i], TOES[i]
    trust = stage.trust(ankle, toe)
    bones = stage.metres[:, toe] - stage.metres[:, ankle]
    full = max(typical(np.abs(bones), trust, 0.8, _FULL_FOOT_M), 1e-3)
    stood = _as_it_stood(bones, trust * (1 - air), trust, stage.fps)
    # What points at the camera has hardly a direction.
    sure = np.clip(np.minimum(np.abs(bones), np.abs(stood)) / (_CLEAR * full), 0.0, 1.0)
    turn = trust * sure * np.angle(bones * stood.conj())
    longer = trust * (np.abs(bones) - np.abs(stood)) / full
    leg = np.abs(stage.metres[:, ankle] - stage.metres[:, knee]) / stage.full_m[6 + i]
    with_shin = np.clip(leg / _CLEAR, 0.0, 1.0) * np.angle(shin)
    side = _from_the_side(stage, i)
    turn = side * np.clip(turn, -_MOST, _MOST) + (1 - side) * with_shin
    in_air = stage.trust(ankle) * air
    if stage.anchor is not None:  # the reference itself: whatever its feet do there is their rest
        turn = turn - stage.anchor.number(turn * in_air)
        longer = longer - stage.anchor.number(longer * in_air)
    length = np.clip(1.0 + longer * in_air, _SHORTEST, _LONGEST)
    return np.asarray(length * np.exp(1j * turn * in_air))


def _as_it_stood(bones: Points, stood: Reals, trust: Reals, fps: float) -> Points:
    """The foot (T,) as it stands in the stances nearby, ``stood`` (T,) tells when; as it mostly is without any."""
    weight = stood if stood.sum() > 0.5 else trust
    usual: complex = (bones * weight).sum() / max(float(weight.sum()), 1e-6)
    near = smooth(bones * stood, fps, _FLAT_S) + _SOME * usual
    return np.asarray(near / (blur(stood, fps, _FLAT_S) + _SOME))


def _from_the_side(stage: Stage, i: int) -> float:
    """How far the reference shows foot ``i`` from the side, 0..1."""
    rest = stage.rest
    shin = unit(np.asarray(rest[ANKLES[i]] - rest[KNEES[i]]), 1j)
    foot = unit(np.asarray(rest[TOES[i]] - rest[ANKLES[i]]), 1j)
    sine = abs(complex(foot * shin.conjugate()).imag)
    return float(np.clip((sine - _FRONTAL) / (_SIDE - _FRONTAL), 0.0, 1.0))
