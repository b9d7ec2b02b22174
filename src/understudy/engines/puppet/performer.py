"""The performer measured: trusted landmarks, body size and yaw over time, ready to be put on another body."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from understudy.engines.puppet.skeleton import (
    HIPS,
    SHOULDERS,
    Points,
    Reals,
    blur,
    middle,
    plane,
    smooth,
    step,
)
from understudy.tracking.motion import Motion

# Landmarks that keep their distances when a face or a hand moves: what body size is measured by.
_FRAME = (0, 7, 8, 11, 12, 13, 14, 15, 16, 23, 24, 25, 26, 27, 28)
_SPINE_M = 0.50
_GLIMPSE_S = 0.5


@dataclass(frozen=True)
class Performer:
    """T frames of the performer. Complex points are ``x + iy``; nothing here is NaN.

    ``pixels`` are the landmarks in the driving video, ``metres`` the same about the mid-hip over body size, with
    ``depth`` (metres, larger is farther); both still face as the performer does. ``trust`` 0..1 tells how far each
    landmark was seen. ``px_per_m`` is the body size by weak perspective, ``yaw`` the torso's turn about the vertical
    in radians, 0 when it faces the camera. ``world`` are the world landmarks.
    """

    fps: float
    pixels: Points  # (T, 33)
    trust: Reals  # (T, 33)
    metres: Points  # (T, 33)
    depth: Reals  # (T, 33)
    px_per_m: Reals  # (T,)
    yaw: Reals  # (T,)
    root: Points  # (T,) the mid-hip in pixels, or where it must be when hips are not seen
    world: Reals  # (T, 33, 3)

    def __len__(self) -> int:
        return len(self.pixels)

    def turned(self, angle: Reals) -> Points:
        """``metres`` (T, 33) with the body turned about the vertical by ``angle`` (T,) radians."""
        c, s = np.cos(angle)[:, None], np.sin(angle)[:, None]
        return np.asarray(self.metres.real * c - self.depth * s + 1j * self.metres.imag)

    def turned_depth(self, angle: Reals) -> Reals:
        c, s = np.cos(angle)[:, None], np.sin(angle)[:, None]
        return np.asarray(self.metres.real * s + self.depth * c)


def measure(motion: Motion) -> Performer:
    """Measure the performer of ``motion`` (one shot). A motion without any tracked frame gives zero trust."""
    fps = motion.fps
    frames = len(motion)
    tracked = _lasting(motion.tracked, max(round(_GLIMPSE_S * motion.fps), 1))
    body = _filled(motion.body.astype(np.float64), tracked)
    world = _filled(motion.world.astype(np.float64), tracked & np.isfinite(motion.world[:, 0, 0]))
    pixels = plane(body)
    seen = np.nan_to_num(motion.visibility.astype(np.float64)) * tracked[:, None]
    trust = step(seen, 0.15, 0.45) * _inside(pixels, motion.width, motion.height)
    # A landmark whose trust flickers would jump between what was seen and what is made up.
    trust = np.clip(blur(trust, fps, 0.06), 0.0, 1.0)
    size = _body_size(pixels, world, trust, fps, (motion.width, motion.height))
    root = _root(pixels, trust, size, fps)
    yaw = _yaw(world, fps) if frames else np.zeros(0)
    depth = world[..., 2] - world[:, HIPS, 2].mean(axis=1, keepdims=True)
    metres = (pixels - root[:, None]) / size[:, None]
    return Performer(fps, pixels, trust, metres, depth, size, yaw, root, world)


def _lasting(tracked: NDArray[np.bool_], shortest: int) -> NDArray[np.bool_]:
    """``tracked`` without stretches shorter than ``shortest`` frames: a glimpse is mostly a mistake."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], tracked.astype(np.int8), [0]])))
    starts, stops = edges[::2], edges[1::2]
    keep = np.zeros_like(tracked)
    for start, stop in zip(starts, stops, strict=True):
        keep[start:stop] = stop - start >= shortest
    return keep if keep.any() else tracked


