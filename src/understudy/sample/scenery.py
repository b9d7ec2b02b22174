"""What the sample's people stand in front of: a studio for the dancer, hills for the explorer."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from understudy.sample.solid import Floats, linear, vec

Scene = tuple[Floats, Floats]  # (H, W, 3) linear RGB, and (H, W) 0..1 where the floor takes shadows


def studio(width: int, height: int, edge: int) -> Scene:
    """A pale wall with a large disc, and a warm floor from row ``edge`` down."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    image = _blend(linear("#a9d8cb"), linear("#d6ede0"), np.clip(y / edge, 0, 1))
    reach = np.hypot(x - width * 0.5, y - height * 0.47)
    disc = np.clip((width * 0.43 - reach) / 2 + 0.5, 0, 1)
    image += (linear("#eef6e6") - image) * (disc * 0.75)[..., None]
    ring = np.clip(3.5 - np.abs(reach - width * 0.465), 0, 1)
    image += (linear("#eef6e6") - image) * (ring * 0.7)[..., None]
    ground = _blend(linear("#e08c68"), linear("#f2b48c"), np.clip((y - edge) / (height - edge), 0, 1))
    floor = np.clip(y - edge + 0.5, 0, 1)
    image += (ground - image) * floor[..., None]
    board = (y > edge - 0.022 * height) & (y < edge)
    image[board] = linear("#f6f3e8")
    image *= 1 - 0.22 * (np.hypot((x / width - 0.5) * 1.1, y / height - 0.5) ** 2)[..., None]
    return image.astype(np.float32), floor.astype(np.float32)


def hills(width: int, height: int) -> Scene:
    """Morning in the hills: sky, sun, clouds, four ridges with firs, and a meadow."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    v = y / height
    image = _blend(linear("#57a9dd"), linear("#b5e0ea"), np.clip(v / 0.34, 0, 1))
    image = _mixed(image, linear("#fdf0d6"), np.clip((v - 0.34) / 0.26, 0, 1))
    sun = np.hypot(x - 0.80 * width, y - 0.17 * height) / width
    image += (vec(1.0, 0.94, 0.78) - image) * (0.75 * np.exp(-((sun / 0.16) ** 2)))[..., None]
    image += (vec(1.0, 0.97, 0.88) - image) * np.clip((0.062 - sun) * width + 0.5, 0, 1)[..., None]
    for cx, cy, size in ((0.16, 0.17, 0.085), (0.90, 0.33, 0.07), (0.07, 0.40, 0.05)):
        _cloud(image, x / width, y / width, cx, cy * height / width, size, width)
    u = x / width
    ridges = (
        (0.555, 0.060, (2.1, 5.3, 0.4), "#9fc3d3", "#c6dcd9", 0),
        (0.615, 0.042, (3.4, 7.1, 2.2), "#74a9a6", "#a9cdb8", 0),
        (0.680, 0.034, (2.6, 6.0, 4.1), "#549079", "#86b98b", 46),
        (0.745, 0.020, (3.1, 8.2, 1.3), "#4f9a5c", "#8cc26a", 0),
    )
    rng = np.random.default_rng(11)
    for base, swing, (f1, f2, phase), near, far, firs in ridges:
        line = base + swing * (
            np.sin(f1 * u[0] * 3.1 + phase) * 0.65 + np.sin(f2 * u[0] * 3.1 - phase) * 0.35
        )
        if firs:
            _firs(image, line, rng, firs, width, height)
        below = np.clip((v - line) * height + 0.5, 0, 1)
        shade = _blend(linear(near), linear(far), np.clip((v - line) / 0.10, 0, 1))
        image += (shade - image) * below[..., None]
    line = 0.80 + 0.012 * np.sin(5 * u[0] + 0.6)
    meadow = _blend(linear("#a4cf6e"), linear("#5d9a4a"), np.clip((v - line) / 0.2, 0, 1))
    floor = np.clip((v - line) * height + 0.5, 0, 1)
    image += (meadow - image) * floor[..., None]
    _grass(image, rng, line, width, height)
    return image.astype(np.float32), floor.astype(np.float32)


def _blend(top: Floats, bottom: Floats, share: Floats) -> Floats:
    mixed: Floats = (top + (bottom - top) * share[..., None]).astype(np.float32)
    return mixed


def _mixed(image: Floats, colour: Floats, share: Floats) -> Floats:
    mixed: Floats = (image + (colour - image) * share[..., None]).astype(np.float32)
    return mixed


def _cloud(image: Floats, x: Floats, y: Floats, cx: float, cy: float, size: float, width: int) -> None:
    """Some discs with a flat foot, lit from above."""
    cover = np.zeros_like(x)
    for dx, dy, r in ((-1.0, 0.0, 0.5), (-0.4, -0.35, 0.66), (0.35, -0.2, 0.6), (1.0, 0.02, 0.46)):
        reach = np.hypot(x - cx - dx * size, y - cy - dy * size)
        cover = np.maximum(cover, np.clip((r * size - reach) * width * 0.35 + 0.5, 0, 1))
    cover *= np.clip((cy + 0.28 * size - y) * width * 0.5 + 0.5, 0, 1)
    light = np.clip(0.5 - (y - cy) / size * 0.6, 0, 1)[..., None]
    colour = linear("#dbe6ee") + (linear("#ffffff") - linear("#dbe6ee")) * light
    image += (colour - image) * (0.85 * cover)[..., None]


def _firs(image: Floats, line: Floats, rng: np.random.Generator, count: int, width: int, height: int) -> None:
    """Small firs along a ridge (row share per column), in groups."""
    mask = np.zeros((height * 4, width * 4), np.uint8)
    for _ in range(count):
        at = float(rng.beta(0.7, 0.7))
        column = min(int(at * width), width - 1)
        tall = float(rng.uniform(0.018, 0.042)) * height
        foot = float(line[column]) * height + 3
        for k in range(3):
            top, low = foot - tall * (1 - 0.24 * k), foot - tall * (0.56 - 0.28 * k)
            half = tall * (0.13 + 0.06 * k)
            points = np.array([[column, top], [column + half, low], [column - half, low]]) * 4
            cv2.fillPoly(mask, [np.rint(points).astype(np.int32)], 255)
    cover = cv2.resize(mask, (width, height), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    image += (linear("#3f7a6a") - image) * (0.9 * cover)[..., None]


def _grass(
    image: Floats, rng: np.random.Generator, line: NDArray[np.float32], width: int, height: int
) -> None:
    """Tufts and flowers on the meadow, larger towards the viewer."""
    scale = 4
    layers = {"#4c8a3f": 70, "#b9dc7e": 60, "#fdf3d6": 26, "#f4b63f": 16}
    for colour, count in layers.items():
        mask = np.zeros((height * scale, width * scale), np.uint8)
        for _ in range(count):
            x, depth = rng.uniform(0, width), rng.uniform(0.12, 1) ** 0.8
            y = (line[min(int(x), width - 1)] + depth * 0.2) * height
            size = (0.3 + depth) * 9
            if colour in ("#fdf3d6", "#f4b63f"):
                centre = (round(x * scale), round(y * scale))
                cv2.circle(mask, centre, round(size * 0.24 * scale), 255, -1)
                continue
            for lean in (-0.45, 0.0, 0.5):
                blade = (
                    np.array([[x - size * 0.1, y], [x + size * 0.1, y], [x + lean * size, y - size]]) * scale
                )
                cv2.fillPoly(mask, [np.rint(blade).astype(np.int32)], 255)
        cover = cv2.resize(mask, (width, height), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
        image += (linear(colour) - image) * (0.8 * cover)[..., None]
