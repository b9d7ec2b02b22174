"""The road of a request, with a fake engine and a fake tracker: what comes out, and what goes wrong how."""

from __future__ import annotations

import importlib
import os
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from following_engine import Following
from made_clips import beep, first_sound_s, heard, make_clip, pattern
from made_motion import performance
from numpy.typing import NDArray
from PIL import Image

from understudy import (
    CharacterError,
    EngineError,
    InputError,
    MotionRequest,
    PerformerError,
    PictureError,
    RequestError,
    Result,
    Scene,
    UnderstudyError,
)
from understudy.animate import animate
from understudy.engines.capabilities import WAN_ANIMATE
from understudy.engines.diffusion import availability
from understudy.engines.engine import Performance
from understudy.engines.registry import ENGINES
from understudy.media import provenance
from understudy.media.clip import probe, read_frames
from understudy.tracking.motion import Motion

FPS, FRAMES = 10, 33
BEEP_S = (1.3, 2.5)
tracking = importlib.import_module("understudy.tracking.clip_tracking")
networks = importlib.import_module("understudy.tracking.mediapipe_tracker")


@pytest.fixture(scope="session")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``picture.png`` (odd sides) and ``clip.mp4`` (3.3 s, two beeps), ``quiet.mp4`` (no sound)."""
    folder = tmp_path_factory.mktemp("inputs")
    Image.fromarray(pattern(301, 333)).save(folder / "picture.png")
    frames = [pattern(340, 340)] * FRAMES
    make_clip(folder / "clip.mp4", frames, fps=Fraction(FPS), sound=beep(FRAMES / FPS, BEEP_S))
    make_clip(folder / "quiet.mp4", frames, fps=Fraction(FPS))
    return folder


class Tracked:
    """Stands in for tracking: reads the frames and gives ``motion``."""

    def __init__(self) -> None:
        self.motion = performance(FRAMES, FPS)
        self.sizes: set[tuple[int, ...]] = set()
        self.calls = 0

    def __call__(
        self, frames: Iterable[tuple[float, NDArray[np.uint8]]], width: int, height: int, *rest: Any
    ) -> Motion:
        self.calls += 1
        self.sizes |= {(width, height)} | {frame.shape[1::-1] for _, frame in frames}
        return self.motion


@pytest.fixture(autouse=True)
def tracked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Tracked:
    fake = Tracked()
    monkeypatch.setattr(tracking, "track_clip", fake)
    monkeypatch.setattr(networks, "MediaPipeTracker", lambda **_: None)
    monkeypatch.setitem(ENGINES, "fake", lambda *_: Following())
    monkeypatch.setenv("UNDERSTUDY_DATA_DIR", str(tmp_path / ".data"))
    return fake


@pytest.fixture
def out(tmp_path: Path) -> Path:
    folder = tmp_path / "out"
    folder.mkdir()
    return folder


def made(inputs: Path, out: Path, name: str = "made.mp4", **options: Any) -> Result:
    options = {"video": inputs / "clip.mp4", "engine": "fake", "provenance": False, **options}
    return animate(inputs / "picture.png", output=out / name, **options)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_result_says_what_the_file_is(inputs: Path, out: Path) -> None:
    result = made(inputs, out)
    assert result.path == out / "made.mp4"
    assert (result.width, result.height) == (300, 332)  # the picture's own, made even
    assert (result.fps, result.frames) == (FPS, FRAMES)
    assert result.duration_s == pytest.approx(FRAMES / FPS, abs=1e-3)
    assert (result.engine, result.character_found_by) == ("fake", "fake")
    assert result.sound is True
    assert result.driving_start_s == 0
    assert result.watermark_path is None
    assert result.sheet_path is None
    assert result.left_out == ()
    clip = probe(result.path)
    assert (clip.width, clip.height, clip.fps, clip.frame_count) == (300, 332, FPS, FRAMES)
    assert clip.duration_s == pytest.approx(FRAMES / FPS, abs=0.01)
    assert clip.has_audio
    assert names(out) == ["made.mp4"]


def test_the_picture_is_what_is_shown(inputs: Path, out: Path) -> None:
    result = made(inputs, out)
    wanted = pattern(301, 333)[:332, :300].astype(int)
    for _, frame in read_frames(probe(result.path)):
        assert np.abs(frame.astype(int) - wanted).mean() < 3


def test_each_stage_has_its_seconds(inputs: Path, out: Path) -> None:
    result = made(inputs, out)
    assert list(result.timings_s) == ["read", "tracking", "rig", "drawing"]
    assert all(seconds >= 0 for seconds in result.timings_s.values())
    assert list(made(inputs, out, sheet=out / "sheet.png").timings_s)[-1] == "sheet"


def test_progress_is_told_in_order(inputs: Path, out: Path) -> None:
    told: list[tuple[str, int, int]] = []
    made(inputs, out, progress=lambda *report: told.append(report))
    assert [(done, total) for stage, done, total in told if stage == "drawing"] == [
        (i + 1, FRAMES) for i in range(FRAMES)
    ]


def test_sound_is_in_time_and_as_long(inputs: Path, out: Path) -> None:
    path = made(inputs, out).path
    samples, rate = heard(path)
    assert first_sound_s(path) == pytest.approx(BEEP_S[0], abs=0.03)
    assert len(samples) / rate == pytest.approx(FRAMES / FPS, abs=0.06)


@pytest.mark.parametrize("options", [{"sound": False}, {"video": "quiet.mp4"}])
def test_no_sound(inputs: Path, out: Path, options: dict[str, Any]) -> None:
    if "video" in options:
        options = {"video": inputs / options["video"]}
    result = made(inputs, out, **options)
    assert result.sound is False
    assert not probe(result.path).has_audio


def test_the_watermarked_file_is_a_second_one(inputs: Path, out: Path) -> None:
    result = made(inputs, out, watermark=True, provenance=True)
    assert result.watermark_path == out / "made-watermarked.mp4"
    assert names(out) == ["made-watermarked.mp4", "made.mp4"]
    plain, marked = probe(result.path), probe(result.watermark_path)
    assert plain.frame_count == marked.frame_count == FRAMES
    assert plain.has_audio
    assert marked.has_audio
    (_, first), (_, second) = next(read_frames(plain)), next(read_frames(marked))
    difference = np.abs(first.astype(int) - second).max(axis=2)
    assert 0.002 < (difference > 20).mean() < 0.2
    for path in (result.path, result.watermark_path):
        assert provenance.read(path)["validation_state"] == "Valid"


def test_provenance_names_the_file_and_can_be_left_out(inputs: Path, out: Path) -> None:
    store = provenance.read(made(inputs, out, provenance=True).path)
    assert store["manifests"][store["active_manifest"]]["title"] == "made.mp4"
    unsigned = made(inputs, out, "unsigned.mp4").path
    assert b"c2pa" not in unsigned.read_bytes()


def test_a_sheet_is_written_where_asked(inputs: Path, out: Path) -> None:
    result = made(inputs, out, sheet=out / "sheet.png")
    assert result.sheet_path == out / "sheet.png"
    with Image.open(out / "sheet.png") as sheet:
        assert min(sheet.size) > 300


def test_the_tracker_sees_at_most_720_lines(inputs: Path, out: Path, tracked: Tracked) -> None:
    frames = [pattern(1200, 900)] * FRAMES
    large = make_clip(out / "large.mp4", frames, fps=Fraction(FPS), options={"preset": "ultrafast"})
    made(inputs, out, video=large)
    assert tracked.sizes == {(960, 720)}


def test_a_saved_motion_stands_in_for_tracking(inputs: Path, out: Path, tracked: Tracked) -> None:
    first = made(inputs, out, save_motion=out / "kept.npz")
    assert tracked.calls == 1
    again = made(inputs, out, "again.mp4", motion=out / "kept.npz")
    assert tracked.calls == 1
    assert (again.frames, again.fps, again.sound) == (first.frames, first.fps, True)
    alone = made(inputs, out, "alone.mp4", video=None, motion=out / "kept.npz")
    assert tracked.calls == 1
    assert (alone.frames, alone.sound, alone.sheet_path) == (FRAMES, False, None)
    assert alone.fps == pytest.approx(FPS, rel=1e-3)
    clip = probe(alone.path)
    assert (clip.frame_count, clip.fps) == (FRAMES, FPS)


@pytest.mark.parametrize("fps", [Fraction(5), Fraction(25, 2), Fraction(50)])
def test_beside_a_motion_the_video_gives_no_rate(inputs: Path, out: Path, fps: Fraction) -> None:
    performance(round(3.3 * fps), float(fps)).save(out / "kept.npz")
    result = made(inputs, out, motion=out / "kept.npz")
    clip = probe(result.path)
    assert Fraction(result.fps) == clip.fps == fps
    assert result.frames == clip.frame_count == round(3.3 * fps)
    assert result.duration_s == pytest.approx(clip.duration_s, abs=0.01)
    assert clip.duration_s == pytest.approx(3.3, abs=0.11)
    assert first_sound_s(result.path) == pytest.approx(BEEP_S[0], abs=0.03)


def test_a_sheet_needs_a_video(inputs: Path, out: Path) -> None:
    performance(FRAMES, FPS).save(out / "kept.npz")
    with pytest.raises(RequestError) as caught:
        made(inputs, out, video=None, motion=out / "kept.npz", sheet=out / "s.png")
    assert caught.value.code == "sheet_without_video"
    assert names(out) == ["kept.npz"]


def test_a_motion_given_is_saved_again_where_asked(inputs: Path, out: Path) -> None:
    performance(FRAMES, FPS).save(out / "kept.npz")
    made(inputs, out, video=None, motion=out / "kept.npz", save_motion=out / "again.npz")
    np.testing.assert_array_equal(Motion.load(out / "again.npz").body, Motion.load(out / "kept.npz").body)


def test_a_motion_with_a_rate_that_varies_keeps_its_times(inputs: Path, out: Path) -> None:
    kept = performance(FRAMES, FPS)
    times = np.delete(np.arange(FRAMES + 6), [7, 11, 12, 13, 20, 25]) / np.float32(FPS)
    times[20:] += 0.04
    replace(kept, times_s=times.astype(np.float32)).save(out / "kept.npz")
    result = made(inputs, out, video=None, motion=out / "kept.npz")
    clip = probe(result.path)
    assert [time for time, _ in read_frames(clip)] == pytest.approx(list(times), abs=1e-3)
    assert result.duration_s == pytest.approx(clip.duration_s, abs=0.01)


def test_a_video_that_is_not_the_motion_s_is_refused(inputs: Path, out: Path) -> None:
    performance(40, FPS).save(out / "kept.npz")
    with pytest.raises(RequestError) as caught:
        made(inputs, out, motion=out / "kept.npz")
    assert (caught.value.code, caught.value.limit) == ("motion_video_mismatch", "0.5 s")
    assert names(out) == ["kept.npz"]


def test_sound_is_in_time_where_the_clip_s_head_is_damaged(inputs: Path, out: Path, tracked: Tracked) -> None:
    """Tracking begins at the first frame that can be decoded; the sound and the driving video's times know that."""
    tracked.motion = replace(performance(FRAMES - 8, FPS), start_s=0.8)
    result = made(inputs, out, limits=False, save_motion=out / "kept.npz")
    assert result.driving_start_s == pytest.approx(0.8)
    assert [part.what for part in result.left_out] == ["damaged"]
    assert "before 0.80 s" in result.left_out[0].detail
    assert first_sound_s(result.path) == pytest.approx(BEEP_S[0] - 0.8, abs=0.03)
    again = made(inputs, out, "again.mp4", limits=False, motion=out / "kept.npz")
    assert again.driving_start_s == pytest.approx(0.8)
    assert first_sound_s(again.path) == pytest.approx(BEEP_S[0] - 0.8, abs=0.03)


