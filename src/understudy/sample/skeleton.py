"""A person's joints from a few angles and places: directions for the arms, planted feet for the legs."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import cos, radians, sin

import numpy as np

from understudy.sample.solid import Floats, unit, vec

LEFT, RIGHT = 1, -1  # the person's own left is at +x: the picture's right


@dataclass(frozen=True)
class Build:
    """A body's lengths in metres, from shoulder joint to shoulder joint and so on."""

    shoulder: float = 0.175  # half widths
    hip: float = 0.095
    spine: float = 0.50  # hips' middle to shoulders' middle
    neck: float = 0.055  # shoulders' middle to the head's foot
    upper_arm: float = 0.275
    forearm: float = 0.245
    hand: float = 0.085  # wrist to knuckles
    thigh: float = 0.42
    shin: float = 0.40
    ankle: float = 0.085
    foot: float = 0.155  # ankle to the ball
    head: float = 1.0  # scale of the head


@dataclass(frozen=True)
class Arm:
    """Directions of upper arm and forearm in the chest's frame: degrees away from hanging, outwards and forwards.

    ``palm`` is the world direction in which the palm looks, ``curl`` 0 open to 1 a fist, ``spread`` of the fingers.
    """

    out: float = 14.0
    forth: float = 0.0
    fore_out: float = 12.0
    fore_forth: float = 12.0
    palm: tuple[float, float, float] = (-1.0, 0.0, 0.5)
    curl: float = 0.25
    spread: float = 1.0


@dataclass(frozen=True)
class Stance:
    """One moment. Lengths in metres, angles in degrees; ``feet`` (x, lift, z) of the ankles, left then right."""

    sway: float = 0.0  # hips to the picture's right
    drop: float = 0.015  # hips below straight legs
    yaw: float = 0.0  # hips, to the person's left
    chest_yaw: float = 0.0
    lean: float = 0.0  # chest to the picture's right
    bow: float = 0.0  # chest forwards
    head_yaw: float = 0.0
    head_tilt: float = 0.0
    head_nod: float = 0.0
    left: Arm = field(default_factory=Arm)
    right: Arm = field(default_factory=Arm)
    feet: tuple[tuple[float, float, float], tuple[float, float, float]] = ((0.13, 0, 0), (-0.13, 0, 0))
    toes_out: float = 22.0
    mouth: float = 0.0
    blink: float = 0.0
    brows: float = 0.0
    smile: float = 1.0


@dataclass(frozen=True)
class Skeleton:
    """Joints in world metres by name (``left elbow``), frames (rows: right, up, ahead) of hips, chest, head, hands."""

    build: Build
    stance: Stance
    at: dict[str, Floats]
    frames: dict[str, Floats]


def turn(yaw: float = 0.0, tilt: float = 0.0, nod: float = 0.0) -> Floats:
    """Rotation: ``nod`` about x (forwards), then ``tilt`` (to the picture's right), then ``yaw`` (to +x)."""
    a, b, c = radians(yaw), radians(-tilt), radians(nod)
    ry = np.array([[cos(a), 0, sin(a)], [0, 1, 0], [-sin(a), 0, cos(a)]])
    rz = np.array([[cos(b), -sin(b), 0], [sin(b), cos(b), 0], [0, 0, 1]])
    rx = np.array([[1, 0, 0], [0, cos(c), -sin(c)], [0, sin(c), cos(c)]])
    turned: Floats = (ry @ rz @ rx).astype(np.float32)
    return turned


def pose(build: Build, stance: Stance) -> Skeleton:
    """Every joint of this body in this stance."""
    s, b = stance, build
    at: dict[str, Floats] = {}
    frames: dict[str, Floats] = {}
    hips_turn = turn(s.yaw, s.lean * 0.3, s.bow * 0.4)
    chest_turn = turn(s.yaw + s.chest_yaw, s.lean, s.bow)
    head_turn = turn(s.yaw + s.chest_yaw + s.head_yaw, s.lean * 0.5 + s.head_tilt, s.bow * 0.5 + s.head_nod)
    frames |= {"hips": hips_turn.T, "chest": chest_turn.T, "head": head_turn.T}
    height = b.ankle + b.shin + b.thigh - s.drop
    at["hips"] = vec(s.sway, height, -0.01)
    middle = at["hips"] + hips_turn @ vec(0, b.spine * 0.42, 0)
    at["waist"] = middle
    at["chest"] = middle + chest_turn @ vec(0, b.spine * 0.58, 0)
    at["neck"] = at["chest"] + chest_turn @ vec(0, b.neck * 0.5, 0.0)
    at["head"] = at["neck"] + head_turn @ vec(0, b.neck + 0.105 * b.head, 0.02)
    for name, side, arm, foot in (("left", LEFT, s.left, s.feet[0]), ("right", RIGHT, s.right, s.feet[1])):
        at[f"{name} shoulder"] = at["chest"] + chest_turn @ vec(side * b.shoulder, _shrug(arm), 0)
        at[f"{name} elbow"] = at[f"{name} shoulder"] + b.upper_arm * (
            chest_turn @ _direction(side, arm.out, arm.forth)
        )
        fore = chest_turn @ _direction(side, arm.fore_out, arm.fore_forth)
        at[f"{name} wrist"] = at[f"{name} elbow"] + b.forearm * fore
        at[f"{name} knuckles"] = at[f"{name} wrist"] + b.hand * fore
        palm = np.array(arm.palm, np.float32)
        palm = unit(palm - float(palm @ fore) * fore)
        thumb = np.cross(fore, palm).astype(np.float32) * -side
        frames[f"{name} hand"] = np.stack([thumb, fore, palm]).astype(np.float32)
        _leg(at, frames, b, s, name, side, foot, hips_turn)
    return Skeleton(build, stance, at, frames)


def _shrug(arm: Arm) -> float:
    """A raised arm lifts its shoulder."""
    return 0.035 * float(np.clip((arm.out - 60) / 90, 0, 1))


def _direction(side: int, out: float, forth: float) -> Floats:
    a, f = radians(out), radians(forth)
    return vec(side * sin(a) * cos(f), -cos(a) * cos(f), sin(f))


def _leg(
    at: dict[str, Floats],
    frames: dict[str, Floats],
    b: Build,
    s: Stance,
    name: str,
    side: int,
    foot: tuple[float, float, float],
    hips_turn: Floats,
) -> None:
    """Two bones from the hip to a given ankle, knee forwards and a little outwards."""
    hip = at["hips"] + hips_turn @ vec(side * b.hip, 0, 0)
    ankle = vec(foot[0], b.ankle + foot[1], foot[2])
    reach = ankle - hip
    length = float(np.linalg.norm(reach))
    most = (b.thigh + b.shin) * 0.999
    if length > most:
        ankle = hip + reach * (most / length)
        reach, length = ankle - hip, most
    along = (b.thigh**2 - b.shin**2 + length**2) / (2 * length)
    out = max(b.thigh**2 - along**2, 0.0) ** 0.5
    down = unit(reach)
    pole = hips_turn @ vec(side * 0.22, 0, 1)
    pole = unit(pole - float(pole @ down) * down)
    toes = turn(s.yaw * 0.5 + side * s.toes_out, 0, min(foot[1] * 160, 35.0))
    at[f"{name} hip"], at[f"{name} ankle"] = hip, ankle
    at[f"{name} knee"] = hip + along * down + out * pole
    at[f"{name} toes"] = ankle + toes @ vec(0, -b.ankle * 0.62, b.foot)
    at[f"{name} heel"] = ankle + toes @ vec(0, -b.ankle * 0.62, -0.045)
    frames[f"{name} foot"] = toes.T
