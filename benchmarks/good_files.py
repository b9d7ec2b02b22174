"""Small files of every kind that is read, made here: what `bad_files` spoils."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from fractions import Fraction
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

from understudy.tracking.joints import REQUIRED
from understudy.tracking.motion import BODY, EYES, FACE, HAND, Motion

KINDS = ("picture", "clip", "motion", "joints")
SIDES = (48, 40)  # of pictures, above the 32 pixels that are always asked for
CLIP_SIDES = (64, 48)
FRAMES, RATE = 16, 16
SOUND_RATE = 16_000


@cache
def good_files(kind: str) -> tuple[tuple[str, bytes], ...]:
    """Names and contents of the good files of a kind."""
    made: dict[str, Callable[[], list[tuple[str, bytes]]]] = {
        "picture": _pictures,
        "clip": _clips,
        "motion": _motions,
        "joints": _joints,
    }
    return tuple(made[kind]())


def _scene() -> NDArray[np.uint8]:
    width, height = SIDES
    y, x = np.mgrid[:height, :width]
    noise = np.random.default_rng(1).integers(0, 30, (height, width))
    return np.stack([5 * x, 6 * y, 100 + noise], axis=2).astype(np.uint8)


def _pictures() -> list[tuple[str, bytes]]:
    rgb = Image.fromarray(_scene())
    clear = rgb.copy()
    clear.putalpha(Image.linear_gradient("L").resize(SIDES))
    dated = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    profile = dated[:24] + bytes(12) + dated[36:]  # without the time at which it was made
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010E] = "a picture"
    deep = Image.fromarray((np.asarray(rgb)[..., 0].astype(np.uint16)) * 257)
    indexed = rgb.quantize(16)
    cmyk = rgb.convert("CMYK")

    def saved(image: Image.Image, kind: str, **options: object) -> bytes:
        out = io.BytesIO()
        image.save(out, kind, **options)
        return out.getvalue()

    return [
        ("jpeg", saved(rgb, "JPEG", quality=85)),
        ("jpeg-444", saved(rgb, "JPEG", quality=70, subsampling=0, exif=exif, icc_profile=profile)),
        ("jpeg-progressive", saved(rgb, "JPEG", progressive=True)),
        ("jpeg-grey", saved(rgb.convert("L"), "JPEG")),
        ("jpeg-cmyk", saved(cmyk, "JPEG")),
        ("jpeg-restarts", saved(rgb, "JPEG", restart_marker_rows=1, comment=b"hello")),
        ("mpo", saved(rgb, "MPO", save_all=True, append_images=[rgb.rotate(180)])),
        ("png", saved(rgb, "PNG")),
        ("png-alpha", saved(clear, "PNG", exif=exif, icc_profile=profile)),
        ("png-palette", saved(indexed, "PNG", transparency=3)),
        ("png-16", saved(deep, "PNG")),
        ("png-1", saved(rgb.convert("1"), "PNG")),
        ("png-animated", saved(rgb, "PNG", save_all=True, append_images=[rgb.rotate(90)])),
        ("webp", saved(rgb, "WEBP", quality=80, exif=exif, icc_profile=profile)),
        ("webp-lossless", saved(clear, "WEBP", lossless=True)),
        ("webp-animated", saved(rgb, "WEBP", save_all=True, append_images=[rgb.rotate(90)])),
        ("avif", saved(clear, "AVIF", quality=60, exif=exif, speed=10)),
        ("bmp", saved(rgb, "BMP")),
        ("bmp-palette", saved(indexed, "BMP")),
        ("gif", saved(indexed, "GIF", transparency=2)),
        ("gif-animated", saved(indexed, "GIF", save_all=True, append_images=[indexed.rotate(90)])),
    ]


def _clips() -> list[tuple[str, bytes]]:
    quick = {"preset": "ultrafast"}
    x265 = {"preset": "ultrafast", "x265-params": "log-level=none:pools=none:frame-threads=1"}
    return [
        ("h264-aac.mp4", _clip("mp4", "libx264", "aac", quick)),
        ("h264-bframes.mp4", _clip("mp4", "libx264", "aac", {"preset": "veryfast", "bf": "2"})),
        ("h264-front.mp4", _clip("mp4", "libx264", "aac", quick, {"movflags": "+faststart"})),
        (
            "h264-fragments.mp4",
            _clip("mp4", "libx264", "aac", quick, {"movflags": "+frag_keyframe+empty_moov", "g": "4"}),
        ),
        ("h264-turned.mov", _clip("mov", "libx264", "pcm_s16le", quick, turn_deg=90)),
        ("h264-silent.mp4", _clip("mp4", "libx264", None, quick)),
        ("h264-10.mp4", _clip("mp4", "libx264", None, quick, pix_fmt="yuv420p10le")),
        ("h264-444.mp4", _clip("mp4", "libx264", "libmp3lame", quick, pix_fmt="yuv444p")),
        ("hevc.mp4", _clip("mp4", "libx265", "aac", x265)),
        ("mpeg4.mp4", _clip("mp4", "mpeg4", "libmp3lame", {})),
        ("vp9.mp4", _clip("mp4", "libvpx-vp9", "libopus", {"deadline": "realtime", "cpu-used": "8"})),
        ("prores.mov", _clip("mov", "prores_ks", "pcm_s16le", {}, pix_fmt="yuv422p10le")),
        ("mjpeg.mov", _clip("mov", "mjpeg", "aac", {}, pix_fmt="yuvj420p")),
        ("h264.mkv", _clip("matroska", "libx264", "aac", quick)),
        ("vp9.webm", _clip("webm", "libvpx-vp9", "libopus", {"deadline": "realtime", "cpu-used": "8"})),
        ("mpeg4.avi", _clip("avi", "mpeg4", "libmp3lame", {})),
    ]


def _clip(
    kind: str,
    codec: str,
    sound: str | None,
    options: dict[str, str],
    container: dict[str, str] | None = None,
    *,
    pix_fmt: str = "yuv420p",
    turn_deg: int = 0,
) -> bytes:
    rate = 48_000 if sound == "libopus" else SOUND_RATE
    width, height = CLIP_SIDES
    wave = np.sin(np.arange(rate) / 9).astype(np.float32)[None] * 0.3
    with TemporaryDirectory() as folder:
        path = Path(folder) / "clip"
        with av.open(str(path), "w", format=kind, options=container or {}) as out:
            video = out.add_stream(codec, rate=Fraction(RATE), options=options)
            video.width, video.height, video.pix_fmt = width, height, pix_fmt
            video.codec_context.thread_count = 1
            if turn_deg:
                video.set_display_rotation(turn_deg)
            audio = out.add_stream(sound, rate=rate, layout="mono") if sound else None
            for index in range(FRAMES):
                picture = np.full((height, width, 3), 60, np.uint8)
                picture[8:24, 2 * index : 2 * index + 16] = (250, 200, 30)
                frame = av.VideoFrame.from_ndarray(picture, "rgb24")
                frame.pts, frame.time_base = index, Fraction(1, RATE)
                out.mux(video.encode(frame))
            out.mux(video.encode(None))
            if audio is not None:
                block = av.AudioFrame.from_ndarray(wave, "fltp", "mono")
                block.sample_rate, block.pts, block.time_base = rate, 0, Fraction(1, rate)
                resampler = av.AudioResampler(
                    audio.codec_context.format.name, "mono", rate, audio.codec_context.frame_size or 1024
                )
                for part in (*resampler.resample(block), *resampler.resample(None)):
                    out.mux(audio.encode(part))
                out.mux(audio.encode(None))
        return path.read_bytes()


def _motions() -> list[tuple[str, bytes]]:
    frames = 24
    random = np.random.default_rng(2)

    def some(*shape: int, to: float = 300) -> NDArray[np.float32]:
        return (random.random((frames, *shape)) * to).astype(np.float32)

    plain = Motion(
        width=360,
        height=640,
        times_s=(np.arange(frames) / 24).astype(np.float32),
        body=some(BODY, 3),
        visibility=some(BODY, to=1),
        world=some(BODY, 3, to=1),
        hands=some(2, HAND, 3),
        hand_score=some(2, to=1),
        face=np.full((frames, FACE, 3), 7, np.float32),
        face_score=some(to=1),
        cuts=(12,),
        camera=np.tile(np.eye(2, 3, dtype=np.float32), (frames, 1, 1)),
        irises=some(EYES, 3),
    )
    bare = Motion(
        **{
            **vars(plain),
            "cuts": (),
            "camera": None,
            "irises": None,
            "body": np.full_like(plain.body, np.nan),
        }
    )
    made = []
    with TemporaryDirectory() as folder:
        for name, motion in (("full", plain), ("bare", bare)):
            path = Path(folder) / f"{name}.npz"
            motion.save(path)
            made.append((name, path.read_bytes()))
    return made


def _joints() -> list[tuple[str, bytes]]:
    places = {name: [100 + 17 * (i % 5), 60 + 23 * i] for i, name in enumerate(REQUIRED)}
    face = {"left_eye": [110, 50], "right_eye": [90, 50], "chin": [100, 75], "head_top": [100, 20]}
    return [
        ("plain", json.dumps(places).encode()),
        ("full", json.dumps({**places, **face}, indent=1).encode("utf-8-sig")),
    ]
