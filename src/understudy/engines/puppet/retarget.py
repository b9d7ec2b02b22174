"""Retargeting: the performer's motion on the character's body, with the character's own proportions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from understudy.engines.puppet import facing, planting
from understudy.engines.puppet.anchor import Anchor, find_anchor
from understudy.engines.puppet.hands import Hand, hand
from understudy.engines.puppet.head import head
from understudy.engines.puppet.limbs import fill, transfer
from understudy.engines.puppet.path import cut_path, cut_point, in_picture, is_cut, lowest
from understudy.engines.puppet.performer import Performer, measure
from understudy.engines.puppet.pose import Poses
from understudy.engines.puppet.proportions import foreshortening, full_lengths
from understudy.engines.puppet.skeleton import (
    ANKLES,
    FINGERS,
    HEAD,
    HEELS,
    HIPS,
    LEGS,
    LIMBS,
    SHOULDERS,
    TOES,
    WRISTS,
    Points,
    Reals,
    middle,
    rest_depth,
    rest_points,
    smooth,
    step,
    unit,
)
from understudy.request import Orientation
from understudy.tracking.character import Character
from understudy.tracking.motion import Motion

_SCALE_RANGE = (0.35, 3.0)


@dataclass(frozen=True)
class _Stage:
    """What every part of the figure needs to know."""

    motion: Motion
    performer: Performer
    character: Character
    rest: Points  # (33,)
    shown: NDArray[np.bool_]  # (33,)
    metres: Points  # (T, 33) the performer, facing as wanted
    angle: Reals | None  # (T,) by which the performer was turned for that
    anchor: Anchor | None
    orientation: Orientation
    width: int
    height: int
    cut: bool

    @property
    def fps(self) -> float:
        return self.performer.fps

    @property
    def free(self) -> bool:
        """Whether the performer's own path is followed."""
        return self.orientation is Orientation.VIDEO

    def trust(self, *joints: int) -> Reals:
        return np.asarray(self.performer.trust[:, joints].min(axis=1))


def retarget(
    character: Character, motion: Motion, orientation: Orientation, width: int, height: int
) -> Poses:
    """Put the ``motion`` of one shot on ``character``, both as they are; pixels of the output picture.

    Every bone takes the performer's direction in the picture and its foreshortening (its length now over its own
    full length) times the character's full length. ``video`` orientation keeps the performer's facing, lean and
    path; ``image`` turns the performer's torso about the vertical to the reference's facing first and holds the
    sideways path. Where the performer passes through the reference's own pose, everything is measured from that
    frame, and the result equals the reference there.
    """
    stage = _stage(character, motion, orientation, width, height)
    performer, rest = stage.performer, stage.rest
    frames = len(performer)
    scale = _scale(stage)
    out = np.empty((frames, 33), dtype=np.complex128)

    spine, lean = _spine(stage)
    hips, shoulders, show = _widths(stage, unit(spine / (middle(rest, SHOULDERS) - middle(rest, HIPS))))
    if stage.cut:
        lean = np.ones(frames, dtype=np.complex128)
    head_group, _ = head(performer, stage.metres, rest, unit(spine / _own_spine(rest)), stage.anchor)
    limbs = _limbs(stage, unit(spine / _own_spine(rest)), lean)
    feet = _feet(stage, limbs, lean)
    hands = [_hand(stage, side, limbs) for side in (0, 1)]

    def pose(root: Points, leg_shift: Points | None = None) -> Points:
        s = scale[:, None]
        hip_mid, neck = root, root + scale * spine
        for i in (0, 1):
            sign = 1 if i == 0 else -1
            out[:, HIPS[i]] = hip_mid + sign * 0.5 * scale * hips
            out[:, SHOULDERS[i]] = neck + sign * 0.5 * scale * shoulders
        out[:, HEAD] = neck[:, None] + s * head_group
        for (a, b), limb in zip(LIMBS, limbs.T, strict=True):
            out[:, b] = out[:, a] + scale * limb
        if leg_shift is not None:
            for i in (0, 1):
                out[:, (25, 26)[i]] += 0.5 * leg_shift[:, i]
                out[:, ANKLES[i]] += leg_shift[:, i]
        for i in (0, 1):
            out[:, HEELS[i]] = out[:, ANKLES[i]] + scale * feet[:, i, 0]
            out[:, TOES[i]] = out[:, ANKLES[i]] + scale * feet[:, i, 1]
            out[:, list(FINGERS[i])] = out[:, [WRISTS[i]]] + s * hands[i].fingers
        return out

    if stage.cut:
        pose(_cut_root(stage, scale, spine))
        if middle(rest, HIPS).imag > height:
            _shear_hips(stage, out, scale)
    else:
        _stand(stage, scale, pose)
    return _poses(stage, out, scale, show, hands)


