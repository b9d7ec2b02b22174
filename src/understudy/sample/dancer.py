"""The dancer of the driving video."""

from __future__ import annotations

import numpy as np

from understudy.sample.body import SIDES, hand, head_groups, limb, part
from understudy.sample.face import Complexion, to_world
from understudy.sample.skeleton import Build, Skeleton
from understudy.sample.solid import (
    Cone,
    Ellipsoid,
    Floats,
    Group,
    Paint,
    Ring,
    Solid,
    linear,
    local,
    plain,
    vec,
)

BUILD = Build(head=1.12)
DANCER = Complexion(
    skin="#a8683f",
    shade="#4a2413",
    blush="#b4503a",
    lips="#8a4038",
    brow="#1a100c",
    iris="#3a2013",
    lash=0.9,
    eye=1.08,
    brow_weight=1.15,
    blush_strength=0.25,
)

SAND = "#d8b98a"


def dancer(k: Skeleton) -> list[Group]:
    """Short dark hair, a blue T-shirt with a sun on it, sand-coloured trousers, white trainers."""
    skin = plain(DANCER.skin)
    at, chest = k.at, k.frames["chest"]
    groups = head_groups(k, DANCER)
    groups.append(Group("hair", _short_hair(k), plain("#1d1513"), 0.022, 0.10))
    trousers = _seat(k)
    for name, side in SIDES:
        elbow, wrist = at[f"{name} elbow"], at[f"{name} wrist"]
        arm = limb(at[f"{name} shoulder"], elbow, 0.044, 0.0345) + limb(elbow, wrist, 0.0345, 0.0245, 0.003)
        groups.append(Group(f"{name} arm", arm, skin, 0.010, 0.06, True))
        groups.append(Group(f"{name} hand", hand(k, name), skin, 0.008, 0.05, True))
        hip, knee, ankle = at[f"{name} hip"], at[f"{name} knee"], at[f"{name} ankle"]
        trousers += _trouser(groups, k, name, side, hip, knee, ankle)
        _trainer(groups, k, name, "#f4f1ea", "#e4573d", "#d9d4ca")
    groups.append(Group("trousers", trousers, plain(SAND), 0.020))
    shirt: list[Solid] = list(_torso(k, 1.0))
    sleeves: list[Solid] = []
    for name, side in SIDES:
        shoulder, elbow = at[f"{name} shoulder"], at[f"{name} elbow"]
        root = shoulder - chest[0] * side * 0.035
        shirt.append(Cone(root, shoulder, 0.060, 0.055))
        sleeves.append(Cone(shoulder, part(shoulder, elbow, 0.58), 0.056, 0.063, cut=True))
    body = tuple(shirt + sleeves)
    groups.append(Group("shirt", body, _sun_shirt(k), 0.028))
    groups.append(Group("collar", _collar(k), plain("#f5efe2"), 0.01))
    return groups


def _torso(k: Skeleton, girth: float) -> tuple[Solid, ...]:
    at, hips, chest = k.at, k.frames["hips"], k.frames["chest"]
    top = at["chest"] - chest[1] * 0.075 + chest[2] * 0.005
    low = at["hips"] - hips[1] * 0.012
    waist = at["waist"]
    deep = {"flat": 0.70, "across": chest[2]}
    return (
        Cone(top + chest[0] * 0.05, waist + chest[0] * 0.03, 0.122 * girth, 0.105 * girth, **deep),
        Cone(top - chest[0] * 0.05, waist - chest[0] * 0.03, 0.122 * girth, 0.105 * girth, **deep),
        Cone(waist, low, 0.133 * girth, 0.174 * girth, cut=True, flat=0.72, across=hips[2]),
        Cone(at["chest"] - chest[1] * 0.02, at["chest"] + chest[1] * 0.02, 0.055, 0.045),
    )


def _seat(k: Skeleton) -> tuple[Solid, ...]:
    at, hips = k.at, k.frames["hips"]
    return (Ellipsoid(at["hips"] - hips[1] * 0.01, (0.146, 0.115, 0.098), hips),)


def _trouser(
    groups: list[Group], k: Skeleton, name: str, side: int, hip: Floats, knee: Floats, ankle: Floats
) -> tuple[Solid, ...]:
    """One leg; its turn-up and its sock are groups of their own."""
    cuff = part(knee, ankle, 0.86)
    root = hip - k.frames["hips"][0] * side * 0.014
    turn_up = Cone(part(knee, ankle, 0.77), cuff, 0.0605, 0.0605, cut=True)
    groups.append(Group(f"{name} cuff", (turn_up,), plain("#c29f6c"), 0.01))
    sock = Cone(part(knee, ankle, 0.8), ankle, 0.036, 0.036)
    groups.append(Group(f"{name} sock", (sock,), plain("#f7f4ee"), 0.01))
    return Cone(root, knee, 0.078, 0.050), Cone(knee, cuff, 0.050, 0.057, cut=True)


