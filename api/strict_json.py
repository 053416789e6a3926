"""Strict JSON: one object in UTF-8, in which nothing is said twice and nothing is there that we could not store."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Never, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from api import problems
from api.errors import JsonMalformed, ParameterTwice

M = TypeVar("M", bound=BaseModel)


def read_object(text: bytes | str) -> dict[str, Any]:
    """The object; JsonMalformed for anything else, ParameterTwice if a member stands there twice."""
    try:
        decoded = text.decode("utf-8") if isinstance(text, bytes) else text
        value = json.loads(decoded, object_pairs_hook=_object, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        # ValueError also for integers of thousands of digits; the parser's recursion is bounded by the interpreter.
        raise JsonMalformed("the text is not well-formed JSON in UTF-8") from None
    if not isinstance(value, dict):
        raise JsonMalformed("the text is JSON, but not an object")
    return value


def read_model(model: type[M], members: dict[str, Any]) -> M:
    """The members as a model, by JSON's own types: no number from a string and no truth from a number."""
    try:
        return model.model_validate_json(json.dumps(members), strict=True)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
        raise problems.invalid([_worded(one, model) for one in found]) from None


def _worded(error: Mapping[str, Any], model: type[BaseModel]) -> Mapping[str, Any]:
    """The error as it is, but for an unknown member: that is mended faster by who sees the known ones."""
    if error["type"] != "extra_forbidden":
        return error
    known = ", ".join(_members_at(model, error["loc"][:-1]))
    return {**error, "msg": f"there is no such member; known are {known}"}


def _members_at(model: type[BaseModel], steps: Sequence[object]) -> list[str]:
    """The names of the members of the object at this place."""
    for step in steps:
        annotation = next(
            (field.annotation for name, field in model.model_fields.items() if step in {name, field.alias}), None
        )
        for choice in (annotation, *get_args(annotation)):
            if isinstance(choice, type) and issubclass(choice, BaseModel):
                model = choice
    return [field.alias or name for name, field in model.model_fields.items()]


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members: dict[str, Any] = {}
    for name, value in pairs:
        if name in members:
            raise ParameterTwice(f"the member {name[:40]!r} stands there twice")
        _refuse_odd_characters(name)
        _refuse_odd_characters(value)
        members[name] = value
    return members


def _refuse_odd_characters(value: object) -> None:
    """Null characters and lone surrogates are JSON, but cannot be stored."""
    if isinstance(value, list):
        for item in value:
            _refuse_odd_characters(item)
    elif isinstance(value, str):
        if "\x00" in value:
            raise JsonMalformed("a text holds a null character")
        if not value.isascii():
            value.encode("utf-8")


def _refuse_constant(name: str) -> Never:
    raise JsonMalformed(f"{name} is not JSON")
