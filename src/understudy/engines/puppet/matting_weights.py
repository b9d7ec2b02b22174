"""The learned matte's network as a file: where it comes from, whether it is here and right, and fetching it.

Nothing is fetched by a task: only `understudy models pull matting` does. The file is the one that the rembg project
publishes; the sum and the size are those of its release, checked against what others pinned for the same file.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPException
from io import BufferedRandom
from pathlib import Path

from understudy import config
from understudy.errors import ModelError
from understudy.progress import Progress, silent

PULL = "Run `understudy models pull matting`."
STAGE = "matting MB"
MB = 10**6
CHUNK = 2**20
TIMEOUT_S = 30
TRIES = 4  # connections for one pull; each goes on where the last one ended


@dataclass(frozen=True)
class Weights:
    """A published file of weights. ``licence`` is its name and who grants it."""

    name: str
    address: str
    sha256: str
    size_bytes: int
    licence: str

    @property
    def path(self) -> Path:
        return config.models_dir() / f"{self.name}.onnx"

    @property
    def part(self) -> Path:
        """What a pull has got so far."""
        return self.path.with_suffix(".onnx.part")


# IS-Net: of the networks that rembg publishes the one for every kind of picture that suits a processor and the memory
# of one task. BiRefNet is said to be better; its users report 12 s a picture and 6 GB for the small one.
WEIGHTS = Weights(
    name="isnet-general-use",
    address="https://github.com/danielgatis/rembg/releases/download/v0.0.0/isnet-general-use.onnx",
    sha256="60920e99c45464f2ba57bee2ad08c919a52bbf852739e96947fbb4358c0d964a",
    size_bytes=178_648_008,
    licence="Apache-2.0, by Xuebin Qin and others (github.com/xuebinqin/DIS)",
)


def weights_path(weights: Weights | None = None) -> Path:
    """The checked file. Raises ModelError: ``matting_missing``, or ``matting_corrupt`` where it is another file."""
    weights = weights or WEIGHTS
    path = weights.path
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ModelError(
            "matting_missing",
            f"The learned matte's network {weights.name!r} is not at {path}.",
            fix=f"{PULL} It downloads {weights.size_bytes / MB:.0f} MB.",
        ) from error
    if found != weights.sha256:
        raise _corrupt(weights, found)
    return path


def pull_matting(progress: Progress = silent, *, weights: Weights | None = None) -> Path:
    """Bring the network into `config.models_dir` and return its path.

    A file that is there and right stays, so a second call needs no network; a download that broke off goes on where it
    ended. Raises ModelError: ``matting_pull_failed``, ``matting_corrupt``.
    """
    weights = weights or WEIGHTS
    total = weights.size_bytes // MB
    try:
        path = weights_path(weights)
    except ModelError:
        pass
    else:
        progress(STAGE, total, total)
        return path
    try:
        weights.part.parent.mkdir(parents=True, exist_ok=True)
        with _own_part(weights) as part:
            _fill(weights, part, progress)
            part.seek(0)
            found = hashlib.file_digest(part, "sha256").hexdigest()
            if found != weights.sha256:
                weights.part.unlink()
                raise _corrupt(weights, found)
            weights.part.chmod(0o644)
            weights.part.replace(weights.path)
    except OSError as error:
        raise _failed(weights, f"{type(error).__name__}: {error}") from error
    return weights.path


@contextmanager
def _own_part(weights: Weights) -> Iterator[BufferedRandom]:
    """The half of the download, for this process alone."""
    with os.fdopen(os.open(weights.part, os.O_RDWR | os.O_CREAT, 0o644), "r+b") as part:
        try:
            fcntl.flock(part, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise _failed(weights, "another process is downloading it now") from error
        # Between opening and locking another process may have ended its pull and moved this very file away.
        if not weights.part.exists() or not os.path.samestat(os.fstat(part.fileno()), weights.part.stat()):
            raise _failed(weights, "another process has just ended a download")
        yield part


def _fill(weights: Weights, part: BufferedRandom, progress: Progress) -> None:
    """Download what is missing of the file; what has come stays for the next time, whatever happens."""
    if part.seek(0, os.SEEK_END) > weights.size_bytes:
        part.truncate(0)
    why = "the connection ends before the file does"
    for _ in range(TRIES):
        before = part.seek(0, os.SEEK_END)
        if before == weights.size_bytes:
            return
        try:
            _go_on(weights, part, before, progress)
        except urllib.error.HTTPError as error:
            error.close()
            raise _failed(weights, f"the server says {error.code} {error.reason}") from error
        except (urllib.error.URLError, HTTPException, TimeoutError, ConnectionError) as error:
            why = str(getattr(error, "reason", None) or error)
        if part.seek(0, os.SEEK_END) <= before:  # one that brought nothing will not do better at once
            break
    if part.seek(0, os.SEEK_END) < weights.size_bytes:
        raise _failed(weights, why)


def _go_on(weights: Weights, part: BufferedRandom, have: int, progress: Progress) -> None:
    wanted = {"User-Agent": "understudy", "Accept-Encoding": "identity"}
    if have:
        wanted["Range"] = f"bytes={have}-"
    request = urllib.request.Request(weights.address, headers=wanted)
    with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
        span = str(answer.headers.get("Content-Range", ""))
        continued = answer.status == 206 and span.startswith(f"bytes {have}-")
        whole = span.rpartition("/")[2] if continued else answer.headers.get("Content-Length")
        # A login page or a message of a proxy's is no beginning of the file: what came before it stays.
        if (answer.status == 206) != continued or whole not in (None, "*", str(weights.size_bytes)):
            raise _failed(weights, "the server sends another file")
        if not continued:
            have = part.truncate(0)
        part.seek(have)
        while chunk := answer.read(CHUNK):
            have += len(chunk)
            if have > weights.size_bytes:
                part.truncate(0)
                raise _failed(weights, "the server sends another file")
            part.write(chunk)
            progress(STAGE, have // MB, weights.size_bytes // MB)


def _failed(weights: Weights, why: str) -> ModelError:
    return ModelError(
        "matting_pull_failed",
        f"The network {weights.name!r} could not be downloaded: {why}.",
        value=weights.address,
        fix="Check the network and run `understudy models pull matting` again: it goes on where it stopped. "
        f"Or bring the file yourself to {weights.path}.",
    )


def _corrupt(weights: Weights, found: str) -> ModelError:
    return ModelError(
        "matting_corrupt",
        f"The learned matte's network at {weights.path} is not the published file.",
        value=f"SHA-256 {found}",
        limit=f"SHA-256 {weights.sha256}",
        fix=PULL,
    )
