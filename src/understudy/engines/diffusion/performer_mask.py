"""Where the character goes: the performer's place in each frame, with room for another silhouette.

After the masks in Wan2.2's own preprocessing (github.com/Wan-Video/Wan2.2, wan/modules/animate/preprocess: the masks of
SAM 2 grown by a square of 7 pixels three times, and ``get_aug_mask``: the box about them divided into cells, and every
cell that holds any of the performer filled). Its user guide says what the cells are for: an exact outline leaks the
performer's shape into the character, a coarse one costs background; its example fills the whole box, its function has
10 x 20 cells, and a common workflow of ComfyUI has cells of 32 pixels. Here cells are of about 1/20 of the shorter
side, and of a grid that stands still: one that moves with the box shimmers. They are whole multiples of the 16 pixels
that a token of the model sees, since the model's mask is read once in every 8 pixels.

The performer comes from three sources. Where the tracker's joints are is always the performer. The landmark network's
own mask is of the one person it looks at. The segmentation network sees hair, cloth and feet better, but of everybody:
it counts within reach of the joints alone. What hangs together with none of the joints is somebody else.
"""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from understudy.engines.diffusion.pose_drawing import moved, nearest_tracked
from understudy.tracking import series
from understudy.tracking.body import BodyLandmarks, paste, region_about_joints
from understudy.tracking.motion import Floats, Motion
from understudy.tracking.region import Region
from understudy.tracking.segmentation import Segmentation
from understudy.tracking.tracker import Frame

Mask = NDArray[np.uint8]  # (H, W), 0 or 255

TOKEN_PX = 16
CELLS = 20  # about so many along the shorter side
GROWN = 0.014  # of the shorter side: 9 pixels at 640, what three times a square of 7 give
HELD = (
    3  # frames for which a cell stays after the performer has left it: the model's latents hold 4 frames each
)
SURE_OWN, SURE_ANY = 0.4, 0.5  # of the landmark network's mask, of the segmentation's
SEEN = 0.5  # visibility from which a joint is the performer's for sure
CROP = 256  # side of what the segmentation looks at
WIDER = 1.15  # of the body's square: cloth and hair reach over it
PRESENT = 0.5  # the landmark network's word that somebody is there
STRAYED = 2.0  # how much further somebody may be from a pose of another frame
BLIND_S = 2.0  # seconds from a frame with a performer in which one is looked for without the tracker

# Landmarks of BlazePose and radii in body sizes (from the shoulders to the hips, about): what is the performer for
# sure, and how far from it hair, cloth and what is held may reach.
HEAD, EYES, MOUTH = tuple(range(11)), (2, 5), (9, 10)
TRUNK = (11, 12, 24, 23)
BONES = (
    ((11, 13), 0.12, 0.32), ((12, 14), 0.12, 0.32), ((13, 15), 0.09, 0.30), ((14, 16), 0.09, 0.30),
    ((15, 19), 0.10, 0.30), ((16, 20), 0.10, 0.30), ((23, 25), 0.17, 0.40), ((24, 26), 0.17, 0.40),
    ((25, 27), 0.12, 0.40), ((26, 28), 0.12, 0.40), ((27, 31), 0.10, 0.50), ((28, 32), 0.10, 0.50),
    ((27, 29), 0.10, 0.50), ((28, 30), 0.10, 0.50),
)  # fmt: skip
HEAD_SURE, HEAD_REACH = 0.30, 0.62
ABOVE, ABOVE_WIDTH = 0.30, 0.30  # over the head is room for another hair, and hats are seldom segmented whole
TRUNK_SURE, TRUNK_REACH = 0.10, 0.40
FINGERS = 0.05
SHOULDERS_TO_TRUNK = 1.3  # the trunk's length in widths of the shoulders
FAR = 4.0  # longer sides of the frame from its corner: where a landmark ends that lies still further away
SIZE_S = 0.5  # seconds in which a body does not shrink: foreshortened it only looks so


