"""Cutting the character into parts: which pixels of the matte move with which bone.

A limb is a corridor about its bones. Its width is measured where the matte ends; where the limb touches another part
the border is the path of strongest picture edges near the expected width (dynamic programming over stations along the
limb, as in intelligent scissors and live-wire cutting, Mortensen and Barrett 1995), and the expected width itself where
there is no edge. What no limb claims is the trunk.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from understudy.engines.puppet.areas import (
    below_hips,
    distance_to_polyline,
    falls_in,
    head_area,
    pixel_of,
    trunk_outline,
)
from understudy.engines.puppet.hand_cut import hand_by_colour, skin_tone
from understudy.engines.puppet.parts import (
    FINGER_REACH,
    HIPS,
    SHOULDERS,
    TOE_REACH,
    Limb,
    centre,
    figure_size,
)
from understudy.tracking.motion import Floats

STATION_PX = 3.0  # along the limb
FINGERS = 9  # stations below a hand that its fingertips may hide
FEATHER_PX = 2.5  # half width of a soft inner cut
# Half widths of upper arm, forearm, hand and of thigh, shin, foot over the figure's size (`figure_size`), as seen on
# dressed adults; what the matte shows decides, these only tell plausible from not.
ARM_WIDTHS = (0.12, 0.085, 0.085)
# At the armpit an arm is narrower on its inner side, and so up to this share of the upper arm: what is cut wider there
# sticks out below a raised arm.
ARMPIT = (0.7, 0.5)
LEG_WIDTHS = (0.17, 0.11, 0.09)


@dataclass(frozen=True)
class Corridor:
    """A limb's area: ``mask`` (H, W) bool, and the half width in pixels at each of its three segments."""

    limb: Limb
    mask: NDArray[np.bool_]
    polyline: Floats  # (4, 2), far point moved to the fingertips or the toe's tip
    radii: Floats  # (3,)


def extended(limb: Limb, joints: Floats) -> Floats:
    """(4, 2) the limb's polyline with its far point at the tip of hand or foot."""
    line = limb.polyline(joints).astype(np.float32)
    reach = FINGER_REACH if limb.arm else TOE_REACH
    line[3] = line[2] + reach * (line[3] - line[2])
    return line


def corridors(
    rgb: NDArray[np.uint8], alpha: Floats, joints: Floats, limbs: tuple[Limb, ...]
) -> list[Corridor]:
    """The limbs' areas in the picture. ``alpha`` (H, W) 0..1, ``joints`` (33, 2) pixels."""
    inside = alpha > 0.5
    edges = _edge_strength(rgb)
    size = figure_size(joints)
    lines = {limb.name: extended(limb, joints) for limb in limbs}
    found: dict[str, Corridor] = {}
    hidden = np.zeros_like(inside)  # what the arms hide of the legs
    skin = skin_tone(rgb, joints)
    for group in ([limb for limb in limbs if limb.arm], [limb for limb in limbs if not limb.arm]):
        radii = _tied_radii(group, lines, inside, hidden, joints, size)
        for limb in group:
            line, widths = lines[limb.name], radii[limb.name]
            others = [lines[o.name] for o in group if o is not limb and not limb.arm]
            mask = _corridor_mask(limb, line, widths, inside, edges, joints, others, hidden)
            if limb.arm:
                mask = hand_by_colour(
                    rgb, mask, line, widths, inside & ~head_area(joints, inside.shape), skin
                )
            found[limb.name] = Corridor(limb, mask, line, widths)
        for limb in group:
            hidden |= found[limb.name].mask & inside
    return [found[limb.name] for limb in limbs]


def _edge_strength(rgb: NDArray[np.uint8]) -> Floats:
    """(H, W) colour gradient in 0..1, 1 for a clear edge (25 Lab units over 2 pixels)."""
    lab = cv2.cvtColor(rgb, cv2.COLOR_RGB2LAB).astype(np.float32)
    lab = cv2.GaussianBlur(lab, (0, 0), 1.2)
    gx = cv2.Sobel(lab, cv2.CV_32F, 1, 0, ksize=3) / 8
    gy = cv2.Sobel(lab, cv2.CV_32F, 0, 1, ksize=3) / 8
    strength = np.sqrt((gx**2 + gy**2).sum(axis=2))
    clipped: Floats = np.minimum(strength / 12.0, 1.0).astype(np.float32)
    return clipped


def _normal_outwards(limb: Limb, start: Floats, stop: Floats, joints: Floats) -> Floats:
    """Unit normal of a bone, pointing away from the body's axis."""
    along = stop - start
    normal = np.array([-along[1], along[0]], np.float32)
    normal /= max(float(np.linalg.norm(normal)), 1e-6)
    middle = (centre(joints, SHOULDERS) + centre(joints, HIPS)) / 2 if limb.arm else centre(joints, HIPS)
    bone_middle = (start + stop) / 2
    if limb.arm:
        away = bone_middle - middle
    else:
        away = joints[HIPS[limb.side]] - joints[HIPS[1 - limb.side]]
    return normal if float(normal @ away) >= 0 else -normal


