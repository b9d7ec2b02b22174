"""Which paths take large forms is for each dialect to say; the entrance limits bodies by it and knows no path."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from small_service import SmallService

from understudy.server.dialects.endpoint import Receive
from understudy.server.dialects.imini import Imini
from understudy.server.dialects.imini_form import GENERATE_PATH
from understudy.server.dialects.kie_uploads import BASE64_PATH, STREAM_PATH
from understudy.server.dialects.registry import DIALECTS, form_paths
from understudy.server.entrance import BODY_BYTES, UPLOAD_BYTES

FORM, JSON = "multipart/form-data; boundary=x", "application/json"


@pytest.fixture
def _one_more(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(Imini, "form_paths", (GENERATE_PATH,))
    form_paths.cache_clear()
    yield
    form_paths.cache_clear()


def test_each_dialect_declares_those_that_it_receives_piece_by_piece() -> None:
    for dialect in DIALECTS.values():
        received = {one.path for one in dialect.endpoints() if isinstance(one.verb, Receive)}
        assert received <= set(dialect.form_paths), dialect.name


@pytest.mark.usefixtures("_one_more")
@pytest.mark.parametrize(
    ("path", "content_type", "limit"),
    [
        ("/understudy/v1/tasks", FORM, "112 MB"),
        ("/understudy/v1/tasks", JSON, "16 MB"),
        (STREAM_PATH, FORM, "112 MB"),
        (BASE64_PATH, FORM, "16 MB"),
        (GENERATE_PATH, FORM, "112 MB"),
        (Imini.prefix + GENERATE_PATH, FORM, "112 MB"),
        (Imini.prefix + GENERATE_PATH, JSON, "16 MB"),
        ("/v1/videos/motion-control", FORM, "16 MB"),
    ],
)
def test_the_limit_of_a_body(path: str, content_type: str, limit: str) -> None:
    told = {"112 MB": UPLOAD_BYTES, "16 MB": BODY_BYTES}[limit] + 1
    given = {"content-type": content_type, "content-length": str(told)}
    assert f"more than {limit}" in SmallService().ask("POST", path, b"x", **given).text
