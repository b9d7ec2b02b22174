"""Landlock: a Linux process gives up, for good, all files but those named, and all TCP.

The kernel's interface (5.13 and newer) is three system calls with the same numbers on every architecture; see
``Documentation/userspace-api/landlock.rst`` in its source. No privilege is needed. Standard library only.
"""

from __future__ import annotations

import ctypes
import os
import stat
import struct
from collections.abc import Iterable
from pathlib import Path

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
ASK_VERSION = 1
PATH_BENEATH = 1

EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
REMOVE_DIR, REMOVE_FILE, MAKE_DIR, MAKE_REGULAR = 1 << 4, 1 << 5, 1 << 7, 1 << 8
TRUNCATE = 1 << 14
FIRST_RIGHTS = (1 << 13) - 1  # of version 1
LATER_RIGHTS = {2: 1 << 13, 3: TRUNCATE, 5: 1 << 15}  # move between folders, truncate, ioctl on devices
TCP = 0b11  # bind, connect
SCOPES = 0b11  # abstract Unix sockets, signals: none outside
NET_VERSION, SCOPE_VERSION = 4, 6

READ = READ_FILE | READ_DIR
OF_FILES = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE
WRITE = READ | WRITE_FILE | TRUNCATE | MAKE_REGULAR | MAKE_DIR | REMOVE_FILE | REMOVE_DIR


def version() -> int:
    """The kernel's version of Landlock. Raises OSError where it has none."""
    return _call(CREATE_RULESET, None, 0, ASK_VERSION)


def restrict(readable: Iterable[Path], listable: Iterable[Path], writable: Iterable[Path]) -> int:
    """Leave this thread, and those it will start, only what lies at or below the places named.

    ``listable`` places show names alone. Links, sockets and devices cannot be made anywhere. Places that are not there
    are passed over. Returns the kernel's version: TCP is given up from 4 on, signals to others from 6 on. Raises
    OSError; then nothing was given up. PR_SET_NO_NEW_PRIVS must be set before.
    """
    have = version()
    rights = FIRST_RIGHTS
    for since, right in LATER_RIGHTS.items():
        rights |= right if have >= since else 0
    words = [rights]
    if have >= NET_VERSION:
        words.append(TCP)
    if have >= SCOPE_VERSION:
        words.append(SCOPES)
    attributes = struct.pack(f"={len(words)}Q", *words)
    ruleset = _call(CREATE_RULESET, attributes, len(attributes), 0)
    try:
        for places, granted in ((readable, READ), (listable, READ_DIR), (writable, WRITE)):
            for place in places:
                _allow(ruleset, place, granted & rights)
        _call(RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)
    return have


def _allow(ruleset: int, place: Path, rights: int) -> None:
    try:
        handle = os.open(place, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return  # not here, or not for us anyway
    try:
        if not stat.S_ISDIR(os.fstat(handle).st_mode):
            rights &= OF_FILES
        if rights:
            _call(ADD_RULE, ruleset, PATH_BENEATH, struct.pack("=Qi", rights, handle), 0)
    finally:
        os.close(handle)


def _call(number: int, *arguments: int | bytes | None) -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    words = [ctypes.c_long(each) if isinstance(each, int) else each for each in arguments]
    libc.syscall.restype = ctypes.c_long
    answer = int(libc.syscall(ctypes.c_long(number), *words))
    if answer < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return answer
