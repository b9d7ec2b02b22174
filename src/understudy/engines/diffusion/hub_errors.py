"""What goes wrong when weights are brought here, in our words: the hub, its library, the network, the disk."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from understudy.engines.diffusion.weights import GB, Source, WeightSet
from understudy.errors import ModelError
from understudy.extras import install

SPARE_BYTES = 2 * GB  # to leave free on the disk: a render's work folder may lie there too


def library(source: Source) -> Any:
    try:
        import huggingface_hub
        import huggingface_hub.hf_api
    except ImportError as error:
        raise ModelError(
            "hub_missing",
            f"What downloads {source.repo} is not installed: {error.name or error}.",
            value="huggingface_hub",
            fix=install("gpu"),
        ) from error
    return huggingface_hub


@contextmanager
def quiet() -> Iterator[None]:
    """Without the library's warnings of each new try, which would break the bar."""
    from huggingface_hub.utils import logging

    level = logging.get_verbosity()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(level)


@contextmanager
def explained(source: Source, revision: str) -> Iterator[None]:
    """Say in our words what the hub's library raises."""
    import httpx2
    from huggingface_hub import errors

    try:
        yield
    except errors.GatedRepoError as error:
        raise _no_access(source, "its owner wants to be asked first") from error
    except errors.RevisionNotFoundError as error:
        raise _unknown(source, f"no revision {revision!r}") from error
    except errors.HfHubHTTPError as error:
        code = error.response.status_code if error.response is not None else 0
        if code in (401, 403):
            raise _no_access(source, f"it answers {code}") from error
        if code == 404:
            raise _unknown(source, "no such repository or file") from error
        raise no_network(source, f"it answers {code}") from error
    except errors.OfflineModeIsEnabled as error:
        raise no_network(source, "HF_HUB_OFFLINE forbids it") from error
    except httpx2.TransportError as error:
        raise no_network(source, str(error) or type(error).__name__) from error


def _no_access(source: Source, why: str) -> ModelError:
    return ModelError(
        "weights_access",
        f"The hub does not give {source.repo}: {why}.",
        value=source.repo,
        fix=f"Look at https://huggingface.co/{source.repo}, and set HF_TOKEN to a token that may read it.",
    )


def _unknown(source: Source, why: str) -> ModelError:
    return ModelError(
        "weights_unknown",
        f"The hub knows {why} at {source.repo}.",
        value=source.repo,
        fix="Check --revision and HF_ENDPOINT.",
    )


def no_network(source: Source, why: str) -> ModelError:
    return ModelError(
        "weights_network",
        f"{source.repo} could not be downloaded: {why}.",
        value=source.repo,
        fix="Check the network and pull again: it goes on where it stopped. "
        "A machine without network takes a folder, with --from.",
    )


def unwritable(weights: WeightSet, error: OSError) -> ModelError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return ModelError(
            "weights_disk",
            f"The disk of {weights.folder} is full: {weights.name} did not go on it.",
            value=str(weights.folder),
            fix="Make room and pull again: it goes on where it stopped. Or set UNDERSTUDY_WEIGHTS_DIR to another disk.",
        )
    return ModelError(
        "weights_folder",
        f"The weights {weights.name} cannot be kept in {weights.folder}: {error.strerror or error}.",
        value=str(weights.folder),
        fix="Set UNDERSTUDY_WEIGHTS_DIR to a folder that can be written.",
    )


def no_room(weights: WeightSet, still: int, free: int) -> ModelError:
    needed = f"{still / GB:.1f} GB and {SPARE_BYTES / GB:.0f} GB to spare"
    return ModelError(
        "weights_disk",
        f"{weights.name} needs {needed} in {weights.folder}, where {free / GB:.1f} GB are free.",
        value=f"{free / GB:.1f} GB",
        limit=needed,
        fix="Make room, or set UNDERSTUDY_WEIGHTS_DIR to a folder on a larger disk. What has come stays.",
    )
