"""A figure of coloured capsules whose every pixel's part is known, for the tests of cutting and drawing."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from understudy.engines.puppet.parts import FINGER_REACH, LIMBS
from understudy.engines.puppet.pose import Poses
from understudy.tracking.motion import HAND, Floats

WIDTH, HEIGHT = 480, 720
FINE = 4  # times finer than the picture, for soft edges
TRUNK, NOTHING = 0, 255  # labels; limbs are 1 to 4 in the order of LIMBS
ARM_RADII, LEG_RADII = (21.0, 16.0, 13.0), (30.0, 21.0, 15.0)
HEAD_RADIUS, NECK_RADIUS = 42, 20

SHIRT, SKIN = (60, 90, 190), (225, 180, 150)
COLOURS: dict[str, tuple[tuple[int, int, int], ...]] = {
    "left arm": ((200, 60, 60), (200, 60, 60), SKIN),
    "right arm": ((70, 160, 80), (70, 160, 80), SKIN),
    "left leg": ((90, 60, 40), (90, 60, 40), (30, 30, 30)),
    "right leg": ((190, 170, 60), (190, 170, 60), (30, 30, 30)),
}


def standing() -> Floats:
    """(33, 2) joints in the picture: arms and legs a little apart from everything."""
    joints = np.zeros((33, 2), np.float32)
    joints[0] = 240, 125
    joints[1:4] = (248, 112), (254, 112), (260, 112)
    joints[4:7] = (232, 112), (226, 112), (220, 112)
    joints[7:11] = (272, 118), (208, 118), (250, 146), (230, 146)
    joints[11:13] = (300, 215), (180, 215)
    joints[23:25] = (276, 395), (204, 395)
    arm(joints, 0, (348, 295), (388, 370))
    arm(joints, 1, (132, 295), (92, 370))
    leg(joints, 0, (288, 505), (296, 615))
    leg(joints, 1, (192, 505), (184, 615))
    return joints


def arm(joints: Floats, side: int, elbow: tuple[float, float], wrist: tuple[float, float]) -> None:
    """Put one arm's joints, in place; the hand goes on in the forearm's direction."""
    along = np.subtract(wrist, elbow).astype(np.float32)
    along /= max(float(np.hypot(*along)), 1e-6)
    knuckles = wrist + 20 * along
    across = np.array([-along[1], along[0]], np.float32)
    joints[13 + side], joints[15 + side] = elbow, wrist
    joints[17 + side], joints[19 + side] = knuckles + 5 * across, knuckles - 5 * across
    joints[21 + side] = wrist + 10 * along - 9 * across


def leg(joints: Floats, side: int, knee: tuple[float, float], ankle: tuple[float, float]) -> None:
    """Put one leg's joints, in place; the foot points down and outwards."""
    outwards = 1 if side == 0 else -1
    joints[25 + side], joints[27 + side] = knee, ankle
    joints[29 + side] = ankle[0] - 4 * outwards, ankle[1] + 16
    joints[31 + side] = ankle[0] + 16 * outwards, ankle[1] + 34


@dataclass(frozen=True)
class CapsuleFigure:
    """The figure over its background; ``truth`` (H, W) has every pixel's label."""

    joints: Floats
    alpha: Floats
    foreground: NDArray[np.uint8]
    background: NDArray[np.uint8]
    truth: NDArray[np.uint8]
    shown: NDArray[np.bool_] = field(default_factory=lambda: np.ones(33, bool))

    @property
    def picture(self) -> NDArray[np.uint8]:
        a = self.alpha[..., None]
        return np.rint(self.foreground * a + self.background * (1.0 - a)).astype(np.uint8)

    def cropped(self, height: int) -> CapsuleFigure:
        """Only the upper ``height`` rows: the picture's bottom edge cuts the figure."""
        return replace(
            self,
            alpha=self.alpha[:height].copy(),
            foreground=self.foreground[:height].copy(),
            background=self.background[:height].copy(),
            truth=self.truth[:height].copy(),
            shown=self.joints[:, 1] < height,
        )


