"""Hands: the character's own hand, stiff, turned as the performer's, never thinner than 0.6 of itself."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from understudy.engines.puppet.anchor import Anchor
from understudy.engines.puppet.bone import fill
from understudy.engines.puppet.skeleton import (
    ELBOWS,
    FINGERS,
    WRISTS,
    Points,
    Reals,
    blur,
    plane,
    smooth,
    step,
    unit,
)
from understudy.engines.puppet.stage import Stage

THINNEST = 0.6
_RAMP_S = 0.15
_FLIP_AT = 0.25
_SAME_TURN = np.radians(40)

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
    fps, anchor, metres = stage.fps, stage.anchor, stage.metres
    wrist, fingers = WRISTS[side], FINGERS[side]
    own_fingers, own_points = _own(stage, side)
    if not stage.shown[wrist]:
        nothing = np.zeros(len(metres))
        return Hand(forearm_turn[:, None] * own_fingers, forearm_turn[:, None] * own_points, nothing)

    body = metres[:, fingers[:2]].mean(axis=1) - metres[:, wrist]
    body_trust = stage.trust(wrist, *fingers[:2])
    body_turn = smooth(_turn(body, complex(own_fingers[:2].mean()), anchor, body_trust), fps, 0.05)

    seen = blur(stage.hands_seen[:, side].astype(np.float64), fps, 0.06) > 0.5
    weight = _ramped(seen, fps)
    track = _tracked(stage, side)
    along = track[:, 9]
    own_along = complex(own_points[9])
    hand_turn = _turn(along, own_along, anchor, seen.astype(np.float64))
    turn = unit(weight * hand_turn + (1 - weight) * body_turn, hand_turn)
    turn = unit(fill(turn, np.maximum(body_trust, weight), forearm_turn, fps), forearm_turn)

    length = blur(_share(np.abs(along), seen, anchor), fps, 0.06)
    across = ((track[:, 5] - track[:, 17]) / unit(along)).imag
    base = complex(unit(np.asarray(own_along)))
    own_across = float(((own_points[5] - own_points[17]) / base).imag)
    wide = _width(across, own_across, seen, fps, anchor)
    length, wide = 1 + weight * (length - 1), 1 + weight * (wide - 1)

    def put(points: Points) -> Points:
        local = points / base
        bent = length[:, None] * local.real[None] + 1j * wide[:, None] * local.imag[None]
        return np.asarray(base * turn[:, None] * bent)

    return Hand(put(own_fingers), put(own_points), weight)


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


def _tracked(stage: Stage, side: int) -> Points:
    """The performer's hand (T, 21) about its wrist in metres, turned with the body; interpolated where lost."""
    raw = stage.hands[:, side]
    raw = (raw - raw[:, :1]) / stage.performer.px_per_m[:, None, None]
    found = np.isfinite(raw).all(axis=(1, 2))
    if not found.any():
        return np.tile(0.09 * _OPEN, (len(raw), 1))
    at = np.arange(len(raw))
    flat = raw.reshape(len(raw), -1)
    raw = np.stack([np.interp(at, at[found], c[found]) for c in flat.T], axis=1).reshape(raw.shape)
    if stage.angle is None:
        return plane(raw)
    c, s = np.cos(stage.angle)[:, None], np.sin(stage.angle)[:, None]
    return np.asarray(raw[..., 0] * c - raw[..., 2] * s + 1j * raw[..., 1])


def _turn(vectors: Points, own: complex, anchor: Anchor | None, trust: Reals) -> Points:
    """Turn of ``vectors`` (T,) against the reference's ``own``, unit."""
    base = own if abs(own) > 1e-6 else 1.0 + 0j
    if anchor is not None and anchor.number(trust) > 0.5:
        at = anchor.point(vectors)
        if abs(at) > 1e-6 and abs(np.angle(at * np.conj(base))) < _SAME_TURN:
            base = at
    return unit(vectors / base)


def _share(lengths: Reals, seen: NDArray[np.bool_], anchor: Anchor | None) -> Reals:
    """Foreshortening (T,) from 0.6 to 1 against the longest seen; against the anchor's own where there is one."""
    if seen.sum() < 3:
        return np.ones(len(lengths))
    full = max(float(np.quantile(lengths[seen], 0.85)), 1e-6)
    share = np.clip(lengths / full, THINNEST, 1.0)
    if anchor is not None and anchor.number(seen.astype(np.float64)) > 0.9:
        return np.asarray(np.clip(share / anchor.number(share), THINNEST, 1.4))
    return np.asarray(share)


def _width(across: Reals, own: float, seen: NDArray[np.bool_], fps: float, anchor: Anchor | None) -> Reals:
    """Share of the palm's width (T,), negative where thumb and little finger have changed places."""
    if seen.sum() < 3:
        return np.ones(len(across))
    full = max(float(np.quantile(np.abs(across[seen]), 0.85)), 1e-6)
    signed = across / full * (1.0 if own >= 0 else -1.0)
    state = np.empty(len(across))
    now = 1.0 if signed[int(np.argmax(seen))] > -_FLIP_AT else -1.0
    for t, value in enumerate(signed):
        if seen[t] and value * now < -_FLIP_AT:
            now = -now
        state[t] = now
    if anchor is not None and anchor.number(seen.astype(np.float64)) > 0.9:
        state = state * state[anchor.frame]
    return np.asarray(_share(np.abs(across), seen, anchor) * np.clip(blur(state, fps, 0.05), -1, 1))


def _ramped(seen: NDArray[np.bool_], fps: float) -> Reals:
    """Weight (T,) that rises over at least 0.15 s after a hand is found, and falls as long before it is lost."""
    if seen.all():
        return np.ones(len(seen))
    lost = np.flatnonzero(~seen)
    at = np.arange(len(seen))
    right = np.clip(np.searchsorted(lost, at), 0, len(lost) - 1)
    near = np.minimum(np.abs(at - lost[right]), np.abs(at - lost[np.maximum(right - 1, 0)]))
    return step(near / fps, 0.0, _RAMP_S * 1.4)
