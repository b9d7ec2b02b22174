"""The wrist: how a hand lies to its forearm in the picture, within what a wrist can do."""

from __future__ import annotations

import numpy as np

from understudy.engines.puppet.skeleton import Points, Reals, blur, step, unit

# In the picture: sideways a wrist bends by 35 degrees, and by 75 to palm or back; which of them is seen is not known
# for a stiff hand. Tracked hands also lean on things.
STIFF, TRACKED = np.radians(60), np.radians(110)
_EASE = 0.7  # share of a limit from which on it is approached ever more slowly
_ROOM = np.radians(20)  # beyond what the reference itself shows
_POINTING = (0.35, 0.65)  # share of its length at which a forearm points at the camera, and surely does not
_STIFF_S = 0.1  # sigma: the body's finger landmarks are noisy


def bend(directions: Points, forearm: Points) -> Reals:
    """Angle (T,) from the forearm to the hand, -pi to pi."""
    return np.asarray(np.angle(unit(directions) / unit(forearm)))


def limited(angle: Reals, own: float, most: float, shown: Reals) -> Reals:
    """``angle`` (T,) within ``most``, eased towards it; what the reference's ``own`` bend is stays as it is.

    ``shown`` (T,) is the share of the forearm's length that the picture shows: where it points at the camera, every
    angle is possible.
    """
    free = 1.0 - step(shown, *_POINTING)
    result = np.empty(len(angle))
    for sign in (1.0, -1.0):
        mine = angle * sign >= 0
        start = max(_EASE * most, own * sign)
        end = max(most, start + _ROOM)
        x = np.abs(angle[mine])
        eased = np.where(x > start, start + (end - start) * np.tanh((x - start) / (end - start)), x)
        result[mine] = sign * (free[mine] * x + (1 - free[mine]) * eased)
    return result


def stiff(angle: Reals, trust: Reals, fps: float) -> Reals:
    """A noisy ``angle`` (T,) calmed, frames weighed by their ``trust`` (T,)."""
    weight = trust + 1e-3
    return np.asarray(blur(angle * weight, fps, _STIFF_S) / blur(weight, fps, _STIFF_S))
