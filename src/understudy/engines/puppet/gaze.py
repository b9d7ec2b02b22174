"""Gaze: the character's own irises, found in the reference, move between its lids."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from understudy.engines.puppet.eye_shape import drawn_eyes
from understudy.engines.puppet.eyes import Eye
from understudy.engines.puppet.relief import Bytes, FaceFrame, limited, planes, smooth
from understudy.tracking.iris import CORNERS, RADIUS, find_irises
from understudy.tracking.motion import Floats

COLUMNS, ROWS = 48, 9  # of an eye, looked at for its iris
BAND = (0.25, 0.8)  # of the opening, from above: without lashes and the lower rim
SIZES = (0.24, 0.78)  # of the eye's width: the smallest and the largest iris; people have 0.4, drawings more
USUAL, SPREAD = 0.42, 0.9  # of the eye's width; of the logarithm of a size over it
SURE = 0.4  # score of an iris that the tracker finds
CONTRAST = 14.0  # difference (Lab) of an iris and the white beside it
ALIKE = 1.5  # ratio of the two irises' sizes, at most
SMALLEST_PX = 7.0  # width of an eye
ROOM = 0.62  # share of the white on a side into which the iris may go
UP, DOWN = 0.16, 0.14  # of the opening: how far at most
WHOLE = 0.92  # of a gaze over the eye's width: found eyes are a little longer than the mesh's
FOLLOWS = 0.3  # of the opening: how near a lid the eye's picture follows the lid's line
RIM = 0.06  # of the opening below the lower line: the iris may reach there
LASHES = 0.14  # of the opening below the upper line: they stay


@dataclass(frozen=True)
class Gaze:
    """One eye in a small box of the face's box, and its iris.

    The eye's picture moves as a whole where the iris is and is squeezed and stretched in the white on either side;
    near the lids it follows their lines. Nothing has to be cut out or made up, so nothing can be left behind.
    """

    x0: int
    y0: int
    places: Floats  # (h, w, 2) u and v of the box's pixels, in the face's frame
    eye: Eye
    iris: tuple[float, float]  # left and right end of the iris along u
    most: tuple[float, float]  # how far it may go to the left and right, in pixels
    frame: FaceFrame

    @classmethod
    def pair(
        cls, eyes: tuple[Eye | None, Eye | None], texture: Bytes, mesh: Floats, frame: FaceFrame
    ) -> tuple[Gaze | None, Gaze | None]:
        """The irises of both eyes; None where they cannot be told from the white.

        ``mesh`` and ``frame`` are in the texture's pixels.
        """
        if eyes == (None, None):
            eyes = drawn_eyes(texture, mesh, frame) or eyes
        found = [None if e is None else _stretch(texture, e, frame) for e in eyes]
        sizes = [
            (f[1] - f[0]) / e.width
            for f, e in zip(found, eyes, strict=True)
            if f is not None and e is not None
        ]
        if len(sizes) < sum(e is not None for e in eyes) or not sizes or max(sizes) > ALIKE * min(sizes):
            found = _discs(texture, eyes, mesh, frame)
        made = [
            None if e is None or f is None else cls._of(e, f, texture.shape[:2], frame)
            for e, f in zip(eyes, found, strict=True)
        ]
        if all(m is None for m in made):
            return None, None
        # Eyes that come to a stop at different places would squint.
        most = np.min([np.array(m.most) / m.eye.width for m in made if m is not None], axis=0)
        left, right = (m if m is None else m._limited(most) for m in made)
        return left, right

    @classmethod
    def _of(cls, eye: Eye, iris: tuple[float, float], size: tuple[int, ...], frame: FaceFrame) -> Gaze | None:
        u, v = np.concatenate([eye.u, eye.u]), np.concatenate([eye.upper, eye.lower])
        outline = frame.turn(u, v) + frame.origin
        x0, y0 = (max(int(i), 0) for i in np.floor(outline.min(axis=0) - 2))
        x1, y1 = (int(i) for i in np.ceil(outline.max(axis=0) + 3))
        x1, y1 = min(x1, size[1]), min(y1, size[0])
        if x1 - x0 < 3 or y1 - y0 < 3:
            return None
        places = frame.into(np.stack(np.meshgrid(np.arange(x0, x1), np.arange(y0, y1)), axis=-1))
        most = (ROOM * max(iris[0] - eye.corners[0], 0.0), ROOM * max(eye.corners[1] - iris[1], 0.0))
        return cls(x0, y0, places.astype(np.float32), eye, iris, most, frame)

    def _limited(self, most: Floats) -> Gaze:
        left, right = (float(m) * self.eye.width for m in most)
        return Gaze(self.x0, self.y0, self.places, self.eye, self.iris, (left, right), self.frame)

    def draw(self, patch: Bytes, texture: Bytes, where: Floats, gaze: tuple[float, float]) -> None:
        """Look aside (above 0 to the picture's right) and down, in eye widths, in ``patch``.

        ``where`` is the map of the face's box, source pixels.
        """
        aside, down = self._eased(*gaze)
        if abs(aside) < 0.02 and abs(down) < 0.02:
            return
        h, w = self.places.shape[:2]
        box = slice(self.y0, self.y0 + h), slice(self.x0, self.x0 + w)
        x, y = planes(where[box])
        here = x - np.float32(self.x0), y - np.float32(self.y0)
        u, v = planes(cv2.remap(self.places, *here, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))
        (across, lower), share = self._shift(u, v, aside, down)
        seen = cv2.remap(texture, x + across, y + lower, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        part = planes(patch[box])
        part += (planes(seen) - part) * share
        patch[box] = cv2.merge(list(limited(part + 0.5, 255).astype(np.uint8)))

    def _eased(self, aside: float, down: float) -> tuple[float, float]:
        """The gaze in pixels, coming to a stop before the iris leaves the eye."""
        width, tall = WHOLE * self.eye.width, self.eye.tall
        room = self.most[1] if aside > 0 else self.most[0]
        high = (DOWN if down > 0 else UP) * tall
        return (
            room * float(np.tanh(aside * width / room)) if room > 0.1 else 0.0,
            high * float(np.tanh(down * width / high)) if high > 0.1 else 0.0,
        )

    def _shift(self, u: Floats, v: Floats, aside: float, down: float) -> tuple[tuple[Floats, Floats], Floats]:
        """(h, w) in the picture's x and y from each pixel to its source, and how much of it is the eye's."""
        eye = self.eye
        start, stop = eye.corners
        left, right = self.iris[0] + aside, self.iris[1] + aside
        along = np.minimum((u - start) / max(left - start, 0.5), (stop - u) / max(stop - right, 0.5))
        source = u - aside * limited(along, 1.0)
        top, bottom = (_along(u, eye.u, line) for line in (eye.upper, eye.lower))
        their_top, their_bottom = (_along(source, eye.u, line) for line in (eye.upper, eye.lower))
        tall = np.maximum(bottom - top, 1e-3)
        above, below = (v - top) / tall, (bottom - v) / tall
        rows = (their_top - top) * smooth(1.0 - above / FOLLOWS)
        rows += (their_bottom - bottom) * smooth(1.0 - below / FOLLOWS)
        # The lid from which the iris moves away holds the eye's picture; under the other one it slips.
        held = smooth((above if down > 0 else below) / 0.5)
        rows -= down * held * limited(along, 1.0)
        share = limited(v - top - LASHES * tall + 0.5, 1.0) * limited(bottom + RIM * tall - v + 0.5, 1.0)
        share *= limited(along * 4.0, 1.0) * (tall > 0.5)
        a, b = self.frame.along
        along_u = source - u
        return (along_u * a - rows * b, along_u * b + rows * a), share


def _along(u: Floats, places: Floats, line: Floats) -> Floats:
    return np.interp(u, places, line).astype(np.float32)


def _stretch(texture: Bytes, eye: Eye, frame: FaceFrame) -> tuple[float, float] | None:
    """Left and right end of the iris along u: the stretch that differs most from what is beside it (Otsu 1979).

    It must be darker or more coloured than the white of the eye.
    """
    start, stop = eye.corners
    if stop - start < SMALLEST_PX:
        return None
    u = start + (np.arange(COLUMNS) + 0.5) / COLUMNS * (stop - start)
    top, bottom = np.interp(u, eye.u, eye.upper), np.interp(u, eye.u, eye.lower)
    rows = np.linspace(*BAND, ROWS)[:, None]
    at = frame.turn(*np.broadcast_arrays(u[None], top + rows * (bottom - top))) + frame.origin
    seen = cv2.remap(
        texture[..., :3], at.astype(np.float32), None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    column = np.median(cv2.cvtColor(seen.astype(np.float32) / 255, cv2.COLOR_RGB2LAB), axis=0)
    # Corners show lids more than eye.
    weight = np.sqrt(np.clip((bottom - top) / max(eye.tall, 1e-3), 0.05, 1.0))
    total = np.concatenate([[np.zeros(3)], np.cumsum(column * weight[:, None], axis=0)])
    mass = np.concatenate([[0.0], np.cumsum(weight)])
    first, last = np.meshgrid(np.arange(2, COLUMNS - 2), np.arange(2, COLUMNS - 1), indexing="ij")
    size = np.maximum(last - first, 1) / COLUMNS
    fits = (last > first) & (size >= SIZES[0]) & (size <= SIZES[1])
    inside = np.where(fits, mass[last] - mass[first], mass[-1] / 2)
    within = total[last] - total[first]
    apart = within / inside[..., None] - (total[-1] - within) / (mass[-1] - inside)[..., None]
    share = inside / mass[-1]
    far = np.linalg.norm(apart, axis=-1)
    score = far * np.sqrt(share * (1.0 - share)) * np.exp(-((np.log(size / USUAL) / SPREAD) ** 2))
    score = np.where(fits & (apart[..., 0] < 2.0), score, 0.0)
    best = np.unravel_index(int(score.argmax()), score.shape)
    if score[best] <= 0 or far[best] < CONTRAST:
        return None
    ends = np.array([first[best], last[best]]) / COLUMNS * (stop - start) + start
    return float(ends[0]), float(ends[1])


def _discs(
    texture: Bytes, eyes: tuple[Eye | None, Eye | None], mesh: Floats, frame: FaceFrame
) -> list[tuple[float, float] | None]:
    """The same by the tracker's own means, for eyes that are alike enough to people's; all or none."""
    irises = find_irises(np.ascontiguousarray(texture[..., :3]), mesh)
    found: list[tuple[float, float] | None] = []
    for eye, iris, corners in zip(eyes, irises, CORNERS, strict=True):
        if eye is None:
            found.append(None)
            continue
        if iris[2] < SURE:
            return [None, None]
        radius = RADIUS * float(np.linalg.norm(mesh[corners[0]] - mesh[corners[1]]))
        middle = float(frame.into(iris[:2])[0])
        found.append((middle - radius, middle + radius))
    return found
