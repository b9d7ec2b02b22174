"""Borders of a limb, looked for from stations along its bones outwards."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from understudy.engines.puppet.areas import pixel_of
from understudy.engines.puppet.parts import HIPS, SHOULDERS, Limb, centre
from understudy.tracking.motion import Floats

STATION_PX = 3.0  # along the limb


def edge_strength(rgb: NDArray[np.uint8]) -> Floats:
    """(H, W) colour gradient in 0..1, 1 for a clear edge (25 Lab units over 2 pixels)."""
    lab = cv2.cvtColor(rgb, cv2.COLOR_RGB2LAB).astype(np.float32)
    lab = cv2.GaussianBlur(lab, (0, 0), 1.2)
    gx = cv2.Sobel(lab, cv2.CV_32F, 1, 0, ksize=3) / 8
    gy = cv2.Sobel(lab, cv2.CV_32F, 0, 1, ksize=3) / 8
    strength = np.sqrt(cv2.transform(gx * gx + gy * gy, np.ones((1, 3))))
    return np.asarray(np.minimum(strength / 12.0, 1.0), np.float32)


def normal_outwards(limb: Limb, start: Floats, stop: Floats, joints: Floats) -> Floats:
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


def extent(inside: NDArray[np.bool_], points: Floats, normal: Floats, limit: float) -> Floats:
    """(N,) how far one can walk from each point along the normal before the matte ends, at most ``limit``."""
    steps = np.arange(0, int(limit) + 1, dtype=np.float32)
    walk = points[:, None, :] + steps[None, :, None] * normal
    x = np.clip(np.rint(walk[..., 0]).astype(int), 0, inside.shape[1] - 1)
    y = np.clip(np.rint(walk[..., 1]).astype(int), 0, inside.shape[0] - 1)
    out = ~inside[y, x]
    first: Floats = np.where(out.any(axis=1), out.argmax(axis=1), limit).astype(np.float32)
    return first


def smooth(offsets: Floats) -> Floats:
    """(N,) without single stations that jump: a running median of seven, then a mean of five."""
    padded = np.pad(offsets, 3, mode="edge")
    calm = np.median(np.lib.stride_tricks.sliding_window_view(padded, 7), axis=1)
    smooth: Floats = np.convolve(np.pad(calm, 2, mode="edge"), np.full(5, 0.2), mode="valid").astype(
        np.float32
    )
    return smooth


def profile(share: Floats, before: float, own: float, after: float) -> Floats:
    """(N,) expected half width along a segment: its own in the middle, half way to the neighbours' at the ends."""
    at = np.array([0.0, 0.35, 0.65, 1.0])
    values = np.array([(before + own) / 2, own, own, (own + after) / 2])
    profile: Floats = np.interp(share, at, values).astype(np.float32)
    return profile


def seam(edges: Floats, points: Floats, normal: Floats, target: Floats) -> Floats:
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


def stations(start: Floats, stop: Floats) -> tuple[Floats, Floats]:
    """Points (N, 2) along a bone, ends included, and their share (N,) of the way."""
    share = np.linspace(0, 1, max(int(np.linalg.norm(stop - start) / STATION_PX), 2), dtype=np.float32)
    return start + share[:, None] * (stop - start), share


def expected_widths(share: Floats, radii: Floats, k: int) -> Floats:
    """(N,) half widths expected at the stations of bone ``k``, going over into its neighbours'."""
    near = radii[max(k - 1, 0)] if k < 2 else radii[k]
    return profile(share, float(near), float(radii[k]), float(radii[min(k + 1, 2)]))


def fill_between(area: NDArray[np.uint8], one: Floats, other: Floats) -> None:
    """Set ``area`` (H, W) to 1 between two borders (N, 2)."""
    cv2.fillPoly(area, [np.rint(np.concatenate([one, other[::-1]])).astype(np.int32)], 1)


def disc_into(area: NDArray[np.uint8], point: Floats, radius: float) -> None:
    """Set ``area`` (H, W) to 1 about a point."""
    cv2.circle(area, pixel_of(point), int(radius), 1, -1)
