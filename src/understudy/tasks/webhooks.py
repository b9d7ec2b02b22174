"""The secrets that sign an account's callbacks."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from understudy.errors import UnavailableError
from understudy.tasks import signing
from understudy.tasks.seal import Secrets
from understudy.tasks.tables import accounts, webhook_secrets

OLD_SECRET_LIFE = timedelta(days=7)


@dataclass(frozen=True)
class Rotated:
    """``old_until``: how long the secret before signs too; None where there was none."""

    secret: str
    old_until: datetime | None


async def rotate(connection: AsyncConnection, secrets: Secrets, account_id: int) -> Rotated:
    """Give the account a new secret. The one before signs too for ``OLD_SECRET_LIFE``."""
    # Two rotations at once wait for each other here, or both their secrets would be the current one.
    await connection.execute(select(accounts.c.id).where(accounts.c.id == account_id).with_for_update())
    mine = webhook_secrets.c.account_id == account_id
    await connection.execute(delete(webhook_secrets).where(mine, webhook_secrets.c.expires_at <= func.now()))
    old_until = await connection.scalar(
        update(webhook_secrets)
        .where(mine, webhook_secrets.c.expires_at.is_(None))
        .values(expires_at=func.now() + OLD_SECRET_LIFE)
        .returning(webhook_secrets.c.expires_at)
    )
    assert old_until is None or isinstance(old_until, datetime)
    secret = signing.new_secret()
    await connection.execute(
        insert(webhook_secrets).values(account_id=account_id, secret_sealed=secrets.seal(secret))
    )
    return Rotated(secret, old_until)


async def current(connection: AsyncConnection, secrets: Secrets, account_id: int) -> list[str]:
    """The secrets that sign the account's callbacks now, the newest first; none where it never made one.

    One that was sealed with a secret of the service that is lost since can sign no more. Raises UnavailableError
    (``internal``) where that leaves none.
    """
    sealed = await connection.scalars(
        select(webhook_secrets.c.secret_sealed)
        .where(
            webhook_secrets.c.account_id == account_id,
            or_(webhook_secrets.c.expires_at.is_(None), webhook_secrets.c.expires_at > func.now()),
        )
        .order_by(webhook_secrets.c.id.desc())
    )
    opened: list[str] = []
    lost: UnavailableError | None = None
    for each in sealed:
        try:
            opened.append(secrets.unseal(each))
        except UnavailableError as error:
            lost = error
    if lost is not None and not opened:
        raise lost
    return opened
