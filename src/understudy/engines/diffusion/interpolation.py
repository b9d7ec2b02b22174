"""A frame between two others, by the movement from one to the other.

Dense optical flow both ways (Kroeger et al., "Fast Optical Flow using Dense Inverse Search", 2016) is carried to the
time between: for each pixel there, the flow of either way that passes through it, whichever agrees better with both
frames (the idea of symmetric splatting in Baker et al., "A Database and Evaluation Methodology for Optical Flow", 2011,
by fixed-point iteration instead of splatting). Both frames are drawn along it and mixed by time.

A mixture is right only where both frames show the same. Where they do not, one of them is shown alone: of a surface
that only one frame shows, that frame; where neither frame's pixels are found again in the other (a hand that is
elsewhere, and blurred), the nearer frame's own pixels, carried along with what moves around them. So a fast hand may
stay for a moment, but is never torn or seen twice.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

WORK_PIXELS = 100_000  # of the copies that movement is found on; twice as many: 0.1 dB, half as long again
LOST_PX = 3.0  # of the working copy, by which there and back again may miss
SLACK = 0.01  # of the squared movement, by which it may miss more (Sundaram et al., 2010)
LOST_LEVELS = 25.0  # grey levels by which a pixel may differ from where it is found again
GHOST_LEVELS = 10.0  # difference of two drawn pixels from which their mixture is seen as two
CHANGED_LEVELS = 16.0  # less is no failure: nothing is seen of movement on a plain wall
LOST_COST = 20.0  # grey levels that a lost pixel counts in the choice of a flow
COST_SIDE, MEDIAN_SIDE, FAILED_SIDE = 5, 5, 9  # pixels of the working copy
FAILED_PART = 0.35  # of such a window, from which all of it has failed
NEAR_SIDE, FAR_SIDE = 21, 81  # pixels about a failure, whose movement it takes
FAR_PART = 0.02  # what far ones count against near ones
LEAST_SURE = 1e-4  # so that no mean is one of nothing
SOFT_PX, SEAM_PX = 4.0, 1.0  # of the edges of a failure, and of any change from one frame to the other
CUT_SHARE = 0.25  # of the picture, lost in both frames. Real clips: moves up to 0.14, cuts from 0.36
LEAST_SIDE = 32  # pixels: smaller copies have no flow

Frame = NDArray[np.uint8]
Field = NDArray[np.float32]  # (h, w), or (h, w, 2) for movement in pixels, x first


class Between:
    """What lies between ``first`` and ``second``, both (H, W, 3) RGB. Finding their movement is the larger part of the
    work and is done once."""

    def __init__(self, first: Frame, second: Frame) -> None:
        self._first, self._second = first, second
        height, width = first.shape[:2]
        scale = min(1.0, (WORK_PIXELS / (height * width)) ** 0.5)
        self._size = (max(round(width * scale), LEAST_SIDE), max(round(height * scale), LEAST_SIDE))
        small = [cv2.resize(frame, self._size, interpolation=cv2.INTER_AREA) for frame in (first, second)]
        grey = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in small]
        search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        self._forth: Field = search.calc(grey[0], grey[1], None)
        self._back: Field = search.calc(grey[1], grey[0], None)
        # Colours of each frame and, as a fourth, how surely a pixel is lost in the other one, 0 to 255.
        lost = (
            _lost(self._forth, self._back, small[0], small[1]),
            _lost(self._back, self._forth, small[1], small[0]),
        )
        self._seen = [cv2.merge([*cv2.split(frame), mark]) for frame, mark in zip(small, lost, strict=True)]
        changed = _difference(small[0], small[1]) > CHANGED_LEVELS
        self.lost_share = float((changed & (lost[0] > 127) & (lost[1] > 127)).mean())

    @property
    def is_cut(self) -> bool:
        """Whether the two show different scenes, so that nothing lies between them."""
        return self.lost_share > CUT_SHARE

    def at(self, part: float) -> Frame:
        """The frame (H, W, 3) at ``part`` of the way, 0..1. At a cut the nearer frame itself."""
        if self.is_cut:
            return self._second if part > 0.5 else self._first
        movement, share = self._plan(part)
        height, width = self._first.shape[:2]
        grow = np.array([width / self._size[0], height / self._size[1]], np.float32)
        movement = cv2.resize(movement * grow, (width, height), interpolation=cv2.INTER_LINEAR)
        share = cv2.resize(share, (width, height), interpolation=cv2.INTER_LINEAR)
        drawn = (_drawn(self._first, movement, -part), _drawn(self._second, movement, 1 - part))
        return np.asarray(cv2.blendLinear(*drawn, 1 - share, share), np.uint8)

    def _plan(self, part: float) -> tuple[Field, Field]:
        """From first to second: the movement (h, w, 2) of what is at each pixel at ``part``, and the second frame's
        share (h, w) of it. In the working copy."""
        nearer = np.float32(part > 0.5)
        movement = self._movement(part)
        drawn = self._both(movement, part)
        lost = [frame[..., 3].astype(np.float32) / 255 for frame in drawn]
        # What one frame shows alone is lost in the other. As surely lost in both, or in neither: the nearer one.
        sure = np.abs(lost[1] - lost[0])
        alone = sure * (lost[1] > lost[0]) + (1 - sure) * nearer
        ghost = _ramp(_difference(drawn[0], drawn[1]), GHOST_LEVELS)
        share = part + (alone - part) * ghost

        around = _around(movement, 1 - np.maximum(lost[0], lost[1]))
        failed = self._failed(around, part)
        share += (nearer - share) * failed
        # The nearer frame goes at most half the way: so it shows nothing from beyond its edge.
        room = _room(*failed.shape)
        movement += (np.clip(around, -room, room) - movement) * failed[..., None]
        return movement, cv2.GaussianBlur(share, (0, 0), SEAM_PX)

    def _movement(self, part: float) -> Field:
        """Of the two flows through each pixel at ``part`` the better one."""
        ways = (_through(self._forth, part), -_through(self._back, 1 - part))
        costs = []
        for way in ways:
            drawn = self._both(way, part)
            lost = drawn[0][..., 3].astype(np.float32) + drawn[1][..., 3]
            cost = _difference(drawn[0], drawn[1]) + lost * np.float32(LOST_COST / 255)
            costs.append(cv2.blur(cost, (COST_SIDE, COST_SIDE)))
        better = np.where((costs[1] < costs[0])[..., None], ways[1], ways[0])
        return np.asarray(cv2.merge([cv2.medianBlur(axis, MEDIAN_SIDE) for axis in cv2.split(better)]))

    def _failed(self, around: Field, part: float) -> Field:
        """Where (h, w) both frames are lost at one place that changes, 0..1, with soft edges. Beside a surface that is
        found again, one frame is lost and the other is that surface: no failure."""
        first, second = self._both(around, part)
        changed = _difference(first, second) > CHANGED_LEVELS
        failed = (np.minimum(first[..., 3], second[..., 3]) > 127) & changed
        # Thin lines of it are the rim of a movement, small holes in it belong to it.
        whole = cv2.blur(failed.astype(np.float32), (FAILED_SIDE, FAILED_SIDE)) > FAILED_PART
        disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (FAILED_SIDE, FAILED_SIDE))
        return np.asarray(cv2.GaussianBlur(cv2.dilate(whole.astype(np.float32), disc), (0, 0), SOFT_PX))

    def _both(self, movement: Field, part: float) -> tuple[Frame, Frame]:
        """Colours and loss (h, w, 4) of either frame, drawn at ``part``."""
        return _drawn(self._seen[0], movement, -part), _drawn(self._seen[1], movement, 1 - part)


def _through(flow: Field, part: float) -> Field:
    """The flow through each pixel at ``part`` of its way: that of p where p + part * flow(p) is the pixel."""
    return _drawn(flow, _drawn(flow, flow, -part), -part)


def _drawn(picture: NDArray[Any], movement: Field, part: float) -> NDArray[Any]:
    """``picture`` taken, for each pixel, from ``part`` of its movement further on. Beyond its edge it is mirrored."""
    place = cv2.scaleAdd(movement, part, _places(*movement.shape[:2]))
    return np.asarray(cv2.remap(picture, place, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101))


@lru_cache(maxsize=4)
def _places(height: int, width: int) -> Field:
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    return np.dstack([columns, rows])


@lru_cache(maxsize=4)
def _room(height: int, width: int) -> Field:
    """How far (height, width, 2) each pixel is from the nearer edge, across and down."""
    places = _places(height, width)
    return np.asarray(np.minimum(places, np.array([width - 1, height - 1], np.float32) - places))


def _lost(flow: Field, other: Field, frame: Frame, target: Frame) -> Frame:
    """How surely a pixel of ``frame`` is not found in ``target`` (h, w), 0 to 255: the way back leads elsewhere, or
    what is there looks different."""
    back = _drawn(other, flow, 1)
    missed = _squared(flow + back) / (1 + SLACK * (_squared(flow) + _squared(back)))
    unlike = _difference(frame, _drawn(target, flow, 1))
    lost = np.maximum(_ramp(np.sqrt(missed), LOST_PX), _ramp(unlike, LOST_LEVELS))
    return np.asarray(np.rint(lost * 255), np.uint8)


def _squared(movement: Field) -> Field:
    across, down = cv2.split(movement)
    return np.asarray(across * across + down * down)


def _difference(one: Frame, other: Frame) -> Field:
    """Of the colour that differs most, (h, w), grey levels, without single pixels' noise."""
    red, green, blue = cv2.split(cv2.absdiff(one, other))[:3]
    return np.asarray(cv2.blur(cv2.max(cv2.max(red, green), blue), (3, 3)), np.float32)


def _around(movement: Field, sure: Field) -> Field:
    """The movement of what is surely seen around each pixel: a mean of near ones, where there are none of far ones."""
    weight = sure + np.float32(LEAST_SURE)
    near = cv2.merge([movement[..., 0] * weight, movement[..., 1] * weight, weight])
    for _ in range(2):
        near = cv2.blur(near, (NEAR_SIDE, NEAR_SIDE))
    mean = near + np.float32(FAR_PART) * cv2.blur(near, (FAR_SIDE, FAR_SIDE))
    return np.asarray(mean[..., :2] / mean[..., 2:])


def _ramp(value: Field, limit: float) -> Field:
    """0 up to half the limit, 1 from one and a half."""
    return np.asarray(np.clip(value / np.float32(limit) - np.float32(0.5), 0, 1))
