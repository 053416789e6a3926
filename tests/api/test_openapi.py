from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from fastapi.routing import iter_route_contexts

from api import description
from api.assembly import bare
from api.bodies import JSON
from api.problems import STATUSES
from api.routers import ROUTERS
from services.authority import SCOPES
from tests.api import schemas
from tests.api.door import Door

WRITTEN = Path(__file__).parents[2] / "openapi.yaml"


@cache
def spec() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(WRITTEN.read_text())
    return found


def operations() -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in spec()["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


OPERATIONS = [pytest.param(name, operation, id=name) for name, operation in operations()]


def check(value: object, schema: dict[str, Any]) -> None:
    assert schemas.fits(value, schema, schemas=spec()["components"]["schemas"]), (value, schema)


def test_file_is_what_the_application_serves(door: Door) -> None:
    assert door.with_key(None).get("/openapi.yaml").text == WRITTEN.read_text(), (
        "run: python -m api.openapi > openapi.yaml"
    )


def test_command_writes_the_file() -> None:
    ran = subprocess.run([sys.executable, "-m", "api.openapi"], capture_output=True, cwd=WRITTEN.parent, check=True)
    assert ran.stdout.decode() == WRITTEN.read_text()


def test_every_route_of_every_router_is_in_it() -> None:
    routes = {
        f"{method} {route.path_format}"
        for route in iter_route_contexts(bare(ROUTERS).routes)
        for method in (route.methods or set()) - {"HEAD"}
    }
    assert routes == {name for name, _ in operations()}


@pytest.mark.parametrize(("name", "operation"), OPERATIONS)
def test_operation_says_what_it_does_and_who_may(name: str, operation: dict[str, Any]) -> None:
    assert 10 < len(operation["summary"]) <= 80
    assert not operation["summary"].endswith(".")
    assert operation["tags"]
    if operation["security"] == []:
        assert not {"401", "403"} & operation["responses"].keys()
    else:
        (security,) = operation["security"]
        assert security.keys() == {"apiKey"}
        assert set(security["apiKey"]) <= set(SCOPES)
        assert {"401", "403"} <= operation["responses"].keys()


@pytest.mark.parametrize(("name", "operation"), OPERATIONS)
def test_operation_documents_its_problems(name: str, operation: dict[str, Any]) -> None:
    statuses = operation["responses"].keys()
    assert {"4XX", "5XX"} <= statuses
    if "requestBody" in operation:
        assert {"400", "413", "415", "422"} <= statuses
    if "{" in name:
        assert "404" in statuses
    known = {str(status.value) for status in STATUSES.values()} | {"400", "406", "415", "4XX", "5XX"}
    for status in statuses:
        if status[0] in "45" and name != "GET /readyz":
            assert status in known
            answer = operation["responses"][status]
            answer = spec()["components"]["responses"]["Problem"] if "$ref" in answer else answer
            assert list(answer["content"]) == ["application/problem+json"]


@pytest.mark.parametrize(("name", "operation"), OPERATIONS)
def test_examples_are_there_and_fit_their_schemas(name: str, operation: dict[str, Any]) -> None:
    shown = 0
    for holder in (operation.get("requestBody", {}), *operation["responses"].values()):
        for media, held in holder.get("content", {}).items():
            if media == JSON:
                check(held["example"], held["schema"])
            shown += "example" in held
    for parameter in operation.get("parameters", []):
        for example in parameter["schema"].get("examples", []):
            check(example, parameter["schema"])
    assert shown or "204" in operation["responses"] or "root.crt" in name


def test_no_example_is_a_mere_placeholder() -> None:
    assert "'...'" not in WRITTEN.read_text()


def test_two_builds_are_the_same_text() -> None:
    assert description.to_yaml(description.describe(bare(ROUTERS))) == WRITTEN.read_text()


# --- what is served is what is described ------------------------------------------------------------------------------
def test_answers_fit_their_schemas(door: Door) -> None:
    door.identity()
    signed = door.signed()
    for method, path, call in (
        ("GET", "/v1/me", {}),
        ("GET", "/v1/audit", {}),
        ("GET", "/v1/certificates", {}),
        ("GET", "/v1/identities", {}),
        ("GET", "/v1/api-keys", {}),
        ("GET", "/v1/authorities", {}),
        ("POST", "/v1/api-keys", {"json": {"name": "x"}}),
        ("POST", "/v1/certificates/pkcs12", {"json": {"mailboxes": ["a@campus.example"], "key": "p256"}}),
        ("POST", "/v1/verify", {"content": signed, "headers": {"Content-Type": "message/rfc822"}}),
        ("POST", "/v1/sign", {"files": {"message": door.mail()}, "headers": {"Accept": JSON}}),
        ("GET", "/healthz", {}),
    ):
        answer = door.call(method, path, **call)
        described = spec()["paths"][path][method.lower()]["responses"][str(answer.status_code)]
        check(answer.json(), described["content"][JSON]["schema"])
    problem = door.get("/v1/certificates/x").json()
    check(problem, spec()["components"]["schemas"]["Problem"])
