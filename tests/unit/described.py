"""Whether a value is what an OpenAPI document says of it: for tests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

KINDS: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}


def fits(value: Any, schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> bool:
    """The value has the keys and types that the schema tells, and no others; an enumeration has its word."""
    if "$ref" in schema:
        return fits(value, schemas[schema["$ref"].rpartition("/")[2]], schemas)
    if "anyOf" in schema:
        return any(fits(value, each, schemas) for each in schema["anyOf"])
    if type(value) not in KINDS[schema["type"]] or value not in schema.get("enum", [value]):
        return False
    if isinstance(value, dict):
        properties = schema.get("properties", {})
        whole = set(schema.get("required", ())) <= set(value) <= set(properties)
        return whole and all(fits(each, properties[name], schemas) for name, each in value.items())
    if isinstance(value, list):
        return all(fits(each, schema["items"], schemas) for each in value)
    return True
