"""What is known of a model before its weights are loaded: how it counts time, and what it is given."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ModelSpec:
    """``name`` is also that of its weights. A segment has ``segment_frames``, of which the first ``overlap`` are the
    last ones of the segment before. ``arrays`` are those of an assignment besides the reference, each one entry a
    frame: name and shape of an entry, where 0 stands for the assignment's height and -1 for its width."""

    name: str
    fps: int
    segment_frames: int
    overlap: int
    steps: int
    arrays: tuple[tuple[str, tuple[int, ...]], ...]

    @property
    def advance(self) -> int:
        """New frames of each segment after the first."""
        return self.segment_frames - self.overlap

    def segments(self, frames: int) -> int:
        """How many segments ``frames`` need."""
        return max(1, -(-(frames - self.overlap) // self.advance))

    def new_frames(self, number: int) -> int:
        """Frames that segment ``number`` (from 0) adds."""
        return self.segment_frames if number == 0 else self.advance


UNDISTILLED_STEPS = 20  # of Wan2.2-Animate-14B without its LoRA, as its authors take
LOADING = "loading"  # the stage in which the model is loaded, mostly that of the first task
FACE_SIDE = 512  # of the face pictures that Wan2.2-Animate is given
PICTURE = (0, -1, 3)

# Wan-Animate-2, distilled: image, raw driving video, caption. 10 steps without guidance (its authors' settings).
WAN_ANIMATE_2 = ModelSpec("wan-animate-2", 24, 81, 1, 10, (("driving", PICTURE),))
# Wan2.2-Animate-14B, to put the character into the video's scene: how the performer stands, its face, what stays of the
# scene (background) and where the character goes (mask, 255 there). 4 steps with the LoRA.
WAN_ANIMATE_1 = ModelSpec(
    "wan-animate-1",
    30,
    77,
    1,
    4,
    (("pose", PICTURE), ("face", (FACE_SIDE, FACE_SIDE, 3)), ("background", PICTURE), ("mask", (0, -1))),
)
SPECS = {spec.name: spec for spec in (WAN_ANIMATE_2, WAN_ANIMATE_1)}
