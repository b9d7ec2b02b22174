"""Finding the character: the reference image's joints, by the pose model, else by the silhouette.

The pose model knows photographs. It gets several versions of the picture (as it is, padded, blurred, flipped ...), each
answer is judged by what a body must be like, and the best one that a second version confirms is taken. Where none
holds, a template skeleton is fitted to the silhouettes of the picture (`silhouette`, `fit`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol, runtime_checkable

import cv2
import numpy as np
from numpy.typing import NDArray

from understudy.errors import CharacterError
from understudy.media.picture import Picture
from understudy.tracking.character import Character
from understudy.tracking.fit import Fit, best_fit
from understudy.tracking.joints import read_joints
from understudy.tracking.judging import judge, pull_inside, shown_parts
from understudy.tracking.motion import Floats
from understudy.tracking.silhouette import Silhouette, silhouettes
from understudy.tracking.template import mirrored, world_from
from understudy.tracking.tracker import Frame, Person, Tracker, nobody

LOOK_AT = 1280  # longer side of what the pose model gets
SMALL = 480  # shorter side under which the picture is enlarged for it
SURE = 0.93  # a score that needs no second look
GOOD = 0.45  # the least that is believed, after doubts
BLURRED = 0.93  # what an answer loses that saw less of the picture
CREDIBLE = 0.3  # a score below it is no answer
CLEAR = 0.85  # a silhouette's score that needs no second opinion
SAME = 0.12  # of the figure's size: two answers that close are the same body


@dataclass(frozen=True)
class _Attempt:
    """A version of the picture for the pose model; ``back`` (2, 3) maps its pixels to the picture's."""

    found_by: str
    image: Frame
    back: NDArray[np.float64]
    flipped: bool = False


@runtime_checkable
class _LooksAt(Protocol):
    """A tracker that can be told where somebody may stand."""

    def look_at(
        self, picture: Frame, x: float, y: float, side: float, *, mask: bool = False
    ) -> Person | None: ...


@dataclass(frozen=True, eq=False)
class _Answer:
    found_by: str
    person: Person
    score: float


def find_character(picture: Picture, tracker: Tracker, *, joints: Path | None = None) -> Character:
    """The character of the picture: the largest person, else the shape that a skeleton fits best.

    ``joints`` is a joints file (see `joints`), which settles it. Raises RequestError for a joints file that cannot be
    used, CharacterError (``character_not_found``) when there is nobody to animate.
    """
    shapes = silhouettes(picture)
    if joints is not None:
        person = read_joints(joints, picture.width, picture.height)
        return _character(picture, person, "joints_file", shapes)
    answers = _ask(picture, tracker, shapes)
    answer = _best(answers)
    fitted = None
    if answer is None:
        fitted = best_fit(shapes)
        doubtful = any(a.score >= CREDIBLE for a in answers)
        if fitted is None or fitted.score < CLEAR or doubtful:
            answer = _best(answers + _look_at_shapes(picture, tracker, shapes))
    if answer is not None:
        return _character(picture, _with_details(answer, picture, tracker), answer.found_by, shapes)
    if fitted is not None:
        return _character(picture, _person_of(fitted), "silhouette", [fitted.silhouette])
    raise CharacterError(
        "character_not_found",
        "No person, drawing or creature that can be animated was found in the reference image.",
        value=f"a picture of {picture.width} x {picture.height} pixels",
        limit="one figure with a head, a body and limbs that can be told apart",
        fix="Use a picture that shows one character from the front, head and shoulders at least, large and in full "
        "view, arms away from the body, before a plain background (or transparent), or say where its joints are "
        "with --joints file.json.",
    )


def _ask(picture: Picture, tracker: Tracker, shapes: list[Silhouette]) -> list[_Answer]:
    """The pose model's answers to the versions of the picture; only the best of two sure ones that agree."""
    answers: list[_Answer] = []
    for attempt in _attempts(_views(picture)):
        person = tracker.find(attempt.image, mask=True)
        if person is None:
            continue
        new = _answer(person, attempt, picture, shapes)
        twin = max(answers, key=lambda a: a.score * (_alike(a.person, new.person) > 0.4), default=None)
        if twin is not None and max(twin.score, new.score) >= SURE and _alike(twin.person, new.person) > 0.4:
            return [twin if twin.score >= min(SURE, new.score) else new]
        answers.append(new)
    return answers


