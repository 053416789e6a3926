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
