"""Eye shape: where drawn eyes lie that the mesh has in the wrong size, by the shape that both have in common."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from understudy.engines.puppet.eyes import Eye, cheek, covered, from_mesh, look, softened
from understudy.engines.puppet.relief import Bytes, FaceFrame
from understudy.tracking.iris import find_irises
from understudy.tracking.motion import Floats

SEEN = 0.5  # score of irises with which a mesh is about right
CELLS = 24  # of the grid that is looked at, over half the width of the mesh's eye
REACH = 2.1  # half the grid's side, in half widths of the mesh's eye
MOST = 30.0  # difference (Lab) to the cheek that is as good as any
RING = 0.22  # how wide the skin about an eye is that is looked at, in half widths
# Middle aside (outwards) and down, half width, height above and below the middle: least, most, first; in half widths
# of the mesh's eye.
ROOM = (
    (-0.3, 0.45, 0.0), (-0.5, 0.5, 0.0), (0.75, 1.65, 1.1), (0.3, 1.2, 0.5), (0.25, 1.3, 0.5),
)  # fmt: skip
STEPS = (0.24, 0.12, 0.06, 0.03)
INSIDE, APART = 13.0, 1.7  # difference to the cheek inside: at least, and over that of the skin below
ROUND = 2.4  # power of the outline: 2 is an ellipse


def drawn_eyes(texture: Bytes, mesh: Floats, frame: FaceFrame) -> tuple[Eye, Eye] | None:
    """Own left and right eye where irises are seen, or None where they do not stand out from the skin.

    One shape, mirrored, is laid over both eyes at once, so that neither hair nor a brow on one side pulls it away.
    Good enough for a gaze; lids would need the lines of the lashes. ``mesh`` and ``frame`` are in the texture's
    own pixels.
    """
    if float(find_irises(np.ascontiguousarray(texture[..., :3]), mesh)[:, 2].min()) < SEEN:
        return None
    lab = softened(texture, frame)
    eyes = from_mesh(mesh, 0, frame), from_mesh(mesh, 1, frame)
    return None if covered(lab, eyes, frame) else _shaped(lab, eyes, frame)


def _shaped(lab: Floats, eyes: tuple[Eye, Eye], frame: FaceFrame) -> tuple[Eye, Eye] | None:
    ways = _outwards(eyes)
    half = float(np.mean([e.width for e in eyes])) / 2
    steps = np.arange(-round(REACH * CELLS), round(REACH * CELLS) + 1, dtype=np.float32) / CELLS
    seen = np.zeros((len(steps), len(steps)), np.float32)
    for eye, way in zip(eyes, ways, strict=True):
        u, v = _middle(eye)
        apart = np.linalg.norm(
            look(lab, frame, u + way * half * steps, v + half * np.repeat(steps[:, None], len(steps), axis=1))
            - cheek(lab, eye, frame),
            axis=-1,
        )
        seen += np.minimum(apart, MOST) / len(eyes)
    found = _climb(seen, steps)
    if found is None:
        return None
    aside, down, wide, above, below = found * half
    made = []
    for eye, way in zip(eyes, ways, strict=True):
        u, v = _middle(eye)
        places = np.linspace(-1.0, 1.0, len(eye.u), dtype=np.float32)
        arch = (1.0 - np.abs(places) ** ROUND) ** (1 / ROUND)
        tilt = float(eye.upper[-1] - eye.upper[0]) / eye.width * wide * places
        middle = u + way * aside
        top = v + down - above * arch + tilt
        made.append(
            replace(
                eye,
                u=(middle + wide * places).astype(np.float32),
                upper=top.astype(np.float32),
                lower=(v + down + below * arch + tilt).astype(np.float32),
                brow=np.minimum(np.interp(middle + wide * places, eye.u, eye.brow), top - 0.5 * above).astype(
                    np.float32
                ),
                corners=(float(middle - wide), float(middle + wide)),
            )
        )
    return made[0], made[1]


def _outwards(eyes: tuple[Eye, ...]) -> tuple[float, float]:
    return (1.0, -1.0) if eyes[0].u.mean() > eyes[1].u.mean() else (-1.0, 1.0)


def _middle(eye: Eye) -> tuple[float, float]:
    return float(eye.u.mean()), float((eye.upper + eye.lower).mean()) / 2


def _climb(seen: Floats, steps: Floats) -> Floats | None:
    """The best shape by steps that grow finer, or None where it does not stand out."""
    room = np.array(ROOM, np.float32)
    best, at = _score(seen, steps, room[:, 2]), room[:, 2].copy()
    for step in STEPS:
        for _ in range(12):
            moved = False
            for axis in range(len(at)):
                for way in (-step, step):
                    tried = at.copy()
                    tried[axis] = np.clip(tried[axis] + way, room[axis, 0], room[axis, 1])
                    score = _score(seen, steps, tried)
                    if score[0] > best[0]:
                        best, at, moved = score, tried, True
            if not moved:
                break
    return at if best[1] > INSIDE and best[1] > APART * best[2] else None


def _score(seen: Floats, steps: Floats, shape: Floats) -> tuple[float, float, float]:
    """How well a shape parts eye from skin; difference to the cheek inside and in the skin below."""
    aside, down, wide, above, below = (float(s) for s in shape)
    x, y = steps[None] - aside, steps[:, None] - down

    def inside(more: float) -> NDArray[np.bool_]:
        tall = np.where(y < 0, above + more, below + more)
        return np.asarray((np.abs(x) / (wide + more)) ** ROUND + (np.abs(y) / tall) ** ROUND < 1.0)

    eye = inside(0.0)
    ring = inside(RING) & ~eye
    under, over = ring & (y > 0), ring & (y <= 0)
    within, beneath = float(seen[eye].mean()), float(seen[under].mean())
    return (
        within - 0.8 * beneath - 0.6 * float(seen[over].mean()) + 1.5 * np.log(wide * (above + below)),
        within,
        beneath,
    )
