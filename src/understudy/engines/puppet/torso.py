"""The torso: spine, shoulder line and hip line under lean and yaw."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from understudy.engines.puppet import facing
from understudy.engines.puppet.bone import fill, transfer
from understudy.engines.puppet.skeleton import HIPS, SHOULDERS, Points, Reals, blur, middle, unit
from understudy.engines.puppet.stage import Stage

_CUT_FLOOR = 0.7  # of the width, where the edge holds the hips and only the shoulders can narrow
_STEEPEST = 0.6  # shoulder or hip line: rise over its width
_WIDEST = 1.25


@dataclass(frozen=True)
class Torso:
    """``spine`` (T,) mid-hip to mid-shoulder, ``hips`` and ``shoulders`` (T,) right to left, in reference pixels
    before the figure's scale; ``lean`` (T,) the spine's turn against the reference, unit; ``facing`` (T,)."""

    spine: Points
    hips: Points
    shoulders: Points
    lean: Points
    facing: Reals


def torso(stage: Stage) -> Torso:
    own = stage.spine
    bones = middle(stage.metres, SHOULDERS)
    trust = stage.trust(*SHOULDERS)
    full = typical(np.abs(bones), trust, 0.7, 0.5)
    spine = transfer(bones, trust, own, full, 1.0, stage.anchor, stage.fps, shortest=0.55, stiff=True)
    lean = unit(spine / own)
    hips, shoulders, facing_ = _lines(stage, lean)
    return Torso(spine, hips, shoulders, lean, facing_)


def typical(values: Reals, trust: Reals, quantile: float, otherwise: float) -> float:
    """The ``quantile`` of ``values`` (T,) over trusted frames; ``otherwise`` where there are hardly any."""
    seen = trust > 0.5
    return float(np.quantile(values[seen], quantile)) if seen.sum() > 4 else otherwise


def _lines(stage: Stage, lean: Points) -> tuple[Points, Points, Reals]:
    """Hip and shoulder lines (T,), and the facing (T,): width across the spine under yaw, tilt along it."""
    performer, rest, anchor = stage.performer, stage.rest, stage.anchor
    upright = 1j * unit(middle(stage.metres, SHOULDERS), -1j)
    own_upright = complex(1j * stage.spine / abs(stage.spine))
    parts = []
    for left, right in (HIPS, SHOULDERS):
        ratio = (stage.metres[:, left] - stage.metres[:, right]) / upright
        own = complex((rest[left] - rest[right]) / own_upright)
        trust = stage.trust(left, right)
        full = max(typical(np.abs(ratio.real), trust, 0.9, 0.3), 0.15)
        parts.append((ratio, own, trust, full))
    own_side = float(np.sign(parts[0][1].real + parts[1][1].real)) or 1.0
    turned = np.ones(len(performer))
    if stage.travels:
        across = np.zeros(len(performer))
        for ratio, own, trust, full in parts:
            across += 0.5 * own_side * fill(ratio / full, trust, complex(np.sign(own.real)), stage.fps).real
        turned = np.cos(performer.yaw - stage.yaw)
        turned = blur(np.where(turned * across > 0, turned, 0.0), stage.fps, 0.05)
    lines = []
    for ratio, own, trust, full in parts:
        own_width = max(abs(own.real), 1e-6)
        gain, offset = own_width / full, 0j
        if anchor is not None:
            at = anchor.point(ratio)
            gain = anchor.px_per_m
            if abs(at.real) > 0.4 * full:
                gain = float(np.clip(abs(own.real / at.real), 0.8 * gain, 1.25 * gain))
            offset = own - gain * at
        moved = fill(ratio * gain + offset, trust, own, stage.fps)
        across = moved.real / own_width * own_side
        if stage.travels:
            shown = facing.width(np.minimum(across, _WIDEST), _CUT_FLOOR if stage.cut else facing.FLOOR)
        else:
            shown = np.clip(across, 0.85, 1.1)
        tilt = np.clip(moved.imag, -_STEEPEST * own_width, _STEEPEST * own_width)
        lines.append((shown * own_width * own_side + 1j * tilt) * own_upright * lean)
    if stage.cut or not stage.shown[list(HIPS)].all():
        # Hips at or under the edge must not tilt, or a corner of the cut would lift.
        lines[0] = np.full(len(performer), complex(rest[HIPS[0]] - rest[HIPS[1]]))
    return lines[0], lines[1], turned
