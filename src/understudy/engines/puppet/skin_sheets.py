"""Skin sheets: the face as two elastic sheets, above and below the lips' cut, pulled at its skin points."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from understudy.engines.puppet.eyes import LOWER, UPPER
from understudy.engines.puppet.lips import Lips
from understudy.engines.puppet.plate import Plate, Ties
from understudy.engines.puppet.relief import FaceFrame, Lattice
from understudy.engines.puppet.skin_points import (
    AROUND_LIPS,
    BROWS,
    INNER_LINES,
    JAW,
    LIPS,
    MOUTH,
    SKIN,
    places,
)
from understudy.tracking.face_lines import INNER_LOWER, INNER_UPPER
from understudy.tracking.motion import Floats

# Of a skin point: cheeks and jaw may give way to the mesh's noise, lips and brows may not.
PULL, LIP_PULL = 2.0, 12.0
HELD = 50.0  # of a node that does not move
# Widths as near as this are the mesh's own mouth, whose lips part a little inside its corners.
SAME_MOUTH = 0.12
FOREIGN = 0.08  # eye distances between the mesh's mouth and the one found, above which the mesh's cheeks are not used
HAIR = 0.010  # eye distances: a gap much smaller than this is the mesh's noise
# Gaps of an open mouth: 1 and 0.5 is an ellipse; the mesh parts the corners too much
ROUND, POINTED = 1.1, 0.62
PRESSED = 0.02  # eye distances by which lips overlap at most
BROW_EDGE = 0.025  # eye distances that brows go on below the mesh's lower line
LID = 0.04  # eye distances about an eye's opening that rest with it: the lids move by themselves
STEEPEST = 0.85  # of the skin's length that a movement may take away: at 1 it folds
NECK = 0.55  # eye distances below the chin at which the skin rests

Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class SkinSheets:
    """Displacements of the lattice's nodes for shifts of the skin points, linear.

    ``nodes`` is ``(rows * columns, len(SKIN))`` pixels per eye distance, one elastic `Plate` cut along the lips: they
    part, and beyond the corners both sheets are one. Each sheet goes on beyond the cut with the value at its edge:
    ``beyond`` ties it to the nodes, for the upper sheet's nodes below the cut and the lower one's above it; None where
    there is no cut.
    """

    nodes: Floats
    beyond: tuple[Ties, Ties] | None
    gaps: Floats  # (9,) between the inner lips in the reference, corners left out, over the eyes' distance
    room: Floats  # (9,) largest gaps over the widest
    reach: float  # what the mouth's shifts are scaled by: below 1 in a mouth smaller than the mesh's
    under: Bools  # (rows, columns) which nodes show the lower sheet
    step: int  # pixels between two nodes

    @classmethod
    def build(
        cls,
        lips: Lips | None,
        mesh: Floats,
        frame: FaceFrame,
        lattice: Lattice,
        margin: Floats,
        mouth_reach: float | None = None,
    ) -> SkinSheets:
        """``margin`` ``(rows, columns)`` eases all movement to nothing where it is 0.

        ``mouth_reach`` is told where the mesh has the picture's own mouth, which may be much smaller than a person's.
        """
        uv = frame.into(lattice.nodes()).reshape(-1, 2).astype(np.float64) / frame.span
        at: Floats = frame.into(mesh[list(SKIN)]).astype(np.float64) / frame.span
        at[places(BROWS[0][:5] + BROWS[1][:5]), 1] += BROW_EDGE
        reach, used = 1.0, np.ones(len(SKIN), bool)
        gaps: Floats = np.zeros(len(INNER_LINES[0]))
        room: Floats = np.ones(len(gaps))
        if lips is None:
            used[: len(MOUTH)] = False
            side = np.zeros(len(uv), np.int8)
        else:
            at, reach, used = _on_lips(at, lips, frame.span)
            reach = reach if mouth_reach is None else mouth_reach
            upper, lower = (at[places(line)] for line in INNER_LINES)
            gaps = lower[:, 1] - upper[:, 1]
            across = lips.across(frame.span * (upper + lower)[:, 0] / 2)
            room = ROUND * np.clip(1.0 - across**2, 0.02, 1.0) ** POINTED
            line = _line(lips, uv[:, 0], frame.span)
            between = (uv[:, 0] > lips.u[0] / frame.span) & (uv[:, 0] < lips.u[-1] / frame.span)
            side = np.where(between, np.where(uv[:, 1] > line, 1, -1), 0).astype(np.int8)
        point_side = np.zeros(len(SKIN), np.int8)
        point_side[places(INNER_LINES[0])], point_side[places(INNER_LINES[1])] = -1, 1
        plate = Plate(lattice, side)
        ties = plate.ties(frame.turn(*(at * frame.span).T) + frame.origin, point_side)
        pulls = np.where(np.isin(SKIN, LIPS + BROWS[0] + BROWS[1]), LIP_PULL, PULL) * used
        solved = plate.pulled(ties, pulls, HELD * _held(uv, mesh, frame, lips))
        solved *= frame.span * margin.reshape(-1, 1)
        solved[:, : len(MOUTH)] *= reach
        beyond = None
        under = np.zeros(len(uv), bool)
        if lips is not None:
            edge = frame.turn(*np.stack([uv[:, 0], line]) * frame.span) + frame.origin
            under = uv[:, 1] > line
            cut = (side != 0).astype(np.int8)
            beyond = plate.ties(edge[under], -cut[under]), plate.ties(edge[~under], cut[~under])
        return cls(
            np.ascontiguousarray(solved, np.float32),
            beyond,
            gaps.astype(np.float32),
            np.asarray(room, np.float32),
            reach,
            under.reshape(lattice.rows, lattice.columns),
            lattice.step,
        )

    def parted(self, skin: Floats) -> Floats:
        """Shifts ``(..., len(SKIN), 2)`` with lips that meet: they neither overlap by much nor part by a hair."""
        upper, lower = (places(line) for line in INNER_LINES)
        opening = self.opening(skin)
        widest = opening.max(axis=-1, keepdims=True)
        opened = np.minimum(opening, np.maximum(self.room * widest, self.gaps))
        wanted = np.where(
            opening > 0, opened * opening**2 / (opening**2 + HAIR**2), np.maximum(opening, -PRESSED)
        )
        more = (wanted - opening) / self.reach
        out = skin.copy()
        out[..., upper, 1] -= 0.4 * more
        out[..., lower, 1] += 0.6 * more
        return out

    def opening(self, skin: Floats) -> Floats:
        """(..., 9) gaps between the inner lips, over the eyes' distance, below 0 where they would overlap."""
        upper, lower = (places(line) for line in INNER_LINES)
        return np.asarray(self.gaps + self.reach * (skin[..., lower, 1] - skin[..., upper, 1]), np.float32)

    def moved(self, skin: Floats) -> tuple[Floats, Floats]:
        """Displacements ``(..., rows, columns, 2)`` of the two sheets for shifts ``(..., len(SKIN), 2)``, along the
        axes of the shifts, in pixels.

        Where skin would be pressed together until it folds, all of it moves less. Many at once cost little more than
        one: the table of all nodes is far larger than what it is multiplied with.
        """
        nodes, (keep_down, keep_across) = self._both
        flat = skin.reshape(-1, *skin.shape[-2:])
        both = (nodes @ flat.transpose(1, 0, 2).reshape(len(SKIN), -1)).reshape(
            -1, *self.under.shape, len(flat), 2
        )
        both = np.ascontiguousarray(np.moveaxis(both, 3, 1))  # (sheets, frames, rows, columns, 2)
        above, below = both[0], both[-1]
        shown = above if self.beyond is None else np.where(self.under[..., None], below, above)
        down, across = shown[..., 1], shown[..., 0]
        closer = np.minimum(
            ((down[:, 1:] - down[:, :-1]) * keep_down).min(axis=(1, 2)),
            ((across[..., 1:] - across[..., :-1]) * keep_across).min(axis=(1, 2)),
        )
        both *= (STEEPEST / np.maximum(-closer / self.step, STEEPEST))[:, None, None, None]
        shape = (*skin.shape[:-2], *self.under.shape, 2)
        return above.reshape(shape), below.reshape(shape)

    @cached_property
    def _both(self) -> tuple[Floats, tuple[Floats, Floats]]:
        """(rows * columns, once or twice, len(SKIN)) all nodes of the sheets, gone on with beyond the cut; and
        1 between neighbours, down and across, that may not come close: lips may close."""
        keep = [np.where(np.diff(self.under, axis=axis), 0, 1).astype(np.float32) for axis in (0, 1)]
        if self.beyond is None:
            return self.nodes, (keep[0], keep[1])
        over, beneath = self.nodes.copy(), self.nodes.copy()
        under = self.under.ravel()
        for nodes, there, ties in zip((over, beneath), (under, ~under), self.beyond, strict=True):
            nodes[there] = ties.of(self.nodes)
        return np.concatenate([over, beneath]), (keep[0], keep[1])


