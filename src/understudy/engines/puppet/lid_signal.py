"""How far the performer's lids are closed over time."""

from __future__ import annotations

import numpy as np

from understudy.engines.puppet.face_measures import Measures
from understudy.tracking.motion import Floats


def lids(m: Measures, own: Measures | None) -> Floats:
    """Closing of the lids; the eye away from the camera is not trusted when the head is turned.

    The mesh never sees an eye quite shut: on real clips a blink reaches 0.5 to 0.75 of the open eye, so each
    performer's own lowest opening counts as closed, within those bounds.
    """
    opening = m.lids / np.maximum(np.quantile(m.lids, 0.85, axis=0), 1e-3)
    both = opening.mean(axis=1, keepdims=True)
    near_left = np.clip(
        0.5 + (-m.yaw[:, None] - 0.0) / 60.0, 0.0, 1.0
    )  # turned to its own right: left is near
    nearer = near_left * opening[:, :1] + (1.0 - near_left) * opening[:, 1:]
    turned = np.clip((np.abs(m.yaw[:, None]) - 15.0) / 15.0, 0.0, 1.0)
    # Two eyes share most of their motion; a share of the mean halves the tracker's noise and leaves a wink.
    opening = (1.0 - turned) * (0.6 * opening + 0.4 * both) + turned * nearer
    shut = np.clip(np.quantile(opening, 0.003) + 0.04, 0.56, 0.74)
    open_from = 0.90
    closing = np.clip((open_from - opening) / (open_from - shut), 0.0, 1.0)
    if own is not None:
        usual = float(np.quantile(m.lids, 0.85))
        shown = np.clip(1.0 - own.lids[0] / max(usual, 1e-3) - 0.1, 0.0, 0.4)
        closing = np.clip((closing - shown) / (1.0 - shown), 0.0, 1.0)
    return np.asarray(closing * closing * (3.0 - 2.0 * closing), np.float32)
