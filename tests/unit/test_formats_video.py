"""Every driving video a user may have: opened, in its colours, upright, each frame in its place, and so in the output.

Each row is one kind of file, made here. Through the project's own road: probe, read_frames, and animate with an engine
that shows the reference image. ``docs/formats.md`` is this table for readers.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.stream import Disposition
from mp4_boxes import Box, changed, tracks, with_edits, without_edits
from numbered_clips import CHART, converted, make_numbered, number_of, numbered, patches
from numpy.typing import NDArray
from performed_clips import FRAMES, Row, holds, made_file, performed, table, track_nothing

from understudy import ClipError
from understudy.media.clip import probe, read_frames
from understudy.media.limits import check_clip
from understudy.request import Orientation

FRAME = Fraction(1, 24)
REORDERED = {"bf": "3", "preset": "medium", "g": "12"}


@pytest.fixture(autouse=True)
def tracked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    return track_nothing(monkeypatch)


def kind(name: str, codec: str, pix_fmt: str = "yuv420p", suffix: str = ".mp4", **more: Any) -> Row:
    row = {key: more.pop(key) for key in ("size", "colour", "codec_name") if key in more}
    named = row.pop("codec_name", None)
    size = row.get("size", (128, 96))
    made = {"codec": codec, "pix_fmt": pix_fmt, "width": size[0], "height": size[1], **more}
    return Row(name, made, suffix, codec=named, **row)


MOV, MKV, WEBM = ".mov", ".mkv", ".webm"
FOUR = {"options": {"profile": "4444"}}
MJPEG = {"matrix": 5, "full_range": True, "codec_name": "mjpeg"}
RGB = {"matrix": None, "full_range": None, "colour": 1}


@table(
    kind("H.264 4:2:0", "libx264", codec_name="h264"),
    kind("H.264 4:2:2", "libx264", "yuv422p"),
    kind("H.264 4:4:4", "libx264", "yuv444p", colour=2),
    kind("H.264 10 bit", "libx264", "yuv420p10le"),
    kind("H.264 4:2:2 10 bit", "libx264", "yuv422p10le"),
    kind("H.264 RGB", "libx264rgb", "rgb24", **RGB),
    kind("HEVC 4:2:0", "libx265", codec_name="hevc"),
    kind("HEVC 10 bit", "libx265", "yuv420p10le"),
    kind("HEVC 4:2:2 10 bit", "libx265", "yuv422p10le"),
    kind("HEVC 4:4:4 12 bit", "libx265", "yuv444p12le", colour=2),
    kind("VP9 in MP4", "libvpx-vp9", codec_name="vp9"),
    kind("VP9 4:4:4", "libvpx-vp9", "yuv444p", colour=2),
    kind("VP9 in WebM", "libvpx-vp9", suffix=WEBM),
    kind("VP8 in WebM", "libvpx", suffix=WEBM, matrix=5, codec_name="vp8"),
    kind("AV1 in MP4", "libsvtav1", codec_name="libdav1d"),
    kind("AV1 10 bit", "libsvtav1", "yuv420p10le"),
    kind("AV1 in WebM", "libsvtav1", suffix=WEBM),
    kind(
        "ProRes 422 Proxy", "prores_ks", "yuv422p10le", MOV, options={"profile": "proxy"}, codec_name="prores"
    ),
    kind("ProRes 422 HQ", "prores_ks", "yuv422p10le", MOV, options={"profile": "hq"}),
    kind("ProRes 4444", "prores_ks", "yuv444p10le", MOV, colour=2, **FOUR),
    kind("ProRes 4444 with alpha", "prores_ks", "yuva444p10le", MOV, colour=2, **FOUR),
    kind("MPEG-4 part 2", "mpeg4", matrix=5, codec_name="mpeg4"),
    kind("MPEG-4 part 2 with B-frames", "mpeg4", matrix=5, options={"bf": "2"}),
    kind("MPEG-2 in MOV", "mpeg2video", suffix=MOV),
    kind("Motion JPEG in MOV", "mjpeg", "yuvj422p", MOV, **MJPEG),
    kind("Motion JPEG in MKV", "mjpeg", "yuvj420p", MKV, **MJPEG),
    kind("DNxHR", "dnxhd", "yuv422p", MOV, size=(256, 128), options={"profile": "dnxhr_sq"}),
    kind("PNG in MOV", "png", "rgb24", MOV, **RGB),
    kind("Animation in MOV", "qtrle", "rgb24", MOV, **RGB),
    kind("Animation with alpha", "qtrle", "argb", MOV, **RGB),
    kind("uncompressed 4:2:2", "rawvideo", "uyvy422", MOV, matrix=5),
    kind("uncompressed 10 bit", "v210", "yuv422p10le", MOV, size=(192, 96), matrix=5),
    kind("FFV1 in MKV", "ffv1", suffix=MKV),
    kind("H.264 in MKV", "libx264", suffix=MKV),
    kind("H.264 in MKV with B-frames", "libx264", suffix=MKV, options=REORDERED),
    kind("HEVC in MKV", "libx265", suffix=MKV),
    kind("MKV of a live stream, no index", "libx264", suffix=MKV, flags={"live": "1"}),
    kind("WebM of a live stream, no index", "libvpx-vp9", suffix=WEBM, flags={"live": "1"}),
)
def test_codecs_and_formats(row: Row, tmp_path: Path, tracked: list[int]) -> None:
    holds(row, made_file(row, tmp_path), tracked)


def stored(upright: Callable[[int], NDArray[np.uint8]]) -> Callable[[int], Any]:
    return lambda index: converted(np.ascontiguousarray(upright(index)), "yuv420p")


def turned(quarters: int, *, mirror: bool = False) -> dict[str, Any]:
    """As a camera held so stores it: turned back, and mirrored where the file says so."""

    def draw(index: int) -> NDArray[np.uint8]:
        back = np.rot90(numbered(index), quarters)
        return back[:, ::-1] if mirror else back

    size = {"width": 96, "height": 128} if quarters % 2 else {}
    return {"turn_deg": -90 * quarters, "mirror": mirror, "draw": stored(draw), **size}


@table(
    *(
        Row(f"turned by {90 * n} in {suffix[1:].upper()}", turned(n), suffix)
        for n in (1, 2, 3)
        for suffix in (".mp4", MOV, MKV)
    ),
    Row("mirrored", turned(0, mirror=True)),
    Row("mirrored and turned by 180", turned(2, mirror=True)),
    Row("HEVC turned by 90", {**turned(1), "codec": "libx265"}),
    Row("pixels wider than high", {"aspect": Fraction(4, 3)}, size=(171, 96)),
    Row("pixels wider than high in MKV", {"aspect": Fraction(4, 3)}, MKV, size=(171, 96)),
    Row("pixels higher than wide", {"aspect": Fraction(3, 4)}, size=(128, 128)),
    Row(
        "ProRes of NTSC pixels",
        {"aspect": Fraction(10, 11), "codec": "prores_ks", "pix_fmt": "yuv422p10le"},
        MOV,
        size=(128, 106),
    ),
    Row("turned, of pixels wider than high", {**turned(1), "aspect": Fraction(4, 3)}, size=(128, 128)),
    Row(
        "H.263 of PAL pixels in 3GP",
        {"codec": "h263", "width": 176, "height": 144, "matrix": 5, "container": "3gp"},
        ".3gp",
        size=(192, 144),
    ),
    *(
        kind(f"odd sides, {name}", codec, pix_fmt, suffix, size=(161, 93), colour=6, **more)
        for name, codec, pix_fmt, suffix, more in (
            ("H.264 4:4:4", "libx264", "yuv444p", ".mp4", {}),
            ("HEVC 4:4:4", "libx265", "yuv444p", ".mp4", {}),
            ("VP9", "libvpx-vp9", "yuv420p", WEBM, {}),
            ("AV1", "libsvtav1", "yuv420p", ".mp4", {}),
            ("MPEG-4", "mpeg4", "yuv420p", ".mp4", {"matrix": 5}),
            ("ProRes", "prores_ks", "yuv422p10le", MOV, {}),
        )
    ),
    kind("641 x 363", "libvpx-vp9", size=(641, 363)),
    kind("tiny, 32 x 32", "libx264", "yuv444p", size=(32, 32), colour=30),
    kind("a sliver, 48 x 960", "libx264", "yuv444p", size=(48, 960)),
)
def test_shapes(row: Row, tmp_path: Path, tracked: list[int]) -> None:
    holds(row, made_file(row, tmp_path), tracked)


@pytest.mark.skipif(not hasattr(os, "sched_getscheduler"), reason="no such schedulers here")
def test_making_a_clip_leaves_the_priority_as_it_was(tmp_path: Path) -> None:
    before = os.sched_getscheduler(0), os.sched_getparam(0).sched_priority
    make_numbered(tmp_path / "clip.mp4", codec="libsvtav1", frames=2)
    assert (os.sched_getscheduler(0), os.sched_getparam(0).sched_priority) == before


def untagged_hd(index: int) -> Any:
    return converted(numbered(index, 1280, 720), "yuv420p", 1)


@table(
    *(
        Row(f"{name}, {'full' if full else 'limited'} range", {"matrix": matrix, "full_range": full})
        for name, matrix in (
            ("BT.709", 1),
            ("BT.601, 625 lines", 5),
            ("BT.601, 525 lines", 6),
            ("SMPTE 240M", 7),
            ("FCC", 4),
            ("BT.2020", 9),
        )
        for full in (False, True)
    ),
    Row("untagged, small: BT.601", {"matrix": None, "full_range": None}),
    Row(
        "untagged, HD: BT.709",
        {"matrix": None, "full_range": None, "width": 1280, "height": 720, "draw": untagged_hd, "frames": 3},
        size=(1280, 720),
        numbers=range(3),
    ),
    Row("10 bit, full range", {"pix_fmt": "yuv420p10le", "full_range": True}),
    Row("HEVC 10 bit, BT.2020 matrix", {"codec": "libx265", "pix_fmt": "yuv420p10le", "matrix": 9}),
    Row("H.264 4:4:4, full range", {"pix_fmt": "yuv444p", "full_range": True}),
)
def test_colours(row: Row, tmp_path: Path, tracked: list[int]) -> None:
    holds(row, made_file(row, tmp_path), tracked)


# HDR and other primaries, made the other way round than the project undoes them. Matrices to BT.709 (BT.2087 and the
# chromaticities of Display P3), transfer functions of BT.2100.
BT2020 = np.array(((1.6605, -0.5876, -0.0728), (-0.1246, 1.1329, -0.0083), (-0.0182, -0.1006, 1.1187)))
P3 = np.array(((1.2249, -0.2247, 0.0), (-0.0420, 1.0419, 0.0), (-0.0197, -0.0786, 1.0979)))
Signal = Callable[[NDArray[np.float64]], NDArray[np.float64]]


def pq(nits: NDArray[np.float64]) -> NDArray[np.float64]:
    power = (nits / 10_000) ** 0.1593017578125
    return ((0.8359375 + 18.8515625 * power) / (1 + 18.6875 * power)) ** 78.84375


def hlg(nits: NDArray[np.float64]) -> NDArray[np.float64]:
    scene = (nits / 1000) ** (1 / 1.2)
    b, c = 0.28466892, 0.55991073
    return np.where(
        scene <= 1 / 12, np.sqrt(3 * scene), 0.17883277 * np.log(np.maximum(12 * scene - b, b)) + c
    )


def plain(nits: NDArray[np.float64]) -> NDArray[np.float64]:
    return (nits / 203) ** (1 / 2.4)


def graded(signal: Signal, primaries: NDArray[np.float64], pix_fmt: str, matrix: int) -> Callable[[int], Any]:
    """The chart as an HDR programme holds it: an ordinary white at 203 cd/m2 (BT.2408)."""

    def draw(index: int) -> Any:
        light = 203 * (numbered(index) / 255) ** 2.4 @ np.linalg.inv(primaries).T
        codes = np.clip(signal(np.clip(light, 0, None)), 0, 1)
        return converted(np.rint(codes * 65535).astype(np.uint16), pix_fmt, matrix)

    return draw


def high(
    name: str, codec: str, pix_fmt: str, suffix: str, tags: tuple[int, int], signal: Signal, **more: Any
) -> Row:
    transfer, primaries = tags
    to_709, matrix = (BT2020, 9) if primaries == 9 else (P3, 1)
    made = {
        "codec": codec,
        "pix_fmt": pix_fmt,
        "matrix": matrix,
        "tags": {"color_trc": transfer, "color_primaries": primaries},
        "draw": graded(signal, to_709, pix_fmt, matrix),
    }
    return Row(name, {**made, **more}, suffix, colour=9)


@table(
    high("PQ, HEVC 10 bit", "libx265", "yuv420p10le", ".mp4", (16, 9), pq),
    high("PQ, HEVC 4:4:4 10 bit", "libx265", "yuv444p10le", ".mp4", (16, 9), pq),
    high("PQ, AV1 10 bit", "libsvtav1", "yuv420p10le", ".mp4", (16, 9), pq),
    high("HLG, HEVC 10 bit", "libx265", "yuv420p10le", ".mp4", (18, 9), hlg),
    high("HLG, ProRes 422", "prores_ks", "yuv422p10le", MOV, (18, 9), hlg),
    high("HLG in MKV", "libx265", "yuv420p10le", MKV, (18, 9), hlg),
    high("BT.2020 without HDR", "libx265", "yuv420p10le", ".mp4", (14, 9), plain),
    high("Display P3", "libx264", "yuv420p", ".mp4", (1, 12), plain),
)
def test_hdr_and_wide_colours(row: Row, tmp_path: Path, tracked: list[int]) -> None:
    holds(row, made_file(row, tmp_path), tracked)


@pytest.mark.parametrize(("signal", "transfer"), [(pq, 16), (hlg, 18)], ids=["PQ", "HLG"])
def test_highlights_roll_off(signal: Signal, transfer: int, tmp_path: Path) -> None:
    """Greys of 0 to 1000 cd/m2: dark ones and skin as in an ordinary video, the rest still told apart, none cut."""
    nits = np.array([0, 1, 10, 26, 50, 90, 203, 400, 700, 1000])

    def draw(_: int) -> Any:
        levels = np.rint(signal(nits.astype(float)) * 65535).astype(np.uint16)
        return converted(
            np.ascontiguousarray(np.repeat(np.repeat(levels, 32)[None, :, None], 3, 2).repeat(64, 0)),
            "yuv420p10le",
            9,
        )

    path = make_numbered(
        tmp_path / "greys.mp4",
        frames=8,
        width=320,
        height=64,
        codec="libx265",
        pix_fmt="yuv420p10le",
        matrix=9,
        tags={"color_trc": transfer, "color_primaries": 9},
        draw=draw,
    )
    frame = next(iter(read_frames(probe(path))))[1]
    shown = frame[32, 16::32].astype(int)
    assert np.ptp(shown, axis=1).max() <= 3  # grey stays grey
    levels = shown.mean(axis=1)
    assert levels[:6] == pytest.approx(255 * (nits[:6] / 203) ** (1 / 2.4), abs=4)
    assert (np.diff(levels[:8]) > 15).all()
    assert (np.diff(levels) >= 0).all()
    assert 220 < levels[6] < 240
    assert levels[-1] > 252


RATES = [
    *map(Fraction, (5, 12, 15, 24, 25, 30, 50, 60, 120, 240)),
    *(Fraction(n * 1000, 1001) for n in (24, 30, 60)),
]


@table(
    *(
        Row(f"{float(fps):.6g} fps in {suffix[1:].upper()}", {"fps": fps}, suffix, fps=fps)
        for fps in RATES
        for suffix in (".mp4", MOV, MKV)
    )
)
def test_rates(row: Row, tmp_path: Path, tracked: list[int]) -> None:
    holds(row, made_file(row, tmp_path), tracked)


def edited(*edits: tuple[Fraction | float, Fraction | float | None]) -> Callable[[Path], object]:
    return lambda path: with_edits(path, b"vide", edits)


def run(first: int, last: int) -> tuple[int, ...]:
    return tuple(range(first, last + 1))


def steps(*rows: tuple[int, int]) -> Callable[[Path], object]:
    """Other steps between the frames: (frames, ticks) of a clip whose frame has 512."""

    def change(moov: Box) -> None:
        table = tracks(moov, b"vide")[0].find(b"mdia", b"minf", b"stbl", b"stts")
        table.data = struct.pack(">II", 0, len(rows)) + b"".join(struct.pack(">II", *row) for row in rows)

    return lambda path: changed(without_edits(path), change)


def shifted(*rows: tuple[int, int]) -> Callable[[Path], object]:
    """Frames moved in time: (frames, ticks later)."""

    def change(moov: Box) -> None:
        table = struct.pack(">II", 1 << 24, len(rows)) + b"".join(struct.pack(">Ii", *row) for row in rows)
        tracks(moov, b"vide")[0].find(b"mdia", b"minf", b"stbl").inside.append(Box(b"ctts", table))

    return lambda path: changed(path, change)


UNEVEN = [0, 3000, 6000, 15000, 18000, 30000, 31500, 40000]
UNEVEN_MS = [0, 33, 67, 167, 200, 333, 350, 444]


@table(
    Row("B-frames", {"options": REORDERED}),
    Row("B-frames, no edit list", {"options": REORDERED}, changed=without_edits, start_s=2 / 24),
    Row("open GOP", {"options": {**REORDERED, "x264-params": "open-gop=1:keyint=8"}}),
    Row("every frame a key frame", {"options": {"g": "1"}}),
    Row("index first", {"flags": {"movflags": "+faststart"}}),
    Row("fragmented", {"flags": {"movflags": "frag_keyframe+empty_moov"}, "options": {"g": "6"}}),
    Row(
        "fragmented with B-frames",
        {"flags": {"movflags": "frag_keyframe+empty_moov+default_base_moof"}, "options": REORDERED},
        start_s=2 / 24,
    ),
    Row(
        "fragmented for streaming",
        {"flags": {"movflags": "dash+frag_keyframe+global_sidx"}, "options": {"g": "6"}},
    ),
    Row("start trimmed", changed=edited((14 * FRAME, 5 * FRAME)), numbers=run(5, 18)),
    Row(
        "start trimmed, B-frames",
        {"options": REORDERED},
        changed=edited((14 * FRAME, 7 * FRAME)),
        numbers=run(5, 18),
    ),
    Row(
        "start trimmed, open GOP",
        {"options": {**REORDERED, "x264-params": "open-gop=1:keyint=8"}},
        changed=edited((8 * FRAME, 11 * FRAME)),
        numbers=run(9, 16),
    ),
    Row("picture delayed", changed=edited((6 * FRAME, None), (24 * FRAME, 0)), start_s=0.25),
    Row(
        "picture delayed and trimmed",
        changed=edited((6 * FRAME, None), (12 * FRAME, 4 * FRAME)),
        numbers=run(4, 15),
        start_s=0.25,
    ),
    Row(
        "cut out of the middle",
        changed=edited((6 * FRAME, 0), (9 * FRAME, 12 * FRAME)),
        numbers=run(0, 5) + run(12, 20),
        within_s=1e-3,
    ),
    Row(
        "cut out of the middle, B-frames",
        {"options": REORDERED},
        changed=edited((6 * FRAME, 2 * FRAME), (9 * FRAME, 14 * FRAME)),
        numbers=run(0, 5) + run(12, 20),
        within_s=1e-3,
    ),
    Row("shown twice", changed=edited((6 * FRAME, 0), (6 * FRAME, 0)), numbers=run(0, 5) * 2, within_s=1e-3),
    Row("edit longer than the video", changed=edited((24 * FRAME, 3 * FRAME)), numbers=run(3, 23)),
    Row("negative stamps", {"ticks": run(-5, 18)}, numbers=run(5, 23)),
    Row("negative stamps, B-frames", {"ticks": run(-5, 18), "options": REORDERED}, numbers=run(5, 23)),
    Row("negative stamps in MOV", {"ticks": run(-5, 18)}, MOV, numbers=run(5, 23)),
    Row("late stamps", {"ticks": run(7, 30)}, start_s=7 / 24),
    Row("late stamps in MKV", {"ticks": run(7, 30)}, MKV, start_s=7 / 24, within_s=1.1e-3),
    Row(
        "a live stream joined after a day",
        {"ticks": run(24 * 86_400, 24 * 86_400 + 23), "flags": {"live": "1"}},
        MKV,
        start_s=86_400.0,
    ),
    Row(
        "variable rate",
        {"ticks": UNEVEN, "frames": 8, "base": Fraction(1, 90_000)},
        numbers=range(8),
        fps=Fraction(63, 4),
        times_s=[t / 90_000 for t in UNEVEN],
        length_s=0.4444 + 1 / 24,
        variable=True,
    ),
    Row(
        "variable rate in MKV",
        {"ticks": UNEVEN_MS, "frames": 8, "base": Fraction(1, 1000)},
        MKV,
        numbers=range(8),
        fps=Fraction(7000, 444),
        times_s=[t / 1000 for t in UNEVEN_MS],
        length_s=0.444 + 1 / 24,
        variable=True,
    ),
    Row(
        "last frame of a second",
        changed=steps((20, 512), (1, 1024), (3, 12288)),
        numbers=range(24),
        fps=Fraction(23 * 24, 70),
        times_s=[*(i / 24 for i in range(21)), 22 / 24, 22 / 24 + 1, 22 / 24 + 2],
        length_s=22 / 24 + 3,
        variable=True,
    ),
    Row("no stamps", changed=steps((24, 0))),
    Row(
        "frames missing",
        changed=steps((10, 512), (1, 2048), (13, 512)),
        fps=Fraction(23 * 24, 26),
        times_s=[(i if i <= 10 else i + 3) / 24 for i in range(24)],
        length_s=27 / 24,
        variable=True,
    ),
    Row(
        "two frames share a stamp",
        changed=steps((10, 512), (1, 0), (13, 512)),
        numbers=run(0, 10) + run(12, 23),
    ),
    Row("one frame", {"frames": 1}, numbers=(0,)),
    Row("one frame in MKV", {"frames": 1}, MKV, numbers=(0,)),
    Row("two frames", {"frames": 2}, numbers=(0, 1)),
)
def test_times(row: Row, tmp_path: Path, tracked: list[int]) -> None:
    holds(row, made_file(row, tmp_path), tracked)


@pytest.mark.parametrize(
    ("suffix", "flags"),
    [
        pytest.param(MKV, {}, id="MKV"),
        pytest.param(MKV, {"live": "1"}, id="MKV of a live stream"),
        pytest.param(".mp4", {"movflags": "frag_keyframe+empty_moov"}, id="fragmented MP4"),
        pytest.param(".mp4", {"movflags": "+faststart"}, id="MP4 with its index first"),
    ],
)
def test_a_recording_that_broke_off(
    suffix: str, flags: dict[str, str], tmp_path: Path, tracked: list[int]
) -> None:
    """What is there is used; no frame is out of place."""
    path = make_numbered(
        tmp_path / f"c{suffix}",
        flags=flags,
        options={"g": "6", "x264-params": "filler=1:nal-hrd=cbr:vbv-maxrate=400:vbv-bufsize=100"},
    )
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 2 // 3])
    shown = [(time_s, number_of(frame)) for time_s, frame in read_frames(probe(path))]
    assert 6 <= len(shown) < FRAMES
    assert [time_s for time_s, _ in shown] == pytest.approx([n / 24 for _, n in shown], abs=6e-4)
    result = performed(path)
    assert result.frames == len(shown)


def test_a_piece_cut_out_without_encoding_it_anew(tmp_path: Path) -> None:
    """From a key frame inside an open GOP on: what leads it cannot be decoded, the rest keeps its time."""
    whole = make_numbered(
        tmp_path / "w.mp4", options={**REORDERED, "x264-params": "open-gop=1:keyint=8:min-keyint=8"}
    )
    path = tmp_path / "cut.mkv"
    with av.open(str(whole)) as source, av.open(str(path), "w", format="matroska") as output:
        stream = output.add_stream_from_template(source.streams.video[0])
        packets = [packet for packet in source.demux(video=0) if packet.size]
        keys = [number for number, packet in enumerate(packets) if packet.is_keyframe]
        for packet in packets[keys[1] :]:
            packet.stream = stream
            output.mux(packet)
    clip = probe(path)
    shown = [(time_s + clip.start_s, number_of(frame)) for time_s, frame in read_frames(clip)]
    assert len(shown) >= 12
    assert [time_s for time_s, _ in shown] == pytest.approx([n / 24 for _, n in shown], abs=1.1e-3)


@table(
    Row("from the middle, H.264"),
    Row("from the middle, B-frames", {"options": REORDERED}),
    Row("from the middle, open GOP", {"options": {**REORDERED, "x264-params": "open-gop=1:keyint=8"}}),
    Row("from the middle, MKV", {"options": {"g": "6"}}, MKV),
    Row("from the middle, no index", {"flags": {"live": "1"}}, MKV),
    Row(
        "from the middle, fragmented",
        {"flags": {"movflags": "frag_keyframe+empty_moov"}, "options": {"g": "6"}},
    ),
    Row("from the middle, trimmed", {"options": REORDERED}, changed=edited((18 * FRAME, 7 * FRAME))),
    Row("from the middle, delayed", changed=edited((6 * FRAME, None), (24 * FRAME, 0))),
    Row("from the middle, no stamps", changed=steps((24, 0))),
)
def test_a_stretch_holds_the_frames_of_the_whole(row: Row, tmp_path: Path) -> None:
    clip = probe(made_file(row, tmp_path))
    whole = [(time_s, number_of(frame)) for time_s, frame in read_frames(clip)]
    for start_s, stop_s in ((0.3, 0.6), (0.0, 0.25), (0.5, 9.0)):
        part = [
            (time_s, number_of(frame)) for time_s, frame in read_frames(clip, start_s=start_s, stop_s=stop_s)
        ]
        assert part == [row for row in whole if start_s - 1e-6 <= row[0] < stop_s - 1e-6]


def test_out_of_order_and_endless_stamps_stay_calm(tmp_path: Path) -> None:
    """Files whose clock is damaged: the frames that come in order are shown, and a frame lasts ten seconds at most."""
    mixed = shifted((10, 0), (1, -2048), (13, 0))(make_numbered(tmp_path / "mixed.mp4"))
    times = [time_s for time_s, _ in read_frames(probe(mixed))]  # type: ignore[arg-type]
    assert len(times) >= 20
    assert times == sorted(set(times))
    endless = make_numbered(tmp_path / "endless.mp4")
    steps((23, 512), (1, 2**31 - 1))(endless)
    assert probe(endless).duration_s == pytest.approx(23 / 24 + 10)


@pytest.mark.parametrize(
    ("codec", "options"),
    [
        ("libx264", {"x264-params": "interlaced=1:tff=1", "preset": "medium"}),
        ("mpeg2video", {"flags": "+ildct+ilme"}),
        ("mpeg4", {"flags": "+ildct+ilme"}),
    ],
)
def test_interlaced_frames_are_made_whole(
    codec: str, options: dict[str, str], tmp_path: Path, tracked: list[int]
) -> None:
    """A bar that moves between two half pictures is in one place in all lines; every frame keeps number and time."""
    if codec == "libx264":
        path = make_numbered(
            tmp_path / "i.mov", options=options, draw=lambda i: converted(_combed(i), "yuv420p")
        )
    else:
        path = make_numbered(
            tmp_path / "i.mov",
            codec=codec,
            options=options,
            draw=lambda i: converted(_combed(i), "yuv420p", 5),
            matrix=5,
        )
    clip = probe(path)
    shown = list(read_frames(clip, threads=1))
    assert [number_of(frame) for _, frame in shown] == list(range(FRAMES))
    assert [time_s for time_s, _ in shown] == pytest.approx([i / 24 for i in range(FRAMES)])
    with av.open(str(path)) as file:
        combed = [f.to_ndarray(format="gray") for f in file.decode(video=0)]
        assert next(iter(av.open(str(path)).decode(video=0))).interlaced_frame
    assert _lines_apart(combed[5]) > 60
    for _, frame in shown[1:-1]:
        assert _lines_apart(frame[..., 1]) < 30


def _combed(index: int) -> NDArray[np.uint8]:
    """Two half pictures of different moments, line by line, below the number."""
    frame = numbered(index)
    frame[40:] = 60
    for row in range(40, 96):
        left = (4 * index + (8 if row % 2 else 0)) % 100
        frame[row, left : left + 16] = 220
    return frame


def _lines_apart(grey: NDArray[np.uint8]) -> float:
    """How much neighbouring lines of the bar's part differ where they differ most."""
    part = grey[44:92].astype(float)
    return float(np.abs(part[1:] - part[:-1]).mean(axis=0).max())


