"""Crop sheets: the performer's face and hands at full size, the character's below, frame by frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from understudy.errors import CharacterError
from understudy.evaluation.hands import MIDDLE, WRIST, palm_size
from understudy.evaluation.samples import RATE_HZ, sampled
from understudy.evaluation.sheet import INK, PAPER
from understudy.media.clip import Clip
from understudy.media.picture import Picture
from understudy.media.whole_file import make_folder, unwritable, write_whole
from understudy.tracking import series
from understudy.tracking.face import EYES, EYES_TO_CHIN, HEAD, MOUTH
from understudy.tracking.finding import find_character
from understudy.tracking.hands import FROM_BODY
from understudy.tracking.motion import Floats, Motion
from understudy.tracking.tracker import Frame, Tracker

EVERY = 10  # frames of the output from one cell to the next
MOST_CELLS = 120  # of one part; more are spread evenly over the frames
PAGE_WIDTH_PX, PAGE_HEIGHT_PX = 1500, 1200  # what can be seen at once without much shrinking
SMALLEST_PX, TINY_PX, LARGEST_PX = 16, 96, 1080  # of a crop
ENLARGED_AT_MOST = 4
FULL_SIZE_PX = 1080  # the short side at which larger videos are read
GAP_PX = 4
LABEL_PX = 18
SMOOTH_SAMPLES = 2.0  # sigma: crops follow the part and not the tracker's tremor
OFF_AT_MOST = 0.1  # sides by which smoothing may move a crop off a fast part
FACE_SQUARE = 1.35  # side over the face's extent: hair and chin, too
HAND_SQUARE = 3.0  # side over the palm's length
PALM_TO_MIDDLE = 0.8  # palms from the wrist to a hand's middle

Video = tuple[Clip, Motion, float]
"""A video, what was seen in the samples of its compared part, and the second at which that part begins."""

Square = NDArray[np.float64]

PARTS = ("face", "left-hand", "right-hand")
"""Names of the sheets; hands are the performer's and the character's own."""


@dataclass(frozen=True)
class Places:
    """Where one part is in a video: centres (T, 2) over the samples, one side, and where it was found (T,).

    In pixels of the video as it is read. Centres are NaN where nothing tells of the part.
    """

    centres: NDArray[np.float64]
    side: int
    found: NDArray[np.bool_]

    def at(self, time_s: float) -> tuple[NDArray[np.float64], bool]:
        """The centre (2,) at a time, between samples too, and whether the part was found in the nearest sample."""
        place = np.clip(time_s * RATE_HZ, 0, len(self.centres) - 1)
        first = int(place)
        last = min(first + 1, len(self.centres) - 1)
        share = place - first
        centre = self.centres[first] * (1 - share) + self.centres[last] * share
        return centre, bool(self.found[round(place)])


def crop_sheets(driving: Video, output: Video, folder: Path, *, every: int = EVERY) -> list[Path]:
    """Write ``face-1.png``, ``left-hand-1.png`` and so on into ``folder``; gives back their paths.

    A cell for each ``every`` frames of the output: the performer's crop above, the character's below, neither shrunk.
    A tiny one is enlarged. A page fits a screen where the crops do; a part that is found in neither video has none.
    Pages of an earlier run are replaced. Both videos are streamed, one page of each part is held. Raises ClipError and
    RequestError (`output_unwritable`).
    """
    make_folder(folder)
    _clear(folder)
    fps = float(output[0].fps)
    seconds = min(len(driving[1]) / RATE_HZ, output[0].duration_s)
    numbers = frame_numbers(max(1, int(seconds * fps)), every)
    times_s = [number / fps for number in numbers]
    frames = [
        sampled(clip, [start_s + time_s for time_s in times_s], height=_height(clip))
        for clip, _, start_s in (driving, output)
    ]
    pages = []
    for name in PARTS:
        both = [places(video, name) for video in (driving, output)]
        if any(place.found.any() for place in both):
            pages.append((both, Pages(folder, name, [place.side for place in both], len(numbers))))
    for number, time_s, *pictures in zip(numbers, times_s, *frames, strict=False):
        for both, page in pages:
            page.add(number, [_cut(f, place, time_s) for f, place in zip(pictures, both, strict=True)])
    return [path for _, page in pages for path in page.finish()]


def with_rest_head(shown: Motion, picture: Picture, tracker: Tracker) -> Motion:
    """The output's motion; where nobody is ever seen in it, its head stays where the reference image has it.

    Drawings and masks that the tracker does not know are animated all the same, and their faces want to be looked at.
    """
    if shown.tracked.any():
        return shown
    try:
        found = find_character(picture, tracker).person.body
    except CharacterError:
        return shown
    height, width = picture.rgb.shape[:2]
    body = shown.body.copy()
    body[:, list(HEAD)] = found[list(HEAD)] * np.array(
        [shown.width / width, shown.height / height, 1], np.float32
    )
    return replace(shown, body=body)


def frame_numbers(frames: int, every: int) -> list[int]:
    """Every so many of the frames, `MOST_CELLS` at most."""
    numbers = list(range(0, frames, max(1, every)))
    if len(numbers) <= MOST_CELLS:
        return numbers
    return [numbers[k * len(numbers) // MOST_CELLS] for k in range(MOST_CELLS)]


def places(video: Video, part: str) -> Places:
    """Where ``part`` of `PARTS` is, calmed over time; between samples in which it is known it moves straight."""
    clip, motion, _ = video
    squares = np.stack([_square(motion, sample, part) for sample in range(len(motion))])
    if part == "face":
        found = motion.face_score > 0
    else:
        found = motion.hand_score[:, PARTS.index(part) - 1] > 0
    scale = np.array([clip.width / motion.width, clip.height / motion.height]) * _height(clip) / clip.height
    known = np.isfinite(squares).all(axis=1)
    if not known.any():
        return Places(squares[:, :2], SMALLEST_PX, np.zeros(len(squares), bool))
    samples = np.arange(len(squares))
    centres = np.column_stack([np.interp(samples, samples[known], squares[known, k]) for k in (0, 1)])
    calm = series.gaussian(centres, SMOOTH_SAMPLES)
    # The side is what the part needs where it was found: a guess about a hidden part may be of any size.
    told = known & found if (known & found).any() else known
    side = float(np.percentile(squares[told, 2], 75))
    calm = np.clip(calm, centres - OFF_AT_MOST * side, centres + OFF_AT_MOST * side)
    side *= float(scale.mean())
    return Places(calm * scale, int(np.clip(side, SMALLEST_PX, LARGEST_PX)), found & known)


class Pages:
    """Lays out the cells of one part, and writes a page when it is full."""

    def __init__(self, folder: Path, name: str, sides: Sequence[int], cells: int) -> None:
        """``sides`` are those of the performer's crops and of the character's, in pixels."""
        self._enlarged = [min(-(-TINY_PX // side), ENLARGED_AT_MOST) for side in sides]
        self._sides = [side * times for side, times in zip(sides, self._enlarged, strict=True)]
        self._width = max(self._sides) + GAP_PX
        self._height = LABEL_PX + sum(self._sides) + GAP_PX * len(sides)
        self._columns = min(max(1, PAGE_WIDTH_PX // self._width), cells)
        self._rows = min(max(1, PAGE_HEIGHT_PX // self._height), -(-cells // self._columns))
        self._paths = (folder / f"{name}-{number}.png" for number in count(1))
        self._page = self._blank()
        self._filled = 0
        self._written: list[Path] = []

    def add(self, number: int, crops: Sequence[tuple[Frame, bool]]) -> None:
        """The next cell: crops of the performer and of the character, and whether the part was found in each."""
        row, column = divmod(self._filled, self._columns)
        top, left = row * self._height, column * self._width
        self._write(str(number), top + LABEL_PX - 4, left + 2)
        top += LABEL_PX
        for (crop, found), side in zip(crops, self._sides, strict=True):
            large = cv2.resize(crop, (side, side), interpolation=cv2.INTER_CUBIC)
            self._page[top : top + side, left : left + side] = large
            if not found:
                self._write("lost", top + 14, left + 4)
            top += side + GAP_PX
        self._filled += 1
        if self._filled == self._rows * self._columns:
            self._turn()

    def finish(self) -> list[Path]:
        """Write what is left; the paths of all pages."""
        if self._filled:
            self._turn()
        return self._written

    def _turn(self) -> None:
        rows = -(-self._filled // self._columns)
        used = self._page[: rows * self._height]
        done, png = cv2.imencode(".png", cv2.cvtColor(used, cv2.COLOR_RGB2BGR))
        assert done
        path = next(self._paths)
        write_whole(path, png.tobytes())
        self._written.append(path)
        self._page, self._filled = self._blank(), 0

    def _blank(self) -> NDArray[np.uint8]:
        return np.full((self._rows * self._height, self._columns * self._width, 3), PAPER, np.uint8)

    def _write(self, text: str, top: int, left: int) -> None:
        for colour, width in (((0, 0, 0), 3), (INK, 1)):
            cv2.putText(
                self._page, text, (left, top), cv2.FONT_HERSHEY_SIMPLEX, 0.45, colour, width, cv2.LINE_AA
            )


def _clear(folder: Path) -> None:
    """Away with the pages of an earlier run, which may have had more."""
    for name in PARTS:
        for number in count(1):
            path = folder / f"{name}-{number}.png"
            if not path.exists():
                break
            try:
                path.unlink()
            except OSError as error:
                raise unwritable(path, error) from error


def _height(clip: Clip) -> int:
    """At which the video is read: its own, or that of `FULL_SIZE_PX` on the short side."""
    return round(clip.height * min(1.0, FULL_SIZE_PX / min(clip.width, clip.height)))


def _square(motion: Motion, sample: int, part: str) -> Square:
    """Centre and side (3,) of the square about a part, from its own landmarks or else from the body's."""
    if part == "face":
        return _about_face(motion.face[sample], motion.body[sample])
    hand = PARTS.index(part) - 1
    return _about_hand(motion.hands[sample, hand], motion.body[sample, list(FROM_BODY[hand])])


