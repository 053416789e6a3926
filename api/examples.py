"""Example of what a schema describes, put together from the examples of its members."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

_PREFIX: Final = "#/components/schemas/"
_PLAIN: Final[Mapping[str, Any]] = {
    "string": "...",
    "integer": 1,
    "number": 1,
    "boolean": False,
    "null": None,
    "array": [],
    "object": {},
}

Schema = Mapping[str, Any]


def example_of(schema: Schema, *, schemas: Mapping[str, Schema]) -> Any:
    """One value that the schema allows; its own example, else what it must be, else one made of its parts.

    A member that may be left out and has nothing to show is left out.
    """
    if "$ref" in schema:
        return example_of(schemas[schema["$ref"].removeprefix(_PREFIX)], schemas=schemas)
    if schema.get("examples"):
        return schema["examples"][0]
    for name in ("const", "default"):
        if name in schema:
            return schema[name]
    if "enum" in schema:
        return schema["enum"][0]
    if "anyOf" in schema:
        first, last = schema["anyOf"][0], schema["anyOf"][-1]  # the last one is null where there is a null
        return example_of(first if "examples" in first else last, schemas=schemas)
    return _made(schema, schemas)


def _made(schema: Schema, schemas: Mapping[str, Schema]) -> Any:
    if "properties" in schema:
        made = {name: example_of(held, schemas=schemas) for name, held in schema["properties"].items()}
        needed = schema.get("required", ())
        return {name: value for name, value in made.items() if value is not None or name in needed}
    if schema.get("type") == "array" and "$ref" in schema.get("items", {}):
        return [example_of(schema["items"], schemas=schemas)]
    return _PLAIN.get(schema.get("type", "object"), {})
