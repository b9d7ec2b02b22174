"""Signatures of callbacks, against the published vector and an independent verifier."""

from __future__ import annotations

import base64
import time

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from understudy.tasks import signing

# Published by Kling for its callbacks.
SECRET = "whsec_dGVzdHNlY3JldHRlc3RzZWNyZXR0ZXN0c2VjcmV0MTI="
ID = "9876543210"
TIMESTAMP = 1781080794
BODY = (
    b'{"id":"1234567890","status":"succeeded","message":"",'
    b'"create_time":1781080778802,"update_time":1781080794151}'
)
SIGNATURE = "v1,UsKlJP00XoQyOn410NM9xv34sP+Gl0jnOO9Lcpr7NJ4="


def test_published_vector() -> None:
    assert signing.headers(ID, TIMESTAMP, BODY, [SECRET]) == {
        "webhook-id": ID,
        "webhook-timestamp": str(TIMESTAMP),
        "webhook-signature": SIGNATURE,
    }


def test_a_new_secret_is_one_that_the_verifier_takes() -> None:
    secret = signing.new_secret()
    body = '{"task_status_msg":"größer"}'.encode()
    headers = signing.headers("msg_1", int(time.time()), body, [secret])
    assert Webhook(secret).verify(body, headers) == {"task_status_msg": "größer"}
    assert secret.startswith("whsec_")
    assert len(base64.b64decode(secret.removeprefix("whsec_"), validate=True)) == 32
    assert signing.new_secret() != secret


def test_two_secrets_give_two_signatures_and_either_verifies() -> None:
    new, old, other = (signing.new_secret() for _ in range(3))
    headers = signing.headers("msg_1", int(time.time()), b"{}", [new, old])
    assert len(headers["webhook-signature"].split(" ")) == 2
    Webhook(new).verify(b"{}", headers)
    Webhook(old).verify(b"{}", headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(other).verify(b"{}", headers)


@pytest.mark.parametrize(
    "changed", [{"webhook-id": "msg_2"}, {"webhook-timestamp": str(int(time.time()) - 7)}], ids=["id", "time"]
)
def test_id_and_time_are_signed(changed: dict[str, str]) -> None:
    secret = signing.new_secret()
    headers = signing.headers("msg_1", int(time.time()), b"{}", [secret])
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(b"{}", headers | changed)
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(b"{ }", headers)


def test_without_a_secret_there_is_no_signature() -> None:
    assert signing.headers("msg_1", 1, b"{}", []) == {"webhook-id": "msg_1", "webhook-timestamp": "1"}
