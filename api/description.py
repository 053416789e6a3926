"""The API's description (OpenAPI 3.1), made from the application."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, Final

import yaml
from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.openapi.utils import get_openapi
from fastapi.routing import RouteContext, iter_route_contexts
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response
from starlette.routing import Route

from api import scopes
from api.bodies import JSON, DocumentedBody, reference
from api.examples import example_of
from api.problems import MEDIA_TYPE, Problem

MEDIA: Final = "application/yaml"
VERSION: Final = "1"
DESCRIPTION: Final = """\
A campus certificate authority for S/MIME, and the service that signs, verifies, encrypts and decrypts
mail with its certificates.

Every call but the public ones takes `Authorization: Bearer ms_live_...` with a key that has the scopes it names, and
for the mailboxes it names; 64 requests of one key are served at a time. A POST that makes, renews, rotates or revokes
something takes an `Idempotency-Key`: repeated under the same one, it is done once. Signing, verifying, encrypting and
decrypting take none: a message is computed again each time. Every answer carries `X-Request-Id`. Every
answer of 400 and above is a `Problem` (RFC 9457), whose `type` is a page that says what to do. Times are UTC.

Three answers may come from any call. 408: the body came too slowly, and the connection is closed. 429: a key asks too
often or has too many requests open, or its network sent too many wrong keys. 503: the service is too busy, or something
that it needs is not ready. 429 and 503 say in `Retry-After` after how many seconds to ask again.
"""
_TEMPLATE: Final = "#/components/schemas/{model}"
_PROBLEM: Final = {"$ref": "#/components/responses/Problem"}


def describe(app: FastAPI) -> dict[str, Any]:
    """The description of all that the application serves under /v1, and of its health."""
    spec = get_openapi(
        title="Mailseal",
        version=VERSION,
        openapi_version="3.1.0",
        description=DESCRIPTION,
        routes=app.routes,
        servers=[{"url": "/"}],
    )
    components = spec.setdefault("components", {})
    schemas: dict[str, Any] = components.setdefault("schemas", {})
    for surplus in ("HTTPValidationError", "ValidationError"):
        schemas.pop(surplus, None)
    _add_models(schemas, [Problem])
    components["responses"] = {
        "Problem": {"description": "A problem (RFC 9457)", "content": {MEDIA_TYPE: {"schema": reference(Problem)}}}
    }
    for scheme in components.get("securitySchemes", {}).values():
        scheme["x-scopes"] = dict(scopes.WORDS)
    bodies = dict(_bodies(app))
    for path, methods in spec["paths"].items():
        for method, operation in methods.items():
            _add_words(operation)
            if (body := bodies.get((path, method))) is not None:
                _add_body(operation, body)
                _add_models(schemas, list(body.models()))
            _add_problems(operation)
    _name_pages(spec, schemas)
    _add_answers(spec, schemas)
    _add_examples(spec)
    _drop_titles(spec["paths"])
    _drop_titles(schemas)
    return spec


def to_yaml(spec: dict[str, Any]) -> str:
    """The description as text that stays the same as long as the application does."""
    # Through JSON, so that what is used twice is written twice: aliases are lawful YAML that few readers expect.
    return yaml.safe_dump(json.loads(json.dumps(spec)), sort_keys=True, allow_unicode=True, width=120)


def route(spec: Callable[[], dict[str, Any]]) -> Route:
    """The route that serves the description; its text is made when it is first asked for, in a thread."""

    @cache
    def content() -> bytes:
        return to_yaml(spec()).encode()

    async def openapi_yaml(_request: object) -> Response:
        return Response(await run_in_threadpool(content), media_type=MEDIA)

    return Route("/openapi.yaml", openapi_yaml)


def _bodies(app: FastAPI) -> Iterator[tuple[tuple[str, str], DocumentedBody]]:
    for context in iter_route_contexts(app.routes):
        dependant = getattr(context, "dependant", None)
        if isinstance(dependant, Dependant):
            for body in _bodies_of(dependant):
                for method in context.methods or ():
                    yield (_path(context), method.lower()), body


def _bodies_of(dependant: Dependant) -> Iterator[DocumentedBody]:
    owner = getattr(dependant.call, "__self__", None)
    if isinstance(owner, DocumentedBody):
        yield owner
    for inner in dependant.dependencies:
        yield from _bodies_of(inner)


def _path(context: RouteContext) -> str:
    return context.path_format or context.path or ""


def _add_words(operation: dict[str, Any]) -> None:
    """The first paragraph of the docstring is the summary, the rest the description; who needs no key is told so."""
    summary, _, rest = operation.pop("description", "").partition("\n\n")
    operation["summary"] = " ".join(summary.split()).removesuffix(".")
    if rest:
        operation["description"] = rest
    operation.setdefault("security", [])
    for requirement in operation["security"]:
        # OpenAPI 3.1.1, Security Requirement Object: for such a scheme these are the roles that are needed.
        requirement.update({scheme: list(scopes.scopes_of(operation["operationId"])) for scheme in requirement})


def _add_answers(spec: dict[str, Any], schemas: dict[str, Any]) -> None:
    """What an answer holds, by the words of its model, where the call has none of its own."""
    operations = [operation for methods in spec["paths"].values() for operation in methods.values()]
    for answer in [answer for operation in operations for answer in operation["responses"].values()]:
        if answer.get("description") == "Successful Response":
            name = answer.get("content", {}).get(JSON, {}).get("schema", {}).get("$ref", "").rpartition("/")[2]
            words = schemas.get(name, {}).get("description", "Done.").partition("\n\n")[0]
            answer["description"] = " ".join(words.split()).removesuffix(".")


def _name_pages(spec: dict[str, Any], schemas: dict[str, Any]) -> None:
    """Call the pieces of lists CertificatePage, where pydantic says Page_CertificateJson_."""
    names = {name: f"{name[5:-1].removesuffix('Json')}Page" for name in schemas if name.startswith("Page_")}
    for old, new in names.items():
        # Pydantic keeps the words of a generic model to itself.
        schemas[new] = {"description": "A piece of the list.", **schemas.pop(old)}

    def rename(node: object) -> None:
        if isinstance(node, dict):
            start, _, name = str(node.get("$ref", "")).rpartition("/")
            if name in names:
                node["$ref"] = f"{start}/{names[name]}"
            for value in node.values():
                rename(value)
        elif isinstance(node, list):
            for value in node:
                rename(value)

    rename(spec)


def _add_problems(operation: dict[str, Any]) -> None:
    responses = operation["responses"]
    if responses.get("422", {}).get("description") == "Validation Error":
        del responses["422"]
    for status in _problem_statuses(operation):
        responses.setdefault(status, _PROBLEM)
    for status, answer in responses.items():
        if status[0] in "45" and "content" not in answer and "$ref" not in answer:
            answer["content"] = {MEDIA_TYPE: {"schema": reference(Problem)}}


def _problem_statuses(operation: dict[str, Any]) -> Iterator[str]:
    """What may go wrong with a call by what it takes and gives; the open classes stand for all the rest."""
    places = {parameter["in"] for parameter in operation.get("parameters", ())}
    if "requestBody" in operation:
        yield from ("400", "413", "415", "422")
    if places:
        yield from ("400", "422")
    if operation["security"]:
        yield from ("401", "403")
    if "path" in places:
        yield "404"
    if any(len(answer.get("content", ())) > 1 for answer in operation["responses"].values()):
        yield "406"
    yield from ("4XX", "5XX")


def _add_examples(spec: dict[str, Any]) -> None:
    """An example for whatever is JSON, in requests and in answers."""
    schemas = spec["components"]["schemas"]
    for methods in spec["paths"].values():
        for operation in methods.values():
            for holder in (operation.get("requestBody", {}), *operation["responses"].values()):
                held = holder.get("content", {}).get(JSON)
                if held is not None and "example" not in held:
                    held["example"] = example_of(held["schema"], schemas=schemas)


def _drop_titles(node: object) -> None:
    """Without the titles that pydantic makes of names; a member called `title` has no text but a schema."""
    if isinstance(node, dict):
        if isinstance(node.get("title"), str) and node.keys() & {
            "type",
            "anyOf",
            "$ref",
            "enum",
            "const",
            "properties",
        }:
            del node["title"]
        for value in node.values():
            _drop_titles(value)
    elif isinstance(node, list):
        for value in node:
            _drop_titles(value)


def _add_body(operation: dict[str, Any], body: DocumentedBody) -> None:
    operation["requestBody"] = {"required": True, "content": body.content()}
    for name, schema in body.parameters().items():
        operation.setdefault("parameters", []).append(
            {"name": name, "in": "query", "required": False, "schema": schema}
        )


def _add_models(schemas: dict[str, Any], models: list[type[BaseModel]]) -> None:
    _, made = models_json_schema([(model, "validation") for model in models], ref_template=_TEMPLATE)
    for name, schema in made["$defs"].items():
        if schemas.setdefault(name, schema) != schema:
            raise ValueError(f"two models are called {name}: give one of them another name")
