"""Becomes another program, which ends when its parent does: run by path, in a Python of its own.

    python -I -S launch.py PARENT_PID UID GID PROGRAM ARGUMENT...

UID and GID are ``-`` where the user stays. ``subprocess``'s ``preexec_fn`` would do the same, but forks Python code in
a process that may have threads. On Linux the kernel sends SIGINT to the program when its parent ends; other systems
have no such thing, and whoever starts the program next must look for a leftover. This file imports nothing of ours: it
may run where the package cannot be read.
"""

from __future__ import annotations

import ctypes  # here and not in its place below: the user it changes to may not be able to read this Python
import os
import signal
import sys

PR_SET_PDEATHSIG = 1  # linux/prctl.h


def die_with(parent: int, number: int = signal.SIGINT) -> None:
    """Let the kernel send the signal when the parent ends; where it has ended already, end now."""
    if sys.platform != "linux":
        return
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, int(number), 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def main(arguments: list[str]) -> None:
    parent, uid, gid, *command = arguments
    if uid != "-":
        os.setgroups([])
        os.setgid(int(gid))
        os.setuid(int(uid))
    die_with(int(parent))  # after the change of user, which would forget it
    try:
        os.execv(command[0], command)
    except OSError as error:
        sys.exit(f"{command[0]!r} cannot be run: {error.strerror}")


if __name__ == "__main__":
    main(sys.argv[1:])
