"""The folder in which the GPU's process finds what to make, and leaves what it has made.

    assignment.json     the fields of `Assignment`
    reference.npy       uint8 (height, width, 3) RGB
    driving.npy ...     uint8 (frames, ...), those of the model's `ModelSpec.arrays`
    segment-000.npy     uint8 (new frames, height, width, 3) RGB, whole or not there
    tail-000.npy        float32 (3, overlap, height, width), -1..1: what the next segment goes on from

Who wrote it may have opened a stranger's file and be in its power: files are opened only where they are ordinary ones
of this folder, arrays are mapped, never unpickled, and every shape is checked.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from understudy.engines.diffusion.room import unwritable
from understudy.engines.diffusion.spec import SPECS, ModelSpec
from understudy.errors import EngineError

NAME, REFERENCE = "assignment.json", "reference"
MOST_BYTES = 65536  # of assignment.json
MOST_HEADER, COPY_BYTES = 4096, 2**20  # of an array's file
MOST_FRAMES = 30 * 60
MOST_SIDE, SIDE_STEP = 2048, 16  # the latent's 8 pixels, two by two in a token
MOST_CAPTION = 8000
MOST_STEPS = 100


@dataclass(frozen=True)
class Assignment:
    """``model`` names a `ModelSpec`. Sides are pixels, multiples of 16. ``steps`` are denoising steps, ``chosen`` by
    somebody or the model's own. ``digest`` is of all that decides the outcome:
    segments of one digest fit together, if the same weights made them (``weights.fingerprint``); of the plan they
    differ by roundings."""

    model: str
    width: int
    height: int
    frames: int
    caption: str
    seed: int
    steps: int
    digest: str
    chosen: bool = False

    @property
    def spec(self) -> ModelSpec:
        return SPECS[self.model]

    @property
    def segments(self) -> int:
        return self.spec.segments(self.frames)

    @property
    def arrays(self) -> tuple[str, ...]:
        """The names of all that the model is given."""
        return (REFERENCE, *(name for name, _ in self.spec.arrays))

    def shape(self, name: str) -> tuple[int, ...]:
        """Of the array ``name``. Raises KeyError for one that this model is not given."""
        if name == REFERENCE:
            return (self.height, self.width, 3)
        entry = dict(self.spec.arrays)[name]
        sides = {0: self.height, -1: self.width}
        return (self.frames, *(sides.get(side, side) for side in entry))

    def segment_shape(self, number: int) -> tuple[int, ...]:
        return (self.spec.new_frames(number), self.height, self.width, 3)

    def tail_shape(self) -> tuple[int, ...]:
        return (3, self.spec.overlap, self.height, self.width)


class AssignmentWriter:
    """Writes an assignment's arrays as their frames come, and the assignment once they are all there.

    ``add(name, entry)`` appends one frame's entry to an array; nothing of the clip is held.
    """

    def __init__(self, folder: Path, blank: Assignment, reference: NDArray[np.uint8]) -> None:
        self._folder, self._blank = folder, blank
        self._hashes = {name: hashlib.blake2b(digest_size=16) for name, _ in blank.spec.arrays}
        self._written = dict.fromkeys(self._hashes, 0)
        self._files: dict[str, BinaryIO] = {}
        self._reference = hashlib.blake2b(reference.tobytes(), digest_size=16).hexdigest()
        with _new_file(folder / f"{REFERENCE}.npy") as file:
            _write(file, _exactly(REFERENCE, reference, blank.shape(REFERENCE)))

    def add(self, name: str, entry: NDArray[np.uint8]) -> None:
        shape = self._blank.shape(name)
        content = _exactly(name, entry, shape[1:]).tobytes()
        file = self._files.get(name)
        if file is None:
            file = self._files[name] = _new_file(self._folder / f"{name}.npy")
            header = {"descr": "|u1", "fortran_order": False, "shape": shape}
            np.lib.format.write_array_header_1_0(file, header)
        file.write(content)
        self._hashes[name].update(content)
        self._written[name] += 1

    def finish(self) -> Assignment:
        """Close the arrays and write what is to be made of them. Raises ValueError where frames are missing."""
        for file in self._files.values():
            file.close()
        for name, written in self._written.items():
            if written != self._blank.frames:
                raise ValueError(f"{name} has {written} entries instead of {self._blank.frames}")
        content = {name: entry.hexdigest() for name, entry in self._hashes.items()}
        fields = {**asdict(self._blank), "digest": "", REFERENCE: self._reference, **content}
        digest = hashlib.blake2b(json.dumps(fields, sort_keys=True).encode(), digest_size=16).hexdigest()
        assignment = Assignment(**{**asdict(self._blank), "digest": digest})
        with _new_file(self._folder / NAME) as file:
            file.write(json.dumps(asdict(assignment)).encode())
        return assignment

    def close(self) -> None:
        """Let go of the files, finished or not."""
        for file in self._files.values():
            file.close()


def load_assignment(folder: Path) -> Assignment:
    """Raises EngineError (``assignment_invalid``) for anything that no engine of ours would write."""
    try:
        with _old_file(folder / NAME) as file:
            return _assignment(json.loads(file.read(MOST_BYTES + 1)[:MOST_BYTES]))
    except (OSError, ValueError) as error:
        raise _invalid(error) from error


def take_over(given: Path, folder: Path, check: Callable[[Assignment], None] = lambda _: None) -> Assignment:
    """Copy an assignment out of its writer's reach into ``folder``, checked: an array whose file is cut short while it
    is mapped kills whoever maps it (SIGBUS). The arrays are gone from ``given`` then. Raises EngineError
    (``assignment_invalid``; of ``folder``, which is ours, ``segments_unwritable``)."""
    assignment = load_assignment(given)
    check(assignment)  # before anything is copied
    try:
        for name in assignment.arrays:
            most = MOST_HEADER + int(np.prod(assignment.shape(name)))
            with _new_file(folder / f"{name}.npy") as target:
                for piece in _pieces(given / f"{name}.npy", most):
                    target.write(piece)
            mapped(folder, assignment, name)
            clear(given, (name,))
        with _new_file(folder / NAME) as file:
            file.write(json.dumps(asdict(assignment)).encode())
    except OSError as error:
        raise unwritable(folder, error) from error
    return assignment


def mapped(folder: Path, assignment: Assignment, name: str) -> NDArray[np.uint8]:
    """An array of the assignment, mapped and not read. Raises EngineError (``assignment_invalid``)."""
    return _mapped(folder / f"{name}.npy", assignment.shape(name), np.dtype(np.uint8))


def segment(folder: Path, assignment: Assignment, number: int) -> NDArray[np.uint8]:
    """A finished segment's new frames, mapped. Raises EngineError (``assignment_invalid``)."""
    return _mapped(folder / segment_name(number), assignment.segment_shape(number), np.dtype(np.uint8))


