"""The explorer of the reference image: a padded jacket, a woollen hat, boots and a rucksack."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from understudy.sample.body import SIDES, hand, head_groups, limb, part
from understudy.sample.face import Complexion, to_world
from understudy.sample.skeleton import Arm, Build, Skeleton, Stance
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

BUILD = Build(
    shoulder=0.148,
    hip=0.088,
    spine=0.43,
    neck=0.045,
    upper_arm=0.245,
    forearm=0.225,
    hand=0.080,
    thigh=0.375,
    shin=0.355,
    ankle=0.095,
    foot=0.145,
    head=1.34,
)
STANCE = Stance(
    left=Arm(out=36, forth=2, fore_out=30, fore_forth=12, palm=(-0.45, 0.1, 0.9), curl=0.12),
    right=Arm(out=36, forth=2, fore_out=30, fore_forth=12, palm=(0.45, 0.1, 0.9), curl=0.12),
    feet=((0.155, 0, 0), (-0.155, 0, 0)),
    toes_out=26,
    drop=0.006,
    smile=1.25,
    brows=0.7,
)
EXPLORER = Complexion(
    skin="#f6cba9",
    shade="#a8583c",
    blush="#ee7f6a",
    lips="#cf5f5c",
    brow="#8a3d1c",
    iris="#2f7f6e",
    freckles=True,
    lash=1.25,
    eye=1.46,
    brow_weight=0.8,
    blush_strength=0.45,
    nose=0.72,
    chin=0.013,
)
CORAL, CORAL_DARK, MUSTARD, CREAM = "#ef6a4c", "#c94b36", "#f2b134", "#f7ead2"
TEAL, BROWN, LEATHER, GINGER = "#27505c", "#7a4a2c", "#6b4226", "#c8602a"


def explorer(k: Skeleton) -> list[Group]:
    """The figure's groups, from the head down."""
    at, chest, hips = k.at, k.frames["chest"], k.frames["hips"]
    groups = head_groups(k, EXPLORER)
    groups.append(Group("hair", _bob(k), _strands(k), 0.018, 0.12))
    groups.append(Group("hat", _hat(k), _wool(k), 0.012))
    groups.append(Group("brim", _brim(k), _ribs(k), 0.02))
    groups.append(Group("pompom", _pompom(k), plain(CREAM), 0.006))
    groups.append(Group("scarf", _scarf(k), _stripes(k), 0.012))
    groups.append(Group("jacket", _jacket(k), _jacket_paint(k), 0.012, 0.05))
    for name, side in SIDES:
        elbow, wrist = at[f"{name} elbow"], at[f"{name} wrist"]
        groups.append(Group(f"{name} hand", hand(k, name, 0.98), plain(EXPLORER.skin), 0.008, 0.05, True))
        forearm = Cone(part(elbow, wrist, 0.6), part(elbow, wrist, 1.12), 0.026, 0.025)
        groups.append(Group(f"{name} wrist", (forearm,), plain(EXPLORER.skin), 0.008, 0.05, True))
        cuff = Cone(part(elbow, wrist, 0.86), part(elbow, wrist, 0.985), 0.0405, 0.0385, cut=True)
        groups.append(Group(f"{name} cuff", (cuff,), plain(MUSTARD), 0.006))
        hip, knee, ankle = at[f"{name} hip"], at[f"{name} knee"], at[f"{name} ankle"]
        leg = (*limb(hip - hips[0] * side * 0.016, knee, 0.070, 0.060), Cone(knee, ankle, 0.060, 0.050))
        groups.append(Group(f"{name} leg", leg, plain(TEAL), 0.012))
        pad = Ellipsoid(knee + vec(0, 0.005, 0.036), (0.042, 0.056, 0.030), np.eye(3, dtype=np.float32), 3.0)
        groups.append(Group(f"{name} patch", (pad,), plain("#1f404b"), 0.01))
        _boot(groups, k, name)
    groups.append(Group("seat", (Ellipsoid(at["hips"], (0.142, 0.10, 0.10), hips),), plain(TEAL), 0.03))
    _rucksack(groups, k, chest)
    return groups


