"""Frames between real ones: nearer to the truth than either neighbour or a mixture, and never across a cut."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from interpolation import WAYS, displaced, through, triples
from understudy.engines.diffusion.interpolation import Between
from understudy.evaluation.pixels import ssim
from understudy.media.clip import probe, read_frames

MOVING = (
    "neg_too_short_2s8_turnaround",
    "ub_talk_man_glasses",
    "ub_running_tracking_shot",
    "ub_zoom_out_beach",
)
CUTS = (("neg_cuts_studio_singer.mp4", 11.88), ("neg_cuts_studio_singer.mp4", 23.40))


@pytest.mark.parametrize("clip", MOVING)
def test_a_frame_between_is_nearer_to_the_truth_than_any_simple_way(media: Path, clip: str) -> None:
    alike: dict[str, list[float]] = {name: [] for name in WAYS}
    off: dict[str, list[float]] = {name: [] for name in WAYS}
    for first, truth, second in triples(media / "videos" / f"{clip}.mp4", 5):
        for name, way in WAYS.items():
            made = way(first, second)
            alike[name].append(ssim(made, truth))
            off[name].append(displaced(first, second, truth, made))
    medians = {name: float(np.median(values)) for name, values in alike.items()}
    assert medians["ours"] > medians["nearest"] + 0.01
    assert medians["ours"] > medians["mixed"] + 0.005
    assert np.nanmedian(off["ours"]) < 0.6 * np.nanmedian(off["nearest"])


@pytest.mark.parametrize(("clip", "cut_s"), CUTS)
def test_a_cut_is_found_and_what_is_about_it_is_none(media: Path, clip: str, cut_s: float) -> None:
    found = probe(media / "videos" / clip)
    frames = [
        frame for _, frame in read_frames(found, start_s=cut_s - 0.3, stop_s=cut_s + 0.3, short_side_max=320)
    ]
    assert sum(Between(first, second).is_cut for first, second in pairwise(frames)) == 1


@pytest.mark.parametrize("clip", ["fb_dance_lake", "fb_dance_studio_15fps_pillarbox"])
def test_the_fastest_movement_is_no_cut(media: Path, clip: str) -> None:
    path = media / "videos" / f"{clip}.mp4"
    assert not any(Between(first, second).is_cut for first, _, second in triples(path, 8))


def test_four_of_five_frames_of_a_30_fps_clip_are_the_models_own(media: Path) -> None:
    path = media / "videos" / "hd_expressions_man_sweater.mp4"
    fidelity, off_px, exact = through(path, "own", 1.0)
    even_fidelity, even_off_px, even_exact = through(path, "even", 1.0)
    assert exact >= 0.79
    assert even_exact < 0.3
    assert fidelity > even_fidelity + 1
    assert off_px < even_off_px
