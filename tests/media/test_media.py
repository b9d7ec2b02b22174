"""The real pictures and clips: what the catalogue says of each, and sound that stays in time through the writer."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from understudy.errors import ClipError, PictureError
from understudy.media.clip import probe, read_frames
from understudy.media.encode import VideoWriter
from understudy.media.limits import check_clip
from understudy.media.picture import load_picture
from understudy.request import Orientation


@dataclass(frozen=True)
class Row:
    name: str
    cells: tuple[str, ...]


def rows(media: Path, heading: str, columns: int) -> list[Row]:
    """The table under a heading of the catalogue whose rows begin with a file's name."""
    text = (media / "CATALOG.md").read_text("utf-8")
    section = text.split(heading, 1)[1].split("\n## ", 1)[0]
    found = []
    for line in section.splitlines():
        if match := re.match(r"\| `([^`]+)` \|(.*)\|$", line):
            cells = tuple(cell.strip() for cell in match.group(2).split(" | "))
            assert len(cells) == columns, line
            found.append(Row(match.group(1), cells))
    return found


def verdict(media: Path, name: str, orientation: Orientation) -> str:
    try:
        check_clip(probe(media / "videos" / name), orientation)
    except ClipError as error:
        return error.code
    return "ok"


def told(limits: str, orientation: Orientation) -> str:
    """The catalogue's verdict in our codes. Its edge cases are within our tolerance."""
    if "edge:" in limits:
        return "ok"
    for reason, code in (("side", "clip_too_small"), ("< 3", "clip_too_short")):
        if limits.startswith("FAIL both") and reason in limits:
            return code
    return "clip_too_long" if orientation is Orientation.IMAGE and "image FAIL" in limits else "ok"


def test_clips_are_what_the_catalogue_says(media: Path) -> None:
    listed = rows(media, "## Driving videos", 12)
    assert len(listed) == 26
    wrong = []
    for row in listed:
        _, _, size_bytes, size, fps, frames, _, codec, audio, _, limits, _ = row.cells
        clip = probe(media / "videos" / row.name)
        expected = (
            int(size_bytes),
            int(frames),
            codec.split()[0],
            None if audio == "no" else audio.split()[0],
        )
        if (clip.size_bytes, clip.frame_count, clip.codec, clip.audio_codec) != expected:
            wrong.append((row.name, clip))
        if row.name != "neg_340x256_arm_wrestling.mp4" and f"{clip.width}x{clip.height}" != size:
            wrong.append((row.name, clip))
        if abs(float(clip.fps) - float(fps)) > 0.01 or clip.variable_rate:
            wrong.append((row.name, clip))
        for orientation in Orientation:
            if verdict(media, row.name, orientation) != told(limits, orientation):
                wrong.append((row.name, orientation, verdict(media, row.name, orientation)))
    assert wrong == []


def test_pictures_are_what_the_catalogue_says(media: Path) -> None:
    listed = rows(media, "## Reference images", 8)
    assert len(listed) == 56
    wrong = []
    for row in listed:
        _, _, _, stored, kind, _, limits, _ = row.cells
        try:
            picture = load_picture(media / "images" / row.name)
        except PictureError as error:
            code = {"side": "picture_too_small", "aspect": "picture_aspect"}
            if not limits.startswith("FAIL") or error.code != code[limits.split()[1]]:
                wrong.append((row.name, error.code))
            continue
        sides = {f"{picture.width}x{picture.height}", f"{picture.height}x{picture.width}"}
        has_alpha = "RGBA" in kind and "opaque" not in kind
        if limits.startswith("FAIL") or stored not in sides or (picture.alpha is not None) != has_alpha:
            wrong.append((row.name, limits, picture.width, picture.height, picture.alpha is None))
    assert wrong == []


def test_the_derived_pictures_and_the_turned_one(media: Path) -> None:
    derived = sorted((media / "images").glob("selfref_*.jpg"))
    assert len(derived) == 3
    for path in derived:
        assert load_picture(path).alpha is None
    turned = load_picture(media / "images" / "drw_photo_stickman_exif6.png")
    assert turned.height > turned.width


def test_damaged_frames_in_a_real_clip(media: Path) -> None:
    clip = probe(media / "videos" / "neg_340x256_arm_wrestling.mp4")
    times = [time_s for time_s, _ in read_frames(clip, threads=2, short_side_max=128)]
    assert times == sorted(set(times))
    assert len(times) > 200
    assert times[-1] > 9.5


def test_a_frame_is_the_one_of_its_number(media: Path) -> None:
    clip = probe(media / "videos" / "fb_dance_rooftop.mp4")
    frame = list(read_frames(clip, start_s=138 / 24, stop_s=139 / 24))
    assert len(frame) == 1
    picture = load_picture(media / "images" / "selfref_fb_dance_rooftop_f138.jpg").rgb
    assert np.abs(frame[0][1].astype(int) - picture).mean() < 5


def sound(path: Path, begin_s: float, length_s: float) -> NDArray[np.float32]:
    """Mono sound as a player gives it, counted from the first picture."""
    clip = probe(path)
    with av.open(str(path)) as source:
        stream = source.streams.audio[0]
        rate = stream.rate
        out = np.zeros(round(length_s * rate), np.float32)
        for frame in source.decode(stream):
            samples = frame.to_ndarray().astype(np.float32)
            samples = samples.reshape(-1, frame.samples).mean(axis=0)
            assert frame.time is not None
            place = round((frame.time - clip.start_s - begin_s) * rate)
            first, last = max(place, 0), min(place + len(samples), len(out))
            if first < last:
                out[first:last] = samples[first - place : last - place]
    return out


@pytest.mark.parametrize("name", ["fb_jumping_jacks_dissolves.mp4", "ub_talk_seated_gestures.mp4"])
def test_sound_of_a_stretch_stays_in_time(media: Path, tmp_path: Path, name: str) -> None:
    path = media / "videos" / name
    clip = probe(path)
    start_s, stop_s = 2.0, 4.0
    made = tmp_path / "o.mp4"
    with VideoWriter(
        made, 64, 48, clip.fps, sound_from=clip, sound_start_s=start_s, sound_stop_s=stop_s
    ) as writer:
        for index in range(round((stop_s - start_s) * clip.fps)):
            writer.write(np.zeros((48, 64, 3), np.uint8), float(index / clip.fps))
    was, now = sound(path, start_s, 1.9), sound(made, 0.0, 1.9)
    score = np.fft.irfft(np.fft.rfft(was, 2**18).conj() * np.fft.rfft(now, 2**18))
    shift = int(np.argmax(score))
    shift = shift if shift < 2**17 else shift - 2**18
    assert abs(shift) <= 48  # samples: a millisecond
    assert np.corrcoef(was[2000:], now[2000:])[0, 1] > 0.99