def joined(path: Path, *parts: dict[str, Any], codec: str = "libvpx-vp9") -> Path:
    """One stream of several encodings, one after the other, as a phone sends when it is turned."""
    with av.open(str(path), "w", format="matroska") as output:
        stream = None
        for number, part in enumerate(parts):
            first = 12 * number
            piece = make_numbered(
                path.with_name(f"part{number}.webm"),
                codec=codec,
                frames=12,
                draw=lambda i, part=part, first=first: converted(numbered(first + i, **part), "yuv420p"),
                **part,
            )
            with av.open(str(piece)) as source:
                if stream is None:
                    stream = output.add_stream_from_template(source.streams.video[0])
                for packet in source.demux(video=0):
                    if packet.size and packet.pts is not None and packet.time_base is not None:
                        copy = av.Packet(bytes(packet))
                        copy.time_base = Fraction(1, 1000)
                        copy.pts = copy.dts = round(1000 * (packet.pts * packet.time_base + first * FRAME))
                        copy.is_keyframe = packet.is_keyframe
                        copy.stream = stream
                        output.mux(copy)
    return path


def test_a_stream_that_changes_its_size(tmp_path: Path) -> None:
    path = joined(tmp_path / "c.webm", {"width": 128, "height": 96}, {"width": 64, "height": 48})
    shown = [frame for _, frame in read_frames(probe(path), threads=1)]
    assert {frame.shape for frame in shown} == {(96, 128, 3)}
    assert [number_of(frame) for frame in shown] == list(range(FRAMES))


