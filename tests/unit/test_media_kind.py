"""What an uploaded file is taken for, by its first bytes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.server.media_kind import HEAD_BYTES, KINDS, extension_of, kind_of

EBML_HEAD = b"\x1aE\xdf\xa3\x9f\x42\x86\x81\x01\x42\xf7\x81\x01\x42\xf2\x81\x04\x42\xf3\x81\x08\x42\x82"


@pytest.mark.parametrize(
    ("head", "media_type"),
    [
        (b"\xff\xd8\xff\xe0\0\x10JFIF", "image/jpeg"),
        (b"\xff\xd8\xff\xdb\0\x43\0", "image/jpeg"),
        (b"\xff\xd8\xff\xff\xff\xe1\x10\x20Exif", "image/jpeg"),
        (b"\xff\xd8\xff", None),
        (b"\xff\xd8\xff\xe0", None),
        (b"\xff\xd8\xff\xe0\0\1", None),
        (b"\xff\xd8\xff" + bytes(60), None),
        (b"\xff\xd8\xff\xd8\xff\xe0\0\x10JFIF", None),
        (b"\xff\xd8\xff<html><script>", None),
        (b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR", "image/png"),
        (b"\0\0\0\x20ftypisom\0\0\2\0", "video/mp4"),
        (b"\0\0\0\x14ftypqt  \0\0\2\0", "video/quicktime"),
        (b"\0\0\0\x08wide\0\0\0\0mdat", "video/quicktime"),
        (EBML_HEAD + b"\x88matroska", "video/x-matroska"),
        (EBML_HEAD + b"\x84webm", "video/webm"),
        (b"\0\0\0\x18ftypheic\0\0\0\0", None),
        (b"\0\0\0\x18ftypavif\0\0\0\0", None),
        (b"\0\0\0\x18ftypM4A \0\0\0\0", None),
        (b"GIF89a", None),
        (b"<svg xmlns=", None),
        (b"<!doctype html>", None),
        (b"#EXTM3U\n", None),
        (b"", None),
        (b"\xff\xd8", None),
    ],
)
def test_the_kind(head: bytes, media_type: str | None) -> None:
    found = kind_of(head)
    assert (found and found.media_type) == media_type


@given(st.binary(max_size=HEAD_BYTES))
def test_any_bytes_are_of_a_kind_or_of_none(head: bytes) -> None:
    assert kind_of(head) in (None, *KINDS)


def test_extensions_are_told_by_the_media_type() -> None:
    assert [extension_of(kind.media_type) for kind in KINDS] == ["jpg", "png", "mp4", "mov", "mkv", "webm"]
