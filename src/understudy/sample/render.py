"""Pictures of groups of solids: light, soft shadows, and the backdrop behind them.

Shadows are looked up in a depth map from the light's side (Williams, "Casting curved shadows", 1978), with many
taps. Colours are linear until the very end. A frame of the clip costs about two seconds on one core.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, radians, sin

import cv2
import numpy as np
from numpy.typing import NDArray

from understudy.sample.solid import Floats, Group, linear, unit, vec
from understudy.sample.tracing import TILE, Camera, Scene, Surface, trace

SHADOW_PX_PER_M = 200.0
TAPS = 20

Image = NDArray[np.uint8]


@dataclass(frozen=True)
class Light:
    """Where the light comes from, and its colours (linear RGB)."""

    towards: Floats
    key: Floats
    sky: Floats
    ground: Floats
    rim: Floats


class Shadow:
    """Depth of the scene as the light sees it."""

    def __init__(self, groups: list[Group], light: Light) -> None:
        ahead = unit(light.towards)
        right = unit(np.cross(vec(0, 1, 0), ahead).astype(np.float32))
        self._turn: Floats = np.stack([right, np.cross(ahead, right), ahead]).astype(np.float32)
        scene = Scene([g.turned(self._turn) for g in groups])
        boxes = [box for boxes in scene.boxes for box in boxes]
        self._low = np.min([a for a, _ in boxes], axis=0) - 0.15
        high = np.max([b for _, b in boxes], axis=0) + 0.15
        size = np.ceil((high - self._low)[:2] * SHADOW_PX_PER_M).astype(int)
        depth = np.full((size[1], size[0]), -9.0, np.float32)
        for top in range(0, size[1], TILE):
            for left in range(0, size[0], TILE):
                rows, columns = np.mgrid[top : min(top + TILE, size[1]), left : min(left + TILE, size[0])]
                x = (self._low[0] + (columns + 0.5) / SHADOW_PX_PER_M).astype(np.float32)
                y = (self._low[1] + (rows + 0.5) / SHADOW_PX_PER_M).astype(np.float32)
                tile, numbers = scene.near((x[0, 0], y[0, 0]), (x[-1, -1], y[-1, -1]))
                if numbers:
                    index, z = tile.march(x, y, 0.004)
                    depth[rows.ravel()[index], columns.ravel()[index]] = z
        self._depth = depth

    def lit(self, points: Floats, softness: float, bias: float = 0.02) -> Floats:
        """(N, 3) points to (N,) 0 in shadow to 1; ``softness`` in metres."""
        seen = points @ self._turn.T
        at = ((seen[:, :2] - self._low[:2]) * SHADOW_PX_PER_M - 0.5).astype(np.float32)
        total = np.zeros(len(points), np.float32)
        for i in range(TAPS):  # a sunflower of taps, Vogel's golden angle
            angle, radius = 2.39996 * i, softness * SHADOW_PX_PER_M * ((i + 0.5) / TAPS) ** 0.5
            x, y = at[:, 0] + radius * cos(angle), at[:, 1] + radius * sin(angle)
            depth = _sample(self._depth, x, y)
            total += np.clip(1.0 - (depth - seen[:, 2] - bias) / 0.02, 0, 1)
        share: Floats = total / np.float32(TAPS)
        return share


def _sample(image: Floats, x: Floats, y: Floats) -> Floats:
    """Nearest pixels, nothing outside."""
    height, width = image.shape
    column, row = np.rint(x).astype(np.intp), np.rint(y).astype(np.intp)
    inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
    result: Floats = np.where(
        inside, image[np.clip(row, 0, height - 1), np.clip(column, 0, width - 1)], np.float32(-9)
    )
    return result


def shade(groups: list[Group], surface: Surface, shadow: Shadow, light: Light, camera: Camera) -> Floats:
    """(N, 3) linear RGB of the surface's pixels."""
    albedo = np.empty_like(surface.points)
    gloss = np.zeros((len(albedo), 1), np.float32)
    skin = np.zeros((len(albedo), 1), np.float32)
    for number, group in enumerate(groups):
        at = surface.group == number
        if at.any():
            albedo[at] = group.paint(surface.points[at])
            gloss[at] = group.gloss
            skin[at] = float(group.skin)
    n = surface.normals
    towards = unit(light.towards)
    view = camera.turn[2]
    facing = (n @ towards)[:, None]
    lit = shadow.lit(surface.points + 0.012 * n, 0.03)[:, None]
    key = np.clip((facing + 0.25) / 1.25, 0, 1) ** 1.2 * (0.25 + 0.75 * lit)
    bleed = np.clip((facing + 0.55) / 1.55, 0, 1) - np.clip((facing + 0.25) / 1.25, 0, 1)
    up = (0.5 + 0.5 * n[:, 1])[:, None]
    openness = surface.open[:, None]
    ambient = (light.ground + (light.sky - light.ground) * up) * (0.35 + 0.65 * openness)
    colour = albedo * (ambient + light.key * key)
    colour += albedo * skin * bleed * linear("#ff6a4a") * 0.5
    half = unit(towards + view)
    colour += gloss * np.clip(n @ half, 0, 1)[:, None] ** 40 * light.key * lit
    edge = (1 - np.clip(n @ view, 0, 1))[:, None] ** 3.0
    side = np.clip(0.35 + 0.65 * up - 0.4 * facing, 0, 1)
    colour += (0.25 + albedo) * light.rim * edge * side * openness
    result: Floats = colour.astype(np.float32)
    return result


