"""Where the figure's mid-hip is in each frame: path, floor, standing feet, and the edge that cuts it."""

from __future__ import annotations

import numpy as np

from understudy.engines.puppet import planting
from understudy.engines.puppet.figure import Figure
from understudy.engines.puppet.path import above_edge, cut_path, cut_point, in_picture
from understudy.engines.puppet.skeleton import (
    ANKLES,
    HEELS,
    HIPS,
    KNEES,
    LEGS,
    LIMBS,
    SHOULDERS,
    TOES,
    Points,
    Reals,
    blur,
    middle,
    step,
)
from understudy.engines.puppet.stage import Stage
from understudy.engines.puppet.torso import typical

_SCALES = (0.35, 3.0)
_SOLES = (*ANKLES, *HEELS, *TOES)
_STRIDE = 0.05  # of the figure's height: the largest shift that keeps a foot in its place
_STRIDE_HELD = 0.06  # the same where the path is held, and feet would slide instead of the hips swaying


def scale(stage: Stage) -> Reals:
    """Size of the figure against the reference (T,): the performer's over what it is at the start."""
    if not stage.travels:
        return np.ones(len(stage.performer))
    size = stage.performer.px_per_m
    start = stage.anchor.number(size) if stage.anchor is not None else float(size[stage.first])
    return np.clip(size / start, *_SCALES)


def placed(stage: Stage, figure: Figure) -> Points:
    """The figure's landmarks (T, 33) in the output picture."""
    if stage.cut:
        return _held_by_edge(stage, figure)
    start = complex(middle(stage.rest, HIPS))
    return _travelling(stage, figure, start) if stage.travels else _on_the_spot(stage, figure, start)


def _travel(stage: Stage) -> Points:
    root = stage.performer.root
    start = stage.anchor.point(root) if stage.anchor is not None else complex(root[stage.first])
    return np.asarray(root - start)


def _gain(stage: Stage) -> float:
    """Reference pixels per driving pixel of the path: by the legs where both have them, else by the spine.

    Short legs make a short way; feet would slide otherwise.
    """
    if stage.anchor is not None:
        return stage.anchor.gain
    start = float(stage.performer.px_per_m[stage.first])
    legs = stage.shown[[j for i in LEGS for j in LIMBS[i]]].all()
    seen = np.median(stage.trust(*HIPS, *KNEES, *ANKLES)) > 0.5
    if legs and seen:
        own = sum(
            abs(stage.rest[b] - stage.rest[a]) / stage.share[4 + i] for i, (a, b) in enumerate(LIMBS[4:])
        )
        return float(own / (stage.full_m[4:].sum() * start))
    spine = np.abs(middle(stage.performer.metres, SHOULDERS))
    return abs(stage.spine) / (typical(spine, stage.trust(*SHOULDERS), 0.7, 0.5) * start)


def _held_by_edge(stage: Stage, figure: Figure) -> Points:
    """A figure that the lower edge cuts: scaled about the cut, moved along it, never lifted."""
    rest = stage.rest
    point = cut_point(rest, stage.height)
    hip, neck = complex(middle(rest, HIPS)), complex(middle(rest, SHOULDERS))
    moved = np.zeros(len(stage.performer), dtype=np.complex128)
    if stage.travels:
        moved = _travel(stage) * _gain(stage)
        free = stage.anchor is not None
        moved = cut_path(moved, figure.scale, rest, stage.width, stage.height, free=free)
    root = point + moved + figure.scale * (hip - point)
    out = figure.posed(root)
    if hip.imag <= stage.height:
        return out
    # Hips under the edge: lean becomes a shear about the cut, so that the edge itself stays where it is.
    share = abs(hip - point) / max(abs(neck - hip), 1e-6)
    return np.asarray(out - (share * figure.scale * (figure.torso.spine - stage.spine))[:, None])


def _travelling(stage: Stage, figure: Figure, start: complex) -> Points:
    performer = stage.performer
    gain = _gain(stage)
    # A whole figure driven by a half one stays on its feet.
    walks = float(np.median(np.maximum(stage.trust(*ANKLES), 0.6 * stage.trust(*KNEES))))
    root = start + gain * _travel(stage) * float(step(np.array(walks), 0.2, 0.5))
    soles = _shown_soles(stage)
    if stage.anchor is not None:
        if not soles:
            return figure.posed(root)
        return _planted(stage, figure, root, gain * _ends(stage.performer.pixels), _STRIDE * stage.size)
    if not soles:
        return figure.posed(in_picture(root, start, stage.width))
    ground = float(stage.rest[soles].imag.max())
    first = stage.first
    if stage.trust(*ANKLES)[first] > 0.5:
        drop = ground - float(figure.posed(root)[first, soles].imag.max())
        root = root + 1j * float(np.clip(drop, -0.25 * stage.size, 0.25 * stage.size))
    root = in_picture(root, start, stage.width)
    low = figure.posed(root)[:, soles].imag.max(axis=1)
    root = root + 1j * above_edge(low, ground, stage.height, stage.fps)
    return _planted(stage, figure, root, gain * _ends(performer.pixels), _STRIDE * stage.size)


def _on_the_spot(stage: Stage, figure: Figure, start: complex) -> Points:
    frames = len(stage.performer)
    root = np.full(frames, start)
    soles = _shown_soles(stage)
    if not soles:
        return figure.posed(root)
    performer = stage.performer
    standing = planting.planted(performer)
    ground = float(stage.rest[soles].imag.max())
    drop = ground - figure.posed(root)[:, soles].imag.max(axis=1)
    drop = blur(np.clip(drop, -0.5 * stage.size, 0.5 * stage.size), stage.fps, 0.03)
    jump = planting.floor_gap(performer, standing) * float(np.median(performer.px_per_m)) * _gain(stage)
    seen = blur(step(stage.trust(*ANKLES), 0.3, 0.7), stage.fps, 0.1)
    root = root + 1j * seen * (drop - jump)
    still = np.zeros((frames, 2, 1), dtype=np.complex128)
    return _planted(stage, figure, root, still, _STRIDE_HELD * stage.size)


def _planted(stage: Stage, figure: Figure, root: Points, wanted: Points, limit: float) -> Points:
    out = figure.posed(root)
    standing = planting.planted(stage.performer)
    home = np.zeros(len(out))
    home[stage.first] = 1.0
    if stage.anchor is not None:
        home = stage.anchor.weights
    shift, steps = planting.corrections(
        _feet(out), wanted, standing, limit, stage.fps, home, own=stage.anchor is not None
    )
    return figure.posed(root + shift, steps)


def _feet(points: Points) -> Points:
    """(T, 2) the middle of each foot."""
    return np.asarray(0.5 * (points[:, ANKLES] + points[:, TOES]))


def _ends(points: Points) -> Points:
    """(T, 2, 2) left and right foot: ankle and toe."""
    return np.stack([points[:, ANKLES], points[:, TOES]], axis=2)


def _shown_soles(stage: Stage) -> list[int]:
    return [j for j in _SOLES if stage.shown[j]]
