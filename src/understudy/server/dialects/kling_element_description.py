"""Kling's element library in the words of OpenAPI: what can be asked at which path."""

from __future__ import annotations

from typing import Any

from understudy.server.dialects.dialect import Description
from understudy.server.dialects.kling_element_schemas import element_schemas
from understudy.server.dialects.kling_elements import (
    DELETE,
    ELEMENTS,
    OLD_DELETE,
    OLD_ELEMENTS,
    OLD_PRESETS,
    PRESETS,
)
from understudy.server.dialects.kling_form import PAGE_NUMBERS, PAGE_SIZES
from understudy.server.dialects.kling_schema import (
    a_text,
    operation,
    parameter,
    whole,
)


def element_description() -> Description:
    paths = {
        ELEMENTS: {
            "post": _create(
                "kling_element_create", "Create Element", "KlingNewElement", "KlingElementCreated"
            ),
            "get": _list("kling_element_list", "Query Custom Element (List)", "KlingElementsListed"),
        },
        f"{ELEMENTS}/{{task_id}}": {
            "get": _query("kling_element_query", "Query Custom Element (Single)", "KlingElementQueried")
        },
        PRESETS: {"get": _presets("kling_element_presets", "Query Presets Element (List)")},
        DELETE: {"post": _delete("kling_element_delete", "Delete Custom Element")},
        OLD_ELEMENTS: {
            "post": _create(
                "kling_old_element_create",
                "Create Element (old)",
                "KlingOldNewElement",
                "KlingOldElementTold",
            ),
            "get": _list(
                "kling_old_element_list", "Query Custom Element (List, old)", "KlingOldElementsListed"
            ),
        },
        f"{OLD_ELEMENTS}/{{task_id}}": {
            "get": _query(
                "kling_old_element_query", "Query Custom Element (Single, old)", "KlingOldElementTold"
            )
        },
        OLD_PRESETS: {"get": _presets("kling_old_element_presets", "Query Presets Element (List, old)")},
        OLD_DELETE: {"post": _delete("kling_old_element_delete", "Delete Custom Element (old)")},
    }
    return Description(paths, element_schemas())


def _create(name: str, summary: str, body: str, answer: str) -> dict[str, Any]:
    words = (
        "Looks at form only and answers at once. The pictures are fetched and checked next, once; the element can be "
        "used when its task says `succeed`."
    )
    return operation(name, summary, words, answer, (1200, 1201, 1303), parameters=[], body=body)


def _query(name: str, summary: str, answer: str) -> dict[str, Any]:
    words = a_text("The id of the element's task, else its external_task_id.") | {
        "examples": ["4503599627370496"]
    }
    given = [parameter("task_id", "path", words)]
    return operation(name, summary, "An element as it stands.", answer, (1201,), parameters=given)


def _list(name: str, summary: str, answer: str) -> dict[str, Any]:
    words = "The account's elements that are not deleted, newest first."
    return operation(name, summary, words, answer, (1201,), parameters=_page())


def _presets(name: str, summary: str) -> dict[str, Any]:
    words = "Empty: this server has no elements of its own."
    return operation(name, summary, words, "KlingElementsListed", (1201,), parameters=_page())


def _delete(name: str, summary: str) -> dict[str, Any]:
    words = "Deletes an element with its pictures. Tasks that were made with it go on."
    return operation(
        name, summary, words, "KlingElementDeleted", (1200, 1201), parameters=[], body="KlingElementToDelete"
    )


def _page() -> list[dict[str, Any]]:
    return [
        parameter("pageNum", "query", whole("Page number.", PAGE_NUMBERS) | {"default": 1}),
        parameter("pageSize", "query", whole("Elements on a page.", PAGE_SIZES) | {"default": 30}),
    ]
