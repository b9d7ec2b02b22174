"""Where the feet of the reference image end: heel and toe's tip from the matte.

A tracker marks a foot's heel and the toe's joint; shoes, bare toes and cartoon feet end somewhere beyond, and feet seen
from the front have hardly a direction. The tip is the far end of what the matte shows beyond the ankle.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from understudy.engines.puppet.areas import distance_to_polyline, pixel_of
from understudy.engines.puppet.parts import LIMBS, TOE_REACH, Limb, figure_size
from understudy.tracking.character import Character
from understudy.tracking.motion import Floats

LEGS = tuple(limb for limb in LIMBS if not limb.arm)
HEELS, TOES = (29, 30), (31, 32)

# A foot's tip lies within so many lengths from ankle to toe's joint, or within so many shins, whichever is farther:
# an adult's foot is half as long as the shin, a boot's or a cartoon's is longer.
FARTHEST, FARTHEST_SHIN = 1.9, 0.75
NEAREST = 0.7  # lengths from ankle to toe's joint: less than that and the matte has lost the foot
LEAST_SHIN = 0.3  # figure sizes: the shin of a dwarf, where the picture foreshortens it more
BROAD = 0.55  # of the farthest reach to both sides of the foot's line: the next thing begins
TIP = 0.12  # of the reach that counts as the tip
ASIDE = np.radians(40)  # from the marked direction to the found one
SIDE = 0.45  # sine of the angle from the shin's line to the foot's: from there the heel is seen
EDGE_PX = 2


@dataclass(frozen=True)
class Foot:
    """A foot in the reference image, (2,) each: the back of its sole and the tip of its toe."""

    heel: Floats
    toe: Floats


def with_true_feet(character: Character, alpha: Floats) -> Character:
    """The character with heels and toes where the matte ``alpha`` (H, W) shows them.

    A foot that is not found keeps its marks, with the toe's joint moved on to where a tip usually is.
    """
    body = character.person.body.copy()
    joints = body[:, :2].astype(np.float32)
    for limb in LEGS:
        heel, ankle, toe = HEELS[limb.side], limb.points[2], TOES[limb.side]
        foot = find_foot(alpha, joints, limb) if character.shown[[ankle, toe]].all() else None
        if foot is not None:
            body[heel, :2], body[toe, :2] = foot.heel, foot.toe
        else:
            body[toe, :2] += (TOE_REACH - 1) * (joints[toe] - joints[ankle])
    return replace(character, person=replace(character.person, body=body))


def find_foot(alpha: Floats, joints: Floats, limb: Limb) -> Foot | None:
    """The foot of a leg, or None where matte and landmarks ``joints`` (33, 2) tell none: no feet, or cut ones."""
    knee, ankle = joints[limb.points[1]], joints[limb.points[2]]
    marked = joints[TOES[limb.side]]
    if not np.isfinite([knee, ankle, marked, joints[HEELS[limb.side]]]).all():
        return None
    shin, foot = ankle - knee, marked - ankle
    length = float(np.hypot(*foot))
    size = figure_size(joints)
    farthest = max(FARTHEST * length, FARTHEST_SHIN * max(float(np.hypot(*shin)), LEAST_SHIN * size))
    down = shin / max(float(np.hypot(*shin)), 1e-6)
    pixels = _beyond_ankle(alpha, joints, limb, farthest, down, foot)
    if len(pixels) < 12:
        return None
    reach, toe = _tip(pixels, ankle, foot, down, farthest)
    height, width = alpha.shape
    far = pixels[((pixels - ankle) @ (toe - ankle)) > (1 - TIP) * reach * float(np.hypot(*(toe - ankle)))]
    cut = len(far) and (
        (far < EDGE_PX).any() or (far[:, 0] >= width - EDGE_PX).any() or (far[:, 1] >= height - EDGE_PX).any()
    )
    if cut or not NEAREST * length < reach < 0.97 * farthest:
        return None
    return Foot(_heel(pixels, joints, limb, toe, down), toe.astype(np.float32))


def _beyond_ankle(
    alpha: Floats, joints: Floats, limb: Limb, farthest: float, down: Floats, foot: Floats
) -> Floats:
    """(N, 2) the matte's pixels that hang together with the foot, beyond its ankle and nearer to it than to the other
    leg."""
    ankle = joints[limb.points[2]]
    x0, y0 = np.maximum(np.floor(ankle - farthest), 0).astype(int)
    x1, y1 = np.ceil(ankle + farthest).astype(int) + 1
    inside = alpha[y0:y1, x0:x1] > 0.5
    if inside.size == 0:
        return np.zeros((0, 2), np.float32)
    ys, xs = np.nonzero(inside)
    pixels = np.stack([xs + x0, ys + y0], axis=1).astype(np.float32)
    along = foot / max(float(np.hypot(*foot)), 1e-6)
    away = pixels - ankle
    own = (away @ (along + down) > 0) & (np.hypot(away[:, 0], away[:, 1]) < farthest)
    for other in LEGS:
        if other is not limb:
            lines = [_line(joints, one) for one in (limb, other)]
            near = [distance_to_polyline(pixels, line) for line in lines if np.isfinite(line).all()]
            own &= near[0] <= near[-1]
    region = np.zeros(inside.shape, np.uint8)
    region[ys[own], xs[own]] = 1
    _, islands = cv2.connectedComponents(region, connectivity=4)
    x, y = pixel_of(ankle + 0.4 * foot - [x0, y0])
    reach = max(round(0.1 * farthest), 2)
    about: NDArray[np.int32] = islands[max(y - reach, 0) : y + reach + 1, max(x - reach, 0) : x + reach + 1]
    counts = np.bincount(about.ravel())[1:]
    if not counts.sum():
        return np.zeros((0, 2), np.float32)
    chosen = islands[ys, xs] == int(counts.argmax()) + 1
    mine: Floats = pixels[chosen & own]
    return mine


def _line(joints: Floats, limb: Limb) -> Floats:
    """(3, 2) from the middle of the shin to the toe's joint."""
    _, knee, ankle = limb.points
    return np.stack([(joints[knee] + joints[ankle]) / 2, joints[ankle], joints[TOES[limb.side]]])


