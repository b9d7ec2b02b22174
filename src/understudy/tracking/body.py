"""The body's landmarks inside a region: BlazePose GHUM (full), with its heatmap refinement."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import atan2, cos, pi, sin

import cv2
import numpy as np

from understudy.tracking.motion import BODY, Floats
from understudy.tracking.network import Network
from understudy.tracking.pose_detection import BODY_MARGIN
from understudy.tracking.region import Region, upright
from understudy.tracking.tracker import Frame

NAME = "pose_landmark_full"
MASK = 2  # the number of the output that is the mask
SIDE = 256
POINTS = 39  # 33 landmarks, 2 alignment points, 4 unused
KERNEL = 7
REFINE_FROM = 0.5  # peak of the heatmap from which it is believed


@dataclass(frozen=True)
class Body:
    """What the network saw, in pixels of the picture."""

    landmarks: Floats  # (33, 3)
    visibility: Floats  # (33,)
    world: Floats  # (33, 3)
    presence: float
    alignment: Floats  # (2, 2) mid-hip, and a point on the circle about the body, above
    mask: Floats | None  # (H, W)

    @property
    def region(self) -> Region:
        return region_about(self.alignment)


def region_about(alignment: Floats) -> Region:
    """The square to look for the body in, from its two alignment points."""
    return Region.around(alignment[0], alignment[1], up=pi / 2).scaled(BODY_MARGIN)


def region_about_joints(body: Floats) -> Region:
    """The square that the network wants, from landmarks (33, 2 or 3) that it gave before."""
    hips, shoulders = body[[23, 24], :2].mean(axis=0), body[[11, 12], :2].mean(axis=0)
    dx, dy = (float(x) for x in shoulders - hips)
    reach = float(np.linalg.norm(body[:, :2] - hips, axis=1).max())
    return Region(float(hips[0]), float(hips[1]), 2 * reach * BODY_MARGIN, upright(pi / 2 - atan2(-dy, dx)))


class BodyLandmarks:
    """Runs the landmark network on one region of a frame."""

    def __init__(self, *, threads: int = 1) -> None:
        self._threads = threads
        self._network = Network(NAME, threads=threads, without=(MASK,))

    @cached_property
    def _with_mask(self) -> Network:
        """The whole network: its mask takes two fifths of its time, and is asked for in pictures alone."""
        return Network(NAME, threads=self._threads)

    def look(self, frame: Frame, region: Region, *, mask: bool = False) -> Body:
        network = self._with_mask if mask else self._network
        region.crop(frame, network)
        outputs = network.run()
        segmentation = outputs.pop(MASK) if mask else None
        flat, presence, heatmap, world = outputs
        points = flat.reshape(POINTS, 5)
        places = refine(points[:, :3] / np.float32(SIDE), heatmap)
        landmarks = region.to_picture(places)
        turned: Floats = world.reshape(POINTS, 3)[:BODY].copy()
        c, s = np.float32(cos(region.angle)), np.float32(sin(region.angle))
        turned[:, :2] = turned[:, :2] @ np.array([[c, s], [-s, c]], np.float32)
        return Body(
            landmarks=landmarks[:BODY],
            visibility=sigmoid(points[:BODY, 3]),
            world=turned,
            presence=float(presence[0]),
            alignment=landmarks[33:35, :2],
            mask=None if segmentation is None else paste(sigmoid(segmentation[:, :, 0]), region, frame),
        )


def sigmoid(x: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-np.clip(x, -60, 60))), np.float32)


def refine(places: Floats, heatmap: Floats) -> Floats:
    """Move each point to the centre of mass of its heatmap about it, where the heatmap is sure.

    ``places`` (N, 3) in units of the crop; ``heatmap`` (h, w, N) logits. The window of 7 x 7 cells about the
    point and the threshold are those that the model was published with.
    """
    height, width, count = heatmap.shape
    reach = (KERNEL - 1) // 2
    column = np.trunc(places[:, 0] * width).astype(np.intp)
    row = np.trunc(places[:, 1] * height).astype(np.intp)
    inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
    steps = np.arange(-reach, reach + 1)
    rows = row[:, None] + steps  # (N, 7)
    columns = column[:, None] + steps
    valid = ((rows >= 0) & (rows < height))[:, :, None] & ((columns >= 0) & (columns < width))[:, None, :]
    window = heatmap[
        np.clip(rows, 0, height - 1)[:, :, None],
        np.clip(columns, 0, width - 1)[:, None, :],
        np.arange(count)[:, None, None],
    ]
    sure = np.where(valid, sigmoid(window), np.float32(0))
    total = sure.sum(axis=(1, 2))
    trusted = inside & (sure.max(axis=(1, 2)) >= REFINE_FROM)
    total = np.where(trusted, total, np.float32(1))
    refined = places.copy()
    x = (sure.sum(axis=1) * columns).sum(axis=1) / total / width
    y = (sure.sum(axis=2) * rows).sum(axis=1) / total / height
    refined[:, 0] = np.where(trusted, x, places[:, 0])
    refined[:, 1] = np.where(trusted, y, places[:, 1])
    return refined


def paste(mask: Floats, region: Region, frame: Frame) -> Floats:
    """The mask of a crop in the picture's own pixels, 0 outside the crop."""
    pasted = cv2.warpAffine(
        mask,
        region.matrix(mask.shape[0]),
        (frame.shape[1], frame.shape[0]),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_CONSTANT,
    )
    return np.asarray(pasted, np.float32)
