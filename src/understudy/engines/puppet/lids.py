"""Lids: an eye that closes with its own skin."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from understudy.engines.puppet.eyes import Eye
from understudy.engines.puppet.relief import Bytes, FaceFrame, smooth
from understudy.tracking.motion import Floats

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
    def build(cls, eye: Eye, texture: Bytes, frame: FaceFrame) -> Lid | None:
        """The lid of an eye, or None where there is no room for it. ``frame`` is in the texture's own pixels."""
        tall, width = eye.tall, eye.width
        edges = np.stack(
            [np.concatenate([eye.u, eye.u]), np.concatenate([eye.brow, eye.lower + 0.8 * tall])], axis=-1
        )
        outline = frame.turn(edges[:, 0], edges[:, 1]) + frame.origin
        x0, y0 = (int(i) for i in np.floor(outline.min(axis=0) - 0.2 * tall - 3))
        x1, y1 = (int(i) for i in np.ceil(outline.max(axis=0) + 0.2 * tall + 3))
        x0, y0, x1, y1 = max(x0, 0), max(y0, 0), min(x1, texture.shape[1]), min(y1, texture.shape[0])
        if x1 - x0 < 4 or y1 - y0 < 4:
            return None
        uv = frame.into(np.stack(np.meshgrid(np.arange(x0, x1), np.arange(y0, y1)), axis=-1))
        u = uv[..., 0]
        top, bottom, brow = (np.interp(u, eye.u, line) for line in (eye.upper, eye.lower, eye.brow))
        inside = smooth((width / 2 * 1.02 - np.abs(u - eye.u.mean())) / (0.08 * width))
        opening = np.maximum(bottom - top, 0.0) * inside
        skin = np.clip(0.72 * (top - brow), 0.5 * tall, 1.3 * tall)
        lines = np.stack([uv[..., 1], top, opening, skin], axis=-1).astype(np.float32)
        near = (np.abs(uv[..., 1] - top) < 0.15 * tall + 1) & (opening > 0.4 * tall)
        part = texture[y0:y1, x0:x1, :3][near]
        if len(part) < 4:
            return None
        light = part.astype(np.float32).mean(axis=1)
        dark = part[light <= np.quantile(light, 0.15)].astype(np.float32).mean(axis=0)
        down = frame.turn(0.0, 1.0)
        under = (
            (uv[..., 1] > bottom + 0.4 * tall) & (uv[..., 1] < bottom + 0.9 * tall) & (opening > 0.3 * tall)
        )
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
