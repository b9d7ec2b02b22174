"""A picture that comes within a request, as base64: decoded, and its sizes read from its first fields.

Nothing here decodes an image. The few header bytes that PNG (its IHDR chunk: W3C PNG, 11.2.1) and JPEG (its frame
header: ITU-T T.81, B.2.2) begin with are read by hand; whether the rest is a picture is the worker's to find out.
"""

from __future__ import annotations

import binascii
import re

from understudy.errors import FormError, PictureError
from understudy.media.limits import PICTURE_BYTES, check_picture, check_picture_file, check_picture_pixels
from understudy.server.dialects.fields import invalid, shown

ALLOWED = "an http(s) URL, or a JPEG or PNG of at most 10 MB as base64 without any prefix"

_BASE64 = re.compile(r"[A-Za-z0-9+/]*={0,2}")
_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8\xff"
_ALONE = {0x01, *range(0xD0, 0xD8)}  # TEM and RSTn: markers without a segment
_FRAMES = set(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # SOFn; the others in that range are tables
_END, _SCAN = 0xD9, 0xDA
_MOST_MARKERS = 2000  # 10 MB hold 160 full segments; a hostile file could hold millions of empty ones


def inline_picture(name: str, text: str, *, allowed: str = ALLOWED) -> bytes:
    """The picture's bytes. ``name`` is the field's, ``allowed`` what may stand there. Raises FormError
    (``field_invalid``): bad base64, neither JPEG nor PNG, more than 10 MB, or sides, shape or number of pixels outside
    the limits."""
    content = _decoded(name, text, allowed)
    size = picture_size(content)
    if size is None:
        raise invalid(name, "base64 of something that does not begin as JPEG or PNG does", allowed)
    try:
        check_picture_file(len(content))
        check_picture_pixels(*size)
        check_picture(*size)
    except PictureError as error:
        raise FormError(
            "field_invalid", f"{name}: {error.message}", value=error.value, limit=error.limit, fix=error.fix
        ) from None
    return content


def picture_size(content: bytes) -> tuple[int, int] | None:
    """Width and height in pixels, as the header has them. None where it is no header of PNG or JPEG."""
    if content.startswith(_PNG):
        return _png_size(content)
    if content.startswith(_JPEG):
        return _jpeg_size(content)
    return None


def _decoded(name: str, text: str, allowed: str) -> bytes:
    if text[:5].lower() == "data:":
        raise invalid(name, "base64 with a data: prefix", allowed, fix="Leave the prefix out.")
    # Lines, as MIME and command-line tools wrap them, are the one thing besides the alphabet that is let through.
    bare = text.replace("\r", "").replace("\n", "")
    if len(bare) > 4 * (PICTURE_BYTES // 3 + 1):
        raise invalid(
            name, f"a picture of about {len(bare) * 3 // 4 / 2**20:.1f} MB", allowed, fix="Scale it down."
        )
    if len(bare) % 4 or not _BASE64.fullmatch(bare):
        raise invalid(name, f"neither a URL nor base64: {shown(text)}", allowed)
    return binascii.a2b_base64(bare)


def _png_size(content: bytes) -> tuple[int, int] | None:
    if len(content) < 33 or content[8:16] != b"\0\0\0\x0dIHDR":
        return None
    return int.from_bytes(content[16:20], "big"), int.from_bytes(content[20:24], "big")


def _jpeg_size(content: bytes) -> tuple[int, int] | None:
    """Walks from marker to marker until the frame header, which comes before the first scan."""
    at = 2
    for _ in range(_MOST_MARKERS):
        if at + 4 > len(content) or content[at] != 0xFF:
            return None
        marker = content[at + 1]
        if marker == 0xFF:  # fill
            at += 1
        elif marker in _ALONE:
            at += 2
        elif marker in (0x00, _END, _SCAN):
            return None
        else:
            length = int.from_bytes(content[at + 2 : at + 4], "big")
            if marker in _FRAMES:
                if at + 9 > len(content):
                    return None
                height, width = content[at + 5 : at + 7], content[at + 7 : at + 9]
                return int.from_bytes(width, "big"), int.from_bytes(height, "big")
            if length < 2:
                return None
            at += 2 + length
    return None
