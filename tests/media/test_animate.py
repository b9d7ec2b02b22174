"""The whole way on real pictures and clips: length, sound, provenance, and inputs that are refused."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from understudy import CharacterError, PerformerError, Result, animate
from understudy.evaluation.rest import rest_figures
from understudy.media import provenance
from understudy.media.clip import Clip, probe, read_frames
from understudy.tracking.motion import Motion

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@dataclass(frozen=True)
class Made:
    result: Result
    driving: Clip
    output: Clip
    folder: Path


def run(media: Path, folder: Path, image: str, video: Path | str, **options: object) -> Made:
    folder.mkdir(parents=True, exist_ok=True)
    clip = media / "videos" / video
    result = animate(media / "images" / image, clip, output=folder / "made.mp4", **options)  # type: ignore[arg-type]
    return Made(result, probe(clip), probe(result.path), folder)


def trimmed(clip: Path, path: Path, seconds: float) -> Path:
    """The first seconds of a clip, with its sound, packet by packet."""
    with av.open(str(clip)) as source, av.open(str(path), "w", format="mp4") as target:
        streams = [s for s in source.streams if s.type in {"video", "audio"}]
        copies = {s.index: target.add_stream_from_template(s) for s in streams}
        for packet in source.demux(streams):
            if packet.dts is None or packet.pts * packet.time_base >= seconds:
                continue
            packet.stream = copies[packet.stream.index]
            target.mux(packet)
    return path


@pytest.fixture(scope="module")
def smoke(media: Path, tmp_path_factory: pytest.TempPathFactory) -> Made:
    """C3: a child's drawing and a short, clean dance."""
    folder = tmp_path_factory.mktemp("smoke") / "out"
    return run(
        media,
        folder,
        "drw_purple_crown_boy.png",
        "fb_dance_ai_blue_dress.mp4",
        save_motion=folder / "kept.npz",
        sheet=folder / "sheet.png",
    )


