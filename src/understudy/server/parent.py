"""A child process of the service and its parent: how it is given its settings, and that it ends with its parent.

The child's standard input is a pipe from the parent. First comes one line of JSON, the settings, since a command line
and an environment can be read by others. Then nothing more comes, and its end means that the parent is gone.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import fields

from understudy.config import PREFIX, Settings, keep_data_in
from understudy.tasks.launch import die_with

SECRET_VARIABLES = frozenset({f"{PREFIX}SECRET_KEY", f"{PREFIX}DATABASE_URL"})


def start_child(
    module: str, settings: Settings, *arguments: str, pass_fds: Sequence[int] = ()
) -> subprocess.Popen[bytes]:
    """Run ``python -m module`` with these settings; what it prints goes to our stderr.

    Call it from a thread that lives as long as the child shall: on Linux the child ends with that thread.
    ``release`` must be called once it has ended.
    """
    environment = {name: value for name, value in os.environ.items() if name not in SECRET_VARIABLES}
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", module, *arguments],
        stdin=subprocess.PIPE,
        stdout=2,
        bufsize=0,
        pass_fds=pass_fds,
        env={**environment, "PYTHONUNBUFFERED": "1"},
        start_new_session=True,  # Ctrl-C is for the parent, which then stops its children in order
    )
    assert process.stdin is not None
    with suppress(BrokenPipeError):  # it has ended already: the caller will see that
        process.stdin.write(_written(settings))
    return process


def release(process: subprocess.Popen[bytes]) -> None:
    """Close the parent's end of the pipe; a child that still runs ends itself then."""
    if process.stdin is not None:
        process.stdin.close()


def settings_from_parent() -> Settings:
    """In the child, first of all: its settings. It ends when its parent does, and has the settings' data folder.

    ``database_url`` in them is always filled: that of the embedded Postgres where no other was named.
    """
    line = b""
    while not line.endswith(b"\n"):
        part = os.read(0, 65536)
        if not part:
            os._exit(1)
        line += part
    given = json.loads(line)
    parent = given.pop("parent")
    threading.Thread(target=_wait_for_end, name="parent", daemon=True).start()
    die_with(parent, signal.SIGKILL)
    settings = Settings.load(given, {f"{PREFIX}CONFIG": os.devnull})
    keep_data_in(settings.data_dir)
    return settings


def _written(settings: Settings) -> bytes:
    given = {setting.name: getattr(settings, setting.name) for setting in fields(settings)}
    given["allow_networks"] = [str(network) for network in settings.allow_networks]
    given["data_dir"] = str(settings.data_dir)
    return json.dumps({**given, "parent": os.getpid()}).encode() + b"\n"


def _wait_for_end() -> None:
    while os.read(0, 4096):
        pass
    os._exit(1)