def _jacket(k: Skeleton) -> tuple[Solid, ...]:
    """Quilted: a column of flat rolls from collar to hem, and rolls along the sleeves."""
    at, hips, chest = k.at, k.frames["hips"], k.frames["chest"]
    top, low = at["chest"] - chest[1] * 0.05, at["hips"] - hips[1] * 0.075
    solids: list[Solid] = []
    for i, width in enumerate((0.128, 0.146, 0.150, 0.152, 0.158, 0.164, 0.168)):
        centre = part(top, low, i / 6)
        solids.append(Ellipsoid(centre, (width, 0.064, 0.108 + 0.002 * i), hips if i > 2 else chest, 2.6))
    for name, side in SIDES:
        shoulder, elbow, wrist = (at[f"{name} {joint}"] for joint in ("shoulder", "elbow", "wrist"))
        solids.append(Cone(shoulder - chest[0] * side * 0.06, shoulder, 0.062, 0.056))
        sleeve = [part(shoulder, elbow, t) for t in (0.02, 0.30, 0.60, 0.90)]
        sleeve += [part(elbow, wrist, t) for t in (0.22, 0.52, 0.80)]
        for start, stop, r in zip(
            sleeve[:-1], sleeve[1:], (0.058, 0.056, 0.054, 0.052, 0.050, 0.047), strict=True
        ):
            solids.append(Cone(part(start, stop, 0.42), part(start, stop, 0.58), r * 1.04, r * 1.03))
    return tuple(solids)


def _jacket_paint(k: Skeleton) -> Paint:
    coral, dark, mustard, cream = (linear(c) for c in (CORAL, CORAL_DARK, MUSTARD, CREAM))
    origin, frame = k.at["chest"], k.frames["chest"]

    def paint(points: Floats) -> Floats:
        x, y, z = local(points, origin, frame)
        rgb = np.repeat(coral[None], len(x), axis=0)
        front = z > 0.03
        rgb[front & (np.abs(x) < 0.0125)] = mustard
        rgb[front & (np.abs(x) < 0.0035)] = dark
        for side in (1, -1):
            u, v = (x - side * 0.088) * side, y + 0.335
            slot = np.abs(v - 0.35 * u) < 0.006
            rgb[front & slot & (np.abs(u) < 0.034)] = dark
        badge = np.hypot(x - 0.052, y + 0.112)
        rgb[front & (badge < 0.026)] = cream
        peak = (y + 0.126 > 0) & (np.abs(x - 0.052) * 1.15 < 0.019 - (y + 0.126))
        rgb[front & (badge < 0.021) & peak] = linear(TEAL)
        rgb[y < -0.505] = mustard
        return rgb

    return paint


def _bob(k: Skeleton) -> tuple[Solid, ...]:
    scale, axes = k.build.head, k.frames["head"]

    def ball(x: float, y: float, z: float, rx: float, ry: float, rz: float) -> Ellipsoid:
        return Ellipsoid(to_world(k, vec(x, y, z)), (rx * scale, ry * scale, rz * scale), axes)

    def lock(a: Floats, b: Floats, ra: float, rb: float) -> Cone:
        return Cone(to_world(k, a), to_world(k, b), ra * scale, rb * scale)

    solids: list[Solid] = [
        ball(0, 0.02, -0.045, 0.091, 0.095, 0.075),
        ball(0, -0.06, -0.05, 0.085, 0.06, 0.055),
    ]
    for s in (1, -1):
        solids += [
            lock(vec(s * 0.078, 0.045, 0.012), vec(s * 0.090, -0.050, 0.004), 0.019, 0.026),
            lock(vec(s * 0.090, -0.050, 0.004), vec(s * 0.074, -0.112, 0.022), 0.026, 0.011),
            lock(vec(s * 0.084, 0.0, -0.03), vec(s * 0.098, -0.092, -0.03), 0.024, 0.022),
            lock(vec(s * 0.098, -0.092, -0.03), vec(s * 0.112, -0.118, -0.02), 0.022, 0.008),
        ]
    for x, y, r in (
        (-0.066, 0.040, 0.016),
        (-0.050, 0.047, 0.017),
        (-0.028, 0.055, 0.017),
        (-0.002, 0.060, 0.017),
    ):
        solids.append(lock(vec(0.030 + 0.3 * x, 0.072, 0.062), vec(x, y, 0.078 - 5.5 * x * x), r, r * 0.6))
    for x, y in ((0.026, 0.060), (0.046, 0.054), (0.064, 0.042)):
        solids.append(lock(vec(0.7 * x + 0.008, 0.072, 0.060), vec(x, y, 0.078 - 5.5 * x * x), 0.018, 0.011))
    return tuple(solids)


