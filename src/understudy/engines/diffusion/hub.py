"""Pulling a set of weights from the Hugging Face hub: once resolved to a commit, resumed by bytes, checked by sums.

`huggingface_hub` (the extra ``gpu``) speaks with the hub. Its own downloads begin a broken file anew in the next
process, which is too much for shards of 10 GB; so each file goes into a half of ours, which the next pull goes on with,
and which becomes the file when its checksum is right.

The token comes from ``HF_TOKEN`` alone, ``HF_ENDPOINT`` names another hub.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from hashlib import sha256
from pathlib import Path
from threading import Event
from typing import BinaryIO

from understudy.engines.diffusion.hub_errors import (
    SPARE_BYTES,
    explained,
    library,
    no_network,
    no_room,
    quiet,
    unwritable,
)
from understudy.engines.diffusion.manifest import MB, PARTS, Fact, Manifest, Taken, wrong_files
from understudy.engines.diffusion.side_by_side import StoppedError, Tally, side_by_side
from understudy.engines.diffusion.weights import Source, WeightSet
from understudy.errors import ModelError
from understudy.progress import Progress, silent

DOWNLOADING = "pull MB"
TRIES = 5  # connections in a row that bring nothing of a file; the others go on where the last one ended
WAIT_S = 2.0
TIMEOUT_S = 15.0
CHUNK = 2**20


@dataclass(frozen=True)
class Plan:
    """A pull that is about to be made. ``resolved``: the hub was asked, not the manifest of an earlier pull;
    ``moved`` tells of a name that leads elsewhere than it did when this was written."""

    weights: WeightSet
    manifest: Manifest
    resolved: bool
    moved: str = ""

    @property
    def size_bytes(self) -> int:
        return sum(fact.size_bytes for fact in self.manifest.facts.values())


def plan(weights: WeightSet, revision: str | None = None) -> Plan:
    """What to pull: that of the manifest which an earlier pull left, else what the hub says. A name such as ``main``
    becomes a commit here and stays so, until ``revision`` names another for the set's first repository.

    Raises ModelError.
    """
    try:
        kept = Manifest.read(weights.folder, weights)
    except ValueError:
        kept = None
    known = {one.repo: one for one in kept.taken} if kept else {}
    taken = []
    moved = ""
    for number, source in enumerate(weights.sources):
        wanted = revision if number == 0 else None
        one = known.get(source.repo)
        if one is None or wanted not in (None, one.commit):
            one = _asked(source, wanted or source.revision, trusted=wanted is None)
            if not wanted and source.begins and not one.commit.startswith(source.begins):
                moved = f"{source.revision} of {source.repo} was {source.begins} and is now {one.commit}"
        taken.append(one)
    made = Manifest.of(weights, tuple(taken))
    return Plan(weights, made, resolved=kept is None or made.taken != kept.taken, moved=moved)


def download(plan: Plan, progress: Progress = silent) -> Path:
    """Bring what is lacking or wrong, within `pulling`; what is right stays, without a network. Returns the folder.

    Raises ModelError: ``weights_disk``, ``weights_network``, ``weights_unknown``, ``weights_access``,
    ``weights_corrupt``, ``weights_folder`` or ``hub_missing``.
    """
    weights = plan.weights
    folder = weights.folder
    facts = plan.manifest.facts
    try:
        if plan.resolved:
            plan.manifest.write(folder)
        lacking = wrong_files(folder, facts, progress)
        _make_sure_of_room(weights, {path: facts[path] for path in lacking})
        if lacking:
            _fetch_all(plan, lacking, progress)
        _complete(plan).write(folder)
        shutil.rmtree(folder / PARTS, ignore_errors=True)  # halves of another commit's files
    except OSError as error:
        raise unwritable(weights, error) from error
    return folder


def room(plan: Plan) -> tuple[int, int]:
    """Bytes that are still to come, and bytes that are free where they go."""
    weights = plan.weights
    lacking = {
        path: fact for path, fact in plan.manifest.facts.items() if not fact.may_be(weights.folder / path)
    }
    return _still(weights, lacking), shutil.disk_usage(weights.folder).free


def _still(weights: WeightSet, lacking: Mapping[str, Fact]) -> int:
    return sum(max(0, fact.size_bytes - _size(_half(weights, path, fact))) for path, fact in lacking.items())


def _make_sure_of_room(weights: WeightSet, lacking: Mapping[str, Fact]) -> None:
    still, free = _still(weights, lacking), shutil.disk_usage(weights.folder).free
    if lacking and still + SPARE_BYTES > free:
        raise no_room(weights, still, free)


def _asked(source: Source, revision: str, *, trusted: bool) -> Taken:
    """What the hub has of the repository at ``revision``."""
    hub = library(source)
    api = hub.HfApi(endpoint=_endpoint(), token=_token(), library_name="understudy")
    with quiet(), explained(source, revision):
        # Asked for a commit too: unlike the list of files, it fails at once where there is no network.
        commit = api.model_info(source.repo, revision=revision, timeout=TIMEOUT_S).sha
        files = {
            file.path: Fact(file.size, file.lfs.sha256) if file.lfs else Fact(file.size, blob=file.blob_id)
            for file in api.list_repo_tree(source.repo, recursive=True, revision=commit)
            if isinstance(file, hub.hf_api.RepoFile) and source.wants(file.path)
        }
    for path, fact in source.known.items():
        if trusted and files.get(path) != fact:
            raise ModelError(
                "weights_corrupt",
                f"The hub's {path} in {source.repo} is not the file that it was.",
                value=f"SHA-256 {files[path].sum if path in files else 'none'}",
                limit=f"SHA-256 {fact.sum}",
                fix="Do not use it before you know why it changed.",
            )
    if not files:
        raise ModelError(
            "weights_unknown",
            f"{source.repo} has no files of use at {revision}.",
            value=commit,
            fix="Name another commit with --revision.",
        )
    return Taken(source.repo, str(commit), source.licence, files)


def _fetch_all(plan: Plan, lacking: list[str], progress: Progress) -> None:
    weights = plan.weights
    (weights.folder / PARTS).mkdir(exist_ok=True)
    origin = {
        source.place(path): (source, one.commit, path)
        for one in plan.manifest.taken
        for source in weights.sources
        if source.repo == one.repo
        for path in one.files
    }
    facts = {path: plan.manifest.facts[path] for path in lacking}
    ready = Tally()
    ready.add(plan.size_bytes - sum(fact.size_bytes for fact in facts.values()))
    stop = Event()

    def bring(path: str) -> None:
        fact = facts[path]
        part = _half(weights, path, fact)
        source, commit, name = origin[path]
        with explained(source, commit):
            _fill(part, fact, source, commit, name, stop)
        if not fact.fits(part, lambda _: None, stop):
            part.unlink()
            raise ModelError(
                "weights_corrupt",
                f"{path} of {source.repo} came with other bytes than the hub states.",
                value=path,
                limit=f"{'SHA-256' if fact.sha256 else 'git blob'} {fact.sum}",
                fix=f"Run `understudy models pull {weights.name}` again: it downloads this file once more.",
            )
        target = weights.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        part.replace(target)
        ready.add(fact.size_bytes)

    def look() -> None:
        halves = sum(_size(_half(weights, path, fact)) for path, fact in facts.items())
        progress(DOWNLOADING, min(ready.sum + halves, plan.size_bytes) // MB, plan.size_bytes // MB)

    library(weights.sources[0])
    # The smallest first: a wrong address or a missing right shows at once.
    order = sorted(lacking, key=lambda path: facts[path].size_bytes)
    with quiet():
        side_by_side([partial(bring, path) for path in order], look, stop)
    look()


def _fill(part: Path, fact: Fact, source: Source, commit: str, name: str, stop: Event) -> None:
    """Bring the rest of a file into its half, which stays whatever happens."""
    import httpx2

    fruitless = 0
    with os.fdopen(os.open(part, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644), "r+b") as file:
        while (have := file.seek(0, os.SEEK_END)) != fact.size_bytes:
            why: Exception | None = None
            try:
                _go_on(file, have, fact, source, commit, name, stop)
            except httpx2.TransportError as error:
                why = error
            if file.seek(0, os.SEEK_END) > have:
                fruitless = 0
                continue
            fruitless += 1
            if fruitless == TRIES:
                raise no_network(source, str(why or "a file ends before its end")) from why
            stop.wait(WAIT_S)


def _go_on(
    file: BinaryIO, have: int, fact: Fact, source: Source, commit: str, name: str, stop: Event
) -> None:
    from huggingface_hub import hf_hub_url
    from huggingface_hub.utils import build_hf_headers, hf_raise_for_status, http_stream_backoff

    headers = build_hf_headers(token=_token(), library_name="understudy")
    headers["Accept-Encoding"] = "identity"
    if have:
        headers["Range"] = f"bytes={have}-"
    url = hf_hub_url(source.repo, name, revision=commit, endpoint=_endpoint())
    with http_stream_backoff(
        "GET", url, headers=headers, timeout=TIMEOUT_S, retry_on_exceptions=(), retry_on_status_codes=(429,)
    ) as answer:
        hf_raise_for_status(answer)
        if answer.status_code != 206:
            have = 0
        file.seek(have)
        file.truncate()
        for chunk in answer.iter_bytes(CHUNK):
            if stop.is_set():
                raise StoppedError
            have += len(chunk)
            if have > fact.size_bytes:
                file.truncate(0)
                raise no_network(source, f"it sends more of {name} than it stated")
            file.write(chunk)


def _complete(plan: Plan) -> Manifest:
    """The manifest with the SHA-256 of small files too, which the hub knows by git's name only."""
    taken = []
    for one, source in ((one, source) for one in plan.manifest.taken for source in plan.weights.sources):
        if one.repo == source.repo:
            files = {}
            for path, fact in one.files.items():
                content = b"" if fact.sha256 else (plan.weights.folder / source.place(path)).read_bytes()
                files[path] = fact if fact.sha256 else replace(fact, sha256=sha256(content).hexdigest())
            taken.append(replace(one, files=files))
    return Manifest.of(plan.weights, tuple(taken))


def _half(weights: WeightSet, path: str, fact: Fact) -> Path:
    """Where a file is until it is whole; two files may have the same content."""
    return weights.folder / PARTS / f"{path.replace('/', '-')}.{fact.sum}"


def _endpoint() -> str | None:
    return os.environ.get("HF_ENDPOINT") or None


def _token() -> str | bool:
    return os.environ.get("HF_TOKEN") or False


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
