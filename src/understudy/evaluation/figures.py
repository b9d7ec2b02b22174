"""The figures of one output video (docs/quality.md), as data."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Figures:
    """One output video beside its driving video and reference image.

    Numbers are finite; None stands for a figure that cannot be had. Distances are over the person's height where
    docs/quality.md says so, else pixels of frames of height 720 (``face_px`` and ``hand_px`` of the driving video's
    own); angles are degrees, times seconds, differences of 255.
    ``still_image`` holds the same figures of the reference image shown for the whole clip.
    """

    orientation: str
    self_reenactment: bool
    samples: int
    still_camera: bool

    akd: float | None = None
    akd_p95: float | None = None
    mkr: float | None = None
    mkr_shown: float | None = None
    limb_deg: float | None = None
    limb_deg_p95: float | None = None
    turned: float | None = None
    lag: int | None = None
    face_ncc: float | None = None
    face_gt_ncc: float | None = None
    expr: float | None = None
    lip_lag: int | None = None
    hand_deg: float | None = None
    hand_seen: float | None = None
    hand_swapped: float | None = None
    sil_iou: float | None = None
    reveal_l1: float | None = None
    bg_l1: float | None = None
    bg_bad: float | None = None
    rest_psnr: float | None = None
    rest_face_psnr: float | None = None
    jitter: float | None = None
    still_p99: float | None = None
    psnr: float | None = None
    ssim: float | None = None
    facing_drift: float | None = None
    root_drift: float | None = None

    duration_s: float | None = None
    driving_duration_s: float | None = None
    fps: float | None = None
    driving_fps: float | None = None
    face_px: float | None = None
    hand_px: float | None = None
    width: int | None = None
    height: int | None = None
    sound: bool | None = None
    driving_sound: bool | None = None
    sound_offset_s: float | None = None
    work_s_per_s: float | None = None

    still_image: Figures | None = None

    def to_json(self) -> str:
        """All figures as a JSON object; None becomes null, and a number that is not finite is an error."""
        return json.dumps(asdict(self), indent=2, allow_nan=False)