def test_a_stream_that_is_turned_keeps_its_shape(tmp_path: Path) -> None:
    path = joined(tmp_path / "c.webm", {"width": 128, "height": 96}, {"width": 96, "height": 128})
    shown = [frame for _, frame in read_frames(probe(path), threads=1)]
    assert {frame.shape for frame in shown} == {(96, 128, 3)}
    assert [number_of(frame) for frame in shown[:12]] == list(range(12))
    upright = shown[12][:, 28:100]  # 72 of 96 x 128 scaled to a height of 96
    assert number_of(upright) == 12
    assert shown[12][:, :26].max() < 8
    assert shown[12][:, 102:].max() < 8


def test_the_stream_that_is_switched_on_is_watched(tmp_path: Path) -> None:
    """A depth track before the picture, switched off, as phones store it, and a cover after it."""
    path = tmp_path / "many.mp4"
    with av.open(str(path), "w", format="mp4") as output:
        streams = []
        for size, shown in (((64, 48), False), ((128, 96), True)):
            stream = output.add_stream("libx264", rate=24, options={"crf": "4"})
            stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
            stream.codec_context.colorspace = 1
            stream.disposition = Disposition.default if shown else Disposition(0)
            streams.append(stream)
        cover = output.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt = 320, 240, "yuvj420p"
        cover.disposition = Disposition.attached_pic
        output.mux(cover.encode(converted(numbered(3, 320, 240), "yuvj420p", 5, True)))
        for index in range(FRAMES):
            output.mux(streams[0].encode(converted(numbered(200, 64, 48), "yuv420p")))
            output.mux(streams[1].encode(converted(numbered(index), "yuv420p")))
        for stream in streams:
            output.mux(stream.encode(None))
    clip = probe(path)
    assert (clip.width, clip.height) == (128, 96)
    assert [number_of(frame) for _, frame in read_frames(clip)] == list(range(FRAMES))