class PerformerMasks:
    """The masks of a motion's performer, for frames given in order.

    ``affine`` (2, 3) leads from the driving video's pixels to those of the frames.
    """

    def __init__(self, motion: Motion, affine: Floats, *, threads: int = 1) -> None:
        self._motion, self._affine = motion, affine
        self._body = BodyLandmarks(threads=threads)
        self._segmentation = Segmentation(threads=threads)
        self._nearest = nearest_tracked(motion, BLIND_S)
        self._size = _body_sizes(motion, self._nearest) * float(np.sqrt(abs(np.linalg.det(affine[:, :2]))))
        self._shot_of = np.searchsorted(np.array(motion.cuts), np.arange(len(motion)), side="right")
        self._shot = -1
        self._cells: list[NDArray[np.bool_]] = []
        self._shape: Mask = np.zeros((0, 0), np.uint8)  # the performer in the frame before

    def mask(self, frame: Frame, t: int) -> Mask:
        """(H, W), 255 where the character goes in ``frame`` (H, W, 3), which shows number ``t`` of the motion.

        Nobody there gives 0 everywhere.
        """
        if self._shot_of[t] != self._shot:
            self._shot, self._cells, self._shape = (
                int(self._shot_of[t]),
                [],
                np.zeros(frame.shape[:2], np.uint8),
            )
        self._shape = shape = self._performer(frame, t)
        cell = cell_px(*shape.shape)
        self._cells = [*self._cells[-HELD:], filled_cells(_grown(shape), cell)]
        return _pasted(np.logical_or.reduce(self._cells), cell, shape.shape)

    def _performer(self, frame: Frame, t: int) -> Mask:
        """The performer's own shape, as well as it can be told."""
        motion, known = self._motion, int(self._nearest[t])
        shape = frame.shape[:2]
        if known < 0:
            return np.zeros(shape, np.uint8)
        joints, size = self._near(frame, motion.body[known]), float(self._size[known])
        hands = [self._near(frame, hand) for hand in motion.hands[known] if np.isfinite(hand[:, :2]).all()]
        everything = np.ones(len(joints), np.bool_)
        seen = self._seen(frame, region_about_joints(joints).scaled(WIDER))
        if known != t:
            # The tracker is blind: whoever is about the place where the performer is next or was last.
            near = hull(shape, joints, everything, hands, STRAYED * size, reach=True)
            found = np.where((near > 0) & seen, np.uint8(255), np.uint8(0))
            # Who has left is gone: the networks would see somebody in the empty scene sooner or later.
            return found if known > t else _joined(found, self._shape)
        sure = hull(shape, joints, motion.visibility[t] >= SEEN, hands, size, reach=False)
        reach = hull(shape, joints, everything, hands, size, reach=True)
        found = np.where((reach > 0) & seen, np.uint8(255), sure)
        joined = _joined(found, sure) if sure.any() else found
        return joined | _above(shape, joints, motion.visibility[t] >= SEEN, size)

    def _near(self, frame: Frame, points: Floats) -> Floats:
        """Landmarks (N, 3) in the frame's pixels, not so far outside that they cannot be drawn."""
        side = max(frame.shape[:2])
        return np.clip(moved(points[:, :2], self._affine), -FAR * side, FAR * side)

    def _seen(self, frame: Frame, region: Region) -> NDArray[np.bool_]:
        """(H, W) where either network sees somebody in a region of the frame."""
        cut = cv2.warpAffine(
            frame, region.matrix(CROP), (CROP, CROP), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        )
        crop = np.asarray(cut, np.uint8)
        looked = self._body.look(crop, Region(CROP / 2, CROP / 2, CROP, 0.0), mask=True)
        seen = self._segmentation.segment(crop) - SURE_ANY
        if looked.mask is not None and looked.presence >= PRESENT:
            seen = np.maximum(seen, looked.mask - SURE_OWN)
        return np.asarray(paste(seen, region, frame) > 0)


def cell_px(height: int, width: int) -> int:
    """The side of a cell for frames of that size."""
    return max(round(min(height, width) / CELLS / TOKEN_PX), 1) * TOKEN_PX


def filled_cells(mask: Mask, cell: int) -> NDArray[np.bool_]:
    """(rows, columns) of a grid of ``cell`` x ``cell`` pixels: whether any of the mask lies in a cell."""
    height, width = mask.shape
    room = np.pad(mask, ((0, -height % cell), (0, -width % cell)))
    rows, columns = (side // cell for side in room.shape)
    return np.asarray(room.reshape(rows, cell, columns, cell).any(axis=(1, 3)))


def _pasted(cells: NDArray[np.bool_], cell: int, shape: tuple[int, ...]) -> Mask:
    whole = np.repeat(np.repeat(cells, cell, axis=0), cell, axis=1)[: shape[0], : shape[1]]
    return np.where(whole, np.uint8(255), np.uint8(0))


def _grown(mask: Mask) -> Mask:
    reach = max(round(GROWN * min(mask.shape)), 1)
    return np.asarray(cv2.dilate(mask, np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)), np.uint8)


