"""Lips: where they part in the reference."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from understudy.engines.puppet.relief import Bytes, FaceFrame
from understudy.tracking.face_lines import INNER_LOWER, INNER_UPPER, OUTER_LOWER, OUTER_UPPER
from understudy.tracking.motion import Floats

CORNERS = 0.03  # of the mouth's width: how far inside the mesh's corners the lips begin to part
# Chroma of lips that can be told from teeth, and of teeth over it: on 34 pictures 0.2 to 0.5, closed lips from 0.63.
COLOURED, TEETH = 18.0, 0.52
LIT = 0.55  # lightness of teeth over that of lips, at least
ENDING = 0.12  # share of half the mouth in which an open one comes to its end
PARTED = 0.045  # gap over the mouth's width above which the reference's mouth is open


@dataclass(frozen=True)
class Lips:
    """Where the lips part in the reference, along the mouth, in the face's frame and in pixels."""

    u: Floats  # (N,) from the own right corner to the left
    upper: Floats  # (N,) v of the upper lip's inner edge
    lower: Floats  # (N,) v of the lower lip's; the same where the mouth is closed
    middle: float  # u of the lips' middle
    gape: float  # pixels of gap that the mouth has at opening 1
    nose: float  # v of the nose's foot
    chin: float  # v of the chin

    @property
    def width(self) -> float:
        return float(self.u[-1] - self.u[0])

    @property
    def gap(self) -> float:
        """Largest gap that the reference shows, in pixels."""
        return float((self.lower - self.upper).max())

    @classmethod
    def find(cls, texture: Bytes, mesh: Floats, frame: FaceFrame) -> Lips | None:
        """The lips' lines from the mesh and the picture, or None where the picture shows no lips there.

        The mesh parts the lips of many closed mouths. A mouth counts as open where what lies between the lines does
        not look like lips; a closed mouth's line is the darkest path near the mesh's.
        """
        colours = cv2.cvtColor(texture[..., :3].astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
        colours = cv2.GaussianBlur(colours, (0, 0), max(0.005 * frame.span, 0.4))
        upper, lower = frame.into(mesh[list(INNER_UPPER)]), frame.into(mesh[list(INNER_LOWER)])
        inset = CORNERS * (upper[-1, 0] - upper[0, 0])
        u = np.linspace(upper[0, 0] + inset, upper[-1, 0] - inset, 65).astype(np.float32)
        top = _along(upper, u)
        bottom = np.maximum(_along(lower, u), top)
        outer = _along(frame.into(mesh[list(OUTER_UPPER)]), u), _along(frame.into(mesh[list(OUTER_LOWER)]), u)
        width = max(float(u[-1] - u[0]), 1.0)
        core = slice(14, 51)

        def seen(v: Floats) -> Floats:
            return _look(colours, frame, u[core], v[core])

        low, high = seen(bottom + 0.35 * (outer[1] - bottom)), seen(top - 0.35 * (top - outer[0]))
        gap = float((bottom - top).max()) / width
        if not (gap > PARTED and (gap > 0.25 or _looks_open(seen, top, bottom, low, high))):
            top = bottom = _darkest_path(colours[..., 0], u, (top + bottom) / 2, width, frame)
            seam, around = (
                seen(top)[:, 0],
                np.minimum(seen(top - 0.09 * width), seen(top + 0.09 * width))[:, 0],
            )
            chin = seen(outer[1] + 0.12 * width)
            near_chin = float(frame.into(mesh[152])[1] - np.median(lower[:, 1])) < 0.33 * frame.span
            coloured = float(np.abs(np.median(low, axis=0) - np.median(chin, axis=0)).sum())
            near_chin = float(frame.into(mesh[152])[1] - np.median(bottom)) < 0.33 * frame.span
            line = float(np.median(around - seam))
            step = abs(float(np.median(seen(outer[0] - 0.12 * width)[:, 0] - chin[:, 0])))
            # Bare skin, a line that is no darker than the skin around it, or a chin's outline over its neck.
            bare = coloured < 5.0 and (near_chin or line < 6.0)
            if bare or (line < 0.5 and (near_chin or coloured < 8.0)) or (near_chin and step > 12.0):
                return None
        # Where the lips end they meet.
        meeting = np.clip((1.0 - np.abs(np.linspace(-1, 1, len(u)))) / ENDING, 0.0, 1.0)
        seam, half = (top + bottom) / 2, meeting * (bottom - top) / 2
        top, bottom = (np.asarray(seam + side * half, np.float32) for side in (-1, 1))
        middle = float(frame.into(mesh[[13, 14]])[:, 0].mean())
        return cls.of(u, top, bottom, middle, mesh, frame)

    @classmethod
    def of(
        cls, u: Floats, top: Floats, bottom: Floats, middle: float, mesh: Floats, frame: FaceFrame
    ) -> Lips:
        chin, nose = float(frame.into(mesh[152])[1]), float(frame.into(mesh[2])[1])
        seam = float(np.interp(middle, u, bottom))
        gape = float(min(0.40 * frame.span, 0.8 * max(chin - seam, 1.0)))
        return cls(u, top, bottom, middle, gape, nose, chin)

    def across(self, u: Floats) -> Floats:
        """-1 at the own right corner, 0 in the middle, 1 at the left corner; further out it goes on growing."""
        left = max(float(self.u[-1] - self.middle), 1.0)
        right = max(float(self.middle - self.u[0]), 1.0)
        return np.where(u > self.middle, (u - self.middle) / left, (u - self.middle) / right).astype(
            np.float32
        )


def _look(colours: Floats, frame: FaceFrame, u: Floats, v: Floats) -> Floats:
    """Colours ``(N, C)`` along a line given in the face's frame."""
    at = (frame.turn(u, v) + frame.origin)[None]
    found = cv2.remap(colours, at, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(found[0], np.float32)


def _looks_open(
    seen: Callable[[Floats], Floats], top: Floats, bottom: Floats, low: Floats, high: Floats
) -> bool:
    """Whether what lies between two lines is no lip: dark, or teeth, which are much paler than lips."""
    between = np.stack([seen(top + k * (bottom - top)) for k in np.linspace(0.1, 0.9, 9)])
    apart = np.minimum(np.linalg.norm(between - low, axis=-1), np.linalg.norm(between - high, axis=-1))
    tint = np.hypot(between[..., 1], between[..., 2])
    lip = float(np.median(np.hypot(low[:, 1], low[:, 2])))
    # The line between closed lips has little colour, too, but it is dark.
    light = np.median(between[..., 0], axis=1) > LIT * float(np.median(low[:, 0]))
    pale = light & (np.median(tint, axis=1) < TEETH * lip)
    teeth = lip > COLOURED and bool(pale.any())
    return bool((apart < 14.0).mean() < 0.45 or lip - float(np.median(tint)) > 12.0 or teeth)


def _darkest_path(light: Floats, u: Floats, guess: Floats, width: float, frame: FaceFrame) -> Floats:
    """v of the seam between closed lips: the darkest smooth path near ``guess`` (dynamic programming)."""
    reach = 0.09 * width
    offsets = np.linspace(-reach, reach, 37).astype(np.float32)
    across = frame.turn(*np.broadcast_arrays(u[None], guess[None] + offsets[:, None])) + frame.origin
    shades = cv2.remap(light, across, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    shades = cv2.GaussianBlur(shades, (5, 3), 0)
    spread = max(float(shades.std()), 1.0)
    # Near the corners the seam fades into the skin: there the mesh has the say.
    ends = np.clip((np.abs(np.linspace(-1, 1, len(u))) - 0.6) / 0.4, 0.0, 1.0)
    cost = shades / spread + (0.6 + 5.0 * ends) * (offsets[:, None] / reach) ** 2
    total, came = cost.copy(), np.zeros(cost.shape, np.int64)
    moves = (-2, -1, 0, 1, 2)
    for i in range(1, len(u)):
        steps = np.stack([np.roll(total[:, i - 1], m) + 0.15 * abs(m) for m in moves])
        for k, m in enumerate(moves):
            if m > 0:
                steps[k, :m] = np.inf
            elif m < 0:
                steps[k, m:] = np.inf
        best = steps.argmin(axis=0)
        came[:, i] = np.arange(len(offsets)) - np.array(moves)[best]
        total[:, i] += steps.min(axis=0)
    path = np.empty(len(u), np.int64)
    path[-1] = int(total[:, -1].argmin())
    for i in range(len(u) - 1, 0, -1):
        path[i - 1] = came[path[i], i]
    even = np.convolve(np.pad(offsets[path], 3, mode="edge"), np.ones(7) / 7, mode="valid")
    return np.asarray(guess + even, np.float32)


def _along(points: Floats, u: Floats) -> Floats:
    order = np.argsort(points[:, 0])
    return np.asarray(np.interp(u, points[order, 0], points[order, 1]), np.float32)