def _strands(k: Skeleton) -> Paint:
    light, dark = linear("#d8752f"), linear("#b04f20")
    origin, frame, scale = k.at["head"], k.frames["head"], k.build.head

    def paint(points: Floats) -> Floats:
        x, y, z = local(points, origin, frame, scale)
        angle = np.arctan2(x, z + 0.03)
        wave = 0.5 + 0.5 * np.sin(angle * 38 + 14 * y + 2.0 * np.sin(y * 60))
        result: Floats = (dark + (light - dark) * wave[:, None] ** 0.7).astype(np.float32)
        return result

    return paint


def _hat(k: Skeleton) -> tuple[Solid, ...]:
    scale, axes = k.build.head, k.frames["head"]
    return (
        Ellipsoid(
            to_world(k, vec(0, 0.092, -0.022)), (0.096 * scale, 0.082 * scale, 0.100 * scale), axes, 2.3
        ),
    )


def _brim(k: Skeleton) -> tuple[Solid, ...]:
    scale, axes = k.build.head, k.frames["head"]
    up = axes[1] - 0.16 * axes[2]
    up = up / np.linalg.norm(up)
    middle = to_world(k, vec(0, 0.080, -0.017))
    return tuple(
        Ring(middle + up * (0.011 * i * scale), up, 0.082 * scale, 0.0205 * scale) for i in (-1, 0, 1)
    )


def _pompom(k: Skeleton) -> tuple[Solid, ...]:
    scale = k.build.head
    centre = to_world(k, vec(0, 0.183, -0.02))
    rng = np.random.default_rng(4)
    solids: list[Solid] = [Ellipsoid(centre, (0.031 * scale,) * 3)]
    for _ in range(34):
        away = rng.normal(size=3)
        away /= np.linalg.norm(away)
        solids.append(Ellipsoid((centre + 0.026 * scale * away).astype(np.float32), (0.0115 * scale,) * 3))
    return tuple(solids)


def _wool(k: Skeleton) -> Paint:
    base, band = linear(MUSTARD), linear(CREAM)
    origin, frame, scale = k.at["head"], k.frames["head"], k.build.head

    def paint(points: Floats) -> Floats:
        x, y, z = local(points, origin, frame, scale)
        rgb = np.repeat(base[None], len(x), axis=0)
        angle = np.arctan2(x, z + 0.018)
        zigzag = 0.133 + 0.006 * (2 / np.pi) * np.arcsin(np.sin(angle * 14))
        rgb[np.abs(y - zigzag) < 0.0045] = band
        knit = 0.90 + 0.10 * np.sin(angle * 60) * np.sin(y * 700)
        result: Floats = (rgb * knit[:, None]).astype(np.float32)
        return result

    return paint


def _ribs(k: Skeleton) -> Paint:
    base = linear("#e39a22")
    origin, frame, scale = k.at["head"], k.frames["head"], k.build.head

    def paint(points: Floats) -> Floats:
        x, _, z = local(points, origin, frame, scale)
        rib = 0.84 + 0.16 * np.sin(np.arctan2(x, z + 0.018) * 58)
        result: Floats = (base * rib[:, None]).astype(np.float32)
        return result

    return paint


