"""The head's volume over a coarse lattice: the face's own depth, gone on with to hair, ears and neck."""

from __future__ import annotations

import cv2
import numpy as np

from understudy.engines.puppet.head_solid import HeadSolid
from understudy.engines.puppet.least_squares import Grid, Indices, LeastSquares
from understudy.engines.puppet.relief import Lattice
from understudy.tracking.motion import Floats

# Lengths over the distance of the outer eye corners
NODES = 16  # of the lattice
NECK = 0.55  # below the chin: nothing turns any more
BEYOND = (2.6, 3.4)  # to the sides and above the eyes: so far hair and hats belong to the head
MARGIN = 0.5  # beside the head, where the turn eases to nothing
CROWN, SIDES = 0.1, -0.2  # depth of the outline: a little before the axis on top, behind it at the sides
BESIDE = 0.3  # of the face: so far outside it the outline goes with the face
STEPS_PX = (4, 16)  # least and largest steps of the lattice
STEEP, STEEPEST = 1.3, 2.0  # slopes of depth over way: as they are up to the first, then eased to the second
# Weights against the landmarks', per node
STIFF = 0.25  # of the plate
RIM_HOLD = 0.05  # of the outline's depth
CALM = 1.0  # of evenness outside the figure
STILL_HOLD, EDGE_HOLD = 1.0, 10.0  # of what stands still below the neck, and at the lattice's edges
HOLD = 0.2  # of the landmarks themselves, where the slopes are eased