def _joined(shape: Mask, sure: Mask) -> Mask:
    """What of ``shape`` hangs together with ``sure``."""
    _, labels = cv2.connectedComponents(shape)
    mine = np.zeros(labels.max() + 1, np.bool_)
    mine[labels[sure > 0]] = True
    mine[0] = False
    return np.where(mine[labels], np.uint8(255), np.uint8(0))


def _above(shape: tuple[int, ...], joints: Floats, seen: NDArray[np.bool_], size: float) -> Mask:
    """A capsule from the head's middle upwards, as the head is held."""
    room = np.zeros(shape, np.uint8)
    head = [row for row in HEAD if seen[row]]
    if len(head) > 2:
        middle = joints[head].mean(axis=0)
        up = joints[list(EYES)].mean(axis=0) - joints[list(MOUTH)].mean(axis=0)
        way = up / max(float(np.linalg.norm(up)), 1e-3) * ABOVE * size
        _line(room, np.stack([middle, middle + way]), size * ABOVE_WIDTH)
    return room


def hull(
    shape: tuple[int, ...],
    joints: Floats,
    seen: NDArray[np.bool_],
    hands: list[Floats],
    size: float,
    *,
    reach: bool,
) -> Mask:
    """Capsules about the bones between joints (33, 2) that are seen, a disc about the head, the trunk."""
    hull = np.zeros(shape, np.uint8)
    for (one, other), near, far in BONES:
        if seen[one] and seen[other]:
            _line(hull, joints[[one, other]], size * (far if reach else near))
    if seen[list(TRUNK)].all():
        trunk = cv2.convexHull(np.int32(np.round(joints[list(TRUNK)])))
        cv2.fillConvexPoly(hull, trunk, 255)
        _line(hull, joints[[*TRUNK, TRUNK[0]]], size * (TRUNK_REACH if reach else TRUNK_SURE))
    head = [row for row in HEAD if seen[row]]
    if len(head) > 2:
        _line(
            hull,
            joints[head].mean(axis=0)[None].repeat(2, axis=0),
            size * (HEAD_REACH if reach else HEAD_SURE),
        )
    for hand in hands:
        outline = cv2.convexHull(np.int32(np.round(hand)))
        cv2.fillConvexPoly(hull, outline, 255)
        _line(hull, np.concatenate([outline[:, 0], outline[:1, 0]]), size * (FINGERS * (3 if reach else 1)))
    return hull


def _line(hull: Mask, points: Floats, radius: float) -> None:
    rounded = np.int32(np.round(points))
    width = min(max(round(2 * radius), 1), 2 * max(hull.shape))
    cv2.polylines(hull, [rounded], False, 255, width)


def _body_sizes(motion: Motion, nearest: NDArray[np.intp]) -> Floats:
    """(T,) about the trunk's length in the driving video's pixels, NaN where nobody is tracked."""
    body = motion.body[..., :2]
    shoulders, hips = body[:, [11, 12]], body[:, [23, 24]]
    trunk = np.linalg.norm(shoulders.mean(axis=1) - hips.mean(axis=1), axis=-1)
    across = np.linalg.norm(shoulders[:, 0] - shoulders[:, 1], axis=-1)
    sizes = np.fmax(trunk, SHOULDERS_TO_TRUNK * across).astype(np.float32)
    for start, stop in _runs(motion, nearest == np.arange(len(motion))):
        sizes[start:stop] = series.maximum(sizes[start:stop], 2 * round(SIZE_S * motion.fps / 2) + 1)
    return np.asarray(sizes)


def _runs(motion: Motion, tracked: NDArray[np.bool_]) -> Iterator[tuple[int, int]]:
    """The stretches of tracked frames within a shot."""
    for shot in motion.shots:
        known = np.concatenate([[False], tracked[shot.start : shot.stop], [False]])
        for start, stop in np.flatnonzero(known[1:] != known[:-1]).reshape(-1, 2):
            yield shot.start + int(start), shot.start + int(stop)
