"""Lids: an eye that closes with its own skin."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from understudy.engines.puppet.relief import Bytes, FaceFrame, Floats, Lattice, smooth

# Lines of the eyes from corner to corner, own left and own right, in the published numbering of Face Mesh.
UPPER = ((263, 466, 388, 387, 386, 385, 384, 398, 362), (33, 246, 161, 160, 159, 158, 157, 173, 133))
LOWER = ((263, 249, 390, 373, 374, 380, 381, 382, 362), (33, 7, 163, 144, 145, 153, 154, 155, 133))
BROW = ((276, 283, 282, 295, 285), (46, 53, 52, 65, 55))

UPPER_SHARE = 0.90  # of a closing eye's way that the upper lid goes; the lower one does the rest
RIGID = 0.22  # of the eye's opening: the lash line and its nearest skin, which move without stretching
LASHES = 0.10  # of the eye's opening: how far the lash line reaches below the landmarks


@dataclass(frozen=True)
class Lid:
    """One eye in a small box of the face's box.

    ``lines`` holds for each pixel of the box, in the face's frame: v, the upper lid's edge, the eye's opening and the
    length of skin above the lid that can stretch; all in pixels. A lid's pixel is found by undoing the stretch along
    v in closed form, so that the iris is covered and never smeared.
    """

    x0: int
    y0: int
    lines: Floats  # (h, w, 4)
    down: Floats  # (2,) unit vector of v in the picture
    lash: Floats  # (3,) colour of the lash line
    soft: float

    @property
    def box(self) -> tuple[slice, slice]:
        h, w = self.lines.shape[:2]
        return slice(self.y0, self.y0 + h), slice(self.x0, self.x0 + w)

    @classmethod
    def build(cls, side: int, texture: Bytes, mesh: Floats, frame: FaceFrame, lattice: Lattice) -> Lid | None:
        """The lid of eye ``side`` (0 own left), or None where the eye cannot be closed."""
        upper, lower = frame.into(mesh[list(UPPER[side])]), frame.into(mesh[list(LOWER[side])])
        brow = frame.into(mesh[list(BROW[side])])
        width = float(np.ptp(upper[:, 0]))
        tall = float(np.max(lower[:, 1]) - np.min(upper[:, 1]))
        if width < 5.0 or tall < 1.5:
            return None
        corner = np.array([lattice.x0, lattice.y0], np.float32)
        outline = np.concatenate([mesh[list(UPPER[side] + LOWER[side] + BROW[side]), :2]]) - corner
        pad = 0.6 * tall + 3
        x0, y0 = np.floor(outline.min(axis=0) - pad).astype(int)
        x1, y1 = np.ceil(outline.max(axis=0) + pad).astype(int)
        x0, y0, x1, y1 = max(x0, 0), max(y0, 0), min(x1, lattice.width), min(y1, lattice.height)
        if x1 - x0 < 4 or y1 - y0 < 4:
            return None
        xy = np.stack(np.meshgrid(np.arange(x0, x1), np.arange(y0, y1)), axis=-1).astype(np.float32)
        uv = frame.into(xy + corner)
        u = uv[..., 0]
        top, bottom = _line(upper, u), _line(lower, u)
        opening = np.maximum(bottom - top, 0.0)
        inside = smooth((width / 2 * 1.02 - np.abs(u - upper[:, 0].mean())) / (0.08 * width))
        opening = opening * inside
        skin = np.clip(0.8 * (top - _line(brow, u)), 0.6 * tall, 1.3 * tall)
        lines = np.stack([uv[..., 1], top, opening, skin], axis=-1).astype(np.float32)
        near = (np.abs(uv[..., 1] - top) < 0.15 * tall + 1) & (opening > 0.4 * tall)
        part = texture[y0:y1, x0:x1, :3][near]
        if len(part) < 4:
            return None
        light = part.astype(np.float32).mean(axis=1)
        lash = part[light <= np.quantile(light, 0.15)].astype(np.float32).mean(axis=0)
        down = frame.turn(np.float32(0.0), np.float32(1.0))
        return cls(int(x0), int(y0), lines, down, lash.astype(np.float32), max(0.9, 0.012 * width))

    def draw(self, patch: Bytes, texture: Bytes, where: Floats, closing: float) -> None:
        """Close the eye by ``closing`` (0..1) in ``patch``; ``where`` is the map of the face's box, source pixels."""
        box = self.box
        at = np.ascontiguousarray(where[box])
        here = at - np.array([self.x0, self.y0], np.float32)
        found = cv2.remap(self.lines, here, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        v, top, opening, skin = (found[..., i] for i in range(4))
        fall = (closing * UPPER_SHARE) * opening
        rise = (closing * (1.0 - UPPER_SHARE)) * opening
        edge = top + fall  # of the upper lid, now
        rigid = RIGID * opening
        above = skin + fall - rigid  # length of the stretched skin, now
        stretched = top - skin + (v - (top - skin)) * np.maximum(skin - rigid, 0.5) / np.maximum(above, 0.5)
        upper = np.where(v > edge - rigid, v - fall, np.where(v > top - skin, stretched, v))
        bottom = top + opening
        below = 0.8 * opening + 1.0
        lower = bottom + np.maximum(v - bottom + rise, 0.0) * below / (below + rise)
        lower = np.where(v < bottom + below, lower, v)

        reach = edge + LASHES * opening * min(1.0, 4.0 * closing)
        on_upper = np.clip((reach - v) / self.soft + 0.5, 0.0, 1.0)
        on_lower = np.clip((v - (bottom - rise)) / self.soft + 0.5, 0.0, 1.0) * (1.0 - on_upper)
        shift = np.where(on_upper >= on_lower, upper, lower) - v
        lid = cv2.remap(
            texture,
            at + shift[..., None] * self.down,
            None,
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )
        share = np.where(opening > 0.3, np.maximum(on_upper, on_lower), 0.0)
        share *= np.clip(opening / 1.5, 0.0, 1.0)
        part = patch[box].astype(np.float32)
        part += (lid.astype(np.float32) - part) * share[..., None]
        # The lash line thickens as the lids meet, and shades the eyeball below it.
        thick = np.maximum(0.09 * opening, 0.7)
        line = np.exp(-(((v - edge - 0.03 * opening) / thick) ** 2)) * np.clip(opening / 3.0, 0.0, 1.0)
        part[..., :3] += (self.lash - part[..., :3]) * (0.65 * closing * line)[..., None]
        patch[box] = np.clip(part + 0.5, 0, 255).astype(np.uint8)


def _line(points: Floats, u: Floats) -> Floats:
    """v of a line through points, at u."""
    order = np.argsort(points[:, 0])
    return np.interp(u, points[order, 0], points[order, 1]).astype(np.float32)
