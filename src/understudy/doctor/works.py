"""What is tried out: codecs, a small video, its signature, the learned matte."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

from understudy.doctor.check import SET_UP, Check
from understudy.errors import UnderstudyError
from understudy.request import Matting

ENCODERS = ("libx264", "aac")
DECODERS = ("h264", "hevc", "vp9", "av1", "prores", "mpeg4", "aac", "opus")


def codecs() -> Check:
    """Whether PyAV's libraries write H.264 and AAC, and read what driving videos come in."""

    def look(_: Path) -> str:
        from av.codec import Codec
        from av.codec.codec import UnknownCodecError

        lacking = []
        for name, mode in (*((name, "w") for name in ENCODERS), *((name, "r") for name in DECODERS)):
            try:
                Codec(name, mode)  # type: ignore[arg-type]
            except UnknownCodecError:
                lacking.append(f"{name} for {'writing' if mode == 'w' else 'reading'}")
        if lacking:
            raise OSError(f"PyAV is built without {', '.join(lacking)}")
        return f"writes {', '.join(ENCODERS)}; reads {', '.join(DECODERS)}"

    return _tried("codecs", look)


def video() -> Check:
    """Writes and probes a clip of half a second."""

    def write(path: Path) -> str:
        import av

        from understudy.media.clip import probe

        _grey_clip(path)
        clip = probe(path)
        libraries = ", ".join(
            f"{name} {'.'.join(map(str, av.library_versions[name]))}"
            for name in ("libavcodec", "libavformat")
        )
        return f"{clip.codec} written and read; {libraries}"

    return _tried("video", write)


def provenance() -> Check:
    """Signs a clip as every result is signed, and reads it again."""

    def sign(path: Path) -> str:
        from understudy.media import provenance as credentials

        _grey_clip(path)
        credentials.sign(path, title=path.name, engine="fake")
        state = credentials.read(path)["validation_state"]
        own = os.environ.get(credentials.CERTIFICATE_VARIABLE)
        return f"signature {str(state).lower()}, by {own or 'this machine and its own key'}"

    return _tried("provenance", sign)


def matting() -> Check:
    """Whether ``--matting learned`` can run. An installation without it is a good one; damaged weights are not."""
    try:
        from understudy.engines.puppet.learned_matte import matter_for, runtime
        from understudy.engines.puppet.matting_weights import WEIGHTS

        matter_for(Matting.LEARNED)
        return Check("matting", f"own, or learned by {WEIGHTS.name}; onnxruntime {runtime().__version__}")
    except UnderstudyError as error:
        if error.code != "matting_missing":
            return Check("matting", error.message, error.fix)
        return Check("matting", f"own; what only `--matting learned` needs is not here: {error.fix}")
    except (ImportError, OSError) as error:
        return Check("matting", f"{type(error).__name__}: {error}", SET_UP)


def gpu() -> Check:
    """Whether the engine ``wan-animate`` can work. An installation without it is a good one."""
    from understudy.engines.capabilities import WAN_ANIMATE
    from understudy.engines.diffusion.availability import availability

    found = availability(WAN_ANIMATE)
    cards = ", ".join(device.name for device in found.devices) or "none"
    lacks = found.first
    if found.available or lacks is None:
        return Check("gpu", f"{cards}; {WAN_ANIMATE.name} makes the scenes: {', '.join(found.scenes)}")
    return Check("gpu", f"{cards}; {WAN_ANIMATE.name} cannot work here: {lacks.reason} For it: {lacks.fix}")


def _grey_clip(path: Path) -> None:
    import numpy as np

    from understudy.media.encode import VideoWriter

    frame = np.full((64, 64, 3), 128, np.uint8)
    with VideoWriter(path, 64, 64, Fraction(10), threads=1) as writer:
        for _ in range(5):
            writer.write(frame)


def _tried(name: str, work: Callable[[Path], str]) -> Check:
    """The outcome of ``work`` on a file of its own."""
    try:
        with tempfile.TemporaryDirectory(prefix="understudy-doctor-") as folder:
            return Check(name, work(Path(folder) / "doctor.mp4"))
    except UnderstudyError as error:
        return Check(name, error.message, error.fix)
    except (ImportError, OSError) as error:
        return Check(name, f"{type(error).__name__}: {error}", SET_UP)
