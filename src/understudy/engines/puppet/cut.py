"""Cutting the character into parts: which pixels of the matte move with which bone.

A limb is a corridor about its bones. An arm's is the band of plausible width that the picture's edges and colours show
best (`band`), a leg's is measured where the matte ends. What no limb claims is the trunk.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from understudy.engines.puppet.areas import disc, falls_in, head_area, trunk_outline
from understudy.engines.puppet.arm_cut import ArmPart, arm_part
from understudy.engines.puppet.leg_cut import leg_mask
from understudy.engines.puppet.parts import FINGER_REACH, Limb, figure_size
from understudy.engines.puppet.seam import edge_strength, extent, normal_outwards
from understudy.engines.puppet.skin import skin_tone
from understudy.tracking.motion import Floats

# Half widths of thigh, shin, foot over the figure's size (`figure_size`), as seen on dressed adults; what the matte
# shows decides, these only tell plausible from not.
LEG_WIDTHS = (0.17, 0.11, 0.09)
LARGE = 430  # pixels of figure size: half widths of arms of more than 30


@dataclass(frozen=True)
class Corridor:
    """A limb's area: ``mask`` (H, W) bool, and the half width in pixels at each of its three segments."""

    limb: Limb
    mask: NDArray[np.bool_]
    polyline: Floats  # (4, 2), far point moved to the fingertips or the toe's tip
    radii: Floats  # (3,)
    covered: NDArray[np.bool_] | None = None  # (H, W) where hair hides the limb
    refused: NDArray[np.bool_] | None = None  # (H, W) what lies about it and is surely none of it


def extended(limb: Limb, joints: Floats) -> Floats:
    """(4, 2) the limb's polyline with its far point at the tip of hand or foot."""
    line = limb.polyline(joints).astype(np.float32)
    if limb.arm:  # a toe is the tip already (`toe.with_true_feet`)
        line[3] = line[2] + FINGER_REACH * (line[3] - line[2])
    return line


def corridors(
    rgb: NDArray[np.uint8],
    alpha: Floats,
    joints: Floats,
    limbs: tuple[Limb, ...],
    hair: NDArray[np.bool_] | None = None,
) -> list[Corridor]:
    """The limbs' areas in the picture. ``alpha`` (H, W) 0..1, ``joints`` (33, 2) pixels, ``hair`` (H, W) what may lie
    on an arm."""
    inside = alpha > 0.5
    edges = edge_strength(rgb)
    hair = np.zeros_like(inside) if hair is None else hair
    lines = {limb.name: extended(limb, joints) for limb in limbs}
    found: dict[str, Corridor] = {}
    hidden = np.zeros_like(inside)  # what the arms hide of the legs
    arms = [limb for limb in limbs if limb.arm]
    for limb, part in zip(arms, _arm_parts(rgb, inside, hair, joints, arms), strict=True):
        line = lines[limb.name]
        covered = hair & (part.mask | disc(inside.shape, line[0], float(part.radii[0])))
        found[limb.name] = Corridor(limb, part.mask & ~hair, line, part.radii, covered, part.refused)
        hidden |= part.mask & inside
    legs = [limb for limb in limbs if not limb.arm]
    tied = _tied_radii(legs, lines, inside, hidden, joints, figure_size(joints))
    for limb in legs:
        line, radii = lines[limb.name], tied[limb.name]
        others = [lines[o.name] for o in legs if o is not limb]
        mask = leg_mask(limb, line, radii, inside, edges, joints, others, hidden)
        found[limb.name] = Corridor(limb, mask, line, radii)
    return [found[limb.name] for limb in limbs]


def _arm_parts(
    rgb: NDArray[np.uint8],
    inside: NDArray[np.bool_],
    hair: NDArray[np.bool_],
    joints: Floats,
    arms: list[Limb],
) -> list[ArmPart]:
    """The arms, looked for at half the size in large figures: their borders show there as well, in a quarter of the
    time."""
    shrink = 2 if figure_size(joints) > LARGE else 1
    height, width = inside.shape
    size = (width // shrink, height // shrink)
    small = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA) if shrink > 1 else rgb
    figure, over = (
        cv2.resize(mask.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0
        for mask in (inside, hair)
    )
    lab = cv2.cvtColor(small, cv2.COLOR_RGB2LAB).astype(np.float32)
    places = ((joints + 0.5) / shrink - 0.5).astype(np.float32)
    head, skin = head_area(places, figure.shape), skin_tone(lab, places)
    parts = [arm_part(limb, extended(limb, places), figure, lab, head, over, places, skin) for limb in arms]
    if shrink == 1:
        return parts

    def whole(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
        enlarged = cv2.resize(mask.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
        return np.asarray(enlarged > 0.5, np.bool_)

    return [ArmPart(whole(part.mask), whole(part.refused), part.radii * shrink) for part in parts]


def _tied_radii(
    limbs: list[Limb],
    lines: dict[str, Floats],
    inside: NDArray[np.bool_],
    hidden: NDArray[np.bool_],
    joints: Floats,
    size: float,
) -> dict[str, Floats]:
    """Half widths (3,) of every leg, measured on the free side, left and right tied by the smaller plausible one."""
    measured: dict[str, Floats] = {}
    trunk = trunk_outline(joints, inside.shape)
    for limb in limbs:
        values = []
        for k in range(3):
            start, stop = lines[limb.name][k], lines[limb.name][k + 1]
            normal = normal_outwards(limb, start, stop, joints)
            points = start + np.linspace(0.25, 0.8, 9, dtype=np.float32)[:, None] * (stop - start)
            guess = LEG_WIDTHS[k] * size
            both = [extent(inside, points, n, 2.5 * guess) for n in (normal, -normal)]
            # The free side tells the width; a joint that lies off the limb's middle is evened out by the other side
            # where that is free as well.
            free = np.minimum(both[0], both[1])
            even = (both[0] + both[1]) / 2
            inner = points - both[1][:, None] * normal
            clean = (np.maximum(both[0], both[1]) < 2.4 * guess) & ~falls_in(trunk, inner)
            width = np.where(clean | (even < 1.5 * guess), even, np.clip(free, 0.8 * guess, 1.2 * guess))
            seen = [extent(inside & ~hidden, points, n, 2.5 * guess) for n in (normal, -normal)]
            clear = (seen[0] >= both[0]) & (seen[1] >= both[1])
            width = width[clear] if clear.sum() >= 3 else np.minimum(width, guess)
            values.append(float(np.clip(np.median(width), 0.3 * guess, 2.2 * guess)))
        measured[limb.name] = np.array(values, np.float32)
    tied = {}
    for limb in limbs:
        twins = [measured[o.name] for o in limbs]
        tied[limb.name] = np.minimum(measured[limb.name], 1.25 * np.min(twins, axis=0)).astype(np.float32)
    return tied