def _stage(character: Character, motion: Motion, orientation: Orientation, width: int, height: int) -> _Stage:
    performer = measure(motion)
    rest = rest_points(character)
    known = character.shown & np.isfinite(character.person.body[:, 0])
    anchor = find_anchor(performer, rest, known)
    angle: Reals | None = None
    metres = performer.metres
    if orientation is Orientation.IMAGE:
        angle = -(performer.yaw - _reference_yaw(character, performer, anchor))
        metres = performer.turned(angle)
    return _Stage(
        motion, performer, character, rest, known, metres, angle, anchor, orientation, width, height,
        is_cut(character, rest, height),
    )  # fmt: skip


def _own_spine(rest: Points) -> complex:
    spine = complex(middle(rest, SHOULDERS) - middle(rest, HIPS))
    return spine if abs(spine) > 1e-6 else -1j


def _reference_yaw(character: Character, performer: Performer, anchor: Anchor | None) -> float:
    if anchor is not None:
        return float(anchor.mean(performer.yaw))
    world = character.person.world
    if not np.isfinite(world[[*SHOULDERS, *HIPS]]).all():
        return 0.0
    line = world[11] - world[12] + world[23] - world[24]
    return float(np.arctan2(line[2], line[0])) if np.hypot(line[0], line[2]) > 1e-6 else 0.0


def _scale(stage: _Stage) -> Reals:
    """Size of the figure against the reference (T,): the performer's against its own at the start."""
    frames = len(stage.performer)
    if not stage.free:
        return np.ones(frames)
    size = stage.performer.px_per_m
    start = float(stage.anchor.mean(size)) if stage.anchor is not None else float(size[_first(stage)])
    return np.clip(size / start, *_SCALE_RANGE)


def _first(stage: _Stage) -> int:
    tracked = stage.motion.tracked
    return int(np.argmax(tracked)) if tracked.any() else 0


def _spine(stage: _Stage) -> tuple[Points, Points]:
    """Mid-hip to mid-shoulder (T,) in reference pixels, and its turn against the reference (T,)."""
    bones = middle(stage.metres, SHOULDERS)
    if stage.angle is None:
        bones = (
            bones
            - (middle(stage.performer.pixels, HIPS) - stage.performer.root) / stage.performer.px_per_m * 0
        )
    trust = stage.trust(*SHOULDERS)
    seen = trust > 0.5
    full = float(np.quantile(np.abs(bones[seen]), 0.85)) if seen.sum() > 4 else 0.5
    own = _own_spine(stage.rest)
    spine = transfer(bones, trust, own, full, 1.0, stage.anchor, stage.fps, shortest=0.55)
    return spine, unit(spine / own)


