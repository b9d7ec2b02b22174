"""The figures on real clips whose answers are known: a clip against itself, late, frozen."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import cv2
import pytest
from PIL import Image

from understudy.evaluation.evaluate import evaluate
from understudy.evaluation.figures import Figures
from understudy.evaluation.pairs import Pair, Rendered, run_pair
from understudy.media.clip import probe, read_frames
from understudy.request import Orientation
from understudy.tracking.tracker import Frame

DANCE = "fb_dance_rooftop.mp4"
TALK = "ub_talk_seated_gestures.mp4"


def frames(clip: Path, seconds: float, start_s: float = 0.0) -> Iterator[Frame]:
    for time_s, frame in read_frames(probe(clip), short_side_max=406):
        if time_s >= start_s + seconds - 1e-6:
            return
        if time_s >= start_s - 1e-6:
            yield frame


def encode(pictures: Iterator[Frame], path: Path, fps: Fraction) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=fps, options={"crf": "20", "preset": "veryfast"})
        stream.pix_fmt = "yuv420p"
        for number, picture in enumerate(pictures):
            height, width = (side // 2 * 2 for side in picture.shape[:2])
            if number == 0:
                stream.width, stream.height = width, height
            frame = av.VideoFrame.from_ndarray(cv2.resize(picture, (width, height)), format="rgb24")
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def first_frame(clip: Path, path: Path) -> Path:
    Image.fromarray(next(frames(clip, 1.0))).save(path)
    return path


def against_itself(clip: Path, folder: Path, seconds: float, orientation: Orientation) -> Figures:
    output = encode(frames(clip, seconds), folder / f"again-{clip.stem}.mp4", probe(clip).fps)
    reference = first_frame(clip, folder / f"{clip.stem}.png")
    return evaluate(reference, clip, output, orientation=orientation, self_reenactment=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("evaluation")


@pytest.fixture(scope="module")
def dance(media: Path, folder: Path) -> Figures:
    return against_itself(media / "videos" / DANCE, folder, 2.5, Orientation.VIDEO)


@pytest.fixture(scope="module")
def talk(media: Path, folder: Path) -> Figures:
    return against_itself(media / "videos" / TALK, folder, 2.5, Orientation.VIDEO)


def test_a_dance_against_itself(dance: Figures) -> None:
    assert dance.samples == 30
    assert dance.akd is not None
    assert dance.akd < 0.005
    assert dance.limb_deg is not None
    assert dance.limb_deg < 1.3
    assert dance.mkr is not None
    assert dance.mkr < 0.01
    assert dance.lag == 0
    assert dance.jitter == pytest.approx(1, abs=0.15)
    assert dance.face_gt_ncc is not None
    assert dance.face_gt_ncc > 0.97
    assert dance.expr is not None
    assert dance.expr > 0.9
    assert not dance.still_camera
    assert dance.sil_iou is None


def test_a_still_image_of_the_dance(dance: Figures) -> None:
    still = dance.still_image
    assert still is not None
    assert still.akd is not None
    assert still.akd > 0.08
    assert still.limb_deg is not None
    assert still.limb_deg > 25
    assert still.lag is None
    assert still.expr == 0
    assert still.face_gt_ncc is not None
    assert 0.3 < still.face_gt_ncc < 0.9


def test_a_talk_against_itself(talk: Figures) -> None:
    assert talk.still_camera
    assert talk.akd is not None
    assert talk.akd < 0.005
    assert talk.expr is not None
    assert talk.expr > 0.9
    assert talk.sil_iou is not None
    assert talk.sil_iou > 0.97
    assert talk.bg_l1 is not None
    assert talk.bg_l1 < 2.5
    assert talk.bg_bad is not None
    assert talk.bg_bad < 0.002
    assert talk.hand_deg is not None
    assert talk.hand_deg < 8
    assert talk.hand_seen is not None
    assert talk.hand_seen > 0.9
    assert talk.hand_swapped is not None
    assert talk.hand_swapped < 0.1
    assert talk.lip_lag == 0
    assert talk.face_px is not None
    assert talk.face_px > 100
    assert talk.ssim is not None
    assert talk.ssim > 0.95


def test_a_late_output_is_late(media: Path, folder: Path) -> None:
    clip = media / "videos" / DANCE
    driving = encode(frames(clip, 2.0, 1.0), folder / "part.mp4", Fraction(24))
    late = encode(frames(clip, 2.0, 1.0 - 2 / 12), folder / "late.mp4", Fraction(24))
    reference = first_frame(driving, folder / "part.png")
    figures = evaluate(reference, driving, late, orientation=Orientation.VIDEO, self_reenactment=True)
    assert figures.lag == 2


def test_the_sound_of_a_clip_is_in_time_with_itself(media: Path, folder: Path) -> None:
    clip = media / "videos" / DANCE
    reference = first_frame(clip, folder / "sound.png")
    figures = evaluate(
        reference, clip, clip, orientation=Orientation.VIDEO, self_reenactment=True, seconds=0.5
    )
    assert figures.samples == 6
    assert figures.sound
    assert figures.driving_sound
    assert figures.sound_offset_s == pytest.approx(0, abs=0.001)


def test_a_pair_from_end_to_end(media: Path, folder: Path) -> None:
    clip = encode(frames(media / "videos" / DANCE, 1.0), folder / "short.mp4", Fraction(24))

    def copy(image: Path, video: Path, output: Path, orientation: Orientation) -> Rendered:
        output.write_bytes(video.read_bytes())
        return Rendered(work_s=1.0)

    pair = Pair("A", "self", clip, None, 0, (Orientation.IMAGE,))
    outcome = run_pair(pair, Orientation.IMAGE, copy, folder / "pairs")
    assert outcome.error is None
    assert outcome.figures is not None
    assert outcome.figures.limb_deg is not None
    assert outcome.figures.limb_deg < 1
    assert outcome.figures.rest_psnr is not None
    assert outcome.figures.rest_psnr > 36
    assert outcome.figures.rest_face_psnr is not None
    assert outcome.figures.rest_face_psnr > 36
    assert outcome.figures.work_s_per_s == pytest.approx(1, abs=0.1)
    with Image.open(folder / "pairs" / "A-image.png") as sheet:
        assert sheet.width > 1000
    crops = sorted(path.name for path in (folder / "pairs" / "A-image-crops").iterdir())
    assert "face-1.png" in crops
