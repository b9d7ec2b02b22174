"""The head as a rounded volume that turns: face, hair, ears and hat, down to the neck."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from scipy import sparse
from scipy.sparse.linalg import splu

from understudy.engines.puppet.relief import FaceFrame, Lattice
from understudy.tracking.motion import Floats

SMALLEST_PX = 10.0  # distance of the outer eye corners below which a turn would be lost in the pixels
MOST_DEG = 25.0  # as far as one picture of a head can be turned
MOST_PITCH_DEG = 20.0
LEAST_AREA = 0.12  # what a pixel may shrink to, and
MOST_STRETCH = 1.9  # grow to along one direction: beyond, the far side folds and the near one smears
# Slopes of the relief, in depth over way: as they are up to the first, then eased to the second.
STEEP, STEEPEST = 1.3, 2.0
NODES = 12  # of the lattice over the distance of the eyes
NECK = 0.55  # of that distance: below the chin nothing turns any more
BEYOND = (
    2.6,
    3.4,
)  # of that distance to the sides and above the eyes: so far hair and hats belong to the head
AXIS = 0.12  # of that distance: how far behind the front of the ears the head's axis runs
RIM = 0.1  # of that distance: the outline's depth, before the axis on top of the head and behind it at the sides
EARS = (234, 454)
OVAL_CHIN = 152


@dataclass(frozen=True)
class HeadTurn:
    """One frame's turn as an inverse displacement over the reference picture."""

    lattice: Lattice
    back: Floats  # (rows, columns, 2) from a place in the turned head to its source, in pixels

    @property
    def reach(self) -> float:
        """The farthest that anything goes, in pixels."""
        return float(np.abs(self.back).max())

    def source(self, points: Floats) -> Floats:
        """(..., 2) where in the reference picture the turned head's ``points`` (..., 2) come from."""
        at = points if points.ndim == 3 else points.reshape(1, -1, 2)
        corner = np.array([self.lattice.x0, self.lattice.y0], np.float32)
        nodes = (at - corner + np.float32(0.5)) / np.float32(self.lattice.step) - np.float32(0.5)
        by = cv2.remap(self.back, nodes.astype(np.float32), None, cv2.INTER_LINEAR, borderValue=(0, 0))
        return np.asarray(points + by.reshape(points.shape), np.float32)