def _widths(stage: _Stage, lean: Points) -> tuple[Points, Points, Reals]:
    """Hip and shoulder lines, right to left (T,), in reference pixels, and the facing (T,)."""
    performer, rest, anchor = stage.performer, stage.rest, stage.anchor
    upright = unit(middle(stage.metres, SHOULDERS), -1j) * 1j
    own_upright = unit(np.asarray(_own_spine(rest))) * 1j
    parts = []
    for left, right in (HIPS, SHOULDERS):
        ratio = (stage.metres[:, left] - stage.metres[:, right]) / upright
        own = complex((rest[left] - rest[right]) / own_upright)
        trust = stage.trust(left, right)
        seen = trust > 0.5
        full = float(np.quantile(np.abs(ratio.real[seen]), 0.9)) if seen.sum() > 4 else 0.3
        full = max(full, 0.15)
        parts.append((ratio, own, trust, full))
    reference_yaw = _reference_yaw(stage.character, performer, anchor)
    turned = np.cos(performer.yaw - reference_yaw) if stage.free else np.ones(len(performer))
    mean = sum(fill(r / f, t, np.sign(o.real) + 0j, stage.fps).real for r, o, t, f in parts) / 2
    own_side = float(np.sign(parts[1][1].real + parts[0][1].real)) or 1.0
    sides = facing.side(mean * own_side, stage.fps) if stage.free else np.ones(len(performer))
    lines = []
    for ratio, own, trust, full in parts:
        own_full = abs(own.real)
        gain = own_full / full
        offset = 0j
        if anchor is not None:
            at = complex(anchor.mean(ratio))
            exact = own.real / at.real if abs(at.real) > 0.4 * full else gain
            gain = float(np.clip(abs(exact), 0.7 * gain, 1.5 * gain))
            offset = own - gain * at
        moved = fill(ratio * gain + offset, trust, own, stage.fps)
        across = moved.real / max(own_full, 1e-6) * own_side
        shown = facing.width(np.minimum(across, 1.25), sides) if stage.free else np.ones(len(performer))
        if not stage.free:
            shown = np.clip(across, 0.8, 1.1)
        tilt = np.clip(moved.imag, -0.6 * own_full, 0.6 * own_full)
        lines.append((shown * own_full * own_side + 1j * tilt) * own_upright * lean)
    if stage.cut:
        # Hips at or under the edge must not tilt, or a corner of the cut would lift.
        own_line = complex(rest[HIPS[0]] - rest[HIPS[1]])
        lines[0] = np.full(len(performer), own_line)
    if not stage.shown[list(HIPS)].all():
        lines[0] = np.full(len(performer), complex(rest[HIPS[0]] - rest[HIPS[1]]))
    return lines[0], lines[1], turned


def _limbs(stage: _Stage, lean: Points, hip_turn: Points) -> Points:
    """The eight limbs (T, 8) in reference pixels; a limb whose end is not shown turns with its parent."""
    performer, rest = stage.performer, stage.rest
    frames = len(performer)
    flat = np.stack([performer.metres[:, b] - performer.metres[:, a] for a, b in LIMBS], axis=1)
    trust = np.stack([stage.trust(a, b) for a, b in LIMBS], axis=1)
    full = full_lengths(flat, trust, performer.world)
    share = foreshortening(rest, stage.character.person.world.astype(np.float64), stage.shown)
    limbs = np.empty((frames, len(LIMBS)), dtype=np.complex128)
    for i, (a, b) in enumerate(LIMBS):
        own = complex(rest[b] - rest[a])
        if stage.shown[b] and stage.shown[a] and not (stage.cut and i in LEGS):
            bones = stage.metres[:, b] - stage.metres[:, a]
            limbs[:, i] = transfer(bones, trust[:, i], own, full[i], share[i], stage.anchor, stage.fps)
            continue
        if i in (2, 3, 6, 7):
            parent = complex(rest[a] - rest[LIMBS[i - 2][0]])
            turn = unit(limbs[:, i - 2] / parent) if abs(parent) > 1e-6 else np.ones(frames)
        else:
            turn = hip_turn if i in LEGS else lean
        limbs[:, i] = own * turn
    return limbs


def _feet(stage: _Stage, limbs: Points, hip_turn: Points) -> Points:
    """Ankle to heel and to toe (T, 2, 2): left, right; heel, toe."""
    performer, rest = stage.performer, stage.rest
    feet = np.empty((len(performer), 2, 2), dtype=np.complex128)
    for i in (0, 1):
        ankle, heel, toe = ANKLES[i], HEELS[i], TOES[i]
        own_heel, own_toe = complex(rest[heel] - rest[ankle]), complex(rest[toe] - rest[ankle])
        shin = complex(rest[ankle] - rest[LIMBS[6 + i][0]])
        parent = unit(limbs[:, 6 + i] / shin) if abs(shin) > 1e-6 else hip_turn
        change = parent
        if stage.shown[ankle] and stage.shown[toe] and abs(own_toe) > 1e-6 and not stage.cut:
            bones = stage.metres[:, toe] - stage.metres[:, ankle]
            trust = stage.trust(ankle, toe)
            seen = trust > 0.5
            if seen.any():
                full = float(np.quantile(np.abs(bones[seen]), 0.6))
                moved = transfer(bones, trust, own_toe, full, 1.0, stage.anchor, stage.fps, shortest=0.6)
                change = moved / own_toe
        feet[:, i, 0], feet[:, i, 1] = own_heel * change, own_toe * change
    return feet