@pytest.mark.parametrize("fps", [Fraction(24000, 1001), Fraction(30000, 1001), Fraction(24), Fraction(60)])
def test_a_motion_alone_keeps_broadcast_rates(inputs: Path, out: Path, fps: Fraction) -> None:
    performance(round(3.2 * fps), float(fps)).save(out / "kept.npz")
    result = made(inputs, out, video=None, motion=out / "kept.npz")
    assert probe(result.path).fps == fps


def test_what_lies_before_a_cut_is_left_out(inputs: Path, out: Path, tracked: Tracked) -> None:
    frames = [pattern(340, 340)] * 45
    clip = make_clip(out / "cuts.mp4", frames, fps=Fraction(FPS), sound=beep(4.5, (2.2,)))
    tracked.motion = replace(performance(45, FPS), cuts=(12,))
    result = made(inputs, out, video=clip)
    assert result.driving_start_s == pytest.approx(1.2, abs=1e-3)
    assert (result.frames, probe(result.path).frame_count) == (33, 33)
    assert (probe(result.path).start_s, probe(result.path).duration_s) == (0, pytest.approx(3.3, abs=0.02))
    assert [part.what for part in result.left_out] == ["other_shot"]
    assert "0.00 to 1.20 s" in result.left_out[0].detail
    # The sound belongs to the part that is used.
    assert first_sound_s(result.path) == pytest.approx(2.2 - 1.2, abs=0.03)
    samples, rate = heard(result.path)
    assert len(samples) / rate == pytest.approx(3.3, abs=0.06)


