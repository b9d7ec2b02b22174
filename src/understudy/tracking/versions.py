"""Versions of a picture for the pose model: padded, blurred, flipped ..., and the way back into the picture."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from understudy.media.picture import Picture
from understudy.tracking.motion import Floats
from understudy.tracking.template import mirrored
from understudy.tracking.tracker import Frame, Person, nobody

LOOK_AT = 1280  # longer side of what the pose model gets
MASK = 640  # longer side of the masks that come back
SMALL = 480  # shorter side under which the picture is enlarged for it


@dataclass(frozen=True)
class Version:
    """A version of the picture for the pose model; ``back`` (2, 3) maps its pixels to the picture's."""

    found_by: str
    image: Frame
    back: NDArray[np.float64]
    flipped: bool = False


@dataclass(frozen=True)
class Views:
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
        return np.asarray(cv2.cvtColor(lab, cv2.COLOR_LAB2RGB), np.uint8)


def views_of(picture: Picture) -> Views:
    scale = min(1.0, LOOK_AT / max(picture.width, picture.height))
    if min(picture.width, picture.height) * scale < SMALL:
        scale = min(SMALL / min(picture.width, picture.height), LOOK_AT / max(picture.width, picture.height))
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    grounds = [
        cv2.resize(ground, size, interpolation=how).astype(np.uint8) for ground in _on_grounds(picture)
    ]
    return Views(
        grounds, np.array([[picture.width / size[0], 0, 0], [0, picture.height / size[1], 0]], np.float64)
    )


def versions(views: Views) -> Iterator[Version]:
    """Versions of the picture, the most faithful first."""
    plain, back = views.plain, views.back
    border = np.median(np.concatenate([plain[0], plain[-1], plain[:, 0], plain[:, -1]]), axis=0)
    blur = max(plain.shape[:2]) / 260
    for image in views.grounds:
        yield Version("tracker", image, back)
    yield _flipped("tracker_flipped", plain, back)
    for share in (0.15, 0.35):
        image, moved = _padded(plain, back, share, border)
        yield Version("tracker_padded", image, moved)
        yield _flipped("tracker_flipped", image, moved)
    yield Version("tracker_padded", *_padded(plain, back, 0.6, border))
    for amount in (blur, 1.8 * blur):
        yield Version("tracker_blurred", cv2.GaussianBlur(plain, (0, 0), amount).astype(np.uint8), back)
    image, moved = _padded(plain, back, 0.3, border)
    yield Version("tracker_blurred", cv2.GaussianBlur(image, (0, 0), blur).astype(np.uint8), moved)
    grey = cv2.cvtColor(cv2.cvtColor(plain, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB).astype(np.uint8)
    for lit in (views.bright, grey):
        yield Version("tracker", lit, back)
        yield Version("tracker_padded", *_padded(lit, back, 0.3, border))


def _on_grounds(picture: Picture) -> list[Frame]:
    """The picture itself, or, with an alpha channel, the figure on white, on grey and on its contrast."""
    if picture.alpha is None:
        return [picture.rgb]
    alpha = picture.alpha.astype(np.float32)[..., None] / 255
    solid = picture.rgb[picture.alpha > 127]
    mean = solid.mean(axis=0) if len(solid) else np.array([127.0, 127, 127])
    grounds = (np.array([255.0, 255, 255]), np.array([150.0, 150, 150]), 255 - mean)
    return [(picture.rgb * alpha + g * (1 - alpha) + 0.5).clip(0, 255).astype(np.uint8) for g in grounds]


def _flipped(found_by: str, image: Frame, back: NDArray[np.float64]) -> Version:
    flip = np.array([[-1, 0, image.shape[1] - 1], [0, 1, 0], [0, 0, 1]], np.float64)
    return Version(found_by, np.ascontiguousarray(image[:, ::-1]), back @ flip, flipped=True)


def _padded(
    image: Frame, back: NDArray[np.float64], share: float, colour: NDArray[np.float64]
) -> tuple[Frame, NDArray[np.float64]]:
    margin = round(share * max(image.shape[:2]))
    out = cv2.copyMakeBorder(
        image, margin, margin, margin, margin, cv2.BORDER_CONSTANT, value=[float(c) for c in colour]
    )
    return out.astype(np.uint8), back @ np.array([[1, 0, -margin], [0, 1, -margin], [0, 0, 1]], np.float64)


def placed_back(person: Person, version: Version, picture: Picture) -> Person:
    """The person in the picture's own pixels, unflipped; the mask on a smaller copy of the picture."""
    stretch = float(abs(version.back[0, 0]))

    def move(points: Floats) -> Floats:
        out = points.copy()
        out[..., :2] = points[..., :2] @ version.back[:, :2].T + version.back[:, 2]
        out[..., 2] = points[..., 2] * stretch
        return out.astype(np.float32)

    mask = person.mask
    if mask is not None:
        factor = min(1.0, MASK / max(picture.width, picture.height))
        size = (max(1, round(picture.width * factor)), max(1, round(picture.height * factor)))
        mask = cv2.warpAffine(mask, factor * version.back, size, flags=cv2.INTER_LINEAR, borderValue=0)
        mask = np.asarray(mask, np.float32)
    placed = replace(
        person, body=move(person.body), hands=move(person.hands), face=move(person.face), mask=mask
    )
    if not version.flipped:
        return placed
    world = (person.world * np.array([-1, 1, 1])).astype(np.float32)
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
