"""Every error of the service has its row in Kling's table, and nothing of the server's inside gets out."""

from __future__ import annotations

import pytest

from understudy.errors import (
    SERVICE_CODES,
    AccountError,
    ClipError,
    EngineError,
    FetchError,
    FormError,
    InputError,
    ModelError,
    RequestError,
    ServiceError,
    UnavailableError,
    UnderstudyError,
)
from understudy.server.dialects.kling_errors import ROWS, kling_error

DOCUMENTED = {
    1000: 401, 1001: 401, 1002: 401, 1003: 401, 1004: 401, 1100: 429, 1101: 429, 1102: 429, 1103: 403, 1200: 400,
    1201: 400, 1202: 404, 1203: 404, 1300: 400, 1301: 400, 1302: 429, 1303: 429, 1304: 429, 5000: 500, 5001: 503,
    5002: 504,
}  # fmt: skip


def test_each_code_of_the_service_has_a_row_and_no_row_is_idle() -> None:
    assert set(ROWS) == SERVICE_CODES


def test_statuses_are_those_of_kling_s_table() -> None:
    ours = {"body_too_large": 413, "method_unknown": 405}  # where HTTP has a status of its own
    for code, (status, klings) in ROWS.items():
        assert status == ours.get(code, DOCUMENTED[klings]), code


@pytest.mark.parametrize("code", sorted(SERVICE_CODES))
def test_the_envelope(code: str) -> None:
    error = UnderstudyError(code, "It was so.", fix="Do this.")
    status, body = kling_error(error, "some-id")
    assert (status, body["code"]) == ROWS[code]
    assert body["request_id"] == "some-id"
    assert set(body) == {"code", "message", "request_id"}
    assert isinstance(body["message"], str)


def test_what_kling_s_clients_look_for() -> None:
    busy = AccountError("too_many_tasks", "so many", fix="wait")
    assert kling_error(busy, "r")[1]["message"] == "parallel task over resource pack limit"
    poor = AccountError("balance_used_up", "too little", fix="pay")
    assert kling_error(poor, "r") == (
        429,
        {"code": 1102, "message": "Account balance not enough", "request_id": "r"},
    )


@pytest.mark.parametrize("kind", [InputError, ClipError, RequestError, FormError])
def test_any_other_wrong_input_is_1201(kind: type[UnderstudyError]) -> None:
    status, body = kling_error(kind("new_code", "The clip is bad.", fix="Take another."), "r")
    assert (status, body["code"], body["message"]) == (400, 1201, "The clip is bad. Take another.")


@pytest.mark.parametrize("kind", [ServiceError, ModelError, EngineError, FetchError, UnderstudyError])
def test_any_other_error_is_the_server_s_and_stays_inside(kind: type[UnderstudyError]) -> None:
    status, body = kling_error(kind("new_code", "/secret/path", fix="Look at /secret/path."), "r")
    assert (status, body["code"]) == (500, 5000)
    assert "secret" not in body["message"]


@pytest.mark.parametrize("code", ["unavailable", "internal"])
def test_what_is_away_is_not_described(code: str) -> None:
    body = kling_error(UnavailableError(code, "s3://secret-bucket is away", fix="Look after it."), "r")[1]
    assert "secret" not in body["message"]
