"""``docs/api.md`` and the API's page say what the code does."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from fastapi import FastAPI

from understudy.errors import SERVICE_CODES
from understudy.server.api_page import STYLE, api_page
from understudy.server.errors_native import STATUS_OF_CODE
from understudy.server.native import router
from understudy.server.native_answers import ResultAnswer, TaskAnswer
from understudy.server.native_form import FIELDS, FILE_BYTES
from understudy.server.openapi import describe

TEXT = (Path(__file__).parents[2] / "docs" / "api.md").read_text(encoding="utf-8")
APP = FastAPI()
APP.include_router(router)
DOCUMENT = describe(APP)


def test_the_table_of_errors() -> None:
    told = {
        code: int(status)
        for status, codes in re.findall(r"^\| (\d{3}) \| (.+) \|$", TEXT, re.MULTILINE)
        for code in re.findall(r"`([a-z_]+)`", codes)
    }
    assert told == STATUS_OF_CODE
    assert set(told) >= SERVICE_CODES


def test_every_field_is_told() -> None:
    for name in (*FIELDS, *FILE_BYTES, *ResultAnswer.model_fields, "queue_position", "time_left_s", "notes"):
        assert f"`{name}`" in TEXT, name
    assert set(TaskAnswer.model_fields) >= {"queue_position", "time_left_s", "notes", "deduction"}


def test_every_route_is_told() -> None:
    words = {word.split("?")[0] for line in TEXT.splitlines() for word in re.split(r"[\s`]+", line)}
    told = {re.sub(r"^\$SERVICE", "", word).replace("4503599627370496", "{id}") for word in words}
    assert set(DOCUMENT["paths"]) <= told


def test_the_page_has_every_operation_and_a_line_for_the_shell() -> None:
    page = api_page(DOCUMENT, "https://motion.example.com")
    for path, methods in DOCUMENT["paths"].items():
        for operation in methods.values():
            assert operation["summary"] in page
            assert f"<code>{path}</code>" in page
    lines = re.findall(r"<pre>(curl .*?)</pre>", page, re.DOTALL)
    assert len(lines) == sum(len(methods) for methods in DOCUMENT["paths"].values()) + 1  # two for a new task
    for line in lines:
        assert shlex.split(line)[0] == "curl"
    assert "<script" not in page
    assert "url(" not in STYLE
    anchors = re.findall(r'href="#([^"]+)"', page)
    assert set(anchors) <= set(re.findall(r'id="([^"]+)"', page))


def test_what_a_document_says_is_escaped() -> None:
    hostile = {
        "info": {"title": "<b>", "version": '"', "description": "<script>`<i>`"},
        "components": {"schemas": {}},
        "paths": {},
    }
    page = api_page(hostile, "https://a.example/<x>")
    for tag in ("<b>", "<script>", "<i>", "<x>"):
        assert tag not in page