def _look_at_shapes(picture: Picture, tracker: Tracker, shapes: list[Silhouette]) -> list[_Answer]:
    """The pose model's answers when it is told to look at the silhouettes, for figures that its detector misses."""
    if not isinstance(tracker, _LooksAt):
        return []
    views = _views(picture)
    answers: list[_Answer] = []
    for shape in shapes[:2]:
        x, y, side = (v / shape.scale / float(views.back[0, 0]) for v in shape.square)
        for image in (views.plain, views.bright):
            for wide in (1.05, 1.35):
                person = tracker.look_at(image, x, y, wide * side, mask=True)
                if person is not None:
                    answers.append(_answer(person, _Attempt("tracker", image, views.back), picture, shapes))
    return answers


def _answer(person: Person, attempt: _Attempt, picture: Picture, shapes: list[Silhouette]) -> _Answer:
    placed = _placed(person, attempt, picture)
    score = judge(placed, picture.width, picture.height, shapes)
    return _Answer(
        attempt.found_by, placed, score * (BLURRED if attempt.found_by == "tracker_blurred" else 1.0)
    )


def _with_details(answer: _Answer, picture: Picture, tracker: Tracker) -> Person:
    """The person with face and hands as the plain picture shows them, where the answer came from another version."""
    person = answer.person
    if answer.found_by == "tracker" or not isinstance(tracker, _LooksAt):
        return person
    views = _views(picture)
    at = (person.body[person.visibility > 0.3, :2] - views.back[:, 2]) / views.back[:, :2].diagonal()
    low, high = at.min(axis=0), at.max(axis=0)
    x, y = ((low + high) / 2).tolist()
    again = tracker.look_at(views.plain, x, y, 1.25 * float((high - low).max()))
    if again is None:
        return person
    placed = _placed(again, _Attempt("tracker", views.plain, views.back), picture)
    if _alike(placed, person) == 0:
        return person
    return replace(
        person,
        hands=placed.hands,
        hand_score=placed.hand_score,
        face=placed.face,
        face_score=placed.face_score,
    )


def _best(answers: list[_Answer]) -> _Answer | None:
    """The best answer of those that can be believed; of several people the largest."""
    if len(answers) == 1 and answers[0].score >= SURE:
        return answers[0]
    believed = [(worth, a) for a in answers if (worth := _worth(a, answers)) >= GOOD]
    if not believed:
        return None
    believed.sort(key=lambda pair: -pair[0])
    most, leader = believed[0]
    for worth, other in believed:
        if (
            worth > 0.6 * most
            and _apart(other.person, leader.person)
            and _size(other.person) > 1.05 * _size(leader.person)
        ):
            leader = other
    return leader


def _apart(a: Person, b: Person) -> bool:
    """Whether two bodies stand beside each other, so that they must be two people."""
    middles = [p.body[[11, 12, 23, 24], 0].mean() for p in (a, b)]
    return abs(float(middles[0] - middles[1])) > 0.2 * max(_size(a), _size(b))


def _worth(answer: _Answer, answers: list[_Answer]) -> float:
    """An answer's score, less where no other version of the picture confirms it."""
    credible = [a for a in answers if a.score >= CREDIBLE]
    if answer not in credible:
        return 0.0
    support = sum(_alike(a.person, answer.person) for a in credible if a is not answer)
    # Beyond its score and company, the answer in the middle of its company is the one to trust.
    central = support / max(len(credible) - 1, 1)
    return answer.score * min(1.0, 0.5 + 0.25 * support) * (0.85 + 0.15 * central)


def _alike(a: Person, b: Person) -> float:
    """1 for the same body, 0 for another one."""
    seen = (a.visibility > 0.4) & (b.visibility > 0.4)
    if seen.sum() < 6:
        return 0.0
    size = max(float(np.ptp(a.body[seen, :2], axis=0).max()), 1.0)
    off = np.linalg.norm(a.body[seen, :2] - b.body[seen, :2], axis=1) / size
    return float(np.clip((1 - np.median(off) / SAME) / 0.5, 0, 1) * np.clip(1.3 - off.mean() / SAME, 0.3, 1))


