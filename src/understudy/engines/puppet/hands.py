"""Hands: the character's own hand, its wrist, palm and fingers led by the performer's."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from understudy.engines.puppet import wrist as wrists
from understudy.engines.puppet.bone import fill
from understudy.engines.puppet.fingers import directions, fingers
from understudy.engines.puppet.palm import axis, palm
from understudy.engines.puppet.performer_hand import PerformerHand, hand_anchor, performer_hand
from understudy.engines.puppet.skeleton import (
    ELBOWS,
    FINGERS,
    LIMBS,
    WRISTS,
    Points,
    Reals,
    plane,
    smooth,
    unit,
)
from understudy.engines.puppet.stage import Stage

_SAME_TURN = np.radians(40)
_STIFF_S = 0.05

# A flat open hand, wrist to the middle finger's knuckle = 1 along x, thumb at +y: for characters whose hand was not
# found.
_OPEN = np.array(
    [
        0j, 0.3 + 0.25j, 0.55 + 0.48j, 0.75 + 0.65j, 0.92 + 0.78j, 1.0 + 0.28j, 1.38 + 0.34j, 1.6 + 0.37j, 1.8 + 0.4j,
        1 + 0j, 1.45 + 0j, 1.7 + 0j, 1.9 + 0j, 0.94 - 0.22j, 1.35 - 0.28j, 1.58 - 0.32j, 1.78 - 0.34j,
        0.84 - 0.42j, 1.12 - 0.55j, 1.3 - 0.62j, 1.46 - 0.68j,
    ]
)  # fmt: skip


@dataclass(frozen=True)
class Hand:
    """One hand over time: ``fingers`` (T, 3) the body's landmarks 17-22 of that side, ``points`` (T, 21), both in
    reference pixels about the wrist before the figure's scale; ``weight`` (T,)."""

    fingers: Points
    points: Points
    weight: Reals


def hand(stage: Stage, side: int, forearm_turn: Points) -> Hand:
    """The hand of ``side`` (0 left, 1 right).

    ``forearm_turn`` (T,) is the forearm's turn against the reference, unit; a hand that nobody sees keeps to it, and
    one that the reference does not show.
    """
    own_fingers, own_points = _own(stage, side)
    if not stage.shown[WRISTS[side]]:
        nothing = np.zeros(len(stage.metres))
        return Hand(forearm_turn[:, None] * own_fingers, forearm_turn[:, None] * own_points, nothing)
    performed = performer_hand(stage, side)
    base = complex(unit(np.asarray(axis(own_points))))
    turn = _turn(stage, side, performed, base, own_fingers, forearm_turn)
    anchor = hand_anchor(performed, stage.anchor)
    shape = palm(performed, own_points, anchor)

    def stiff(points: Points) -> Points:
        local = points / base
        return np.asarray(shape.length[:, None] * local.real + 1j * shape.width[:, None] * local.imag)

    whole = fingers(performed, own_points, stiff(own_points), anchor)
    lead = (base * turn)[:, None]
    return Hand(lead * stiff(own_fingers), lead * whole, performed.weight)


def _turn(
    stage: Stage,
    side: int,
    performed: PerformerHand,
    base: complex,
    own_fingers: Points,
    forearm_turn: Points,
) -> Points:
    """Turn (T,) of the hand against the reference, unit: as tracked, else as the body's finger landmarks tell, else the
    forearm's; within what a wrist can do."""
    fps, anchor, metres, weight = stage.fps, stage.anchor, stage.metres, performed.weight
    wrist, elbow, knuckles = WRISTS[side], ELBOWS[side], list(FINGERS[side][:2])
    own_forearm = complex(unit(np.asarray(stage.rest[wrist] - stage.rest[elbow])))
    forearm = forearm_turn * own_forearm
    own_bend = float(np.angle(base / own_forearm))
    limb = LIMBS.index((elbow, wrist))
    shown = np.abs(stage.limb(limb)) / max(float(stage.full_m[limb]), 1e-6)

    own_body = complex(own_fingers[:2].mean())
    body = smooth(metres[:, knuckles].mean(axis=1) - metres[:, wrist], fps, _STIFF_S)
    trust = stage.trust(wrist, *knuckles)
    body_turn = unit(body / (own_body if abs(own_body) > 1e-6 else 1.0))
    if anchor is not None and anchor.number(trust) > 0.5:
        at = anchor.point(body)
        if abs(np.angle(at / own_body)) < _SAME_TURN:
            body_turn = unit(body / at)
    body_bend = wrists.limited(wrists.bend(base * body_turn, forearm), own_bend, wrists.STIFF, shown, fps)
    stiff = wrists.calmed(body_bend, forearm, shown, trust, fps)
    stiff = unit(fill(stiff, trust, forearm * np.exp(1j * own_bend), fps), forearm)

    its_own = hand_anchor(performed, anchor)
    led = directions(performed.along[:, None], np.array([base]), performed, its_own)[:, 0]
    bend = wrists.limited(wrists.bend(led, forearm), own_bend, wrists.TRACKED, shown, fps)
    return wrists.between(wrists.bend(stiff, forearm), bend, weight, shown) * forearm / base


def _own(stage: Stage, side: int) -> tuple[Points, Points]:
    """The character's own landmarks 17-22 (3,) and hand (21,) about the wrist, made up where they were not found."""
    rest, body = stage.rest, stage.character.person.body
    wrist, elbow, fingers = WRISTS[side], ELBOWS[side], list(FINGERS[side])
    forearm = complex(rest[wrist] - rest[elbow])
    hand_landmarks = plane(stage.character.person.hands[side])
    mirrored = _OPEN.conj() if side == 0 else _OPEN
    if np.isfinite(hand_landmarks).all() and abs(hand_landmarks[9] - hand_landmarks[0]) > 1.0:
        points = hand_landmarks - hand_landmarks[0]
    else:
        points = mirrored * 0.4 * forearm
    if np.isfinite(body[fingers]).all():
        own_fingers = rest[fingers] - rest[wrist]
        if not np.isfinite(hand_landmarks).all() and abs(own_fingers[:2].mean()) > 1.0:
            points = mirrored * 1.1 * own_fingers[:2].mean()
    else:
        own_fingers = points[[17, 5, 4]]
    return own_fingers, points