def draw(
    joints: Floats,
    order: tuple[str, ...] = ("left leg", "right leg", "trunk", "left arm", "right arm"),
    colours: dict[str, tuple[tuple[int, int, int], ...]] | None = None,
    skirt: tuple[tuple[float, float], ...] = (),
) -> CapsuleFigure:
    """The figure at ``joints``; what comes later in ``order`` lies in front. ``skirt`` is a polygon of the trunk's."""
    labels = np.full((HEIGHT * FINE, WIDTH * FINE), NOTHING, np.uint8)
    rgb = np.zeros((HEIGHT * FINE, WIDTH * FINE, 3), np.uint8)
    for name in order:
        if name == "trunk":
            _draw_trunk(labels, rgb, joints, skirt)
            continue
        number, limb = next((i, limb) for i, limb in enumerate(LIMBS) if limb.name == name)
        line = limb.polyline(joints)
        if limb.arm:
            line[3] = line[2] + FINGER_REACH * (line[3] - line[2])
        radii = ARM_RADII if limb.arm else LEG_RADII
        shades = (colours or COLOURS)[name]
        for k in (2, 1, 0):
            stop = line[k + 1]
            if limb.arm and k == 2:  # the tip is round: it ends where the fingers do
                stop = stop - radii[2] * (line[3] - line[2]) / max(
                    float(np.hypot(*(line[3] - line[2]))), 1e-6
                )
            _capsule(labels, rgb, line[k], stop, radii[k], number + 1, shades[k])
    inside = (labels != NOTHING).astype(np.uint8)
    alpha = cv2.resize(inside * 255, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    # Colours go on beyond the edge, as a matte's foreground does.
    _, nearest = cv2.distanceTransformWithLabels(1 - inside, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    table = np.zeros((int(nearest.max()) + 1, 3), np.uint8)
    table[nearest[inside > 0]] = rgb[inside > 0]
    foreground = cv2.resize(table[nearest], (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
    return CapsuleFigure(
        joints.copy(), alpha, foreground, _background(), labels[FINE // 2 :: FINE, FINE // 2 :: FINE].copy()
    )


def _background() -> NDArray[np.uint8]:
    """Greenish grey that changes from pixel to pixel, unlike any colour of the figure."""
    ys, xs = np.mgrid[:HEIGHT, :WIDTH]
    return np.stack([150 + (xs + ys) % 7, 215 + (3 * xs + ys) % 11, 190 + ys % 13], axis=-1).astype(np.uint8)


def _draw_trunk(
    labels: NDArray[np.uint8],
    rgb: NDArray[np.uint8],
    joints: Floats,
    skirt: tuple[tuple[float, float], ...],
) -> None:
    left, right, hip_left, hip_right = joints[11], joints[12], joints[23], joints[24]
    chest = (left + right) / 2
    wider = np.array([14, 12], np.float32)
    torso = np.stack([left, right, hip_right + wider * (-1, 1), hip_left + wider])
    head = joints[:11].mean(axis=0)
    _capsule(labels, rgb, head, chest, NECK_RADIUS, TRUNK, SKIN)
    _polygon(labels, rgb, torso, SHIRT)
    if skirt:
        _polygon(labels, rgb, np.array(skirt, np.float32), SHIRT)
    _capsule(labels, rgb, head, head, HEAD_RADIUS, TRUNK, SKIN)


def _polygon(
    labels: NDArray[np.uint8], rgb: NDArray[np.uint8], points: Floats, colour: tuple[int, int, int]
) -> None:
    fine = [np.rint((points + 0.5) * FINE).astype(np.int32)]
    cv2.fillPoly(labels, fine, TRUNK)
    cv2.fillPoly(rgb, fine, colour)


def _capsule(
    labels: NDArray[np.uint8],
    rgb: NDArray[np.uint8],
    start: Floats,
    stop: Floats,
    radius: float,
    label: int,
    colour: tuple[int, int, int],
) -> None:
    a, b = (tuple(int(v) for v in np.rint((p + 0.5) * FINE)) for p in (start, stop))
    for canvas, paint in ((labels, (label,)), (rgb, colour)):
        cv2.line(canvas, a, b, paint, round(2 * radius * FINE))
        for end in (a, b):
            cv2.circle(canvas, end, round(radius * FINE), paint, -1)


def poses(joints: Floats, shown: NDArray[np.bool_] | None = None, scale: float = 1.0) -> Poses:
    """The figure's ``joints`` (33, 2) or (T, 33, 2) as a performance, all at one depth."""
    path = np.asarray(joints if joints.ndim == 3 else joints[None], np.float32)
    frames = len(path)
    return Poses(
        joints=path,
        depth=np.zeros((frames, 33), np.float32),
        facing=np.ones(frames, np.float32),
        scale=np.full(frames, scale, np.float32),
        hands=np.zeros((frames, 2, HAND, 2), np.float32),
        hand_weight=np.zeros((frames, 2), np.float32),
        shown=np.ones(33, bool) if shown is None else shown,
    )