def _extent(inside: NDArray[np.bool_], points: Floats, normal: Floats, limit: float) -> Floats:
    """(N,) how far one can walk from each point along the normal before the matte ends, at most ``limit``."""
    steps = np.arange(0, int(limit) + 1, dtype=np.float32)
    walk = points[:, None, :] + steps[None, :, None] * normal
    x = np.clip(np.rint(walk[..., 0]).astype(int), 0, inside.shape[1] - 1)
    y = np.clip(np.rint(walk[..., 1]).astype(int), 0, inside.shape[0] - 1)
    out = ~inside[y, x]
    first: Floats = np.where(out.any(axis=1), out.argmax(axis=1), limit).astype(np.float32)
    return first


def _tied_radii(
    limbs: list[Limb],
    lines: dict[str, Floats],
    inside: NDArray[np.bool_],
    hidden: NDArray[np.bool_],
    joints: Floats,
    size: float,
) -> dict[str, Floats]:
    """Half widths (3,) of every limb, measured on the free side, left and right tied by the smaller plausible one."""
    expected = {True: np.array(ARM_WIDTHS), False: np.array(LEG_WIDTHS)}
    measured: dict[str, Floats] = {}
    trunk = trunk_outline(joints, inside.shape)
    for limb in limbs:
        values = []
        for k in range(3):
            start, stop = lines[limb.name][k], lines[limb.name][k + 1]
            normal = _normal_outwards(limb, start, stop, joints)
            points = start + np.linspace(0.25, 0.8, 9, dtype=np.float32)[:, None] * (stop - start)
            guess = expected[limb.arm][k] * size
            both = [_extent(inside, points, n, 2.5 * guess) for n in (normal, -normal)]
            # The free side tells the width; a joint that lies off the limb's middle is evened out by the other side
            # where that is free as well.
            free = np.minimum(both[0], both[1])
            even = (both[0] + both[1]) / 2
            inner = points - both[1][:, None] * normal
            clean = (np.maximum(both[0], both[1]) < 2.4 * guess) & ~falls_in(trunk, inner)
            width = np.where(clean | (even < 1.5 * guess), even, np.clip(free, 0.8 * guess, 1.2 * guess))
            seen = [_extent(inside & ~hidden, points, n, 2.5 * guess) for n in (normal, -normal)]
            clear = (seen[0] >= both[0]) & (seen[1] >= both[1])
            width = width[clear] if clear.sum() >= 3 else np.minimum(width, guess)
            values.append(float(np.clip(np.median(width), 0.3 * guess, 2.2 * guess)))
        measured[limb.name] = np.array(values, np.float32)
    tied = {}
    for limb in limbs:
        twins = [measured[o.name] for o in limbs if o.arm == limb.arm]
        tied[limb.name] = np.minimum(measured[limb.name], 1.25 * np.min(twins, axis=0)).astype(np.float32)
    return tied


def _corridor_mask(
    limb: Limb,
    line: Floats,
    radii: Floats,
    inside: NDArray[np.bool_],
    edges: Floats,
    joints: Floats,
    others: list[Floats],
    arms: NDArray[np.bool_],
) -> NDArray[np.bool_]:
    """(H, W) the pixels of one limb; ``arms`` may lie on a leg and hide its outer side."""
    height, width = inside.shape
    area = np.zeros((height, width), np.uint8)
    trunk = trunk_outline(joints, (height, width))
    for k in range(3):
        start, stop = line[k], line[k + 1]
        length = float(np.linalg.norm(stop - start))
        if length < 2:
            continue
        outwards = _normal_outwards(limb, start, stop, joints)
        stations = max(int(length / STATION_PX), 2)
        share = np.linspace(0, 1, stations, dtype=np.float32)
        points = start + share[:, None] * (stop - start)
        near = radii[max(k - 1, 0)] if k < 2 else radii[k]
        target = _profile(share, float(near), float(radii[k]), float(radii[min(k + 1, 2)]))
        sides: list[tuple[Floats, Floats]] = []
        for normal, outer in ((outwards, True), (-outwards, False)):
            reach = _extent(inside, points, normal, 2.6 * float(target.max()))
            free = reach < 1.45 * target
            if outer and limb.arm:
                # A wide sleeve ends at the background; where the trunk lies behind, the limb has its own border.
                loose = (reach < 2.4 * target) & ~falls_in(trunk, points + reach[:, None] * 0.9 * normal)
                cut = np.where(free | loose, reach, _seam(edges, points, normal, target))
            elif outer:
                cut = _behind(
                    reach, _extent(inside & ~arms, points, normal, 2.6 * float(target.max())), target
                )
            else:
                # What the free side shows of the width is no longer to be found on this side.
                rest = np.clip(2 * target - sides[0][1], 0.6 * target, 1.3 * target) if limb.arm else target
                if limb.arm and k == 0:
                    rest = rest * np.interp(share, (0.0, ARMPIT[1]), (ARMPIT[0], 1.0))
                seam = _seam(edges, points, normal, rest.astype(np.float32))
                cut = _smooth(np.where(reach < 1.25 * rest, reach + 1, seam))
            border = points + (np.maximum(cut, 2.0) + (2.0 if outer else 0.0))[:, None] * normal
            sides.append((border, cut))
        outline = np.concatenate([sides[0][0], sides[1][0][::-1]])
        cv2.fillPoly(area, [np.rint(outline).astype(np.int32)], 1)
        if k < 2:
            cv2.circle(area, pixel_of(stop), max(int(min(radii[k], radii[k + 1])), 2), 1, -1)
    tip_radius = max(int(radii[2] * 0.9), 3)
    cv2.circle(area, pixel_of(line[3]), tip_radius, 1, -1)
    if not limb.arm:  # heel and sole
        cv2.circle(area, pixel_of(line[2]), max(int(radii[2] * 1.3), 3), 1, -1)
    mask = area.astype(bool)
    if not limb.arm:
        mask &= below_hips(joints, mask.shape, 0.25 * float(radii[0]))
    if others:
        mask &= _nearer(line, others, mask)
    return mask


