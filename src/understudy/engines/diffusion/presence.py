"""What of a set of weights is in a folder, by names, sizes and headers: cheap enough to ask before every task."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from understudy.engines.diffusion.manifest import MANIFEST, PARTS, Manifest
from understudy.engines.diffusion.safetensors_file import fault_of, shards_of

if TYPE_CHECKING:
    from understudy.engines.diffusion.weights import Component, Source, WeightSet

NAMED = 3  # files that a message names; of the rest it gives the number


class State(StrEnum):
    MISSING = "missing"
    PARTIAL = "partial"
    READY = "ready"
    DAMAGED = "damaged"


@dataclass(frozen=True)
class Presence:
    """What of a set is in a folder. ``here_bytes`` counts halves of downloads too; ``lacking`` and ``damaged`` are
    paths in it; ``commits`` are known where a pull left its manifest, and with them the checksums."""

    state: State
    here_bytes: int
    size_bytes: int
    lacking: tuple[str, ...]
    damaged: tuple[str, ...]
    commits: tuple[str, ...]


def look(weights: WeightSet, folder: Path | None = None) -> Presence:
    """What of the set is in ``folder``, its own if none is given: by names, sizes and headers."""
    folder = folder or weights.folder
    lacking: list[str] = []
    damaged: list[str] = []
    try:
        manifest = Manifest.read(folder, weights)
    except ValueError:
        manifest = None
        damaged.append(MANIFEST)
    facts = manifest.facts if manifest else {}
    for path, fact in facts.items():
        size = _size(folder / path)
        if size is None:
            lacking.append(path)
        elif size != fact.size_bytes:
            damaged.append(path)
    for source in weights.sources:
        if source.needed or any((folder / source.place(path)).exists() for path in source.files):
            for path, why in _unsound(folder, source):
                (damaged if why else lacking).append(path)
    here = sum(_size(path) or 0 for path in present(weights, folder).values()) + _halves(folder)
    if damaged:
        state = State.DAMAGED
    elif lacking:
        state = State.PARTIAL if here else State.MISSING
    else:
        state = State.READY
    size = sum(fact.size_bytes for fact in facts.values()) or weights.size_bytes
    if state is State.READY:
        size = here
    commits = tuple(taken.commit for taken in manifest.taken) if manifest else ()
    return Presence(state, here, size, _once(lacking), _once(damaged), commits)


def present(weights: WeightSet, folder: Path) -> dict[str, Path]:
    """The files of use that are in ``folder``, by their path in it."""
    found: dict[str, Path] = {}
    for source in weights.sources:
        root = folder / source.folder
        for place in (root, *(root / component.folder for component in source.components)):
            for path in sorted(place.iterdir()) if place.is_dir() else ():
                within = path.relative_to(root).as_posix()
                if source.wants(within) and path.is_file():
                    found[source.place(within)] = path
    return found


def named(paths: tuple[str, ...]) -> str:
    """Some paths by name, of the rest how many."""
    more = len(paths) - NAMED
    return ", ".join(paths[:NAMED]) + (f" and {more} more" if more > 0 else "")


def _unsound(folder: Path, source: Source) -> Iterator[tuple[str, str]]:
    """Files that are not there (no reason given) or that cannot be what they are named, and why."""
    root = folder / source.folder
    for names in source.files:
        yield from _one(root, source.place(""), names)
    for component in source.components:
        place = root / component.folder
        where = source.place(component.folder)
        for names in component.files:
            yield from _one(place, where, names)
        if component.stem:
            yield from _weights(place, where, component)


def _one(place: Path, where: str, names: str) -> Iterator[tuple[str, str]]:
    for name in names.split("|"):
        if _size(place / name) is not None:
            why = fault_of(place / name) if name.endswith(".safetensors") else None
            if why or not _size(place / name):
                yield _joined(where, name), why or "it is empty"
            return
    yield _joined(where, names.split("|", 1)[0]), ""


def _weights(place: Path, where: str, component: Component) -> Iterator[tuple[str, str]]:
    names = [f"{component.stem}.safetensors"]
    if _size(place / component.index) is not None:
        try:
            names = shards_of(place / component.index, component.stem)
        except ValueError as error:
            yield _joined(where, component.index), str(error)
            return
    elif _size(place / names[0]) is None and any(place.glob(f"{component.stem}-*-of-*.safetensors")):
        names = [component.index]
    for name in names:
        yield from _one(place, where, name)


def _joined(where: str, name: str) -> str:
    return str(PurePosixPath(where, name))


def _size(path: Path) -> int | None:
    """None where there is no file of that name."""
    try:
        return path.stat().st_size if path.is_file() else None
    except OSError:
        return None


def _halves(folder: Path) -> int:
    parts = folder / PARTS
    return sum(_size(part) or 0 for part in parts.iterdir()) if parts.is_dir() else 0


def _once(paths: list[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(paths))