@dataclass(frozen=True)
class HeadRelief:
    """The head's depth over a coarse lattice of the reference picture, turned as a rigid body about its axis.

    ``volume`` is every node's place from the axis in the face's frame: along the eyes, down, and towards the viewer,
    in pixels. On the face it is the mesh's own; from there it goes on smoothly (a thin plate) to the outline, where
    a rounded head shows its axis' depth, and to nothing below the neck, so that hair and ears follow and what
    hangs on the shoulders stays.
    """

    lattice: Lattice
    frame: FaceFrame
    volume: Floats  # (rows, columns, 3)
    room_deg: tuple[float, float, float, float]  # turned to the picture's left and right, looking up and down

    @classmethod
    def build(cls, mesh: Floats | None, alpha: Floats) -> HeadRelief | None:
        """From the face's ``mesh`` (468, 3) and the ``alpha`` (H, W) of head and trunk, both in the picture's pixels.

        None where there is no face, or one too small to be seen turning.
        """
        if mesh is None or not np.isfinite(mesh).all():
            return None
        frame = FaceFrame.of(np.asarray(mesh, np.float32))
        if frame.span < SMALLEST_PX:
            return None
        lattice = _lattice(mesh, alpha, frame)
        if lattice is None:
            return None
        volume = _volume(mesh, alpha, frame, lattice)
        whole = cls(lattice, frame, volume, (MOST_DEG, MOST_DEG, MOST_PITCH_DEG, MOST_PITCH_DEG))
        seen = _seen(alpha, lattice) > 0
        room = [
            whole._room(seen, yaw, pitch)
            for yaw, pitch in (
                (-MOST_DEG, 0.0),
                (MOST_DEG, 0.0),
                (0.0, -MOST_PITCH_DEG),
                (0.0, MOST_PITCH_DEG),
            )
        ]
        return cls(lattice, frame, volume, (room[0], room[1], room[2], room[3]))

    def turned(self, yaw_deg: float, pitch_deg: float) -> HeadTurn | None:
        """The head turned to the picture's right and down, as far as there is room; None where it is not turned."""
        yaw, pitch = self.eased(yaw_deg, pitch_deg)
        if yaw == 0.0 and pitch == 0.0:
            return None
        return HeadTurn(self.lattice, _undone(self.displacement(yaw, pitch), self.lattice))

    def eased(self, yaw_deg: float, pitch_deg: float) -> tuple[float, float]:
        """The angles to draw: as wished up to 0.6 of the room there is, then easing to a stop at all of it."""
        left, right, up, down = self.room_deg
        yaw = yaw_deg / (right if yaw_deg > 0 else left)
        pitch = pitch_deg / (down if pitch_deg > 0 else up)
        far = math.hypot(yaw, pitch)
        if far <= STRAIGHT:
            return yaw_deg, pitch_deg
        share = (STRAIGHT + (1 - STRAIGHT) * math.tanh((far - STRAIGHT) / (1 - STRAIGHT))) / far
        return yaw_deg * share, pitch_deg * share

    def displacement(self, yaw_deg: float, pitch_deg: float) -> Floats:
        """(rows, columns, 2) how far each node goes in the picture, turned by exactly so much.

        Nodding first and then turning keeps the line of the eyes level: its tilt is the head's roll, which is the
        body's to draw.
        """
        cy, sy = math.cos(math.radians(yaw_deg)), math.sin(math.radians(yaw_deg))
        cp, sp = math.cos(math.radians(pitch_deg)), math.sin(math.radians(pitch_deg))
        u, v, w = (self.volume[..., i] for i in range(3))
        return self.frame.turn(u * (cy - 1) + (w * cp - v * sp) * sy, v * (cp - 1) + w * sp)

    def gauge(self, yaw_deg: float, pitch_deg: float) -> tuple[Floats, Floats]:
        """(rows - 1, columns - 1) by how much a cell's area changes, and how far it is stretched at most."""
        field = self.displacement(yaw_deg, pitch_deg) / self.lattice.step
        right = (np.diff(field, axis=1)[:-1] + np.diff(field, axis=1)[1:]) / 2
        down = (np.diff(field, axis=0)[:, :-1] + np.diff(field, axis=0)[:, 1:]) / 2
        a, c, b, d = 1 + right[..., 0], right[..., 1], down[..., 0], 1 + down[..., 1]
        square = (a * a + b * b + c * c + d * d) / 2
        area = a * d - b * c
        widest = np.sqrt(square + np.sqrt(np.maximum(square**2 - area**2, 0)))
        return area.astype(np.float32), widest.astype(np.float32)

    def _room(self, seen: Floats, yaw_deg: float, pitch_deg: float) -> float:
        """How much of a turn the picture can show without folding or smearing, in degrees."""
        most = abs(yaw_deg) + abs(pitch_deg)
        cells = seen[:-1, :-1]
        for share in np.linspace(1.0, 0.3, 15):
            area, widest = self.gauge(yaw_deg * share, pitch_deg * share)
            if area.min() > LEAST_AREA and widest[cells].max(initial=1.0) < MOST_STRETCH:
                return float(most * share)
        return 0.3 * most


STRAIGHT = 0.6
ROUNDS = 3


