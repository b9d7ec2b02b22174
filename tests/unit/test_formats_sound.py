"""Every sound a driving video may have: in the output it comes with the frame it came with and ends with the last.

Each row is one kind of file, made here, with beeps that begin with a frame; through the project's own road.
``docs/formats.md`` is this table for readers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import av
import numpy as np
import pytest
from mp4_boxes import Box, changed, tracks, with_edits
from numbered_clips import beeps, converted, make_numbered, number_of, numbered, onsets_s
from numpy.typing import NDArray
from performed_clips import performed, stamps_of, track_nothing

from understudy.media.clip import NO_DECODER, probe, read_frames

FRAMES, BEEPS_S = 48, (0.5, 1.5)
CHANNELS = {"mono": 1, "stereo": 2, "2.1": 3, "quad": 4, "5.1": 6, "7.1": 8}
WITHIN_S = 0.0015  # Matroska rounds to milliseconds; a frame lasts 42
PRIMED = 1024 / 48000  # that AAC's encoder puts before the sound, and the file's edit list hides
MOV, MKV, WEBM = ".mov", ".mkv", ".webm"


@pytest.fixture(autouse=True)
def tracked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    return track_nothing(monkeypatch)


@dataclass(frozen=True)
class Row:
    """One kind of file, and what is heard in the output. Seconds count from its first frame."""

    name: str
    codec: str = "aac"
    rate: int = 48000
    layout: str = "stereo"
    suffix: str = ".mp4"
    seconds: float = 2.0
    made: dict[str, Any] = field(default_factory=dict)
    changed: Callable[[Path], object] | None = None
    beeps_s: Sequence[float] = BEEPS_S
    length_s: float = 2.0
    frames: int = FRAMES
    late_s: float = 0.0  # by which the codec itself delays, as players hear it too
    within_s: float = WITHIN_S


def made_file(row: Row, folder: Path) -> Path:
    path = make_numbered(
        folder / f"clip{row.suffix}",
        **{
            "frames": FRAMES,
            "codec": "libvpx-vp9" if row.suffix == WEBM else "libx264",
            "sound": beeps(row.seconds, BEEPS_S, row.rate, CHANNELS[row.layout]),
            "sound_codec": row.codec,
            "sound_rate": row.rate,
            "sound_layout": row.layout,
            **row.made,
        },
    )
    if row.changed is not None:
        row.changed(path)
    return path


def holds(row: Row, path: Path) -> None:
    assert probe(path).has_audio
    result = performed(path)
    assert result.sound
    assert result.left_out == ()
    stamps, length = stamps_of(result.path)
    assert len(stamps) == row.frames
    heard_s, sound_s = onsets_s(result.path)
    assert heard_s == pytest.approx([at + row.late_s for at in row.beeps_s], abs=row.within_s)
    assert sound_s == pytest.approx(min(row.length_s, float(length)), abs=row.within_s)
    assert sound_s <= float(length) + 1e-4


def table(*rows: Row) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("row", [pytest.param(row, id=row.name) for row in rows])


SMALL = {"width": 176, "height": 144, "matrix": 5, "container": "3gp"}


@table(
    Row("AAC"),
    Row("AAC mono 44.1 kHz", rate=44100, layout="mono"),
    Row("AAC 5.1", layout="5.1"),
    Row("AAC 7.1", layout="7.1"),
    Row("AAC quadro", layout="quad"),
    Row("AAC 8 kHz", rate=8000),
    Row("AAC 22.05 kHz", rate=22050),
    Row("AAC 96 kHz", rate=96000),
    Row("AAC in MKV", suffix=MKV),
    Row("AAC 44.1 kHz in MKV", suffix=MKV, rate=44100),
    Row("MP3", "libmp3lame"),
    Row("MP3 22.05 kHz mono", "libmp3lame", 22050, "mono"),
    Row("MP3 in MKV", "libmp3lame", suffix=MKV),
    Row("MP2", "mp2"),
    Row("Opus", "libopus"),
    Row("Opus in WebM", "libopus", suffix=WEBM),
    Row("Vorbis in WebM", "vorbis", suffix=WEBM),
    Row("AC-3 5.1", "ac3", layout="5.1"),
    Row("AC-3 5.1 in MKV", "ac3", layout="5.1", suffix=MKV),
    Row("E-AC-3", "eac3"),
    Row("ALAC", "alac"),
    Row("FLAC", "flac"),
    Row("FLAC 7.1 in MKV", "flac", layout="7.1", suffix=MKV),
    Row("PCM 16 bit", "pcm_s16le", suffix=MOV),
    Row("PCM 24 bit 96 kHz", "pcm_s24le", 96000, suffix=MOV),
    Row("PCM float", "pcm_f32le", suffix=MOV),
    Row("PCM 8 kHz mono", "pcm_s16be", 8000, "mono", MOV),
    Row("PCM 5.1", "pcm_s16le", layout="5.1", suffix=MOV),
    Row("PCM 7.1", "pcm_s16le", layout="7.1", suffix=MOV),
    Row("PCM 2.1", "pcm_s16le", layout="2.1", suffix=MOV),
    Row("PCM 192 kHz", "pcm_s24le", 192000, suffix=MOV),
    Row("PCM 50 kHz", "pcm_s16le", 50000, suffix=MOV),
    Row("PCM in MKV", "pcm_s16le", suffix=MKV),
    Row("mu-law 8 kHz", "pcm_mulaw", 8000, "mono", MOV),
    Row("IMA ADPCM", "adpcm_ima_qt", 44100, suffix=MOV),
    Row("AMR in 3GP", "libopencore_amrnb", 8000, "mono", ".3gp", made=SMALL, late_s=0.017, within_s=0.002),
)
def test_codecs_rates_and_channels(row: Row, tmp_path: Path) -> None:
    holds(row, made_file(row, tmp_path))


def edits(
    picture: Sequence[tuple[float, float | None]] = (), sound: Sequence[tuple[float, float | None]] = ()
) -> Callable[[Path], object]:
    def change(path: Path) -> None:
        for handler, rows in ((b"vide", picture), (b"soun", sound)):
            if rows:
                with_edits(path, handler, rows)

    return change


def gap(path: Path) -> None:
    """No sound between 0.7 and 1.2 s: the packets are not there."""
    whole = path.rename(path.with_stem("whole"))
    kind = {MKV: "matroska", ".mp4": "mp4"}[path.suffix]
    with av.open(str(whole)) as source, av.open(str(path), "w", format=kind) as output:
        copies = {s.index: output.add_stream_from_template(s) for s in source.streams}
        for packet in source.demux():
            if packet.pts is None or packet.time_base is None or not packet.size:
                continue
            if packet.stream.type == "audio" and 0.7 < packet.pts * packet.time_base < 1.2:
                continue
            packet.stream = copies[packet.stream.index]
            output.mux(packet)


B_FRAMES = {"options": {"bf": "3", "preset": "medium", "g": "12"}}
HALF = {"length_s": 1.5, "frames": 36, "beeps_s": (0.0, 1.0)}


@table(
    Row("longer than the video", seconds=4),
    Row("longer than the video, PCM", "pcm_s16le", suffix=MOV, seconds=4),
    Row("shorter than the video", seconds=0.9, length_s=0.9, beeps_s=(0.5,)),
    Row("starts late", made={"sound_start_s": 0.3}, beeps_s=(0.8, 1.8), length_s=1.7 + PRIMED),
    Row("starts late, PCM", "pcm_s16le", suffix=MOV, made={"sound_start_s": 0.3}, beeps_s=(0.8, 1.8)),
    Row(
        "starts late in MKV",
        suffix=MKV,
        made={"sound_start_s": 0.3},
        beeps_s=(0.8, 1.8),
        length_s=1.7 + PRIMED,
    ),
    Row("starts early", made={"sound_start_s": -0.2}, beeps_s=(0.3, 1.3), length_s=1.8),
    Row(
        "starts early, PCM",
        "pcm_s16le",
        suffix=MOV,
        made={"sound_start_s": -0.2},
        beeps_s=(0.3, 1.3),
        length_s=1.8,
    ),
    Row("starts early in MKV", suffix=MKV, made={"sound_start_s": -0.2}, beeps_s=(0.3, 1.3), length_s=1.805),
    Row(
        "delayed by an edit list",
        changed=edits(sound=[(0.25, None), (2, PRIMED)]),
        beeps_s=(0.75, 1.75),
        length_s=1.75,
    ),
    Row(
        "delayed by an edit list, PCM",
        "pcm_s16le",
        suffix=MOV,
        changed=edits(sound=[(0.25, None), (2, 0)]),
        beeps_s=(0.75, 1.75),
    ),
    Row(
        "start trimmed by an edit list",
        changed=edits(sound=[(1.75, 0.25 + PRIMED)]),
        beeps_s=(0.25, 1.25),
        length_s=1.75,
    ),
    Row(
        "picture and sound trimmed",
        changed=edits([(1.5, 0.5)], [(1.5, 0.5 + PRIMED)]),
        **HALF,
    ),
    Row(
        "picture and sound trimmed, B-frames",
        made=B_FRAMES,
        changed=edits([(1.5, 0.5 + 2 / 24)], [(1.5, 0.5 + PRIMED)]),
        **HALF,
    ),
    Row(
        "picture and sound trimmed, PCM",
        "pcm_s16le",
        suffix=MOV,
        changed=edits([(1.5, 0.5)], [(1.5, 0.5)]),
        **HALF,
    ),
    Row(
        "picture delayed by an edit list",
        changed=edits([(0.25, None), (1.75, 0)]),
        beeps_s=(0.25, 1.25),
        length_s=1.75,
        frames=42,
    ),
    Row(
        "cut out of the middle",
        changed=edits([(0.75, 0), (0.75, 1.25)], [(0.75, PRIMED), (0.75, 1.25 + PRIMED)]),
        beeps_s=(0.5, 1.0),
        length_s=1.5,
        frames=36,
        within_s=0.01,
    ),
    Row(
        "cut out of the middle, PCM",
        "pcm_s16le",
        suffix=MOV,
        changed=edits([(0.75, 0), (0.75, 1.25)], [(0.75, 0), (0.75, 1.25)]),
        beeps_s=(0.5, 1.0),
        length_s=1.5,
        frames=36,
        within_s=0.01,
    ),
    Row("a gap", changed=gap),
    Row("a gap in MKV", suffix=MKV, changed=gap),
    Row("a gap, FLAC in MKV", "flac", suffix=MKV, changed=gap),
    Row("a gap, MP3", "libmp3lame", changed=gap),
    Row("B-frames", made=B_FRAMES),
    Row("fragmented", "pcm_s16le", suffix=MOV, made={"flags": {"movflags": "frag_keyframe+empty_moov"}}),
)
def test_when_it_begins_and_ends(row: Row, tmp_path: Path) -> None:
    holds(row, made_file(row, tmp_path))


def damaged(path: Path, which: range, content: Callable[[int], bytes]) -> Path:
    """Other bytes in the place of the sound's packets ``which``."""
    with av.open(str(path)) as source:
        packets = [(p.pos, p.size) for p in source.demux(audio=0) if p.size]
    data = bytearray(path.read_bytes())
    for place, size in packets[which.start : which.stop]:
        assert place is not None
        data[place : place + size] = content(size)
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    ("codec", "suffix", "content"),
    [
        pytest.param("aac", ".mp4", lambda n: np.random.default_rng(n).bytes(n), id="AAC"),
        pytest.param("aac", ".mp4", bytes, id="AAC, zeros"),
        pytest.param("libmp3lame", ".mp4", lambda n: np.random.default_rng(n).bytes(n), id="MP3"),
        pytest.param("flac", ".mp4", lambda n: np.random.default_rng(n).bytes(n), id="FLAC"),
        pytest.param("pcm_f32le", MOV, lambda n: b"\xff" * n, id="PCM that is no number"),
    ],
)
def test_damage_in_the_middle_keeps_the_rest_in_time(
    codec: str, suffix: str, content: Callable[[int], bytes], tmp_path: Path
) -> None:
    path = made_file(Row("damaged", codec, suffix=suffix), tmp_path)
    with av.open(str(path)) as source:
        count = sum(1 for packet in source.demux(audio=0) if packet.size)
    damaged(path, range(count * 2 // 5, count // 2), content)
    result = performed(path)
    assert result.sound
    heard_s, _ = onsets_s(result.path)
    assert heard_s[0] == pytest.approx(0.5, abs=WITHIN_S)
    assert heard_s[-1] == pytest.approx(1.5, abs=0.03)
    assert result.frames == FRAMES


def nobody_knows(path: Path) -> None:
    def change(moov: Box) -> None:
        table = tracks(moov, b"soun")[0].find(b"mdia", b"minf", b"stbl", b"stsd")
        table.data = table.data.replace(b"mp4a", b"zzzz").replace(b"esds", b"free")

    changed(path, change)


def nothing_but_zeros(path: Path) -> None:
    damaged(path, range(1000), bytes)


@table(
    Row("a codec that nobody knows", changed=nobody_knows),
    Row("AAC of zeros", changed=nothing_but_zeros),
    Row("MP3 of zeros", "libmp3lame", changed=nothing_but_zeros),
    Row("FLAC of zeros", "flac", changed=nothing_but_zeros),
)
def test_sound_that_cannot_be_decoded_is_told(row: Row, tmp_path: Path) -> None:
    path = made_file(row, tmp_path)
    assert probe(path).audio_codec == (
        NO_DECODER if row.name.startswith("a codec") else probe(path).audio_codec
    )
    result = performed(path)
    assert not result.sound
    assert [part.what for part in result.left_out] == ["sound"]
    assert (result.frames, probe(result.path).has_audio) == (FRAMES, False)


def test_silence_before_late_sound_is_never_held_as_a_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lengths: list[int] = []

    def noted(samples: NDArray[np.float32], form: str, layout: str) -> av.AudioFrame:
        lengths.append(samples.shape[1])
        return av.AudioFrame.from_ndarray(samples, form, layout)

    monkeypatch.setattr("understudy.media.sound.AudioFrame", SimpleNamespace(from_ndarray=noted))
    late = {"frames": 4 * 24, "sound": beeps(1, [0.25]), "sound_start_s": 2.5}
    row = Row("late", "flac", suffix=MKV, made=late, frames=96, beeps_s=[2.75], length_s=3.5)
    holds(row, made_file(row, tmp_path))
    assert sum(lengths) >= 3 * 48000
    assert max(lengths) <= 48000


def test_sound_outside_the_stretch_is_no_sound(tmp_path: Path) -> None:
    """It begins after the last frame: nothing is wrong with it, and the output has none."""
    path = make_numbered(tmp_path / "c.mp4", sound=beeps(1, [0.2]), sound_start_s=2.0)
    result = performed(path)
    assert not result.sound
    assert result.left_out == ()
    assert not probe(result.path).has_audio


def test_of_several_sounds_the_default_is_heard(tmp_path: Path) -> None:
    """As OBS records them: game, microphone. The first, which players play, and never a mix."""
    path = tmp_path / "two.mkv"
    with av.open(str(path), "w", format="matroska") as output:
        picture = output.add_stream("libx264", rate=24)
        picture.width, picture.height, picture.pix_fmt = 128, 96, "yuv420p"
        sounds = [output.add_stream("aac", rate=48000, layout="stereo") for _ in range(2)]
        for index in range(FRAMES):
            output.mux(picture.encode(converted(numbered(index), "yuv420p")))
        output.mux(picture.encode(None))
        for stream, at_s in zip(sounds, (0.5, 1.0), strict=True):
            block = av.AudioFrame.from_ndarray(beeps(2, [at_s]), "fltp", "stereo")
            block.sample_rate, block.pts, block.time_base = 48000, 0, Fraction(1, 48000)
            output.mux(stream.encode(block))
            output.mux(stream.encode(None))
    result = performed(path)
    assert onsets_s(result.path)[0] == pytest.approx([0.5], abs=WITHIN_S)


def of_a_phone(transfer: int, matrix: int) -> dict[str, Any]:
    """HEVC of 10 bits, held upright: stored lying on its side."""

    def draw(index: int) -> Any:
        lying = np.ascontiguousarray(np.rot90(numbered(index)))
        frame = converted(lying, "yuv420p10le", matrix)
        frame.color_trc, frame.color_primaries = transfer, 9
        return frame

    return {
        "codec": "libx265",
        "pix_fmt": "yuv420p10le",
        "matrix": matrix,
        "tags": {"color_trc": transfer, "color_primaries": 9},
        "draw": draw,
        "width": 96,
        "height": 128,
        "turn_deg": -90,
    }


UNEVEN = [round(90_000 * i / 24 + (700 if i % 3 else 0)) for i in range(FRAMES)]


@table(
    Row(
        "iPhone, HEVC HLG upright, cut in its editor",
        suffix=MOV,
        made=of_a_phone(18, 9),
        changed=edits([(1.5, 0.5)], [(1.5, 0.5 + PRIMED)]),
        **HALF,
    ),
    Row(
        "Android screen recording",
        rate=44100,
        layout="mono",
        made={"ticks": UNEVEN, "base": Fraction(1, 90_000)},
    ),
    Row("OBS in MKV", suffix=MKV, made=B_FRAMES),
    Row("GoPro, 120 a second", made={"fps": 120, "frames": 240}, frames=240),
    Row(
        "camera, ProRes 422 10 bit and PCM 24 bit",
        "pcm_s24le",
        suffix=MOV,
        made={"codec": "prores_ks", "pix_fmt": "yuv422p10le"},
    ),
    Row("WhatsApp", rate=16000, layout="mono", made={"options": {"profile": "baseline"}}),
    Row("browser recording", "libopus", suffix=WEBM, made={"flags": {"live": "1"}}),
)
def test_what_users_have(row: Row, tmp_path: Path, tracked: list[int]) -> None:
    path = made_file(row, tmp_path)
    shown = [number_of(frame) for _, frame in read_frames(probe(path), threads=1)]
    assert shown == sorted(set(shown))
    assert len(shown) == row.frames
    holds(row, path)
    assert tracked == shown
