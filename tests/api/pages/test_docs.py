from __future__ import annotations

from typing import Any

import pytest

from api.pages import docs
from tests.api.made_up import Client


def test_every_operation_stands_there(client: Client) -> None:
    text = client.get("/docs").text
    for line in ("POST /v1/colours", "GET /v1/colours", "POST /v1/echo", "GET /healthz"):
        assert f"<code>{line}</code>" in text
    assert 'id="model-Colour"' in text
    assert "how it is signed" in text


def test_links_inside_the_page_lead_somewhere(client: Client) -> None:
    text = client.get("/docs").text
    targets = {piece.partition('"')[0] for piece in text.split('id="')[1:]}
    links = {piece.partition('"')[0] for piece in text.split('href="#')[1:]}
    assert links <= targets


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"type": "string"}, "string"),
        ({"type": "string", "format": "date-time"}, "date-time"),
        ({"type": "integer", "minimum": 1, "maximum": 200, "default": 50}, "integer, 1 to 200, default 50"),
        ({"enum": ["a", "b"], "type": "string"}, "a or b"),
        ({"const": "ok"}, "ok"),
        ({"type": "array", "items": {"$ref": "#/components/schemas/Colour"}}, "list of Colour"),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, "string or null"),
        ({}, "anything"),
    ],
)
def test_a_schema_in_words(schema: dict[str, Any], words: str) -> None:
    assert docs.kind(schema) == words


def test_backticks_become_code_and_what_they_hold_is_escaped(client: Client) -> None:
    text = client.get("/docs").text
    assert "`" not in text
    assert "<code>Authorization: Bearer ms_live_...</code>" in text


def test_lists_and_answers_have_names_that_people_read(client: Client) -> None:
    text = client.get("/docs").text
    assert "Successful Response" not in text
    assert "Page_" not in text
    assert 'id="model-strPage"' in text
    assert "A piece of the list" in text


def test_operation_says_which_scope_it_needs() -> None:
    spec = {
        "paths": {
            "/v1/a": {
                "get": {"operationId": "a", "security": [{"apiKey": ["x:read"]}], "responses": {}},
                "put": {"operationId": "b", "security": [{"apiKey": []}], "responses": {}},
                "post": {"operationId": "c", "responses": {}},
            }
        }
    }
    found = {operation.name: (operation.public, operation.scopes) for _, operation in docs.operations(spec)}
    assert found == {"a": (False, ("x:read",)), "b": (False, ()), "c": (True, ())}