def _lattice(mesh: Floats, alpha: Floats, frame: FaceFrame) -> Lattice | None:
    """About the head: as far as the figure reaches beside and above the face, and the neck."""
    span, (height, width) = frame.span, alpha.shape
    chin = float(frame.into(mesh[OVAL_CHIN])[1])
    low, high = frame.into(mesh).min(axis=0), frame.into(mesh).max(axis=0)
    ys, xs = np.mgrid[0:height:4, 0:width:4].astype(np.float32)
    uv = frame.into(np.stack([xs, ys], axis=-1))
    inside = (alpha[::4, ::4] > 0.1) & (uv[..., 1] < chin) & (uv[..., 1] > -BEYOND[1] * span)
    inside &= np.abs(uv[..., 0] - (low[0] + high[0]) / 2) < BEYOND[0] * span
    if not inside.any():
        return None
    near = uv[inside]
    aside = 0.5 * span
    left, right = min(near[:, 0].min(), low[0]) - aside, max(near[:, 0].max(), high[0]) + aside
    top, bottom = min(near[:, 1].min(), low[1]) - aside, chin + 1.2 * span
    corners = frame.turn(np.array([left, right, left, right]), np.array([top, top, bottom, bottom]))
    corners = corners + frame.origin
    x0, y0 = np.floor(corners.min(axis=0)).astype(int)
    x1, y1 = np.ceil(corners.max(axis=0)).astype(int)
    step = int(np.clip(round(span / NODES), 4, 16))
    return Lattice(int(x0), int(y0), step, -(-int(x1 - x0) // step), -(-int(y1 - y0) // step))


def _seen(alpha: Floats, lattice: Lattice) -> Floats:
    """(rows, columns) alpha at the nodes, 0 beyond the picture."""
    found = cv2.remap(alpha.astype(np.float32), lattice.nodes(), None, cv2.INTER_LINEAR, borderValue=0)
    return np.asarray(found, np.float32)


def _volume(mesh: Floats, alpha: Floats, frame: FaceFrame, lattice: Lattice) -> Floats:
    """(rows, columns, 3) places from the axis: the smoothest ones near the mesh's on the face."""
    span = frame.span
    uv = frame.into(mesh)
    placed = np.concatenate([uv, -mesh[:, 2:]], axis=1)
    axis = placed[list(EARS)].mean(axis=0)
    axis[2] -= AXIS * span
    placed = placed - axis
    front = _front(placed, 0.05 * span)
    rows, columns = lattice.rows, lattice.columns
    corner = np.array([lattice.x0, lattice.y0], np.float32)
    at = (mesh[front, :2] - corner + 0.5) / lattice.step - 0.5
    data = _splat(at, rows, columns)
    per_node = len(front) / max(np.ptp(uv[:, 0]) * np.ptp(uv[:, 1]) / lattice.step**2, 1.0)

    nodes = frame.into(lattice.nodes())
    offset = nodes - axis[:2]
    away = np.hypot(offset[..., 0], offset[..., 1])
    up = np.clip(-offset[..., 1] / np.maximum(away, 1e-3), 0, 1)
    rim = RIM * span * (2 * up**2 - 1)
    pinned, values = np.zeros((rows, columns)), np.zeros((rows, columns, 3))
    pinned[_seen(alpha, lattice) < 0.1] = 0.05
    values[..., 2] = rim
    chin = float(frame.into(mesh[OVAL_CHIN])[1])
    below = nodes[..., 1] > chin + NECK * span
    pinned[below] = 1.0
    values[below] = 0
    for edge in (np.s_[0], np.s_[-1], np.s_[:, 0], np.s_[:, -1]):
        pinned[edge], values[edge] = 10.0, 0.0
    # What lies on the face keeps the mesh's places.
    own = np.asarray(data.sum(axis=0)).reshape(rows, columns)
    face = cv2.dilate((own > 0).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    pinned[face] = 0

    fit, wanted = (data.T @ data) / per_node, (data.T @ placed[front]) / per_node
    fit, wanted = fit + sparse.diags(pinned.ravel()), wanted + (pinned[..., None] * values).reshape(-1, 3)
    bend = _laplacian(rows, columns)
    volume = splu((fit + STIFF * (bend.T @ bend)).tocsc()).solve(wanted)

    # Once more with the depth's slopes eased to what can be turned without folding.
    right, down = _slopes(rows, columns)
    depth = volume[:, 2] / lattice.step
    a, b = right @ depth, down @ depth
    slope = np.hypot(a, b)
    rest = STEEPEST - STEEP
    eased = np.where(slope > STEEP, STEEP + rest * np.tanh((slope - STEEP) / rest), slope)
    share = lattice.step * eased / np.maximum(slope, 1e-6)
    slopes = right.T @ right + down.T @ down
    wished = right.T @ (share * a) + down.T @ (share * b)
    volume[:, 2] = splu((HOLD * fit + slopes).tocsc()).solve(HOLD * wanted[:, 2] + wished)
    return np.asarray(volume.reshape(rows, columns, 3), np.float32)


STIFF = 0.25
HOLD = 0.1


def _front(placed: Floats, near: float) -> np.ndarray:
    """Which landmarks are seen: none that another one hides."""
    apart = np.hypot(placed[:, None, 0] - placed[None, :, 0], placed[:, None, 1] - placed[None, :, 1])
    hidden = (apart < near) & (placed[None, :, 2] - placed[:, None, 2] > 10 * near)
    return np.flatnonzero(~hidden.any(axis=1))


def _undone(forward: Floats, lattice: Lattice) -> Floats:
    """(rows, columns, 2) the displacement from each target node to its source, for ``forward`` from source to target.

    Newton's method from two steps of the fixed point ``q = -forward(x + q)``, which alone hardly gets anywhere where
    the picture is stretched.
    """
    at = np.stack(np.meshgrid(np.arange(lattice.columns), np.arange(lattice.rows)), axis=-1).astype(
        np.float32
    )
    down, right = (np.gradient(forward, axis=i) / lattice.step for i in (0, 1))
    a, b, c, d = 1 + right[..., 0], down[..., 0], right[..., 1], 1 + down[..., 1]
    area = np.maximum(a * d - b * c, LEAST_AREA)
    inverse = (np.stack([d, -b, -c, a], axis=-1) / area[..., None]).astype(np.float32)

    def there(field: Floats, found: Floats) -> Floats:
        where = at + found / lattice.step
        return np.asarray(
            cv2.remap(field, where, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.float32
        )

    found = -there(forward, -there(forward, -forward))
    for _ in range(ROUNDS):
        off, turn = there(forward, found) + found, there(inverse, found)
        found = found - np.stack(
            [
                turn[..., 0] * off[..., 0] + turn[..., 1] * off[..., 1],
                turn[..., 2] * off[..., 0] + turn[..., 3] * off[..., 1],
            ],
            axis=-1,
        )
    return np.asarray(found, np.float32)


def _splat(at: Floats, rows: int, columns: int) -> sparse.csr_matrix:
    """(N, rows * columns) bilinear weights of the nodes about each place."""
    x, y = np.clip(at[:, 0], 0, columns - 1.001), np.clip(at[:, 1], 0, rows - 1.001)
    left, top = np.floor(x).astype(int), np.floor(y).astype(int)
    fx, fy = x - left, y - top
    node = top * columns + left
    places = np.stack([node, node + 1, node + columns, node + columns + 1])
    weights = np.stack([(1 - fx) * (1 - fy), fx * (1 - fy), (1 - fx) * fy, fx * fy])
    which = np.broadcast_to(np.arange(len(at)), places.shape)
    return sparse.csr_matrix(
        (weights.ravel(), (which.ravel(), places.ravel())), shape=(len(at), rows * columns)
    )


def _laplacian(rows: int, columns: int) -> sparse.csr_matrix:
    def second(n: int) -> sparse.csr_matrix:
        off = np.ones(n - 1)
        middle = np.full(n, -2.0)
        middle[[0, -1]] = -1.0
        return sparse.diags([off, middle, off], [-1, 0, 1])

    return (
        sparse.kron(sparse.eye(rows), second(columns)) + sparse.kron(second(rows), sparse.eye(columns))
    ).tocsr()


def _slopes(rows: int, columns: int) -> tuple[sparse.csr_matrix, sparse.csr_matrix]:
    """Differences to the next node to the right and below."""

    def step(n: int) -> sparse.csr_matrix:
        middle = np.full(n, -1.0)
        middle[-1] = 0.0
        return sparse.diags([middle, np.ones(n - 1)], [0, 1])

    return (
        sparse.kron(sparse.eye(rows), step(columns)).tocsr(),
        sparse.kron(step(rows), sparse.eye(columns)).tocsr(),
    )
