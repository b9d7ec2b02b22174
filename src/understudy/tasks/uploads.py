"""Files that accounts upload to use them in tasks: kept for three days, each name of an account's once.

What somebody calls a file never reaches the storage: its key is random, and its name is kept as a hash alone.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from understudy.errors import FormError, ServiceError
from understudy.media.limits import MB
from understudy.storage import Storage
from understudy.tasks.database import Database
from understudy.tasks.tables import accounts, uploads
from understudy.tasks.task import new_id

LIFE = timedelta(days=3)
ACCOUNT_FILES = 1000  # that one account may have here at a time
ACCOUNT_BYTES = 10_240 * MB
ORPHANS_LIFE_S = 3600.0  # of files that no record has; keeping one takes seconds
BATCH = 500
FOLDER, FILE = "uploads", "file"

_COLUMNS = tuple(
    uploads.c[name] for name in ("id", "key", "media_type", "size_bytes", "uploaded_at", "expires_at")
)


@dataclass(frozen=True)
class KeptFile:
    """A file that was uploaded. Its ``id`` stays when it is replaced, its ``key`` in the storage does not."""

    id: int
    key: str
    media_type: str
    size_bytes: int
    uploaded_at: datetime
    expires_at: datetime


class Uploads:
    """All methods raise UnavailableError while the database or the storage is away."""

    def __init__(
        self, database: Database, storage: Storage, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._database = database
        self._storage = storage
        self._clock = clock
        self._orphans: dict[str, float] = {}  # when this process saw them first

    async def keep(
        self, account_id: int, name: str, content: Path | bytes, *, size_bytes: int, media_type: str
    ) -> KeptFile:
        """Keep a copy for ``LIFE``. The account's file of the same ``name`` is replaced: its links lead to the new one.

        Raises FormError (``body_too_large``) where the account's files would be too many or too large together.
        """
        digest = hashlib.sha256(name.encode()).hexdigest()
        async with self._database.read() as connection:  # before anything is stored
            await _check_room(connection, account_id, digest, size_bytes)
        key = f"{FOLDER}/{secrets.token_hex(16)}/{FILE}"
        if isinstance(content, Path):
            await self._storage.put_file(key, content)
        else:
            await self._storage.put_bytes(key, content)
        now = func.statement_timestamp()  # the clock's own differs between two columns
        values = {
            "key": key,
            "media_type": media_type,
            "size_bytes": size_bytes,
            "uploaded_at": now,
            "expires_at": now + LIFE,
        }
        mine = (uploads.c.account_id == account_id) & (uploads.c.name_sha256 == digest)
        new = insert(uploads).values(id=new_id(), account_id=account_id, name_sha256=digest, **values)
        try:
            async with self._database.begin() as connection:
                # Uploads of one account at once wait for each other: together they may be too many.
                await connection.execute(
                    select(accounts.c.id).where(accounts.c.id == account_id).with_for_update(key_share=True)
                )
                await _check_room(connection, account_id, digest, size_bytes)
                before = await connection.scalar(select(uploads.c.key).where(mine).with_for_update())
                row = await connection.execute(
                    new.on_conflict_do_update(
                        index_elements=[uploads.c.account_id, uploads.c.name_sha256], set_=values
                    ).returning(*_COLUMNS)
                )
                kept = KeptFile(**row.one()._mapping)
        except FormError:
            with suppress(ServiceError):  # else it goes as a file that no record has
                await self._storage.delete(_folder(key))
            raise
        if before is not None:
            with suppress(ServiceError):  # else it goes as a file that no record has
                await self._storage.delete(_folder(before))
        return kept

    async def find(self, upload_id: int) -> KeptFile | None:
        """The file, whoever's it is; None where it never was or its days are over."""
        query = select(*_COLUMNS).where(
            uploads.c.id == upload_id, uploads.c.expires_at > func.clock_timestamp()
        )
        async with self._database.read() as connection:
            row = (await connection.execute(query)).first()
        return None if row is None else KeptFile(**row._mapping)

    async def delete_expired(self) -> None:
        """Those whose days are over, and those that no record has: their process was killed, or they were replaced."""
        gone = delete(uploads).where(uploads.c.expires_at <= func.now()).returning(uploads.c.key)
        async with self._database.begin() as connection:
            keys = list(await connection.scalars(gone))
        for key in keys:
            await self._storage.delete(_folder(key))
        await self._delete_orphans()

    async def _delete_orphans(self) -> None:
        folders = await self._storage.names(FOLDER)
        orphans: dict[str, float] = {}
        for names in (folders[at : at + BATCH] for at in range(0, len(folders), BATCH)):
            keys = {f"{FOLDER}/{name}/{FILE}": name for name in names}
            query = select(uploads.c.key).where(uploads.c.key.in_(keys))
            async with self._database.read() as connection:
                known = set(await connection.scalars(query))
            for key in keys.keys() - known:
                orphans[key] = self._orphans.get(key, self._clock())
        for key, since in orphans.items():
            if self._clock() - since >= ORPHANS_LIFE_S:
                await self._storage.delete(_folder(key))
        self._orphans = orphans


async def _check_room(connection: AsyncConnection, account_id: int, digest: str, size_bytes: int) -> None:
    """Raise FormError where the account has no room. What is replaced does not count: it adds no file, and where it
    is not larger than the one before, it may always be."""
    mine = uploads.c.name_sha256 == digest
    query = select(
        func.count().filter(~mine),
        func.coalesce(func.sum(uploads.c.size_bytes).filter(~mine), 0),
        func.max(uploads.c.size_bytes).filter(mine),
    ).where(uploads.c.account_id == account_id)
    count, total_bytes, before_bytes = (await connection.execute(query)).one()
    fits = total_bytes + size_bytes <= ACCOUNT_BYTES
    if before_bytes is None:
        free = fits and count < ACCOUNT_FILES
    else:
        free = fits or size_bytes <= before_bytes
    if free:
        return
    limit = f"{ACCOUNT_FILES} files, {ACCOUNT_BYTES // MB} MB"
    raise FormError(
        "body_too_large",
        f"The account's uploaded files would be too many or too large together: {count + 1} files, "
        f"{(total_bytes + size_bytes) / MB:.0f} MB; at most {limit} are kept.",
        value=f"{count + 1} files",
        limit=limit,
        fix="Replace files that are not needed any more, by the same path and name; each goes after 3 days.",
    )


def _folder(key: str) -> str:
    return key.rpartition("/")[0]
