"""The wrist: how a hand lies to its forearm in the picture, within what a wrist can do."""

from __future__ import annotations

import numpy as np

from understudy.engines.puppet.skeleton import Points, Reals, blur, smooth, step, unit

# In the picture: sideways a wrist bends by 35 degrees, and by 75 to palm or back; which of them is seen is not known
# for a stiff hand. Tracked hands also lean on things.
STIFF, TRACKED = np.radians(60), np.radians(125)
_EASE = 0.7  # share of a limit from which on it is approached ever more slowly
_ROOM = np.radians(20)  # beyond what the reference itself shows
_POINTING = (0.35, 0.65)  # share of its length at which a forearm points at the camera, and surely does not
_PAST = np.radians(230)
_STRAIN_S = 0.07
_STIFF_S = 0.1  # sigma: the body's finger landmarks are noisy


def bend(directions: Points, forearm: Points) -> Reals:
    """Angle (T,) from the forearm to the hand.

    A hand that folds back past its forearm's line goes on counting from its own side for some way, to -230..230
    degrees, or it would leap from one side's limit to the other's.
    """
    angle = np.angle(unit(directions) / unit(forearm))
    last = 0.0
    for t, value in enumerate(angle):
        on = value + 2 * np.pi * np.round((last - value) / (2 * np.pi))
        last = angle[t] = on if abs(on) < _PAST else value
    return np.asarray(angle)


def limited(angle: Reals, own: float, most: float, shown: Reals, fps: float) -> Reals:
    """``angle`` (T,) within ``most``, eased towards it; what the reference's ``own`` bend is stays as it is.

    ``shown`` (T,) is the share of the forearm's length that the picture shows: where it points at the camera, every
    angle is possible. What strains against its limit is calmed: a hand that is seen to fold through is eased across.
    """
    free = _pointing(shown)
    result = np.empty(len(angle))
    for sign in (1.0, -1.0):
        mine = angle * sign >= 0
        start = max(_EASE * most, own * sign)
        end = max(most, start + _ROOM)
        x = np.abs(angle[mine])
        eased = np.where(x > start, start + (end - start) * np.tanh((x - start) / (end - start)), x)
        result[mine] = sign * (free[mine] * x + (1 - free[mine]) * eased)
    strain = blur((1 - free) * step(np.abs(angle), most, 1.5 * most), fps, _STRAIN_S)
    return np.asarray(result + strain * (blur(result, fps, _STRAIN_S) - result))


def calmed(angle: Reals, forearm: Points, shown: Reals, trust: Reals, fps: float) -> Points:
    """Directions (T,) of a hand at noisy angles to its ``forearm``, frames weighed by their ``trust`` (T,).

    The angle is what is calmed; where the forearm points at the camera, and its own direction is noise, the direction.
    """
    weight = trust + 1e-3
    mean = blur(weight, fps, _STIFF_S)
    by_angle = forearm * np.exp(1j * blur(angle * weight, fps, _STIFF_S) / mean)
    by_direction = smooth(forearm * np.exp(1j * angle) * weight, fps, _STIFF_S) / mean
    free = _pointing(shown)
    return unit((1 - free) * by_angle + free * by_direction, forearm)


def between(stiff: Reals, tracked: Reals, weight: Reals, shown: Reals) -> Points:
    """Turns (T,) from a stiff to a tracked angle: never by way of the forearm's back, unless it points at us."""
    away = tracked - stiff
    short = np.angle(np.exp(1j * away))
    away = np.where(_pointing(shown) > 0.5, short, away)
    return np.asarray(np.exp(1j * (stiff + weight * away)))


def _pointing(shown: Reals) -> Reals:
    """1 (T,) where the picture shows so little of a forearm that it points at the camera."""
    return 1.0 - step(shown, *_POINTING)
