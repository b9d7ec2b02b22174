"""Finding the character: the reference image's joints, by the pose model, else by the silhouette.

The pose model knows photographs. It gets several versions of the picture (as it is, padded, blurred, flipped ...), each
answer is judged by what a body must be like, and the best one that a second version confirms is taken. Where none
holds, a template skeleton is fitted to the silhouettes of the picture (`silhouette`, `fit`).
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Protocol, runtime_checkable

import cv2
import numpy as np

from understudy.errors import CharacterError
from understudy.media.picture import Picture
from understudy.tracking.answers import CREDIBLE, Answer, alike, best_of, settled
from understudy.tracking.character import Character
from understudy.tracking.face_finding import find_face
from understudy.tracking.fit import Fit, best_fit
from understudy.tracking.found_face import FaceHints
from understudy.tracking.joints import read_face_hints, read_joints
from understudy.tracking.judging import judge, pull_inside, shown_parts
from understudy.tracking.legs import straightened
from understudy.tracking.motion import BODY, Floats
from understudy.tracking.silhouette import Silhouette, doubtful_silhouettes, sure_silhouettes
from understudy.tracking.template import world_from
from understudy.tracking.tracker import Frame, Person, Tracker, nobody
from understudy.tracking.versions import Version, placed_back, versions, views_of

CLEAR = 0.85  # a silhouette's score that needs no second opinion


@runtime_checkable
class _LooksAt(Protocol):
    """A tracker that can be told where somebody may stand, and that finds bodies first, hands and face later."""

    def find(self, picture: Frame, *, mask: bool = False, details: bool = True) -> Person | None: ...

    def look_at(
        self, picture: Frame, x: float, y: float, side: float, *, mask: bool = False, details: bool = True
    ) -> Person | None: ...

    def detailed(self, picture: Frame, person: Person) -> Person: ...


def find_character(picture: Picture, tracker: Tracker, *, joints: Path | None = None) -> Character:
    """The character of the picture: the largest person, else the shape that a skeleton fits best.

    ``joints`` is a joints file (see `joints`), which settles it. Raises RequestError for a joints file that cannot be
    used, CharacterError (``character_not_found``) when there is nobody to animate.
    """
    shapes = sure_silhouettes(picture)
    if joints is not None:
        person = read_joints(joints, picture.width, picture.height, picture.shrunk)
        hints = read_face_hints(joints, picture.shrunk)
        shapes += doubtful_silhouettes(picture, shapes)
        return _with_face(_character(picture, person, "joints_file", shapes), picture, tracker, hints)
    answer, answers = _ask(picture, tracker, shapes)
    fitted = None
    if (
        answer is None or answer.person.mask is None
    ):  # the pose model's own mask is better than a doubtful shape
        shapes += doubtful_silhouettes(picture, shapes)
    if answer is None:
        fitted = best_fit(shapes)
        doubtful = any(a.score >= CREDIBLE for a in answers)
        if fitted is None or fitted.score < CLEAR or doubtful:
            seen = answers + _look_at_shapes(picture, tracker, shapes)
            answer = best_of(answers, seen) or best_of(seen)
    if answer is not None:
        person = _with_details(answer, picture, tracker)
        return _with_face(_character(picture, person, answer.found_by, shapes), picture, tracker)
    if fitted is not None:
        person = _person_of(fitted)
        found = _character(picture, person, "silhouette", [fitted.silhouette])
        return _with_face(found, picture, tracker)
    raise CharacterError(
        "character_not_found",
        "No person, drawing or creature that can be animated was found in the reference image.",
        value=f"a picture of {picture.width} x {picture.height} pixels",
        limit="one figure with a head, a body and limbs that can be told apart",
        fix="Use a picture that shows one character from the front, head and shoulders at least, large and in full "
        "view, arms away from the body, before a plain background (or transparent), or say where its joints are "
        "with --joints file.json.",
    )


def _ask(picture: Picture, tracker: Tracker, shapes: list[Silhouette]) -> tuple[Answer | None, list[Answer]]:
    """The pose model's answer, and all that it gave to the versions of the picture until that was settled."""
    answers: list[Answer] = []
    for version in versions(views_of(picture)):
        if isinstance(tracker, _LooksAt):
            person = tracker.find(version.image, mask=True, details=False)
        else:
            person = tracker.find(version.image, mask=True)
        if person is None:
            continue
        answers.append(_answer(person, version, picture, shapes, tracker))
        answer = settled(answers)
        if answer is not None:
            return answer, answers
    return best_of(answers), answers


def _look_at_shapes(picture: Picture, tracker: Tracker, shapes: list[Silhouette]) -> list[Answer]:
    """The pose model's answers when it is told to look at the silhouettes, for figures that its detector misses."""
    if not isinstance(tracker, _LooksAt):
        return []
    views = views_of(picture)
    answers: list[Answer] = []
    for shape in shapes[:2]:
        x, y, side = (v / shape.scale / float(views.back[0, 0]) for v in shape.square)
        for image in (views.plain, views.bright):
            for wide in (1.05, 1.35):
                person = tracker.look_at(image, x, y, wide * side, mask=True, details=False)
                if person is not None:
                    version = Version("tracker", image, views.back)
                    answers.append(_answer(person, version, picture, shapes, tracker))
    return answers


