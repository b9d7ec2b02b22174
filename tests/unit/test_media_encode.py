"""The writer: exact times, sound in time, true colours, and a file that is whole or absent."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from made_clips import beep, first_sound_s, heard, make_clip, pattern

from understudy.errors import ClipError, EngineError, RequestError
from understudy.media.clip import probe, read_frames
from understudy.media.encode import VideoWriter
from understudy.media.watermark import Watermark

FPS = Fraction(30)


def flashing(path: Path, seconds: float = 4.0, at_s: float = 2.0, **options: object) -> Path:
    """A clip that flashes white and beeps at the same time."""
    count = round(seconds * 30)
    frames = [pattern(128, 96, flash=i == round(at_s * 30)) for i in range(count)]
    rate = int(str(options.get("sound_rate", 44100)))
    channels = int(str(options.pop("channels", 2)))
    return make_clip(path, frames, sound=beep(seconds, [at_s], rate, channels), **options)  # type: ignore[arg-type]


def flash_s(path: Path) -> float:
    return next(t for t, frame in read_frames(probe(path)) if frame.mean() > 220)


def lengths_s(path: Path) -> tuple[float, float]:
    with av.open(str(path)) as source:
        video, audio = source.streams.video[0], source.streams.audio[0]
        assert video.duration and video.time_base and audio.duration and audio.time_base  # noqa: PT018
        return float(video.duration * video.time_base), float(audio.duration * audio.time_base)


def rewritten(source: Path, target: Path, start_s: float = 0.0, stop_s: float | None = None) -> Path:
    clip = probe(source)
    with VideoWriter(
        target, 128, 96, clip.fps, sound_from=clip, sound_start_s=start_s, sound_stop_s=stop_s, threads=1
    ) as writer:
        for time_s, frame in read_frames(clip, start_s=start_s, stop_s=stop_s):
            writer.write(frame, time_s - start_s)
    return target


@pytest.mark.parametrize(
    "fps", [Fraction(30000, 1001), Fraction(24000, 1001), Fraction(25), Fraction(12), Fraction(60)]
)
def test_times_are_exact(tmp_path: Path, fps: Fraction) -> None:
    path = tmp_path / "o.mp4"
    with VideoWriter(path, 64, 48, fps, threads=1) as writer:
        for index in range(25):
            writer.write(pattern(64, 48), float(index / fps))
        assert writer.frames == 25
        assert writer.duration_s == pytest.approx(25 / fps)
    with av.open(str(path)) as made:
        stream = made.streams.video[0]
        assert stream.average_rate == fps
        base = stream.time_base
        assert base is not None
        assert [f.pts * base for f in made.decode(stream) if f.pts is not None] == [
            i / fps for i in range(25)
        ]
        assert stream.duration is not None
        assert stream.duration * base == 25 / fps


def test_times_may_be_left_out(tmp_path: Path) -> None:
    path = tmp_path / "o.mp4"
    with VideoWriter(path, 64, 48, FPS) as writer:
        for _ in range(10):
            writer.write(pattern(64, 48))
    clip = probe(path)
    assert (clip.frame_count, clip.fps, clip.duration_s) == (10, FPS, pytest.approx(1 / 3))


def test_variable_rate_keeps_each_time(tmp_path: Path) -> None:
    times = [0.0, 0.033, 0.1, 0.35, 0.36, 0.5, 0.9]
    path = tmp_path / "o.mp4"
    with VideoWriter(path, 64, 48, Fraction(10), variable_rate=True) as writer:
        for time_s in times:
            writer.write(pattern(64, 48), time_s)
    assert [t for t, _ in read_frames(probe(path))] == pytest.approx(times, abs=2e-5)
    assert probe(path).duration_s == pytest.approx(1.0, abs=1e-3)


def test_a_hole_stays_a_hole(tmp_path: Path) -> None:
    path = tmp_path / "o.mp4"
    with VideoWriter(path, 64, 48, FPS) as writer:
        for index in (0, 1, 2, 6, 7):
            writer.write(pattern(64, 48), index / 30)
    assert [t for t, _ in read_frames(probe(path))] == pytest.approx([i / 30 for i in (0, 1, 2, 6, 7)])


def test_the_file_is_what_players_want(tmp_path: Path) -> None:
    path = tmp_path / "o.mp4"
    with VideoWriter(path, 64, 48, FPS) as writer:
        for _ in range(5):
            writer.write(pattern(64, 48))
    data = path.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")
    with av.open(str(path)) as made:
        stream = made.streams.video[0]
        frame = next(made.decode(stream))
        assert stream.codec_context.name == "h264"
        assert frame.format.name == "yuv420p"
        assert (frame.colorspace, frame.color_range, frame.color_primaries, frame.color_trc) == (1, 1, 1, 1)


def test_colours_come_back(tmp_path: Path) -> None:
    path = tmp_path / "o.mp4"
    smooth = np.zeros((480, 360, 3), np.uint8)
    smooth[..., 0] = np.linspace(0, 255, 360)[None]
    smooth[..., 1] = np.linspace(255, 0, 480)[:, None]
    smooth[..., 2] = 90
    with VideoWriter(path, 360, 480, FPS) as writer:
        for _ in range(10):
            writer.write(smooth)
    shown = [frame for _, frame in read_frames(probe(path))][-1]
    assert np.abs(shown.astype(int) - smooth).mean() < 2.5


def test_the_array_may_be_used_again(tmp_path: Path) -> None:
    path = tmp_path / "o.mp4"
    buffer = np.zeros((48, 64, 3), np.uint8)
    with VideoWriter(path, 64, 48, FPS) as writer:
        for index in range(20):
            buffer[:] = 10 * index
            writer.write(buffer)
        writer.write(np.zeros((96, 128, 3), np.uint8)[::2, ::2])
    levels = [frame.mean() for _, frame in read_frames(probe(path))]
    assert levels[:20] == pytest.approx([10 * i for i in range(20)], abs=3)


SOUNDS = [
    pytest.param({}, id="aac copied"),
    pytest.param({"channels": 1, "sound_rate": 16000}, id="mono"),
    pytest.param({"sound_codec": "pcm_s16le", "suffix": ".mov"}, id="pcm encoded"),
    pytest.param(
        {"sound_codec": "pcm_s16le", "sound_rate": 22050, "channels": 1, "suffix": ".mov"}, id="pcm mono"
    ),
    pytest.param(
        {"sound_codec": "pcm_s16le", "sound_rate": 50000, "suffix": ".mov"}, id="rate that AAC lacks"
    ),
]


@pytest.mark.parametrize("options", SOUNDS)
@pytest.mark.parametrize(("start_s", "stop_s"), [(0.0, None), (0.5, 3.5), (1.0 / 3, 2.6)])
def test_sound_is_in_time(
    tmp_path: Path, options: dict[str, object], start_s: float, stop_s: float | None
) -> None:
    options = dict(options)
    source = flashing(tmp_path / f"in{options.pop('suffix', '.mp4')}", **options)
    before = first_sound_s(source) - flash_s(source)
    assert abs(before) < 0.02
    made = rewritten(source, tmp_path / "out.mp4", start_s, stop_s)
    assert flash_s(made) == pytest.approx(2 - start_s, abs=0.02)
    assert first_sound_s(made) == pytest.approx(2 - start_s, abs=0.015)
    video, audio = lengths_s(made)
    assert video == pytest.approx((stop_s or 4) - start_s, abs=0.034)
    assert audio == pytest.approx(video, abs=0.03)
    samples, rate = heard(made)
    assert np.abs(samples[: round((2 - start_s - 0.1) * rate)]).max() < 0.05
    assert 0.5 < np.abs(samples).max() < 1.25


def test_aac_is_copied_not_encoded_again(tmp_path: Path) -> None:
    source = flashing(tmp_path / "in.mp4")
    made = rewritten(source, tmp_path / "out.mp4")

    def packets(path: Path) -> list[bytes]:
        with av.open(str(path)) as file:
            return [bytes(p) for p in file.demux(audio=0) if p.size]

    assert set(packets(made)) <= set(packets(source))
    assert len(packets(made)) > 100


def test_sound_shorter_or_longer_than_the_picture(tmp_path: Path) -> None:
    frames = [pattern(128, 96)] * 60
    longer = make_clip(tmp_path / "l.mp4", frames, sound=beep(5, [1.0]))
    video, audio = lengths_s(rewritten(longer, tmp_path / "lo.mp4"))
    assert video == pytest.approx(2)
    assert audio == pytest.approx(2, abs=0.03)
    shorter = make_clip(tmp_path / "s.mp4", frames, sound=beep(0.7, [0.3]))
    made = rewritten(shorter, tmp_path / "so.mp4")
    assert first_sound_s(made) == pytest.approx(0.3, abs=0.015)
    assert lengths_s(made)[0] == pytest.approx(2)


def test_without_sound(tmp_path: Path) -> None:
    silent = probe(make_clip(tmp_path / "in.mp4", [pattern(64, 48)] * 5))
    path = tmp_path / "o.mp4"
    with VideoWriter(path, 64, 48, FPS, sound_from=silent) as writer:
        assert writer.has_sound is False
        writer.write(pattern(64, 48))
    assert not probe(path).has_audio


def test_nothing_is_left_after_an_exception(tmp_path: Path) -> None:
    source = probe(flashing(tmp_path / "in.mp4", seconds=1, at_s=0.5))
    target = tmp_path / "out" / "o.mp4"
    target.parent.mkdir()
    target.write_bytes(b"what was there before")

    def draw(count: int) -> None:
        with VideoWriter(target, 64, 48, FPS, sound_from=source) as writer:
            for _ in range(count):
                writer.write(pattern(64, 48))
            raise KeyboardInterrupt

    for count in (0, 1, 50):
        with pytest.raises(KeyboardInterrupt):
            draw(count)
        assert [p.name for p in target.parent.iterdir()] == ["o.mp4"]
        assert target.read_bytes() == b"what was there before"


def test_nothing_is_left_when_finishing_fails(tmp_path: Path) -> None:
    def fail(path: Path) -> None:
        assert path.stat().st_size > 500
        assert not (tmp_path / "o.mp4").exists()
        raise EngineError("provenance_failed", "No.", fix="None.")

    def draw() -> None:
        with VideoWriter(tmp_path / "o.mp4", 64, 48, FPS, finish=fail) as writer:
            writer.write(pattern(64, 48))

    with pytest.raises(EngineError):
        draw()
    assert list(tmp_path.iterdir()) == []


def test_no_frames_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="no frames"), VideoWriter(tmp_path / "o.mp4", 64, 48, FPS):
        pass
    assert list(tmp_path.iterdir()) == []


def test_places_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="cannot be written"):
        VideoWriter(tmp_path / "missing" / "o.mp4", 64, 48, FPS)
    folder = tmp_path / "o.mp4"
    folder.mkdir()

    def draw() -> None:
        with VideoWriter(folder, 64, 48, FPS) as writer:
            writer.write(pattern(64, 48))

    with pytest.raises(RequestError, match="cannot be written"):
        draw()
    assert list(tmp_path.iterdir()) == [folder]


def test_a_sound_source_that_is_gone(tmp_path: Path) -> None:
    clip = probe(flashing(tmp_path / "in.mp4", seconds=1, at_s=0.5))
    clip.path.unlink()
    with pytest.raises(ClipError):
        VideoWriter(tmp_path / "o.mp4", 64, 48, FPS, sound_from=clip)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("shape", [(48, 63, 3), (48, 64), (48, 64, 4)])
def test_frames_of_another_shape(tmp_path: Path, shape: tuple[int, ...]) -> None:
    def draw() -> None:
        with VideoWriter(tmp_path / "o.mp4", 64, 48, FPS) as writer:
            writer.write(np.zeros(shape, np.uint8))

    with pytest.raises(ValueError, match="frame of"):
        draw()


def test_odd_sides_are_a_mistake_of_the_caller(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="even"):
        VideoWriter(tmp_path / "o.mp4", 63, 48, FPS)


@pytest.mark.parametrize("level", [0, 128, 255])
@pytest.mark.parametrize(("width", "height"), [(720, 1280), (1280, 720), (204, 4096), (4096, 40)])
def test_the_mark_is_visible_and_leaves_the_frame_clean(width: int, height: int, level: int) -> None:
    frame = np.full((height, width, 3), level, np.uint8)
    marked = Watermark(width, height).mark(frame)
    assert (frame == level).all()
    changed = np.abs(marked.astype(int) - level).max(axis=2) > 60
    assert changed.any()
    if height > 100:
        rows, columns = np.nonzero(changed)
        assert rows.min() > height * 0.9
        assert changed.sum() > 0.0005 * min(width, height) ** 2
        assert columns.max() < width - 2
