"""How far the performer's lids are closed over time."""

from __future__ import annotations

import numpy as np

from understudy.engines.puppet.face_measures import Measures
from understudy.engines.puppet.relief import smooth
from understudy.tracking import series
from understudy.tracking.motion import Floats

OPEN = 0.92  # of the usual opening: what is above is an open eye
WIDE = 1.1  # of the usual opening: what is above is wide open
NARROWING = 2.0  # the mesh narrows half as much as the eye that it follows
TURNED = 0.8  # share of the narrowing that a turned head's mesh makes up
HALF = 0.6  # closing of lids that only narrow, however far
WINK = 0.3  # difference of the openings from which one eye may blink alone
BLINK = 0.2  # of the usual opening: a dip of that depth, with the iris lost, is a blink
DIP = (0.14, 0.34)  # without a word of the iris: depth of a dip that is nothing, and of a blink
SHUT = (0.42, 0.56)  # of the usual opening: a mesh that says shut by itself, however long
BLINK_S = 0.5  # a dip that lasts longer is no blink
OWN = 0.6  # an eye's own share in its opening, the rest is that of both
MOST_WIDE = 0.3  # most by which an eye is drawn wider
SMALL_PX = (4.0, 10.0)  # width of the performer's eye: the opening is noise, it is sure
CLEAR_PX = (12.0, 24.0)  # width of the performer's eye: its iris has no word, its iris decides
CALM_S = 0.06  # deviation of the average over time for eyes that are not clear at all
FINE_PX = (6.0, 16.0)  # width of the performer's eye: how far it narrows is hardly seen, it is seen
NARROWED = 0.3  # share of the narrowing that is drawn then: eyes rather open than half asleep
WINK_DEG = (8.0, 16.0)  # a head turned so far shows its eyes unlike each other, and none winks
SEEN = 0.6  # median score of irises that can tell a blink from a look down


def lids(
    m: Measures, own: Measures | None, fps: float, iris_score: Floats | None = None, eye_px: float = 100.0
) -> Floats:
    """(T, 2) closing of the own left and right lids: 0 usual, 1 closed, below 0 wide open.

    Lids also follow the eye that looks down. A blink hides the iris, a look down does not: ``iris_score`` (T, 2) is
    how surely each was seen. Without it a quick dip of the opening is a blink, a slow one a look down. The mesh never
    sees an eye quite shut: on real clips a blink reaches 0.4 to 0.7 of the open eye. The eye away from the camera is
    not trusted when the head is turned.
    """
    usual = np.maximum(np.quantile(m.lids, 0.85, axis=0), 1e-3)
    size = float(smooth((eye_px - SMALL_PX[0]) / (SMALL_PX[1] - SMALL_PX[0])))
    opening = _shared(m.lids / usual, m.yaw, OWN * size)
    narrow = np.clip(NARROWING * (OPEN - opening), 0.0, HALF)
    narrow = narrow * (1.0 - TURNED * smooth((np.abs(m.yaw) - 8.0) / 14.0))[:, None]
    fine = NARROWED + (1.0 - NARROWED) * float(smooth((eye_px - FINE_PX[0]) / (FINE_PX[1] - FINE_PX[0])))
    narrow = fine * narrow
    shut = _quick(opening, fps)
    clear = float(smooth((eye_px - CLEAR_PX[0]) / (CLEAR_PX[1] - CLEAR_PX[0])))
    hidden = _hidden(iris_score, opening)
    if hidden is not None:
        seen = smooth((hidden - 0.2) / 0.4) * smooth((OPEN - opening) / BLINK)
        shut = shut + clear * (seen - shut)
    closing = narrow + (1.0 - narrow) * shut
    # One eye alone closes only where a clear pair of irises, seen from the front, says so.
    facing = 1.0 - smooth((np.abs(m.yaw) - WINK_DEG[0]) / (WINK_DEG[1] - WINK_DEG[0]))
    alone = (clear * facing if hidden is not None else 0.0 * facing)[:, None]
    both = closing.mean(axis=1, keepdims=True)
    closing = both + alone * (closing - both)
    if clear < 1.0:
        closing = series.gaussian(closing, CALM_S * (1.0 - clear) * fps)
    if own is not None:
        shown = np.clip(1.0 - own.lids[0] / float(np.quantile(m.lids, 0.85) + 1e-3) - 0.1, 0.0, 0.4)
        closing = np.clip((closing - shown) / (1.0 - shown), 0.0, 1.0)
    wide = MOST_WIDE * np.tanh(np.maximum(opening - WIDE, 0.0) / MOST_WIDE)
    return np.asarray(size * (smooth(closing) - wide), np.float32)


def _shared(opening: Floats, yaw: Floats, own: float) -> Floats:
    both = opening.mean(axis=1, keepdims=True)
    near_left = np.clip(0.5 - yaw[:, None] / 60.0, 0.0, 1.0)  # turned to its own right: left is near
    nearer = near_left * opening[:, :1] + (1.0 - near_left) * opening[:, 1:]
    turned = np.clip((np.abs(yaw[:, None]) - 15.0) / 15.0, 0.0, 1.0)
    # Two eyes share most of their motion; a share of the mean halves the tracker's noise and leaves a wink.
    return np.asarray((1.0 - turned) * (own * opening + (1.0 - own) * both) + turned * nearer)


def _hidden(score: Floats | None, opening: Floats) -> Floats | None:
    """(T, 2) how surely each iris is hidden, or None where open eyes do not show theirs either."""
    if score is None:
        return None
    open_eyes = opening.min(axis=1) > OPEN
    if open_eyes.sum() < 3 or float(np.median(score[open_eyes])) < SEEN:
        return None
    own = 1.0 - np.clip(score, 0.0, 1.0)
    wink = smooth(np.ptp(opening, axis=1, keepdims=True) / WINK)
    return np.asarray(wink * own + (1.0 - wink) * own.mean(axis=1, keepdims=True))


def _quick(opening: Floats, fps: float) -> Floats:
    """(T, 2) 0..1: lids that meet for a moment, or that the mesh has shut, by the opening alone."""
    half = max(round(BLINK_S * fps / 2), 1)
    around = series.closing(np.minimum(opening, 1.0), 2 * half + 1)
    quick = smooth((around - opening - DIP[0]) / (DIP[1] - DIP[0]))
    return np.asarray(np.maximum(quick, smooth((SHUT[1] - opening) / (SHUT[1] - SHUT[0]))))
