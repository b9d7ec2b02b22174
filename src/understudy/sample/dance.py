"""The choreography: key stances on the beat, and every frame's stance between them."""

from __future__ import annotations

from dataclasses import replace
from math import cos, pi

import numpy as np

from understudy.sample.between import between
from understudy.sample.skeleton import Arm, Build, Stance, pose

FPS = 30
BEATS_PER_MINUTE = 120
BEATS = 12
REACH_M = 0.79  # from the stage's middle to its edge, less a margin
FRAMES = BEATS * 60 * FPS // BEATS_PER_MINUTE

REST = Stance(
    left=Arm(out=20, forth=2, fore_out=16, fore_forth=22, palm=(-0.8, 0, 0.6), curl=0.2),
    right=Arm(out=20, forth=2, fore_out=16, fore_forth=22, palm=(0.8, 0, 0.6), curl=0.2),
)
FRONT = (0.0, 0.1, 1.0)
OUT = Arm(out=58, forth=5, fore_out=160, fore_forth=14, palm=FRONT, curl=0.05)
ACROSS = Arm(out=32, forth=18, fore_out=-28, fore_forth=38, palm=(0.0, 0.4, -1.0), curl=0.2)
ON_HIP = Arm(out=52, forth=-6, fore_out=-34, fore_forth=6, palm=(0.0, 0.2, -1.0), curl=0.45)
HIGH = Arm(out=148, forth=6, fore_out=166, fore_forth=6, palm=FRONT, curl=0.0)
FLEX = Arm(out=74, forth=8, fore_out=158, fore_forth=16, palm=FRONT, curl=0.6)
WIDE = Arm(out=44, forth=10, fore_out=54, fore_forth=16, palm=FRONT, curl=0.0)
TUCK = Arm(out=30, forth=12, fore_out=50, fore_forth=58, palm=(-0.6, 0.5, -0.4), curl=0.35)
LOW = Arm(out=30, forth=22, fore_out=-6, fore_forth=40, palm=(0.0, 0.2, -1.0), curl=0.35)
POINT = Arm(out=146, forth=4, fore_out=146, fore_forth=6, palm=FRONT, curl=0.1)

STEP_LEFT = replace(REST, sway=0.07, lean=4, chest_yaw=8, head_tilt=5, left=OUT, right=ACROSS)
STEP_LEFT = replace(STEP_LEFT, feet=((0.26, 0, 0), (-0.06, 0, 0.0)))
V_SHAPE = replace(REST, drop=0.0, left=HIGH, right=HIGH, head_nod=-6, brows=1.0)
WAVE = replace(REST, sway=0.03, lean=-4, head_tilt=-7, left=ON_HIP, brows=0.5)
WAVE_OUT = replace(WAVE, right=Arm(out=98, forth=8, fore_out=150, fore_forth=12, palm=FRONT, curl=0.0))
WAVE_IN = replace(WAVE, right=Arm(out=98, forth=8, fore_out=186, fore_forth=12, palm=FRONT, curl=0.0))
KNEE = replace(
    REST,
    sway=-0.07,
    drop=0.0,
    lean=3,
    left=FLEX,
    right=FLEX,
    feet=((0.12, 0.33, 0.13), (-0.10, 0, 0)),
    chest_yaw=-8,
)
GATHER = replace(REST, drop=0.08, left=LOW, right=LOW, bow=8, head_nod=6)
SQUAT = replace(
    REST, drop=0.22, bow=10, left=WIDE, right=WIDE, feet=((0.25, 0, 0), (-0.25, 0, 0)), toes_out=34
)
DISCO = replace(
    REST,
    sway=0.03,
    drop=0.03,
    yaw=10,
    chest_yaw=14,
    lean=5,
    head_yaw=6,
    head_tilt=4,
    left=POINT,
    right=ON_HIP,
)
DISCO = replace(DISCO, feet=((0.20, 0, 0), (-0.18, 0, 0)))


def mirror(arm: Arm) -> Arm:
    """The same gesture of the other arm."""
    return replace(arm, palm=(-arm.palm[0], arm.palm[1], arm.palm[2]))


