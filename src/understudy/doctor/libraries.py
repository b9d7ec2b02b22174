"""The packages that making a video needs: whether each can be loaded, and in which version."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib import import_module
from importlib.metadata import PackageNotFoundError, packages_distributions, version

from understudy.doctor.apart import ILLEGAL, run
from understudy.doctor.check import SET_UP, Check

PACKAGES = {  # what is installed: what is imported
    "numpy": "numpy",
    "opencv-python-headless": "cv2",
    "av": "av",
    "ai-edge-litert": "ai_edge_litert.interpreter",
    "pillow": "PIL.Image",
    "c2pa-python": "c2pa",
    "cryptography": "cryptography.hazmat.bindings._rust",
    "typer": "typer",
    "rich": "rich",
}
OURS = ("understudy.tracking.mediapipe_tracker", "understudy.engines.puppet.engine")
NO_LIBRARY = re.compile(r"(\S+): cannot open shared object file")
OLD_C = re.compile(r"version `(GLIBC\S*|CXXABI\S*)' not found")


def packages(wanted: Mapping[str, str] | None = None) -> Check:
    """Each package is imported, in another process: a wheel for another platform fails only then, or crashes."""
    known = PACKAGES if wanted is None else wanted
    faults = load_faults(list(known.values()))
    told = [f"{name}: {faults[module]}" for name, module in known.items() if module in faults]
    if told:
        return Check("packages", "; ".join(told), remedy("; ".join(faults.values())))
    return Check("packages", ", ".join(_installed(name, module) for name, module in known.items()))


def engine() -> Check:
    """Whether tracker and engine themselves can be loaded."""
    try:
        for name in OURS:
            import_module(name)
    except (ImportError, OSError) as error:
        return Check("engine", f"{type(error).__name__}: {error}", remedy(str(error)))
    return Check("engine", "puppet and the tracker can be loaded")


def load_faults(modules: list[str]) -> dict[str, str]:
    """What hinders each of ``modules`` from being imported; those that can be are not named."""
    faults: dict[str, str] = {}
    rest = modules
    while rest:
        said, ended = run("load", *rest)
        faults |= {one["module"]: one["fault"] for one in said if one["fault"]}
        rest = rest[len(said) :]
        if rest:  # the process ended while it loaded this one
            faults[rest[0]] = ended or "no answer"
            rest = rest[1:]
    return faults


def remedy(fault: str) -> str:
    """What to do about what a failed import said."""
    library, old = NO_LIBRARY.search(fault), OLD_C.search(fault)
    if library:
        return f"The system lacks {library[1]}: install the package that has it (Debian: apt-file search {library[1]})."
    if old:
        return f"This system's C library is too old, it lacks {old[1]}: Debian 11, Ubuntu 20.04 or newer is needed."
    if "SIGILL" in fault:
        return ILLEGAL
    return SET_UP


def _installed(name: str, module: str) -> str:
    """Name and version; of whichever package brings the module, where another one than ours does."""
    try:
        return f"{name} {version(name)}"
    except PackageNotFoundError:
        others = packages_distributions().get(module.partition(".")[0], ["a package without a name"])
        return (
            f"{others[0]} {version(others[0])}" if len(others[0].split()) == 1 else f"{name}, version unknown"
        )
