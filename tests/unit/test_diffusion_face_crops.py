"""Face pictures: which box of the frame they show, how calm it is, and when there is none."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from made_motion import performance

from understudy.engines.diffusion.face_crops import EARS, EYES, MOUTH, NOSE, OUTLINE, FaceCrops
from understudy.engines.diffusion.spec import FACE_SIDE
from understudy.tracking.motion import Motion

WIDTH, HEIGHT = 400, 300


def with_face(
    left: float, top: float, right: float, bottom: float, frames: int = 20, noise_px: float = 0.0
) -> Motion:
    """A motion whose face's outline fills a box."""
    motion = performance(frames, 30.0, WIDTH, HEIGHT)
    motion.visibility[:, :11] = 0
    turn = np.linspace(0, 2 * np.pi, len(OUTLINE))
    points = np.stack([np.cos(turn), np.sin(turn)], axis=1)
    points = (points - points.min(axis=0)) / np.ptp(points, axis=0)
    shift = np.random.default_rng(3).normal(0, noise_px, (frames, 1, 2)) if noise_px else 0
    motion.face[:, list(OUTLINE), :2] = (left, top) + points * (right - left, bottom - top) + shift
    motion.face_score[:] = 1
    return motion


def ramps() -> np.ndarray:
    """A frame whose red tells the column and whose green tells the row."""
    frame = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    frame[..., 0] = np.linspace(0, 255, WIDTH)
    frame[..., 1] = np.linspace(0, 255, HEIGHT)[:, None]
    frame[..., 2] = 200
    return frame


def test_the_box_is_the_face_and_as_much_about_it_as_the_model_was_trained_on() -> None:
    box = FaceCrops(with_face(100, 80, 200, 160)).boxes[10]
    gain = np.sqrt(1.3) - 1  # each side grows so, that the area grows by 1.3
    wanted = [100 - 50 * gain, 80 - 60 * gain, 200 + 50 * gain, 160 + 20 * gain]
    np.testing.assert_allclose(box, wanted, atol=0.01)


def test_the_picture_shows_the_box_and_nothing_else() -> None:
    crops = FaceCrops(with_face(100, 80, 200, 160))
    picture = crops.picture(ramps(), 10)
    assert picture.shape == (FACE_SIDE, FACE_SIDE, 3)
    assert picture.dtype == np.uint8
    left, top, right, bottom = crops.boxes[10]
    across, down = 255 / (WIDTH - 1), 255 / (HEIGHT - 1)
    assert abs(picture[256, 0, 0] - left * across) < 2
    assert abs(picture[256, -1, 0] - right * across) < 2
    assert abs(picture[0, 256, 1] - top * down) < 2
    assert abs(picture[-1, 256, 1] - bottom * down) < 2


@pytest.mark.parametrize("scale", [1, 3])
def test_a_frame_of_another_size_gives_the_same_picture(scale: int) -> None:
    crops = FaceCrops(with_face(100, 80, 200, 160))
    frame = np.repeat(np.repeat(ramps(), scale, axis=0), scale, axis=1)
    apart = crops.picture(frame, 10).astype(int) - crops.picture(ramps(), 10)
    assert np.abs(apart).max() <= 3


def test_a_large_face_is_averaged_not_skipped() -> None:
    motion = replace(with_face(20, 20, 380, 280), width=WIDTH, height=HEIGHT)
    fine = np.zeros((HEIGHT * 8, WIDTH * 8, 3), np.uint8)
    fine[:, ::2] = 255  # stripes of one pixel: skipping would show some of them
    picture = FaceCrops(motion).picture(fine, 5)
    assert picture.std() < 40
    assert abs(picture.mean() - 127) < 8


def test_a_face_at_the_border_is_cut_off_there() -> None:
    picture = FaceCrops(with_face(-30, 80, 70, 160)).picture(ramps(), 10)
    assert (picture[..., 2] == 200).all()  # no black, nothing made up
    assert picture[256, 0, 0] <= 1


@pytest.mark.parametrize("box", [(-90, 80, 10, 160), (500, 80, 600, 160), (100, 100, 104, 103)])
def test_a_face_outside_or_too_small_is_none(box: tuple[float, float, float, float]) -> None:
    assert not FaceCrops(with_face(*box)).picture(ramps(), 10).any()


def test_without_a_face_the_picture_is_black() -> None:
    motion = with_face(100, 80, 200, 160, 40)
    motion.face_score[10:] = 0
    motion.face[10:] = np.nan
    crops = FaceCrops(motion)
    assert crops.picture(ramps(), 5).any()
    assert not crops.picture(ramps(), 30).any()


def test_a_short_gap_is_bridged() -> None:
    motion = with_face(100, 80, 200, 160, 40)
    motion.face_score[10:16] = 0
    motion.face[10:16] = np.nan
    assert np.isfinite(FaceCrops(motion).boxes).all()


def test_the_box_is_calmer_than_the_face() -> None:
    motion = with_face(100, 80, 200, 160, 120, noise_px=2.0)
    places = motion.face[:, OUTLINE[0], 0]
    middles = FaceCrops(motion).boxes[:, [0, 2]].mean(axis=1)
    assert np.diff(middles).std() < 0.3 * np.diff(places).std()


def test_the_box_follows_without_lag() -> None:
    motion = with_face(100, 80, 200, 160, 60)
    motion.face[..., 0] += 2 * np.arange(60)[:, None]
    middles = FaceCrops(motion).boxes[:, [0, 2]].mean(axis=1)
    np.testing.assert_allclose(middles[10:50], 150 + 2 * np.arange(10, 50), atol=0.2)


def test_a_cut_is_no_movement() -> None:
    motion = replace(with_face(100, 80, 200, 160, 40), cuts=(20,))
    motion.face[20:, :, 0] += 150
    boxes = FaceCrops(motion).boxes
    np.testing.assert_allclose(boxes[[19, 20], 0], boxes[[0, 39], 0], atol=0.01)


def test_without_a_mesh_the_heads_landmarks_tell_the_face() -> None:
    motion = with_face(0, 0, 1, 1)
    motion.face_score[:] = 0
    motion.face[:] = np.nan
    places = {
        NOSE: (200, 150),
        EYES[0]: (220, 130),
        EYES[1]: (180, 130),
        EARS[0]: (250, 138),
        EARS[1]: (150, 138),
    }
    for landmark, place in {**places, MOUTH[0]: (215, 170), MOUTH[1]: (185, 170)}.items():
        motion.body[:, landmark, :2] = place
    assert not FaceCrops(motion).picture(ramps(), 10).any()  # none of it is seen yet
    motion.visibility[:, :11] = 0.9
    left, top, right, bottom = FaceCrops(motion).boxes[10]
    assert 140 < left < 150
    assert 250 < right < 260
    assert 90 < top < 115
    assert 190 < bottom < 205
    motion.body[:, :, 0] = WIDTH - motion.body[:, :, 0]  # seen from behind, left and right change places
    assert not FaceCrops(motion).picture(ramps(), 10).any()