def _filled(values: Reals, known: NDArray[np.bool_]) -> Reals:
    """``values`` (T, ...) with unknown frames interpolated from their neighbours; zeros if none is known."""
    index = np.flatnonzero(known)
    if len(index) == 0:
        return np.zeros_like(values)
    at = np.arange(len(values))
    right = np.clip(np.searchsorted(index, at), 0, len(index) - 1)
    left = np.maximum(right - (index[right] > at), 0)
    a, b = index[left], index[right]
    share = np.where(b > a, (at - a) / np.maximum(b - a, 1), 0.0).clip(0, 1)
    share = share.reshape(-1, *([1] * (values.ndim - 1)))
    return np.asarray(np.nan_to_num(values[a] * (1 - share) + values[b] * share))


def _inside(pixels: Points, width: int, height: int) -> Reals:
    """1 inside the picture, falling to 0 at 15 % of its height outside, where landmarks are guesses."""
    out = np.maximum.reduce([-pixels.real, pixels.real - width, -pixels.imag, pixels.imag - height])
    return np.asarray(1.0 - step(out / height, 0.02, 0.15))


def _body_size(pixels: Points, world: Reals, trust: Reals, fps: float, picture: tuple[int, int]) -> Reals:
    """Pixels per metre (T,): the spread of trusted landmarks in the picture over that of the world landmarks."""
    flat = plane(world)[:, _FRAME]
    at, w = pixels[:, _FRAME], trust[:, _FRAME] + 1e-6
    total = w.sum(axis=1, keepdims=True)
    here = np.sqrt((w * np.abs(at - (w * at).sum(1, keepdims=True) / total) ** 2).sum(1))
    there = np.sqrt((w * np.abs(flat - (w * flat).sum(1, keepdims=True) / total) ** 2).sum(1))
    weight = np.clip(total[:, 0] - 2.0, 0.0, 5.0) * (there > 0.05)
    if weight.sum() < 1e-3:
        return np.full(len(pixels), max(picture) / 2.0)
    ratio = np.log(np.maximum(here, 1e-3) / np.maximum(there, 1e-3))
    typical = _median(ratio, weight)
    weight = weight * (np.abs(ratio - typical) < 1.5)
    for _ in range(3):  # reweighted: single frames with odd world landmarks must not pump the figure
        mass = blur(weight, fps, 0.5)
        known = mass > 1e-3
        local = (blur(weight * ratio, fps, 0.5) / np.maximum(mass, 1e-9))[known]
        mean = np.interp(np.arange(len(ratio)), np.flatnonzero(known), local)
        weight = weight / (1.0 + (np.abs(ratio - mean) / 0.06) ** 2)
    return np.asarray(np.exp(blur(mean, fps, 0.25)))


def _median(values: Reals, weight: Reals) -> float:
    order = np.argsort(values)
    mass = np.cumsum(weight[order])
    return float(values[order][np.searchsorted(mass, mass[-1] / 2)])


def _root(pixels: Points, trust: Reals, size: Reals, fps: float) -> Points:
    """The mid-hip; where hips are not seen, a pelvis that follows slowly below the shoulders."""
    hips, shoulders = middle(pixels, HIPS), middle(pixels, SHOULDERS)
    seen = blur(np.minimum(trust[:, 23], trust[:, 24]), fps, 0.15)
    slow = smooth(shoulders, fps, 0.8) + 1j * _SPINE_M * size
    return np.asarray(seen * hips + (1 - seen) * slow)


def _yaw(world: Reals, fps: float) -> Reals:
    """Turn of the torso (T,) in radians from the shoulder and hip lines, left minus right."""
    line = (world[:, SHOULDERS[0]] - world[:, SHOULDERS[1]]) + (world[:, HIPS[0]] - world[:, HIPS[1]])
    heading = line[:, 0] + 1j * line[:, 2]
    heading = np.where(np.abs(heading) > 1e-6, heading, 1.0)
    return np.unwrap(np.angle(smooth(heading, fps, 0.08)))