def _tip(pixels: Floats, ankle: Floats, foot: Floats, down: Floats, farthest: float) -> tuple[float, Floats]:
    """How far a foot reaches from its ankle, and its tip (2,): the far end, looked for along the marked direction,
    then along the direction found."""
    away = pixels - ankle
    # A foot that is marked as a point has the shin's direction.
    marked = foot + 0.1 * farthest * down
    start = float(np.arctan2(marked[1], marked[0]))
    angle, reach, tip = start, 0.0, ankle
    for _ in range(3):
        along = np.array([np.cos(angle), np.sin(angle)], np.float32)
        far = away @ along
        near = np.abs(away @ np.array([-along[1], along[0]], np.float32)) < BROAD * farthest
        if not near.any():
            break
        reach = float(np.percentile(far[near], 99.5))
        tip = ankle + away[near & (far > (1 - TIP) * reach)].mean(axis=0)
        turn = float(np.arctan2(*(tip - ankle)[::-1])) - start
        angle = start + float(np.clip((turn + np.pi) % (2 * np.pi) - np.pi, -ASIDE, ASIDE))
        # The mean of the far end lies a little before its edge.
        tip = ankle + (tip - ankle) * reach / max(float(np.hypot(*(tip - ankle))), 1e-6)
    return reach, tip


def _heel(pixels: Floats, joints: Floats, limb: Limb, toe: Floats, down: Floats) -> Floats:
    """(2,) the back of the sole of a foot seen from the side; the mark, if the foot points at the camera."""
    ankle = joints[limb.points[2]]
    along = (toe - ankle) / max(float(np.hypot(*(toe - ankle))), 1e-6)
    forwards = along - (along @ down) * down
    marked = joints[HEELS[limb.side]]
    if float(np.hypot(*forwards)) < SIDE:
        # Never below the sole.
        deep = float((toe - ankle) @ down)
        beyond = max(float((marked - ankle) @ down) - max(deep, 0.0), 0.0)
        return np.asarray(marked - beyond * down, np.float32)
    back = down - forwards / float(np.hypot(*forwards))
    far = (pixels - ankle) @ back
    return np.asarray(pixels[far >= np.percentile(far, 98)].mean(axis=0), np.float32)