def _hand(stage: _Stage, side: int, limbs: Points) -> Hand:
    own = complex(stage.rest[WRISTS[side]] - stage.rest[LIMBS[2 + side][0]])
    turn = unit(limbs[:, 2 + side] / own) if abs(own) > 1e-6 else np.ones(len(limbs), dtype=np.complex128)
    result = hand(
        side,
        stage.motion,
        stage.performer,
        stage.metres,
        stage.angle,
        stage.character,
        stage.rest,
        turn,
        stage.anchor,
    )
    if stage.shown[WRISTS[side]]:
        return result
    own_fingers = stage.rest[list(FINGERS[side])] - stage.rest[WRISTS[side]]
    return Hand(turn[:, None] * own_fingers, result.points, result.weight * 0)


def _gain(stage: _Stage) -> float:
    """Reference pixels per driving pixel of the path: by the legs where both have them, else by the spine."""
    performer, rest, anchor = stage.performer, stage.rest, stage.anchor
    if anchor is not None:
        return anchor.gain
    start = float(performer.px_per_m[_first(stage)])
    legs = [i for i in LEGS if stage.shown[list(LIMBS[i])].all()]
    flat = np.stack([performer.metres[:, b] - performer.metres[:, a] for a, b in LIMBS], axis=1)
    trust = np.stack([stage.trust(a, b) for a, b in LIMBS], axis=1)
    if len(legs) == len(LEGS) and np.median(trust[:, LEGS].min(axis=1)) > 0.5:
        full = full_lengths(flat, trust, performer.world)[list(LEGS)].sum()
        share = foreshortening(rest, stage.character.person.world.astype(np.float64), stage.shown)
        own = sum(abs(rest[LIMBS[i][1]] - rest[LIMBS[i][0]]) / share[i] for i in LEGS)
        return float(own / (full * start))
    spine = np.abs(middle(performer.metres, SHOULDERS))
    seen = stage.trust(*SHOULDERS) > 0.5
    full_spine = float(np.quantile(spine[seen], 0.85)) if seen.sum() > 4 else 0.5
    return abs(_own_spine(rest)) / (full_spine * start)


def _cut_root(stage: _Stage, scale: Reals, spine: Points) -> Points:
    """Root (T,) of a figure that the lower edge cuts: scaled about the cut, moved along it, never lifted."""
    performer, rest = stage.performer, stage.rest
    point = cut_point(rest, stage.height)
    hip = complex(middle(rest, HIPS))
    moved = np.zeros(len(performer), dtype=np.complex128)
    if stage.free:
        moved = _travel(stage) * _gain(stage)
        moved = cut_path(moved, stage.width, free=stage.anchor is not None)
    return np.asarray(point + moved + scale * (hip - point))


def _travel(stage: _Stage) -> Points:
    root = stage.performer.root
    start = complex(stage.anchor.mean(root)) if stage.anchor is not None else complex(root[_first(stage)])
    return np.asarray(root - start)


def _shear_hips(stage: _Stage, out: Points, scale: Reals) -> None:
    """Hips under the edge: lean becomes a shear about the cut, so that the edge itself stays where it is."""
    rest = stage.rest
    point = cut_point(rest, stage.height)
    hip, neck = complex(middle(rest, HIPS)), complex(middle(rest, SHOULDERS))
    share = abs(hip - point) / max(abs(neck - point), 1e-6)
    root = middle(out, HIPS)
    pivot = root - scale * (hip - point)
    spine = middle(out, SHOULDERS) - root
    lift = (spine - scale * (neck - hip)) / (1 + share)
    # Half of the lean goes to the shoulders, its mirror image to the hips under the edge.
    out[:, 0:23] -= (lift * share)[:, None]
    out[:, 23:33] -= (lift * share)[:, None]
    del pivot


