"""Make `understudy/tracking/face_template.npy`: the mean face of several performers, even on both sides, at rest.

    python scripts/face_template.py clip1.motion clip2.motion ...

Each motion file gives the median of its own frontal frames with the eyes open and the lips closed; these are laid upon
each other (rotation, scale, shift), averaged, mirrored, and averaged again. The result tells nothing about any one of
them. It is (468, 3) float16 in the published numbering of Face Mesh, lengths over the distance of the outer eye
corners, from the middle between them: x to the picture's right, y down, z smaller is nearer.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from understudy.tracking.motion import Motion

OUT = Path(__file__).parents[1] / "src/understudy/tracking/face_template.npy"
FRONTAL_DEG = 12.0
SCORE = 0.9
LEAST = 10  # frames of a clip


def main() -> None:
    faces = [face for path in sys.argv[1:] if (face := usual(Motion.load(Path(path)))) is not None]
    mean = faces[0]
    for _ in range(5):
        mean = unit(np.mean([laid(face, mean) for face in faces], axis=0))
    for _ in range(3):
        mirror = mean * [-1, 1, 1]
        other = paired(np.linalg.norm(mean[:, None] - mirror[None], axis=-1))
        mean = unit(facing((mean + laid(mirror[other], mean)) / 2, other))
    mean = unit((mean + mean[other] * [-1, 1, 1]) / 2)
    np.save(OUT, mean.astype(np.float16))
    print(
        f"{len(faces)} performers; {OUT.stat().st_size} bytes; {np.abs(mean - mean[other] * [-1, 1, 1]).max():.4f}"
    )


def usual(motion: Motion) -> np.ndarray | None:
    seen = np.isfinite(motion.face).all(axis=(1, 2)) & (motion.face_score > SCORE)
    mesh = motion.face[seen].astype(np.float64)
    if len(mesh) < LEAST:
        return None
    across = mesh[:, 263] - mesh[:, 33]
    yaw = np.degrees(np.arctan2(across[:, 2], np.hypot(across[:, 0], across[:, 1])))
    size = np.linalg.norm(across, axis=1)
    gape = np.linalg.norm(mesh[:, 13] - mesh[:, 14], axis=1) / size
    lids = np.linalg.norm(mesh[:, [159, 386]] - mesh[:, [145, 374]], axis=2).mean(axis=1) / size
    good = (np.abs(yaw) < FRONTAL_DEG) & (gape <= np.quantile(gape, 0.5)) & (lids >= np.quantile(lids, 0.5))
    if good.sum() < LEAST:
        return None
    faces = [unit(face) for face in mesh[good]]
    return unit(np.median([laid(face, faces[0]) for face in faces], axis=0))


def unit(face: np.ndarray) -> np.ndarray:
    return (face - (face[33] + face[263]) / 2) / np.linalg.norm(face[263] - face[33])


def facing(face: np.ndarray, other: np.ndarray) -> np.ndarray:
    """An even face turned so that the lines between its two sides run along x."""
    across = np.linalg.svd(face - face[other], full_matrices=False)[2][0]
    across = across * np.sign(across[0])
    back = np.cross(across, [0.0, 1.0, 0.0])
    back /= np.linalg.norm(back)
    return face @ np.stack([across, np.cross(back, across), back], axis=1)


def paired(costs: np.ndarray) -> np.ndarray:
    """The column (N,) of each row of (N, N) costs, each column once, by which the sum is least.

    The Hungarian method (Kuhn 1955) with shortest augmenting paths: rows join one by one, and each moves the others
    along the cheapest way to a free column. ``rows`` and ``columns`` are the prices that keep all other ways dearer.
    """
    count = len(costs)
    rows, columns = np.zeros(count), np.zeros(count + 1)
    holder = np.full(count + 1, -1)  # the row at each column; the last one is where a new row stands
    for row in range(count):
        at, holder[count] = count, row
        way, before = np.full(count, np.inf), np.full(count, count)
        done = np.zeros(count + 1, bool)
        while holder[at] >= 0:
            done[at] = True
            price = costs[holder[at]] - rows[holder[at]] - columns[:count]
            nearer = ~done[:count] & (price < way)
            way[nearer], before[nearer] = price[nearer], at
            following = int(np.argmin(np.where(done[:count], np.inf, way)))
            step = way[following]
            rows[holder[done]] += step
            columns[done] -= step
            way[~done[:count]] -= step
            at = following
        while at != count:
            holder[at], at = holder[before[at]], before[at]
    found = np.empty(count, int)
    found[holder[:count]] = np.arange(count)
    return found


def laid(face: np.ndarray, upon: np.ndarray) -> np.ndarray:
    """The face moved, turned and scaled to lie upon another (Procrustes)."""
    a, b = face - face.mean(axis=0), upon - upon.mean(axis=0)
    u, s, v = np.linalg.svd(a.T @ b)
    s[2] *= np.sign(np.linalg.det(u @ v))
    u[:, 2] *= np.sign(np.linalg.det(u @ v))
    return a @ u @ v * (s.sum() / (a**2).sum()) + upon.mean(axis=0)


if __name__ == "__main__":
    main()
