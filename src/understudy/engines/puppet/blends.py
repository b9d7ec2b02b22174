"""Blends of many joints at once: what bending changes of the affine fields of a whole frame's layers."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from understudy.engines.puppet.warp import BoneMap
from understudy.tracking.motion import Floats

if TYPE_CHECKING:
    from understudy.engines.puppet.joint import Joint

Complex = NDArray[np.complex64]

TINY = np.float32(1e-4)  # square pixels: the joint itself has a logarithm, too


class Asked(NamedTuple):
    """One joint's blend in one field: ``x`` and ``y`` off the joint, a row and a column, or two columns of points;
    ``changed`` (rows, columns, 2) what it is added to, ``weight`` (rows, columns) what weakens it."""

    joint: Joint
    own: BoneMap
    changed: Floats
    x: Floats
    y: Floats
    weight: Floats | None


class Blends:
    """Joints are asked for their blends one by one, and computed together: most of them are so small that the calls
    cost more than the numbers."""

    def __init__(self) -> None:
        self._asked: list[Asked] = []

    def add(
        self, joint: Joint, field: Floats, grid: Floats, own: BoneMap, weight: Floats | None = None
    ) -> None:
        """Ask that `run` add to ``field`` (..., 2), in place, what the blend changes of the affine map ``own`` anchored
        at this joint.

        ``own`` is one of the joint's two maps, ``grid`` (..., 2) points, or the nodes of a regular grid (rows, columns,
        2); ``weight`` (...) weakens the blend where it is below 1.
        """
        if grid.ndim == 3:  # a row of x and a column of y tell all
            down, across = joint.window(grid)
            x, y, changed = grid[:1, across, 0], grid[down, :1, 1], field[down, across]
            weight = weight if weight is None else weight[down, across]
            if changed.size:
                self._asked.append(Asked(joint, own, changed, x - joint.posed[0], y - joint.posed[1], weight))
            return
        x, y = grid[..., 0].reshape(-1, 1), grid[..., 1].reshape(-1, 1)
        if x.size:
            changed = field.reshape(-1, 1, 2)
            self._asked.append(Asked(joint, own, changed, x - joint.posed[0], y - joint.posed[1], weight))

    def run(self) -> None:
        """Add all that was asked for."""
        asked, self._asked = self._asked, []
        if not asked:
            return
        counts = [each.changed.size // 2 for each in asked]
        ends = np.cumsum(counts).tolist()
        parts = [slice(end - count, end) for end, count in zip(ends, counts, strict=True)]
        # x + iy, in which a stretch S is z -> mean(S) z + rest(S) conj(z)
        place = np.empty(ends[-1], np.complex64)
        for each, part in zip(asked, parts, strict=True):
            np.add(each.x, 1j * each.y, out=place[part].reshape(each.changed.shape[:2]))
        told = [each.joint.told(each.own) for each in asked]
        reals = np.repeat(np.array([t.reals for t in told], np.float32).T, counts, axis=1)
        complexes = np.repeat(np.array([t.complexes for t in told], np.complex64).T, counts, axis=1)
        shrink, fade, flex, up, before, down, after, child, bend, turn, mean, more = reals
        backwards, rest, more_rest, own_mean, own_rest = complexes

        backwards *= place
        x, y = backwards.real.copy(), backwards.imag.copy()
        # Angles from the parent's axis on, 0 to 2 pi, a hundredth of a degree off at most
        round_ = np.asarray(cv2.phase(x, y), np.float32).ravel()
        x *= x
        y *= y
        x += y
        x += TINY
        # Even in the logarithm, so that a change of stretch fades slower than the distance grows.
        near = np.log(x, out=x)
        near *= shrink
        near += fade
        np.maximum(near, 0, out=near)
        np.minimum(near, 1, out=near)
        blend = np.multiply(near, near, out=y)
        near *= -2
        near += 3
        blend *= near
        blend *= flex
        up *= round_
        up -= before
        down *= round_
        after -= down
        share = np.minimum(up, after, out=up)
        np.maximum(share, 0, out=share)
        np.minimum(share, 1, out=share)
        for each, tell, part in zip(asked, told, parts, strict=True):
            if tell.folded:
                share[part] = each.joint.folded(share[part], round_[part], tell.folded)
            if each.weight is not None:
                blend[part] *= each.weight.ravel()
        share -= child
        share *= blend
        share += child
        bend *= share
        bend += turn
        turned = np.empty_like(place)
        np.cos(bend, out=turned.real)
        np.sin(bend, out=turned.imag)
        turned *= place
        more_rest *= share
        more_rest += rest
        more_rest *= np.conj(turned)
        more *= share
        more += mean
        turned *= more
        turned += more_rest
        own_mean *= place
        turned -= own_mean
        own_rest *= np.conj(place, out=place)
        turned -= own_rest
        for each, part in zip(asked, parts, strict=True):
            each.changed[...] += turned[part].view(np.float32).reshape(each.changed.shape)
