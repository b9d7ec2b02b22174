"""The reference image: bytes to pixels."""

from __future__ import annotations

import io
import os
import warnings
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

from understudy.errors import PictureError
from understudy.media.limits import check_picture, check_picture_file, check_picture_pixels
from understudy.request import Mode

SIGNATURES = {b"\xff\xd8\xff": "JPEG", b"\x89PNG\r\n\x1a\n": "PNG"}
LEAST_SIDE, MOST_ASPECT = 32, 10  # never lifted: no character can be told in less, nor moved in a strip
LONGEST_SIDE = 4096  # of the output: many hardware decoders for H.264 end here
EXIF_ORIENTATION = 0x0112
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@dataclass(frozen=True)
class Picture:
    """An upright sRGB picture. ``alpha`` is None where the file has none, or where it is opaque everywhere."""

    rgb: NDArray[np.uint8]  # (H, W, 3)
    alpha: NDArray[np.uint8] | None  # (H, W)

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
    short, long = sorted((picture.width, picture.height))
    scale = min(mode.short_side / short, LONGEST_SIDE / long)
    sides = max(round(short * scale / 2) * 2, 2), round(long * scale / 2) * 2
    return sides if picture.width <= picture.height else sides[::-1]


def load_picture(path: str | os.PathLike[str], *, limits: bool = True) -> Picture:
    """Read a JPEG or PNG file, told by its content, into upright sRGB pixels.

    ``limits`` False lifts the limits on the file's size, the sides and the aspect; more than 100 million pixels,
    sides under 32 pixels and an aspect over 10:1 are refused always, before anything is decoded. Raises
    PictureError with one of the codes picture_unreadable, picture_format, picture_damaged,
    picture_too_many_pixels, picture_file_size, picture_too_small, picture_too_large, picture_aspect,
    picture_sliver.
    """
    data = _read(Path(path), limits)
    kind = next((kind for signature, kind in SIGNATURES.items() if data.startswith(signature)), None)
    if kind is None:
        raise PictureError(
            "picture_format",
            "The picture is neither a JPEG nor a PNG file, whatever its name says.",
            limit="JPEG, PNG",
            fix="Save it as JPEG or PNG.",
        )
    if kind == "PNG" and len(data) >= 24:  # Pillow refuses the largest on opening, in its own words
        check_picture_pixels(int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big"))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of pixels fewer than are refused here, and of odd metadata
            with Image.open(io.BytesIO(data), formats=(kind,)) as image:
                check_picture_pixels(*image.size)
                # The same rules for both sides: the turn can wait.
                (check_picture if limits else _check_shape)(*image.size)
                return _pixels(image)
    except PictureError:
        raise
    except Image.DecompressionBombError:
        check_picture_pixels(65535, 65535)  # the most that a JPEG can say; Pillow does not tell
        raise
    except Exception as error:  # Pillow's decoders pass on whatever they meet
        raise PictureError(
            "picture_damaged",
            "The picture's file is damaged or incomplete.",
            value=type(error).__name__,
            fix="Download or export it again.",
        ) from error


def _read(path: Path, limits: bool) -> bytes:
    try:
        if path.is_dir():
            raise IsADirectoryError("it is a folder, not a file")
        if not path.is_file():
            raise FileNotFoundError("no such file")
        if limits:
            check_picture_file(path.stat().st_size)
        return path.read_bytes()
    except (OSError, ValueError) as error:
        raise PictureError(
            "picture_unreadable",
            f"The picture cannot be opened: {getattr(error, 'strerror', None) or error}.",
            fix="Check its path and that it may be read.",
        ) from error


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


def _pixels(image: Image.Image) -> Picture:
    image.load()
    turn = TURNS.get(_orientation(image))
    profile = image.info.get("icc_profile")
    plain: Image.Image = _eight_bit(image)
    alpha: Image.Image | None = None
    if "A" in plain.getbands() or "transparency" in plain.info:
        plain = plain.convert("RGBA")
        alpha = plain.getchannel("A")
        plain = plain.convert("RGB")
    plain = _to_srgb(plain, profile)
    if turn is not None:
        plain = plain.transpose(turn)
        alpha = alpha.transpose(turn) if alpha else None
    opacity = np.array(alpha, np.uint8) if alpha else None
    opaque = opacity is None or bool((opacity == 255).all())
    return Picture(np.array(plain, np.uint8), None if opaque else opacity)


def _orientation(image: Image.Image) -> int:
    """The EXIF orientation, 1 to 8; a damaged EXIF block counts as upright."""
    try:
        return int(image.getexif().get(EXIF_ORIENTATION, 1))
    except Exception:
        return 1


def _eight_bit(image: Image.Image) -> Image.Image:
    """Grey of 16 bits scaled to 8, which Pillow would clip; a transparent grey level becomes alpha."""
    if not image.mode.startswith(("I", "F")):
        return image
    deep = np.asarray(image).astype(np.uint32)
    grey = Image.fromarray(((deep * 255 + 32767) // 65535).astype(np.uint8))
    clear = image.info.get("transparency")
    if isinstance(clear, int):
        grey.putalpha(Image.fromarray(np.where(deep == clear, 0, 255).astype(np.uint8)))
    return grey


def _to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Colours through the file's ICC profile where it has one that fits, else taken as sRGB."""
    if image.mode not in {"RGB", "CMYK", "L"}:
        image = image.convert("RGB")
    if profile:
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            if image.mode == "L" and source.profile.xcolor_space.strip() != "GRAY":
                image = image.convert("RGB")
            srgb = ImageCms.createProfile("sRGB")
            converted = ImageCms.profileToProfile(image, source, srgb, outputMode="RGB")
        except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
            converted = None  # a broken profile says nothing about the pixels
        if converted is not None:
            return converted
    return image.convert("RGB")
