"""Rigs of real pictures in rest pose give the picture back: as a whole, and inside each part."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from understudy.engines.puppet.engine import PuppetEngine
from understudy.engines.puppet.rest import parts_psnr, rest_frame, rest_psnr
from understudy.media.picture import load_picture
from understudy.request import MotionRequest
from understudy.tracking.mediapipe_tracker import MediaPipeTracker

PART_DB = 28.0  # inside every part of every picture; a part that is lost or off has far less


@dataclass(frozen=True)
class Case:
    """A picture, and the least decibels in the box of its figure: a few below what was measured.

    What keeps them down is the background about the figure: shadows that it cast are taken away on purpose.
    """

    picture: str
    whole: float


CASES = (
    Case("drw_lineart_hat_girl.png", 30.0),
    Case("fb_ai_green_hoodie.png", 30.0),
    Case("fb_man_red_jacket.png", 26.0),
    Case("fb_woman_jeans.png", 30.0),
    Case("sty_3d_girl_arms_out.png", 36.0),
    Case("sty_anime_full_body_white.png", 33.0),
    Case("sty_cat_in_suit.png", 30.0),
    Case("sty_dwarf_rgba.png", 38.0),
    Case("sty_painting_black_dress.jpg", 30.0),
    Case("ub_ai_blouse_hands_clasped.jpg", 33.0),
    Case("ub_flux_man_window.png", 34.0),
)


@pytest.fixture(scope="module")
def tracker() -> MediaPipeTracker:
    return MediaPipeTracker(threads=2)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.picture.split(".")[0])
def test_the_rest_pose_is_the_picture(case: Case, media: Path, tracker: MediaPipeTracker) -> None:
    path = media / "images" / case.picture
    asked = MotionRequest(image=path, output=Path("unused.mp4"))
    puppet = PuppetEngine(tracker=tracker).prepare(load_picture(path), asked)
    frame = rest_frame(puppet.rig)
    inside = parts_psnr(puppet.rig, frame, puppet.reference)
    assert min(inside.values()) >= PART_DB, inside
    assert rest_psnr(frame, puppet.reference, puppet.matte.alpha) >= case.whole
