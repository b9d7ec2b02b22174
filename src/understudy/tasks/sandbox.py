"""How the process that opens a stranger's files is confined.

It is a session and process group of its own, dies with its parent, has limits on memory, time and files, no network, no
privileges, an environment without secrets, and may read only what Python, the libraries and the models are, and
write only into its work folder. Each part is there where the system offers it (Landlock, seccomp and network
namespaces: Linux alone); what is not is told, and the work goes on. Standard library only: this runs first, alone in
its process, before anything that could have threads is imported.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import struct
import sys
import sysconfig
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from understudy.tasks import landlock, seccomp

MB = 2**20
MOST_FILE_BYTES = 4 * 2**30
MOST_OPEN_FILES = 256
CPU_GRACE_S = 5
KEPT_VARIABLES = ("PYTHONHOME", "PYTHONPATH", "LD_LIBRARY_PATH")  # without them Python may not find itself

# What programs and their libraries read of the system. Nix keeps its libraries in a place of its own.
SYSTEM_PLACES = (
    *("/usr", "/lib", "/lib32", "/lib64", "/nix/store", "/etc/ld.so.cache", "/etc/ld.so.conf"),
    *("/etc/ld.so.conf.d", "/etc/localtime", "/dev/urandom", "/dev/zero", "/proc/self", "/proc/cpuinfo"),
    *("/proc/meminfo", "/proc/stat", "/sys/devices/system/cpu", "/sys/devices/system/node"),
)

PR_SET_PDEATHSIG, PR_SET_NO_NEW_PRIVS = 1, 38
CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000
CAPABILITY_VERSION = 0x20080522
KEPT_CAPABILITIES = 1 << 1 | 1 << 2  # root may have to read packages that are another user's


@dataclass(frozen=True)
class Confinement:
    """What the process keeps. ``folder`` is its own, ``readable`` places come besides Python's and the system's,
    ``hidden`` ones are not readable even where they lie inside of those; ``parent`` is the process it dies with."""

    folder: str
    readable: tuple[str, ...]
    hidden: tuple[str, ...]
    memory_mb: int
    cpu_s: int
    parent: int


def environment(folder: Path, models: Path, threads: int) -> dict[str, str]:
    """All that a confined process is told by its environment."""
    kept = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}
    return {
        **kept,
        "LANG": "C.UTF-8",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONFAULTHANDLER": "1",
        "TMPDIR": str(folder),
        "UNDERSTUDY_MODELS_DIR": str(models),
        "OMP_NUM_THREADS": str(threads),
        "OPENBLAS_NUM_THREADS": "1",  # no product is large enough for more; its threads would only wait in a loop
    }


def confine(wanted: Confinement) -> tuple[str, ...]:
    """Confine this process, which must have one thread. Returns what could not be had, each a few words."""
    missing: list[str] = []

    def attempt(what: str, step: Callable[[], object]) -> None:
        try:
            step()
        except (OSError, ValueError, AttributeError) as error:
            missing.append(f"{what} ({getattr(error, 'strerror', None) or type(error).__name__})")

    for what, kind, most in _limits(wanted):
        attempt(what, partial(_limit, kind, most))
    if sys.platform == "linux":
        attempt("no network namespace", _leave_network)
        attempt("no_new_privs", lambda: _prctl(PR_SET_NO_NEW_PRIVS, 1))
        attempt("Landlock", lambda: _give_up_files(wanted))
        attempt("capabilities", _give_up_capabilities)
        attempt("death with the parent", lambda: _prctl(PR_SET_PDEATHSIG, signal.SIGKILL))
        attempt("seccomp", seccomp.restrict)
    else:
        missing.append(f"files and network ({sys.platform} has no way)")
    if os.getppid() != wanted.parent:  # it died before it could be watched
        os._exit(1)
    return tuple(missing)


def die_with(pipe: int) -> None:
    """End this process when the other end of the pipe is closed, as it is when whoever holds it dies."""

    def watch() -> None:
        with suppress(OSError):
            while os.read(pipe, 4096):
                pass
        with suppress(OSError):
            os.killpg(0, signal.SIGKILL)
        os._exit(1)

    threading.Thread(target=watch, name="parent watch", daemon=True).start()


def _limits(wanted: Confinement) -> Iterator[tuple[str, int, int]]:
    yield "limit on core files", resource.RLIMIT_CORE, 0
    yield "limit on processor time", resource.RLIMIT_CPU, wanted.cpu_s
    yield "limit on file size", resource.RLIMIT_FSIZE, MOST_FILE_BYTES
    yield "limit on open files", resource.RLIMIT_NOFILE, MOST_OPEN_FILES
    # Not RLIMIT_AS: libraries reserve address space by the gigabyte that they never touch.
    yield "limit on memory", resource.RLIMIT_DATA, wanted.memory_mb * MB


def _limit(kind: int, most: int) -> None:
    _, hard = resource.getrlimit(kind)
    if hard != resource.RLIM_INFINITY:
        most = min(most, hard)
    # At the hard limit of time comes SIGKILL, which says less than the soft one's SIGXCPU.
    last = most + CPU_GRACE_S if kind == resource.RLIMIT_CPU and hard == resource.RLIM_INFINITY else most
    resource.setrlimit(kind, (most, last))


def _leave_network() -> None:
    """Into a network namespace with nothing in it. Root keeps its user namespace, which its files may need."""
    libc = ctypes.CDLL(None, use_errno=True)
    flags = CLONE_NEWNET if os.geteuid() == 0 else CLONE_NEWNET | CLONE_NEWUSER
    _checked(libc.unshare(flags))


def _give_up_files(wanted: Confinement) -> None:
    hidden = [Path(place).resolve() for place in wanted.hidden]
    readable = [Path(place) for place in wanted.readable]
    listable: list[Path] = []
    for place in (*_python_places(), *map(Path, SYSTEM_PLACES)):
        for part, whole in _around(place, hidden):
            (readable if whole else listable).append(part)
    landlock.restrict(readable, listable, [Path(wanted.folder), Path("/dev/null")])


def _python_places() -> list[Path]:
    """Where modules and their libraries lie: the prefixes, the search path, and this package where it is elsewhere."""
    names = {sys.prefix, sys.base_prefix, sys.exec_prefix, sys.base_exec_prefix, *sys.path}
    names |= {*sysconfig.get_paths().values(), str(Path(__file__).parents[1])}
    return [Path(name).resolve() for name in sorted(names) if name]


def _around(place: Path, hidden: list[Path]) -> Iterator[tuple[Path, bool]]:
    """What of ``place`` may be read: all of it, or, where something hidden lies inside, all that is beside that. The
    folders on the way there (False) are listed only. A place inside of a hidden one is Python's all the same."""
    if place in hidden:
        return
    whole = not any(each.is_relative_to(place) for each in hidden)
    yield place, whole
    if whole:
        return
    with suppress(OSError):
        for part in place.iterdir():
            if not part.is_symlink():  # it could lead to what is hidden
                yield from _around(part, hidden)


def _give_up_capabilities() -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    header = struct.pack("=Ii", CAPABILITY_VERSION, 0)
    held = ctypes.create_string_buffer(24)  # twice: effective, permitted, inheritable
    _checked(libc.capget(header, held))
    effective, permitted = struct.unpack("=6I", held.raw)[:2]
    kept = KEPT_CAPABILITIES if os.geteuid() == 0 else 0
    left = (effective & kept, permitted & kept, 0, 0, 0, 0)
    _checked(libc.capset(header, struct.pack("=6I", *left)))


def _prctl(option: int, value: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    _checked(libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0))


def _checked(answer: int) -> None:
    if answer != 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
