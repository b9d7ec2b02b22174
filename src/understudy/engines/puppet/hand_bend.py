"""A hand's fingers bent in the rest pose's picture: one smooth inverse field, so that nothing of it is cut.

Every finger is a ribbon about its chain of bones: a place beside the posed chain comes from the same place along the
chain at rest, off it by the same distance, turned as the chain turns there; the palm stays. Between them a place
belongs to each by the inverse square of its distance (Shepard 1968), from a core on that is one's alone.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from understudy.engines.puppet.areas import distance_to_polyline
from understudy.engines.puppet.finger_turns import room, turns_and_lengths
from understudy.engines.puppet.hand_points import KNUCKLES
from understudy.engines.puppet.hand_rig import RiggedHand
from understudy.engines.puppet.layer import Layer
from understudy.tracking.motion import Floats

NODE_PX, NODES = 4.0, 900  # between two nodes at least, and nodes in all at most
AROUND = 3.0  # half widths about the hand that a bent finger can reach
STILL = 0.02  # half widths that a finger is moved at most by what is no bending
# Half widths about a middle line that are the finger's alone, and that keep a share finite
CORE, SOFT = 0.6, 0.15


class HandBend:
    """The bending of one rigged ``hand``, which is drawn as ``layer``: ``bend`` sets it, ``source`` tells where places
    come from; all of it shows within ``box`` of the rest pose's picture."""

    def __init__(self, hand: RiggedHand, layer: Layer) -> None:
        self._hand, self._room = hand, room(hand)
        (x, y), (h, w) = layer.origin, layer.texture.shape[:2]
        margin = AROUND * float(hand.radii.max())
        self._cell = max(NODE_PX, float(np.sqrt((w + 2 * margin) * (h + 2 * margin) / NODES)))
        self._first = np.array([x - margin, y - margin], np.float32)
        columns, rows = (int(np.ceil((length + 2 * margin) / self._cell)) + 1 for length in (w, h))
        ys, xs = np.indices((rows, columns), np.float32)
        nodes = np.stack([xs.ravel(), ys.ravel()], axis=1) * np.float32(self._cell) + self._first
        self._x, self._y = nodes.T.copy()
        self._palm = _share(_palm_distance(hand, nodes))
        self._off = np.zeros((rows, columns, 2), np.float32)
        self._bent = False
        self.box = x - margin, y - margin, x + w + margin, y + h + margin

    def bend(self, wanted: Floats, weight: float) -> float:
        """Bend towards the bones ``wanted`` (5, 3, 2) in the rest pose's picture; how far, in half widths."""
        turn, size = turns_and_lengths(self._hand, self._room, wanted, weight)
        lines = self._hand.lines
        bones = lines[:, 1:] - lines[:, :-1]
        c, s = np.cos(turn) * size, np.sin(turn) * size
        made = np.stack(
            [c * bones[..., 0] - s * bones[..., 1], s * bones[..., 0] + c * bones[..., 1]], axis=-1
        )
        posed = lines.copy()
        posed[:, 1:] = lines[:, :1] + np.cumsum(made, axis=1)
        moved = float((np.abs(posed - lines).max(axis=(1, 2)) / self._hand.radii).max())
        self._bent = moved > STILL
        if self._bent:
            self._set(posed, turn)
        return moved

    def source(self, places: Floats) -> Floats:
        """(rows, columns, 2) where ``places`` of the bent hand in the rest pose's picture come from."""
        if not self._bent:
            return places
        at = (places - self._first) * np.float32(1 / self._cell)
        off = cv2.remap(self._off, at, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(places + off, np.float32)

    def _set(self, posed: Floats, turn: Floats) -> None:
        """Take from every node to its source, for fingers along the chains ``posed`` (5, 4, 2) that are turned by
        ``turn`` (5, 3)."""
        rest = self._hand.lines
        middle = (turn[:, 1:] + turn[:, :-1]) / 2
        turns = np.concatenate([turn[:, :1], middle, turn[:, 2:]], axis=1)
        away, share, bone, x, y = _nearest(posed, self._x, self._y)
        bone += 3 * np.arange(5)[:, None]

        def at(stations: Floats) -> Floats:
            """(5, N) of values (5, 4) at the fingers' points, those at the places."""
            start, step = stations[:, :-1].ravel(), np.diff(stations, axis=1).ravel()
            return np.asarray(start[bone] + share * step[bone], np.float32)

        angle = at(turns)
        c, s = np.cos(angle), np.sin(angle)
        weight = _share(away / self._hand.radii[:, None])
        total = 1 / (weight.sum(axis=0) + self._palm)
        off = self._off.reshape(-1, 2)
        off[:, 0] = (weight * (at(rest[..., 0]) + c * x + s * y - self._x)).sum(axis=0) * total
        off[:, 1] = (weight * (at(rest[..., 1]) + c * y - s * x - self._y)).sum(axis=0) * total


def _share(away: Floats) -> Floats:
    """How strongly what is ``away`` (...) half widths holds a place."""
    near = np.maximum(away - np.float32(CORE), 0) + np.float32(SOFT)
    return np.asarray(1 / (near * near), np.float32)


def _palm_distance(hand: RiggedHand, places: Floats) -> Floats:
    """(N,) half widths of a finger from the palm's own bones."""
    points, knuckles = hand.points, hand.points[[*KNUCKLES]]
    bones = [np.stack([points[0], knuckle]) for knuckle in (*knuckles, hand.lines[0, 0])]
    bones.append(knuckles)
    away = np.min([distance_to_polyline(places, bone) for bone in bones], axis=0)
    return np.asarray(away / hand.radii[1], np.float32)


def _nearest(lines: Floats, x: Floats, y: Floats) -> tuple[Floats, Floats, NDArray[np.intp], Floats, Floats]:
    """For chains ``lines`` (5, 4, 2) and places ``x``, ``y`` (N,) all (5, N): how far off, the place along its nearest
    bone, which that is, and the way from there in x and y."""
    found = None
    for k in range(3):
        start, bone = lines[:, k], lines[:, k + 1] - lines[:, k]
        along = bone / np.maximum((bone**2).sum(axis=1), 1e-6)[:, None]
        off_x, off_y = x - start[:, :1], y - start[:, 1:]
        share = np.minimum(np.maximum(off_x * along[:, :1] + off_y * along[:, 1:], 0), 1)
        off_x -= share * bone[:, :1]
        off_y -= share * bone[:, 1:]
        square = off_x * off_x + off_y * off_y
        if found is None:
            found = [square, share, np.zeros(square.shape, np.intp), off_x, off_y]
            continue
        nearer = square < found[0]
        for kept, new in zip(found, (square, share, k, off_x, off_y), strict=True):
            np.copyto(kept, new, where=nearer)
    assert found is not None
    square, share, number, off_x, off_y = found
    return np.sqrt(square), share, number, off_x, off_y
