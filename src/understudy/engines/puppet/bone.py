"""One bone put on another body: the performer's directions and foreshortening, the character's lengths."""

from __future__ import annotations

import numpy as np

from understudy.engines.puppet.anchor import Anchor
from understudy.engines.puppet.skeleton import Points, Reals, blur, smooth, step, unit

_REST = 0.02  # weight of the rest pose against what was seen nearby: it wins in gaps of more than about 2 s
_REACH_S = 0.35
_LONGEST = 1.12  # of a bone's full length; more is noise of the body size
_LONGEST_SAME = 1.4  # for a frame of the same clip: perspective included


def transfer(
    bones: Points,
    trust: Reals,
    rest: complex,
    full_m: float,
    share: float,
    anchor: Anchor | None,
    fps: float,
    *,
    shortest: float = 0.0,
    stiff: bool = False,
) -> Points:
    """One bone over time (T,) in reference pixels before the figure's scale.

    ``bones`` (T,) is the performer's in metres, ``trust`` (T,), ``rest`` the character's own in the reference image,
    which shows ``share`` of its full length; ``full_m`` is the performer's full length. With an ``anchor`` the bone
    equals ``rest`` there, exactly. A ``stiff`` bone (spine, neck) hardly shortens until it clearly points at the
    camera: its small changes are the body size's noise. Where it is not seen it eases from
    neighbouring frames to ``rest``.
    """
    length = abs(rest)
    if length < 1e-6 or full_m < 1e-6:
        return np.full(len(bones), rest)
    gain: complex = length / share / full_m
    offset: complex = 0.0
    limit = length / share * _LONGEST
    if anchor is not None:
        at = anchor.point(bones)
        gain = anchor.px_per_m
        # A bone that points at the camera there tells neither its length nor its direction well.
        sure = float(np.clip((abs(at) / full_m - 0.2) / 0.3, 0.0, 1.0)) * _alike(at, rest)
        exact = rest / at if abs(at) > 1e-6 else gain
        gain = sure * exact + (1 - sure) * gain
        offset = rest - gain * at
        limit = max(full_m * anchor.px_per_m, length) * _LONGEST_SAME
    moved = bones * gain + offset
    reach = np.abs(moved)
    if stiff and anchor is None:
        lost = 1.0 - reach / length
        reach = length * (1.0 - lost * (0.25 + 0.75 * step(lost, 0.05, 0.4)))
    moved = unit(moved, complex(rest / length)) * np.clip(reach, shortest * length, limit)
    return fill(moved, trust, rest, fps)


def fill(values: Points, trust: Reals, rest: complex | Points, fps: float) -> Points:
    """``values`` (T,) where trusted; elsewhere eased from trusted neighbours to ``rest`` (normalised convolution)."""
    near = smooth(values * trust, fps, _REACH_S) + _REST * rest
    near = near / (blur(trust, fps, _REACH_S) + _REST)
    return np.asarray(trust * values + (1 - trust) * near)


def _alike(a: complex, b: complex) -> float:
    """1 for bones of nearly the same direction, 0 beyond 30 degrees."""
    turn = abs(np.angle(a * b.conjugate())) if abs(a) * abs(b) > 0 else np.pi
    return float(np.clip((np.pi / 6 - turn) / (np.pi / 12), 0.0, 1.0))
