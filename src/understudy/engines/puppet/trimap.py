"""What is surely the character, surely not, and between: from belief, bones and the backdrop."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from understudy.engines.puppet.belief import BONES, capsules, torso
from understudy.engines.puppet.crf import Reach, settle
from understudy.tracking.backdrop import Backdrop
from understudy.tracking.motion import Floats
from understudy.tracking.tracker import Frame, Person

Mask = NDArray[np.bool_]

SURE = 3.0  # log-odds at which the networks' belief is cut off: they are often sure and wrong
REACH = Reach(space=12.0, light=8.0, colour=5.0, strength=5.0)  # pixels of half the output's size
FAR = 40  # pixels of the half size about the belief's edge in which labels are settled
FEET = ((27, 29), (29, 31), (27, 31), (28, 30), (30, 32), (28, 32))


def settle_labels(rgb: Frame, belief: Floats, person: Person, backdrop: Backdrop | None) -> Floats:
    """(H, W) 0..1 at the size of ``rgb`` (half the output's): the belief drawn to the picture's own edges."""
    lab = np.asarray(cv2.cvtColor(rgb.astype(np.float32) / 255, cv2.COLOR_RGB2Lab), np.float32)
    evidence = np.clip(np.log((belief + 0.02) / (1.02 - belief)), -SURE, SURE).astype(np.float32)
    joints = person.body[:, :2]
    core = belief > 0.3
    if np.isfinite(joints).all():
        unit = torso(joints)
        shown = [(a, b) for a, b in BONES if min(person.visibility[a], person.visibility[b]) > 0.3]
        bones = capsules(belief.shape, joints, shown, 0.05 * unit)
        evidence += np.where(bones, 2.0, 0.0).astype(np.float32)
        feet = capsules(belief.shape, joints, [b for b in FEET if b in shown], 0.07 * unit)
        evidence += np.where(feet, 2.0, 0.0).astype(np.float32)
        core |= bones | feet
    if backdrop is not None:
        evidence += _backdrop_evidence(belief, backdrop)
    figure = core.astype(np.uint8)
    within = cv2.distanceTransform(figure, cv2.DIST_L2, 3)
    without = cv2.distanceTransform(1 - figure, cv2.DIST_L2, 3)
    return settle(evidence, lab, (within < FAR) & (without < FAR), (REACH,))


def _backdrop_evidence(belief: Floats, backdrop: Backdrop) -> Floats:
    size = belief.shape[::-1]
    wall = cv2.resize(backdrop.mask.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    hole = cv2.resize(backdrop.holes.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    distance = cv2.resize(backdrop.distance, size, interpolation=cv2.INTER_AREA)
    other = np.clip(distance / max(4 * backdrop.noise, 6.0) - 1, 0, 1)
    return np.asarray(-2.5 * wall - 1.5 * hole + 1.5 * other * (belief > 0.05), np.float32)