def _size(person: Person) -> float:
    seen = person.visibility > 0.4
    return float(np.ptp(person.body[seen, 1])) + 1.0 if seen.any() else 1.0


@dataclass(frozen=True)
class _Views:
    """The picture at the size that the pose model gets; ``back`` (2, 3) maps its pixels to the picture's."""

    grounds: list[Frame]  # on each background that an alpha channel leaves open
    back: NDArray[np.float64]

    @property
    def plain(self) -> Frame:
        return self.grounds[0]

    @property
    def bright(self) -> Frame:
        """With its contrast evened out, for dark pictures."""
        lab = cv2.cvtColor(self.plain, cv2.COLOR_RGB2LAB)
        lab[..., 0] = cv2.createCLAHE(clipLimit=4.0, tileGridSize=(4, 4)).apply(lab[..., 0])
        return cv2.cvtColor(lab, cv2.COLOR_LAB2RGB).astype(np.uint8)


def _views(picture: Picture) -> _Views:
    scale = min(1.0, LOOK_AT / max(picture.width, picture.height))
    if min(picture.width, picture.height) * scale < SMALL:
        scale = min(SMALL / min(picture.width, picture.height), LOOK_AT / max(picture.width, picture.height))
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    grounds = [
        cv2.resize(ground, size, interpolation=how).astype(np.uint8) for ground in _on_grounds(picture)
    ]
    return _Views(
        grounds, np.array([[picture.width / size[0], 0, 0], [0, picture.height / size[1], 0]], np.float64)
    )


