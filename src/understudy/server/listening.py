"""The socket on which the service listens."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager

from understudy.errors import SettingError

BACKLOG = 2048


@contextmanager
def listening(host: str, port: int) -> Iterator[socket.socket]:
    """A socket that listens there; port 0: on any free one. Raises SettingError."""
    shown = f"{host}:{port}"
    if port > 65535:  # getaddrinfo would take it as another one
        raise _unusable(shown, OverflowError("a port is at most 65535"))
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, address = found[0]
        listener = socket.socket(family, kind, protocol)
    except (OSError, UnicodeError) as error:
        raise _unusable(shown, error) from error
    with listener:
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen(BACKLOG)
        except OSError as error:
            raise _unusable(shown, error) from error
        yield listener


def reachable(listener: socket.socket) -> tuple[str, int]:
    """Host and port by which this machine itself reaches it."""
    host, port = listener.getsockname()[:2]
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host), port


def _unusable(shown: str, error: Exception) -> SettingError:
    reason = error.strerror if isinstance(error, OSError) else str(error)
    return SettingError(
        "address_unusable",
        f"Understudy cannot listen on {shown}: {reason}.",
        value=shown,
        fix="Stop what listens there, or choose another --host or --port; port 0 takes any free one.",
    )
