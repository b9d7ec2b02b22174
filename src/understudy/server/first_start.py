"""The first start: an account and its keys, in a file that only its owner can read."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import text

from understudy.config import Settings
from understudy.errors import SettingError
from understudy.tasks.accounts import default_account, list_accounts
from understudy.tasks.database import Database
from understudy.tasks.keys import NewKeys, create_keys
from understudy.tasks.seal import Secrets

FILE_NAME = "keys.json"  # within the data folder
FIRST_STARTING = 0x756E6466  # the advisory lock: two services may meet a new database at once


@dataclass(frozen=True)
class FirstKeys:
    """The keys that were just made, and the file that they lie in."""

    path: Path
    keys: NewKeys


def first_start(settings: Settings) -> FirstKeys | None:
    """Where there is no account yet, make ``default`` and its keys, and write them to ``keys.json``.

    ``settings.database_url`` must be filled, its database migrated. Raises SettingError, UnavailableError.
    """
    return asyncio.run(_first_start(settings))


async def _first_start(settings: Settings) -> FirstKeys | None:
    secrets = Secrets.load(settings)
    database = Database(settings.database_url, pool_size=1)
    try:
        async with database.begin() as connection:
            await connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": FIRST_STARTING})
            if await list_accounts(connection):
                return None
            account = await default_account(connection)
            new = await create_keys(connection, secrets, account.id)
            # before the commit: keys that nobody can read would be worse than a file of keys that never came to be
            return FirstKeys(_write(settings, new), new)
    finally:
        await database.close()


def _write(settings: Settings, new: NewKeys) -> Path:
    path = settings.data_dir / FILE_NAME
    content = {
        "access_key": new.access_key,
        "secret_key": new.secret_key,
        "api_key": new.api_key,
        "base_url": settings.base_url,
    }
    try:
        _put_aside(path)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(content, file, indent=2)
            file.write("\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise SettingError(
            "setting_invalid",
            f"The keys cannot be written to {str(path)!r}: {error.strerror}.",
            value=str(path),
            fix="Make the data folder writable, or choose another with --data-dir.",
        ) from error
    return path


def _put_aside(path: Path) -> None:
    """Keys of a database that is no longer used may be used again some day."""
    for number in itertools.count(1):
        aside = path.with_name(f"{path.stem}.{number}.json")
        try:
            os.link(path, aside)
        except FileNotFoundError:
            return
        except FileExistsError:
            continue
        path.unlink()
        return
