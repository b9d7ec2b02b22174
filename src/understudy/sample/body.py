"""What both of the sample's people share: hands, limbs, heads."""

from __future__ import annotations

import numpy as np

from understudy.sample.face import Complexion, complexion, ears, nose, skull
from understudy.sample.skeleton import Skeleton
from understudy.sample.solid import Cone, Floats, Group, Solid, vec

SIDES = (("left", 1), ("right", -1))


def hand(skeleton: Skeleton, name: str, size: float = 1.0) -> tuple[Solid, ...]:
    """A palm, four fingers of two bones each and a thumb; they bend towards the palm by the arm's curl."""
    frame = skeleton.frames[f"{name} hand"]
    wrist = skeleton.at[f"{name} wrist"]
    arm = skeleton.stance.left if name == "left" else skeleton.stance.right
    reach = skeleton.build.hand

    def at(x: float, y: float, z: float) -> Floats:
        placed: Floats = (wrist + vec(x * size, y, z * size) @ frame).astype(np.float32)
        return placed

    solids: list[Solid] = [
        Cone(
            at(0.010, 0.012, 0),
            at(0.018, reach - 0.012, 0),
            0.021 * size,
            0.021 * size,
            flat=0.72,
            across=frame[2],
        ),
        Cone(
            at(-0.010, 0.012, 0),
            at(-0.019, reach - 0.014, 0),
            0.021 * size,
            0.020 * size,
            flat=0.72,
            across=frame[2],
        ),
    ]
    for i, length in enumerate((0.066, 0.074, 0.069, 0.054)):
        x = 0.029 - 0.0193 * i
        fan = (0.24 - 0.16 * i) * arm.spread * (1 - 0.7 * arm.curl)
        bend = 0.2 + 1.25 * arm.curl
        first = np.array([np.sin(fan) * np.cos(bend), np.cos(fan) * np.cos(bend), np.sin(bend)])
        second_bend = bend * 2.1
        second = np.array([np.sin(fan) * np.cos(second_bend), np.cos(second_bend), np.sin(second_bend)])
        base = np.array([x, reach - 0.006 - 0.004 * abs(i - 1.2), 0.0])
        knuckle = base + first * length * 0.55 * size
        tip = knuckle + second * length * 0.45 * size
        r = (0.0102 if i < 3 else 0.0088) * size
        solids.append(Cone(at(*base), at(*knuckle), r * 1.05, r))
        solids.append(Cone(at(*knuckle), at(*tip), r, r * 0.88))
    inward = 0.5 + 0.5 * arm.curl
    thumb = (np.array([0.020, 0.022, 0.004]), np.array([0.046, 0.052, 0.012 + 0.012 * inward]))
    tip = thumb[1] + np.array([0.014 * (1 - arm.curl), 0.030, 0.010 + 0.016 * arm.curl])
    solids.append(Cone(at(*thumb[0]), at(*thumb[1]), 0.0155 * size, 0.0118 * size))
    solids.append(Cone(at(*thumb[1]), at(*tip), 0.0118 * size, 0.0098 * size))
    return tuple(solids)


def limb(a: Floats, b: Floats, ra: float, rb: float, belly: float = 0.0) -> tuple[Solid, ...]:
    """One bone's flesh; ``belly`` swells it near its root."""
    if not belly:
        return (Cone(a, b, ra, rb),)
    middle = a + 0.36 * (b - a)
    return Cone(a, middle, ra, ra + belly), Cone(middle, b, ra + belly, rb)


def part(a: Floats, b: Floats, share: float) -> Floats:
    placed: Floats = (a + share * (b - a)).astype(np.float32)
    return placed


def head_groups(k: Skeleton, face: Complexion) -> list[Group]:
    skin = complexion(k, face)
    return [
        Group("head", skull(k, face.chin), skin, 0.045, 0.05, True),
        Group("nose", nose(k, face.nose), skin, 0.012, 0.10, True),
        Group("ears", ears(k), skin, 0.010, 0.05, True),
    ]
