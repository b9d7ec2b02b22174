"""The reference image: bytes to upright sRGB pixels."""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from understudy.errors import PictureError
from understudy.media.limits import check_picture_file, check_picture_pixels, check_picture_shape
from understudy.request import Mode

FORMATS = ("JPEG", "PNG")  # a phone's JPEG with a second picture behind it (MPO) opens as JPEG


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


def load_picture(path: Path, *, limits: bool = True) -> Picture:
    """Read a JPEG or PNG, told by its content; EXIF turn applied, colours converted to sRGB, 16 bit to 8.

    ``limits`` False lifts the API's limits, not our own on what is safe to decode. Raises PictureError:
    ``picture_missing``, ``picture_format``, ``picture_broken``, and those of `limits`.
    """
    if not path.is_file():
        raise PictureError(
            "picture_missing",
            f"There is no file {path.name!r}.",
            fix="Check the path of the reference image.",
        )
    if limits:
        check_picture_file(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's own bomb and metadata warnings; our limit comes first
            with Image.open(path, formats=FORMATS) as image:
                check_picture_pixels(*image.size)
                turned = image.getexif().get(0x0112, 1) in (5, 6, 7, 8)
                if limits:
                    width, height = image.size[::-1] if turned else image.size
                    check_picture_shape(width, height)
                image.load()
                return _to_picture(ImageOps.exif_transpose(image))
    except PictureError:
        raise
    except UnidentifiedImageError as error:
        raise PictureError(
            "picture_format",
            f"{path.name!r} is neither a JPEG nor a PNG by its content.",
            limit="JPEG, PNG",
            fix="Save the reference image as JPEG or PNG.",
        ) from error
    except (
        OSError,
        ValueError,
        SyntaxError,
        MemoryError,
        ArithmeticError,
        IndexError,
        TypeError,
        KeyError,
    ) as error:
        raise PictureError(
            "picture_broken",
            f"{path.name!r} cannot be decoded ({type(error).__name__}).",
            fix="Open it in an image editor and save it anew.",
        ) from error
    except Image.DecompressionBombError as error:
        raise PictureError(
            "picture_too_large",
            "The reference image is too large to decode safely.",
            limit="100 million pixels",
            fix="Scale it down.",
        ) from error


def _to_picture(image: Image.Image) -> Picture:
    alpha = None
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        rgba = image.convert("RGBA")
        alpha = np.asarray(rgba.getchannel("A"))
    if image.mode.startswith("I;16") or image.mode in ("I", "F"):
        deep = np.asarray(image, np.float64)
        most = 65535.0 if image.mode != "F" else max(float(deep.max()), 1.0)
        grey = np.rint(np.clip(deep / most, 0, 1) * 255).astype(np.uint8)
        rgb = np.repeat(grey[..., None], 3, axis=2)
    else:
        rgb = np.array(_to_srgb(image), np.uint8)
    if alpha is not None and int(alpha.min()) == 255:
        alpha = None
    return Picture(np.ascontiguousarray(rgb), None if alpha is None else np.ascontiguousarray(alpha))


def _to_srgb(image: Image.Image) -> Image.Image:
    """RGB in sRGB; a profile that cannot be used is ignored, as browsers do."""
    profile = image.info.get("icc_profile")
    if image.mode not in ("RGB", "CMYK", "L"):
        image = image.convert("RGB")
    if profile:
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            converted = ImageCms.profileToProfile(
                image, source, ImageCms.createProfile("sRGB"), outputMode="RGB"
            )
            if converted is not None:
                return converted
        except (ImageCms.PyCMSError, OSError, ValueError):
            pass
    return image.convert("RGB")


def output_size(picture: Picture, mode: Mode) -> tuple[int, int]:
    """(width, height) of the output: the picture's own aspect, the short side as the mode says, both even."""
    scale = mode.short_side / min(picture.width, picture.height)
    return max(round(picture.width * scale / 2) * 2, 2), max(round(picture.height * scale / 2) * 2, 2)