def test_what_is_transparent_is_black(tmp_path: Path) -> None:
    def draw(index: int) -> Any:
        frame = np.dstack([numbered(index), np.full((96, 128), 255, np.uint8)])
        frame[32:64, :43] = (255, 0, 255, 0)  # what lies under it must not be seen
        return av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), "rgba").reformat(
            format="yuva444p10le", dst_colorspace=1, src_color_range=2, dst_color_range=1
        )

    path = make_numbered(
        tmp_path / "a.mov",
        frames=3,
        codec="prores_ks",
        pix_fmt="yuva444p10le",
        options={"profile": "4444"},
        draw=draw,
    )
    shown = patches(next(iter(read_frames(probe(path))))[1])
    assert shown == pytest.approx(np.array([(0, 0, 0), *CHART[1:]]), abs=2)


def test_grey_video(tmp_path: Path) -> None:
    def draw(index: int) -> Any:
        grey = np.rint(16 + numbered(index)[..., 1] * (219 / 255)).astype(np.uint8)
        return av.VideoFrame.from_ndarray(grey, "gray")

    path = make_numbered(tmp_path / "grey.mp4", frames=4, pix_fmt="gray", draw=draw)
    shown = [frame for _, frame in read_frames(probe(path))]
    assert [number_of(frame) for frame in shown] == [0, 1, 2, 3]
    assert patches(shown[0])[4:] == pytest.approx(np.array(CHART[4:]), abs=2)


