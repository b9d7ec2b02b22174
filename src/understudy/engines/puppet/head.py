"""The head: one rigid group that follows the neck and rolls; yaw and pitch shift its face a little."""

from __future__ import annotations

import numpy as np

from understudy.engines.puppet.anchor import Anchor
from understudy.engines.puppet.limbs import fill, transfer
from understudy.engines.puppet.performer import Performer, head_centre
from understudy.engines.puppet.skeleton import HEAD, SHOULDERS, Points, Reals, middle, smooth, step, unit

# How far each of the landmarks 0-10 follows the nose when the head turns: the face animator does the rest.
_FOLLOWS = 0.35 * np.array([1.0, 0.6, 0.6, 0.6, 0.6, 0.6, 0.6, -0.1, -0.1, 0.8, 0.8])
_PAIRS = ((2, 5), (7, 8), (9, 10))


def head(
    performer: Performer, metres: Points, rest: Points, spine_turn: Points, anchor: Anchor | None
) -> tuple[Points, Reals]:
    """Landmarks 0-10 about the mid-shoulder (T, 11) in reference pixels before the figure's scale, and the head's
    roll against the reference (T,) in radians.

    ``metres`` (T, 33) is the performer, ``rest`` (33,) the character, ``spine_turn`` (T,) unit, the torso's lean
    against the reference, which the head keeps where it is not seen.
    """
    fps = performer.fps
    trust = np.minimum(performer.trust[:, HEAD].mean(axis=1), performer.trust[:, SHOULDERS].min(axis=1))
    neck = head_centre(metres) - middle(metres, SHOULDERS)
    own_neck = complex(head_centre(rest) - middle(rest, SHOULDERS))
    seen = trust > 0.5
    full = float(np.quantile(np.abs(neck[seen]), 0.6)) if seen.sum() > 4 else 0.22
    moved = transfer(neck, trust, own_neck, full, 1.0, anchor, fps)
    reach = np.abs(moved)
    own = abs(own_neck)
    moved = unit(moved, -1j) * np.clip(reach, 0.7 * own, 1.12 * own)

    line, sure = _across(metres, neck)
    own_line, _ = _across(rest[None], np.array([own_neck]))
    start = anchor.mean(line) if anchor is not None else own_line[0]
    lean = unit(moved / (own_neck if abs(own_neck) > 1e-6 else -1j))
    turn = unit(line / unit(np.asarray(start)))
    turn = unit(sure * turn + (1 - sure) * lean, lean)
    turn = unit(fill(turn, trust, spine_turn, fps), 1.0)

    local = rest[HEAD] - complex(head_centre(rest))
    size = float(np.sqrt(np.mean(np.abs(local) ** 2)))
    spread = metres[:, HEAD] - head_centre(metres)[:, None]
    width = np.sqrt((np.abs(spread) ** 2).mean(axis=1))
    full_width = float(np.quantile(width[seen], 0.9)) if seen.sum() > 4 else 0.1
    nose = (spread[:, 0]) / unit(line, 1.0) * (size / max(full_width, 1e-3))
    straight = anchor.mean(nose) if anchor is not None else np.median(nose.real) + 1j * np.median(nose.imag)
    shift = fill(nose - straight, trust, 0.0, fps)
    shift = unit(shift, 0.0) * np.minimum(np.abs(shift), 0.9 * size)
    group = local[None] + shift[:, None] * _FOLLOWS[None]
    return moved[:, None] + turn[:, None] * group, np.asarray(np.angle(turn))


def _across(points: Points, neck: Points) -> tuple[Points, Reals]:
    """Direction from the face's right to its left (T,), unit, and how far to trust it: little in profile.

    In a back view the line has changed sides; it is turned round, for the drawing shows its front always.
    """
    line = np.zeros(len(points), dtype=np.complex128)
    for left, right in _PAIRS:
        line += points[:, left] - points[:, right]
    upright = 1j * unit(neck, -1j)
    relative = line / upright
    wide = np.abs(relative.real)
    sure = step(wide / max(float(np.quantile(wide, 0.9)), 1e-9), 0.3, 0.65) if len(points) > 1 else np.ones(1)
    line = np.where(relative.real < 0, -line, line)
    return unit(line, upright), sure


def steady(turn: Reals, fps: float) -> Reals:
    return np.asarray(smooth(turn, fps, 0.04), dtype=np.float64)
