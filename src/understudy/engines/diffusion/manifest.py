"""What a pull writes beside the weights: of which commit they are, and each file's size and checksum."""

from __future__ import annotations

import hashlib
import json
import os
import re
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any

from understudy.engines.diffusion.side_by_side import StoppedError, Tally, side_by_side
from understudy.progress import Progress

if TYPE_CHECKING:
    from understudy.engines.diffusion.weights import WeightSet

MANIFEST = "understudy-weights.json"
PARTS = ".parts"  # halves of downloads, named also by the checksum of what they are to become
FORMAT = 1
MOST_BYTES = 4 * 2**20
CHUNK = 2**22
MB = 10**6
CHECKING = "check MB"


@dataclass(frozen=True)
class Fact:
    """What is known of a file: ``sha256``, or, of a small one before it was downloaded, only the ``blob`` that git
    names its content by."""

    size_bytes: int
    sha256: str = ""
    blob: str = ""

    def __post_init__(self) -> None:
        if type(self.size_bytes) is not int or self.size_bytes < 0 or not self.sum:
            raise ValueError("a file's size or checksum")
        for digits, many in ((self.sha256, 64), (self.blob, 40)):
            if not isinstance(digits, str) or re.fullmatch(rf"([0-9a-f]{{{many}}})?", digits) is None:
                raise ValueError("a checksum")

    @property
    def sum(self) -> str:
        return self.sha256 or self.blob

    def may_be(self, path: Path) -> bool:
        """Whether the file is there in the right size."""
        return path.is_file() and path.stat().st_size == self.size_bytes

    def fits(self, path: Path, count: Callable[[int], None], stop: Event) -> bool:
        """Whether the file is there with this very content. Raises OSError."""
        if not self.may_be(path):
            return False
        found = hashlib.sha256() if self.sha256 else hashlib.sha1(usedforsecurity=False)
        if not self.sha256:
            found.update(b"blob %d\0" % self.size_bytes)
        with path.open("rb", buffering=0) as file:
            while chunk := file.read(CHUNK):
                if stop.is_set():
                    raise StoppedError
                found.update(chunk)
                count(len(chunk))
        return found.hexdigest() == self.sum


@dataclass(frozen=True)
class Taken:
    """What was taken of one repository: ``files`` are by their path in the repository."""

    repo: str
    commit: str
    licence: str
    files: Mapping[str, Fact]


@dataclass(frozen=True)
class Manifest:
    """``facts`` are the same files by their path in the set."""

    taken: tuple[Taken, ...]
    facts: Mapping[str, Fact]

    @classmethod
    def of(cls, weights: WeightSet, taken: tuple[Taken, ...]) -> Manifest:
        """Raises ValueError where a repository or a file is none of the set's."""
        sources = {source.repo: source for source in weights.sources}
        facts = {}
        for one in taken:
            source = sources.get(one.repo)
            if source is None or not all(source.wants(path) for path in one.files):
                raise ValueError("files of another set")
            facts.update({source.place(path): fact for path, fact in one.files.items()})
        return cls(taken, facts)

    @classmethod
    def read(cls, folder: Path, weights: WeightSet) -> Manifest | None:
        """That of ``folder``, which may be anybody's; None where there is none. Raises ValueError."""
        try:
            with (folder / MANIFEST).open("rb") as file:
                told = json.loads(file.read(MOST_BYTES + 1)[:MOST_BYTES])
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, RecursionError) as error:
            raise ValueError("it cannot be read") from error
        try:
            if told["format"] != FORMAT:
                raise ValueError("another format")
            return cls.of(weights, tuple(_taken(one) for one in told["taken"]))
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError("other fields") from error

    def write(self, folder: Path) -> None:
        """Put it there whole or not at all. Raises OSError."""
        told = {"format": FORMAT, "taken": [asdict(one) for one in self.taken]}
        handle, name = tempfile.mkstemp(dir=folder, prefix=f".{MANIFEST}.")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(told, file, indent=1)
            os.chmod(name, 0o644)
            os.replace(name, folder / MANIFEST)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise


def wrong_files(folder: Path, facts: Mapping[str, Fact], progress: Progress) -> list[str]:
    """Those of the files that are not there, or have another content; all are read. Raises OSError."""
    read = Tally()
    stop = Event()
    total = sum(fact.size_bytes for path, fact in facts.items() if fact.may_be(folder / path)) // MB

    def wrong(path: str) -> str:
        return "" if facts[path].fits(folder / path, read.add, stop) else path

    def look() -> None:
        if total:
            progress(CHECKING, read.sum // MB, total)

    found = side_by_side([partial(wrong, path) for path in facts], look, stop)
    look()
    return sorted(path for path in found if path)


def _taken(told: Any) -> Taken:
    if re.fullmatch("[0-9a-f]{40}", told["commit"]) is None or not isinstance(told["licence"], str):
        raise ValueError("a commit or a licence")
    return Taken(
        told["repo"],
        told["commit"],
        told["licence"],
        {
            path: Fact(fact["size_bytes"], fact["sha256"], fact["blob"])
            for path, fact in told["files"].items()
        },
    )
