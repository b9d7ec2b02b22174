"""What an MP4 or MOV says about itself, looked over before FFmpeg believes it.

FFmpeg makes a list of as many samples as a file says that it has before it looks whether they are there, and lists
them again for each edit, so a file of a few bytes can take gigabytes; and a track whose number has its highest bit set
costs it a third of a second in each fragment. It believes a table wherever it lies, so those that lie elsewhere than
the standard has them are refused. Source of the layout: ISO/IEC 14496-12, sections 4.2 (boxes), 8.3.2 (tracks), 8.5.2
(descriptions of samples), 8.6.6 (edits), 8.7.3 to 8.7.5 (tables of sizes, chunks and their places), 8.8.8 (fragments).
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
MOST_SAMPLES = 4_000_000  # in all tracks, edits and fragments; FFmpeg takes 36 bytes for one
MOST_EDITS = 10_000  # of one track
PLAIN_PACKET = 1024  # samples of plain sound that FFmpeg lists as one
SMALL_PACKET = 160  # at least, of sound whose description says how many samples make a frame
DEEPEST = 16  # FFmpeg gives up after 10
FILE = b""  # what holds the outermost boxes
PLACES = {
    b"moov": FILE,
    b"trak": b"moov",
    b"edts": b"trak",
    b"elst": b"edts",
    b"mdia": b"trak",
    b"minf": b"mdia",
    b"stbl": b"minf",
    b"moof": FILE,
    b"traf": b"moof",
    b"trun": b"traf",
}
# The tables of a track: of one kind it has one, and some kinds have a shorter and a longer form.
TABLES = {
    b"stsz": "sizes",
    b"stz2": "sizes",
    b"stco": "chunks",
    b"co64": "chunks",
    b"stsc": "runs",
    b"stts": "times",
    b"ctts": "shifts",
}
PACKED_INDEX = b"cmov"  # QuickTime's of the 1990s, which unpacks to any size
NEVER_IN_DESCRIPTION = (*TABLES, b"elst", b"trun", PACKED_INDEX)
# In which boxes FFmpeg looks for others, besides those that have their place, and how many bytes come before these.
HOLDERS = {
    **dict.fromkeys(PLACES.keys() - {b"elst", b"trun"}, 0),
    **dict.fromkeys(
        (b"mvex", b"dinf", b"udta", b"tref", b"sinf", b"schi", b"wave", b"ilst", b"iprp", b"ipco"), 0
    ),
    b"iref": 4,
    b"stsd": 8,
}
HIDDEN_INDEX = (b"free", b"hoov")  # editors call an index so while they work on it
OF_SOUND = {
    b"soun",
    b"alis",
    b"rsrc",
    b"url ",
    b"mdta",
    b"mdir",
}  # handlers of sound, of its data, of notes on it


@dataclass
class _Track:
    """What the tables of one track say."""

    handlers: set[bytes] = field(default_factory=set)
    tables: set[str] = field(default_factory=set)
    packet: int = PLAIN_PACKET
    even: bool = False  # all samples are one tick long, as those of plain sound are
    samples: int = 0
    chunks: int = 0
    edits: int = 0
    # (n, 2): the first chunk, counted from 1, of a run of chunks with as many samples each, and how many.
    runs: NDArray[np.int64] = field(default_factory=lambda: np.zeros((0, 2), np.int64))

    @property
    def listed(self) -> float:
        """Of how many samples, or packets of plain sound, FFmpeg makes a list."""
        return self._samples_or_packets * max(self.edits, 1)

    @property
    def _samples_or_packets(self) -> float:
        if b"soun" not in self.handlers:
            return self.samples
        first, each = self.runs.T
        last = np.append(first[1:], self.chunks + 1)
        packets = float((np.maximum(last - first, 0) * (each / self.packet + 1)).sum())
        plain = self.even and self.handlers <= OF_SOUND
        # FFmpeg mends some lengths to one tick, and then lists packets too.
        return packets if plain else max(packets, self.samples)


def check_boxes(path: Path) -> None:
    """Raise ClipError (``clip_damaged``) where a file says that it has more samples than any driving video, has its
    tables where none belong, or numbers its tracks as no program does."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        in_fragments = 0
        tracks = [_Track()]
        for count, (holder, name, start, stop) in enumerate(_boxes(data, FILE, 0, len(data), 0)):
            if PLACES.get(name, holder) != holder or (name in TABLES and holder != b"stbl"):
                raise _odd()
            if name == b"trak":
                tracks.append(_Track())
            elif name == b"trun":
                in_fragments += _number(data, start + 4)
            elif name == PACKED_INDEX or (name == b"tkhd" and _track_number(data, start) >= 2**31):
                raise _odd()
            else:
                _note(tracks[-1], data, name, start, stop)
            if count > MOST_BOXES:
                raise _wrong("it has more parts than a driving video can have")
        if in_fragments + sum(track.listed for track in tracks) > MOST_SAMPLES:
            raise _wrong("it says that it has more in it than a driving video can have")


