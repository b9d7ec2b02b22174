"""What a user asks for, and what comes back: the one road that every entrance leads into."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path


class Orientation(StrEnum):
    """Whose facing the output follows: the reference image's or the driving video's."""

    IMAGE = "image"
    VIDEO = "video"


class Mode(StrEnum):
    """Output size: the short side in pixels is 720 (``std``) or 1080 (``pro``)."""

    STD = "std"
    PRO = "pro"

    @property
    def short_side(self) -> int:
        return 720 if self is Mode.STD else 1080


class Matting(StrEnum):
    """How the character is cut out: by the engine's ``own`` means, or by a ``learned`` network that was installed."""

    OWN = "own"
    LEARNED = "learned"


class Scene(StrEnum):
    """What is around the character in the output: the reference image's own background, or the driving video, in which
    the character takes the performer's place."""

    IMAGE = "image"
    VIDEO = "video"


MOST_SEED = 2**31 - 1  # every client's and every library's whole numbers reach so far


@dataclass(frozen=True)
class MotionRequest:
    """One character, one motion, and how to bring them together.

    ``video`` is the driving video; ``motion`` a motion file saved earlier that stands in for tracking it (sound
    still comes from ``video`` where that is given). At least one of the two is needed. ``limits`` False lifts the
    limits on duration and size; ``any_format`` False takes only the formats of Kling's API, and
    Matroska videos besides where ``matroska`` says so. ``joints`` is a file with the character's joints, for a
    character that is not found. ``views`` are further pictures of the same character; an engine that
    makes nothing of them says so in ``left_out``. ``scene`` VIDEO needs an engine that can. ``seed`` is what an
    engine's noise comes from: the same inputs and seed give the same video; None is 0.
    """

    image: Path
    output: Path
    video: Path | None = None
    motion: Path | None = None
    orientation: Orientation = Orientation.VIDEO
    mode: Mode = Mode.STD
    sound: bool = True
    watermark: bool = False
    prompt: str = ""
    engine: str = "puppet"
    limits: bool = True
    joints: Path | None = None
    save_motion: Path | None = None
    sheet: Path | None = None
    provenance: bool = True
    threads: int | None = None
    matting: Matting = Matting.OWN
    any_format: bool = True
    matroska: bool = False
    views: tuple[Path, ...] = ()
    scene: Scene = Scene.IMAGE
    seed: int | None = None


@dataclass(frozen=True)
class LeftOut:
    """Something of the input that the output does not show: ``what`` is a stable word, ``detail`` a sentence."""

    what: str
    detail: str


@dataclass(frozen=True)
class Result:
    """A finished video: pixels, seconds, and seconds of work per stage."""

    path: Path
    width: int
    height: int
    fps: float
    frames: int
    duration_s: float
    engine: str
    character_found_by: str
    sound: bool
    driving_start_s: float = 0.0  # where in the driving video the output begins
    watermark_path: Path | None = None
    sheet_path: Path | None = None
    left_out: tuple[LeftOut, ...] = ()
    timings_s: dict[str, float] = field(default_factory=dict)
    seed: int | None = None  # what the engine's noise came from; None of an engine without any
