"""Whether a set of weights is what was published: every byte read, as far as checksums are known."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from understudy.engines.diffusion.manifest import Fact, Manifest, wrong_files
from understudy.engines.diffusion.presence import Presence, look, present
from understudy.engines.diffusion.weights import SCHEDULER, WeightSet
from understudy.progress import Progress, silent


@dataclass(frozen=True)
class Verdict:
    """``wrong`` are damaged files. Of ``files`` there, ``summed`` were held to a checksum; the others only to what
    their headers say."""

    presence: Presence
    wrong: tuple[str, ...]
    files: int
    summed: int

    @property
    def good(self) -> bool:
        return not self.wrong and not self.presence.lacking


def verify(weights: WeightSet, progress: Progress = silent, *, folder: Path | None = None) -> Verdict:
    """Read every file of the set whose checksum is known, and what can be told of the others. Raises OSError."""
    folder = folder or weights.folder
    found = look(weights, folder)
    here = present(weights, folder)
    facts = {path: fact for path, fact in known_facts(weights, folder).items() if path in here}
    wrong = wrong_files(folder, facts, progress)
    needed = _needed(weights)
    texts = [
        path
        for path in here
        if path.endswith(".json") and path not in facts and not _sound(folder / path, needed=path in needed)
    ]
    damaged = tuple(dict.fromkeys((*found.damaged, *wrong, *texts)))
    return Verdict(found, damaged, len(here), len(facts))


def known_facts(weights: WeightSet, folder: Path) -> dict[str, Fact]:
    """What is known of the set's files, by their path in it: the manifest's word over what the sources state."""
    facts = {source.place(path): fact for source in weights.sources for path, fact in source.known.items()}
    try:
        manifest = Manifest.read(folder, weights)
    except ValueError:
        manifest = None
    return {**facts, **(manifest.facts if manifest else {})}


def _needed(weights: WeightSet) -> set[str]:
    """The files by their path in the set without which nothing is loaded."""
    return {
        source.place(f"{folder}/{name}" if folder else name)
        for source in weights.sources
        for folder, files in (("", source.files), *((one.folder, one.files) for one in source.components))
        for names in files
        for name in names.split("|")
    }


def _sound(path: Path, *, needed: bool) -> bool:
    """Whether it is JSON; one that is needed says something, and a scheduler's names its class."""
    try:
        told = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return False
    if not needed:
        return True
    named = path.name != SCHEDULER or (isinstance(told, dict) and isinstance(told.get("_class_name"), str))
    return isinstance(told, dict) and bool(told) and named