def _trainer(groups: list[Group], k: Skeleton, name: str, upper: str, accent: str, sole: str) -> None:
    foot = k.frames[f"{name} foot"]
    ankle = k.at[f"{name} ankle"]

    def place(x: float, y: float, z: float) -> Floats:
        placed: Floats = (ankle + vec(x, y, z) @ foot).astype(np.float32)
        return placed

    white, red = linear(upper), linear(accent)

    def paint(points: Floats) -> Floats:
        x, y, z = local(points, ankle, foot)
        stripe = np.abs(z * 0.9 + y * 0.6 - 0.045) < 0.013
        stripe |= z < -0.035
        laces = (np.abs(x) < 0.02) & (y > -0.03) & (z > 0.03)
        rgb = np.where((stripe & ~laces)[:, None], red, white)
        result: Floats = rgb.astype(np.float32)
        return result

    shoe = (
        Ellipsoid(place(0, -0.044, 0.108), (0.048, 0.036, 0.076), foot),
        Cone(place(0, -0.028, -0.015), place(0, -0.032, 0.09), 0.044, 0.038),
        Cone(place(0, 0.012, -0.004), place(0, -0.02, 0.01), 0.042, 0.044),
    )
    groups.append(Group(f"{name} shoe", shoe, paint, 0.03, 0.06))
    base = (Ellipsoid(place(0, -0.068, 0.052), (0.050, 0.017, 0.134), foot, power=3.0),)
    groups.append(Group(f"{name} sole", base, plain(sole), 0.01))


def _short_hair(k: Skeleton) -> tuple[Solid, ...]:
    scale, axes = k.build.head, k.frames["head"]

    def ball(x: float, y: float, z: float, rx: float, ry: float, rz: float) -> Ellipsoid:
        return Ellipsoid(to_world(k, vec(x, y, z)), (rx * scale, ry * scale, rz * scale), axes)

    solids: list[Solid] = [
        ball(0, 0.058, -0.034, 0.086, 0.080, 0.086),
        ball(0, 0.01, -0.05, 0.079, 0.07, 0.064),
    ]
    for x, y, z, r in (
        (-0.058, 0.092, 0.030, 0.028),
        (-0.028, 0.108, 0.046, 0.032),
        (0.008, 0.116, 0.050, 0.034),
        (0.042, 0.106, 0.040, 0.030),
        (0.064, 0.086, 0.022, 0.025),
        (-0.034, 0.134, 0.012, 0.034),
        (0.012, 0.142, 0.010, 0.038),
        (0.048, 0.128, 0.000, 0.032),
    ):
        solids.append(ball(x, y, z, r, r, r))
    return tuple(solids)


def _collar(k: Skeleton) -> tuple[Solid, ...]:
    chest = k.frames["chest"]
    return (
        Ring(
            k.at["chest"] + chest[1] * 0.047 + chest[2] * 0.006, (chest[1] + 0.25 * chest[2]), 0.052, 0.0105
        ),
    )


def _sun_shirt(k: Skeleton) -> Paint:
    blue, white, yellow = linear("#2f62c8"), linear("#f5efe2"), linear("#ffc23d")
    origin, frame = k.at["chest"], k.frames["chest"]
    reach = k.build.shoulder

    def paint(points: Floats) -> Floats:
        x, y, z = local(points, origin, frame)
        y = y + np.float32(0.165)
        rgb = np.repeat(blue[None], len(x), axis=0)
        on_front = (z > 0.02) & (np.abs(x) < reach)
        r = np.hypot(x, y)
        rgb[on_front & (r < 0.043)] = yellow
        rays = (np.cos(12 * np.arctan2(y, x)) > 0.1) & (r > 0.052) & (r < 0.072)
        rgb[on_front & rays] = yellow
        band = np.zeros(len(x), bool)
        for name, _ in SIDES:
            shoulder, elbow = k.at[f"{name} shoulder"], k.at[f"{name} elbow"]
            along = (points - shoulder) @ ((elbow - shoulder) / k.build.upper_arm)
            away = np.linalg.norm(
                points - shoulder - along[:, None] * (elbow - shoulder) / k.build.upper_arm, axis=1
            )
            band |= (along > 0.128) & (along < 0.150) & (away < 0.075)
        rgb[band] = white
        return rgb

    return paint
