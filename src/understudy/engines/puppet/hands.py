"""Hands: the character's own hand, stiff, turned as the performer's, never thinner than 0.6 of itself."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from understudy.engines.puppet.anchor import Anchor
from understudy.engines.puppet.limbs import fill
from understudy.engines.puppet.performer import Performer
from understudy.engines.puppet.skeleton import FINGERS, WRISTS, Points, Reals, plane, smooth, step, unit
from understudy.tracking.character import Character
from understudy.tracking.motion import Motion

THINNEST = 0.6
_RAMP_S = 0.15
_FLIP_AT = 0.25

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


def hand(
    side: int,
    motion: Motion,
    performer: Performer,
    metres: Points,
    angle: Reals | None,
    character: Character,
    rest: Points,
    forearm_turn: Points,
    anchor: Anchor | None,
) -> Hand:
    """The hand of ``side`` (0 left, 1 right). ``angle`` (T,) turns the body about the vertical, or None.

    ``forearm_turn`` (T,) is the forearm's direction against the reference; a hand that nobody sees keeps to it.
    """
    fps = performer.fps
    wrist, knuckles = WRISTS[side], FINGERS[side][:2]
    own_fingers = rest[list(FINGERS[side])] - rest[wrist]
    own_along = complex(own_fingers[:2].mean())

    body = metres[:, list(knuckles)].mean(axis=1) - metres[:, wrist]
    body_trust = performer.trust[:, (wrist, *knuckles)].min(axis=1)
    body_turn, _ = _turn(body, own_along, anchor, body_trust)
    body_turn = np.asarray(smooth(body_turn, fps, 0.05))

    seen = _steady(np.nan_to_num(motion.hand_score[:, side]) > 0.5, fps)
    weight = _ramped(seen, fps)
    track = _tracked(motion, side, performer, angle)
    own_hand = plane(character.person.hands[side])
    if np.isfinite(own_hand).all() and abs(own_hand[9] - own_hand[0]) > 1.0:
        own_points = own_hand - own_hand[0]
    else:
        mirrored = _OPEN.conj() if side == 0 else _OPEN
        own_points = mirrored * own_along * 1.1
    own_dir = complex(own_points[9])
    along = track[:, 9]
    hand_turn, straight = _turn(along, own_dir, anchor, seen.astype(np.float64))
    turn = weight * hand_turn + (1 - weight) * body_turn
    turn = unit(turn, hand_turn)
    trust = np.maximum(body_trust, weight)
    turn = unit(fill(turn, trust, forearm_turn, fps), forearm_turn)

    length = _share(np.abs(along), seen, anchor)
    across = ((track[:, 5] - track[:, 17]) / unit(along)).imag
    own_across = ((own_points[5] - own_points[17]) / (own_dir / abs(own_dir))).imag
    wide, side_of = _width(across, own_across, seen, fps, anchor)
    length = 1 + weight * (np.asarray(smooth(length, fps, 0.06), dtype=np.float64) - 1)
    wide = 1 + weight * (wide * side_of - 1)
    local = own_points / unit(np.asarray(own_dir))
    points = (
        unit(np.asarray(own_dir))
        * turn[:, None]
        * (length[:, None] * local.real[None] + 1j * wide[:, None] * local.imag[None])
    )
    fingers_local = own_fingers / unit(np.asarray(own_dir))
    fingers = (
        unit(np.asarray(own_dir))
        * turn[:, None]
        * (length[:, None] * fingers_local.real[None] + 1j * wide[:, None] * fingers_local.imag[None])
    )
    del straight
    return Hand(fingers, points, weight)


def _tracked(motion: Motion, side: int, performer: Performer, angle: Reals | None) -> Points:
    """The performer's hand (T, 21) about its wrist in metres, turned with the body; interpolated where lost."""
    raw = motion.hands[:, side].astype(np.float64)
    raw = (raw - raw[:, :1]) / performer.px_per_m[:, None, None]
    ok = np.isfinite(raw).all(axis=(1, 2))
    if not ok.any():
        return np.tile(0.09 * _OPEN, (len(raw), 1))
    at = np.arange(len(raw))
    flat = raw.reshape(len(raw), -1)
    flat = np.stack([np.interp(at, at[ok], column[ok]) for column in flat.T], axis=1)
    raw = flat.reshape(raw.shape)
    if angle is None:
        return plane(raw)
    c, s = np.cos(angle)[:, None], np.sin(angle)[:, None]
    return np.asarray(raw[..., 0] * c - raw[..., 2] * s + 1j * raw[..., 1])


