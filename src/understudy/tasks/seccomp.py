"""A seccomp filter: system calls that making a video never needs are refused for good.

Landlock knows nothing of sockets that are files: the embedded Postgres listens on one. So no socket can be made or
connected at all; nor can a process be started, traced or signalled, or a new corner of the kernel be reached.
A classic BPF program; see ``Documentation/userspace-api/seccomp_filter.rst`` in the kernel's source, the numbers are
those of its tables of system calls. Standard library only.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
from dataclasses import dataclass

PR_SET_SECCOMP, FILTER = 22, 2
LOAD, JUMP_EQUAL, JUMP_ABOVE, JUMP_BITS, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
ALLOW, KILL_PROCESS, ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
NUMBER_AT, ARCHITECTURE_AT, FIRST_ARGUMENT_AT = 0, 4, 16
CLONE_THREAD = 0x00010000
X32 = 0x40000000  # the x86-64 kernel's second table of calls

REFUSED = (  # call, its number on x86-64, on 64-bit ARM
    ("socket", 41, 198),
    ("connect", 42, 203),
    ("bind", 49, 200),
    ("listen", 50, 201),
    ("socketpair", 53, 199),
    ("fork", 57, None),
    ("vfork", 58, None),
    ("execve", 59, 221),
    ("execveat", 322, 281),
    ("kill", 62, 129),
    ("tkill", 200, 130),
    ("rt_sigqueueinfo", 129, 138),
    ("rt_tgsigqueueinfo", 297, 240),
    ("pidfd_send_signal", 424, 424),
    ("setpgid", 109, 154),
    ("setsid", 112, 157),
    ("ptrace", 101, 117),
    ("process_vm_readv", 310, 270),
    ("process_vm_writev", 311, 271),
    ("pidfd_getfd", 438, 438),
    ("unshare", 272, 97),
    ("setns", 308, 268),
    ("mount", 165, 40),
    ("umount2", 166, 39),
    ("pivot_root", 155, 41),
    ("chroot", 161, 51),
    ("open_tree", 428, 428),
    ("move_mount", 429, 429),
    ("fsopen", 430, 430),
    ("open_by_handle_at", 304, 265),
    ("init_module", 175, 105),
    ("finit_module", 313, 273),
    ("kexec_load", 246, 104),
    ("bpf", 321, 280),
    ("perf_event_open", 298, 241),
    ("userfaultfd", 323, 282),
    ("add_key", 248, 217),
    ("request_key", 249, 218),
    ("keyctl", 250, 219),
    ("io_uring_setup", 425, 425),
    ("io_uring_enter", 426, 426),
    ("io_uring_register", 427, 427),
)


@dataclass(frozen=True)
class Table:
    """An architecture's own numbers. ``audit`` is how the kernel names it to the filter."""

    audit: int
    clone: int
    tgkill: int
    clone3: int
    refused: frozenset[int]


X86_64 = Table(0xC000003E, 56, 234, 435, frozenset(each for _, each, _ in REFUSED))
ARM64 = Table(0xC00000B7, 220, 131, 435, frozenset(each for _, _, each in REFUSED if each is not None))
TABLES = {"x86_64": X86_64, "aarch64": ARM64, "arm64": ARM64}


def restrict() -> None:
    """Refuse those calls to this thread and all that it will start. PR_SET_NO_NEW_PRIVS must be set before.

    A refused call fails with EPERM. Raises OSError where the kernel or the architecture has no such filter.
    """
    table = TABLES.get(platform.machine())
    if table is None or struct.calcsize("P") != 8:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    program = _program(table, os.getpid())
    held = ctypes.create_string_buffer(program, len(program))

    class Filter(ctypes.Structure):
        _fields_ = (("length", ctypes.c_ushort), ("steps", ctypes.c_void_p))

    described = Filter(len(program) // 8, ctypes.addressof(held))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_SECCOMP, ctypes.c_ulong(FILTER), ctypes.byref(described), 0, 0):
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))


def _program(table: Table, own: int) -> bytes:
    """The filter's steps, 8 bytes each: code, jump if true, jump if false, operand."""
    steps = [
        (LOAD, 0, 0, ARCHITECTURE_AT),
        (JUMP_EQUAL, 1, 0, table.audit),
        (RETURN, 0, 0, KILL_PROCESS),
        (LOAD, 0, 0, NUMBER_AT),
        (JUMP_ABOVE, 0, 1, X32),
        (RETURN, 0, 0, ERRNO | errno.EPERM),
        (
            JUMP_EQUAL,
            0,
            1,
            table.clone3,
        ),  # its flags lie in memory; with ENOSYS the C library falls back to clone
        (RETURN, 0, 0, ERRNO | errno.ENOSYS),
    ]
    for number in sorted(table.refused):
        steps += [(JUMP_EQUAL, 0, 1, number), (RETURN, 0, 0, ERRNO | errno.EPERM)]
    steps += [  # threads, but no processes
        (JUMP_EQUAL, 0, 4, table.clone),
        (LOAD, 0, 0, FIRST_ARGUMENT_AT),
        (JUMP_BITS, 1, 0, CLONE_THREAD),
        (RETURN, 0, 0, ERRNO | errno.EPERM),
        (RETURN, 0, 0, ALLOW),
    ]
    steps += [  # signals to itself: abort() is one
        (JUMP_EQUAL, 0, 3, table.tgkill),
        (LOAD, 0, 0, FIRST_ARGUMENT_AT),
        (JUMP_EQUAL, 1, 0, own),
        (RETURN, 0, 0, ERRNO | errno.EPERM),
        (RETURN, 0, 0, ALLOW),
    ]
    return b"".join(struct.pack("=HBBI", *step) for step in steps)