def test_untracked_ends_are_left_out(inputs: Path, out: Path, tracked: Tracked) -> None:
    clip = make_clip(out / "long.mp4", [pattern(340, 340)] * 45, fps=Fraction(FPS))
    motion = performance(45, FPS)
    motion.body[:5] = np.nan
    motion.body[40:] = np.nan
    tracked.motion = motion
    result = made(inputs, out, video=clip)
    assert (result.frames, result.driving_start_s) == (35, pytest.approx(0.5))
    assert [part.what for part in result.left_out] == ["untracked", "untracked"]


def test_an_engines_own_words_come_after(
    inputs: Path, out: Path, tracked: Tracked, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Talks(Following):
        def perform(self, *args: Any, **options: Any) -> Performance:
            from understudy.request import LeftOut

            return replace(super().perform(*args, **options), left_out=(LeftOut("prompt", "Not read."),))

    monkeypatch.setitem(ENGINES, "talks", lambda *_: Talks())
    result = made(inputs, out, engine="talks")
    assert [part.what for part in result.left_out] == ["prompt"]


@pytest.mark.parametrize("seconds", [0.0, 1.5])
def test_a_performance_that_is_too_short_is_refused(
    inputs: Path, out: Path, tracked: Tracked, seconds: float
) -> None:
    tracked.motion.body[round(seconds * FPS) :] = np.nan
    with pytest.raises(PerformerError) as caught:
        made(inputs, out)
    error = caught.value
    assert error.code == ("performer_too_short" if seconds else "performer_not_found")
    assert error.limit == "at least 3 s"
    assert error.value == ("1.50 s" if seconds else f"0 of {FRAMES} frames with a performer")
    assert error.fix
    assert names(out) == []


@pytest.mark.parametrize("threads", [1, 2])
def test_of_two_errors_the_pictures_is_told(
    inputs: Path, out: Path, tracked: Tracked, monkeypatch: pytest.MonkeyPatch, threads: int
) -> None:
    class Blind(Following):
        def prepare(self, *args: Any, **options: Any) -> Any:
            time.sleep(0.2)  # the clip's error comes first
            raise CharacterError("character_not_found", "Nobody is in the picture.", fix="Take another.")

    monkeypatch.setitem(ENGINES, "blind", lambda *_, **__: Blind())
    tracked.motion.body[:] = np.nan
    with pytest.raises(CharacterError):
        made(inputs, out, engine="blind", threads=threads)
    assert names(out) == []


def test_without_limits_it_is_taken(inputs: Path, out: Path, tracked: Tracked) -> None:
    tracked.motion.body[15:] = np.nan
    result = made(inputs, out, limits=False)
    assert (result.frames, result.duration_s) == (15, pytest.approx(1.5))


ALL_PICTURES = "JPEG, PNG, WebP, AVIF, BMP, GIF"
WRONG: list[tuple[str, dict[str, Any], str, type[UnderstudyError], str | None]] = [
    ("no picture", {"image": "nowhere.png"}, "picture_unreadable", PictureError, None),
    ("picture is a folder", {"image": "."}, "picture_unreadable", PictureError, None),
    ("picture is a clip", {"image": "clip.mp4"}, "picture_format", PictureError, ALL_PICTURES),
    ("no clip", {"video": "nowhere.mp4"}, "clip_unreadable", InputError, None),
    ("clip is a picture", {"video": "picture.png"}, "clip_format", InputError, "MP4, MOV, MKV, WebM"),
    ("suffix", {"output": "made.avi"}, "output_suffix", RequestError, ".mp4"),
    ("no suffix", {"output": "made"}, "output_suffix", RequestError, ".mp4"),
    ("no folder", {"output": "nowhere/made.mp4"}, "output_folder", RequestError, None),
    ("no folder for the sheet", {"sheet": "nowhere/s.png"}, "output_folder", RequestError, None),
    ("no folder for the motion", {"save_motion": "nowhere/m.npz"}, "output_folder", RequestError, None),
    ("a file as folder", {"output": "clip.mp4/made.mp4"}, "output_folder", RequestError, None),
    ("output is the clip", {"output": "clip.mp4"}, "output_is_input", RequestError, None),
    (
        "output is the clip, told otherwise",
        {"output": "x/../clip.mp4"},
        "output_is_input",
        RequestError,
        None,
    ),
    ("output is a link to the clip", {"output": "link.mp4"}, "output_is_input", RequestError, None),
    ("output is a folder", {"output": "folder.mp4"}, "output_unwritable", RequestError, None),
    ("sheet is a folder", {"sheet": "x"}, "output_unwritable", RequestError, None),
    ("motion is a folder", {"save_motion": "x"}, "output_unwritable", RequestError, None),
    ("motion is a device", {"save_motion": "/dev/full"}, "output_unwritable", RequestError, None),
    ("sheet where no file can be", {"sheet": "/proc/x.png"}, "output_unwritable", RequestError, None),
    ("engine", {"engine": "magic"}, "engine_unknown", RequestError, "fake, fake-slow, puppet, wan-animate"),
    ("orientation", {"orientation": "sideways"}, "orientation_unknown", RequestError, "image, video"),
    ("mode", {"mode": "4k"}, "mode_unknown", RequestError, "std, pro"),
    ("neither video nor motion", {"video": None}, "motion_missing", RequestError, None),
    ("no motion file", {"motion": "nowhere.npz"}, "motion_unreadable", RequestError, None),
    ("motion file is garbage", {"motion": "garbage.npz"}, "motion_unreadable", RequestError, None),
    ("motion file is a picture", {"motion": "picture.png"}, "motion_unreadable", RequestError, None),
    ("motion file is empty", {"motion": "empty.npz"}, "motion_unreadable", RequestError, None),
]


@pytest.mark.parametrize(
    ("options", "code", "kind", "limit"), [row[1:] for row in WRONG], ids=[row[0] for row in WRONG]
)
def test_wrong_input_is_told(
    inputs: Path,
    tmp_path: Path,
    options: dict[str, Any],
    code: str,
    kind: type[UnderstudyError],
    limit: str | None,
) -> None:
    folder = tmp_path / "wrong"
    folder.mkdir()
    for name in ("picture.png", "clip.mp4"):
        os.link(inputs / name, folder / name)
    (folder / "x").mkdir()
    (folder / "folder.mp4").mkdir()
    (folder / "link.mp4").symlink_to(folder / "clip.mp4")
    (folder / "garbage.npz").write_bytes(bytes(range(256)))
    (folder / "empty.npz").write_bytes(b"")
    before = names(folder)
    asked: dict[str, Any] = {"image": "picture.png", "video": "clip.mp4", "output": "made.mp4", **options}
    paths = ("image", "video", "output", "sheet", "motion", "save_motion")
    placed = {k: folder / v if k in paths and v is not None else v for k, v in asked.items()}
    bytes_before = (folder / "clip.mp4").read_bytes()
    with pytest.raises(kind) as caught:
        animate(placed.pop("image"), **{"engine": "fake", **placed})
    error = caught.value
    assert error.code == code
    assert error.limit == limit
    assert error.fix.endswith(".")
    assert error.message.endswith(".")
    assert str(error) == f"{error.message} {error.fix} [{code}]"
    for name in ("engine", "orientation", "mode"):
        if name in options:
            assert error.value == options[name]
    assert names(folder) == before
    assert (folder / "clip.mp4").read_bytes() == bytes_before


@pytest.mark.parametrize("option", ["sheet", "save_motion"])
def test_other_outputs_do_not_replace_an_input_either(inputs: Path, out: Path, option: str) -> None:
    picture = out / "picture.png"
    picture.write_bytes((inputs / "picture.png").read_bytes())
    with pytest.raises(RequestError):
        animate(picture, inputs / "clip.mp4", output=out / "made.mp4", engine="fake", **{option: picture})


def test_the_marked_file_does_not_replace_an_input_either(inputs: Path, out: Path) -> None:
    clip = out / "made-watermarked.mp4"
    clip.write_bytes((inputs / "clip.mp4").read_bytes())
    with pytest.raises(RequestError):
        made(inputs, out, video=clip, watermark=True)


class Breaks(Following):
    """Fails after a few frames."""

    def __init__(self, error: BaseException, after: int = 5) -> None:
        super().__init__()
        self._error, self._after = error, after

    def perform(self, *args: Any, **options: Any) -> Performance:
        whole = super().perform(*args, **options)
        return replace(whole, frames=self._until(whole.frames))

    def _until(self, frames: Iterator[NDArray[np.uint8]]) -> Iterator[NDArray[np.uint8]]:
        for index, frame in enumerate(frames):
            if index == self._after:
                raise self._error
            yield frame


@pytest.mark.parametrize(
    "error", [EngineError("engine_broke", "It broke.", fix="Wait."), KeyboardInterrupt()]
)
@pytest.mark.parametrize("after", [0, 5])
def test_a_failure_in_the_middle_leaves_nothing(
    inputs: Path, out: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException, after: int
) -> None:
    monkeypatch.setitem(ENGINES, "breaks", lambda *_: Breaks(error, after))
    with pytest.raises(type(error)):
        made(inputs, out, engine="breaks", watermark=True, provenance=True)
    assert names(out) == []


def test_a_failure_leaves_an_older_result_alone(
    inputs: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = made(inputs, out).path
    before = path.read_bytes()
    monkeypatch.setitem(ENGINES, "breaks", lambda *_: Breaks(EngineError("x", "X.", fix="Y.")))
    with pytest.raises(EngineError):
        made(inputs, out, engine="breaks")
    assert path.read_bytes() == before
    assert names(out) == ["made.mp4"]


def test_a_signature_that_fails_leaves_nothing(
    inputs: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(provenance.CERTIFICATE_VARIABLE, str(out / "nowhere.pem"))
    monkeypatch.setenv(provenance.KEY_VARIABLE, str(out / "nowhere.key"))
    with pytest.raises(EngineError) as caught:
        made(inputs, out, provenance=True, watermark=True)
    assert caught.value.code == "provenance_failed"
    assert names(out) == []


def test_hostile_names_are_only_names(inputs: Path, out: Path) -> None:
    for name in (
        "-dash.mp4",
        "two words.mp4",
        "line\nbreak.mp4",
        "[bold]x.mp4",
        "%d.mp4",
        "ü🙂.MP4",
        "a:b.mp4",
    ):
        result = made(inputs, out, name, watermark=True)
        assert probe(result.path).frame_count == FRAMES
        assert result.watermark_path is not None
        assert result.watermark_path.is_file()
    assert len(names(out)) == 14


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"engine": "puppet", "scene": "video"}, "scene_unknown"),
        ({"scene": "video"}, "scene_unknown"),
        ({"scene": "sky"}, "scene_unknown"),
        ({"engine": "wan-animate", "video": None}, "video_missing"),
        ({"engine": "wan-animate", "video": None, "motion": "dance.npz"}, "video_missing"),
        ({"seed": -1}, "seed_range"),
        ({"seed": 2**31}, "seed_range"),
    ],
)
def test_what_an_engine_cannot_do_is_told_before_any_work(
    inputs: Path, out: Path, tracked: Tracked, options: dict[str, Any], code: str
) -> None:
    with pytest.raises(RequestError) as caught:
        made(inputs, out, **options)
    assert caught.value.code == code
    assert caught.value.fix
    assert (tracked.calls, names(out)) == (0, [])


