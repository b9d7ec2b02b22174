"""Look: what the face of one frame shows, and the looks of a whole performance."""

from __future__ import annotations

from dataclasses import dataclass

from understudy.tracking.motion import Floats


@dataclass(frozen=True)
class Look:
    """The expression of one frame, ready to draw: all zero is the reference image's own face.

    ``skin`` holds u and v in turn of the shift of each of `skin_points.SKIN`, see `Expression`; empty is none.
    """

    lids: tuple[float, float] = (0.0, 0.0)
    gaze: tuple[float, float] = (0.0, 0.0)
    yaw_deg: float = 0.0
    pitch_deg: float = 0.0
    skin: tuple[float, ...] = ()


@dataclass(frozen=True)
class Expression:
    """The performer's face over T frames. All float32; between the frames seen values go straight on.

    ``lids`` (own left, own right): 0 as in the reference to 1 closed, below 0 wider open; ``gaze``: how far the irises
    are aside (above 0 to the picture's right) and down, over the eye's width; ``yaw_deg``: above 0 turned to the
    picture's right; ``pitch_deg``: above 0 looking down. ``skin``: shifts of the skin points (mouth, jaw, cheeks,
    brows) in the reference's face frame, over the distance of its outer eye corners. ``weight`` eases to 0 where the
    face is lost or turned away; a turn outlasts it a while, and eases by itself.
    """

    lids: Floats  # (T, 2)
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
        return Look(
            lids=(left, right),
            gaze=(aside, down),
            yaw_deg=float(self.yaw_deg[frame]),
            pitch_deg=float(self.pitch_deg[frame]),
            skin=tuple((self.skin[frame] * w).ravel().tolist()) if self.skin[frame].any() and w > 0 else (),
        )
