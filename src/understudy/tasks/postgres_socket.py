"""Where the embedded Postgres's socket lies, and how it is addressed there."""

from __future__ import annotations

import hashlib
import os
import pwd
import re
import tempfile
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

from understudy.errors import UnavailableError

SOCKET_NAME = ".s.PGSQL.5432"
SOCKET_PATH_BYTES = 100  # a Unix socket's address: 103 on macOS, 107 on Linux


def socket_url(folder: str, database: str) -> str:
    """Of a database, by its server's socket in ``folder``."""
    return f"postgresql://postgres@/{database}?host={quote(folder, safe='/')}"


def socket_folder(pgdata: Path, user: pwd.struct_passwd | None) -> Path:
    """The Postgres folder itself, or a private one where its path cannot be a socket's address. ``user`` is whom the
    server runs as, where that is not this process's. Raises UnavailableError where others have that one."""
    length = len(os.fsencode(pgdata / SOCKET_NAME))
    if length <= SOCKET_PATH_BYTES and not re.search(r'[,:"\n]', str(pgdata)):
        return pgdata
    uid = os.geteuid() if user is None else user.pw_uid
    name = hashlib.sha256(os.fsencode(pgdata)).hexdigest()[:16]
    folder = Path(tempfile.gettempdir()).resolve() / f"understudy-{uid}-{name}"
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
        if user is not None:
            os.chown(folder, user.pw_uid, user.pw_gid)
    found = folder.lstat()
    if not folder.is_dir() or folder.is_symlink() or found.st_uid != uid or found.st_mode & 0o077:
        raise UnavailableError(
            "unavailable",
            f"The folder {str(folder)!r} for the embedded Postgres's socket is not ours alone.",
            value=str(folder),
            fix="Remove it, or choose a data folder with a shorter path.",
        )
    return folder