def _stand(stage: _Stage, scale: Reals, pose: object) -> None:
    """Root of a whole figure: path, floor and standing feet."""
    performer, rest = stage.performer, stage.rest
    frames = len(performer)
    assert callable(pose)
    start = complex(middle(rest, HIPS))
    shown = np.array([stage.shown[j] for j in (*ANKLES, *HEELS, *TOES)])
    legs = np.asarray(step(stage.trust(*ANKLES), 0.3, 0.7))
    standing = planting.planted(performer)
    soles = [*ANKLES, *HEELS, *TOES]
    ground = float(rest[soles].imag[shown].max()) if shown.any() else 0.0
    gain = _gain(stage)
    size = float(np.ptp(rest.imag))
    if stage.free:
        root = start + gain * _travel(stage) * _seen_path(stage)
        if stage.anchor is None:
            out = pose(in_picture(root, start, stage.width))
            first = _first(stage)
            if shown.any() and legs[first] > 0.5:
                drop = ground - float(lowest(out[first : first + 1, soles], shown)[0])
                root = root + 1j * float(np.clip(drop, -0.25 * size, 0.25 * size))
            root = in_picture(root, start, stage.width)
    else:
        out = pose(np.full(frames, start))
        jump = planting.floor_gap(performer) * float(np.median(performer.px_per_m)) * gain
        drop = ground - lowest(out[:, soles], shown) if shown.any() else np.zeros(frames)
        drop = np.asarray(smooth(drop, stage.fps, 0.03), dtype=np.float64)
        root = start + 1j * legs * (np.clip(drop, -0.5 * size, 0.5 * size) - jump)
    if not shown.any():
        pose(root)
        return
    out = pose(root)
    feet = np.stack([(out[:, a] + out[:, t]) / 2 for a, t in zip(ANKLES, TOES, strict=True)], axis=1)
    wanted = np.zeros_like(feet)
    if stage.free:
        wanted = gain * np.stack(
            [
                (performer.pixels[:, a] + performer.pixels[:, t]) / 2
                for a, t in zip(ANKLES, TOES, strict=True)
            ],
            axis=1,
        )
    shift, leg_shift = planting.corrections(feet, wanted, standing, size, stage.fps)
    if not stage.free:
        leg_shift = leg_shift + shift.real[:, None] * 0
        shift = shift.real * 1.0 + 1j * shift.imag
    pose(root + shift, leg_shift)


def _seen_path(stage: _Stage) -> Reals:
    """1 where the path is the hips' own; a whole figure driven by a half one stays on its feet."""
    legs = np.median(stage.trust(*ANKLES))
    knees = np.median(stage.trust(25, 26))
    return np.full(len(stage.performer), float(step(np.array(max(legs, 0.6 * knees)), 0.2, 0.5)))


def _poses(stage: _Stage, out: Points, scale: Reals, show: Reals, hands: list[Hand]) -> Poses:
    performer = stage.performer
    own_depth = rest_depth(stage.character)
    depth = performer.depth if stage.angle is None else performer.turned_depth(stage.angle)
    size = abs(_own_spine(stage.rest)) / 0.5
    trust = performer.trust
    depth = np.asarray(smooth(depth * trust, stage.fps, 0.08), dtype=np.float64) * size
    weight = np.asarray(smooth(trust, stage.fps, 0.08), dtype=np.float64)
    depth = (depth + 0.05 * own_depth) / (weight + 0.05)
    points = np.stack([out[:, WRISTS[i], None] + scale[:, None] * hands[i].points for i in (0, 1)], axis=1)
    return Poses(
        joints=_floats(out),
        depth=depth.astype(np.float32),
        facing=show.astype(np.float32),
        scale=scale.astype(np.float32),
        hands=_floats(points),
        hand_weight=np.stack([hands[0].weight, hands[1].weight], axis=1).astype(np.float32),
        shown=stage.shown,
    )


def _floats(points: Points) -> NDArray[np.float32]:
    return np.stack([points.real, points.imag], axis=-1).astype(np.float32)
