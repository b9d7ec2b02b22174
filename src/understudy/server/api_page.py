"""The API's description: as OpenAPI for programs, as one page for people, made here and without any script."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping
from html import escape
from importlib.resources import files
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse

from understudy.server.api_fields import Field, Schema, field_of, fields_of, reference_of
from understudy.server.native_asked import PREFIX, service_of
from understudy.server.openapi import describe

OPENAPI_PATH = f"{PREFIX}/openapi.json"
DOCS_PATH = f"{PREFIX}/docs"
STYLE = files("understudy.server").joinpath("api_page.css").read_text(encoding="utf-8")
_STYLE_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
POLICY = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
KEY = "$UNDERSTUDY_API_KEY"

router = APIRouter(include_in_schema=False)


@router.get(OPENAPI_PATH)
async def openapi(request: Request) -> JSONResponse:
    return JSONResponse(describe(request.app), headers={"Cache-Control": "no-cache"})


@router.get(DOCS_PATH)
async def docs(request: Request) -> HTMLResponse:
    page = api_page(describe(request.app), service_of(request).settings.base_url)
    return HTMLResponse(page, headers={"Cache-Control": "no-cache", "Content-Security-Policy": POLICY})


@router.get("/")
async def welcome() -> RedirectResponse:
    return RedirectResponse(DOCS_PATH)


def api_page(document: Mapping[str, Any], base_url: str) -> str:
    """The page for an OpenAPI document: every operation with its fields, an example for curl, and its answers."""
    schemas = document["components"]["schemas"]
    operations = [
        (method.upper(), path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]
    info = document["info"]
    shown = [_operation(*operation, schemas, base_url) for operation in operations]
    forms = [_schema(name, schemas[name], schemas) for name in _named_in_answers(schemas)]
    return "".join(
        (
            '<!doctype html><html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{escape(info['title'])} API</title><style>{STYLE}</style></head><body>",
            f"<nav><h2>{escape(info['title'])}</h2>{_menu(operations)}"
            '<h3>Forms</h3><ul><li><a href="#forms">of answers</a></li></ul></nav><main>',
            f"<h1>{escape(info['title'])} API <small>{escape(info['version'])}</small></h1>",
            _prose(info["description"]),
            f'<p class="links"><a href="{OPENAPI_PATH}">openapi.json</a> · at <code>{escape(base_url)}</code></p>',
            *shown,
            '<h2 id="forms" class="part">Forms of answers</h2>',
            *forms,
            "</main></body></html>",
        )
    )


def _menu(operations: Iterable[tuple[str, str, Mapping[str, Any]]]) -> str:
    groups: dict[str, list[str]] = {}
    for method, path, operation in operations:
        entry = (
            f'<li><a href="#{_anchor(method, path)}">{_badge(method)} {escape(operation["summary"])}</a></li>'
        )
        groups.setdefault(operation.get("tags", ["other"])[0], []).append(entry)
    return "".join(
        f"<h3>{escape(name[:1].upper() + name[1:])}</h3><ul>{''.join(entries)}</ul>"
        for name, entries in groups.items()
    )


def _operation(
    method: str, path: str, operation: Mapping[str, Any], schemas: Mapping[str, Schema], base_url: str
) -> str:
    body = operation.get("requestBody", {}).get("content", {})
    key = "" if operation.get("security") else '<span class="open">no key needed</span>'
    return "".join(
        (
            f'<section id="{_anchor(method, path)}"><h2>{escape(operation["summary"])}</h2>',
            f'<p class="route">{_badge(method)} <code>{escape(path)}</code>{key}</p>',
            _prose(operation.get("description", "")),
            _parameters(operation.get("parameters", ()), schemas),
            _body(body, schemas),
            *(f"<pre>{escape(line)}</pre>" for line in curl(method, path, operation, schemas, base_url)),
            _answers(operation["responses"]),
            "</section>",
        )
    )


def _parameters(parameters: Iterable[Mapping[str, Any]], schemas: Mapping[str, Schema]) -> str:
    rows = [
        field_of(
            parameter["name"],
            parameter["schema"],
            schemas,
            required=parameter.get("required", False),
            description=parameter.get("description", ""),
            nulls=False,
        )
        for parameter in parameters
    ]
    places = [parameter["in"] for parameter in parameters]
    return _table("Parameters", rows, places)


def _body(content: Mapping[str, Any], schemas: Mapping[str, Schema]) -> str:
    """The fields once: a form has those of the JSON, and files."""
    if not content:
        return ""
    name = reference_of(list(content.values())[-1]["schema"])
    kinds = " or ".join(f"<code>{escape(kind)}</code>" for kind in content)
    return f'<p class="body">Body: {kinds}</p>' + _table(
        "Fields", list(fields_of(schemas[name or ""], schemas))
    )


def _answers(responses: Mapping[str, Any]) -> str:
    rows = []
    for status in sorted(responses):
        response = responses[status]
        contents: list[Mapping[str, Any]] = list(response.get("content", {}).values())
        name = reference_of(contents[0].get("schema", {})) if contents else None
        form = f'<a href="#form-{escape(name)}">{escape(name)}</a>' if name else ""
        words = "Done." if response["description"] == "Successful Response" else response["description"]
        group = "good" if status < "300" else "bad"
        rows.append(
            f'<tr><td class="{group}">{escape(status)}</td><td>{_inline(words)}</td><td>{form}</td></tr>'
        )
    return f"<details><summary>Answers</summary><table>{''.join(rows)}</table></details>"


def _schema(name: str, schema: Schema, schemas: Mapping[str, Schema]) -> str:
    return (
        f'<section class="form" id="form-{escape(name)}"><h3>{escape(name)}</h3>'
        f"{_prose(schema.get('description', ''))}{_table('', list(fields_of(schema, schemas)))}</section>"
    )


def _named_in_answers(schemas: Mapping[str, Schema]) -> Iterator[str]:
    return (name for name, schema in schemas.items() if "properties" in schema and "NewTask" not in name)


def _table(title: str, rows: list[Field], places: list[str] | None = None) -> str:
    if not rows:
        return ""
    lines = []
    for at, row in enumerate(rows):
        kind = (
            f'<a href="#form-{escape(row.links_to)}">{escape(row.kind)}</a>'
            if row.links_to
            else escape(row.kind)
        )
        name = f"<code>{escape(row.name)}</code>" + (
            ' <b title="required">*</b>' if row.required and title else ""
        )
        place = f'<span class="place">{escape(places[at])}</span> ' if places else ""
        limits = f'<div class="limits">{escape(row.limits)}</div>' if row.limits else ""
        default = f'<div class="limits">default {escape(row.default)}</div>' if row.default else ""
        lines.append(
            f"<tr><td>{name}</td><td>{place}{kind}{limits}{default}</td><td>{_inline(row.description)}</td></tr>"
        )
    heading = f"<h4>{title}</h4>" if title else ""
    return f'{heading}<table class="fields">{"".join(lines)}</table>'


def curl(
    method: str, path: str, operation: Mapping[str, Any], schemas: Mapping[str, Schema], base_url: str
) -> Iterator[str]:
    """Lines for a shell, one for each way to send the body."""
    for parameter in operation.get("parameters", ()):
        if parameter["in"] == "path":
            example = parameter["schema"].get("examples", ["ID"])[0]
            path = path.replace(f"{{{parameter['name']}}}", str(example))
    words = ["curl"]
    if "text/event-stream" in operation["responses"].get("200", {}).get("content", {}):
        words.append("-N")
    content = operation.get("requestBody", {}).get("content", {})
    if method not in ("GET", "POST") or (method == "POST" and not content):
        words += ["-X", method]
    words.append(base_url + path)
    start = shlex.join(words)
    if operation.get("security"):
        start += f' \\\n  -H "Authorization: Bearer {KEY}"'
    if not content:
        yield start
    for kind, media in content.items():
        schema = schemas[reference_of(media["schema"]) or ""]
        if kind == "application/json":
            example = json.dumps(schema["examples"][0], indent=2)
            yield f"{start} \\\n  -H 'Content-Type: application/json' \\\n  -d {shlex.quote(example)}"
        else:
            named = [name for name, value in schema["properties"].items() if value.get("format") == "binary"]
            chosen = {"image": "character.png", "video": "dance.mp4"}
            texts = [
                f"{name}={schema['properties'][name]['examples'][0]}"
                for name in schema.get("required", ())
                if name not in named
            ]
            yield start + "".join(
                f" \\\n  -F {field}"
                for field in (*texts, *(f"{name}=@{chosen.get(name, 'file')}" for name in named))
            )


def _anchor(method: str, path: str) -> str:
    return escape(re.sub(r"[^a-z0-9]+", "-", f"{method}{path.removeprefix(PREFIX)}".lower()).strip("-"))


def _badge(method: str) -> str:
    return f'<span class="method {method.lower()}">{escape(method)}</span>'


def _prose(text: str) -> str:
    return "".join(f"<p>{_inline(paragraph)}</p>" for paragraph in text.split("\n\n") if paragraph)


def _inline(text: str) -> str:
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text, quote=False))