def tail(folder: Path, assignment: Assignment, number: int) -> NDArray[np.float32]:
    """What the segment after ``number`` goes on from. Raises EngineError (``assignment_invalid``)."""
    return _mapped(folder / tail_name(number), assignment.tail_shape(), np.dtype(np.float32))


def keep_segment(folder: Path, number: int, frames: NDArray[np.uint8], end: NDArray[np.float32]) -> None:
    """Put a finished segment there, its tail first: who finds a segment finds its tail. Raises EngineError
    (``segments_unwritable``)."""
    for name, array in ((tail_name(number), end), (segment_name(number), frames)):
        part = folder / f".{name}.part"
        part.unlink(missing_ok=True)
        try:
            with _new_file(part) as file:
                _write(file, array)
            part.replace(folder / name)
        except OSError as error:
            part.unlink(missing_ok=True)
            raise unwritable(folder, error) from error


def finished(folder: Path, assignment: Assignment) -> int:
    """How many segments from the first on are there, and fit."""
    for number in range(assignment.segments):
        try:
            segment(folder, assignment, number)
            tail(folder, assignment, number)
        except EngineError:
            return number
    return assignment.segments


def segment_name(number: int) -> str:
    return f"segment-{number:03}.npy"


def tail_name(number: int) -> str:
    return f"tail-{number:03}.npy"


