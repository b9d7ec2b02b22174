"""A drawn face on a modelled head: eyes that close, a mouth that opens.

Coordinates are those of the head: metres for a head of scale 1, origin between the eyes, x to the picture's right,
y up, z ahead.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from understudy.sample.skeleton import Skeleton
from understudy.sample.solid import Cone, Ellipsoid, Floats, Paint, Solid, linear, local, vec

EYE_X, EYE_Y, EYE_HALF = 0.033, 0.0, 0.0185
MOUTH_Y, MOUTH_HALF = -0.068, 0.026
NOSE_TIP = vec(0, -0.034, 0.105)


@dataclass(frozen=True)
class Complexion:
    """Colours as #rrggbb, and how the features are drawn."""

    skin: str
    shade: str  # lids' crease, nose's wings
    blush: str
    lips: str
    brow: str
    iris: str
    freckles: bool = False
    lash: float = 1.0  # thickness of the lash line
    eye: float = 1.0  # size of the eyes
    brow_weight: float = 1.0
    blush_strength: float = 0.35
    nose: float = 1.0  # size of the nose
    chin: float = 0.0  # metres by which the chin is shorter


def to_world(skeleton: Skeleton, point: Floats) -> Floats:
    """From the head's coordinates to world metres."""
    placed: Floats = skeleton.at["head"] + skeleton.build.head * (point @ skeleton.frames["head"])
    return placed


def skull(skeleton: Skeleton, chin: float) -> tuple[Solid, ...]:
    """Head, jaw, cheeks, nose, ears and neck."""
    scale, axes = skeleton.build.head, skeleton.frames["head"]
    drop = 0.012 * skeleton.stance.mouth

    def ball(x: float, y: float, z: float, rx: float, ry: float, rz: float) -> Ellipsoid:
        return Ellipsoid(to_world(skeleton, vec(x, y, z)), (rx * scale, ry * scale, rz * scale), axes)

    neck = Cone(
        skeleton.at["neck"] - skeleton.frames["chest"][1] * 0.03,
        to_world(skeleton, vec(0, -0.06, -0.02)),
        0.052 * scale**0.5,
        0.05 * scale**0.5,
    )
    return (
        ball(0, 0.022, -0.012, 0.079, 0.098, 0.094),
        ball(0, -0.052 + 0.5 * chin - drop * 0.4, 0.018, 0.060, 0.058, 0.066),
        ball(0, -0.092 + chin - drop, 0.046, 0.026, 0.022, 0.026),
        ball(0.040, -0.036, 0.048, 0.026, 0.026, 0.026),
        ball(-0.040, -0.036, 0.048, 0.026, 0.026, 0.026),
        neck,
    )


def nose(skeleton: Skeleton, size: float) -> tuple[Solid, ...]:
    """Blended less than the rest, so that it keeps its tip."""
    scale = skeleton.build.head

    def rod(a: Floats, b: Floats, ra: float, rb: float) -> Cone:
        return Cone(to_world(skeleton, a), to_world(skeleton, b), ra * scale, rb * scale)

    tip = vec(0, NOSE_TIP[1], 0.081 + 0.011 * size)
    wings = (
        rod(vec(x, -0.038, 0.083), vec(x, -0.0381, 0.083), 0.0075 * size, 0.0075 * size)
        for x in (-0.009 * size, 0.009 * size)
    )
    return rod(vec(0, -0.004, 0.078), tip, 0.006 * size, 0.0115 * size), *wings


def ears(skeleton: Skeleton) -> tuple[Solid, ...]:
    scale, axes = skeleton.build.head, skeleton.frames["head"]
    return tuple(
        Ellipsoid(
            to_world(skeleton, vec(side * 0.081, -0.008, -0.012)),
            (0.011 * scale, 0.025 * scale, 0.016 * scale),
            axes,
        )
        for side in (1, -1)
    )


def complexion(skeleton: Skeleton, c: Complexion) -> Paint:
    """The colours of the head's skin with everything that is drawn on it."""
    skin, dark, blush, lips = linear(c.skin), linear(c.shade), linear(c.blush), linear(c.lips)
    origin, frame, scale = skeleton.at["head"], skeleton.frames["head"], skeleton.build.head
    s = skeleton.stance

    def paint(points: Floats) -> Floats:
        u, v, w = local(points, origin, frame, scale)
        rgb = np.repeat(skin[None], len(u), axis=0)
        front = (w > 0.015).astype(np.float32)
        for side in (1, -1):
            near = np.exp(-(((u - side * 0.046) / 0.022) ** 2) - ((v + 0.036) / 0.017) ** 2)
            _over(rgb, blush, c.blush_strength * near * front)
            nostril = np.exp(-(((u - side * 0.0075) / 0.004) ** 2) - ((v + 0.0425) / 0.0026) ** 2)
            _over(rgb, dark, 0.75 * nostril * front)
            _eye(rgb, u, v, front, side, c, s.blink, s.brows)
        if c.freckles:
            for x, y in FRECKLES:
                for side in (1, -1):
                    _over(rgb, dark, 0.5 * _below(np.hypot(u - side * x, v - y) - 0.0019, 0.001) * front)
        _mouth(rgb, u, v, front, lips, dark, s.mouth, s.smile)
        return rgb

    return paint


FRECKLES = (
    (0.028, -0.026),
    (0.037, -0.031),
    (0.046, -0.026),
    (0.033, -0.037),
    (0.044, -0.037),
    (0.010, -0.024),
)


