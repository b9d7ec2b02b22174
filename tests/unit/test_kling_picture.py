"""The sizes of inline pictures, from their first bytes: what real encoders write, and what nobody should."""

from __future__ import annotations

import io
import struct
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from understudy.errors import FormError
from understudy.sample import character_path
from understudy.server.dialects.inline_picture import inline_picture, picture_size

SOI = b"\xff\xd8"


def segment(marker: int, content: bytes) -> bytes:
    return bytes([0xFF, marker]) + struct.pack(">H", len(content) + 2) + content


def frame(width: int, height: int, marker: int = 0xC0) -> bytes:
    return segment(marker, b"\x08" + struct.pack(">HH", height, width) + b"\x03" + bytes(9))


def written(kind: str, **options: object) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (321, 654), "teal").save(out, kind, **options)  # type: ignore[arg-type]
    return out.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        written("PNG"),
        written("JPEG"),
        written("JPEG", progressive=True),
        written("JPEG", icc_profile=bytes(200_000)),  # four segments before the frame
        written("JPEG", exif=b"Exif\0\0" + bytes(1000), comment=b"\xff\xc0\0\x11\x08\0\1\0\1"),
        written("MPO"),
    ],
)
def test_sizes_of_what_encoders_write(content: bytes) -> None:
    assert picture_size(content) == (321, 654)


def test_the_sample_s_picture() -> None:
    with Image.open(character_path()) as picture:
        assert picture_size(character_path().read_bytes()) == picture.size


@pytest.mark.parametrize("marker", [0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC9, 0xCF])
def test_every_kind_of_frame(marker: int) -> None:
    assert picture_size(SOI + segment(0xC4, b"table") + b"\xff\xff" + frame(640, 480, marker)) == (640, 480)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x89PNG\r\n\x1a\n",
        b"\x89PNG\r\n\x1a\n" + b"\0\0\0\x0dIDAT" + bytes(30),
        b"\x89PNG\n\x1a\n" + bytes(60),
        SOI,
        SOI + b"\xff",
        SOI + segment(0xE0, b"JFIF"),
        SOI + b"\xff\xda\0\x08" + frame(640, 480),
        SOI + b"\xff\xd9" + frame(640, 480),
        SOI + b"\xff\xe0\0\0" + frame(640, 480),
        SOI + b"\xff\xe0\0\1" + frame(640, 480),
        SOI + b"\xff\xe0\xff\xff" + frame(640, 480),
        SOI + frame(640, 480)[:8],
        SOI + b"x" + frame(640, 480),
        b"GIF89a" + bytes(60),
        b"RIFF\0\0\0\0WEBPVP8 " + bytes(60),
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
    ],
)
def test_no_size_where_there_is_no_header(content: bytes) -> None:
    assert picture_size(content) is None


@pytest.mark.parametrize("filler", [b"\xff", b"\xff\xd0", b"\xff\xe0\0\2", b"\xff\xfe\0\2"])
def test_a_header_that_never_ends_costs_nothing(filler: bytes) -> None:
    content = SOI + b"\xff\xe0\0\2" + filler * (10 * 2**20 // len(filler))
    began = time.perf_counter()
    assert picture_size(content) is None
    assert time.perf_counter() - began < 0.5


@given(
    st.sampled_from([b"", b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR", SOI + b"\xff", SOI + frame(9, 9)]), st.binary()
)
def test_any_bytes_have_a_size_or_none(start: bytes, rest: bytes) -> None:
    size = picture_size(start + rest)
    assert size is None or all(0 <= side < 2**32 for side in size)


@given(st.text() | st.text(alphabet="iVBORw0KGgoAAAANSUhEUg/9j=+\r\n", max_size=60))
def test_any_text_is_a_picture_or_a_form_error(text: str) -> None:
    try:
        found: object = inline_picture("image_url", text)
    except FormError as error:
        found = (error.code, error.message[:9])
    assert isinstance(found, bytes) or found == ("field_invalid", "image_url")
