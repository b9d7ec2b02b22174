"""Finding the face of a reference image: by the face network, else by two eyes and a mouth.

The network knows people. Asked about a drawing it often sees a face, but anywhere: eyes in a moustache, a face in
a chest. So its word counts where two spots of the picture look like eyes there (`eye_pairs`); and where it sees none,
such a pair alone makes a face, if nothing else in the head is nearly as much like eyes.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol, runtime_checkable

import cv2
import numpy as np

from understudy.media.picture import Picture
from understudy.tracking.eye_pairs import beaten
from understudy.tracking.eye_window import EyeWindow, FoundEyes
from understudy.tracking.face import region_from_face
from understudy.tracking.face_fit import fitted, fitted_to, refitted
from understudy.tracking.found_face import FaceHints, FoundFace
from understudy.tracking.motion import Floats
from understudy.tracking.region import Region
from understudy.tracking.tracker import Frame, Person

LEAST_PX, LARGEST_PX = 16, 900  # sides of the head's surroundings; larger ones are made smaller
# Eyes' distance over the picture's shorter side: a smaller face is seldom found rightly, and its life hardly seen.
SMALLEST = 0.038
SURE = 0.6  # a face score; masks and helmets score below
SCALES = (1.0, 0.62, 1.65)  # of the head's window: heads of drawings are larger and smaller than a person's
HEAD = 0.24  # half a head over its window
CONVINCING = 1.6  # a pair's score, with its lead over the next, from which it is eyes
LEAD, MOST_LEAD = 0.4, 2.0  # what a lead counts, and up to which
BETTER = 1.0  # by how much a pair must beat the mesh's eyes to replace them
# What it costs that another pair is as good; by how much worse it must be to cost nothing
DOUBT, CLOSE = 1.5, 0.5
OTHER = 0.4  # distance of two pairs over the eyes', above which they are two
AGREES = 0.5  # of the network's face with a pair
LOOK_SIZES = (0.3, 0.4, 0.54, 0.72, 0.95)  # of the head's window, at which the network looks
LOOK_DOWN = (-0.14, 0.0, 0.1), (-0.08, 0.06)  # of the window, for the smaller and the larger of these
BELIEVED = 0.4  # a look's score from which its face is looked at again


@runtime_checkable
class LooksAtFaces(Protocol):
    """A tracker that can be told where a face may be."""

    def face_at(self, picture: Frame, region: Region) -> tuple[Floats, float]: ...


def find_face(
    picture: Picture,
    silhouette: Floats,
    person: Person,
    tracker: object | None = None,
    hints: FaceHints | None = None,
) -> FoundFace | None:
    """The face of ``person`` in ``picture``, or None where none convinces.

    ``silhouette`` (H, W) is a rough mask of the character. ``hints`` settle what they tell of.
    """
    if not np.isfinite(person.body[:13, :2]).all():
        return None
    head = head_window(person.body)
    reach = 0.9 * head.size
    if hints is not None and hints.eyes is not None:
        apart = float(np.linalg.norm(hints.eyes[1] - hints.eyes[0]))
        reach = max(reach, 1.2 * apart + float(np.linalg.norm(hints.eyes.mean(axis=0) - (head.x, head.y))))
    x0, y0 = max(int(head.x - reach), 0), max(int(head.y - reach), 0)
    x1, y1 = min(int(head.x + reach) + 1, picture.width), min(int(head.y + reach) + 1, picture.height)
    if x1 - x0 < LEAST_PX or y1 - y0 < LEAST_PX:
        return None
    factor = min(1.0, LARGEST_PX / max(x1 - x0, y1 - y0))
    size = (max(round((x1 - x0) * factor), 1), max(round((y1 - y0) * factor), 1))
    part = cv2.resize(picture.cut(x0, y0, x1, y1).on_white(), size, interpolation=cv2.INTER_AREA)
    mask = cv2.resize(np.ascontiguousarray(silhouette[y0:y1, x0:x1]), size, interpolation=cv2.INTER_AREA)
    corner = np.array([x0, y0], np.float32)
    body, face = person.body.copy(), person.face.copy()
    body[:, :2] -= corner
    face[:, :2] -= corner
    here = replace(person, body=body * np.float32(factor), face=face * np.float32(factor))
    found = _find(
        np.asarray(part, np.uint8),
        np.asarray(mask, np.float32),
        here,
        tracker,
        None if hints is None else hints.within(corner, factor),
    )
    if found is None:
        return None
    found = found.scaled(1 / factor).moved(corner)
    eyes = np.linalg.norm(found.mesh[[33, 133], :2].mean(axis=0) - found.mesh[[263, 362], :2].mean(axis=0))
    told = found.by in ("mesh", "joints_file")
    return found if told or eyes >= SMALLEST * min(picture.width, picture.height) else None


def _find(
    picture: Frame, silhouette: Floats, person: Person, tracker: object | None, hints: FaceHints | None
) -> FoundFace | None:
    body = person.body
    head = head_window(body)
    if hints is not None and hints.eyes is not None:
        apart = max(float(np.linalg.norm(hints.eyes[1] - hints.eyes[0])), 1.0)
        x, y = (float(v) for v in hints.eyes.mean(axis=0))
        about = Region(x, y, 4.0 * apart, head.angle)
        window = EyeWindow.of(picture, silhouette, about)
        return fitted_to(window, window.pairs(hints.eyes.mean(axis=0), 1.8 * apart, []), hints)
    middle, half = body[[2, 5], :2].mean(axis=0), HEAD * head.size
    if person.face_score >= SURE and np.isfinite(person.face).all():
        own = [(person.face, person.face_score)]
        window = EyeWindow.of(picture, silhouette, head)
        likely = window.candidates(middle, half, own)
        # Most meshes hold whatever mouths there are, and looking for those is half of the work.
        found = window.with_mouths(likely) if beaten(likely, AGREES, BETTER) else []
        if not _refuted(found):
            mesh = refitted(picture, silhouette, person.face)
            return FoundFace(mesh, "mesh", refitted=mesh is not person.face)
        return fitted(picture, silhouette, found, [])
    faces = _looks(picture, head, tracker) if isinstance(tracker, LooksAtFaces) else []
    found = []
    for scale in SCALES:
        found += EyeWindow.of(picture, silhouette, head.scaled(scale)).pairs(middle, half, faces)
    found.sort(key=lambda f: -f.pair.score)
    return fitted(picture, silhouette, found, faces) if _convincing(found) else None


def head_window(body: Floats) -> Region:
    """A square about the head of a body (33, 3), with room for heads that are larger than a person's."""
    head, shoulders = body[:11, :2].mean(axis=0), body[11:13, :2].mean(axis=0)
    size = max(
        3.0 * float(np.ptp(body[:11, :2], axis=0).max()),
        2.2 * float(np.linalg.norm(body[0, :2] - shoulders)),
        1.1 * float(np.linalg.norm(body[11, :2] - body[12, :2])),
        24.0,
    )
    up = head - shoulders
    lean = 0.7 * float(np.clip(np.arctan2(up[0], -up[1]), -0.6, 0.6))
    return Region(float(head[0]), float(head[1]), size, lean)


