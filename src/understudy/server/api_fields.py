"""Fields of an OpenAPI document in words: their types, limits and defaults."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Schema = Mapping[str, Any]


@dataclass(frozen=True)
class Field:
    """One line of a table. ``kind`` may be the name of another schema, then ``links_to`` is that name."""

    name: str
    kind: str
    limits: str
    default: str
    required: bool
    description: str
    links_to: str | None = None


def fields_of(schema: Schema, schemas: Mapping[str, Schema]) -> Iterator[Field]:
    """The properties of an object's schema, in order."""
    required = schema.get("required", ())
    for name, value in schema.get("properties", {}).items():
        yield field_of(name, value, schemas, required=name in required)


def field_of(
    name: str,
    schema: Schema,
    schemas: Mapping[str, Schema],
    *,
    required: bool,
    description: str = "",
    nulls: bool = True,
) -> Field:
    """``nulls``: say where null is allowed; only JSON has it."""
    concrete, nullable = _without_null(schema)
    reference = reference_of(concrete.get("items", concrete))
    target = schemas.get(reference or "", {})
    words = list(_limits(target if "enum" in target else concrete))
    if nullable and nulls:
        words.append("or null")
    return Field(
        name=name,
        kind=_kind(concrete, target, reference),
        limits=", ".join(words),
        default=json.dumps(schema["default"]) if schema.get("default") is not None else "",
        required=required,
        description=schema.get("description", "") or description,
        links_to=reference if reference and "enum" not in target else None,
    )


def reference_of(schema: Schema) -> str | None:
    """The name of the schema that this one stands for."""
    reference = schema.get("$ref")
    return None if reference is None else str(reference).rpartition("/")[2]


def _without_null(schema: Schema) -> tuple[Schema, bool]:
    choices = schema.get("anyOf")
    if choices is None:
        return schema, False
    concrete = [choice for choice in choices if choice.get("type") != "null"]
    return (concrete[0] if concrete else {}), len(concrete) < len(choices)


def _kind(schema: Schema, target: Schema, reference: str | None) -> str:
    if reference is not None:
        name = str(target.get("type", "text")) if "enum" in target else reference
    else:
        name = str(schema.get("format") or schema.get("type") or "any")
    plain = {"string": "text", "binary": "file", "date-time": "time", "boolean": "true or false"}.get(
        name, name
    )
    if plain == "array":
        items = schema.get("items", {})
        return f"list of {items.get('type', 'any')}"
    return f"list of {plain}" if "items" in schema else plain


def _limits(schema: Schema) -> Iterator[str]:
    words = schema.get("enum") or ([schema["const"]] if "const" in schema else [])
    if words:
        yield " | ".join(str(word) for word in words)
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is not None and high is not None:
        yield f"{low} to {high}"
    if schema.get("maxLength"):
        yield f"at most {schema['maxLength']} characters"