def _below(distance: Floats, soft: float = 0.0011) -> Floats:
    """1 inside a signed distance, 0 outside, soft edge in metres."""
    t = np.clip(0.5 - distance / soft, 0, 1)
    result: Floats = t * t * (3 - 2 * t)
    return result


def _over(rgb: Floats, colour: Floats, cover: Floats) -> None:
    rgb += (colour - rgb) * cover[:, None].astype(np.float32)


def _eye(
    rgb: Floats, u: Floats, v: Floats, front: Floats, side: int, c: Complexion, blink: float, brows: float
) -> None:
    half = EYE_HALF * c.eye
    x = (u - side * EYE_X) * side  # grows outwards
    y = v - EYE_Y - 0.06 * x  # the outer corner lies a little higher
    t = np.clip(1 - (x / half) ** 2, 0, 1)
    lid_up = t**0.75 * (0.0135 * c.eye * (1 - blink) - 0.0055 * c.eye * blink)
    lid_low = -(t**0.85) * 0.0085 * c.eye
    inside = _below(np.maximum(y - lid_up, lid_low - y)) * (np.abs(x) < half) * front
    _over(rgb, linear(c.shade), 0.35 * _band(y - lid_up - 0.0065 * c.eye, 0.0011) * (t > 0.05) * front)
    white = vec(0.93, 0.93, 0.95) * (0.72 + 0.28 * np.clip((lid_up - y) / 0.006, 0, 1))[:, None]
    iris_x, iris_y = x + 0.0012, y - 0.0012
    r = np.hypot(iris_x, iris_y) / c.eye
    colour = (
        np.broadcast_to(linear(c.iris), rgb.shape) * (0.75 + 0.9 * np.clip(-iris_y / 0.01, 0, 1))[:, None]
    )
    eye = white + (colour - white) * _below(r - 0.0098)[:, None]
    eye = (
        eye
        + (vec(0.012, 0.01, 0.012) - eye)
        * np.maximum(_below(r - 0.0052), 0.75 * _band(r - 0.0098, 0.0012))[:, None]
    )
    glint = _below(np.hypot(u - side * EYE_X + 0.0034, iris_y - 0.0044) / c.eye - 0.0026)
    eye = eye + (1.0 - eye) * glint[:, None]
    rgb += (eye - rgb) * inside[:, None].astype(np.float32)
    ink = vec(0.02, 0.012, 0.012)
    wing = np.clip((x / half + 0.6) / 1.6, 0, 1)
    line = _below(np.abs(y - lid_up) - (0.0007 + 0.0015 * wing) * c.lash, 0.0009)
    _over(rgb, ink, line * (np.abs(x) < half * 1.02) * front)
    _over(rgb, linear(c.shade), 0.5 * _band(y - lid_low, 0.0009) * (t > 0.1) * front)
    arch = 0.0305 + 0.006 * brows + 0.0045 * (1 - ((x - 0.001) / 0.022) ** 2)
    thick = (0.0036 - 0.0018 * np.clip(x / 0.022, -0.4, 1)) * c.brow_weight
    brow = np.maximum(np.abs(v - arch) - thick, np.abs(x - 0.002) - 0.0235)
    _over(rgb, linear(c.brow), 0.95 * _below(brow, 0.0022) * front)


def _band(distance: Floats, width: float) -> Floats:
    result: Floats = np.exp(-((distance / width) ** 2))
    return result


def _mouth(
    rgb: Floats, u: Floats, v: Floats, front: Floats, lips: Floats, dark: Floats, open_: float, smile: float
) -> None:
    half = MOUTH_HALF * (1 + 0.08 * smile - 0.14 * open_)
    t = np.clip(1 - (u / half) ** 2, 0, 1)
    line = MOUTH_Y + 0.0085 * smile * (u / half) ** 2 * (np.abs(u) < half * 1.3) - 0.004 * smile
    top = line + 0.004 * open_ * t
    bottom = line - (0.0265 * open_) * t**0.75
    cupid = 1 - 0.3 * np.exp(-((u / 0.006) ** 2))
    lip_top = top + 0.0052 * t**0.8 * cupid
    lip_low = bottom - 0.0075 * t**0.7
    within = (np.abs(u) < half) * front
    _over(rgb, lips, 0.85 * _below(np.maximum(v - lip_top, lip_low - v), 0.0014) * within)
    hole = _below(np.maximum(v - top, bottom - v), 0.0011) * within * min(1.0, open_ * 8)
    inner = np.repeat(vec(0.055, 0.008, 0.012)[None], len(u), axis=0)
    teeth = _below(top - 0.0075 * min(1.0, open_ * 2.2) - v, 0.0012)
    tongue = _below(np.hypot(u / 1.5, v - (MOUTH_Y - 0.034 * open_)) - 0.0095, 0.002)
    _over(inner, vec(0.55, 0.12, 0.12), tongue)
    _over(inner, vec(0.9, 0.88, 0.85), teeth)
    rgb += (inner - rgb) * hole[:, None].astype(np.float32)
    crease = _band(v - line, 0.0012) * (np.abs(u) < half * 1.06) * front * (1 - min(1.0, open_ * 8))
    _over(rgb, dark, 0.85 * crease)
    for side in (1, -1):
        corner = np.exp(-(((u - side * half) / 0.0035) ** 2) - ((v - line) / 0.0028) ** 2)
        _over(rgb, dark, (0.55 * corner * front).astype(np.float32))
    chin = np.exp(-((u / 0.011) ** 2) - ((v - lip_low + 0.0045) / 0.003) ** 2)
    _over(rgb, dark, np.float32(0.22) * chin * front)
