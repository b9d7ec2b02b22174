"""The machine's graphics cards, seen without loading what computes on them."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

LIMIT_S = 10  # a driver that hangs, hangs for ever
QUERY = ("--query-gpu=name,memory.total", "--format=csv,noheader,nounits")
ROOT = Path("/")
AMD = "0x1002"
MB = 2**20


@dataclass(frozen=True)
class Device:
    """``memory_mb`` is the card's whole memory in MiB, None where it is not told."""

    name: str
    memory_mb: int | None


def gpus(root: Path = ROOT) -> tuple[Device, ...]:
    """Those that this process may use: NVIDIA's, else AMD's. ``root`` stands in for the file system's."""
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES")
    if hidden is not None and hidden.strip() in ("", "-1"):
        return ()
    return _told_by_the_driver() or _nvidia(root) or _amd(root)


def _told_by_the_driver() -> tuple[Device, ...]:
    program = shutil.which("nvidia-smi")
    if program is None:
        return ()
    try:
        done = subprocess.run(
            [program, *QUERY],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=LIMIT_S,
            check=True,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.SubprocessError):
        return ()
    found = []
    for line in done.stdout.splitlines():
        name, comma, memory = line.rpartition(",")
        if comma:
            memory = memory.strip()
            found.append(Device(name.strip(), int(memory) if memory.isdecimal() else None))
    return tuple(found)


def _nvidia(root: Path) -> tuple[Device, ...]:
    """By the kernel's own list. A container sees that of its host, but has the devices only where they were given."""
    if not any((root / "dev").glob("nvidia[0-9]*")):
        return ()
    found = []
    for told in sorted((root / "proc/driver/nvidia/gpus").glob("*/information")):
        fields = dict(line.split(":", 1) for line in _text(told).splitlines() if ":" in line)
        found.append(Device(fields.get("Model", "NVIDIA GPU").strip(), None))
    return tuple(found)


def _amd(root: Path) -> tuple[Device, ...]:
    if not (root / "dev/kfd").exists():
        return ()
    found = []
    for card in sorted((root / "sys/class/drm").glob("card[0-9]*/device")):
        memory = _text(card / "mem_info_vram_total")
        if _text(card / "vendor") == AMD and memory.isdecimal():
            found.append(Device(_text(card / "product_name") or "AMD GPU", int(memory) // MB))
    return tuple(found)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
