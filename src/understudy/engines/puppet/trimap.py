"""What is surely the character, surely not, and between: from belief, bones and the backdrop."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from understudy.engines.puppet.belief import BONES, capsules, torso
from understudy.engines.puppet.crf import Reach, settle
from understudy.engines.puppet.strips import Body, strips
from understudy.tracking.backdrop import Backdrop
from understudy.tracking.motion import Floats
from understudy.tracking.tracker import Frame, Person

Mask = NDArray[np.bool_]

SURE = 3.0  # log-odds at which the networks' belief is cut off: they are often sure and wrong
# pixels of half the output's size
REACHES = (
    Reach(space=12.0, light=8.0, colour=5.0, strength=2.0),
    Reach(space=40.0, light=6.0, colour=3.5, strength=1.25),
)
LIMB_RADII = {11: 0.12, 13: 0.09, 15: 0.1, 23: 0.16, 25: 0.1, 27: 0.1}  # by a bone's upper joint, in torsos
FAR = 40  # pixels of the half size about the belief's edge in which labels are settled
CLEAN = 0.5  # Lab units of noise: below, the backdrop is of one drawn colour, and all that differs is figure
UNLIKE = 4.0  # Lab distance from such a backdrop that is no shading of it
HELD = 6.0  # log-odds of a thing that surely stands before the backdrop and hangs together with the figure
# Of the picture: where more than that is neither figure nor backdrop, it is a room, not a studio
FURNISHED = 0.11
FEET = ((27, 29), (29, 31), (27, 31), (28, 30), (30, 32), (28, 32))


def settle_labels(rgb: Frame, belief: Floats, person: Person, backdrop: Backdrop | None) -> Floats:
    """(H, W) 0..1 at the size of ``rgb`` (half the output's): the belief drawn to the picture's own edges."""
    lab = np.asarray(cv2.cvtColor(rgb.astype(np.float32) / 255, cv2.COLOR_RGB2Lab), np.float32)
    evidence = np.clip(np.log((belief + 0.02) / (1.02 - belief)), -SURE, SURE).astype(np.float32)
    joints = person.body[:, :2]
    core = belief > 0.3
    surely = belief > 0.9
    ground = np.zeros_like(core)
    body = None
    if np.isfinite(joints).all():
        unit = torso(joints)
        shown = [(a, b) for a, b in BONES if min(person.visibility[a], person.visibility[b]) > 0.3]
        bones = capsules(belief.shape, joints, shown, 0.05 * unit)
        evidence += np.where(bones, 2.0, 0.0).astype(np.float32)
        feet = capsules(belief.shape, joints, [b for b in FEET if b in shown], 0.07 * unit)
        evidence += np.where(feet, 2.0, 0.0).astype(np.float32)
        core |= bones | feet
        ground = capsules(belief.shape, joints, [b for b in FEET if b in shown], 0.35 * unit)
        zone = _body_zone(belief.shape, joints, unit, 1.0)
        # outside a bare body belief may be a gap between limbs: it counts less, and speaks softly to others
        evidence = np.where(zone, evidence, np.minimum(evidence, 2.0) - 0.6)
        middle = _body_zone(belief.shape, joints, unit, 0.6)
        surely = (middle & (belief > 0.7)) | bones
        body = Body(joints, zone, middle, bones)
    held = np.zeros_like(core)
    if backdrop is not None:
        against, held = _backdrop_evidence(belief, backdrop, core, ground)
        evidence += against
    figure = core.astype(np.uint8)
    within = cv2.distanceTransform(figure, cv2.DIST_L2, 3)
    without = cv2.distanceTransform(1 - figure, cv2.DIST_L2, 3)
    # the fainter the belief, the louder a pixel says that its colour is the background's
    faint = np.interp(belief, (0.15, 0.3), (1.0, 0.1))
    weight = np.where(surely, 1.0, np.where(held, 0.1, faint)).astype(np.float32)
    label = settle(evidence, lab, weight, (within < FAR) & ((without < FAR) | held), REACHES)
    if body is not None:
        label[strips(label, belief, lab, body, held)] = 0
    return label


def _body_zone(shape: tuple[int, ...], joints: Floats, unit: float, part: float) -> Mask:
    """(H, W) where a bare body would be: outside, the networks' belief may be a gap between limbs."""
    zone = np.zeros(shape, np.uint8)
    for upper, radius in LIMB_RADII.items():
        for side in (0, 1):
            a = upper + side
            b = a + (4 if upper == 27 else 2)
            zone |= capsules(shape, joints, [(a, b)], part * radius * unit)
    corners = joints[[11, 12, 24, 23]]
    corners = corners.mean(0) + (0.7 + 0.3 * part) * (corners - corners.mean(0))
    trunk = cv2.convexHull(np.rint(corners).astype(np.int32))
    cv2.fillConvexPoly(zone, trunk, 1)
    head = joints[[0, 7, 8]].mean(0)
    neck = np.rint(np.stack([head, joints[[11, 12]].mean(0)])).astype(int)
    cv2.line(zone, tuple(neck[0].tolist()), tuple(neck[1].tolist()), 1, max(1, round(part * 0.36 * unit)))
    crown = (round(float(head[0])), round(float(head[1] - 0.1 * unit)))
    cv2.circle(zone, crown, max(1, round(part * 0.5 * unit)), 1, -1)
    return np.asarray(zone > 0, np.bool_)


def _backdrop_evidence(belief: Floats, backdrop: Backdrop, core: Mask, feet: Mask) -> tuple[Floats, Mask]:
    """Log-odds to add, and the objects that stand before the backdrop and hang together with the figure."""
    size = belief.shape[::-1]
    wall = cv2.resize(backdrop.mask.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    hole = cv2.resize(backdrop.holes.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    unlike = np.asarray(cv2.resize(backdrop.unlike, size, interpolation=cv2.INTER_AREA), np.float32)
    limit = max(4 * backdrop.noise, 8.0)
    objects = (unlike > limit) & (wall < 0.5)
    held = np.zeros_like(core)
    about = cv2.dilate(core.astype(np.uint8), np.ones((15, 15), np.uint8)) > 0
    other = np.zeros_like(belief)
    doubt = np.where(belief > 0.9, 0.2, 1.0)  # hair or cloth of the wall's own colour
    sure = np.zeros_like(core)
    if ((wall + hole < 0.5) & ~about).mean() < FURNISHED:
        other = np.clip(unlike / limit - 1, 0, 1)
        if backdrop.noise < CLEAN:
            distance = np.asarray(
                cv2.resize(backdrop.distance, size, interpolation=cv2.INTER_AREA), np.float32
            )
            drawn = (distance > UNLIKE) & (wall + hole < 0.5) & ~feet
            objects |= drawn
            other = np.maximum(other, drawn)
            sure = wall > 0.5
        held = _held(objects, core, about, feet)
    added = np.where(held, HELD * other, 0.0) - doubt * (2.5 * wall + 1.5 * hole)
    return np.asarray(np.where(sure, -HELD, added), np.float32), held


def _held(objects: Mask, core: Mask, about: Mask, feet: Mask) -> Mask:
    """The things among ``objects`` that go with the figure ``core``: a bag, a hat, a lock of hair.

    Not what reaches the picture's edge or touches the figure only at its ``feet``: that is furniture or ground.
    """
    joined = cv2.dilate((objects | core).astype(np.uint8), np.ones((3, 3), np.uint8))
    _, labels = cv2.connectedComponents(joined)
    ours = np.unique(labels[core])
    hangs = np.isin(labels, ours[ours > 0])
    count, pieces = cv2.connectedComponents((objects & ~about).astype(np.uint8))
    contact = cv2.dilate(about.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    rim = np.concatenate([pieces[0], pieces[-1], pieces[:, 0], pieces[:, -1]])
    keep = np.bincount(pieces[contact & ~feet], minlength=count) > 0
    keep &= np.bincount(rim, minlength=count) == 0
    keep[0] = False
    return np.asarray(objects & hangs & (keep[pieces] | about), np.bool_)