def lattice_about(solid: HeadSolid, alpha: Floats) -> Lattice | None:
    """About the head: as far as the figure reaches beside and above the face, and the neck."""
    frame, chin, (height, width) = solid.frame, solid.chin, alpha.shape
    span, face = frame.span, frame.into(solid.picture)
    low, high = face.min(axis=0), face.max(axis=0)
    ys, xs = np.mgrid[0:height:4, 0:width:4].astype(np.float32)
    uv = frame.into(np.stack([xs, ys], axis=-1))
    inside = (alpha[::4, ::4] > 0.1) & (uv[..., 1] < chin) & (uv[..., 1] > -BEYOND[1] * span)
    inside &= np.abs(uv[..., 0] - (low[0] + high[0]) / 2) < BEYOND[0] * span
    if not inside.any():
        return None
    near = uv[inside]
    aside = MARGIN * span
    left, right = min(near[:, 0].min(), low[0]) - aside, max(near[:, 0].max(), high[0]) + aside
    top, bottom = min(near[:, 1].min(), low[1]) - aside, chin + (NECK + MARGIN) * span
    corners = frame.turn(np.array([left, right, left, right]), np.array([top, top, bottom, bottom]))
    corners = corners + frame.origin
    x0, y0 = np.floor(corners.min(axis=0)).astype(int)
    x1, y1 = np.ceil(corners.max(axis=0)).astype(int)
    step = int(np.clip(round(span / NODES), *STEPS_PX))
    return Lattice(int(x0), int(y0), step, -(-int(x1 - x0) // step), -(-int(y1 - y0) // step))


def seen(alpha: Floats, lattice: Lattice) -> Floats:
    """(rows, columns) alpha at the nodes, 0 beyond the picture."""
    found = cv2.remap(alpha.astype(np.float32), lattice.nodes(), None, cv2.INTER_LINEAR, borderValue=0)
    return np.asarray(found, np.float32)


def volume_of(solid: HeadSolid, alpha: Floats, lattice: Lattice) -> Floats:
    """(rows, columns, 3) places from the axis: the smoothest ones near the solid's on the face."""
    frame, span = solid.frame, solid.frame.span
    rows, columns = lattice.rows, lattice.columns
    corner = np.array([lattice.x0, lattice.y0], np.float32)
    places, shares = _splat((solid.picture - corner + 0.5) / lattice.step - 0.5, rows, columns)
    wide, tall = np.ptp(frame.into(solid.picture), axis=0)
    per_node = len(solid.picture) / max(float(wide * tall) / lattice.step**2, 1.0)

    nodes = frame.into(lattice.nodes())
    offset = nodes - solid.axis
    away = np.hypot(offset[..., 0], offset[..., 1])
    up = np.clip(-offset[..., 1] / np.maximum(away, 1e-3), 0, 1)
    rim = span * (SIDES + (CROWN - SIDES) * up**2)
    pinned, values = np.zeros((rows, columns)), np.zeros((rows, columns, 3))
    shown = seen(alpha, lattice)
    pinned[shown < 0.1] = RIM_HOLD
    values[..., 2] = rim
    below = nodes[..., 1] > solid.chin + NECK * span
    pinned[below] = STILL_HOLD
    values[below] = 0
    for edge in (np.s_[0], np.s_[-1], np.s_[:, 0], np.s_[:, -1]):
        pinned[edge], values[edge] = EDGE_HOLD, 0.0
    # What lies on the face or beside it goes with the mesh.
    own = np.bincount(places.ravel(), shares.ravel(), rows * columns).reshape(rows, columns)
    beside = cv2.distanceTransform((own == 0).astype(np.uint8), cv2.DIST_L2, 5) * lattice.step
    pinned[(beside < BESIDE * span) & (pinned <= RIM_HOLD)] = 0

    grid = Grid(rows, columns)
    right, down = grid.edges()
    edges, along = np.concatenate([right, down]), np.array([-1.0, 1.0])
    every = np.arange(rows * columns)[:, None]
    # The figure's soft edge and what lies beyond it move as one, or the edge would be drawn out to a blur.
    edge_on = cv2.dilate((shown < 0.9).astype(np.float64), np.ones((3, 3))).ravel()
    form = LeastSquares(*grid.blocks(2, 2), 3)
    form.add(places, shares, 1 / per_node, solid.places)
    form.add(every, np.ones(1), pinned.ravel(), values.reshape(-1, 3))
    form.add(*grid.bends(), STIFF)
    form.add(edges, along, CALM * edge_on[edges[:, 0]])
    volume = form.solve()

    # Once more with the depth's slopes eased to what can be turned without folding.
    depth = volume[:, 2] / lattice.step
    slopes = np.zeros((2, rows * columns))
    for slope, pairs in zip(slopes, (right, down), strict=True):
        slope[pairs[:, 0]] = depth[pairs[:, 1]] - depth[pairs[:, 0]]
    steep = np.hypot(*slopes)
    rest = STEEPEST - STEEP
    eased = np.where(steep > STEEP, STEEP + rest * np.tanh((steep - STEEP) / rest), steep)
    slopes *= lattice.step * eased / np.maximum(steep, 1e-6)
    form = LeastSquares(*grid.blocks(1, 1), 1)
    form.add(places, shares, HOLD / per_node, solid.places[:, 2:])
    form.add(every, np.ones(1), HOLD * pinned.ravel(), values[..., 2].reshape(-1, 1))
    form.add(right, along, 1.0, slopes[0, right[:, :1]])
    form.add(down, along, 1.0, slopes[1, down[:, :1]])
    volume[:, 2:] = form.solve()
    return np.asarray(volume.reshape(rows, columns, 3), np.float32)


def _splat(at: Floats, rows: int, columns: int) -> tuple[Indices, Floats]:
    """(N, 4) the nodes about each place, and their bilinear shares."""
    x, y = np.clip(at[:, 0], 0, columns - 1.001), np.clip(at[:, 1], 0, rows - 1.001)
    left, top = np.floor(x).astype(int), np.floor(y).astype(int)
    fx, fy = x - left, y - top
    node = top * columns + left
    places = np.stack([node, node + 1, node + columns, node + columns + 1], axis=1)
    return places, np.stack([(1 - fx) * (1 - fy), fx * (1 - fy), (1 - fx) * fy, fx * fy], axis=1)