def test_the_engine_that_can_make_a_scene_is_named(inputs: Path, out: Path) -> None:
    with pytest.raises(RequestError) as caught:
        made(inputs, out, scene=Scene.VIDEO)
    assert "wan-animate" in caught.value.fix
    assert caught.value.limit == "image"


def test_an_engine_that_cannot_work_here_is_told_before_the_clip_is_tracked(
    inputs: Path, out: Path, tracked: Tracked, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(availability, "package_versions", lambda: {"torch": None})
    with pytest.raises(EngineError) as caught:
        made(inputs, out, engine="wan-animate", scene="video")
    assert caught.value.code == "engine_unavailable"
    assert tracked.calls == 0


class Seeing(Following):
    """Is asked for what only an engine of another kind can do."""

    def __init__(self) -> None:
        super().__init__()
        self.capabilities = WAN_ANIMATE
        self.asked: list[MotionRequest] = []

    def perform(self, ready: Any, motion: Motion, request: MotionRequest, *rest: Any) -> Any:
        self.asked.append(request)
        return super().perform(ready, motion, request, *rest)


def test_an_engine_is_handed_scene_and_seed_and_the_seed_is_told(
    inputs: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = Seeing()
    monkeypatch.setitem(ENGINES, "wan-animate", lambda *_: engine)
    result = made(inputs, out, engine="wan-animate", scene="video", seed=7)
    assert [(each.scene, each.seed) for each in engine.asked] == [(Scene.VIDEO, 7)]
    assert (result.seed, result.engine) == (7, "wan-animate")
    assert made(inputs, out, engine="wan-animate").seed == 0
    plain = made(inputs, out, seed=7)  # the fake makes one video of its inputs
    assert plain.seed is None
    assert [each.what for each in plain.left_out] == ["seed"]
    assert made(inputs, out).left_out == ()
