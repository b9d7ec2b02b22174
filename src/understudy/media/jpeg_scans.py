"""A JPEG's kind and its scans, told without decoding: each scan goes over the whole picture, and a small file can hold
thousands."""

from __future__ import annotations

import mmap
import re
from typing import BinaryIO

from understudy.errors import PictureError

MOST_SCANS = 500  # usual are 10, and no encoder writes 200; a scan of 100 million pixels takes 2 ms or more
_START, _END, _TEM, _SOI = 0xDA, 0xD9, 0x01, 0xD8
_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}  # SOFn; the others in that range are tables
_READ = {0xC0, 0xC1, 0xC2, 0xC9, 0xCA}  # sequential and progressive; the rest are lossless or hierarchical
# A marker: not the data's own FF (stuffed with 00) nor its restarts (ITU-T T.81, B.1.1).
_MARKER = re.compile(rb"\xff+([\x01-\xcf\xd8-\xfe])")


def check_scans(file: BinaryIO) -> None:
    """Raise PictureError for a JPEG file of a kind that is not read (``picture_format``), or of more scans than a
    picture needs (``picture_damaged``)."""
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        scans = _scans(data)
    if scans > MOST_SCANS:
        raise PictureError(
            "picture_damaged",
            f"The picture's file goes over its pixels more than {MOST_SCANS} times, which no picture needs.",
            limit=f"{MOST_SCANS} scans",
            fix="Export it again, as an ordinary JPEG or PNG.",
        )


def _scans(data: mmap.mmap) -> int:
    """How many scans the first picture of the file has, as far as they count."""
    at, scans = 2, 0
    while scans <= MOST_SCANS:
        found = _MARKER.search(data, at)
        if found is None or found[1][0] == _END:
            break
        at = found.end()
        if found[1][0] in _FRAMES and (found[1][0] not in _READ or data[at + 2 : at + 3] != b"\x08"):
            raise PictureError(
                "picture_format",
                "The picture is a JPEG of a rare kind (more than 8 bits, lossless or hierarchical).",
                limit="baseline and progressive JPEG, 8 bits",
                fix="Save it as an ordinary JPEG or PNG.",
            )
        scans += found[1][0] == _START
        if found[1][0] not in {_TEM, _SOI}:
            at += int.from_bytes(data[at : at + 2], "big")
    return scans