def _assignment(told: object) -> Assignment:
    kinds = {name: field.type for name, field in Assignment.__dataclass_fields__.items()}
    if not isinstance(told, dict) or told.keys() != kinds.keys():
        raise ValueError("other fields")
    if any(type(value).__name__ != kinds[name] for name, value in told.items()):
        raise ValueError("a field of another kind")
    assignment = Assignment(**told)
    _check(assignment)
    return assignment


def _check(assignment: Assignment) -> None:
    spec = SPECS.get(assignment.model)
    sides = (assignment.width, assignment.height)
    if spec is None:
        raise ValueError(f"model {assignment.model!r}")
    if any(side % SIDE_STEP or not SIDE_STEP <= side <= MOST_SIDE for side in sides):
        raise ValueError(f"{assignment.width} x {assignment.height} pixels")
    if not 1 <= assignment.frames <= MOST_FRAMES or not 1 <= assignment.steps <= MOST_STEPS:
        raise ValueError(f"{assignment.frames} frames, {assignment.steps} steps")
    if len(assignment.caption) > MOST_CAPTION or not 0 <= assignment.seed < 2**63:
        raise ValueError("caption or seed")
    if len(assignment.digest) != 32 or set(assignment.digest) - set("0123456789abcdef"):
        raise ValueError("digest")


def _mapped(path: Path, shape: tuple[int, ...], kind: np.dtype[Any]) -> NDArray[Any]:
    try:
        with _old_file(path) as file:
            return _array(file, shape, kind)
    except (OSError, ValueError) as error:
        raise _invalid(error) from error


def _array(file: BinaryIO, shape: tuple[int, ...], kind: np.dtype[Any]) -> NDArray[Any]:
    if np.lib.format.read_magic(file) != (1, 0):
        raise ValueError("an array of another format")
    found, fortran, dtype = np.lib.format.read_array_header_1_0(file)
    if found != shape or fortran or dtype != kind:
        raise ValueError(f"an array is {dtype} {found}, not {kind} {shape}")
    if os.fstat(file.fileno()).st_size != file.tell() + kind.itemsize * int(np.prod(shape)):
        raise ValueError("an array is cut off")
    return np.memmap(file, dtype=kind, mode="r", offset=file.tell(), shape=shape)


def _pieces(path: Path, most: int) -> Iterator[bytes]:
    """Its first ``most`` bytes. Raises EngineError (``assignment_invalid``)."""
    try:
        with _old_file(path) as file:
            while most and (piece := file.read(min(most, COPY_BYTES))):
                most -= len(piece)
                yield piece
    except (OSError, ValueError) as error:
        raise _invalid(error) from error


def _old_file(path: Path) -> BinaryIO:
    """An ordinary file, and no link to another folder's. Raises OSError and ValueError."""
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise ValueError(f"{path.name} is no ordinary file")
    return os.fdopen(handle, "rb")


def _new_file(path: Path) -> BinaryIO:
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb")


def _write(file: BinaryIO, array: NDArray[Any]) -> None:
    """As NumPy's own would, which does not tell why a disk takes no more."""
    whole = np.ascontiguousarray(array)
    np.lib.format.write_array_header_1_0(file, np.lib.format.header_data_from_array_1_0(whole))
    file.write(whole.data)


def _exactly(name: str, array: NDArray[np.uint8], shape: tuple[int, ...]) -> NDArray[np.uint8]:
    if array.shape != shape or array.dtype != np.uint8:
        raise ValueError(f"{name} is {array.dtype} {array.shape}, not uint8 {shape}")
    return np.ascontiguousarray(array)


def _invalid(error: Exception) -> EngineError:
    why = getattr(error, "strerror", None) or str(error)
    return EngineError(
        "assignment_invalid",
        f"What the GPU was asked to make cannot be read: {why}.",
        fix="Try again; if it stays, look at the disk of the work folder.",
    )


def clear(folder: Path, names: Iterable[str]) -> None:
    """Take arrays away that are needed no more: a clip's frames at full size are many bytes."""
    for name in names:
        with suppress(OSError):
            (folder / f"{name}.npy").unlink()