def refused(path: Path) -> str:
    with pytest.raises(ClipError) as caught:
        check_clip(probe(path), Orientation.VIDEO)
    assert caught.value.fix.endswith(".")
    return caught.value.code


def unknown(kind: bytes) -> Callable[[Path], object]:
    def change(moov: Box) -> None:
        table = tracks(moov, b"vide")[0].find(b"mdia", b"minf", b"stbl", b"stsd")
        table.data = table.data.replace(kind, b"zzzz")

    return lambda path: changed(path, change)


@pytest.mark.parametrize(
    ("made", "suffix", "change", "code"),
    [
        pytest.param({"container": "avi", "codec": "mpeg4"}, ".avi", None, "clip_format", id="AVI"),
        pytest.param(
            {"container": "gif", "codec": "gif", "pix_fmt": "rgb8", "matrix": None, "full_range": None},
            ".gif",
            None,
            "clip_format",
            id="GIF",
        ),
        pytest.param({"container": "mpegts"}, ".mp4", None, "clip_format", id="MPEG-TS named MP4"),
        pytest.param({"container": "flv"}, ".mp4", None, "clip_format", id="FLV named MP4"),
        pytest.param({"container": "asf", "codec": "mpeg4"}, ".mp4", None, "clip_format", id="WMV named MP4"),
        pytest.param({"width": 2, "height": 400}, ".mp4", None, "clip_too_small", id="two pixels wide"),
        pytest.param({"width": 400, "height": 14}, ".mp4", None, "clip_too_small", id="14 pixels high"),
        pytest.param({}, ".mp4", unknown(b"avc1"), "clip_codec", id="codec that nobody knows"),
        pytest.param({}, ".mp4", None, "clip_too_small", id="below the limits"),
    ],
)
def test_what_is_refused(
    made: dict[str, Any], suffix: str, change: Callable[[Path], object] | None, code: str, tmp_path: Path
) -> None:
    path = make_numbered(tmp_path / f"c{suffix}", **made)
    if change is not None:
        change(path)
    assert refused(path) == code
