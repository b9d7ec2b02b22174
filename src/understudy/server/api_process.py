"""The process that answers HTTP: ``python -m understudy.server.api_process FD``, FD being the listening socket.

The socket is its parent's, so that connections wait in it while this process is started again.
"""

from __future__ import annotations

import logging
import socket
import sys

import uvicorn

from understudy.server.app import create_app
from understudy.server.open_service import open_service
from understudy.server.parent import settings_from_parent

GRACE_S = 5  # for answers that are under way when the service stops
KEEP_ALIVE_S = 75  # longer than clients wait between two queries


def main(arguments: list[str]) -> None:
    settings = settings_from_parent()
    logging.basicConfig(level=logging.WARNING, format="api: %(levelname)s %(name)s: %(message)s")
    listener = socket.socket(fileno=int(arguments[0]))
    config = uvicorn.Config(
        create_app(open_service(settings, settings.database_url)),
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # links are built on the public URL; nothing believes a header about the client
        ws="none",
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=GRACE_S,
    )
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main(sys.argv[1:])
