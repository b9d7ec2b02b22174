"""The head: one rigid group that follows the neck and rolls. How it turns and nods is `HeadRelief`'s to draw."""

from __future__ import annotations

import numpy as np

from understudy.engines.puppet.bone import fill, transfer
from understudy.engines.puppet.skeleton import HEAD, SHOULDERS, Points, Reals, middle, smooth, step, unit
from understudy.engines.puppet.stage import Stage
from understudy.engines.puppet.torso import typical

_LONGEST = 1.12  # neck
_EARS = (7, 8)  # between them the head stays where it is when it turns and nods
_PAIRS = ((2, 5), _EARS, (9, 10))


def head(stage: Stage, spine_turn: Points) -> Points:
    """Landmarks 0-10 about the mid-shoulder (T, 11) in reference pixels before the figure's scale.

    ``spine_turn`` (T,) unit is the torso's lean against the reference, which the head keeps where it is not seen.
    """
    fps, anchor, rest, metres = stage.fps, stage.anchor, stage.rest, stage.metres
    performer = stage.performer
    trust = np.minimum(performer.trust[:, HEAD].mean(axis=1), stage.trust(*SHOULDERS))
    neck = middle(metres, _EARS) - middle(metres, SHOULDERS)
    own_neck = complex(middle(rest, _EARS) - middle(rest, SHOULDERS))
    if stage.angle is not None and anchor is None:
        # Turned about the vertical, the neck leans by the head's rough depth: the character's own lean counts.
        usual = unit(
            np.asarray(complex(typical(neck.real, trust, 0.5, 0.0), typical(neck.imag, trust, 0.5, -1.0)))
        )
        neck = neck / usual * unit(np.asarray(own_neck), -1j)
    own = max(abs(own_neck), 1e-6)
    moved = transfer(
        neck,
        trust,
        own_neck,
        typical(np.abs(neck), trust, 0.6, 0.22),
        1.0,
        anchor,
        fps,
        shortest=0.7,
        stiff=True,
    )
    moved = unit(moved, -1j) * np.minimum(np.abs(moved), _LONGEST * own)

    line, sure = _across(metres, neck)
    start = (
        anchor.point(line) if anchor is not None else complex(_across(rest[None], np.array([own_neck]))[0][0])
    )
    turn = unit(line / start) if abs(start) > 1e-6 else line
    lean = unit(moved / own_neck) if abs(own_neck) > 1e-6 else spine_turn
    turn = unit(sure * turn + (1 - sure) * lean, lean)
    turn = unit(turn + stage.roll_trust * (_roll(stage) - turn), turn)
    turn = unit(smooth(fill(turn, trust, spine_turn, fps), fps, 0.03), spine_turn)

    group = rest[HEAD] - complex(middle(rest, _EARS))
    return np.asarray(moved[:, None] + turn[:, None] * group)


def _roll(stage: Stage) -> Points:
    """(T,) the head's roll by the face mesh, none at the anchor."""
    if stage.anchor is None or stage.anchor.number(stage.roll_trust) < 0.5:
        return stage.roll
    return stage.roll / unit(np.asarray(stage.anchor.point(stage.roll)))


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
    sure = step(wide / max(float(np.quantile(wide, 0.9)), 1e-9), 0.3, 0.65)
    line = np.where(relative.real < 0, -line, line)
    return unit(line, upright), sure
