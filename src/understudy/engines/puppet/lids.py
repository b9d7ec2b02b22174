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

UPPER_SHARE = 0.92  # of a closing eye's way that the upper lid goes; the lower one does the rest
RIGID = 0.18  # of the eye's opening: the lash line and its nearest skin, which move without stretching
LASHES = 0.10  # of the eye's opening: how thick the lash line is taken to be
SKIN_BELOW = 0.10  # of the eye's opening: where the lower lid's skin begins, below the landmarks


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
    skin: Floats  # (3,) colour of the skin under the eye
    tall: float  # the eye's opening in its middle, in pixels
    soft: float

    @property
    def box(self) -> tuple[slice, slice]:
        h, w = self.lines.shape[:2]
        return slice(self.y0, self.y0 + h), slice(self.x0, self.x0 + w)

    @classmethod
    def build(
        cls, side: int, texture: Bytes, mesh: Floats, frame: FaceFrame, lattice: Lattice, lash: float
    ) -> Lid | None:
        """The lid of eye ``side`` (0 own left), or None where the eye cannot be closed.

        ``lash`` is from `lash_line`.
        """
        upper, lower = frame.into(mesh[list(UPPER[side])]), frame.into(mesh[list(LOWER[side])])
        brow = frame.into(mesh[list(BROW[side])])
        width = float(np.ptp(upper[:, 0]))
        tall = float(np.max(_line(lower, upper[:, 0]) - upper[:, 1]))
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
        bow = np.clip(1.0 - ((u - upper[:, 0].mean()) / (width / 2)) ** 2, 0.0, 1.0)
        top = top + bow * lash * tall
        opening = np.maximum(bottom - top, 0.0)
        inside = smooth((width / 2 * 1.02 - np.abs(u - upper[:, 0].mean())) / (0.08 * width))
        opening = opening * inside
        skin = np.clip(0.72 * (top - _line(brow, u)), 0.5 * tall, 1.3 * tall)
        lines = np.stack([uv[..., 1], top, opening, skin], axis=-1).astype(np.float32)
        near = (np.abs(uv[..., 1] - top) < 0.15 * tall + 1) & (opening > 0.4 * tall)
        part = texture[y0:y1, x0:x1, :3][near]
        if len(part) < 4:
            return None
        light = part.astype(np.float32).mean(axis=1)
        dark = part[light <= np.quantile(light, 0.15)].astype(np.float32).mean(axis=0)
        down = frame.turn(np.float32(0.0), np.float32(1.0))
        under = (uv[..., 1] > bottom + 0.4 * tall) & (uv[..., 1] < bottom + 0.9 * tall) & (opening > 0.3 * tall)
        cheek = texture[y0:y1, x0:x1, :3][under].astype(np.float32)
        skin_colour = cheek.mean(axis=0) if len(cheek) else dark
        return cls(
            int(x0),
            int(y0),
            lines,
            down,
            dark.astype(np.float32),
            skin_colour.astype(np.float32),
            tall,
            max(0.9, 0.012 * width),
        )

    def draw(self, patch: Bytes, texture: Bytes, where: Floats, closing: float) -> None:
        """Close the eye by ``closing`` (0..1) in ``patch``; ``where`` is the map of the face's box, source pixels."""
        box = self.box
        at = np.ascontiguousarray(where[box])
        here = at - np.array([self.x0, self.y0], np.float32)
        found = cv2.remap(self.lines, here, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        v, top, opening, skin = (found[..., i] for i in range(4))
        fall = (closing * UPPER_SHARE) * opening
        rise = closing * (1.0 + SKIN_BELOW - UPPER_SHARE - 0.6 * LASHES) * opening
        edge = top + fall  # of the upper lid, now
        rigid = RIGID * opening
        above = skin + fall - rigid  # length of the stretched skin, now
        stretched = top - skin + (v - (top - skin)) * np.maximum(skin - rigid, 0.5) / np.maximum(above, 0.5)
        upper = np.where(v > edge - rigid, v - fall, np.where(v > top - skin, stretched, v))
        bottom = top + (1.0 + SKIN_BELOW) * opening
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
        wide = smooth(opening / (0.75 * self.tall))
        # A closed lid bulges over the eyeball and catches the light that the open eye's fold did not.
        bulge = (v - edge + 0.55 * above + rigid) / np.maximum(0.55 * above, 1.0)
        bulge = np.clip(1.0 - bulge * bulge, 0.0, 1.0) * wide * on_upper
        part[..., :3] += (self.skin - part[..., :3]) * (0.38 * closing * bulge)[..., None]
        # The lash line thickens as the lids meet, and shades the eyeball below it.
        thick = np.maximum(0.09 * opening, 0.7)
        line = np.exp(-(((v - edge - 0.03 * opening) / thick) ** 2)) * np.sqrt(wide)
        part[..., :3] += (self.lash - part[..., :3]) * (0.65 * closing * line)[..., None]
        patch[box] = np.clip(part + 0.5, 0, 255).astype(np.uint8)


def _line(points: Floats, u: Floats) -> Floats:
    """v of a line through points, at u."""
    order = np.argsort(points[:, 0])
    return np.interp(u, points[order, 0], points[order, 1]).astype(np.float32)


def lash_line(texture: Bytes, mesh: Floats, frame: FaceFrame, lattice: Lattice) -> float:
    """How far below the landmarks the upper lids' dark edge lies in the picture, over the eyes' opening.

    Both eyes are asked together: one alone is easily led astray by a pupil or a fold.
    """
    corner = np.array([lattice.x0, lattice.y0], np.float32)
    light = cv2.cvtColor(texture[..., :3], cv2.COLOR_RGB2GRAY).astype(np.float32)
    offsets = np.linspace(-0.36, 0.28, 33).astype(np.float32)
    score = -0.9 * np.abs(offsets[3:-3])
    for side in (0, 1):
        upper, lower = frame.into(mesh[list(UPPER[side])]), frame.into(mesh[list(LOWER[side])])
        tall = float(np.max(_line(lower, upper[:, 0]) - upper[:, 1]))
        middle, half = upper[:, 0].mean(), np.ptp(upper[:, 0]) / 2
        u = np.linspace(middle - 0.75 * half, middle + 0.75 * half, 25).astype(np.float32)
        bow = 1.0 - ((u - middle) / max(half, 1.0)) ** 2
        v = _line(upper, u)[None] + (offsets * tall)[:, None] * bow[None]
        at = frame.turn(*np.broadcast_arrays(u[None], v)) + frame.origin - corner
        shade = cv2.remap(light, at, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE).mean(axis=1)
        darker = shade[:-6] - shade[6:]  # from skin to lash, over 0.12 of the opening
        score = score + 0.5 * darker / max(float(np.ptp(shade)), 6.0)
    return float(offsets[3:-3][int(score.argmax())])