def mirrored(s: Stance) -> Stance:
    """The same stance to the other side."""

    (lx, ly, lz), (rx, ry, rz) = s.feet
    return replace(
        s,
        sway=-s.sway,
        yaw=-s.yaw,
        chest_yaw=-s.chest_yaw,
        lean=-s.lean,
        head_yaw=-s.head_yaw,
        head_tilt=-s.head_tilt,
        left=mirror(s.right),
        right=mirror(s.left),
        feet=((-rx, ry, rz), (-lx, ly, lz)),
    )


def _feet(s: Stance, left: tuple[float, float, float], right: tuple[float, float, float]) -> Stance:
    return replace(s, feet=(left, right))


TUCKED = replace(REST, left=TUCK, right=mirror(TUCK))
KEYS: tuple[tuple[float, Stance], ...] = (
    (0.0, REST),
    (0.45, REST),
    (
        0.72,
        _feet(replace(STEP_LEFT, sway=0.03, left=TUCK, right=mirror(TUCK)), (0.19, 0.06, 0), (-0.13, 0, 0)),
    ),
    (1.0, _feet(STEP_LEFT, (0.26, 0, 0), (-0.13, 0, 0))),
    (1.25, _feet(STEP_LEFT, (0.26, 0, 0), (-0.08, 0.05, 0))),
    (1.5, STEP_LEFT),
    (
        1.75,
        _feet(
            TUCKED,
            (0.26, 0, 0),
            (-0.17, 0.06, 0),
        ),
    ),
    (2.05, _feet(mirrored(STEP_LEFT), (0.26, 0, 0), (-0.26, 0, 0))),
    (2.35, _feet(mirrored(STEP_LEFT), (0.15, 0.06, 0), (-0.26, 0, 0))),
    (2.6, mirrored(STEP_LEFT)),
    (2.8, _feet(replace(GATHER, left=TUCK, right=mirror(TUCK)), (0.10, 0.03, 0), (-0.26, 0, 0))),
    (3.0, _feet(GATHER, (0.17, 0, 0), (-0.22, 0, 0))),
    (3.25, _feet(GATHER, (0.17, 0, 0), (-0.17, 0, 0))),
    (3.8, _feet(V_SHAPE, (0.17, 0, 0), (-0.17, 0, 0))),
    (4.0, _feet(replace(V_SHAPE, lean=4), (0.17, 0, 0), (-0.17, 0, 0))),
    (4.5, _feet(replace(V_SHAPE, lean=-4, sway=-0.03), (0.17, 0, 0), (-0.17, 0, 0))),
    (5.0, WAVE_OUT),
    (5.35, WAVE_IN),
    (5.7, WAVE_OUT),
    (6.05, WAVE_IN),
    (6.4, WAVE_OUT),
    (6.65, _feet(KNEE, (0.13, 0.08, 0.04), (-0.10, 0, 0))),
    (7.0, KNEE),
    (7.15, KNEE),
    (7.5, _feet(replace(REST, left=FLEX, right=FLEX), (0.12, 0, 0), (-0.11, 0, 0))),
    (7.65, _feet(mirrored(KNEE), (0.10, 0, 0), (-0.13, 0.08, 0.04))),
    (8.0, mirrored(KNEE)),
    (8.15, mirrored(KNEE)),
    (8.5, _feet(REST, (0.13, 0, 0), (-0.20, 0, 0))),
    (8.75, _feet(replace(SQUAT, drop=0.08), (0.19, 0.03, 0), (-0.25, 0, 0))),
    (9.05, SQUAT),
    (9.35, SQUAT),
    (9.65, _feet(REST, (0.22, 0, 0), (-0.24, 0, 0))),
    (10.0, _feet(DISCO, (0.22, 0, 0), (-0.20, 0, 0))),
    (10.35, _feet(DISCO, (0.22, 0, 0), (-0.20, 0, 0))),
    (10.65, _feet(replace(REST, left=LOW, right=LOW), (0.21, 0, 0), (-0.20, 0, 0))),
    (11.0, _feet(mirrored(DISCO), (0.20, 0, 0), (-0.20, 0, 0))),
    (11.35, _feet(mirrored(DISCO), (0.20, 0, 0), (-0.20, 0, 0))),
    (11.7, _feet(REST, (0.15, 0.02, 0), (-0.18, 0, 0))),
    (12.0, REST),
)
MOUTH: tuple[tuple[float, float], ...] = (
    (0.0, 0.0),
    (2.7, 0.0),
    (3.0, 0.1),
    (3.7, 1.0),
    (4.5, 0.9),
    (4.9, 0.25),
    (6.3, 0.3),
    (6.6, 0.0),
    (7.0, 0.55),
    (7.5, 0.05),
    (8.0, 0.55),
    (8.5, 0.05),
    (9.0, 0.7),
    (9.4, 0.6),
    (9.7, 0.0),
    (10.1, 0.8),
    (10.5, 0.15),
    (11.1, 0.8),
    (11.6, 0.0),
    (12.0, 0.0),
)
BLINKS = (0.35, 2.55, 5.2, 6.5, 8.45, 9.7, 11.65)  # beats


