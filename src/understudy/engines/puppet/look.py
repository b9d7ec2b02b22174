"""Look: what the face of one frame shows, and the looks of a whole performance."""

from __future__ import annotations

from dataclasses import dataclass

from understudy.tracking.motion import Floats


@dataclass(frozen=True)
class Look:
    """The expression of one frame, ready to draw: all zero is the reference image's own face.

    ``skin`` holds u and v in turn of the shift of each of `skin_points.SKIN`, see `Expression`; empty is none.
    """

    mouth_open: float = 0.0
    mouth_wide: float = 0.0
    lids: tuple[float, float] = (0.0, 0.0)
    brows: tuple[float, float] = (0.0, 0.0)
    gaze: tuple[float, float] = (0.0, 0.0)
    yaw_deg: float = 0.0
    pitch_deg: float = 0.0
    skin: tuple[float, ...] = ()


@dataclass(frozen=True)
class Expression:
    """The performer's face over T frames. All float32; what is lost holds its last value and has weight 0.

    ``mouth_open``: 1 is a mouth wide open, below 0 it closes further than the reference's; ``mouth_wide``: above 0
    a smile, below 0 a pucker; ``lids`` (own left, own right): 0 as in the reference to 1 closed; ``brows``: above 0
    raised; ``gaze``: how far the irises are aside (above 0 to the picture's right) and down, over the eye's width;
    ``yaw_deg``: above 0 turned to the picture's right; ``pitch_deg``: above 0 looking down. ``skin``: shifts of the
    skin points in the reference's face frame, over the distance of its outer eye corners. ``weight`` eases to 0
    where the face is lost or turned away.
    """

    mouth_open: Floats  # (T,)
    mouth_wide: Floats  # (T,)
    lids: Floats  # (T, 2)
    brows: Floats  # (T, 2)
    gaze: Floats  # (T, 2)
    yaw_deg: Floats  # (T,)
    pitch_deg: Floats  # (T,)
    weight: Floats  # (T,)
    skin: Floats  # (T, len(SKIN), 2)

    def __len__(self) -> int:
        return len(self.weight)

    def at(self, frame: int) -> Look:
        """What to draw in one frame: the values with their weight."""
        w = float(self.weight[frame])
        left, right = (float(v) * w for v in self.lids[frame])
        aside, down = (float(v) * w for v in self.gaze[frame])
        brow_left, brow_right = (float(v) * w for v in self.brows[frame])
        return Look(
            mouth_open=float(self.mouth_open[frame]) * w,
            mouth_wide=float(self.mouth_wide[frame]) * w,
            lids=(left, right),
            brows=(brow_left, brow_right),
            gaze=(aside, down),
            yaw_deg=float(self.yaw_deg[frame]) * w,
            pitch_deg=float(self.pitch_deg[frame]) * w,
            skin=tuple((self.skin[frame] * w).ravel().tolist()) if self.skin[frame].any() and w > 0 else (),
        )
