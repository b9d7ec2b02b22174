"""What an uploaded file is, by its first bytes: nothing in the server opens more of a stranger's file.

JPEG: ITU-T T.81, B.1; PNG: W3C PNG, 5.2; MP4 and MOV: ISO/IEC 14496-12, 4.3 (the brand of ``ftyp``); Matroska: RFC
8794, 11.2 (the DocType in the EBML header).
"""

from __future__ import annotations

from dataclasses import dataclass

from understudy.media.container import EBML, FIRST_BOXES
from understudy.media.limits import CLIP_BYTES, PICTURE_BYTES

HEAD_BYTES = 64  # an EBML header's DocType stands within them
ALLOWED = "a JPEG or PNG picture of at most 10 MB, or an MP4, MOV or Matroska video of at most 100 MB"

_NO_VIDEO = (
    b"heic",
    b"heix",
    b"hevc",
    b"heif",
    b"mif1",
    b"msf1",
    b"avif",
    b"avis",
    b"M4A ",
    b"M4B ",
    b"crx ",
)
# Of segments that a JPEG begins with: frames, tables (DHT, DQT, DRI), APPn, COM. DAC and the lossless ones too.
_JPEG_MARKERS = frozenset({*range(0xC0, 0xD0), 0xDB, 0xDD, *range(0xE0, 0xF0), 0xFE} - {0xC8})


@dataclass(frozen=True)
class MediaKind:
    """``extension`` is without its dot, ``limit_bytes`` what a file of this kind may weigh."""

    media_type: str
    extension: str
    limit_bytes: int


JPEG = MediaKind("image/jpeg", "jpg", PICTURE_BYTES)
PNG = MediaKind("image/png", "png", PICTURE_BYTES)
MP4 = MediaKind("video/mp4", "mp4", CLIP_BYTES)
MOV = MediaKind("video/quicktime", "mov", CLIP_BYTES)
MATROSKA = MediaKind("video/x-matroska", "mkv", CLIP_BYTES)
WEBM = MediaKind("video/webm", "webm", CLIP_BYTES)
KINDS = (JPEG, PNG, MP4, MOV, MATROSKA, WEBM)


def kind_of(head: bytes) -> MediaKind | None:
    """The kind that a file begins as; None for anything that is neither a picture nor a video that tasks can use."""
    if _is_jpeg(head):
        return JPEG
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return PNG
    if head.startswith(EBML):
        return WEBM if b"webm" in head else MATROSKA
    if head[4:8] == b"ftyp":
        if head[8:12] in _NO_VIDEO:
            return None
        return MOV if head[8:12] == b"qt  " else MP4
    return MOV if head[4:8] in FIRST_BOXES else None


def _is_jpeg(head: bytes) -> bool:
    """SOI, then a segment's marker and a length, which counts itself."""
    if not head.startswith(b"\xff\xd8\xff"):
        return False
    marker, length = (
        head[2:].lstrip(b"\xff")[:1],
        head[2:].lstrip(b"\xff")[1:3],
    )  # a marker may have fill bytes
    return bool(marker) and marker[0] in _JPEG_MARKERS and int.from_bytes(length) >= 2


def extension_of(media_type: str) -> str:
    """The extension of a kind's files, without its dot."""
    return next(kind.extension for kind in KINDS if kind.media_type == media_type)