def _about_face(face: Floats, body: Floats) -> Square:
    if np.isfinite(face).all():
        low, high = face[:, :2].min(axis=0), face[:, :2].max(axis=0)
        return np.array([*(low + high) / 2, FACE_SQUARE * (high - low).max()], np.float64)
    eyes, mouth = (body[list(pair), :2].mean(axis=0) for pair in (EYES, MOUTH))
    side = FACE_SQUARE * EYES_TO_CHIN * np.linalg.norm(eyes - mouth)
    return np.array([*(eyes + mouth) / 2, side], np.float64)


def _about_hand(hand: Floats, body: Floats) -> Square:
    """``hand`` (21, 3); ``body`` its wrist and two knuckles (3, 3)."""
    if np.isfinite(hand).all():
        wrist, knuckle, palm = hand[WRIST, :2], hand[MIDDLE, :2], float(palm_size(hand))
    else:
        wrist, knuckle = body[0, :2], body[1:, :2].mean(axis=0)
        palm = float(np.linalg.norm(knuckle - wrist))
    return np.array([*(wrist + PALM_TO_MIDDLE * (knuckle - wrist)), HAND_SQUARE * palm], np.float64)


def _cut(frame: Frame, place: Places, time_s: float) -> tuple[Frame, bool]:
    """The square about a place, plain where it leaves the frame, and whether the part was found."""
    centre, found = place.at(time_s)
    cut = np.full((place.side, place.side, 3), PAPER, np.uint8)
    if not np.isfinite(centre).all():
        return cut, found
    left, top = (round(float(c) - place.side / 2) for c in centre)
    rows = slice(max(0, top), max(0, min(frame.shape[0], top + place.side)))
    columns = slice(max(0, left), max(0, min(frame.shape[1], left + place.side)))
    part = frame[rows, columns]
    if part.size:
        down, right = rows.start - top, columns.start - left
        cut[down : down + part.shape[0], right : right + part.shape[1]] = part
    return cut, found