def loudness(path: Path, step_s: float = 0.02) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """The sound's strength in steps from time 0 on."""
    with av.open(str(path)) as source:
        stream = source.streams.audio[0]
        parts = [
            (float(f.time or 0.0), part.to_ndarray().reshape(-1))
            for f in source.decode(stream)
            for part in av.AudioResampler("flt", "mono", 8000).resample(f)
        ]
    samples = np.zeros(round(8000 * (parts[-1][0] + 1)))
    for time_s, part in parts:
        first = round(time_s * 8000)
        if first >= 0:
            samples[first : first + len(part)] = part
    step = round(step_s * 8000)
    return np.asarray(np.abs(samples[: len(samples) // step * step].reshape(-1, step)).mean(axis=1))


def test_the_smoke_pair_is_as_long_as_its_clip(smoke: Made) -> None:
    result, driving, output = smoke.result, smoke.driving, smoke.output
    assert result.driving_start_s == 0
    assert (result.frames, output.frame_count) == (driving.frame_count, driving.frame_count)
    assert output.fps == driving.fps == Fraction(25)
    assert output.duration_s == pytest.approx(driving.duration_s, abs=0.5 / 25)
    assert result.duration_s == pytest.approx(output.duration_s, abs=0.5 / 25)


def test_the_smoke_pair_has_its_pictures_shape(smoke: Made) -> None:
    assert (
        (smoke.output.width, smoke.output.height) == (smoke.result.width, smoke.result.height) == (720, 854)
    )


def test_the_smoke_pair_moves_and_keeps_its_background(smoke: Made) -> None:
    frames = np.stack([frame for _, frame in read_frames(smoke.output, short_side_max=180)])
    spread = frames.max(axis=0).astype(int) - frames.min(axis=0)
    assert 0.1 < (spread.max(axis=2) > 60).mean() < 0.8
    for corner in (spread[:12, :12], spread[:12, -12:], spread[-12:, :12], spread[-12:, -12:]):
        assert corner.max() < 12  # bare paper


def test_the_smoke_pair_sounds_as_its_clip_in_time(smoke: Made) -> None:
    assert smoke.result.sound
    with av.open(str(smoke.output.path)) as made, av.open(str(smoke.driving.path)) as given:
        lengths = [float(f.streams.audio[0].duration * f.streams.audio[0].time_base) for f in (made, given)]
    assert lengths[0] == pytest.approx(min(lengths[1], smoke.output.duration_s), abs=0.08)
    ours, theirs = loudness(smoke.output.path), loudness(smoke.driving.path)
    length = min(len(ours), len(theirs)) - 10
    match = {
        lag: float(np.corrcoef(ours[5 + lag : length + lag], theirs[5:length])[0, 1]) for lag in range(-5, 6)
    }
    assert max(match, key=lambda lag: match[lag]) == 0
    assert match[0] > 0.95


def test_the_smoke_pair_says_that_it_is_made(smoke: Made) -> None:
    store = provenance.read(smoke.output.path)
    assert store["validation_state"] == "Valid"
    manifest = store["manifests"][store["active_manifest"]]
    assert manifest["title"] == "made.mp4"
    actions = manifest["assertions"][-1]["data"]["actions"]
    assert actions[0]["softwareAgent"]["engine"] == "puppet"


def test_the_smoke_pair_leaves_nothing_else(smoke: Made) -> None:
    assert sorted(p.name for p in smoke.folder.iterdir()) == ["kept.npz", "made.mp4", "sheet.png"]
    assert len(Motion.load(smoke.folder / "kept.npz")) == smoke.driving.frame_count


@pytest.fixture(scope="module")
def clasped(media: Path, tmp_path_factory: pytest.TempPathFactory) -> Made:
    """C5: hands clasped in the picture, free in a clip without sound, at 16 frames a second."""
    return run(
        media,
        tmp_path_factory.mktemp("clasped") / "out",
        "ub_ai_blouse_hands_clasped.jpg",
        "ub_christmas_sweater_dance.mp4",
        watermark=True,
        orientation="image",
    )


def test_clasped_hands_end_to_end(clasped: Made) -> None:
    result, driving, output = clasped.result, clasped.driving, clasped.output
    assert output.fps == driving.fps == Fraction(16)
    assert output.frame_count == result.frames == driving.frame_count
    assert output.duration_s == pytest.approx(driving.duration_s, abs=0.5 / 16)
    assert (result.sound, output.has_audio) == (False, False)
    assert min(output.width, output.height) == 720


def test_both_files_are_marked_as_made(clasped: Made) -> None:
    assert clasped.result.watermark_path is not None
    assert sorted(p.name for p in clasped.folder.iterdir()) == ["made-watermarked.mp4", "made.mp4"]
    for path in (clasped.result.path, clasped.result.watermark_path):
        assert provenance.read(path)["validation_state"] == "Valid"
    assert probe(clasped.result.watermark_path).frame_count == clasped.result.frames


@pytest.fixture(scope="module")
def short(media: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Just over 3 s of the smoke pair's clip."""
    return trimmed(
        media / "videos" / "fb_dance_ai_blue_dress.mp4", tmp_path_factory.mktemp("short") / "short.mp4", 3.2
    )


def test_a_picture_without_a_character_is_refused(media: Path, short: Path, tmp_path: Path) -> None:
    with pytest.raises(CharacterError) as caught:
        run(media, tmp_path / "out", "neg_img_boat_no_person.png", short)
    assert caught.value.code == "character_not_found"
    assert caught.value.fix
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize("video", ["neg_animal_shiba.mp4", "neg_skeleton_only.MOV"])
def test_a_clip_without_a_performer_is_refused(media: Path, tmp_path: Path, video: str) -> None:
    with pytest.raises(PerformerError) as caught:
        run(media, tmp_path / "out", "fb_man_red_jacket.png", video)
    assert caught.value.code in {"performer_not_found", "performer_too_short"}
    assert caught.value.fix
    assert list((tmp_path / "out").iterdir()) == []


def test_a_still_clip_of_the_picture_gives_the_picture(media: Path) -> None:
    def render(image: Path, video: Path, output: Path) -> Result:
        return animate(image, video, output=output, provenance=False)

    decibels = rest_figures(media / "images" / "fb_man_red_jacket.png", render).rest_psnr
    assert decibels is not None
    assert decibels >= 30
