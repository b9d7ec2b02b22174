"""The secrets that sign an account's callbacks."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import delete, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from understudy.tasks import signing
from understudy.tasks.seal import Secrets
from understudy.tasks.tables import accounts, webhook_secrets

OLD_SECRET_LIFE = timedelta(days=7)


async def rotate(connection: AsyncConnection, secrets: Secrets, account_id: int) -> str:
    """Give the account a new secret, and return it. The one before signs too for ``OLD_SECRET_LIFE``."""
    # Two rotations at once wait for each other here, or both their secrets would be the current one.
    await connection.execute(select(accounts.c.id).where(accounts.c.id == account_id).with_for_update())
    mine = webhook_secrets.c.account_id == account_id
    await connection.execute(delete(webhook_secrets).where(mine, webhook_secrets.c.expires_at <= func.now()))
    await connection.execute(
        update(webhook_secrets)
        .where(mine, webhook_secrets.c.expires_at.is_(None))
        .values(expires_at=func.now() + OLD_SECRET_LIFE)
    )
    secret = signing.new_secret()
    await connection.execute(
        insert(webhook_secrets).values(account_id=account_id, secret_sealed=secrets.seal(secret))
    )
    return secret


async def current(connection: AsyncConnection, secrets: Secrets, account_id: int) -> list[str]:
    """The secrets that sign the account's callbacks now, the newest first; none where it never made one."""
    sealed = await connection.scalars(
        select(webhook_secrets.c.secret_sealed)
        .where(
            webhook_secrets.c.account_id == account_id,
            or_(webhook_secrets.c.expires_at.is_(None), webhook_secrets.c.expires_at > func.now()),
        )
        .order_by(webhook_secrets.c.id.desc())
    )
    return [secrets.unseal(each) for each in sealed]
