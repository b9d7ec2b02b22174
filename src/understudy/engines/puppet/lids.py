"""Lids: an eye that closes with its own skin."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from understudy.engines.puppet.eyes import Eye
from understudy.engines.puppet.lid_skin import fur, lash_thickness, lid_colours, skin_above, skin_below
from understudy.engines.puppet.relief import Bytes, FaceFrame, limited, planes, smooth
from understudy.tracking.motion import Floats

# All in parts of the eye's opening, at the place of its width that is meant.
MEETS = 0.02  # how far below the eye's lower line the lashes come to lie
BELOW = 0.10  # where the lower lid's skin begins, below its landmarks
RISE = 0.05  # how far the lower lid comes up
RIGID = 0.12  # the roots of the lashes and the nearest skin, which move without stretching
FOLD = (0.35, 0.85)  # how much skin above the lashes unrolls, at least and at most
FOLD_SINKS = 0.14  # how far the crease above it comes down
WIDER = 0.3  # how far lids that open wider rise, for a closing of -1
UNDER = 0.6  # down to where the eye below them is stretched then
CREASED = 0.35  # closing by which the unrolled skin has lost its crease
INNER = 0.3  # closing from which the line of the lashes is drawn plainly
PLAIN = 0.85  # share of the unrolled skin that is plain
# Light on a lid over the eyeball: its middle, its lower edge, its ends
BULGE, OVERHANG, CORNERS = 0.05, 0.09, 0.05
LINE_PX = 1.2  # the thinnest line without steps
HAIR = 110.0  # difference (RGB) of what is above and below an eye, by which it is under hair
LINE, SHADE = 0.95, 0.16  # how dark the line of closed lashes is; what it casts on the eye


@dataclass(frozen=True)
class Lid:
    """One eye in a small box of the face's box.

    ``lines`` holds for each pixel of the box, in the face's frame: v, the upper lid's edge, the eye's opening and the
    length of skin above the lid that unrolls; all in pixels. ``skin`` is the colour that a lid has there, and how far
    aside of the eye's middle the pixel is, 1 at the corners. A lid's pixel is found by undoing the movement along v
    in closed form, so that the iris is covered and never smeared.
    """

    x0: int
    y0: int
    lines: Floats  # (h, w, 4)
    skin: Floats  # (h, w, 4)
    down: Floats  # (2,) unit vector of v in the picture
    lash: Floats  # (3,) colour of the lash line
    thick: float  # of the lash line, in parts of the opening
    tall: float  # the eye's opening in its middle, in pixels
    soft: float  # pixels over which an edge is softened

    @property
    def box(self) -> tuple[slice, slice]:
        h, w = self.lines.shape[:2]
        return slice(self.y0, self.y0 + h), slice(self.x0, self.x0 + w)

    @classmethod
    def pair(
        cls, eyes: tuple[Eye | None, Eye | None], texture: Bytes, frame: FaceFrame
    ) -> tuple[Lid | None, Lid | None]:
        """The lids of both eyes, with lashes alike; None where there is no room. ``frame`` is in its pixels."""
        thick = min((lash_thickness(texture, e, frame) for e in eyes if e is not None), default=0.0)
        left, right = (None if e is None else cls.build(e, texture, frame, thick) for e in eyes)
        return left, right

    @classmethod
    def build(cls, eye: Eye, texture: Bytes, frame: FaceFrame, thick: float) -> Lid | None:
        """The lid of an eye whose line of lashes is ``thick``, in parts of the opening; None where there is no room."""
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
        top, bottom = (np.interp(u, eye.u, line) for line in (eye.upper, eye.lower))
        aside = np.abs(u - eye.u.mean()) / (width / 2)
        opening = np.maximum(bottom - top, 0.0) * smooth((1.02 - aside) / 0.1)
        room = np.interp(u, eye.u, skin_above(texture, eye, frame))
        fold = np.minimum(np.clip(0.45 * room, FOLD[0] * tall, FOLD[1] * tall), 0.5 * room)
        colours = lid_colours(texture, eye, frame)
        if float(np.median(np.linalg.norm(colours - skin_below(texture, eye, frame), axis=-1))) > HAIR:
            return None
        plain = np.stack([np.interp(u, eye.u, colours[:, channel]) for channel in range(3)], axis=-1)
        plain = plain + fur(texture, eye, frame, u, uv[..., 1])
        near = (np.abs(uv[..., 1] - top) < 0.15 * tall + 1) & (opening > 0.4 * tall)
        part = texture[y0:y1, x0:x1, :3][near]
        if len(part) < 4:
            return None
        light = part.astype(np.float32).mean(axis=1)
        dark = part[light <= np.quantile(light, 0.15)].astype(np.float32).mean(axis=0)
        return cls(
            int(x0),
            int(y0),
            np.stack([uv[..., 1], top, opening, fold], axis=-1).astype(np.float32),
            np.concatenate([plain, aside[..., None]], axis=-1).astype(np.float32),
            frame.turn(0.0, 1.0),
            dark.astype(np.float32),
            max(thick, LINE_PX / tall),
            tall,
            max(0.9, 0.012 * width),
        )

    def draw(self, patch: Bytes, texture: Bytes, where: Floats, closing: float) -> None:
        """Close the eye by ``closing`` (up to 1; below 0 it opens wider) in ``patch``.

        ``where`` is the map of the face's box, source pixels.
        """
        box = self.box
        x, y = planes(where[box])
        here = x - np.float32(self.x0), y - np.float32(self.y0)
        lines = cv2.remap(self.lines, *here, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        v, top, opening, fold = planes(lines)
        fall = (closing * (1.0 + MEETS - self.thick) if closing > 0 else closing * WIDER) * opening
        edge = top + fall  # of the upper lid, now
        reach = edge + self.thick * opening  # of its lashes
        shown = limited(opening / 1.5, 1.0) * (opening > 0.3)
        on_upper = limited((reach - v) / self.soft + 0.5, 1.0) * shown
        shift, unrolled = self._upper(v, top, opening, fold, fall, closing)
        upper = self._seen(texture, x, y, shift)
        part = planes(patch[box])
        if closing > 0:
            skin = cv2.remap(self.skin, *here, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
            self._tint(upper, planes(skin), v - edge, opening, unrolled, closing)
            depth = np.maximum(v - reach, 0.0) / np.maximum(0.15 * opening, 0.5)
            part[:3] *= 1.0 - SHADE * min(4.0 * closing, 1.0) * np.exp(-depth) * (shown - on_upper)
            low, on_lower = self._lower(v, top, opening, closing)
            on_lower *= shown
            beneath = self._seen(texture, x, y, low)
        else:
            end = top + UNDER * opening
            share = limited((end - v) / np.maximum(end - reach, 0.5), 1.0)
            low, on_lower = -share * fall, shown * (v < end)
            # From the patch: there the eye looks where it looks now.
            h, w = low.shape
            own_x, own_y = np.arange(w, dtype=np.float32), np.arange(h, dtype=np.float32)[:, None]
            beneath = self._seen(np.ascontiguousarray(patch[box]), own_x, own_y, low)
        part += (beneath - part) * on_lower
        part += (upper - part) * on_upper
        patch[box] = cv2.merge(list(limited(part + 0.5, 255).astype(np.uint8)))

    def _seen(self, texture: Bytes, x: Floats, y: Floats, shift: Floats) -> Floats:
        """(4, h, w) what the texture shows at ``shift`` (h, w) along v from ``x`` and ``y``."""
        across, down = self.down
        where = x + shift * across, y + shift * down
        return planes(cv2.remap(texture, *where, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))

    def _upper(
        self, v: Floats, top: Floats, opening: Floats, fold: Floats, fall: Floats, closing: float
    ) -> tuple[Floats, Floats]:
        """Where the upper lid's pixels come from, as a shift along v, and how far down the unrolled skin each is."""
        rigid = np.minimum(RIGID * opening, 0.4 * fold)
        sinks = np.minimum(FOLD_SINKS * max(closing, 0.0) * opening, 0.5 * fold)
        crease, still = top - fold + sinks, top - 2.0 * fold
        end = top + fall - rigid
        along = (v - crease) / np.maximum(end - crease, 0.5)
        unroll = top - fold + along * (fold - rigid)
        above = still + (v - still) * fold / np.maximum(fold + sinks, 0.5)
        source = np.where(v > end, v - fall, np.where(v > crease, unroll, np.where(v > still, above, v)))
        return np.asarray(source - v), np.asarray(along)

    def _lower(self, v: Floats, top: Floats, opening: Floats, closing: float) -> tuple[Floats, Floats]:
        """The same for the lower lid, and where it shows."""
        rise = closing * (BELOW + RISE) * opening
        bottom, below = top + (1.0 + BELOW) * opening, 0.8 * opening + 1.0
        source = bottom + np.maximum(v - bottom + rise, 0.0) * below / np.maximum(below + rise, 0.5)
        shown = limited((v - (bottom - rise)) / self.soft + 0.5, 1.0)
        return np.where(v < bottom + below, source - v, 0.0), shown

    def _tint(
        self, moved: Floats, skin: Floats, past: Floats, opening: Floats, unrolled: Floats, closing: float
    ) -> None:
        """Make the unrolled skin plain and round, and the line of the lashes whole. In place."""
        y, aside = limited(unrolled, 1.0), skin[3]
        wide = smooth(opening / (0.6 * self.tall))
        done = smooth(closing / CREASED)
        light = 1.0 + (BULGE * np.sin(np.pi * y) - OVERHANG * y * y * y - CORNERS * aside**2) * done
        plain = skin[:3] * light
        over = smooth((unrolled + 0.25) / 0.5) * smooth((1.3 - unrolled) / 0.15)
        share = PLAIN * done * over * wide
        # On the moved strip of lashes only what is darker than skin is lash: the white of the eye is left behind.
        strip = np.minimum(moved[:3], plain)
        on_strip = smooth(closing / 0.6) * smooth((unrolled - 0.9) / 0.1)
        if closing > INNER:
            # Below the lid's edge the strip holds some of the iris: there the lashes become a plain line.
            band = self.thick * opening
            line = np.exp(-(((past - 0.35 * band) / np.maximum(0.45 * band, 0.8)) ** 2))
            line *= smooth((1.05 - aside) / 0.4) * np.sqrt(wide)
            drawn = plain + (np.minimum(self.lash[:, None, None], plain) - plain) * (LINE * line)
            inner = smooth(past / np.maximum(0.3 * band, 0.5) + 0.5) * smooth((closing - INNER) / 0.5)
            strip += (drawn - strip) * inner
        target = plain + (strip - plain) * on_strip
        moved[:3] += (target - moved[:3]) * np.maximum(share, on_strip)
