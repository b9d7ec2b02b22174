"""As whom the embedded Postgres runs where we are root, as which it refuses to run.

It is the owner of the Postgres folder; where that is root or the folder is yet to be made, the system user
``understudy``, made if need be, or else ``nobody``.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path

from understudy.errors import UnavailableError


def server_user(folder: Path) -> pwd.struct_passwd | None:
    """The user for the server of that folder; None: we are not root, and it runs as ourselves."""
    if os.geteuid() != 0:
        return None
    with suppress(OSError, KeyError):
        owner = folder.stat().st_uid
        if owner != 0:
            return pwd.getpwuid(owner)
    return _own_user()


def let_pass(user: pwd.struct_passwd, *folders: Path) -> None:
    """Let the user pass through the folders above: the execute bit for others, only where it is missing."""
    for folder in {parent for given in folders for parent in given.parents}:
        with suppress(OSError):
            found = folder.stat()
            bit = 0o100 if found.st_uid == user.pw_uid else 0o010 if found.st_gid == user.pw_gid else 0o001
            if not found.st_mode & bit:
                folder.chmod(found.st_mode & 0o7777 | bit)


def give(folder: Path, user: pwd.struct_passwd) -> None:
    """The folder and all in it to the user; links are not followed."""
    os.chown(folder, user.pw_uid, user.pw_gid, follow_symlinks=False)
    for place, folders, files in os.walk(folder):
        for name in folders + files:
            os.chown(Path(place) / name, user.pw_uid, user.pw_gid, follow_symlinks=False)


def _own_user() -> pwd.struct_passwd:
    """A user for the server: ``understudy``, made now if that can be, else ``nobody``."""
    with suppress(KeyError):
        return pwd.getpwnam("understudy")
    useradd = shutil.which("useradd")
    if useradd is not None:
        shell = "/usr/sbin/nologin"
        subprocess.run(
            [useradd, "--system", "--no-create-home", "--shell", shell, "understudy"],
            check=False,
            capture_output=True,
        )
    for name in ("understudy", "nobody"):
        with suppress(KeyError):
            return pwd.getpwnam(name)
    raise UnavailableError(
        "unavailable",
        "Postgres does not run as root, and this system has no user 'understudy' or 'nobody'.",
        fix="Run Understudy as an ordinary user.",
    )
