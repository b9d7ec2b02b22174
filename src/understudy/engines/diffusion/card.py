"""What only a real card has: memory of its own, and work that goes on when a call has come back."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import Any

import torch

MEMINFO, GROUP, GROUPS = Path("/proc/meminfo"), Path("/proc/self/cgroup"), Path("/sys/fs/cgroup")
# Where a group has its limit, what is used of it, and what of that files are kept in: Linux has two ways.
LIMIT_2 = ("memory.max", "memory.current", "file")
LIMIT_1 = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_cache")


def free_bytes(device: torch.device) -> int:
    """What a model may take: what nobody holds, and what this process holds already, for that makes room."""
    free, _ = torch.cuda.mem_get_info(device)
    return int(free + torch.cuda.memory_reserved(device))


def machine_bytes(meminfo: Path = MEMINFO, group: Path = GROUP, groups: Path = GROUPS) -> int:
    """The machine's own memory that is to be had, within the limits of the container or service that this process is
    in. What files are kept in counts as free: after weights were read that is nearly all of it."""
    try:
        lines = dict(line.split(":", 1) for line in meminfo.read_text().splitlines() if ":" in line)
        free = int(lines["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError, ValueError, IndexError):
        free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return min([free, *_within_limits(group, groups)])


def _within_limits(group: Path, groups: Path) -> Iterator[int]:
    """What each group that holds this process leaves it, where it has a limit."""
    try:
        lines = group.read_text().splitlines()
    except OSError:
        return
    for line in lines:
        number, kinds, path = line.split(":", 2)
        if (number, kinds) == ("0", ""):
            root, (limit, used, cached) = groups, LIMIT_2
        elif "memory" in kinds.split(","):
            root, (limit, used, cached) = groups / "memory", LIMIT_1
        else:
            continue
        within = PurePosixPath(path.lstrip("/"))
        # In a container the path may be the machine's, which cannot be seen from within: its own is the root then.
        for folder in dict.fromkeys(root / part for part in (within, *within.parents)):
            with suppress(OSError, ValueError, KeyError):
                most = int((folder / limit).read_text())  # "max" is no number: no limit
                kept = dict(row.split() for row in (folder / "memory.stat").read_text().splitlines())
                files = int(kept[cached]) - int(kept.get("shmem", 0))  # shared memory counts as files
                yield max(0, most - int((folder / used).read_text()) + files)


def wait_for(device: torch.device) -> None:
    """Until all that it was asked for is done: what is told of progress is true then, and a stop is heard in time."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def give_back(device: torch.device) -> None:
    """What nothing refers to any more, to the driver: the card's memory, and the machine's that a card copies from."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
        if hasattr(torch.accelerator, "empty_host_cache"):  # of later versions
            torch.accelerator.empty_host_cache()


@contextmanager
def visiting(network: Any, device: torch.device, *, stays: bool) -> Iterator[Any]:
    """The network on the device, for as long as it is used where it does not stay."""
    try:
        network.to(device)  # may end in the middle, for want of memory
        yield network
    finally:
        if not stays:
            network.to("cpu")
