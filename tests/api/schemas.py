"""The part of JSON Schema that the API's description uses, as a check that raises where a value does not fit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from api import times

Schema = Mapping[str, Any]

_TYPES: Final[Mapping[str, tuple[type, ...]]] = {
    "string": (str,),
    "integer": (int,),
    "boolean": (bool,),
    "null": (type(None),),
    "array": (list,),
    "object": (dict,),
}
# What stands beside the rules and means nothing to this check.
_WORDS: Final = frozenset(
    {"description", "title", "examples", "default", "contentMediaType", "contentEncoding", "format", "maxItems"}
)
_RULES: Final = frozenset(
    {
        "$ref", "anyOf", "type", "enum", "const", "properties", "required", "additionalProperties", "items",
        "minLength", "maxLength", "minimum", "maximum",
    }
)  # fmt: skip


def fits(value: object, schema: Schema, *, schemas: Mapping[str, Schema]) -> bool:
    """Whether the value is what the schema describes."""
    unknown = schema.keys() - _WORDS - _RULES
    assert not unknown, f"this check does not know {unknown}"
    if "$ref" in schema:
        return fits(value, schemas[schema["$ref"].rpartition("/")[2]], schemas=schemas)
    if "anyOf" in schema:
        return any(fits(value, one, schemas=schemas) for one in schema["anyOf"])
    return _kind_fits(value, schema) and _content_fits(value, schema, schemas=schemas)


def _kind_fits(value: object, schema: Schema) -> bool:
    if "type" in schema and type(value) not in _TYPES[schema["type"]]:
        return False
    return value in schema.get("enum", [value]) and value == schema.get("const", value)


def _content_fits(value: object, schema: Schema, *, schemas: Mapping[str, Schema]) -> bool:
    match value:
        case str():
            return _text_fits(value, schema)
        case int():
            return bool(schema.get("minimum", value) <= value <= schema.get("maximum", value))
        case list():
            return all(fits(item, schema.get("items", {}), schemas=schemas) for item in value)
        case dict():
            return _object_fits(value, schema, schemas=schemas)
    return True


def _text_fits(value: str, schema: Schema) -> bool:
    if schema.get("format") == "date-time":
        return times.write(times.read(value)) == value
    return bool(schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value)))


def _object_fits(value: dict[str, Any], schema: Schema, *, schemas: Mapping[str, Schema]) -> bool:
    properties = schema.get("properties", {})
    others = schema.get("additionalProperties", True)
    if not set(schema.get("required", ())) <= value.keys():
        return False
    for name, member in value.items():
        rule = properties.get(name, others)
        if rule is False or (rule is not True and not fits(member, rule, schemas=schemas)):
            return False
    return True
