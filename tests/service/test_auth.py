"""Who is let in: API keys and signed tokens, made by PyJWT as Kling's own examples make them, and by hand."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import jwt
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event

from understudy.errors import AUTH_CODES, AccountError, AuthError, UnavailableError
from understudy.server.auth import LEEWAY_S, MOST_CHARACTERS, Authenticator
from understudy.tasks.accounts import Account, account_named, create_account, set_disabled
from understudy.tasks.database import Database
from understudy.tasks.keys import NewKeys, create_keys, revoke_keys
from understudy.tasks.postgres import DATABASE
from understudy.tasks.seal import Secrets

NOW = 1_790_000_000.0
SECRETS = Secrets(["a word that is long enough"])


@dataclass
class Door:
    """Two accounts with keys, a third pair that is revoked, and the clock at ``NOW``."""

    loop: asyncio.Runner
    database: Database
    authenticator: Authenticator
    one: NewKeys
    other: NewKeys
    revoked: NewKeys
    statements: list[str] = field(default_factory=list)

    def knock(self, authorization: str | None) -> Account:
        return self.loop.run(self.authenticator.account(authorization))

    def refused(self, authorization: str | None) -> AuthError:
        with pytest.raises(AuthError) as caught:
            self.knock(authorization)
        error = caught.value
        assert error.code in AUTH_CODES
        for secret in (self.one, self.other, self.revoked):
            assert secret.secret_key not in str(error)
            assert secret.api_key not in str(error)
        token = (authorization or "").split(" ")[-1]
        assert len(token) < 12 or token not in str(error)
        return error

    def do(self, work: Callable[[Database], Awaitable[None]]) -> None:
        async def whole() -> None:
            await work(self.database)

        self.loop.run(whole())


@pytest.fixture(scope="module")
def _door(postgres_url: str, _migrated: str) -> Iterator[Door]:
    """One database for all tests here: they only look, or put back what they change."""

    async def furnish(database: Database) -> list[NewKeys]:
        async with database.begin() as connection:
            one = await create_account(connection, "one")
            other = await create_account(connection, "other")
            made = [await create_keys(connection, SECRETS, account.id) for account in (one, other, one)]
            await revoke_keys(connection, made[2].access_key)
        return made

    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE test_auth TEMPLATE {_migrated}")
    with asyncio.Runner() as loop:
        database = Database(postgres_url.replace(f"/{DATABASE}?", "/test_auth?"))
        one, other, revoked = loop.run(furnish(database))
        authenticator = Authenticator(database, SECRETS, clock=lambda: NOW)
        found = Door(loop, database, authenticator, one, other, revoked)
        event.listen(
            database.engine.sync_engine,
            "before_cursor_execute",
            lambda _c, _cursor, statement, *_rest: found.statements.append(statement),
        )
        yield found
        loop.run(database.close())
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute("DROP DATABASE test_auth WITH (FORCE)")


@pytest.fixture
def door(_door: Door) -> Door:
    _door.statements.clear()
    return _door


def part(value: object) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def by_hand(header: object, claims: object, secret: str, digest: str = "sha256") -> str:
    """A token with whatever one likes in it, rightly signed with HMAC."""
    signed = f"{part(header)}.{part(claims)}"
    return f"{signed}.{part(hmac.digest(secret.encode(), signed.encode(), digest))}"


def claims_of(keys: NewKeys, **more: object) -> dict[str, Any]:
    return {"iss": keys.access_key, "exp": int(NOW) + 1800, "nbf": int(NOW) - 5, **more}


def token_of(keys: NewKeys, **more: object) -> str:
    return jwt.encode(claims_of(keys, **more), keys.secret_key, headers={"alg": "HS256", "typ": "JWT"})


HS256 = {"alg": "HS256", "typ": "JWT"}


def test_an_api_key_is_its_account_s(door: Door) -> None:
    assert door.knock(f"Bearer {door.one.api_key}").name == "one"
    assert door.knock(f"Bearer {door.other.api_key}").name == "other"


def test_a_token_as_kling_s_example_makes_it(door: Door) -> None:
    assert door.knock(f"Bearer {token_of(door.one)}").name == "one"
    assert door.knock(f"Bearer {token_of(door.other)}").name == "other"


def test_a_token_by_the_real_clock(door: Door) -> None:
    authenticator = Authenticator(door.database, SECRETS)
    keys, now = door.one, int(time.time())
    token = token_of(keys, exp=now + 1800, nbf=now - 5)
    assert door.loop.run(authenticator.account(f"Bearer {token}")).name == "one"
    with pytest.raises(AuthError) as caught:
        door.loop.run(authenticator.account(f"Bearer {token_of(keys, exp=now - 6)}"))
    assert caught.value.code == "auth_expired"


def test_each_takes_one_query(door: Door) -> None:
    for token in (door.one.api_key, token_of(door.one), "us-nobody"):
        door.statements.clear()
        with suppress(AuthError):
            door.knock(f"Bearer {token}")
        assert len(door.statements) == 1, door.statements
        assert door.statements[0].startswith("SELECT")


@pytest.mark.parametrize("form", ["bearer {}", "BEARER {}", "Bearer   {}", "  Bearer {}  ", "Bearer\t{}"])
def test_the_scheme_in_any_case_and_any_white_space(door: Door, form: str) -> None:
    assert door.knock(form.format(door.one.api_key)).name == "one"
    assert door.knock(form.format(token_of(door.one))).name == "one"


@pytest.mark.parametrize("header", [None, "", " ", "\t", "Bearer", "Bearer ", "bearer   "])
def test_nothing_is_missing(door: Door, header: str | None) -> None:
    assert door.refused(header).code == "auth_missing"
    assert door.statements == []


@pytest.mark.parametrize(
    "form",
    [
        "{}",
        "Basic {}",
        "Token {}",
        "Bearer: {}",
        "Bearer{}",
        "Bearer {0} {0}",
        "Bearer {},",
        'Bearer "{}"',
        "Bearer {}\n",
        "Bearer {}\r\nX: y",
        "Bearer {}\0",
        "Bearer {}é",
        "Bearer \u00a0{}",
        "Bearer {}\udcff",
        "Key {}",
    ],
)
def test_other_forms_are_invalid(door: Door, form: str) -> None:
    assert door.refused(form.format(door.one.api_key)).code == "auth_invalid"
    assert door.refused(form.format(token_of(door.one))).code == "auth_invalid"


def test_keys_that_are_none(door: Door) -> None:
    wrong = [
        "us-nobody",
        door.one.api_key[:-1],
        door.one.api_key + "x",
        door.one.api_key.upper(),
        door.one.access_key,
        door.one.secret_key,
        hashlib.sha256(door.one.api_key.encode()).hexdigest(),
        "null",
        "undefined",
        "'",
        "%",
    ]
    errors = [door.refused(f"Bearer {key}") for key in wrong]
    assert {error.code for error in errors} == {"auth_invalid"}
    assert len({error.message for error in errors}) == 1


@pytest.mark.parametrize("token", ["a.b", "a.b.c.d", "....", "garbage"])
def test_the_number_of_parts_is_told(door: Door, token: str) -> None:
    error = door.refused(f"Bearer {token}")
    assert error.code == "auth_invalid"
    assert "3 parts" in error.message
    assert f"this has {token.count('.') + 1}" in error.message


def test_a_revoked_pair_is_invalid_in_both_ways(door: Door) -> None:
    unknown = door.refused("Bearer us-nobody")
    revoked = door.refused(f"Bearer {door.revoked.api_key}")
    assert (revoked.code, revoked.message) == (unknown.code, unknown.message)
    assert door.refused(f"Bearer {token_of(door.revoked)}").code == "auth_invalid"


def test_a_wrong_signature_an_unknown_key_and_a_revoked_one_sound_the_same(door: Door) -> None:
    """Also for tokens that have expired: nothing is told of a token that is not proven."""
    stranger = NewKeys("usak-" + "x" * 27, "ussk-" + "y" * 44, "")
    mixed = NewKeys(door.one.access_key, door.other.secret_key, "")
    for more in ({}, {"exp": 1}, {"nbf": int(NOW) + 999}):
        errors = [
            door.refused(f"Bearer {token_of(keys, **more)}") for keys in (stranger, mixed, door.revoked)
        ]
        assert {error.code for error in errors} == {"auth_invalid"}
        assert len({str(error) for error in errors}) == 1


def test_an_unknown_key_is_worked_on_as_long_as_a_known_one(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    unsealed: list[int] = []
    unseal = SECRETS.unseal

    def watched(sealed: str) -> str:
        unsealed.append(len(sealed))
        return unseal(sealed)

    monkeypatch.setattr(SECRETS, "unseal", watched)
    stranger = NewKeys("usak-" + "x" * 27, "ussk-" + "y" * 44, "")
    mixed = NewKeys(door.one.access_key, door.other.secret_key, "")
    door.refused(f"Bearer {token_of(stranger)}")
    door.refused(f"Bearer {token_of(mixed)}")
    assert unsealed == [unsealed[0]] * 2
    assert len(door.statements) == 2


def test_a_changed_token_is_invalid(door: Door) -> None:
    header, claims, signature = token_of(door.one).split(".")
    longer = part(claims_of(door.one, exp=int(NOW) + 99999))
    wrong = ("A" if signature[0] != "A" else "B") + signature[1:]
    for token in (f"{header}.{longer}.{signature}", f"{header}.{claims}.{wrong}", f"{header}.{claims}."):
        assert door.refused(f"Bearer {token}").code == "auth_invalid"


@pytest.mark.parametrize(
    "algorithm",
    ["none", "None", "NONE", "", None, "HS512", "HS384", "RS256", "ES256", "hs256", 256, ["HS256"]],
)
def test_hs256_and_nothing_else(door: Door, algorithm: object) -> None:
    """Whatever it is signed with: not at all, with the digest that it names, or rightly."""
    header = {"alg": algorithm, "typ": "JWT"}
    claims = claims_of(door.one)
    secret = door.one.secret_key
    tokens = [by_hand(header, claims, secret, digest) for digest in ("sha256", "sha384", "sha512")]
    for token in (*tokens, tokens[0].rsplit(".", 1)[0] + "."):
        error = door.refused(f"Bearer {token}")
        assert error.code == "auth_invalid"
    assert "HS256" in error.message
    assert door.statements == []


def test_tokens_of_libraries_with_other_algorithms(door: Door) -> None:
    for algorithm in ("HS512", "HS384"):
        token = jwt.encode(claims_of(door.one), door.one.secret_key * 2, algorithm=algorithm)
        assert door.refused(f"Bearer {token}").code == "auth_invalid"
    unsigned = jwt.encode(claims_of(door.one), None, algorithm="none")
    assert door.refused(f"Bearer {unsigned}").code == "auth_invalid"


@pytest.mark.parametrize(
    "header",
    [
        {"alg": "HS256", "crit": ["exp"], "exp": 1},
        {"alg": "HS256", "crit": "b64", "b64": False},
        {"alg": "HS256", "b64": False, "crit": ["b64"]},
        {"alg": "HS256", "kid": 7},
        {"typ": "JWT"},
        {},
        [],
        "HS256",
        None,
    ],
)
def test_strange_headers(door: Door, header: object) -> None:
    token = by_hand(header, claims_of(door.one), door.one.secret_key)
    assert door.refused(f"Bearer {token}").code == "auth_invalid"


def test_headers_that_bring_their_own_key_are_not_believed(door: Door) -> None:
    """A stranger's key in the header changes nothing; the owner's own token with one is as good as without."""
    header = {
        **HS256,
        "jwk": {"kty": "oct", "k": part(b"x" * 32)},
        "jku": "http://127.0.0.1/",
        "kid": "../../dev/null",
    }
    assert door.refused(f"Bearer {by_hand(header, claims_of(door.one), 'x' * 32)}").code == "auth_invalid"
    assert door.refused(f"Bearer {by_hand(header, claims_of(door.one), '')}").code == "auth_invalid"
    assert door.knock(f"Bearer {by_hand(header, claims_of(door.one), door.one.secret_key)}").name == "one"


def without(claims: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in claims.items() if key != name}


def test_claims_that_are_missing(door: Door) -> None:
    secret, claims = door.one.secret_key, claims_of(door.one)
    for name in ("iss", "exp"):
        error = door.refused(f"Bearer {by_hand(HS256, without(claims, name), secret)}")
        assert error.code == "auth_invalid"
        assert name in error.message
    assert door.knock(f"Bearer {by_hand(HS256, without(claims, 'nbf'), secret)}").name == "one"


BAD_TIMES = ["1790001800", "soon", True, False, [], {}, 10**400, -(10**400), float("nan"), float("inf"), 1e15]


@pytest.mark.parametrize("value", BAD_TIMES)
@pytest.mark.parametrize("name", ["exp", "nbf"])
def test_times_that_are_none(door: Door, name: str, value: object) -> None:
    error = door.refused(
        f"Bearer {by_hand(HS256, claims_of(door.one, **{name: value}), door.one.secret_key)}"
    )
    assert error.code == "auth_invalid"
    assert name in error.message


@pytest.mark.parametrize("issuer", [None, 7, True, [], {}])
def test_an_issuer_that_is_no_text(door: Door, issuer: object) -> None:
    assert door.refused(
        f"Bearer {by_hand(HS256, claims_of(door.one, iss=issuer), door.one.secret_key)}"
    ).code == ("auth_invalid")


@pytest.mark.parametrize(
    "issuer", ["", "a\0b", "\ud800", "é", "x" * 129, "x" * 4000, "' OR 1=1 --", "%", "\n"]
)
def test_an_issuer_that_is_no_key_sounds_like_an_unknown_one(door: Door, issuer: str) -> None:
    unknown = door.refused(f"Bearer {token_of(NewKeys('usak-nobody', 'x' * 40, ''))}")
    error = door.refused(f"Bearer {by_hand(HS256, claims_of(door.one, iss=issuer), door.one.secret_key)}")
    assert str(error) == str(unknown)


@pytest.mark.parametrize(
    "claims", [b"", b"null", b"[]", b'"x"', b"7", b"{", b"\xff", b"[" * 4000, b'{"a":' * 1000, b"9" * 5000]
)
def test_claims_that_cannot_be_read(door: Door, claims: bytes) -> None:
    assert door.refused(f"Bearer {by_hand(HS256, claims, door.one.secret_key)}").code == "auth_invalid"
    assert (
        door.refused(f"Bearer {by_hand(claims, claims_of(door.one), door.one.secret_key)}").code
        == "auth_invalid"
    )


@pytest.mark.parametrize("token", ["..", "a..", ".a.", "..a", "!.!.!", "====.====.====", "a.b.c"])
def test_three_parts_of_nothing(door: Door, token: str) -> None:
    assert door.refused(f"Bearer {token}").code == "auth_invalid"


def test_further_claims_are_not_read(door: Door) -> None:
    token = token_of(door.one, aud="someone", sub="who", iat=int(NOW) + 10**6, jti="1", extra={"a": [1]})
    assert door.knock(f"Bearer {token}").name == "one"


@pytest.mark.parametrize(
    ("offset", "code"),
    [
        (LEEWAY_S, None),
        (LEEWAY_S + 0.5, "auth_not_yet"),
        (LEEWAY_S + 1, "auth_not_yet"),
        (3600, "auth_not_yet"),
    ],
)
def test_not_before(door: Door, offset: float, code: str | None) -> None:
    header = f"Bearer {token_of(door.one, nbf=NOW + offset)}"
    if code is None:
        assert door.knock(header).name == "one"
    else:
        error = door.refused(header)
        assert error.code == code
        assert error.limit == "5 s"


@pytest.mark.parametrize(
    ("offset", "code"),
    [
        (0, None),
        (-LEEWAY_S + 0.5, None),
        (-LEEWAY_S, "auth_expired"),
        (-3600, "auth_expired"),
        (-NOW, "auth_expired"),
        (-NOW - 10, "auth_expired"),
        (100 * 365 * 86400, None),  # its lifetime is its maker's affair
    ],
)
def test_expiry(door: Door, offset: float, code: str | None) -> None:
    header = f"Bearer {token_of(door.one, exp=NOW + offset)}"
    if code is None:
        assert door.knock(header).name == "one"
    else:
        assert door.refused(header).code == code


def test_a_disabled_account_is_told_so_once_its_key_is_proven(door: Door) -> None:
    def disable(disabled: bool) -> None:
        async def work(database: Database) -> None:
            async with database.begin() as connection:
                await set_disabled(connection, (await account_named(connection, "one")).id, disabled)

        door.do(work)

    disable(True)
    try:
        for token in (door.one.api_key, token_of(door.one)):
            with pytest.raises(AccountError) as caught:
                door.knock(f"Bearer {token}")
            assert caught.value.code == "account_disabled"
        wrong = NewKeys(door.one.access_key, "x" * 40, "")
        assert door.refused(f"Bearer {token_of(wrong)}").code == "auth_invalid"
        assert door.knock(f"Bearer {door.other.api_key}").name == "other"
    finally:
        disable(False)
    assert door.knock(f"Bearer {door.one.api_key}").name == "one"


def test_what_is_too_long_is_not_looked_at(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    long = token_of(door.one, padding="x" * MOST_CHARACTERS)
    monkeypatch.setattr("understudy.server.auth.json.loads", lambda _: pytest.fail("it was read"))
    error = door.refused(f"Bearer {long}")
    assert error.code == "auth_invalid"
    assert error.limit == "8192 characters"
    assert door.refused("x" * 10_000_000).code == "auth_invalid"
    assert door.statements == []


def test_a_change_of_secret_locks_nobody_out(door: Door) -> None:
    changed = Secrets(["another word, long enough", "a word that is long enough"])
    authenticator = Authenticator(door.database, changed, clock=lambda: NOW)
    assert door.loop.run(authenticator.account(f"Bearer {token_of(door.one)}")).name == "one"


def test_a_lost_secret_is_the_operator_s_trouble_and_api_keys_go_on(door: Door) -> None:
    lost = Authenticator(door.database, Secrets(["another word, long enough"]), clock=lambda: NOW)
    assert door.loop.run(lost.account(f"Bearer {door.one.api_key}")).name == "one"
    with pytest.raises(UnavailableError) as caught:
        door.loop.run(lost.account(f"Bearer {token_of(door.one)}"))
    assert caught.value.code == "internal"


def test_a_database_that_is_away(door: Door) -> None:
    away = Database("postgresql://nobody@/nothing?host=/nowhere")
    authenticator = Authenticator(away, SECRETS, clock=lambda: NOW)
    with pytest.raises(UnavailableError) as caught:
        door.loop.run(authenticator.account(f"Bearer {door.one.api_key}"))
    assert caught.value.code == "unavailable"
    door.loop.run(away.close())


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
CLAIMS = st.fixed_dictionaries(
    {}, optional={"iss": JSON, "exp": JSON, "nbf": JSON, "aud": JSON, "sub": JSON, "iat": JSON}
)
HEADERS = st.fixed_dictionaries(
    {"alg": st.sampled_from(["HS256", "none", "HS512"]) | JSON},
    optional={"typ": JSON, "crit": JSON, "b64": JSON, "kid": JSON},
)
TOKENS = st.one_of(
    st.text(),
    st.lists(st.text("abcXYZ019-_=", max_size=20), min_size=3, max_size=3).map(".".join),
    st.builds(
        by_hand, st.just(HS256) | HEADERS | JSON, CLAIMS | JSON, st.text(st.characters(max_codepoint=127))
    ),
)
HEADER_VALUES = st.one_of(
    st.none(),
    st.text(),
    st.binary().map(lambda raw: raw.decode("latin-1")),
    TOKENS.map("Bearer {}".format),
    st.tuples(st.sampled_from(["Bearer", "bearer", "Basic", ""]), st.text(" \t\n", max_size=3), TOKENS).map(
        "".join
    ),
)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(authorization=HEADER_VALUES)
def test_whatever_comes_is_refused_and_nothing_else_happens(door: Door, authorization: str | None) -> None:
    error = door.refused(authorization)
    assert error.message.isprintable()


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(header=st.just(HS256) | HEADERS, claims=CLAIMS)
def test_rightly_signed_tokens_of_any_content_are_let_in_or_refused(
    door: Door, header: dict[str, Any], claims: dict[str, Any]
) -> None:
    given_claims = {**claims_of(door.one), **claims, "iss": door.one.access_key}
    token = by_hand(header, given_claims, door.one.secret_key)
    try:
        account = door.knock(f"Bearer {token}")
    except AuthError as error:
        assert error.code in AUTH_CODES  # noqa: PT017
    else:
        assert account.name == "one"
        assert header["alg"] == "HS256"
        assert given_claims["exp"] > NOW - LEEWAY_S
