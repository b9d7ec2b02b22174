"""Who is asking: an API key, or a token that a pair of access key and secret key has signed.

A token is a JWT as Kling's clients make it: HS256 and nothing else, claims ``iss`` (the access key), ``exp`` and, if
they like, ``nbf``, in seconds; further claims are not read. Its lifetime is its maker's affair. Whether a key exists
shows neither in a message nor in the work done: an unknown one is checked against a decoy.
"""

from __future__ import annotations

import json
import re
import secrets as random
import time
from collections.abc import Callable, Mapping
from typing import Any

from jwt import PyJWS
from jwt.exceptions import PyJWTError
from sqlalchemy import ColumnElement, Row, select

from understudy.errors import AccountError, AuthError
from understudy.tasks.accounts import COLUMNS, Account, account_of
from understudy.tasks.database import Database
from understudy.tasks.keys import api_key_hash
from understudy.tasks.seal import Secrets
from understudy.tasks.tables import accounts, keys

ALGORITHM = "HS256"
LEEWAY_S = 5.0
MOST_CHARACTERS = 8192
LATEST_S = 1e15  # of any claim; what is later is no time

_WANTED = (*COLUMNS, keys.c.secret_key_sealed, keys.c.revoked_at)
_ACCESS_KEY = re.compile(r"[A-Za-z0-9_-]{1,128}")
_KEYS_FIX = "Send `Authorization: Bearer <API key>`, or a token signed with an access key's secret key."


class Authenticator:
    """``clock`` tells the time in seconds since 1970."""

    def __init__(
        self, database: Database, secrets: Secrets, *, clock: Callable[[], float] = time.time
    ) -> None:
        self._database = database
        self._secrets = secrets
        self._clock = clock
        self._jws = PyJWS(algorithms=[ALGORITHM])
        self._decoy = secrets.seal(random.token_urlsafe(37))  # as long as a secret key

    async def account(self, authorization: str | None) -> Account:
        """The account whose key the header ``Authorization`` shows. One query.

        Raises AuthError (``auth_missing``, ``auth_invalid``, ``auth_not_yet``, ``auth_expired``), AccountError
        (``account_disabled``), UnavailableError.
        """
        token = _bearer_token(authorization)
        row = await self._signer(token) if token.count(".") == 2 else await self._bearer(token)
        account = account_of(row)
        if account.disabled:
            raise AccountError(
                "account_disabled",
                f"The account {account.name!r} is disabled.",
                value=account.name,
                fix="Ask the operator, who can lift that with `understudy accounts enable`.",
            )
        return account

    async def _bearer(self, api_key: str) -> Row[Any]:
        row = await self._one(keys.c.api_key_sha256 == api_key_hash(api_key))
        if row is None or row.revoked_at is not None:
            # In the manner of a parser of JWTs, for those who meant to send one.
            raise _invalid(
                "The token is no valid API key, and no JWT either: that has 3 parts with dots between, "
                f"this has {api_key.count('.') + 1}."
            )
        return row

    async def _signer(self, token: str) -> Row[Any]:
        claims = self._claims(token)
        issuer = claims.get("iss")
        if not isinstance(issuer, str):
            raise _invalid("The token has no claim iss with the access key.")
        expires, begins = _time_claim(claims, "exp"), _time_claim(claims, "nbf")
        if expires is None:
            raise _invalid("The token has no claim exp.")
        row = await self._one(keys.c.access_key == (issuer if _ACCESS_KEY.fullmatch(issuer) else ""))
        sealed = self._decoy if row is None else row.secret_key_sealed
        try:
            self._jws.decode(token, self._secrets.unseal(sealed), algorithms=[ALGORITHM])
        except PyJWTError:
            row = None
        if row is None or row.revoked_at is not None:
            raise _invalid("The token's iss is no valid access key, or its signature is not that key's.")
        now = self._clock()
        if begins is not None and begins > now + LEEWAY_S:
            raise AuthError(
                "auth_not_yet",
                f"The token is not valid yet: its nbf is {begins - now:.0f} s ahead.",
                value=f"{begins - now:.0f} s ahead",
                limit=f"{LEEWAY_S:.0f} s",
                fix="Set this machine's and the server's clocks right, or take an earlier nbf.",
            )
        if expires <= now - LEEWAY_S:
            raise AuthError(
                "auth_expired",
                f"The token has expired: its exp was {now - expires:.0f} s ago.",
                value=f"{now - expires:.0f} s ago",
                limit=f"{LEEWAY_S:.0f} s",
                fix="Sign a new token; one for 30 minutes is usual.",
            )
        return row

    def _claims(self, token: str) -> dict[str, Any]:
        """What the token says of itself; nothing of it is proven."""
        try:
            parts = self._jws.decode_complete(token, options={"verify_signature": False})
            claims = json.loads(parts["payload"])
        except (PyJWTError, ValueError, RecursionError):
            raise _invalid("The token is not a JWT: a part of it cannot be read.") from None
        if not isinstance(claims, dict):
            raise _invalid("The token is not a JWT: its claims are no JSON object.")
        if parts["header"].get("alg") != ALGORITHM:
            raise _invalid(f"The token's header does not have alg {ALGORITHM}, the only one accepted.")
        return claims

    async def _one(self, condition: ColumnElement[bool]) -> Row[Any] | None:
        query = select(*_WANTED).join(accounts, accounts.c.id == keys.c.account_id).where(condition)
        async with self._database.read() as connection:
            row: Row[Any] | None = (await connection.execute(query)).one_or_none()
        return row


def _bearer_token(authorization: str | None) -> str:
    """The scheme in any case, and any white space after it, as HTTP has it (RFC 9110, 11.4)."""
    given = (authorization or "").strip(" \t")
    if not given:
        raise AuthError("auth_missing", "Authorization is empty.", fix=_KEYS_FIX)
    if len(given) > MOST_CHARACTERS:
        raise AuthError(
            "auth_invalid",
            f"Authorization has {len(given)} characters.",
            value=f"{len(given)} characters",
            limit=f"{MOST_CHARACTERS} characters",
            fix=_KEYS_FIX,
        )
    scheme, *rest = re.split(r"[ \t]+", given)
    if scheme.lower() != "bearer":
        raise _invalid("Authorization does not begin with Bearer.")
    if not rest:
        raise AuthError("auth_missing", "Authorization has no token behind Bearer.", fix=_KEYS_FIX)
    if len(rest) > 1 or not (rest[0].isascii() and rest[0].isprintable()):
        raise _invalid("The token has characters that no token can have.")
    return rest[0]


def _time_claim(claims: Mapping[str, Any], name: str) -> float | None:
    """Seconds since 1970; None where the claim is missing."""
    value = claims.get(name)
    if value is None:
        return None
    if not isinstance(value, int | float) or isinstance(value, bool) or not abs(value) < LATEST_S:
        raise _invalid(f"The token's claim {name} is not a number of seconds since 1970.")
    return float(value)


def _invalid(message: str) -> AuthError:
    return AuthError("auth_invalid", message, fix=_KEYS_FIX)
