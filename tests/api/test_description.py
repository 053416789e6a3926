from __future__ import annotations

from typing import Any

import pytest
import yaml
from fastapi import Depends
from pydantic import BaseModel

from api import description
from api.assembly import bare
from api.bodies import JsonBody
from tests.api.made_up import Client, made_up_router


@pytest.fixture
def spec() -> dict[str, Any]:
    return description.describe(bare([made_up_router()]))


def operations(spec: dict[str, Any]) -> list[dict[str, Any]]:
    return [operation for methods in spec["paths"].values() for operation in methods.values()]


def test_is_openapi_3_1(spec: dict[str, Any]) -> None:
    assert spec["openapi"] == "3.1.0"


def test_served_text_is_the_description(client: Client, spec: dict[str, Any]) -> None:
    response = client.get("/openapi.yaml")
    assert response.headers["content-type"] == "application/yaml"
    assert response.text == description.to_yaml(spec)
    assert yaml.safe_load(response.text) == spec


def test_text_is_stable_and_has_no_aliases(spec: dict[str, Any]) -> None:
    text = description.to_yaml(spec)
    assert text == description.to_yaml(description.describe(bare([made_up_router()])))
    assert "&id" not in text


def test_every_operation_has_the_problem_responses(spec: dict[str, Any]) -> None:
    for operation in operations(spec):
        assert operation["responses"]["4XX"] == {"$ref": "#/components/responses/Problem"}
        assert operation["responses"]["5XX"] == {"$ref": "#/components/responses/Problem"}
    assert "ValidationError" not in str(spec)


def test_operation_ids_are_function_names(spec: dict[str, Any]) -> None:
    names = [operation["operationId"] for operation in operations(spec)]
    assert "keep_colour" in names
    assert len(names) == len(set(names))


def test_json_body_refers_to_its_model(spec: dict[str, Any]) -> None:
    content = spec["paths"]["/v1/colours"]["post"]["requestBody"]["content"]
    assert list(content) == ["application/json"]
    assert content["application/json"]["schema"] == {"$ref": "#/components/schemas/Colour"}
    assert spec["components"]["schemas"]["Colour"]["additionalProperties"] is False


def test_message_body_shows_three_ways_and_its_scalars(spec: dict[str, Any]) -> None:
    operation = spec["paths"]["/v1/echo"]["post"]
    content = operation["requestBody"]["content"]
    assert set(content) == {"message/rfc822", "multipart/form-data", "application/json"}
    assert "anchor" in content["multipart/form-data"]["schema"]["properties"]
    assert "anchor" not in content["application/json"]["schema"]["properties"]
    assert {parameter["name"] for parameter in operation["parameters"]} == {"as", "loud", "at", "options"}


def test_every_reference_leads_somewhere(spec: dict[str, Any]) -> None:
    def walk(node: object) -> None:
        if isinstance(node, dict):
            if "$ref" in node:
                section, name = node["$ref"].removeprefix("#/components/").split("/")
                assert name in spec["components"][section]
            for value in node.values():
                walk(value)
        elif isinstance(node, list):
            for value in node:
                walk(value)

    walk(spec)


def test_two_models_of_one_name_are_refused() -> None:
    class Colour(BaseModel):
        other: int

    router = made_up_router()
    body = JsonBody(Colour)

    @router.put("/v1/colours")
    def put_colour(colour: object = Depends(body.read)) -> None:  # a local body cannot be annotated
        return None

    with pytest.raises(ValueError, match="two models are called Colour"):
        description.describe(bare([router]))


def test_pages_are_not_part_of_it(spec: dict[str, Any]) -> None:
    assert "/" not in spec["paths"]
    assert "/healthz" in spec["paths"]
