"""The API's description as a page, made on the server from openapi.yaml's own data; nothing is loaded from elsewhere."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from jinja2 import Environment
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from api.pages import render


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A parameter of a call, or a member of an object."""

    name: str
    place: str
    kind: str
    required: bool
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What a request or an answer holds in one media type."""

    media: str
    kind: str
    model: str | None
    members: tuple[Member, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A schema that others refer to: an object with members, or one of several values."""

    name: str
    text: str
    values: tuple[str, ...]
    members: tuple[Member, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a call answers with one status."""

    status: str
    text: str
    contents: tuple[Content, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One call."""

    name: str
    method: str
    path: str
    summary: str
    paragraphs: tuple[str, ...]
    public: bool
    scopes: tuple[str, ...]
    parameters: tuple[Member, ...]
    bodies: tuple[Content, ...]
    answers: tuple[Answer, ...]
    problems: tuple[str, ...]


def route(environment: Environment, *, spec: Callable[[], Mapping[str, Any]]) -> Route:
    """The route; the page is made when it is first asked for, in a thread."""

    @cache
    def made() -> Response:
        return _page(environment, spec())

    async def docs(_request: Request) -> Response:
        return await run_in_threadpool(made)

    return Route("/docs", docs)


def _page(environment: Environment, spec: Mapping[str, Any]) -> Response:
    groups: dict[str, list[Operation]] = {}
    for tag, operation in operations(spec):
        groups.setdefault(tag, []).append(operation)
    return render.page(
        environment,
        "docs.html",
        groups=groups,
        models=[_described(name, schema) for name, schema in sorted(_schemas(spec).items())],
        paragraphs=_paragraphs(spec["info"].get("description", "")),
        scopes=_scopes(spec),
    )


def operations(spec: Mapping[str, Any]) -> Iterator[tuple[str, Operation]]:
    """All calls with the group that each belongs to."""
    for path, methods in spec["paths"].items():
        for method, operation in methods.items():
            yield (operation.get("tags") or ["other"])[0], _operation(operation, method=method, path=path)


def _operation(operation: Mapping[str, Any], *, method: str, path: str) -> Operation:
    return Operation(
        name=operation["operationId"],
        method=method.upper(),
        path=path,
        summary=operation.get("summary", ""),
        paragraphs=_paragraphs(operation.get("description", "")),
        public=not operation.get("security"),
        scopes=tuple(scope for one in operation.get("security", ()) for scopes in one.values() for scope in scopes),
        parameters=tuple(member for parameter in operation.get("parameters", ()) for member in _parameter(parameter)),
        bodies=_contents(operation.get("requestBody", {})),
        answers=tuple(
            _answer(status, answer) for status, answer in operation["responses"].items() if "$ref" not in answer
        ),
        problems=tuple(
            sorted(
                status for status, answer in operation["responses"].items() if "$ref" in answer and status.isdecimal()
            )
        ),
    )


def _answer(status: str, answer: Mapping[str, Any]) -> Answer:
    return Answer(status=status, text=answer.get("description", ""), contents=_contents(answer))


def _contents(holder: Mapping[str, Any]) -> tuple[Content, ...]:
    return tuple(_content(media, held) for media, held in holder.get("content", {}).items())


def _content(media: str, held: Mapping[str, Any]) -> Content:
    schema = held.get("schema", {})
    return Content(media=media, kind=kind(schema), model=_model(schema), members=_members(schema))


def _parameter(parameter: Mapping[str, Any]) -> Iterator[Member]:
    schema = parameter.get("schema", {})
    yield Member(
        name=parameter["name"],
        place=parameter["in"],
        kind=kind(schema),
        required=parameter.get("required", False),
        text=parameter.get("description") or schema.get("description", ""),
    )
    yield from _inner(parameter["name"], schema)


def _members(schema: Mapping[str, Any], *, within: str = "") -> tuple[Member, ...]:
    if _model(schema) is not None:
        return ()  # it stands below, under its name
    return tuple(member for name in schema.get("properties", {}) for member in _member(schema, name, within=within))


def _member(holder: Mapping[str, Any], name: str, *, within: str) -> Iterator[Member]:
    schema = holder["properties"][name]
    required = name in holder.get("required", ())
    text = schema.get("description", "")
    yield Member(name=within + name, place="", kind=kind(schema), required=required, text=text)
    yield from _inner(within + name, schema)


def _inner(name: str, schema: Mapping[str, Any]) -> tuple[Member, ...]:
    """The members of an object that has no name of its own, by the way to them."""
    return _members(schema, within=f"{name}.")


def _described(name: str, schema: Mapping[str, Any]) -> Model:
    text = " ".join(_paragraphs(schema.get("description", "")))
    values = tuple(str(value) for value in schema.get("enum", ()))
    return Model(name=name, text=text, values=values, members=_members(schema))


def _scopes(spec: Mapping[str, Any]) -> Mapping[str, str]:
    """What each scope is for, in the words of all schemes that have some."""
    schemes: Mapping[str, Any] = spec.get("components", {}).get("securitySchemes", {})
    return {name: text for scheme in schemes.values() for name, text in scheme.get("x-scopes", {}).items()}


def kind(schema: Mapping[str, Any]) -> str:
    """A schema in a few words."""
    if (name := _model(schema)) is not None:
        return name
    if "enum" in schema:
        return ", ".join(filter(None, (" or ".join(str(value) for value in schema["enum"]), _preset(schema))))
    if "const" in schema:
        return str(schema["const"])
    if "anyOf" in schema:
        return " or ".join(kind(choice) for choice in schema["anyOf"])
    if schema.get("type") == "array":
        return f"list of {kind(schema.get('items', {}))}"
    words = [schema.get("format") or schema.get("type", "anything"), _bounds(schema), _preset(schema)]
    return ", ".join(word for word in words if word)


def _bounds(schema: Mapping[str, Any]) -> str:
    if "minimum" in schema and "maximum" in schema:
        return f"{schema['minimum']} to {schema['maximum']}"
    return ""


def _preset(schema: Mapping[str, Any]) -> str:
    if schema.get("default") is None:
        return ""
    value = schema["default"]
    return f"default {value if isinstance(value, str) else json.dumps(value)}"


def _model(schema: Mapping[str, Any]) -> str | None:
    reference: str = schema.get("$ref", "")
    return reference.rpartition("/")[2] or None


def _schemas(spec: Mapping[str, Any]) -> Mapping[str, Any]:
    schemas: Mapping[str, Any] = spec.get("components", {}).get("schemas", {})
    return schemas


def _paragraphs(text: str) -> tuple[str, ...]:
    return tuple(" ".join(piece.split()) for piece in text.split("\n\n") if piece.strip())
