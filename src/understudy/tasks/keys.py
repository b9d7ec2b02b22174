"""Keys: what an account shows to be let in. Of each pair the service keeps only what it needs to know it again."""

from __future__ import annotations

import hashlib
import secrets as random
import string
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from understudy.errors import RequestError
from understudy.tasks.seal import Secrets
from understudy.tasks.tables import accounts, keys

_CHARACTERS = (
    string.ascii_letters + string.digits
)  # 5.95 bits each; no dot, which would make it look like a JWT
_ACCESS_CHARACTERS = 27
_SECRET_CHARACTERS = 44  # 262 bits: HS256 wants no fewer than 256


@dataclass(frozen=True)
class NewKeys:
    """Shown once. With the first two a client signs tokens, the third is a token by itself."""

    access_key: str
    secret_key: str
    api_key: str

    def __repr__(self) -> str:
        return f"NewKeys(access_key={self.access_key!r})"  # the others must not get into a log


@dataclass(frozen=True)
class KeyRecord:
    access_key: str
    account: str
    created_at: datetime
    revoked_at: datetime | None


async def create_keys(connection: AsyncConnection, secrets: Secrets, account_id: int) -> NewKeys:
    """New keys for the account: an access key with its secret key, and an API key, which are revoked together."""
    new = NewKeys(
        access_key=f"usak-{_random_text(_ACCESS_CHARACTERS)}",
        secret_key=f"ussk-{_random_text(_SECRET_CHARACTERS)}",
        api_key=f"us-{_random_text(_SECRET_CHARACTERS)}",
    )
    await connection.execute(
        insert(keys).values(
            account_id=account_id,
            access_key=new.access_key,
            secret_key_sealed=secrets.seal(new.secret_key),
            api_key_sha256=api_key_hash(new.api_key),
        )
    )
    return new


async def list_keys(connection: AsyncConnection, account_id: int | None = None) -> list[KeyRecord]:
    """The account's keys, or everybody's, oldest first; the revoked ones among them."""
    query = (
        select(keys.c.access_key, accounts.c.name, keys.c.created_at, keys.c.revoked_at)
        .join(accounts, accounts.c.id == keys.c.account_id)
        .order_by(keys.c.id)
    )
    if account_id is not None:
        query = query.where(keys.c.account_id == account_id)
    return [KeyRecord(*row) for row in await connection.execute(query)]


async def revoke_keys(connection: AsyncConnection, access_key: str) -> bool:
    """Revoke an access key and the secret and API key that were made with it. False: it was revoked before.

    Raises RequestError (``key_unknown``).
    """
    if not (access_key.isascii() and access_key.isprintable()):
        raise _unknown(access_key)
    changed = await connection.execute(
        update(keys)
        .where(keys.c.access_key == access_key, keys.c.revoked_at.is_(None))
        .values(revoked_at=func.clock_timestamp())
    )
    if changed.rowcount == 1:
        return True
    if await connection.scalar(select(keys.c.id).where(keys.c.access_key == access_key)) is None:
        raise _unknown(access_key)
    return False


def api_key_hash(api_key: str) -> str:
    """What is kept of an API key. It is random and long, so one plain hash is enough."""
    return hashlib.sha256(api_key.encode()).hexdigest()


def _random_text(characters: int) -> str:
    return "".join(random.choice(_CHARACTERS) for _ in range(characters))


def _unknown(access_key: str) -> RequestError:
    # What was given may be a secret key or an API key by mistake: it is not repeated.
    return RequestError(
        "key_unknown",
        "There is no such access key.",
        value=f"{len(access_key)} characters",
        fix="Give the access key, which begins with usak-: `understudy keys list` shows them.",
    )
