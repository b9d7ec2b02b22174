"""What an MP4 or MOV says about itself, looked over before FFmpeg believes it.

FFmpeg makes a list of as many samples as a file says that it has before it looks whether they are there, so a file of
a few bytes can take gigabytes; and a track whose number has its highest bit set costs it a third of a second in each
fragment. Source of the layout: ISO/IEC 14496-12, sections 4.2 (boxes), 8.3.2 (tracks), 8.7.3 to 8.7.5 (tables of sizes,
chunks and their places), 8.8.8 (fragments).
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from understudy.errors import ClipError

MOST_BOXES = 1_000_000  # an hour in which every frame is a fragment of its own has as many
MOST_SAMPLES = 4_000_000  # in all tracks and fragments; FFmpeg takes 36 bytes for one
PLAIN_PACKET = 1024  # samples of plain sound that FFmpeg lists as one
DEEPEST = 16
HOLDERS = frozenset((b"moov", b"trak", b"mdia", b"minf", b"stbl", b"edts", b"moof", b"traf", b"mvex"))
DATA_HANDLER = b"dhlr"  # QuickTime's, of where the data lies rather than what it is
PACKED_INDEX = b"cmov"  # QuickTime's of the 1990s, which unpacks to any size


@dataclass
class _Track:
    """What the tables of one track say."""

    sound: bool = False
    even: bool = False  # all samples are one tick long, as those of plain sound are
    samples: int = 0
    chunks: int = 0
    # (n, 2): the first chunk, counted from 1, of a run of chunks with as many samples each, and how many.
    runs: NDArray[np.int64] = field(default_factory=lambda: np.zeros((0, 2), np.int64))

    @property
    def listed(self) -> float:
        """Of how many samples, or packets of plain sound, FFmpeg makes a list."""
        if not (self.sound and self.even):
            return self.samples
        first, each = self.runs.T
        last = np.append(first[1:], self.chunks + 1)
        packets = np.maximum(last - first, 0) * (each / PLAIN_PACKET + 1)
        return float(packets.sum())


def check_boxes(path: Path) -> None:
    """Raise ClipError (``clip_damaged``) where a file says that it has more samples than any driving video, or numbers
    its tracks as no program does."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        in_fragments = 0
        tracks = [_Track()]
        for count, (name, start, stop) in enumerate(_boxes(data, 0, len(data), 0)):
            if name == b"trak":
                tracks.append(_Track())
            elif name == b"trun":
                in_fragments += _number(data, start + 4)
            elif name == PACKED_INDEX or (name == b"tkhd" and _track_number(data, start) >= 2**31):
                raise _wrong("its index is of a kind that no camera and no program writes")
            else:
                _note(tracks[-1], data, name, start, stop)
            if count > MOST_BOXES:
                raise _wrong("it has more parts than a driving video can have")
        if in_fragments + sum(track.listed for track in tracks) > MOST_SAMPLES:
            raise _wrong("it says that it has more in it than a driving video can have")


def _boxes(data: mmap.mmap, start: int, stop: int, depth: int) -> Iterator[tuple[bytes, int, int]]:
    """The boxes there, by name and where their content begins and ends, each before those that it holds.

    A length that is wrong ends at the holder's end.
    """
    at = start
    while at + 8 <= stop:
        length, head = _number(data, at), 8
        if length == 1 and at + 16 <= stop:
            length, head = int.from_bytes(data[at + 8 : at + 16], "big"), 16
        end = stop if length == 0 else min(at + length, stop)
        if end < at + head:  # FFmpeg goes no further here either
            return
        name = data[at + 4 : at + 8]
        yield name, at + head, end
        if name in HOLDERS and depth < DEEPEST:
            yield from _boxes(data, at + head, end, depth + 1)
        at = end


def _note(track: _Track, data: mmap.mmap, name: bytes, start: int, stop: int) -> None:
    if name in {b"stsz", b"stz2"}:
        track.samples = max(_number(data, start + 8), track.samples)
    elif name in {b"stco", b"co64"}:
        track.chunks = max(_number(data, start + 4), track.chunks)
    elif name == b"stts":
        track.even = _number(data, start + 4) == 1 and _number(data, start + 12) == 1
    elif name == b"hdlr" and data[start + 4 : start + 8] != DATA_HANDLER:
        track.sound = data[start + 8 : start + 12] == b"soun"
    elif name == b"stsc":
        entries = min(_number(data, start + 4), (stop - start - 8) // 12)
        table = np.frombuffer(data[start + 8 : start + 8 + 12 * max(entries, 0)], ">u4")
        track.runs = table.reshape(-1, 3)[:, :2].astype(np.int64)


def _track_number(data: mmap.mmap, start: int) -> int:
    return _number(data, start + (20 if data[start : start + 1] == b"\1" else 12))


def _number(data: mmap.mmap, at: int) -> int:
    return int.from_bytes(data[at : at + 4], "big")


def _wrong(what: str) -> ClipError:
    return ClipError(
        "clip_damaged",
        f"The video's file is damaged: {what}.",
        fix="Download or export it again.",
    )
