"""The face template: a mean human face that is bent to the eyes, the mouth and the chin of any other.

The rig of a face wants the 468 landmarks of Face Mesh. A face that the network does not see gets the template's, moved
by a thin-plate spline (Bookstein 1989) so that what was found of it lies where it was found, and the rest between.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from understudy.tracking.face_lines import INNER_LOWER, INNER_UPPER, OUTER_LOWER, OUTER_UPPER
from understudy.tracking.motion import Floats
from understudy.tracking.thin_plate import ThinPlate

# In the published numbering of Face Mesh, the picture's left (own right) eye first; corners from left to right.
UPPER = ((33, 246, 161, 160, 159, 158, 157, 173, 133), (362, 398, 384, 385, 386, 387, 388, 466, 263))
LOWER = ((33, 7, 163, 144, 145, 153, 154, 155, 133), (362, 382, 381, 380, 374, 373, 390, 249, 263))
NOSE, CHIN, CROWN, SIDES = 1, 152, 10, (234, 454)
APART = 0.695  # between the eyes' middles, over the distance of their outer corners
FLAT = 0.8  # of a human face's depth: what is drawn is flatter, or hides it
ROUND = 0.7  # of the eyes' outlines: 0.5 is an ellipse, 1 a lens
LIP = 0.12  # of the mouth's width: the least height of both lips together


@dataclass(frozen=True)
class Features:
    """What was found of a face, in pixels: ``u`` along the eyes from their middle, ``v`` down.

    ``eyes`` (2, 4) are boxes, x and y of the middle in the picture, width and height along u and v, the picture's left
    eye first. ``mouth`` (4,) is its smallest and largest u and v, or None; ``chin`` its v, ``sides`` (2,) u of the
    face's borders, or None.
    """

    eyes: Floats
    mouth: Floats | None = None
    chin: float | None = None
    sides: Floats | None = None

    @property
    def middle(self) -> Floats:
        return np.asarray(self.eyes[:, :2].mean(axis=0), np.float32)

    @property
    def apart(self) -> float:
        return max(float(np.linalg.norm(self.eyes[1, :2] - self.eyes[0, :2])), 1e-3)

    @property
    def along(self) -> Floats:
        return np.asarray((self.eyes[1, :2] - self.eyes[0, :2]) / self.apart, np.float32)

    @property
    def down(self) -> Floats:
        return np.array([-self.along[1], self.along[0]], np.float32)

    def into(self, points: Floats) -> Floats:
        """Places (N, 2) of the picture as u and v."""
        off = np.asarray(points, np.float32) - self.middle
        return np.stack([off @ self.along, off @ self.down], axis=1)


@cache
def template() -> Floats:
    """(468, 3) the mean face, frontal and at rest; made by `scripts/face_template.py`.

    Lengths over the distance of the outer eye corners, from the middle between them: x right, y down, z smaller is
    nearer.
    """
    face = np.load(Path(__file__).with_name("face_template.npy"), allow_pickle=False).astype(np.float32)
    face[list(INNER_UPPER), 1] = face[list(INNER_LOWER), 1] = (
        face[list(INNER_UPPER), 1] + face[list(INNER_LOWER), 1]
    ) / 2
    return np.asarray(face, np.float32)


def at_rest(mesh: Floats) -> Floats:
    """The unbent template (468, 3) where a bent one lies: what a person's face would be like at rest there."""
    eyes = np.stack([mesh[[line[0], line[-1]], :2].mean(axis=0) for line in UPPER])
    place = Features(np.concatenate([eyes, np.ones((2, 2), np.float32)], axis=1))
    face = template() / APART * np.float32(place.apart)
    at = place.middle + face[:, :1] * place.along + face[:, 1:2] * place.down
    return np.concatenate([at, face[:, 2:]], axis=1).astype(np.float32)


def bent(features: Features) -> Floats:
    """The template (468, 3) in pixels of the picture, bent to the features."""
    face = template() / APART  # over the distance between the eyes' middles
    frm, to = _control(face, features)
    spline = ThinPlate.through(frm, to - frm, smoothing=1e-4)
    flat = face[:, :2] + spline(face[:, :2])
    flat = flat * features.apart
    _put_eyes(flat, face, features)
    if features.mouth is not None:
        _put_mouth(flat, features.mouth)
    at = features.middle + flat[:, :1] * features.along + flat[:, 1:] * features.down
    return np.concatenate([at, face[:, 2:] * features.apart * FLAT], axis=1).astype(np.float32)


