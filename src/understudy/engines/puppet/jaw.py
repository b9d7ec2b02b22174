"""Jaw: how far it drops, told from the skin."""

from __future__ import annotations

from understudy.engines.puppet.relief import smooth
from understudy.engines.puppet.skin_points import INNER_LINES, PLACE, places
from understudy.tracking.motion import Floats

CHIN = (152, 175, 199, 200)  # landmarks that go with the jaw
BARED = 0.035  # eye distances by which the lower lip leaves the jaw's teeth bare at most
# Widening from which a mouth grins, and how much more makes it all grin, in eye distances.
GRIN_FROM, GRIN_MORE = 0.12, 0.25
# Gap up to which a grin shows teeth that meet, and how much more parts them.
MEETING, PARTING = 0.26, 0.15


def jaw_drop(skin: Floats, gap: float) -> float:
    """Eye distances by which the jaw goes down, for shifts ``(len(SKIN), 2)`` and the gap that the lips then have.

    The chin tells, but its skin slides: a lower lip far down takes the jaw along, and in a broad grin the teeth
    meet however far the lips part.
    """
    chin = float(skin[places(CHIN), 1].mean())
    lower = float(skin[places(INNER_LINES[1]), 1].max())
    wider = float(skin[PLACE[291], 0] - skin[PLACE[61], 0])
    grin = smooth((wider - GRIN_FROM) / GRIN_MORE) * (1.0 - smooth((gap - MEETING) / PARTING))
    return float(1.0 - grin) * max(chin, lower - BARED, 0.0)
