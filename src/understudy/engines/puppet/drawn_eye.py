"""A drawn eye: a dot, a stroke or a ring on plain ground, which closes by being pressed flat."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from understudy.engines.puppet.eyes import LOWER, UPPER
from understudy.engines.puppet.relief import Bytes, FaceFrame, smooth
from understudy.tracking.motion import Floats

# The area that is pressed, over the eye's box, and beyond that over the eyes' distance: outlines and their soft edges
# are in it. Within the first part of it all that differs from the ground is eye.
WIDER, BEYOND = 1.12, 0.045
CERTAIN = 0.6
LINE = 0.16  # what is left of the height of a closed eye, and
LINE_PX = 1.4  # at least so many pixels
LOWER_SHARE = 0.65  # of the way down its height lies the line of a closed eye
DIFFERENT = 10.0  # of 255 in a channel: what differs so much from the ground is eye
SMALLEST_PX = 2.5
ALIKE = 0.5  # of the clearer eye's contrast: the other's at least
GAZE = 0.2  # of the eyes' distance: how far a drawn eye goes where a person's iris goes by its eye's width
LEAST, LEAST_PX = 0.02, 0.3  # what is closed or moved less stays as it is


@dataclass(frozen=True)
class DrawnEye:
    """One eye in a small box of the face's box: what is eye there, and the ground without it."""

    x0: int
    y0: int
    ground: Bytes  # (h, w, 3)
    share: Bytes  # (h, w) 255 where the pixel is the eye
    middle: Floats  # (2,) in the face's box
    along: Floats  # (2,) unit vectors in the picture
    down: Floats
    width: float
    height: float
    apart: float  # the distance of the outer corners of both eyes, in pixels
    contrast: float  # mean difference of the eye from its ground, of 255

    @property
    def box(self) -> tuple[slice, slice]:
        h, w = self.share.shape
        return slice(self.y0, self.y0 + h), slice(self.x0, self.x0 + w)

    @classmethod
    def pair(cls, texture: Bytes, mesh: Floats, frame: FaceFrame) -> tuple[DrawnEye | None, DrawnEye | None]:
        """The own left and right eye; neither where one is hidden or lies on an arm: a wink would be left."""
        left, right = (cls.build(texture, mesh, frame, side) for side in (0, 1))
        if left is None or right is None:
            return None, None
        low, high = sorted((left.contrast, right.contrast))
        return (left, right) if low > ALIKE * high else (None, None)

    @classmethod
    def build(cls, texture: Bytes, mesh: Floats, frame: FaceFrame, side: int) -> DrawnEye | None:
        """The own left (0) or right (1) eye where the mesh has its lines; None where there is nothing to press.

        ``mesh`` and ``frame`` are in the texture's own pixels.
        """
        lines = frame.into(mesh[list(UPPER[side] + LOWER[side])])
        low, high = lines.min(axis=0), lines.max(axis=0)
        width, height = (float(v) for v in high - low)
        if min(width, height) < SMALLEST_PX:
            return None
        middle = frame.turn(*((low + high) / 2)) + frame.origin
        half = np.array([width, height], np.float32) / 2
        outer = WIDER * half + max(BEYOND * frame.span, 2.0)
        reach = float(np.hypot(*outer)) + 3
        x0, y0 = (max(int(v), 0) for v in np.floor(middle - reach))
        x1, y1 = (int(v) + 1 for v in np.ceil(middle + reach))
        part = texture[y0:y1, x0:x1]
        if min(part.shape[:2]) < 4:
            return None
        h, w = part.shape[:2]
        places = np.stack(np.meshgrid(np.arange(x0, x0 + w), np.arange(y0, y0 + h)), axis=-1)
        uv = frame.into(places.astype(np.float32)) - (low + high) / 2
        away, apart = (np.hypot(uv[..., 0] / a[0], uv[..., 1] / a[1]) for a in (half, outer))
        inside = apart < 1.0
        if not (~inside).any():
            return None
        rgb = np.ascontiguousarray(part[..., :3])
        hole = cv2.dilate(inside.astype(np.uint8), np.ones((3, 3), np.uint8))
        ground = cv2.inpaint(rgb, hole, 3, cv2.INPAINT_TELEA)
        ground = cv2.GaussianBlur(ground, (0, 0), max(0.08 * height, 0.8))
        off = np.abs(rgb.astype(np.float32) - ground).max(axis=-1)
        contrast = float(off[away < 1.0].mean())
        if contrast < DIFFERENT / 2:
            return None
        share = np.clip(off / DIFFERENT - 0.5, 0.0, 1.0) * smooth((1.0 - apart) / (1.0 - CERTAIN) * 1.5)
        share = np.maximum(share, smooth((0.9 - away) / 0.2))
        return cls(
            x0,
            y0,
            np.asarray(ground, np.uint8),
            np.asarray(np.rint(255 * share), np.uint8),
            np.asarray(middle, np.float32),
            frame.turn(1.0, 0.0),
            frame.turn(0.0, 1.0),
            width,
            height,
            frame.span,
            contrast,
        )

    def draw(
        self, patch: Bytes, texture: Bytes, where: Floats, closing: float, gaze: tuple[float, float]
    ) -> None:
        """Press the eye by ``closing`` (0 to 1) in ``patch`` and move it by ``gaze``, aside and down (`Look`).

        ``where`` is the map of the face's box, source pixels.
        """
        closing = min(max(closing, 0.0), 1.0)
        aside, lower = (
            float(np.clip(GAZE * self.apart * g, -most, most))
            for g, most in zip(gaze, (0.4 * self.width, 0.3 * self.height), strict=True)
        )
        if closing < LEAST and float(np.hypot(aside, lower)) < LEAST_PX:
            return
        box = self.box
        at = np.ascontiguousarray(where[box])
        least = min(max(LINE, LINE_PX / self.height), 1.0)
        tall = 1.0 - closing * (1.0 - least)
        off = at - self.middle
        u, v = off @ self.along - aside, off @ self.down - lower
        line = (LOWER_SHARE - 0.5) * self.height
        source = line + (v - line) / tall
        seen = self.middle + u[..., None] * self.along + source[..., None] * self.down
        seen = np.ascontiguousarray(seen, np.float32)
        corner = np.array([self.x0, self.y0], np.float32)
        eye = cv2.remap(texture, seen, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)[..., :3]
        flags = {"borderMode": cv2.BORDER_CONSTANT, "borderValue": 0}
        own = cv2.remap(self.share, at - corner, None, cv2.INTER_LINEAR, **flags).astype(np.float32) / 255
        pressed = (
            cv2.remap(self.share, seen - corner, None, cv2.INTER_LINEAR, **flags).astype(np.float32) / 255
        )
        ground = cv2.remap(self.ground, at - corner, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        part = patch[box][..., :3].astype(np.float32)
        part += (ground - part) * own[..., None]
        part += (eye - part) * pressed[..., None]
        patch[box][..., :3] = np.clip(part + 0.5, 0, 255).astype(np.uint8)
