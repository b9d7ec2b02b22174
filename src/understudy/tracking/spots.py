"""Spots: small patches of a picture that stand out from what lies around them, at every scale and contrast."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from understudy.tracking.motion import Floats

STEPS = (16, 7, 7)  # thresholds over the range of L, a and b
LEAST_RANGE = (12.0, 10.0, 10.0)  # of a channel in the picture, below which it shows nothing
LEAST_AREA = 7  # pixels: less is noise
LARGEST = 0.045  # of the picture's area, the spot's box
TALLEST, WIDEST, FULLEST = 4.0, 7.0, 0.25  # height over width, width over height, area over the box's
MOST = 400  # spots kept
RING = 16  # samples around a spot
PATCH = 14  # side of the samples of a spot with its surroundings
AROUND = 0.95  # half a patch's side over the spot's longer side


@dataclass(frozen=True)
class Spots:
    """N spots: boxes ``(N, 4)`` as x and y of the middle, width, height; colours in Lab.

    ``ring`` (N, 3) is the typical colour just around, ``uneven`` (N,) how much it varies there, ``contrast`` (N,) the
    spot's difference from it, ``darkness`` (N,) how much darker than it the darkest part is (in L), ``patch``
    (N, PATCH, PATCH, 3) the spot with its surroundings less the ring's colour, at the spot's own scale.
    """

    box: Floats
    ring: Floats
    uneven: Floats
    contrast: Floats
    darkness: Floats
    patch: Floats

    def __len__(self) -> int:
        return len(self.box)

    def take(self, which: NDArray[np.int64]) -> Spots:
        return Spots(
            self.box[which],
            self.ring[which],
            self.uneven[which],
            self.contrast[which],
            self.darkness[which],
            self.patch[which],
        )


def find_spots(lab: Floats, mask: NDArray[np.uint8], more: Floats) -> Spots:
    """The spots of ``lab`` (H, W, 3) with their middle where ``mask`` is set; ``more`` (K, 4) are boxes to add."""
    boxes = np.concatenate([_pieces(lab, mask), more.reshape(-1, 4).astype(np.float32)])
    spots = measured(lab, boxes)
    worth = spots.contrast / (6.0 + spots.uneven) * np.minimum(spots.contrast, 40.0)
    return spots.take(_distinct(spots.box, worth))


def measured(lab: Floats, box: Floats) -> Spots:
    """What the picture shows in and around boxes (N, 4)."""
    x, y, w, h = (box[:, i : i + 1] for i in range(4))
    turn = np.linspace(0, 2 * np.pi, RING, endpoint=False, dtype=np.float32)[None]
    out = 1.2 + 0.18 * w
    ring = _at(lab, x + (w / 2 + out) * np.cos(turn), y + (h / 2 + 1.2 + 0.18 * h) * np.sin(turn))
    typical = np.median(ring, axis=1)
    u, v = _grid(5)
    core = _at(lab, x + 0.32 * w * u, y + 0.32 * h * v)
    u, v = _grid(PATCH)
    half = np.maximum(AROUND * np.maximum(w, h), 3.0)
    patch = _at(lab, x + half * u, y + half * v) - typical[:, None]
    return Spots(
        box,
        typical,
        np.abs(ring - typical[:, None]).sum(axis=-1).mean(axis=1),
        np.linalg.norm(core.mean(axis=1) - typical, axis=1).astype(np.float32),
        typical[:, 0] - np.quantile(core[..., 0], 0.12, axis=1).astype(np.float32),
        patch.reshape(len(box), PATCH, PATCH, 3),
    )


def _pieces(lab: Floats, mask: NDArray[np.uint8]) -> Floats:
    """Boxes (N, 4) of the connected pieces below and above each of many thresholds."""
    height, width = mask.shape
    found = [np.zeros((0, 4), np.float32)]
    for channel in range(3):
        values = np.ascontiguousarray(lab[..., channel])
        inside = values[mask > 0]
        if len(inside) < 100:
            continue
        low, high = np.quantile(inside, (0.002, 0.998))
        if high - low < LEAST_RANGE[channel]:
            continue
        for limit in np.linspace(low, high, STEPS[channel] + 2)[1:-1]:
            below = (values < limit).astype(np.uint8)
            for side in (below, 1 - below):
                _, _, stats, _ = cv2.connectedComponentsWithStats(side, connectivity=4)
                x, y, w, h, area = (stats[1:, i].astype(np.float32) for i in range(5))
                good = (area >= LEAST_AREA) & (w * h < LARGEST * height * width)
                good &= (x > 0) & (y > 0) & (x + w < width) & (y + h < height)
                good &= (h < TALLEST * w) & (w < WIDEST * h) & (area > FULLEST * w * h)
                box = np.stack([x + w / 2 - 0.5, y + h / 2 - 0.5, w, h], axis=1)[good]
                at = box[:, :2].astype(int)
                found.append(box[mask[at[:, 1], at[:, 0]] > 0])
    return np.concatenate(found)


def _distinct(box: Floats, worth: Floats) -> NDArray[np.int64]:
    """Numbers of the best of each group of nearly equal boxes, best first."""
    kept: list[int] = []
    have = np.zeros((MOST, 4), np.float32)
    for i in np.argsort(-worth, kind="stable"):
        own, old = box[i], have[: len(kept)]
        scale = np.maximum(old[:, 2:].max(axis=1, initial=0.0), own[2:].max())
        near = np.abs(old[:, :2] - own[:2]).max(axis=1, initial=0.0) < 0.12 * scale + 0.6
        if (near & (np.abs(old[:, 2:] - own[2:]).max(axis=1, initial=0.0) < 0.22 * scale + 0.8)).any():
            continue
        have[len(kept)] = own
        kept.append(int(i))
        if len(kept) == MOST:
            break
    return np.array(kept, np.int64)


def _grid(side: int) -> tuple[Floats, Floats]:
    line = np.linspace(-1, 1, side, dtype=np.float32)
    u, v = np.meshgrid(line, line)
    return u.reshape(1, -1), v.reshape(1, -1)


def _at(lab: Floats, x: Floats, y: Floats) -> Floats:
    """(N, M, 3) the picture at places (N, M), N of any size."""
    parts = [
        cv2.remap(
            lab,
            x[i : i + 30000].astype(np.float32),
            y[i : i + 30000].astype(np.float32),
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        ).reshape(-1, x.shape[1], 3)
        for i in range(0, len(x), 30000)
    ]
    return np.concatenate(parts) if parts else np.zeros((0, x.shape[1], 3), np.float32)