def _scarf(k: Skeleton) -> tuple[Solid, ...]:
    chest = k.frames["chest"]
    up = chest[1] + 0.12 * chest[2]
    up = up / np.linalg.norm(up)
    base = k.at["chest"] + chest[1] * 0.020 + chest[2] * 0.004
    return Ring(base, up, 0.068, 0.030), Ring(base + up * 0.030, up, 0.060, 0.026)


def _stripes(k: Skeleton) -> Paint:
    cream, teal = linear(CREAM), linear("#3f8f8b")
    origin, frame = k.at["chest"], k.frames["chest"]

    def paint(points: Floats) -> Floats:
        x, y, z = local(points, origin, frame)
        stripe = np.sin(np.arctan2(x, z) * 11 + y * 20) > 0.25
        result: Floats = np.where(stripe[:, None], teal, cream).astype(np.float32)
        return result

    return paint


def _boot(groups: list[Group], k: Skeleton, name: str) -> None:
    foot, ankle, knee = k.frames[f"{name} foot"], k.at[f"{name} ankle"], k.at[f"{name} knee"]

    def place(x: float, y: float, z: float) -> Floats:
        placed: Floats = (ankle + vec(x, y, z) @ foot).astype(np.float32)
        return placed

    brown, dark, lace = linear(BROWN), linear(LEATHER), linear(MUSTARD)

    def paint(points: Floats) -> Floats:
        x, y, z = local(points, ankle, foot)
        rgb = np.repeat(brown[None], len(x), axis=0)
        rgb[(z > 0.122) | (z < -0.03)] = dark
        tongue = (np.abs(x) < 0.026) & (z > 0.02) & (z < 0.105)
        rgb[tongue] = dark
        rgb[tongue & (np.sin((y - 0.8 * z) * 150) > 0.45)] = lace
        return rgb

    shoe = (
        Ellipsoid(place(0, -0.044, 0.100), (0.054, 0.042, 0.076), foot),
        Cone(place(0, -0.034, -0.012), place(0, -0.038, 0.08), 0.050, 0.044),
        Cone(place(0, -0.02, 0.0), part(knee, ankle, 0.80), 0.050, 0.054, cut=True),
    )
    groups.append(Group(f"{name} boot", shoe, paint, 0.025, 0.10))
    sole = Ellipsoid(place(0, -0.077, 0.056), (0.056, 0.017, 0.124), foot, power=3.0)
    groups.append(Group(f"{name} sole", (sole,), plain("#3b2a22"), 0.01))
    sock = (Cone(part(knee, ankle, 0.70), part(knee, ankle, 0.83), 0.0585, 0.0585),)
    groups.append(Group(f"{name} sock", sock, plain(CREAM), 0.01))


def _rucksack(groups: list[Group], k: Skeleton, chest: Floats) -> None:
    at = k.at
    bag = at["chest"] - chest[1] * 0.18 - chest[2] * 0.15
    groups.append(
        Group("rucksack", (Ellipsoid(bag, (0.11, 0.17, 0.06), chest, 3.0),), plain("#4c6b3c"), 0.02)
    )
    strap: list[Solid] = []
    for _, side in SIDES:
        line = [
            at["chest"] + vec(side * x, y, z) @ chest
            for x, y, z in (
                (0.088, 0.012, -0.075),
                (0.094, 0.040, -0.01),
                (0.098, 0.010, 0.058),
                (0.104, -0.09, 0.100),
                (0.118, -0.165, 0.094),
                (0.128, -0.215, 0.060),
                (0.120, -0.240, 0.0),
            )
        ]
        for start, stop in pairwise(line):
            strap.append(Cone(start.astype(np.float32), stop.astype(np.float32), 0.0165, 0.0165))
    groups.append(Group("straps", tuple(strap), plain(LEATHER), 0.006, 0.08))
