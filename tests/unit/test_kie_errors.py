"""Every error of the service has its row in Kie's table, and nothing of the server's inside gets out."""

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
    TaskError,
    UnavailableError,
    UnderstudyError,
)
from understudy.server.dialects.kie_errors import ROWS, KieFormError, kie_error, kie_upload_error
from understudy.server.dialects.registry import DIALECTS

DOCUMENTED = {200, 400, 401, 402, 404, 408, 422, 429, 433, 455, 500, 501, 505}


def test_each_code_of_the_service_has_a_row_and_no_row_is_idle() -> None:
    assert set(ROWS) == SERVICE_CODES
    assert set(ROWS.values()) <= DOCUMENTED


@pytest.mark.parametrize("code", sorted(SERVICE_CODES))
def test_errors_are_http_200_with_the_code_in_the_body(code: str) -> None:
    answer = DIALECTS["kie"].encode_error(UnderstudyError(code, "It was so.", fix="Do this."), "some-id")
    assert answer.status == 200
    assert set(answer.body) == {"code", "msg", "data"}
    assert (answer.body["code"], answer.body["data"]) == (ROWS[code], None)
    assert type(answer.body["msg"]) is str


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (TaskError("task_unknown", "none", fix="look"), 422, "recordInfo is null"),
        (TaskError("element_unknown", "none", fix="look"), 422, "none look"),
        (AccountError("account_disabled", "off", fix="ask"), 401, "You do not have access permissions"),
        (UnavailableError("maintenance", "Closed.", fix="Later."), 455, "Closed. Later."),
        (UnavailableError("dialect_off", "Off.", fix="Ask."), 505, "Off. Ask."),
        (
            KieFormError(400, "taskId parameter is required", fix="Add it."),
            400,
            "taskId parameter is required",
        ),
    ],
)
def test_what_kie_s_clients_look_for(error: UnderstudyError, code: int, message: str) -> None:
    assert kie_error(error) == {"code": code, "msg": message, "data": None}


@pytest.mark.parametrize("kind", [InputError, ClipError, RequestError, FormError])
def test_any_other_wrong_input_is_422(kind: type[UnderstudyError]) -> None:
    body = kie_error(kind("new_code", "The clip is bad.", fix="Take another."))
    assert (body["code"], body["msg"]) == (422, "The clip is bad. Take another.")


@pytest.mark.parametrize("kind", [ServiceError, ModelError, EngineError, FetchError, UnderstudyError])
def test_any_other_error_is_the_server_s_and_stays_inside(kind: type[UnderstudyError]) -> None:
    body = kie_error(kind("new_code", "/secret/path", fix="Look at /secret/path."))
    assert body["code"] == 500
    assert "secret" not in body["msg"]


@pytest.mark.parametrize("code", ["unavailable", "internal"])
def test_what_is_away_is_not_described(code: str) -> None:
    for encode in (kie_error, kie_upload_error):
        body = encode(UnavailableError(code, "s3://secret-bucket is away", fix="Look after it."))
        assert body["code"] == 500
        assert "secret" not in body["msg"]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (FormError("field_invalid", "bad", fix="good"), 400),
        (FormError("body_too_large", "large", fix="small"), 400),
        (FetchError("fetch_status", "404", fix="other"), 400),
        (KieFormError(400, "Missing required parameter: uploadPath", fix="send"), 400),
        (AccountError("account_disabled", "off", fix="ask"), 401),
        (UnavailableError("unavailable", "away", fix="later"), 500),
    ],
)
def test_errors_of_uploads(error: UnderstudyError, code: int) -> None:
    body = kie_upload_error(error)
    assert (body["success"], body["code"], body["data"]) == (False, code, None)
