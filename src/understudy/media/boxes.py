"""How many samples an MP4 or MOV says that it has, looked up before FFmpeg opens the file.

FFmpeg makes a list of as many as that before it looks whether they are there: a file of a few bytes can so take
gigabytes. Source of the layout: ISO/IEC 14496-12, sections 4.2 (boxes), 8.7.3 (tables of sizes), 8.8.8 (fragments).
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from pathlib import Path

from understudy.errors import ClipError

MOST_BOXES = 1_000_000  # an hour in which every frame is a fragment of its own has as many
# In all tracks and fragments; FFmpeg takes 36 bytes for one.
MOST_SAMPLES = 4_000_000
DEEPEST = 16
HOLDERS = frozenset((b"moov", b"trak", b"mdia", b"minf", b"stbl", b"edts", b"moof", b"traf", b"mvex"))
SIZES = (b"stsz", b"stz2")
DATA_HANDLER = b"dhlr"  # QuickTime's, of where the data lies rather than what it is
PACKED_INDEX = b"cmov"  # QuickTime's of the 1990s, which unpacks to any size


def check_samples(path: Path) -> None:
    """Raise ClipError (``clip_damaged``) where a file says that it has more samples than any driving video."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        samples = 0
        track: dict[bytes, int] = {}  # of the one at hand
        for count, (name, start) in enumerate(_all_boxes(data, 0, len(data), 0)):
            if name == b"trak":
                samples += _listed(track)
                track = {}
            elif name in SIZES:
                track[name] = max(_number(data, start + 8), track.get(name, 0))
            elif name == b"hdlr" and data[start + 4 : start + 8] != DATA_HANDLER:
                track[name] = data[start + 8 : start + 12] == b"soun"
            elif name == b"stts":
                track[name] = _number(data, start + 4) == 1 and _number(data, start + 12) == 1
            elif name == b"trun":
                samples += _number(data, start + 4)
            if name == PACKED_INDEX or count > MOST_BOXES or samples > MOST_SAMPLES:
                raise _too_many()
        if samples + _listed(track) > MOST_SAMPLES:
            raise _too_many()


def _all_boxes(data: mmap.mmap, start: int, stop: int, depth: int) -> Iterator[tuple[bytes, int]]:
    """The boxes there by name and where their content begins, each before those that it holds.

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
        yield name, at + head
        if name in HOLDERS and depth < DEEPEST:
            yield from _all_boxes(data, at + head, end, depth + 1)
        at = end


def _listed(track: dict[bytes, int]) -> int:
    """Of how many samples FFmpeg makes a list: of none where it is sound and each is one tick long."""
    plain = track.get(b"hdlr") and track.get(b"stts")
    return 0 if plain else max(track.get(name, 0) for name in SIZES)


def _number(data: mmap.mmap, at: int) -> int:
    return int.from_bytes(data[at : at + 4], "big")


def _too_many() -> ClipError:
    return ClipError(
        "clip_damaged",
        "The video's file is damaged: it says that it has more in it than a driving video can have.",
        limit=f"{MOST_SAMPLES} frames and packets of sound",
        fix="Download or export it again.",
    )
