"""From a pair of eyes to the landmarks of a face: how large the eyes are, where mouth, chin and cheeks are."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from understudy.tracking.eye_window import SIDE, EyeWindow, FoundEyes
from understudy.tracking.face_lines import EYE_CORNERS
from understudy.tracking.face_template import APART, Features, bent, moved_to, template, with_eyes
from understudy.tracking.found_face import FaceHints, FoundFace
from understudy.tracking.motion import Floats
from understudy.tracking.mouth_mark import MouthMark, find_mouth_mark, mouth_marks
from understudy.tracking.region import Region
from understudy.tracking.spots import measured
from understudy.tracking.tracker import Frame

FINE = 56.0  # eyes' distance in the window of the last look, pixels
DOWN = 0.55  # of the eyes' distance: its middle below the eyes
SAME = 0.15  # distance of two pairs over the eyes', below which they are one
# How much worse a larger pair there may score; how much larger its eyes may be
LARGER, MOST_LARGER = 0.6, 4.0
AGREES = 0.12  # of the eyes' distance: so near the network's eyes are these eyes
SURE = 0.6  # of the network's score
CLEAR_MOUTH = -0.9  # a mouth mark's score from which there is a mouth
EYE_HEIGHTS = ((159, 145), (386, 374))
ROUNDER = 1.4  # how much taller than the mesh's the eyes must be to be taken for its own
SMALLEST_PX = 8.0  # eyes' distance under which a mouth is not looked for again
ABOVE_CHIN = 0.1  # eyes' distances above the mesh's chin, down to which it is looked for
# Eyes' distances from the mesh's mouth at which a mark is another one, and the same
OTHER_MOUTH, SAME_MOUTH = 0.2, 0.1
SURER_MOUTH = -0.3  # a mark's score from which a mouth that the search found goes there
BARE_MOUTH, BARE = -1.1, -2.5  # the same where the mesh has lips on bare skin, and what lies there at most
COARSER = 0.5  # by how much a mark in a coarse window must be better than one in a fine window
# Of drawn eyes: the ground's and the ring's variation (Lab), and their width over the eyes' distance. Dots and strokes
# have nothing at all around them: there no network's mesh is better than what was found.
PLAIN, EVEN, SMALL = 12.0, 12.0, 0.75
DOT_PLAIN, DOT_EVEN = 8.0, 7.0
NARROWEST = 0.62  # half the face's width over the eyes' distance, at least
CHIN_LINE = 0.5  # of the mouth's contrast
CHIN_FROM, CHIN_TO = 0.14, 0.8  # below the mouth, over the eyes' distance
GIVEN_EYE = (0.30, 0.18)  # size of an eye of which only the middle is known, over the eyes' distance


def fitted(
    picture: Frame, silhouette: Floats, found: list[FoundEyes], faces: list[tuple[Floats, float]]
) -> FoundFace:
    """The face about the first of the pairs ``found``.

    Its landmarks are those of the network's ``faces`` (mesh and score) where one has its eyes there, else the
    template's.
    """
    best = found[0]
    window = _fine(picture, silhouette, best.eyes)
    sizes = _sizes(found, best.eyes)
    ground, drawn, dots = _ground(window, best.eyes, sizes)
    mark = _mouth(window, best.eyes, ground)
    coarse = best.pair.mouth
    if coarse is not None and coarse.score > (CLEAR_MOUTH if mark is None else mark.score + COARSER):
        mark = coarse
    mesh = None if dots else _agreeing(best, faces)
    if mesh is not None:
        fit = refitted(picture, silhouette, mesh, trusted=False)
        tall = np.mean([np.linalg.norm(mesh[a, :2] - mesh[b, :2]) for a, b in EYE_HEIGHTS])
        larger = float(best.sizes[:, 1].mean()) > ROUNDER * tall
        eyes = np.concatenate([best.eyes, best.sizes], axis=1)
        return FoundFace(with_eyes(fit, eyes) if larger else fit, "mesh_searched", refitted=fit is not mesh)
    features = _features(window, best.eyes, sizes, mark, ground)
    return FoundFace(bent(features), "features", mouth=mark is not None, drawn=drawn)


def refitted(picture: Frame, silhouette: Floats, mesh: Floats, *, trusted: bool = True) -> Floats:
    """The network's mesh with its mouth on the drawn one.

    Faces of drawings end soon below a small mouth, and the network puts lips on the chin. The mouth of a ``trusted``
    mesh moves only where there is nothing at all like a mouth where the mesh has it, and its chin stays.
    """
    eyes = np.stack([mesh[list(corners), :2].mean(axis=0) for corners in EYE_CORNERS])
    apart = float(np.linalg.norm(eyes[1] - eyes[0]))
    wide = [float(np.linalg.norm(mesh[a, :2] - mesh[b, :2])) for a, b in EYE_CORNERS]
    if apart < SMALLEST_PX or max(wide) > apart:
        return mesh
    window = _fine(picture, silhouette, eyes)
    sizes = np.array([[w, 0.6 * w] for w in wide], np.float32)
    features = Features(np.concatenate([eyes, sizes], axis=1).astype(np.float32))
    ground, _, _ = _ground(window, eyes, sizes)
    own = features.into(mesh[[61, 291, 0, 17, 152], :2]) / features.apart
    at = window.into(eyes)
    distance = float(np.linalg.norm(at[1] - at[0]))
    marks = mouth_marks(
        window.lab,
        at.mean(axis=0),
        (at[1] - at[0]) / distance,
        distance,
        ground,
        float(own[4, 1]) - ABOVE_CHIN,
    )
    marks.sort(key=lambda m: -m.score)
    if not marks or marks[0].score < (BARE_MOUTH if trusted else SURER_MOUTH):
        return mesh
    best, middle = marks[0], own[:4].mean(axis=0)
    off = [
        float(np.hypot((m.left + m.right) / 2 - middle[0], (m.top + m.bottom) / 2 - middle[1])) for m in marks
    ]
    there = max((m.score for m, o in zip(marks, off, strict=True) if o < OTHER_MOUTH), default=-np.inf)
    if off[0] < (OTHER_MOUTH if trusted else SAME_MOUTH) or (trusted and there > BARE):
        return mesh
    box = np.array([best.left, best.right, best.top, best.bottom], np.float32) * np.float32(features.apart)
    chin = float(own[4, 1])
    if not trusted:
        chin *= (best.top + best.bottom) / 2 / max(float(middle[1]), 0.1)
    return moved_to(mesh, replace(features, mouth=box, chin=chin * features.apart), closed=trusted)


def fitted_to(window: EyeWindow, found: list[FoundEyes], hints: FaceHints) -> FoundFace:
    """The face that the user tells of; ``found`` are the pairs that the picture shows about there."""
    eyes = np.asarray(hints.eyes, np.float32)
    apart = max(float(np.linalg.norm(eyes[1] - eyes[0])), 1.0)
    near = [f for f in found if f.away(eyes) < SAME]
    given = np.tile(np.array(GIVEN_EYE, np.float32) * np.float32(apart), (2, 1))
    sizes = near[0].sizes if near else given
    ground, drawn, _ = _ground(window, eyes, sizes)
    mark = _mouth(window, eyes, ground)
    features = _features(window, eyes, sizes, mark, ground)
    if hints.mouth is not None:
        u, v = features.into(hints.mouth).T
        half = 0.04 * apart
        box = np.array([u.min(), max(u.max(), u.min() + 1), v.mean() - half, v.mean() + half], np.float32)
        features = replace(features, mouth=box, chin=None)
    if hints.chin is not None:
        features = replace(features, chin=float(features.into(hints.chin[None])[0, 1]))
    return FoundFace(
        bent(features), "joints_file", mouth=features.mouth is not None, drawn=drawn and bool(near)
    )


def _fine(picture: Frame, silhouette: Floats, eyes: Floats) -> EyeWindow:
    """A window about eyes (2, 2), level with them, fine enough for a thin mouth."""
    across = eyes[1] - eyes[0]
    apart = max(float(np.linalg.norm(across)), 1.0)
    x, y = (float(v) for v in eyes.mean(axis=0) + DOWN * np.array([-across[1], across[0]], np.float32))
    return EyeWindow.of(
        picture, silhouette, Region(x, y, SIDE / FINE * apart, float(np.arctan2(across[1], across[0])))
    )


def _sizes(found: list[FoundEyes], eyes: Floats) -> Floats:
    """(2, 2) the eyes' widths and heights: the largest of the pairs there that are nearly as much like eyes."""
    best = found[0]
    least, own = best.pair.score - LARGER, float(best.sizes.prod())
    there = [
        f
        for f in found
        if f.away(eyes) < SAME
        and f.pair.score >= least
        and float(f.sizes.prod()) <= own * MOST_LARGER**2
        and float(f.sizes[:, 0].max()) < 0.75 * best.apart
    ]
    return max((best, *there), key=lambda f: float(f.sizes.prod())).sizes


