"""A set of weights in the hub's layout, of some kilobytes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

COMMIT = "59e4141466bcb1bf9733eca1bc78be6891c9fbdf"


def safetensors(tensors: Mapping[str, bytes]) -> bytes:
    """A file of the format, each tensor a row of bytes."""
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    at = 0
    for name, content in tensors.items():
        header[name] = {"dtype": "U8", "shape": [len(content)], "data_offsets": [at, at + len(content)]}
        at += len(content)
    told = json.dumps(header).encode()
    return len(told).to_bytes(8, "little") + told + b"".join(tensors.values())


def small_files(*, salt: bytes = b"") -> dict[str, bytes]:
    """What the hub has of wan-animate-2, by path, besides what is of no use."""
    names = [f"diffusion_pytorch_model-0000{n}-of-00002.safetensors" for n in (1, 2)]
    index = {"metadata": {}, "weight_map": {"one": names[0], "two": names[1]}}
    config = json.dumps({"_class_name": "Model"}).encode()
    files = {
        "modular_model_index.json": json.dumps({"salt": salt.decode()}).encode(),
        "transformer/config.json": config,
        "transformer/diffusion_pytorch_model.safetensors.index.json": json.dumps(index).encode(),
        f"transformer/{names[0]}": safetensors({"one": b"1" * 70_000 + salt}),
        f"transformer/{names[1]}": safetensors({"two": b"2" * 50_000}),
        "scheduler/scheduler_config.json": config,
        "tokenizer/tokenizer_config.json": config,
        "tokenizer/spiece.model": b"pieces",
    }
    for folder, stem in (
        ("vae", "diffusion_pytorch_model"),
        ("text_encoder", "model"),
        ("image_encoder", "model"),
    ):
        files[f"{folder}/config.json"] = config
        files[f"{folder}/{stem}.safetensors"] = safetensors({folder: folder.encode() * 100})
    return files


def lay(folder: Path, files: Mapping[str, bytes]) -> Path:
    """Write the files into ``folder``."""
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    return folder


def blob_of(content: bytes) -> str:
    """What git names a content by."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def manifest_of(files: Mapping[str, bytes]) -> bytes:
    """The manifest that a pull would leave."""
    facts = {
        path: {
            "size_bytes": len(content),
            "sha256": hashlib.sha256(content).hexdigest(),
            "blob": blob_of(content),
        }
        for path, content in files.items()
    }
    taken = {
        "repo": "Wan-AI/Wan2.2-Animate-2-14B-Distilled-Diffusers",
        "commit": COMMIT,
        "licence": "Apache-2.0",
        "files": facts,
    }
    return json.dumps({"format": 1, "taken": [taken]}).encode()