def _looks(picture: Frame, head: Region, tracker: LooksAtFaces) -> list[tuple[Floats, float]]:
    """Faces that the network sees in squares of several sizes, sharp and blurred, with its score."""
    faces = []
    for image in (picture, cv2.GaussianBlur(picture, (0, 0), max(head.size / 260, 0.6))):
        for size in LOOK_SIZES:
            for down in LOOK_DOWN[0] if size < 0.5 else LOOK_DOWN[1]:
                mesh, score = tracker.face_at(image, head.scaled(size).shifted(down / size))
                if score < BELIEVED:
                    continue
                for _ in range(2):
                    again, sure = tracker.face_at(image, region_from_face(mesh))
                    if sure < BELIEVED:
                        score *= 0.6
                        break
                    mesh, score = again, sure
                faces.append((mesh, score))
    return faces


def _convincing(found: list[FoundEyes]) -> bool:
    """Whether the first pair is like eyes, the more so the less like it any other pair is."""
    if not found:
        return False
    best = found[0]
    other = max((f.pair.score for f in found if best.away(f.eyes) > OTHER), default=-np.inf)
    lead = best.pair.score - other
    doubt = DOUBT * max(0.0, 1.0 - lead / CLOSE)
    return best.pair.score + LEAD * min(lead, MOST_LEAD) - doubt >= CONVINCING


def _refuted(found: list[FoundEyes]) -> bool:
    """Whether the picture shows eyes elsewhere than the mesh has them, and none where it has them."""
    if not found or not _convincing(found) or found[0].pair.network >= AGREES:
        return False
    own = max((f.pair.score for f in found if f.pair.network >= AGREES), default=-np.inf)
    return found[0].pair.score - own > BETTER