def _ground(window: EyeWindow, eyes: Floats, sizes: Floats) -> tuple[Floats, bool, bool]:
    """The colour (3,) around the eyes, Lab, whether they are spots on a plain ground, and mere dots."""
    coarse = window.region.size / SIDE
    boxes = np.concatenate([window.into(eyes), sizes / np.float32(coarse)], axis=1)
    spots = measured(window.lab, boxes)
    ground = np.asarray(spots.ring.mean(axis=0), np.float32)
    apart = float(np.linalg.norm(boxes[1, :2] - boxes[0, :2]))
    between = _lab_at(window, boxes[:, :2].mean(axis=0), boxes, np.array([[0, 0], [-0.3, 0.45], [0.3, 0.45]]))
    plain = float(np.median(np.linalg.norm(between - ground, axis=1)))
    drawn = (
        plain < PLAIN
        and float(spots.uneven.max()) < EVEN
        and float(boxes[:, 2].max()) < SMALL * max(apart, 1.0)
    )
    dots = drawn and plain < DOT_PLAIN and float(spots.uneven.max()) < DOT_EVEN
    return ground, drawn, dots


def _lab_at(window: EyeWindow, middle: Floats, boxes: Floats, steps: Floats) -> Floats:
    """(N, 3) the picture at steps (N, 2) along and below the eyes, over their distance."""
    along = boxes[1, :2] - boxes[0, :2]
    down = np.array([-along[1], along[0]], np.float32)
    at = (middle + steps[:, :1] * along + steps[:, 1:] * down).astype(np.float32)
    seen = cv2.remap(window.lab, at[None], None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(seen[0], np.float32)


def _mouth(window: EyeWindow, eyes: Floats, ground: Floats) -> MouthMark | None:
    at = window.into(eyes)
    apart = max(float(np.linalg.norm(at[1] - at[0])), 1.0)
    mark = find_mouth_mark(window.lab, at.mean(axis=0), (at[1] - at[0]) / apart, apart, ground)
    return mark if mark is not None and mark.score >= CLEAR_MOUTH else None


def _features(
    window: EyeWindow, eyes: Floats, sizes: Floats, mark: MouthMark | None, ground: Floats
) -> Features:
    features = Features(np.concatenate([eyes, sizes], axis=1).astype(np.float32))
    apart = features.apart
    if mark is not None:
        box = np.array([mark.left, mark.right, mark.top, mark.bottom], np.float32) * np.float32(apart)
        features = replace(features, mouth=box, chin=_chin(window, eyes, mark, ground, apart))
    return replace(features, sides=_sides(window, eyes, apart))


def _chin(window: EyeWindow, eyes: Floats, mark: MouthMark, ground: Floats, apart: float) -> float | None:
    """v of the line that ends the face below the mouth, in pixels of the picture; None where none is seen."""
    at = window.into(eyes)
    u = np.linspace(-0.2, 0.2, 9) + (mark.left + mark.right) / 2
    v = mark.bottom + np.linspace(CHIN_FROM, CHIN_TO, 40)
    steps = np.stack(np.meshgrid(u, v), axis=-1).reshape(-1, 2)
    seen = _lab_at(window, at.mean(axis=0), at, steps).reshape(len(v), len(u), 3)
    off = np.median(np.linalg.norm(seen - ground, axis=-1), axis=1)
    line = np.flatnonzero(off > max(CHIN_LINE * mark.contrast, 8.0))
    return float(v[line[0]] * apart) if len(line) else None


def _sides(window: EyeWindow, eyes: Floats, apart: float) -> Floats:
    """(2,) u of the face's borders in pixels: a human's proportions, or where the figure ends."""
    at = window.into(eyes)
    along = at[1] - at[0]
    usual = float(template()[454, 0]) / APART
    borders = []
    for way in (-1.0, 1.0):
        steps = np.linspace(0.5, usual, 24)
        cells = np.rint(at.mean(axis=0) + way * steps[:, None] * along).astype(int)
        inside = ((cells >= 0) & (cells < SIDE)).all(axis=1)
        cells = np.clip(cells, 0, SIDE - 1)
        out = np.flatnonzero(inside & (window.mask[cells[:, 1], cells[:, 0]] == 0))
        reach = float(steps[out[0]]) if len(out) else usual
        borders.append(way * max(reach, NARROWEST) * apart)
    return np.array(borders, np.float32)


def _agreeing(best: FoundEyes, faces: list[tuple[Floats, float]]) -> Floats | None:
    """The surest of the network's meshes whose eyes are these."""
    near = []
    for mesh, score in faces:
        eyes = np.stack([mesh[list(c), :2].mean(axis=0) for c in EYE_CORNERS])
        if score >= SURE and best.away(eyes) < AGREES:
            near.append((score - best.away(eyes), mesh))
    return max(near, key=lambda n: n[0])[1] if near else None
