"""The sample: its files lie in the package, keep the limits, and its renderer draws what it is told."""

from __future__ import annotations

import json

import av
import cv2
import numpy as np
import pytest

from understudy.sample import character_path, clip_path, truth_path
from understudy.sample.dance import FPS, FRAMES, REST, mirrored, stances
from understudy.sample.dancer import BUILD
from understudy.sample.make import LANDMARKS, truth
from understudy.sample.skeleton import pose
from understudy.sample.solid import Cone, Ellipsoid, Group, Ring, Solid, plain, vec
from understudy.sample.tracing import Camera, trace
from understudy.sample.tune import RATE_HZ, tune


def test_files_lie_in_the_package_and_are_small() -> None:
    assert character_path().stat().st_size < 900_000
    assert clip_path().stat().st_size < 900_000
    picture = cv2.imread(str(character_path()), cv2.IMREAD_UNCHANGED)
    assert picture.shape == (1080, 810, 3)


def test_clip_keeps_the_limits_of_both_orientations() -> None:
    with av.open(str(clip_path())) as container:
        video = container.streams.video[0]
        assert (video.codec_context.name, video.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert (video.width, video.height, video.frames) == (720, 1280, FRAMES)
        assert video.average_rate == FPS
        sound = container.streams.audio[0]
        assert sound.codec_context.name == "aac"
        assert float(sound.duration * sound.time_base) == pytest.approx(FRAMES / FPS, abs=0.05)


def test_truth_is_that_of_the_choreography() -> None:
    stored = json.loads(truth_path().read_text())
    assert stored == truth()
    joints = np.array(stored["joints"])
    assert joints.shape == (FRAMES, len(LANDMARKS), 2)
    assert joints.min() > 0
    assert (joints[..., 0] < 720).all()
    assert (joints[..., 1] < 1280).all()


def test_face_opens_its_mouth_and_blinks() -> None:
    stored = json.loads(truth_path().read_text())
    assert max(stored["mouth"]) > 0.9
    assert min(stored["mouth"]) == 0
    blink = np.array(stored["blink"])
    assert np.count_nonzero((blink[1:] >= 0.99) & (blink[:-1] < 0.99)) >= 5


def test_bones_keep_their_lengths_and_feet_the_floor() -> None:
    for stance in stances():
        at = pose(BUILD, stance).at
        for side in ("left", "right"):
            for a, b, length in (
                ("shoulder", "elbow", BUILD.upper_arm),
                ("elbow", "wrist", BUILD.forearm),
                ("hip", "knee", BUILD.thigh),
                ("knee", "ankle", BUILD.shin),
            ):
                bone = np.linalg.norm(at[f"{side} {a}"] - at[f"{side} {b}"])
                assert bone == pytest.approx(length, abs=1e-4)
            assert at[f"{side} ankle"][1] >= BUILD.ankle - 1e-4


def test_mirrored_twice_is_the_same() -> None:
    assert mirrored(mirrored(stances()[20])) == stances()[20]
    assert mirrored(REST) == REST


@pytest.mark.parametrize(
    ("solid", "distance"),
    [
        (Cone(vec(0, 0, 0), vec(0, 1, 0), 0.1, 0.1), 0.4),
        (Cone(vec(0, -1, 0), vec(0, 0, 0), 0.6, 0.6, cut=True), 0.0),
        (Ellipsoid(vec(0, 0, 0), (0.2, 0.2, 0.2)), 0.3),
        (Ring(vec(0, 0, 0), vec(0, 1, 0), 0.3, 0.1), 0.1),
    ],
)
def test_distance_of_a_point(solid: Solid, distance: float) -> None:
    x, y, z = (np.array([v], np.float32) for v in (0.5, 0.0, 0.0))
    assert solid.distance(x, y, z)[0] == pytest.approx(distance, abs=1e-5)


def test_trace_draws_a_ball_as_a_disc() -> None:
    camera = Camera(90, 80, 100, (45, 40), pitch_deg=0)
    ball = Group("ball", (Ellipsoid(vec(0, 0, 0), (0.3, 0.3, 0.3)),), plain("#ffffff"))
    surface = trace([ball], camera)
    shown = np.zeros(80 * 90, bool)
    shown[surface.index] = True
    rows, columns = np.mgrid[0:80, 0:90]
    disc = np.hypot(columns + 0.5 - 45, rows + 0.5 - 40) < 30
    wrong = np.count_nonzero(shown.reshape(80, 90) ^ disc)
    assert wrong < 0.4 * 2 * np.pi * 30  # under 0.4 pixels of outline
    middle = surface.index == 40 * 90 + 45
    assert surface.normals[middle][0] == pytest.approx([0, 0, 1], abs=0.05)
    assert surface.points[middle][0] == pytest.approx([0, 0, 0.3], abs=0.01)


def test_tune_is_as_long_as_the_dance_and_does_not_clip() -> None:
    sound = tune()
    assert sound.shape == (FRAMES * RATE_HZ // FPS, 2)
    assert 0.5 < np.abs(sound).max() < 0.95