def to_srgb(rgb: Floats) -> Image:
    """Linear RGB to 8 bits, with a soft shoulder for what is too bright."""
    soft = np.where(rgb > 0.8, 0.8 + 0.2 * np.tanh((rgb - 0.8) / 0.2), rgb)
    srgb = np.where(soft <= 0.0031308, soft * 12.92, 1.055 * np.maximum(soft, 0) ** (1 / 2.4) - 0.055)
    result: Image = np.rint(np.clip(srgb, 0, 1) * 255).astype(np.uint8)
    return result


def picture(
    groups: list[Group], camera: Camera, light: Light, backdrop: Floats, floor: Floats, oversample: float
) -> Image:
    """The figure before its backdrop, both (H, W, 3) linear; ``floor`` (H, W) 0..1 tells where shadows fall."""
    big = camera.enlarged(oversample)
    surface = trace(groups, big)
    shadow = Shadow(groups, light)
    image: Floats = cv2.resize(backdrop, (big.width, big.height), interpolation=cv2.INTER_LINEAR).astype(
        np.float32
    )
    _ground_shadow(image, camera, shadow, floor)
    image.reshape(-1, 3)[surface.index] = shade(groups, surface, shadow, light, big)
    small: Floats = cv2.resize(image, (camera.width, camera.height), interpolation=cv2.INTER_AREA).astype(
        np.float32
    )
    return to_srgb(small)


def _ground_shadow(image: Floats, camera: Camera, shadow: Shadow, floor: Floats) -> None:
    """Darken the floor (the plane y = 0) where the figure keeps the light away."""
    half = Camera(
        camera.width // 2,
        camera.height // 2,
        camera.scale / 2,
        (camera.origin[0] / 2, camera.origin[1] / 2),
        camera.pitch_deg,
    )
    rows, columns = np.mgrid[0 : half.height, 0 : half.width]
    x = (columns.ravel() + 0.5 - half.origin[0]) / half.scale
    y = (half.origin[1] - rows.ravel() - 0.5) / half.scale
    pitch = radians(camera.pitch_deg)
    ground = np.stack([x, np.zeros_like(x), -y / sin(pitch)], axis=1).astype(np.float32)
    near = (np.abs(ground[:, 2]) < 1.6) & (np.abs(ground[:, 0]) < 1.2)
    lit = np.ones(len(x), np.float32)
    lit[near] = shadow.lit(ground[near], 0.06, bias=0.0)
    kept = 1 - cv2.GaussianBlur(lit.reshape(half.height, half.width), (0, 0), 1.5)
    dark = kept * cv2.resize(floor, (half.width, half.height))
    shade = cv2.resize(dark, (image.shape[1], image.shape[0]), interpolation=cv2.INTER_LINEAR)
    image *= (1 - shade[:, :, None] * np.array([0.55, 0.5, 0.38], np.float32)).astype(np.float32)
