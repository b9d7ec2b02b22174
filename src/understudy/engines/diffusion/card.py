"""What only a real card has: memory of its own, and work that goes on when a call has come back."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

MEMINFO = Path("/proc/meminfo")


def free_bytes(device: torch.device) -> int:
    """What a model may take: what nobody holds, and what this process holds already, for that makes room."""
    free, _ = torch.cuda.mem_get_info(device)
    return int(free + torch.cuda.memory_reserved(device))


def machine_bytes(meminfo: Path = MEMINFO) -> int:
    """The machine's own memory that is to be had. What files are kept in counts as free: after weights were read that
    is nearly all of it."""
    try:
        lines = dict(line.split(":", 1) for line in meminfo.read_text().splitlines() if ":" in line)
        return int(lines["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError, ValueError, IndexError):
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def wait_for(device: torch.device) -> None:
    """Until all that it was asked for is done: what is told of progress is true then, and a stop is heard in time."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def give_back(device: torch.device) -> None:
    """What nothing refers to any more, to the driver."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()


@contextmanager
def visiting(network: Any, device: torch.device, *, stays: bool) -> Iterator[Any]:
    """The network on the device, for as long as it is used where it does not stay."""
    network.to(device)
    try:
        yield network
    finally:
        if not stays:
            network.to("cpu")