def _attempts(views: _Views) -> Iterator[_Attempt]:
    """Versions of the picture, the most faithful first."""
    plain, back = views.plain, views.back
    border = np.median(np.concatenate([plain[0], plain[-1], plain[:, 0], plain[:, -1]]), axis=0)
    blur = max(plain.shape[:2]) / 260
    for image in views.grounds:
        yield _Attempt("tracker", image, back)
    yield _flipped("tracker_flipped", plain, back)
    for share in (0.15, 0.35):
        image, moved = _padded(plain, back, share, border)
        yield _Attempt("tracker_padded", image, moved)
        yield _flipped("tracker_flipped", image, moved)
    yield _Attempt("tracker_padded", *_padded(plain, back, 0.6, border))
    for amount in (blur, 1.8 * blur):
        yield _Attempt("tracker_blurred", cv2.GaussianBlur(plain, (0, 0), amount).astype(np.uint8), back)
    image, moved = _padded(plain, back, 0.3, border)
    yield _Attempt("tracker_blurred", cv2.GaussianBlur(image, (0, 0), blur).astype(np.uint8), moved)
    grey = cv2.cvtColor(cv2.cvtColor(plain, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB).astype(np.uint8)
    for lit in (views.bright, grey):
        yield _Attempt("tracker", lit, back)
        yield _Attempt("tracker_padded", *_padded(lit, back, 0.3, border))


def _on_grounds(picture: Picture) -> list[Frame]:
    """The picture itself, or, with an alpha channel, the figure on white, on grey and on its contrast."""
    if picture.alpha is None:
        return [picture.rgb]
    alpha = picture.alpha.astype(np.float32)[..., None] / 255
    solid = picture.rgb[picture.alpha > 127]
    mean = solid.mean(axis=0) if len(solid) else np.array([127.0, 127, 127])
    grounds = (np.array([255.0, 255, 255]), np.array([150.0, 150, 150]), 255 - mean)
    return [(picture.rgb * alpha + g * (1 - alpha) + 0.5).clip(0, 255).astype(np.uint8) for g in grounds]


def _flipped(found_by: str, image: Frame, back: NDArray[np.float64]) -> _Attempt:
    flip = np.array([[-1, 0, image.shape[1] - 1], [0, 1, 0], [0, 0, 1]], np.float64)
    return _Attempt(found_by, np.ascontiguousarray(image[:, ::-1]), back @ flip, flipped=True)


def _padded(
    image: Frame, back: NDArray[np.float64], share: float, colour: NDArray[np.float64]
) -> tuple[Frame, NDArray[np.float64]]:
    margin = round(share * max(image.shape[:2]))
    out = cv2.copyMakeBorder(
        image, margin, margin, margin, margin, cv2.BORDER_CONSTANT, value=[float(c) for c in colour]
    )
    return out.astype(np.uint8), back @ np.array([[1, 0, -margin], [0, 1, -margin], [0, 0, 1]], np.float64)


def _placed(person: Person, attempt: _Attempt, picture: Picture) -> Person:
    """The person in the picture's own pixels, unflipped."""
    size = (picture.width, picture.height)
    stretch = float(abs(attempt.back[0, 0]))

    def move(points: Floats) -> Floats:
        out = points.copy()
        out[..., :2] = points[..., :2] @ attempt.back[:, :2].T + attempt.back[:, 2]
        out[..., 2] = points[..., 2] * stretch
        return out.astype(np.float32)

    mask = person.mask
    if mask is not None:
        mask = cv2.warpAffine(mask, attempt.back, size, flags=cv2.INTER_LINEAR, borderValue=0).astype(
            np.float32
        )
    placed = replace(
        person, body=move(person.body), hands=move(person.hands), face=move(person.face), mask=mask
    )
    if not attempt.flipped:
        return placed
    world = person.world * np.float32([-1, 1, 1])
    nothing = nobody()
    # A mirrored face mesh would need its 468 points renamed: left out, the engine asks the tracker for a face again.
    return replace(
        placed,
        body=mirrored(placed.body),
        world=mirrored(world),
        visibility=mirrored(placed.visibility),
        hands=placed.hands[::-1].copy(),
        hand_score=placed.hand_score[::-1].copy(),
        face=nothing.face,
        face_score=0.0,
    )


def _person_of(fitted: Fit) -> Person:
    body = np.zeros((33, 3), np.float32)
    body[:, :2] = fitted.body / fitted.silhouette.scale
    return replace(nobody(), body=body, visibility=fitted.visibility, world=world_from(body))


def _character(picture: Picture, person: Person, found_by: str, shapes: list[Silhouette]) -> Character:
    rough = _rough_mask(picture, person, shapes)
    if found_by not in ("joints_file", "silhouette"):
        person = replace(person, body=pull_inside(person, rough))
    shown = shown_parts(person, rough)
    return Character(person, found_by, shown, rough)


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
    rough = cv2.resize(best.mask.astype(np.float32), size, interpolation=cv2.INTER_LINEAR).astype(np.float32)
    if person.mask is None or best.source == "alpha":
        return rough
    return _near_body(rough, person.mask)


def _near_body(rough: Floats, seen: Floats) -> Floats:
    """The silhouette without what lies far from the pose model's mask: cast shadows, things on the floor."""
    factor = min(1.0, 400 / max(rough.shape))
    small = (cv2.resize(seen, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA) > 0.3).astype(
        np.uint8
    )
    rows = np.flatnonzero(small.any(axis=1))
    reach = max(3, round(0.06 * len(rows)))
    near = cv2.dilate(small, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1)))
    wide = cv2.resize(near.astype(np.float32), rough.shape[::-1], interpolation=cv2.INTER_LINEAR)
    return np.minimum(rough, wide).astype(np.float32)


def _held(person: Person, shape: Silhouette, picture: Picture) -> float:
    """Share of the body's seen joints that lie in the shape."""
    at = person.body[[0, *range(11, 17), *range(23, 29)], :2]
    inside = (at >= 0).all(axis=1) & (at < (picture.width, picture.height)).all(axis=1)
    inside &= person.visibility[[0, *range(11, 17), *range(23, 29)]] > 0.5
    if not inside.any():
        return 0.0
    grown = cv2.dilate(shape.mask.astype(np.uint8), np.ones((5, 5), np.uint8))
    xy = np.minimum((at[inside] * shape.scale).astype(int), np.array(shape.mask.shape[::-1]) - 1)
    return float(grown[xy[:, 1], xy[:, 0]].mean())