def _flat(s: Stance) -> list[float]:
    """A stance as numbers, without mouth and lids."""
    numbers = [s.sway, s.drop, s.yaw, s.chest_yaw, s.lean, s.bow, s.head_yaw, s.head_tilt, s.head_nod]
    for arm in (s.left, s.right):
        numbers += [arm.out, arm.forth, arm.fore_out, arm.fore_forth, *arm.palm, arm.curl]
    return [*numbers, *s.feet[0], *s.feet[1], s.toes_out, s.brows]


def stances() -> list[Stance]:
    """One stance for each of the ``FRAMES`` frames. The last flows into the first."""
    beats = np.arange(FRAMES) * BEATS_PER_MINUTE / 60 / FPS
    track = between([beat for beat, _ in KEYS], [_flat(s) for _, s in KEYS], beats)
    mouth = between([b for b, _ in MOUTH], [m for _, m in MOUTH], beats)
    moments = zip(track, mouth, beats, strict=True)
    return [within_reach(_stance(row, float(m), float(b))) for row, m, b in moments]


def within_reach(s: Stance) -> Stance:
    """The stance with forearms brought forwards as far as it needs to keep the fingers in the picture."""
    for name in ("left", "right"):
        for _ in range(60):
            at = pose(Build(), s).at
            fingers = at[f"{name} wrist"] + 2.1 * (at[f"{name} knuckles"] - at[f"{name} wrist"])
            if abs(float(fingers[0])) < REACH_M:
                break
            arm: Arm = getattr(s, name)
            forwards = replace(arm, fore_forth=arm.fore_forth + 1.5)
            s = replace(s, left=forwards) if name == "left" else replace(s, right=forwards)
    return s


def _stance(n: np.ndarray[tuple[int], np.dtype[np.float64]], mouth: float, beat: float) -> Stance:
    v = [float(x) for x in n]
    arms = [
        Arm(v[i], v[i + 1], v[i + 2], v[i + 3], (v[i + 4], v[i + 5], v[i + 6]), max(v[i + 7], 0.0))
        for i in (9, 17)
    ]
    blink = max(max(0.0, 1 - max(abs(beat - b) - 0.05, 0.0) / 0.13) for b in BLINKS)
    bounce = 0.016 * (0.5 + 0.5 * cos(2 * pi * beat))
    return Stance(
        sway=v[0],
        drop=max(v[1], 0.0) + bounce,
        yaw=v[2],
        chest_yaw=v[3],
        lean=v[4],
        bow=v[5],
        head_yaw=v[6],
        head_tilt=v[7],
        head_nod=v[8],
        left=arms[0],
        right=arms[1],
        feet=((v[25], max(v[26], 0.0), v[27]), (v[28], max(v[29], 0.0), v[30])),
        toes_out=v[31],
        brows=v[32],
        mouth=mouth,
        blink=blink,
    )