def _turn(vectors: Points, own: complex, anchor: Anchor | None, trust: Reals) -> tuple[Points, bool]:
    """Direction of ``vectors`` (T,) against the reference's ``own``, unit."""
    base = own if abs(own) > 1e-6 else 1.0 + 0j
    if anchor is not None and float(anchor.mean(trust)) > 0.5:
        at = complex(anchor.mean(vectors))
        if abs(at) > 1e-6 and abs(np.angle(at * np.conj(base))) < np.radians(40):
            base = at
    return unit(vectors / base), base is not own


def _share(lengths: Reals, seen: NDArray[np.bool_], anchor: Anchor | None) -> Reals:
    """Foreshortening (T,) from 0.6 to 1 against the longest seen, or against the anchor."""
    if seen.sum() < 3:
        return np.ones(len(lengths))
    full = float(np.quantile(lengths[seen], 0.85))
    if anchor is not None and float(anchor.mean(seen.astype(np.float64))) > 0.9:
        full = max(float(anchor.mean(lengths)), 0.5 * full)
        return np.asarray(np.clip(lengths / max(full, 1e-6), THINNEST, 1.25))
    return np.asarray(np.clip(lengths / max(full, 1e-6), THINNEST, 1.0))


def _width(
    across: Reals, own: float, seen: NDArray[np.bool_], fps: float, anchor: Anchor | None
) -> tuple[Reals, Reals]:
    """Share of the palm's width (T,), and the side it shows (T,): -1 where thumb and little finger changed places."""
    if seen.sum() < 3:
        return np.ones(len(across)), np.ones(len(across))
    full = float(np.quantile(np.abs(across[seen]), 0.85))
    own_sign = 1.0 if own >= 0 else -1.0
    signed = across / max(full, 1e-6) * own_sign
    state = np.empty(len(across))
    first = int(np.argmax(seen))
    now = 1.0 if signed[first] > -_FLIP_AT else -1.0
    for t, value in enumerate(signed):
        if seen[t] and value * now < -_FLIP_AT:
            now = -now
        state[t] = now
    side = np.clip(np.asarray(smooth(state, fps, 0.05), dtype=np.float64), -1, 1)
    if anchor is not None and float(anchor.mean(seen.astype(np.float64))) > 0.9:
        full = max(abs(float(anchor.mean(across))), 0.6 * full)
    share = np.clip(np.abs(across) / max(full, 1e-6), THINNEST, 1.0)
    return np.asarray(smooth(share, fps, 0.06), dtype=np.float64), side


def _steady(seen: NDArray[np.bool_], fps: float) -> NDArray[np.bool_]:
    """``seen`` with gaps up to 0.1 s closed, and sightings under 0.1 s dropped."""
    share = np.asarray(smooth(seen.astype(np.float64), fps, 0.06), dtype=np.float64)
    return share > 0.5


def _ramped(seen: NDArray[np.bool_], fps: float) -> Reals:
    """Weight (T,) that rises over at least 0.15 s after a hand is found, and falls as long before it is lost."""
    if seen.all():
        return np.ones(len(seen))
    lost = np.flatnonzero(~seen)
    at = np.arange(len(seen))
    right = np.clip(np.searchsorted(lost, at), 0, len(lost) - 1)
    near = np.minimum(np.abs(at - lost[right]), np.abs(at - lost[np.maximum(right - 1, 0)]))
    return step(near / fps, 0.0, _RAMP_S * 1.4)
