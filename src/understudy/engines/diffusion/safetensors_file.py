"""Whether files of weights are whole, as far as their own headers and indices tell, without loading them.

The format (github.com/huggingface/safetensors): eight bytes, little-endian, with the header's length; the header, JSON,
which gives each tensor's first and last byte counted from its own end; the tensors, with no gap and nothing after them.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

LENGTH_BYTES = 8
MOST_HEADER = 100_000_000  # bytes: the format's own limit
MOST_INDEX = 64 * 2**20


def fault_of(path: Path) -> str | None:
    """Why ``path`` cannot be a whole safetensors file, or None."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            length = int.from_bytes(file.read(LENGTH_BYTES), "little")
            if size < LENGTH_BYTES or not 2 <= length <= min(MOST_HEADER, size - LENGTH_BYTES):
                return "it is no safetensors file, or its beginning only"
            header = json.loads(file.read(length))
    except OSError as error:
        return f"it cannot be read: {error.strerror}"
    except (ValueError, RecursionError):
        return "its header cannot be read"
    end = _end(header)
    if end is None:
        return "its header is no safetensors header"
    whole = LENGTH_BYTES + length + end
    if size != whole:
        return f"it has {size} bytes and should have {whole}"
    return None


def shards_of(path: Path, stem: str) -> list[str]:
    """Names of the files that an index tells of. Raises ValueError with the reason where it is none."""
    try:
        with path.open("rb") as file:
            told = json.loads(file.read(MOST_INDEX + 1)[:MOST_INDEX])
    except OSError as error:
        raise ValueError(f"it cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise ValueError("it is no JSON") from error
    named = told.get("weight_map") if isinstance(told, dict) else None
    if not isinstance(named, dict) or not named:
        raise ValueError("it tells of no weights")
    shape = re.compile(rf"{re.escape(stem)}(-\d+-of-\d+)?\.safetensors")
    if not all(isinstance(name, str) and shape.fullmatch(name) for name in named.values()):
        raise ValueError("it tells of files of other names")
    return sorted(set(named.values()))


def _end(header: object) -> int | None:
    """Where the last tensor ends; None where this is no header."""
    if not isinstance(header, dict):
        return None
    end = 0
    for name, tensor in header.items():
        if name == "__metadata__":
            continue
        span = tensor.get("data_offsets") if isinstance(tensor, dict) else None
        if not isinstance(span, list) or len(span) != 2 or any(type(offset) is not int for offset in span):
            return None
        if not 0 <= span[0] <= span[1]:
            return None
        end = max(end, span[1])
    return end
