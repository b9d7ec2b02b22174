"""Motion: what tracking gets out of a driving video, as arrays over time, and its file."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from understudy.errors import RequestError
from understudy.media.ordinary_file import why_not_ordinary
from understudy.media.whole_file import write_whole

# Geometry is float32 where it crosses a border; NumPy's own promotions in between are not worth casting back.
Floats = NDArray[np.floating[Any]]

BODY = 33
HAND = 21
FACE = 468
EYES = 2
LARGEST_PX = 16384  # a side of a driving video
LEAST_RATE_HZ, MOST_RATE_HZ = 1, 240
LONGEST_S = 3600.0
MOST_FRAMES = 200_000
MOST_BYTES = 800 * 2**20  # unpacked: an hour at 30 frames a second has 770 MB
MOST_ARRAYS = 32

_LANDMARKS = ("body", "visibility", "world", "hands", "hand_score", "face", "face_score")


@dataclass(frozen=True)
class Shot:
    """Frames ``start`` to ``stop`` (exclusive) between two cuts."""

    start: int
    stop: int

    def __len__(self) -> int:
        return self.stop - self.start


@dataclass(frozen=True)
class Motion:
    """The performer over T frames. All arrays float32; NaN where nothing was found.

    Landmarks are those of BlazePose (33), MediaPipe Hands (21) and Face Mesh (468), in their published order.
    Pixels are those of the upright driving video, x right, y down; z is in the same pixels, smaller is nearer to
    the camera. World landmarks are metres about the mid-hip, x right, y down, z away from the camera. ``hands``
    index 0 is the performer's own left hand, 1 the right.
    """

    width: int
    height: int
    times_s: Floats  # (T,) presentation time of each frame, the first is 0
    body: Floats  # (T, 33, 3) pixels
    visibility: Floats  # (T, 33) 0..1
    world: Floats  # (T, 33, 3) metres
    hands: Floats  # (T, 2, 21, 3) pixels
    hand_score: Floats  # (T, 2) 0..1, 0 where lost
    face: Floats  # (T, 468, 3) pixels
    face_score: Floats  # (T,) 0..1, 0 where lost
    cuts: tuple[int, ...] = ()  # frames that begin a new shot, without 0
    camera: Floats | None = None  # (T, 2, 3) affine from the first frame's picture to this one's, or None
    irises: Floats | None = None  # (T, 2, 3) pixels x and y, and a score of 0 to 1; own left first; or None
    start_s: float = (
        0.0  # second of the driving video at which times_s is 0: above 0 where its head is damaged
    )

    def __len__(self) -> int:
        return len(self.times_s)

    @property
    def duration_s(self) -> float:
        """From the first frame's beginning to the last one's end."""
        return float(self.times_s[-1] - self.times_s[0]) + 1 / self.fps

    @property
    def fps(self) -> float:
        """Frames a second, from the median step between two frames."""
        if len(self) < 2:
            return 30.0
        return float(1.0 / np.median(np.diff(self.times_s)))

    @property
    def tracked(self) -> NDArray[np.bool_]:
        """(T,) whether the performer's body was found in the frame."""
        return np.isfinite(self.body[:, 0, 0])

    @property
    def shots(self) -> tuple[Shot, ...]:
        edges = [0, *self.cuts, len(self)]
        return tuple(Shot(a, b) for a, b in pairwise(edges) if b > a)

    def cut_to(self, shot: Shot) -> Motion:
        """The part of the motion inside ``shot``; times start at 0 again, and ``start_s`` says where."""
        part = slice(shot.start, shot.stop)
        changed = {
            f.name: getattr(self, f.name)[part]
            for f in fields(self)
            if isinstance(getattr(self, f.name), np.ndarray)
        }
        first_s = changed["times_s"][0]
        changed["times_s"] = changed["times_s"] - first_s
        inside = tuple(c - shot.start for c in self.cuts if shot.start < c < shot.stop)
        return replace(self, **changed, cuts=inside, start_s=self.start_s + float(first_s))

    def save(self, path: Path) -> None:
        """Write the motion as a compressed ``.npz`` that holds arrays and numbers only (no pickles).

        Raises RequestError (``output_unwritable``).
        """
        arrays = {f.name: getattr(self, f.name) for f in fields(self) if getattr(self, f.name) is not None}
        write_whole(path, lambda file: np.savez_compressed(file, format=np.int32(1), **arrays))

    @classmethod
    def load(cls, path: Path) -> Motion:
        """Read a motion file. Raises RequestError (``motion_unreadable``) for anything else."""
        why_not = why_not_ordinary(path)
        if why_not is not None:
            raise _unreadable(path, why_not)
        try:
            _check_sizes(path)
            with np.load(path, allow_pickle=False) as file:
                held = {name: file[name] for name in file.files}
            _check_numbers(held)
            held["width"], held["height"] = int(held["width"]), int(held["height"])
            held["cuts"] = tuple(int(c) for c in np.atleast_1d(held["cuts"]))
            held["start_s"] = float(held.get("start_s", 0.0))
            motion = cls(**held)
            motion._check_shapes()
        except Exception as error:  # NumPy's reader and the archive's pass on whatever they meet
            raise _unreadable(path, getattr(error, "strerror", None) or type(error).__name__) from error
        return motion

    def _check_shapes(self) -> None:
        frames = len(self.times_s)
        wanted: dict[str, tuple[int, ...]] = {
            "times_s": (frames,),
            "body": (frames, BODY, 3),
            "visibility": (frames, BODY),
            "world": (frames, BODY, 3),
            "hands": (frames, 2, HAND, 3),
            "hand_score": (frames, 2),
            "face": (frames, FACE, 3),
            "face_score": (frames,),
        }
        if self.irises is not None:
            wanted["irises"] = (frames, EYES, 3)
        if self.camera is not None:
            wanted["camera"] = (frames, 2, 3)
        for name, shape in wanted.items():
            array = getattr(self, name)
            if array.shape != shape or array.dtype != np.float32:
                raise ValueError(f"{name} is {array.dtype} {array.shape}, not float32 {shape}")
        if frames == 0:
            raise ValueError("no frames")
        self._check_contents()

    def _check_contents(self) -> None:
        """Numbers that a performance can have; NaN stands for what was not found, but times are known."""
        frames = len(self.times_s)
        if not (0 < self.width <= LARGEST_PX and 0 < self.height <= LARGEST_PX):
            raise ValueError(f"a size of {self.width} x {self.height}")
        if not np.isfinite(self.times_s).all() or (np.diff(self.times_s) <= 0).any():
            raise ValueError("times that do not go on")
        if frames > 1 and not LEAST_RATE_HZ * 0.999 <= self.fps <= MOST_RATE_HZ * 1.001:
            raise ValueError(f"{self.fps:g} frames a second")
        if not (0 <= self.start_s <= LONGEST_S and self.duration_s <= LONGEST_S):
            raise ValueError(f"{self.duration_s:g} s from {self.start_s:g} s on")
        if any(not 0 < cut < frames for cut in self.cuts) or list(self.cuts) != sorted(set(self.cuts)):
            raise ValueError(f"cuts {self.cuts}")
        for name in (*_LANDMARKS, "camera", "irises"):
            array = getattr(self, name)
            if array is None:
                continue
            # Without a copy of the array, which can be most of memory.
            furthest = max(
                np.fmax.reduce(array, axis=None, initial=0), -np.fmin.reduce(array, axis=None, initial=0)
            )
            if furthest > 100 * LARGEST_PX:
                raise ValueError(f"{name} holds a number that is no place in a picture")