def moved_to(mesh: Floats, features: Features, *, closed: bool = False) -> Floats:
    """A mesh (468, 3) whose eyes fit, with mouth and chin where the features have them; its sides stay.

    With ``closed`` the lips are laid along the mouth's middle line, else they keep the mesh's shape.
    """
    if features.mouth is None:
        return mesh
    left, right, top, bottom = (float(x) for x in features.mouth)
    frm = mesh[[33, 133, 362, 263, CHIN, CROWN, *SIDES, 61, 291], :2].astype(np.float64)
    to = frm.copy()
    for row, u in ((8, left), (9, right)):
        to[row] = features.middle + u * features.along + (top + bottom) / 2 * features.down
    if features.chin is not None:
        to[4] += (features.chin - features.into(frm[4:5])[0, 1]) * features.down
    scale = features.apart
    spline = ThinPlate.through(frm / scale, (to - frm) / scale, smoothing=1e-3)
    out = mesh.copy()
    out[:, :2] += (spline(mesh[:, :2] / scale) * scale).astype(np.float32)
    if closed:
        flat = features.into(out[:, :2])
        _put_mouth(flat, features.mouth)
        lips = list(dict.fromkeys(OUTER_UPPER + OUTER_LOWER + INNER_UPPER + INNER_LOWER))
        out[lips, :2] = features.middle + flat[lips, :1] * features.along + flat[lips, 1:] * features.down
    return out


def with_eyes(mesh: Floats, eyes: Floats) -> Floats:
    """A mesh (468, 3) whose eyes' lines fill boxes (2, 4), as in `Features`."""
    features = Features(eyes)
    flat = features.into(mesh[:, :2])
    _put_eyes(flat, template(), features)
    lines = list(dict.fromkeys(i for line in (*UPPER, *LOWER) for i in line))
    out = mesh.copy()
    out[lines, :2] = features.middle + flat[lines, :1] * features.along + flat[lines, 1:] * features.down
    return out


def _control(face: Floats, features: Features) -> tuple[Floats, Floats]:
    """Places in the template and where they belong, (N, 2) each, over the eyes' distance."""
    apart = features.apart
    frm: list[Floats] = []
    to: list[Floats | tuple[float, float]] = []

    def pin(index: int, u: float, v: float) -> None:
        frm.append(face[index, :2])
        to.append((u, v))

    for side, sign in ((0, -0.5), (1, 0.5)):
        w, h = (float(x) / apart / 2 for x in features.eyes[side, 2:])
        left, right = UPPER[side][0], UPPER[side][-1]
        pin(left, sign - w, 0.0)
        pin(right, sign + w, 0.0)
        pin(UPPER[side][4], sign, -h)
        pin(LOWER[side][4], sign, h)
    grown = 1.0
    if features.mouth is not None:
        left_u, right_u, top, bottom = (float(x) / apart for x in features.mouth)
        at = (top + bottom) / 2
        grown = at / float(face[13, 1])
        pin(61, left_u, at)
        pin(291, right_u, at)
    else:
        pin(61, *face[61, :2])
        pin(291, *face[291, :2])
    pin(NOSE, 0.0, grown * float(face[NOSE, 1]))
    chin = grown * float(face[CHIN, 1]) if features.chin is None else features.chin / apart
    pin(CHIN, 0.0, chin)
    pin(CROWN, 0.0, float(face[CROWN, 1]))
    sides = face[list(SIDES), 0] if features.sides is None else features.sides / apart
    for index, u in zip(SIDES, sides, strict=True):
        pin(index, float(u), 0.5 * (0.3 / APART + 0.25 * chin))
    return np.array(frm, np.float64), np.array(to, np.float64)


def _put_eyes(flat: Floats, face: Floats, features: Features) -> None:
    """Lay the eyes' lines on rounded lenses, over what the spline made of them."""
    for side, sign in ((0, -0.5), (1, 0.5)):
        w, h = (float(x) / 2 for x in features.eyes[side, 2:])
        middle = sign * features.apart
        for line, way in ((UPPER[side], -1.0), (LOWER[side], 1.0)):
            at = face[list(line), 0]
            t = np.clip(2 * (at - at[0]) / (at[-1] - at[0]) - 1, -1, 1)
            flat[list(line), 0] = middle + t * w
            flat[list(line), 1] = way * h * (1 - t * t) ** ROUND


def _put_mouth(flat: Floats, mouth: Floats) -> None:
    """Lay closed lips along the mouth's middle line, as thick as the mark or a little thicker."""
    left, right, top, bottom = (float(x) for x in mouth)
    half = max((bottom - top) / 2, LIP / 2 * (right - left))
    t = np.linspace(-1, 1, len(OUTER_UPPER))
    bow = 1 - t * t
    u, v = (left + right) / 2 + t * (right - left) / 2, (top + bottom) / 2
    for line, wide, tall in (
        (OUTER_UPPER, 1.0, -half),
        (OUTER_LOWER, 1.0, half),
        (INNER_UPPER, 0.93, 0.0),
        (INNER_LOWER, 0.93, 0.0),
    ):
        flat[list(line), 0] = (left + right) / 2 + wide * (u - (left + right) / 2)
        flat[list(line), 1] = v + tall * bow
