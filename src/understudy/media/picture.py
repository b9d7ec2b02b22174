"""The reference image: bytes to pixels."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, features

from understudy.errors import PictureError
from understudy.media.jpeg_scans import check_scans
from understudy.media.limits import (
    check_picture,
    check_picture_file,
    check_picture_pixels,
    check_picture_weight,
    too_many_pixels,
)
from understudy.media.ordinary_file import why_not_ordinary
from understudy.media.picture_kinds import HEAD_BYTES, READABLE, fix_for, kind_of
from understudy.media.pixels import upright_pixels
from understudy.request import Mode

LEAST_SIDE, MOST_ASPECT = 32, 10  # never lifted: no character can be told in less, nor moved in a strip
LONGEST_SIDE = 4096  # of the output: many hardware decoders for H.264 end here

# Pillow's loggers would reach stderr through Python's last resort where a program sets up no logging of its own.
logging.getLogger("PIL").addHandler(logging.NullHandler())


@dataclass(frozen=True)
class Picture:
    """An upright sRGB picture. ``alpha`` is None where the file has none, or where it is opaque everywhere.

    A side of the file has ``shrunk`` times as many pixels (rounded up here): above 1 for the largest alone.
    """

    rgb: NDArray[np.uint8]  # (H, W, 3)
    alpha: NDArray[np.uint8] | None  # (H, W)
    shrunk: int = 1

    @property
    def width(self) -> int:
        return int(self.rgb.shape[1])

    @property
    def height(self) -> int:
        return int(self.rgb.shape[0])

    def cut(self, x0: int, y0: int, x1: int, y1: int) -> Picture:
        """The part from pixel (x0, y0) to before (x1, y1), of the same memory."""
        alpha = None if self.alpha is None else self.alpha[y0:y1, x0:x1]
        return replace(self, rgb=self.rgb[y0:y1, x0:x1], alpha=alpha)

    def on_white(self) -> NDArray[np.uint8]:
        """(H, W, 3) before white where it is transparent, as browsers and Kling's pages show it."""
        if self.alpha is None:
            return self.rgb
        cover = self.alpha[..., None].astype(np.float32) / 255
        return np.asarray(np.rint(self.rgb * cover + 255 * (1 - cover)), np.uint8)


def output_size(picture: Picture, mode: Mode) -> tuple[int, int]:
    """Width and height of the output: the picture's own aspect, the mode's short side, both even.

    A picture so long that its output would pass 4096 pixels is made smaller than its mode says.
    """
    return output_sides(picture.width, picture.height, mode)


def output_sides(width: int, height: int, mode: Mode) -> tuple[int, int]:
    """`output_size` of a picture with these sides."""
    short, long = sorted((width, height))
    scale = min(mode.short_side / short, LONGEST_SIDE / long)
    sides = max(round(short * scale / 2) * 2, 2), round(long * scale / 2) * 2
    return sides if width <= height else sides[::-1]


def load_picture(
    path: str | os.PathLike[str], *, limits: bool = True, kinds: Sequence[str] = tuple(READABLE)
) -> Picture:
    """Read a picture's file, told by its content, into upright sRGB pixels.

    ``kinds`` are the formats to take, of `picture_kinds.READABLE`; of several pictures in one file it is the first.
    ``limits`` False lifts the limits on the file's size, the sides and the aspect; more than 100 million pixels
    (40 million where the format is neither JPEG nor PNG), sides under 32 pixels and an aspect over 10:1 are refused
    always, before anything is decoded. A picture of more than 25 million pixels is shrunk by two. Raises
    PictureError with one of the codes picture_unreadable, picture_format, picture_damaged,
    picture_too_many_pixels, picture_file_size, picture_too_small, picture_too_large, picture_aspect,
    picture_sliver.
    """
    try:
        with _opened(Path(path)) as file:
            size_bytes = os.fstat(file.fileno()).st_size
            check_picture_weight(size_bytes)
            if limits:
                check_picture_file(size_bytes)
            kind = _checked_kind(file.read(HEAD_BYTES), tuple(kinds))
            file.seek(0)
            return _decoded(file, kind, limits)
    except (OSError, ValueError) as error:
        raise _unreadable(getattr(error, "strerror", None) or str(error)) from error


def _opened(path: Path) -> BinaryIO:
    """The file, which is an ordinary one: others have no end, or would be waited for."""
    why_not = why_not_ordinary(path)
    if why_not is not None:
        raise _unreadable(why_not)
    return path.open("rb")


def _checked_kind(head: bytes, kinds: tuple[str, ...]) -> str:
    kind = kind_of(head)
    if kind in kinds and (kind != "AVIF" or features.check("avif")):
        return kind
    taken = ", ".join(kinds)
    if not head:
        found = "The picture's file is empty."
    elif kind is None:
        found = f"The picture is none of {taken}, whatever its name says."
    else:
        found = f"The picture's file is {kind}, whatever its name says; {taken} can be read."
    raise PictureError("picture_format", found, value=kind, limit=taken, fix=fix_for(kind, kinds))


def _decoded(file: BinaryIO, kind: str, limits: bool) -> Picture:
    if kind == "PNG":  # Pillow refuses the largest on opening, in its own words
        head = file.read(24)
        file.seek(0)
        check_picture_pixels(int.from_bytes(head[16:20], "big"), int.from_bytes(head[20:24], "big"))
    if kind == "JPEG":
        check_scans(file)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of pixels fewer than are refused here, and of odd metadata
            with Image.open(file, formats=(READABLE[kind],)) as image:
                check_picture_pixels(*image.size, copies=kind not in {"JPEG", "PNG"})
                # The same rules for both sides: the turn can wait.
                (check_picture if limits else _check_shape)(*image.size)
                rgb, alpha, shrunk = upright_pixels(image)
                opaque = alpha is None or bool((alpha == 255).all())
                return Picture(rgb, None if opaque else alpha, shrunk)
    except PictureError:
        raise
    except Image.DecompressionBombError as error:
        raise too_many_pixels() from error
    except Exception as error:  # Pillow's decoders pass on whatever they meet
        raise PictureError(
            "picture_damaged",
            "The picture's file is damaged or incomplete.",
            value=type(error).__name__,
            fix="Download or export it again.",
        ) from error


def _unreadable(why: str) -> PictureError:
    return PictureError(
        "picture_unreadable",
        f"The picture cannot be opened: {why}.",
        fix="Check its path and that it may be read.",
    )


def _check_shape(width: int, height: int) -> None:
    short, long = sorted((width, height))
    if short < LEAST_SIDE or long > MOST_ASPECT * short:
        raise PictureError(
            "picture_sliver",
            f"The picture has {width}x{height} pixels: too small or too narrow to show a character.",
            value=f"{width}x{height} px",
            limit=f"{LEAST_SIDE} px a side, {MOST_ASPECT}:1, also without the limits",
            fix="Use a larger picture, or add background at its long edges.",
        )