def untracked(width: int, height: int, times_s: Sequence[float]) -> Motion:
    """The motion of a clip in which nobody was looked for: its times, and NaN that takes no memory."""
    frames = len(times_s)

    def unknown(*shape: int) -> Floats:
        return np.broadcast_to(np.float32(np.nan), (frames, *shape))

    return Motion(
        width=width,
        height=height,
        times_s=np.asarray(times_s, np.float32),
        body=unknown(BODY, 3),
        visibility=np.broadcast_to(np.float32(0), (frames, BODY)),
        world=unknown(BODY, 3),
        hands=unknown(2, HAND, 3),
        hand_score=np.broadcast_to(np.float32(0), (frames, 2)),
        face=unknown(FACE, 3),
        face_score=np.broadcast_to(np.float32(0), (frames,)),
    )


def _unreadable(path: Path, why: str) -> RequestError:
    return RequestError(
        "motion_unreadable",
        f"The motion file {path.name!r} cannot be read ({why}).",
        fix="Give a file that --save-motion wrote.",
    )


def _check_numbers(held: dict[str, NDArray[Any]]) -> None:
    """Raise ValueError where an array holds anything but real numbers, or the format is a later one."""
    if any(array.dtype.kind not in "iuf" for array in held.values()):
        raise ValueError("an array of no numbers")
    if int(held.pop("format")) != 1:
        raise ValueError("unknown format")


def _check_sizes(path: Path) -> None:
    """Raise ValueError for more than a motion can hold, from the archive's index and the arrays' headers alone.

    A small file can unpack to more than memory. A member is never read beyond what the index says.
    """
    import zipfile  # here: with its compressions it takes longer to load than all else of this module

    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        if len(members) > MOST_ARRAYS or sum(member.file_size for member in members) > MOST_BYTES:
            raise ValueError("more than a motion holds")
        for member in members:
            with archive.open(member) as file:
                version = np.lib.format.read_magic(file)
                read = (
                    np.lib.format.read_array_header_1_0
                    if version == (1, 0)
                    else np.lib.format.read_array_header_2_0
                )
                shape, _, kind = read(file)
            frames = shape[0] if shape else 0
            if frames > MOST_FRAMES or math.prod(shape) * kind.itemsize > member.file_size:
                raise ValueError(f"an array of {shape}")
