"""A speaking performer: the character's mouth is in step with the sound."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.audio.resampler import AudioResampler

from understudy import animate
from understudy.evaluation.evaluate import evaluate
from understudy.evaluation.figures import Figures
from understudy.evaluation.masks import Mask
from understudy.media.clip import probe, read_frames
from understudy.request import Orientation
from understudy.tracking.tracker import Frame, Person

FPS = 30
# He speaks in long sentences here, in one shot, his hands low.
START_S, SECONDS = 12.0, 4.0


def spoken(clip: Path, path: Path) -> Path:
    """A part of the clip with its sound, in step, at a third of its size."""
    with av.open(str(path), "w") as target:
        video = target.add_stream("libx264", rate=Fraction(FPS), options={"crf": "18", "preset": "veryfast"})
        video.width, video.height, video.pix_fmt = 406, 720, "yuv420p"
        audio = target.add_stream("aac", rate=44100)
        resampler = AudioResampler("fltp", "stereo", 44100)
        frames = read_frames(probe(clip), start_s=START_S, stop_s=START_S + SECONDS, short_side_max=406)
        begun_s = None
        for number, (time_s, frame) in enumerate(frames):
            begun_s = time_s if begun_s is None else begun_s
            picture = av.VideoFrame.from_ndarray(frame[:720, :406].copy(), format="rgb24")
            picture.pts = number
            target.mux(video.encode(picture))
        assert begun_s is not None
        with av.open(str(clip)) as source:
            stream = source.streams.audio[0]
            offset_s = probe(clip).start_s + begun_s
            for sound in source.decode(stream):
                assert sound.time is not None
                if not 0 <= sound.time - offset_s < SECONDS:
                    continue
                for part in resampler.resample(sound):
                    part.pts = round((sound.time - offset_s) * 44100)
                    part.time_base = Fraction(1, 44100)
                    target.mux(audio.encode(part))
        target.mux(video.encode())
        target.mux(audio.encode())
    return path


def unmasked(frame: Frame, person: Person | None) -> tuple[Mask, Mask]:
    """Nobody is told from the background: no pixels are asked about here."""
    nowhere = np.zeros(frame.shape[:2], bool)
    return nowhere, nowhere


@pytest.fixture(scope="module")
def judged(media: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[float], Figures]:
    """The figures of one output, as if it began so many seconds later in its driving video."""
    folder = tmp_path_factory.mktemp("speech")
    clip = spoken(media / "videos" / "ub_talk_seated_gestures.mp4", folder / "spoken.mp4")
    picture = media / "images" / "ub_flux_man_window.png"
    made = animate(picture, clip, output=folder / "made.mp4", provenance=False).path

    def judge(start_s: float) -> Figures:
        return evaluate(
            picture,
            clip,
            made,
            orientation=Orientation.VIDEO,
            self_reenactment=False,
            masker=unmasked,
            driving_start_s=start_s,
            seconds=SECONDS - start_s,
        )

    return judge


def test_mouth_and_sound_are_in_step_to_a_frame(judged: Callable[[float], Figures]) -> None:
    figures = judged(0.0)
    assert figures.lip_lag is not None
    assert abs(figures.lip_lag) <= 1
    assert figures.sound_offset_s is not None
    assert abs(figures.sound_offset_s) <= 1 / FPS


def test_a_result_that_is_late_is_told_by_mouth_and_sound(judged: Callable[[float], Figures]) -> None:
    late = judged(4 / FPS)
    assert late.lip_lag is not None
    assert abs(late.lip_lag - 4) <= 1
    assert late.sound_offset_s == pytest.approx(4 / FPS, abs=1 / FPS)
