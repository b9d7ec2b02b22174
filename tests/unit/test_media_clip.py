"""Clips: turns, mirrors, pixels that are not square, odd rates, damage, files that pretend."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from made_clips import beep, make_clip, pattern
from numpy.typing import NDArray

from understudy.errors import ClipError
from understudy.media import clip as clip_module
from understudy.media.clip import Clip, frame_size, probe, read_frames
from understudy.media.limits import API_CLIPS, check_clip
from understudy.request import Orientation

QUARTERS = {90: 1, 180: 2, 270: 3}


def refused(path: Path) -> str:
    with pytest.raises(ClipError) as caught:
        probe(path)
    assert caught.value.fix
    return caught.value.code


def off(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> float:
    assert a.shape == b.shape
    return float(np.abs(a.astype(int) - b).mean())


@pytest.mark.parametrize("clockwise", [0, 90, 180, 270])
@pytest.mark.parametrize("mirror", [False, True])
def test_turned_clips_come_upright(tmp_path: Path, clockwise: int, mirror: bool) -> None:
    upright = pattern(360, 480)
    stored = np.ascontiguousarray(
        np.rot90(upright, QUARTERS.get(clockwise, 0))
    )  # as a camera held so stores it
    path = make_clip(tmp_path / "turned.mp4", [stored] * 3, turn_deg=-clockwise, mirror=mirror)
    clip = probe(path)
    frame = next(iter(read_frames(clip, threads=1)))[1]
    assert (clip.width, clip.height) == (frame.shape[1], frame.shape[0])
    assert clip.mirrored == mirror
    assert off(frame, _by_matrix(stored, _matrix(path))) < 6
    if not mirror:
        assert (clip.width, clip.height, clip.rotation) == (360, 480, clockwise)
        assert off(frame, upright) < 6


def _matrix(path: Path) -> tuple[int, int, int, int]:
    """The four turning numbers of the track's matrix, straight from the file's bytes (ISO 14496-12, tkhd)."""
    data = path.read_bytes()
    start = data.index(b"tkhd") + 4 + 4 + 4 * 5 + 8 + 8
    words = [int.from_bytes(data[start + 4 * i : start + 4 * i + 4], "big", signed=True) for i in range(9)]
    return words[0] >> 16, words[1] >> 16, words[3] >> 16, words[4] >> 16


def _by_matrix(stored: NDArray[np.uint8], matrix: tuple[int, int, int, int]) -> NDArray[np.uint8]:
    """Point by point: p' = a x + c y, q' = b x + d y, then moved so that all lies in the first quadrant."""
    a, b, c, d = matrix
    height, width = stored.shape[:2]
    y, x = np.mgrid[:height, :width]
    p, q = a * x + c * y, b * x + d * y
    p, q = p - p.min(), q - q.min()
    shown = np.zeros((q.max() + 1, p.max() + 1, 3), np.uint8)
    shown[q, p] = stored
    return shown


def test_pixels_that_are_not_square(tmp_path: Path) -> None:
    wide = probe(make_clip(tmp_path / "w.mp4", [pattern(360, 480)] * 2, aspect=Fraction(4, 3)))
    assert (wide.width, wide.height) == (480, 480)
    tall = probe(make_clip(tmp_path / "t.mp4", [pattern(360, 480)] * 2, aspect=Fraction(3, 4)))
    assert (tall.width, tall.height) == (360, 640)
    assert next(iter(read_frames(tall)))[1].shape == (640, 360, 3)


def test_odd_sides(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "odd.mp4", [pattern(361, 479)] * 2, pix_fmt="yuv444p")
    clip = probe(path)
    frame = next(iter(read_frames(clip)))[1]
    assert frame.shape == (479, 361, 3)
    assert off(frame, pattern(361, 479)) < 4


@pytest.mark.parametrize("short", [100, 101, 360, 900])
def test_downscaling(tmp_path: Path, short: int) -> None:
    clip = probe(
        make_clip(tmp_path / "c.mp4", [np.ascontiguousarray(np.rot90(pattern(360, 640)))] * 2, turn_deg=-90)
    )
    width, height = frame_size(clip, short)
    frame = next(iter(read_frames(clip, short_side_max=short)))[1]
    assert frame.shape == (height, width, 3)
    assert min(width, height) == min(short, 360)
    assert np.abs(frame[height // 4, width // 4].astype(int) - (200, 30, 30)).max() < 12


@pytest.mark.parametrize("colorspace", [1, 5])
@pytest.mark.parametrize("full_range", [False, True])
def test_colours(tmp_path: Path, colorspace: int, full_range: bool) -> None:
    path = make_clip(
        tmp_path / "c.mp4", [pattern(360, 480)] * 2, colorspace=colorspace, full_range=full_range
    )
    frame = next(iter(read_frames(probe(path))))[1]
    assert np.abs(frame[100, 100].astype(int) - (200, 30, 30)).max() <= 4
    assert np.abs(frame[-100, -100].astype(int) - 90).max() <= 3


def test_untagged_colours_follow_the_size(tmp_path: Path) -> None:
    small = make_clip(tmp_path / "s.mp4", [pattern(360, 480)] * 2, colorspace=None)
    assert np.abs(next(iter(read_frames(probe(small))))[1][100, 100].astype(int) - (200, 30, 30)).max() <= 4


@pytest.mark.parametrize(
    "fps", [Fraction(30000, 1001), Fraction(24000, 1001), Fraction(25), Fraction(15), Fraction(7)]
)
def test_constant_rates_are_exact(tmp_path: Path, fps: Fraction) -> None:
    clip = probe(make_clip(tmp_path / "c.mp4", [pattern(64, 64)] * 20, fps=fps))
    assert clip.fps == fps
    assert not clip.variable_rate
    assert clip.frame_count == 20
    assert clip.duration_s == pytest.approx(20 / fps, abs=1e-3)


@pytest.mark.parametrize("fps", [Fraction(30000, 1001), Fraction(30), Fraction(60)])
def test_rates_are_told_from_stamps_in_milliseconds(tmp_path: Path, fps: Fraction) -> None:
    ticks = [round(i * 1000 / fps) for i in range(120)]
    path = make_clip(
        tmp_path / "c.mp4", [pattern(64, 64)] * 120, fps=fps, ticks=ticks, base=Fraction(1, 1000)
    )
    clip = probe(path)
    assert clip.fps == fps
    assert not clip.variable_rate


def test_variable_rate_keeps_each_stamp(tmp_path: Path) -> None:
    ticks = [0, 3000, 6000, 15000, 18000, 30000, 31500, 40000]
    path = make_clip(tmp_path / "v.mp4", [pattern(64, 64)] * 8, ticks=ticks, base=Fraction(1, 90000))
    clip = probe(path)
    assert clip.variable_rate
    assert [t for t, _ in read_frames(clip)] == pytest.approx([t / 90000 for t in ticks], abs=1e-6)


def test_a_stretch(tmp_path: Path) -> None:
    frames = [np.full((64, 64, 3), 10 * i, np.uint8) for i in range(24)]
    clip = probe(make_clip(tmp_path / "c.mp4", frames, fps=Fraction(24)))
    some = list(read_frames(clip, start_s=0.5, stop_s=0.75))
    assert [t for t, _ in some] == pytest.approx([12 / 24, 13 / 24, 14 / 24, 15 / 24, 16 / 24, 17 / 24])
    assert abs(int(some[0][1].mean()) - 120) < 4
    assert len(list(read_frames(clip))) == 24


def test_every_frame_is_an_array_of_its_own(tmp_path: Path) -> None:
    clip = probe(make_clip(tmp_path / "c.mp4", [np.full((64, 64, 3), 10 * i, np.uint8) for i in range(20)]))
    held = [frame for _, frame in read_frames(clip)]
    assert [abs(int(frame.mean()) - 10 * i) < 4 for i, frame in enumerate(held)] == [True] * 20
    assert held[0].flags.writeable


def test_frames_without_a_time_of_their_own_follow_each_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = probe(make_clip(tmp_path / "c.mp4", [pattern(64, 64)] * 6))
    decoded = clip_module._decoded

    def timeless(*arguments: Any) -> Iterator[av.VideoFrame]:
        for frame in decoded(*arguments):
            frame.pts = None
            yield frame

    monkeypatch.setattr(clip_module, "_decoded", timeless)
    assert [t for t, _ in read_frames(clip)] == pytest.approx([i / 30 for i in range(6)])
    assert [t for t, _ in read_frames(clip, start_s=0.1)] == pytest.approx([i / 30 for i in range(3, 6)])


def test_nothing_that_comes_is_an_error(tmp_path: Path) -> None:
    """All frames turn out to lie before the first, as the packets told it."""
    clip = probe(make_clip(tmp_path / "c.mp4", [pattern(64, 64)] * 3))
    with pytest.raises(ClipError) as caught:
        list(read_frames(replace(clip, start_s=0.5)))
    assert caught.value.code == "clip_damaged"


def test_more_frames_than_fit_are_refused_rather_than_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("understudy.media.clock.MOST_FRAMES", 5)
    assert probe(make_clip(tmp_path / "fits.mp4", [pattern(64, 64)] * 5)).frame_count == 5
    path = make_clip(tmp_path / "over.mp4", [pattern(64, 64)] * 6)
    with pytest.raises(ClipError, match="more than 5 frames") as caught:
        probe(path)
    assert (caught.value.code, caught.value.value) == ("clip_too_long", "over 5 frames")
    assert caught.value.limit
    assert caught.value.fix


def test_sound_is_seen(tmp_path: Path) -> None:
    frames = [pattern(64, 64)] * 30
    assert probe(make_clip(tmp_path / "a.mp4", frames)).has_audio is False
    clip = probe(make_clip(tmp_path / "b.mp4", frames, sound=beep(1, [0.5])))
    assert clip.audio_codec == "aac"


def test_a_mov_file_and_another_codec(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "c.mov", [pattern(360, 480)] * 5, codec="mpeg4")
    assert probe(path).codec == "mpeg4"
    assert off(next(iter(read_frames(probe(path))))[1], pattern(360, 480)) < 10


@pytest.mark.parametrize(
    "content",
    [
        b"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n/etc/passwd\n#EXT-X-ENDLIST\n",
        b"ffconcat version 1.0\nfile /etc/passwd\n",
        b"v=0\no=- 0 0 IN IP4 127.0.0.1\nm=video 5000 RTP/AVP 96\n",
        b"<?xml version='1.0'?><MPD></MPD>",
        b"",
        b"GIF89a" + bytes(100),
        b"RIFF\x00\x00\x00\x00AVI " + bytes(100),
    ],
)
def test_playlists_and_other_containers_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "dance.mp4"
    path.write_bytes(content)
    assert refused(path) == "clip_format"


def test_matroska_without_anything_in_it(tmp_path: Path) -> None:
    path = tmp_path / "dance.mp4"
    path.write_bytes(b"\x1aE\xdf\xa3" + bytes(100))
    assert refused(path) == "clip_damaged"


def test_the_service_takes_mp4_and_mov_alone(tmp_path: Path) -> None:
    path = tmp_path / "dance.mkv"
    path.write_bytes(b"\x1aE\xdf\xa3" + bytes(100))
    with pytest.raises(ClipError, match="not an MP4 or MOV file") as caught:
        probe(path, containers=API_CLIPS)
    assert (caught.value.code, caught.value.limit) == ("clip_format", "MP4, MOV")


def test_a_playlist_behind_a_false_box(tmp_path: Path) -> None:
    path = tmp_path / "dance.mp4"
    path.write_bytes(b"\0\0\0\x10ftypisom\0\0\0\0" + b"#EXTM3U\n#EXTINF:10,\n/etc/passwd\n#EXT-X-ENDLIST\n")
    assert refused(path) == "clip_damaged"


def test_names_that_look_like_addresses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    make_clip(tmp_path / "concat:a.mp4", [pattern(64, 64)] * 3)
    assert probe("concat:a.mp4").frame_count == 3
    assert refused(Path("http://127.0.0.1/dance.mp4")) == "clip_unreadable"


def test_missing_and_folder(tmp_path: Path) -> None:
    assert refused(tmp_path / "no.mp4") == "clip_unreadable"
    assert refused(tmp_path) == "clip_unreadable"


def test_sound_alone_is_no_video(tmp_path: Path) -> None:
    path = tmp_path / "song.mp4"
    with av.open(str(path), "w", format="mp4") as output:
        stream = output.add_stream("aac", rate=44100, layout="stereo")
        frame = av.AudioFrame.from_ndarray(beep(1, [0.2]), "fltp", "stereo")
        frame.sample_rate, frame.pts = 44100, 0
        output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    assert refused(path) == "clip_no_video"


def test_a_cut_file_gives_what_it_has_or_a_clear_error(tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    noise = [random.integers(0, 255, (64, 64, 3), np.uint8) for _ in range(30)]
    path = make_clip(tmp_path / "c.mp4", noise, options={"movflags": "+faststart"})
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    clip = probe(path)
    times = [t for t, _ in read_frames(clip)]
    assert 5 < len(times) < 30
    path.write_bytes(data[:200])
    assert refused(path) == "clip_damaged"


def test_damaged_frames_are_left_out_and_the_time_is_kept(tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    noise = [random.integers(0, 255, (64, 64, 3), np.uint8) for _ in range(30)]
    path = make_clip(tmp_path / "c.mp4", noise)
    with av.open(str(path)) as source:
        packets = [(p.pos, p.size) for p in source.demux(video=0) if p.size]
    data = bytearray(path.read_bytes())
    for position, size in packets[10:13]:
        data[position : position + size] = bytes(size)
    path.write_bytes(data)
    times = [t for t, _ in read_frames(probe(path), threads=1)]
    assert 20 < len(times) < 30
    assert times == sorted(set(times))
    assert times[-1] == pytest.approx(29 / 30)


def test_damaged_bytes_never_escape_as_other_errors(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "c.mp4", [pattern(64, 64)] * 10, sound=beep(0.4, [0.1]))
    whole = path.read_bytes()
    random = np.random.default_rng(2)
    for _ in range(80):
        data = bytearray(whole)
        for place in random.integers(0, len(data), 8):
            data[place] = random.integers(256)
        path.write_bytes(data)
        try:
            for _ in read_frames(probe(path), threads=1):
                pass
        except ClipError:
            pass


def clip_of(**changes: object) -> Clip:
    facts = {
        "path": Path("x.mp4"),
        "width": 720,
        "height": 1280,
        "rotation": 0,
        "mirrored": False,
        "fps": Fraction(30),
        "variable_rate": False,
        "duration_s": 5.0,
        "frame_count": 150,
        "codec": "h264",
        "audio_codec": None,
        "start_s": 0.0,
        "size_bytes": 10_000,
    }
    return Clip(**{**facts, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "orientation", "code"),
    [
        ({}, Orientation.IMAGE, None),
        ({"duration_s": 10.088}, Orientation.IMAGE, None),
        ({"duration_s": 10.2}, Orientation.IMAGE, "clip_too_long"),
        ({"duration_s": 10.2}, Orientation.VIDEO, None),
        ({"duration_s": 30.05}, Orientation.VIDEO, None),
        ({"duration_s": 30.2}, Orientation.VIDEO, "clip_too_long"),
        ({"duration_s": 2.95}, Orientation.VIDEO, None),
        ({"duration_s": 2.8}, Orientation.VIDEO, "clip_too_short"),
        ({"duration_s": 2.8}, Orientation.IMAGE, "clip_too_short"),
        ({"width": 339}, Orientation.VIDEO, "clip_too_small"),
        ({"width": 340}, Orientation.VIDEO, None),
        ({"height": 3850}, Orientation.VIDEO, None),
        ({"height": 3851}, Orientation.VIDEO, "clip_too_large"),
        ({"size_bytes": 100 * 2**20}, Orientation.VIDEO, None),
        ({"size_bytes": 100 * 2**20 + 1}, Orientation.VIDEO, "clip_file_size"),
    ],
)
def test_limits(changes: dict[str, object], orientation: Orientation, code: str | None) -> None:
    clip = clip_of(**changes)
    check_clip(clip, orientation, limits=False)
    if code is None:
        check_clip(clip, orientation)
        return
    with pytest.raises(ClipError) as caught:
        check_clip(clip, orientation)
    error = caught.value
    assert error.code == code
    assert error.value
    assert error.limit
    assert error.fix