def _smooth(offsets: Floats) -> Floats:
    """(N,) without single stations that jump: a running median of seven, then a mean of five."""
    padded = np.pad(offsets, 3, mode="edge")
    calm = np.median(np.lib.stride_tricks.sliding_window_view(padded, 7), axis=1)
    smooth: Floats = np.convolve(np.pad(calm, 2, mode="edge"), np.full(5, 0.2), mode="valid").astype(
        np.float32
    )
    return smooth


def _behind(reach: Floats, seen: Floats, target: Floats) -> Floats:
    """(N,) a leg's outer offset: where a hand hides it, what the stations beside show, else the expected width."""
    clear = seen >= reach
    if clear.all():
        return reach
    # Beside the hand's own pixels its fingertips may have been missed: they would stay on the leg.
    clear = cv2.erode(clear.astype(np.uint8)[:, None], np.ones((2 * FINGERS + 1, 1), np.uint8))[:, 0] > 0
    stations = np.arange(len(reach))
    guess = np.interp(stations, stations[clear], reach[clear]) if clear.sum() >= 3 else target
    cut: Floats = np.where(
        clear, reach, np.minimum(np.maximum(np.where(seen < reach, seen, 0.0), guess), reach)
    ).astype(np.float32)
    return cut


def _profile(share: Floats, before: float, own: float, after: float) -> Floats:
    """(N,) expected half width along a segment: its own in the middle, half way to the neighbours' at the ends."""
    at = np.array([0.0, 0.35, 0.65, 1.0])
    values = np.array([(before + own) / 2, own, own, (own + after) / 2])
    profile: Floats = np.interp(share, at, values).astype(np.float32)
    return profile


def _seam(edges: Floats, points: Floats, normal: Floats, target: Floats) -> Floats:
    """(N,) offset of the best border on one side: along strong edges, close to ``target``, smooth (Viterbi)."""
    ratio = np.linspace(0.6, 1.35, 26, dtype=np.float32)
    offsets = target[:, None] * ratio[None, :]
    walk = points[:, None, :] + offsets[..., None] * normal
    strength = cv2.remap(edges, walk.astype(np.float32), None, cv2.INTER_LINEAR)
    cost = 1.2 * (1.0 - strength) + 2.0 * (ratio[None, :] - 1.0) ** 2
    jump = 14.0 * np.abs(ratio[:, None] - ratio[None, :])
    total = cost[0]
    back = np.zeros((len(points), len(ratio)), np.intp)
    for i in range(1, len(points)):
        ways = total[:, None] + jump
        back[i] = ways.argmin(axis=0)
        total = ways.min(axis=0) + cost[i]
    path = np.zeros(len(points), np.intp)
    path[-1] = int(total.argmin())
    for i in range(len(points) - 1, 0, -1):
        path[i - 1] = back[i, path[i]]
    seam: Floats = offsets[np.arange(len(points)), path].astype(np.float32)
    return seam


def _nearer(line: Floats, others: list[Floats], where: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(H, W) True where the pixel is nearer to this limb's bones than to the others'."""
    ys, xs = np.nonzero(where)
    pixels = np.stack([xs, ys], axis=1).astype(np.float32)
    own = distance_to_polyline(pixels, line)
    rest = np.min([distance_to_polyline(pixels, other) for other in others], axis=0)
    near = np.zeros(where.shape, bool)
    near[ys, xs] = own <= rest + 0.5
    return near


def soft(mask: NDArray[np.bool_] | NDArray[np.uint8], feather: float = FEATHER_PX) -> Floats:
    """A mask with a soft edge: 0..1 float32, half at the mask's border."""
    blurred: Floats = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), feather * 0.6)
    return blurred