def _line(lips: Lips, u: Floats, span: float) -> Floats:
    return np.asarray(np.interp(u, lips.u / span, (lips.upper + lips.lower) / 2 / span))


def _on_lips(at: Floats, lips: Lips, span: float) -> tuple[Floats, float, Bools]:
    """Skin points ``(len(SKIN), 2)`` moved onto the lips that were found, the mouth's reach, and which are of use."""
    upper, lower = at[places(INNER_UPPER)], at[places(INNER_LOWER)]
    found_u, own_middle = lips.u / span, (upper[0, 0] + upper[-1, 0]) / 2
    middle = (found_u[0] + found_u[-1]) / 2
    ratio = (found_u[-1] - found_u[0]) / max(upper[-1, 0] - upper[0, 0], 1e-3)
    lines = places(INNER_UPPER + INNER_LOWER[1:-1])
    group = lines + [i for i in places(LIPS + AROUND_LIPS) if i not in lines]
    out, reach, used = at.copy(), 1.0, np.ones(len(at), bool)
    # Lips part from end to end of the lines found; what is about them keeps its place, if it is the mesh's mouth.
    scale = np.full(len(group), 1.0 if abs(ratio - 1.0) < SAME_MOUTH else ratio)
    scale[: len(lines)] = ratio
    u = middle + (at[group, 0] - own_middle) * scale
    v = at[group, 1]
    mesh_top, mesh_bottom = (np.interp(at[group, 0], *_sorted(line).T) for line in (upper, lower))
    top, bottom = (np.interp(u, found_u, line / span) for line in (lips.upper, lips.lower))
    is_upper = v < (mesh_top + mesh_bottom) / 2
    is_upper[: len(INNER_UPPER)], is_upper[len(INNER_UPPER) : len(lines)] = True, False
    out[group, 0] = u
    out[group, 1] = np.where(is_upper, top + (v - mesh_top) * scale, bottom + (v - mesh_bottom) * scale)
    moved = abs(float(np.median(out[group, 1] - v))) + abs(middle - own_middle)
    if moved > FOREIGN or not 0.7 < ratio < 1.4:
        used[: len(MOUTH)] = False
        used[group + places(JAW)] = True
        reach = float(np.clip(ratio, 0.4, 1.2))
    return out, reach, used


def _sorted(points: Floats) -> Floats:
    return np.asarray(points[np.argsort(points[:, 0])], np.float64)


def _held(uv: Floats, mesh: Floats, frame: FaceFrame, lips: Lips | None) -> Floats:
    """(nodes,) 1 where nothing moves: between the lids, above the brows, below the neck."""
    u, v = uv.T
    held = np.zeros(len(uv))
    for side in (0, 1):
        top, bottom = (_sorted(frame.into(mesh[list(line[side])]) / frame.span) for line in (UPPER, LOWER))
        near = (u > top[0, 0] - LID) & (u < top[-1, 0] + LID)
        over, under = np.interp(u, *top.T) - LID, np.interp(u, *bottom.T) + LID
        held[near & (v > over) & (v < under)] = 1.0
    brow = float(frame.into(mesh[list(BROWS[0] + BROWS[1])])[:, 1].min()) / frame.span
    chin = float(frame.into(mesh[152])[1]) / frame.span if lips is None else lips.chin / frame.span
    held[(v < brow - 0.40) | (v > chin + NECK)] = 1.0
    return held
