"""The machine below: Python, system, processor, memory, terminal."""

from __future__ import annotations

import os
import platform
import sys
from pathlib import Path

from understudy.doctor.check import Check

OLDEST_PYTHON = (3, 11)
NEWEST_TRIED = (3, 14)
ARCHITECTURES = ("x86_64", "aarch64", "arm64")
LEAST_MEMORY_MB = 800  # what a video of mode pro takes, see docs/performance.md
MEMINFO = Path("/proc/meminfo")
CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")
MB = 1_000_000


def python(current: tuple[int, int, int] = sys.version_info[:3]) -> Check:
    found = ".".join(str(part) for part in current)
    if current[:2] < OLDEST_PYTHON:
        return Check(
            "python", f"{found} is too old", "Use Python 3.11 or newer: make setup PYTHON=python3.13."
        )
    tried = "" if current[:2] <= NEWEST_TRIED else ", newer than what was tried"
    where = "a virtual environment" if sys.prefix != sys.base_prefix else "no virtual environment"
    return Check("python", f"{found}{tried}, {where} at {sys.prefix}")


def system(name: str = sys.platform, architecture: str | None = None, libc: str | None = None) -> Check:
    """Whether the packages' wheels exist for it: Linux with glibc, and macOS."""
    kind = platform.machine() if architecture is None else architecture
    below = " ".join(platform.libc_ver()).strip() if libc is None else libc
    found = ", ".join(part for part in (platform.platform(terse=True), kind, below) if part)
    if kind not in ARCHITECTURES:
        return Check(
            "system",
            f"{found}: there are no packages for {kind}",
            f"Use a machine of {', '.join(ARCHITECTURES)}.",
        )
    if name == "linux" and not below.startswith("glibc"):
        return Check(
            "system", f"{found}: there are no packages for another C library", "Use a Linux with glibc."
        )
    return Check("system", found)


def processor() -> Check:
    """The cores that this process may use, which can be fewer than the machine has."""
    every = os.cpu_count() or 1
    ours = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else every
    return Check("processor", f"{ours} cores" if ours == every else f"{ours} of {every} cores")


def memory(meminfo: Path = MEMINFO, limit: Path = CGROUP_LIMIT) -> Check:
    """What is free now, within a container's limit: ``/proc/meminfo`` and the control group's ``memory.max``."""
    free_mb = _available_mb(meminfo)
    if free_mb is None:
        return Check("memory", "unknown on this system")
    found = f"{free_mb} MB free"
    try:
        allowed_mb = int(limit.read_text()) // MB
    except (OSError, ValueError):  # no control group, or "max"
        allowed_mb = free_mb
    if allowed_mb < free_mb:
        found, free_mb = f"{allowed_mb} MB allowed to this container, {found}", allowed_mb
    if free_mb < LEAST_MEMORY_MB:
        return Check(
            "memory",
            f"{found}, a video can take {LEAST_MEMORY_MB} MB",
            "End other programs or give it more memory.",
        )
    return Check("memory", found)


def terminal() -> Check:
    """How text and file names are written. Whatever cannot be is shown as escapes, which is no fault."""
    language = os.environ.get("LC_ALL") or os.environ.get("LC_CTYPE") or os.environ.get("LANG") or "not set"
    names, text = sys.getfilesystemencoding(), getattr(sys.stdout, "encoding", None) or "unknown"
    found = f"language {language}, text {text}, file names {names}"
    if names.lower().replace("-", "") != "utf8":
        return Check("terminal", found, "Set LANG=C.UTF-8: files with accents in their names are not found.")
    return Check("terminal", found)


def _available_mb(meminfo: Path) -> int | None:
    try:
        lines = dict(line.split(":", 1) for line in meminfo.read_text().splitlines() if ":" in line)
        return int(lines["MemAvailable"].split()[0]) * 1024 // MB
    except (OSError, KeyError, ValueError, IndexError):
        return None
