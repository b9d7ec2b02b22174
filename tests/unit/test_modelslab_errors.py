"""Every error of the service has its row in ModelsLab's table, and nothing of the server's inside gets out."""

from __future__ import annotations

import pytest

from understudy.errors import (
    SERVICE_CODES,
    AccountError,
    AuthError,
    ClipError,
    EngineError,
    FetchError,
    FormError,
    InputError,
    ModelError,
    ServiceError,
    UnavailableError,
    UnderstudyError,
)
from understudy.server.dialects.modelslab_errors import ROWS, modelslab_error

DOCUMENTED = {400, 401, 402, 403, 404, 429, 500, 503}


def test_each_code_of_the_service_has_a_row_and_no_row_is_idle() -> None:
    assert set(ROWS) == SERVICE_CODES


def test_statuses_are_those_of_modelslab_s_reference() -> None:
    ours = {"body_too_large": 413, "method_unknown": 405}  # where HTTP has a status of its own
    for code, status in ROWS.items():
        assert ours.get(code, status) == status, code
        assert status in DOCUMENTED or code in ours


@pytest.mark.parametrize("code", sorted(SERVICE_CODES))
def test_the_body(code: str) -> None:
    status, body = modelslab_error(UnderstudyError(code, "It was so.", fix="Do this."))
    assert status == ROWS[code]
    assert body.pop("retry_after", None) == (30 if status == 429 else None)
    assert set(body) == {"status", "message"}
    assert body["status"] == "error"
    assert body["message"]


@pytest.mark.parametrize(
    ("error", "status", "message"),
    [
        (
            AuthError("auth_missing", "Nothing.", fix="Send."),
            401,
            "The key field is required; allowed: an API key",
        ),
        (AuthError("auth_invalid", "Bad: abc.", fix="Send."), 401, "Invalid API key; allowed: an API key"),
        (
            AuthError("auth_expired", "Its exp was 7 s ago.", fix="Sign."),
            401,
            "Invalid API key: Its exp was 7 s ago",
        ),
        (
            AccountError("balance_used_up", "3 units are left.", fix="Pay."),
            402,
            "Insufficient credits. Please add more credits to continue. 3 units are left.",
        ),
        (
            AccountError("too_many_tasks", "parallel task", limit="5 at once", fix="Wait."),
            429,
            "Rate limit exceeded. Maximum 5 queued requests allowed.",
        ),
        (AccountError("too_many_tasks", "parallel task", fix="Wait."), 429, "Rate limit exceeded. Wait."),
        (
            UnavailableError("internal", "/secret", fix="/secret"),
            500,
            "Internal server error. Please try again.",
        ),
        (
            UnavailableError("unavailable", "s3://secret", fix="Look."),
            503,
            "Service temporarily unavailable. Please try again later.",
        ),
        (
            UnavailableError("maintenance", "No new tasks.", fix="Wait."),
            503,
            "Service temporarily unavailable.",
        ),
    ],
    ids=lambda value: getattr(value, "code", ""),
)
def test_what_modelslab_s_clients_look_for(error: UnderstudyError, status: int, message: str) -> None:
    found, body = modelslab_error(error)
    assert found == status
    assert body["message"].startswith(message)
    assert "secret" not in body["message"]
    assert "abc" not in body["message"]


@pytest.mark.parametrize("kind", [InputError, ClipError, FormError])
def test_any_other_wrong_input_is_400(kind: type[UnderstudyError]) -> None:
    status, body = modelslab_error(kind("new_code", "The clip is bad.", fix="Take another."))
    assert (status, body["message"]) == (400, "The clip is bad. Take another.")


@pytest.mark.parametrize("kind", [ServiceError, ModelError, EngineError, FetchError, UnderstudyError])
def test_any_other_error_is_the_server_s_and_stays_inside(kind: type[UnderstudyError]) -> None:
    status, body = modelslab_error(kind("new_code", "/secret/path", fix="Look at /secret/path."))
    assert status == 500
    assert "secret" not in body["message"]