def _answer(
    person: Person, version: Version, picture: Picture, shapes: list[Silhouette], tracker: Tracker
) -> Answer:
    placed = placed_back(person, version, picture)
    score = judge(placed, picture.width, picture.height, shapes)
    if not isinstance(tracker, _LooksAt):
        return Answer(version.found_by, placed, score)

    def detailed() -> Person:
        return placed_back(tracker.detailed(version.image, person), version, picture)

    return Answer(version.found_by, placed, score, detailed)


def _with_details(answer: Answer, picture: Picture, tracker: Tracker) -> Person:
    """The person with face and hands, as the plain picture shows them where the answer came from another version."""
    person = answer.person
    if answer.found_by != "tracker" and isinstance(tracker, _LooksAt):
        views = views_of(picture)
        at = (person.body[person.visibility > 0.3, :2] - views.back[:, 2]) / views.back[:, :2].diagonal()
        low, high = at.min(axis=0), at.max(axis=0)
        x, y = ((low + high) / 2).tolist()
        again = tracker.look_at(views.plain, x, y, 1.25 * float((high - low).max()))
        if again is not None:
            placed = placed_back(again, Version("tracker", views.plain, views.back), picture)
            if alike(placed, person) > 0:
                return replace(
                    person,
                    hands=placed.hands,
                    hand_score=placed.hand_score,
                    face=placed.face,
                    face_score=placed.face_score,
                )
    return person if answer.detailed is None else answer.detailed()


def _person_of(fitted: Fit) -> Person:
    body = np.zeros((BODY, 3), np.float32)
    body[:, :2] = fitted.body / fitted.silhouette.scale
    return replace(nobody(), body=body, visibility=fitted.visibility, world=world_from(body))


def _character(picture: Picture, person: Person, found_by: str, shapes: list[Silhouette]) -> Character:
    if person.mask is not None:
        size = (picture.width, picture.height)
        mask = cv2.resize(person.mask, size, interpolation=cv2.INTER_LINEAR)
        person = replace(person, mask=np.asarray(mask, np.float32))
    rough = _rough_mask(picture, person, shapes)
    if found_by not in ("joints_file", "silhouette"):
        person = replace(person, body=straightened(pull_inside(person, rough)))
    shown = shown_parts(person, rough)
    return Character(person, found_by, shown, rough)


def _with_face(
    character: Character, picture: Picture, tracker: Tracker, hints: FaceHints | None = None
) -> Character:
    return replace(character, face=find_face(picture, character.silhouette, character.person, tracker, hints))


def _rough_mask(picture: Picture, person: Person, shapes: list[Silhouette]) -> Floats:
    """A mask of the character (H, W): a sure silhouette that holds the body, else the pose model's own, else any."""
    best: Silhouette | None = None
    for shape in shapes:
        if _held(person, shape, picture) > 0.8 and (shape.sure or person.mask is None):
            best = shape
            break
    if best is None:
        return np.ones((picture.height, picture.width), np.float32) if person.mask is None else person.mask
    size = (picture.width, picture.height)
    rough = np.asarray(
        cv2.resize(best.mask.astype(np.float32), size, interpolation=cv2.INTER_LINEAR), np.float32
    )
    if person.mask is None or best.source == "alpha":
        return rough
    return _near_body(rough, person.mask)


def _near_body(rough: Floats, seen: Floats) -> Floats:
    """The silhouette without what lies far from the pose model's mask: cast shadows, things on the floor."""
    factor = min(1.0, 400 / max(rough.shape))
    little = cv2.resize(seen, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    small = (little > 0.3).astype(np.uint8)
    rows = np.flatnonzero(small.any(axis=1))
    reach = max(3, round(0.06 * len(rows)))
    near = cv2.dilate(small, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1)))
    wide = cv2.resize(near.astype(np.float32), rough.shape[::-1], interpolation=cv2.INTER_LINEAR)
    return np.asarray(np.minimum(rough, wide), np.float32)


def _held(person: Person, shape: Silhouette, picture: Picture) -> float:
    """Share of the body's seen joints that lie in the shape."""
    at = person.body[[0, *range(11, 17), *range(23, 29)], :2]
    inside = (at >= 0).all(axis=1) & (at < (picture.width, picture.height)).all(axis=1)
    inside &= person.visibility[[0, *range(11, 17), *range(23, 29)]] > 0.5
    if not inside.any():
        return 0.0
    grown = cv2.dilate(shape.mask.astype(np.uint8), np.ones((5, 5), np.uint8))
    cell = np.minimum((at[inside] * shape.scale).astype(int), np.array(shape.mask.shape[::-1]) - 1)
    return float(grown[cell[:, 1], cell[:, 0]].mean())