def _boxes(
    data: mmap.mmap, holder: bytes, start: int, stop: int, depth: int
) -> Iterator[tuple[bytes, bytes, int, int]]:
    """The boxes there, by their holder's name, their own, and where their content begins and ends, each before those
    that it holds.

    A length that is wrong ends at the holder's end.
    """
    at = start
    while at + 8 <= stop:
        length, head = _number(data, at), 8
        if length == 1 and at + 16 <= stop:
            length, head = int.from_bytes(data[at + 8 : at + 16], "big"), 16
        # FFmpeg takes a long length of 8, which is none, for one to the end as well.
        end = stop if length == (8 if head == 16 else 0) else at + length
        if end < at + head:  # FFmpeg goes no further here either
            return
        if holder == b"stsd" and end > stop:  # FFmpeg would read on behind the table
            raise _odd()
        end = min(end, stop)
        name = data[at + 4 : at + 8]
        if name in HIDDEN_INDEX and data[at + head + 4 : at + head + 8] in {b"mvhd", PACKED_INDEX}:
            name = b"moov"
        yield holder, name, at + head, end
        inside = _inside(data, name, at + head, end)
        if inside is not None and depth < DEEPEST:
            yield from _boxes(data, name, inside, end, depth + 1)
        at = end


def _inside(data: mmap.mmap, name: bytes, start: int, stop: int) -> int | None:
    """Where the boxes begin that a box holds, None where it holds none."""
    if name != b"meta":
        return start + HOLDERS[name] if name in HOLDERS else None
    # Two standards differ in what comes first; FFmpeg looks for the handler, in steps of four bytes.
    at = data.find(b"hdlr", start, stop)
    while at >= 0 and (at - start) % 4:
        at = data.find(b"hdlr", at + 1, stop)
    return at - 4 if at >= 0 else None


def _note(track: _Track, data: mmap.mmap, name: bytes, start: int, stop: int) -> None:
    if name in TABLES:
        if TABLES[name] in track.tables:
            raise _odd()
        track.tables.add(TABLES[name])
    if name in {b"stsz", b"stz2"}:
        track.samples = _number(data, start + 8)
    elif name in {b"stco", b"co64"}:
        track.chunks = _number(data, start + 4)
    elif name == b"stts":
        track.even = _number(data, start + 4) == 1 and _number(data, start + 12) == 1
    elif name == b"hdlr":
        track.handlers.add(data[start + 8 : start + 12])
    elif name == b"stsc":
        entries = min(_number(data, start + 4), (stop - start - 8) // 12)
        table = np.frombuffer(data[start + 8 : start + 8 + 12 * max(entries, 0)], ">u4")
        track.runs = table.reshape(-1, 3)[:, :2].astype(np.int64)
    elif name == b"elst":
        track.edits += _number(data, start + 4)
        if track.edits > MOST_EDITS:
            raise _wrong("it is cut into more pieces than a driving video can have")
    elif name == b"stsd":
        # Of several descriptions any may count; GSM has such frames without saying so.
        told = _number(data, start + 44)
        if (
            _number(data, start + 4) != 1
            or data[start + 12 : start + 16] == b"agsm"
            or SMALL_PACKET <= told < PLAIN_PACKET
        ):
            track.packet = SMALL_PACKET
        # How long each description's own part is differs by codec; the names of tables are in none of them.
        if any(data.find(table, start, stop) >= 0 for table in NEVER_IN_DESCRIPTION):
            raise _odd()
        if data.find(b"hdlr", start, stop) >= 0:
            track.handlers.add(b"stsd")


def _track_number(data: mmap.mmap, start: int) -> int:
    return _number(data, start + (20 if data[start : start + 1] == b"\1" else 12))


def _number(data: mmap.mmap, at: int) -> int:
    return int.from_bytes(data[at : at + 4], "big")


def _odd() -> ClipError:
    return _wrong("its index is of a kind that no camera and no program writes")


def _wrong(what: str) -> ClipError:
    return ClipError(
        "clip_damaged",
        f"The video's file is damaged: {what}.",
        fix="Download or export it again.",
    )
